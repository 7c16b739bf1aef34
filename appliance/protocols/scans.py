"""What a scanner's line comes to, whatever the protocol on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST_CODE: Final = 256
"""Characters; the longest order code or command code is far below."""


REST_S: Final = 1.0
"""After a code that broke off, what comes within this time is its rest: half a code may be another
order's. A person takes longer to scan again."""

GLUED_S: Final = 0.05
"""A code that begins so soon after the end of the one before came out of the same barcode: a symbol
can hold a line end and, behind it, a command. Nobody scans two in that time."""
GLUED: Final = "a second code in the same scan"


@dataclass(frozen=True, slots=True)
class Scanned:
    """One whole code: 1 to LONGEST_CODE printable characters, unless its reader was told of
    more."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Something was read that is no code. why: for the log and the small print, nothing of what
    was read is in it."""

    why: str


Scan = Scanned | Refused
