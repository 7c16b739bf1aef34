"""HTTP as the shop drivers need it: bounded in time and size, and a close that ends every call.

httpx's own timeouts bound one read, not a call: a far end that drips a byte every few seconds
would hold a thread for hours. Each call here has a deadline for the whole, kept by shutting its
socket down; closing uses the same means to end long polls at once.
"""

from __future__ import annotations

import ipaddress
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakSet

import httpx

from appliance.domain.errors import Code, ConfigTrouble, ShopTrouble

MOST_CALLS: Final = 8
"""Calls at once. The counter makes six at most; more of them means that something is stuck."""
KEEP_IDLE_S: Final = 30.0
"""Shorter than the keep-alive of common servers (60 to 75 s), so that it is us who hang up. Where a
server is known to hang up sooner, see HttpOptions."""
CHUNK: Final = 65_536
LONGEST_RETRY_AFTER_S: Final = 3600
_SECONDS: Final = re.compile(r"[0-9]{1,9}\Z")
_MADE: Final = frozenset(
    {
        "connection.connect_tcp.complete",
        "connection.start_tls.complete",
        "proxy.start_tls.complete",
    }
)
"""httpcore's events after which there is a socket, or another one on top of it."""


class ShopBusy(ShopTrouble):
    """The shop asks for patience (429), or has a fault of its own (5xx).

    retry_after_s: how long it asks to be left alone, at most an hour; None where it does not say.
    """

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(Code.SHOP_BUSY, detail)
        self.retry_after_s = retry_after_s


class FactRefused(ShopTrouble):
    """The shop will never take this fact. It kept none of the facts of the same request."""

    def __init__(self, fact_id: str, reason: str) -> None:
        super().__init__(Code.SHOP_REFUSES_FACT, f"{fact_id}: {reason}")
        self.fact_id = fact_id
        self.reason = reason


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """url: the shop's base address, which paths are appended to. answer_timeout_s: from the
    request to the last byte of its answer. ca_file: more certificates to trust, in PEM, for a
    shop with an authority of its own. allow_http: plain HTTP beyond this machine, for a test bed.
    keep_idle_s: how long a connection is kept for the next call. proxy: "http://host:port" of what
    the shop is reached by, in a tunnel (RFC 9110, 9.3.6), so that it reads nothing; "" for none.
    """

    url: str
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 10.0
    max_body: int = 8 * 1024 * 1024
    ca_file: str = ""
    allow_http: bool = False
    keep_idle_s: float = KEEP_IDLE_S
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: httpx.Headers
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        stated: str = self.headers.get("content-type", "")
        return stated.partition(";")[0].strip().lower()

    def nonsense(self, why: str) -> ShopTrouble:
        kind = _printable(self.media_type[:60]) or "no content type"
        return ShopTrouble(Code.SHOP_NONSENSE, f"HTTP {self.status}, {kind}: {why}")


class _Line:
    """One client with at most one connection, used by one call at a time: so it is known which
    socket is whose. shown: told when the certificate ends that the far end has shown."""

    def __init__(self, client: httpx.Client, shown: Callable[[float], None]) -> None:
        self.client = client
        self._shown = shown
        self.was_cut = False
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()

    def trace(self, event: str, info: Mapping[str, object]) -> None:
        """httpx's request extension `trace`: tells of each connection that was made."""
        if event not in _MADE:
            return
        stream = info["return_value"]
        assert hasattr(stream, "get_extra_info")
        opened = stream.get_extra_info("socket")
        if (tls := stream.get_extra_info("ssl_object")) is not None:
            self._shown(_until(tls))
        with self._lock:
            self._sockets.add(opened)
            if self.was_cut:
                _shut(opened)

    def cut(self) -> None:
        """End the call that is running, from another thread."""
        with self._lock:
            self.was_cut = True
            for opened in self._sockets:
                _shut(opened)


def _shut(opened: socket.socket) -> None:
    try:
        # The plain socket's method, for TLS as well: SSLSocket's own drops state that the
        # reading thread still uses.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already, which is what was wanted


