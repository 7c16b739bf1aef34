"""What the core does beside charging: sellers, goods that stay, what the shop refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from appliance.counter.screen import (
    Action,
    HandOver,
    Page,
)
from appliance.counter.settings import Settings
from appliance.domain.errors import Code
from appliance.domain.facts import Kind
from appliance.domain.money import Money
from appliance.ports import (
    Declined,
    Seller,
    SellerList,
)
from tests.counter.harness import EUR, Bench, bench, order

A = Action


def test_the_scanner_turns_the_language_of_the_start_page_only(counter: Bench) -> None:
    counter.core.scanned("KASSA-LANGUAGE")
    assert counter.screen().language_turns == 1
    counter.to_order()
    counter.clock.pass_(1.0)  # or it counts as the same read
    counter.core.scanned("KASSA-LANGUAGE")
    notice = counter.screen().notice
    assert notice is not None
    assert notice.code is Code.SCAN_NOT_NOW
    assert counter.screen().language_turns == 1


def test_set_aside_is_remembered_and_taken_up_again(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    counter.do(A.NEXT)
    assert (counter.page(), counter.screen().attention) == (Page.IDLE, 1)
    counter.restart()
    counter.do(A.ATTENTION)
    counter.do(A.CONFIRM)
    assert counter.page() is Page.ATTENTION_ITEM
    counter.do(A.CONFIRM)
    assert counter.page() is Page.HAND_OVER
    counter.do(A.CONFIRM)
    assert counter.screen().attention == 0


def test_a_tick_can_be_taken_back_and_the_scanner_ticks_what_is_open(counter: Bench) -> None:
    line = order().lines[0]
    half = replace(line, unit_price=Money(64225, EUR), total=Money(64225, EUR))
    counter.to_charging(order(lines=(half, half)))
    counter.approve()

    def ticked() -> frozenset[int]:
        body = counter.screen().body
        assert isinstance(body, HandOver)
        return body.ticked

    counter.do(A.TICK, "1")
    counter.core.scanned("KASSA-TICK")
    assert ticked() == {0, 1}
    counter.do(A.TICK, "1")
    assert ticked() == {0}
    counter.clock.pass_(1)
    counter.core.scanned("KASSA-TICK")
    assert ticked() == {0, 1}


def test_a_seller_is_in_every_fact_and_signs_out_by_time(tmp_path: Path) -> None:
    settings = Settings("1", "", "PP1", EUR, require_seller=True, sign_out_after_s=60)
    with bench(tmp_path, settings) as counter:
        counter.orders(order())
        counter.core.scanned("KO-1042")
        assert counter.page() is Page.IDLE
        assert counter.screen().notice is not None
        counter.sign_in()
        counter.to_charging()
        counter.clock.pass_(3600)
        counter.core.tick()
        assert counter.screen().seller is not None  # not in the middle of a payment
        counter.approve()
        counter.do(A.CONFIRM)
        about = [f for _, f in counter.core.journal.facts() if f.subject.startswith("H-")]
        assert {fact.seller for fact in about} == {"s1"}
        counter.clock.pass_(61)
        counter.core.tick()
        assert counter.screen().seller is None


def test_a_fact_the_shop_refuses_waits_for_a_person(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    counter.do(A.CONFIRM)
    (fact,) = [f for _, f in counter.core.journal.facts() if f.kind is Kind.APPROVED]
    counter.core.fact_refused(fact, "no such order")
    counter.restart()
    assert counter.screen().attention == 1
    counter.do(A.ATTENTION)
    counter.do(A.CONFIRM)
    counter.do(A.CONFIRM)
    assert counter.screen().attention == 0
    counter.restart()
    assert counter.screen().attention == 0


def test_a_seller_whom_the_shop_has_taken_off_the_list_is_signed_out(counter: Bench) -> None:
    counter.sign_in()
    counter.core.tick()
    assert counter.screen().seller == Seller("s1", "Anna K.")
    counter.to_charging()
    counter.core.sellers(SellerList("s", 1, {"i": Seller("s2", "Boris M.")}))
    counter.core.tick()
    assert counter.screen().seller is not None  # whoever began a payment also ends it
    counter.end(Declined(Code.PAYMENT_DECLINED))
    counter.core.tick()
    assert counter.screen().seller is None
    assert counter.core.journal.newest(1)[0].kind is Kind.SIGNED_OUT
