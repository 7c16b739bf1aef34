"""What every kind of move has in common: how the counter hears of it, and how the power goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from appliance.domain.facts import REPORTED, Fact, Kind
from tests.domain.counter_half import Answer, Event, Half
from tests.domain.counter_view import View
from tests.domain.world import Booking, Bounds, Printer, Stage, Talk, World

_TOLD: Final = REPORTED - {Kind.CLAIMED, Kind.NOTHING_DUE, Kind.SET_ASIDE, Kind.UNRESOLVED}
"""The kinds of which the shop makes more than a note."""


class Move(NamedTuple):
    """One thing that happens. facts: what the counter wrote. is_acknowledged: the terminal is told
    that the kiosk has its result; of: the payment. broken: a rule that the move breaks as such."""

    told: str
    after: World
    is_trouble: bool = False
    facts: tuple[Fact, ...] = ()
    acknowledged: str = ""
    broken: str = ""


class Desk:
    """One counter in one world: what all parties' moves are made with."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.half = Half()
        self.judged: dict[int, tuple[str, ...]] = {}  # the rules that a state of it breaks alone

    def view(self, world: World) -> View:
        return self.half.views[world.counter]

    def hear(
        self, world: World, told: str, name: tuple[Any, ...], event: Event | None, **more: Any
    ) -> Iterator[Move]:
        """The counter hears of something, from the world as it is then. With more than one write
        to be made for it, the power may go between them. more: what else is true of the move."""
        answer = self.half.do(world.counter, name, event)
        move = self.heard(world, told, answer)._replace(**more)
        yield move
        if world.troubles:
            for cut, facts in answer.cuts:
                after = lose_power(_report(world._replace(counter=cut), facts))
                yield trouble(f"{told}; the power goes in the middle of what it writes", after)

    def heard(self, world: World, told: str, answer: Answer) -> Move:
        broken = answer.failure if answer.failure != "disk" else ""
        after = world
        if answer.after != world.counter:
            after = _report(world._replace(counter=answer.after), answer.facts)
        for call in answer.calls:
            after, wrong = _ask(after, call)
            broken = broken or wrong
        return Move(told, after, facts=answer.facts, broken=broken)


def _report(world: World, facts: tuple[Fact, ...]) -> World:
    found = tuple(
        (fact.kind, fact.subject, str(fact.body.get("payment", "")))
        for fact in facts
        if fact.kind in _TOLD
    )
    return world._replace(outbox=world.outbox + found) if found else world


def _ask(world: World, call: tuple[Any, ...]) -> tuple[World, str]:
    """What the counter asks of the world goes into a queue; what is wrong with its asking so."""
    talk = world.talk
    match call:
        case ("claim", handover, version):
            return world._replace(desk=(*world.desk, ("ask", handover, version))), ""
        case ("print", job):
            jobs = (*world.printer.jobs, job)
            return world._replace(printer=world.printer._replace(jobs=jobs)), ""
        case ("authorise", handover, payment, is_durable):
            wrong = "" if is_durable else "AUTHORISE left before its fact was durable."
            if payment in dict(world.bank):
                wrong = "AUTHORISE left twice for one payment."
            job = ("authorise", handover, payment)
            talk = talk._replace(jobs=(*talk.jobs, job), is_stopped=False)
            return world._replace(talk=talk).with_booking(payment, Booking.NONE), wrong
        case ("abort",):
            is_running = talk.stage in (Stage.ASKED, Stage.WAITING) and not talk.is_dead
            waits = any(job[0] == "authorise" for job in talk.jobs)
            return world._replace(talk=talk._replace(stop=is_running, is_stopped=waits)), ""
        case ("look_up", _):
            return world, ""
        case _:
            return world._replace(talk=talk._replace(jobs=(*talk.jobs, call))), ""


def trouble(told: str, after: World) -> Move:
    """Something goes wrong: one of the troubles that there may be is used up."""
    return Move(told, after._replace(troubles=after.troubles - 1), is_trouble=True)


def lose_power(world: World) -> World:
    """What is not on disk is lost, and every queue. world.counter: an off state."""
    printer = Printer(originals=world.printer.originals)
    return world._replace(talk=Talk(), desk=(), printer=printer)


def one_of(*found: Iterable[Move]) -> Iterator[Move]:
    for moves in found:
        yield from moves
