"""A Vendure order as the counter's: translated, never computed.

Vendure's amounts are integers of a precision that the shop states (`Scale`). Its figures need not
add up: tax is rounded for each line and each discount by itself (Vendure: "Money & Currency",
"Taxes"), so that a line's total can differ from quantity x unit price, and the sum of the lines
from the total. What is left over is shown as a line of its own, ROUNDING, and is bounded by what
such rounding can come to; an order that is further off is refused as malformed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import Struct

from appliance.domain.money import LARGEST_AMOUNT, MoneyError, currency
from appliance.domain.order import Order
from appliance.protocols.shopapi.orders import order_from_json
from appliance.protocols.shopapi.strict import (
    OrderMalformed,
    ShopApiError,
    read_as,
    write_json,
)
from appliance.protocols.vendure.documents import PickupBy
from appliance.protocols.vendure.marks import Mark, marks_from

ROUNDING: Final = "rounding"
"""The sku of the line that holds what rounding left over, and the label of a negative one."""
NOWHERE: Final = "-"
"""The pickup point of an order that names none: no counter has it."""
_STATUS: Final = {
    "PaymentAuthorized": "ready",
    "PaymentSettled": "ready",
    "ArrangingAdditionalPayment": "ready",
    "Shipped": "ready",  # settled before: it only has to be delivered
    "Modifying": "not_ready",
    "PartiallyShipped": "not_ready",
    "PartiallyDelivered": "not_ready",
    "Delivered": "handed_over",
    "Cancelled": "cancelled",
}
OPEN_STATES: Final = tuple(s for s, kind in _STATUS.items() if kind in ("ready", "not_ready"))


@dataclass(frozen=True, slots=True)
class Scale:
    """How many digits of the shop's amounts stand after the point: Vendure's money strategy has
    two by default, for every currency."""

    precision: int = 2

    def minor(self, value: int, exponent: int) -> int:
        """The shop's amount in minor units. Raises OrderMalformed where that is no whole number."""
        if self.precision <= exponent:
            return value * int(10 ** (exponent - self.precision))
        whole, rest = divmod(value, int(10 ** (self.precision - exponent)))
        if rest:
            raise OrderMalformed("", f"{value} is no whole amount of its currency")
        return whole

    def shop(self, minor: int, exponent: int) -> int:
        """Minor units as the shop's amount; the other way of `minor`. Raises MoneyError."""
        if self.precision >= exponent:
            return minor * int(10 ** (self.precision - exponent))
        whole, rest = divmod(minor, int(10 ** (exponent - self.precision)))
        if rest:
            raise MoneyError(f"{minor} has more digits than the shop's amounts")
        return whole


class _Variant(Struct):
    sku: str
    name: str


class _Line(Struct):
    id: str
    quantity: int
    unitPriceWithTax: int
    linePriceWithTax: int
    taxRate: float
    productVariant: _Variant


class _Surcharge(Struct):
    description: str
    priceWithTax: int
    sku: str | None = None


class _Method(Struct):
    code: str
    name: str = ""


class _Shipping(Struct):
    priceWithTax: int
    shippingMethod: _Method


class _Discount(Struct):
    description: str
    amountWithTax: int


class _Refund(Struct):
    state: str
    total: int


class _Payment(Struct):
    id: str
    state: str
    amount: int
    transactionId: str | None = None
    metadata: Any = None
    refunds: list[_Refund] = []


class _Fulfilled(Struct):
    orderLineId: str
    quantity: int


class _Fulfilment(Struct):
    id: str
    state: str
    lines: list[_Fulfilled] = []


class _Customer(Struct):
    firstName: str = ""
    lastName: str = ""
    phoneNumber: str | None = None
    emailAddress: str = ""


