"""The whole of it: kiosks, a shop with its staff, a bank, people, the network and the power."""

from __future__ import annotations

import gc
import random
import re
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx

from appliance.counter.chain import mark
from appliance.counter.counter import Counter
from appliance.counter.journal import Journal, Reader
from appliance.counter.screen import Page
from appliance.domain.errors import JournalTrouble
from appliance.domain.facts import Fact
from appliance.domain.money import CURRENCIES
from appliance.domain.order import Order
from appliance.ports import Charge
from appliance.protocols.shopapi import order_from_json
from appliance.simulators.shop import samples
from appliance.simulators.shop.store import current
from appliance.simulators.zvt_payments import SimulatorOptions
from tests.simulation import stand_ins
from tests.simulation.books import Books, Violation
from tests.simulation.devices import ObservedBank
from tests.simulation.disk import VFS
from tests.simulation.kernel import Kernel
from tests.simulation.kiosk import FIRST_DAY, Kiosk, line_options
from tests.simulation.network import Network, ObservedStore, ShopServer, Weather
from tests.simulation.people import Seller
from tests.simulation.plan import DAY_S, OPEN_S, Plan, Trouble, Visit
from tests.simulation.primitives import Threading
from tests.simulation.troubles import Troubles
from tests.simulation.wires import Wire
from tests.simulation.words import told

TIDY_S: Final = 3600.0  # an evening: everything works again, and sellers settle what is left
SHORTEST_EVENING_S: Final = 120.0  # a kiosk finds out within a minute that its shop forgot
WATCH_S: Final = 30.0
ALONE_MOST: Final = 3  # looks in a row at a payment that nothing is being done about
BASKETS: Final = 3  # few, so that amounts repeat: an older booking of the same is a trap
SECRETS: Final = re.compile(
    # The second is the first in hexadecimal characters. The last is more of a number than may be
    # seen; six digits alone may be the time in a trace.
    r"5413330089604111|35343133333330303839363034313131|demo-token|KS-10\d\d-|541333[ .-]?[0-9]{3}"
)


@dataclass(slots=True)
class Figures:
    days: int = 0
    handovers: int = 0
    faults: int = 0
    steps: int = 0
    charges: int = 0


class Counterpart:
    """One counter as the people there have it: what they can see, reach and remember."""

    def __init__(self, town: Town, kiosk: Kiosk) -> None:
        self._town, self.kiosk = town, kiosk
        self.kernel, self.name = town.kernel, kiosk.name

    @property
    def counter(self) -> Counter | None:
        return self.kiosk.counter if self.kiosk.is_on else None

    @property
    def gone(self) -> dict[str, str]:
        return self._town.books.gone

    @property
    def charging(self) -> str:
        return self._town.books.charging.get(self.name, "")

    @property
    def wants_card(self) -> bool:
        return self.kiosk.terminal.wants_card

    def is_terminal_at_rest(self) -> bool:
        return self.kiosk.terminal.powered and not self.kiosk.terminal.is_busy

    def tell(self, who: str, what: str) -> None:
        self._town.tell(f"{self.name}: {who}", what)

    def scan(self, text: str) -> None:
        self.kiosk.scanner_wire.send("device", text.encode() + b"\r")

    def present(self, act: str, at_s: float) -> None:
        """The customer's card, or key, at the terminal then."""

        def do() -> None:
            if self.kiosk.terminal.wants_card:
                self.tell("the customer", {"cancel_key": "presses the red key"}.get(act, f"{act}s"))
                getattr(self.kiosk.terminal, act)()

        self.kernel.at(at_s, do)

    def agrees(self, order: Order) -> None:
        """The seller says yes to this sum, as the screen states it."""
        self._town.books.agreed[order.id].add(order.due.amount)

    def gives(self, order: Order) -> None:
        """The seller has the goods of this order in hand, and says so."""
        self._town.books.given.add((self.name, order.id))

    def order_of(self, visit: Visit) -> Order:
        return self._town.order_of(visit)

    def is_in_attention(self, order: str) -> bool:
        counter = self.counter
        core = counter._core if counter is not None else None
        return core is not None and any(h.order.id == order for h in core.state.handovers.values())

    def holds(self, handover: str) -> bool:
        payments = [p for p in self._town.books.kinds_of if p.rpartition("-")[0] == handover]
        return any(self._town.books.holds(payment) for payment in payments)

    def hand(self, order: Order) -> None:
        """The goods, if they are still on the shelf."""
        if order.id in self.gone:
            self.tell("the seller", f"finds that the goods of order {order.id} have gone before")
            return
        self._town.figures.handovers += 1
        self._town.note_prepaid(order.id)
        self._town.books.handed(self.name, order.id)


