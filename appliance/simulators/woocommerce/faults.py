"""What goes wrong between a counter and a WooCommerce shop, switched on from code or by a seed."""

from __future__ import annotations

import math
import random
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from appliance.simulators.shop.faults import cut, whole

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PHP_SAYS: Final = (
    b"<br />\n<b>Warning</b>:  Undefined array key 0 in <b>/var/www/wp-content/plugins/x/x.php</b>"
    b" on line <b>42</b><br />\n"
)


class Fault(StrEnum):
    NONE = "none"
    DOWN = "down"  # the connection is closed without an answer, and nothing is done
    LOST = "lost"  # it is done, and the answer never arrives
    SLOW = "slow"  # the right answer, `seconds` late
    TOO_MANY_429 = "too_many_429"
    ERROR_500 = "error_500"  # PHP died: a page, and nothing is done
    UNAVAILABLE_503 = "unavailable_503"  # maintenance mode
    PHP_WARNING = "php_warning"  # it is done, and a warning of PHP stands before the JSON


@dataclass(frozen=True, slots=True)
class WooFaults:
    """method, path: only requests that have these, "" is any. times: how many are hit, 0 is every
    one. seconds: how late (SLOW), or Retry-After (429, 503). rate: of those that could be hit,
    how many are, by the seed; 1 is all."""

    fault: Fault = Fault.NONE
    method: str = ""
    path: str = ""
    times: int = 0
    seconds: float = 0.0
    rate: float = 1.0


class Faulty:
    """WSGI middleware. any_of: kinds of which one is drawn for each request that is hit."""

    def __init__(self, app: WSGIApplication, seed: int = 1) -> None:
        self._app = app
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._faults: tuple[WooFaults, ...] = ()
        self._stop = threading.Event()

    def set(self, *faults: WooFaults) -> None:
        """Several: each request meets the first that hits it."""
        with self._lock:
            self._faults = faults

    def stop(self) -> None:
        self._stop.set()

    def _take(self, method: str, path: str) -> WooFaults:
        with self._lock:
            for place, met in enumerate(self._faults):
                is_hit = met.path in path and met.method in ("", method)
                if not is_hit or self._chance.random() >= met.rate:
                    continue
                rest = list(self._faults)
                if met.times == 1:
                    del rest[place]
                elif met.times > 1:
                    rest[place] = replace(met, times=met.times - 1)
                self._faults = tuple(rest)
                return met
        return WooFaults()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        met = self._take(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        again = [("Retry-After", str(math.ceil(met.seconds)))] if met.seconds else []
        match met.fault:
            case Fault.DOWN:
                return _drop(environ)
            case Fault.LOST:
                whole(self._app, environ)
                return _drop(environ)
            case Fault.SLOW:
                self._stop.wait(met.seconds)
            case Fault.TOO_MANY_429:
                start("429 Too Many Requests", [*again, ("Content-Length", "0")])
                return []
            case Fault.UNAVAILABLE_503:
                page = b"<h1>Briefly unavailable for scheduled maintenance.</h1>"
                start("503 Service Unavailable", [*again, *_html(page)])
                return [page]
            case Fault.ERROR_500:
                page = b"<p>There has been a critical error on this website.</p>"
                start("500 Internal Server Error", _html(page))
                return [page]
            case Fault.PHP_WARNING:
                status, headers, body = whole(self._app, environ)
                kept = [(n, v) for n, v in headers if n.lower() != "content-length"]
                start(status, [*kept, ("Content-Length", str(len(PHP_SAYS + body)))])
                return [PHP_SAYS + body]
            case Fault.NONE:
                pass
        return self._app(environ, start)


def _html(page: bytes) -> list[tuple[str, str]]:
    return [("Content-Type", "text/html; charset=UTF-8"), ("Content-Length", str(len(page)))]


def _drop(environ: WSGIEnvironment) -> Iterable[bytes]:
    connection: socket.socket = environ["werkzeug.socket"]
    cut(connection)
    raise ConnectionAbortedError("a fault that was switched on")
