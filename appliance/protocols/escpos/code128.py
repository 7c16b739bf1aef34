"""Code 128 (ISO/IEC 15417): code sets B and C, bar widths.

Used where a printer has no Code 128 of its own, and to see beforehand whether one fits the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_PATTERNS: Final = """
    212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232
    122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122
    321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311
    211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 213113
    213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422
    121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111
    241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121
    412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412
    211214 211232 2331112
"""
WIDTHS: Final = tuple(_PATTERNS.split())
"""Widths in modules of bar, space, bar, … by symbol value; the last is the stop."""

STOP: Final = 106


class CodeSet(StrEnum):
    A = "A"
    B = "B"
    C = "C"


START: Final = {CodeSet.A: 103, CodeSet.B: 104, CodeSet.C: 105}
SWITCH: Final = {CodeSet.A: 101, CodeSet.B: 100, CodeSet.C: 99}
# A change to set C costs one symbol, and one more for the way back.
_DIGITS_WORTH_C_INSIDE: Final = 6
_DIGITS_WORTH_C_AT_AN_END: Final = 4


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring characters in one code set; in C an even number of digits."""

    code_set: CodeSet
    text: str


def runs(text: str) -> tuple[Run, ...]:
    """The text in code sets B and C, about as short as it gets. ASCII 32 to 126, not empty."""
    check(text)
    found: list[Run] = []
    pending = ""
    at = 0
    while at < len(text):
        digits = _digits(text, at)
        at_end = not (pending or found) or at + digits == len(text)
        worth = _DIGITS_WORTH_C_AT_AN_END if at_end else _DIGITS_WORTH_C_INSIDE
        if digits < worth and not digits == len(text) == 2:
            pending += text[at : at + max(digits, 1)]
            at += max(digits, 1)
            continue
        if digits % 2:
            pending += text[at]
            at += 1
            digits -= 1
        if pending:
            found.append(Run(CodeSet.B, pending))
            pending = ""
        found.append(Run(CodeSet.C, text[at : at + digits]))
        at += digits
    if pending:
        found.append(Run(CodeSet.B, pending))
    return tuple(found)


def check(text: str) -> None:
    """Raises ValueError for what code sets B and C cannot say."""
    if not text or any(not " " <= character <= "~" for character in text):
        raise ValueError("Code 128 takes printable ASCII characters")


def values(parts: tuple[Run, ...]) -> list[int]:
    """Symbol values: start, data, check symbol (section 4.6: weighted sum modulo 103), stop."""
    symbols: list[int] = []
    for part in parts:
        symbols.append((SWITCH if symbols else START)[part.code_set])
        if part.code_set is CodeSet.C:
            symbols += [int(part.text[at : at + 2]) for at in range(0, len(part.text), 2)]
        else:
            symbols += [ord(character) - 32 for character in part.text]
    weighted = symbols[0] + sum(weight * value for weight, value in enumerate(symbols))
    return [*symbols, weighted % 103, STOP]


def modules(symbols: list[int]) -> list[bool]:
    """One entry per module, True for a bar; no quiet zones."""
    drawn: list[bool] = []
    for symbol in symbols:
        for number, width in enumerate(WIDTHS[symbol]):
            drawn += [number % 2 == 0] * int(width)
    return drawn


def _digits(text: str, at: int) -> int:
    end = at
    while end < len(text) and "0" <= text[end] <= "9":
        end += 1
    return end - at
