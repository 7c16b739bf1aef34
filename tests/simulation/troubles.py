"""What goes wrong in the town, done to the parts that it is about."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import httpx

from appliance.domain.order import OrderStatus
from appliance.simulators.printer_faults import Fault as PrinterFault
from appliance.simulators.zvt_faults import NO_FAULTS, AnswerFault, Faults
from tests.simulation.network import FAIR, Weather
from tests.simulation.plan import Fault, Trouble
from tests.simulation.wires import TRAVEL_S, unharmed

if TYPE_CHECKING:
    from tests.simulation.kiosk import Kiosk
    from tests.simulation.town import Town

RESTART_S: Final = 3.0  # systemd's
OFF_S: Final = (5.0, 20.0, 90.0, 400.0)
RIGHT_S: Final = (15.0, 60.0, 300.0)  # from the start until the clock is right
_PRINTER: Final = {
    Fault.NO_PAPER: PrinterFault.NO_PAPER,
    Fault.COVER: PrinterFault.COVER_OPEN,
    Fault.PRINTER_CABLE: PrinterFault.CABLE_OUT,
    Fault.PRINTER_OFF: PrinterFault.POWER_OFF,
    Fault.PRINTER_SILENT: PrinterFault.SILENT,
}
_NETWORK: Final = frozenset(
    {
        Fault.NETWORK_DOWN, Fault.NETWORK_LOSSY, Fault.SHOP_DOWN, Fault.SHOP_ERRORS,
        Fault.SHOP_NONSENSE,
    }
)  # fmt: skip
_HARD: Final = (AnswerFault.CUT_IN_PRINT,) * 4 + (AnswerFault.CUT, AnswerFault.LOST)
_NONSENSE: Final = (b"", b"null", b"{}", b"[]", b"<!doctype html><p>Please log in.", b"\xff" * 40)


class Troubles:
    """At most one of each kind at each kiosk; a later one of the same kind prolongs it."""

    def __init__(self, town: Town) -> None:
        self._town, self._kernel = town, town.kernel
        self._now: dict[tuple[int, Fault], tuple[int, random.Random]] = {}
        self._count = 0
        self._waiting: list[Trouble] = []
        self._down_until: dict[str, float] = {}
        self._backup = town.store.saved()

    # --- the day --------------------------------------------------------------------------------

    def morning(self) -> None:
        self._backup.close()
        self._backup = self._town.store.saved()

    def charged(self, kiosk: int) -> None:
        """A charge has left there: what has waited for it comes now, or in a moment."""
        waiting, self._waiting = self._waiting, []
        for trouble in waiting:
            if trouble.kiosk != kiosk:
                self._waiting.append(trouble)
                continue
            now = replace(trouble, waits=False)
            later_s = random.Random(f"waited {trouble.lot}").uniform(0.0, 8.0)
            self._kernel.at(self._kernel.now + later_s, lambda now=now: self.begin(now))  # type: ignore[misc]

    def begin(self, trouble: Trouble) -> None:
        if trouble.waits:
            self._waiting.append(trouble)
            return
        where = f" at {self._town.kiosks[trouble.kiosk].name}" if trouble.kiosk >= 0 else ""
        lasts = f" for {trouble.lasts_s:.0f} s" if trouble.lasts_s else ""
        who, _, what = trouble.fault.partition(": ")
        self._town.tell(f"trouble with the {who}{where}", f"{what}{lasts}")
        dice = random.Random(f"trouble {trouble.lot}")
        if not trouble.lasts_s:
            self._do(trouble, dice)
            return
        key = (trouble.kiosk, trouble.fault)
        self._count += 1
        mine = self._count
        self._now[key] = (mine, dice)
        self._set(trouble.kiosk, trouble.fault, dice, is_on=True)

        def end() -> None:
            if self._now.get(key, (0, dice))[0] == mine:
                del self._now[key]
                self._set(trouble.kiosk, trouble.fault, dice, is_on=False)
                self._town.tell(f"trouble with the {who}{where}", "is over")

        self._kernel.at(self._kernel.now + trouble.lasts_s, end)

    def calm(self) -> None:
        """Everything works again."""
        self._waiting.clear()
        for (number, trouble), (_, dice) in list(self._now.items()):
            self._set(number, trouble, dice, is_on=False)
        self._now.clear()
        for kiosk in self._town.kiosks:
            kiosk.disk.tick = lambda what: None
            kiosk.disk.is_full = False
            kiosk.clock.off_s = 0.0
            kiosk.terminal.faults = NO_FAULTS
            kiosk.terminal.is_forgetful = False
            for fault in PrinterFault:
                if fault in kiosk.printer._faults:
                    kiosk.printer.set_fault(fault, False)
            kiosk.printer._jams_at_cut = False

    # --- moments --------------------------------------------------------------------------------

    def _do(self, trouble: Trouble, dice: random.Random) -> None:
        fault = trouble.fault
        if fault is Fault.SHOP_RESTORED:
            self._restore()
            return
        kiosk = self._town.kiosks[trouble.kiosk]
        match fault:
            case Fault.POWER_CUT:
                self._power_cut(kiosk, trouble.after, dice)
            case Fault.KILLED:
                kiosk.kill()
                self._start_in(kiosk, RESTART_S)
            case Fault.STOPPED:
                self._stop(kiosk)
            case Fault.CLOCK_JUMPS:
                kiosk.clock.off_s = dice.choice((-86_400.0 * 30, -3600.0, -7.0, 60.0, 86_400.0))
            case Fault.ANOTHER_TILL if kiosk.is_network:
                kiosk.terminal.serve_another(self._kernel.now + 300.0)
            case Fault.ANOTHER_TILL:
                pass  # a serial line has one end
            case Fault.JAM:
                kiosk.printer.jam_next_cut()
                self._kernel.at(
                    self._kernel.now + 60,
                    lambda: kiosk.printer.set_fault(PrinterFault.CUTTER, False),
                )
            case _:
                self._staff(trouble.kiosk, fault, dice)

    def _power_cut(self, kiosk: Kiosk, after: int, dice: random.Random) -> None:
        off_s = dice.choice(OFF_S)

        def right() -> None:
            kiosk.clock.off_s = 0.0

        def cut() -> None:
            kiosk.disk.tick = lambda what: None
            if kiosk.is_on:
                self._town.tell(f"trouble with the kiosk at {kiosk.name}", "it is dark")
                kiosk.lose_power()
                self._start_in(kiosk, off_s)
                # A Pi has no clock of its own: it goes on from an hour that it has written down,
                # until the network tells it better.
                kiosk.clock.off_s = -(off_s + dice.uniform(0.0, 3600.0))
                self._kernel.at(self._kernel.now + off_s + dice.choice(RIGHT_S), right)

        if not after:
            cut()
            return
        left = after

        def tick(what: str) -> None:
            # Between two writes of the disk: from here on nothing reaches it, nor leaves the kiosk.
            nonlocal left
            left -= 1
            if left == 0:
                cut()

        kiosk.disk.tick = tick

    def _start_in(self, kiosk: Kiosk, seconds: float) -> None:
        self._kernel.at(self._kernel.now + seconds, lambda: self._town.start(kiosk))

    def _stop(self, kiosk: Kiosk) -> None:
        counter = kiosk.counter
        if counter is None or not kiosk.is_on:
            return

        def stop() -> None:
            if kiosk.counter is counter:
                counter.stop(90.0)
                kiosk.kill()
                self._start_in(kiosk, RESTART_S)

        self._kernel.spawn("systemd", stop)

    def _restore(self) -> None:
        store = self._town.store
        known = self._payments_told()
        store.restore(self._backup)
        self._town.books.forget(known - self._payments_told())
        for order in self._town._orders.values():
            # What was ordered since the backup is known to the warehouse.
            if not any(row["id"] == order.id for row in store.rows("orders", "number")):
                store.add_order(order)

    def _payments_told(self) -> set[str]:
        """Payments that the shop has heard of."""
        bodies = (json.loads(row["body"]) for row in self._town.store.rows("facts", "seq"))
        return {str(body["payment"]) for body in bodies if "payment" in body}

    def _staff(self, kiosk: int, fault: Fault, dice: random.Random) -> None:
        """To an order that somebody has come for, or will."""
        town = self._town
        point = town.kiosks[kiosk].place.pickup_point
        orders = [order for order in town._orders.values() if order.pickup_point == point]
        if not orders:
            return
        # The newest are those that are being served.
        order = orders[-1] if dice.random() < 0.7 else dice.choice(orders)
        town.tell("the shop's staff", f"is at order {order.id}")
        town.note_prepaid(order.id)
        match fault:
            case Fault.CANCELLED:
                if town.row(order.id)["status"] == OrderStatus.READY:
                    town.store.set_status(order.id, OrderStatus.CANCELLED)
            case Fault.PAID_ONLINE:
                town.store.pay_online(order.id)
            case Fault.EDITED:
                town.store.add_line(order.id)
            case _:
                town.store.bump(order.id)

    # --- what lasts -----------------------------------------------------------------------------

    def _set(self, number: int, fault: Fault, dice: random.Random, *, is_on: bool) -> None:
        if fault in _NETWORK:
            return  # asked for with each request
        kiosk = self._town.kiosks[number]
        if fault in _PRINTER:
            kiosk.printer.set_fault(_PRINTER[fault], is_on)
            return
        match fault:
            case Fault.DISK_FULL:
                kiosk.disk.is_full = is_on
            case Fault.FORGETS:
                kiosk.terminal.is_forgetful = is_on
            case Fault.TERMINAL_CABLE:
                kiosk.terminal.cable_out() if is_on else kiosk.terminal.cable_in()
            case Fault.TERMINAL_PLUG:
                kiosk.terminal.pull_plug() if is_on else kiosk.terminal.plug_in()
            case Fault.TERMINAL_NOISE:
                kiosk.terminal_wire.mangle = (
                    _noise(dice, is_network=kiosk.is_network) if is_on else unharmed
                )
            case Fault.TERMINAL_LATE:
                kiosk.terminal_wire.mangle = _late(dice) if is_on else unharmed
            case _:
                kiosk.terminal.faults = _terminal_faults(fault, dice) if is_on else NO_FAULTS

    # --- between kiosk and shop -----------------------------------------------------------------

    def weather(self, number: int, request: httpx.Request) -> Weather:
        for (kiosk, fault), (_, dice) in self._now.items():
            if fault in _NETWORK and kiosk in (number, -1) and dice.random() < 0.8:
                return _weather(fault, dice)
        return FAIR


def _weather(fault: Fault, dice: random.Random) -> Weather:
    match fault:
        case Fault.NETWORK_DOWN:
            return Weather(lost=True) if dice.random() < 0.5 else Weather(is_refused=True)
        case Fault.SHOP_DOWN:
            return Weather(is_refused=True)
        case Fault.SHOP_ERRORS:
            return Weather(status=dice.choice((500, 502, 503, 429)),
                           retry_after_s=dice.choice((0, 0, 5, 120)))  # fmt: skip
        case Fault.SHOP_NONSENSE:
            return Weather(body=dice.choice(_NONSENSE))
        case _:
            return dice.choice(
                (
                    Weather(lost=True), Weather(answer_lost=True), Weather(answer_lost=True),
                    Weather(delay_s=dice.uniform(0.5, 14.0)), Weather(delay_s=30.0),
                )
            )  # fmt: skip


def _noise(
    dice: random.Random, *, is_network: bool
) -> Callable[[str, bytes], list[tuple[float, bytes]]]:
    """A serial line loses, repeats and breaks bytes; those of a network are whole, and late."""

    def mangle(sender: str, data: bytes) -> list[tuple[float, bytes]]:
        if is_network or dice.random() < 0.6:
            return [(TRAVEL_S + dice.random() * 0.2, data)]
        at = dice.randrange(len(data))
        match dice.choice(("lost", "lost byte", "repeated", "broken", "tail")):
            case "lost":
                return []
            case "lost byte":
                data = data[:at] + data[at + 1 :]
            case "repeated":
                return [(TRAVEL_S, data), (TRAVEL_S, data)]
            case "broken":
                data = data[:at] + bytes((data[at] ^ 1 << dice.randrange(8),)) + data[at + 1 :]
            case _:
                data = data[:at]
        return [(TRAVEL_S, data)]

    return mangle


def _late(dice: random.Random) -> Callable[[str, bytes], list[tuple[float, bytes]]]:
    def mangle(sender: str, data: bytes) -> list[tuple[float, bytes]]:
        at = dice.randint(0, len(data))
        return [
            (TRAVEL_S + dice.random() * 0.5, data[:at]),
            (TRAVEL_S + dice.random() * dice.choice((0.1, 1.0, 8.0)), data[at:]),
        ]

    return mangle


def _terminal_faults(fault: Fault, dice: random.Random) -> Faults:
    match fault:
        case Fault.ANSWER:
            return Faults(answer=dice.choice((*AnswerFault, *_HARD)), seed=dice.getrandbits(16))
        case Fault.TERMINAL_SILENT:
            return Faults(silent=True)
        case Fault.SLOW_HOST:
            return Faults(host_delay_s=dice.choice((5.0, 40.0, 200.0)))
        case Fault.NOT_TAKEN:
            return Faults(nak_first=dice.choice((1, 2, 5)))
        case Fault.BUSY_AFTER:
            return Faults(busy_after_loss_s=dice.choice((1.0, 20.0, 300.0)),
                          answer=AnswerFault.LOST)  # fmt: skip
        case Fault.REFUSES:
            return Faults(refusal=dice.choice((0x6F, 0x9C, 0x83, 0xB2)))
        case _:
            return Faults(ignore_abort=True)
