"""What a printer answers: real-time status and process ids, as bytes and as messages.

Source: Epson's ESC/POS command reference: "DLE EOT" (real-time status), "GS a" (automatic status,
which we switch off but understand), "GS ( H" function 48, "DLE DC4" function 8, and "Transmission
status identification", which tells one kind of byte from another by its fixed bits.

python-escpos has status calls too; they report paper when the printer is silent, and are not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from appliance.domain.errors import Code, ProtocolError


class EscposError(ProtocolError):
    """The printer sent what ESC/POS does not allow: a wrong baud rate, or no such printer."""


class Query(IntEnum):
    """What DLE EOT n can ask for."""

    PRINTER = 1
    OFFLINE_CAUSE = 2
    ERROR_CAUSE = 3
    PAPER = 4


class Flag(Enum):
    """One thing that a status byte says."""

    DRAWER_PIN = "drawer connector pin 3 is high"
    OFFLINE = "offline"
    WAITING = "waits for online recovery"
    FEED_BUTTON = "feed button is pressed"
    COVER_OPEN = "cover is open"
    FEEDING = "paper is fed by the button"
    PAPER_STOP = "printing stopped at the end of the paper"
    ERROR = "an error occurred"
    RECOVERABLE = "recoverable error"
    CUTTER = "cutter error"
    UNRECOVERABLE = "unrecoverable error"
    OVERHEATED = "print head too hot; it recovers by itself"
    NEAR_END = "paper is near its end"
    PAPER_END = "no paper"


_BITS: Final = {
    Query.PRINTER: (
        (0x04, Flag.DRAWER_PIN),
        (0x08, Flag.OFFLINE),
        (0x20, Flag.WAITING),
        (0x40, Flag.FEED_BUTTON),
    ),
    Query.OFFLINE_CAUSE: (
        (0x04, Flag.COVER_OPEN),
        (0x08, Flag.FEEDING),
        (0x20, Flag.PAPER_STOP),
        (0x40, Flag.ERROR),
    ),
    Query.ERROR_CAUSE: (
        (0x04, Flag.RECOVERABLE),
        (0x08, Flag.CUTTER),
        (0x20, Flag.UNRECOVERABLE),
        (0x40, Flag.OVERHEATED),
    ),
    # Epson sets both bits of a pair, some others only one.
    Query.PAPER: ((0x0C, Flag.NEAR_END), (0x60, Flag.PAPER_END)),
}
_FIXED_MASK: Final = 0x93  # bits 7, 4, 1, 0
_STATUS: Final = 0x12  # 0xx1xx10
_AUTOMATIC: Final = 0x10  # 0xx1xx00, and three bytes 0xx0xxxx after it
_XON_XOFF: Final = (0x11, 0x13)
_BLOCK: Final = 0x37
_PROCESS_DONE: Final = 0x22
_CLEARED: Final = 0x25

CLEAR_BUFFERS: Final = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 function 8: drop all that is received but not printed. Answered by `Cleared`."""


def request(query: Query) -> bytes:
    """DLE EOT n: the printer answers with one byte as soon as it reads this, even when offline."""
    return bytes((0x10, 0x04, query))


def process_id_request(identity: bytes) -> bytes:
    """GS ( H function 48: the printer answers `ProcessDone(identity)` when all that stands before
    is on the paper. identity: four bytes of printable ASCII."""
    if len(identity) != 4 or any(not 0x20 <= byte <= 0x7E for byte in identity):
        raise ValueError("a process id is four printable characters")
    return b"\x1d(H\x06\x000" + b"0" + identity


def parse_status(query: Query, byte: int) -> frozenset[Flag]:
    """What the answer to `query` says. Raises EscposError when the fixed bits are wrong."""
    if not 0 <= byte <= 0xFF or byte & _FIXED_MASK != _STATUS:
        raise EscposError(f"{byte:#04x} is no answer to DLE EOT {int(query)}")
    return frozenset(flag for mask, flag in _BITS[query] if byte & mask)


# What is told first when several are true: an open cover also looks like missing paper.
_DIAGNOSES: Final = (
    (Flag.COVER_OPEN, Code.COVER_OPEN),
    (Flag.PAPER_END, Code.NO_PAPER),
    (Flag.PAPER_STOP, Code.NO_PAPER),
    (Flag.CUTTER, Code.PRINTER_FAULT),
    (Flag.UNRECOVERABLE, Code.PRINTER_FAULT),
    (Flag.OVERHEATED, Code.PRINTER_FAULT),
    (Flag.RECOVERABLE, Code.PRINTER_FAULT),
    (Flag.ERROR, Code.PRINTER_FAULT),
    (Flag.FEEDING, Code.PRINTER_FAULT),
    (Flag.OFFLINE, Code.PRINTER_FAULT),
)


def diagnosis(flags: frozenset[Flag]) -> tuple[Code, str] | None:
    """The one trouble that these flags come to, with its words; None when the printer is well."""
    for flag, code in _DIAGNOSES:
        if flag in flags:
            return code, flag.value
    return None


@dataclass(frozen=True, slots=True)
class StatusByte:
    """The answer to a DLE EOT; which one, only the asker knows."""

    value: int


@dataclass(frozen=True, slots=True)
class ProcessDone:
    """All that stood before this process id is on the paper."""

    identity: bytes


@dataclass(frozen=True, slots=True)
class Cleared:
    """The printer has emptied its buffers."""


Response = StatusByte | ProcessDone | Cleared


class Responses:
    """Takes the printer's bytes one at a time and says what they mean.

    Holds at most one unfinished block of a few bytes.
    """

    def __init__(self) -> None:
        self._block = bytearray()

    def feed(self, byte: int) -> Response | None:
        """The response that this byte completes, if any. Raises EscposError for what is none;
        the next byte then starts afresh."""
        if not self._block:
            return self._first(byte)
        self._block.append(byte)
        try:
            return self._more()
        except EscposError:
            self._block.clear()
            raise

    def _first(self, byte: int) -> Response | None:
        if byte & _FIXED_MASK == _STATUS:
            return StatusByte(byte)
        if byte in _XON_XOFF:
            return None
        if byte == _BLOCK or byte & _FIXED_MASK == _AUTOMATIC:
            self._block.append(byte)
            return None
        raise EscposError(f"unexpected byte {byte:#04x} from the printer")

    def _more(self) -> Response | None:
        block = self._block
        if block[0] != _BLOCK:
            if block[-1] & 0x90:
                raise EscposError(f"unexpected byte {block[-1]:#04x} in an automatic status")
            if len(block) == 4:
                block.clear()
            return None
        if len(block) == 2 and block[1] not in (_PROCESS_DONE, _CLEARED):
            raise EscposError(f"unknown response {block[1]:#04x}")
        if len(block) < (7 if block[1] == _PROCESS_DONE else 3):
            return None
        if block[-1] != 0:
            raise EscposError("a response without its end")
        answer = ProcessDone(bytes(block[2:6])) if block[1] == _PROCESS_DONE else Cleared()
        block.clear()
        return answer