class Town:
    """A plan, come true. A context manager; `run` plays it to the end, or raises Violation.

    story: who did what, when; told to whoever wants to know how it came to that.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.story: list[tuple[float, str, str]] = []
        self.figures = Figures()
        self.kernel = Kernel(f"kernel {plan.seed}")
        self.threading = Threading(self.kernel)
        self.books = Books(self.tell)
        self._stack = ExitStack()
        self._orders: dict[tuple[int, int], Order] = {}
        self._logs: list[str] = []
        self._alone: dict[str, tuple[str, int]] = {}  # by kiosk: a handover, and how often seen

    def __enter__(self) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="kassa-town-", dir=_memory()))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self._stack.enter_context(VFS.installed())
        chance = random.Random(f"chance {self.plan.seed}")
        self._stack.enter_context(
            stand_ins.installed(
                self.kernel,
                self.threading,
                chance,
                self._printer_wire,
                self._appended,
                self._logged,
            )
        )
        self.store = ObservedStore(
            ":memory:", "EUR", 1, self.kernel.monotonic, lambda: self.true_time()
        )
        self.store.granted = lambda claim, due: self.books.promised[claim].add(due)
        self._stack.callback(self.store.close)
        self._server = ShopServer(self.kernel, self.threading, self.store)
        self.kiosks = [
            self._build(number, place, folder) for number, place in enumerate(samples.KIOSKS)
        ]
        self.counterparts = [Counterpart(self, kiosk) for kiosk in self.kiosks]
        self.sellers = [Seller(at, self.plan.seed) for at in self.counterparts]
        self._stack.callback(self.kernel.close)
        for seller in self.sellers:
            self.kernel.spawn("seller", seller.run)
        self.troubles = Troubles(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self, number: int, place: samples.Kiosk, folder: Path) -> Kiosk:
        terms = self.plan.terms[number]

        def weather(request: httpx.Request) -> Weather:
            return self.troubles.weather(number, request)

        first = 340 + 1000 * number
        options = SimulatorOptions(
            line=line_options(is_network=terms.is_network),
            terminal_id=f"2800486{number}",
            commit=terms.commit,  # type: ignore[arg-type]
            after_reversal=terms.after_reversal,  # type: ignore[arg-type]
            decline_ends=terms.decline_ends,  # type: ignore[arg-type]
            receipt_no=first, trace_no=first,
            host_s=1.2, reversal_s=2.0, boot_s=8.0,
        )  # fmt: skip
        network = Network(self.kernel, self._server, weather)
        kiosk = Kiosk(
            self.kernel, self.threading, VFS, folder, place, network, options, terms,
            self.plan.seed,
        )  # fmt: skip
        name = kiosk.name
        kiosk.accepted = lambda: self.books.accepted(name)
        kiosk.leaves = lambda charge: self._leaves(name, charge)
        kiosk.hangs = lambda what: self._hangs(kiosk, what)
        kiosk.build_terminal(
            ObservedBank(
                lambda booking: self.books.booked(name, booking),
                lambda booking: self.books.taken_back(name, booking),
            )
        )
        return kiosk

    # --- running --------------------------------------------------------------------------------

    def run(self) -> Figures:
        try:
            for day in range(self.plan.days):
                self._day(day)
        finally:
            self.figures.steps = self.kernel.steps
        return self.figures

    def _day(self, day: int) -> None:
        begin = day * DAY_S
        self.kernel.run(begin)
        self.troubles.morning()
        for kiosk in self.kiosks:
            self.start(kiosk)
        for event in self.plan.of_day(day):
            if isinstance(event, Visit):
                self.kernel.at(event.at_s, lambda visit=event: self._visit(visit))  # type: ignore[misc]
            else:
                self.kernel.at(event.at_s, lambda trouble=event: self._trouble(trouble))  # type: ignore[misc]
        for minute in range(int(OPEN_S // WATCH_S)):
            self.kernel.at(begin + minute * WATCH_S, self._watch)
        self.kernel.run(begin + OPEN_S)
        self._evening(begin + OPEN_S)
        self.figures.days += 1

    def _evening(self, from_s: float) -> None:
        """Everything is put right; then everything must come to rest."""
        self.troubles.calm()
        for kiosk in self.kiosks:
            if not kiosk.is_on:
                self.start(kiosk)
        until, at_s, unrest = from_s + TIDY_S, from_s, "nothing rests"
        while at_s < until:
            at_s += 30.0
            self.kernel.run(at_s)
            unrest = self._unrest()
            if not unrest and at_s >= from_s + SHORTEST_EVENING_S:
                break
            for seller in self.sellers:
                if seller.is_idle and at_s > from_s + 60:
                    seller.tidy()
        else:
            raise Violation(f"in the evening, with all put right, {unrest}")
        self._check_evening()
        gc.collect()  # story.play has switched it off
        for kiosk in self.kiosks:
            kiosk.kill()
        self.kernel.run(self.kernel.now + 60)  # what is still on its way arrives

    def _unrest(self) -> str:
        """What still goes on, or waits for somebody."""
        for kiosk, seller in zip(self.kiosks, self.sellers, strict=True):
            counter = kiosk.counter
            if counter is None or counter._core is None:
                return f"{kiosk.name} does not come up"
            screen, state = counter.screen(), counter._core.state
            if seller.waiting or not seller.is_idle:
                return f"the seller of {kiosk.name} is still busy on {screen.page}"
            if screen.page is not Page.IDLE or screen.attention:
                return f"{kiosk.name} shows {screen.page} and {screen.attention} for a person"
            if state.handovers or state.jobs:
                return f"{kiosk.name} still has {[*state.handovers, *state.jobs]}"
            if screen.undelivered:
                return f"{kiosk.name} has {screen.undelivered} facts that the shop has not got"
        return ""

    def _check_evening(self) -> None:
        self.books.evening(self.store.rows("payments", "rowid"))
        for row in self.store.rows("facts", "seq"):
            if row["applied"] != 1:
                raise Violation(f"the shop applied a fact {row['applied']} times")
        for kiosk in self.kiosks:
            self._check_papers(kiosk)
            counter = kiosk.counter
            assert counter is not None
            assert counter._core is not None
            if flaws := counter._core.journal.verify():
                raise Violation(f"the journal of {kiosk.name} does not verify: {flaws[0]}")
            if kiosk.printer.defects:
                raise Violation(f"the printer of {kiosk.name}: {kiosk.printer.defects[0]}")
        self._check_secrets()

    def _check_papers(self, kiosk: Kiosk) -> None:
        originals: dict[str, int] = {}
        out: set[str] = set()
        for paper in kiosk.printer.papers:
            lines = paper.lines
            # A whole receipt ends so; half a one has no end, and a paper that was not cut holds
            # more than one. The barcode would not do: it may be an image.
            number = ""
            for line in lines:
                if line.startswith("Order "):
                    number = line.removeprefix("Order ")
                elif line == "Thank you!":
                    out.add(number)
                    originals[number] = originals.get(number, 0) + ("COPY" not in lines)
        rows = self.store.rows("orders", "number")
        ids = {str(row["id"]) for row in rows if row["number"] in out}
        self.books.papers(kiosk.name, originals, ids)

    def _check_secrets(self) -> None:
        for line in self._logs:
            if found := SECRETS.search(line):
                raise Violation(f"a log tells {found[0]}: {line[:200]}")
        self._logs.clear()
        for kiosk in self.kiosks:
            for path in sorted(kiosk.disk.folder.iterdir()):
                if found := SECRETS.search(path.read_bytes().decode("latin-1")):
                    raise Violation(f"{path.name} of {kiosk.name} holds {found[0]}")

    def _watch(self) -> None:
        """No payment is left alone: its terminal is at it, or being asked about it."""
        for kiosk in self.kiosks:
            core = kiosk.counter._core if kiosk.counter is not None and kiosk.is_on else None
            running = core.state.running() if core is not None else None
            if (
                running is None
                or kiosk.counter is None
                or kiosk.disk.is_full
                or kiosk.counter._terminal.busy_for() > 0
            ):
                self._alone.pop(kiosk.name, None)
                continue
            seen, times = self._alone.get(kiosk.name, ("", 0))
            times = times + 1 if seen == running.id else 1
            self._alone[kiosk.name] = running.id, times
            if times > ALONE_MOST:
                raise Violation(f"{kiosk.name} leaves the payment of {running.order.id} alone")

    # --- what happens ---------------------------------------------------------------------------

    def start(self, kiosk: Kiosk) -> None:
        if kiosk.is_on:
            return
        self._compare(kiosk)
        kiosk.boot()

    def _compare(self, kiosk: Kiosk) -> None:
        """What is on the disk now, against what was acknowledged."""
        if not kiosk.journal_path.exists():
            if self.books.facts[kiosk.name]:
                raise Violation(f"the journal of {kiosk.name} is gone")
            return
        # A copy, as looking at a log that a power cut tore writes into it.
        look = kiosk.disk.folder.with_name(kiosk.disk.folder.name + "-look")
        shutil.copytree(kiosk.disk.folder, look)
        try:
            reader = Reader(look / kiosk.journal_path.name)
            try:
                found = [fact for _, fact in reader.facts(limit=1_000_000)]
                pruned = mark(reader._db, "pruned")[0]
            finally:
                reader.close()
        except JournalTrouble as trouble:
            raise Violation(f"the journal of {kiosk.name} cannot be read: {trouble}") from trouble
        finally:
            shutil.rmtree(look)
        self.books.restarted(kiosk.name, found, pruned)

    def _hangs(self, kiosk: Kiosk, what: str) -> None:
        raise Violation(f"the {what} of {kiosk.name} hangs")

    def _visit(self, visit: Visit) -> None:
        self.sellers[visit.kiosk].come(visit)

    def _trouble(self, trouble: Trouble) -> None:
        self.figures.faults += 1
        self.troubles.begin(trouble)

    def _leaves(self, kiosk: str, charge: Charge) -> None:
        self.figures.charges += 1
        order = self.books.order_of.get(charge.payment_id.rpartition("-")[0], "?")
        self.tell(kiosk, f"charges {charge.amount} for order {order}")
        number = next(n for n, each in enumerate(self.kiosks) if each.name == kiosk)
        limit = self.plan.terms[number].offline_limit or 0
        self.books.leaves(kiosk, charge.payment_id, charge.amount.amount, limit)
        self.troubles.charged(number)

    def _appended(self, journal: Journal, facts: Sequence[Fact]) -> None:
        task = self.kernel.current
        if task is None or task.machine is None:
            return
        name = task.machine.name
        for fact in facts:
            self.tell(name, told(fact))
        self.books.appended(name, facts)

    def _printer_wire(self) -> Wire:
        task = self.kernel.current
        assert task is not None
        assert task.machine is not None
        name = task.machine.name
        return next(kiosk.printer_wire for kiosk in self.kiosks if kiosk.name == name)

    def _logged(self, line: str) -> None:
        self._logs.append(line)

    def tell(self, who: str, what: str) -> None:
        self.story.append((self.kernel.now, who, what))

    def true_time(self) -> datetime:
        return FIRST_DAY + timedelta(seconds=self.kernel.now)

    # --- orders ---------------------------------------------------------------------------------

    def order_of(self, visit: Visit) -> Order:
        """Made when the first one comes for it. Depends on nothing but its own number."""
        key = (visit.day, visit.order)
        if key not in self._orders:
            place = next(
                p for p in samples.PLACES if p.id == samples.KIOSKS[visit.kiosk].pickup_point
            )
            if visit.order < 0:
                number = str(place.first_number - visit.order)
                row = next(r for r in self.store.rows("orders", "number") if r["number"] == number)
                self._orders[key] = order_from_json(current(row))
            else:
                number_ = place.first_number + 101 + visit.day * 100 + visit.order
                chance = random.Random(f"basket {visit.lot % BASKETS}")
                order = samples.random_order(
                    place, number_, CURRENCIES["EUR"], self.true_time(), chance
                )
                if visit.lot % 7 == 0:
                    order = samples.priced(replace(order, paid=order.total))
                self.store.add_order(order)
                self._orders[key] = order
        return self._orders[key]

    def row(self, order: str) -> dict[str, Any]:
        return next(row for row in self.store.rows("orders", "number") if row["id"] == order)

    def note_prepaid(self, order: str) -> None:
        row = self.row(order)
        if row["paid"] >= row["total"]:
            self.books.was_prepaid(order)


def _memory() -> str | None:
    """A folder in memory, where there is one: the disk's own time is not what is searched."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
