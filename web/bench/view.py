"""What the bench's page is told, as JSON: one whole state, small enough to be sent each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from appliance.counter.commands import COMMAND_CODES
from appliance.domain.errors import Code
from appliance.domain.money import Currency
from appliance.domain.order import CheckKind, Order, OrderStatus, refusal
from appliance.simulators.escpos_printer import Fault as PrinterFault
from appliance.simulators.town import Charge, TerminalView, Town
from web.bench.kiosk import Kiosk, Power
from web.bench.stories import POWER, Card
from web.view import language

PAPERS_SHOWN: Final = 30

_ODD: Final = {
    Code.ORDER_ELSEWHERE: "is at another counter",
    Code.ORDER_CANCELLED: "was cancelled",
    Code.ORDER_EXPIRED: "pickup time is over",
    Code.ORDER_NOT_READY: "not packed yet",
    Code.ORDER_CURRENCY: "in another currency",
    Code.ORDER_SUMS: "its sums are wrong",
}
_PRINTER: Final = {
    PrinterFault.CABLE_OUT: "Cable out",
    PrinterFault.COVER_OPEN: "Cover open",
    PrinterFault.NO_PAPER: "No paper",
}
_COMMANDS: Final = {
    "KASSA-CONFIRM": "Confirm",
    "KASSA-CANCEL": "Back, stop, no",
    "KASSA-NEXT": "Next, later",
    "KASSA-CHECK": "Check is done",
    "KASSA-TICK": "Tick a line",
    "KASSA-REPRINT": "Print a copy",
    "KASSA-NO-RECEIPT": "No receipt",
    "KASSA-PAID": "Slip: paid",
    "KASSA-NOT-PAID": "Slip: not paid",
    "KASSA-ATTENTION": "Open questions",
    "KASSA-DAY": "Today",
    "KASSA-PAIR": "Pair a device",
    "KASSA-DEVICES": "Devices",
    "KASSA-RELEASE": "Out of service",
    "KASSA-SIGN-OUT": "Sign out",
    "KASSA-LANGUAGE": "Next language",
}


def view(town: Town, kiosk: Kiosk, spoken: str) -> dict[str, Any]:
    """The whole state of the demo. spoken: the language that amounts are written in."""
    papers = town.papers()[-PAPERS_SHOWN:]
    trouble = town.printer_trouble()
    terminal = town.terminal_view()
    charges = town.charges()
    charged = {charge.order for charge in charges}
    return {
        "kiosk": {"power": str(kiosk.power), "starts": kiosk.starts},
        "terminal": _terminal(terminal),
        "printer": {
            "says": _PRINTER[trouble] if trouble else "Ready",
            "is_troubled": trouble is not None,
            "papers": [
                {"id": str(number), "title": " · ".join(paper.lines[:3])[:120]}
                for number, paper in papers
            ],
        },
        "orders": [_order(order, town, charged, spoken) for order in town.orders()],
        "bank": _bank(charges, terminal.is_paying, spoken),
        "faults": {**town.switches(), POWER: kiosk.power in (Power.OFF, Power.DIED)},
    }


def cards(town: Town) -> list[Card]:
    """Sellers' badges and the command cards."""
    badges = [Card("badge", f"Badge {name}", code) for name, code in town.shop.badges.items()]
    return badges + [Card("command", _COMMANDS.get(code, code), code) for code in COMMAND_CODES]


def code_of(order: Order) -> str:
    """What its barcode says."""
    return order.codes[0] if order.codes else order.number


def _order(order: Order, town: Town, charged: set[str], spoken: str) -> dict[str, Any]:
    kind, says, is_open = describe(order, town.pickup_point, town.currency)
    if kind == "paid" and order.number in charged:
        says = "paid here, still here"
    return {
        "number": order.number,
        "code": code_of(order),
        "customer": order.customer.name,
        "amount": language(spoken).money(order.due) if order.due else "paid",
        "kind": kind,
        "says": says,
        "is_open": is_open,
    }


def describe(order: Order, pickup_point: str, currency: Currency) -> tuple[str, str, bool]:
    """kind, what the order is there to show, and whether it can still be handed over.

    kind: "plain" (to be paid, nothing asked), "check" (something is asked), "paid" (online),
    "odd" (must be refused)."""
    if order.status is OrderStatus.HANDED_OVER:
        return "odd", "handed over", False
    refused = refusal(order, pickup_point=pickup_point, currency=currency)
    if refused is not None:
        return "odd", _ODD.get(refused[0], str(refused[0])), True
    if order.checks:
        is_age = order.checks[0].kind is CheckKind.AGE
        return "check", "age check" if is_age else "identity check", True
    if not order.due:
        return "paid", "paid online", True
    return "plain", _speciality(order), True


def _speciality(order: Order) -> str:
    if order.paid:
        return "part paid online"
    if order.last_day:
        return "last day today"
    if order.loyalty or order.discounts:
        return "promotion, points"
    if order.notes:
        return "a note, three shelves"
    if any(line.quantity.unit == "kg" for line in order.lines):
        return "sold by weight"
    return "to pay"


def _terminal(terminal: TerminalView) -> dict[str, Any]:
    return {
        "text": "\n".join(terminal.display),
        "wants_card": terminal.wants_card,
        "is_on": terminal.is_on,
        "slips": [list(lines) for lines in terminal.slips],
    }


def _bank(charges: Sequence[Charge], is_paying: bool, spoken: str) -> dict[str, Any]:
    mood, verdict = _verdict(charges, is_paying)
    return {
        "mood": mood,
        "verdict": verdict,
        "bookings": [
            {
                "title": f"Order {charge.order}" if charge.order else "Not told yet",
                "amount": language(spoken).money(charge.amount),
                "says": f"receipt {charge.receipt_no}" + ("" if charge.is_held else ", taken back"),
                "is_reversed": not charge.is_held,
            }
            for charge in reversed(charges)
        ],
    }


def _verdict(charges: Sequence[Charge], is_paying: bool) -> tuple[str, str]:
    """A mood for the colour, and a sentence."""
    held = [charge for charge in charges if charge.is_held]
    for order, count in Counter(charge.order for charge in held if charge.order).items():
        if count > 1:
            return "bad", f"{count} charges for order {order}!"
    if is_paying:
        return "open", "A payment is under way"
    if not held:
        return "none", "Nothing since this start: no card was charged"
    if not held[-1].order:
        return "open", "1 charge that the shop has not heard of yet"
    return "", f"1 charge for order {held[-1].order}"
