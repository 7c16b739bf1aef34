"""Byte lines to devices: serial ports and TCP, every read and write with a deadline.

Addresses: "serial:/dev/kassa/terminal" and "tcp:192.168.1.40:20007" ("tcp:[::1]:20007").
Deadlines are times of the monotonic clock that the line was opened with. A line belongs to one
thread; only `wake` may be called by others.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import serial

from appliance.domain.errors import ConfigTrouble, KassaError
from appliance.drivers.names import leads_elsewhere

Clock = Callable[[], float]

LARGEST_READ: Final = 4096
_RESET: Final = struct.pack("ii", 1, 0)  # linger: on, for no time
_TCP = re.compile(r"tcp:(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:]+)):([0-9]{1,5})\Z")


class LineLost(KassaError):
    """The line cannot be opened, is gone, or takes no bytes.

    written: how many bytes of the write that failed had already left; 0 is certain.
    """

    def __init__(self, detail: str, written: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.written = written


class Line(Protocol):
    def read(self, until: float) -> bytes:
        """What is there, at most 4096 bytes; b"" at the deadline or after `wake`. Always looks
        once, even when the deadline has passed. Raises LineLost."""

    def write(self, data: bytes, until: float) -> None:
        """Hand over all bytes. Raises LineLost, also at the deadline."""

    def has_moved(self) -> bool:
        """Whether its address leads to another device now, or to none. Never raises."""

    def wake(self) -> None:
        """Make a running or the next `read` return. Any thread; never raises."""

    def close(self) -> None:
        """Over TCP, what the far end has not taken yet is not sent any more. Never raises."""


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """baud: bits per second. stopbits: 1 or 2. parity: "N", "E" or "O". bytesize: 7 or 8."""

    baud: int = 9600
    bytesize: int = 8
    parity: str = "N"
    stopbits: int = 1


def check_address(address: str) -> None:
    """Raises ConfigTrouble for an address that is none."""
    if not address.removeprefix("serial:").startswith("/") and not _TCP.match(address):
        raise ConfigTrouble([f"no address of a line: {address!r}"])


def open_line(
    address: str,
    until: float,
    *,
    settings: SerialSettings | None = None,
    clock: Clock = time.monotonic,
) -> Line:
    """Open a line, and throw away what came in before. Raises LineLost, ConfigTrouble."""
    check_address(address)
    tcp = _TCP.match(address)
    if tcp is not None:
        return _open_tcp(tcp[1] or tcp[2], int(tcp[3]), until, clock)
    return _SerialLine(address.removeprefix("serial:"), settings or SerialSettings(), clock)


class _FdLine:
    """A line behind a non-blocking file descriptor."""

    def __init__(self, fd: int, clock: Clock) -> None:
        self._fd = fd
        self._clock = clock
        self._lock = threading.Lock()  # `wake` may meet `close`
        self._wake: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._readable = select.poll()
        self._readable.register(fd, select.POLLIN)
        self._readable.register(self._wake, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(fd, select.POLLOUT)

    def read(self, until: float) -> bytes:
        while True:
            ready = {fd for fd, _ in self._readable.poll(self._milliseconds(until))}
            if self._fd in ready:
                data = self._read_now()
                if data:
                    return data
            elif ready:
                self._take_wake()
                return b""
            if self._clock() >= until:
                return b""

    def _read_now(self) -> bytes:
        try:
            data = self._receive()
        except BlockingIOError:
            return b""
        except OSError as error:
            raise LineLost(_why(error)) from error
        if not data:
            raise LineLost("the far end has hung up")
        return data

    def write(self, data: bytes, until: float) -> None:
        written = 0
        while written < len(data):
            try:
                written += self._send(data[written:])
                continue
            except BlockingIOError:
                pass  # full: wait below
            except OSError as error:
                raise LineLost(_why(error), written) from error
            if self._clock() >= until:
                raise LineLost("the far end takes no bytes", written)
            self._writable.poll(self._milliseconds(until))

    def has_moved(self) -> bool:
        return False

    def _receive(self) -> bytes:
        return os.read(self._fd, LARGEST_READ)

    def _send(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def _milliseconds(self, until: float) -> int:
        # Rounded up, or the last fraction of a millisecond would be spent spinning.
        return max(0, int((until - self._clock()) * 1000 + 0.999))

    def _take_wake(self) -> None:
        if self._wake is not None:
            os.eventfd_read(self._wake)

    def wake(self) -> None:
        with self._lock:
            if self._wake is not None:
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        with self._lock:
            if self._wake is not None:
                os.close(self._wake)
                self._wake = None


class _SerialLine(_FdLine):
    """pyserial opens and sets the port; reading and writing with deadlines is done here."""

    def __init__(self, path: str, settings: SerialSettings, clock: Clock) -> None:
        self._path = path
        try:
            # It sets RTS and DTR itself, and forgives a port that has none (a pty, some USB-CDC).
            self._port = serial.Serial(
                path,
                settings.baud,
                bytesize=settings.bytesize,
                parity=settings.parity,
                stopbits=settings.stopbits,
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            raise LineLost(f"{path}: {_why(error)}") from error
        try:
            self._port.reset_input_buffer()
            super().__init__(self._port.fileno(), clock)
        except (OSError, termios.error) as error:
            self._shut()
            raise LineLost(f"{path}: {_why(error)}") from error

    def has_moved(self) -> bool:
        return leads_elsewhere(self._path, self._fd)

    def close(self) -> None:
        super().close()
        self._shut()

    def _shut(self) -> None:
        # When the device is gone already there is nothing left to close.
        with contextlib.suppress(OSError, termios.error):
            self._port.close()


class _TcpLine(_FdLine):
    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._socket = connection
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A terminal that lost its power says nothing any more: the kernel finds out, in about
        # half a minute, while nobody reads.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        super().__init__(connection.fileno(), clock)

    def _receive(self) -> bytes:
        return self._socket.recv(LARGEST_READ)

    def _send(self, data: bytes) -> int:
        return self._socket.send(data)

    def close(self) -> None:
        super().close()
        self._forget_unsent()
        self._socket.close()

    def _forget_unsent(self) -> None:
        """Else the kernel goes on sending for minutes after the close, and a charge would start
        when nobody listens any more."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed before
            if any(fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _open_tcp(host: str, port: int, until: float, clock: Clock) -> Line:
    timeout = max(0.001, until - clock())
    try:
        connection = socket.create_connection((host, port), timeout=timeout)
    except (OSError, OverflowError) as error:
        raise LineLost(f"{host}:{port}: {_why(error)}") from error
    try:
        return _TcpLine(connection, clock)
    except OSError as error:
        connection.close()
        raise LineLost(f"{host}:{port}: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
