"""One thread for each device. A worker speaks to its device, and to the core only through `Loop`.

Whatever a driver raises that is not its port's Trouble is a bug of ours: it is logged with its
traceback and taken for the worst that it can mean (an unknown payment, a paper not printed).
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

import structlog

from appliance.counter.clock import Clock
from appliance.counter.core import Core
from appliance.counter.papers import WantedNoLonger
from appliance.counter.printing import on_paper
from appliance.counter.state import Job
from appliance.domain.errors import (
    Code,
    JournalTrouble,
    PrinterTrouble,
    ScannerTrouble,
    TerminalTrouble,
)
from appliance.domain.payment import Baseline
from appliance.ports import (
    WELL,
    Approved,
    Charge,
    Declined,
    Health,
    Outcome,
    Printer,
    Prompt,
    Scanner,
    Slip,
    Terminal,
    Unknown,
)

log = structlog.get_logger()

CHECK_EVERY_S: Final = 10.0
ASK_AGAIN_S: Final = 2.0
PRINT_AGAIN_S: Final = 1.0
PRINT_AGAIN_MOST_S: Final = 30.0
SCANNER_AGAIN_S: Final = 1.0
JOBS_MOST: Final = 500
_FINAL: Final = frozenset({Code.PAYMENT_UNRESOLVED, Code.TERMINAL_OTHER_AMOUNT})

T = TypeVar("T")


class Loop(Protocol):
    """The way to the core: every event runs on the loop's thread, one after the other."""

    def post(self, event: Callable[[Core], object]) -> None:
        """Let it happen soon. Never blocks for long; never raises."""

    def ask(self, event: Callable[[Core], T]) -> T:
        """Let it happen, and wait for its result. Raises what the event raises."""

    def fail(self, what: str) -> None:
        """End the process: a bug left a payment in the air, and the next start asks for it."""


class _Observer:
    """What the terminal says of one payment, on its way to the core."""

    def __init__(self, loop: Loop, handover: str, payment: str) -> None:
        self._loop, self._handover, self._payment = loop, handover, payment

    def prompt(self, prompt: Prompt, text: str) -> None:
        self._loop.post(lambda core: core.charging.prompted(prompt, text))

    def answered(self, outcome: Approved | Declined) -> None:
        self._loop.ask(lambda core: core.charging.answered(self._handover, self._payment, outcome))

    def slip(self, kind: Slip, lines: Sequence[str]) -> None:
        self._loop.ask(lambda core: core.charging.slip(self._handover, self._payment, kind, lines))


