"""Random walks over the core: people, devices, the shop and the disk in any order, and power cuts.

The terminal is a queue of dialogues, as its thread is; everything else answers when it likes. What
must hold, holds after every step. A failure prints its seed and its story.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.counter.clock import iso
from appliance.counter.commands import COMMAND_CODES, Command
from appliance.counter.core import Core
from appliance.counter.journal import Journal
from appliance.counter.ledger import needs_a_person
from appliance.counter.screen import Action
from appliance.counter.settings import Settings
from appliance.counter.state import Job
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Code, JournalTrouble, OrderTrouble, ShopTrouble, TerminalTrouble
from appliance.domain.facts import Draft, Fact, Kind
from appliance.ports import (
    WELL,
    Charge,
    Claimed,
    ClaimRefused,
    Declined,
    Health,
    Outcome,
    Seller,
    SellerList,
    Snapshot,
    Unknown,
)
from tests.counter.harness import AGE, BASELINE, EUR, Clock, approved, order

WALKS, STEPS = 60, 160
ORDERS = (order("1"), order("2", checks=AGE), order("3", due=0))
SELLERS = SellerList("s", 1, {"h": Seller("s1", "Anna")})


class WeakJournal(Journal):
    """On a disk that is full now and then."""

    is_full = False

    def append(self, drafts: list[Draft], seller: str = "") -> list[Fact]:  # type: ignore[override]
        if self.is_full:
            raise JournalTrouble(Code.DISK_FULL, "full")
        return super().append(drafts, seller)

    def probe(self) -> None:
        if self.is_full:
            raise JournalTrouble(Code.DISK_FULL, "full")


class World:
    """The core's hands, and what they still have to answer."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.terminal: deque[tuple[str, str, Charge | None]] = deque()
        self.desk: list[Callable[[Core], object]] = []
        self.jobs: deque[str] = deque()

    def look_up(self, code: str) -> None:
        answer = self.walk.pick(ORDERS[0], OrderTrouble(Code.ORDER_UNKNOWN))
        self.desk.append(lambda core: core.opening.looked_up(code, answer))

    def identify(self, badge: str, sellers: SellerList) -> None:
        self.desk.append(lambda core: core.identified(self.walk.pick(Seller("s1", "Anna"), None)))

    def claim(self, handover: str, order: str, version: str, lease_s: int) -> None:
        wanted = next(o for o in ORDERS if o.id == order)
        answer = self.walk.pick(
            Claimed(wanted, 600),
            Claimed(wanted, 600),
            ClaimRefused(Code.ORDER_CLAIMED),
            ShopTrouble(Code.SHOP_UNREACHABLE),
        )
        self.desk.append(lambda core: core.charging.claimed(handover, answer))

    def read_fresh(self, handover: str, number: str, lease_s: int) -> None:
        raise AssertionError("no other cash desk is there")

    def renew(self, handover: str, order: str, version: str, lease_s: int) -> None:
        """Its answer changes nothing."""

    def prepare(self, handover: str) -> None:
        self.terminal.append(("prepare", handover, None))

    def authorise(self, handover: str, charge: Charge) -> None:
        self.walk.check_authorise(handover)
        self.terminal.append(("authorise", handover, charge))

    def abort(self) -> None:
        """The terminal answers the charge all the same."""

    def query(self, handover: str, charge: Charge, ask_s: float) -> None:
        self.terminal.append(("query", handover, charge))

    def print(self, job: Job) -> None:
        self.jobs.append(job.id)


