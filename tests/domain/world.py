"""What really is: the bank, the terminal, the line, the shop, the paper. The counter's memory and
its journal are not here but in counter_half.py, as numbers of states that the real core was in.

Everything is a value. What moves it stands in moves_*.py; what must hold, in world_rules.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum, auto
from functools import cache
from typing import Any, Final, NamedTuple

from appliance.domain.errors import Code
from appliance.domain.facts import Kind
from appliance.domain.money import Money
from appliance.domain.order import Order, OrderStatus
from appliance.ports import ClaimRefused
from tests.domain.search import DUE, EUR, PREPAID

TERMINAL_ID: Final = "28004869"
FIRST_NUMBER: Final = 41  # of the last transaction before the first


class Make(StrEnum):
    """What a terminal does with a booking that nobody acknowledged, and remembers of it then."""

    REVERSES = auto()  # takes it back; its last transaction is that payment, failed
    REVERSES_WITH_NUMBER = auto()  # takes it back; its last transaction is the reversal
    REVERSES_WITHOUT_TRACE = auto()  # takes it back; its last transaction is the one before
    KEEPS = auto()  # keeps it
    FORGETFUL = auto()  # keeps it, and never tells a last transaction


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the search goes: each is a count that only falls, so that the states are finite.

    scans: how often the order is opened anew. payments: attempts to charge, over all of them.
    troubles: crashes, broken lines, lost or repeated answers, failing paper, a full disk: so many
    in all, in any mixture and at any moment. changes: what happens to the order elsewhere.
    waiting: so many questions to the shop, or jobs of the terminal's thread, lie about before the
    seller asks for the next. reprints: wanted copies of a receipt. has_paper: the printer takes
    part; else it never comes to a job's turn.
    """

    scans: int = 2
    payments: int = 2
    troubles: int = 1
    changes: int = 1
    waiting: int = 1
    reprints: int = 1
    has_paper: bool = True
    is_honest: bool = True  # a person who decides has looked, and waited until nothing moves
    make: Make = Make.REVERSES
    is_prepaid: bool = False


class Booking(StrEnum):
    NONE = auto()
    BOOKED = auto()
    TAKEN_BACK = auto()


class Last(NamedTuple):
    """A transaction as the terminal remembers it."""

    number: int
    is_ok: bool
    is_ours: bool  # of our amount
    original: int | None = None  # a reversal names what it reverses


class Phase(StrEnum):
    REST = auto()
    CARD = auto()  # the customer is asked for a card
    HOST = auto()  # the bank is being asked
    OWED = auto()  # there is a result that the kiosk has not acknowledged


class Terminal(NamedTuple):
    phase: Phase = Phase.REST
    payment: str = ""
    last: Last = Last(FIRST_NUMBER, True, False)
    before: Last = Last(FIRST_NUMBER, True, False)
    is_on: bool = True


class Stage(StrEnum):
    """Where the kiosk's dialogue with the terminal stands: one message after the other."""

    NONE = auto()
    ASKED = auto()  # the amount is on its way to the terminal
    WAITING = auto()  # the terminal has it
    ANSWER = auto()  # the result is on its way to the kiosk
    HEARD = auto()  # it is on disk, or should be, and not acknowledged yet
    SLIP = auto()  # the slip is on its way; the terminal commits when it is acknowledged
    SLIP_HEARD = auto()
    END = auto()  # the completion is on its way


class Talk(NamedTuple):
    """The terminal's thread in the kiosk. jobs: what it has still to do. is_dead: nothing goes
    over this line any more, either way, and nobody has noticed. stop: an abort is on its way."""

    jobs: tuple[tuple[Any, ...], ...] = ()
    stage: Stage = Stage.NONE
    handover: str = ""
    payment: str = ""
    heard: tuple[Last, ...] = ()
    is_dead: bool = False
    stop: bool = False
    is_stopped: bool = False  # an abort came before the amount had left


class Wares(NamedTuple):
    """The order as the shop has it. here: paid at this counter, as far as the shop knows."""

    where: str  # "due", "online", "cancelled"
    here: bool = False
    is_handed: bool = False


class Shop(NamedTuple):
    """claim: the handover that holds the order. paid: the payments in its books, each once.
    ahead: so many facts beyond the kiosk's cursor are known to it."""

    where: str = "due"
    claim: str = ""
    open_payment: str = ""
    paid: frozenset[str] = frozenset()
    is_handed: bool = False
    ahead: int = 0

    @property
    def wares(self) -> Wares:
        return Wares(self.where, bool(self.paid), self.is_handed)


