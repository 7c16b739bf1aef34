"""The surroundings of one counter as one object: its devices, the bank, the network, the shop.

The demo and the tests of whole counters use it. All of it speaks real bytes: pseudo-terminals
with names that stay, and HTTP on loopback.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from appliance.domain.errors import Bug
from appliance.domain.money import CURRENCIES, Money
from appliance.domain.order import Order
from appliance.protocols.shopapi import order_from_json
from appliance.simulators.bank import Bank
from appliance.simulators.escpos_printer import EscposPrinterSimulator
from appliance.simulators.escpos_printer import Fault as PrinterFault
from appliance.simulators.paper import Paper
from appliance.simulators.relay import HOST, Relay
from appliance.simulators.scanner import ScannerSimulator
from appliance.simulators.shop import DemoShop, ShopFaults
from appliance.simulators.shop import Fault as ShopFault
from appliance.simulators.shop.links import LinkKeys
from appliance.simulators.shop.samples import KIOSKS
from appliance.simulators.shop.store import current
from appliance.simulators.zvt_faults import AnswerFault, Faults
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator

PRINTER_PROFILE: Final = "epson-tm-80"
LINE_S: Final = 0.012
"""How long a line takes to print: a receipt in about half a second, as good printers do."""
LINES_LEFT: Final = 12
"""What is on a roll that "ends soon": less than any receipt."""
FIRST_RECEIPT: Final = 340
HOST_S: Final = 1.5
SLOW_HOST_S: Final = 6.0
KIOSK: Final = KIOSKS[0]
PRINTER_TROUBLES: Final = (
    PrinterFault.CABLE_OUT,
    PrinterFault.COVER_OPEN,
    PrinterFault.NO_PAPER,
)
MOST_PAPERS: Final = 200


class Switch(StrEnum):
    """What can be broken here, each of which can be put right again."""

    TERMINAL_PLUG = "terminal-plug"  # its power is out, and its USB port with it
    TERMINAL_CABLE = "terminal-cable"  # to the counter; it goes on by itself
    SLOW_HOST = "slow-host"  # the bank takes seconds more to answer it
    RESULT_LOST = "result-lost"  # once: the bank books, and the line dies before the counter knows
    NO_PAPER = "no-paper"
    PAPER_ENDS = "paper-ends"  # in the middle of the next receipt
    COVER = "cover-open"
    PRINTER_CABLE = "printer-cable"
    SCANNER_CABLE = "scanner-cable"
    NETWORK = "network"  # between counter and shop
    SHOP_DOWN = "shop-down"
    ANSWER_LOST = "answer-lost"  # once: the shop books a report, and its answer never arrives


_TERMINAL: Final = frozenset({Switch.TERMINAL_PLUG, Switch.TERMINAL_CABLE})
_TERMINAL_PART: Final = _TERMINAL | {Switch.SLOW_HOST}
_PRINTER: Final = {
    Switch.NO_PAPER: PrinterFault.NO_PAPER,
    Switch.COVER: PrinterFault.COVER_OPEN,
    Switch.PRINTER_CABLE: PrinterFault.CABLE_OUT,
}
_SHOP: Final = {
    Switch.SHOP_DOWN: ShopFaults(ShopFault.DOWN),
    Switch.ANSWER_LOST: ShopFaults(ShopFault.LOST, path="/facts", times=1),
}


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of the bank's book. order: the number of the order that the shop has a report of
    this very charge for, or "" so long as it has none. is_held: not taken back."""

    amount: Money
    receipt_no: int
    card: str
    is_held: bool
    order: str


@dataclass(frozen=True, slots=True)
class TerminalView:
    """The terminal as its customer sees it. slips: what it would print, or has printed itself."""

    display: tuple[str, ...]
    wants_card: bool
    is_paying: bool
    is_on: bool
    slips: tuple[tuple[str, ...], ...]


