"""How things read in a language: amounts, quantities, times, codes; and what a screen looks like.

Everything that Babel computes is remembered, as a screen repeats the same few amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache, lru_cache
from gettext import NullTranslations
from math import ceil
from typing import Final

from babel import Locale
from babel.dates import format_skeleton
from babel.numbers import format_currency, format_decimal

from appliance.counter.screen import (
    Action,
    HandOver,
    Idle,
    OutOfOrder,
    Page,
    Receipt,
    Refused,
    Screen,
)
from appliance.domain.errors import Code
from appliance.domain.money import Money, Quantity
from appliance.domain.order import Order
from web import catalogs
from web.labels import UNITS
from web.wording import WORDING

# English as it is written on the continent: the sign behind the amount, the day before the month.
_LOCALES: Final = {"en": "en_150", "ru": "ru", "de": "de", "fr": "fr"}
# … but not for those who put the sign in front at home.
_SIGN_FIRST: Final = {"en": {"GBP": "en_GB", "USD": "en_GB", "JPY": "en"}}
# What stands before a day of the month, where the language wants something.
_DAY: Final = {"fr": "le "}
_MINUS: Final = "\u2212"


@dataclass(frozen=True, slots=True)
class Worded:
    """A code in the language of the seller."""

    code: Code
    title: str
    reason: str
    cure: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Language:
    """One language of the screen. Safe for many threads: nothing in it changes."""

    code: str
    translations: NullTranslations

    def text(self, source: str) -> str:
        return self.translations.gettext(source)

    def plural(self, one: str, many: str, number: int) -> str:
        return self.translations.ngettext(one, many, number)

    def money(self, money: Money) -> str:
        """As people write it here, such as 1 284,50 €. The spaces in it do not break."""
        return _money(self.code, money)

    def quantity(self, quantity: Quantity) -> str:
        """With its unit, such as 0,350 kg; a count of pieces is the number alone."""
        return _quantity(self, quantity.thousandths, quantity.unit)

    def worded(self, code: Code) -> Worded:
        return _worded(self, code)

    def moment(self, at: str, today: str) -> str:
        """An ISO time as people say it: the time of day, and the day where it is not today's.

        What is no ISO time is shown as it came: the shop may write something of its own.
        """
        return _moment(self.code, at, today[:10], _offset(today))


@cache
def language(code: str) -> Language:
    """A language that Kassa has. Raises FileNotFoundError for any other."""
    return Language(code, catalogs.load(code))


def _locale(code: str) -> Locale:
    return Locale.parse(_LOCALES[code])


@lru_cache(maxsize=4096)
def _money(code: str, money: Money) -> str:
    unit = money.currency.code
    locale = _SIGN_FIRST.get(code, {}).get(unit, _LOCALES[code])
    return format_currency(money.decimal(), unit, locale=locale).replace("-", _MINUS)


@lru_cache(maxsize=4096)
def _quantity(spoken: Language, thousandths: int, unit: str) -> str:
    quantity = Quantity(thousandths, unit)
    digits = "#,##0" if quantity.is_whole else "#,##0.000"
    text = format_decimal(str(quantity), format=digits, locale=_LOCALES[spoken.code])
    if unit == "pc":
        return text
    return f"{text}\u00a0{spoken.text(UNITS[unit]) if unit in UNITS else unit}"


@lru_cache(maxsize=256)
def _worded(spoken: Language, code: Code) -> Worded:
    wording = WORDING[code]
    return Worded(
        code,
        spoken.text(wording.title),
        spoken.text(wording.reason),
        tuple(spoken.text(step) for step in wording.cure),
    )


@lru_cache(maxsize=1024)
def _moment(code: str, at: str, today: str, offset: timedelta) -> str:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return at
    if moment.utcoffset() == timedelta():  # nobody's wall clock; any other offset is the shop's own
        moment = moment.astimezone(timezone(offset))
    # "Sep 5 18:02" and "18:02" as the language orders them; the clock has 24 hours everywhere.
    time = f"{moment:%H:%M}" if len(at) > len("2025-10-07") else ""
    if time and moment.date().isoformat() == today:
        return time
    day = _DAY.get(code, "") + format_skeleton("MMMd", moment, locale=_locale(code))
    return f"{day}, {time}" if time else day


def clock(now: datetime, screen_at: str) -> str:
    """The wall time now, in the offset that the counter's own times have, ISO 8601."""
    return now.astimezone(timezone(_offset(screen_at))).isoformat(timespec="milliseconds")


