"""The counter's half of the world: the real core, run once for each of its states and each event.

Nothing of its rules is written down here. A state is what the core remembers and what its journal
holds; two that agree in all that can matter later are one (`Disk`, `_memory`). What the core does
with an event in a state is kept, so that an interleaving that leads there again costs a look-up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from appliance.counter.core import Core
from appliance.counter.journal import Journal
from appliance.counter.settings import Settings
from appliance.counter.state import Dialogue, Job, State
from appliance.domain.errors import Bug, JournalTrouble
from appliance.domain.facts import Fact, Kind
from appliance.domain.money import CURRENCIES
from appliance.ports import Charge, Seller, SellerList
from tests.domain.counter_view import Disk, View, disk_of, view_of
from tests.domain.memory_journal import MemoryJournal

EUR = CURRENCIES["EUR"]
SETTINGS = Settings(
    "Counter 1", "", "pp-1", EUR,
    sign_out_after_s=0, print_merchant_slip=False, print_declines=False,
)  # fmt: skip
SELLER = Seller("anna", "Anna K.")
SELLERS = SellerList("s", 1, {"h": SELLER})

Call = tuple[Any, ...]
Event = Callable[[Core], None]


class Answer(NamedTuple):
    """What the core did: the state it is in now, what it asked of the world, the facts it wrote,
    the states that a power cut between two writes leaves, each with the facts that were written
    before it, and why it failed, if it did."""

    after: int
    calls: tuple[Call, ...]
    facts: tuple[Fact, ...]
    cuts: tuple[tuple[int, tuple[Fact, ...]], ...]
    failure: str


class _Clock:
    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class _Hands:
    """Notes what is asked of the world. The worker threads take it from there in their own time,
    so that what a crash loses is their queues: no point between two calls differs from another."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.calls: list[Call] = []
        self._journal = journal

    def look_up(self, code: str) -> None:
        self.calls.append(("look_up", code))

    def identify(self, badge: str, sellers: SellerList) -> None:
        self.calls.append(("identify", badge))

    def claim(self, handover: str, order: str, version: str, lease_s: int) -> None:
        self.calls.append(("claim", handover, version))

    def read_fresh(self, handover: str, number: str, lease_s: int) -> None:
        raise AssertionError("no other cash desk is there")

    def renew(self, handover: str, order: str, version: str, lease_s: int) -> None:
        """Its answer changes nothing."""

    def prepare(self, handover: str) -> None:
        self.calls.append(("prepare", handover))

    def authorise(self, handover: str, charge: Charge) -> None:
        payment = charge.payment_id
        intents = [f for f in self._journal.facts if f.kind is Kind.STARTED]
        is_durable = any(f.body["payment"] == payment for f in intents)
        self.calls.append(("authorise", handover, payment, is_durable))

    def abort(self) -> None:
        self.calls.append(("abort",))

    def query(self, handover: str, charge: Charge, ask_s: float) -> None:
        self.calls.append(("query", handover, charge.payment_id, charge.baseline))

    def print(self, job: Job) -> None:
        self.calls.append(("print", job.id))


class _Saved(NamedTuple):
    """A concrete state of the core to go on from. state: None while the counter is off."""

    facts: tuple[Fact, ...]
    is_full: bool
    state: State | None
    rest: tuple[Any, ...]


