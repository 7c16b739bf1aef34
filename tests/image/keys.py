"""The keys of a US keyboard."""

from __future__ import annotations

import string
from typing import Final

_NAMES: Final = {
    **{character: character for character in string.ascii_lowercase + string.digits},
    "\n": "ret", "\t": "tab", "\b": "backspace", " ": "spc", "-": "minus", "=": "equal",
    "[": "bracket_left", "]": "bracket_right", "\\": "backslash", ";": "semicolon",
    "'": "apostrophe", "`": "grave_accent", ",": "comma", ".": "dot", "/": "slash",
}  # fmt: skip
_WITH_SHIFT: Final = dict(
    zip(
        string.ascii_uppercase + '!@#$%^&*()_+{}|:"~<>?',
        string.ascii_lowercase + "1234567890-=[]\\;'`,./",
        strict=True,
    )
)


def stroke_of(character: str) -> tuple[str, bool]:
    """The key, by the character that it makes alone, and whether Shift is held as well. Raises
    ValueError for a character that is on no key."""
    key = _WITH_SHIFT.get(character, character)
    if key not in _NAMES:
        raise ValueError(f"no key of a US keyboard makes {character!r}")
    return key, key != character


def keys_of(character: str) -> tuple[str, ...]:
    """The keys to hold together, in that order, by QEMU's names (QKeyCode in qapi/ui.json). Raises
    ValueError for a character that is on no key."""
    key, is_shifted = stroke_of(character)
    return ("shift", _NAMES[key]) if is_shifted else (_NAMES[key],)
