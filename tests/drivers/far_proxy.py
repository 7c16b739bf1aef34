"""A small HTTP proxy on the loopback: CONNECT (RFC 9110, 9.3.6), and GET without a body by
its whole address (RFC 9112, 3.2.2)."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

ANSWER_S = 20.0


class Proxy:
    """asked: the first line of each request. refusal: the status line that CONNECT is answered
    with in place of a tunnel; "" makes one. carried: bytes from the client through tunnels. hosts:
    the only names that it knows, with their addresses; None for those of this machine. silence_s:
    when the far end of a tunnel is silent for longer, it is ended."""

    def __init__(
        self,
        refusal: str = "",
        *,
        hosts: Mapping[str, str] | None = None,
        silence_s: float | None = None,
    ) -> None:
        self.asked: list[str] = []
        self.carried = b""
        self._refusal = refusal
        self._hosts = hosts
        self._silence_s = silence_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown wakes the accept; close alone would not
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(ANSWER_S)
            assert not thread.is_alive()

    def cut(self) -> None:
        """End all tunnels."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _start(self, run: object, *words: socket.socket) -> None:
        assert callable(run)
        thread = threading.Thread(target=run, args=words)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(65_536)
                if not more:
                    return
                head += more
            line = head.split(b"\r\n")[0].decode("ascii")
            self.asked.append(line)
            method, target, version = line.split(" ")
            whole = urlsplit(target if method == "GET" else f"//{target}")
            host = whole.hostname if self._hosts is None else self._hosts.get(whole.hostname or "")
            status = self._refusal or ("" if host else "502 Bad Gateway")
            if method not in ("CONNECT", "GET"):
                status = "405 Method Not Allowed"
            if status:
                client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            with socket.create_connection((host, whole.port or 80), ANSWER_S) as server:
                server.settimeout(self._silence_s)
                self._open.append(server)
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    path = urlunsplit(("", "", whole.path or "/", whole.query, ""))
                    server.sendall(f"GET {path} {version}".encode() + head[len(line) :])
                self._start(self._back, server, client)
                while more := client.recv(65_536):
                    self.carried += more
                    server.sendall(more)
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while more := server.recv(65_536):
                client.sendall(more)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