class Printer(NamedTuple):
    """jobs: the printer's queue in the kiosk. page: the job that is on the paper now.
    originals: the jobs of which paper without the word copy has come out."""

    jobs: tuple[str, ...] = ()
    page: str = ""
    originals: frozenset[str] = frozenset()


class World(NamedTuple):
    """counter: the state of the counter's half. outbox: the facts that it has still to deliver, as
    kind, handover and payment; durable like the journal whose part it is. desk: claims on their
    way to the shop and back. bank: what became of each payment that was ever sent out. is_misled:
    a person decided on a payment without looking, or against what was to be seen."""

    counter: int
    terminal: Terminal
    troubles: int
    changes: int
    outbox: tuple[tuple[Kind, str, str], ...] = ()
    talk: Talk = Talk()
    desk: tuple[tuple[Any, ...], ...] = ()
    shop: Shop = Shop()
    bank: tuple[tuple[str, Booking], ...] = ()
    printer: Printer = Printer()
    is_misled: bool = False

    def booking(self, payment: str) -> Booking:
        return dict(self.bank).get(payment, Booking.NONE)

    def with_booking(self, payment: str, booking: Booking) -> World:
        bank = dict(self.bank) | {payment: booking}
        return self._replace(bank=tuple(sorted(bank.items())))

    def may_still_book(self, payment: str) -> bool:
        """It is on its way to the terminal, or there."""
        talk, terminal = self.talk, self.terminal
        is_sent = talk.stage is Stage.ASKED and talk.payment == payment and not talk.is_dead
        is_there = terminal.phase in (Phase.CARD, Phase.HOST) and terminal.payment == payment
        return is_sent or is_there or any(job[:3:2] == ("authorise", payment) for job in talk.jobs)

    def may_be_taken_back(self, payment: str) -> bool:
        return self.terminal.phase is Phase.OWED and self.terminal.payment == payment


@cache
def order(wares: Wares) -> Order:
    """The snapshot that the shop sends."""
    is_paid = wares.here or wares.where == "online"
    base = replace(PREPAID if is_paid else DUE, codes=("KO-1042",), checks=())
    status = OrderStatus.CANCELLED if wares.where == "cancelled" else OrderStatus.READY
    status = OrderStatus.HANDED_OVER if wares.is_handed else status
    version = "-".join((wares.where, *["paid"] * wares.here, *["handed"] * wares.is_handed))
    return replace(base, version=version, status=status)


ASKED: Final = Money(1000, EUR)
assert DUE.due == ASKED

_NOT_READY: Final = {
    OrderStatus.CANCELLED: Code.ORDER_CANCELLED,
    OrderStatus.HANDED_OVER: Code.ORDER_HANDED_OVER,
}


def claim(shop: Shop, handover: str, version: str) -> tuple[Shop, ClaimRefused | None]:
    """The shop's compare and set (docs/shop-api.md)."""
    fresh = order(shop.wares)
    if fresh.status in _NOT_READY:
        return shop, ClaimRefused(_NOT_READY[fresh.status], "", fresh)
    if fresh.version != version:
        return shop, ClaimRefused(Code.ORDER_CHANGED, "", fresh)
    if shop.claim not in ("", handover):
        return shop, ClaimRefused(Code.ORDER_CLAIMED, "", fresh)
    return shop._replace(claim=handover), None


def take(shop: Shop, kind: Kind, handover: str, payment: str) -> Shop:
    """What a fact does at the shop (docs/shop-api.md). A payment is booked once for its id."""
    match kind:
        case Kind.STARTED:
            return shop._replace(open_payment=payment)
        case Kind.APPROVED | Kind.DECIDED_PAID:
            is_open = shop.open_payment != payment
            still = shop.open_payment if is_open else ""
            return shop._replace(paid=shop.paid | {payment}, open_payment=still)
        case Kind.DECLINED | Kind.DECIDED_NOT_PAID if shop.open_payment == payment:
            return shop._replace(open_payment="")
        case Kind.HANDED_OVER:
            return shop._replace(is_handed=True, claim="")
        case Kind.PUT_BACK if shop.claim == handover:
            return shop._replace(claim="")
    return shop
