"""What Vendure answers. GraphQL says in HTTP 200 what went wrong, in two ways: `errors` beside the
data (spec, October 2021, section 7.1.2), and as the data itself, a type that implements Vendure's
ErrorResult. Neither is ever taken for success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from appliance.domain.order import Order
from appliance.protocols.shopapi.messages import SellersMessage, sellers_from_json
from appliance.protocols.shopapi.strict import (
    OrderMalformed,
    ShopApiError,
    one_line,
    read_as,
    read_json,
)
from appliance.protocols.vendure.documents import Document, PickupBy
from appliance.protocols.vendure.orders import Found, Scale, found_from_json, order_id_of

MOST_OPEN: Final = 20_000
"""Open orders of one pickup point that are read; a shop with more has another trouble."""


class ShopFault(ShopApiError):
    """The shop could not answer: its own fault, which may be over when it is asked again."""


class Forbidden(ShopApiError):
    """The session is over, or its administrator may not do this."""


class UnknownField(ShopApiError):
    """The shop's schema has no such field: the plugin or the custom field is not there."""


class _Extensions(Struct, frozen=True):
    code: str = ""


class _Error(Struct):
    message: str = ""
    extensions: _Extensions = _Extensions()


class _Envelope(Struct):
    data: dict[str, Any] | None = None
    errors: list[_Error] | None = None


_ERRORS: Final[dict[str, type[ShopApiError]]] = {
    "FORBIDDEN": Forbidden,
    "UNAUTHORIZED": Forbidden,
    "UNAUTHENTICATED": Forbidden,
    "INTERNAL_SERVER_ERROR": ShopFault,
    "GRAPHQL_VALIDATION_FAILED": UnknownField,
}


def data_from(document: Document, raw: bytes) -> Any:
    """The document's one result; None where the shop says null.

    Raises Forbidden, ShopFault, UnknownField or ShopApiError for what is no such answer."""
    envelope = read_as(_Envelope, read_json(raw))
    for error in envelope.errors or ():
        code = error.extensions.code
        kind = _ERRORS.get(code, ShopApiError)
        raise kind(document.result, one_line(f"{code or 'error'}: {error.message}"))
    if envelope.data is None or document.result not in envelope.data:
        raise ShopApiError(document.result, "missing")
    return envelope.data[document.result]


class _Result(Struct):
    errorCode: str = ""
    message: str = ""
    transitionError: str = ""


def result_from(document: Document, raw: bytes) -> str:
    """The error code of a mutation, or "" where it did what it was told. As `data_from`."""
    result = read_as(_Result, data_from(document, raw), document.result)
    if not result.errorCode:
        return ""
    return one_line(f"{result.errorCode}: {result.transitionError or result.message}")


class _Server(Struct):
    moneyStrategyPrecision: Annotated[int, Meta(ge=0, le=6)]


class _Settings(Struct):
    serverConfig: _Server


def precision_from(document: Document, raw: bytes) -> int:
    """How many digits of the shop's amounts stand after the point: 0 to 6."""
    settings = read_as(_Settings, data_from(document, raw), document.result)
    return settings.serverConfig.moneyStrategyPrecision


class Info(Struct, frozen=True):
    """What the plugin says of itself. kiosk: whose session this is."""

    version: int
    kiosk: str
    sellers: Any = None


def info_from(document: Document, raw: bytes) -> Info | None:
    """None where the shop has no such plugin."""
    try:
        return read_as(Info, data_from(document, raw), document.result)
    except UnknownField:
        return None


def sellers_from(document: Document, raw: bytes) -> SellersMessage | None:
    """The sellers that the plugin was given, or None."""
    info = read_as(Info, data_from(document, raw), document.result)
    return None if info.sellers is None else sellers_from_json(info.sellers, "kassa.sellers")


# --- orders -------------------------------------------------------------------------------------