class Walk:
    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.clock = Clock()
        self.story: list[str] = []
        self.path = folder / f"{seed}.sqlite3"
        limit = self.pick(None, 200_000)
        self.settings = Settings("1", "", "PP1", EUR, offline_limit=limit)
        self.boot()

    def pick(self, *choices: Any) -> Any:
        return self.dice.choice(choices)

    def boot(self) -> None:
        self.world = World(self)
        self.journal = WeakJournal(self.path, lambda: iso(self.clock.now()))
        self.core = Core(self.journal, self.settings, self.clock, self.world)
        self.core.start()
        self.core.sellers(SELLERS)
        self.core.snapshot(Snapshot("e", ORDERS))

    def check_authorise(self, handover: str) -> None:
        """No charge goes out while the order's money was taken, or may have been."""
        state = self.core.state
        wanted = state.handovers[handover].order.id
        for other in state.handovers.values():
            for payment in other.payments:
                is_this = other.id == handover and payment is other.payments[-1]
                if other.order.id == wanted and not is_this:
                    assert payment.state is pay.State.DECLINED
        for fact in self.journal.settled(wanted):
            assert fact.kind not in (Kind.APPROVED, Kind.HANDED_OVER)

    def step(self) -> None:
        steps: list[tuple[int, Callable[[], None]]] = [
            (6, self.scan), (6, self.press), (5, self.desk), (5, self.dialogue), (4, self.paper),
            (1, self.wait), (4, self.device), (1, self.disk), (1, self.power),
        ]  # fmt: skip
        (act,) = self.dice.choices([s for _, s in steps], [w for w, _ in steps])
        self.story.append(act.__name__)
        try:
            act()
        except JournalTrouble:
            self.story.append("  (disk full)")
        self.check()

    def scan(self) -> None:
        orders = ("KO-1", "KO-1", "KO-1", "KO-2", "KO-3")
        code = self.pick(*orders, *orders, "KS-1", "x", "KASSA-CONFIRM", *COMMAND_CODES)
        self.story[-1] += f" {code}"
        self.core.scanned(str(code))

    def press(self) -> None:
        allowed = sorted(self.core.actions() - {Action.SCAN})
        action = self.pick(*allowed, *allowed, *allowed, Action.CONFIRM, *Action)
        argument = self.pick("", "", "o-1", "o-2", "o-3", "0", *self.core.state.handovers)
        self.story[-1] += f" {action} {argument}"
        self.core.command(Command("c", Action(str(action)), str(argument)))

    def desk(self) -> None:
        if self.world.desk:
            self.world.desk.pop(self.dice.randrange(len(self.world.desk)))(self.core)

    def dialogue(self) -> None:
        if not self.world.terminal:
            return
        what, handover, charge = self.world.terminal.popleft()
        if charge is None:
            ready = self.pick(BASELINE, BASELINE, TerminalTrouble(Code.TERMINAL_GONE))
            self.core.charging.prepared(handover, ready)
            return
        yes = approved(charge.amount)
        outcome: Outcome = self.pick(
            yes, Declined(Code.PAYMENT_DECLINED), Unknown(Code.PAYMENT_UNKNOWN, "?"),
            Unknown(Code.PAYMENT_UNKNOWN, "?"), Unknown(Code.PAYMENT_UNRESOLVED, "?"),
        )  # fmt: skip
        self.story[-1] += f" {what} {type(outcome).__name__}"
        self.core.charging.charged(handover, charge.payment_id, outcome)

    def paper(self) -> None:
        if not self.world.jobs:
            return
        job = self.world.jobs[0]
        if job not in self.core.state.jobs:
            self.world.jobs.popleft()
        elif self.pick(True, True, False):
            self.core.papers.began(job)
            self.core.papers.printed(job)
            self.world.jobs.popleft()
        else:
            self.core.papers.failed(job, Code.NO_PAPER)

    def wait(self) -> None:
        self.clock.pass_(float(self.dice.choice((0.2, 1, 5, 130, 700))))
        self.core.tick()

    def device(self) -> None:
        self.core.device("terminal", WELL if self.pick(True, False) else Health(Code.TERMINAL_GONE))

    def disk(self) -> None:
        self.journal.is_full = not self.journal.is_full

    def power(self) -> None:
        self.journal.close()
        self.boot()

    def check(self) -> None:
        core, state = self.core, self.core.state
        core.screen(1)  # whatever the state, there is a screen for it
        running = [h for h in state.handovers.values() if h.state is ho.State.PAYING]
        assert len(running) <= 1
        if state.fault or core.ledger.is_behind:
            return
        for handover in state.handovers.values():
            in_sight = handover.id == state.place.handover or needs_a_person(handover)
            assert in_sight, f"{handover.state} is in nobody's sight"
        opened = {subject for subject in self.journal.open_subjects() if subject.startswith("H-")}
        assert opened == set(state.handovers)

    def rest(self) -> None:
        """The disk works, everybody answers, time passes: nobody waits any more."""
        self.journal.is_full = False
        for _ in range(400):
            self.desk()
            self.dialogue()
            self.clock.pass_(1)
            self.core.tick()
        waiting = (ho.State.CLAIMING, ho.State.CLAIMED, ho.State.PAYING)
        assert not [h for h in self.core.state.handovers.values() if h.state in waiting]
        assert self.journal.verify() == []


@pytest.mark.parametrize("base", range(WALKS))
def test_any_walk(tmp_path: Path, base: int) -> None:
    walk = Walk(tmp_path, base)
    try:
        for _ in range(STEPS):
            walk.step()
        walk.rest()
    except BaseException:
        print(f"seed {base}:", *walk.story[-40:], sep="\n  ")
        raise
    finally:
        walk.journal.close()
