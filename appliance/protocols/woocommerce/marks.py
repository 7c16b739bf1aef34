"""What Kassa writes into an order's meta data, so that it is there for good, and read back.

Each mark has a key of its own, and WooCommerce keeps each key in a row of its own: two counters
that write at once do not write over each other. The same mark written twice is one mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from appliance.domain.money import CURRENCIES
from appliance.protocols.woocommerce.strict import WooError, convert, read_json

CLAIM: Final = "_kassa_claim_"
PAYMENT: Final = "_kassa_payment_"
HANDED_OVER: Final = "_kassa_handed_over"
ATTENTION: Final = "_kassa_attention"
MOST_MARKS: Final = 200
"""Of one order, all kinds together: each scan that leads to a charge makes one or two."""
_ID: Final = re.compile(r"[!-~]{1,80}\Z")
Word = Annotated[str, Meta(min_length=1, max_length=80)]


class ClaimMark(Struct, frozen=True, omit_defaults=True):
    """One counter's claim. until_s: Unix time by the shop's clock; 0 when given back. payment: the
    attempt that is under way or in doubt; it holds the claim beyond its time."""

    kiosk: Word
    until_s: Annotated[int, Meta(ge=0, le=10**11)] = 0
    payment: Annotated[str, Meta(max_length=80)] = ""

    def is_live(self, now_s: int) -> bool:
        return bool(self.payment) or self.until_s > now_s


class PaymentMark(Struct, frozen=True, omit_defaults=True):
    """Money that a counter took for this order. amount: minor units. reference: see `reference`.
    how: "card", or "slip" where a seller read the terminal's slip."""

    fact: Word
    amount: Annotated[int, Meta(ge=1, le=999_999_999_999)]
    currency: Annotated[str, Meta(pattern=rf"\A({'|'.join(CURRENCIES)})\Z")]
    kiosk: Word
    reference: Annotated[str, Meta(max_length=200)] = ""
    how: Annotated[str, Meta(max_length=20)] = "card"
    at: Annotated[str, Meta(max_length=40)] = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """All of ours in one order. claims: by claim id; payments: by payment id; handed_over: the id
    of the fact; attention: what the office must look at."""

    claims: Mapping[str, ClaimMark] = field(default_factory=dict)
    payments: Mapping[str, PaymentMark] = field(default_factory=dict)
    handed_over: str = ""
    attention: str = ""

    @property
    def paid(self) -> int:
        """Minor units, by all counters."""
        return sum(mark.amount for mark in self.payments.values())


class _Meta(Struct):
    key: str
    value: Any = None


def marks_from(values: Iterable[Any]) -> Marks:
    """Our marks among an order's meta data. Raises WooError where one of them cannot be read: an
    order with a mark that nobody understands must not be charged."""
    claims: dict[str, ClaimMark] = {}
    payments: dict[str, PaymentMark] = {}
    words = {HANDED_OVER: "", ATTENTION: ""}
    count = 0
    for value in values:
        found = convert(_Meta, value, "meta_data")
        if not found.key.startswith("_kassa_"):
            continue
        count += 1
        if count > MOST_MARKS:
            raise WooError("meta_data", f"more than {MOST_MARKS} marks of Kassa")
        if found.key in words:
            words[found.key] = _text(found)
        elif found.key.startswith(CLAIM):
            claims[found.key.removeprefix(CLAIM)] = _record(ClaimMark, found)
        elif found.key.startswith(PAYMENT):
            payments[found.key.removeprefix(PAYMENT)] = _record(PaymentMark, found)
    return Marks(claims, payments, words[HANDED_OVER], words[ATTENTION])


class _Order(Struct):
    id: int
    meta_data: list[Any]


def order_marks_from(raw: bytes) -> Marks:
    """Our marks in an order's answer, of which only id and meta_data are read. Raises WooError."""
    return marks_from(convert(_Order, read_json(raw)).meta_data)


def _text(found: _Meta) -> str:
    if not isinstance(found.value, str):
        raise WooError(f"meta_data {found.key}", "is no text")
    return found.value


def _record(kind: type[Any], found: _Meta) -> Any:
    try:
        return convert(kind, read_json(_text(found).encode("utf-8", "replace")))
    except WooError as error:
        raise WooError(f"meta_data {found.key[:100]}", str(error)) from None


def is_ours(transaction_id: str, marks: Marks) -> bool:
    """Whether the order's transaction_id is a `reference` of a payment that a counter took."""
    return transaction_id.partition(",")[0] in marks.payments


def is_id(text: str) -> bool:
    """Whether it can be part of a key: printable ASCII without blanks, at most 80."""
    return bool(_ID.match(text))


def claim_meta(claim_id: str, mark: ClaimMark) -> dict[str, str]:
    return {"key": CLAIM + claim_id, "value": _written(mark)}


def payment_meta(payment_id: str, mark: PaymentMark) -> dict[str, str]:
    return {"key": PAYMENT + payment_id, "value": _written(mark)}


def text_meta(key: str, text: str) -> dict[str, str]:
    return {"key": key, "value": text}


def _written(mark: Struct) -> str:
    # Sorted and compact: the same mark is the same text. As a text, since PHP's own form of an
    # array in meta data is lossy where it is empty.
    members = {name: getattr(mark, name) for name in mark.__struct_fields__}
    return json.dumps(members, sort_keys=True, separators=(",", ":"))


def reference(payment_id: str, card: Mapping[str, object] | None) -> str:
    """What stands as the order's transaction_id: how the terminal's own books name the payment,
    "terminal/receipt/trace/authorisation", and ours. Without a card's record ours alone."""
    parts = [payment_id]
    for name in ("terminal_id", "receipt_no", "trace_no", "authorisation"):
        if (value := (card or {}).get(name)) not in (None, ""):
            parts.append(f"{name.partition('_')[0]} {value}")
    return ", ".join(parts)[:200]
