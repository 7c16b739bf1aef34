"""Strict JSON, and the bounds of every field of the shop API."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from appliance.domain.errors import ProtocolError
from appliance.domain.money import LARGEST_AMOUNT

LONGEST_LEASE_S: Final = 7200


class ShopApiError(ProtocolError):
    """The bytes are not what the contract says. where: the field, such as "lines[2].total"."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(one_line(f"{where}: {what}" if where else what))
        self.where = where
        self.what = what


class OrderMalformed(ShopApiError):
    """One order cannot be read; the rest of the message may be sound."""


def one_line(text: str) -> str:
    """Text from outside, fit for a log: one line, at most 300 characters, all of them printable."""
    return "".join(c if c.isprintable() else "?" for c in text[:300])


# --- the bounds of every field ----------------------------------------------------------------
# A later release may widen them, never narrow them: journals hold orders that passed these.

LINE: Final = r"\A[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*\Z"
LINES: Final = r"\A[^\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]*\Z"
TIME: Final = (
    r"\A([0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?\Z"
)
Key = Annotated[str, Meta(min_length=1, max_length=80, pattern=LINE)]
ShortText = Annotated[str, Meta(max_length=80, pattern=LINE)]
Text = Annotated[str, Meta(max_length=300, pattern=LINE)]
Note = Annotated[str, Meta(max_length=1000, pattern=LINES)]
Time = Annotated[str, Meta(max_length=40, pattern=TIME)]
Decimal3 = Annotated[str, Meta(pattern=r"\A[0-9]{1,10}(\.[0-9]{1,3})?\Z")]
Amount = Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)]
SignedAmount = Annotated[int, Meta(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT)]
NegativeAmount = Annotated[int, Meta(ge=-LARGEST_AMOUNT, le=0)]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000)]
Lease = Annotated[int, Meta(ge=1, le=LONGEST_LEASE_S)]

# --- JSON -------------------------------------------------------------------------------------


def read_json(raw: bytes) -> Any:
    """The value of strict JSON: UTF-8, no NaN. Raises ShopApiError.

    An object with one name twice and a number of more than 18 digits, however it is written,
    become values that no field takes: readers differ in what those mean, and with an amount that
    may be a wrong charge. So one bad order does not spoil the message that it came in.
    """
    try:
        return json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_refuse_constant,
        )
    except ValueError as error:  # no UTF-8 or no JSON
        raise ShopApiError("", f"not JSON: {error}") from None
    except RecursionError:
        raise ShopApiError("", "not JSON: nested too deeply") from None


class RepeatedName:
    """Stands for an object in which one name stands twice."""


class HugeNumber:
    """Stands for a number of more than 18 digits, of which 1e999 is one."""


def write_json(value: object) -> bytes:
    """Compact JSON in ASCII: what is escaped cannot fail to be encoded."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | RepeatedName:
    members = dict(pairs)
    return members if len(members) == len(pairs) else RepeatedName()


def _integer(digits: str) -> int | HugeNumber:
    return int(digits) if len(digits.removeprefix("-")) <= 18 else HugeNumber()


def _float(digits: str) -> float | HugeNumber:
    value = float(digits)
    return value if abs(value) < 1e18 else HugeNumber()


def _refuse_constant(name: str) -> None:
    raise ShopApiError("", f"not JSON: {name}")


T = TypeVar("T")
_MISSING: Final = re.compile(r"Object missing required field `(.+)`\Z")


def read_as(kind: type[T], value: object, where: str = "") -> T:
    """`value` as `kind`; `where` is the place of `value` in the message. Raises ShopApiError."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        path = _join(where, path.removesuffix("`"))
        if missing := _MISSING.match(what):
            raise ShopApiError(_join(path, "." + missing[1]), "missing") from None
        raise ShopApiError(path, what.replace("`", "").replace("Expected", "expected")) from None
    except UnicodeEncodeError:  # in the name of a member, or where one of a few words must stand
        raise ShopApiError(where, "got half a character (a lone surrogate)") from None


def _join(where: str, path: str) -> str:
    return (where + path) if where else path.removeprefix(".")
