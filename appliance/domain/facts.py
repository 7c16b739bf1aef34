"""Facts: what happened, never changed afterwards. The journal keeps them; state is their replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

Json: TypeAlias = bool | int | str | list["Json"] | dict[str, "Json"] | None
"""JSON without floats: a fact holds no number that is not exact."""


class Kind(StrEnum):
    """Every kind of fact. `handover.*` and `payment.*` are the events of the two machines."""

    OPENED = "handover.opened"
    CHECK_CONFIRMED = "handover.check_confirmed"
    LINE_TICKED = "handover.line_ticked"
    CLAIM_ASKED = "handover.claim_asked"
    CLAIMED = "handover.claimed"
    CLAIM_REFUSED = "handover.claim_refused"
    NOTHING_DUE = "handover.nothing_due"
    SET_ASIDE = "handover.set_aside"
    RESUMED = "handover.resumed"
    HANDED_OVER = "handover.handed_over"
    PUT_BACK = "handover.put_back"
    GIVEN_BACK = "handover.given_back"  # another cash desk's: only the payment was ours
    LEFT_OPEN = "handover.left_open"  # it ended, but a payment of it still needs a person
    SETTLED = "handover.settled"  # what came after the end has been dealt with

    STARTED = "payment.started"
    STOP_ASKED = "payment.stop_asked"
    ANSWERED = "payment.answered"  # on disk before the terminal gets its acknowledgement
    SLIP = "payment.slip"
    DOUBTFUL = "payment.doubtful"
    APPROVED = "payment.approved"
    DECLINED = "payment.declined"
    UNRESOLVED = "payment.unresolved"
    DECIDED_PAID = "payment.decided_paid"
    DECIDED_NOT_PAID = "payment.decided_not_paid"

    PRINT_QUEUED = "print.queued"
    PRINT_STARTED = "print.started"
    PRINT_FAILED = "print.failed"
    PRINTED = "print.printed"
    PRINT_WAIVED = "print.waived"

    SIGNED_IN = "seller.signed_in"
    SIGNED_OUT = "seller.signed_out"

    LINK_ASKED = "link.asked"
    LINK_OPENED = "link.opened"  # which handover or print job the request came to
    LINK_ANSWERED = "link.answered"

    DEVICE_PAIRED = "device.paired"  # it may send links from the shop's network
    DEVICE_REMOVED = "device.removed"
    DEVICE_ADOPTED = "device.adopted"  # what is plugged in has been given a role
    DEVICE_RELEASED = "device.released"

    FACT_REFUSED = "shop.fact_refused"  # the shop will never take one of our facts
    FACT_SETTLED = "shop.fact_settled"  # a person has told the shop's office

    JOURNAL_SET_ASIDE = "journal.set_aside"  # a damaged file was put away; this one is new
    JOURNAL_ACKNOWLEDGED = "journal.acknowledged"  # a person has read so


OPENS: Final = frozenset(
    {
        Kind.OPENED,
        Kind.PRINT_QUEUED,
        Kind.LINK_ASKED,
        Kind.DEVICE_PAIRED,
        Kind.DEVICE_ADOPTED,
        Kind.FACT_REFUSED,
        Kind.JOURNAL_SET_ASIDE,
        Kind.APPROVED,
        Kind.LEFT_OPEN,
    }
)
"""The kinds that open a subject: it is replayed at start. An approval opens its handover again,
should it come after the end: late money is never lost from sight."""

CLOSES: Final = frozenset(
    {
        Kind.HANDED_OVER,
        Kind.PUT_BACK,
        Kind.GIVEN_BACK,
        Kind.SETTLED,
        Kind.LINK_ANSWERED,
        Kind.DEVICE_REMOVED,
        Kind.DEVICE_RELEASED,
        Kind.PRINTED,
        Kind.PRINT_WAIVED,
        Kind.FACT_SETTLED,
        Kind.JOURNAL_ACKNOWLEDGED,
    }
)
"""The kinds that close one: nothing more is to be done about it."""

REPORTED: Final = frozenset(
    {
        Kind.CLAIMED,
        Kind.STARTED,
        Kind.NOTHING_DUE,
        Kind.SET_ASIDE,
        Kind.HANDED_OVER,
        Kind.PUT_BACK,
        Kind.APPROVED,
        Kind.DECLINED,
        Kind.UNRESOLVED,
        Kind.DECIDED_PAID,
        Kind.DECIDED_NOT_PAID,
    }
)
"""The kinds that the shop is told. That a payment has started is one: should the kiosk die before
its end, the shop keeps the order from every other counter for longer than the lease."""

NO_BODY: Final[Mapping[str, Json]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact that has not happened yet: the journal gives it its id, time and seller."""

    kind: Kind
    subject: str
    body: Mapping[str, Json] = field(default_factory=lambda: NO_BODY)


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of the journal.

    id: unique for good; the shop deduplicates by it. subject: the handover, print job, link or
    device it is about, or "" for one about the counter. at: wall time in ISO 8601 UTC, to be shown
    to people; nothing is ordered by it. seller: the id of who was signed in, or "".
    """

    id: str
    kind: Kind
    subject: str
    at: str
    seller: str = ""
    body: Mapping[str, Json] = field(default_factory=lambda: NO_BODY)
