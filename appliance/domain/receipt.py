"""Receipts as neutral documents: what stands on the paper, not how a printer draws it.

A printer driver turns a Document into bytes for its columns and code page. Wording comes in from
outside (`Words`), so that the same receipt exists in every language of the counter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from appliance.domain.errors import Bug
from appliance.domain.facts import Json
from appliance.domain.money import Money, Quantity
from appliance.domain.order import Line, Order, Reduction
from appliance.domain.payment import Card


class Align(StrEnum):
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; it wraps at the paper's width. size: 1 is normal, 2 is double both ways."""

    text: str
    align: Align = Align.LEFT
    bold: bool = False
    size: int = 1


@dataclass(frozen=True, slots=True)
class Pair:
    """A line with something at the left and an amount at the right; the left part wraps."""

    left: str
    right: str
    bold: bool = False
    size: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Empty lines, 1 to 10."""

    lines: int = 1


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR code of this text (at most 600 bytes in UTF-8), centred."""

    text: str


@dataclass(frozen=True, slots=True)
class Barcode:
    """A Code 128 of this text (1 to 40 printable ASCII characters), with the text below."""

    text: str


Element = Text | Pair | Rule | Feed | Qr | Barcode
_ELEMENTS: Final = {kind.__name__.lower(): kind for kind in (Text, Pair, Rule, Feed, Qr, Barcode)}
_TYPES: Final[dict[str, type]] = {
    "text": str, "left": str, "right": str, "align": str, "bold": bool, "size": int, "lines": int,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """One piece of paper: printed top to bottom, then cut. receipt_of: the number of the order
    that this is the customer's receipt of, "" for any other paper; a printer that writes its own
    receipt needs no more."""

    elements: tuple[Element, ...]
    receipt_of: str = ""

    def to_json(self) -> list[Json]:
        return [{"is": type(e).__name__.lower(), **asdict(e)} for e in self.elements]

    @classmethod
    def from_json(cls, body: Json) -> Document:
        """The document that `to_json` wrote, but for receipt_of. Raises Bug for anything else."""
        if not isinstance(body, list):
            raise Bug("a document is a list of elements")
        elements: list[Element] = []
        for item in body:
            if not isinstance(item, dict):
                raise Bug("an element of a document is an object")
            values: dict[str, Any] = dict(item)
            kind = _ELEMENTS.get(str(values.pop("is", None)))
            if kind is None:
                raise Bug("an element of a document that this release does not know")
            for key, value in values.items():
                if type(value) is not _TYPES.get(key):
                    raise Bug(f"{key!r} of an element of a document is not what it should be")
            try:
                if "align" in values:
                    values["align"] = Align(values["align"])
                elements.append(kind(**values))
            except (TypeError, ValueError) as error:
                raise Bug(f"an element of a document: {error}") from error
        return cls(tuple(elements))


@dataclass(frozen=True, slots=True)
class Words:
    """The wording of one language. labels: the keys of LABELS. money: an amount with its sign.
    quantity: with its unit, which a piece has not. rate: a rate in basis points, as percent."""

    labels: Mapping[str, str]
    money: Callable[[Money], str]
    quantity: Callable[[Quantity], str]
    rate: Callable[[int], str]

    def __getitem__(self, key: str) -> str:
        return self.labels[key]


LABELS: Final = (
    "order",
    "total",
    "paid_before",
    "paid_by_card",
    "paid_by_slip",
    "vat_included",
    "seller",
    "card",
    "terminal",
    "receipt_no",
    "trace_no",
    "authorisation",
    "copy",
    "declined",
    "not_charged",
    "merchant_copy",
    "not_fiscal",
    "thanks",
)
"""The labels that Words must have, in every language."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Who issues the receipt: the shop's own lines, the counter, the seller, the time as text."""

    lines: tuple[str, ...]
    counter: str
    seller: str
    at: str


def payment_receipt(
    order: Order, card: Card | None, slip: Sequence[str], heading: Heading, words: Words
) -> Document:
    """The customer's receipt of an approved payment. card is None where a person read the
    terminal's own slip. slip: the terminal's customer lines, printed below as they came."""
    elements: list[Element] = [*_top(order, heading, words)]
    for line in order.lines:
        elements += _line(line, words)
    elements += [_reduction(r, words) for r in (*order.discounts, *order.loyalty)]
    elements += [Rule(), Pair(words["total"], words.money(order.total), bold=True, size=2)]
    if order.vat is not None:
        elements.append(Pair(words["vat_included"], words.money(order.vat)))
    if order.paid:
        elements.append(Pair(words["paid_before"], words.money(order.paid)))
    label = words["paid_by_card"] if card else words["paid_by_slip"]
    elements.append(Pair(label, words.money(order.due), bold=True))
    elements += _card(card, words)
    if slip:
        elements += [Rule(), *(Text(text) for text in slip)]
    elements += [
        Rule(),
        Text(words["not_fiscal"], Align.CENTER),
        Text(words["thanks"], Align.CENTER),
        Feed(),
    ]
    # A reprint and a return both start with a scan of the receipt, so the order's code is on it.
    code = order.codes[0] if order.codes else order.number
    elements.append(Barcode(code) if _fits_code128(code) else Qr(code))
    return Document(tuple(elements), receipt_of=order.number)


def decline_slip(
    order: Order, slip: Sequence[str], reason: str, heading: Heading, words: Words
) -> Document:
    """What the customer gets of a payment that certainly did not happen."""
    return Document(
        (
            *_top(order, heading, words),
            Text(words["declined"], Align.CENTER, bold=True, size=2),
            Text(words["not_charged"], Align.CENTER),
            *([Text(reason, Align.CENTER)] if reason else []),
            *([Rule()] if slip else []),
            *(Text(text) for text in slip),
        )
    )


def merchant_slip(order: Order, slip: Sequence[str], heading: Heading, words: Words) -> Document:
    """The terminal's merchant copy, as it came."""
    return Document(
        (
            *_top(order, heading, words),
            Text(words["merchant_copy"], Align.CENTER, bold=True),
            Rule(),
            *(Text(text) for text in slip),
        )
    )


def as_copy(document: Document, words: Words) -> Document:
    """The same paper, marked as a copy at the top and at the end."""
    mark = Text(words["copy"], Align.CENTER, bold=True, size=2)
    if document.elements and document.elements[0] == mark:
        return document
    return replace(document, elements=(mark, *document.elements, mark))


def _top(order: Order, heading: Heading, words: Words) -> Iterable[Element]:
    for number, text in enumerate(heading.lines):
        yield Text(text, Align.CENTER, bold=number == 0)
    yield Text(" · ".join(part for part in (heading.counter, heading.at) if part), Align.CENTER)
    yield Feed()
    yield Text(f"{words['order']} {order.number}", bold=True, size=2)
    if heading.seller:
        yield Text(f"{words['seller']} {heading.seller}")
    yield Rule()


def _line(line: Line, words: Words) -> Iterable[Element]:
    yield Pair(line.name, words.money(line.total))
    rate = "" if line.vat_basis_points is None else f"  {words.rate(line.vat_basis_points)}"
    yield Text(f"  {words.quantity(line.quantity)} × {words.money(line.unit_price)}{rate}")


def _reduction(reduction: Reduction, words: Words) -> Element:
    return Pair(reduction.label, words.money(reduction.amount))


def _card(card: Card | None, words: Words) -> Iterable[Element]:
    if card is None:
        return
    rows = (
        ("card", " ".join(part for part in (card.scheme, card.pan) if part)),
        ("terminal", card.terminal_id),
        ("receipt_no", "" if card.receipt_no is None else str(card.receipt_no)),
        ("trace_no", "" if card.trace_no is None else str(card.trace_no)),
        ("authorisation", card.authorisation),
    )
    for key, value in rows:
        if value:
            yield Pair(words[key], value)


def _fits_code128(text: str) -> bool:
    return 0 < len(text) <= 40 and all(" " <= character <= "~" for character in text)
