"""What is on the screen, as data: the only thing that the web layer renders.

A Screen is immutable and complete: whoever has it can draw it. `seq` grows with every change;
a command carries the seq that it was issued on (see commands.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

from appliance.domain.errors import Code
from appliance.domain.money import Money
from appliance.domain.order import Order
from appliance.ports import Health, Prompt, Seller


class Page(StrEnum):
    """Which screen it is. Each has one body type below."""

    IDLE = auto()
    ORDER = auto()
    ASKING = auto()  # the shop is asked: fresh order and claim, or an unknown code
    CHARGING = auto()
    UNKNOWN = auto()
    HAND_OVER = auto()
    REFUSED = auto()  # this code or order cannot be served here: why, and what to do
    NO_RECEIPT = auto()  # paid, but the printer cannot print
    ATTENTION = auto()
    ATTENTION_ITEM = auto()
    DAY = auto()
    PAIRING = auto()  # a device in the shop's network is to be paired
    DEVICES = auto()  # what is plugged in, and what of it may be taken into service
    ENROL = auto()  # a new kiosk: it belongs to no counter until it has scanned a code
    OUT_OF_ORDER = auto()  # nothing can be done at this counter until it is cured


class Action(StrEnum):
    """What a person can do. Buttons, keys and command barcodes all send one of these."""

    CONFIRM = auto()  # the screen's main action
    CANCEL = auto()  # back, stop, no
    NEXT = auto()  # the next entry of a list; at a hand-over: leave it aside for later
    SCAN = auto()  # argument: a code, typed or scanned
    OPEN = auto()  # argument: an order's id, a handover's id on lists, a row's to mark it
    CHECK = auto()  # argument: the check's kind, or "" for the next open one
    TICK = auto()  # argument: the line's index, or "" for the next open one
    REPRINT = auto()  # argument: a handover's id, or "" for the last receipt
    WAIVE_RECEIPT = auto()
    DECIDE_PAID = auto()
    DECIDE_NOT_PAID = auto()
    ATTENTION = auto()  # show the attention list
    DAY = auto()  # show the day's handovers
    PAIR = auto()  # show the code that pairs a device
    DEVICES = auto()  # show what is plugged in
    RELEASE = auto()  # argument: a row's id, or "" for the marked one: it gives its role back
    SIGN_OUT = auto()
    LANGUAGE = (
        auto()
    )  # the screen's next language; by touch and keys a page asks the web layer itself


@dataclass(frozen=True, slots=True)
class Device:
    """One of "terminal", "printer", "scanner", "shop", for the top bar; or "machine",
    which is there only while something is wrong with it."""

    name: str
    health: Health


@dataclass(frozen=True, slots=True)
class Notice:
    """One line that passes: a scan that was refused, a badge that nobody has."""

    code: Code | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OrderRow:
    id: str
    number: str
    customer: str
    cell: str
    due: Money
    is_ready: bool
    ready_at: str
    checks: tuple[str, ...]
    last_day: bool


@dataclass(frozen=True, slots=True)
class Idle:
    """The orders waiting here, most urgent first, at most ROWS of them; `more` are not shown."""

    orders: tuple[OrderRow, ...]
    waiting: int
    more: int
    is_fetched: bool  # False until the shop's first list is there
    new: tuple[str, ...] = ()  # the roles that nobody has and a device waits for


@dataclass(frozen=True, slots=True)
class OrderPage:
    """An order to be charged, or an unpaid one that just failed to be.

    code/reason: why the last try ended (declined, stopped, order changed, claimed elsewhere,
    terminal gone …), "" at first. may_charge: CONFIRM charges. open_checks must be confirmed
    before; is_offline: the figures are those last fetched, not fresh."""

    order: Order
    code: Code | None
    reason: str
    may_charge: bool
    open_checks: tuple[str, ...]
    confirmed: tuple[str, ...]
    is_offline: bool


@dataclass(frozen=True, slots=True)
class Asking:
    what: str  # the order's number, or the code that is being looked up


@dataclass(frozen=True, slots=True)
class Charging:
    """prompt/words: what the terminal shows the customer. words may be ""."""

    order: Order
    amount: Money
    prompt: Prompt
    words: str
    is_stopping: bool


@dataclass(frozen=True, slots=True)
class LogLine:
    """at: local time as text. what: a key that the web layer words; text: what it says beside."""

    at: str
    what: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class UnknownPage:
    """The money may or may not have been taken. ask_until: local time when a person is asked."""

    order: Order
    amount: Money
    code: Code
    reason: str
    log: tuple[LogLine, ...]
    ask_until: str


class Paid(StrEnum):
    CARD = auto()
    ONLINE = auto()
    DECIDED = auto()  # a person read the terminal's slip


class Receipt(StrEnum):
    NONE = auto()
    QUEUED = auto()
    PRINTING = auto()
    PRINTED = auto()
    FAILED = auto()
    WAIVED = auto()


@dataclass(frozen=True, slots=True)
class HandOver:
    order: Order
    paid: Paid
    amount: Money  # what was charged here; zero where it was paid online
    card: str  # scheme and masked PAN
    receipt: Receipt
    ticked: frozenset[int]
    open_checks: tuple[str, ...]
    confirmed: tuple[str, ...]
    may_reprint: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """code and what it is about: an order's number or a scanned code, and the order if known.
    when/where: the shop's words for it, e.g. the other pickup point or the time, or ""."""

    code: Code
    about: str
    detail: str
    order: Order | None


