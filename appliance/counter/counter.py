"""The counter as a running thing: one loop thread that owns the core, and what feeds it.

Everything that happens is an event on one queue. The loop runs it, composes the screen, wakes
whoever waits for a change, and answers. Nothing else touches the core's state.
"""

from __future__ import annotations

import queue
import random
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from appliance.counter.clock import Clock, iso
from appliance.counter.commands import Answer, Answered, Command
from appliance.counter.compose import is_busy
from appliance.counter.core import Core
from appliance.counter.journal import Reader, open_or_set_aside
from appliance.counter.journal_file import JournalDamaged, put_aside
from appliance.counter.link_facts import Asked
from appliance.counter.link_out import LinkOut
from appliance.counter.links import Source
from appliance.counter.metrics import Beside, Metrics
from appliance.counter.pairing import PairingRefused
from appliance.counter.plug_watch import PlugWatch
from appliance.counter.release import VERSION
from appliance.counter.screen import OutOfOrder, Page, Screen
from appliance.counter.settings import Settings
from appliance.counter.shoplink import ShopLink
from appliance.counter.state import Job, Paired, State
from appliance.counter.update_state import NO_UPDATE, Update
from appliance.counter.workers import PrinterWorker, ScannerWorker, TerminalWorker
from appliance.domain import payment as pay
from appliance.domain.errors import Bug, Code, JournalTrouble
from appliance.ports import (
    WELL,
    Charge,
    Health,
    Plugs,
    Printer,
    Scanner,
    SellerList,
    Shop,
    ShowsCertificate,
    Terminal,
)
from appliance.protocols.links import kassa
from appliance.protocols.links.messages import LinkError, Result

log = structlog.get_logger()

EVENTS_MOST: Final = 1024
TICK_S: Final = 1.0
MACHINE_S: Final = 10.0
COMMAND_WAIT_S: Final = 2.0
ASK_WAIT_S: Final = 30.0
ANSWERS_KEPT: Final = 256
JOURNAL_AGAIN_S: Final = 5.0
FIRST_SEQ_BYTES: Final = 6
HUNG_AFTER_S: Final = 2400.0  # longer than any dialogue with its retries can last

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Followed:
    """How a request is that came as a link. state: "waiting" for its turn, "open" at the counter,
    "ended" with a result. address: where the caller wants to hear of it, None for nowhere.

    A result that came as a link is "heard" and has no id: there is nothing to follow."""

    id: str
    state: str
    result: Result | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Devices:
    """The drivers that this counter works with. scanner: None where the screen is enough. out:
    where those meet their answers that work by links, None where none does. plugs: who looks what
    is plugged in, None where no device is known by its role."""

    terminal: Terminal
    printer: Printer
    scanner: Scanner | None
    shop: Shop
    out: LinkOut | None = None
    plugs: Plugs | None = None


