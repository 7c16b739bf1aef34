"""The simulators of a counter's devices, on a kernel's time and on wires in place of ptys.

What they say, and when, is the real simulators' (appliance/simulators); only how they wait, and
what carries their bytes, is another here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from appliance.drivers.printer_lines import LineBroken, PrinterLine
from appliance.protocols.linescan import LineScan
from appliance.protocols.scans import Scanned
from appliance.protocols.zvt import answers, commands
from appliance.simulators.bank import Bank, Booking
from appliance.simulators.escpos_printer import EscposPrinterSimulator
from appliance.simulators.printer_faults import Fault
from appliance.simulators.zvt_machine import LineOptions, Sendable, Stopped
from appliance.simulators.zvt_payments import Presented, SimulatorOptions
from appliance.simulators.zvt_ports import Port
from appliance.simulators.zvt_terminal import NOTHING_STORED, ZvtTerminalSimulator
from tests.simulation.kernel import Kernel
from tests.simulation.wires import IN_FLIGHT_MOST, TerminalPort, Wire

LOOK_AROUND_S: Final = 30.0
PRINTER_TICK_S: Final = 0.02
WHOLE_NUMBER: Final = "5413330089604111"
ANOTHERS_SUM: Final = 7
CLEAN_AFTER_S: Final = 60.0  # from then on nothing is on a line that was harmed before


class SimulatedTerminal(ZvtTerminalSimulator):
    """accepted: called when the till has acknowledged an approved payment's result."""

    step_s = LOOK_AROUND_S

    def __init__(
        self,
        kernel: Kernel,
        wire: Wire,
        options: SimulatorOptions,
        bank: Bank,
        now: Callable[[], datetime],
        accepted: Callable[[], None],
    ) -> None:
        self._kernel, self.wire, self._now, self._accepted = kernel, wire, now, accepted
        self._is_stopped = False
        self.is_forgetful = False
        super().__init__(options, bank=bank, clock=kernel.monotonic)

    def new_port(self, options: LineOptions) -> Port:
        return TerminalPort(self.wire, is_network=options.line == "tcp")

    def start(self) -> None:
        self._kernel.spawn("terminal", self._run)

    def stop(self) -> None:
        self._is_stopped = True
        self.wire.device.stir()

    def order(self, action: Callable[[], None]) -> None:
        action()
        self.wire.device.stir()

    @property
    def wants_card(self) -> bool:
        return self.powered and self._waits_for == "card"

    @property
    def is_busy(self) -> bool:
        return self._busy or self.clock() < self._busy_until

    def exchange(self, message: Sendable) -> answers.Accepted | answers.Refusal | None:
        answer = super().exchange(message)
        is_result = isinstance(message, answers.StatusInformation) and message.result == 0
        # Else it may be an older message's, repeated or late.
        is_clean = self._kernel.now - self.wire.harmed_at_s > CLEAN_AFTER_S
        if (
            is_clean
            and is_result
            and self._pending is not None
            and isinstance(answer, answers.Accepted)
        ):
            self._accepted()
        return answer

    def _repeat(self, command: commands.RepeatReceipt) -> None:
        if self.is_forgetful:
            self.send(answers.Refusal(NOTHING_STORED))
            return
        super()._repeat(command)

    def serve_another(self, until_s: float) -> None:
        """As soon as it is at rest, another shop's till books something: of a sum that none of ours
        can have."""
        if self.is_busy or not self.powered:
            if self._kernel.now < until_s:
                self._kernel.at(self._kernel.now + 0.2, lambda: self.serve_another(until_s))
            return
        status = super()._new_status(ANOTHERS_SUM, 978, Presented(0x00, "", "contactless"))
        self._before, self._last = self._last, status
        self._last_slips = []

    def _new_status(
        self, amount: int, currency: int, presented: Presented
    ) -> answers.StatusInformation:
        at = self._now()
        status = super()._new_status(amount, currency, presented)
        if status.pan:
            # As some do, on their slips. On the line its result is masked all the same.
            status = replace(status, pan=WHOLE_NUMBER)
        return replace(status, date=at.strftime("%m%d"), time=at.strftime("%H%M%S"))

    def _wait_once(self, timeout_s: float) -> None:
        self.wire.device.wait(self._kernel.now + timeout_s)
        if self._is_stopped:
            raise Stopped


