"""The words for what is shown by name: devices, prompts, states, units, commands."""

from __future__ import annotations

from typing import Final

from appliance.counter.screen import Action, DeviceState, Page, Paid, Receipt
from appliance.domain.order import CheckKind
from appliance.ports import Prompt
from web.wording import N_

DEVICES: Final = {
    "terminal": N_("Terminal"),
    "printer": N_("Printer"),
    "scanner": N_("Scanner"),
    "machine": N_("Kiosk"),
    "shop": N_("Shop"),
}

# A device that is plugged in: in a list, and in full.
DEVICE_STATES: Final[dict[DeviceState, str]] = {
    DeviceState.SERVES: N_("in service"),
    DeviceState.COMING: N_("goes into service"),
    DeviceState.AWAY: N_("not plugged in"),
    DeviceState.OFFERED: N_("not in service"),
    DeviceState.NAMED: N_("not in service"),
}

DEVICE_WORDS: Final[dict[DeviceState, str]] = {
    DeviceState.SERVES: N_("It is in service."),
    DeviceState.COMING: N_("It goes into service. That takes a few seconds."),
    DeviceState.AWAY: N_("It was taken into service here. Plug it in, or take another one."),
    DeviceState.OFFERED: N_("It is not in service yet."),
    DeviceState.NAMED: N_("Whoever set up this counter has named another device for this."),
}

NEW_DEVICE: Final = {
    "terminal": N_("New card terminal: take it into service?"),
    "printer": N_("New printer: take it into service?"),
    "scanner": N_("New scanner: take it into service?"),
}

PROMPTS: Final[dict[Prompt, str]] = {
    Prompt.CARD: N_("Present your card at the terminal"),
    Prompt.PIN: N_("Enter the PIN at the terminal"),
    Prompt.HOST: N_("One moment, the bank is being asked"),
    Prompt.REMOVE: N_("Please take out the card"),
    Prompt.WAIT: N_("One moment"),
    Prompt.REVERSING: N_("The payment is being taken back"),
    Prompt.OTHER: N_("Please look at the terminal"),
}

RECEIPTS: Final[dict[Receipt, str]] = {
    Receipt.NONE: N_("No receipt needed"),
    Receipt.QUEUED: N_("Receipt waits for the printer"),
    Receipt.PRINTING: N_("Receipt is printing"),
    Receipt.PRINTED: N_("Receipt printed"),
    Receipt.FAILED: N_("Receipt not printed"),
    Receipt.WAIVED: N_("Without receipt"),
}

PAID: Final[dict[Paid, str]] = {
    Paid.CARD: N_("Paid. Hand over."),
    Paid.ONLINE: N_("Paid online. Hand over."),
    Paid.DECIDED: N_("Paid, says the slip. Hand over."),
}

PAID_HOW: Final[dict[Paid, str]] = {
    Paid.CARD: N_("card"),
    Paid.ONLINE: N_("online"),
    Paid.DECIDED: N_("by slip"),
}

CHECKS: Final[dict[CheckKind, str]] = {
    CheckKind.AGE: N_("Age checked"),
    CheckKind.IDENTITY: N_("Identity checked"),
}

CHECKS_SHORT: Final[dict[CheckKind, str]] = {
    CheckKind.AGE: N_("check age"),
    CheckKind.IDENTITY: N_("check identity"),
}

# "pc" is not here: a count of pieces needs no unit.
UNITS: Final = {
    "kg": N_("kg"),
    "g": N_("g"),
    "l": N_("l"),
    "ml": N_("ml"),
    "m": N_("m"),
    "cm": N_("cm"),
    "m2": N_("m²"),
    "h": N_("h"),
}

# What an entry of a payment's log says. "terminal" is followed by what the terminal showed.
LOG: Final = {
    "sent": N_("amount sent to the terminal"),
    "terminal": N_("the terminal shows:"),
    "stop": N_("the terminal was asked to stop"),
    "lost": N_("no answer from the terminal"),
    "asked": N_("the terminal is asked for its last payment"),
    "no_answer": N_("no answer yet"),
}

# The button of an action where a page has no words of its own for it.
ACTIONS: Final[dict[Action, str]] = {
    Action.CONFIRM: N_("Confirm"),
    Action.CANCEL: N_("Back"),
    Action.NEXT: N_("Next"),
    Action.SCAN: N_("Type a number"),
    Action.OPEN: N_("Open"),
    Action.CHECK: N_("Confirm the check"),
    Action.TICK: N_("Tick the next line"),
    Action.REPRINT: N_("Print last receipt again"),
    Action.WAIVE_RECEIPT: N_("Go on without receipt"),
    Action.DECIDE_PAID: N_("The slip says: paid"),
    Action.DECIDE_NOT_PAID: N_("The slip says: not paid"),
    Action.ATTENTION: N_("Open questions"),
    Action.DAY: N_("Today"),
    Action.PAIR: N_("Pair a device"),
    Action.DEVICES: N_("Devices"),
    Action.RELEASE: N_("Take out of service"),
    Action.SIGN_OUT: N_("Sign out"),
    Action.LANGUAGE: N_("Next language"),
}

# What a barcode of the command sheet does, wherever it is scanned.
COMMANDS: Final[dict[Action, str]] = {
    Action.CONFIRM: N_("Confirm: what the large button on the screen says"),
    Action.CANCEL: N_("Back, stop, no"),
    Action.NEXT: N_("Next entry of a list; at a handover: leave it for later"),
    Action.CHECK: N_("Confirm the next check"),
    Action.TICK: N_("Tick the next line"),
    Action.REPRINT: N_("Print the last receipt again, marked as a copy"),
    Action.WAIVE_RECEIPT: N_("Go on without receipt"),
    Action.DECIDE_PAID: N_("The slip says: paid"),
    Action.DECIDE_NOT_PAID: N_("The slip says: not paid"),
    Action.ATTENTION: N_("Show the open questions"),
    Action.DAY: N_("Show today's handovers"),
    Action.PAIR: N_("Pair a device"),
    Action.DEVICES: N_("Show the devices"),
    Action.RELEASE: N_("Take the marked device out of service"),
    Action.SIGN_OUT: N_("Sign out"),
    Action.LANGUAGE: N_("Next language"),
}

# What each screen is called aloud: the browser's title, and what a screen reader says first.
PAGES: Final[dict[Page, str]] = {
    Page.IDLE: N_("Ready"),
    Page.ORDER: N_("Order"),
    Page.ASKING: N_("Asking the shop"),
    Page.CHARGING: N_("Payment"),
    Page.UNKNOWN: N_("Payment not certain"),
    Page.HAND_OVER: N_("Handing over"),
    Page.REFUSED: N_("Not possible here"),
    Page.NO_RECEIPT: N_("Receipt waits"),
    Page.ATTENTION: N_("Open questions"),
    Page.ATTENTION_ITEM: N_("Open question"),
    Page.DAY: N_("Today"),
    Page.PAIRING: N_("Pair a device"),
    Page.DEVICES: N_("Devices"),
    Page.ENROL: N_("New kiosk"),
    Page.OUT_OF_ORDER: N_("Out of order"),
}

LANGUAGE_NAMES: Final = {"en": "English", "ru": "Русский", "de": "Deutsch", "fr": "Français"}
"""Each in its own language, so that whoever needs it can read it."""
