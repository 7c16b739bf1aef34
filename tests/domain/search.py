"""Every state that a handover can get into, found by trying every event in each of them.

The events are not those that a sane counter records but all that the machine can be given: any
kind about any payment, in any order, late or twice. States are told apart by the handover's state,
whether its order has something due, and the states of its payments in turn; names do not matter.
Three payments are enough: the newest, an older one, and one that may differ from both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Bug
from appliance.domain.facts import Fact, Json, Kind
from appliance.domain.money import CURRENCIES, Money, Quantity
from appliance.domain.order import Check, CheckKind, Line, Order, OrderStatus

PAYMENTS_MOST: Final = 3
EUR: Final = CURRENCIES["EUR"]
_PRICE, _NOTHING = Money(1000, EUR), Money(0, EUR)
DUE: Final = Order(
    "o-1", "1042", "v1", OrderStatus.READY, "pp-1",
    lines=(Line("s", "Shoes", Quantity(1000), _PRICE, _PRICE),),
    total=_PRICE, paid=_NOTHING, due=_PRICE, checks=(Check(CheckKind.AGE),),
)  # fmt: skip
PREPAID: Final = replace(DUE, version="v2", paid=_PRICE, due=_NOTHING)
HANDOVER_KINDS: Final = tuple(kind for kind in Kind if kind.startswith("handover."))
PAYMENT_KINDS: Final = tuple(kind for kind in Kind if kind.startswith("payment."))

Key = tuple[ho.State, bool, tuple[pay.State, ...]]
Event = tuple[Fact, Order | None]
Effects = tuple[ho.Effect | pay.Effect, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """One step that the machine took."""

    before: ho.Handover
    event: Event
    after: ho.Handover
    effects: Effects


@dataclass(frozen=True, slots=True)
class Found:
    """handovers: one for each reachable key. paths: where it started, and the shortest events
    from there. edges: all steps."""

    handovers: dict[Key, ho.Handover]
    paths: dict[Key, tuple[ho.Handover, tuple[Event, ...]]]
    edges: tuple[Edge, ...]


def key(handover: ho.Handover) -> Key:
    return handover.state, bool(handover.order.due), tuple(p.state for p in handover.payments)


def fact(kind: Kind, **body: Json) -> Fact:
    return Fact("f", kind, "H-1", "2026-01-01T00:00:00.000Z", "anna", body)


def about(payment_id: str, kind: Kind) -> Fact:
    """A payment's fact as the counter writes it."""
    body: dict[str, Json] = {"payment": payment_id}
    if kind in (Kind.APPROVED, Kind.ANSWERED):
        body["card"] = {"amount": 1000, "currency": "EUR", "pan": "411111******1111"}
    elif kind in (Kind.DECLINED, Kind.DOUBTFUL, Kind.UNRESOLVED):
        body |= {"code": "K-PAY-07", "reason": "said so"}
    return fact(kind, **body)


def started(handover: ho.Handover, amount: int = 1000, code: str = "EUR") -> Fact:
    payment_id = f"H-1-{len(handover.payments) + 1}"
    return fact(
        Kind.STARTED, payment=payment_id, amount=amount, currency=code, baseline={"receipt_no": 7}
    )


def events(handover: ho.Handover) -> Iterator[Event]:
    """Everything that the handover can be told."""
    for kind in HANDOVER_KINDS:
        told = fact(kind, check="age", line=0, claim="c-1")
        yield told, None
        if kind in (Kind.CLAIMED, Kind.CLAIM_REFUSED):
            yield told, DUE
            yield told, PREPAID
    if len(handover.payments) < PAYMENTS_MOST:
        yield started(handover), None
    for payment in handover.payments:
        for kind in PAYMENT_KINDS:
            if kind is not Kind.STARTED:
                yield about(payment.id, kind), None


@cache
def search() -> Found:
    """All that can be reached from an order just scanned, due or paid before, to closure."""
    starts = [ho.new("H-1", DUE), ho.new("H-1", PREPAID)]
    handovers = {key(start): start for start in starts}
    paths: dict[Key, tuple[ho.Handover, tuple[Event, ...]]] = {
        key(start): (start, ()) for start in starts
    }
    edges: list[Edge] = []
    waiting = deque(starts)
    while waiting:
        before = waiting.popleft()
        start, path = paths[key(before)]
        for event in events(before):
            try:
                after, effects = ho.step(before, *event)
            except Bug:
                continue
            edges.append(Edge(before, event, after, effects))
            if key(after) not in handovers:
                handovers[key(after)] = after
                paths[key(after)] = (start, (*path, event))
                waiting.append(after)
    return Found(handovers, paths, tuple(edges))
