"""The search: the real counter in the true world, every interleaving of all parties' moves."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import structlog

from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.ports import WELL
from tests.domain import moves_around, moves_terminal
from tests.domain.explore import Explored, Step, explore
from tests.domain.moves import Desk
from tests.domain.world import Bounds, Make, Shop, Terminal, World
from tests.domain.world_rules import broken_by, broken_in, is_end


def search(bounds: Bounds, *, at_first: bool = False) -> tuple[Desk, Explored[World]]:
    """All that can be reached within the bounds. at_first: stop at the first broken rule."""
    with _quiet():
        return _search(bounds, at_first)


class Rows(dict[Any, Any]):
    """A table that knows which of its rows were asked for."""

    def __init__(self, table: Mapping[Any, Any]) -> None:
        super().__init__(table)
        self.used: set[Any] = set()

    def __getitem__(self, row: Any) -> Any:
        self.used.add(row)
        return super().__getitem__(row)


@contextmanager
def watched() -> Iterator[tuple[Rows, Rows]]:
    """The tables of the payment and of the handover, watched."""
    tables = pay.TRANSITIONS, ho.TRANSITIONS
    payments, handovers = Rows(tables[0]), Rows(tables[1])
    with (
        patch.object(pay, "TRANSITIONS", payments),
        patch.object(ho, "TRANSITIONS", handovers),
    ):
        yield payments, handovers


@contextmanager
def _quiet() -> Iterator[None]:
    """The counter logs what goes wrong, and here everything does."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _search(bounds: Bounds, at_first: bool) -> tuple[Desk, Explored[World]]:
    desk = Desk(bounds)
    found = explore(
        [("the kiosk has started", _start(desk))],
        lambda world: _steps(desk, world),
        lambda world: broken_in(desk, world),
        lambda world: is_end(desk, world),
        at_first=at_first,
    )
    return desk, found


def _start(desk: Desk) -> World:
    bounds, half = desk.bounds, desk.half
    started = half.do(half.first, ("start",), None).after
    well = half.do(started, ("device", True), lambda core: core.device("terminal", WELL)).after
    shop = Shop("online" if bounds.is_prepaid else "due")
    return World(well, Terminal(), bounds.troubles, bounds.changes, shop=shop)


def _steps(desk: Desk, world: World) -> Iterator[Step[World]]:
    for party in (moves_terminal, moves_around):
        for move in party.steps(desk, world):
            broken = broken_by(desk, world, move)
            if broken or move.after != world:
                yield Step(move.told, move.after, move.is_trouble, broken)


def retell(bounds: Bounds, story: str) -> list[str]:
    """The rules that are broken in a story that was found once, from its second sentence on.
    Raises ValueError where it can no longer happen so."""
    with _quiet():
        desk = Desk(bounds)
        worlds, broken = {_start(desk)}, list[str]()
        for sentence in story.splitlines()[1:]:
            steps = [step for world in worlds for step in _steps(desk, world)]
            taken = [step for step in steps if step.told == sentence.strip()]
            if not taken:
                raise ValueError(f"this cannot happen: {sentence}")
            worlds = {step.after for step in taken}
            broken += [step.wrong for step in taken if step.wrong]
            broken += [rule for world in worlds for rule in broken_in(desk, world)]
        return broken


_ONE = Bounds(scans=1, payments=1, troubles=1, changes=0, has_paper=False)
QUICK: Mapping[str, Bounds] = {
    "two troubles": replace(_ONE, troubles=2),
    "two payments": replace(_ONE, payments=2, troubles=0),
    "a person who does not look": replace(_ONE, is_honest=False),
    "the order changes elsewhere": replace(_ONE, scans=2, troubles=0, changes=1),
    "paper": replace(_ONE, has_paper=True, reprints=0),
    "a wanted copy": replace(_ONE, troubles=0, has_paper=True),
    "paid before": replace(_ONE, scans=2, is_prepaid=True),
    **{f"terminal {make}": replace(_ONE, make=make) for make in Make if make is not Make.REVERSES},
}
"""What `make test` searches: each has its own matter, to be through in seconds."""

DEEP: Mapping[str, Bounds] = {
    "three troubles": replace(_ONE, troubles=3),
    "two payments, two troubles": replace(_ONE, payments=2, troubles=2),
    "two payments, and a person who does not look": replace(_ONE, payments=2, is_honest=False),
    "two scans, two payments, a change": replace(_ONE, scans=2, payments=2, troubles=0, changes=1),
    "a change and a trouble": replace(_ONE, changes=1),
    "late answers in heaps": replace(_ONE, scans=2, payments=2, troubles=0, waiting=2),
    "paper, two troubles": replace(_ONE, troubles=2, has_paper=True, reprints=0),
    "paid before, three troubles": replace(_ONE, scans=2, troubles=3, is_prepaid=True),
    **{
        f"terminal {make}, two troubles": replace(_ONE, troubles=2, make=make)
        for make in Make
        if make is not Make.REVERSES
    },
}
"""What `make proof` searches beside those: minutes in all."""
