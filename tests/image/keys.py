"""Text as keys of a US keyboard, by QEMU's names for keys (QKeyCode in qapi/ui.json)."""

from __future__ import annotations

import string
from typing import Final

SHIFT: Final = "shift"
_PLAIN: Final = {
    **{character: character for character in string.ascii_lowercase + string.digits},
    "\n": "ret", "\t": "tab", "\b": "backspace", " ": "spc", "-": "minus", "=": "equal",
    "[": "bracket_left", "]": "bracket_right", "\\": "backslash", ";": "semicolon",
    "'": "apostrophe", "`": "grave_accent", ",": "comma", ".": "dot", "/": "slash",
}  # fmt: skip
_WITH_SHIFT: Final = dict(zip('!@#$%^&*()_+{}|:"~<>?', "1234567890-=[]\\;'`,./", strict=True))


def keys_of(character: str) -> tuple[str, ...]:
    """The keys to hold together, in that order. Raises ValueError for one that is on no key."""
    if character in _PLAIN:
        return (_PLAIN[character],)
    plain = _WITH_SHIFT.get(character, character.lower())
    if plain not in _PLAIN or plain == character:
        raise ValueError(f"no key of a US keyboard makes {character!r}")
    return SHIFT, _PLAIN[plain]
