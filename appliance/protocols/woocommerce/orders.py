"""An order of WooCommerce as one of ours.

The shop has computed every price; here they are only put in our form. WooCommerce keeps net
amounts and taxes apart, each with more digits than the currency has, and rounds them on its own
(per line or per subtotal, as the shop is set). So a position's gross amount, rounded, may differ
from what the total implies. That difference is a line of its own, "Rounding", at most as large
as `rounding_limit` says; with a larger one the order is refused.

Fields: get_item_schema in WC_REST_Orders_V2_Controller and WC_REST_Orders_Controller.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from appliance.domain.money import Currency, Money, MoneyError, Quantity, currency
from appliance.domain.order import Customer, Line, Order, OrderStatus, Reduction
from appliance.protocols.shopapi import OrderMalformed, one_line, order_to_json, write_json
from appliance.protocols.woocommerce.marks import Marks, is_ours, marks_from
from appliance.protocols.woocommerce.strict import WooError, WooMalformed, convert, read_json

FIELDS: Final = (
    "id,number,status,currency,total,total_tax,date_created_gmt,date_modified_gmt,date_paid_gmt,"
    "payment_method,transaction_id,customer_note,billing,meta_data,line_items,tax_lines,"
    "shipping_lines,fee_lines,coupon_lines,refunds"
)
"""What is asked for: a seventh of what WooCommerce sends unasked."""
DIGITS: Final = 6
"""Digits after the point that are asked for (dp): as many as WooCommerce stores, so that it is we
who round, once."""
PAGE: Final = 100  # WooCommerce takes no more
READY: Final = ("processing", "on-hold")
BLOCKS: Final = "pickup_location"  # the method of the block checkout
CLASSIC: Final = "local_pickup"
_DECIMAL: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?\Z")
_SHOWN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\s]+")
_CENT: Final = Decimal(1)

_ENDED: Final[Mapping[str, OrderStatus]] = {
    "completed": OrderStatus.HANDED_OVER,
    "cancelled": OrderStatus.CANCELLED,
    "refunded": OrderStatus.CANCELLED,
    "failed": OrderStatus.CANCELLED,
    "trash": OrderStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Pickup:
    """Whose orders these are. point: the location's name (block checkout), the title of the
    pickup method (classic checkout), or "local_pickup:<instance>". ready: the statuses of orders
    that may be handed over."""

    point: str
    ready: tuple[str, ...] = READY


@dataclass(frozen=True, slots=True)
class WooOrder:
    """order: as the counter knows it. status: WooCommerce's own. paid_online: the shop itself says
    that it is paid (date_paid). total: what the shop states, before refunds."""

    order: Order
    status: str
    transaction_id: str
    paid_online: bool
    total: Money
    refunded: Money
    marks: Marks
    created_at: str
    modified_at: str

    @property
    def key(self) -> int:
        return int(self.order.id)


class _MetaItem(Struct):
    key: str
    value: Any = None


class _Item(Struct):
    name: Any
    quantity: Any
    subtotal: str
    total: str
    subtotal_tax: str = ""
    total_tax: str = ""
    product_id: int = 0
    variation_id: int = 0
    sku: str | None = None
    global_unique_id: str | None = None
    taxes: Any = None  # for the rate that is shown, and no reason to refuse an order


class _Shipping(Struct):
    method_id: str = ""
    instance_id: str | int = ""
    method_title: str | None = ""
    total: str = "0"
    total_tax: str = ""
    meta_data: list[_MetaItem] = []


class _Fee(Struct):
    total: str
    name: str | None = ""
    total_tax: str = ""


class _Coupon(Struct):
    code: str
    discount: str = "0"
    discount_tax: str = ""


class _Refund(Struct):
    total: str


class _Billing(Struct):
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    phone: str = ""
    email: str | None = ""


_Moment = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\Z")]


class _WooOrder(Struct):
    id: Annotated[int, Meta(ge=1)]
    number: str
    status: Annotated[str, Meta(min_length=1, max_length=40)]
    currency: str
    total: str
    line_items: Annotated[list[_Item], Meta(max_length=400)]
    shipping_lines: Annotated[list[_Shipping], Meta(max_length=20)]
    date_created_gmt: _Moment
    date_modified_gmt: _Moment
    meta_data: list[Any]
    total_tax: str = "0"
    date_paid_gmt: _Moment | None = None
    transaction_id: str = ""
    customer_note: str = ""
    billing: _Billing = msgspec.field(default_factory=_Billing)
    tax_lines: Any = None
    fee_lines: Annotated[list[_Fee], Meta(max_length=50)] = []
    coupon_lines: Annotated[list[_Coupon], Meta(max_length=40)] = []
    refunds: Annotated[list[_Refund], Meta(max_length=500)] = []


def order_from(raw: bytes, pickup: Pickup) -> WooOrder:
    """The one order in this answer. Raises WooMalformed, WooError."""
    return order_from_json(read_json(raw), pickup)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list. rows: how many the shop sent. last_created: of the newest, "" with none.
    malformed: number -> reason, of this
    pickup point or of nobody knows which."""

    orders: tuple[WooOrder, ...]
    rows: int
    last_created: str
    malformed: Mapping[str, str]


