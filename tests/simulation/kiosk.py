"""One kiosk of the town: its devices on their wires, its disk, and its program, which can die."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import httpx

from appliance.counter.counter import Counter, Devices
from appliance.counter.settings import Settings
from appliance.domain.money import CURRENCIES
from appliance.drivers.escpos_printer import EscposOptions, EscposPrinter
from appliance.drivers.kassa_shop import KassaShop, ShopOptions
from appliance.drivers.lines import Line
from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
from appliance.ports import Charge, Outcome, TerminalObserver
from appliance.simulators.shop.samples import Kiosk as Place
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from tests.simulation.devices import (
    ObservedBank,
    SimulatedPrinter,
    SimulatedScanner,
    SimulatedTerminal,
)
from tests.simulation.disk import Disk, Vfs
from tests.simulation.kernel import Kernel, Machine
from tests.simulation.plan import Terms
from tests.simulation.primitives import Threading
from tests.simulation.wires import TerminalLine, Wire

PROFILE: Final = "epson-tm-80"
LINE_S: Final = 0.012
FIRST_DAY: Final = datetime.fromisoformat("2026-03-02T08:00:00+01:00")
ASK_S: Final = 180


class Clock:
    """counter.clock.Clock of one kiosk: its wall clock may be off, and begins anew with it."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.off_s = 0.0
        self.booted_s = kernel.now

    def now(self) -> datetime:
        return FIRST_DAY + timedelta(seconds=self._kernel.now + self.off_s)

    def monotonic(self) -> float:
        return self._kernel.now - self.booted_s


class WatchedTerminal(ZvtTerminal):
    """Tells the books which payment leaves for the terminal."""

    leaves: Callable[[Charge], None]

    def authorise(self, charge: Charge, observer: TerminalObserver) -> Outcome:
        self.leaves(charge)
        return super().authorise(charge, observer)


class Kiosk:
    """place: its name, token and pickup point at the shop. is_network: its terminal hangs on the
    network, else on a serial line."""

    def __init__(
        self,
        kernel: Kernel,
        threading: Threading,
        vfs: Vfs,
        folder: Path,
        place: Place,
        transport: httpx.BaseTransport,
        terminal: SimulatorOptions,
        terms: Terms,
        seed: str,
    ) -> None:
        self.kernel, self._threading, self._vfs = kernel, threading, vfs
        self.folder, self.place = folder, place
        self.name = place.id
        self._transport, self._terms = transport, terms
        self.is_network = terminal.line.line == "tcp"
        self.clock = Clock(kernel)
        self._dice = random.Random(f"{seed} {self.name}")
        self.terminal_wire = Wire(kernel, f"{self.name} terminal")
        self.printer_wire = Wire(kernel, f"{self.name} printer")
        self.scanner_wire = Wire(kernel, f"{self.name} scanner")
        self.terminal_options = terminal
        self.accepted: Callable[[], None] = lambda: None
        self.leaves: Callable[[Charge], None] = lambda charge: None
        self.hangs: Callable[[str], None] = lambda what: None
        self.booted: Callable[[], None] = lambda: None
        self.bank: ObservedBank
        self.terminal: SimulatedTerminal
        self.printer = SimulatedPrinter(kernel, self.printer_wire, PROFILE, LINE_S)
        self._disks = 0
        self.machine: Machine | None = None
        self.counter: Counter | None = None
        first = folder / f"{self.name}-0"
        first.mkdir(parents=True)
        self.disk = Disk(first)
        vfs.disks.append(self.disk)

    def build_terminal(self, bank: ObservedBank) -> None:
        self.bank = bank
        self.terminal = SimulatedTerminal(
            self.kernel, self.terminal_wire, self.terminal_options, bank, self._true_time,
            lambda: self.accepted(),
        )  # fmt: skip
        self.terminal.start()
        self.printer.start()

    def _true_time(self) -> datetime:
        return FIRST_DAY + timedelta(seconds=self.kernel.now)

    @property
    def journal_path(self) -> Path:
        return self.disk.folder / "journal.sqlite3"

    @property
    def is_on(self) -> bool:
        return self.machine is not None and not self.machine.is_dead

    # --- life -----------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start the program on what the disk holds now."""
        self.clock.booted_s = self.kernel.now - 5.0
        self.machine = machine = Machine(self.name)

        def start() -> None:
            self.counter = Counter(
                self.journal_path, self._settings(), self._devices(), self.clock,
                self._hung, self._token,
            )  # fmt: skip
            self.counter.start()
            self.booted()

        self.kernel.spawn(f"{self.name} start", start, machine)

    def stop(self, wait_s: float) -> None:
        """As systemd stops it; a task of the machine itself must not call this."""
        if self.counter is not None and self.is_on:
            self.counter.stop(wait_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL: the disk gets all that the kernel had taken, and connections end."""
        if not self.is_on or self.machine is None:
            return
        self.kernel.kill(self.machine)
        self.counter = None
        self._next_disk(self.disk.after_kill(self._next_folder()))
        if self.is_network:
            self.terminal_wire.hang_up()

    def lose_power(self) -> None:
        """The disk keeps what was synced; nobody is told."""
        if not self.is_on or self.machine is None:
            return
        self.kernel.kill(self.machine)
        self.counter = None
        self._next_disk(self.disk.after_power_cut(self._next_folder(), self._dice))

    def _next_folder(self) -> Path:
        self._disks += 1
        return self.folder / f"{self.name}-{self._disks}"

    def _next_disk(self, disk: Disk) -> None:
        disk.is_full = False
        self._vfs.disks[self._vfs.disks.index(self.disk)] = disk
        self.disk = disk

    def _hung(self, what: str) -> None:
        self.hangs(what)

    # --- the program's parts --------------------------------------------------------------------

    def _settings(self) -> Settings:
        terms = self._terms
        return Settings(
            self.name,
            "",
            self.place.pickup_point,
            CURRENCIES["EUR"],
            unknown_ask_s=ASK_S,
            offline_limit=terms.offline_limit,
            require_seller=terms.require_seller,
            keep_days=terms.keep_days,
        )

    def _devices(self) -> Devices:
        kernel = self.kernel

        def open_line(until: float) -> Line:
            kernel.sleep(0.01)
            return TerminalLine(self.terminal_wire, is_network=self.is_network)

        address = "tcp:192.0.2.1:20007" if self.is_network else "serial:/dev/kassa/terminal"
        terminal = WatchedTerminal(
            ZvtOptions(address, trace=str(self.disk.folder / "terminal.trace")),
            kernel.monotonic,
            open_line=open_line,
            sleep=kernel.sleep,
        )
        terminal.leaves = self.leaves
        shop = KassaShop(
            ShopOptions("https://shop.example", self.place.token, self.place.pickup_point),
            self._transport,
        )
        printer = EscposPrinter(
            EscposOptions("usb:/dev/kassa/printer", profile=PROFILE), kernel.monotonic
        )
        return Devices(terminal, printer, SimulatedScanner(self.scanner_wire), shop)

    def _token(self, size_bytes: int) -> str:
        return self._dice.randbytes(size_bytes).hex()


def line_options(*, is_network: bool) -> LineOptions:
    return LineOptions(line="tcp" if is_network else "pty")
