"""JSON as WooCommerce writes it, read without a float anywhere."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from appliance.domain.errors import ProtocolError
from appliance.protocols.shopapi import ShopApiError, one_line
from appliance.protocols.shopapi.strict import HugeNumber, RepeatedName, T, read_as

LONGEST_NUMBER: Final = 18
"""Digits. PHP writes a price as a float with up to 17 of them."""
_PHP_SAYS: Final = re.compile(rb"\s*(?:<br />\s*)?<b>(?:Warning|Notice|Deprecated|Fatal error)</b>")


class WooError(ProtocolError):
    """The bytes are not what WooCommerce's REST API, version 3, says. where: the field."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(one_line(f"{where}: {what}" if where else what))
        self.where = where
        self.what = what


class WooMalformed(WooError):
    """One order cannot be read; the rest of the message may be sound."""


def read_json(raw: bytes) -> Any:
    """The value of this JSON. Numbers with a point become Decimal; one of more than 18 digits and
    an object with one name twice become values that no field takes. Raises WooError."""
    if _PHP_SAYS.match(raw):
        # Whatever follows may be right, but a shop that talks so may also stop half-way.
        raise WooError("", "a message of PHP stands before the JSON: set display_errors to off")
    try:
        return json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_refuse_constant,
        )
    except ValueError as error:  # no UTF-8 or no JSON
        raise WooError("", f"not JSON: {error}") from None
    except RecursionError:
        raise WooError("", "not JSON: nested too deeply") from None


def convert(kind: type[T], value: object, where: str = "") -> T:
    """`value` as `kind`. Raises WooError, which names the field."""
    try:
        return read_as(kind, value, where)
    except ShopApiError as error:
        raise WooError(error.where, error.what) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | RepeatedName:
    members = dict(pairs)
    return members if len(members) == len(pairs) else RepeatedName()


def _integer(digits: str) -> int | HugeNumber:
    return int(digits) if len(digits) <= LONGEST_NUMBER else HugeNumber()


def _decimal(digits: str) -> Decimal | HugeNumber:
    # With an exponent, twenty characters can say a number of a billion digits.
    is_plain = len(digits) <= 2 * LONGEST_NUMBER and "e" not in digits.lower()
    return Decimal(digits) if is_plain else HugeNumber()


def _refuse_constant(name: str) -> None:
    raise WooError("", f"not JSON: {name}")


# --- what is no order -------------------------------------------------------------------------


class _Problem(Struct):
    """An error of WordPress: WP_REST_Server::error_to_response."""

    code: Annotated[str, Meta(max_length=100)]
    message: str = ""


def problem_from(raw: bytes) -> tuple[str, str]:
    """Code and message of an error, each one line; ("", "") where the bytes are none."""
    try:
        found = convert(_Problem, read_json(raw))
    except WooError:
        return "", ""
    return one_line(found.code), one_line(found.message)


class _Note(Struct):
    note: str


def notes_from(raw: bytes) -> tuple[str, ...]:
    """The texts of an order's notes (GET orders/<id>/notes). Raises WooError."""
    return tuple(note.note for note in convert(list[_Note], read_json(raw)))
