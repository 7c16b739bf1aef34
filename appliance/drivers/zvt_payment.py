"""What a terminal says about money, and what follows from it.

The commit rule (PA00P015 2.2.8, 2.2.9) and where this driver stands:

1. The result (04 0F) and each slip are on disk before they are acknowledged. Whoever listens and
   cannot store it raises; then nothing is acknowledged and the line is dropped. The terminal
   reverses or keeps the booking, and the last transaction tells which.
2. Approved is said only after result 00 *and* completion (06 0F): between the two the terminal may
   still reverse, because the commit point is the answer to the last print command.
3. Declined is said only when the terminal says so: a result other than 00, a 06 1E without an
   approved result before it, or a refusal of the command itself. What it says before it has
   accepted the command (80 00) is about another one.
4. Another amount or currency than asked is answered with an error, so that the terminal reverses
   it, and is Unknown until the last transaction shows what became of it.
5. TLV 1F1F (the sync number of terminals that keep a booking in doubt) is never sent. Such a
   terminal reverses the booking before when the till mirrors an older number; this driver settles
   every doubt by 06 20 before the next charge, so a reversal could only take back what the
   counter knows as paid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import structlog

from appliance.domain.errors import Code
from appliance.domain.money import CURRENCIES, Money
from appliance.domain.payment import Baseline, Card
from appliance.drivers.zvt_session import Ending, Handler, Refused, Silence
from appliance.ports import Approved, Declined, Outcome, Prompt, Slip, TerminalObserver, Unknown
from appliance.protocols.zvt import answers, results
from appliance.protocols.zvt.errors import ZvtError

log = structlog.get_logger()

LONGEST_SLIP: Final = 300
"""Lines; what a terminal prints beyond that is left out."""

_MERCHANT_WORDS: Final = ("händler", "haendler", "merchant", "commerçant", "commercant")
_REVERSE_IT: Final = answers.Refusal(results.SYSTEM_ERROR)
_NUMERIC: Final = {unit.numeric: code for code, unit in CURRENCIES.items()}
_PROMPTS: Final = {
    **dict.fromkeys((0x0A, 0x2A), Prompt.CARD),
    **dict.fromkeys((0x01, 0x02), Prompt.PIN),
    **dict.fromkeys((0x04, 0xD2, 0xD3), Prompt.HOST),
    **dict.fromkeys((0x05, 0x45), Prompt.REVERSING),
    **dict.fromkeys((0x0B, *range(0x41, 0x45), *range(0x46, 0x68)), Prompt.REMOVE),
    **dict.fromkeys((0x0E, 0x17), Prompt.WAIT),
}


def card_of(status: answers.StatusInformation, asked: Money | None, terminal_id: str) -> Card:
    """The terminal's statement. What it need not repeat is taken from what it was asked for."""
    amount = status.amount if status.amount is not None else (asked.amount if asked else 0)
    currency = asked.currency.code if asked else ""
    if status.currency is not None:
        currency = _NUMERIC.get(status.currency, str(status.currency))
    date = f"{status.date[:2]}-{status.date[2:]}" if len(status.date) == 4 else ""
    time = ":".join(status.time[at : at + 2] for at in (0, 2, 4)) if len(status.time) == 6 else ""
    return Card(
        amount=amount,
        currency=currency,
        terminal_id=status.terminal_id or terminal_id,
        receipt_no=status.receipt_no,
        trace_no=status.trace_no,
        authorisation=status.authorisation,
        pan=status.pan,
        scheme=status.card_name,
        vu_number=status.vu_number,
        turnover_no=status.turnover_no,
        at=" ".join(part for part in (date, time) if part),
    )


def is_what_was_asked(status: answers.StatusInformation, asked: Money) -> bool:
    """The same amount and currency, where the terminal states them."""
    return status.amount in (None, asked.amount) and status.currency in (
        None,
        asked.currency.numeric,
    )


class Slips:
    """Gathers printed lines into whole slips, and hands each over as soon as it is whole."""

    def __init__(self, deliver: Callable[[Slip, list[str]], None]) -> None:
        self._deliver = deliver
        self._lines: list[str] = []
        self._kind: Slip | None = None

    def add(self, part: answers.PrintLine | answers.PrintTextBlock) -> None:
        """Returns when a slip that this part ends is stored."""
        if isinstance(part, answers.PrintLine):
            lines = [""] * part.blank_lines if part.attribute == part.FEED else [part.text]
            self._take(lines, None, ends=part.is_last)
        else:
            kind = None
            if part.receipt is not None:
                is_customer = part.receipt is answers.Receipt.CUSTOMER
                kind = Slip.CUSTOMER if is_customer else Slip.MERCHANT
            self._take(part.lines, kind, ends=part.ends)

    def _take(self, lines: list[str] | tuple[str, ...], kind: Slip | None, *, ends: bool) -> None:
        if kind is not None and self._kind not in (None, kind):
            self.end()  # the other slip had no end mark
        self._lines += lines[: LONGEST_SLIP - len(self._lines)]
        self._kind = kind or self._kind
        if ends:
            self.end()

    def end(self) -> None:
        """What has come so far is a slip, even without an end mark."""
        lines, kind = [line.rstrip() for line in self._lines], self._kind
        self._lines, self._kind = [], None
        while lines and not lines[-1]:
            lines.pop()
        if lines:
            self._deliver(kind or _kind_by_words(lines), lines)