def page_from(raw: bytes, pickup: Pickup) -> Page:
    """Orders that cannot be read do not spoil the rest. Raises WooError for the whole."""
    values = convert(list[Any], read_json(raw))
    if len(values) > PAGE:
        raise WooError("", f"{len(values)} orders on a page of {PAGE}")
    sound: list[WooOrder] = []
    malformed: dict[str, str] = {}
    created = ""
    for place, value in enumerate(values):
        name = f"#{place}"
        if isinstance(value, dict):
            name = one_line(str(value.get("number") or value.get("id") or name))[:40]
            stated = value.get("date_created_gmt")
            created = max(created, stated) if isinstance(stated, str) else created
        try:
            sound.append(order_from_json(value, pickup))
        except WooMalformed as error:
            if not _is_elsewhere(value, pickup):
                malformed[name] = str(error)
    return Page(tuple(sound), len(values), created[:19], malformed)


class _Stamp(Struct):
    id: Annotated[int, Meta(ge=1)]
    date_modified_gmt: _Moment
    date_created_gmt: _Moment


@dataclass(frozen=True, slots=True)
class Stamps:
    """modified: order id -> when. last_created: of the newest, "" with none."""

    modified: Mapping[str, str]
    rows: int
    last_created: str


def stamps_from(raw: bytes) -> Stamps:
    """Raises WooError."""
    found = convert(list[_Stamp], read_json(raw))
    created = max((stamp.date_created_gmt for stamp in found), default="")
    return Stamps({str(s.id): s.date_modified_gmt for s in found}, len(found), created)


def _is_elsewhere(value: object, pickup: Pickup) -> bool:
    """Whether an order that cannot be read is certainly no concern of this pickup point."""
    if not isinstance(value, dict):
        return False
    try:
        shipping = convert(list[_Shipping], value.get("shipping_lines"))
    except WooError:
        return False
    return _point(shipping, pickup) != pickup.point


def order_from_json(value: object, pickup: Pickup) -> WooOrder:
    """Raises WooMalformed, which names the field."""
    try:
        return _translated(convert(_WooOrder, value), pickup)
    except OrderMalformed as error:
        raise WooMalformed(error.where, error.what) from None
    except MoneyError as error:
        raise WooMalformed("", str(error)) from None
    except WooMalformed:
        raise
    except WooError as error:
        raise WooMalformed(error.where, error.what) from None


def _translated(woo: _WooOrder, pickup: Pickup) -> WooOrder:
    unit = currency(woo.currency)
    marks = marks_from(woo.meta_data)
    total = _exact(woo.total, unit, "total")
    refunded = -sum(_exact(refund.total, unit, "refunds") for refund in woo.refunds)
    if not 0 <= refunded <= total:
        raise WooMalformed("refunds", f"{refunded} of {total} minor units")
    lines, reductions = _positions(woo, unit, total)
    if refunded:
        reductions.append(Reduction("Refunded", Money(-refunded, unit)))
    # Completing an order sets date_paid too: then it is the counter's own payment that it tells of.
    is_paid = woo.date_paid_gmt is not None and not is_ours(woo.transaction_id, marks)
    net = total - refunded
    paid = (net if is_paid else 0) + marks.paid
    order = Order(
        id=str(woo.id),
        number=_shown(woo.number, 80),
        version="",
        status=_status(woo.status, marks, pickup),
        pickup_point=_point(woo.shipping_lines, pickup),
        lines=tuple(lines),
        total=Money(net, unit),
        # What the shop took and we took, should both have: shown, and due is below zero then.
        paid=Money(paid, unit),
        due=Money(net - paid, unit),
        codes=(_shown(woo.number, 80),),
        discounts=tuple(reductions),
        vat=_vat(woo, unit, net) if not refunded else None,
        customer=Customer(
            _shown(f"{woo.billing.first_name} {woo.billing.last_name}", 300)
            or _shown(woo.billing.company, 300),
            _shown(woo.billing.phone, 80),
            _shown(woo.billing.email or "", 300),
        ),
        notes=_notes(woo.customer_note, marks),
        placed_at=f"{woo.date_created_gmt}Z",
    )
    digest = hashlib.sha256(write_json(order_to_json(replace(order, version="-")))).hexdigest()
    return WooOrder(
        replace(order, version=digest[:16]),
        woo.status,
        woo.transaction_id,
        is_paid,
        Money(total, unit),
        Money(refunded, unit),
        marks,
        woo.date_created_gmt,
        woo.date_modified_gmt,
    )