def _offset(screen_at: str) -> timedelta:
    try:
        return datetime.fromisoformat(screen_at).utcoffset() or timedelta()
    except ValueError:
        return timedelta()


# --- what a screen looks like -----------------------------------------------------------------

_TONES: Final = {
    Page.CHARGING: "turn",
    Page.UNKNOWN: "doubt",
    Page.HAND_OVER: "go",
    Page.OUT_OF_ORDER: "stop",
}


def tone(screen: Screen) -> str:
    """The colour of the whole screen: ready, turn (the customer's), go, doubt or stop.

    Green means that the goods may leave: not while something about the customer is unchecked.
    """
    if is_starting(screen) or (isinstance(screen.body, HandOver) and screen.body.open_checks):
        return "ready"
    return _TONES.get(screen.page, "ready")


STEPS: Final = ("order", "payment", "receipt", "handover")
_REACHED: Final = {
    Page.ORDER: 0,
    Page.CHARGING: 1,
    Page.UNKNOWN: 1,
    Page.NO_RECEIPT: 2,
    Page.HAND_OVER: 3,
}

_NO_PAPER_YET: Final = frozenset({Receipt.QUEUED, Receipt.PRINTING, Receipt.FAILED})


def steps(screen: Screen) -> tuple[tuple[str, str], ...]:
    """Where the handover stands: each step with "done", "now" or "next"; empty on other pages."""
    if screen.page not in _REACHED:
        return ()
    reached = _REACHED[screen.page]
    places = [*["done"] * reached, "now", *["next"] * (len(STEPS) - reached - 1)]
    body = screen.body
    if isinstance(body, HandOver) and body.receipt in _NO_PAPER_YET:
        places[STEPS.index("receipt")] = "next"
    return tuple(zip(STEPS, places, strict=True))


# What each page's own template offers. The foot offers the rest, so that nothing is out of reach.
_OFFERED: Final = {
    Page.IDLE: {Action.OPEN, Action.ATTENTION, Action.LANGUAGE},
    Page.ORDER: {Action.CONFIRM, Action.CANCEL, Action.CHECK},
    Page.ASKING: {Action.CANCEL},
    Page.CHARGING: {Action.CANCEL},
    Page.UNKNOWN: {Action.CANCEL},
    Page.HAND_OVER: {
        Action.CONFIRM,
        Action.CANCEL,
        Action.NEXT,
        Action.TICK,
        Action.CHECK,
        Action.REPRINT,
    },
    Page.REFUSED: {Action.CONFIRM, Action.CANCEL, Action.REPRINT},
    Page.NO_RECEIPT: {Action.CONFIRM, Action.CANCEL, Action.WAIVE_RECEIPT},
    Page.ATTENTION: {Action.OPEN, Action.CONFIRM, Action.CANCEL, Action.NEXT},
    Page.ATTENTION_ITEM: {
        Action.CONFIRM,
        Action.CANCEL,
        Action.DECIDE_PAID,
        Action.DECIDE_NOT_PAID,
    },
    Page.DAY: {Action.REPRINT, Action.CANCEL, Action.NEXT, Action.CONFIRM},
    Page.PAIRING: {Action.CANCEL},
    Page.DEVICES: {Action.OPEN, Action.CONFIRM, Action.RELEASE, Action.NEXT, Action.CANCEL},
    Page.ENROL: set(),
    Page.OUT_OF_ORDER: {Action.CONFIRM, Action.CANCEL},
}

