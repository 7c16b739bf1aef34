"""Writing facts into an order: what is there already, what is to be written, what the office reads.

The order is read leniently here. Money that was taken is recorded also where the order, edited in
the meantime, could not be charged any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from msgspec import Struct

from appliance.domain.money import Money, MoneyError, currency
from appliance.protocols.shopapi import write_json
from appliance.protocols.woocommerce.marks import (
    ATTENTION,
    CLAIM,
    HANDED_OVER,
    PAYMENT,
    ClaimMark,
    PaymentMark,
    text_meta,
)
from appliance.protocols.woocommerce.strict import WooError, convert, read_json

FIELDS: Final = "id,status,currency,total,transaction_id,date_paid_gmt,meta_data"
LONGEST_TEXT: Final = 900
UNPAID: Final = frozenset({"pending", "failed"})
"""Statuses from which set_paid works; from all others it is silently ignored."""
LEFT_ALONE: Final = frozenset({"completed", "refunded", "trash"})
"""Statuses that a hand-over does not change: the first is right, the others are the office's."""
OUT_OF_ORDER: Final = frozenset({"cancelled", "refunded", "failed", "trash"})


class _Meta(Struct):
    key: str
    value: Any = None


class _Book(Struct):
    id: int
    status: str
    currency: str
    total: str
    meta_data: list[_Meta]
    transaction_id: str = ""
    date_paid_gmt: str | None = None


M = TypeVar("M", ClaimMark, PaymentMark)


@dataclass(frozen=True, slots=True)
class Book:
    """What stands in an order. meta: our marks, unread. is_paid: date_paid is set."""

    id: str
    status: str
    currency: str
    total: str
    transaction_id: str
    is_paid: bool
    meta: Mapping[str, str]

    @property
    def handed_over(self) -> str:
        """The id of the fact that said so, or ""."""
        return self.meta.get(HANDED_OVER, "")

    @property
    def attention(self) -> str:
        return self.meta.get(ATTENTION, "")

    def payment(self, payment_id: str) -> PaymentMark | None:
        return self._mark(PaymentMark, PAYMENT + payment_id)

    def claim(self, claim_id: str) -> ClaimMark | None:
        return self._mark(ClaimMark, CLAIM + claim_id)

    @property
    def paid(self) -> int:
        """Minor units that counters took, as far as their marks can be read."""
        keys = [key for key in self.meta if key.startswith(PAYMENT)]
        return sum(mark.amount for key in keys if (mark := self._mark(PaymentMark, key)))

    @property
    def is_paid_elsewhere(self) -> bool:
        """The shop says paid, and not because a counter completed the order."""
        return self.is_paid and PAYMENT + self.transaction_id.partition(",")[0] not in self.meta

    def _mark(self, kind: type[M], key: str) -> M | None:
        try:
            return convert(kind, read_json(self.meta.get(key, "").encode("utf-8", "replace")))
        except WooError:
            return None  # not there, or written over by somebody: to be written anew


def book_from(raw: bytes) -> Book:
    """Raises WooError."""
    found = convert(_Book, read_json(raw))
    meta = {
        entry.key: entry.value
        for entry in found.meta_data
        if entry.key.startswith("_kassa_") and isinstance(entry.value, str)
    }
    return Book(
        str(found.id),
        found.status,
        found.currency,
        found.total,
        found.transaction_id,
        found.date_paid_gmt is not None,
        meta,
    )


# --- what is to be written --------------------------------------------------------------------


def meta_message(*entries: Mapping[str, str]) -> bytes:
    return write_json({"meta_data": list(entries)})


def paid_message(book: Book, transaction_id: str, *entries: Mapping[str, str]) -> bytes:
    """A payment: our marks; the terminal's reference, unless another payment's stands there, as
    WooCommerce would write over it without a word; and the status, where one can be set to paid."""
    members: dict[str, object] = {"meta_data": list(entries)}
    if not book.is_paid and not book.transaction_id:
        members["transaction_id"] = transaction_id
        if book.status in UNPAID:
            members["set_paid"] = True
    return write_json(members)


def handed_over_message(book: Book, fact: str, *entries: Mapping[str, str]) -> bytes:
    members: dict[str, object] = {"meta_data": [text_meta(HANDED_OVER, fact), *entries]}
    if book.status not in LEFT_ALONE:
        members["status"] = "completed"
    return write_json(members)


def note_message(text: str) -> bytes:
    """A note for the office; the customer is not told."""
    return write_json({"note": text, "customer_note": False})


# --- what the office must look at -------------------------------------------------------------


ANOTHER_WAY: Final = "paid in another way too"


def payment_trouble(book: Book) -> str:
    """Why the office must look at an order with a counter's payment in it, or ""."""
    found = []
    if book.status in OUT_OF_ORDER:
        found.append(f"paid at the counter, but the order is {book.status}")
    if book.is_paid_elsewhere:
        found.append(f"paid at the counter, and {ANOTHER_WAY}: money back may be due")
    elif _exceeds(book):
        found.append("paid more than its total at the counter: money back may be due")
    return "; ".join(found)


HANDED: Final = "handed over"
"""How each trouble with a hand-over begins, so that it is known from those with a payment."""


def trouble_before(book: Book) -> str:
    """Why the office must look at an order that is about to be handed over, or "". To be written
    together with the hand-over: afterwards nobody can tell what was before."""
    if book.status in OUT_OF_ORDER - LEFT_ALONE:
        return f"{HANDED} and completed, but the order was {book.status}"
    return ""


def trouble_after(book: Book) -> str:
    """Why the office must look at an order that was handed over, or ""."""
    found = []
    if book.status != "completed":
        found.append(f"{HANDED}, but the order is {book.status}")
    if book.paid and book.is_paid_elsewhere and ANOTHER_WAY not in book.attention:
        found.append(f"{HANDED}, and {ANOTHER_WAY}: money back may be due")
    return "; ".join(found)


def _exceeds(book: Book) -> bool:
    try:
        total = Money.parse(book.total.rstrip("0").rstrip("."), currency(book.currency).code)
    except MoneyError:
        return False  # nobody can say; the note has the amount
    return book.paid > total.amount


def attention_text(book: Book, trouble: str) -> str:
    """What stands there, and this, once."""
    if not trouble or trouble in book.attention:
        return book.attention
    return "; ".join(text for text in (book.attention, trouble) if text)[:LONGEST_TEXT]
