"""An order as the shop states it: a snapshot with a version. The kiosk computes no price.

It adds up only to see whether the shop's own figures agree, and refuses to charge when they
do not (`disagreements`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from appliance.domain.errors import Code
from appliance.domain.money import Currency, Money, MoneyError, Quantity, times


class OrderStatus(StrEnum):
    """Where the shop says that the order stands."""

    NOT_READY = "not_ready"  # still on its way to the shelf
    READY = "ready"
    HANDED_OVER = "handed_over"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class CheckKind(StrEnum):
    """What the seller must confirm about the customer before the goods may leave."""

    AGE = "age"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Line:
    """One position. `total` is quantity x unit price as the shop rounded it, before discounts."""

    sku: str
    name: str
    quantity: Quantity
    unit_price: Money
    total: Money
    vat_basis_points: int | None = None  # 2000 = 20 %; None = without VAT
    ean: str = ""
    cell: str = ""  # shelf or locker cell, where it differs from the order's


@dataclass(frozen=True, slots=True)
class Reduction:
    """A discount or loyalty line, worded by the shop; `amount` is negative or zero."""

    label: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Customer:
    name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    kind: CheckKind
    text: str = ""  # "18+", or the document that was promised


@dataclass(frozen=True, slots=True)
class Order:
    """What the shop assigned to a pickup point.

    id: the shop's own key, opaque. number: what people say. codes: what scanners read.
    version: changes whenever anything that matters at the counter changes.
    total = sum of line totals + discounts + loyalty; due = total - paid.
    Times are ISO 8601 with offset, as the shop wrote them; they are shown, never compared.
    """

    id: str
    number: str
    version: str
    status: OrderStatus
    pickup_point: str
    lines: tuple[Line, ...]
    total: Money
    paid: Money
    due: Money
    codes: tuple[str, ...] = ()
    discounts: tuple[Reduction, ...] = ()
    loyalty: tuple[Reduction, ...] = ()
    vat: Money | None = None  # contained in total
    customer: Customer = Customer()
    cell: str = ""
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    placed_at: str = ""
    ready_at: str = ""
    pickup_until: str = ""
    last_day: bool = False  # the shop says that the pickup deadline is today

    @property
    def is_prepaid(self) -> bool:
        return not self.due

    def cell_of(self, line: Line) -> str:
        return line.cell or self.cell


def disagreements(order: Order) -> tuple[str, ...]:
    """Why the order's figures cannot be charged, each as one English line; empty when they agree.

    A line's total may be rounded up or down to the minor unit, as shops differ in that;
    everything above the lines must agree exactly.
    """
    amounts = [order.total, order.paid, order.due]
    amounts += [money for line in order.lines for money in (line.unit_price, line.total)]
    amounts += [reduction.amount for reduction in (*order.discounts, *order.loyalty)]
    amounts += [order.vat] if order.vat is not None else []
    if len({money.currency for money in amounts}) > 1:
        return ("the order mixes currencies",)
    found: list[str] = []
    if not order.lines:
        found.append("the order has no lines")
    for number, line in enumerate(order.lines, 1):
        product = f"line {number}: {line.quantity} x {line.unit_price}"
        try:
            rounded = times(line.quantity, line.unit_price)
        except MoneyError:
            found.append(f"{product} is out of range")
        else:
            if line.total not in rounded:
                found.append(f"{product} is not {line.total}")
        if line.unit_price.amount < 0:
            found.append(f"line {number}: negative price {line.unit_price}")
        if line.vat_basis_points is not None and not 0 <= line.vat_basis_points <= 10_000:
            found.append(f"line {number}: VAT rate out of range")
    for reduction in (*order.discounts, *order.loyalty):
        if reduction.amount.amount > 0:
            found.append(f"the reduction {reduction.label!r} adds {reduction.amount}")
    stated = sum(
        [line.total.amount for line in order.lines]
        + [reduction.amount.amount for reduction in (*order.discounts, *order.loyalty)]
    )
    if stated != order.total.amount:
        # No Money: the sum of amounts in range need not be in range.
        said = Decimal(stated).scaleb(-order.total.currency.exponent)
        found.append(f"the lines and reductions come to {said:f}, the total says {order.total}")
    if order.paid.amount < 0:
        found.append(f"negative amount paid {order.paid}")
    if order.total.amount - order.paid.amount != order.due.amount:
        found.append(
            f"total {order.total} less paid {order.paid} is not the amount due {order.due}"
        )
    if order.due.amount < 0:
        found.append(f"negative amount due {order.due}")
    if order.vat is not None and not 0 <= order.vat.amount <= max(order.total.amount, 0):
        found.append(f"VAT {order.vat} does not fit the total {order.total}")
    return tuple(found)


_STATUS_CODE = {
    OrderStatus.NOT_READY: Code.ORDER_NOT_READY,
    OrderStatus.HANDED_OVER: Code.ORDER_HANDED_OVER,
    OrderStatus.CANCELLED: Code.ORDER_CANCELLED,
    OrderStatus.EXPIRED: Code.ORDER_EXPIRED,
}


def refusal(order: Order, *, pickup_point: str, currency: Currency) -> tuple[Code, str] | None:
    """Why this counter must not hand the order over: a code and a detail; None when it may."""
    if order.pickup_point != pickup_point:
        return Code.ORDER_ELSEWHERE, order.pickup_point
    if order.status is not OrderStatus.READY:
        return _STATUS_CODE[order.status], order.number
    if order.total.currency != currency:
        return Code.ORDER_CURRENCY, order.total.currency.code
    if found := disagreements(order):
        return Code.ORDER_SUMS, "; ".join(found)
    return None
