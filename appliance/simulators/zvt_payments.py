"""How a simulated terminal takes money, and what it does when the till does not hear of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from appliance.protocols.zvt import answers, bmp, commands, messages, tlv
from appliance.simulators.bank import Bank, Booking
from appliance.simulators.zvt_faults import NO_FAULTS, AnswerFault, Faults, endless, garbage
from appliance.simulators.zvt_machine import LineOptions, Machine
from appliance.simulators.zvt_slips import PAN, Slip, payment_slips, price, send_slip, unmasked

AUTO_REVERSE: Final = "auto-reverse"
KEEP: Final = "keep"

_BUSY: Final = 0x9C
_STOPPED: Final = 0x6C
_NOT_REGISTERED: Final = 0x6B
_FAILED: Final = 0x9B
_LAST_RECEIPT: Final = 9_999
_LAST_TRACE: Final = 999_999


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """commit: what it does with a booking whose answer or print command nobody acknowledged:
    "auto-reverse" or "keep". after_reversal: what it remembers then as its last transaction: the
    same with a result ("declined"), the reversal with its own numbers ("reversal"), or the one
    before ("nothing"). auto: "approve" taps by itself after auto_delay_s. receipt_no, trace_no: of
    the last transaction before the first; 0 for a new terminal, of which nobody can say what became
    of its first payment. decline_ends: "completion" or "abort". All times in
    seconds."""

    line: LineOptions = field(default_factory=LineOptions)
    terminal_id: str = "28004869"
    vu_number: str = "100461763"
    currency: int = 978
    password: str = "000000"  # noqa: S105 - the factory's, printed in every manual
    commit: Literal["auto-reverse", "keep"] = "auto-reverse"
    after_reversal: Literal["declined", "reversal", "nothing"] = "declined"
    decline_ends: Literal["completion", "abort"] = "completion"
    auto: Literal["approve"] | None = None
    auto_delay_s: float = 0.0
    receipt_no: int = 0
    trace_no: int = 0
    text_blocks: bool = True
    customer_s: float = 60.0
    host_s: float = 0.0
    reversal_s: float = 0.0
    repeat_s: float = 2.0
    boot_s: float = 0.0
    shop: str = "Kassa demo shop"


@dataclass(frozen=True, slots=True)
class Presented:
    """A card at the reader. code: what its bank will say, 00 for yes."""

    code: int
    text: str
    how: str


class PaymentMachine(Machine):
    """The part of the terminal that knows the bank."""

    def __init__(
        self,
        options: SimulatorOptions | None = None,
        *,
        bank: Bank | None = None,
        on_change: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options or SimulatorOptions()
        super().__init__(self.options.line, clock)
        self.bank = bank or Bank()
        self._faults = NO_FAULTS
        self.auto = self.options.auto
        self.paper: list[list[str]] = []  # what it printed by itself
        self._on_change = on_change
        self._seen = threading.Condition()
        self._display: tuple[str, ...] = ()
        self._waits_for = ""
        self._busy = False
        self._config: commands.Config | None = None
        self._text_blocks = False
        self._receipt_no = self.options.receipt_no
        self._trace_no = self.options.trace_no
        self._last = _earlier(self.options) if self.options.receipt_no else None
        self._last_slips: list[Slip] = []
        self._before: answers.StatusInformation | None = None
        self._pending: Booking | None = None  # booked, and not yet committed
        self._presented: Presented | None = None
        self._stop_wanted = False
        self._busy_until = 0.0
        self._commands: list[str] = []

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        def apply() -> None:
            self._faults = faults
            self.is_silent, self.naks_left = faults.silent, faults.nak_first

        self.order(apply)

    def changed(self) -> None:
        with self._seen:
            self._seen.notify_all()
        if self._on_change is not None:
            self._on_change()

    def _show(self, *lines: str, waits_for: str = "") -> None:
        self._display, self._waits_for = lines, waits_for
        self.changed()

    def meanwhile(self, message: messages.Message) -> None:
        if isinstance(message, commands.AbortCommand):
            self._stop_wanted = True
            self.send(answers.Accepted())
        else:
            self.send(answers.Refusal(_BUSY))

    def _authorise(self, command: commands.Authorization) -> None:
        if self._config is None:
            self.send(answers.Refusal(_NOT_REGISTERED))
        elif self.faults.refusal is not None:
            self.send(answers.Refusal(self.faults.refusal))
        elif command.currency != self.options.currency:
            self.send(answers.Refusal(0x6F))
        else:
            self._sync(tlv.find(command.tlv, tlv.SYNC_RECEIPT))
            self.send(answers.Accepted())
            self._charge(command.amount, command.currency)

    def _sync(self, mirrored: tlv.Tlv | None) -> None:
        """TLV 1F1F: a till that mirrors the number before the last one has not seen the last."""
        if self.options.commit != KEEP or mirrored is None or not mirrored.value:
            return
        booking = self.bank.find(self.options.terminal_id, self._receipt_no)
        if booking is not None and bmp.from_bcd(mirrored.value) == self._receipt_no - 1:
            self.bank.take_back(booking)

    def _charge(self, amount: int, currency: int) -> None:
        self._stop_wanted, self._presented = False, None
        generation = self.generation
        self._show(price(amount, currency), "Please present card", waits_for="card")
        self._progress(0x0A)
        presented = self._await_card()
        self._show(price(amount, currency), "Please wait")
        self._before = self._last
        faults = self.faults
        if presented.code == 0x00:
            self._progress(0x04)
            self.pause(self.options.host_s + faults.host_delay_s)
        status = self._new_status(amount, currency, presented)
        if presented.code == 0x00:
            self._pending = self.bank.book(
                amount, currency, status.terminal_id, self._receipt_no, self._trace_no, status.pan
            )
        self._last = status
        self._last_slips = payment_slips(self.options.shop, status)
        if self.generation == generation and self._report(status, faults):
            self._pending = None
            self._show("Approved" if status.result == 0 else presented.text or "Declined")
            if status.result and self.options.decline_ends == "abort":
                self.exchange(answers.Failure(status.result))
            elif faults.answer is AnswerFault.ABORT_AFTER:
                self.exchange(answers.Failure(_FAILED))
            else:
                self.exchange(answers.Completion())
        else:
            self._resolve_pending()
            self._busy_until = self.clock() + faults.busy_after_loss_s
            if self.generation == generation:
                is_kept = status.result == 0 and self.options.commit == KEEP
                self.exchange(answers.Completion() if is_kept else answers.Failure(_FAILED))

    def _await_card(self) -> Presented:
        until = self.clock() + self.options.customer_s
        taps_at = self.clock() + self.options.auto_delay_s if self.auto == "approve" else until
        while self.clock() < until:
            self.take_inbox()
            if self._presented is not None:
                return self._presented
            if self._stop_wanted and not self.faults.ignore_abort:
                break
            if self.auto == "approve" and self.clock() >= taps_at:
                return Presented(0x00, "", "contactless")
            self.step(min(until, taps_at))
        return Presented(_STOPPED, "Stopped", "")

    def _progress(self, status: int) -> None:
        if self._config is not None and self._config & commands.Config.INTERMEDIATE_STATUS:
            minutes = self.faults.timeout_min
            self.exchange(answers.IntermediateStatus(status, minutes))

    def _new_status(
        self, amount: int, currency: int, presented: Presented
    ) -> answers.StatusInformation:
        self._receipt_no = self._receipt_no % _LAST_RECEIPT + 1
        self._trace_no = self._trace_no % _LAST_TRACE + 1
        status = answers.StatusInformation(
            result=presented.code,
            amount=abs(amount),
            currency=currency,
            receipt_no=self._receipt_no,
            trace_no=self._trace_no,
            turnover_no=self._receipt_no,
            terminal_id=self.options.terminal_id,
            vu_number=self.options.vu_number,
            text=presented.text,
            time="120000",
            date="0102",
        )
        if presented.how:
            status = replace(status, pan=PAN, card_name="Debit Mastercard", card_type=6)
        if presented.code == 0:
            status = replace(status, authorisation=f"{_approval(self._trace_no):06d}")
        if self.options.commit == KEEP:
            number = tlv.Tlv(tlv.SYNC_RECEIPT, bmp.bcd(self._receipt_no, 2))
            status = replace(status, tlv=(number,))
        return status

    # --- the answer, and what can go wrong with it

    def _report(self, status: answers.StatusInformation, faults: Faults) -> bool:
        """The result and the slips; True when the till has acknowledged all of it."""
        if not self._send_status(status, faults):
            return False
        if faults.answer is AnswerFault.CUT_IN_PRINT:
            self.port.flap()
            return False
        return self._print(self._last_slips)

    def _send_status(self, status: answers.StatusInformation, faults: Faults) -> bool:
        generation, until = self.generation, self.clock() + self.t3_s
        match faults.answer:
            case AnswerFault.LOST:
                return False
            case AnswerFault.NO_STATUS:
                return True
            case AnswerFault.CUT:
                self.port.flap()
                return False
            case AnswerFault.GARBAGE:
                self.send_raw(garbage(faults.seed))
                return self.await_answer(generation, until) is not None
            case AnswerFault.ENDLESS:
                self.send_raw(endless(is_serial=self.options.line.line == "pty"))
                return self.await_answer(generation, until) is not None
            case AnswerFault.HALF:
                wire = self.on_the_wire(status)
                self.send_raw(wire[: len(wire) // 2])
                return self.await_answer(generation, until) is not None
            case AnswerFault.BAD_CRC if self.options.line.line == "pty":
                wire = self.on_the_wire(status)
                for _ in range(3):
                    self.send_raw(wire[:-1] + bytes((wire[-1] ^ 0x55,)))
                    self.pause(0.05)
                return False
            case AnswerFault.BAD_CRC_ONCE if self.options.line.line == "pty":
                wire = self.on_the_wire(status)
                self.send_raw(wire[:-1] + bytes((wire[-1] ^ 0x55,)))
                self.pause(0.05)
            case AnswerFault.OTHER_AMOUNT:
                status = replace(status, amount=(status.amount or 0) + 100)
            case AnswerFault.OTHER_CURRENCY:
                status = replace(status, currency=756)
            case AnswerFault.UNMASKED:
                self.send_raw(unmasked(status, is_serial=self.options.line.line == "pty"))
                return isinstance(self.await_answer(generation, until), answers.Accepted)
        if not self._is_taken(status):
            return False
        return faults.answer is not AnswerFault.DUPLICATE or self._is_taken(status)

    def _is_taken(self, status: answers.StatusInformation) -> bool:
        for _ in range(3):
            answer = self.exchange(status)
            if isinstance(answer, answers.Accepted):
                return True
            if answer is None:
                return False
            if answer.code != _BUSY:  # 84 yy: whatever the commit mode, it is taken back
                self._take_back()
                return False
            self.pause(self.options.repeat_s)
        return False

    def _print(self, slips: list[Slip]) -> bool:
        config = commands.AFTER_LOG_OFF if self._config is None else self._config
        if not config & commands.Config.TILL_PRINTS_PAYMENTS:
            self.paper += [list(slip.lines) for slip in slips]
            return True
        return all(
            isinstance(self.exchange(part), answers.Accepted)
            for slip in slips
            for part in send_slip(slip, blocks=self._text_blocks)
        )

    def _resolve_pending(self) -> None:
        """A booking that nobody acknowledged."""
        if self._pending is not None and self.options.commit == AUTO_REVERSE:
            self._take_back()
        self._pending = None

    def _take_back(self) -> None:
        booking, self._pending = self._pending, None
        if booking is None or self._last is None:
            return
        self._show("Reversing")
        self.pause(self.options.reversal_s)
        self.bank.take_back(booking)
        match self.options.after_reversal:
            case "declined":
                self._last = replace(self._last, result=_FAILED)
            case "reversal":
                self._last = self._reversal_of(self._last)
            case "nothing":
                self._last = self._before
        self.changed()

    def _reversal_of(self, status: answers.StatusInformation) -> answers.StatusInformation:
        self._receipt_no = self._receipt_no % _LAST_RECEIPT + 1
        self._trace_no = self._trace_no % _LAST_TRACE + 1
        return replace(
            status,
            receipt_no=self._receipt_no,
            trace_no=self._trace_no,
            original_trace_no=status.trace_no,
        )


def _earlier(options: SimulatorOptions) -> answers.StatusInformation:
    """What a terminal that was used before has stored."""
    return answers.StatusInformation(
        result=0,
        amount=1,
        currency=options.currency,
        receipt_no=options.receipt_no,
        trace_no=options.trace_no,
        terminal_id=options.terminal_id,
    )


def _approval(trace_no: int) -> int:
    """The bank's number for its yes: six digits that look like nothing."""
    return trace_no * 7919 % 1_000_000
