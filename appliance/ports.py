"""Every interface of the counter on one page. A driver is real I/O behind one of these.

Threads: each device is spoken to from one thread of its own, which makes all calls but those
marked "any thread". Every call ends within the deadline that the driver was configured with.
Errors: a driver raises the port's own Trouble (domain/errors.py); anything else is a bug.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from appliance.domain.errors import Code, ShopTrouble
from appliance.domain.facts import Fact
from appliance.domain.money import Money
from appliance.domain.order import Order
from appliance.domain.payment import Baseline, Card
from appliance.domain.receipt import Document

# --- what every device can say of itself -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Health:
    """A device as the top bar shows it. code is None when it is well; detail is for the log.
    is_paper_low: a printer's roll is near its end, of which it may say nothing."""

    code: Code | None = None
    detail: str = ""
    is_paper_low: bool = False

    @property
    def is_well(self) -> bool:
        return self.code is None


WELL = Health()

# --- card terminal ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Approved:
    """The money is taken; the terminal will not take it back by itself any more."""

    card: Card


@dataclass(frozen=True, slots=True)
class Declined:
    """Certainly no money moved. text: the terminal's own words, or ""."""

    code: Code
    text: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say yet. Never a decline."""

    code: Code
    reason: str


Outcome = Approved | Declined | Unknown


@dataclass(frozen=True, slots=True)
class Charge:
    """What to authorise. payment_id: what the shop books by, for the trace. baseline: see there.
    order: its number. claim: the id under which the order is ours at the shop. The last two are
    for a terminal that has to be told what it charges for."""

    payment_id: str
    amount: Money
    baseline: Baseline
    order: str = ""
    claim: str = ""


class Prompt(StrEnum):
    """What the customer sees on the terminal, as far as the counter's screen cares."""

    CARD = "card"  # insert, tap or swipe
    PIN = "pin"
    HOST = "host"  # the terminal asks its host
    REMOVE = "remove"  # take the card out
    WAIT = "wait"
    REVERSING = "reversing"  # the terminal takes a booking back
    OTHER = "other"  # see the words


class Slip(StrEnum):
    CUSTOMER = "customer"
    MERCHANT = "merchant"


class TerminalObserver(Protocol):
    """Who listens to a dialogue. Every call returns only when what it says is on disk, except
    `prompt`; the driver acknowledges to the terminal after the return, and not when it raises."""

    def prompt(self, prompt: Prompt, text: str) -> None: ...

    def answered(self, outcome: Approved | Declined) -> None:
        """The terminal's result, before it is acknowledged: not yet the end of the dialogue."""

    def slip(self, kind: Slip, lines: Sequence[str]) -> None:
        """A whole slip that the terminal wants printed."""


@dataclass(frozen=True, slots=True)
class TerminalTraits:
    """recovers: the terminal can be asked for its last transaction. detail: one line for doctor."""

    recovers: bool
    detail: str = ""


class Terminal(Protocol):
    def traits(self) -> TerminalTraits: ...

    def connect(self) -> None:
        """Open the line and register; learns the baseline. Raises TerminalTrouble."""

    def close(self) -> None:
        """Never raises."""

    def check(self) -> Health:
        """Ask the idle terminal how it is; reconnects where needed. Never raises Trouble."""

    def baseline(self) -> Baseline:
        """The last transaction before the next charge: from memory where nobody else can have used
        the terminal, else the terminal is asked. Raises TerminalTrouble when it is not connected,
        does not answer, or its name leads to another one than is connected."""

    def authorise(self, charge: Charge, observer: TerminalObserver) -> Outcome:
        """Charge once. Raises TerminalTrouble only when certainly nothing left the kiosk; after
        the first byte every silence and every nonsense is Unknown."""

    def abort(self) -> None:
        """Ask the running authorise to stop; it still returns what the terminal says.
        Any thread; best effort; never raises Trouble."""

    def last_transaction(self, charge: Charge, observer: TerminalObserver) -> Outcome:
        """What became of this charge: waits (bounded) until the terminal is known idle, asks for
        its last transaction and compares amount, terminal and number with the baseline.
        Approved, Declined (certainly not booked) or Unknown; code PAYMENT_UNRESOLVED when asking
        again cannot help. Never charges."""

    def reverse(self, card: Card, observer: TerminalObserver) -> Outcome:
        """Take back the booking with this receipt number. Approved = taken back."""

    def refund(self, amount: Money, observer: TerminalObserver) -> Outcome: ...

    def end_of_day(self, observer: TerminalObserver) -> Outcome: ...


# --- receipt printer -------------------------------------------------------------------------


