"""Claims and facts in a Vendure shop without the Kassa plugin: by notes in the order.

What holds: a kiosk writes its claim, then reads all claims; of two kiosks that do so at the same
time, each sees the other's or comes first, so that never both go on. It takes a shop whose reads
show what it has committed (no lagging replica), and leases that end by the shop's clock. What does
not hold: that the order stays as it is between the claim and the payment; and Vendure, not the
kiosk, says how much a booking is.

Each step of a booking is decided by what the shop says now, so that one that was broken off is
taken up where it was, and one that has come to its end does nothing.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from appliance.domain.errors import Code, ShopTrouble
from appliance.domain.facts import Fact, Json, Kind
from appliance.domain.money import MoneyError, currency
from appliance.domain.order import Order
from appliance.drivers.shop_http import FactRefused, ShopBusy
from appliance.drivers.vendure_session import VendureSession
from appliance.ports import Claimed, ClaimRefused
from appliance.protocols import vendure
from appliance.protocols.shopapi import LONGEST_LEASE_S, OrderMalformed
from appliance.protocols.vendure import Found, Mark, Op, Scale, books

CLAIM_TRIES: Final = 4
STEPS: Final = 12
"""More than any booking has: cancel a few payments, move the order, book, move it again."""
_PAUSE_S: Final = (0.05, 0.4)
METHOD: Final = "kassa"


class NoteDesk:
    """For any thread: it keeps nothing of its own."""

    def __init__(
        self,
        session: VendureSession,
        refusal: Callable[[Order, str], ClaimRefused | None],
        chance: random.Random,
    ) -> None:
        """refusal: why an order must not be charged as a version, or None."""
        self._session, self._refusal, self._chance = session, refusal, chance
        self._kiosk = session.kiosk[:80]

    # --- the claim ------------------------------------------------------------------------------

    def claim(
        self, order_id: str, claim_id: str, version: str, lease_s: int
    ) -> Claimed | ClaimRefused:
        """See ports.Shop."""
        lease_s = max(1, min(lease_s, LONGEST_LEASE_S))
        holder = ""
        for _ in range(CLAIM_TRIES):
            try:
                found, now_s = self._find(order_id)
            except OrderMalformed as error:
                return ClaimRefused(Code.ORDER_MALFORMED, f"order.{error}")
            if found is None:
                return ClaimRefused(Code.ORDER_UNKNOWN, order_id)
            if holder := books(found.marks).holder(self._kiosk, claim_id, now_s):
                return ClaimRefused(Code.ORDER_CLAIMED, holder, found.order)
            if refused := self._refusal(found.order, version):
                return refused
            if books(found.marks).paid and not found.order.is_prepaid:
                words = "it was charged at a counter, and the office has not booked that yet"
                return ClaimRefused(Code.ORDER_NOT_READY, words, found.order)
            until_s = math.ceil(now_s) + lease_s
            mark = Mark(Op.CLAIM, claim_id, self._kiosk, until_s=until_s)
            older = self._own_claims(found, claim_id)
            found, now_s = self._write(order_id, mark, f"{self._kiosk} serves this order")
            holder = books(found.marks).holder(self._kiosk, claim_id, now_s)
            refused = self._refusal(found.order, version)
            is_mine = not holder and refused is None
            # An older claim may have a payment under way: it goes only when a newer one stands.
            self._delete(
                note for note in self._own_claims(found, claim_id) if (note in older) is is_mine
            )
            if is_mine:
                return Claimed(found.order, lease_s)
            if refused is not None:
                return refused
            # Both have written, both have seen it, and both take it back: the dice decide.
            threading.Event().wait(self._chance.uniform(*_PAUSE_S))
        return ClaimRefused(Code.ORDER_CLAIMED, holder)

    def _own_claims(self, found: Found, claim_id: str) -> list[str]:
        """The notes of this kiosk's that hold this claim."""
        mine = (Op.CLAIM, claim_id, self._kiosk)
        return [mark.note for mark in found.marks if (mark.op, mark.id, mark.kiosk) == mine]

    def _delete(self, notes: Iterable[str]) -> None:
        """A claim is a lock, not history. One that is gone already is as good."""
        for note in list(notes):
            self._session.ask(vendure.DELETE_NOTE, vendure.data_from, id=note)

    # --- facts ----------------------------------------------------------------------------------

    def deliver(self, fact: Fact, scale: Scale) -> None:
        """Do what the fact says, unless the shop shows that it is done. Raises FactRefused and
        ShopTrouble."""
        effect = self._EFFECTS.get(fact.kind)
        if effect is None:
            return
        order_id = fact.body.get("order")
        try:
            found = self._find(order_id)[0] if isinstance(order_id, str) and order_id else None
        except OrderMalformed as error:
            # The office mends the order; what happened is not forgotten meanwhile.
            raise ShopTrouble(Code.SHOP_NONSENSE, f"order {order_id}: {error}") from None
        if found is None:
            raise FactRefused(fact.id, f"there is no order {str(order_id)[:80]}")
        effect(self, fact, found, scale)

    def _paid(self, fact: Fact, found: Found, scale: Scale) -> None:
        payment, amount = _member(fact, "payment"), self._amount(fact, found, scale)
        for _ in range(STEPS):
            step = self._next_step(fact, found, payment, amount)
            if step is None:
                self._resolved(fact, found, scale)
                return
            step()
            found = self._found(found.order.id)
        raise ShopBusy(f"order {found.order.number} does not become paid")

    def _next_step(
        self, fact: Fact, found: Found, payment: str, amount: int
    ) -> Callable[[], None] | None:
        """What is still to be done for this payment to be in the books; None when it is."""
        order_id = found.order.id
        mine = next((each for each in found.payments if each.kassa == payment), None)
        if mine is not None:
            if mine.amount != amount:
                words = f"the card was charged {amount}, and Vendure booked {mine.amount}"
                if (said := self._told_once(fact, found, words)) is not None:
                    return said
            if found.state == "ArrangingAdditionalPayment" and found.outstanding <= 0:
                return lambda: self._move(order_id, "PaymentSettled")
            return None
        if payment in books(found.marks).paid:
            return None
        authorised = [each for each in found.payments if each.state == "Authorized"]
        can_be_booked = found.outstanding == amount and (
            found.state == "PaymentAuthorized"
            # Of a modified order Vendure books only what the modification added.
            or (found.state == "ArrangingAdditionalPayment" and not authorised)
        )
        if not can_be_booked:
            # Cancelled, paid otherwise, changed: no payment of the right amount can be booked. The
            # money was taken all the same, and the office must know.
            words = (
                f"FOR THE OFFICE: {amount} was charged while the order was {found.state} with"
                f" {found.outstanding} due. {reference_words(fact.body)} Payment {payment}"
            )
            mark = Mark(Op.PAID, payment, self._kiosk, amount=amount)
            return lambda: self._note(order_id, mark, words)
        if authorised:
            return lambda: self._do(vendure.CANCEL_PAYMENT, id=authorised[0].id)
        if found.state == "PaymentAuthorized":
            return lambda: self._move(order_id, "ArrangingAdditionalPayment")
        metadata = {"kassaPayment": payment, "kassaFact": fact.id, "kiosk": self._kiosk}
        card = fact.body.get("card")
        booking: dict[str, Any] = {
            "orderId": order_id,
            "method": METHOD,
            "transactionId": reference(fact.body) or payment,
            "metadata": {**metadata, "card": card, "seller": fact.seller},
        }
        return lambda: self._do(vendure.ADD_PAYMENT, input=booking)

    def _amount(self, fact: Fact, found: Found, scale: Scale) -> int:
        unit = found.order.total.currency
        amount = fact.body.get("amount")
        if type(amount) is not int or amount <= 0:
            raise FactRefused(fact.id, "body.amount is not an amount in minor units")
        try:
            if currency(_member(fact, "currency")) != unit:
                raise FactRefused(fact.id, f"body.currency is not the order's, {unit.code}")
            return scale.shop(amount, unit.exponent)
        except MoneyError as error:
            raise FactRefused(fact.id, str(error)) from None

    def _started(self, fact: Fact, found: Found, scale: Scale) -> None:
        payment, known = _member(fact, "payment"), books(found.marks)
        is_booked = any(each.kassa == payment for each in found.payments)
        is_known = any(m.id == payment and m.op in (Op.OPEN, Op.CLOSED) for m in found.marks)
        if is_booked or is_known or payment in known.paid:
            return
        mark = Mark(Op.OPEN, payment, self._kiosk, claim=_claim(fact))
        self._note(found.order.id, mark, f"payment {payment} has begun at {self._kiosk}")

    def _unresolved(self, fact: Fact, found: Found, scale: Scale) -> None:
        self._started(fact, found, scale)
        words = f"nobody can tell yet whether payment {_member(fact, 'payment')} was taken"
        if (say := self._told_once(fact, found, words)) is not None:
            say()

    def _resolved(self, fact: Fact, found: Found, scale: Scale) -> None:
        payment = _member(fact, "payment")
        if books(found.marks).is_open(payment):
            mark = Mark(Op.CLOSED, payment, self._kiosk)
            self._note(found.order.id, mark, f"payment {payment} has ended: {fact.kind}")

    def _put_back(self, fact: Fact, found: Found, scale: Scale) -> None:
        self._delete(self._own_claims(found, _claim(fact)))

    def _handed_over(self, fact: Fact, found: Found, scale: Scale) -> None:
        for _ in range(STEPS):
            step = self._next_of_handing_over(fact, found)
            if step is None:
                self._put_back(fact, found, scale)
                return
            if refusal := step():
                words = f"FOR THE OFFICE: handed over, but Vendure does not record it: {refusal}"
                if (say := self._told_once(fact, found, words)) is not None:
                    say()
                raise FactRefused(fact.id, refusal)
            found = self._found(found.order.id)
        raise ShopBusy(f"order {found.order.number} does not become delivered")

    def _next_of_handing_over(self, fact: Fact, found: Found) -> Callable[[], str] | None:
        """The next step, which says why the shop will not take it; None when nothing is left."""
        if found.state == "Cancelled":
            say = self._told_once(fact, found, "FOR THE OFFICE: handed over while cancelled")
            return None if say is None else _quietly(say)
        for fulfilment in found.fulfilments:
            to = {"Pending": "Shipped", "Shipped": "Delivered"}.get(fulfilment.state)
            if to:
                return lambda: self._ask(vendure.MOVE_FULFILMENT, id=fulfilment.id, state=to)
        if not found.unfulfilled:
            return None
        lines = [{"orderLineId": k, "quantity": q} for k, q in found.unfulfilled.items()]
        arguments = [
            {"name": "method", "value": "Kassa"},
            {"name": "trackingCode", "value": fact.id},
        ]
        handler = {"code": "manual-fulfillment", "arguments": arguments}
        return lambda: self._ask(vendure.FULFIL, input={"lines": lines, "handler": handler})

    # --- what is asked of the shop --------------------------------------------------------------

    def _told_once(self, fact: Fact, found: Found, words: str) -> Callable[[], None] | None:
        if fact.id in books(found.marks).told:
            return None
        mark = Mark(Op.TOLD, fact.id, self._kiosk)
        return lambda: self._note(found.order.id, mark, words)

    def _find(self, order_id: str) -> tuple[Found | None, float]:
        scale, by = self._session.sign_in().scale, self._session.by
        return self._session.ask_timed(
            vendure.BY_ID,
            lambda document, raw: vendure.order_from(document, raw, by, scale),
            id=order_id,
        )

    def _found(self, order_id: str) -> Found:
        try:
            found = self._find(order_id)[0]
        except OrderMalformed as error:
            raise ShopTrouble(Code.SHOP_NONSENSE, f"order {order_id}: {error}") from None
        if found is None:
            raise ShopTrouble(Code.SHOP_BUSY, f"order {order_id} went while it was written")
        return found

    def _write(self, order_id: str, mark: Mark, words: str) -> tuple[Found, float]:
        """Write a mark; then, in a request of its own, read what is there now."""
        self._note(order_id, mark, words)
        try:
            found, now_s = self._find(order_id)
        except OrderMalformed as error:
            raise ShopTrouble(Code.SHOP_NONSENSE, f"order {order_id}: {error}") from None
        if found is None:
            raise ShopTrouble(Code.SHOP_BUSY, f"order {order_id} went while it was written")
        return found, now_s

    def _note(self, order_id: str, mark: Mark, words: str) -> None:
        note = vendure.note_of(mark, words)
        self._session.ask(vendure.ADD_NOTE, vendure.data_from, id=order_id, note=note)

    def _move(self, order_id: str, state: str) -> None:
        self._do(vendure.MOVE_ORDER, id=order_id, state=state)

    def _do(self, document: vendure.Document, **variables: Any) -> None:
        """A step that the shop may refuse, since somebody else was faster: what it says then is
        looked at, and the next step decided by that."""
        self._ask(document, **variables)

    def _ask(self, document: vendure.Document, **variables: Any) -> str:
        return self._session.ask(document, vendure.result_from, **variables)

    _EFFECTS: Final[Mapping[str, Callable[[NoteDesk, Fact, Found, Scale], None]]] = {
        Kind.APPROVED: _paid,
        Kind.DECIDED_PAID: _paid,
        Kind.DECLINED: _resolved,
        Kind.DECIDED_NOT_PAID: _resolved,
        Kind.STARTED: _started,
        Kind.UNRESOLVED: _unresolved,
        Kind.HANDED_OVER: _handed_over,
        Kind.PUT_BACK: _put_back,
    }


def _quietly(say: Callable[[], None]) -> Callable[[], str]:
    def step() -> str:
        say()
        return ""

    return step


def _member(fact: Fact, name: str) -> str:
    value = fact.body.get(name)
    if not isinstance(value, str) or not value:
        raise FactRefused(fact.id, f"body.{name} is missing")
    return value


def _claim(fact: Fact) -> str:
    claim = fact.body.get("claim")
    return claim if isinstance(claim, str) and claim else fact.subject


def reference(body: Mapping[str, Json]) -> str:
    """What the terminal and its bank know a payment by, as one line; "" where there is no card."""
    card = body.get("card")
    if not isinstance(card, dict):
        return ""
    names = ("terminal_id", "receipt_no", "trace_no", "authorisation")
    return " ".join(str(card[name]) for name in names if card.get(name) not in (None, ""))


def reference_words(body: Mapping[str, Json]) -> str:
    known = reference(body)
    return f"Terminal, receipt, trace, authorisation: {known}." if known else ""
