"""A run told in plain sentences, one a line, and cut down to a counter-example when it is one."""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.simulation.books import Violation
from tests.simulation.kernel import Spinning
from tests.simulation.kiosk import FIRST_DAY
from tests.simulation.plan import DAY_S, Event, Plan, draw
from tests.simulation.town import Figures, Town

SHRINKS_MOST: Final = 150  # runs that are tried to make a story shorter
Line = tuple[float, str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """One plan's outcome. broken: the promise that was broken, or "". digest: of all that happened,
    the same for the same plan."""

    plan: Plan
    figures: Figures
    story: tuple[Line, ...]
    broken: str
    digest: str

    @property
    def kind(self) -> str:
        """What sort of a violation it is: without names and numbers."""
        return re.sub(r"\b[a-z]*-?\d+\b|\b(mitte|hafen)\S*", "…", self.broken)


def play(plan: Plan) -> Run:
    """Raises what is no broken promise: an error of the simulation's own."""
    # Collected only where the plan says so: what goes is to go at the same moment each time.
    gc.disable()
    try:
        return _play(plan)
    finally:
        gc.enable()


def _play(plan: Plan) -> Run:
    broken = ""
    with Town(plan) as town:
        try:
            town.run()
        except (Violation, Spinning) as violation:
            broken = str(violation)
        lines = tuple(town.story)
        digest = hashlib.sha256("\n".join(tell(lines)).encode()).hexdigest()[:16]
        return Run(plan, town.figures, lines, broken, digest)


def play_seed(seed: str, days: int) -> Run:
    return play(draw(seed, days))


def tell(lines: Iterable[Line]) -> list[str]:
    return [f"{_when(at_s)}  {who} {what}." for at_s, who, what in lines]


def _when(at_s: float) -> str:
    day, second = divmod(at_s, DAY_S)
    minutes, seconds = divmod(FIRST_DAY.hour * 3600 + second, 60)
    return f"day {int(day) + 1} {int(minutes // 60):02d}:{int(minutes % 60):02d}:{seconds:06.3f}"


def shorten(run: Run, most: int = SHRINKS_MOST) -> Run:
    """The shortest story found that breaks the same promise: events are left out as long as it
    still does (ddmin: Zeller and Hildebrandt, 2002)."""
    ended_s = run.story[-1][0] if run.story else 0.0
    kept = [event for event in run.plan.events if event.at_s <= ended_s]
    best = _again(run, kept) or run
    kept = list(best.plan.events)
    size, left = max(1, len(kept) // 2), most
    while left > 0:
        shorter = None
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            left -= 1
            if left <= 0:
                break
            if (shorter := _again(run, rest)) is not None:
                best, kept = shorter, rest
                break
        if shorter is None:
            if size == 1:
                break
            size = max(1, size // 2)
    return best


def _again(run: Run, events: Sequence[Event]) -> Run | None:
    """The same promise broken by these events alone, if it is."""
    plan = replace(run.plan, events=tuple(events))
    try:
        found = play(plan)
    except Exception:  # noqa: BLE001 - a plan with holes may not make sense
        return None
    return found if found.broken and found.kind == run.kind else None


def gist(run: Run) -> list[str]:
    """The lines that have to do with how it ends: its kiosks and orders, and all trouble."""
    names = set(re.findall(r"(?:mitte|hafen)-\d", run.broken))
    orders = set(re.findall(r"ord-\d+", run.broken))
    for _, who, what in run.story:
        if any(order in what for order in orders):
            names |= set(re.findall(r"(?:mitte|hafen)-\d", who))
    chosen = [
        line
        for line in run.story
        if "trouble" in line[1] or any(name in line[1] for name in names) or not names
        or any(order in line[2] for order in orders)
    ]  # fmt: skip
    return tell(chosen)
