"""What must hold in every state of the world and on every move. Each rule is a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.facts import Kind
from tests.domain.counter_view import Paid, Served, View
from tests.domain.moves import Desk, Move
from tests.domain.world import Booking, Phase, Stage, World

Rule = Callable[[View, World], bool]
"""True when it is broken."""

_GOODS_MAY_GO = (ho.State.TO_HAND_OVER, ho.State.SET_ASIDE, ho.State.DONE)


def charged_twice(view: View, world: World) -> bool:
    """The bank holds more than one booking for the order."""
    return sum(booking is Booking.BOOKED for _, booking in world.bank) > 1


def goods_for_nothing(view: View, world: World) -> bool:
    """Goods may leave, unpaid, and no person said so."""
    return any(
        served.state in _GOODS_MAY_GO and served.is_due and not _is_covered(served, world)
        for served in _all(view)
    )


def said_paid(view: View, world: World) -> bool:
    """A payment is called paid that the bank does not hold for good, and no person said so."""
    return any(
        payment.state is pay.State.APPROVED
        and not payment.decided_by
        and (world.booking(payment.id) is not Booking.BOOKED or world.may_be_taken_back(payment.id))
        for payment in _payments(view)
    )


def said_not_paid(view: View, world: World) -> bool:
    """A payment is called not paid that the bank holds or may still book, and no person said so."""
    return any(
        payment.state is pay.State.DECLINED and not payment.decided_by and _may_hold(payment, world)
        for payment in _payments(view)
    )


def closed_over_money(view: View, world: World) -> bool:
    """An order was put back while the bank holds a payment of it, or may still book one."""
    return any(
        served.state in (ho.State.CLOSED, ho.State.OPEN)
        and any(_may_hold(p, world) for p in served.payments if not p.decided_by)
        and not any(p.state is pay.State.ATTENTION for p in served.payments)
        for served in _all(view)
    )


def shop_believes_too_much(view: View, world: World) -> bool:
    """The shop's books have a payment that the bank does not hold, and no person said so."""
    decided = {p.id for p in _payments(view) if p.decided_by}
    return any(
        world.booking(payment) is not Booking.BOOKED for payment in world.shop.paid - decided
    )


def without_receipt(view: View) -> bool:
    """A handover was let go for money that was taken here, and its receipt was never queued."""
    papers = {paper.job for paper in view.disk.papers}
    return any(
        served.state in _GOODS_MAY_GO
        and any(p.state is pay.State.APPROVED for p in served.payments)
        and f"P-{served.id}" not in papers
        for served in view.disk.served
    )


def receipt_for_nothing(view: View) -> bool:
    """There is a receipt for a handover that nobody paid for here."""
    paid = {
        f"P-{served.id}"
        for served in view.disk.served
        if any(p.state is pay.State.APPROVED for p in served.payments)
    }
    return any(paper.job not in paid for paper in view.disk.papers)


def remembers_otherwise(view: View) -> bool:
    """What the counter remembers is not what its facts would make of it after a restart."""
    is_open = tuple(each for each in view.disk.served if each.id in view.disk.open)
    return view.is_on and not view.is_behind and set(view.served) != set(is_open)


def in_nobodys_sight(view: View) -> bool:
    """A handover is open that is neither on the screen nor in the attention list."""
    seen = {view.focus, *view.items}
    return view.is_on and not view.is_behind and any(s.id not in seen for s in view.served)


RULES: tuple[Rule, ...] = (
    charged_twice,
    goods_for_nothing,
    said_paid,
    said_not_paid,
    closed_over_money,
    shop_believes_too_much,
)
OF_THE_COUNTER: tuple[Callable[[View], bool], ...] = (
    without_receipt,
    receipt_for_nothing,
    remembers_otherwise,
    in_nobodys_sight,
)
"""The rules that are about its own state alone."""
_A_PERSON_MAY = frozenset({charged_twice, shop_believes_too_much, said_not_paid})
"""The rules that hold no longer once a person has decided without looking."""


def broken_in(desk: Desk, world: World) -> Iterator[str]:
    """The rules that this state breaks."""
    view = desk.view(world)
    for rule in RULES:
        if not (world.is_misled and rule in _A_PERSON_MAY) and rule(view, world):
            yield rule.__doc__ or rule.__name__
    if world.counter not in desk.judged:
        broken = (rule.__doc__ or rule.__name__ for rule in OF_THE_COUNTER if rule(view))
        desk.judged[world.counter] = tuple(broken)
    yield from desk.judged[world.counter]
    if is_end(desk, world) and not world.is_misled and _is_unsettled(world):
        yield "At the end the shop's books are not what the bank holds."


def broken_by(desk: Desk, before: World, move: Move) -> str:
    """The rule that this move breaks, or ""."""
    if move.broken:
        return move.broken
    written = desk.view(move.after).disk.written
    if move.acknowledged and (Kind.ANSWERED, move.acknowledged) not in written:
        return "The terminal was told that its result is kept before it was durable."
    for fact in move.facts:
        payment = str(fact.body.get("payment", ""))
        if fact.kind is Kind.STARTED and not _is_ours(before, fact.subject):
            return "A charge began of an order that the shop had not granted."
        if fact.kind is Kind.APPROVED and before.booking(payment) is not Booking.BOOKED:
            return "A payment was reported as paid that the bank does not hold."
        if fact.kind is Kind.DECLINED and before.booking(payment) is Booking.BOOKED:
            return "A payment was reported as not paid that the bank holds."
    return ""


def is_end(desk: Desk, world: World) -> bool:
    """Nothing is open anywhere, and everything has been told."""
    view, terminal = desk.view(world), world.terminal
    return (
        view.is_on
        and not (view.served or view.is_behind or view.disk.is_full)
        and not (world.desk or world.outbox or world.talk.jobs)
        and not (world.printer.jobs and desk.bounds.has_paper)
        and world.talk.stage is Stage.NONE
        and (terminal.is_on, terminal.phase) == (True, Phase.REST)
    )


def _is_unsettled(world: World) -> bool:
    here = {p for p, booking in world.bank if booking is Booking.BOOKED and p.startswith("H-")}
    return here != world.shop.paid


def _is_ours(world: World, handover: str) -> bool:
    return world.shop.claim == handover


def _all(view: View) -> tuple[Served, ...]:
    """On disk and in memory: neither may be wrong."""
    return (*view.disk.served, *view.served)


def _payments(view: View) -> list[Paid]:
    return [payment for served in _all(view) for payment in served.payments]


def _may_hold(payment: Paid, world: World) -> bool:
    return world.booking(payment.id) is Booking.BOOKED or world.may_still_book(payment.id)


def _is_covered(served: Served, world: World) -> bool:
    return any(
        payment.state is pay.State.APPROVED
        and (payment.decided_by or world.booking(payment.id) is Booking.BOOKED)
        for payment in served.payments
    )
