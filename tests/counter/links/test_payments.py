"""Payments that another cash desk asks for by a link, and what became of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.counter.links import OPEN_MOST
from appliance.counter.screen import Action, Page
from appliance.domain.errors import Code
from appliance.domain.facts import Kind
from appliance.ports import Declined
from appliance.protocols.links import kassa
from appliance.protocols.links.messages import Act, Callbacks, LinkError, Outcome, Reason
from tests.counter.harness import Bench, approved, bench, kinds, order
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

# --- another cash desk ----------------------------------------------------------------------------


def pay_link(counter: Bench, nonce: str = "p" * 22, **changes: object) -> str:
    return link(counter, nonce, **({"act": Act.PAY, "claim": "H-a", "payment": "H-a-1"} | changes))  # type: ignore[arg-type]


def test_a_payment_for_another_cash_desk_is_its_own(counter: Bench) -> None:
    """Its claim, its payment's id, its receipt and its goods."""
    asked = take(counter, pay_link(counter))
    assert ("read_fresh", counter.handover, "1042") in counter.hands.asked
    assert "claim" not in counter.hands.names()
    go_on(counter)
    assert counter.payment == "H-a-1"
    counter.approve()
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)
    assert counter.page() is Page.IDLE
    assert counter.hands.jobs == []
    assert counter.core.state.handovers == {}
    printed = take(counter, link(counter, "q" * 22, act=Act.PRINT))
    assert state(counter, printed).result is None
    counter.print_all()
    assert ended(counter, printed) == (Outcome.PRINTED, Reason.NONE)
    assert [job.what for job in counter.hands.jobs] == ["receipt"]


def test_a_payment_of_a_cash_desk_is_asked_for_once_whatever_the_nonce(counter: Bench) -> None:
    first = take(counter, pay_link(counter))
    go_on(counter)
    counter.approve()
    counter.core.links.follow()
    assert take(counter, pay_link(counter, "r" * 22)).id == first.id
    with pytest.raises(LinkError):
        take(counter, pay_link(counter, "s" * 22, order="1043"))
    assert len(counter.hands.charges) == 1


def test_a_declined_payment_of_a_cash_desk_ends_at_once(counter: Bench) -> None:
    """The next attempt has another id, which is the cash desk's to give."""
    asked = take(counter, pay_link(counter))
    go_on(counter)
    counter.end(Declined(Code.PAYMENT_DECLINED, ""))
    assert ended(counter, asked) == (Outcome.DECLINED, Reason.CARD_DECLINED)
    assert counter.page() is Page.IDLE
    assert Kind.PUT_BACK not in kinds(counter), "the claim is not ours to end"


def test_money_that_comes_after_the_cash_desk_was_told_no_is_a_persons_case(counter: Bench) -> None:
    """The cash desk believes that nothing was taken; nobody else can know better than the seller
    here. Until it is settled the payment is in sight."""
    asked = take(counter, pay_link(counter))
    go_on(counter)
    handover, payment = counter.handover, counter.payment
    counter.end(Declined(Code.PAYMENT_DECLINED, ""))
    said = state(counter, asked).result
    counter.core.charging.charged(handover, payment, approved(DUE))
    assert counter.screen().attention == 1
    assert state(counter, asked).result == said
    counter.restart()
    assert counter.screen().attention == 1
    counter.do(Action.ATTENTION)
    counter.do(Action.CONFIRM)
    counter.do(Action.DECIDE_PAID)
    assert counter.screen().attention == 0
    assert counter.core.state.handovers == {}


def test_without_a_claim_the_order_is_claimed_here(counter: Bench) -> None:
    take(counter, pay_link(counter, claim="", payment=""))
    assert "claim" in counter.hands.names()


def test_what_is_served_already_is_not_paid_for_another_desk(counter: Bench) -> None:
    counter.to_charging(order())
    counter.approve()
    counter.do(Action.NEXT)
    asked = take(counter, pay_link(counter))
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.ORDER_NOT_HERE)
    assert len(counter.core.state.handovers) == 1


# --- what became of a payment ---------------------------------------------------------------------


