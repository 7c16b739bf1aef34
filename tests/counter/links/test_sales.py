"""Links at the counter: from a request to its one result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.counter.links import OPEN_MOST, WAIT_S
from appliance.counter.screen import Action, Page
from appliance.counter.settings import LinkSettings
from appliance.domain.errors import Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Kind
from appliance.domain.money import Money
from appliance.domain.order import Order, OrderStatus
from appliance.ports import Claimed, ClaimRefused, Declined, Unknown
from appliance.protocols.links import kassa
from appliance.protocols.links.messages import Act, Callbacks, LinkError, Outcome, Reason
from tests.counter.harness import AGE, EUR, Bench, bench, kinds, order
from tests.counter.links.kit import (
    DUE,
    LINKS,
    SETTINGS,
    SHOP,
    STRANGER,
    ended,
    go_on,
    link,
    state,
    take,
)

# --- one sale -------------------------------------------------------------------------------------


def test_a_signed_link_charges_by_itself_and_its_result_is_the_payments(counter: Bench) -> None:
    asked = take(counter, link(counter))
    assert counter.page() is Page.ASKING
    assert state(counter, asked).result is None
    go_on(counter)
    assert counter.page() is Page.CHARGING
    payment = counter.payment
    counter.approve()
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)
    result = state(counter, asked).result
    assert result is not None
    assert (result.amount, result.payment, result.pan) == (DUE, payment, "************4711")
    assert counter.page() is Page.HAND_OVER, "the goods are still the seller's to hand over"
    address = counter.core.links.address(state(counter, asked))
    assert address is not None
    said, ref, seal = kassa.parse_result("kassa-api://paymentResult?" + address.partition("?")[2])
    assert (said.outcome, said.amount, ref) == (Outcome.PAID, DUE, "n" * 22)
    assert seal is not None
    assert seal.key_id == "kiosk"


def test_an_unsigned_link_waits_for_the_sellers_tap(counter: Bench) -> None:
    asked = take(counter, link(counter, key=None))
    assert counter.page() is Page.ORDER
    assert counter.hands.names() == []
    counter.do(Action.CONFIRM)
    go_on(counter)
    counter.approve()
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)


@pytest.mark.parametrize(
    "settings",
    [replace(LINKS, start_by_themselves=False), LINKS],
    ids=["as configured", "with something to be checked"],
)
def test_a_signed_link_charges_not_by_itself_where_a_person_is_needed(
    tmp_path: Path, settings: LinkSettings
) -> None:
    wanted = order(checks=AGE) if settings is LINKS else order()
    with bench(tmp_path, replace(SETTINGS, links=settings)) as counter:
        counter.orders(wanted)
        take(counter, link(counter))
        assert counter.page() is Page.ORDER


def test_no_link_is_taken_where_they_are_off(tmp_path: Path) -> None:
    with bench(tmp_path) as counter, pytest.raises(LinkError) as refused:
        take(counter, link(counter))
    assert refused.value.reason is Reason.SEAL


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("kassa-api://payNow?order=1042&callback=https%3A%2F%2Fshop.example%2Fpaid", True),
        ("kassa-api://payNow?order=1042&callback=https%3A%2F%2Fevil.example%2Fpaid", False),
        ("kassa-api://payNow?order=1042", False),
        ("kassa-api://payNow?callback=https%3A%2F%2Fshop.example%2Fpaid", True),
        ("kassa-api://elsewhere", False),
    ],
)
def test_a_refusal_is_told_where_that_is_allowed_and_never_sealed(
    tmp_path: Path, text: str, address: bool
) -> None:
    """Whoever knows the nonce of a payment that is under way must not have us sign that it came to
    nothing."""
    with bench(tmp_path, replace(SETTINGS, links=replace(LINKS, accept="signed"))) as counter:
        with pytest.raises(LinkError) as refused:
            take(counter, text)
        found = counter.core.links.refusal(refused.value)
        assert (found is not None) == address
        if found is not None:
            said, _, seal = kassa.parse_result("kassa-api://paymentResult?" + found.split("?")[1])
            assert (said.outcome, said.reason) == (Outcome.REFUSED, refused.value.reason)
            assert said.code == "K-LNK-01"
            assert seal is None


# --- whom to believe ------------------------------------------------------------------------------


def test_what_is_not_believed(counter: Bench) -> None:
    texts = {
        "a stranger's signature": link(counter, key=STRANGER),
        "an unknown key": link(counter, key=replace(SHOP, id="other")),
        "expired": link(counter, life_s=0),
        "for longer than a day": link(counter, life_s=24 * 3600 + 1),
        "a cash desk's ids unsigned": link(counter, key=None, act=Act.PAY, payment="P-1"),
        "our own payment": link(counter, act=Act.PAY, payment=f"H-{counter.core.journal.name}-1-1"),
    }
    for what, text in texts.items():
        with pytest.raises(LinkError) as refused:
            take(counter, text)
        assert refused.value.reason is Reason.SEAL, what
    for address in ("https://evil.example/?{response}", "intent://x", "https://shop.example.evil/"):
        with pytest.raises(LinkError) as refused:
            take(counter, link(counter, callbacks=Callbacks(address, address, address)))
        assert refused.value.reason in (Reason.CALLBACK, Reason.MALFORMED), address
    assert kinds(counter) == []


def test_where_signatures_are_demanded_none_is_no_link(tmp_path: Path) -> None:
    settings = replace(SETTINGS, links=replace(LINKS, accept="signed"))
    with bench(tmp_path, settings) as counter:
        with pytest.raises(LinkError) as refused:
            take(counter, link(counter, key=None))
        counter.orders(order())
        assert take(counter, link(counter)).signed_by == "shop"
    assert refused.value.reason is Reason.SEAL


# --- again and again ------------------------------------------------------------------------------


def test_five_clicks_are_one_charge_and_one_result(counter: Bench) -> None:
    text = link(counter)
    first = take(counter, text)
    assert [take(counter, text).id for _ in range(4)] == [first.id] * 4
    go_on(counter)
    counter.approve()
    assert take(counter, text).id == first.id
    assert ended(counter, first) == (Outcome.PAID, Reason.NONE)
    counter.clock.pass_(3600)  # the seal has expired: it can be a repeat still
    assert take(counter, text).result == state(counter, first).result
    assert len(counter.hands.charges) == 1


def test_a_signed_link_that_came_to_nothing_is_used_up(counter: Bench) -> None:
    text = link(counter)
    asked = take(counter, text)
    counter.claim_answer(ClaimRefused(Code.ORDER_CLAIMED))
    counter.do(Action.CANCEL)
    assert ended(counter, asked)[0] is Outcome.CANCELLED
    assert take(counter, text).result == state(counter, asked).result
    assert counter.page() is Page.IDLE


def test_an_unsigned_one_may_be_tried_again_until_it_is_paid(counter: Bench) -> None:
    text = link(counter, key=None)
    first = take(counter, text)
    counter.do(Action.CANCEL)
    assert ended(counter, first) == (Outcome.CANCELLED, Reason.BY_SELLER)
    second = take(counter, text)
    assert second.id != first.id
    counter.do(Action.CONFIRM)
    go_on(counter)
    counter.approve()
    assert ended(counter, second)[0] is Outcome.PAID
    assert take(counter, text).id == second.id
    assert len(counter.hands.charges) == 1


def test_a_nonce_is_for_one_request(counter: Bench) -> None:
    take(counter, link(counter))
    with pytest.raises(LinkError) as refused:
        take(counter, link(counter, order="1043"))
    assert refused.value.reason is Reason.SEAL


def test_a_restart_loses_no_request_and_no_result(counter: Bench) -> None:
    text = link(counter)
    asked = take(counter, text)
    go_on(counter)
    counter.restart()
    assert counter.page() is Page.UNKNOWN
    assert state(counter, asked).result is None
    counter.end(Unknown(Code.PAYMENT_UNRESOLVED, "the terminal has no word on it"))
    assert state(counter, asked).result is None, "nobody knows yet"
    counter.do(Action.DECIDE_NOT_PAID)
    counter.do(Action.CANCEL)
    assert ended(counter, asked)[0] is Outcome.CANCELLED
    counter.restart()
    assert take(counter, text).result == state(counter, asked).result


def test_a_request_whose_order_was_not_begun_at_a_restart(counter: Bench) -> None:
    asked = take(counter, link(counter))
    counter.restart()
    assert ended(counter, asked)[0] is Outcome.CANCELLED


# --- what comes of it -------------------------------------------------------------------------


def test_a_declined_card_is_said_when_the_seller_gives_up(counter: Bench) -> None:
    asked = take(counter, link(counter))
    go_on(counter)
    counter.end(Declined(Code.PAYMENT_DECLINED, "no cover"))
    assert state(counter, asked).result is None, "the seller may try another card"
    counter.do(Action.CANCEL)
    assert ended(counter, asked) == (Outcome.DECLINED, Reason.CARD_DECLINED)


def test_an_order_left_alone_has_timed_out(counter: Bench) -> None:
    asked = take(counter, link(counter, key=None))
    counter.clock.pass_(SETTINGS.lease_s)
    counter.core.tick()
    assert ended(counter, asked) == (Outcome.CANCELLED, Reason.TIMED_OUT)


def test_an_order_that_cannot_be_served(counter: Bench) -> None:
    counter.orders(order(status=OrderStatus.CANCELLED))
    asked = take(counter, link(counter))
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.ORDER_NOT_HERE)
    assert counter.page() is Page.REFUSED, "the seller sees why as well"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OrderTrouble(Code.ORDER_UNKNOWN, "1077"), (Outcome.REFUSED, Reason.ORDER_UNKNOWN)),
        (ShopTrouble(Code.SHOP_UNREACHABLE), (Outcome.REFUSED, Reason.SHOP)),
        (order("1077"), None),
    ],
)
def test_an_order_that_the_shop_is_asked_for(
    counter: Bench, answer: Order | OrderTrouble | ShopTrouble, said: tuple[Outcome, Reason] | None
) -> None:
    asked = take(counter, link(counter, order="1077", key=None))
    assert counter.page() is Page.ASKING
    assert state(counter, asked).result is None
    counter.core.opening.looked_up("1077", answer)
    if said:
        assert ended(counter, asked) == said
    else:
        assert state(counter, asked).handover == counter.handover


def test_a_seller_who_goes_on_has_cancelled_it(counter: Bench) -> None:
    asked = take(counter, link(counter, order="1077", key=None))
    counter.do(Action.CANCEL)
    assert ended(counter, asked) == (Outcome.CANCELLED, Reason.BY_SELLER)


@pytest.mark.parametrize("amount", [Money(1, EUR), Money(128451, EUR), Money.of(128450, "USD")])
def test_an_amount_that_is_not_what_is_due(counter: Bench, amount: Money) -> None:
    asked = take(counter, link(counter, amount=amount))
    is_same = amount.currency == EUR
    reason = Reason.AMOUNT_DIFFERS if is_same else Reason.CURRENCY_DIFFERS
    assert ended(counter, asked) == (Outcome.REFUSED, reason)
    assert counter.screen().page is Page.REFUSED
    assert counter.hands.names() == []
    assert Kind.PUT_BACK in kinds(counter)


def test_an_amount_that_is_due(counter: Bench) -> None:
    take(counter, link(counter, amount=DUE))
    assert counter.page() is Page.ASKING


def test_an_order_that_was_paid_before(counter: Bench) -> None:
    paid = order(due=0)
    counter.orders(paid)
    asked = take(counter, link(counter))
    counter.claim_answer(Claimed(paid, 600))
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)
    result = state(counter, asked).result
    assert result is not None
    assert result.amount == Money(0, EUR)


# --- turns --------------------------------------------------------------------------------------


def test_a_request_waits_while_somebody_is_served(counter: Bench) -> None:
    counter.orders(order(), order("1043"))
    counter.to_charging(order("1043"))
    counter.orders(order(), order("1043"))
    asked = take(counter, link(counter, key=None))
    assert counter.page() is Page.CHARGING
    counter.approve()
    counter.core.links.follow()
    assert counter.page() is Page.HAND_OVER
    counter.do(Action.CONFIRM)
    counter.core.links.follow()
    assert counter.page() is Page.ORDER
    assert state(counter, asked).handover == counter.handover


def test_a_request_that_waits_too_long(counter: Bench) -> None:
    counter.to_charging(order())
    asked = take(counter, link(counter, order="1043"))
    counter.clock.pass_(WAIT_S)
    counter.core.tick()
    assert ended(counter, asked) == (Outcome.CANCELLED, Reason.TIMED_OUT)


def test_a_request_waits_for_a_seller_where_one_is_needed(tmp_path: Path) -> None:
    with bench(tmp_path, replace(SETTINGS, require_seller=True)) as counter:
        counter.orders(order())
        asked = take(counter, link(counter, key=None))
        assert counter.page() is Page.IDLE
        counter.sign_in()
        assert state(counter, asked).handover
        assert counter.page() is Page.ORDER


def test_only_so_many_wait(counter: Bench) -> None:
    counter.to_charging(order())
    for number in range(OPEN_MOST):
        take(counter, link(counter, f"nonce-{number:017d}", order=f"2{number:03d}"))
    with pytest.raises(LinkError) as refused:
        take(counter, link(counter, "z" * 22, order="3000"))
    assert refused.value.reason is Reason.BUSY


# --- paper ----------------------------------------------------------------------------------------


def test_a_receipt_is_printed_again_as_a_copy(counter: Bench) -> None:
    counter.to_charging(order())
    counter.approve()
    counter.print_all()
    counter.do(Action.CONFIRM)
    asked = take(counter, link(counter, act=Act.PRINT))
    assert state(counter, asked).result is None
    counter.print_all()
    assert ended(counter, asked) == (Outcome.PRINTED, Reason.NONE)


def test_a_receipt_of_what_was_not_paid(counter: Bench) -> None:
    asked = take(counter, link(counter, act=Act.PRINT))
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.NOT_PAID)


def test_a_printer_that_cannot(counter: Bench) -> None:
    counter.to_charging(order())
    counter.approve()
    asked = take(counter, link(counter, act=Act.PRINT))
    counter.core.papers.failed(counter.hands.jobs[0].id, Code.NO_PAPER)
    counter.clock.pass_(WAIT_S)
    counter.core.tick()
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.PRINTER)


def test_a_receipt_that_the_seller_waives(counter: Bench) -> None:
    counter.to_charging(order())
    counter.approve()
    asked = take(counter, link(counter, act=Act.PRINT))
    counter.do(Action.WAIVE_RECEIPT)
    assert ended(counter, asked) == (Outcome.CANCELLED, Reason.BY_SELLER)
