"""A far end of real sockets that says what it is told, and what is asked of it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from appliance.domain.errors import ShopTrouble
from appliance.domain.facts import Fact, Kind
from appliance.ports import Shop

TOKEN = "s3cret-token-of-a-kiosk"
ORDER: dict[str, Any] = {
    "id": "ord-1",
    "number": "1",
    "version": "1",
    "status": "ready",
    "pickup_point": "mitte",
    "currency": "EUR",
    "lines": [{"sku": "A", "name": "A", "quantity": "1", "unit_price": 5, "total": 5}],
    "total": 5,
    "paid": 0,
    "due": 5,
}
FACT = Fact("f-1", Kind.HANDED_OVER, "H-1", "2026-11-23T15:04:05Z", "", {"order": "ord-1"})


class Far:
    """A far end that says what it is told: `answer` gets each request's head and body, and the
    connection; it answers bytes, or speaks itself and answers b""."""

    def __init__(self, answer: Callable[[bytes, socket.socket], bytes]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/base"
        self.requests: list[bytes] = []
        self.connections = 0
        self.came = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while request := _read_request(connection):
                self.requests.append(request)
                self.came.set()
                answer = self._answer(request, connection)
                if not answer:
                    return
                connection.sendall(answer)

    def close(self) -> None:
        # shutdown wakes the accept; close alone would not
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


def _read_request(connection: socket.socket) -> bytes:
    """Head and body of one request; b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def reply(
    body: bytes | dict[str, Any] = b"",
    status: str = "200 OK",
    kind: str = "application/json",
    **headers: str,
) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(raw)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


CALLS: dict[str, Callable[[Shop], object]] = {
    "snapshot": lambda shop: shop.snapshot("", 0),
    "poll": lambda shop: shop.snapshot('"x"', 1),
    "order": lambda shop: shop.order("NL-1"),
    "claim": lambda shop: shop.claim("ord-1", "H-1", "1", 600),
    "deliver": lambda shop: shop.deliver([FACT]),
    "sellers": lambda shop: shop.sellers(),
    "health": lambda shop: shop.report_health({}),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def trouble(call: Callable[[Shop], object], shop: Shop) -> ShopTrouble:
    with structlog.testing.capture_logs() as logs, pytest.raises(ShopTrouble) as caught:
        call(shop)
    for shown in (str(caught.value), repr(caught.value), repr(shop), str(logs)):
        assert TOKEN not in shown
    assert caught.value.detail.isprintable()
    return caught.value