class Town:
    """`start` it, or use it as a context manager; once. Any thread may call what is between.

    folder: takes the shop's books, and below "dev" the devices' names. currency: ISO 4217.
    host_s: how long the bank takes to answer the terminal.
    """

    def __init__(
        self, folder: Path, *, currency: str = "EUR", seed: int = 1, host_s: float = HOST_S
    ) -> None:
        devices = folder / "dev"
        devices.mkdir(mode=0o700, exist_ok=True)
        self.currency = CURRENCIES[currency]
        self.pickup_point = KIOSK.pickup_point
        self.token = KIOSK.token
        self.bank = Bank()
        self._changed = threading.Condition()
        self._seq = 1
        self._stack = ExitStack()
        self._lock = threading.RLock()  # of what follows
        self._out: set[Switch] = set()  # of the terminal's switches, those that are on
        self._booked: int | None = None  # when RESULT_LOST was switched on; None: it is off
        self._papers_lock = threading.Lock()  # of what follows
        self._papers: deque[tuple[int, Paper]] = deque(maxlen=MOST_PAPERS)
        self.link_keys = LinkKeys()
        self.shop = DemoShop(
            str(folder / "shop.sqlite3"), currency=currency, seed=seed, link_keys=self.link_keys
        )
        self.shop.on_change = self.touch
        self.network: Relay | None = None
        receipt_no = self._last_receipt()
        self.terminal = ZvtTerminalSimulator(
            SimulatorOptions(
                line=LineOptions(path=str(devices / "terminal")),
                currency=self.currency.numeric,
                # A terminal that keeps what nobody acknowledged asks more of the counter.
                commit="keep",
                receipt_no=receipt_no,
                trace_no=receipt_no,
                host_s=host_s,
                shop="Nordlicht Mitte",
            ),
            bank=self.bank,
            on_change=self._terminal_changed,
        )
        self.printer = EscposPrinterSimulator(
            path=devices / "printer",
            profile=PRINTER_PROFILE,
            line_s=LINE_S,
            on_change=self._printer_changed,
        )
        self.scanner = ScannerSimulator(devices / "scanner", on_change=self.touch)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Raises OSError where a name or a port cannot be had; `stop` is right even then."""
        self._stack.callback(self.shop.close)
        self._stack.callback(self.terminal.stop)
        self.terminal.start()
        self.shop.start()
        self.network = Relay((HOST, int(self.shop.url.rpartition(":")[2])))
        self._stack.callback(self.network.unplug)
        self.network.plug()
        self._stack.enter_context(self.printer)
        self._stack.enter_context(self.scanner)

    def stop(self) -> None:
        """Idempotent."""
        self._stack.close()

    # --- where a counter finds it ---------------------------------------------------------------

    @property
    def shop_url(self) -> str:
        """Through the network that can be cut."""
        return f"http://{HOST}:{self._network.port}"

    @property
    def staff_url(self) -> str:
        """The shop as its staff sees it; their network is another one."""
        return f"{self.shop.url}/staff"

    @property
    def _network(self) -> Relay:
        if self.network is None:
            raise Bug("the town was not started")
        return self.network

    # --- what one watches -----------------------------------------------------------------------

    def touch(self) -> None:
        """Tell everyone who waits that something has changed."""
        with self._changed:
            self._seq += 1
            self._changed.notify_all()

    def wait(self, seq: int, timeout_s: float) -> int:
        """The present number: as soon as it differs from `seq`, or after the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self._seq != seq, timeout_s)
            return self._seq

    def papers(self) -> list[tuple[int, Paper]]:
        """What the printer has cut off, oldest first, each with a number of its own."""
        with self._papers_lock:
            return list(self._papers)

    def printer_trouble(self) -> PrinterFault | None:
        """What keeps it from printing, or from being reached."""
        faults = self.printer.state()["faults"]
        return next((PrinterFault(f) for f in PRINTER_TROUBLES if f in faults), None)

    def terminal_view(self) -> TerminalView:
        state: dict[str, Any] = self.terminal.state()
        return TerminalView(
            display=tuple(state["display"]),
            wants_card=state["waits_for"] == "card",
            is_paying=bool(state["busy"]) and state["commands"][-1:] == ["Authorization"],
            is_on=bool(state["powered"]),
            slips=tuple(tuple(lines) for lines in (*state["paper"], *state["slips"])),
        )

    def orders(self) -> tuple[Order, ...]:
        """This counter's orders as the shop has them now, whatever their status, by number; and
        one of another counter."""
        rows = self.shop.store.rows("orders", "number")
        here = [row for row in rows if row["pickup_point"] == self.pickup_point]
        elsewhere = [row for row in rows if row["pickup_point"] != self.pickup_point][:1]
        return tuple(order_from_json(current(row)) for row in here + elsewhere)

    def charges(self) -> tuple[Charge, ...]:
        """The bank's book, oldest first."""
        numbers = {row["id"]: row["number"] for row in self.shop.store.rows("orders", "number")}
        orders: dict[tuple[str, int], str] = {}
        for payment, reference in self._payments():
            key = (str(reference.get("terminal_id", "")), int(reference.get("receipt_no") or 0))
            orders[key] = numbers[payment["order_id"]]
        return tuple(
            Charge(
                Money(booking.amount, self.currency),
                booking.receipt_no,
                booking.pan,
                booking.held,
                orders.get((booking.terminal_id, booking.receipt_no), ""),
            )
            for booking in self.bank.bookings()
        )

    def _payments(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for row in self.shop.store.rows("payments", "rowid"):
            yield row, json.loads(row["reference"])

    def _last_receipt(self) -> int:
        """Of an earlier demo in the same folder: a number that came twice would be mistaken."""
        known = (int(card.get("receipt_no") or 0) for _, card in self._payments())
        return max(known, default=FIRST_RECEIPT)

    # --- what one does --------------------------------------------------------------------------

    def scan(self, text: str) -> bool:
        """False: nobody took it."""
        return self.scanner.scan(text)

    def tap(self) -> bool:
        """The customer's card at the terminal. False: it wants none now."""
        return self._present(self.terminal.tap)

    def insert(self) -> bool:
        return self._present(self.terminal.insert)

    def decline(self) -> bool:
        """A card whose bank says no."""
        return self._present(self.terminal.decline)

    def cancel_key(self) -> bool:
        """The customer's red key. False: there is nothing to stop."""
        return self._present(self.terminal.cancel_key)

    def _present(self, how: Callable[[], None]) -> bool:
        if self.terminal.state()["waits_for"] != "card":
            return False
        how()
        return True

    def new_order(self) -> str:
        """One more order for this counter; its number."""
        return self.shop.store.add_random_order(self.pickup_point)

    def switches(self) -> dict[Switch, bool]:
        """Which ones are on, which is: what is broken."""
        printer = self.printer.state()
        shop = self.shop.faults
        with self._lock:
            on = set(self._out)
            if self._booked is not None:
                on.add(Switch.RESULT_LOST)
        on |= {switch for switch, fault in _PRINTER.items() if fault in printer["faults"]}
        on |= {switch for switch, faults in _SHOP.items() if faults == shop}
        if printer["lines_left"] is not None and Switch.NO_PAPER not in on:
            on.add(Switch.PAPER_ENDS)
        if not self.scanner.state()["cable"]:
            on.add(Switch.SCANNER_CABLE)
        if not self._network.is_plugged:
            on.add(Switch.NETWORK)
        return {switch: switch in on for switch in Switch}

    def switch(self, switch: Switch, is_on: bool) -> None:
        """Break it, or put it right. Idempotent; returns when it is so."""
        with self._lock:
            self._switch(switch, is_on)
        self.touch()

    def calm(self) -> None:
        """Put everything right."""
        for switch, is_on in self.switches().items():
            if is_on:
                self.switch(switch, False)

    def _switch(self, switch: Switch, is_on: bool) -> None:
        if switch is Switch.RESULT_LOST:
            self._booked = len(self.bank.bookings()) if is_on else None
            self._set_terminal()
        elif switch in _TERMINAL_PART:
            self._out = self._out | {switch} if is_on else self._out - {switch}
            self._set_terminal()
        elif switch is Switch.PAPER_ENDS:
            self.printer.load_paper(LINES_LEFT if is_on else None)
        elif switch is Switch.NO_PAPER and not is_on:
            self.printer.load_paper()
        elif switch in _PRINTER:
            self.printer.set_fault(_PRINTER[switch], is_on)
        elif switch in _SHOP:
            self.shop.faults = _SHOP[switch] if is_on else ShopFaults()
        elif switch is Switch.SCANNER_CABLE:
            self.scanner.cable_out() if is_on else self.scanner.cable_in()
        else:
            self._network.unplug() if is_on else self._network.plug()

    def _set_terminal(self) -> None:
        on, terminal = self._out, self.terminal
        has_cable = not on & _TERMINAL
        if Switch.TERMINAL_PLUG in on and terminal.powered:
            terminal.pull_plug()
        if not has_cable and terminal.cable:
            terminal.cable_out()
        if Switch.TERMINAL_PLUG not in on and not terminal.powered:
            terminal.plug_in()
        if has_cable and not terminal.cable:
            terminal.cable_in()
        terminal.faults = Faults(
            answer=AnswerFault.NONE if self._booked is None else AnswerFault.CUT,
            host_delay_s=SLOW_HOST_S if Switch.SLOW_HOST in on else 0.0,
        )

    # --- on the simulators' threads -------------------------------------------------------------

    def _terminal_changed(self) -> None:
        # No lock: whoever holds it may wait for this very thread.
        if self._booked is not None and len(self.bank.bookings()) > self._booked:
            self._booked = None
            self.terminal.faults = replace(self.terminal.faults, answer=AnswerFault.NONE)
        self.touch()

    def _printer_changed(self) -> None:
        papers = self.printer.papers
        with self._papers_lock:
            count, last = self._papers[-1] if self._papers else (0, None)
            seen = next((at for at, one in enumerate(papers, 1) if one is last), 0)
            self._papers.extend(enumerate(papers[seen:], count + 1))
        self.touch()
