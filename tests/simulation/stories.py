"""Towns whose story once broke a promise, cut down to what it takes: played in every test."""

from __future__ import annotations

from typing import Final

from tests.simulation.plan import Event, Fault, Plan, Quirk, Terms, Trouble, Visit

_PLAIN: Final = Terms(
    is_network=False,
    commit="keep",
    after_reversal="declined",
    decline_ends="completion",
    offline_limit=None,
    require_seller=False,
    keep_days=400,
)


def _visit(at_s: float, order: int, *quirks: Quirk, kiosk: int = 0) -> Visit:
    return Visit(at_s, kiosk, 0, order, frozenset(quirks), order)


def _trouble(at_s: float, fault: Fault, lasts_s: float = 0.0, after: int = 0) -> Trouble:
    return Trouble(at_s, 0, fault, lasts_s, after, 1)


def _plan(name: str, *events: Event) -> Plan:
    return Plan(name, 1, (_PLAIN,) * 3, events)


STORIES: Final = {
    # The shop had acknowledged the payment and lost it: nobody ever told it again (ADR 10).
    "restored": _plan(
        "restored",
        _visit(100, 1, Quirk.ASIDE),
        _trouble(300, Fault.SHOP_RESTORED),
        _visit(400, 2),
    ),
    # The same in the last minute of the day: a quiet kiosk must find out by itself.
    "restored-late": _plan("restored-late", _visit(100, 1), _trouble(1790, Fault.SHOP_RESTORED)),
    # A seller who tries again and again while the terminal hangs once filled a queue.
    "silent": _plan(
        "silent", _visit(100, 1), _trouble(95, Fault.TERMINAL_SILENT, 400), _visit(600, 2)
    ),
    # A full disk, while the terminal proves what became of a payment.
    "full": _plan(
        "full",
        _visit(100, 1),
        _trouble(101, Fault.TERMINAL_PLUG, 200),
        _trouble(104, Fault.DISK_FULL, 300),
    ),
}
