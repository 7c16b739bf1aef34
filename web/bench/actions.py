"""What a click on the bench does, in one table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from appliance.domain.order import Order
from appliance.protocols.scans import LONGEST_CODE
from appliance.simulators.town import Switch, Town
from web.bench.kiosk import Kiosk, Power
from web.bench.stories import POWER, STORIES
from web.bench.view import code_of, describe

TURN_WAIT_S: Final = 5.0
NO_CARD: Final = "The terminal wants no card now: charge an order first"
LOOK_EVERY_S: Final = 0.15
_LEAVE: Final = {
    "order": "KASSA-CANCEL",
    "asking": "KASSA-CANCEL",
    "charging": "KASSA-CANCEL",
    "refused": "KASSA-CANCEL",
    "attention": "KASSA-CANCEL",
    "attention_item": "KASSA-CANCEL",
    "day": "KASSA-CANCEL",
    "no_receipt": "KASSA-NO-RECEIPT",
    "hand_over": "KASSA-NEXT",
}
"""How a seller leaves each screen, by the command cards."""


class Refused(Exception):
    """The click cannot be obeyed; its text says why, for the visitor."""


def do(town: Town, kiosk: Kiosk, action: str, argument: str) -> str:
    """Do it, and return when it is done: what was scanned, else "". Raises Refused. Any thread."""
    found = ACTIONS.get(action)
    if found is None:
        raise Refused(f"There is no action {action[:40]!r}")
    return found(town, kiosk, argument) or ""


def _scan(town: Town, kiosk: Kiosk, text: str) -> str:
    if not 1 <= len(text) <= LONGEST_CODE or not text.isprintable():
        raise Refused(f"A code has 1 to {LONGEST_CODE} printable characters")
    if town.switches()[Switch.SCANNER_CABLE]:
        raise Refused("Nobody took the scan: the scanner's cable is out")
    if kiosk.power in (Power.OFF, Power.DIED):
        raise Refused("Nobody took the scan: the counter has no power")
    # A counter that has just started, or a cable that was just plugged in, takes a moment.
    _soon(lambda: _hears(kiosk), "The counter does not hear its scanner")
    if not town.scan(text):
        raise Refused("Nobody took the scan")
    return text


def _hears(kiosk: Kiosk) -> bool:
    devices = kiosk.health().get("devices", {})
    return isinstance(devices, dict) and devices.get("scanner") == "ok"


def _switch(town: Town, kiosk: Kiosk, argument: str) -> None:
    name, _, wanted = argument.partition(":")
    is_on = wanted == "on"
    if name == POWER:
        if is_on:
            kiosk.cut_power()
        else:
            kiosk.start()
        return
    if name not in tuple(Switch):
        raise Refused(f"There is no switch {name[:40]!r}")
    town.switch(Switch(name), is_on)


def _calm(town: Town, kiosk: Kiosk, _argument: str) -> None:
    town.calm()
    kiosk.start()


def _prepare(town: Town, kiosk: Kiosk, name: str) -> None:
    """Set the scene of a story: all well but what it begins with, and the counter's screen free,
    as far as a seller could do that."""
    _calm(town, kiosk, "")
    until = time.monotonic() + TURN_WAIT_S
    told = ""
    while (page := _page(kiosk)) != "idle" and time.monotonic() < until:
        # Once for each page: a counter that asks the bank cannot be hurried.
        if page in _LEAVE and page != told:
            town.scan(_LEAVE[page])
        told = page
        time.sleep(LOOK_EVERY_S)
    for story in STORIES:
        if story.name == name:
            for switch in story.broken:
                town.switch(switch, True)


def _page(kiosk: Kiosk) -> str:
    return str(kiosk.health().get("page", ""))


def _soon(is_so: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + TURN_WAIT_S
    while not is_so():
        if time.monotonic() >= until:
            raise Refused(otherwise)
        time.sleep(LOOK_EVERY_S)


def _confirm_on(town: Town, kiosk: Kiosk, page: str) -> str:
    """Scan the command card "confirm" as soon as the counter shows this page."""
    _soon(lambda: _page(kiosk) == page, "It is not time for that yet: see the counter's screen")
    return _scan(town, kiosk, "KASSA-CONFIRM")


def _tap_soon(town: Town, _kiosk: Kiosk, _argument: str) -> None:
    _soon(town.tap, NO_CARD)


def _decline_soon(town: Town, _kiosk: Kiosk, _argument: str) -> None:
    _soon(town.decline, NO_CARD)


def fresh(town: Town) -> Order:
    """An order that is yet to be paid, and has nothing special to ask; a new one if need be."""
    for order in town.orders():
        if describe(order, town.pickup_point, town.currency)[0] == "plain":
            return order
    number = town.new_order()
    return next(order for order in town.orders() if order.number == number)


def _scan_fresh(town: Town, kiosk: Kiosk, _argument: str) -> str:
    return _scan(town, kiosk, code_of(fresh(town)))


def _new_order(town: Town, _kiosk: Kiosk, _argument: str) -> None:
    town.new_order()


def _tap(town: Town, _kiosk: Kiosk, _argument: str) -> None:
    _at_terminal(town.tap())


def _insert(town: Town, _kiosk: Kiosk, _argument: str) -> None:
    _at_terminal(town.insert())


def _decline(town: Town, _kiosk: Kiosk, _argument: str) -> None:
    _at_terminal(town.decline())


def _cancel(town: Town, _kiosk: Kiosk, _argument: str) -> None:
    if not town.cancel_key():
        raise Refused("There is nothing to stop at the terminal")


def _power_on(_town: Town, kiosk: Kiosk, _argument: str) -> None:
    kiosk.start()


def _at_terminal(is_taken: bool) -> None:
    if not is_taken:
        raise Refused(NO_CARD)


ACTIONS: Final[dict[str, Callable[[Town, Kiosk, str], str | None]]] = {
    "scan": _scan,
    "switch": _switch,
    "scan-fresh": _scan_fresh,
    "calm": _calm,
    "prepare": _prepare,
    "new-order": _new_order,
    "confirm-on": _confirm_on,
    "tap-soon": _tap_soon,
    "decline-soon": _decline_soon,
    "terminal-tap": _tap,
    "terminal-insert": _insert,
    "terminal-decline": _decline,
    "terminal-cancel": _cancel,
    "kiosk-on": _power_on,
}
