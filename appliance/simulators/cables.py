"""Cables that can be pulled: the simulated device's end of what a driver opens.

Each has a `descriptor` to read and write, which does not block and is None while nobody can be
there, and an `address` as drivers take it. For one thread at a time.
"""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import struct
import termios
import tty
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

_RECEIVE_BUFFER_BYTES: Final = 4096


class Cable(Protocol):
    @property
    def address(self) -> str: ...

    @property
    def descriptor(self) -> int | None: ...

    @property
    def waiting(self) -> int | None:
        """A descriptor that becomes readable when somebody wants to be let in with `accept`."""

    def plug(self) -> None: ...

    def unplug(self) -> None: ...

    def accept(self) -> None: ...

    def read(self, size: int) -> bytes:
        """What the far end sent, at most `size` bytes; b"": nothing yet, or it hung up."""

    def was_flushed(self) -> bool:
        """Whether the far end has thrown away what it had not sent yet, since the last time. What
        the kernel holds for us already is to be thrown away too: on a real line it would not have
        left. Readable as a priority event (POLLPRI)."""


class PtyCable:
    """A serial cable, as a pseudo-terminal.

    path: a symbolic link to the far end, as udev would make one; it is replaced at each `plug`
    and is absent while the cable is out.
    """

    waiting: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None
        self._far: int | None = None
        self._is_flushed = False

    @property
    def address(self) -> str:
        return f"serial:{self.path}"

    def accept(self) -> None:
        """Nobody waits at a serial cable."""

    def read(self, size: int) -> bytes:
        assert self.descriptor is not None
        try:
            packet = os.read(self.descriptor, size + 1)
        except OSError:
            return b""  # the far end is held open here: it cannot have hung up
        # Packet mode (tty_ioctl(4), TIOCPKT): 0 and data, or one byte of what happened.
        if packet[0] == 0:
            return packet[1:]
        self._is_flushed |= bool(packet[0] & termios.TIOCPKT_FLUSHWRITE)
        return b""

    def was_flushed(self) -> bool:
        was, self._is_flushed = self._is_flushed, False
        return was

    def plug(self) -> None:
        """Idempotent. Raises OSError when the link cannot be made."""
        if self.descriptor is not None:
            return
        self.descriptor, self._far = pty.openpty()
        # The far end stays open here: else each close of the driver would look like a pulled cable.
        tty.setraw(self._far)
        os.set_blocking(self.descriptor, False)
        fcntl.ioctl(self.descriptor, termios.TIOCPKT, struct.pack("i", 1))
        link = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._far))
        link.replace(self.path)

    def unplug(self) -> None:
        """Idempotent. Whoever has the far end open gets a hang-up."""
        if self.descriptor is None or self._far is None:
            return
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)
        os.close(self._far)
        self.descriptor = self._far = None


class TcpCable:
    """A network cable: a server on the loopback, for one connection at a time.

    port: 0 takes any free one, and the same again after each `plug`.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._listener: socket.socket | None = None
        self._peer: socket.socket | None = None

    @property
    def address(self) -> str:
        return f"tcp:127.0.0.1:{self.port}"

    @property
    def descriptor(self) -> int | None:
        return self._peer.fileno() if self._peer is not None else None

    @property
    def waiting(self) -> int | None:
        return self._listener.fileno() if self._listener and self._peer is None else None

    def accept(self) -> None:
        assert self._listener is not None
        with suppress(OSError):  # whoever it was changed its mind
            self._peer, _ = self._listener.accept()
            self._peer.setblocking(False)

    def read(self, size: int) -> bytes:
        assert self._peer is not None
        try:
            data = self._peer.recv(size)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop_peer()
        return data

    def was_flushed(self) -> bool:
        return False  # TCP keeps what it has

    def _drop_peer(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def plug(self) -> None:
        """Idempotent. Raises OSError when the port is taken."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1)
            # Small, so that a device that takes no more is felt at the far end.
            option = (socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            self._listener.setsockopt(*option)
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]

    def unplug(self) -> None:
        """Idempotent."""
        self._drop_peer()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
