"""Time, passed in everywhere, so that tests and simulations own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final, Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall time with its offset, for people's eyes: it may jump, nothing is ordered by it."""

    def monotonic(self) -> float:
        """Seconds that only grow, for deadlines."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as the journal keeps it; such texts sort by time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


MOMENT: Final = "%Y-%m-%dT%H:%M:%S%z"
"""A time for the screen, which words it in its own language."""


def local(moment: datetime | str, pattern: str = "%H:%M") -> str:
    """The same moment as the counter's own clock shows it."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone().strftime(pattern)