class Printer(Protocol):
    def check(self) -> Health:
        """Ask the printer for its status, opening the line where needed. Never raises Trouble.
        A printer that does not answer is gone, never well."""

    def print(self, document: Document, began: Callable[[], None]) -> None:
        """Print one document and cut; returns when the printer has taken all of it and says that
        it is still well. `began` is called (and is durable) before the first byte leaves.
        Raises PrinterTrouble; before `began` nothing is on the paper, after it some may be."""

    def close(self) -> None:
        """Never raises."""


# --- scanner ---------------------------------------------------------------------------------


class Scanner(Protocol):
    def run(
        self,
        scanned: Callable[[str], None],
        refused: Callable[[str], None],
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """Read until `close`; calls opened() once the device is there, scanned(text) for each
        code and refused(why) for what is no code (control characters, too long, too slow).
        Raises ScannerTrouble when the device is gone; the caller runs it again later."""

    def close(self) -> None:
        """Makes `run` return. Any thread; never raises."""


# --- the shop --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seller:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SellerList:
    """Sellers by the hash of their badge: PBKDF2-HMAC-SHA-256(badge, salt, iterations), hex."""

    salt: str = ""
    iterations: int = 0
    by_hash: Mapping[str, Seller] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """The shop asks for an order to be opened at a counter now, such as by a click in its back
    office. id: unique for good, 1 to 64 characters. order: its number. counter: the name of the
    counter that is meant; "" is any of the pickup point's. expires_at: seconds since 1970, UTC."""

    id: str
    order: str
    counter: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All open orders of the pickup point. What is absent is open no longer.

    malformed: orders that the shop sent but that cannot be read, number -> reason. requests: for
    orders to be opened; the shop repeats each until it has expired."""

    etag: str
    orders: tuple[Order, ...]
    malformed: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[OrderRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """The order is this counter's alone for `lease_s` seconds; order is the fresh snapshot."""

    order: Order
    lease_s: int


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """code: why (claimed elsewhere, cancelled, changed …); order: as it is now, if known."""

    code: Code
    detail: str = ""
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class ShopTraits:
    atomic_claim: bool
    detail: str = ""


class ShopForgot(ShopTrouble):
    """The shop has lost what it took: it was restored from a backup. newest: the id of the newest
    fact of this counter that it has, or ""."""

    def __init__(self, newest: str) -> None:
        super().__init__(Code.SHOP_BUSY, f"it has forgotten what came after {newest or 'all'}")
        self.newest = newest


@runtime_checkable
class ShowsCertificate(Protocol):
    """A far side that may have shown a certificate."""

    def certificate_until(self) -> float | None:
        """When the one that it showed last ends, in Unix time; None where it showed none. Any
        thread."""


class Shop(Protocol):
    """The shop link's far side. Calls may come from several threads at once."""

    def traits(self) -> ShopTraits: ...

    def snapshot(self, etag: str, wait_s: int) -> Snapshot | None:
        """The open orders; None when they are still those of `etag`, after up to wait_s seconds.
        Raises ShopTrouble."""

    def order(self, code: str) -> Order:
        """One order by a scanned code or a typed number. Raises OrderTrouble, ShopTrouble."""

    def claim(
        self, order_id: str, claim_id: str, version: str, lease_s: int
    ) -> Claimed | ClaimRefused:
        """Atomically take the order for this counter; a repeat with the same id renews.
        version: what the seller saw; a newer order is refused as changed. Raises ShopTrouble."""

    def deliver(self, facts: Sequence[Fact], after: str = "") -> None:
        """Hand facts over, oldest first; the shop deduplicates by id for good. after: the fact that
        it took before these, or ""; with no facts this only asks whether it still has that one.
        Raises ShopTrouble; SHOP_REFUSES_FACT when the shop will never take one of them, ShopForgot
        when it has not got `after` any more (it kept none of these then)."""

    def sellers(self) -> SellerList:
        """Raises ShopTrouble."""

    def report_health(self, report: Mapping[str, object]) -> None:
        """Raises ShopTrouble."""

    def close(self) -> None:
        """Never raises."""


# --- what is plugged in ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plugged:
    """One device at USB that has a role at this counter, or could have one.

    node: its path. sort: "usbmisc", a printer's; "tty", a serial port; "input", what types. port:
    where it is plugged in, as in /etc/kassa/devices. model: VID:PID in lower case. serial: "" for
    none. role: what udev takes it for, "" for nothing. serves: the role that it has now, "" for
    none. is_adapter: what hangs on it cannot be known. profile: a printer's that suits it, ""."""

    node: str
    sort: str
    port: str
    model: str
    serial: str
    role: str
    serves: str
    name: str
    is_adapter: bool = False
    profile: str = ""


class Plugs(Protocol):
    def look(self) -> tuple[Plugged, ...]:
        """All of them, by their ports; whatever goes meanwhile is left out. Sends nothing to any
        device. Never raises OSError."""

    def roles(self) -> str:
        """The file that gives devices their roles, as it is now; "" when it cannot be read."""
