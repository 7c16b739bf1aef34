"""What is going to happen in the town, drawn from a seed before anything does.

A plan is a list of events that stand for themselves: leave one out, and the others happen all the
same. That is what makes a story short (story.py).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

DAY_S: Final = 86_400.0
OPEN_S: Final = 1800.0  # so long a day's business lasts; the rest of the day the kiosks are off
VISITS_A_DAY: Final = 9  # at each kiosk
FAULTS_A_DAY: Final = (0, 6, 12, 20, 30, 45)
KIOSKS: Final = 3


class Fault(StrEnum):
    """What can go wrong, as one says it. The first word is whose trouble it is."""

    POWER_CUT = "kiosk: the power goes"
    KILLED = "kiosk: the program is killed"
    STOPPED = "kiosk: the program is stopped in good order and started again"
    DISK_FULL = "kiosk: the disk is full"
    CLOCK_JUMPS = "kiosk: the clock jumps"

    TERMINAL_CABLE = "terminal: its cable comes out"
    TERMINAL_PLUG = "terminal: its plug is pulled"
    TERMINAL_SILENT = "terminal: it stops talking"
    TERMINAL_NOISE = "terminal: bytes are lost, repeated and broken on its line"
    TERMINAL_LATE = "terminal: its line is slow and cuts messages in pieces"
    ANSWER = "terminal: something becomes of the next result"
    SLOW_HOST = "terminal: its host is slow beyond every deadline"
    NOT_TAKEN = "terminal: it does not take the next frames (NAK)"
    BUSY_AFTER = "terminal: it stays busy after a loss"
    REFUSES = "terminal: it refuses payments"
    FORGETS = "terminal: it cannot tell its last transaction"
    ANOTHER_TILL = "terminal: somebody pays at it from another till"
    IGNORES_ABORT = "terminal: it acknowledges an abort and goes on"

    NO_PAPER = "printer: the paper is out"
    COVER = "printer: its cover is open"
    PRINTER_CABLE = "printer: its cable comes out"
    PRINTER_OFF = "printer: its power goes"
    PRINTER_SILENT = "printer: it answers nothing"
    JAM = "printer: the cutter jams at the next cut"

    NETWORK_DOWN = "network: nothing passes"
    NETWORK_LOSSY = "network: requests and answers are lost and late"

    SHOP_DOWN = "shop: it is down"
    SHOP_ERRORS = "shop: it answers with errors (500, 503, 429)"
    SHOP_NONSENSE = "shop: it answers with something else"
    SHOP_RESTORED = "shop: it is restored from this morning's backup"

    CANCELLED = "staff: an order is cancelled"
    PAID_ONLINE = "staff: an order is paid on the website"
    EDITED = "staff: an order gets another line"
    TOUCHED = "staff: an order gets a new version"


MOMENTS: Final = frozenset(
    {
        Fault.POWER_CUT, Fault.KILLED, Fault.STOPPED, Fault.CLOCK_JUMPS, Fault.JAM,
        Fault.ANOTHER_TILL,
        Fault.SHOP_RESTORED, Fault.CANCELLED, Fault.PAID_ONLINE, Fault.EDITED, Fault.TOUCHED,
    }
)  # fmt: skip
"""Those that are over at once; the others last, and are put right."""

EVERYWHERE: Final = frozenset(
    {Fault.SHOP_DOWN, Fault.SHOP_ERRORS, Fault.SHOP_NONSENSE, Fault.SHOP_RESTORED}
)
"""Those that are no one kiosk's."""

OFTEN: Final = (
    Fault.POWER_CUT, Fault.POWER_CUT, Fault.POWER_CUT, Fault.KILLED, Fault.KILLED,
    Fault.ANSWER, Fault.ANSWER, Fault.ANSWER, Fault.TERMINAL_CABLE, Fault.TERMINAL_PLUG,
    Fault.TERMINAL_NOISE, Fault.NETWORK_LOSSY, Fault.NETWORK_DOWN, Fault.DISK_FULL,
    Fault.FORGETS, Fault.ANOTHER_TILL,
)  # fmt: skip
"""The dangerous ones come more often than the rest, of which each comes once."""


class Quirk(StrEnum):
    """What a customer, or the seller with this customer, does besides what is usual."""

    DECLINED_FIRST = "the first card is declined"
    RED_KEY = "the customer presses the red key"
    WALKS_AWAY = "the customer walks away from the terminal"
    TAPS_LATE = "the customer taps late"
    SELLER_STOPS = "the seller stops the payment while the customer taps"
    CHANGES_MIND = "the customer does not want it after all"
    SCANNED_TWICE = "the code is read twice"
    TAPPED_TWICE = "the seller's tap counts twice"
    ASIDE = "the customer pays and comes back for the goods later"
    REPRINT = "the customer wants the receipt once more"
    TYPED = "the seller types the number"


WAITING: Final = 0.3  # of troubles come in the middle of a payment, where they matter most
COMPANY: Final = 0.3  # of troubles come with another one at the same counter, as they do