class TerminalWorker:
    """The terminal's thread: one dialogue after the other."""

    def __init__(self, terminal: Terminal, loop: Loop, clock: Clock) -> None:
        self._terminal, self._loop, self._clock = terminal, loop, clock
        self._jobs: queue.Queue[Callable[[], None]] = queue.Queue(maxsize=16)
        self._stop = threading.Event()
        self._is_stopped = threading.Event()
        self._lock = threading.Lock()  # of what follows
        self._to_prepare: str | None = None  # the handover that waits for its turn, if one does
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait_s: float) -> bool:
        """End after the running dialogue; False when it did not end within wait_s seconds."""
        self._stop.set()
        self._put(lambda: None)
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def busy_for(self) -> float:
        """Seconds that the present dialogue has lasted; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else self._clock.monotonic() - since

    def prepare(self, handover: str) -> None:
        """Only the newest wish waits: while a terminal hangs, a seller may try again and again."""
        with self._lock:
            is_waiting = self._to_prepare is not None
            self._to_prepare = handover
        if not is_waiting:
            self._put(self._prepare_newest)

    def _prepare_newest(self) -> None:
        with self._lock:
            handover, self._to_prepare = self._to_prepare, None
        if handover is not None:
            self._prepare(handover)

    def authorise(self, handover: str, charge: Charge) -> None:
        self._is_stopped.clear()
        self._put(lambda: self._authorise(handover, charge))

    def query(self, handover: str, charge: Charge, ask_s: float) -> None:
        self._put(lambda: self._query(handover, charge, ask_s))

    def abort(self) -> None:
        self._is_stopped.set()  # the charge may still wait for its turn here
        self._terminal.abort()

    def _put(self, job: Callable[[], None]) -> None:
        # At most one payment runs, so a full queue is a bug and may raise.
        self._jobs.put_nowait(job)

    def _run(self) -> None:
        self._check()
        while not self._stop.is_set():
            try:
                job = self._jobs.get(timeout=CHECK_EVERY_S)
            except queue.Empty:
                self._check()
                continue
            self._busy_since = self._clock.monotonic()
            try:
                job()
            except Exception:
                log.exception("terminal_worker_failed")
                self._loop.fail("terminal")
            finally:
                self._busy_since = None
        self._terminal.close()

    def _check(self) -> None:
        try:
            health = self._terminal.check()
        except Exception:
            log.exception("terminal_check_failed")
            health = Health(Code.INTERNAL)
        self._loop.post(lambda core: core.device("terminal", health))

    def _prepare(self, handover: str) -> None:
        result = self._baseline()
        health = Health(result.code, result.detail) if isinstance(result, TerminalTrouble) else WELL
        self._loop.post(lambda core: core.device("terminal", health))
        self._loop.post(lambda core: core.charging.prepared(handover, result))

    def _baseline(self) -> Baseline | TerminalTrouble:
        try:
            return self._terminal.baseline()
        except TerminalTrouble:
            pass  # not connected: one try to mend that, while the seller waits
        try:
            self._terminal.connect()
            return self._terminal.baseline()
        except TerminalTrouble as trouble:
            return trouble

    def _authorise(self, handover: str, charge: Charge) -> None:
        observer = _Observer(self._loop, handover, charge.payment_id)
        outcome: Outcome
        try:
            if self._is_stopped.is_set():
                outcome = Declined(Code.PAYMENT_STOPPED)  # nothing has left the kiosk
            else:
                outcome = self._terminal.authorise(charge, observer)
        except TerminalTrouble as trouble:
            # The port's promise: certainly nothing left the kiosk.
            outcome = Declined(trouble.code, trouble.detail)
        except JournalTrouble as trouble:
            outcome = Unknown(Code.PAYMENT_UNKNOWN, f"the disk: {trouble.detail}")
        except Exception:
            log.exception("authorise_failed", payment=charge.payment_id)
            outcome = Unknown(Code.PAYMENT_UNKNOWN, "the program failed in the middle")
        self._loop.ask(lambda core: core.charging.charged(handover, charge.payment_id, outcome))

    def _query(self, handover: str, charge: Charge, ask_s: float) -> None:
        observer = _Observer(self._loop, handover, charge.payment_id)
        until = self._clock.monotonic() + ask_s
        looked_at = float("-inf")
        while True:
            self._loop.post(lambda core: core.charging.asked("asked", ""))
            outcome = self._last_transaction(charge, observer)
            if not isinstance(outcome, Unknown) or outcome.code in _FINAL:
                break
            reason = outcome.reason
            self._loop.post(lambda core, text=reason: core.charging.asked("no_answer", text))  # type: ignore[misc]
            if self._clock.monotonic() >= until:
                break
            if self._clock.monotonic() - looked_at >= CHECK_EVERY_S:
                self._check()  # why it does not tell: the seller may have to plug it in
                looked_at = self._clock.monotonic()
            if self._stop.wait(ASK_AGAIN_S):
                return  # the next start asks on: nothing was decided
        self._loop.ask(lambda core: core.charging.charged(handover, charge.payment_id, outcome))

    def _last_transaction(self, charge: Charge, observer: _Observer) -> Outcome:
        try:
            return self._terminal.last_transaction(charge, observer)
        except TerminalTrouble as trouble:
            return Unknown(Code.PAYMENT_UNKNOWN, trouble.detail)
        except JournalTrouble as trouble:
            return Unknown(Code.PAYMENT_UNKNOWN, f"the disk: {trouble.detail}")
        except Exception:
            log.exception("recovery_failed", payment=charge.payment_id)
            return Unknown(Code.PAYMENT_UNKNOWN, "the program failed in the middle")


class PrinterWorker:
    """The printer's thread: the jobs in their order, each until it is printed or waived."""

    def __init__(self, printer: Printer, loop: Loop, language: str) -> None:
        self._printer, self._loop, self._language = printer, loop, language
        self._jobs: deque[str] = deque()
        # Papers in a row that broke off although the printer says that it is well.
        self._broken_off = 0
        self._wake = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait_s: float) -> bool:
        self._stop.set()
        with self._wake:
            self._wake.notify()
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def print(self, job: Job) -> None:
        with self._wake:
            if len(self._jobs) >= JOBS_MOST:
                # It stays in the journal and prints after the next start.
                log.error("print_queue_full", job=job.id)
                return
            self._jobs.append(job.id)
            self._wake.notify()

    def _run(self) -> None:
        self._check()
        while not self._stop.is_set():
            with self._wake:
                self._wake.wait_for(lambda: self._jobs or self._stop.is_set(), CHECK_EVERY_S)
                job_id = self._jobs[0] if self._jobs else None
            if self._stop.is_set():
                break
            if job_id is None:
                self._check()
                continue
            try:
                is_over = self._print(job_id)
            except Exception:
                log.exception("printer_worker_failed", job=job_id)
                self._failed(job_id, Code.PRINTER_FAULT, "the program failed in the middle")
                is_over = False
                with self._wake:
                    self._jobs.rotate(-1)  # a paper that cannot be printed holds up no other
            if is_over:
                with self._wake:
                    self._jobs.popleft()
            else:
                # Each try may put half a paper on the floor, so without a cause that can be seen
                # to go they become rare.
                doubled = PRINT_AGAIN_S * 2 ** min(max(self._broken_off - 1, 0), 10)
                self._stop.wait(min(doubled, PRINT_AGAIN_MOST_S))
        self._printer.close()

    def _check(self) -> bool:
        try:
            health = self._printer.check()
        except Exception:
            log.exception("printer_check_failed")
            health = Health(Code.INTERNAL)
        self._loop.post(lambda core: core.device("printer", health))
        return health.is_well

    def _print(self, job_id: str) -> bool:
        """True when the job needs no more: printed, or wanted no longer."""
        job = self._loop.ask(lambda core: core.state.jobs.get(job_id))
        if job is None:
            return True
        # A job that failed before waits for the cause to go, not for another failure.
        if job.code and not self._check():
            self._broken_off = 0
            return False
        self._broken_off += 1  # until it is known better
        document = on_paper(job, self._language).document
        try:
            self._printer.print(
                document, lambda: self._loop.ask(lambda core: core.papers.began(job_id))
            )
        except PrinterTrouble as trouble:
            self._failed(job_id, trouble.code, trouble.detail)
            return False
        except JournalTrouble:
            self._broken_off = 0  # nothing has left
            return False
        except WantedNoLonger:
            return True
        self._broken_off = 0
        self._loop.ask(lambda core: core.papers.printed(job_id))
        self._loop.post(lambda core: core.device("printer", WELL))
        return True

    def _failed(self, job_id: str, code: Code, detail: str) -> None:
        self._loop.post(lambda core: core.device("printer", Health(code, detail)))
        self._loop.post(lambda core: core.papers.failed(job_id, code))


class ScannerWorker:
    """The scanner's thread: reads as long as the device is there, and tries again when not."""

    def __init__(self, scanner: Scanner, loop: Loop) -> None:
        self._scanner, self._loop = scanner, loop
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scanner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait_s: float) -> bool:
        self._stop.set()
        self._scanner.close()
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._scanner.run(self._scanned, self._refused, self._opened)
            except ScannerTrouble as trouble:
                health = Health(trouble.code, trouble.detail)
            except Exception:
                log.exception("scanner_worker_failed")
                health = Health(Code.INTERNAL)
            else:
                return  # closed
            self._loop.post(lambda core, health=health: core.device("scanner", health))  # type: ignore[misc]
            self._stop.wait(SCANNER_AGAIN_S)

    def _opened(self) -> None:
        self._loop.post(lambda core: core.device("scanner", WELL))

    def _scanned(self, text: str) -> None:
        self._loop.post(lambda core: core.scanned(text))

    def _refused(self, why: str) -> None:
        self._loop.post(lambda core: core.scan_refused(why))
