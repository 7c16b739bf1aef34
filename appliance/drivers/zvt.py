"""Driver for card terminals that speak ZVT, over a serial port or TCP.

What it promises is written in zvt_payment.py. The order of an authorise is: drain the line, send
06 01 once, listen until the terminal ends the command. It is never sent a second time, unless the
terminal itself says by NAK that it did not get it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import structlog

from appliance.domain.errors import Bug, Code, ConfigTrouble, TerminalTrouble
from appliance.domain.money import CURRENCIES, Money
from appliance.domain.payment import Baseline, Card
from appliance.drivers.lines import Clock, Line, LineLost, SerialSettings, check_address, open_line
from appliance.drivers.zvt_payment import Nothing, PaymentHandler, Slips, baseline_of, judge
from appliance.drivers.zvt_questions import CannotTell, Idle, Questions
from appliance.drivers.zvt_session import Dialogue, Session, Times
from appliance.drivers.zvt_trace import Trace
from appliance.ports import (
    WELL,
    Approved,
    Charge,
    Declined,
    Health,
    Outcome,
    Slip,
    TerminalObserver,
    TerminalTraits,
    Unknown,
)
from appliance.protocols.zvt import answers, commands, results
from appliance.protocols.zvt.errors import NotTakenError, ZvtError
from appliance.protocols.zvt.framing import Link, SerialLink, SerialTimes, TcpLink

log = structlog.get_logger()

T = TypeVar("T")

ABORT_FRESH_S: Final = 2.0
"""An abort that comes so shortly before its charge still counts for it."""


@dataclass(frozen=True, slots=True)
class ZvtOptions:
    """address: "serial:/dev/kassa/terminal" or "tcp:host:port" (20007 is usual). baud: of a serial
    line, 9600 or 115200. password: the terminal's till password, six digits. currency: ISO 4217
    code. times: the standard's. trace: a file for the dialogue, "" for none. idle_wait_s: how long
    one question of a recovery waits until the terminal is idle, which whoever asks does again and
    again; idle_poll_s: how often it looks.

    Raises ConfigTrouble for values that cannot be.
    """

    address: str
    baud: int = 9600
    password: str = field(default="000000", repr=False)
    currency: str = "EUR"
    times: Times = field(default_factory=Times)
    trace: str = ""
    idle_wait_s: float = 5.0
    idle_poll_s: float = 1.0

    def __post_init__(self) -> None:
        check_address(self.address)
        mistakes = []
        if not (self.password.isascii() and self.password.isdigit() and len(self.password) == 6):
            mistakes.append("the terminal's password has six digits")
        if self.currency not in CURRENCIES:
            mistakes.append(f"unknown currency {self.currency!r}")
        if mistakes:
            raise ConfigTrouble(mistakes)


class ZvtTerminal:
    """A Terminal (see ports). clock: monotonic seconds. open_line: for a replayed dialogue."""

    def __init__(
        self,
        options: ZvtOptions,
        clock: Clock = time.monotonic,
        *,
        open_line: Callable[[float], Line] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._times = options.times
        self._clock = clock
        self._sleep = sleep
        self._open_line = open_line or self._open_address
        self._currency = CURRENCIES[options.currency]
        self._trace = Trace(options.trace)
        self._questions = Questions(options.password, self._currency.numeric, options.times, clock)
        self._session: Session | None = None
        self._baseline: Baseline | None = None  # None: to be asked for before the next charge
        self._abort_at: float | None = None
        self._printed: tuple[str, frozenset[Slip]] = ("", frozenset())

    def traits(self) -> TerminalTraits:
        return TerminalTraits(recovers=True, detail="ZVT: asks for the last transaction (06 20)")

    # --- connection

    def connect(self) -> None:
        self._drop()
        try:
            self._prepare()
        except BaseException:
            self._drop()
            raise

    def close(self) -> None:
        self._drop()

    def check(self) -> Health:
        try:
            self._follow()
            if self._session is None or self._baseline is None:
                self.connect()
                return WELL
            return self._check_idle(self._session)
        except TerminalTrouble as trouble:
            return Health(trouble.code, trouble.detail)

    def _check_idle(self, session: Session) -> Health:
        idle = Idle()
        try:
            state = self._guard(lambda: self._questions.state(session, idle))
        except TerminalTrouble:
            self.connect()  # a line that was lost while idle may be back already
            return WELL
        if idle.has_done_something:
            self._baseline = None  # an end of day may have begun the numbers anew
        if state in results.BUSY_STATES:
            self._baseline = None  # somebody else's transaction is about to become the last one
            return Health(Code.TERMINAL_BUSY, results.state_text(state))
        if state != results.READY:
            return Health(Code.TERMINAL_SETUP, results.state_text(state))
        return WELL

    def baseline(self) -> Baseline:
        self._follow()
        if self._session is None or self._baseline is None:
            raise TerminalTrouble(Code.TERMINAL_GONE, "not connected")
        if self._is_shared:
            session = self._ready()
            self._guard(lambda: self._learn(session))
        return self._baseline

    def _follow(self) -> None:
        """Where the role is another terminal's now, the old one is not gone on with. Before a
        charge only: one that has begun is asked of where it began."""
        if self._session is not None and self._session.has_moved():
            log.info("zvt.moved", address=self._options.address)
            self._drop()

    @property
    def _is_shared(self) -> bool:
        """On a network another till may have used the terminal since we last looked; a serial
        line has one end."""
        return self._options.address.startswith("tcp:")

    def _open_address(self, until: float) -> Line:
        options = self._options
        settings = SerialSettings(options.baud, stopbits=2)
        return open_line(options.address, until, settings=settings, clock=self._clock)

    def _open(self) -> Session:
        """Raises LineLost."""
        line = self._open_line(self._clock() + self._times.connect_s)
        link: Link = TcpLink()
        if not self._is_shared:
            link = SerialLink(SerialTimes(self._times.t1_s, self._times.t2_s))
        self._session = Session(line, link, self._times, self._clock, self._trace)
        return self._session

    def _drop(self) -> None:
        """Close the line. What the terminal does from here on is not known any more."""
        session, self._session, self._baseline = self._session, None, None
        if session is not None:
            session.close()

    def _prepare(self) -> None:
        """Open, register, learn the baseline. Raises TerminalTrouble."""
        session = self._guard(self._open)
        state = self._guard(lambda: self._questions.state(session))
        if state in results.BUSY_STATES:
            raise TerminalTrouble(Code.TERMINAL_BUSY, results.state_text(state))
        self._guard(lambda: self._questions.register(session))
        state = self._guard(lambda: self._questions.state(session))
        if state != results.READY:
            code = Code.TERMINAL_BUSY if state in results.BUSY_STATES else Code.TERMINAL_SETUP
            raise TerminalTrouble(code, results.state_text(state))
        self._guard(lambda: self._learn(session))

    def _guard(self, ask: Callable[[], T]) -> T:
        """Outside of a payment, whatever goes wrong on the line is TerminalTrouble."""
        try:
            return ask()
        except LineLost as lost:
            self._drop()
            raise TerminalTrouble(Code.TERMINAL_GONE, lost.detail) from lost
        except NotTakenError as error:
            self._drop()
            raise TerminalTrouble(Code.TERMINAL_GONE, str(error)) from error
        except ZvtError as error:
            self._drop()
            raise TerminalTrouble(Code.TERMINAL_NONSENSE, str(error)) from error

    def _learn(self, session: Session) -> answers.StatusInformation | Nothing:
        """Ask for the last transaction, and remember it as the baseline."""
        last = self._questions.last(session)
        if isinstance(last, Nothing):
            # The standard has no code for "there is none yet", so this is never more than "not
            # told": it may as well have one, and not be able to tell it now.
            self._baseline = Baseline(session.terminal_id)
        else:
            self._baseline = baseline_of(last, session.terminal_id)
        return last

    # --- money

    def authorise(self, charge: Charge, observer: TerminalObserver) -> Outcome:
        amount = charge.amount
        if amount.amount <= 0:
            raise Bug(f"a charge of {amount}")
        if amount.currency != self._currency:
            raise TerminalTrouble(Code.TERMINAL_CURRENCY, f"registered for {self._currency.code}")
        abort_at, self._abort_at = self._abort_at, None
        if abort_at is not None and self._clock() - abort_at < ABORT_FRESH_S:
            return Declined(Code.PAYMENT_STOPPED)
        command = commands.Authorization(amount.amount, amount.currency.numeric)
        return self._transact(command, observer, amount, charge.payment_id)

    def abort(self) -> None:
        self._abort_at = self._clock()
        session = self._session
        if session is not None:
            session.wake()

    def reverse(self, card: Card, observer: TerminalObserver) -> Outcome:
        if card.receipt_no is None or card.currency not in CURRENCIES:
            return Declined(Code.PAYMENT_DECLINED, "no receipt number to reverse by")
        asked = Money.of(card.amount, card.currency)
        command = commands.Reversal(
            self._options.password, card.receipt_no, asked.amount, asked.currency.numeric
        )
        return self._transact(command, observer, asked)

    def refund(self, amount: Money, observer: TerminalObserver) -> Outcome:
        if amount.amount <= 0 or amount.currency != self._currency:
            raise Bug(f"a refund of {amount}")
        command = commands.Refund(self._options.password, amount.amount, amount.currency.numeric)
        return self._transact(command, observer, amount)

    def end_of_day(self, observer: TerminalObserver) -> Outcome:
        return self._transact(commands.EndOfDay(self._options.password), observer, None)

    def _transact(
        self,
        command: commands.Authorization | commands.Reversal | commands.Refund | commands.EndOfDay,
        observer: TerminalObserver,
        asked: Money | None,
        payment_id: str = "",
    ) -> Outcome:
        session = self._ready()
        handler = PaymentHandler(observer, asked, session.terminal_id)
        dialogue = Dialogue(session, self._times, self._clock, handler, self._is_abort_wanted)
        outcome: Outcome | None = None
        try:
            ending = dialogue.run(command, self._clock() + self._times.charge_s)
            outcome = handler.outcome(ending)
        except LineLost as lost:
            if not dialogue.has_left and lost.written == 0:
                raise TerminalTrouble(Code.TERMINAL_GONE, lost.detail) from lost
            outcome = Unknown(Code.PAYMENT_UNKNOWN, f"line lost: {lost.detail}")
        except ZvtError as error:
            outcome = Unknown(Code.PAYMENT_UNKNOWN, f"line: {error}")
        finally:
            self._abort_at = None
            self._printed = (payment_id, frozenset(handler.slips_delivered))
            if outcome is None or isinstance(outcome, Unknown):
                self._drop()
        log.info("zvt.outcome", payment=payment_id, outcome=type(outcome).__name__)
        if isinstance(outcome, Declined) and outcome.code is Code.TERMINAL_SETUP:
            self._drop()  # it may have lost its registration: `check` registers it again
        elif dialogue.is_abort_unanswered:
            self._drop()  # a late refusal of the abort would be taken for the next command's
        elif not isinstance(outcome, Unknown):
            self._come_to_rest(session)
            is_charge = isinstance(command, commands.Authorization)
            self._remember(outcome, handler.answer, is_charge=is_charge)
        return outcome

    def _ready(self) -> Session:
        """A session whose line lives and is quiet. Raises TerminalTrouble."""
        session = self._session
        if session is None:
            raise TerminalTrouble(Code.TERMINAL_GONE, "not connected")
        self._guard(session.drain)
        return session

    def _is_abort_wanted(self) -> bool:
        return self._abort_at is not None

    def _come_to_rest(self, session: Session) -> None:
        """The outcome is certain; the line should be ready for the next command."""
        try:
            self._guard(session.drain)
        except TerminalTrouble as trouble:
            log.warning("zvt.unclean_end", detail=trouble.detail)

    def _remember(
        self, outcome: Outcome, status: answers.StatusInformation | None, *, is_charge: bool
    ) -> None:
        """Keep the baseline true, or forget it: `check` asks the terminal then."""
        before = self._baseline
        is_busy = isinstance(outcome, Declined) and outcome.code is Code.TERMINAL_BUSY
        if not is_charge or is_busy:
            self._baseline = None  # other commands may renumber, and so may other tills
            return
        if before is None or status is None:
            return
        counted = baseline_of(status, before.terminal_id)
        if isinstance(outcome, Declined):  # a decline need not be counted
            counted = replace(
                counted,
                receipt_no=counted.receipt_no or before.receipt_no,
                trace_no=counted.trace_no or before.trace_no,
            )
            if (counted.receipt_no, counted.trace_no) == (before.receipt_no, before.trace_no):
                return  # it was not: the last transaction is still the one before
        elif counted.receipt_no is None and counted.trace_no is None:
            self._baseline = None
            return
        self._baseline = counted

    # --- recovery

    def last_transaction(self, charge: Charge, observer: TerminalObserver) -> Outcome:
        self._drop()  # what came before belongs to a dialogue that is over
        try:
            session, last = self._wait_idle(self._clock() + self._options.idle_wait_s)
        except CannotTell as trouble:
            return Unknown(Code.PAYMENT_UNRESOLVED, trouble.detail)
        except TerminalTrouble as trouble:
            return Unknown(Code.PAYMENT_UNKNOWN, f"not known to be idle: {trouble.detail}")
        outcome = judge(last, charge.amount, charge.baseline, session.terminal_id)
        log.info("zvt.recovered", payment=charge.payment_id, outcome=type(outcome).__name__)
        if isinstance(outcome, Approved):
            observer.answered(outcome)
            self._slips_again(session, charge.payment_id, observer)
        return outcome

    def _wait_idle(self, until: float) -> tuple[Session, answers.StatusInformation | Nothing]:
        """Ask again and again until the terminal is idle; then the last transaction.
        Raises the last TerminalTrouble when there is no more time."""
        while True:
            try:
                return self._ask_idle()
            except CannotTell:
                raise
            except TerminalTrouble:
                left = until - self._clock()
                if left <= 0:
                    raise
            self._sleep(min(left, self._options.idle_poll_s))

    def _ask_idle(self) -> tuple[Session, answers.StatusInformation | Nothing]:
        """The last transaction, once the terminal is idle. Raises TerminalTrouble."""
        session = self._session or self._guard(self._open)
        state = self._guard(lambda: self._questions.state(session))
        if state in results.BUSY_STATES:
            raise TerminalTrouble(Code.TERMINAL_BUSY, results.state_text(state))
        self._guard(lambda: self._questions.register(session))
        return session, self._guard(lambda: self._learn(session))

    def _slips_again(self, session: Session, payment_id: str, observer: TerminalObserver) -> None:
        """Best effort: the customer's slip that got lost with the dialogue."""
        printed_id, printed = self._printed
        if printed_id == payment_id and Slip.CUSTOMER in printed:
            return
        delivered: set[Slip] = set(printed) if printed_id == payment_id else set()

        def deliver(kind: Slip, lines: list[str]) -> None:
            if kind not in delivered:
                observer.slip(kind, lines)
                delivered.add(kind)

        try:
            self._guard(lambda: self._questions.print_again(session, Slips(deliver)))
        except TerminalTrouble as trouble:
            log.warning("zvt.no_slip", payment=payment_id, detail=trouble.detail)
        except BaseException:
            self._drop()  # the slip could not be stored, in the middle of the dialogue
            raise
        self._printed = (payment_id, frozenset(delivered))
