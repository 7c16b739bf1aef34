"""What each kind of printer can do: one visible table. See docs/printers.md on adding a row.

Sources: Epson's ESC/POS command reference, "ESC t" (code pages by number), "GS ( k" and "GS k"
(symbols), "GS V" (cut), "GS ( H" (process id), "DLE DC4" function 8; the makers' programming
manuals for the generic rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Cut(StrEnum):
    """How a paper is parted from the roll."""

    FEED_AND_CUT = "feed_and_cut"  # GS V 66 0: the printer feeds to its own cutter first
    CUT = "cut"  # six lines of feed, then GS V 1: for printers that lack the former
    NONE = "none"  # a tear bar


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of printer.

    columns: characters of font A in a line. dots: printable width in dots.
    pages: Python's name of a code page -> the printer's number for it (ESC t n); the first one is
    preferred unless the options name another.
    process_id: it reports the end of printing (GS ( H, function 48).
    clears: its buffers can be emptied in real time (DLE DC4, function 8).
    double_byte: it may start in a Chinese mode that swallows our code page (FS . ends it).
    """

    name: str
    columns: int
    dots: int
    pages: Mapping[str, int]
    cut: Cut
    native_qr: bool
    native_code128: bool
    process_id: bool = False
    clears: bool = False
    double_byte: bool = False
    drawer: bool = True


_EPSON_PAGES: Final = {
    "cp858": 19,
    "cp437": 0,
    "cp850": 2,
    "cp852": 18,
    "cp866": 17,
    "cp1252": 16,
    "cp1250": 45,
    "cp1251": 46,
    "cp1257": 51,
}
# Clones number their pages as they like beyond these; what is listed, nearly all have.
_GENERIC_PAGES: Final = {
    "cp858": 19,
    "cp437": 0,
    "cp850": 2,
    "cp852": 18,
    "cp866": 17,
    "cp1252": 16,
}


def _table(*profiles: Profile) -> dict[str, Profile]:
    return {profile.name: profile for profile in profiles}


DEFAULT: Final = "generic-80"

# fmt: off
PROFILES: Final = _table(
    #       name             columns dots pages           cut               QR    Code 128
    # TM-T20II, T20III, T82III, m30: 80 mm paper at 203 dpi
    Profile("epson-tm-80",        48, 576, _EPSON_PAGES,   Cut.FEED_AND_CUT, True, True,
            process_id=True, clears=True),
    # TM-T88IV to VII as delivered: 80 mm paper at 180 dpi
    Profile("epson-tm-t88",       42, 512, _EPSON_PAGES,   Cut.FEED_AND_CUT, True, True,
            process_id=True, clears=True),
    # TM-P20, TM-m10 and the 80 mm ones with 58 mm paper
    Profile("epson-tm-58",        32, 384, _EPSON_PAGES,   Cut.FEED_AND_CUT, True, True,
            process_id=True, clears=True),
    # Most 80 mm printers of other makers: Rongta, Xprinter, HPRT, Citizen, Bixolon
    Profile("generic-80",         48, 576, _GENERIC_PAGES, Cut.CUT,          True, True,
            double_byte=True),
    # Small 58 mm ones, POS-5890 and the like: no cutter, no symbols of their own
    Profile("generic-58",         32, 384, _GENERIC_PAGES, Cut.NONE,         False, False,
            double_byte=True),
    # Printers sold for Russia whose firmware has one page only: Atol RP, Xprinter with CP866
    Profile("cyrillic-80",        48, 576, {"cp866": 17},  Cut.CUT,          True, True,
            double_byte=True),
    Profile("cyrillic-58",        32, 384, {"cp866": 17},  Cut.NONE,         False, False,
            double_byte=True),
)
# fmt: on
