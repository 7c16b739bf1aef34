"""The lines that a receipt printer hangs on: USB (usblp), serial, TCP port 9100, a file.

All are file descriptors that never block; every wait has a deadline on the given clock. A line
that breaks raises PrinterTrouble(PRINTER_GONE); it is then to be closed and opened anew.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import select
import socket
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import serial

from appliance.domain.errors import Code, PrinterTrouble
from appliance.drivers.names import leads_elsewhere

Clock = Callable[[], float]

_READ_BYTES: Final = 4096
_EMPTY_READ_S: Final = 0.01
_CONNECT_S: Final = 5.0
_SEND_BUFFER_BYTES: Final = 4096
_LPGETSTATUS: Final = 0x060B  # linux/lp.h; usblp answers it with the USB port status
_PORT_PAPER_EMPTY: Final = 0x20  # USB printer class 1.1, section 4.2.2


class LineBroken(PrinterTrouble):
    """The line itself has ended: the printer may be there again on a new one."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.PRINTER_GONE, detail)


class PrinterLine:
    """An open line of any kind, over one file descriptor.

    can_answer: False for a file, which takes everything and says nothing.
    """

    can_answer = True

    def __init__(self, name: str, descriptor: int, clock: Clock) -> None:
        self.name = name
        self._descriptor = descriptor
        self._clock = clock

    def send(self, data: bytes, until: float) -> int:
        """Send as much as the printer takes before `until`; how many bytes that were.
        Raises PrinterTrouble."""
        sent = 0
        while sent < len(data) and self._wait(select.POLLOUT, until):
            sent += self._write(data[sent:])
        return sent

    def drain(self, until: float) -> bool:
        """Whether all that was sent has left this machine before `until`, as far as it knows.
        Raises PrinterTrouble."""
        # usblp says "writable" only when the last transfer is complete.
        return bool(self._wait(select.POLLOUT, until))

    def arrived(self, until: float) -> bool:
        """Like `drain`, and the far end has said that it has it, where the line tells.
        Raises PrinterTrouble."""
        return self.drain(until)

    def receive(self, until: float) -> bytes:
        """What the printer sends, as soon as there is something; b"" at `until`.
        Raises PrinterTrouble."""
        while found := self._wait(select.POLLIN, until):
            if data := self._read():
                return data
            if found & select.POLLHUP:
                raise self._gone("hung up")
            if self._clock() >= until:
                break
            # usblp delivers empty transfers; without this pause they would take a whole core.
            time.sleep(_EMPTY_READ_S)
        return b""

    def discard_input(self) -> None:
        """Drop what arrived until now (bounded). Raises PrinterTrouble."""
        for _ in range(16):
            if not self.receive(self._clock()):
                return

    def discard_output(self) -> None:
        """Drop what has not left this machine, where the line can do so."""

    def has_moved(self) -> bool:
        """Whether its address leads to another printer now, or to none."""
        return False

    def is_out_of_paper(self) -> bool | None:
        """What the line itself, not the printer's program, knows of paper; None: nothing."""
        return None

    def bytes_per_s(self) -> float | None:
        """How fast the line is, where that matters."""
        return None

    def close(self) -> None:
        """Never raises; what was not sent yet may be lost."""
        with suppress(OSError):  # it broke before; nothing is left to be done with it
            os.close(self._descriptor)

    def _wait(self, event: int, until: float) -> int:
        """What poll found, `event` among it; 0 at `until`. Looks once even when that is past."""
        poll = select.poll()
        poll.register(self._descriptor, event)
        left_ms = max(0, math.ceil((until - self._clock()) * 1000))
        for _, found in poll.poll(left_ms):
            # What came before a hang-up can still be read.
            if not found & event:
                raise self._gone("hung up")
            return found
        return 0

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone(error) from error

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error) from error

    def _is_emptied(self, queued: Callable[[], int], until: float) -> bool:
        """Whether nothing is queued any more before `until`. Raises LineBroken."""
        try:
            while queued():
                if self._clock() >= until:
                    return False
                time.sleep(_EMPTY_READ_S)
        except OSError as error:
            raise self._gone(error) from error
        return True

    def _gone(self, why: object) -> LineBroken:
        return LineBroken(f"{self.name}: {why}")