def _kind_by_words(lines: list[str]) -> Slip:
    """Single lines (06 D1) do not say whose slip they are, but their words do. In doubt it is the
    customer's: a customer without a slip is worse off than a shop with one too few."""
    text = " ".join(lines).lower()
    return Slip.MERCHANT if any(word in text for word in _MERCHANT_WORDS) else Slip.CUSTOMER


class PaymentHandler(Handler):
    """Listens to a command that moves money, and knows in the end what became of it.

    asked: amount and currency that the terminal must confirm; None where it states its own.
    """

    def __init__(
        self, observer: TerminalObserver, asked: Money | None, terminal_id: str = ""
    ) -> None:
        self.answer: answers.StatusInformation | None = None
        """The terminal's first result."""
        self.slips_delivered: set[Slip] = set()
        self._observer = observer
        self._asked = asked
        self._terminal_id = terminal_id
        self._reply: answers.Accepted | answers.Refusal = answers.Accepted()
        self._is_other_amount = False
        self._is_contradictory = False
        self._slips = Slips(self._deliver)

    @property
    def may_abort(self) -> bool:  # type: ignore[override]
        """There is no result yet that an abort could cross."""
        return self.answer is None

    def progress(self, status: answers.IntermediateStatus) -> None:
        words = " ".join(status.lines).strip() or results.intermediate_text(status.status)
        self._observer.prompt(_PROMPTS.get(status.status, Prompt.OTHER), words)

    def status(self, status: answers.StatusInformation) -> answers.Accepted | answers.Refusal:
        result = self._result(status)
        if self.answer is not None and self._is_the_same(status, self.answer):
            return self._reply  # an answer got lost, or it says more of the same booking
        if self.answer is not None:
            # Two different results for one command. Should the second be a second booking, the
            # terminal takes it back; what holds in the end is asked for afterwards.
            self._is_contradictory = True
            return _REVERSE_IT if result == results.OK else answers.Accepted()
        self.answer = status
        if result != results.OK:
            self._observer.answered(self._declined(result, status.text))
        elif self._asked is not None and status.amount is None and status.undecoded:
            raise ZvtError("an approval whose amount cannot be read")
        elif self._asked is not None and not is_what_was_asked(status, self._asked):
            log.error("zvt.other_amount", stated=status.amount, currency=status.currency)
            self._is_other_amount = True
            self._reply = _REVERSE_IT
        else:
            self._observer.answered(Approved(self._card(status)))
        return self._reply

    def _is_the_same(
        self, status: answers.StatusInformation, answer: answers.StatusInformation
    ) -> bool:
        if self._asked is None:  # an end of day may state its totals one after the other
            return self._result(status) == self._result(answer)
        return status == answer or (
            _booking(status) == _booking(answer) and _booking(status)[:2] != (None, None)
        )

    def _result(self, status: answers.StatusInformation) -> int:
        if status.result is not None:
            return status.result
        if self._asked is None:
            return results.OK  # an end of day states totals; its completion is the result
        raise ZvtError("a result without its result code")

    def print(self, part: answers.PrintLine | answers.PrintTextBlock) -> bool:
        self._slips.add(part)
        return True

    def _deliver(self, kind: Slip, lines: list[str]) -> None:
        self._observer.slip(kind, lines)
        self.slips_delivered.add(kind)

    def ending(self, end: answers.Completion | answers.Failure) -> None:
        self._slips.end()
        if isinstance(end, answers.Failure) and self.answer is None and end.code != results.OK:
            self._observer.answered(self._declined(end.code, ""))

    def outcome(self, ending: Ending) -> Outcome:
        """What the whole dialogue proves."""
        match ending:
            case Refused():
                if ending.is_certain and self.answer is None:
                    return self._declined(ending.code, "")
                return _unknown("refused, after a repeat that may have reached the terminal twice")
            case Silence():
                return _unknown("the terminal fell silent")
        if self._is_other_amount:
            return Unknown(Code.TERMINAL_OTHER_AMOUNT, "the terminal confirmed another amount")
        if self._is_contradictory:
            return _unknown("the terminal stated two different results")
        if self.answer is None:
            if isinstance(ending, answers.Failure) and ending.code != results.OK:
                return self._declined(ending.code, "")
            if self._asked is None and isinstance(ending, answers.Completion):
                # Of a day without transactions there are no totals to state.
                return Approved(self._card(answers.StatusInformation()))
            return _unknown("the terminal ended without a result")
        result = self._result(self.answer)
        if result != results.OK:
            return self._declined(result, self.answer.text)
        if isinstance(ending, answers.Failure) or ending.result() not in (None, results.OK):
            return _unknown("the terminal broke off after an approval")
        return Approved(self._card(self.answer))

    def _card(self, status: answers.StatusInformation) -> Card:
        return card_of(status, self._asked, self._terminal_id)

    def _declined(self, result: int, text: str) -> Declined:
        log.info("zvt.declined", result=f"{result:02X}", meaning=results.result_text(result))
        return Declined(results.result_code(result), text)