class _Order(Struct):
    id: str
    code: str
    state: str
    currencyCode: str
    total: int
    totalWithTax: int
    lines: list[_Line]
    orderPlacedAt: str | None = None
    surcharges: list[_Surcharge] = []
    shippingLines: list[_Shipping] = []
    discounts: list[_Discount] = []
    payments: list[_Payment] | None = None
    fulfillments: list[_Fulfilment] | None = None
    customer: _Customer | None = None
    customFields: Any = None
    history: Any = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment in the shop. amount: in the shop's units. kassa: the kiosk's own id of it."""

    id: str
    state: str
    amount: int
    kassa: str = ""


@dataclass(frozen=True, slots=True)
class Fulfilment:
    id: str
    state: str


@dataclass(frozen=True, slots=True)
class Found:
    """An order as it stands in the shop, and what of it only this driver needs.

    outstanding: what is due, in the shop's units. unfulfilled: order line -> how many are left.
    marks: what kiosks wrote into its notes, oldest first; empty where notes were not asked for.
    """

    order: Order
    state: str
    outstanding: int
    payments: tuple[Payment, ...] = ()
    fulfilments: tuple[Fulfilment, ...] = ()
    unfulfilled: Mapping[str, int] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()


def found_from_json(value: object, by: PickupBy, scale: Scale) -> Found:
    """The order in this JSON value: fragment KassaOrder. Raises OrderMalformed, which names the
    member."""
    try:
        order = read_as(_Order, value)
        exponent = currency(order.currencyCode).exponent
    except MoneyError as error:
        raise OrderMalformed("currencyCode", str(error)) from None
    except ShopApiError as error:
        raise OrderMalformed(error.where, error.what) from None
    _bounded(order)
    translated = _Translation(order, by, scale, exponent)
    return Found(
        order_from_json(translated.document()),
        order.state,
        order.totalWithTax - _paid(order),
        tuple(Payment(p.id, p.state, p.amount, _kassa(p)) for p in order.payments or ()),
        tuple(Fulfilment(f.id, f.state) for f in order.fulfillments or ()),
        _unfulfilled(order),
        marks_from(order.history),
    )


def rounding_bound(quantities: Sequence[int], discounts: int) -> int:
    """How far rounding alone can take the sum of an order from its total, in the shop's units.

    Half a unit for each piece of a line, whose rounded price is multiplied; half a unit for each
    line's own total; half a unit for each discount in each line and in the shipping."""
    halves = sum(quantity + 1 for quantity in quantities) + discounts * (len(quantities) + 1)
    return (halves + 1) // 2


class _Translation:
    """One order on its way to the form that the shop API has, whose reader knows all bounds."""

    def __init__(self, order: _Order, by: PickupBy, scale: Scale, exponent: int) -> None:
        self._order, self._by, self._scale, self._exponent = order, by, scale, exponent
        # Two reads of one order may have its lines in different orders: by age, then.
        lines = sorted(order.lines, key=lambda line: (len(line.id), line.id))
        self._lines = [line for line in lines if line.quantity]  # 0: cancelled

    def document(self) -> dict[str, Any]:
        order = self._order
        paid = _paid(order)
        refunded = any(
            refund.state != "Failed" for p in order.payments or () for refund in p.refunds
        )
        status = _STATUS.get(order.state, "not_ready")
        notes: list[str] = []
        if status == "ready" and order.totalWithTax > paid:
            if refunded:
                # The money went back on purpose; to take it again is nothing for a counter.
                status = "not_ready"
                notes.append("A refund was paid. Ask the shop's office.")
            elif order.state == "Shipped":
                # Vendure takes no more money for an order that has left.
                status = "not_ready"
                notes.append("Shipped, but not paid. Ask the shop's office.")
        customer = order.customer or _Customer()
        lines, reductions = self._goods(), self._reductions()
        if (left := self._left_over()) > 0:
            lines.append(self._extra(ROUNDING, "Rounding", left))
        elif left < 0:
            reductions.append({"label": "Rounding", "amount": self._minor(left)})
        document: dict[str, Any] = {
            "id": order.id,
            "number": order.code,
            "codes": [order.code],
            "status": status,
            "pickup_point": self._pickup_point(),
            "currency": order.currencyCode,
            "lines": lines,
            "discounts": reductions,
            "total": self._minor(order.totalWithTax),
            "paid": self._minor(paid),
            "due": self._minor(order.totalWithTax - paid),
            "vat": self._minor(order.totalWithTax - order.total),
            "customer": {
                "name": _line(f"{customer.firstName} {customer.lastName}".strip()),
                "phone": _line(customer.phoneNumber or "")[:80],
                "email": _line(customer.emailAddress),
            },
            "notes": notes,
            "placed_at": order.orderPlacedAt or "",
        }
        # Vendure has no version, and its updatedAt stays as it is when money moves: what can be
        # seen of an order is its version.
        seen = {**document, "state": order.state}
        document["version"] = hashlib.sha256(write_json(seen)).hexdigest()[:16]
        return document

    def _minor(self, value: int) -> int:
        return self._scale.minor(value, self._exponent)

    def _pickup_point(self) -> str:
        if not self._by.field:
            codes = {line.shippingMethod.code for line in self._order.shippingLines}
            return codes.pop() if len(codes) == 1 else NOWHERE
        fields = self._order.customFields
        value = fields.get(self._by.field) if isinstance(fields, dict) else None
        return value if isinstance(value, str) and value else NOWHERE

    def _goods(self) -> list[dict[str, Any]]:
        lines = [
            {
                "sku": _line(line.productVariant.sku)[:80] or "-",
                "name": _line(line.productVariant.name),
                "quantity": str(line.quantity),
                "unit_price": self._minor(line.unitPriceWithTax),
                "total": self._minor(line.unitPriceWithTax * line.quantity),
                "vat_basis_points": round(line.taxRate * 100),
            }
            for line in self._lines
        ]
        for surcharge in sorted(self._order.surcharges, key=lambda each: each.description):
            if surcharge.priceWithTax > 0:
                sku = _line(surcharge.sku or "")[:80] or "surcharge"
                lines.append(self._extra(sku, surcharge.description, surcharge.priceWithTax))
        for shipping in sorted(
            self._order.shippingLines, key=lambda each: each.shippingMethod.code
        ):
            if shipping.priceWithTax > 0:
                method = shipping.shippingMethod
                lines.append(self._extra("shipping", method.name, shipping.priceWithTax))
        return lines

    def _extra(self, sku: str, name: str, price: int) -> dict[str, Any]:
        amount = self._minor(price)
        return {
            "sku": sku,
            "name": _line(name) or sku,
            "quantity": "1",
            "unit_price": amount,
            "total": amount,
        }

    def _reductions(self) -> list[dict[str, Any]]:
        return [
            {"label": _line(words), "amount": self._minor(amount)}
            for words, amount in sorted(
                [
                    *((d.description, d.amountWithTax) for d in self._order.discounts),
                    *((s.description, s.priceWithTax) for s in self._order.surcharges),
                ]
            )
            if amount < 0
        ]

    def _left_over(self) -> int:
        """What the total has more than its parts. Raises OrderMalformed when rounding alone
        cannot explain it."""
        order = self._order
        if order.state == "Cancelled":
            return 0  # its lines are gone and its total need not be: nobody charges it
        stated = sum(line.unitPriceWithTax * line.quantity for line in self._lines)
        stated += sum(surcharge.priceWithTax for surcharge in order.surcharges)
        stated += sum(shipping.priceWithTax for shipping in order.shippingLines)
        stated += sum(discount.amountWithTax for discount in order.discounts)
        left = order.totalWithTax - stated
        bound = rounding_bound([line.quantity for line in self._lines], len(order.discounts))
        if abs(left) > bound:
            raise OrderMalformed(
                "totalWithTax", f"differs from its parts by {left}, rounding explains {bound}"
            )
        return left


