"""What each fact of a kiosk does to the shop's books. Called inside the store's transaction, and
once a fact: the store has sorted out the repeats."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance.domain.facts import Kind
from appliance.domain.money import LARGEST_AMOUNT
from appliance.domain.order import OrderStatus
from appliance.protocols.shopapi import FactMessage, FactRefusal, fact_body_flaw, one_line


class Refused(Exception):
    """The shop can never book this fact."""

    def __init__(self, fact: FactMessage, reason: str) -> None:
        super().__init__(reason)
        self.answer = FactRefusal(fact.id, one_line(reason))


def apply(db: sqlite3.Connection, kiosk: str, fact: FactMessage) -> None:
    """Raises Refused for a fact that is not as documented, or lacks what its effect needs."""
    if flaw := fact_body_flaw(fact):
        raise Refused(fact, flaw)
    effect = _EFFECTS.get(fact.kind)
    if effect is None:
        return  # kept, and nothing more: a newer kiosk may say more than this shop knows
    order_id = _text(fact, "order")
    row = db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    if row is None:
        raise Refused(fact, f"there is no order {order_id}")
    effect(db, kiosk, fact, row)


def pay(
    db: sqlite3.Connection,
    payment: str,
    order: sqlite3.Row,
    amount: int,
    how: str,
    reference: Mapping[str, Any],
    at: str,
) -> None:
    """Book a payment, once for its id. What is too much is booked as well: it was taken."""
    booked = db.execute(
        "INSERT OR IGNORE INTO payments VALUES (?, ?, ?, ?, ?, ?, ?)",
        (payment, order["id"], amount, order["currency"], how, json.dumps(reference), at),
    )
    if not booked.rowcount:
        return
    flag = order["flag"]
    if order["paid"] + amount > order["total"]:
        flag = "paid too much: money back is due"
    elif order["status"] in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
        flag = f"paid while {order['status']}"
    db.execute(
        "UPDATE orders SET paid = paid + ?, version = version + 1, flag = ? WHERE id = ?",
        (amount, flag, order["id"]),
    )


def _paid(db: sqlite3.Connection, kiosk: str, fact: FactMessage, order: sqlite3.Row) -> None:
    payment = _text(fact, "payment")
    amount = fact.body.get("amount")
    if type(amount) is not int or not 0 < amount <= LARGEST_AMOUNT:
        raise Refused(fact, "body.amount is not an amount in minor units")
    if fact.body.get("currency") != order["currency"]:
        raise Refused(fact, f"body.currency is not the order's, {order['currency']}")
    how = "card" if fact.kind == Kind.APPROVED else "slip read by the seller"
    card = fact.body.get("card")
    pay(db, payment, order, amount, how, card if isinstance(card, dict) else {}, fact.at)
    _resolved(db, kiosk, fact, order)


def _resolved(db: sqlite3.Connection, kiosk: str, fact: FactMessage, order: sqlite3.Row) -> None:
    db.execute(
        "UPDATE orders SET charging = '', unresolved = '' WHERE id = ? AND charging = ?",
        (order["id"], _text(fact, "payment")),
    )


def _started(db: sqlite3.Connection, kiosk: str, fact: FactMessage, order: sqlite3.Row) -> None:
    payment = _text(fact, "payment")
    if db.execute("SELECT 1 FROM payments WHERE id = ?", (payment,)).fetchone() is None:
        db.execute("UPDATE orders SET charging = ? WHERE id = ?", (payment, order["id"]))


def _unresolved(db: sqlite3.Connection, kiosk: str, fact: FactMessage, order: sqlite3.Row) -> None:
    _started(db, kiosk, fact, order)
    db.execute("UPDATE orders SET unresolved = charging WHERE id = ?", (order["id"],))


def _handed_over(db: sqlite3.Connection, kiosk: str, fact: FactMessage, order: sqlite3.Row) -> None:
    db.execute(
        "UPDATE orders SET status = ?, version = version + 1, set_aside = 0, claim_id = '',"
        " handed_at = ?, handed_by = ?, handed_kiosk = ?, handed_times = handed_times + 1"
        " WHERE id = ?",
        (OrderStatus.HANDED_OVER, fact.at, fact.seller, kiosk, order["id"]),
    )


def _put_back(db: sqlite3.Connection, kiosk: str, fact: FactMessage, order: sqlite3.Row) -> None:
    # A kiosk that stopped between the shop's answer and its own note of it knows of no claim:
    # its handover's id was the claim's all the same.
    claim = fact.body.get("claim") or fact.subject
    db.execute(
        "UPDATE orders SET claim_id = '' WHERE id = ? AND claim_kiosk = ? AND claim_id = ?",
        (order["id"], kiosk, str(claim)),
    )


def _set_aside(db: sqlite3.Connection, kiosk: str, fact: FactMessage, order: sqlite3.Row) -> None:
    db.execute("UPDATE orders SET set_aside = 1 WHERE id = ?", (order["id"],))


def _text(fact: FactMessage, name: str) -> str:
    value = fact.body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(fact, f"body.{name} is missing")
    return value


Effect = Callable[[sqlite3.Connection, str, FactMessage, sqlite3.Row], None]
_EFFECTS: Final[dict[str, Effect]] = {
    Kind.APPROVED: _paid,
    Kind.DECIDED_PAID: _paid,
    Kind.DECLINED: _resolved,
    Kind.DECIDED_NOT_PAID: _resolved,
    Kind.STARTED: _started,
    Kind.UNRESOLVED: _unresolved,
    Kind.HANDED_OVER: _handed_over,
    Kind.PUT_BACK: _put_back,
    Kind.SET_ASIDE: _set_aside,
}
