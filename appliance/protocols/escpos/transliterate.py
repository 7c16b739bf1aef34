"""Any text to characters that a printer has. Nothing is lost without a trace, nothing becomes "?".

For each character, the first that works:
  1. the printer has it, in the preferred code page or in another one of its profile;
  2. blanks of any kind become a space; controls, format characters and accents that stand
     alone are dropped: no ESC of an order's name reaches the printer;
  3. the table below ("₽" -> "руб." or "RUB", Cyrillic -> Latin after BGN/PCGN 1947, simplified);
  4. Unicode's compatibility decomposition without its accents (NFKD: "ñ" -> "n", "①" -> "1");
  5. FILLER, "·": something stood here that this printer cannot show (emoji, Chinese …).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

FILLER: Final = "·"
_LAST_FILLER: Final = "*"  # for a code page without the middle dot

_RUSSIAN: Final = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
_ROMAN: Final = "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch ' y ' e yu ya e"
_CYRILLIC: Final = dict(zip(_RUSSIAN, _ROMAN.split(), strict=True))
# Letters of neighbouring languages: first as Russian letters, then as Latin ones.
_NEIGHBOURS: Final = {
    "і": ("i",),
    "ї": ("i",),
    "є": ("е", "ie"),
    "ґ": ("г", "g"),
    "ў": ("у", "u"),
    "ә": ("а", "a"),
    "ғ": ("г", "g"),
    "қ": ("к", "q"),
    "ң": ("н", "n"),
    "ө": ("о", "o"),
    "ұ": ("у", "u"),
    "ү": ("у", "u"),
    "һ": ("х", "h"),
    "ј": ("j",),
    "љ": ("ль", "lj"),
    "њ": ("нь", "nj"),
    "ђ": ("дж", "dj"),
    "ћ": ("ч", "c"),
    "џ": ("дж", "dz"),
}
_LATIN: Final = {
    "ä": ("ae",),
    "ö": ("oe",),
    "ü": ("ue",),
    "ß": ("ss",),
    "æ": ("ae",),
    "œ": ("oe",),
    "ø": ("o",),
    "å": ("a",),
    "ð": ("d",),
    "þ": ("th",),
    "đ": ("d",),
    "ł": ("l",),
    "ħ": ("h",),
    "ŋ": ("n",),
}
_SIGNS: Final[dict[str, tuple[str, ...]]] = {
    "ı": ("i",),
    "€": ("EUR",),
    "₽": ("руб.", "RUB"),
    "£": ("GBP",),
    "¥": ("JPY",),
    "₸": ("тг", "KZT"),
    "₴": ("грн", "UAH"),
    "₺": ("TL",),
    "₿": ("BTC",),
    "¢": ("c",),
    "№": ("No.",),
    "×": ("x",),
    "÷": (":",),
    "−": ("-",),
    "‐": ("-",),
    "‑": ("-",),
    "‒": ("-",),
    "–": ("-",),
    "—": ("-",),
    "―": ("-",),
    "─": ("-",),
    "⁄": ("/",),
    "∕": ("/",),
    "«": ('"',),
    "»": ('"',),
    "„": ('"',),
    "“": ('"',),
    "”": ('"',),
    "‟": ('"',),
    "″": ('"',),
    "‹": ("'",),
    "›": ("'",),
    "‚": ("'",),
    "‘": ("'",),
    "’": ("'",),
    "‛": ("'",),
    "′": ("'",),
    "´": ("'",),
    "ʼ": ("'",),
    "¨": ('"',),
    "…": ("...",),
    "•": ("·", "*"),
    "·": ("*",),
    "©": ("(c)",),
    "®": ("(R)",),
    "°": ("o",),
    "±": ("+/-",),
    "≈": ("~",),
    "≤": ("<=",),
    "≥": (">=",),
    "≠": ("<>",),
    "→": ("->",),
    "←": ("<-",),
    "✓": ("v",),
    "✔": ("v",),
    "§": ("par.",),
    "µ": ("u",),
    "μ": ("u",),
    "¡": ("!",),
    "¿": (FILLER,),
}


def _with_capitals(table: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    capitals = {
        key.upper(): tuple(text[:1].upper() + text[1:] for text in texts)
        for key, texts in table.items()
        if len(key.upper()) == 1
    }
    return {**capitals, **table}


TABLE: Final = {
    **_with_capitals({key: (text,) for key, text in _CYRILLIC.items()}),
    **_with_capitals(_NEIGHBOURS),
    **_with_capitals(_LATIN),
    "ẞ": ("SS",),
    **_SIGNS,
}
"""Character -> what to print in its place, best first; the first that can be printed counts."""

_BLANK: Final = frozenset({"Zs", "Zl", "Zp"})
_CONTROL_BLANKS: Final = "\t\n\v\f\r\x85"
_DROPPED: Final = frozenset({"Cc", "Cf", "Mn", "Me"})


def _glyphs(page: str) -> dict[str, int]:
    """Character -> byte of a code page, without what controls a printer."""
    found: dict[str, int] = {}
    for byte in (*range(0x20, 0x7F), *range(0x80, 0x100)):
        character = bytes((byte,)).decode(page, errors="ignore")
        if character and unicodedata.category(character) not in {"Cc", "Cf", "Mn"}:
            found.setdefault(character, byte)
    found.pop("\xa0", None)  # a space does, and means the same in every page
    return found


class Charset:
    """The characters of one printer.

    pages: Python's name of a code page -> the printer's number (ESC t n). preferred: used wherever
    it has the character. Raises KeyError when it is not one of them.
    """

    def __init__(self, pages: Mapping[str, int], preferred: str) -> None:
        order = [preferred, *(page for page in pages if page != preferred)]
        self._numbers = {page: pages[page] for page in order}
        self._glyphs = {page: _glyphs(page) for page in order}
        self._known = frozenset().union(*self._glyphs.values())
        self.preferred = preferred
        # Receipts use few different characters; the bound only keeps a flood out.
        self._resolved = lru_cache(maxsize=2048)(self._resolve)

    def printable(self, text: str) -> str:
        """The text in characters that the printer has, one column each."""
        return "".join(map(self._resolved, unicodedata.normalize("NFC", text)))

    def select(self, page: str) -> bytes:
        """ESC t n: use this code page from here on."""
        return bytes((0x1B, 0x74, self._numbers[page]))

    def encode(self, text: str) -> bytes:
        """Bytes of a text from `printable`. The preferred page is selected before and after."""
        out = bytearray()
        current = self.preferred
        for character in text:
            page = self._page_of(character, current)
            if page != current:
                out += self.select(page)
                current = page
            out.append(self._glyphs[page][character])
        if current != self.preferred:
            out += self.select(self.preferred)
        return bytes(out)

    def _page_of(self, character: str, current: str) -> str:
        if character <= "~":
            return current  # ASCII is the same in all
        for page, glyphs in self._glyphs.items():
            if character in glyphs:
                return page
        raise ValueError(f"{character!r} did not come from printable()")

    def _resolve(self, character: str) -> str:
        if character in self._known:
            return character
        category = unicodedata.category(character)
        if category in _BLANK or character in _CONTROL_BLANKS:
            return " "
        if category in _DROPPED:
            return ""
        for alternative in TABLE.get(character, ()):
            if self._known.issuperset(alternative):
                return alternative
        decomposed = unicodedata.normalize("NFKD", character)
        if decomposed != character:
            # What comes out of NFKD does not decompose further, so this goes one level deep.
            resolved = "".join(map(self._resolve, decomposed))
            # One filler for one character: half of a syllable says nothing.
            return resolved if resolved and self._filler() not in resolved else self._filler()
        return self._filler()

    def _filler(self) -> str:
        return FILLER if FILLER in self._known else _LAST_FILLER
