"""The messages of the shop API beside orders: claims, facts, sellers, refusals, and the paths."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from appliance.domain.facts import Fact, Json
from appliance.domain.money import CURRENCIES
from appliance.domain.order import Order
from appliance.protocols.shopapi.orders import order_from_json
from appliance.protocols.shopapi.strict import (
    LINE,
    Amount,
    HugeNumber,
    Key,
    Lease,
    OrderMalformed,
    RepeatedName,
    ShopApiError,
    ShortText,
    Text,
    Time,
    one_line,
    read_as,
    read_json,
    write_json,
)

LONGEST_WAIT_S: Final = 25
"""A shop may hold a poll this long: below the 30 s after which many proxies give up."""
MOST_FACTS: Final = 100
MOST_SELLERS: Final = 1000
MOST_ITERATIONS: Final = 200_000
"""A kiosk hashes one badge in well under a second with this many on a Raspberry Pi 4."""
DEEPEST_BODY: Final = 12
JSON_TYPE: Final = "application/json"
PROBLEM_TYPE: Final = "application/problem+json"  # RFC 9457

# --- paths, below the shop's base URL ---------------------------------------------------------

FACTS_PATH: Final = "/v1/facts"
HEALTH_PATH: Final = "/v1/kiosks/health"


def orders_path(pickup_point: str) -> str:
    return f"/v1/pickup-points/{quote(pickup_point, safe='')}/orders"


def sellers_path(pickup_point: str) -> str:
    return f"/v1/pickup-points/{quote(pickup_point, safe='')}/sellers"


def by_code_path(code: str) -> str:
    return f"/v1/orders/by-code/{quote(code, safe='')}"


def claim_path(order_id: str) -> str:
    return f"/v1/orders/{quote(order_id, safe='')}/claim"


# --- claims -----------------------------------------------------------------------------------


class ClaimRequest(Struct, frozen=True):
    """Body of PUT …/claim. claim_id: the kiosk's own, unique; version: what the seller saw."""

    claim_id: Key
    version: Key
    lease_s: Lease
    pickup_point: Key


class Refusal(StrEnum):
    """Why a claim is refused: member `error` of answer 409."""

    CLAIMED = "claimed"  # another claim holds the order
    CHANGED = "changed"  # the order is newer than the version asked for
    PAID = "paid"  # … and nothing is due any more
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    HANDED_OVER = "handed_over"
    NOT_READY = "not_ready"
    ELSEWHERE = "elsewhere"  # it belongs to another pickup point


@dataclass(frozen=True, slots=True)
class ClaimRefusal:
    """Answer 409. order: as it is now, where the shop sent it and it can be read."""

    error: Refusal
    detail: str = ""
    order: Order | None = None


class _Granted(Struct):
    order: Any
    lease_s: Lease


class _Refused(Struct):
    error: Refusal
    detail: Text = ""
    order: Any = None


def claim_request_message(request: ClaimRequest) -> bytes:
    return write_json(msgspec.to_builtins(request))


def claim_request_from(raw: bytes) -> ClaimRequest:
    return read_as(ClaimRequest, read_json(raw))


def claim_granted_message(order: Mapping[str, Json], lease_s: int) -> bytes:
    return write_json({"order": order, "lease_s": lease_s})


def claim_granted_from(raw: bytes) -> tuple[Order, int]:
    """Answer 200: the fresh order and the seconds that it is the claim's alone.

    Raises OrderMalformed when only the order cannot be read, else ShopApiError."""
    granted = read_as(_Granted, read_json(raw))
    return order_from_json(granted.order), granted.lease_s


def claim_refused_from(raw: bytes) -> ClaimRefusal:
    """Answer 409. An order in it that cannot be read is left out. Raises ShopApiError."""
    refused = read_as(_Refused, read_json(raw))
    if refused.order is None:
        return ClaimRefusal(refused.error, refused.detail)
    try:
        return ClaimRefusal(refused.error, refused.detail, order_from_json(refused.order))
    except OrderMalformed as error:
        return ClaimRefusal(refused.error, f"{refused.detail} (order.{error})")


# --- facts ------------------------------------------------------------------------------------


class FactMessage(Struct, frozen=True):
    """A fact as it travels. kind is free text: a shop keeps those that it does not know."""

    id: Key
    kind: Key
    subject: ShortText
    at: Time
    seller: ShortText = ""
    body: dict[str, Any] = {}


class _FactBody(Struct):
    """What the document says of the members that it names; each may be missing."""

    order: Key | UnsetType = UNSET
    claim: Key | UnsetType = UNSET
    payment: Key | UnsetType = UNSET
    amount: Amount | UnsetType = UNSET
    currency: Annotated[str, Meta(pattern=rf"\A({'|'.join(CURRENCIES)})\Z")] | UnsetType = UNSET
    card: dict[str, Any] | UnsetType = UNSET
    code: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class FactsRequest(Struct, frozen=True):
    """after: the id of the fact that the shop took before these, or ""; without facts it is only
    asked whether it has that one."""

    facts: Annotated[list[FactMessage], Meta(max_length=MOST_FACTS)]
    after: ShortText = ""


class _Accepted(Struct):
    accepted: Annotated[int, Meta(ge=0, le=MOST_FACTS)]