def _booking(status: answers.StatusInformation) -> tuple[object, ...]:
    """What two statements about one and the same booking have in common."""
    return (
        status.receipt_no,
        status.trace_no,
        status.result,
        status.amount,
        status.currency,
        status.terminal_id,
    )


def _unknown(reason: str) -> Unknown:
    return Unknown(Code.PAYMENT_UNKNOWN, reason)


class Age(Enum):
    """Where a transaction stands against the baseline."""

    SAME = auto()
    NEXT = auto()  # nothing was between the two
    NEWER = auto()
    UNCLEAR = auto()


_RECEIPTS: Final = 9_999  # the counters run from 1 to these, and begin anew
_TRACES: Final = 999_999


def age(status: answers.StatusInformation, baseline: Baseline) -> Age:
    """UNCLEAR where no number can be compared, or where the two counters disagree."""
    steps = [
        _steps(number, before, size)
        for number, before, size in (
            (status.receipt_no, baseline.receipt_no, _RECEIPTS),
            (status.trace_no, baseline.trace_no, _TRACES),
        )
        if number is not None and before  # the counters run from 1; 0 and None are "not told"
    ]
    if not steps or any(step is None for step in steps):
        return Age.UNCLEAR
    if not any(steps):
        return Age.SAME
    if not all(steps):
        return Age.UNCLEAR
    return Age.NEXT if 1 in steps else Age.NEWER


def baseline_of(last: answers.StatusInformation, terminal_id: str) -> Baseline:
    """What a recovery has to know of the transaction before the charge."""
    return Baseline(
        last.terminal_id or terminal_id,
        last.receipt_no,
        last.trace_no,
        last.amount,
        last.date,
        last.time,
    )


def is_another(last: answers.StatusInformation, baseline: Baseline) -> bool:
    """Two transactions under one number: some terminals begin anew after an end of day, which
    they may have done by themselves over night."""
    pairs = (
        (last.amount, baseline.amount),
        (last.date, baseline.date),
        (last.time, baseline.time),
    )
    return any(
        one != other for one, other in pairs if one not in (None, "") and other not in (None, "")
    )


def _steps(number: int, before: int, size: int) -> int | None:
    """How many transactions later; None for one that is older."""
    steps = (number - before) % size
    return steps if steps < size // 2 else None


@dataclass(frozen=True, slots=True)
class Nothing:
    """The terminal does not tell its last transaction; it may have none."""


def judge(
    last: answers.StatusInformation | Nothing,
    asked: Money,
    baseline: Baseline,
    terminal_id: str,
) -> Outcome:
    """What the last transaction of a terminal that is known idle proves about a charge."""
    if isinstance(last, Nothing):
        return _unresolved("the terminal does not tell its last transaction")
    stated_id = last.terminal_id or terminal_id
    if baseline.terminal_id and stated_id != baseline.terminal_id:
        return _unresolved("the transaction is another terminal's")
    match age(last, baseline):
        case Age.UNCLEAR:
            return _unresolved("the transaction's numbers tell nothing")
        case Age.SAME:
            if is_another(last, baseline):
                return _unresolved("the last transaction's number has been used before")
            log.info("zvt.not_booked", why="the last transaction is the one before")
            return Declined(Code.PAYMENT_DECLINED)
        case Age.NEXT | Age.NEWER as how:
            return _judge_newer(last, asked, baseline, stated_id, is_next=how is Age.NEXT)


def _judge_newer(
    last: answers.StatusInformation,
    asked: Money,
    baseline: Baseline,
    terminal_id: str,
    *,
    is_next: bool,
) -> Outcome:
    if last.totals:  # a day's total may be this very amount
        return _unresolved("the last transaction is an end of day")
    if last.result is None:
        return _unresolved("the transaction has no result")
    if last.result != results.OK:
        if is_next:
            return Declined(results.result_code(last.result), last.text)
        return _unresolved("a failed transaction, and another one before it")
    if last.amount is None or not is_what_was_asked(last, asked):
        return _unresolved("the transaction has another amount")
    if last.original_trace_no is not None:  # it is a reversal, and not a payment
        before = baseline.trace_no
        if before is not None and _steps(last.original_trace_no, before, _TRACES) == 1:
            return Declined(Code.PAYMENT_REVERSED, last.text)
        return _unresolved("the last transaction is a reversal")
    return Approved(card_of(last, asked, terminal_id))


def _unresolved(reason: str) -> Unknown:
    return Unknown(Code.PAYMENT_UNRESOLVED, reason)