def _status(status: str, marks: Marks, pickup: Pickup) -> OrderStatus:
    if status in pickup.ready:
        # Handed over here, and the shop's status did not follow (a race with its office).
        return OrderStatus.HANDED_OVER if marks.handed_over else OrderStatus.READY
    return _ENDED.get(status, OrderStatus.NOT_READY)


def _point(shipping: list[_Shipping], pickup: Pickup) -> str:
    """The pickup point as the platform has it; for another kind of delivery, what that is."""
    for line in shipping:
        if pickup.point in _names(line):
            return pickup.point
    for line in shipping:
        if names := _names(line):
            return _shown(names[0], 80)
    first = shipping[0] if shipping else _Shipping(method_id="no shipping")
    # Never equal to a pickup point by accident: a flat rate may be called like a town.
    return _shown(f"({first.method_id}) {first.method_title}", 80)


def _names(line: _Shipping) -> list[str]:
    """What this line's pickup point may be called in the configuration; none for other methods."""
    title = _shown(line.method_title or "", 80)
    if line.method_id == CLASSIC:
        return [name for name in (title, f"{CLASSIC}:{line.instance_id}") if name]
    if line.method_id == BLOCKS:
        # Every location has instance "0" there: its name is all that tells them apart.
        stated = [meta.value for meta in line.meta_data if meta.key == BLOCKS]
        named = [_shown(html.unescape(name), 80) for name in stated if isinstance(name, str)]
        return [name for name in named if name] or ["(pickup_location without a name)"]
    return []


# --- sums -------------------------------------------------------------------------------------


def rounding_limit(pieces: Decimal, amounts: int) -> int:
    """Minor units that the shop's own rounding can come to. For each piece half a unit, as the
    price of one is the rounded share of its position; for each amount one, for its tax."""
    return int(pieces / 2) + amounts


def _positions(woo: _WooOrder, unit: Currency, total: int) -> tuple[list[Line], list[Reduction]]:
    rates = {str(line.get("rate_id")): line.get("rate_percent") for line in _objects(woo.tax_lines)}
    lines: list[Line] = []
    reductions: list[Reduction] = []
    pieces, amounts, off = Decimal(0), 1, Decimal(0)
    for place, item in enumerate(woo.line_items):
        where = f"line_items[{place}]"
        before = _gross(item.subtotal, item.subtotal_tax, where)
        after = _gross(item.total, item.total_tax, where)
        # Someone in the office may have raised the price of a line: that is no discount.
        gross = max(before, after)
        off += gross - after
        quantity = _quantity(item.quantity, where)
        pieces += Decimal(quantity.thousandths) / 1000
        amounts += 1
        lines.append(_line(item, quantity, gross, unit, _rate(item.taxes, rates), where))
    for place, shipping in enumerate(woo.shipping_lines):
        cost = _gross(shipping.total, shipping.total_tax, f"shipping_lines[{place}]")
        if cost:
            amounts += 1
            lines.append(_extra("shipping", shipping.method_title or "Shipping", cost, unit))
    for place, fee in enumerate(woo.fee_lines):
        cost = _gross(fee.total, fee.total_tax, f"fee_lines[{place}]")
        amounts += 1
        if cost < 0:
            label = _shown(fee.name or "", 300) or "Fee"
            reductions.append(Reduction(label, Money(_minor(cost, unit), unit)))
        elif cost:
            lines.append(_extra("fee", fee.name or "Fee", cost, unit))
    if less := _minor(off, unit):
        codes = ", ".join(coupon.code for coupon in woo.coupon_lines)
        label = _shown(codes, 300) or "Discount"
        reductions.insert(0, Reduction(label, Money(-less, unit)))
    stated = sum(line.total.amount for line in lines)
    stated += sum(reduction.amount.amount for reduction in reductions)
    if difference := total - stated:
        if abs(difference) > rounding_limit(pieces, amounts):
            raise WooMalformed("total", f"is {total} minor units, the positions come to {stated}")
        if difference > 0:
            lines.append(_extra("rounding", "Rounding", _major(difference, unit), unit))
        else:
            reductions.append(Reduction("Rounding", Money(difference, unit)))
    return lines, reductions


