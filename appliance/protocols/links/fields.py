"""What the dialects read alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.money import CURRENCIES, Money, MoneyError
from appliance.protocols.links.address import origin, refuse_names
from appliance.protocols.links.messages import (
    LONGEST_ORDER,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
)
from appliance.protocols.links.signing import TIME

LONGEST_ID: Final = 80
"""Characters of a claim's or a payment's id, as in the shop API."""
LONGEST_TEXT: Final = 300

_CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")
_MINOR: Final = re.compile(r"(?:0|[1-9][0-9]{0,11})\Z")
_HUGE: Final = re.compile(r"[0-9]{10,40}(?:\.[0-9]{1,6})?\Z")


@contextmanager
def telling(link: Link) -> Iterator[None]:
    """A LinkError that is raised inside carries `link`, so that the caller can be told."""
    try:
        yield
    except LinkError as error:
        raise LinkError(error.reason, str(error), link) from None


def word(text: str, where: str, longest: int, *, least: int = 1) -> str:
    """Text that a screen shows and a log keeps: printable, no space at its ends, `least` to
    `longest` characters. where: the parameter. Raises LinkError."""
    if not least <= len(text) <= longest or not text.isprintable() or text != text.strip():
        raise LinkError(Reason.MALFORMED, f"{where}: missing, too long or not printable")
    return text


def shown(text: str, longest: int) -> str:
    """Text of our own or of a device, made into what `word` takes, or "": a result must not be
    refused for a line end in its words."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return printable.strip()[:longest].strip()


def order(text: str, where: str) -> str:
    """The order's number or code. Raises LinkError."""
    return word(text, where, LONGEST_ORDER)


def time(text: str, where: str) -> int:
    """Seconds since 1970. Raises LinkError."""
    if not TIME.match(text):
        raise LinkError(Reason.MALFORMED, f"{where}: no number of seconds")
    return int(text)


def callback(text: str, where: str, names: Iterable[str]) -> str:
    """An address to open in return, or "". names: the parameters of the response, of which it may
    have none yet. Whether it is allowed is decided elsewhere. Raises LinkError."""
    if text:
        try:
            origin(text)
        except LinkError as error:
            raise LinkError(Reason.CALLBACK, f"{where}: {error}") from None
        refuse_names(text, names, where)
    return text


def chosen(callbacks: Callbacks, outcome: Outcome) -> str:
    """Which of the addresses hears of this outcome, or ""."""
    if outcome in (Outcome.PAID, Outcome.PRINTED):
        return callbacks.success
    if outcome is Outcome.CANCELLED and callbacks.cancelled:
        return callbacks.cancelled
    return callbacks.failure


# --- money ------------------------------------------------------------------------------------


def minor(text: str, code: str, *, least: int = 0) -> Money:
    """An amount in minor units, without sign, leading zeros and point. least: what the format
    takes, in minor units. Raises LinkError."""
    check_currency(code)
    if _MINOR.match(text):
        return _at_least(Money.of(int(text), code), least)
    raise _amount_error(text)


def decimal(text: str, code: str, *, least: int = 0) -> Money:
    """An amount such as "12.34", with no more digits than the currency has. Raises LinkError."""
    check_currency(code)
    try:
        found = Money.parse(text, code)
    except MoneyError:
        raise _amount_error(text) from None
    if found.amount < 0:
        raise _amount_error(text)
    return _at_least(found, least)


def _at_least(amount: Money, least: int) -> Money:
    if amount.amount < least:
        raise LinkError(Reason.AMOUNT_TOO_SMALL, "the amount is too small")
    return amount


def _amount_error(text: str) -> LinkError:
    if _HUGE.match(text):
        return LinkError(Reason.AMOUNT_TOO_LARGE, "the amount is too large")
    return LinkError(Reason.AMOUNT_MALFORMED, "the amount is missing or malformed")


def check_currency(code: str) -> None:
    """Raises LinkError for what is no ISO 4217 code, and for one that Kassa does not know."""
    if not _CURRENCY.match(code):
        raise LinkError(Reason.MALFORMED, "the currency is missing or malformed")
    if code not in CURRENCIES:
        raise LinkError(Reason.CURRENCY_DIFFERS, "a currency that we do not know")


# --- JSON -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A number of JSON as it was written: no float ever."""

    text: str


def json_object(text: str, where: str) -> dict[str, Any]:
    """The members of a JSON object, strictly read: no name twice, no NaN. Raises LinkError."""
    try:
        found = json.loads(
            text,
            object_pairs_hook=_members,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise LinkError(Reason.MALFORMED, f"{where}: no JSON object that means one thing only")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _constant(name: str) -> None:
    raise ValueError


def text_of(members: dict[str, Any], name: str) -> str:
    """A member that is text, or "" where it is missing. Raises LinkError."""
    value = members.get(name, "")
    if not isinstance(value, str):
        raise LinkError(Reason.MALFORMED, f"{name}: not text")
    return value


def digits_of(members: dict[str, Any], name: str) -> str:
    """A member that is a number, or text that should be one, as it was written; "" where it is
    missing. Raises LinkError."""
    value = members.get(name, "")
    return value.text if isinstance(value, Number) else text_of(members, name)
