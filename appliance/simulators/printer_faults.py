"""What can be wrong with a simulated receipt printer, and how it says so."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What can be wrong with it, all of which can be put right again."""

    NO_PAPER = "no_paper"
    NEAR_END = "near_end"
    COVER_OPEN = "cover_open"
    CUTTER = "cutter"  # jammed
    OVERHEATED = "overheated"
    UNRECOVERABLE = "unrecoverable"
    SILENT = "silent"  # it works but answers nothing
    POWER_OFF = "power_off"  # the cable stays; what it had received is lost
    CABLE_OUT = "cable_out"  # it prints on what it has


_OFFLINE: Final = (
    Fault.NO_PAPER,
    Fault.COVER_OPEN,
    Fault.CUTTER,
    Fault.OVERHEATED,
    Fault.UNRECOVERABLE,
)


def is_online(faults: AbstractSet[Fault]) -> bool:
    """Whether the mechanism works on what is received."""
    return faults.isdisjoint((*_OFFLINE, Fault.POWER_OFF))


def status_byte(query: int, faults: AbstractSet[Fault]) -> int:
    """The answer to DLE EOT n, n = 1 to 4 (Epson, "DLE EOT")."""
    # With the cover open the paper sensor sees none.
    is_out = bool(faults & {Fault.NO_PAPER, Fault.COVER_OPEN})
    has_error = bool(faults & {Fault.CUTTER, Fault.OVERHEATED, Fault.UNRECOVERABLE})
    bits = {
        1: (0x08 * (not is_online(faults)),),
        2: (0x04 * (Fault.COVER_OPEN in faults), 0x20 * is_out, 0x40 * has_error),
        3: (
            0x08 * (Fault.CUTTER in faults),
            0x20 * (Fault.UNRECOVERABLE in faults),
            0x40 * (Fault.OVERHEATED in faults),
        ),
        4: (0x0C * (Fault.NEAR_END in faults or is_out), 0x60 * is_out),
    }
    return 0x12 | sum(bits[query])