@dataclass(frozen=True, slots=True)
class Visit:
    """A customer comes for an order. order: its number among the day's; -n: a sample's.
    comes_again: with the code of goods that may have left."""

    at_s: float
    kiosk: int
    day: int
    order: int
    quirks: frozenset[Quirk]
    lot: int
    comes_again: bool = False

    def __str__(self) -> str:
        return f"a customer for order {self.order} at kiosk {self.kiosk}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """after: so many writes and syncs of the kiosk's disk later, where the power goes just there;
    0 is at once. waits: until the kiosk's next charge is under way."""

    at_s: float
    kiosk: int
    fault: Fault
    lasts_s: float
    after: int
    lot: int
    waits: bool = False


Event = Visit | Trouble


@dataclass(frozen=True, slots=True)
class Terms:
    """What a kiosk is. Of its terminal, in the words of SimulatorOptions: commit, after_reversal,
    decline_ends; of its configuration: offline_limit, require_seller, keep_days."""

    is_network: bool
    commit: str
    after_reversal: str
    decline_ends: str
    offline_limit: int | None
    require_seller: bool
    keep_days: int


@dataclass(frozen=True, slots=True)
class Plan:
    seed: str
    days: int
    terms: tuple[Terms, ...]
    events: tuple[Event, ...]

    def of_day(self, day: int) -> list[Event]:
        begin, end = day * DAY_S, (day + 1) * DAY_S
        return [event for event in self.events if begin <= event.at_s < end]


def draw(seed: str, days: int) -> Plan:
    """The same for the same seed. Days are drawn one after the other: more of them change none."""
    chance = random.Random(f"plan {seed}")
    terms = tuple(_terms(number, chance) for number in range(KIOSKS))
    events: list[Event] = []
    for day in range(days):
        events += sorted(_day(day, random.Random(f"plan {seed} {day}")), key=lambda e: e.at_s)
    return Plan(seed, days, terms, tuple(events))


def _terms(number: int, chance: random.Random) -> Terms:
    return Terms(
        is_network=chance.random() < 0.5,
        commit=chance.choice(("keep", "auto-reverse")),
        after_reversal=chance.choice(("declined", "reversal", "nothing")),
        decline_ends=chance.choice(("completion", "abort")),
        # Only where no other counter can charge the same order: nobody is asked for a claim then.
        offline_limit=chance.choice((None, 5000)) if number == 2 else None,
        require_seller=chance.random() < 0.3,
        keep_days=chance.choice((3, 400)),
    )


def _day(day: int, chance: random.Random) -> Iterator[Event]:
    visits = list(_visits(day, chance))
    yield from visits
    for _ in range(chance.choice(FAULTS_A_DAY)):
        fault = chance.choice((*Fault, *OFTEN))
        near = chance.choice(visits)
        at_s = day * DAY_S + 30 + chance.random() * OPEN_S
        if chance.random() < 0.75:
            # While somebody is served: nothing much can go wrong at a counter without a customer.
            at_s = near.at_s + chance.uniform(0.0, 16.0)
        kiosk = -1 if fault in EVERYWHERE else near.kiosk
        lasts_s = 0.0 if fault in MOMENTS else chance.choice((1.0, 8.0, 30.0, 120.0, 400.0, 700.0))
        after = chance.choice((0, 0, 1, 2, 3, 5, 8, 13, 30)) if fault is Fault.POWER_CUT else 0
        lot, waits = chance.getrandbits(32), chance.random() < WAITING and kiosk >= 0
        yield Trouble(at_s, kiosk, fault, lasts_s * chance.uniform(0.5, 1.5), after, lot, waits)
        if fault is Fault.SHOP_RESTORED:
            # Somebody comes whose payment the shop has just forgotten.
            paid = chance.choice([v for v in visits if v.at_s < at_s] or visits)
            again_s = at_s + chance.uniform(5.0, 50.0)
            yield replace(paid, at_s=again_s, quirks=frozenset[Quirk](), comes_again=True)
        if chance.random() < COMPANY:
            other = chance.choice((Fault.POWER_CUT, Fault.KILLED, *OFTEN))
            later_s = at_s + chance.uniform(0.0, min(30.0, lasts_s + 5.0))
            lasts_s = 0.0 if other in MOMENTS else chance.choice((8.0, 30.0, 120.0))
            yield Trouble(later_s, near.kiosk, other, lasts_s, 0, chance.getrandbits(32))


def _visits(day: int, chance: random.Random) -> Iterator[Visit]:
    begin = day * DAY_S
    number = 0
    # Kiosks 0 and 1 stand at the same pickup point.
    for kiosk in range(KIOSKS):
        for _ in range(VISITS_A_DAY):
            number += 1
            at_s = begin + 60 + chance.random() * (OPEN_S - 300)
            quirks = frozenset(quirk for quirk in Quirk if chance.random() < 0.09)
            order = -chance.randint(1, 15) if day == 0 and chance.random() < 0.3 else number
            yield Visit(at_s, kiosk, day, order, quirks, chance.getrandbits(32))
            if chance.random() < 0.12:
                later_s = min(at_s + chance.uniform(60.0, 900.0), begin + OPEN_S - 60)
                lot = chance.getrandbits(32)
                yield Visit(later_s, kiosk, day, order, frozenset(), lot, comes_again=True)
            if kiosk < 2 and chance.random() < 0.12:
                # The other counter is tried with the same order, at about the same time.
                later_s = at_s + chance.choice((0.0, 2.0, 10.0, 120.0)) * chance.random()
                none = frozenset[Quirk]()
                yield Visit(later_s, 1 - kiosk, day, order, none, chance.getrandbits(32))
