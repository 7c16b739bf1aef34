"""WooCommerce's answers: orders, pages, what facts are written into, and our plugin's messages."""

from __future__ import annotations

from typing import Final

from appliance.domain.order import disagreements
from appliance.protocols import woocommerce
from appliance.protocols.shopapi import order_from_json, order_to_json
from tests.fuzz.target import demand

_PICKUP: Final = woocommerce.Pickup("Nordlicht Mitte")


def order(data: bytes) -> None:
    _sound(woocommerce.order_from(data, _PICKUP))


def page(data: bytes) -> None:
    found = woocommerce.page_from(data, _PICKUP)
    demand(len(found.orders) + len(found.malformed) <= found.rows, "more orders than rows")
    for each in found.orders:
        _sound(each)
    for number, reason in found.malformed.items():
        demand((number + reason).isprintable(), "not fit for a log")


def _sound(found: woocommerce.WooOrder) -> None:
    wrong = [
        what
        for what in disagreements(found.order)
        # A shop may say so, and the counter refuses: too much paid, a line at a price too high for
        # its currency, no position at all.
        if not what.startswith(("negative amount due", "the order has no lines", "line "))
    ]
    demand(not wrong, f"the translation does not add up: {wrong}")
    demand(order_from_json(order_to_json(found.order)) == found.order, "no order for the journal")


def book(data: bytes) -> None:
    found = woocommerce.books.book_from(data)
    demand(found.paid >= 0, "less than nothing was paid")
    trouble = woocommerce.books.payment_trouble(found)
    text = woocommerce.books.attention_text(found, trouble)
    demand(trouble in text, "the office is not told")


def message(data: bytes) -> None:
    """The first byte chooses the reader."""
    readers = (
        woocommerce.notes_from,
        woocommerce.order_marks_from,
        woocommerce.plugin.claim_from,
        woocommerce.plugin.known_from,
        woocommerce.plugin.accepted_from,
        woocommerce.problem_from,
    )
    readers[(data[0] if data else 0) % len(readers)](data[1:])
