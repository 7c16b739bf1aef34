"""How the last update of the box went, as whoever does it leaves word in a file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

STATE: Final = Path("update/state.json")
"""In the counter's data folder: {"state": "ok", "version": "1.4.0", "at": 1764000000}."""
LARGEST_BYTES: Final = 4096
STATES: Final = frozenset({"installing", "trying", "ok", "rolled-back", "failed"})
OTHER: Final = "other"
"""Stands for any state that this release does not know: a label has few values."""


@dataclass(frozen=True, slots=True)
class Update:
    """state: one of STATES, OTHER, or "" where there never was one. at: Unix time, or None."""

    state: str = ""
    at: float | None = None


NO_UPDATE: Final = Update()


def read(data: Path) -> Update:
    """What the file in this data folder says. One that cannot be read or understood is OTHER:
    somebody meant to say something."""
    try:
        with (data / STATE).open("rb") as stream:
            told = json.loads(stream.read(LARGEST_BYTES))
    except FileNotFoundError:
        return NO_UPDATE
    except (OSError, ValueError, RecursionError):
        return Update(OTHER)
    if not isinstance(told, dict):
        return Update(OTHER)
    state, at = told.get("state"), told.get("at")
    is_time = isinstance(at, int | float) and not isinstance(at, bool) and math.isfinite(at)
    known = state if isinstance(state, str) and state in STATES else OTHER
    return Update(known, at if is_time else None)