def status_link(counter: Bench, nonce: str = "t" * 22, **changes: object) -> str:
    return link(counter, nonce, **({"act": Act.STATUS, "payment": "H-a-1"} | changes))  # type: ignore[arg-type]


def test_who_lost_the_result_of_a_payment_is_told_it_again(counter: Bench) -> None:
    take(counter, pay_link(counter))
    go_on(counter)
    counter.approve()
    counter.core.links.follow()
    counter.clock.pass_(60)
    asked = take(counter, status_link(counter))
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)
    result = state(counter, asked).result
    assert result is not None
    assert (result.payment, result.amount, result.pan) == ("H-a-1", DUE, "************4711")
    assert result.at == int(counter.clock.now().timestamp()), "the time at which this was said"
    assert len(counter.hands.charges) == 1


def test_a_status_waits_while_the_payment_runs(counter: Bench) -> None:
    take(counter, pay_link(counter))
    asked = take(counter, status_link(counter))
    again = take(counter, status_link(counter, "u" * 22))
    assert again.id == asked.id, "one for each payment that is open"
    go_on(counter)
    counter.clock.pass_(3600)
    counter.core.tick()
    assert state(counter, asked).result is None
    counter.restart()
    assert state(counter, asked).result is None
    counter.end(Declined(Code.PAYMENT_DECLINED, ""))
    assert ended(counter, asked) == (Outcome.DECLINED, Reason.CARD_DECLINED)
    result = state(counter, asked).result
    assert result is not None
    assert (result.payment, result.amount) == ("H-a-1", DUE)


def test_a_payment_that_was_never_asked_for_never_will_be(counter: Bench) -> None:
    """Its link was slower than the question about it."""
    late = pay_link(counter)
    asked = take(counter, status_link(counter, amount=DUE))
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.NEVER_ASKED)
    result = state(counter, asked).result
    assert result is not None
    assert (result.payment, result.order, result.amount) == ("H-a-1", "1042", DUE)
    counter.restart()
    counter.orders(order())
    found = take(counter, late)
    assert found.result is not None
    assert found.result.reason is Reason.NEVER_ASKED
    again = take(counter, status_link(counter, "u" * 22))
    assert ended(counter, again) == (Outcome.REFUSED, Reason.NEVER_ASKED)
    assert counter.page() is Page.IDLE
    assert counter.hands.names() == []


def test_a_status_takes_nobodys_place(counter: Bench) -> None:
    counter.to_charging(order())
    for number in range(OPEN_MOST):
        link_ = pay_link(
            counter, f"nonce-{number:017d}", order=f"2{number:03d}", payment=f"P-{number}"
        )
        take(counter, link_)
    asked = take(counter, status_link(counter, payment="P-0"))
    assert state(counter, asked).result is None
    assert counter.page() is Page.CHARGING


def test_only_who_signed_a_payment_hears_of_it(counter: Bench) -> None:
    take(counter, pay_link(counter))
    for key in (None, STRANGER):
        with pytest.raises(LinkError) as refused:
            take(counter, status_link(counter, key=key))
        assert refused.value.reason is Reason.SEAL


def test_a_new_key_is_not_told_that_the_old_ones_payment_was_never_asked_for(
    tmp_path: Path,
) -> None:
    new = replace(SHOP, id="shop-2")
    settings = replace(LINKS, keys={"shop": SHOP, "shop-2": new})
    with bench(tmp_path, replace(SETTINGS, links=settings)) as counter:
        counter.orders(order())
        take(counter, pay_link(counter))
        with pytest.raises(LinkError) as refused:
            take(counter, status_link(counter, key=new))
        assert refused.value.reason is Reason.SEAL


def test_an_application_is_told_by_its_scheme(tmp_path: Path) -> None:
    back = kassa.RESULT_CALLBACK
    allowed = replace(LINKS, return_to=("kassa-api:", "https:"))
    with bench(tmp_path, replace(SETTINGS, links=allowed)) as counter:
        counter.orders(order())
        asked = take(counter, status_link(counter, callbacks=Callbacks(back, back, back)))
        address = counter.core.links.address(state(counter, asked))
        assert address is not None
        assert kassa.is_result(address)
        with pytest.raises(LinkError):
            take(counter, link(counter))
