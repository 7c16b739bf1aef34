"""What a shop asks of its counters beside the orders: to open one of them now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from appliance.protocols.shopapi.strict import LINE, Key, ShopApiError, ShortText, one_line, read_as

MOST_REQUESTS: Final = 16
LATEST: Final = 999_999_999_999
"""Seconds since 1970: twelve digits, as the seals of links have."""


class RequestRow(Struct, frozen=True):
    """Open this order at a counter now. id: unique for good. order: its number. counter: the name
    of the counter that is meant, "" for any of the pickup point's. expires_at: seconds since 1970,
    UTC; from then on nobody opens it."""

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=LINE)]
    order: Key
    expires_at: Annotated[int, Meta(ge=0, le=LATEST)]
    counter: ShortText = ""


class _Rows(Struct):
    requests: Annotated[list[Any], Meta(max_length=MOST_REQUESTS)]


def requests_from(value: object) -> tuple[tuple[RequestRow, ...], Mapping[str, str]]:
    """The sound ones in their order, and the others: id or "#index" -> reason. Raises nothing."""
    try:
        rows = read_as(_Rows, {"requests": value}).requests
    except ShopApiError as error:
        return (), {"all": str(error)}
    sound: dict[str, RequestRow] = {}
    malformed: dict[str, str] = {}
    twice: set[str] = set()
    for index, row in enumerate(rows):
        try:
            found = read_as(RequestRow, row)
        except ShopApiError as error:
            malformed[_name(row, index)] = str(error)
            continue
        if found.id in sound:
            twice.add(found.id)
        sound[found.id] = found
    for request_id in twice:  # which of the two holds nobody can say
        malformed[one_line(sound.pop(request_id).id)] = "the request stands twice"
    return tuple(sound.values()), malformed


def _name(row: object, index: int) -> str:
    if isinstance(row, dict) and isinstance(name := row.get("id"), str) and name:
        return one_line(name[:64])
    return f"#{index}"