# Where a number may be typed by touch although the page is about something else: the way back to
# the scanner's work when there is no scanner. Not while a payment runs.
_TYPES_IN_FOOT: Final = {
    *(Page.REFUSED, Page.ATTENTION, Page.ATTENTION_ITEM),
    *(Page.DAY, Page.PAIRING, Page.DEVICES),
}
# … and where only a badge can go on, when nobody is signed in.
_NEEDS_A_BADGE: Final = {Page.ORDER, Page.NO_RECEIPT, Page.HAND_OVER}

ABOUT_A_CODE: Final = {Code.SCAN_NOT_NOW, Code.ORDER_UNKNOWN}
"""The notices whose detail is the code that was scanned; any other is words for the log file."""


def is_starting(screen: Screen) -> bool:
    """The counter has only just begun: not a trouble, though nothing can be done yet."""
    body = screen.body
    return isinstance(body, OutOfOrder) and body.code is Code.STARTING


def in_foot(screen: Screen) -> tuple[Action, ...]:
    """The actions that neither the page itself nor the bar has a button for, in a fixed order."""
    # A page's rows are what OPEN, CHECK and TICK are about; without them nothing is to be tapped.
    # The bar offers to sign out.
    offered = _OFFERED[screen.page] | {Action.OPEN, Action.CHECK, Action.TICK, Action.SIGN_OUT}
    lacks_badge = screen.seller_required and screen.seller is None
    types = _TYPES_IN_FOOT | (_NEEDS_A_BADGE if lacks_badge else set())
    offered |= {Action.SCAN} if screen.page not in types else set()
    if not screen.attention:
        offered = offered | {Action.ATTENTION}  # a list of nothing
    if isinstance(screen.body, Idle) and screen.body.new:
        offered = offered | {Action.DEVICES}  # its button is on the page
    return tuple(action for action in Action if action in screen.actions - offered)


def order_of(screen: Screen) -> Order | None:
    """The order that the screen is about, if any."""
    order = getattr(screen.body, "order", None)
    return order if isinstance(order, Order) else None


def is_unnamed_elsewhere(body: Refused) -> bool:
    """The order waits at another pickup point, of which only the shop's id is known."""
    is_elsewhere = body.code is Code.ORDER_ELSEWHERE
    return is_elsewhere and body.order is not None and body.detail == body.order.pickup_point


def key(screen: Screen) -> str:
    """What tells one page from the next: other keys, other elements, so that a finger that comes
    down on one page never taps something of the following one. The order's version is part of
    it: a finger on its way to one amount must not charge another."""
    about = order_of(screen)
    return slug(f"{screen.page}-{f'{about.id}-{about.version}' if about else ''}")


_NOT_IN_ID = re.compile(r"\s+")


def slug(text: str) -> str:
    """The text as part of an element's id: HTML forbids only white space in one."""
    return _NOT_IN_ID.sub("_", text)


# --- type that fits ---------------------------------------------------------------------------

_LONGEST_FIT: Final = 30


# In units of a digit's width.
_WIDTHS: Final = {
    **dict.fromkeys("MWШЩМЖЮФЫ@%mwшщмжюфы", 1.45),
    **dict.fromkeys(" .,:;!|'ilj\u00a0\u202f", 0.55),
}


def fit(text: str) -> str:
    """The class that keeps a text without spaces from growing wider than its pane."""
    return f"fit n{min(max(_units(text), 4), _LONGEST_FIT)}"


def headline(text: str) -> str:
    """The classes of the largest type: smaller for more words, and never wider than the pane."""
    longest = max((_units(word) for word in text.split()), default=0)
    length = len(text)
    size = 1 if length <= 16 else 2 if length <= 30 else 3 if length <= 48 else 4
    return f"huge h{size} n{min(max(longest, 4), _LONGEST_FIT)}"


def _units(text: str) -> int:
    # Wide letters count more; digits, points and spaces are what amounts are made of.
    return ceil(sum(_WIDTHS.get(c, 1.2 if c.isupper() else 1.0) for c in text))


def join(parts: Iterable[str]) -> str:
    """The parts that are not empty, with a middle dot between."""
    return " · ".join(part for part in parts if part)