class Half:
    """`do` is the whole of it; `views` says what each state looks like."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self._saved: list[_Saved] = []
        self._ids: dict[object, int] = {}
        self._known: dict[tuple[int, object], Answer] = {}
        self._disks: dict[object, Disk] = {}
        self._journal = MemoryJournal()
        self._clock = _Clock()
        self._hands = _Hands(self._journal)
        self._core = self._made()
        self.first = self._keep(self._off())

    @property
    def runs(self) -> int:
        """How often the core itself has run."""
        return len(self._known)

    def do(self, before: int, name: object, event: Event | None) -> Answer:
        """name: the event, told apart from all others. event: None starts the counter."""
        try:
            return self._known[before, name]
        except KeyError:
            answer = self._known[before, name] = self._run(before, event)
            return answer

    def cut(self, before: int) -> int:
        """The power goes: what is on disk stays."""
        saved = self._saved[before]
        self._journal.load(saved.facts)
        self._journal.is_full = saved.is_full
        return self._keep(self._off())

    def full(self, before: int, is_full: bool) -> int:
        """The disk takes no more, or again."""
        return self._keep(self._saved[before]._replace(is_full=is_full))

    def _run(self, before: int, event: Event | None) -> Answer:
        saved = self._saved[before]
        self._load(saved)
        failure = ""
        try:
            if event is None:
                self._core = self._made()
                self._core.start()
                self._core.sellers(SELLERS)
                with suppress(JournalTrouble):
                    self._core.identified(SELLER)
            else:
                event(self._core)
        except JournalTrouble:
            failure = "disk"
        except Bug as bug:
            failure = f"the program failed: {bug}"
        lengths = self._journal.lengths
        has_started = event is not None or not failure
        after = self._save() if has_started else self._off()
        try:
            disk_of(self._journal, self._journal.is_full)
        except Bug as bug:
            # Nothing can be told of a state that has no meaning: it stays the one before.
            return Answer(before, (), (), (), f"What is on disk cannot be replayed: {bug}.")
        calls = tuple(self._hands.calls)
        cuts = []
        for length in lengths[:-1]:
            self._journal.load(after.facts[:length])
            cuts.append((self._keep(self._off()), after.facts[len(saved.facts) : length]))
        facts = after.facts[len(saved.facts) :]
        return Answer(self._keep(after), calls, facts, tuple(cuts), failure)

    def _made(self) -> Core:
        return Core(cast(Journal, self._journal), SETTINGS, self._clock, self._hands)

    def _off(self) -> _Saved:
        journal = self._journal
        return _Saved(journal.facts, journal.is_full, None, ())

    def _load(self, saved: _Saved) -> None:
        self._journal.load(saved.facts)
        self._journal.is_full = saved.is_full
        self._hands.calls = []
        if saved.state is not None:
            ledger, charging = self._core.ledger, self._core.charging
            ledger.state = _copy(saved.state)
            charging._prepared, charging._answer, unwritten = saved.rest
            ledger._unwritten.clear()
            ledger._unwritten.extend(unwritten)
            ledger.placed_at = 0.0
            self._core._last_read = ("", float("-inf"))

    def _save(self) -> _Saved:
        ledger, charging, journal = self._core.ledger, self._core.charging, self._journal
        rest = (charging._prepared, charging._answer, tuple(ledger._unwritten))
        return _Saved(journal.facts, journal.is_full, _copy(ledger.state), rest)

    def _keep(self, saved: _Saved) -> int:
        """The number of this state, or of the one that it cannot be told apart from."""
        self._journal.load(saved.facts)
        facts = tuple(map(id, saved.facts)), saved.is_full
        disk = self._disks.get(facts) or disk_of(self._journal, saved.is_full)
        self._disks[facts] = disk
        if saved.state is None:
            key: object = disk
            view = View(disk, is_on=False)
        else:
            view = view_of(disk, saved.state, is_behind=bool(saved.rest[2]))
            key = view, _memory(saved)
        if key not in self._ids:
            self._ids[key] = len(self.views)
            self.views.append(view)
            self._saved.append(saved)
        return self._ids[key]


def later(core: Core, seconds: float) -> None:
    """So much time goes by, and is forgotten again: no state is older than another."""
    clock = cast(_Clock, core.ledger.clock)
    clock.seconds = seconds
    try:
        core.tick()
    finally:
        clock.seconds = 0.0


def _copy(state: State) -> State:
    """Its values never change in place; its containers do."""
    return replace(
        state,
        handovers=dict(state.handovers),
        opened_at=dict(state.opened_at),
        jobs=OrderedDict(state.jobs),
        receipts=dict(state.receipts),
        slips={payment: dict(kinds) for payment, kinds in state.slips.items()},
        orders=dict(state.orders),
        codes=dict(state.codes),
        devices=dict(state.devices),
        place=replace(state.place),
        is_offline=set(state.is_offline),
        asking=set(state.asking),
        dialogue=Dialogue(),  # words for the screen
        notice=None,
        asked_at=0.0,
        seller_until=0.0,
        undelivered=0,
        handed_over_today=0,
    )


def _memory(saved: _Saved) -> object:
    """What the core remembers beside the view: all that its later doings can depend on."""
    state = saved.state
    assert state is not None
    place, (prepared, answer, unwritten) = state.place, saved.rest
    return (
        (place.page, place.about, place.code, place.receipt_of, place.selected),
        tuple((job.id, job.code) for job in state.jobs.values()),
        tuple(sorted(state.receipts.items())),
        tuple((p, tuple(kinds)) for p, kinds in state.slips.items()),
        tuple(order.version for order in state.orders.values()),
        frozenset(state.asking),
        frozenset(state.is_offline),
        state.last_started,
        state.last_receipt,
        state.fault,
        (prepared[0], str(prepared[1])),
        repr(answer),
        tuple((subject, draft.kind, str(draft.body)) for subject, draft in unwritten),
    )
