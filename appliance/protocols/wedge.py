"""Keyboard scanners: key events to codes.

A scanner of this kind types what the barcode says, and a barcode can say Ctrl+Alt+Del (known as
BadBarcode). So the keys are read here and nowhere else, and only those of the tables below with
no modifier but Shift make a code; Enter or Tab ends it. Anything else spoils the code that it
occurs in: it is refused as a whole, once, and skipped up to its end or a pause. So is what follows
an end without a pause: it is of the same barcode.

Numbers: linux/input-event-codes.h. A scanner presses keys by the layout that it is set to; the
table of that layout says which character it meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from appliance.protocols.scans import GLUED, GLUED_S, LONGEST_CODE, REST_S, Refused, Scan, Scanned

_RELEASED, _PRESSED = 0, 1  # 2 is the kernel's own repetition of a held key: no new character
_SHIFTS: Final = frozenset({42, 54})
_ENDS: Final = frozenset({15, 28, 96})  # Tab, Enter, Enter of the number pad

# The rows of a keyboard: the first key's number, then the characters without and with Shift.
_Row = tuple[int, str, str]
_DIGITS: Final = 2
_UPPER: Final = 16
_HOME: Final = 30
_BACKSLASH: Final = 43
_LOWER: Final = 44
_SPACE: Final = 57
_102ND: Final = 86
_GRAVE: Final = 41
_BLANK: Final[_Row] = (_SPACE, " ", " ")

# "\0" stands for a key that types no character of its own: a dead key or a letter that no code
# has. Only what a code can have is listed: printable ASCII and the sections' signs beside it.
_US: Final[tuple[_Row, ...]] = (
    (_DIGITS, "1234567890-=", "!@#$%^&*()_+"),
    (_UPPER, "qwertyuiop[]", "QWERTYUIOP{}"),
    (_HOME, "asdfghjkl;'", 'ASDFGHJKL:"'),
    (_GRAVE, "`", "~"),
    (_BACKSLASH, "\\", "|"),
    (_LOWER, "zxcvbnm,./", "ZXCVBNM<>?"),
    (_102ND, "<", ">"),
    _BLANK,
)
_DE: Final[tuple[_Row, ...]] = (
    (_DIGITS, "1234567890ß\0", '!"§$%&/()=?\0'),
    (_UPPER, "qwertzuiopü+", "QWERTZUIOPÜ*"),
    (_HOME, "asdfghjklöä", "ASDFGHJKLÖÄ"),
    (_GRAVE, "\0", "°"),
    (_BACKSLASH, "#", "'"),
    (_LOWER, "yxcvbnm,.-", "YXCVBNM;:_"),
    (_102ND, "<", ">"),
    _BLANK,
)
_FR: Final[tuple[_Row, ...]] = (
    (_DIGITS, "&é\"'(-è_çà)=", "1234567890°+"),
    (_UPPER, "azertyuiop\0$", "AZERTYUIOP\0£"),
    (_HOME, "qsdfghjklmù", "QSDFGHJKLM%"),
    (_GRAVE, "²", "\0"),
    (_BACKSLASH, "*", "µ"),
    (_LOWER, "wxcvbn,;:!", "WXCVBN?./§"),
    (_102ND, "<", ">"),
    _BLANK,
)
# A scanner set to Russian can type digits and signs; the letters of codes are Latin, and it
# presses them where the Russian keyboard has them printed beside the Cyrillic ones.
_RU: Final[tuple[_Row, ...]] = (
    (_DIGITS, "1234567890-=", '!"№;%:?*()_+'),
    (_UPPER, "qwertyuiop\0\0", "QWERTYUIOP\0\0"),
    (_HOME, "asdfghjkl\0\0", "ASDFGHJKL\0\0"),
    (_BACKSLASH, "\\", "/"),
    (_LOWER, "zxcvbnm\0\0.", "ZXCVBNM\0\0,"),
    _BLANK,
)
# The number pad with NumLock on, as scanners use it; the decimal key is the layouts' only
# difference and is left out.
_NUMBER_PAD: Final = {
    **dict(zip((79, 80, 81, 75, 76, 77, 71, 72, 73, 82), "1234567890", strict=True)),
    55: "*",
    74: "-",
    78: "+",
    98: "/",
}


def _keys(rows: tuple[_Row, ...]) -> Mapping[int, tuple[str, str]]:
    table = {key: (character, character) for key, character in _NUMBER_PAD.items()}
    for first, plain, shifted in rows:
        for at, pair in enumerate(zip(plain, shifted, strict=True)):
            table[first + at] = pair
    return table


LAYOUTS: Final[Mapping[str, Mapping[int, tuple[str, str]]]] = {
    "us": _keys(_US),
    "de": _keys(_DE),
    "fr": _keys(_FR),
    "ru": _keys(_RU),
}
"""Layout -> key number -> the characters without and with Shift; NUL: none."""


class Wedge:
    """Takes key events and times, gives codes. Holds at most one code.

    gap_s: so long a pause inside of a code makes it "too slow": a person at a keyboard, or a
    scanner that lost half of it. The rest of it is skipped. longest: characters of a code. Raises
    KeyError for a layout that LAYOUTS lacks.
    """

    def __init__(
        self, layout: str = "us", *, gap_s: float = 0.5, longest: int = LONGEST_CODE
    ) -> None:
        self._keys = LAYOUTS[layout]
        self._gap_s = gap_s
        self._longest = longest
        self._code: list[str] = []
        self._shifts: set[int] = set()
        self._strangers: set[int] = set()  # held keys that no code has, such as Ctrl
        self._is_spoilt = False  # refused already; skipped up to its end
        self._is_rest = False  # of a code that was too slow: skipped likewise
        self._last = 0.0
        self._ended_at = float("-inf")

    def key(self, key: int, value: int, now: float) -> list[Scan]:
        """The codes that this key event completes. value: 0 up, 1 down, 2 repeated.
        now: seconds that only grow."""
        found = self.idle(now)
        if now - self._last >= REST_S:
            self._is_rest = False
        self._last = now
        if value == _RELEASED:
            self._shifts.discard(key)
            self._strangers.discard(key)
        elif key in _SHIFTS:
            self._shifts.add(key)
        elif value == _PRESSED:
            found += self._pressed(key, now)
        return found

    def lost(self, now: float) -> list[Scan]:
        """Events were lost (SYN_DROPPED): what is being read is no whole code any more."""
        self._last = now
        self._shifts.clear()
        self._strangers.clear()
        return self._spoil("key events were lost")

    def idle(self, now: float) -> list[Scan]:
        """What silence until `now` ends. To be called when `deadline` has passed."""
        if not (self._code or self._is_spoilt) or now - self._last < self._gap_s:
            return []
        is_slow = not self._is_spoilt
        self._reset()
        self._is_rest = is_slow
        return [Refused("too slow, or without an end")] if is_slow else []

    @property
    def deadline(self) -> float | None:
        """When `idle` has something to say; None: not before the next key."""
        return self._last + self._gap_s if self._code or self._is_spoilt else None

    def _pressed(self, key: int, now: float) -> list[Scan]:
        if key in _ENDS:
            code = "".join(self._code)
            if code or self._is_spoilt or self._is_rest:
                self._ended_at = now
            self._reset()
            return [Scanned(code)] if code else []
        character = self._keys.get(key, ("\0", "\0"))[bool(self._shifts)]
        if character == "\0":
            self._strangers.add(key)
        if self._strangers:
            return self._spoil("a key that no code has")
        if self._is_spoilt or self._is_rest:
            return []
        if not self._code and now - self._ended_at < GLUED_S:
            return self._spoil(GLUED)
        if len(self._code) == self._longest:
            return self._spoil("too long")
        self._code.append(character)
        return []

    def _spoil(self, why: str) -> list[Scan]:
        is_new = not self._is_spoilt
        self._code.clear()
        self._is_spoilt = True
        return [Refused(why)] if is_new else []

    def _reset(self) -> None:
        self._code.clear()
        self._is_spoilt = self._is_rest = False
