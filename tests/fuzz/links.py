"""Links of every format, their results, and the addresses that they want opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from appliance.protocols.links import dialects, fields, kassa
from appliance.protocols.links.address import fill, origin, refuse_names
from appliance.protocols.links.messages import (
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
)
from tests.fuzz.target import demand

_AT: Final = 1_790_000_000
_TO_US: Final = (kassa.RESULT_CALLBACK,) * 3
_WITHOUT_AMOUNT: Final = ("kassa", "x-callback")
_ENDS: Final = (
    Result(Outcome.PAID, Reason.NONE, "1", _AT, payment="P 1"),
    Result(Outcome.CANCELLED, Reason.BY_SELLER, "1", _AT),
    Result(Outcome.REFUSED, Reason.BUSY, "1", _AT, text="a&b=c#d"),
)


def link(parse: Callable[[str], Link], build: Callable[[Link], str]) -> Callable[[bytes], None]:
    """A check of one format's reader, with the writer of the same format."""

    def check(data: bytes) -> None:
        try:
            found = parse(data.decode("utf-8", "replace"))
        except LinkError as error:
            _refused(error)
            raise
        _answered(found)
        plain = replace(found, seal=None, reference=found.order)
        if found.amount is not None or found.dialect in _WITHOUT_AMOUNT:
            demand(parse(build(plain)) == plain, "written, it is another link")

    return check


def _refused(error: LinkError) -> None:
    said = str(error)
    demand(len(said) <= 300 and said.isprintable(), "not fit for a log")
    demand(error.reason is not Reason.NONE, "refused without a reason")
    if error.link is not None:
        _answered(error.link)


def _answered(found: Link) -> None:
    for result in _ENDS:
        opened = dialects.respond(found, result)
        wanted = fields.chosen(found.callbacks, result.outcome)
        demand((opened is None) == (not wanted), "an answer to nobody, or none")
        if opened is not None:
            demand(origin(opened) == origin(wanted), "an answer to somebody else")


def result(data: bytes) -> None:
    found, reference, _ = kassa.parse_result(data.decode("utf-8", "replace"))
    asked = Link("kassa", Act.PAY, "1", reference, callbacks=Callbacks(*_TO_US))
    again = kassa.respond(asked, found)
    demand(again is not None, "no answer")
    demand(kassa.parse_result(again or "")[:2] == (found, reference), "written, it is another")


def address(data: bytes) -> None:
    """A template: what is filled in does not change who hears of it."""
    template = data.decode("utf-8", "replace")
    wanted = origin(template)
    opened = fill(template, (("status", "//@evil.example"), ("b", "")), {"Type": "@e.example:1/"})
    demand(origin(opened) == wanted, "an answer to somebody else")
    demand(opened.isascii() and opened.isprintable(), "a character that no address has")
    refuse_names(template, ("status",), "callback")
