"""Money that nobody can tell of: the terminal is asked, a person decides, late words come."""

from __future__ import annotations

import pytest

from appliance.counter.screen import (
    Action,
    Attention,
    HandOver,
    Page,
    Paid,
    UnknownPage,
)
from appliance.domain import handover as ho
from appliance.domain.errors import Code
from appliance.domain.facts import Kind
from appliance.domain.money import Money
from appliance.ports import (
    WELL,
    Claimed,
    ClaimRefused,
    Declined,
    Health,
    Unknown,
)
from tests.counter.harness import BASELINE, EUR, Bench, approved, in_doubt, kinds, order

A = Action


def test_silence_is_asked_about_and_never_charged_again(counter: Bench) -> None:
    counter.to_charging()
    counter.end(Unknown(Code.PAYMENT_UNKNOWN, "cable"))
    assert isinstance(counter.screen().body, UnknownPage)
    assert counter.hands.names()[-1] == "query"
    assert A.CONFIRM not in counter.screen().actions
    counter.core.scanned("KO-1042")
    counter.core.scanned("KO-9")
    counter.core.scanned("KASSA-CONFIRM")
    assert counter.page() is Page.UNKNOWN
    counter.end(approved(Money(128450, EUR)))
    assert counter.page() is Page.HAND_OVER
    assert counter.hands.names().count("authorise") == 1


def test_what_the_terminal_cannot_tell_a_person_decides_by_name(counter: Bench) -> None:
    counter.sign_in()
    counter.to_charging()
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNRESOLVED, "?"))
    assert counter.page() is Page.ATTENTION_ITEM
    # Another order may be served meanwhile; this one cannot be charged.
    counter.do(A.CANCEL)
    counter.do(A.CANCEL)
    assert counter.page() is Page.IDLE
    assert counter.screen().attention == 1
    counter.core.scanned("KO-1042")
    assert counter.page() is Page.ATTENTION_ITEM
    assert A.CONFIRM not in counter.screen().actions
    counter.do(A.DECIDE_PAID)
    body = counter.screen().body
    assert isinstance(body, HandOver)
    assert body.paid is Paid.DECIDED
    decided = [f for _, f in counter.core.journal.facts() if f.kind is Kind.DECIDED_PAID]
    assert decided[0].seller == "s1"
    assert [job.what for job in counter.hands.jobs] == ["receipt"]


def test_a_decision_needs_a_name_where_the_shop_has_names(counter: Bench) -> None:
    counter.sign_in()
    counter.to_charging()
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNRESOLVED, "?"))
    counter.do(A.SIGN_OUT)
    counter.do(A.DECIDE_NOT_PAID)
    assert counter.page() is Page.ATTENTION_ITEM
    assert counter.screen().notice is not None
    counter.sign_in()
    counter.do(A.DECIDE_NOT_PAID)
    assert counter.page() is Page.ORDER


def test_the_terminal_that_comes_back_may_settle_it_by_itself(counter: Bench) -> None:
    counter.core.device("terminal", WELL)
    counter.to_charging()
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    counter.core.device("terminal", Health(Code.TERMINAL_GONE))
    before = counter.hands.names().count("query")
    counter.core.device("terminal", WELL)
    assert counter.hands.names().count("query") == before + 1
    counter.end(approved(Money(128450, EUR)))
    assert counter.core.state.handovers[counter.handover].state is ho.State.TO_HAND_OVER


def test_a_later_charge_ends_what_the_terminal_can_tell_of_an_earlier_one(counter: Bench) -> None:
    """The next payment of the same amount would look just like the one in doubt."""
    counter.core.device("terminal", WELL)
    counter.to_charging()
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    counter.do(A.CANCEL)
    counter.to_charging(order("1043"))
    counter.approve()
    counter.do(A.CONFIRM)
    counter.core.device("terminal", Health(Code.TERMINAL_GONE))
    counter.core.device("terminal", WELL)
    assert counter.hands.names().count("query") == 1


