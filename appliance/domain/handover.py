"""The counter machine: one order's time at the counter, from the scan to the customer's hands.

The same rules as payment.py. The events are the kinds of fact, so that state is the replay of
facts and nothing else. A handover holds its payments; at most one of them is running, and where
the payments' own facts leave the handover is a function of the payments (`by_money`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto
from typing import Any, Final

from appliance.domain import payment as pay
from appliance.domain.errors import Bug
from appliance.domain.facts import Fact, Kind
from appliance.domain.money import Money
from appliance.domain.order import Order


class State(StrEnum):
    NEW = auto()
    OPEN = auto()  # on the screen; nothing asked, nothing promised
    CLAIMING = auto()  # the shop is asked for the order, fresh, and for this counter alone
    CLAIMED = auto()  # the shop agreed; nothing has gone to the terminal
    PAYING = auto()  # a payment is running
    TO_HAND_OVER = auto()  # nothing is due any more: the goods may leave
    SET_ASIDE = auto()  # paid, but the goods stay for now
    ATTENTION = auto()  # the payment's outcome needs a person
    DONE = auto()  # end: the goods are with the customer
    SERVED = auto()  # end: another cash desk's payment; its outcome, goods and receipt are theirs
    CLOSED = auto()  # end: put back, not paid here


class Effect(StrEnum):
    CLAIM = auto()  # read fresh and claim, at the shop
    SETTLE = auto()  # claimed: start the payment, or note that nothing is due
    PRINT = auto()  # queue the receipt; its id follows from the payment's
    PUT_BACK = auto()  # note that the handover ended before anything was charged


S, F, K = State, Effect, Kind
TRANSITIONS: Final[dict[tuple[State, Kind], tuple[State, tuple[Effect, ...]]]] = {
    (S.NEW, K.OPENED): (S.OPEN, ()),
    #
    (S.OPEN, K.CHECK_CONFIRMED): (S.OPEN, ()),
    (S.OPEN, K.CLAIM_ASKED): (S.CLAIMING, (F.CLAIM,)),
    (S.OPEN, K.PUT_BACK): (S.CLOSED, ()),
    (S.OPEN, K.GIVEN_BACK): (S.SERVED, ()),
    #
    (S.CLAIMING, K.CLAIMED): (S.CLAIMED, (F.SETTLE,)),
    (S.CLAIMING, K.CLAIM_REFUSED): (S.OPEN, ()),
    (S.CLAIMING, K.PUT_BACK): (S.CLOSED, ()),
    #
    (S.CLAIMED, K.NOTHING_DUE): (S.TO_HAND_OVER, ()),
    (S.CLAIMED, K.STARTED): (S.PAYING, ()),
    (S.CLAIMED, K.CLAIM_REFUSED): (S.OPEN, ()),  # the terminal cannot take part
    (S.CLAIMED, K.PUT_BACK): (S.CLOSED, ()),
    #
    (S.TO_HAND_OVER, K.CHECK_CONFIRMED): (S.TO_HAND_OVER, ()),
    (S.TO_HAND_OVER, K.LINE_TICKED): (S.TO_HAND_OVER, ()),
    (S.TO_HAND_OVER, K.SET_ASIDE): (S.SET_ASIDE, ()),
    (S.TO_HAND_OVER, K.HANDED_OVER): (S.DONE, ()),
    (S.TO_HAND_OVER, K.PUT_BACK): (S.CLOSED, ()),  # only where nothing was charged here
    (S.TO_HAND_OVER, K.GIVEN_BACK): (S.SERVED, ()),
    #
    (S.SET_ASIDE, K.RESUMED): (S.TO_HAND_OVER, ()),
    #
    (S.DONE, K.LEFT_OPEN): (S.DONE, ()),
    (S.DONE, K.SETTLED): (S.DONE, ()),
    (S.SERVED, K.LEFT_OPEN): (S.SERVED, ()),
    (S.SERVED, K.SETTLED): (S.SERVED, ()),
    (S.CLOSED, K.SETTLED): (S.CLOSED, ()),
}
HANDING_OVER: Final = frozenset({S.TO_HAND_OVER, S.SET_ASIDE, S.DONE})
"""The goods may leave, or have left: no later word about a payment takes that back."""
_SAID: Final = HANDING_OVER | {S.SERVED}
"""Somebody was told: the customer by the goods, another cash desk by the outcome."""


def by_money(state: State, payments: Sequence[pay.Payment]) -> tuple[State, tuple[Effect, ...]]:
    """Where a payment's fact leaves the handover. It follows from what has become of all its
    payments and not from the fact, which may be late, repeated, or about an older attempt."""
    found = {payment.state for payment in payments}
    if state in _SAID:
        return state, ()
    if found & pay.RUNNING:
        return S.PAYING, ()
    if pay.State.APPROVED in found:
        return S.TO_HAND_OVER, (F.PRINT,)
    if pay.State.ATTENTION in found:
        return S.ATTENTION, ()
    return S.OPEN if state in (S.PAYING, S.ATTENTION) else state, ()


# What a restart does, beside the running payment's own RECOVERY.
RECOVERY: Final[dict[State, tuple[Effect, ...]]] = {
    S.OPEN: (F.PUT_BACK,),
    S.CLAIMING: (F.PUT_BACK,),
    S.CLAIMED: (F.PUT_BACK,),
    S.PAYING: (),
    S.TO_HAND_OVER: (),
    S.SET_ASIDE: (),
    S.ATTENTION: (),
    S.DONE: (),
    S.SERVED: (),
    S.CLOSED: (),
}
ENDS: Final = frozenset({S.DONE, S.SERVED, S.CLOSED})
NEEDS_A_PERSON: Final = frozenset({S.ATTENTION, S.SET_ASIDE})


@dataclass(frozen=True, slots=True)
class Handover:
    """One order at the counter. `code` and `reason` say what stands in the way, if anything."""

    id: str
    order: Order
    state: State = State.NEW
    payments: tuple[pay.Payment, ...] = ()
    claim: str = ""
    confirmed: frozenset[str] = field(default_factory=frozenset)
    ticked: frozenset[int] = field(default_factory=frozenset)
    code: str = ""
    reason: str = ""

    @property
    def payment(self) -> pay.Payment | None:
        """The newest attempt."""
        return self.payments[-1] if self.payments else None

    @property
    def is_charged_here(self) -> bool:
        return any(payment.state is pay.State.APPROVED for payment in self.payments)

    @property
    def is_over(self) -> bool:
        """At an end, with no payment of it in anybody's hands."""
        unsettled = any(p.state is pay.State.ATTENTION for p in self.payments)
        return self.state in ENDS and not unsettled

    @property
    def may_be_put_back(self) -> bool:
        """Certainly nothing was taken here."""
        return all(p.state is pay.State.DECLINED for p in self.payments)

    @property
    def may_be_charged(self) -> bool:
        """False as soon as any attempt took the money, or may have."""
        return bool(self.order.due) and self.may_be_put_back

    @property
    def open_checks(self) -> tuple[str, ...]:
        return tuple(c.kind for c in self.order.checks if c.kind not in self.confirmed)


