"""After a power cut, and on a full disk: nothing is charged, and nothing is lost."""

from __future__ import annotations

import pytest

from appliance.counter.screen import (
    Action,
    Page,
)
from appliance.domain.errors import Code, JournalTrouble
from appliance.domain.facts import Kind
from appliance.domain.money import Money
from appliance.ports import (
    Claimed,
    Slip,
)
from tests.counter.harness import BASELINE, EUR, Bench, approved, in_doubt, kinds, order

A = Action


@pytest.mark.parametrize("step", ["order", "claiming", "claimed"])
def test_a_restart_before_the_charge_puts_the_order_back(counter: Bench, step: str) -> None:
    counter.to_order()
    if step != "order":
        counter.do(A.CONFIRM)
    if step == "claimed":
        counter.claim_answer(Claimed(order(), 600))
    counter.restart()
    assert counter.page() is Page.IDLE
    assert kinds(counter)[-1] is Kind.PUT_BACK
    assert "authorise" not in counter.hands.names()


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("stopped", [False, True])
def test_a_restart_in_mid_charge_asks_and_never_charges(
    counter: Bench, answered: bool, stopped: bool
) -> None:
    counter.to_charging()
    if stopped:
        counter.do(A.CANCEL)
    payment = counter.payment
    if answered:
        counter.core.charging.answered(counter.handover, payment, approved(Money(128450, EUR)))
    counter.restart()
    assert counter.page() is Page.UNKNOWN
    assert counter.hands.names() == ["query"]
    counter.end(approved(Money(128450, EUR)))
    assert counter.page() is Page.HAND_OVER
    assert [job.what for job in counter.hands.jobs] == ["receipt"]


def test_a_restart_after_the_payment_goes_on_with_it(counter: Bench) -> None:
    counter.to_charging()
    counter.core.charging.slip(counter.handover, counter.payment, Slip.CUSTOMER, ["SLIP"])
    counter.approve()
    job = counter.hands.jobs[0]
    counter.core.papers.began(job.id)
    counter.restart()
    assert counter.page() is Page.HAND_OVER
    assert [(j.id, j.began) for j in counter.hands.jobs] == [(job.id, True)]
    assert counter.hands.names() == ["print"]


def test_a_full_disk_charges_nothing_and_loses_nothing(counter: Bench) -> None:
    counter.to_charging()
    journal, append = counter.core.journal, counter.core.journal.append

    def full(*_: object, **__: object) -> None:
        raise JournalTrouble(Code.DISK_FULL, "full")

    journal.append = full  # type: ignore[method-assign, assignment]
    outcome = approved(Money(128450, EUR))
    with pytest.raises(JournalTrouble):
        counter.core.charging.answered(counter.handover, counter.payment, outcome)
    counter.end(outcome)
    assert counter.page() is Page.CHARGING
    counter.core.tick()
    journal.append = append  # type: ignore[method-assign]
    counter.core.tick()
    assert counter.page() is Page.HAND_OVER
    assert counter.core.state.fault is None


def test_an_outcome_that_waits_for_the_disk_comes_before_everything_else(counter: Bench) -> None:
    handover, payment = in_doubt(counter)
    counter.do(A.DECIDE_NOT_PAID)
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    journal, append = counter.core.journal, counter.core.journal.append

    def full(*_: object, **__: object) -> None:
        raise JournalTrouble(Code.DISK_FULL, "full")

    journal.append = full  # type: ignore[method-assign, assignment]
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    journal.append = append  # type: ignore[method-assign]
    counter.prepared(BASELINE)
    counter.core.tick()
    assert len(counter.hands.charges) == 1
    assert counter.screen().attention == 1