def _line(
    item: _Item, quantity: Quantity, gross: Decimal, unit: Currency, rate: int | None, where: str
) -> Line:
    if gross < 0:
        raise WooMalformed(f"{where}.total", "is below zero")
    each = Money(_minor(gross * 1000 / quantity.thousandths, unit), unit)
    exact = Decimal(each.amount * quantity.thousandths) / 1000
    whole = int(exact.quantize(_CENT, ROUND_HALF_UP))
    product = item.variation_id or item.product_id
    return Line(
        _shown(item.sku or "", 80) or f"#{product}",
        _shown(html.unescape(item.name), 300) if isinstance(item.name, str) else f"#{product}",
        quantity,
        each,
        Money(whole, unit),
        rate,
        _shown(item.global_unique_id or "", 80),
    )


def _extra(sku: str, name: str, cost: Decimal, unit: Currency) -> Line:
    amount = Money(_minor(cost, unit), unit)
    if amount.amount < 0:
        raise WooMalformed(sku, "is below zero")
    return Line(sku, _shown(html.unescape(name), 300) or sku, Quantity(1000), amount, amount)


def _rate(taxes: object, rates: Mapping[str, Any]) -> int | None:
    """In basis points, where exactly one tax was levied and its rate is stated."""
    levied = [tax for tax in _objects(taxes) if str(tax.get("total", "")).strip("0.-")]
    percent = rates.get(str(levied[0].get("id"))) if len(levied) == 1 else None
    if isinstance(percent, bool) or not isinstance(percent, int | Decimal):
        return None
    scaled = Decimal(percent) * 100
    if not 0 <= scaled <= 10_000 or scaled != scaled.to_integral_value():
        return None
    return int(scaled)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _vat(woo: _WooOrder, unit: Currency, total: int) -> Money | None:
    contained = _minor(_amount(woo.total_tax, "total_tax"), unit)
    return Money(contained, unit) if 0 < contained <= total else None


def _quantity(value: object, where: str) -> Quantity:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise WooMalformed(f"{where}.quantity", "is no number")
    try:
        return Quantity.parse(f"{value:f}" if isinstance(value, Decimal) else str(value))
    except MoneyError as error:
        raise WooMalformed(f"{where}.quantity", str(error)) from None


def _gross(net: str, tax: str, where: str) -> Decimal:
    return _amount(net, where) + (_amount(tax, where) if tax else 0)


def _amount(text: str, where: str) -> Decimal:
    """A decimal in major units, exactly. Raises WooMalformed."""
    if not _DECIMAL.match(text):
        raise WooMalformed(where, f"is no amount: {text[:40]!r}")
    return Decimal(text)


def _exact(text: str, unit: Currency, where: str) -> int:
    """Minor units of an amount that must have no more digits than the currency."""
    scaled = _amount(text, where).scaleb(unit.exponent)
    if scaled != scaled.to_integral_value():
        raise WooMalformed(where, f"{text[:40]!r} has more digits than {unit.code} has")
    return int(scaled)


def _minor(amount: Decimal, unit: Currency) -> int:
    return int(amount.scaleb(unit.exponent).quantize(_CENT, ROUND_HALF_UP))


def _major(amount: int, unit: Currency) -> Decimal:
    return Decimal(amount).scaleb(-unit.exponent)


# --- words ------------------------------------------------------------------------------------


def _shown(text: str, longest: int) -> str:
    """One line, without what no screen and no receipt can show."""
    return _SHOWN.sub(" ", text).strip()[:longest].rstrip()


def _notes(note: str, marks: Marks) -> tuple[str, ...]:
    lines = [_shown(line, 1000) for line in note.splitlines()]
    found = [
        "\n".join(line for line in lines if line)[:1000].strip(),
        _shown(marks.attention, 1000),
    ]
    return tuple(text for text in found if text)