def new(handover_id: str, order: Order) -> Handover:
    return Handover(handover_id, order)


def step(
    handover: Handover, fact: Fact, order: Order | None = None
) -> tuple[Handover, tuple[Effect | pay.Effect, ...]]:
    """What the fact makes of the handover, and what is now to be done in the world.

    order: the fresh snapshot that a `claimed` or `claim_refused` fact carries, if it differs.
    Raises Bug for a pair that TRANSITIONS does not have, and for a second charge.
    """
    if fact.kind is Kind.SLIP:
        return handover, ()  # paper: it changes nothing
    if fact.kind.startswith("payment.") and fact.kind is not Kind.STARTED:
        return _payment_step(handover, fact)
    try:
        state, effects = TRANSITIONS[handover.state, fact.kind]
    except KeyError:
        raise Bug(f"{fact.kind} in handover state {handover.state}") from None
    body = fact.body
    changes: dict[str, Any] = {
        "state": state,
        "code": str(body.get("code", "")),
        "reason": str(body.get("reason", "")),
    }
    asked: tuple[pay.Effect, ...] = ()
    match fact.kind:
        case Kind.CHECK_CONFIRMED:
            changes["confirmed"] = handover.confirmed | {str(body["check"])}
        case Kind.LINE_TICKED:
            changes["ticked"] = handover.ticked ^ {_integer(body["line"])}
        case Kind.CLAIMED:
            changes |= {"claim": str(body["claim"]), "order": order or handover.order}
        case Kind.CLAIM_REFUSED if order is not None:
            # What was confirmed about the old order says nothing about the new one.
            changes |= {"order": order, "confirmed": frozenset(), "ticked": frozenset()}
        case Kind.STARTED:
            payment, asked = _start(handover, fact)
            changes["payments"] = (*handover.payments, payment)
        case Kind.NOTHING_DUE if handover.order.due:
            raise Bug("something is due")
        case Kind.PUT_BACK if not handover.may_be_put_back:
            raise Bug("a charged order cannot be put back")
    return replace(handover, **changes), (*effects, *asked)


def _start(handover: Handover, fact: Fact) -> tuple[pay.Payment, tuple[pay.Effect, ...]]:
    """The one place where a payment begins."""
    if not handover.may_be_charged:
        raise Bug("a second charge of the same order")
    amount = Money.of(_integer(fact.body["amount"]), str(fact.body["currency"]))
    if amount != handover.order.due:
        raise Bug("a charge that is not the amount due")
    return pay.step(pay.Payment(str(fact.body["payment"]), amount), fact)


def _payment_step(
    handover: Handover, fact: Fact
) -> tuple[Handover, tuple[Effect | pay.Effect, ...]]:
    """A fact about one of the payments, which it names; the handover follows the money."""
    payment_id = fact.body["payment"]
    known = {payment.id: payment for payment in handover.payments}
    if not isinstance(payment_id, str) or payment_id not in known:
        raise Bug(f"{fact.kind} about a payment that was never started")
    stepped, asked = pay.step(known[payment_id], fact)
    payments = tuple((known | {payment_id: stepped}).values())
    state, effects = by_money(handover.state, payments)
    changes: dict[str, Any] = {"state": state, "payments": payments}
    if state is not handover.state:
        changes |= {"code": stepped.code, "reason": stepped.reason}
    return replace(handover, **changes), (*effects, *asked)


def _integer(value: object) -> int:
    if type(value) is not int:
        raise Bug(f"an integer was expected in a fact, not {value!r}")
    return value


def recover(handover: Handover) -> tuple[Effect | pay.Effect, ...]:
    """What a restart has to do for this handover. Never AUTHORISE."""
    asked: Iterable[pay.Effect] = ()
    if handover.payment is not None:
        asked = pay.RECOVERY[handover.payment.state]
    return (*RECOVERY[handover.state], *asked)
