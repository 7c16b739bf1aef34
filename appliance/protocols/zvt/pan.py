"""Card numbers are masked where bytes become messages, so that nothing behind ever holds one.

At most the first six and the last four digits stay (PCI DSS 4.0, requirement 3.4.1).
"""

from __future__ import annotations

import re
from typing import Final

FIRST: Final = 6
LAST: Final = 4
SHORTEST: Final = 13
LONGEST: Final = 19

_GROUPS = re.compile(r"[0-9]+(?:[ -]{1,2}[0-9]+)*")
_GROUP = re.compile(r"[0-9]+")
_BCD_RUN = re.compile(r"[0-9]{13,}")


def passes_luhn(digits: str) -> bool:
    """True when the check digit is right, as it is in every card number. Zeros are none."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total > 0 and total % 10 == 0


def mask_pan(pan: str) -> str:
    """A stated card number with at most ten digits left in clear; "*" is a masked digit."""
    digits = [place for place, sign in enumerate(pan) if sign.isdigit()]
    if len(digits) <= FIRST + LAST:
        return pan
    hidden = set(digits[FIRST:-LAST])
    return "".join("*" if place in hidden else sign for place, sign in enumerate(pan))


def mask_text(text: str) -> str:
    """The text with every card number in it masked: 13 to 19 digits that pass the Luhn check, with
    up to two spaces or hyphens between them. Zeros before it, which pad some, do not count."""
    hidden: set[int] = set()
    for run in _GROUPS.finditer(text):
        groups = [
            [*range(run.start() + found.start(), run.start() + found.end())]
            for found in _GROUP.finditer(run.group())
        ]
        for first, group in enumerate(groups):
            digits = text[group[0] : group[-1] + 1]
            padding = len(digits) - len(digits.lstrip("0"))
            if padding == len(digits):
                continue  # the number begins behind it
            places: list[int] = []
            for group_places in (group[padding:], *groups[first + 1 : first + LONGEST]):
                places += group_places
                if len(places) > LONGEST:
                    break
                if len(places) >= SHORTEST and passes_luhn("".join(text[p] for p in places)):
                    hidden.update(places[FIRST:-LAST])
    if not hidden:
        return text
    return "".join("*" if place in hidden else sign for place, sign in enumerate(text))


def mask_characters(value: bytes) -> bytes:
    """`mask_text` for single-byte characters; the length stays."""
    return mask_text(value.decode("latin-1")).encode("latin-1")


def mask_packed(value: bytes) -> bytes:
    """Card numbers in packed BCD, starting at any byte of it, with E for each masked digit.

    For fields whose meaning is not known: it rather masks too much. The length stays.
    """
    signs = list(value.hex())
    for run in _BCD_RUN.finditer("".join(signs)):
        digits = run.group()
        for start in range(run.start() % 2, len(digits), 2):
            for size in range(SHORTEST, min(LONGEST, len(digits) - start) + 1):
                if passes_luhn(digits[start : start + size]):
                    low = run.start() + start + FIRST
                    high = run.start() + start + size - LAST
                    signs[low:high] = "e" * (high - low)
    return bytes.fromhex("".join(signs))


def mask_pan_field(value: bytes) -> bytes:
    """BMP 22 with E in place of each digit that must not stay; F is padding. The length stays."""
    masked = mask_pan(value.hex().replace("e", "*"))
    return bytes.fromhex(masked.replace("*", "e"))


def pan_text(value: bytes) -> str:
    """BMP 22 as people write it, masked: "476173******1234"."""
    signs = value.hex().replace("e", "*").rstrip("f")
    return mask_pan("".join(sign for sign in signs if sign.isdigit() or sign == "*"))
