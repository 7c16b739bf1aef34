"""HTTPS in front of the demo shop: a kiosk speaks to no other."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

_CHUNK_BYTES: Final = 65536
_ACCEPT_S: Final = 0.5
_MOST_CONNECTIONS: Final = 32


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """A certificate and its key for one address; valid for a day, its own authority."""
    crt, key = folder / "shop.pem", folder / "shop.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", str(key), "-out", str(crt), "-days", "3", "-subj", "/CN=demo shop",
         "-addext", f"subjectAltName=IP:{address}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return crt, key


class TlsFront:
    """Takes TLS off and passes the bytes on to a port of this host's loopback. is_up: a door that
    is closed refuses and ends connections, as a network that is gone."""

    def __init__(self, crt: Path, key: Path, to_port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(crt, key)
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_MOST_CONNECTIONS)
        self._listener.settimeout(_ACCEPT_S)
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="tls", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.close()
        self.cut()
        self._thread.join(10)

    def cut(self) -> None:
        """End all connections that there are."""
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                end, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(end,), name="tls-in", daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(120)
        try:
            near = self._context.wrap_socket(plain, server_side=True)
        except (OSError, ssl.SSLError):
            plain.close()
            return
        with near, socket.create_connection(("127.0.0.1", self._to_port), 10) as far:
            far.settimeout(120)
            with self._lock:
                self._open |= {near, far}
            back = threading.Thread(target=_pass, args=(far, near), name="tls-out", daemon=True)
            back.start()
            _pass(near, far)
            back.join()
            with self._lock:
                self._open -= {near, far}


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError, ValueError):
        while data := source.recv(_CHUNK_BYTES):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
