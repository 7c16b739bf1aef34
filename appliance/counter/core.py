"""The counter's judgement, without threads: each call is one event, on the loop's thread.

Order of work, everywhere: the facts to disk and synced, then the state, then the effects.
`Hands` does what the core asks of the world and never blocks; what comes of it returns here as
another call. Whatever is not a fact may be lost in a restart without harm.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from appliance.counter import compose, printing
from appliance.counter.adopting import AdoptingDesk
from appliance.counter.charging import Charging
from appliance.counter.clock import Clock, iso
from appliance.counter.commands import COMMAND_CODES, Answer, Command, Scanned, match
from appliance.counter.journal import Journal
from appliance.counter.ledger import REASON_MOST, Hands, Ledger, payment_of
from appliance.counter.link_facts import replay_link
from appliance.counter.links import LinkDesk, Source
from appliance.counter.opening import Opening
from appliance.counter.pairing import PairingDesk
from appliance.counter.papers import Papers
from appliance.counter.screen import Action, Page, Screen
from appliance.counter.settings import Settings
from appliance.counter.state import (
    Place,
    RefusedFact,
    State,
    adopted_from,
    paired_from,
    replay_handover,
    replay_job,
    slips_in,
)
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Bug, Code, JournalTrouble, ShopTrouble
from appliance.domain.facts import Draft, Fact, Json, Kind
from appliance.ports import Health, Seller, SellerList, Snapshot
from appliance.protocols.links.messages import LinkError

log = structlog.get_logger()

PRUNE_BATCHES: Final = 10  # a day's retention: ten thousand facts
LOOK_UP_S: Final = 40.0  # longer than the driver's own deadline
DOUBLE_READ_S: Final = 0.5
LEFT_ALONE_S: Final = 120.0  # lists and refusals give way to the idle screen


class Core:
    """See the module. opening, charging, papers, links, pairing, adopting: the desks that divide
    the work."""

    def __init__(self, journal: Journal, settings: Settings, clock: Clock, hands: Hands) -> None:
        self.ledger = Ledger(journal, settings, clock, hands)
        self.opening = Opening(self.ledger)
        self.charging = Charging(self.ledger, self.opening)
        self.papers = Papers(self.ledger)
        self.links = LinkDesk(self.ledger, self.opening, self.charging, self.papers)
        self.pairing = PairingDesk(self.ledger, settings.links.devices_at)
        self.adopting = AdoptingDesk(self.ledger)
        self._day = ""
        self._last_read = ("", float("-inf"))

    @property
    def state(self) -> State:
        return self.ledger.state

    @property
    def journal(self) -> Journal:
        return self.ledger.journal

    def start(self) -> None:
        """Replay what is open, and do what each state's RECOVERY says. Never charges."""
        for subject in self.journal.open_subjects():
            facts = self.journal.of_subject(subject)
            match subject[:2]:
                case "H-":
                    handover = replay_handover(facts)
                    if handover.is_over:
                        continue
                    self.state.handovers[subject] = handover
                    self.state.opened_at[subject] = facts[0].at
                    self.state.slips |= slips_in(facts)
                case "P-":
                    self.state.jobs[subject] = replay_job(facts)
                case "L-":
                    self.state.links[subject] = replay_link(facts)
                case "D-":
                    self.state.paired[subject] = paired_from(facts[0])
                case "A-":
                    adopted = adopted_from(facts[0])
                    self.state.adopted[adopted.role] = adopted
                case "J-":
                    self.state.damaged_journal = (
                        subject,
                        str(facts[0].body.get("file", "")),
                    )
                case "S-":
                    self._refused(facts[0])
                case _:
                    raise Bug(f"an open subject of no known sort: {subject}")
        self._remember()
        for handover in list(self.state.handovers.values()):
            self._recover(handover)
        self._choose_focus()
        for job in self.state.jobs.values():
            self.ledger.hands.print(job)
        self.state.undelivered = self.journal.count_undelivered()
        self.new_day()

    def _remember(self) -> None:
        """What follows from the facts without being replayed: the receipts' states, and which
        charge the terminal's memory is about."""
        for subject in self.state.handovers:
            papers = [fact.kind for fact in self.journal.of_subject(printing.receipt_job(subject))]
            ends = {Kind.PRINTED: "printed", Kind.PRINT_WAIVED: "waived"}
            if papers:
                self.state.receipts[subject] = ends.get(papers[-1], "queued")
        for job in self.state.jobs.values():
            if job.what == "receipt" and job.code:
                self.state.receipts[job.handover] = "failed"
        self.state.last_started = self.journal.newest_charge()

    def _recover(self, handover: ho.Handover) -> None:
        for effect in ho.recover(handover):
            if effect is ho.Effect.PUT_BACK:
                self.ledger.record(
                    handover, self.ledger.draft(handover, Kind.PUT_BACK, why="restart")
                )
            elif effect is pay.Effect.QUERY:
                # The fact's own effect asks the terminal; it also tells what the restart found.
                payment = payment_of(handover)
                reason = {"code": Code.PAYMENT_UNKNOWN, "reason": "the counter was restarted"}
                self.ledger.record(
                    handover, self.ledger.draft(handover, Kind.DOUBTFUL, payment, **reason)
                )
            else:
                raise Bug(f"{effect} is nothing that a restart does")

    def _choose_focus(self) -> None:
        """After a restart: the running payment first, else the newest order to hand over. The
        others wait in the attention list, where they can be seen."""
        running = self.state.running()
        waiting = [h for h in self.state.handovers.values() if h.state is ho.State.TO_HAND_OVER]
        chosen = running or (waiting[-1] if waiting else None)
        for handover in waiting:
            if handover is not chosen:
                self._leave(handover)
        if chosen:
            self.ledger.go(Place(handover=chosen.id))

    def command(self, command: Command) -> Answer:
        """Do what a person asks, if the page offers it."""
        if command.action not in self.actions():
            return Answer.NOT_HERE
        self._stay_signed_in()
        if command.action is Action.SCAN:
            self.scanned(command.argument)
        else:
            self._act(command.action, command.argument)
        return Answer.DONE

    def scanned(self, text: str) -> None:
        """A code from a scanner or a keyboard, matched in the one table of commands.py."""
        self._stay_signed_in()
        sort, code = match(text)
        if sort is not Scanned.ORDER and self._is_double_read(code):
            return
        if sort is Scanned.LINK:
            self._scanned_link(code)
            return
        if not code or len(code) > 128 or not code.isprintable():
            self.ledger.notice(Code.SCAN_UNREADABLE)
        elif sort is Scanned.COMMAND:
            action, argument = COMMAND_CODES[code]
            if action in self.actions():
                self._act(action, argument)
            else:
                self.ledger.notice(Code.SCAN_NOT_NOW, code)
        elif sort is Scanned.BADGE:
            self._badge(code)
        elif self.page() not in compose.OPENABLE or not self._may_open_another():
            # The same order again is a shaky hand, not a wish.
            focus = self.state.focus
            if focus is None or code not in (*focus.order.codes, focus.order.number):
                self.ledger.notice(Code.SCAN_NOT_NOW, code)
        else:
            self.opening.open_code(code)

    def _scanned_link(self, text: str) -> None:
        """A link as a QR code: what came of it is on the screen, and its answer goes nowhere."""
        try:
            self.links.take(text, Source.SCAN)
        except LinkError as error:
            log.warning("link_refused", source=Source.SCAN, reason=error.reason, why=str(error))
            self.ledger.notice(Code.LINK_REFUSED, str(error))

    def _is_double_read(self, code: str) -> bool:
        """Scanners read twice now and then; a command or a badge is meant once."""
        now = self.ledger.clock.monotonic()
        last, self._last_read = self._last_read, (code, now)
        return last[0] == code and now - last[1] < DOUBLE_READ_S

    def _may_open_another(self) -> bool:
        focus = self.state.focus
        states = (ho.State.OPEN, ho.State.ATTENTION, ho.State.SET_ASIDE, *ho.ENDS)
        return focus is None or focus.state in states

    def scan_refused(self, why: str) -> None:
        self.ledger.notice(Code.SCAN_UNREADABLE, why)

    def _act(self, action: Action, argument: str) -> None:
        page, focus = self.page(), self.state.focus
        match action, page:
            case Action.CONFIRM, Page.ORDER if focus:
                self.charging.charge(focus)
            case Action.CONFIRM, Page.HAND_OVER if focus:
                self._hand_over(focus)
            case ((Action.CONFIRM | Action.WAIVE_RECEIPT), (Page.NO_RECEIPT | Page.HAND_OVER)) if (
                focus
            ):
                self.papers.waive(focus)
            case Action.CONFIRM, Page.ATTENTION:
                self._open_selected()
            case Action.CONFIRM, Page.ATTENTION_ITEM:
                self._settle_item()
            case Action.CONFIRM, Page.OUT_OF_ORDER:
                self._acknowledge_journal()
            case ((Action.CONFIRM | Action.CANCEL), Page.REFUSED):
                self.ledger.go(Place())
            case Action.CANCEL, Page.ORDER if focus:
                self.ledger.record(focus, self.ledger.draft(focus, Kind.PUT_BACK, why="cancelled"))
                self.ledger.go(Place())
            case Action.CANCEL, Page.CHARGING if focus:
                self.charging.stop(focus)
            case Action.CANCEL, Page.ATTENTION_ITEM:
                self.ledger.go(Place(Page.ATTENTION))
            case (
                Action.CANCEL,
                (Page.ATTENTION | Page.DAY | Page.ASKING | Page.PAIRING | Page.DEVICES),
            ):
                self.ledger.go(Place())
            case Action.NEXT, Page.HAND_OVER if focus:
                self._leave(focus)
                self.ledger.go(Place())
            case Action.NEXT, (Page.ATTENTION | Page.DAY):
                self.state.place.selected += 1  # the composer wraps it
            case Action.CONFIRM, Page.DEVICES:
                self.adopting.confirm(argument)
            case Action.NEXT, Page.DEVICES:
                self.adopting.next()
            case Action.OPEN, Page.DEVICES:
                self.adopting.mark(argument)
            case Action.OPEN, Page.ATTENTION:
                self.ledger.go(Place(Page.ATTENTION_ITEM, handover=argument))
            case Action.OPEN, _:
                self.opening.open_id(argument)
            case Action.CHECK, _ if focus:
                self._check(focus, argument)
            case Action.TICK, _ if focus:
                self._tick(focus, argument)
            case Action.REPRINT, Page.DAY if not argument:
                self.papers.reprint(self._selected_of_day())
            case Action.REPRINT, _:
                self.papers.reprint(argument)
            case ((Action.DECIDE_PAID | Action.DECIDE_NOT_PAID), _) if focus:
                self.charging.decide(focus, is_paid=action is Action.DECIDE_PAID)
            case Action.ATTENTION, _:
                self.ledger.go(Place(Page.ATTENTION))
            case Action.DAY, _:
                self.ledger.go(Place(Page.DAY))
            case Action.PAIR, _:
                self.pairing.show()
            case Action.DEVICES, _:
                self.adopting.show()
            case Action.RELEASE, _:
                self.adopting.release(argument)
            case Action.SIGN_OUT, _:
                self._sign_out("asked")
            case Action.LANGUAGE, _:
                self.state.language_turns += 1
            case _:
                raise Bug(f"{action} is offered on {page} but not done")

    def _check(self, handover: ho.Handover, argument: str) -> None:
        remaining = handover.open_checks
        kind = argument or (remaining[0] if remaining else "")
        if kind in remaining:
            self.ledger.record(
                handover, self.ledger.draft(handover, Kind.CHECK_CONFIRMED, check=kind)
            )

    def _tick(self, handover: ho.Handover, argument: str) -> None:
        count = len(handover.order.lines)
        if argument:
            line = int(argument) if argument.isascii() and argument.isdigit() else count
        else:
            line = next((n for n in range(count) if n not in handover.ticked), count)
        if line < count:
            self.ledger.record(handover, self.ledger.draft(handover, Kind.LINE_TICKED, line=line))

    def _hand_over(self, handover: ho.Handover) -> None:
        if handover.open_checks:
            self.ledger.notice(Code.CHECKS_OPEN, handover.open_checks[0])
            return
        if self.ledger.settings.require_seller and self.state.seller is None:
            self.ledger.notice(Code.SIGN_IN_FIRST)
            return
        self.ledger.record(
            handover,
            self.ledger.draft(handover, Kind.HANDED_OVER, **compose.summary(handover)),
        )
        self.state.handed_over_today += 1
        self.ledger.go(Place())

    def _leave(self, handover: ho.Handover) -> None:
        """The goods stay for now. What was paid here is remembered; else the shop keeps it."""
        if not handover.may_be_put_back:
            self.ledger.record(handover, self.ledger.draft(handover, Kind.SET_ASIDE))
        else:
            self.ledger.record(
                handover, self.ledger.draft(handover, Kind.PUT_BACK, why="left for later")
            )

    def _open_selected(self) -> None:
        items = compose.attention_items(self.ledger.state)
        if items:
            item = items[self.state.place.selected % len(items)]
            self.ledger.go(Place(Page.ATTENTION_ITEM, handover=item.handover))

    def _settle_item(self) -> None:
        """CONFIRM on an attention item: hand over now, or the shop's office has been told."""
        subject = self.state.place.handover
        if refused := self.state.refused_facts.get(subject):
            if self.ledger.needs_seller():
                self.ledger.notice(Code.SIGN_IN_FIRST)
                return
            self.ledger.write([Draft(Kind.FACT_SETTLED, subject, {"fact": refused.fact})])
            del self.state.refused_facts[subject]
            self.ledger.go(Place(Page.ATTENTION))
        elif focus := self.state.focus:
            self.opening.go_on_with(focus)

    def _badge(self, badge: str) -> None:
        if compose.is_serving(self.state):
            self.ledger.notice(Code.SCAN_NOT_NOW)
        elif self.state.sellers is None:
            self.ledger.notice(Code.BADGES_MISSING)
        else:
            self.ledger.hands.identify(badge, self.state.sellers)

    def identified(self, seller: Seller | None) -> None:
        """Whose badge it was. The same badge again signs out, unless an order is open."""
        if compose.is_serving(self.state):
            self.ledger.notice(Code.SCAN_NOT_NOW)
        elif seller is None:
            self.ledger.notice(Code.BADGE_UNKNOWN)
        elif self.state.seller and self.state.seller.id == seller.id:
            if self.state.focus is None:
                self._sign_out("badge")
        else:
            if self.state.seller is not None:
                self._sign_out("another badge")
            draft = Draft(Kind.SIGNED_IN, "", {"name": seller.name})
            self.ledger.write_as([draft], seller.id)
            self.state.seller = seller
            self._stay_signed_in()

    def _sign_out(self, why: str) -> None:
        if self.state.seller is not None:
            self.ledger.write([Draft(Kind.SIGNED_OUT, "", {"why": why})])
            self.state.seller = None

    def _stay_signed_in(self) -> None:
        self.state.seller_until = (
            self.ledger.clock.monotonic() + self.ledger.settings.sign_out_after_s
        )
        self.ledger.placed_at = self.ledger.clock.monotonic()

    def device(self, name: str, health: Health) -> None:
        was = self.state.devices.get(name)
        self.state.devices[name] = health
        if name == "terminal" and health.is_well and (was is None or not was.is_well):
            self.charging.terminal_is_back()

    def snapshot(self, snapshot: Snapshot) -> None:
        """All open orders; what is absent is open no longer."""
        state = self.ledger.state
        state.orders = {order.id: order for order in snapshot.orders}
        state.malformed = snapshot.malformed
        state.codes = {}
        for order in snapshot.orders:
            for code in (*order.codes, order.number):
                state.codes.setdefault(code, order.id)
        state.is_fetched = True
        self.links.wanted(snapshot.requests)

    def sellers(self, sellers: SellerList) -> None:
        self.state.sellers = sellers

    def delivered(self, seq: int, count: int) -> None:
        """The shop has everything up to this place; `count` of it was for the shop."""
        self.journal.delivered(seq)
        self.state.undelivered = max(self.state.undelivered - count, 0)

    def forgotten(self, seq: int) -> None:
        """The shop was restored from a backup: it has nothing any more from after this place."""
        self.state.undelivered = self.journal.count_undelivered(seq)

    def fact_refused(self, fact: Fact, reason: str) -> None:
        """The shop will never take this fact: a person tells the shop's office."""
        if self.journal.of_subject(f"S-{fact.id}"):
            return  # known, and perhaps settled: the batch came again
        body: dict[str, Json] = {
            "fact": fact.id, "kind": str(fact.kind), "order": fact.body.get("order", ""),
            "reason": reason[:REASON_MOST],
        }  # fmt: skip
        (written,) = self.ledger.write([Draft(Kind.FACT_REFUSED, f"S-{fact.id}", body)])
        self._refused(written)

    def _refused(self, fact: Fact) -> None:
        self.state.refused_facts[fact.subject] = RefusedFact(
            fact.subject, str(fact.body["fact"]), str(fact.body.get("order", "")),
            str(fact.body["reason"]), fact.at,
        )  # fmt: skip

    def tick(self) -> None:
        """Once a second: what time alone brings about."""
        now = self.ledger.clock.monotonic()
        state = self.ledger.state
        self.ledger.retry_unwritten()
        if state.notice and now >= state.notice_until:
            state.notice = None
        if self.ledger.clock.now().astimezone().date().isoformat() != self._day:
            self.new_day()
        self.charging.renew_claim()
        if state.fault:
            return
        self.charging.tick()
        self.links.tick()
        self.pairing.tick()
        self.adopting.tick()
        for handover_id in list(state.handovers):
            self.ledger.follow(handover_id)
        busy = state.focus is not None and state.focus.state is not ho.State.OPEN
        if state.seller and not busy:
            sellers = state.sellers.by_hash.values() if state.sellers else ()
            if self.ledger.settings.sign_out_after_s and now >= state.seller_until:
                self._sign_out("time")
            elif state.seller not in sellers:
                # Somebody who left must not decide on payments until an evening's sign-out.
                self._sign_out("not among the shop's sellers")
        alone = now - self.ledger.placed_at
        if (
            state.focus
            and state.focus.state is ho.State.OPEN
            and alone >= self.ledger.settings.lease_s
        ):
            self.ledger.record(
                state.focus, self.ledger.draft(state.focus, Kind.PUT_BACK, why="left alone")
            )
            self.ledger.go(Place())
        elif state.focus is None and self.page() is Page.ASKING and alone >= LOOK_UP_S:
            self.opening.looked_up(
                state.place.about, ShopTrouble(Code.SHOP_UNREACHABLE, "no answer")
            )
        elif state.place.page in compose.PASSING and alone >= LEFT_ALONE_S:
            self.ledger.go(Place())

    def new_day(self) -> None:
        """Midnight, or the start: the day's count, and retention."""
        now = self.ledger.clock.now()
        self._day = now.astimezone().date().isoformat()
        try:
            _, self.state.handed_over_today = self.journal.handed_over_since(self._midnight(), 1)
            self.adopting.carry()
            self.journal.settle()
            before = iso(now - timedelta(days=self.ledger.settings.keep_days))
            # Bounded: a clock that jumps years ahead must not take the whole history in one night.
            for _ in range(PRUNE_BATCHES):
                if not self.journal.prune(before):
                    break
        except JournalTrouble as trouble:
            self.ledger.fault(trouble)

    def _selected_of_day(self) -> str:
        return compose.selected_of_day(self.state, self.journal, self._midnight())

    def _midnight(self) -> str:
        day = (
            self.ledger.clock.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        )
        return iso(day)

    def page(self) -> Page:
        return compose.page(self.ledger.state)

    def actions(self) -> frozenset[Action]:
        return compose.actions(self.ledger.state, self.ledger.settings)

    def screen(self, seq: int) -> Screen:
        return compose.screen(
            self.state,
            self.ledger.settings,
            self.journal,
            self.ledger.clock,
            self._midnight(),
            seq,
            needs_seller=self.ledger.needs_seller(),
        )

    def _acknowledge_journal(self) -> None:
        if self.state.damaged_journal:
            subject, _ = self.state.damaged_journal
            self.ledger.write([Draft(Kind.JOURNAL_ACKNOWLEDGED, subject)])
            self.state.damaged_journal = None
