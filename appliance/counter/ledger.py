"""Facts first: the one way by which anything becomes true at this counter.

A step is tried on the machine, written and synced, and only then remembered and acted upon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import structlog

from appliance.counter import printing
from appliance.counter.clock import Clock, iso, local
from appliance.counter.journal import Journal
from appliance.counter.screen import LogLine, Notice, Page
from appliance.counter.settings import Settings
from appliance.counter.state import Job, Place, State, order_in, replay_handover
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Bug, Code, JournalTrouble
from appliance.domain.facts import CLOSES, REPORTED, Draft, Fact, Json, Kind
from appliance.ports import Charge, SellerList

log = structlog.get_logger()

NOTICE_S: Final = 8.0
UNWRITTEN_MOST: Final = 32
REASON_MOST: Final = 300


class Hands(Protocol):
    """What the core asks of the world. None of these calls blocks or raises."""

    def look_up(self, code: str) -> None: ...
    def identify(self, badge: str, sellers: SellerList) -> None: ...
    def claim(self, handover: str, order: str, version: str, lease_s: int) -> None: ...
    def read_fresh(self, handover: str, number: str, lease_s: int) -> None: ...
    def renew(self, handover: str, order: str, version: str, lease_s: int) -> None: ...
    def prepare(self, handover: str) -> None: ...
    def authorise(self, handover: str, charge: Charge) -> None: ...
    def abort(self) -> None: ...
    def query(self, handover: str, charge: Charge, ask_s: float) -> None: ...
    def print(self, job: Job) -> None: ...


class Ledger:
    """The journal, the state that follows from it, and the hands that act on it.

    on_query: what asking the terminal for its last transaction takes; set by Charging.
    on_written: told of facts that are on disk now.
    """

    def __init__(self, journal: Journal, settings: Settings, clock: Clock, hands: Hands) -> None:
        self.journal = journal
        self.settings = settings
        self.clock = clock
        self.hands = hands
        self.state = State()
        self.placed_at = clock.monotonic()
        self.on_query: Callable[[ho.Handover, pay.Payment], None]
        self.on_written: Callable[[list[Fact]], None] = lambda facts: None
        self._is_draining = False
        self._unwritten: deque[tuple[str, Draft]] = deque()

    def draft(
        self,
        handover: ho.Handover,
        kind: Kind,
        payment: pay.Payment | None = None,
        /,
        **body: Json,
    ) -> Draft:
        """A fact about a handover; the shop needs the order and the claim in each."""
        base: dict[str, Json] = {"order": handover.order.id}
        if handover.claim:
            base["claim"] = handover.claim
        if payment is not None:
            base |= {
                "payment": payment.id,
                "amount": payment.amount.amount,
                "currency": payment.amount.currency.code,
            }
        return Draft(kind, handover.id, base | body)

    def record(self, handover: ho.Handover, *drafts: Draft) -> ho.Handover:
        """Events of a handover: tried on the machine, written together, then acted upon."""
        was_open = handover.id in self.state.handovers
        self.catch_up()
        if was_open and handover.id not in self.state.handovers:
            # What had waited for the disk has just closed it: the caller's copy is an older one.
            handover = replay_handover(self.journal.of_subject(handover.id))
        handover = self.state.handovers.get(handover.id, handover)
        state, settings = self.state, self.settings
        after, effects, jobs = handover, list[ho.Effect | pay.Effect](), list[Job]()
        for draft in drafts:
            trial = Fact("", draft.kind, draft.subject, "", self._seller_id(), draft.body)
            # A pair that the machine does not know must fail before it is on disk for good.
            after, asked = ho.step(after, trial, order_in(trial))
            jobs += printing.follow_up(after, draft, asked, state, settings, self.clock.now())
            effects += asked
        # What the journal replays follows from the state, not from the last kind of fact: a late
        # word opens what is over, and what ends may leave a payment behind.
        ending: list[Draft] = []
        if after.is_over != (drafts[-1].kind in CLOSES) and after.state in ho.ENDS:
            kind = Kind.SETTLED if after.is_over else Kind.LEFT_OPEN
            ending = [self.draft(after, kind)]
        self.write([*drafts, *ending, *(printing.queued(job) for job in jobs)])
        if after.is_over:
            self._drop(after)
        else:
            state.handovers[after.id] = after
            state.opened_at.setdefault(after.id, iso(self.clock.now()))
        for job in jobs:
            self.enqueue(job)
            if job.what == "receipt":
                if state.last_receipt not in state.handovers:
                    state.receipts.pop(state.last_receipt, None)
                state.last_receipt = after.id
        for effect in effects:
            self._do(after, effect)
        return self.state.handovers.get(after.id, after)

    def _do(self, handover: ho.Handover, effect: ho.Effect | pay.Effect) -> None:
        match effect:
            case ho.Effect.CLAIM:
                order, lease_s = handover.order, self.settings.lease_s
                if self.is_claimed_by_caller(handover):
                    self.hands.read_fresh(handover.id, order.number, lease_s)
                else:
                    self.hands.claim(handover.id, order.id, order.version, lease_s)
            case ho.Effect.SETTLE | ho.Effect.PRINT:
                pass  # facts again: Charging and `record` write them together with their cause
            case pay.Effect.AUTHORISE:
                self.hands.authorise(handover.id, self.charge_of(handover, payment_of(handover)))
            case pay.Effect.ABORT:
                self.hands.abort()
            case pay.Effect.QUERY:
                self.on_query(handover, payment_of(handover))
            case ho.Effect.PUT_BACK:
                raise Bug("PUT_BACK is for a restart only")

    def _drop(self, handover: ho.Handover) -> None:
        state = self.state
        state.handovers.pop(handover.id, None)
        state.opened_at.pop(handover.id, None)
        state.is_offline.discard(handover.id)
        for payment in handover.payments:
            state.slips.pop(payment.id, None)
        if handover.id != state.last_receipt:
            state.receipts.pop(handover.id, None)

    def is_claimed_by_caller(self, handover: ho.Handover) -> bool:
        """Whether the cash desk that asked for the payment has the order already."""
        served = self.state.served(handover.id)
        return served is not None and bool(served.link.claim)

    def charge_of(self, handover: ho.Handover, payment: pay.Payment) -> Charge:
        """The payment as the terminal's thread needs it."""
        served = self.state.served(handover.id)
        claim = (served.link.claim if served else "") or handover.claim
        return Charge(payment.id, payment.amount, payment.baseline, handover.order.number, claim)

    def next_payment(self, handover: ho.Handover) -> str:
        """The id of the next attempt: what the shop books by, once for each. A cash desk before us
        gives its own: whichever of the two reports it, it is one payment."""
        served = self.state.served(handover.id)
        if served and served.link.payment:
            return served.link.payment
        return f"{handover.id}-{len(handover.payments) + 1}"

    def write_as(self, drafts: list[Draft], seller: str) -> list[Fact]:
        """Like `write`, in the name of somebody who is not signed in yet."""
        self.catch_up()
        try:
            facts = self.journal.append(drafts, seller)
        except JournalTrouble as trouble:
            self.fault(trouble)
            raise
        self.state.undelivered += sum(fact.kind in REPORTED for fact in facts)
        self.on_written(facts)
        return facts

    def write(self, drafts: list[Draft]) -> list[Fact]:
        """These facts, all or none, after every outcome that still waits for the disk. Raises
        JournalTrouble."""
        return self.write_as(drafts, self._seller_id())

    def keep(self, handover: ho.Handover, draft: Draft) -> None:
        """Record an outcome that must not be lost, now or as soon as the disk takes it."""
        try:
            self.record(handover, draft)
        except JournalTrouble:
            self._unwritten.append((handover.id, draft))
            self._hold_bound()
        else:
            self.follow(handover.id)

    def keep_job(self, draft: Draft) -> None:
        try:
            self.write([draft])
        except JournalTrouble:
            self._unwritten.append(("", draft))
            self._hold_bound()
        if draft.kind is Kind.PRINTED:
            self.state.jobs.pop(draft.subject, None)

    @property
    def is_behind(self) -> bool:
        """Some outcome is not on disk yet, or nothing can be."""
        return bool(self._unwritten) or self.state.fault is not None

    def _hold_bound(self) -> None:
        if len(self._unwritten) > UNWRITTEN_MOST:
            raise Bug("more outcomes wait for the disk than there can be")

    def retry_unwritten(self) -> None:
        """Write what waits for the disk; the fault ends when all of it is written."""
        if not self._unwritten and self.state.fault is None:
            return
        try:
            self._drain()
            self.journal.probe()
        except JournalTrouble as trouble:
            self.fault(trouble)
            return
        if self.state.fault is not None:
            # It may have lasted for less than a second: whoever tapped then must see why nothing
            # came of it.
            self.notice(*self.state.fault)
            self.state.fault = None
            log.info("journal_writable_again")

    def catch_up(self) -> None:
        """Write what waits for the disk, before anything is judged. Raises JournalTrouble."""
        if self._unwritten and not self._is_draining:
            self._drain()

    def _drain(self) -> None:
        """In their order, and before anything else. Raises JournalTrouble."""
        self._is_draining = True
        try:
            while self._unwritten:
                handover_id, draft = self._unwritten[0]
                if handover_id:
                    handover, _ = self.of(handover_id, str(draft.body["payment"]))
                    self.record(handover, draft)
                    self.follow(handover_id)
                else:
                    self.write([draft])
                self._unwritten.popleft()
        finally:
            self._is_draining = False

    def follow(self, handover_id: str) -> None:
        """Nothing may be open and in nobody's sight: what a payment's end has moved while the
        person looked elsewhere waits in the attention list, or goes back to the shop."""
        handover = self.state.handovers.get(handover_id)
        place = self.state.place
        if handover is None:
            return
        if place.handover == handover_id:
            if place.page is Page.ATTENTION_ITEM and not needs_a_person(handover):
                self.go(Place(handover=handover_id))
        elif handover.state is ho.State.TO_HAND_OVER:
            self.record(handover, self.draft(handover, Kind.SET_ASIDE))
        elif handover.state is ho.State.OPEN:
            self.record(handover, self.draft(handover, Kind.PUT_BACK, why="settled late"))

    def fault(self, trouble: JournalTrouble) -> None:
        is_new = self.state.fault is None
        self.state.fault = (trouble.code, trouble.detail)
        if is_new:
            log.error("journal_cannot_be_written", code=trouble.code, detail=trouble.detail)

    def _seller_id(self) -> str:
        return self.state.seller.id if self.state.seller else ""

    def of(self, handover_id: str, payment_id: str) -> tuple[ho.Handover, pay.Payment]:
        # It may have ended while the terminal was still being asked; then its facts tell.
        handover = self.state.handovers.get(handover_id) or replay_handover(
            self.journal.of_subject(handover_id)
        )
        for payment in handover.payments:
            if payment.id == payment_id:
                return handover, payment
        raise Bug("the terminal speaks of a payment that was never started")

    def enqueue(self, job: Job) -> None:
        self.state.jobs[job.id] = job
        self.receipt(job, "queued")
        self.hands.print(job)

    def receipt(self, job: Job, state: str) -> None:
        if job.what == "receipt":
            self.state.receipts[job.handover] = state
            if state in ("printing", "printed") and job.id in self.state.jobs:
                self.state.jobs[job.id] = replace(self.state.jobs[job.id], code="")

    def go(self, place: Place) -> None:
        self.state.place = place
        self.placed_at = self.clock.monotonic()

    def notice(self, code: Code | None, detail: str = "") -> None:
        """One line on the screen that passes."""
        self.state.notice = Notice(code, detail[:REASON_MOST])
        self.state.notice_until = self.clock.monotonic() + NOTICE_S

    def log(self, what: str, text: str = "") -> None:
        at = local(self.clock.now(), "%H:%M:%S")
        self.state.dialogue.log.append(LogLine(at, what, text))

    def needs_seller(self) -> bool:
        """A decision carries a name wherever the shop has names."""
        known = self.state.sellers is not None and bool(self.state.sellers.by_hash)
        return self.state.seller is None and (known or self.settings.require_seller)


def needs_a_person(handover: ho.Handover) -> bool:
    """A payment of it, or its goods that stayed, are only a person's to settle."""
    unsettled = any(p.state is pay.State.ATTENTION for p in handover.payments)
    return unsettled or handover.state in ho.NEEDS_A_PERSON


def payment_of(handover: ho.Handover) -> pay.Payment:
    if handover.payment is None:
        raise Bug("no payment was started")
    return handover.payment