class _Forgotten(Struct):
    newest: ShortText


class FactRefusal(Struct, frozen=True):
    """Answer 422: the shop will never take this fact. It kept none of the request."""

    refused: Key
    reason: Text = ""


def facts_message(facts: Sequence[Fact], after: str = "") -> bytes:
    """At most MOST_FACTS of them. after: see FactsRequest."""
    return write_json(
        {
            **({"after": after} if after else {}),
            "facts": [
                {
                    "id": fact.id,
                    "kind": fact.kind,
                    "subject": fact.subject,
                    "at": fact.at,
                    "seller": fact.seller,
                    "body": dict(fact.body),
                }
                for fact in facts
            ],
        }
    )


def facts_from(raw: bytes) -> FactsRequest:
    request = read_as(FactsRequest, read_json(raw))
    for number, fact in enumerate(request.facts):
        _readable(fact.body, f"facts[{number}].body", DEEPEST_BODY, exact=True)
    return request


def fact_body_flaw(fact: FactMessage) -> str:
    """Where its body is not as the document says, or "": for a shop, which then refuses this fact
    by its id. A request that is refused as a whole would come again for ever."""
    try:
        read_as(_FactBody, fact.body, "body")
    except ShopApiError as error:
        return str(error)
    return ""


def _readable(value: object, where: str, depth: int, *, exact: bool) -> None:
    """Free-form JSON: no more levels than a reader needs; no floats where it must be exact."""
    if isinstance(value, RepeatedName | HugeNumber) or (exact and isinstance(value, float)):
        raise ShopApiError(where, f"got {type(value).__name__}")
    if isinstance(value, dict | list) and depth == 0:
        raise ShopApiError(where, "nested too deeply")
    if isinstance(value, dict):
        for name, member in value.items():
            _readable(member, f"{where}.{name}", depth - 1, exact=exact)
    if isinstance(value, list):
        for number, member in enumerate(value):
            _readable(member, f"{where}[{number}]", depth - 1, exact=exact)


def accepted_message(count: int) -> bytes:
    return write_json({"accepted": count})


def accepted_from(raw: bytes) -> int:
    """How many facts of the request the shop now holds, new and known ones alike."""
    return read_as(_Accepted, read_json(raw)).accepted


def forgotten_from(raw: bytes) -> str:
    """Answer 409: the shop has no fact `after`. The id of the newest that it has, or ""."""
    return read_as(_Forgotten, read_json(raw)).newest


def fact_refused_from(raw: bytes) -> FactRefusal:
    return read_as(FactRefusal, read_json(raw))


# --- sellers ----------------------------------------------------------------------------------


class SellerRow(Struct, frozen=True):
    """badge_hash: see the function of that name."""

    id: Key
    name: Text
    badge_hash: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class SellersMessage(Struct, frozen=True):
    """The sellers of a pickup point; salt and iterations hold for all of them."""

    salt: Annotated[str, Meta(min_length=8, max_length=64, pattern=LINE)]
    iterations: Annotated[int, Meta(ge=1, le=MOST_ITERATIONS)]
    sellers: Annotated[tuple[SellerRow, ...], Meta(max_length=MOST_SELLERS)]


def badge_hash(badge: str, salt: str, iterations: int) -> str:
    """PBKDF2-HMAC-SHA-256 (RFC 8018, 5.2) of the badge's text: 32 bytes as lower-case hex.

    Badge and salt are taken as UTF-8. iterations: 1 to MOST_ITERATIONS.
    """
    assert 1 <= iterations <= MOST_ITERATIONS
    return hashlib.pbkdf2_hmac("sha256", badge.encode(), salt.encode(), iterations).hex()


def sellers_message(sellers: SellersMessage) -> bytes:
    return write_json(msgspec.to_builtins(sellers))


def sellers_from(raw: bytes) -> SellersMessage:
    """Raises ShopApiError, also where two sellers share a badge: who of them it is, is unsure."""
    return sellers_from_json(read_json(raw))


def sellers_from_json(value: object, where: str = "") -> SellersMessage:
    """The same from a JSON value; where: its place in the message."""
    message = read_as(SellersMessage, value, where)
    seen: set[str] = set()
    for number, seller in enumerate(message.sellers):
        if seller.badge_hash in seen:
            raise ShopApiError(f"sellers[{number}].badge_hash", "stands twice")
        seen.add(seller.badge_hash)
    return message


# --- health and problems ----------------------------------------------------------------------

Report = dict[str, Any]


def health_from(raw: bytes) -> Report:
    """A kiosk's report: any JSON object of at most DEEPEST_BODY levels."""
    report = read_as(dict[str, Any], read_json(raw))
    _readable(report, "report", DEEPEST_BODY, exact=False)
    return report


class _Problem(Struct):
    title: str = ""
    detail: str = ""


def problem_message(status: int, title: str, detail: str = "", **members: object) -> bytes:
    """RFC 9457. members: the extension members of this problem."""
    return write_json({"title": title, "status": status, "detail": detail, **members})


def problem_text(raw: bytes) -> str:
    """One line for the log of what a problem says; "" where it is none. Never raises."""
    try:
        problem = read_as(_Problem, read_json(raw))
    except ShopApiError:
        return ""
    return one_line(": ".join(part for part in (problem.title, problem.detail) if part))
