"""What a visitor may try: six stories, each a row of buttons and what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance.simulators.town import Switch


@dataclass(frozen=True, slots=True)
class Step:
    """One button. action, argument: as `actions` knows them."""

    text: str
    action: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """shows: one line on what to look at. broken: switches that are on from its beginning."""

    name: str
    title: str
    steps: tuple[Step, ...]
    shows: str
    broken: tuple[Switch, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A code to scan beside the orders. kind: "badge" or "command"."""

    kind: str
    title: str
    code: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A switch that is on while something is wrong. name: as `actions` knows it."""

    name: str
    label: str


POWER: Final = "kiosk-power"
"""The switch of the kiosk's plug; all others are the town's."""
FAULTS: Final = (
    (
        "Terminal",
        (
            Fault(Switch.TERMINAL_PLUG, "Plug out"),
            Fault(Switch.SLOW_HOST, "Slow bank"),
            Fault(Switch.RESULT_LOST, "Result lost"),
        ),
    ),
    (
        "Printer",
        (
            Fault(Switch.NO_PAPER, "No paper"),
            Fault(Switch.PAPER_ENDS, "Ends soon"),
            Fault(Switch.COVER, "Open"),
        ),
    ),
    (
        "Cables",
        (
            Fault(Switch.TERMINAL_CABLE, "Terminal"),
            Fault(Switch.PRINTER_CABLE, "Printer"),
            Fault(Switch.SCANNER_CABLE, "Scanner"),
        ),
    ),
    (
        "Shop",
        (
            Fault(Switch.NETWORK, "No network"),
            Fault(Switch.SHOP_DOWN, "Down"),
            Fault(Switch.ANSWER_LOST, "Answer lost"),
        ),
    ),
    ("Counter", (Fault(POWER, "Plug out"),)),
)

# The steps of a story wait for their turn, so that they may be clicked as quickly as one likes.
SCAN: Final = Step("Scan an order", "scan-fresh")
CHARGE: Final = Step("Charge", "confirm-on", "order")
TAP: Final = Step("Tap the card", "tap-soon")
HAND_OVER: Final = Step("Hand over", "confirm-on", "hand_over")


def _break(text: str, switch: Switch) -> Step:
    return Step(text, "switch", f"{switch}:on")


def _mend(text: str, switch: Switch) -> Step:
    return Step(text, "switch", f"{switch}:off")


STORIES: Final = (
    Story(
        "happy",
        "Scan, tap, done",
        (SCAN, CHARGE, TAP, HAND_OVER),
        "The receipt prints, the bank holds one charge, and the shop knows.",
    ),
    Story(
        "decline",
        "Card declined",
        (
            SCAN,
            CHARGE,
            Step("Show a bad card", "decline-soon"),
            Step("Charge again", CHARGE.action, CHARGE.argument),
            TAP,
            HAND_OVER,
        ),
        "A decline is certain: the bank holds nothing, and one may try again.",
    ),
    Story(
        "plug",
        "Pull its plug",
        (
            SCAN,
            CHARGE,
            TAP,
            _break("Pull the terminal's plug now!", Switch.TERMINAL_PLUG),
            _mend("Plug it in", Switch.TERMINAL_PLUG),
        ),
        "Nobody knows now. The counter says so, waits, asks the terminal, and never guesses.",
        # So that there is time to pull it between the tap and the bank's answer.
        (Switch.SLOW_HOST,),
    ),
    Story(
        "paper",
        "No paper",
        (
            _break("Take the paper out", Switch.NO_PAPER),
            SCAN,
            CHARGE,
            TAP,
            _mend("Put a roll in", Switch.NO_PAPER),
            HAND_OVER,
        ),
        "Paid stays paid. The receipt prints by itself when there is paper.",
    ),
    Story(
        "network",
        "Network gone",
        (
            SCAN,
            CHARGE,
            _break("Cut the network", Switch.NETWORK),
            TAP,
            HAND_OVER,
            _mend("Network back", Switch.NETWORK),
        ),
        "What was paid waits in the journal. The shop hears of it as soon as it can be reached.",
    ),
    Story(
        "twice",
        "Scan it twice",
        (SCAN, CHARGE, TAP, HAND_OVER, Step("Scan it again", "scan-again")),
        "The counter knows the order, and the bank still holds one charge.",
    ),
)
