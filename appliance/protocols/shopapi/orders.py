"""An order as JSON: the same form on the wire and in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from appliance.domain.facts import Json
from appliance.domain.money import Money, MoneyError, Quantity, currency
from appliance.domain.order import Check, CheckKind, Customer, Line, Order, OrderStatus, Reduction
from appliance.protocols.shopapi.requests import RequestRow, requests_from
from appliance.protocols.shopapi.strict import (
    LINE,
    Amount,
    BasisPoints,
    Decimal3,
    Key,
    NegativeAmount,
    Note,
    OrderMalformed,
    ShopApiError,
    ShortText,
    SignedAmount,
    Text,
    Time,
    one_line,
    read_as,
    read_json,
    write_json,
)

MOST_ORDERS: Final = 2000


class _Line(Struct, frozen=True, omit_defaults=True):
    sku: Key
    name: Text
    quantity: Decimal3
    unit_price: Amount
    total: Amount
    unit: Annotated[str, Meta(min_length=1, max_length=10, pattern=LINE)] = "pc"
    vat_basis_points: BasisPoints | None = None
    ean: ShortText = ""
    cell: ShortText = ""


class _Reduction(Struct, frozen=True):
    label: Text
    amount: NegativeAmount


class _Customer(Struct, frozen=True, omit_defaults=True):
    name: Text = ""
    phone: ShortText = ""
    email: Text = ""


class _Check(Struct, frozen=True, omit_defaults=True):
    kind: CheckKind
    text: Text = ""


class _Order(Struct, frozen=True, omit_defaults=True):
    id: Key
    number: Key
    version: Key
    status: OrderStatus
    pickup_point: Key
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
    lines: Annotated[list[_Line], Meta(max_length=500)]
    total: Amount
    paid: Amount
    due: SignedAmount  # negative where too much was paid: the counter refuses it with a code
    codes: Annotated[list[Key], Meta(max_length=10)] = []
    discounts: Annotated[list[_Reduction], Meta(max_length=50)] = []
    loyalty: Annotated[list[_Reduction], Meta(max_length=50)] = []
    vat: Amount | None = None
    customer: _Customer = _Customer()
    cell: ShortText = ""
    notes: Annotated[list[Note], Meta(max_length=20)] = []
    checks: Annotated[list[_Check], Meta(max_length=10)] = []
    placed_at: Time = ""
    ready_at: Time = ""
    pickup_until: Time = ""
    last_day: bool = False


@dataclass(frozen=True, slots=True)
class Orders:
    """The open orders of a pickup point. malformed: number, id or "#index" -> reason.
    requests: for orders to be opened; odd_requests: those that cannot be read, as malformed."""

    orders: tuple[Order, ...]
    malformed: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[RequestRow, ...] = ()
    odd_requests: Mapping[str, str] = field(default_factory=dict)


def order_from_json(value: object) -> Order:
    """The order in this JSON value. Raises OrderMalformed, which names the field.

    Sums are not checked here: domain/order.py's `disagreements` does that, with a code of its own.
    """
    try:
        order = read_as(_Order, value)
        unit = currency(order.currency)
    except MoneyError as error:
        raise OrderMalformed("currency", str(error)) from None
    except ShopApiError as error:
        raise OrderMalformed(error.where, error.what) from None
    quantities: list[Quantity] = []
    for number, line in enumerate(order.lines):
        try:
            quantities.append(Quantity.parse(line.quantity, line.unit))
        except MoneyError as error:
            raise OrderMalformed(f"lines[{number}].quantity", str(error)) from None
    return Order(
        id=order.id,
        number=order.number,
        version=order.version,
        status=order.status,
        pickup_point=order.pickup_point,
        lines=tuple(
            Line(
                line.sku,
                line.name,
                quantity,
                Money(line.unit_price, unit),
                Money(line.total, unit),
                line.vat_basis_points,
                line.ean,
                line.cell,
            )
            for line, quantity in zip(order.lines, quantities, strict=True)
        ),
        total=Money(order.total, unit),
        paid=Money(order.paid, unit),
        due=Money(order.due, unit),
        codes=tuple(order.codes),
        discounts=tuple(Reduction(r.label, Money(r.amount, unit)) for r in order.discounts),
        loyalty=tuple(Reduction(r.label, Money(r.amount, unit)) for r in order.loyalty),
        vat=None if order.vat is None else Money(order.vat, unit),
        customer=Customer(order.customer.name, order.customer.phone, order.customer.email),
        cell=order.cell,
        notes=tuple(order.notes),
        checks=tuple(Check(c.kind, c.text) for c in order.checks),
        placed_at=order.placed_at,
        ready_at=order.ready_at,
        pickup_until=order.pickup_until,
        last_day=order.last_day,
    )


def order_to_json(order: Order) -> dict[str, Json]:
    """The order as JSON that `order_from_json` reads back as an equal order.

    Raises OrderMalformed for an order that would not come back: one out of the contract's bounds
    or in two currencies. So it fails when it is written, and not when a journal is replayed.
    """
    wire = _Order(
        id=order.id,
        number=order.number,
        version=order.version,
        status=order.status,
        pickup_point=order.pickup_point,
        currency=order.total.currency.code,
        lines=[
            _Line(
                sku=line.sku,
                name=line.name,
                quantity=str(line.quantity),
                unit=line.quantity.unit,
                unit_price=line.unit_price.amount,
                total=line.total.amount,
                vat_basis_points=line.vat_basis_points,
                ean=line.ean,
                cell=line.cell,
            )
            for line in order.lines
        ],
        total=order.total.amount,
        paid=order.paid.amount,
        due=order.due.amount,
        codes=list(order.codes),
        discounts=[_Reduction(r.label, r.amount.amount) for r in order.discounts],
        loyalty=[_Reduction(r.label, r.amount.amount) for r in order.loyalty],
        vat=None if order.vat is None else order.vat.amount,
        customer=_Customer(order.customer.name, order.customer.phone, order.customer.email),
        cell=order.cell,
        notes=list(order.notes),
        checks=[_Check(c.kind, c.text) for c in order.checks],
        placed_at=order.placed_at,
        ready_at=order.ready_at,
        pickup_until=order.pickup_until,
        last_day=order.last_day,
    )
    written: dict[str, Json] = msgspec.to_builtins(wire)
    if order_from_json(written) != order:
        raise OrderMalformed("", "would not read back the same: more than one currency?")
    return written


def order_from(raw: bytes) -> Order:
    """One order (answer of by-code). Raises OrderMalformed, ShopApiError."""
    return order_from_json(read_json(raw))


class _Snapshot(Struct):
    orders: Annotated[list[Any], Meta(max_length=MOST_ORDERS)]
    requests: Any = ()


def orders_from(raw: bytes) -> Orders:
    """The snapshot of open orders; an order or a request that cannot be read does not spoil the
    rest.

    Raises ShopApiError where the message as a whole cannot be read."""
    sound: dict[str, Order] = {}
    malformed: dict[str, str] = {}
    twice: set[str] = set()
    snapshot = read_as(_Snapshot, read_json(raw))
    for index, value in enumerate(snapshot.orders):
        try:
            order = order_from_json(value)
        except OrderMalformed as error:
            malformed[_name(value, index)] = str(error)
            continue
        if order.id in sound:
            twice.add(order.id)
        sound[order.id] = order
    for order_id in twice:  # which of the two holds nobody can say
        malformed[sound.pop(order_id).number] = "the order stands twice in the snapshot"
    requests, odd = requests_from(snapshot.requests)
    return Orders(tuple(sound.values()), malformed, requests, odd)


def _name(value: object, index: int) -> str:
    for key in ("number", "id"):
        if isinstance(value, dict) and isinstance(name := value.get(key), str) and name:
            return one_line(name[:64])
    return f"#{index}"


def orders_message(
    orders: Iterable[Mapping[str, Json]], requests: Sequence[RequestRow] = ()
) -> bytes:
    """requests: at most MOST_REQUESTS."""
    asked = {"requests": msgspec.to_builtins(requests)} if requests else {}
    return write_json({"orders": list(orders), **asked})
