"""A keyboard on USB, for a guest in QEMU, such as a scanner in keyboard mode.

QEMU has its own (`Hardware.keyboards`), but that forgets keys when the guest is too busy to fetch
them; this one loses none. And it has what maker, name and numbers a real scanner has, and there may
be as many as there are ports.

Sources: Device Class Definition for Human Interface Devices 1.11, appendix B; HID Usage Tables 1.4,
section 10 (keyboard page).
"""

from __future__ import annotations

import string
import struct
from pathlib import Path
from typing import Final

from tests.image.keys import stroke_of
from tests.image.usb_function import Identity, UsbFunction
from tests.image.usb_port import UsbPort
from tests.image.usbredir import (
    INTERRUPT_TYPE,
    Control,
    Endpoint,
    Interface,
    Kind,
    Message,
    Packet,
    Status,
)

SCANNER: Final = Identity(0x05E0, 0x1200, "SCAN01", "Kassa", "Scanner")
MOST_WAITING: Final = 1000
"""Changes of keys that QEMU holds for the guest; beyond 2000 it forgets some."""
_IN: Final = 0x81
_REPORT_BYTES: Final = 8
# Eight modifiers, a byte of nothing, five lights, six keys: section B.1 and E.6.
_REPORT_DESCRIPTOR: Final = bytes.fromhex(
    "0501 0906 a101 0507 19e0 29e7 1500 2501 7501 9508 8102 9501 7508 8101"
    "9505 7501 0508 1901 2905 9102 9501 7503 9101 9506 7508 1500 2565 0507 1900 2965 8100 c0"
)
KEYBOARD: Final = Interface(
    3,
    1,
    1,
    (Endpoint(_IN, INTERRUPT_TYPE, _REPORT_BYTES, interval=7),),
    struct.pack("<BBHBBBH", 9, 0x21, 0x0111, 0, 1, 0x22, len(_REPORT_DESCRIPTOR)),
)
_SHIFT: Final = 0x02
_MODIFIERS: Final = {"ctrl": 0x01, "shift": _SHIFT, "alt": 0x04, "meta": 0x08}
_FUNCTION_KEYS: Final = {f"f{number}": 0x39 + number for number in range(1, 13)}
_USAGES: Final = {
    **dict(zip(string.ascii_lowercase, range(0x04, 0x1E), strict=True)),
    **dict(zip("1234567890\n\x1b\b\t -=[]\\", range(0x1E, 0x32), strict=True)),
    **dict(zip(";'`,./", range(0x33, 0x39), strict=True)),
}


def reports_of(text: str) -> list[bytes]:
    """What a US keyboard says while that is typed on it. Raises ValueError for what has no key."""
    reports = []
    for character in text:
        key, is_shifted = stroke_of(character)
        reports.append(bytes((_SHIFT * is_shifted, 0, _USAGES[key], 0, 0, 0, 0, 0)))
        reports.append(bytes(_REPORT_BYTES))
    return reports


def chord_of(*keys: str) -> list[bytes]:
    """What it says while these are held together: "ctrl", "shift", "alt", "meta", "f1" to "f12",
    and characters without Shift. Raises KeyError for what it has not."""
    held = sum(_MODIFIERS[key] for key in keys if key in _MODIFIERS)
    usages = [(_USAGES | _FUNCTION_KEYS)[key] for key in keys if key not in _MODIFIERS]
    pressed = bytes((held, 0, *usages)).ljust(_REPORT_BYTES, b"\0")
    return [pressed, bytes(_REPORT_BYTES)]


class KeyboardFunction(UsbFunction):
    def __init__(self, identity: Identity) -> None:
        super().__init__(identity, KEYBOARD)
        self.is_listened_to = False
        self._sent = 0

    def forget(self) -> None:
        super().forget()
        self.is_listened_to = False

    def say(self, reports: list[bytes]) -> list[Message]:
        said: list[Message] = []
        for report in reports:
            self._sent += 1
            head = struct.pack("<BBH", _IN, Status.SUCCESS, len(report))
            said.append(Packet(Kind.INTERRUPT, self._sent, head + report))
        return said

    def _reset(self) -> list[Message]:
        self.is_listened_to = False
        return []

    def _class_request(self, asked: Control) -> bytes | None:
        match asked.request_type, asked.request:
            case (0x81, 6) if asked.value >> 8 == 0x22:
                return _REPORT_DESCRIPTOR
            case (0xA1, 1):  # Get_Report: nothing is held
                return bytes(_REPORT_BYTES)
            case (0x21, 0x09 | 0x0A | 0x0B):  # Set_Report (the lights), Set_Idle, Set_Protocol
                return b""
        return None

    def _packet(self, packet: Packet) -> list[Message]:
        match packet:
            case Packet(Kind.START_INTERRUPT_RECEIVING, number, body):
                self.is_listened_to = self.is_configured
                status = Status.SUCCESS if self.is_configured else Status.INVAL
            case Packet(Kind.STOP_INTERRUPT_RECEIVING, number, body):
                self.is_listened_to = False
                status = Status.SUCCESS
            case _:
                return super()._packet(packet)
        return [Packet(Kind.INTERRUPT_RECEIVING_STATUS, number, bytes((status,)) + body[:1])]


class KeyboardGone(Exception):
    """It is not plugged in, or no machine listens to it."""


class UsbKeyboard(UsbPort[KeyboardFunction]):
    """Plugged in from `__enter__` on."""

    def __init__(self, path: Path, identity: Identity = SCANNER) -> None:
        super().__init__(path, KeyboardFunction(identity))
        self.plug()

    @property
    def is_listened_to(self) -> bool:
        """Whether a guest has a driver for it, and the keyboard is open."""
        with self._lock:
            return self._function.is_listened_to

    def type(self, text: str) -> None:
        """All at once: the guest fetches one change after the other. Raises ValueError for what a
        US keyboard cannot type or is too long, and KeyboardGone."""
        reports = reports_of(text)
        if len(reports) > MOST_WAITING:
            raise ValueError(f"{len(text)} characters are too many at once")
        self._say(reports)

    def press(self, *keys: str) -> None:
        """All of them together, see `chord_of`. Raises KeyError and KeyboardGone."""
        self._say(chord_of(*keys))

    def _say(self, reports: list[bytes]) -> None:
        with self._lock:
            if not self._function.is_listened_to:
                raise KeyboardGone
            self._tell(self._function.say(reports))
