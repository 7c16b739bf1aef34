"""What kiosks write into an order where the shop has no plugin: private notes, each with a mark.

A note is never changed, and no kiosk touches another's: each writes notes of its own and reads all
of them. So of two kiosks that write a claim at the same time and then read, at least one
sees the other's, provided that the shop's database shows what it has committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from appliance.protocols.shopapi.strict import (
    Key,
    OrderMalformed,
    ShopApiError,
    read_as,
    read_json,
    write_json,
)

_SIGN: Final = "\n[kassa] "
_MOST_NOTES: Final = 1000
_LONGEST_NOTE: Final = 4000
_KIOSK_LENGTH: Final = 80


class Op(StrEnum):
    CLAIM = "claim"  # id: the claim's; the note is deleted when the claim ends
    OPEN = "open"  # id: the payment's; claim: whose
    CLOSED = "closed"  # id: the payment's
    PAID = "paid"  # id: the payment's; the money could not be booked as a payment
    TOLD = "told"  # id: the fact's; something for the office to know, said once


class _Mark(Struct, frozen=True, omit_defaults=True):
    op: Op
    id: Key
    kiosk: Key
    claim: Key | UnsetType = UNSET
    until_s: Annotated[int, Meta(ge=1, le=10**11)] | UnsetType = UNSET
    amount: int | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Mark:
    """One note of a kiosk's. amount: in the shop's units, of a PAID. until_s: when a CLAIM's lease
    ends, in seconds since 1970 by the clock of the shop's server, as its answers tell it. That of
    its database, which dates the notes, may be in another time zone. note: the note's id, or ""
    before it is written."""

    op: Op
    id: str
    kiosk: str
    claim: str = ""
    until_s: int = 0
    amount: int = 0
    note: str = ""


def note_of(mark: Mark, words: str) -> str:
    """The note's text: words for people, then the mark."""
    wire = _Mark(
        mark.op,
        mark.id,
        mark.kiosk[:_KIOSK_LENGTH],
        mark.claim or UNSET,
        mark.until_s or UNSET,
        mark.amount or UNSET,
    )
    members: dict[str, Any] = {"op": wire.op, "id": wire.id, "kiosk": wire.kiosk}
    for name in ("claim", "until_s", "amount"):
        if (value := getattr(wire, name)) is not UNSET:
            members[name] = value
    return f"Kassa: {words[:1000]}{_SIGN}{write_json(members).decode()}"


class _NoteData(Struct):
    note: str = ""


class _Note(Struct):
    id: str
    data: _NoteData


class _History(Struct):
    totalItems: int
    items: list[_Note]


def marks_from(value: object) -> tuple[Mark, ...]:
    """The marks in an order's history; none where it was not asked for. Notes of people, and what
    merely looks like a mark, are left out. Raises OrderMalformed where notes are missing, since
    one of them may be another kiosk's claim."""
    if value is None:
        return ()
    try:
        history = read_as(_History, value, "history")
    except ShopApiError as error:
        raise OrderMalformed(error.where, error.what) from None
    if history.totalItems > min(len(history.items), _MOST_NOTES):
        raise OrderMalformed("history", f"has {history.totalItems} notes, too many to read")
    found = []
    for note in history.items:
        text, sign, mark = note.data.note.rpartition(_SIGN)
        if not sign or len(mark) > _LONGEST_NOTE or not text.startswith("Kassa: "):
            continue
        try:
            wire = read_as(_Mark, read_json(mark.encode("utf-8", "surrogatepass")))
        except ShopApiError:
            continue
        found.append(
            Mark(
                wire.op,
                wire.id,
                wire.kiosk,
                "" if wire.claim is UNSET else wire.claim,
                0 if wire.until_s is UNSET else wire.until_s,
                0 if wire.amount is UNSET else wire.amount,
                note.id,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Books:
    """What the marks of one order come to. Sets, not a sequence: the order of two notes of one
    second is anybody's guess."""

    claims: tuple[Mark, ...]
    opened: tuple[Mark, ...]
    paid: frozenset[str]
    told: frozenset[str]

    def holder(self, kiosk: str, claim: str, now_s: float) -> str:
        """Which kiosk has the order so that this claim must not, or "". now_s: the shop's time.

        A claim lasts for its lease. A payment that is open holds the order for as long as it is,
        against every claim but the one that it belongs to."""
        for mark in self.opened:
            if (mark.kiosk, mark.claim) != (kiosk, claim):
                return mark.kiosk
        for mark in self.claims:
            if (mark.kiosk, mark.id) != (kiosk, claim) and now_s <= mark.until_s:
                return mark.kiosk
        return ""

    def is_open(self, payment: str) -> bool:
        return any(mark.id == payment for mark in self.opened)


def books(marks: Iterable[Mark]) -> Books:
    marks = tuple(marks)
    paid = frozenset(mark.id for mark in marks if mark.op is Op.PAID)
    closed = paid | {mark.id for mark in marks if mark.op is Op.CLOSED}
    return Books(
        tuple(mark for mark in marks if mark.op is Op.CLAIM),
        tuple(m for m in marks if m.op is Op.OPEN and m.id not in closed),
        paid,
        frozenset(mark.id for mark in marks if mark.op is Op.TOLD),
    )