class UsbLine(PrinterLine):
    """/dev/usb/lp*: the kernel's usblp driver. Not libusb, which would take the device from it."""

    def has_moved(self) -> bool:
        return _has_moved(self.name, self._descriptor)

    def is_out_of_paper(self) -> bool | None:
        status = bytearray(4)
        try:
            fcntl.ioctl(self._descriptor, _LPGETSTATUS, status)
        except OSError:
            return None
        return bool(int.from_bytes(status, "little") & _PORT_PAPER_EMPTY)


class FileLine(PrinterLine):
    """A file or a named pipe that collects receipts, for trials."""

    can_answer = False

    def receive(self, until: float) -> bytes:
        return b""


class SerialLine(PrinterLine):
    """RS-232, or what looks like it."""

    def __init__(self, name: str, port: serial.Serial, clock: Clock) -> None:
        super().__init__(name, port.fileno(), clock)
        self._port = port

    def has_moved(self) -> bool:
        return _has_moved(self.name, self._descriptor)

    def drain(self, until: float) -> bool:
        # tcdrain has no deadline of its own, so the queue's length is polled instead.
        return self._is_emptied(lambda: self._port.out_waiting, until)

    def discard_output(self) -> None:
        try:
            termios.tcflush(self._descriptor, termios.TCOFLUSH)
            # A printer that is offline holds CTS back, but reads real-time commands all the same.
            self._port.rtscts = False
        except (OSError, termios.error) as error:
            raise self._gone(error) from error

    def bytes_per_s(self) -> float | None:
        return float(self._port.baudrate) / 10  # 8N1

    def _read(self) -> bytes:
        data = super()._read()
        if not data:
            # A tty that is readable and has nothing is one that was hung up.
            raise self._gone("hung up")
        return data

    def close(self) -> None:
        with suppress(OSError, termios.error):  # broken lines cannot be flushed
            termios.tcflush(self._descriptor, termios.TCIOFLUSH)  # or close() waits for the peer
        with suppress(OSError, termios.error):
            self._port.close()


class TcpLine(PrinterLine):
    """A network printer's raw port, 9100 as a rule."""

    def __init__(self, name: str, connection: socket.socket, clock: Clock) -> None:
        super().__init__(name, connection.fileno(), clock)
        self._connection = connection

    def arrived(self, until: float) -> bool:
        # "Writable" only says that our kernel has room. Not in `drain`: acknowledgements are
        # held back for up to 0.2 s, and an answered question tells as much.
        return self._is_emptied(lambda: _unacknowledged(self._descriptor), until)

    def _read(self) -> bytes:
        data = super()._read()
        if not data:
            raise self._gone("closed by the printer")
        return data

    def close(self) -> None:
        self._connection.close()


def open_line(address: str, clock: Clock, *, baud: int, rts_cts: bool) -> PrinterLine:
    """Open "usb:/path", "serial:/path", "tcp:host:port" or "file:/path".

    rts_cts: a serial printer holds us back by RTS/CTS (its DTR is wired to our CTS).
    Raises PrinterTrouble(PRINTER_GONE) when it is not there, ValueError for another address.
    """
    scheme, _, place = address.partition(":")
    try:
        if scheme == "usb":
            flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return UsbLine(address, os.open(place, flags), clock)
        if scheme == "serial":
            return SerialLine(address, _open_serial(place, baud, rts_cts), clock)
        if scheme == "tcp":
            return TcpLine(address, _connect(place), clock)
        if scheme == "file":
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
            return FileLine(address, os.open(place, flags, 0o640), clock)
    # serial.SerialException is an OSError; ValueError: a speed that the port has not, or a host's
    # name that cannot be one.
    except (OSError, ValueError, termios.error) as error:
        raise PrinterTrouble(Code.PRINTER_GONE, f"{address}: {_reason(error)}") from error
    raise ValueError(f"{address!r} is no address of a printer")


def _has_moved(address: str, descriptor: int) -> bool:
    return leads_elsewhere(address.partition(":")[2], descriptor)


def _open_serial(path: str, baud: int, rts_cts: bool) -> serial.Serial:
    port = serial.Serial(path, baudrate=baud, timeout=0, rtscts=rts_cts, exclusive=True)
    os.set_blocking(port.fileno(), False)
    return port


def _connect(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    connection = socket.create_connection((host, int(port)), timeout=_CONNECT_S)
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What counts as sent is to be with the printer, not in our kernel.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    return connection


def _unacknowledged(descriptor: int) -> int:
    """Bytes that the far end of a TCP connection has not confirmed (SIOCOUTQ)."""
    answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4)
    return int.from_bytes(answer, sys.byteorder)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EBUSY:
        return "in use by another program"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
