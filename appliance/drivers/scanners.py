"""Barcode scanners: a keyboard scanner through evdev, a serial one through its tty.

Both read on the caller's thread until `close`; a scanner that is gone is ScannerTrouble, and the
caller runs them again later.
"""

from __future__ import annotations

import math
import os
import select
import termios
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import serial
import structlog

from appliance.domain.errors import Code, ConfigTrouble, ScannerTrouble
from appliance.drivers.names import leads_elsewhere
from appliance.protocols.linescan import Ends, LineScan
from appliance.protocols.scans import LONGEST_CODE, Scan, Scanned
from appliance.protocols.wedge import LAYOUTS, Wedge

log = structlog.get_logger()

LOG_EVERY_S: Final = 5.0
LOOK_EVERY_S: Final = 2.0
"""How often a scanner that says nothing is looked for under its name."""
_READ_BYTES: Final = 4096
_EV_SYN, _EV_KEY = 0, 1  # linux/input-event-codes.h
_SYN_DROPPED: Final = 3
# What was scanned while nobody listened is not to be done now: a scanner keeps it and hands it
# over at the opening, and the tail of a code that is under way may be another order's. So a line
# is read in earnest once it was quiet for so long, and after the longer time in any case.
_QUIET_S: Final = 0.1
_QUIET_MOST_S: Final = 1.0

Clock = Callable[[], float]
Hear = Callable[[str], None]


class KeyEvent(Protocol):
    """struct input_event, as evdev has it."""

    type: int
    code: int
    value: int


class KeyDevice(Protocol):
    """What is needed of evdev.InputDevice."""

    @property
    def fd(self) -> int: ...

    def grab(self) -> None: ...

    def read(self) -> Iterable[KeyEvent]: ...

    def close(self) -> None: ...


def open_input_device(path: str) -> KeyDevice:
    """An evdev device. Raises OSError, and ImportError where evdev is not installed."""
    # Late: a serial scanner needs none of it, and a checkout may be without it.
    import evdev

    device: KeyDevice = evdev.InputDevice(path)
    return device


@dataclass(frozen=True, slots=True)
class EvdevOptions:
    """path: the event device, such as /dev/kassa/scanner. layout: the keyboard layout that the
    scanner is set to. gap_s: the longest pause inside of a code. longest: characters of a code.
    Raises ConfigTrouble."""

    path: str
    layout: str = "us"
    gap_s: float = 0.5
    longest: int = LONGEST_CODE

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigTrouble(
                [f"unknown scanner layout {self.layout!r}; known: {', '.join(LAYOUTS)}"]
            )


@dataclass(frozen=True, slots=True)
class SerialScannerOptions:
    """path: the tty, such as /dev/kassa/scanner. baud: of a real serial line. ends, gap_s,
    longest: see LineScan."""

    path: str
    baud: int = 9600
    ends: Ends = "line"
    gap_s: float = 0.2
    longest: int = LONGEST_CODE