class _Watch:
    """Cuts each line whose call lasts too long. One thread for all of them, made with the first:
    a thread for each call would have that call wait until it runs, and again until it has ended.
    """

    def __init__(self) -> None:
        self._due: dict[_Line, float] = {}
        self._wakes_at = math.inf  # at the latest; often there is nothing to do then
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def begin(self, line: _Line, limit_s: float) -> None:
        with self._changed:
            self._due[line] = time.monotonic() + limit_s
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="shop-watch", daemon=True)
                self._thread.start()
            if self._due[line] < self._wakes_at:
                self._changed.notify()

    def end(self, line: _Line) -> None:
        """From here on the line is not cut: it may be another call's."""
        with self._changed:
            self._due.pop(line, None)

    def close(self) -> None:
        """Calls that still run have been cut."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                for line in [line for line, due in self._due.items() if due <= now]:
                    del self._due[line]
                    line.cut()
                self._wakes_at = min(self._due.values(), default=math.inf)
                left_s = self._wakes_at - now
                self._changed.wait(left_s if left_s < threading.TIMEOUT_MAX else None)


class ShopHttp:
    """Requests to one shop, from any thread."""

    def __init__(
        self,
        options: HttpOptions,
        headers: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """headers: sent with each request; they may hold a secret and are never shown.
        transport: what carries the requests in place of this machine's network.

        Raises ConfigTrouble for an address that cannot be used, or would show the secret."""
        mistakes = address_mistakes(options.url, allow_http=options.allow_http)
        if options.proxy and not options.url.startswith("https:"):
            mistakes.append("a proxy would read the token: https is needed")
        if mistakes:
            raise ConfigTrouble(mistakes)
        self._options = options
        self._transport = transport
        self._base = options.url.rstrip("/")
        # An answer of 40 KB may unpack to gigabytes: none is asked for packed, and none is taken.
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "kassa", **headers}
        self._tls = _trust(options.ca_file) if options.url.startswith("https:") else None
        self._seats = threading.BoundedSemaphore(MOST_CALLS)
        self._lock = threading.Lock()
        self._watch = _Watch()
        self._idle: list[_Line] = []
        self._busy: list[_Line] = []
        self._is_closed = False
        self._until: float | None = None

    def certificate_until(self) -> float | None:
        """When the certificate of the last handshake ends, in Unix time; None before one."""
        return self._until

    def _showed(self, until: float) -> None:
        self._until = until

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        wait_s: float = 0.0,
        also: Container[int] = (),
    ) -> Answer:
        """One request and its whole answer, whatever its status but those of `_refuse`.

        path: percent-encoded. body: JSON. wait_s: how long the shop may hold the answer back,
        beyond the answer timeout. also: statuses of `_refuse` that are answers here, as what
        the shop says with them matters. Raises ShopTrouble."""
        with self._line() as line:
            limit_s = self._options.connect_timeout_s + self._options.answer_timeout_s + wait_s
            self._watch.begin(line, limit_s)
            try:
                answer = self._exchange(line, method, path, headers or {}, body, wait_s)
            except httpx.HTTPError as error:
                raise self._unreachable(line, error, limit_s) from None
            finally:
                self._watch.end(line)
        if answer.status not in also:
            _refuse(answer)
        return answer

    def close(self) -> None:
        """End all calls at once; later ones are refused. Never raises."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for line in busy:
            line.cut()
        for line in idle:
            line.client.close()
        self._watch.close()

    @contextmanager
    def _line(self) -> Iterator[_Line]:
        if not self._seats.acquire(timeout=self._options.answer_timeout_s):
            raise ShopBusy(f"{MOST_CALLS} calls are waiting for the shop already")
        try:
            with self._lock:
                if self._is_closed:
                    raise ShopTrouble(Code.SHOP_UNREACHABLE, "the link to the shop is closed")
                line = self._idle.pop() if self._idle else _Line(self._client(), self._showed)
                self._busy.append(line)
            try:
                yield line
            finally:
                with self._lock:
                    self._busy.remove(line)
                    is_over = line.was_cut or self._is_closed
                    if not is_over:
                        self._idle.append(line)
                if is_over:
                    line.client.close()
        finally:
            self._seats.release()

    def _client(self) -> httpx.Client:
        options = self._options
        return httpx.Client(
            headers=self._headers,
            timeout=httpx.Timeout(options.answer_timeout_s, connect=options.connect_timeout_s),
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=options.keep_idle_s
            ),
            verify=self._tls if self._tls is not None else False,
            follow_redirects=False,
            proxy=options.proxy or None,
            trust_env=False,  # no proxy and no .netrc may come in by the back door
            transport=self._transport,
        )

    def _exchange(
        self,
        line: _Line,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        wait_s: float,
    ) -> Answer:
        options = self._options
        read_s = options.answer_timeout_s + wait_s
        request = line.client.build_request(
            method,
            self._base + path,
            headers={"Content-Type": "application/json", **headers} if body else headers,
            content=body,
            timeout=httpx.Timeout(read_s, connect=options.connect_timeout_s),
            extensions={"trace": line.trace},
        )
        response = line.client.send(request, stream=True)
        try:
            return Answer(response.status_code, response.headers, self._read(response))
        except httpx.RemoteProtocolError as error:
            if line.was_cut:
                raise
            raise ShopTrouble(
                Code.SHOP_NONSENSE, f"HTTP {response.status_code}, cut short: {_words(error)}"
            ) from None
        finally:
            response.close()

    def _read(self, response: httpx.Response) -> bytes:
        most = self._options.max_body
        too_long = ShopTrouble(
            Code.SHOP_NONSENSE, f"HTTP {response.status_code}: more than {most} bytes"
        )
        stated = response.headers.get("content-length", "")
        if _SECONDS.match(stated) and int(stated) > most:
            raise too_long
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ShopTrouble(Code.SHOP_NONSENSE, "the answer is packed, which was not asked for")
        body = bytearray()
        for chunk in response.iter_raw(CHUNK):
            body += chunk
            if len(body) > most:
                raise too_long
        return bytes(body)

    def _unreachable(self, line: _Line, error: httpx.HTTPError, limit_s: float) -> ShopTrouble:
        if self._is_closed:
            return ShopTrouble(Code.SHOP_UNREACHABLE, "the link to the shop was closed")
        if line.was_cut:
            return ShopTrouble(Code.SHOP_UNREACHABLE, f"no whole answer within {limit_s:g} s")
        if isinstance(error, httpx.ProxyError):
            return ShopTrouble(Code.SHOP_UNREACHABLE, f"the proxy says no: {_words(error)}")
        # httpx says both with one class: hanging up in silence, and talking what is no HTTP.
        is_silence = str(error).startswith("Server disconnected")
        if isinstance(error, httpx.RemoteProtocolError) and not is_silence:
            return ShopTrouble(Code.SHOP_NONSENSE, f"no HTTP: {_words(error)}")
        return ShopTrouble(Code.SHOP_UNREACHABLE, f"{type(error).__name__}: {_words(error)}")