class ObservedBank(Bank):
    """A bank that tells of each booking, and of each that is taken back."""

    def __init__(
        self, booked: Callable[[Booking], None], taken_back: Callable[[Booking], None]
    ) -> None:
        super().__init__()
        self._booked, self._taken_back = booked, taken_back

    def book(
        self, amount: int, currency: int, terminal_id: str, receipt_no: int, trace_no: int, pan: str
    ) -> Booking:
        booking = super().book(amount, currency, terminal_id, receipt_no, trace_no, pan)
        self._booked(booking)
        return booking

    def take_back(self, booking: Booking) -> None:
        super().take_back(booking)
        self._taken_back(booking)


class _WireCable:
    """simulators.cables.Cable, as far as the printer below needs one."""

    address = "usb:/dev/kassa/printer"
    descriptor: int | None = None
    waiting: int | None = None

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def plug(self) -> None:
        self._wire.plug()

    def unplug(self) -> None:
        self._wire.unplug()

    def accept(self) -> None:
        """Nobody waits at a USB cable."""

    def read(self, size: int) -> bytes:
        return self._wire.device.take(size)

    def was_flushed(self) -> bool:
        return False


class SimulatedPrinter(EscposPrinterSimulator):
    def __init__(self, kernel: Kernel, wire: Wire, profile: str, line_s: float) -> None:
        super().__init__(path=Path("/nowhere"), profile=profile, line_s=line_s)
        self._kernel, self.wire = kernel, wire
        self._cable = _WireCable(wire)

    def start(self) -> None:
        self._kernel.spawn("printer", self._run)

    def close(self) -> None:
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        self.wire.device.stir()

    def _wait_for_round(self, rounds: int) -> None:
        """All of this is one thread."""

    def free_bytes(self) -> int:
        return self._buffer_bytes - len(self._buffer)

    def _run(self) -> None:
        while not self._stopping:
            self._work()
            room = self.free_bytes()
            if room <= 0 and self._is_online() and self._interpreter.command(self._buffer) is None:
                room = 1024  # the rest of a long command goes through, as in a real one
            data = self.wire.device.take(max(room, 0)) if room > 0 else b""
            if data and Fault.POWER_OFF not in self._faults:
                self._receive(data)
            if not data:
                is_busy = bool(self._buffer) and self._is_online()
                self.wire.device.wait(self._kernel.now + PRINTER_TICK_S if is_busy else None)

    def _reply(self, data: bytes) -> None:
        if not self._faults & {Fault.SILENT, Fault.POWER_OFF}:
            self.wire.send("device", data)


class SimulatedPrinterLine(PrinterLine):
    """drivers.printer_lines.PrinterLine over a wire, as usblp has it: what is sent counts as gone
    when the printer has taken it."""

    def __init__(self, wire: Wire) -> None:
        if not wire.is_plugged:
            raise LineBroken(f"{wire.name}: not there")
        super().__init__(wire.name, -1, wire.kernel.monotonic)
        self._wire, self._generation = wire, wire.generation

    def send(self, data: bytes, until: float) -> int:
        sent = 0
        while sent < len(data):
            self._check()
            room = IN_FLIGHT_MOST - self._wire.device.held()
            if room > 0:
                self._wire.send("kiosk", data[sent : sent + room])
                sent += min(room, len(data) - sent)
            elif self._clock() >= until:
                break
            else:
                self._wire.kernel.sleep(0.05)
        return sent

    def drain(self, until: float) -> bool:
        while self._wire.device.held():
            self._check()
            if self._clock() >= until:
                return False
            self._wire.kernel.sleep(0.02)
        return True

    def receive(self, until: float) -> bytes:
        while True:
            self._check()
            if data := self._wire.kiosk.take():
                return data
            if self._clock() >= until:
                return b""
            self._wire.kiosk.wait(until)

    def close(self) -> None:
        """Nothing is held."""

    def _check(self) -> None:
        self._wire.kernel.check_alive()
        if self._wire.generation != self._generation:
            raise LineBroken(f"{self.name}: hung up")


class SimulatedScanner:
    """ports.Scanner over a wire: the real protocol, waiting on a kernel's time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._is_closed = False

    def run(
        self,
        scanned: Callable[[str], None],
        refused: Callable[[str], None],
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        opened()
        scan, end, kernel = LineScan(), self._wire.kiosk, self._wire.kernel
        end.clear()
        while not self._is_closed:
            data, now = end.take(), kernel.now
            for found in scan.feed(data, now) if data else scan.idle(now):
                if isinstance(found, Scanned):
                    scanned(found.text)
                else:
                    refused(found.why)
            if not data:
                end.wait(scan.deadline)

    def close(self) -> None:
        self._is_closed = True
        self._wire.kiosk.stir()
