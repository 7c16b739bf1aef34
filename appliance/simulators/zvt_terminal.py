"""A card terminal that speaks ZVT: the real bytes over a pty or TCP, a bank behind it, a customer
in front of it, and faults on demand.

    with ZvtTerminalSimulator(SimulatorOptions(auto="approve")) as terminal:
        driver = ZvtTerminal(ZvtOptions(terminal.address))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from appliance.domain.facts import Json
from appliance.protocols.zvt import answers, commands, tlv
from appliance.simulators.zvt_payments import PaymentMachine, Presented
from appliance.simulators.zvt_slips import day_slip, payment_slips

NOTHING_STORED: Final = 0x66
"""How this terminal refuses a Repeat Receipt when there is none."""

_BUSY: Final = 0x9C
_REVERSED_ALREADY: Final = 0xB4
_REVERSAL_IMPOSSIBLE: Final = 0xB5


class ZvtTerminalSimulator(PaymentMachine):
    """Start it, give `address` to a driver, and act as the customer."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # --- the customer and the bench: any thread

    def tap(self) -> None:
        self._present(0x00, "", "contactless")

    def insert(self) -> None:
        self._present(0x00, "", "chip")

    def decline(self, result_code: int = 0x05, text: str = "Declined") -> None:
        """Present a card whose bank says no."""
        self._present(result_code, text, "contactless")

    def cancel_key(self) -> None:
        """The red key."""

        def press() -> None:
            self._stop_wanted = True

        self.order(press)

    def _present(self, code: int, text: str, how: str) -> None:
        def present() -> None:
            if self._waits_for == "card":
                self._presented = Presented(code, text, how)

        self.order(present)

    def state(self) -> dict[str, Json]:
        """For a bench page; JSON-able."""
        return {
            "kind": "zvt",
            "address": self.address,
            "powered": self.powered,
            "cable": self.cable,
            "registered": self._config is not None,
            "busy": self._busy,
            "waits_for": self._waits_for,
            "display": list(self._display) if self.powered else [],
            "commit": self.options.commit,
            "receipt_no": self._receipt_no,
            "trace_no": self._trace_no,
            "slips": [list(slip.lines) for slip in self._last_slips],
            "paper": [list(lines) for lines in self.paper],
            "bookings": [
                {"id": b.id, "amount": b.amount, "receipt_no": b.receipt_no, "held": b.held}
                for b in self.bank.bookings()
            ],
            "commands": list(self._commands),
        }

    def wait_for(self, is_so: Callable[[dict[str, Any]], bool], timeout_s: float = 10.0) -> bool:
        """Until the state is so; False when the time is over."""
        with self._seen:
            return self._seen.wait_for(lambda: is_so(self.state()), timeout_s)

    # --- the terminal's thread

    def power_changed(self) -> None:
        self._config = None
        self._presented, self._stop_wanted = None, False
        self._busy = False
        self._show()

    def serve(self) -> None:
        self._boot()
        while True:
            self._show(self.options.shop, "Ready")
            command = self.next_command()
            self._commands = [*self._commands[-99:], type(command).__name__]
            self._busy = True
            self.changed()
            self._serve(command)
            self._busy = False

    def _boot(self) -> None:
        if self.options.boot_s:
            self._show("Starting")
            self.pause(self.options.boot_s)
        self._resolve_pending()

    def _serve(self, command: commands.Command) -> None:
        is_busy = self.clock() < self._busy_until
        if isinstance(command, commands.StatusEnquiry):
            self.send(answers.Accepted())
            self._complete(answers.Completion.of_status(_BUSY if is_busy else 0x00, "SIM 1.0"))
            return
        if is_busy:
            self.send(answers.Refusal(_BUSY))
            return
        password = getattr(command, "password", None)
        if password not in (None, self.options.password):
            self.send(answers.Refusal(0x83))
            return
        match command:
            case commands.Registration():
                self._register(command)
            case commands.Authorization():
                self._authorise(command)
            case commands.RepeatReceipt():
                self._repeat(command)
            case commands.Reversal():
                self._reverse_by_number(command)
            case commands.Refund():
                self.send(answers.Accepted())
                self._charge(-command.amount, command.currency)
            case commands.EndOfDay():
                self._end_of_day()
            case commands.LogOff():
                self._config = commands.AFTER_LOG_OFF
                self.send(answers.Accepted())
            case commands.DisplayText():
                self.send(answers.Accepted())
                self._show(*command.lines)
                self._complete(answers.Completion())
            case _:  # an abort, and nothing to abort
                self.send(answers.Accepted())

    def _complete(self, end: answers.Completion | answers.Failure) -> None:
        self.exchange(end)

    def _register(self, command: commands.Registration) -> None:
        if command.currency not in (None, self.options.currency):
            self.send(answers.Refusal(0x6F))
            return
        self._config = command.config
        wanted = tlv.find(command.tlv, tlv.COMMANDS)
        self._text_blocks = (
            self.options.text_blocks
            and wanted is not None
            and any(item.value == b"\x06\xd3" for item in wanted.children())
        )
        self.send(answers.Accepted())
        self._complete(
            answers.Completion.of_registration(0, self.options.terminal_id, self.options.currency)
        )

    # --- other commands

    def _repeat(self, command: commands.RepeatReceipt) -> None:
        if self._last is None:
            self.send(answers.Refusal(NOTHING_STORED))
            return
        self.send(answers.Accepted())
        service = command.service or commands.RepeatService(0)
        if service & commands.RepeatService.SEND_STATUS:
            self.exchange(self._last)
        if not service & commands.RepeatService.DO_NOT_PRINT:
            self._print(self._last_slips)
        self._complete(answers.Completion())

    def _reverse_by_number(self, command: commands.Reversal) -> None:
        self.send(answers.Accepted())
        booking = self.bank.find(self.options.terminal_id, command.receipt_no)
        original = None if booking is None else booking.trace_no
        if booking is None or booking.amount != command.amount:
            code = _REVERSAL_IMPOSSIBLE
        else:
            code = 0x00 if booking.held else _REVERSED_ALREADY
        status = self._new_status(
            command.amount or 0, command.currency or 0, Presented(code, "", "contactless")
        )
        self._before, self._last = self._last, replace(status, original_trace_no=original)
        self._last_slips = payment_slips(self.options.shop, self._last)
        if booking is not None and code == 0x00:
            self.bank.take_back(booking)
        if self._is_taken(self._last) and self._print(self._last_slips):
            self._complete(answers.Completion())

    def _end_of_day(self) -> None:
        self.send(answers.Accepted())
        total = self.bank.balance()
        status = answers.StatusInformation(
            result=0x00, amount=max(0, total), totals=bytes(37), date="0102", time="200000"
        )
        self._last_slips = [day_slip(self.options.shop, total, len(self.bank.held()))]
        if self._is_taken(status) and self._print(self._last_slips):
            self._complete(answers.Completion())
