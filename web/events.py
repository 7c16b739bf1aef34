"""Server-sent events: "the screen has changed, this is its seq", and nothing else.

A stream keeps one of the server's threads. So there are few of them, and one whose browser is
gone ends within a second, long before the next write would fail.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Final

from flask import Response, request

from web.counter_port import Counter

MOST_STREAMS: Final = 8
PING_S: Final = 15.0
"""Seconds of silence after which a comment is sent, so that the browser sees a dead server."""
_SLICE_S: Final = 1.0
"""The longest wait in one piece: how soon a stopping server or a lost browser is noticed."""
_RETRY_MS: Final = 1000


class Streams:
    """How many streams are open; at most MOST_STREAMS."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0

    def enter(self) -> bool:
        """Whether there is room for one more, which then counts until `leave`."""
        with self._lock:
            if self._open >= MOST_STREAMS:
                return False
            self._open += 1
            return True

    def leave(self) -> None:
        with self._lock:
            assert self._open > 0, "a stream left twice"
            self._open -= 1

    def __len__(self) -> int:
        return self._open


def answer(counter: Counter, streams: Streams) -> Response:
    """The stream for the current request, or 503 when there are too many already."""
    if counter.stopping.is_set() or not streams.enter():
        return Response("too many streams\n", 503, {"Retry-After": "5"}, mimetype="text/plain")
    # Both servers that we run on hand the connection over; without it the next write tells.
    connection = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    response = Response(
        events(counter, connection if isinstance(connection, socket.socket) else None),
        mimetype="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )
    response.call_on_close(streams.leave)
    return response


def events(counter: Counter, connection: socket.socket | None) -> Iterator[str]:
    """Tell the seq at once, and again at each change, until the counter stops."""
    yield f"retry: {_RETRY_MS}\n\n"
    seq = -1
    spoke_at = time.monotonic()
    while not counter.stopping.is_set():
        now = counter.wait(seq, _SLICE_S)
        if now != seq:
            seq = now
            yield f"event: changed\nid: {seq}\ndata: {seq}\n\n"
            spoke_at = time.monotonic()
        elif is_gone(connection):
            return
        elif time.monotonic() - spoke_at >= PING_S:
            yield ": ping\n\n"
            spoke_at = time.monotonic()


def is_gone(connection: socket.socket | None) -> bool:
    """Whether the other side has closed its connection. It never waits."""
    if connection is None:
        return False
    try:
        waiting = select.poll()
        waiting.register(connection, select.POLLIN)
        return bool(waiting.poll(0)) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # ValueError: it is closed here already
        return True