def test_money_in_doubt_comes_before_goods_that_stayed_and_without_a_device_path(
    counter: Bench,
) -> None:
    counter.to_charging()
    counter.approve()
    counter.do(A.NEXT)  # paid, and left for later
    counter.to_charging(order("1043"))
    reason = "[Errno 5] Input/output error: '/dev/kassa/terminal'"
    for _ in range(2):  # the dialogue, then the asking
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, reason))
    counter.do(A.CANCEL)
    body = counter.screen().body
    assert isinstance(body, Attention)
    assert [item.code for item in body.items] == [Code.PAYMENT_UNRESOLVED, Code.PAID_NOT_HANDED]
    assert not [item for item in body.items if item.reason]
    assert reason in str([fact.body for _, fact in counter.core.journal.facts()])


def test_late_money_after_a_persons_no_is_never_swallowed(counter: Bench) -> None:
    """The terminal came back in the middle: its answer arrives after the person's."""
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    counter.do(A.DECIDE_NOT_PAID)
    counter.do(A.CANCEL)
    assert counter.core.state.handovers == {}
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    assert counter.screen().attention == 1
    counter.restart()
    assert counter.screen().attention == 1
    counter.to_order()
    assert counter.page() is Page.ATTENTION_ITEM


@pytest.mark.parametrize("state", ["open", "claiming", "claimed"])
def test_late_money_on_the_way_to_a_second_try_stops_it(counter: Bench, state: str) -> None:
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    counter.do(A.DECIDE_NOT_PAID)
    if state != "open":
        counter.do(A.CONFIRM)
    if state == "claimed":
        counter.claim_answer(Claimed(order(), 600))
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    counter.claim_answer(Claimed(order(), 600))
    counter.prepared(BASELINE)
    assert len(counter.hands.charges) == 1
    assert counter.screen().attention == 1


def test_what_came_after_the_end_does_not_stay_open_for_ever(counter: Bench) -> None:
    """A repeated word about a handover that is over opens it again in the journal; retention
    would stop there for good."""
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    counter.approve()
    counter.print_all()
    counter.do(A.CONFIRM)
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    assert kinds(counter)[-2:] == [Kind.APPROVED, Kind.SETTLED]
    assert counter.core.journal.open_subjects() == []
    assert counter.core.state.handovers == {}


def test_the_terminal_has_no_third_word_on_late_money(counter: Bench) -> None:
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    counter.end(Declined(Code.PAYMENT_DECLINED))
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    assert counter.screen().attention == 1
    for outcome in (Declined(Code.PAYMENT_DECLINED), approved(Money(128450, EUR))):
        counter.core.charging.charged(handover, payment, outcome)
        assert counter.screen().attention == 1
    counter.do(A.DECIDE_PAID)
    assert counter.page() is Page.HAND_OVER
    receipt = counter.hands.jobs[-1]
    assert "4711" in str(receipt.document)


def test_while_the_terminal_is_asked_no_person_decides(counter: Bench) -> None:
    in_doubt(counter)
    counter.core.device("terminal", Health(Code.TERMINAL_GONE))
    assert A.DECIDE_NOT_PAID in counter.screen().actions
    counter.core.device("terminal", WELL)
    assert not {A.DECIDE_PAID, A.DECIDE_NOT_PAID} & counter.screen().actions
    counter.end(Unknown(Code.PAYMENT_UNKNOWN, "still gone"))
    assert A.DECIDE_NOT_PAID in counter.screen().actions


def test_an_end_that_leaves_late_money_behind_is_not_forgotten(counter: Bench) -> None:
    handover, payment = in_doubt(counter)
    counter.do(A.DECIDE_NOT_PAID)
    prepaid = order(due=0, version="2")
    counter.do(A.CONFIRM)
    counter.claim_answer(ClaimRefused(Code.ORDER_CHANGED, "", prepaid))
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(prepaid, 600))
    assert counter.page() is Page.HAND_OVER
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    counter.do(A.CONFIRM)
    assert counter.page() is Page.IDLE
    assert counter.screen().attention == 1
    counter.restart()
    assert counter.screen().attention == 1
    counter.do(A.ATTENTION)
    counter.do(A.CONFIRM)
    counter.do(A.DECIDE_NOT_PAID)
    assert counter.screen().attention == 0
    assert counter.core.journal.open_subjects() == []