@dataclass(frozen=True, slots=True)
class NoReceipt:
    """The order is paid and its receipt waits; CONFIRM waives it, paper prints it by itself."""

    order: Order
    code: Code


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """One thing that only a person can settle.

    since: ISO 8601 with the local offset. reason: the shop's own words, for its office.
    code: PAYMENT_UNRESOLVED, PAYMENT_LATE, TERMINAL_OTHER_AMOUNT (decide paid / not paid),
    PAID_NOT_HANDED (hand over now), SHOP_REFUSES_FACT (tell the shop's office)."""

    handover: str
    order: str
    customer: str
    amount: Money | None
    code: Code
    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class Attention:
    items: tuple[AttentionItem, ...]
    selected: int


@dataclass(frozen=True, slots=True)
class AttentionDetail:
    """may_decide: DECIDE_PAID and DECIDE_NOT_PAID are offered; needs_seller: sign in first."""

    item: AttentionItem
    terminal_id: str
    last_receipt_no: int | None  # before the charge: a newer one on the slip is this payment
    log: tuple[LogLine, ...]
    may_decide: bool
    needs_seller: bool


@dataclass(frozen=True, slots=True)
class DayRow:
    handover: str
    order: str
    customer: str
    amount: Money
    paid: Paid
    at: str  # local time, HH:MM
    seller: str
    may_reprint: bool


@dataclass(frozen=True, slots=True)
class Day:
    """Today's handovers, newest first, at most ROWS."""

    rows: tuple[DayRow, ...]
    selected: int
    total: int


@dataclass(frozen=True, slots=True)
class Pairing:
    """address: what the device opens, with its code; "" once that counts no longer. device: the
    name of the one that was paired, "" before."""

    address: str
    device: str


class DeviceState(StrEnum):
    SERVES = auto()
    COMING = auto()  # confirmed; it has its role in a moment
    AWAY = auto()  # confirmed, and not plugged in
    OFFERED = auto()
    NAMED = auto()  # not to be offered: an administrator has given the role to another one


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One device, or one that it may be: of an adapter nobody knows what hangs on it.

    id: of this device in this role, and of no other. role: what it is, or would be. place: the
    port's number, "" when it is not plugged in. instead, instead_place: who has the role now.
    profile: what suits a printer, "" where that is set. is_locked: a payment is open."""

    id: str
    role: str
    name: str
    place: str
    state: DeviceState
    instead: str = ""
    instead_place: str = ""
    profile: str = ""
    may_adopt: bool = False
    may_release: bool = False
    is_locked: bool = False


@dataclass(frozen=True, slots=True)
class DeviceList:
    """selected: the marked row, -1 for none: it was pulled out. needs_seller: sign in first."""

    rows: tuple[DeviceRow, ...]
    selected: int
    needs_seller: bool


@dataclass(frozen=True, slots=True)
class Enrol:
    """code: ENROL_WAITING at first, later why the last code did not do; None while the office is
    asked, and when it has answered well. detail: small print. box: what this machine is, for
    whoever compares it with the desk's list. is_scanner_there: codes can be scanned."""

    code: Code | None
    detail: str
    box: str
    is_scanner_there: bool


@dataclass(frozen=True, slots=True)
class OutOfOrder:
    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Where the kiosk's page goes by itself, once for each id: to the caller of a request, who has
    an address for its result, or to the application that is to charge or to print."""

    id: str
    address: str


Body = (
    Idle
    | OrderPage
    | Asking
    | Charging
    | UnknownPage
    | HandOver
    | Refused
    | NoReceipt
    | Attention
    | AttentionDetail
    | Day
    | Pairing
    | DeviceList
    | Enrol
    | OutOfOrder
)

ROWS = 50
"""The most entries of any list on a screen."""


@dataclass(frozen=True, slots=True)
class Screen:
    """actions: what a person may do here; a command that is not among them is refused.

    at: wall time, ISO 8601 with the local offset. attention: how many items wait for a person.
    undelivered: facts that the shop has not got yet. language_turns: how often the scanner asked
    for the next language; which one that is, the page that shows it knows. leave: on the
    idle page; on any, where a payment or a receipt is an application's.
    """

    seq: int
    page: Page
    body: Body
    actions: frozenset[Action]
    at: str
    counter: str
    place: str
    devices: tuple[Device, ...]
    seller: Seller | None
    seller_required: bool
    notice: Notice | None
    attention: int
    handed_over_today: int
    undelivered: int
    language_turns: int = 0
    leave: Leave | None = None
