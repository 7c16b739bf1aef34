"""What can be wrong with a shop on the network, switched on from code. Only the API is hit."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HUGE_BYTES: Final = 100_000_000
ELSEWHERE: Final = "https://elsewhere.example/v1"


class Fault(StrEnum):
    NONE = "none"
    DOWN = "down"  # the connection is closed without an answer; polls in progress as well
    ERROR_500 = "error_500"
    UNAVAILABLE_503 = "unavailable_503"
    TOO_MANY_429 = "too_many_429"
    HTML = "html"  # a login page, as a captive portal or a broken proxy gives
    TRUNCATED = "truncated"  # half of the answer's body
    HUGE = "huge"  # 100 MB
    MOVED = "moved"  # 301 to another host
    SLOW = "slow"  # the right answer, `seconds` late
    LOST = "lost"  # the shop commits, and the answer never arrives


@dataclass(frozen=True, slots=True)
class ShopFaults:
    """path: only requests with this in their path, "" is all. times: how many requests are hit,
    0 is every one until it is switched off. seconds: how late (SLOW), or Retry-After (503, 429).
    """

    fault: Fault = Fault.NONE
    path: str = ""
    times: int = 0
    seconds: float = 0.0


class FaultSwitch:
    """Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = ShopFaults()
        self._running: set[socket.socket] = set()

    @property
    def faults(self) -> ShopFaults:
        with self._lock:
            return self._faults

    def set(self, faults: ShopFaults) -> None:
        with self._lock:
            self._faults = faults
        if faults.fault is Fault.DOWN and not faults.path:
            self.cut_all()

    def cut_all(self) -> None:
        """Break off every request that is being answered."""
        with self._lock:
            running = list(self._running)
        for connection in running:
            cut(connection)

    def take(self, path: str) -> ShopFaults:
        """What this request meets."""
        with self._lock:
            faults = self._faults
            if faults.fault is Fault.NONE or faults.path not in path:
                return ShopFaults()
            if faults.times == 1:
                self._faults = ShopFaults()
            elif faults.times > 1:
                self._faults = replace(faults, times=faults.times - 1)
            return faults

    @contextmanager
    def running(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._running.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(connection)


def cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the far end was quicker


class Faulty:
    """WSGI middleware between the server and the shop."""

    def __init__(self, app: WSGIApplication, switch: FaultSwitch, stop: threading.Event) -> None:
        self._app, self._switch, self._stop = app, switch, stop

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/v1/"):
            return self._app(environ, start)
        connection: socket.socket = environ["werkzeug.socket"]
        with self._switch.running(connection):
            met = self._switch.take(path)
            match met.fault:
                case Fault.DOWN:
                    return _drop(connection)
                case Fault.LOST:
                    whole(self._app, environ)
                    return _drop(connection)
                case Fault.SLOW:
                    self._stop.wait(met.seconds)
                case Fault.TRUNCATED:
                    status, headers, body = whole(self._app, environ)
                    start(status, [*_without_length(headers), _length(len(body) + 1)])
                    return [body[: len(body) // 2]]
                case Fault.NONE:
                    pass
                case _:
                    return _canned(met, start)
            # Whole, while it is known to be running: a cut must find it.
            status, headers, body = whole(self._app, environ)
            start(status, headers)
            return [body]


def _drop(connection: socket.socket) -> Iterable[bytes]:
    cut(connection)
    raise ConnectionAbortedError("a fault that was switched on")


def _canned(met: ShopFaults, start: StartResponse) -> Iterable[bytes]:
    again = [("Retry-After", str(math.ceil(met.seconds)))] if met.seconds else []
    match met.fault:
        case Fault.ERROR_500:
            start("500 Internal Server Error", [("Content-Type", "text/plain"), _length(4)])
            return [b"oops"]
        case Fault.UNAVAILABLE_503:
            start("503 Service Unavailable", [*again, _length(0)])
            return []
        case Fault.TOO_MANY_429:
            start("429 Too Many Requests", [*again, _length(0)])
            return []
        case Fault.HTML:
            page = b"<!doctype html><title>Welcome to the Wi-Fi</title><p>Please log in."
            start("200 OK", [("Content-Type", "text/html"), _length(len(page))])
            return [page]
        case Fault.HUGE:
            start("200 OK", [("Content-Type", "application/json")])
            return _huge()
        case Fault.MOVED:
            start("301 Moved Permanently", [("Location", ELSEWHERE), _length(0)])
            return []
        case _:
            raise AssertionError(f"no canned answer for {met.fault}")


def _huge() -> Iterator[bytes]:
    """Without a length, so that only counting stops it."""
    chunk = b'{"orders":['.ljust(1_000_000)
    for _ in range(HUGE_BYTES // len(chunk)):
        yield chunk


Headers = list[tuple[str, str]]


def whole(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, Headers, bytes]:
    """Run the shop to its end, commit and all, and keep its answer back."""
    said: list[tuple[str, Headers]] = []

    def start(status: str, headers: Headers, exc_info: Any = None, /) -> Callable[[bytes], object]:
        said.append((status, headers))
        return lambda data: None

    answer = app(environ, start)
    try:
        body = b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    status, headers = said[-1]
    return status, headers, body


def _length(count: int) -> tuple[str, str]:
    return "Content-Length", str(count)


def _without_length(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name.lower() != "content-length"]
