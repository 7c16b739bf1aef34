"""From a code to an order on the screen, or to the reason why not."""

from __future__ import annotations

from typing import Final

from appliance.counter import printing
from appliance.counter.chain import canonical
from appliance.counter.clock import MOMENT, local
from appliance.counter.ledger import REASON_MOST, Ledger, needs_a_person
from appliance.counter.screen import Page
from appliance.counter.state import Place
from appliance.domain import handover as ho
from appliance.domain.errors import Bug, Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Json, Kind
from appliance.domain.order import Order, refusal
from appliance.protocols.shopapi import order_to_json

LARGEST_ORDER: Final = 64 * 1024
"""Bytes of an order's snapshot. Its receipt is longer, with the terminal's slip on it, and must
fit into one fact (256 KiB) as well: that it does not would be found out after the charge."""

TOO_LARGE: Final = f"the order is too large: more than {LARGEST_ORDER} bytes"


def is_too_large(order: Order) -> bool:
    """Whether the order cannot be served here, as its receipt might not fit into a fact."""
    return len(canonical(order_to_json(order)).encode()) > LARGEST_ORDER


class Opening:
    """What may be opened, and what stands in the way."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def open_code(self, code: str) -> None:
        if order_id := self.ledger.state.codes.get(code):
            self.open(self.ledger.state.orders[order_id])
        elif code in self.ledger.state.malformed:
            self.refuse(Code.ORDER_MALFORMED, code, self.ledger.state.malformed[code])
        else:
            self._put_focus_back()
            self.ledger.go(Place(Page.ASKING, about=code))
            self.ledger.hands.look_up(code)

    def open_id(self, order_id: str) -> None:
        order = self.ledger.state.orders.get(order_id)
        if order is None:
            self.ledger.notice(Code.ORDER_UNKNOWN, order_id)
        else:
            self.open(order)

    def looked_up(self, code: str, result: Order | OrderTrouble | ShopTrouble) -> None:
        """The shop's answer to a code that is not in the snapshot."""
        place = self.ledger.state.place
        if place.page is not Page.ASKING or place.handover or place.about != code:
            return  # the seller has gone on
        self.ledger.go(Place())  # whatever comes of it, nobody waits here any more
        if isinstance(result, Order):
            self.open(result)
        else:
            self.refuse(result.code, code, result.detail)

    def open(self, order: Order) -> None:
        """Show an order, or why it cannot be served; one that is open already is gone on with."""
        focus = self.ledger.state.focus
        if focus and focus.order.id == order.id and focus.state is ho.State.OPEN:
            return
        self._put_focus_back()
        for handover in self.ledger.state.handovers.values():
            if handover.order.id == order.id:
                self.go_on_with(handover)
                return
        if self.ledger.settings.require_seller and self.ledger.state.seller is None:
            self.ledger.go(Place())
            self.ledger.notice(Code.SIGN_IN_FIRST)
            return
        refused = refusal(
            order,
            pickup_point=self.ledger.settings.pickup_point,
            currency=self.ledger.settings.currency,
        ) or self._settled_here(order)
        if refused:
            self.refuse(refused[0], order.number, refused[1], order)
            return
        if is_too_large(order):
            self.refuse(Code.ORDER_MALFORMED, order.number, TOO_LARGE)
            return
        handover = ho.new(f"H-{self.ledger.journal.new_name()}", order)
        body: dict[str, Json] = {"snapshot": order_to_json(order)}
        handover = self.ledger.record(handover, self.ledger.draft(handover, Kind.OPENED, **body))
        self.ledger.go(Place(handover=handover.id))
        if order.is_prepaid:
            self.ask_claim(handover)

    def _settled_here(self, order: Order) -> tuple[Code, str] | None:
        """What our own journal says against serving this order again. A shop can forget (a
        backup, a fact on its way); the counter that took the money does not."""
        charged = 0
        for fact in self.ledger.journal.settled(order.id):
            if fact.kind is Kind.HANDED_OVER:
                return Code.ORDER_HANDED_OVER, local(fact.at, MOMENT)
            amount = fact.body.get("amount")
            charged += amount if type(amount) is int else 0
        if charged and order.paid.amount < charged:
            return Code.ORDER_PAID_HERE, order.number
        return None

    def refusal(self, order: Order) -> tuple[Code, str] | None:
        return refusal(
            order,
            pickup_point=self.ledger.settings.pickup_point,
            currency=self.ledger.settings.currency,
        ) or self._settled_here(order)

    def go_on_with(self, handover: ho.Handover) -> None:
        if handover.state is ho.State.SET_ASIDE:
            handover = self.ledger.record(handover, self.ledger.draft(handover, Kind.RESUMED))
        if needs_a_person(handover):
            self.ledger.go(Place(Page.ATTENTION_ITEM, handover=handover.id))
        else:
            self.ledger.go(Place(handover=handover.id))

    def _put_focus_back(self) -> None:
        """Another order is wanted while an untouched one is open."""
        focus = self.ledger.state.focus
        if focus and focus.state is ho.State.OPEN:
            self.ledger.record(focus, self.ledger.draft(focus, Kind.PUT_BACK, why="another order"))
        elif focus and focus.state not in ho.NEEDS_A_PERSON:
            raise Bug(f"another order opened in {focus.state}")

    def refuse(self, code: Code, about: str, detail: str, order: Order | None = None) -> None:
        place = Place(
            Page.REFUSED, code=code, about=about, detail=detail[:REASON_MOST], order=order
        )
        if code is Code.ORDER_HANDED_OVER and order is not None:
            self._add_handover(place, order)
        self.ledger.go(place)

    def _add_handover(self, place: Place, order: Order) -> None:
        """When this counter handed the order over, and whether it can print the receipt again. The
        day's list ends after so many rows, and with the day; the journal goes back further."""
        for fact in self.ledger.journal.settled(order.id):
            if fact.kind is Kind.HANDED_OVER:
                place.detail = local(fact.at, MOMENT)
                has_receipt = printing.receipt_facts(self.ledger.journal, fact.subject)
                place.receipt_of = fact.subject if has_receipt else ""

    def ask_claim(self, handover: ho.Handover) -> None:
        """Read the order fresh at the shop, and take it for this counter alone."""
        self.ledger.state.asked_at = self.ledger.clock.monotonic()
        self.ledger.record(handover, self.ledger.draft(handover, Kind.CLAIM_ASKED))
