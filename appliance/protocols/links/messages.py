"""What every dialect of link comes to: one request and one result.

A dialect reads a link into a `Link` and writes the address that its `Result` opens. Nothing in a
`Link` is believed yet: the seal is not verified, the callbacks are not among the allowed ones, the
order has not been looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from appliance.domain.errors import ProtocolError
from appliance.domain.money import Money

LONGEST_LINK: Final = 8192
"""Characters. Browsers and QR codes carry less; a PayPal invoice may need this much."""
LONGEST_ORDER: Final = 128
LONGEST_REFERENCE: Final = 128

NONE: Final[Mapping[str, str]] = MappingProxyType({})


class LinkError(ProtocolError):
    """No link that we understand. reason: which of the table of reasons it is; the text says what
    is wrong and holds nothing of the link but names of parameters. link: where the format and the
    addresses to answer could be read, what is needed to tell the caller in its own format; its
    order may be "" and its amount may be missing."""

    def __init__(self, reason: Reason, text: str, link: Link | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.link = link


class Act(StrEnum):
    SELL = "sell"
    """The whole of it: open the order, charge, print, hand over."""
    PAY = "pay"
    """The terminal only: receipt and goods are the caller's."""
    PRINT = "print"
    """The printer only: the order's receipt."""
    STATUS = "status"
    """Starts nothing: what became of the payment with this id, which the caller asked for."""


class Outcome(StrEnum):
    """How a request ended. There is none for "not known yet": that is no end."""

    PAID = "paid"
    PRINTED = "printed"
    CANCELLED = "cancelled"
    """Certainly not charged: a person stopped it, or time did."""
    DECLINED = "declined"
    """Certainly not charged: the terminal or its host refused."""
    REFUSED = "refused"
    """Certainly not charged: nothing was begun."""


class Reason(StrEnum):
    """Why it was not done; each dialect has its own code for it."""

    NONE = ""
    MALFORMED = "malformed"
    VERSION = "version"  # of the format
    TENDER = "tender"  # the caller excludes cards
    SEAL = "seal"  # unsigned, wrongly signed, too old, used before for something else
    CALLBACK = "callback"  # an address that is not allowed
    ORDER_UNKNOWN = "order_unknown"
    ORDER_NOT_HERE = "order_not_here"  # cancelled, handed over, elsewhere, not ready …
    AMOUNT_MALFORMED = "amount_malformed"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    AMOUNT_DIFFERS = "amount_differs"  # from what the shop's order says
    CURRENCY_DIFFERS = "currency_differs"
    NOT_PAID = "not_paid"  # a receipt of what was not paid
    NEVER_ASKED = "never_asked"  # nobody has asked for the payment with this id
    BUSY = "busy"  # too many wait
    BY_SELLER = "by_seller"
    TIMED_OUT = "timed_out"
    CARD_DECLINED = "card_declined"
    TERMINAL = "terminal"  # it cannot take part
    PRINTER = "printer"
    SHOP = "shop"  # it cannot be asked
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Seal:
    """What makes a link somebody's. text: what was signed (see signing.py)."""

    key_id: str
    nonce: str
    expires_at: int  # seconds since 1970, UTC
    signature: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Where the caller wants to hear of it: templates of addresses, "" for none. Formats that have
    one address for all ends have it in all three."""

    success: str = ""
    failure: str = ""
    cancelled: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(each for each in (self.success, self.failure, self.cancelled) if each)
        )


@dataclass(frozen=True, slots=True)
class Link:
    """One request.

    dialect: its name in dialects.py. order: the order's number or code at the shop. reference:
    what is the same in a repeat and different in another request, by the format's own notion.
    amount: what the caller thinks is due, if it says so. back: what the answer has to repeat.
    claim, payment: ids that a cash desk before us has at the shop already, or "".
    """

    dialect: str
    act: Act
    order: str
    reference: str
    amount: Money | None = None
    callbacks: Callbacks = field(default_factory=Callbacks)
    seal: Seal | None = None
    back: Mapping[str, str] = field(default_factory=lambda: NONE)
    claim: str = ""
    payment: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """How a request ended. code: Kassa's own code for it, such as K-PAY-01, or "". text: words for
    a person, in English. amount: what was charged, or was due. payment: the id of the payment.
    The rest is the card's, from the terminal, where one was used: scheme, masked number, terminal,
    and its receipt and trace number. at: seconds since 1970, UTC."""

    outcome: Outcome
    reason: Reason
    order: str
    at: int
    amount: Money | None = None
    code: str = ""
    text: str = ""
    payment: str = ""
    scheme: str = ""
    pan: str = ""
    terminal: str = ""
    receipt_no: str = ""
    trace_no: str = ""