class _List(Struct):
    totalItems: int
    items: Annotated[list[Any], Meta(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. ids: of every row, sound or not, in the shop's order. probes: id -> what
    a probe saw of it. malformed: id -> (number, reason)."""

    total: int
    ids: tuple[str, ...]
    orders: Mapping[str, Order] = field(default_factory=dict)
    malformed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    probes: Mapping[str, str] = field(default_factory=dict)


class _Row(Struct):
    id: str


class _ProbeMethod(Struct):
    code: str


class _ProbeShipping(Struct):
    shippingMethod: _ProbeMethod


class _Probe(Struct):
    id: str
    state: str
    updatedAt: str
    totalWithTax: int
    shippingLines: list[_ProbeShipping] = []


def _rows(document: Document, raw: bytes) -> _List:
    rows = read_as(_List, data_from(document, raw), document.result)
    if rows.totalItems > MOST_OPEN:
        raise ShopApiError(document.result, f"{rows.totalItems} open orders, more than {MOST_OPEN}")
    return rows


def page_from(document: Document, raw: bytes, by: PickupBy, scale: Scale) -> Page:
    """A page of whole orders. One that cannot be read does not spoil the rest."""
    rows = _rows(document, raw)
    ids: list[str] = []
    orders: dict[str, Order] = {}
    malformed: dict[str, tuple[str, str]] = {}
    for value in rows.items:
        row = read_as(_Row, value, document.result)
        ids.append(row.id)
        try:
            orders[row.id] = found_from_json(value, by, scale).order
        except OrderMalformed as error:
            malformed[row.id] = order_id_of(value), str(error)
    return Page(rows.totalItems, tuple(ids), orders, malformed)


def probe_from(document: Document, raw: bytes, pickup_point: str = "") -> Page:
    """A page of what tells that an order has changed. pickup_point: the code of a shipping method
    that the others are left out for, or ""."""
    rows = _rows(document, raw)
    found = [read_as(_Probe, value, document.result) for value in rows.items]
    probes = {
        row.id: f"{row.state} {row.updatedAt} {row.totalWithTax}"
        for row in found
        if not pickup_point
        or {line.shippingMethod.code for line in row.shippingLines} == {pickup_point}
    }
    return Page(rows.totalItems, tuple(row.id for row in found), probes=probes)


def order_from(document: Document, raw: bytes, by: PickupBy, scale: Scale) -> Found | None:
    """One order, or None. Raises OrderMalformed and what `data_from` does."""
    value = data_from(document, raw)
    return None if value is None else found_from_json(value, by, scale)


# --- of the plugin ------------------------------------------------------------------------------


class _LookRow(Struct):
    id: str
    mark: str


class _Look(Struct):
    revision: str
    orders: Annotated[list[_LookRow], Meta(max_length=MOST_OPEN)] | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """marks: order id -> mark; None where nothing has changed since the revision asked with."""

    revision: str
    marks: Mapping[str, str] | None


def look_from(document: Document, raw: bytes) -> Look:
    look = read_as(_Look, data_from(document, raw), document.result)
    marks = None if look.orders is None else {row.id: row.mark for row in look.orders}
    return Look(look.revision, marks)


class _Claim(Struct):
    granted: bool
    renewed: bool
    holder: str
    order: Any = None


@dataclass(frozen=True, slots=True)
class Claim:
    """renewed: the order was this claim's before. order: None where there is no such order."""

    granted: bool
    renewed: bool
    holder: str
    order: Order | None


def claim_from(document: Document, raw: bytes, by: PickupBy, scale: Scale) -> Claim:
    """Raises OrderMalformed and what `data_from` does."""
    claim = read_as(_Claim, data_from(document, raw), document.result)
    order = None if claim.order is None else found_from_json(claim.order, by, scale).order
    return Claim(claim.granted, claim.renewed, one_line(claim.holder), order)


class Taken(Struct, frozen=True):
    """accepted: how many facts the shop holds of those sent. refused: the fact that it can never
    take, or "". forgot: the newest fact that it has, where it lacks the one before; else None."""

    accepted: int
    refused: str
    reason: str
    forgot: str | None = None


def taken_from(document: Document, raw: bytes) -> Taken:
    return read_as(Taken, data_from(document, raw), document.result)
