"""Rules made wrong on purpose: the search must find what comes of each, or it proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from appliance.counter.charging import Charging
from appliance.counter.core import Core
from appliance.counter.papers import Papers
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.facts import Kind
from appliance.ports import Charge, Claimed, Declined, Unknown
from tests.domain.exhaustive import search
from tests.domain.world import Bounds, Make

Wrong = Callable[[pytest.MonkeyPatch], None]

_ONE: Final = Bounds(scans=1, payments=1, troubles=1, changes=0, has_paper=False)
_PAPER: Final = Bounds(scans=1, payments=1, troubles=1, changes=0)
_CHANGES: Final = Bounds(scans=1, payments=1, troubles=0, changes=1, has_paper=False)
_KEEPS: Final = Bounds(1, 1, troubles=1, changes=0, has_paper=False, make=Make.KEEPS)


def a_restart_authorises_again(patch: pytest.MonkeyPatch) -> None:
    recover = Core._recover

    def wrong(core: Core, handover: ho.Handover) -> None:
        if pay.Effect.AUTHORISE in ho.recover(handover):
            core.ledger._do(handover, pay.Effect.AUTHORISE)
        else:
            recover(core, handover)

    patch.setitem(pay.RECOVERY, pay.State.AUTHORISING, (pay.Effect.AUTHORISE,))
    patch.setattr(Core, "_recover", wrong)


def a_restart_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(pay.RECOVERY, pay.State.AUTHORISING, ())


def doubt_is_a_decline(patch: pytest.MonkeyPatch) -> None:
    charged = Charging.charged

    def wrong(desk: Charging, handover: str, payment: str, outcome: Any) -> None:
        if isinstance(outcome, Unknown):
            outcome = Declined(outcome.code)
        charged(desk, handover, payment, outcome)

    patch.setattr(Charging, "charged", wrong)


def doubt_that_stays_is_a_yes(patch: pytest.MonkeyPatch) -> None:
    row = pay.State.DOUBTFUL, Kind.UNRESOLVED
    patch.setitem(pay.TRANSITIONS, row, (pay.State.APPROVED, ()))


def doubt_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    row = pay.State.AUTHORISING, Kind.DOUBTFUL
    patch.setitem(pay.TRANSITIONS, row, (pay.State.DOUBTFUL, ()))


def the_answer_is_acknowledged_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Charging, "answered", lambda *_: None)


def the_amount_leaves_before_its_fact(patch: pytest.MonkeyPatch) -> None:
    start = Charging._start

    def wrong(desk: Charging, handover: ho.Handover) -> Any:
        drafts = start(desk, handover)
        for draft in drafts:
            if draft.kind is Kind.STARTED:
                charge = Charge(str(draft.body["payment"]), handover.order.due, pay.Baseline())
                desk.ledger.hands.authorise(handover.id, charge)
        return drafts

    patch.setattr(Charging, "_start", wrong)


def a_receipt_while_it_is_authorised(patch: pytest.MonkeyPatch) -> None:
    by_money = ho.by_money

    def wrong(state: ho.State, payments: Any) -> Any:
        after, effects = by_money(state, payments)
        return after, (*effects, ho.Effect.PRINT) if after is ho.State.PAYING else effects

    patch.setattr(ho, "by_money", wrong)


def no_receipt(patch: pytest.MonkeyPatch) -> None:
    by_money = ho.by_money
    patch.setattr(ho, "by_money", lambda *given: (by_money(*given)[0], ()))


def a_cancel_waits_for_nobody(patch: pytest.MonkeyPatch) -> None:
    row = pay.State.AUTHORISING, Kind.STOP_ASKED
    patch.setitem(pay.TRANSITIONS, row, (pay.State.DECLINED, ()))


def the_claim_is_ignored(patch: pytest.MonkeyPatch) -> None:
    claimed = Charging.claimed

    def wrong(desk: Charging, handover_id: str, result: Any) -> None:
        handover = desk.ledger.state.handovers.get(handover_id)
        claimed(desk, handover_id, Claimed(handover.order, 600) if handover else result)

    patch.setattr(Charging, "claimed", wrong)


def that_a_paper_began_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Papers, "began", lambda *_: None)


def a_yes_to_a_doubt_is_swallowed(patch: pytest.MonkeyPatch) -> None:
    row = pay.State.DOUBTFUL, Kind.APPROVED
    patch.setitem(pay.TRANSITIONS, row, (pay.State.DECLINED, ()))


def a_stop_does_not_hear_the_no(patch: pytest.MonkeyPatch) -> None:
    row = pay.State.STOPPING, Kind.DECLINED
    patch.setitem(pay.TRANSITIONS, row, (pay.State.STOPPING, ()))


MUTANTS: Final[list[tuple[Wrong, Bounds, str]]] = [
    (a_restart_authorises_again, _ONE, "AUTHORISE left twice"),
    (a_restart_asks_nobody, _ONE, "no end can be reached"),
    (doubt_is_a_decline, _KEEPS, "not paid that the bank holds or may still book"),
    (doubt_that_stays_is_a_yes, _ONE, "called paid that the bank does not hold"),
    (doubt_asks_nobody, _ONE, "no end can be reached"),
    (the_answer_is_acknowledged_before_it_is_durable, _ONE, "before it was durable"),
    (the_amount_leaves_before_its_fact, _ONE, "AUTHORISE left before"),
    (a_receipt_while_it_is_authorised, _ONE, "receipt for a handover that nobody paid"),
    (no_receipt, _ONE, "its receipt was never queued"),
    (a_cancel_waits_for_nobody, _ONE, "not paid that the bank holds or may still book"),
    (the_claim_is_ignored, _CHANGES, "that the shop had not granted"),
    (that_a_paper_began_is_forgotten, _PAPER, "does not say that it is a copy"),
    (a_yes_to_a_doubt_is_swallowed, _ONE, "not paid that the bank holds or may still book"),
    (a_stop_does_not_hear_the_no, _ONE, "no end can be reached"),
]


@pytest.mark.parametrize(
    ("mutant", "bounds", "rule"), [pytest.param(*it, id=it[0].__name__) for it in MUTANTS]
)
def test_a_wrong_rule_is_found(
    mutant: Wrong, bounds: Bounds, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest -rP shows the stories."""
    mutant(monkeypatch)
    _, found = search(bounds, at_first=True)
    for broken, story in found.violations.items():
        print(f"{broken}\n{story}\n")
    assert any(rule in broken for broken in found.violations), "it was not found"