class _Reader:
    """Waits for a device or for `close`, whichever comes first; or for the name to be another
    device's."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._closed_in, self._closed_out = os.pipe()
        self._refused = 0  # since it was logged last
        self._log_again_at = float("-inf")

    def __del__(self) -> None:
        os.close(self._closed_in)
        os.close(self._closed_out)

    def close(self) -> None:
        """Makes `run` return, now or as soon as it is called. Any thread; never raises."""
        # Written once and never read: it stays true. A pipe holds far more than it is closed.
        os.write(self._closed_out, b"!")

    def _hand_over(self, scans: Iterable[Scan], scanned: Hear, refused: Hear) -> None:
        for scan in scans:
            if isinstance(scan, Scanned):
                scanned(scan.text)
                continue
            self._refused += 1
            if self._clock() >= self._log_again_at:
                # A wrong baud rate refuses thousands a second, which would fill the disk.
                log.warning("scan_refused", why=scan.why, since_last=self._refused)
                self._refused = 0
                self._log_again_at = self._clock() + LOG_EVERY_S
            refused(scan.why)

    def _wait(self, descriptor: int, deadline: float | None) -> bool | None:
        """True: the device has something; False: the deadline has passed; None: closed. Raises
        OSError when the name does not lead to this device any more."""
        poll = select.poll()
        poll.register(self._closed_in, select.POLLIN)
        poll.register(descriptor, select.POLLIN)
        left_s = LOOK_EVERY_S
        while True:
            if deadline is not None:
                left_s = min(LOOK_EVERY_S, max(0.0, deadline - self._clock()))
            ready = {found for found, _ in poll.poll(math.ceil(left_s * 1000))}
            if self._closed_in in ready:
                return None
            if leads_elsewhere(self._path, descriptor):
                raise OSError("not there under its name any more")
            if ready:
                return True
            if deadline is not None and self._clock() >= deadline:
                return False

    def _quieten(self, descriptor: int, read: Callable[[], object]) -> None:
        """Throw away what comes until it is quiet."""
        until = self._clock() + _QUIET_MOST_S
        while self._clock() < until and self._wait(descriptor, self._clock() + _QUIET_S):
            with suppress(BlockingIOError):
                read()


def _some(descriptor: int) -> bytes:
    data = os.read(descriptor, _READ_BYTES)
    if not data:
        # A tty that is readable and has nothing is one that was hung up.
        raise OSError("hung up")
    return data


def _gone(path: str, error: Exception) -> ScannerTrouble:
    why = error.strerror if isinstance(error, OSError) else None
    return ScannerTrouble(Code.SCANNER_GONE, f"{path}: {why or error}")


class EvdevScanner(_Reader):
    """A keyboard scanner, grabbed: no other program sees its keys. See ports.Scanner.

    The device is not to reach the graphical session before it is grabbed either:
    LIBINPUT_IGNORE_DEVICE, see udev/.
    """

    def __init__(
        self,
        options: EvdevOptions,
        clock: Clock = time.monotonic,
        open_device: Callable[[str], KeyDevice] = open_input_device,
    ) -> None:
        super().__init__(options.path, clock)
        self._options = options
        self._open_device = open_device

    def run(self, scanned: Hear, refused: Hear, opened: Callable[[], None] = lambda: None) -> None:
        path = self._options.path
        try:
            device = self._open_device(path)
        except OSError as error:
            raise _gone(path, error) from error
        try:
            device.grab()
            self._quieten(device.fd, lambda: list(device.read()))
            log.info("scanner_opened", path=path, layout=self._options.layout)
            opened()
            self._read(device, scanned, refused)
        except OSError as error:
            raise _gone(path, error) from error
        finally:
            with suppress(OSError):  # it was pulled out; closing also ends the grab
                device.close()

    def _read(self, device: KeyDevice, scanned: Hear, refused: Hear) -> None:
        options = self._options
        wedge = Wedge(options.layout, gap_s=options.gap_s, longest=options.longest)
        while (ready := self._wait(device.fd, wedge.deadline)) is not None:
            now = self._clock()
            if not ready:
                self._hand_over(wedge.idle(now), scanned, refused)
                continue
            try:
                events = list(device.read())
            except BlockingIOError:
                continue
            for event in events:
                if event.type == _EV_KEY:
                    self._hand_over(wedge.key(event.code, event.value, now), scanned, refused)
                elif event.type == _EV_SYN and event.code == _SYN_DROPPED:
                    self._hand_over(wedge.lost(now), scanned, refused)


class SerialScanner(_Reader):
    """A scanner in serial mode (CDC-ACM) or on a serial port. See ports.Scanner."""

    def __init__(self, options: SerialScannerOptions, clock: Clock = time.monotonic) -> None:
        super().__init__(options.path, clock)
        self._options = options

    def run(self, scanned: Hear, refused: Hear, opened: Callable[[], None] = lambda: None) -> None:
        path = self._options.path
        try:
            port = serial.Serial(path, baudrate=self._options.baud, timeout=0, exclusive=True)
        # serial.SerialException is an OSError; ValueError: a speed that the port has not.
        except (OSError, ValueError, termios.error) as error:
            raise _gone(path, error) from error
        try:
            self._quieten(port.fileno(), lambda: _some(port.fileno()))
            log.info("scanner_opened", path=path)
            opened()
            self._read(port.fileno(), scanned, refused)
        except OSError as error:
            raise _gone(path, error) from error
        finally:
            with suppress(OSError):  # it was pulled out
                port.close()

    def _read(self, descriptor: int, scanned: Hear, refused: Hear) -> None:
        options = self._options
        lines = LineScan(ends=options.ends, gap_s=options.gap_s, longest=options.longest)
        while (ready := self._wait(descriptor, lines.deadline)) is not None:
            if not ready:
                self._hand_over(lines.idle(self._clock()), scanned, refused)
                continue
            try:
                data = _some(descriptor)
            except BlockingIOError:
                continue
            self._hand_over(lines.feed(data, self._clock()), scanned, refused)
