"""Towns whose story once broke a promise, cut down to what it takes: played in every test."""

from __future__ import annotations

from typing import Final

from tests.simulation.plan import Event, Fault, Plan, Quirk, Terms, Trouble, Visit, draw

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
    # A silent terminal: its simulator spun over a deadline that it did not keep.
    "70": draw("70", 1),
    "226": draw("226", 1),
}
