"""Where a simulated terminal's cable goes: a pty in place of a serial port, or a TCP port."""

from __future__ import annotations

import os
import select
import socket
import tty
from pathlib import Path
from typing import Protocol

from appliance.protocols.zvt.framing import Link, SerialLink, SerialTimes, TcpLink


class Port(Protocol):
    """Used by the simulator's thread only. generation: counts up with each new far end that the
    terminal can notice; a dialogue belongs to one. is_network: no serial line, and so without
    framing, and closed when the terminal loses its power."""

    generation: int
    is_network: bool

    @property
    def address(self) -> str: ...

    def new_link(self, times: SerialTimes) -> Link: ...

    def files(self) -> list[int]:
        """The descriptors to poll for reading."""

    def read(self) -> bytes:
        """What is there, or b""."""

    def write(self, data: bytes) -> int:
        """How many bytes were taken; those that nobody takes are lost."""

    def cut(self) -> None: ...

    def restore(self) -> None: ...

    def flap(self) -> None:
        """Lose the far end, which may come back at once."""


class PtyPort:
    """path: a symbolic link that always leads to the present pty, as udev's would; it is gone
    while the cable is out."""

    is_network = False

    def __init__(self, path: str | None = None) -> None:
        self.generation = 0
        self._path = Path(path) if path else None
        self._master = -1
        self._slave = -1  # held open, so that a till may close and open it as it likes
        self._name = ""
        self.restore()

    @property
    def address(self) -> str:
        return f"serial:{self._path or self._name}"

    def new_link(self, times: SerialTimes) -> Link:
        return SerialLink(times)

    def files(self) -> list[int]:
        return [self._master] if self._master >= 0 else []

    def read(self) -> bytes:
        try:
            return os.read(self._master, 4096) if self._master >= 0 else b""
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> int:
        if self._master < 0:
            return len(data)
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def cut(self) -> None:
        if self._master < 0:
            return
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1
        self.generation += 1

    def flap(self) -> None:
        if self._master < 0:
            return
        before = (self._slave, self._master)
        self._open()
        for file in before:
            os.close(file)
        self.generation += 1

    def restore(self) -> None:
        if self._master < 0:
            self._open()

    def _open(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._name = os.ttyname(self._slave)
        if self._path is not None:
            # Renamed into place: nobody sees a moment without it.
            fresh = self._path.with_name(self._path.name + ".new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._name)
            fresh.replace(self._path)


class TcpPort:
    """Listens on loopback; one till at a time, the newest wins."""

    is_network = True

    def __init__(self, port: int = 0) -> None:
        self.generation = 0
        self._port = port
        self._listener: socket.socket | None = None
        self._till: socket.socket | None = None
        self.restore()

    @property
    def address(self) -> str:
        return f"tcp:127.0.0.1:{self._port}"

    def new_link(self, times: SerialTimes) -> Link:
        return TcpLink()

    def files(self) -> list[int]:
        return [end.fileno() for end in (self._listener, self._till) if end is not None]

    def read(self) -> bytes:
        self._accept()
        if self._till is None:
            return b""
        try:
            data = self._till.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            till, _ = self._listener.accept()
        except BlockingIOError:
            return
        self._hang_up()
        till.setblocking(False)
        till.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._till = till
        self.generation += 1

    def _hang_up(self) -> None:
        if self._till is not None:
            self._till.close()
            self._till = None
            self.generation += 1

    def write(self, data: bytes) -> int:
        if self._till is None:
            return len(data)
        try:
            return self._till.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._hang_up()
            return len(data)

    def flap(self) -> None:
        self._hang_up()

    def cut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._hang_up()

    def restore(self) -> None:
        if self._listener is not None:
            return
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=4)
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]


def wait(files: list[int], timeout_s: float) -> None:
    """Until one of the files can be read, or the time is over."""
    poll = select.poll()
    for file in files:
        poll.register(file, select.POLLIN)
    poll.poll(max(0, int(timeout_s * 1000 + 0.999)))
