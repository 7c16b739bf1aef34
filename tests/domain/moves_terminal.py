"""The terminal, its bank, the customer at it, and the kiosk's dialogue with it.

What an answer means is the driver's own judgement (`PaymentHandler`, `judge`), as is what has to be
on disk before it is acknowledged. The line loses whatever is on it, in both directions and for good
(`is_dead`): the same as a message that comes too late for whoever waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from appliance.domain.errors import Code, TerminalTrouble
from appliance.domain.payment import Baseline
from appliance.drivers.zvt_payment import Nothing, baseline_of, judge
from appliance.ports import WELL, Declined, Health, Outcome, Slip, Unknown
from appliance.protocols.zvt.answers import Completion
from tests.domain.driver_words import outcome_of, said_of, status_of, word_of
from tests.domain.moves import Desk, Move, trouble
from tests.domain.world import (
    ASKED,
    TERMINAL_ID,
    Booking,
    Last,
    Make,
    Phase,
    Stage,
    Talk,
    Terminal,
    World,
)

_SLIP: Final = ("CUSTOMER RECEIPT",)
_SILENT: Final = Unknown(Code.PAYMENT_UNKNOWN, "the terminal does not answer")


def steps(desk: Desk, world: World) -> Iterator[Move]:
    yield from _terminal(desk, world)
    if desk.view(world).is_on:
        if world.talk.stage is Stage.NONE:
            yield from _next_job(desk, world)
        else:
            yield from _dialogue(desk, world)
    if world.troubles:
        yield from _faults(world)


# --- the terminal by itself --------------------------------------------------------------------


def _terminal(desk: Desk, world: World) -> Iterator[Move]:
    terminal, talk = world.terminal, world.talk
    if not terminal.is_on:
        yield Move(
            "the terminal has power again", world._replace(terminal=terminal._replace(is_on=True))
        )
    elif terminal.phase is Phase.CARD:
        host = terminal._replace(phase=Phase.HOST)
        yield Move(
            "the customer taps, and the terminal asks the bank", world._replace(terminal=host)
        )
        yield Move("the customer presses the red key, or goes away", _result(world, is_ok=False))
        if talk.stop:
            yield Move("the terminal is told to stop, and does", _result(world, is_ok=False))
    elif terminal.phase is Phase.HOST:
        yield Move("the bank books", _result(world, is_ok=True))
        yield Move("the bank says no", _result(world, is_ok=False))
    elif terminal.phase is Phase.OWED and not _is_listened_to(world):
        yield from _resolve(desk, world)


def _is_listened_to(world: World) -> bool:
    return world.talk.stage is not Stage.NONE and not world.talk.is_dead


def _result(world: World, *, is_ok: bool) -> World:
    """The terminal has a result, remembers it, and says so where somebody listens."""
    terminal = world.terminal
    last = Last(terminal.last.number + 1, is_ok, True)
    after = world._replace(
        terminal=terminal._replace(phase=Phase.OWED, before=terminal.last, last=last),
        talk=world.talk._replace(stop=False),
    )
    if is_ok:
        after = after.with_booking(terminal.payment, Booking.BOOKED)
    if _is_listened_to(world):
        after = after._replace(talk=after.talk._replace(stage=Stage.ANSWER))
    return after


def _resolve(desk: Desk, world: World) -> Iterator[Move]:
    """Nobody has acknowledged the result."""
    terminal, make = world.terminal, desk.bounds.make
    rest = terminal._replace(phase=Phase.REST, payment="", before=terminal.last)
    if not terminal.last.is_ok:
        yield Move("the terminal gives up telling its no", world._replace(terminal=rest))
        return
    if make in (Make.KEEPS, Make.FORGETFUL):
        yield Move("the terminal keeps what nobody acknowledged", world._replace(terminal=rest))
        return
    number = terminal.last.number
    last = {
        Make.REVERSES: terminal.last._replace(is_ok=False),
        Make.REVERSES_WITH_NUMBER: Last(number + 1, True, True, original=number),
        Make.REVERSES_WITHOUT_TRACE: terminal.before,
    }[make]
    after = world._replace(terminal=rest._replace(last=last, before=last))
    yield Move(
        "the terminal takes back what nobody acknowledged",
        after.with_booking(terminal.payment, Booking.TAKEN_BACK),
    )


# --- the kiosk's side --------------------------------------------------------------------------


def _next_job(desk: Desk, world: World) -> Iterator[Move]:
    view, talk, terminal = desk.view(world), world.talk, world.terminal
    if not talk.jobs:
        if view.is_terminal_well is not terminal.is_on:
            health = WELL if terminal.is_on else Health(Code.TERMINAL_GONE)
            told = "the kiosk finds the terminal " + ("there" if terminal.is_on else "gone")
            yield from desk.hear(
                world,
                told,
                ("device", terminal.is_on),
                lambda core: core.device("terminal", health),
            )
        return
    job, rest = talk.jobs[0], world._replace(talk=talk._replace(jobs=talk.jobs[1:]))
    match job:
        case ("prepare", handover):
            yield from _prepare(desk, rest, handover)
        case ("authorise", handover, payment) if talk.is_stopped:
            stopped = Declined(Code.PAYMENT_STOPPED)
            told = "the kiosk stops before the amount has left"
            idle = rest._replace(talk=rest.talk._replace(is_stopped=False))
            yield from _end(desk, idle, told, handover, payment, stopped)
        case ("authorise", handover, payment):
            asked = Talk(rest.talk.jobs, Stage.ASKED, handover, payment)
            yield Move("the kiosk sends the amount to the terminal", rest._replace(talk=asked))
        case ("query", handover, payment, baseline):
            yield from _query(desk, world, rest, handover, payment, baseline)


def _prepare(desk: Desk, rest: World, handover: str) -> Iterator[Move]:
    result = _baseline(desk, rest.terminal)
    is_there = rest.terminal.is_on

    def prepared(core: Any) -> None:
        core.device("terminal", WELL if is_there else Health(Code.TERMINAL_GONE))
        core.charging.prepared(handover, result)

    told = "the terminal says that it is ready"
    if isinstance(result, TerminalTrouble):
        told = "the terminal is not ready"
    yield from desk.hear(rest, told, ("prepared", handover, str(result)), prepared)


def _baseline(desk: Desk, terminal: Terminal) -> Baseline | TerminalTrouble:
    if not terminal.is_on:
        return TerminalTrouble(Code.TERMINAL_GONE)
    if terminal.phase is not Phase.REST:
        return TerminalTrouble(Code.TERMINAL_BUSY)
    if desk.bounds.make is Make.FORGETFUL:
        return Baseline(TERMINAL_ID)
    return baseline_of(status_of(terminal.last), TERMINAL_ID)


def _query(
    desk: Desk, world: World, rest: World, handover: str, payment: str, baseline: Baseline
) -> Iterator[Move]:
    """The driver waits until the terminal is idle, asks it, and asks again for some minutes."""
    terminal = world.terminal
    if terminal.is_on and terminal.phase is Phase.REST:
        last = status_of(terminal.last)
        told_last = Nothing() if desk.bounds.make is Make.FORGETFUL else last
        outcome = judge(told_last, ASKED, baseline, TERMINAL_ID)
        told = f"asked for its last transaction, the terminal proves: {word_of(outcome)}"
        yield from _end(desk, rest, told, handover, payment, outcome)
    elif not terminal.is_on:
        told = "the kiosk asks for minutes, and the terminal does not answer"
        yield from _end(desk, rest, told, handover, payment, _SILENT)
    elif world.troubles:
        told = "the kiosk asks for minutes, and the terminal is busy all the time"
        used = rest._replace(troubles=rest.troubles - 1)
        yield from _end(desk, used, told, handover, payment, _SILENT, is_trouble=True)


def _dialogue(desk: Desk, world: World) -> Iterator[Move]:
    talk, terminal = world.talk, world.terminal
    handover, payment = talk.handover, talk.payment
    over = world._replace(talk=Talk(jobs=talk.jobs))
    if talk.is_dead:
        told = "the kiosk hears nothing more from the terminal"
        yield from _end(desk, over, told, handover, payment, outcome_of(talk.heard, None))
        return
    match talk.stage:
        case Stage.ASKED if terminal.phase is Phase.REST:
            there = terminal._replace(phase=Phase.CARD, payment=payment)
            after = world._replace(terminal=there, talk=talk._replace(stage=Stage.WAITING))
            yield Move("the terminal asks for a card", after)
        case Stage.ASKED:
            busy = Declined(Code.TERMINAL_BUSY)
            yield from _end(desk, over, "the terminal is busy", handover, payment, busy)
        case Stage.WAITING if talk.stop and terminal.phase is Phase.HOST:
            yield Move(
                "the terminal is told to stop, too late",
                world._replace(talk=talk._replace(stop=False)),
            )
        case Stage.ANSWER:
            yield from _answer(desk, world)
        case Stage.HEARD if terminal.last.is_ok:
            after = world._replace(talk=talk._replace(stage=Stage.SLIP))
            yield Move("the kiosk acknowledges the result", after, acknowledged=payment)
        case Stage.HEARD:
            yield Move("the kiosk acknowledges the no", _rested(world), acknowledged=payment)
        case Stage.SLIP:
            yield from _slip(desk, world)
        case Stage.SLIP_HEARD:
            told = "the kiosk acknowledges the slip, and the terminal commits"
            yield Move(told, _rested(world), acknowledged=payment)
        case Stage.END:
            told = "the terminal ends the dialogue"
            yield from _end(
                desk, over, told, handover, payment, outcome_of(talk.heard, Completion())
            )


def _rested(world: World) -> World:
    rest = world.terminal._replace(phase=Phase.REST, payment="", before=world.terminal.last)
    return world._replace(terminal=rest, talk=world.talk._replace(stage=Stage.END))


def _answer(desk: Desk, world: World) -> Iterator[Move]:
    """The result is written before it is acknowledged; where it cannot be, the line is dropped."""
    talk, last = world.talk, world.terminal.last
    told = "the kiosk hears yes" if last.is_ok else "the kiosk hears no"
    said = said_of(last)
    heard = talk._replace(stage=Stage.HEARD, heard=(*talk.heard, last))
    if talk.heard:  # the driver knows it again, and tells nobody
        yield Move(f"{told} again", world._replace(talk=heard))
        return
    yield from _stored(
        desk, world, told, ("answered", talk.payment, last.is_ok, last.number), heard,
        lambda core: core.charging.answered(talk.handover, talk.payment, said),
    )  # fmt: skip


def _slip(desk: Desk, world: World) -> Iterator[Move]:
    talk = world.talk
    yield from _stored(
        desk, world, "the kiosk gets the slip", ("slip", talk.payment),
        talk._replace(stage=Stage.SLIP_HEARD),
        lambda core: core.charging.slip(talk.handover, talk.payment, Slip.CUSTOMER, _SLIP),
    )  # fmt: skip


def _stored(
    desk: Desk, world: World, told: str, name: tuple[Any, ...], then: Talk, event: Any
) -> Iterator[Move]:
    if desk.half.do(world.counter, name, event).failure == "disk":
        # The driver drops the line; the dialogue ends unknown in the worker.
        over = world._replace(talk=Talk(jobs=world.talk.jobs))
        unknown = Unknown(Code.PAYMENT_UNKNOWN, "the disk")
        told = f"{told}, and cannot write it"
        yield from _end(desk, over, told, world.talk.handover, world.talk.payment, unknown)
    else:
        yield from desk.hear(world._replace(talk=then), told, name, event)


def _end(
    desk: Desk, over: World, told: str, handover: str, payment: str, outcome: Outcome, **more: Any
) -> Iterator[Move]:
    name = ("charged", handover, payment, outcome)
    yield from desk.hear(
        over, told, name, lambda core: core.charging.charged(handover, payment, outcome), **more
    )


# --- what goes wrong ---------------------------------------------------------------------------


def _faults(world: World) -> Iterator[Move]:
    talk, terminal = world.talk, world.terminal
    if talk.stage is not Stage.NONE and not talk.is_dead:
        dead = world._replace(talk=talk._replace(is_dead=True, stop=False))
        yield trouble("the line to the terminal breaks", dead)
        if talk.stage is Stage.HEARD:
            again = world._replace(talk=talk._replace(stage=Stage.ANSWER))
            yield trouble("the acknowledgement is lost, and the result comes again", again)
    if terminal.is_on:
        is_asking = terminal.phase is Phase.CARD
        off = terminal._replace(is_on=False)
        off = off._replace(phase=Phase.REST, payment="") if is_asking else off
        after = world._replace(terminal=off)
        if talk.stage is not Stage.NONE:
            after = after._replace(talk=talk._replace(is_dead=True, stop=False))
        yield trouble("the terminal loses its power", after)
