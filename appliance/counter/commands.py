"""Commands: what a person asks of the counter, and what is scanned, matched in one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final

from appliance.counter.screen import Action, Screen
from appliance.protocols.links.dialects import SCHEMES


@dataclass(frozen=True, slots=True)
class Command:
    """id: unique; a repeat gets the first answer. seq: the screen that it was issued on, or None
    for a scan, which is always about what is on the screen now."""

    id: str
    action: Action
    argument: str = ""
    seq: int | None = None


class Answer(StrEnum):
    DONE = auto()
    STALE = auto()  # issued on a screen that is gone: nothing was done
    NOT_HERE = auto()  # not among the screen's actions: nothing was done
    BUSY = auto()  # the counter did not answer in time; it may still be done


@dataclass(frozen=True, slots=True)
class Answered:
    answer: Answer
    screen: Screen


BADGE_PREFIX: Final = "KS-"
"""A seller's badge starts so; the whole text is what the shop hashes."""

COMMAND_CODES: Final[dict[str, tuple[Action, str]]] = {
    "KASSA-CONFIRM": (Action.CONFIRM, ""),
    "KASSA-CANCEL": (Action.CANCEL, ""),
    "KASSA-NEXT": (Action.NEXT, ""),
    "KASSA-CHECK": (Action.CHECK, ""),
    "KASSA-TICK": (Action.TICK, ""),
    "KASSA-REPRINT": (Action.REPRINT, ""),
    "KASSA-NO-RECEIPT": (Action.WAIVE_RECEIPT, ""),
    "KASSA-PAID": (Action.DECIDE_PAID, ""),
    "KASSA-NOT-PAID": (Action.DECIDE_NOT_PAID, ""),
    "KASSA-ATTENTION": (Action.ATTENTION, ""),
    "KASSA-DAY": (Action.DAY, ""),
    "KASSA-PAIR": (Action.PAIR, ""),
    "KASSA-DEVICES": (Action.DEVICES, ""),
    "KASSA-RELEASE": (Action.RELEASE, ""),
    "KASSA-SIGN-OUT": (Action.SIGN_OUT, ""),
    "KASSA-LANGUAGE": (Action.LANGUAGE, ""),
}
"""Command barcodes (Code 128), as printed on the counter's command sheet."""


class Scanned(StrEnum):
    COMMAND = auto()
    BADGE = auto()
    LINK = auto()
    ORDER = auto()


def match(text: str) -> tuple[Scanned, str]:
    """What a scanned or typed text is: a command's code, a badge, a link, or an order's code."""
    text = text.strip()
    if text.upper() in COMMAND_CODES:
        return Scanned.COMMAND, text.upper()
    if text.upper().startswith(BADGE_PREFIX):
        return Scanned.BADGE, text.upper()
    if text.partition(":")[0].lower() in SCHEMES:
        return Scanned.LINK, text
    return Scanned.ORDER, text
