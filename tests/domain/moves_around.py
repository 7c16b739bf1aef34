"""Everybody else: the seller, the shop and its staff, the printer, and the power."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from appliance.counter.charging import CLAIM_S
from appliance.counter.commands import Answer, Command
from appliance.counter.screen import Action, Page
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Code, ShopTrouble
from appliance.ports import Claimed, ClaimRefused, Snapshot
from tests.domain.counter_half import SELLER, SETTINGS, Event, later
from tests.domain.counter_view import Served
from tests.domain.moves import Desk, Move, lose_power, one_of, trouble
from tests.domain.world import (
    Booking,
    Phase,
    Stage,
    Wares,
    World,
    claim,
    order,
    take,
)

_LOST: Final = ShopTrouble(Code.SHOP_UNREACHABLE, "no answer")
_ELSEWHERE: Final = "another counter's"
_AT_WORK: Final = frozenset({ho.State.CLAIMING, ho.State.CLAIMED, ho.State.PAYING})
_TIMES: Final = {
    "a second goes by": 1.0,
    "some minutes go by": CLAIM_S + 1.0,  # nobody waits for an answer any longer
    "a long time goes by": SETTINGS.lease_s + 1.0,  # nor for the customer
}
_TAPS: Final = {
    Action.CONFIRM: "the seller confirms",
    Action.CANCEL: "the seller cancels",
    Action.WAIVE_RECEIPT: "the seller goes on without a receipt",
    Action.REPRINT: "the seller wants the receipt again",
}


def steps(desk: Desk, world: World) -> Iterator[Move]:
    yield from _staff(desk, world)
    if desk.view(world).is_on:
        yield from one_of(
            _seller(desk, world), _claims(desk, world), _outbox(world), _paper(desk, world)
        )
        for told, seconds in _TIMES.items():
            # A second is noticed only where something waits to be tried again.
            if seconds > 1 or desk.view(world).is_behind:
                yield from desk.hear(world, told, ("later", seconds), _later(seconds))
    else:
        yield from desk.hear(world, "the kiosk starts", ("start",), None)
    if desk.view(world).disk.is_full:
        room = world._replace(counter=desk.half.full(world.counter, is_full=False))
        yield Move("there is room on the disk again", room)
    if world.troubles:
        yield from _faults(desk, world)


# --- the seller --------------------------------------------------------------------------------


def _seller(desk: Desk, world: World) -> Iterator[Move]:
    view, bounds = desk.view(world), desk.bounds
    is_open = bool(view.served)
    if Action.SCAN in view.actions and (is_open or len(view.disk.served) < bounds.scans):
        wares = world.shop.wares
        yield from desk.hear(world, "the seller scans the order", ("scan", wares), _scan(wares))
    for action, told in _TAPS.items():
        if action in view.actions and _is_within_bounds(desk, world, action):
            yield from desk.hear(world, f"{told} ({view.page})", ("tap", action), _tap(action))
    if Action.NEXT in view.actions and view.page is Page.HAND_OVER:
        told = "the customer leaves the goods for now"
        yield from desk.hear(world, told, ("tap", Action.NEXT), _tap(Action.NEXT))
    if Action.ATTENTION in view.actions and view.page is not Page.ATTENTION_ITEM:
        for item in view.items:
            told = "the seller opens a case of the attention list"
            yield from desk.hear(world, told, ("open", item), _open(item))
    if Action.DECIDE_PAID in view.actions and view.signed_in:
        yield from _decide(desk, world)
    if not view.signed_in and not _is_serving(view.served):
        told = "the seller signs in"
        yield from desk.hear(world, told, ("badge",), lambda core: core.identified(SELLER))


def _is_within_bounds(desk: Desk, world: World, action: Action) -> bool:
    view, bounds = desk.view(world), desk.bounds
    if action is Action.CONFIRM and view.page is Page.ORDER:
        focus = next(s for s in view.served if s.id == view.focus)
        started = sum(len(served.payments) for served in view.disk.served)
        waiting = max(len(world.desk), len(world.talk.jobs))
        return waiting < bounds.waiting and (not focus.is_due or started < bounds.payments)
    if action is Action.WAIVE_RECEIPT:
        return bounds.has_paper
    if action is Action.REPRINT and not bounds.has_paper:
        return False
    if action is Action.REPRINT:
        return all(paper.queued <= bounds.reprints for paper in view.disk.papers)
    return True


def _decide(desk: Desk, world: World) -> Iterator[Move]:
    """By the terminal's slip or the bank's list, once nothing moves there: or blindly."""
    view, bounds = desk.view(world), desk.bounds
    focus = next(served for served in view.served if served.id == view.focus)
    payment = [p.id for p in focus.payments if p.state is pay.State.ATTENTION][-1]
    is_paid = world.booking(payment) is Booking.BOOKED
    terminal = world.terminal
    is_settled = terminal.is_on and terminal.phase is Phase.REST and world.talk.stage is Stage.NONE
    for says_paid, action in ((True, Action.DECIDE_PAID), (False, Action.DECIDE_NOT_PAID)):
        is_right = is_settled and says_paid == is_paid
        if is_right or not bounds.is_honest:
            how = "having looked, " if is_right else "without looking, "
            told = f"the seller decides, {how}that it was {'' if says_paid else 'not '}paid"
            then = world if is_right else world._replace(is_misled=True)
            yield from desk.hear(then, told, ("tap", action), _tap(action))


def _is_serving(served: tuple[Served, ...]) -> bool:
    return any(each.state in _AT_WORK for each in served)


@cache
def _later(seconds: float) -> Event:
    return lambda core: later(core, seconds)


@cache
def _scan(wares: Wares) -> Event:
    wanted = order(wares)

    def scan(core: Any) -> None:
        core.snapshot(Snapshot("e", (wanted,)))
        core.scanned(wanted.codes[0])

    return scan


@cache
def _tap(action: Action, argument: str = "") -> Event:
    def tap(core: Any) -> None:
        assert core.command(Command("c", action, argument)) is Answer.DONE

    return tap


@cache
def _open(item: str) -> Event:
    def open_(core: Any) -> None:
        _tap(Action.ATTENTION)(core)
        _tap(Action.OPEN, item)(core)

    return open_


# --- the shop ----------------------------------------------------------------------------------


def _claims(desk: Desk, world: World) -> Iterator[Move]:
    for number, item in enumerate(world.desk):
        others = (*world.desk[:number], *world.desk[number + 1 :])
        match item:
            case ("ask", handover, version):
                wares = world.shop.wares
                shop, refused = claim(world.shop, handover, version)
                lost = world._replace(desk=(*others, ("answer", handover, wares, _LOST)))
                told = f"the shop {'refuses' if refused else 'grants'} the claim"
                answer = ("answer", handover, wares, refused)
                yield Move(told, world._replace(shop=shop, desk=(*others, answer)))
                if world.troubles:
                    yield trouble("the claim is lost on its way to the shop", lost)
                    yield trouble(f"{told}; its answer is lost", lost._replace(shop=shop))
            case ("answer", *_):
                told = "the kiosk hears what became of the claim"
                yield from _hear_claim(desk, world._replace(desk=others), told, item)
                if world.troubles:
                    again = world._replace(troubles=world.troubles - 1)
                    told = f"{told}, and will hear it again"
                    yield from _hear_claim(desk, again, told, item, is_trouble=True)


def _hear_claim(
    desk: Desk, world: World, told: str, item: tuple[Any, ...], **more: Any
) -> Iterator[Move]:
    _, handover, wares, said = item
    result: Claimed | ClaimRefused | ShopTrouble = said or Claimed(order(wares), 600)
    yield from desk.hear(
        world, told, ("claimed", handover, wares, said and said.code),
        lambda core: core.charging.claimed(handover, result), **more,
    )  # fmt: skip


def _outbox(world: World) -> Iterator[Move]:
    """Facts go out oldest first. The shop knows by their ids those that it has."""
    facts, shop = world.outbox, world.shop
    if not facts:
        return
    for fact in facts[shop.ahead :]:
        shop = take(shop, *fact)
    told = "the shop takes the facts"
    yield Move(told, world._replace(outbox=(), shop=shop._replace(ahead=0)))
    if world.troubles and shop.ahead < len(facts):
        after = world._replace(shop=shop._replace(ahead=len(facts)))
        yield trouble(f"{told}; its answer is lost", after)


def _staff(desk: Desk, world: World) -> Iterator[Move]:
    shop = world.shop
    if world.changes and shop.where == "due" and not shop.is_handed:
        fewer = world._replace(changes=world.changes - 1)
        online = shop._replace(where="online")
        yield Move("the customer pays online", fewer._replace(shop=online), is_trouble=True)
        cancelled = shop._replace(where="cancelled")
        yield Move("staff cancel the order", fewer._replace(shop=cancelled), is_trouble=True)
        if not shop.claim and not shop.open_payment and not shop.paid:
            charged = fewer._replace(shop=online).with_booking(_ELSEWHERE, Booking.BOOKED)
            yield Move("another counter claims and charges it", charged, is_trouble=True)
    view = desk.view(world)
    is_heard = view.is_on and not world.outbox
    is_heard = is_heard and not world.desk
    if shop.claim and not shop.open_payment and is_heard and not _is_serving(view.served):
        # Not while this counter works on it: it renews the claim four times a lease. Nor while the
        # shop has not heard what it did: no line is away for as long as a lease lasts.
        yield Move("the lease ends", world._replace(shop=shop._replace(claim="")))


# --- the printer -------------------------------------------------------------------------------


def _paper(desk: Desk, world: World) -> Iterator[Move]:
    printer = world.printer
    if not printer.jobs or not desk.bounds.has_paper:
        return
    job, began = printer.jobs[0], dict(desk.view(world).jobs)
    rest = world._replace(printer=printer._replace(jobs=printer.jobs[1:], page=""))
    if job not in began:
        yield Move("the paper is wanted no longer", rest)
    elif not printer.page:
        yield from _begin(desk, world, job, is_copy=began[job])
    else:
        yield from desk.hear(
            rest, "the receipt is out", ("printed", job), lambda core: core.papers.printed(job)
        )
    if world.troubles and job in began:
        waits = world._replace(printer=printer._replace(page=""), troubles=world.troubles - 1)
        yield from desk.hear(
            waits, "the paper ends", ("failed", job),
            lambda core: core.papers.failed(job, Code.NO_PAPER), is_trouble=True,
        )  # fmt: skip


def _begin(desk: Desk, world: World, job: str, *, is_copy: bool) -> Iterator[Move]:
    """Its first byte leaves only when it is on disk that it may have."""
    printer = world.printer
    name = ("began", job)

    def began(core: Any) -> None:
        core.papers.began(job)

    if desk.half.do(world.counter, name, began).failure == "disk":
        return  # it waits for the disk
    broken = (
        ""
        if is_copy or job not in printer.originals
        else "A second paper does not say that it is a copy."
    )
    then = printer._replace(
        page=job, originals=printer.originals | ({job} if not is_copy else set())
    )
    told = f"{'a copy' if is_copy else 'the receipt'} begins to print"
    for move in desk.hear(world._replace(printer=then), told, name, began):
        yield move._replace(broken=move.broken or broken)


# --- what goes wrong ---------------------------------------------------------------------------


def _faults(desk: Desk, world: World) -> Iterator[Move]:
    view = desk.view(world)
    if view.is_on:
        off = world._replace(counter=desk.half.cut(world.counter))
        yield trouble("the kiosk loses its power", lose_power(off))
        if not view.disk.is_full:
            full = world._replace(counter=desk.half.full(world.counter, is_full=True))
            yield trouble("the disk is full", full)
