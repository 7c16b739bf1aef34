"""From the confirmed order to the money: claim, charge, decline, stop; never twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.counter.screen import (
    Action,
    HandOver,
    OrderPage,
    Page,
    Paid,
    Refused,
)
from appliance.counter.settings import Settings
from appliance.domain.errors import Code, ShopTrouble, TerminalTrouble
from appliance.domain.facts import Kind
from appliance.domain.money import Money
from appliance.ports import (
    Claimed,
    ClaimRefused,
    Declined,
    Prompt,
    Slip,
    Unknown,
)
from tests.counter.harness import AGE, BASELINE, EUR, Bench, approved, bench, in_doubt, kinds, order

A = Action


def test_one_scan_one_tap_paid_printed_handed_over(counter: Bench) -> None:
    counter.to_charging()
    assert counter.hands.names() == ["claim", "prepare", "authorise"]
    handover = counter.handover
    counter.core.charging.prompted(Prompt.CARD, "insert card")
    counter.core.charging.slip(handover, counter.payment, Slip.CUSTOMER, ["CUSTOMER COPY", "OK"])
    counter.approve()
    body = counter.screen().body
    assert isinstance(body, HandOver)
    assert (body.paid, body.card) == (Paid.CARD, "VISA ************4711")
    counter.print_all()
    assert counter.do(A.CONFIRM) is not None
    assert counter.page() is Page.IDLE
    assert counter.core.journal.open_subjects() == []
    assert counter.screen().handed_over_today == 1
    assert kinds(counter) == [
        Kind.OPENED, Kind.CLAIM_ASKED, Kind.CLAIMED, Kind.STARTED, Kind.SLIP, Kind.ANSWERED,
        Kind.APPROVED, Kind.PRINT_QUEUED, Kind.PRINT_STARTED, Kind.PRINTED, Kind.HANDED_OVER,
    ]  # fmt: skip


def test_the_intent_is_on_disk_before_the_terminal_is_asked(counter: Bench) -> None:
    seen: list[list[Kind]] = []
    counter.hands.authorise = lambda *_: seen.append(kinds(counter))  # type: ignore[method-assign]
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    counter.prepared(BASELINE)
    assert seen
    assert seen[0][-1] is Kind.STARTED


def test_a_decline_says_why_and_may_be_tried_again(counter: Bench) -> None:
    counter.to_charging()
    first = counter.payment
    counter.end(Declined(Code.PAYMENT_DECLINED, "no money"))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert (body.code, body.reason) == (Code.PAYMENT_DECLINED, "no money")
    assert counter.hands.jobs == []
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    counter.prepared(BASELINE)
    assert counter.payment != first
    counter.approve()
    assert counter.page() is Page.HAND_OVER


@pytest.mark.parametrize(
    ("code", "said"),
    [(Code.PAYMENT_DECLINED, "Payment declined"), (Code.PAYMENT_STOPPED, "Payment stopped")],
)
def test_the_slip_says_what_the_screen_says(counter: Bench, code: Code, said: str) -> None:
    counter.to_charging()
    counter.core.charging.slip(counter.handover, counter.payment, Slip.CUSTOMER, ["0000 NO"])
    counter.end(Declined(code))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert body.code is code
    assert said in str(counter.hands.jobs[-1].document)


def test_stopping_tells_the_terminal_and_waits_for_what_it_says(counter: Bench) -> None:
    counter.to_charging()
    counter.do(A.CANCEL)
    assert counter.hands.names()[-1] == "abort"
    assert counter.page() is Page.CHARGING
    assert A.CANCEL not in counter.screen().actions
    counter.approve()  # the customer had tapped already
    assert counter.page() is Page.HAND_OVER


def test_paid_online_goes_straight_to_the_goods(counter: Bench) -> None:
    prepaid = order(due=0, checks=AGE)
    counter.to_order(prepaid)
    assert counter.hands.names() == ["claim"]
    counter.claim_answer(Claimed(prepaid, 600))
    body = counter.screen().body
    assert isinstance(body, HandOver)
    assert body.paid is Paid.ONLINE
    counter.do(A.CONFIRM)
    assert counter.screen().notice is not None  # the age has not been checked
    counter.do(A.CHECK)
    counter.do(A.CONFIRM)
    assert counter.page() is Page.IDLE
    assert counter.hands.charges == []


def test_an_order_changed_since_the_scan_is_shown_anew_and_not_charged(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    newer = order(version="2", due=100000)
    counter.claim_answer(ClaimRefused(Code.ORDER_CHANGED, "", newer))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert (body.code, body.order.due.amount) == (Code.ORDER_CHANGED, 100000)
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(newer, 600))
    counter.prepared(BASELINE)
    assert counter.hands.charges[-1].amount.amount == 100000


OFFLINE = [
    (None, Code.SHOP_UNREACHABLE, Code.OFFLINE_NO_CHARGE),
    (128450, Code.SHOP_UNREACHABLE, Code.OFFLINE_NO_CHARGE),
    (128451, Code.SHOP_UNREACHABLE, None),
    (128451, Code.SHOP_BUSY, None),
    (128451, Code.SHOP_NONSENSE, Code.SHOP_NONSENSE),
    (128451, Code.SHOP_TOKEN, Code.SHOP_TOKEN),
]


@pytest.mark.parametrize("terminal_first", [False, True])
@pytest.mark.parametrize(("limit", "trouble", "code"), OFFLINE)
def test_without_the_shop_the_policy_decides(
    tmp_path: Path, limit: int | None, trouble: Code, code: Code | None, terminal_first: bool
) -> None:
    settings = Settings("1", "", "PP1", EUR, offline_limit=limit)
    with bench(tmp_path, settings) as counter:
        counter.to_order()
        counter.do(A.CONFIRM)
        if terminal_first:
            counter.prepared(BASELINE)
        counter.claim_answer(ShopTrouble(trouble))
        if not terminal_first:
            counter.prepared(BASELINE)
        if code is None:
            assert len(counter.hands.charges) == 1
        else:
            body = counter.screen().body
            assert isinstance(body, OrderPage)
            assert body.code is code
            assert counter.hands.charges == []


def test_a_terminal_that_is_not_there_charges_nothing(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    counter.core.charging.prepared(
        counter.handover, TerminalTrouble(Code.TERMINAL_GONE, "no such file")
    )
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert body.code is Code.TERMINAL_GONE
    assert Kind.STARTED not in kinds(counter)


def test_what_was_paid_here_is_never_charged_again_even_if_the_shop_forgets(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    counter.print_all()
    counter.do(A.CONFIRM)
    counter.to_order()  # the shop, restored from yesterday, offers it again
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is Code.ORDER_HANDED_OVER
    counter.restart()
    counter.to_order()
    assert counter.page() is Page.REFUSED


def test_what_was_confirmed_about_an_order_ends_with_its_version(counter: Bench) -> None:
    wanted = order(checks=AGE)
    counter.to_order(wanted)
    counter.do(A.CHECK)
    counter.do(A.CONFIRM)
    newer = replace(wanted, version="2")
    counter.claim_answer(ClaimRefused(Code.ORDER_CHANGED, "", newer))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert body.open_checks == ("age",)


def test_a_claim_of_another_order_charges_nothing(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.prepared(BASELINE)
    counter.claim_answer(Claimed(order("1043"), 600))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert (body.code, body.order.number) == (Code.SHOP_NONSENSE, "1042")
    assert counter.hands.charges == []


def test_a_second_handover_of_an_order_is_not_charged_once_the_first_one_was(
    counter: Bench,
) -> None:
    """The answer about the first one arrives when the second one is at the terminal's door."""
    handover, payment = in_doubt(counter)
    counter.do(A.DECIDE_NOT_PAID)
    counter.do(A.CANCEL)
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    counter.prepared(BASELINE)
    assert len(counter.hands.charges) == 1
    assert counter.screen().attention == 1


def test_the_claim_is_renewed_as_long_as_the_payment_runs(counter: Bench) -> None:
    counter.to_charging()
    renewed = ("renew", counter.handover, "o-1042", "1")
    lease_s = counter.settings.lease_s
    for _ in range(3 * lease_s):
        counter.clock.pass_(1)
        counter.core.tick()
    assert counter.hands.asked.count(renewed) == 12
    counter.end(Unknown(Code.PAYMENT_UNKNOWN, "silence"))
    counter.clock.pass_(lease_s / 4)
    counter.core.tick()
    assert counter.hands.asked.count(renewed) == 13
    counter.restart()
    counter.core.tick()
    assert renewed in counter.hands.asked  # at once: nobody knows how long it was away
    counter.end(Declined(Code.PAYMENT_DECLINED))
    counter.clock.pass_(lease_s / 4)
    counter.core.tick()
    assert counter.hands.asked.count(renewed) == 1


def test_a_short_lease_is_renewed_the_sooner(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 20))
    counter.prepared(BASELINE)
    for _ in range(20):
        counter.clock.pass_(1)
        counter.core.tick()
    assert counter.hands.names().count("renew") == 4