def _bounded(order: _Order) -> None:
    """Amounts and quantities within what any sum of them can be told in."""
    amounts = [order.total, order.totalWithTax]
    amounts += [n for line in order.lines for n in (line.unitPriceWithTax, line.linePriceWithTax)]
    amounts += [surcharge.priceWithTax for surcharge in order.surcharges]
    amounts += [shipping.priceWithTax for shipping in order.shippingLines]
    amounts += [discount.amountWithTax for discount in order.discounts]
    for payment in order.payments or ():
        amounts += [payment.amount, *(refund.total for refund in payment.refunds)]
    if any(abs(amount) > LARGEST_AMOUNT for amount in amounts):
        raise OrderMalformed("", "an amount is out of range")
    for number, line in enumerate(order.lines):
        if not 0 <= line.quantity <= 1_000_000:
            raise OrderMalformed(f"lines[{number}].quantity", "is out of range")
        if not 0 <= line.taxRate <= 100:
            raise OrderMalformed(f"lines[{number}].taxRate", "is out of range")


def _paid(order: _Order) -> int:
    """What settled payments cover, less what was paid back."""
    payments = [payment for payment in order.payments or () if payment.state == "Settled"]
    return sum(payment.amount - _refunded(payment) for payment in payments)


def _refunded(payment: _Payment) -> int:
    return sum(refund.total for refund in payment.refunds if refund.state != "Failed")


def _kassa(payment: _Payment) -> str:
    metadata = payment.metadata
    name = metadata.get("kassaPayment") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _unfulfilled(order: _Order) -> dict[str, int]:
    left = {line.id: line.quantity for line in order.lines}
    for fulfilment in order.fulfillments or ():
        if fulfilment.state != "Cancelled":
            for row in fulfilment.lines:
                left[row.orderLineId] = left.get(row.orderLineId, 0) - row.quantity
    return {line: quantity for line, quantity in left.items() if quantity > 0}


def _line(text: str) -> str:
    """People's words as one line of the length that an order's texts have."""
    return "".join(c if c.isprintable() else " " for c in text)[:300].strip()


def order_id_of(value: object) -> str:
    """What an order that cannot be read is called in the log."""
    for name in ("code", "id"):
        if isinstance(value, dict) and isinstance(found := value.get(name), str) and found:
            return _line(found)[:64]
    return "?"
