"""A core with its journal on a real file, hands that only remember, and a clock that is set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.counter.clock import iso
from appliance.counter.commands import Answer, Command
from appliance.counter.core import Core
from appliance.counter.journal import Journal
from appliance.counter.screen import Action, Page, Screen
from appliance.counter.settings import Settings
from appliance.counter.state import Job
from appliance.domain.errors import Code, ShopTrouble, TerminalTrouble
from appliance.domain.facts import Kind
from appliance.domain.money import CURRENCIES, Money, Quantity
from appliance.domain.order import Check, CheckKind, Customer, Line, Order, OrderStatus
from appliance.domain.payment import Baseline, Card
from appliance.ports import (
    WELL,
    Approved,
    Charge,
    Claimed,
    ClaimRefused,
    Outcome,
    Seller,
    SellerList,
    Snapshot,
    Unknown,
)

EUR = CURRENCIES["EUR"]
BASELINE = Baseline("12345678", 41, 999)


def order(number: str = "1042", due: int = 128450, **changes: object) -> Order:
    """An order whose figures agree."""
    total = Money(max(due, 128450), EUR)
    base = Order(
        id=f"o-{number}",
        number=number,
        version="1",
        status=OrderStatus.READY,
        pickup_point="PP1",
        lines=(Line("A1", "Coffee machine", Quantity(1000), total, total, 2000, cell="A 3"),),
        total=total,
        paid=Money(total.amount - due, EUR),
        due=Money(due, EUR),
        codes=(f"KO-{number}",),
        customer=Customer("Maria S."),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


AGE = (Check(CheckKind.AGE, "18+"),)


@dataclass
class Clock:
    at: datetime = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    seconds: float = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds
        self.at += timedelta(seconds=seconds)


@dataclass
class Hands:
    """What the core asked of the world, in order."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    def look_up(self, code: str) -> None:
        self.asked.append(("look_up", code))

    def identify(self, badge: str, sellers: SellerList) -> None:
        self.asked.append(("identify", badge))

    def claim(self, handover: str, order: str, version: str, lease_s: int) -> None:
        self.asked.append(("claim", handover, order, version))

    def read_fresh(self, handover: str, number: str, lease_s: int) -> None:
        self.asked.append(("read_fresh", handover, number))

    def renew(self, handover: str, order: str, version: str, lease_s: int) -> None:
        self.asked.append(("renew", handover, order, version))

    def prepare(self, handover: str) -> None:
        self.asked.append(("prepare", handover))

    def authorise(self, handover: str, charge: Charge) -> None:
        self.asked.append(("authorise", handover, charge.payment_id))
        self.charges.append(charge)

    def abort(self) -> None:
        self.asked.append(("abort",))

    def query(self, handover: str, charge: Charge, ask_s: float) -> None:
        self.asked.append(("query", handover, charge.payment_id))

    def print(self, job: Job) -> None:
        self.asked.append(("print", job.id))
        self.jobs.append(job)

    def names(self) -> list[str]:
        return [call[0] for call in self.asked]


class Bench:
    """One counter: `core` and what it asked for. `restart` is a power cut: a new core from the
    same file."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.path = folder / "journal.sqlite3"
        self.settings = settings or Settings("Counter 1", "Nevsky 20", "PP1", EUR)
        self.clock = Clock()
        self._n = 0
        self._boot()

    def _boot(self) -> None:
        self.hands = Hands()
        journal = Journal(self.path, lambda: iso(self.clock.now()))
        self.core = Core(journal, self.settings, self.clock, self.hands)
        self.core.start()

    def restart(self) -> None:
        self.core.journal.close()
        self._boot()

    def page(self) -> Page:
        return self.core.page()

    def screen(self) -> Screen:
        return self.core.screen(1)

    def do(self, action: Action, argument: str = "") -> Answer:
        self._n += 1
        return self.core.command(Command(str(self._n), action, argument, None))

    def orders(self, *orders: Order) -> None:
        self.core.snapshot(Snapshot("e", orders))

    def sign_in(self, name: str = "Anna K.") -> None:
        self.core.sellers(SellerList("s", 1, {"h": Seller("s1", name)}))
        self.core.identified(Seller("s1", name))

    @property
    def handover(self) -> str:
        focus = self.core.state.focus
        assert focus is not None
        return focus.id

    @property
    def payment(self) -> str:
        focus = self.core.state.focus
        assert focus is not None
        assert focus.payment is not None
        return focus.payment.id

    def to_order(self, wanted: Order | None = None) -> None:
        wanted = wanted or order()
        self.orders(wanted)
        self.core.scanned(wanted.codes[0])

    def to_charging(self, wanted: Order | None = None) -> None:
        """Scanned, confirmed, claimed, the intent on disk and the amount at the terminal."""
        wanted = wanted or order()
        self.to_order(wanted)
        assert self.do(Action.CONFIRM) is Answer.DONE
        self.core.charging.claimed(self.handover, Claimed(wanted, 600))
        self.core.charging.prepared(self.handover, BASELINE)
        assert self.page() is Page.CHARGING

    def claim_answer(self, result: Claimed | ClaimRefused | ShopTrouble) -> None:
        self.core.charging.claimed(self.handover, result)

    def prepared(self, result: Baseline | TerminalTrouble) -> None:
        self.core.charging.prepared(self.handover, result)

    def end(self, outcome: Outcome) -> None:
        """The running dialogue, or the asking, ends so."""
        self.core.charging.charged(self.handover, self.payment, outcome)

    def approve(self) -> None:
        outcome = approved(self.hands.charges[-1].amount)
        handover = self.handover
        self.core.charging.answered(handover, self.payment, outcome)
        self.core.charging.charged(handover, self.payment, outcome)

    def print_all(self) -> None:
        for job in list(self.core.state.jobs.values()):
            self.core.papers.began(job.id)
            self.core.papers.printed(job.id)


def approved(amount: Money, receipt_no: int = 42) -> Approved:
    return Approved(
        Card(
            amount.amount, amount.currency.code, "12345678", receipt_no, 1000,
            authorisation="A1B2C3", pan="************4711", scheme="VISA",
        )
    )  # fmt: skip


@contextmanager
def bench(folder: Path, settings: Settings | None = None) -> Iterator[Bench]:
    made = Bench(folder, settings)
    try:
        yield made
    finally:
        made.core.journal.close()


def kinds(counter: Bench) -> list[Kind]:
    """Of all facts, oldest first."""
    return [fact.kind for _, fact in counter.core.journal.facts()]


def in_doubt(counter: Bench) -> tuple[str, str]:
    """A payment that the terminal could not be asked about; the terminal is then back."""
    counter.core.device("terminal", WELL)
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    return handover, payment
