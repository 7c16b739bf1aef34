"""The network between the counter and the shop, as a cable that can be pulled.

It listens on loopback, with one port for its whole life, and passes bytes on unread.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final

HOST: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 32
CONNECT_WAIT_S: Final = 5.0
CHUNK_BYTES: Final = 64 * 1024


class Relay:
    """Passes connections on to host:port of `to`. While it is unplugged every connection is cut
    and new ones are refused, which is what a computer finds when its own network is gone."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self.port = 0
        self._lock = threading.Lock()  # of what follows
        self._news = threading.Condition(self._lock)
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)

    @property
    def is_plugged(self) -> bool:
        return self._listener is not None

    def plug(self) -> None:
        """Idempotent. Raises OSError when the port of before is taken by now."""
        with self._lock:
            if self._listener is not None:
                return
            self._listener = socket.create_server((HOST, self.port), backlog=MOST_CONNECTIONS)
            self.port = self._listener.getsockname()[1]
            threading.Thread(
                target=self._accept, args=(self._listener,), name="relay", daemon=True
            ).start()

    def unplug(self) -> None:
        """Idempotent."""
        with self._lock:
            listener, self._listener = self._listener, None
            peers = list(self._open)
        if listener is not None:
            _shut(listener)  # wakes the thread that accepts
            listener.close()
        for peer in peers:
            _shut(peer)  # wakes the threads that pump, which close it

    def wait_open(self, count: int, timeout_s: float) -> bool:
        """Until so many connections are being passed on; False when the time is over."""
        with self._news:
            return self._news.wait_for(lambda: len(self._open) >= 2 * count, timeout_s)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return  # unplugged
            if not self._places.acquire(blocking=False):
                near.close()
                continue
            threading.Thread(
                target=self._pass_on, args=(listener, near), name="relay-pair", daemon=True
            ).start()

    def _pass_on(self, listener: socket.socket, near: socket.socket) -> None:
        try:
            self._connect(listener, near)
        finally:
            self._places.release()

    def _connect(self, listener: socket.socket, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._to, CONNECT_WAIT_S)
        except OSError:
            near.close()  # the shop is down, and the one who asked learns it
            return
        far.settimeout(None)  # how long to wait is for the two ends to decide
        with self._lock:
            is_wanted = self._listener is listener
            if is_wanted:
                self._open |= {near, far}
                self._news.notify_all()
        if not is_wanted:
            near.close()
            far.close()
            return
        back = threading.Thread(target=_pump, args=(far, near), name="relay-back", daemon=True)
        back.start()
        _pump(near, far)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Until one of them ends; then the other gets no more, and whoever reads it learns so."""
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            sink.sendall(data)
    _shut(source)
    _shut(sink)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):  # the far end may be gone already
        one.shutdown(socket.SHUT_RDWR)