def address_mistakes(url: str, *, allow_http: bool) -> list[str]:
    """Why this cannot be a shop's base address; empty when it can."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_sound = parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError:
        return ["the shop's url is no address"]
    if "@" in url:  # before anything is quoted: what stands before it may be a password
        return ["the shop's url has a user or password in it"]
    if not is_sound or not url.isascii() or not url.isprintable() or re.search(r"[\s?#]", url):
        return ["the shop's url is not of the form https://shop.example/path"]
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        return ["the shop's url would send the token in the clear: https is needed"]
    return []


def _until(tls: ssl.SSLObject) -> float:
    """When the far end's certificate ends, in Unix time. It was verified, so its fields are there
    (ssl.SSLSocket.getpeercert)."""
    certificate = tls.getpeercert()
    assert certificate
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()  # the system's authorities
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigTrouble([f"{ca_file} cannot be read as certificates: {error}"]) from None
    return context


def _refuse(answer: Answer) -> None:
    """Raise for the statuses that mean the same whatever was asked."""
    status = answer.status
    if status in (401, 403):
        raise ShopTrouble(Code.SHOP_TOKEN, f"HTTP {status}")
    if status == 429 or status >= 500:
        raise ShopBusy(f"HTTP {status}", _retry_after(answer.headers))
    if 300 <= status < 400 and status != 304:
        # The token goes to the configured address and nowhere else.
        place = answer.headers.get("location", "")
        where = _printable(place[:200]) or "nowhere"
        raise ShopTrouble(Code.SHOP_MOVED, f"HTTP {status} to {where}")


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds of Retry-After (RFC 9110, 10.2.3). A date is not taken: our clock may be wrong."""
    stated = headers.get("retry-after", "").strip()
    if not _SECONDS.match(stated):
        return None
    return float(min(int(stated), LONGEST_RETRY_AFTER_S))


def _words(error: Exception) -> str:
    return _printable(str(error)[:200])


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
