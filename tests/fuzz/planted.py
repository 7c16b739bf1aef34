"""A sound parser with a mistake planted in it, as the kind is that fuzzing is for."""

from __future__ import annotations

from typing import Final

from tests.fuzz import zvt
from tests.fuzz.target import Target

MAGIC: Final = b"\x06\xa5K"


def check(data: bytes) -> None:
    """Reads a TCP line; three bytes at its beginning, which no seed has, are too much for it."""
    zvt.tcp(data)
    if data[:3] == MAGIC:
        raise KeyError(data[:3])


TARGET: Final = Target(check, longest=64)