class Counter:
    """start() returns at once; the screen says how far it has come. stop() waits for the
    terminal, at most `wait_s` seconds, since a payment may be under way.

    hung: called when a device's thread does not come back; it should end the process, as
    nothing else can free a thread. The journal makes that safe. token: random hex digits of so
    many bytes. machine: how the machine around it is, asked now and then; it answers at once.
    update: how the last update of the box went; it answers at once too.
    """

    def __init__(
        self,
        journal: Path,
        settings: Settings,
        devices: Devices,
        clock: Clock,
        hung: Callable[[str], None],
        token: Callable[[int], str] = secrets.token_hex,
        machine: Callable[[], Health] = lambda: WELL,
        update: Callable[[], Update] = lambda: NO_UPDATE,
    ) -> None:
        self.stopping = threading.Event()
        self._ended = threading.Event()
        self.metrics_registry = Metrics()
        self._path, self._settings, self._clock = journal, settings, clock
        self._hung, self._token, self._machine = hung, token, machine
        self._update, self._far = update, devices.shop
        self._payments_unknown: int | None = None
        self._events: queue.Queue[Callable[[], None]] = queue.Queue(EVENTS_MOST)
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._changed = threading.Condition()
        # A page may outlive the program that drew it. Counted from one again, its seq would pass
        # for a new one, and a tap on the old page would be taken for one on the present page.
        first = int(token(FIRST_SEQ_BYTES), 16)
        self._screen = self._out_of_order(first, Code.STARTING, "")
        self._epoch = first  # the seq at which what one may do last changed
        self._is_busy = True  # until it is known what was open
        self._fault: Code | None = None  # of the journal; a running payment keeps the screen
        self._core: Core | None = None
        self._ticked_at = clock.monotonic()
        self._machine_at = self._ticked_at - MACHINE_S
        self._written = 0  # the newest fact that the outbox was told of
        self._heartbeat: tuple[float, str] | None = None
        self._out = devices.out or LinkOut(clock)
        self._out.listen(lambda: self.post(lambda core: None))  # the screen is composed anew
        self._terminal = TerminalWorker(devices.terminal, self, clock)
        self._printer = PrinterWorker(devices.printer, self, settings.language)
        self._scanner = ScannerWorker(devices.scanner, self) if devices.scanner else None
        self._plugs = (
            PlugWatch(devices.plugs, self, journal.parent, clock) if devices.plugs else None
        )
        chance = random.Random(token(8))  # noqa: S311 - jitter, no secret
        self._shop = ShopLink(
            devices.shop, self, clock, lambda: Reader(journal), self.health, chance
        )
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    # --- for the web layer --------------------------------------------------------------------

    def screen(self) -> Screen:
        return self._screen

    def wait(self, seq: int, timeout_s: float) -> int:
        """The current seq: as soon as it differs from `seq`, or after the timeout."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._screen.seq != seq or self.stopping.is_set(), timeout_s
            )
            return self._screen.seq

    def command(self, command: Command) -> Answered:
        """Do what a person asks; a repeat of the same id gets the first answer."""
        with self.metrics_registry.command_seconds.time():
            future: Future[Answer] = Future()
            self._put(lambda: self._answer(future, command))
            try:
                answer = future.result(COMMAND_WAIT_S)
            except FutureTimeout:
                answer = Answer.BUSY
        self.metrics_registry.commands.labels(command.action, answer).inc()
        return Answered(answer, self._screen)

    def link(self, text: str, source: Source) -> Followed:
        """Take a link, or find the request that it repeats; a result goes to the driver that asked
        for it. Raises LinkError, JournalTrouble, TimeoutError."""
        self._check_started()
        try:
            if kassa.is_result(text):
                return self._hear(text)
            return self.ask(lambda core: _followed(core, core.links.take(text, source)))
        except LinkError as error:
            log.warning("link_refused", source=source, reason=error.reason, why=str(error))
            raise

    def refusal(self, error: LinkError) -> str | None:
        """The address that tells the caller that its link is refused; None for nowhere."""
        return self.ask(lambda core: core.links.refusal(error))

    def _hear(self, text: str) -> Followed:
        word = self._out.hear(text)
        if word.signed_by:
            self.post(lambda core: core.charging.heard(word.result))
        return Followed("", "heard", word.result, None)

    def followed(self, request: str) -> Followed | None:
        """How the request with this id is; None for one that is not known. Raises
        JournalTrouble, TimeoutError."""
        self._check_started()

        def find(core: Core) -> Followed | None:
            asked = core.links.find(request)
            return _followed(core, asked) if asked else None

        return self.ask(find)

    def pair(self, code: str, name: str) -> str:
        """The token of a device that opened the address on the screen. Raises PairingRefused,
        JournalTrouble, TimeoutError."""
        self._check_started()
        token = self.ask(lambda core: core.pairing.pair(code, name))
        log.info("device_paired", name=name)
        return token

    def device(self, token: str) -> Paired | None:
        """Whose token this is; None for nobody's. Raises JournalTrouble, TimeoutError."""
        self._check_started()
        return self.ask(lambda core: core.pairing.device(token))

    def devices(self) -> tuple[Paired, ...]:
        """All that are paired. Raises as `device`."""
        self._check_started()
        return self.ask(lambda core: tuple(core.state.paired.values()))

    def remove_device(self, device: str) -> bool:
        """Its token counts no longer; False where it is not known. Raises as `device`."""
        self._check_started()
        return self.ask(lambda core: core.pairing.remove(device))

    def heartbeat(self, page: str) -> None:
        self._heartbeat = (self._clock.monotonic(), page[:32])
        self._out.drawn()

    def health(self) -> Mapping[str, object]:
        """How the counter is. failing: it does not work; degraded: some device does not."""
        screen, now = self._screen, self._clock.monotonic()
        troubles = {d.name: str(d.health.code) for d in screen.devices if d.health.code}
        loop_age = now - self._ticked_at
        status = "degraded" if troubles or screen.attention else "ok"
        code = screen.body.code if isinstance(screen.body, OutOfOrder) else self._fault
        if code or screen.page is Page.OUT_OF_ORDER or loop_age > 10 * TICK_S:
            status = "failing"
        return {
            "status": status,
            "version": VERSION,
            "busy": self._may_be_serving(),
            "code": str(code) if code else None,
            "counter": screen.counter,
            "page": str(screen.page),
            "devices": {d.name: str(d.health.code or "ok") for d in screen.devices},
            "attention": screen.attention,
            "undelivered": screen.undelivered,
            "handed_over_today": screen.handed_over_today,
            "loop_age_s": round(loop_age, 1),
            "browser_age_s": round(now - self._heartbeat[0], 1) if self._heartbeat else None,
            "browser_page": self._heartbeat[1] if self._heartbeat else None,
        }

    def _may_be_serving(self) -> bool:
        if self._core is None:  # it starts, or has said why it cannot
            body = self._screen.body
            return not isinstance(body, OutOfOrder) or body.code is Code.STARTING
        return self._is_busy or self._terminal.busy_for() > 0

    def metrics(self) -> bytes:
        printer = next((d for d in self._screen.devices if d.name == "printer"), None)
        beside = Beside(
            payments_unknown=self._payments_unknown,
            is_paper_low=None if printer is None else printer.health.is_paper_low,
            certificates=self._certificates(),
            update=self._update(),
        )
        return self.metrics_registry.text(self.health(), beside)

    def _certificates(self) -> dict[str, float]:
        until = self._far.certificate_until() if isinstance(self._far, ShowsCertificate) else None
        return {} if until is None else {"shop": until}

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait_s: float) -> bool:
        """True when everything ended; a charge that outlasts wait_s is recovered by the next
        start. Streams of the web layer end through `stopping`."""
        self.stopping.set()
        with self._changed:
            self._changed.notify_all()
        ended = [True]
        if self._core is not None:
            ended = [self._terminal.stop(wait_s)]
            self._out.close()  # a payment was waited for; paper prints after the next start
            ended += [self._printer.stop(10.0), self._shop.stop(5.0)]
            if self._scanner is not None:
                ended.append(self._scanner.stop(5.0))
            if self._plugs is not None:
                ended.append(self._plugs.stop(5.0))
        # Last: until here the devices still had something to say.
        self._ended.set()
        self._put(lambda: None)
        self._thread.join(5.0)
        return all(ended) and not self._thread.is_alive()

    # --- Loop ---------------------------------------------------------------------------------

    def post(self, event: Callable[[Core], object]) -> None:
        self._put(lambda: self._quietly(event))

    def ask(self, event: Callable[[Core], T]) -> T:
        """Raises what the event raises, and TimeoutError."""
        future: Future[T] = Future()
        self._put(lambda: self._resolve(future, lambda: event(self._ready())))
        return future.result(ASK_WAIT_S)

    # --- Hands: what the core asks of the world -------------------------------------------------

    def look_up(self, code: str) -> None:
        self._shop.look_up(code)

    def identify(self, badge: str, sellers: SellerList) -> None:
        self._shop.identify(badge, sellers)

    def claim(self, handover: str, order: str, version: str, lease_s: int) -> None:
        self._shop.claim(handover, order, version, lease_s)

    def read_fresh(self, handover: str, number: str, lease_s: int) -> None:
        self._shop.read_fresh(handover, number, lease_s)

    def renew(self, handover: str, order: str, version: str, lease_s: int) -> None:
        self._shop.renew(handover, order, version, lease_s)

    def prepare(self, handover: str) -> None:
        self._terminal.prepare(handover)

    def authorise(self, handover: str, charge: Charge) -> None:
        self.metrics_registry.charges.inc()
        self._terminal.authorise(handover, charge)

    def abort(self) -> None:
        self._terminal.abort()

    def query(self, handover: str, charge: Charge, ask_s: float) -> None:
        self.metrics_registry.doubts.inc()
        self._terminal.query(handover, charge, ask_s)

    def print(self, job: Job) -> None:
        self._printer.print(job)

    # --- the loop's thread ----------------------------------------------------------------------

    def fail(self, what: str) -> None:
        """A worker met a bug that leaves a payment in the air: only a new start can ask for it."""
        self._hung(what)

    def _put(self, event: Callable[[], None]) -> None:
        try:
            self._events.put(event, timeout=ASK_WAIT_S)
        except queue.Full:
            # A thousand events wait and none has gone for half a minute: the loop is dead.
            self._hung("loop")
            raise Bug("the loop does not run") from None

    def _run(self) -> None:
        try:
            while not self._begin():
                if self.stopping.wait(JOURNAL_AGAIN_S):
                    return
            while not self._ended.is_set() or not self._events.empty():
                self._turn()
        except Exception:
            # Nothing below expects to get here: the process starts anew from the journal.
            log.exception("loop_failed")
            self._hung("loop")
        finally:
            if self._core is not None:
                self._close(self._core)

    def _close(self, core: Core) -> None:
        try:
            core.journal.settle()
        except JournalTrouble as trouble:
            log.warning("cursor_not_kept", code=trouble.code)
        core.journal.close()

    def _begin(self) -> bool:
        """Open the journal and start from it. False: not yet, the screen says why."""
        try:
            journal, aside = open_or_set_aside(
                self._path, lambda: iso(self._clock.now()), self._token
            )
        except JournalTrouble as trouble:
            log.error("journal_cannot_be_opened", code=trouble.code, detail=trouble.detail)
            self._publish(self._out_of_order(self._screen.seq, trouble.code, trouble.detail))
            return False
        if aside is not None:
            log.error("journal_set_aside", code=Code.JOURNAL_DAMAGED, file=aside.name)
        core = Core(journal, self._settings, self._clock, self)
        core.ledger.on_written = self.metrics_registry.written
        try:
            core.start()
            if self._plugs is not None:
                self._plugs.join(core)
        except JournalDamaged as damage:
            # What the checks of every start pass over, as they do not read the whole history.
            # Trying again would find the same for ever.
            journal.close()
            return self._set_aside(damage)
        except JournalTrouble as trouble:
            log.warning("start_not_written", code=trouble.code, detail=trouble.detail)
            self._publish(self._out_of_order(self._screen.seq, trouble.code, trouble.detail))
            journal.close()
            return False
        except Exception as error:
            # What is on disk makes no sense to this release. Going on could charge twice.
            log.exception("replay_failed")
            detail = type(error).__name__
            self._publish(self._out_of_order(self._screen.seq, Code.INTERNAL, detail))
            journal.close()
            self.stopping.wait()
            return False
        self._core = core
        self._compose(core)
        self._terminal.start()
        self._printer.start()
        self._shop.start()
        if self._scanner:
            self._scanner.start()
        if self._plugs:
            self._plugs.start()
        return True

    def _set_aside(self, damage: JournalDamaged) -> bool:
        """Put the damaged journal away, and begin with a new one, which says so."""
        try:
            aside = put_aside(self._path, iso(self._clock.now()))
        except JournalTrouble as trouble:
            self._publish(self._out_of_order(self._screen.seq, trouble.code, trouble.detail))
            return False
        log.error("journal_set_aside", code=damage.code, file=aside.name, detail=damage.detail)
        return self._begin()

    def _turn(self) -> None:
        """One event, or a tick when there is none."""
        core = self._ready()
        due = self._ticked_at + TICK_S - self._clock.monotonic()
        if due <= 0:
            self._tick(core)
            return
        try:
            event = self._events.get(timeout=due)
        except queue.Empty:
            return
        event()
        self._follow(core)
        self._compose(core)
        if core.journal.last != self._written:
            self._written = core.journal.last
            self._shop.wake()

    def _follow(self, core: Core) -> None:
        """What the event has meant for the requests that came as links."""
        try:
            core.links.follow()
        except JournalTrouble as trouble:
            log.warning("link_not_written", code=trouble.code)  # the next event tries again

    def _tick(self, core: Core) -> None:
        self._ticked_at = self._clock.monotonic()
        try:
            core.tick()
        except JournalTrouble as trouble:
            log.warning("tick_not_written", code=trouble.code)
        self._look_at_machine(core)
        self._compose(core)
        if self._terminal.busy_for() > HUNG_AFTER_S + self._settings.unknown_ask_s:
            self._hung("terminal")

    def _look_at_machine(self, core: Core) -> None:
        """It has a place in the top bar only while it needs somebody."""
        if self._ticked_at - self._machine_at < MACHINE_S:
            return
        self._machine_at = self._ticked_at
        health = self._machine()
        if health == core.state.devices.get("machine", WELL):
            return
        if health.is_well:
            del core.state.devices["machine"]
        else:
            log.warning("machine", code=health.code, detail=health.detail)
            core.device("machine", health)

    def _check_started(self) -> None:
        if self._core is None:
            body = self._screen.body
            raise JournalTrouble(body.code if isinstance(body, OutOfOrder) else Code.STARTING)

    def _ready(self) -> Core:
        if self._core is None:
            raise Bug("an event before the start")
        return self._core

    def _quietly(self, event: Callable[[Core], object]) -> None:
        """An event whose failure nobody waits for. The disk's trouble is on the screen already; a
        bug of ours is logged and shown, and leaves the state as it was: the core tries each step
        before it writes."""
        core = self._ready()
        try:
            event(core)
        except JournalTrouble as trouble:
            log.warning("event_not_written", code=trouble.code, detail=trouble.detail)
        except Bug as bug:
            log.exception("event_failed")
            core.ledger.notice(Code.INTERNAL, str(bug))

    def _resolve(self, future: Future[T], event: Callable[[], T]) -> None:
        try:
            result = event()
        except Exception as error:
            if not isinstance(error, JournalTrouble | LinkError | PairingRefused):
                log.exception("event_failed")
            future.set_exception(error)
        else:
            future.set_result(result)  # a device waits: it comes before the screen

    def _answer(self, future: Future[Answer], command: Command) -> None:
        try:
            answer = self._command(command)
        except Bug as error:
            log.exception("command_failed", action=command.action)
            future.set_exception(error)
            return
        if self._core is not None:
            self._compose(self._core)  # who asked sees what came of it
        future.set_result(answer)

    def _command(self, command: Command) -> Answer:
        if command.id in self._answers:
            return self._answers[command.id]
        answer = self._obey(command)
        self._answers[command.id] = answer
        while len(self._answers) > ANSWERS_KEPT:
            self._answers.popitem(last=False)
        return answer

    def _obey(self, command: Command) -> Answer:
        if self._core is None:
            return Answer.NOT_HERE
        if command.seq is not None and not self._epoch <= command.seq <= self._screen.seq:
            return Answer.STALE  # beyond the present one: of another run of the program
        try:
            return self._core.command(command)
        except JournalTrouble as trouble:
            # What was not written was not done; the screen now says what is wrong.
            log.warning("command_not_written", code=trouble.code)
            return Answer.NOT_HERE

    # --- the screen -----------------------------------------------------------------------------

    def _compose(self, core: Core) -> None:
        before = self._screen
        self._payments_unknown = _unknown(core.state)
        self._fault = core.state.fault[0] if core.state.fault else None
        self._is_busy = is_busy(core.state)
        try:
            screen = core.screen(before.seq)
            if to_open := self._out.to_open():
                screen = replace(screen, leave=to_open)
        except JournalTrouble as trouble:
            core.ledger.fault(trouble)
            screen = self._out_of_order(before.seq, trouble.code, trouble.detail)
        if replace(screen, at=before.at) == before:
            return
        self._publish(screen)

    def _publish(self, screen: Screen) -> None:
        before, seq = self._screen, self._screen.seq + 1
        screen = replace(screen, seq=seq)
        with self._changed:
            self._screen = screen
            if _meaning(before) != _meaning(screen):
                self._epoch = seq
            self._changed.notify_all()

    def _out_of_order(self, seq: int, code: Code, detail: str) -> Screen:
        settings = self._settings
        return Screen(
            seq=seq,
            page=Page.OUT_OF_ORDER,
            body=OutOfOrder(code, detail),
            actions=frozenset(),
            at=self._clock.now().astimezone().isoformat(timespec="seconds"),
            counter=settings.counter,
            place=settings.place,
            devices=(),
            seller=None,
            seller_required=settings.require_seller,
            notice=None,
            attention=0,
            handed_over_today=0,
            undelivered=0,
        )


def _followed(core: Core, asked: Asked) -> Followed:
    state = "waiting"
    if asked.result is not None:
        state = "ended"
    elif asked.handover or asked.job:
        state = "open"
    return Followed(asked.id, state, asked.result, core.links.address(asked))


def _unknown(state: State) -> int:
    """Payments in doubt: of those that wait for the terminal, and those that wait for a person."""
    unsure = (pay.State.DOUBTFUL, pay.State.ATTENTION)
    return sum(
        payment.state in unsure
        for handover in state.handovers.values()
        for payment in handover.payments
    )


def _meaning(screen: Screen) -> tuple[Any, ...]:
    """What a command issued on this screen would mean. A prompt, a device's state or a receipt
    may change under the finger; the page, its order and its amount may not. (What is offered no
    longer is refused by itself.)"""
    body = screen.body
    order = getattr(body, "order", None)
    version = (order.id, order.version) if order is not None else None
    listed = (getattr(body, name, None) for name in ("selected", "rows", "items", "item", "amount"))
    return screen.page, version, *listed
