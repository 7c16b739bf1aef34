"""The addresses of WooCommerce's REST API, version 3, and of our plugin, below the shop's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from appliance.protocols.woocommerce.orders import DIGITS, FIELDS, PAGE

WC: Final = "/wp-json/wc/v3"
PLUGIN: Final = "/wp-json/kassa/v1"
ORDERS: Final = f"{WC}/orders"
STAMP: Final = "id,date_modified_gmt,date_created_gmt"
LARGEST_ID: Final = 10**15

Query = list[tuple[str, str]]


def order_path(order_id: str) -> str:
    return f"{ORDERS}/{order_id}"


def notes_path(order_id: str) -> str:
    return f"{ORDERS}/{order_id}/notes"


def is_order_id(text: str) -> bool:
    """An id stands in a path: digits only, without leading zeros."""
    return text.isascii() and text.isdigit() and text[0] != "0" and int(text) < LARGEST_ID


def one() -> Query:
    return [("dp", str(DIGITS)), ("_fields", FIELDS)]


def open_orders(statuses: Sequence[str], after: str, page: int) -> Query:
    """Open orders by their date of creation, which never changes: a list by what does change
    slips while it is read page by page. after: created later than this, UTC, "" for all."""
    return [
        ("status", ",".join(statuses)),
        ("orderby", "date"),
        ("order", "asc"),
        ("per_page", str(PAGE)),
        ("page", str(page)),
        ("dates_are_gmt", "true"),
        *([("after", after)] if after else []),
        *one(),
    ]


def stamps(statuses: Sequence[str], after: str, page: int) -> Query:
    """As open_orders, of each order only what tells whether it is known: far fewer bytes."""
    query = open_orders(statuses, after, page)
    return [(name, STAMP if name == "_fields" else value) for name, value in query]


def these(ids: Sequence[str]) -> Query:
    """These orders, at most PAGE, whatever their status."""
    return [("include", ",".join(ids)), ("status", "any"), ("per_page", str(PAGE)), *one()]


def changed_orders(since: str, page: int) -> Query:
    """Orders of any status that were modified after this second, UTC. The trash is not in it."""
    return [
        ("status", "any"),
        ("orderby", "modified"),
        ("order", "asc"),
        ("per_page", str(PAGE)),
        ("page", str(page)),
        ("dates_are_gmt", "true"),
        ("modified_after", since),
        *one(),
    ]


def search(number: str) -> Query:
    return [("search", number), ("status", "any"), ("per_page", str(PAGE)), *one()]


def claim_path(order_id: str) -> str:
    return f"{PLUGIN}/orders/{order_id}/claim"


def payment_path(order_id: str) -> str:
    return f"{PLUGIN}/orders/{order_id}/payment"


FACTS_PATH: Final = f"{PLUGIN}/facts"
