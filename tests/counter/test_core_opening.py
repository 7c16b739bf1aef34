"""From a code to an order on the screen, or to the reason why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.counter.opening import is_too_large
from appliance.counter.screen import (
    Action,
    OrderPage,
    Page,
    Refused,
)
from appliance.domain.errors import Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Kind
from appliance.domain.money import CURRENCIES, Money, Quantity
from appliance.domain.order import Line, Order, OrderStatus
from appliance.ports import (
    Claimed,
    ClaimRefused,
    Slip,
    Snapshot,
)
from tests.counter.harness import EUR, Bench, kinds, order

A = Action


REFUSALS = [
    ({"status": OrderStatus.CANCELLED}, Code.ORDER_CANCELLED),
    ({"status": OrderStatus.EXPIRED}, Code.ORDER_EXPIRED),
    ({"status": OrderStatus.NOT_READY}, Code.ORDER_NOT_READY),
    ({"status": OrderStatus.HANDED_OVER}, Code.ORDER_HANDED_OVER),
    ({"pickup_point": "PP2"}, Code.ORDER_ELSEWHERE),
    ({"paid": Money(1, EUR)}, Code.ORDER_SUMS),
]


@pytest.mark.parametrize(("changes", "code"), REFUSALS)
@pytest.mark.parametrize("found", ["snapshot", "look-up", "claim"])
def test_what_cannot_be_served_says_so(
    counter: Bench, changes: dict[str, object], code: Code, found: str
) -> None:
    bad = order(**changes)  # type: ignore[arg-type]
    if found == "snapshot":
        counter.to_order(bad)
    elif found == "look-up":
        counter.core.scanned("KO-1042")
        assert counter.page() is Page.ASKING
        counter.core.opening.looked_up("KO-1042", bad)
    else:
        counter.to_order()
        counter.do(A.CONFIRM)
        counter.claim_answer(Claimed(bad, 600))
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is code
    assert counter.hands.charges == []
    counter.do(A.CONFIRM)
    assert counter.page() is Page.IDLE


@pytest.mark.parametrize(
    ("said", "shown"), [("Hafen, Kai 3", "Hafen, Kai 3"), ("elsewhere", "PP2")]
)
def test_where_the_order_waits_is_shown_as_the_shop_calls_it(
    counter: Bench, said: str, shown: str
) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    there = order(pickup_point="PP2", version="2")
    counter.claim_answer(ClaimRefused(Code.ORDER_ELSEWHERE, said, there))
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert (body.code, body.detail) == (Code.ORDER_ELSEWHERE, shown)


def test_an_order_in_another_currency_is_refused(counter: Bench) -> None:
    rub = CURRENCIES["RUB"]
    bad = order()
    due = Money(128450, rub)
    line = replace(bad.lines[0], unit_price=due, total=due)
    counter.to_order(replace(bad, lines=(line,), total=due, paid=Money(0, rub), due=due))
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is Code.ORDER_CURRENCY


@pytest.mark.parametrize(
    "trouble",
    [OrderTrouble(Code.ORDER_UNKNOWN), ShopTrouble(Code.SHOP_UNREACHABLE, "no route")],
)
def test_an_unknown_code_is_looked_up_and_explained(
    counter: Bench, trouble: OrderTrouble | ShopTrouble
) -> None:
    counter.core.scanned("4006381333931")
    counter.core.opening.looked_up("4006381333931", trouble)
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert (body.code, body.about) == (trouble.code, "4006381333931")


def test_an_answer_that_comes_too_late_is_not_shown(counter: Bench) -> None:
    counter.core.scanned("one")
    counter.do(A.CANCEL)
    counter.core.scanned("two")
    counter.core.opening.looked_up("one", order())
    assert counter.page() is Page.ASKING


def test_scans_at_the_wrong_time_are_answered_and_change_nothing(counter: Bench) -> None:
    counter.orders(order(), order("1043"))
    counter.core.scanned("KO-1042")
    counter.core.scanned("KO-1042")
    assert kinds(counter) == [Kind.OPENED]
    counter.core.scanned("KO-1043")  # another customer was first
    assert kinds(counter) == [Kind.OPENED, Kind.PUT_BACK, Kind.OPENED]
    counter.core.scanned("x" * 129)
    counter.core.scanned("bad\x07code")
    notice = counter.screen().notice
    assert notice is not None
    assert notice.code is Code.SCAN_UNREADABLE


def test_an_order_left_alone_is_put_back(counter: Bench) -> None:
    counter.to_order()
    counter.clock.pass_(601)
    counter.core.tick()
    assert counter.page() is Page.IDLE
    assert kinds(counter)[-1] is Kind.PUT_BACK


def test_a_malformed_order_is_named(counter: Bench) -> None:
    counter.core.snapshot(Snapshot("e", (), {"1099": "lines[0].total: missing"}))
    counter.core.scanned("1099")
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert (body.code, body.detail) == (Code.ORDER_MALFORMED, "lines[0].total: missing")


def test_a_look_up_that_is_never_answered_ends(counter: Bench) -> None:
    counter.core.scanned("4006381333931")
    counter.clock.pass_(41)
    counter.core.tick()
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert (body.code, body.about) == (Code.SHOP_UNREACHABLE, "4006381333931")


def many_lines(count: int, name: str) -> Order:
    """An order of many lines, whose figures agree."""
    price = Money(257, EUR)
    line = Line("A1", name, Quantity(1000), price, price, 2000)
    total = Money(257 * count, EUR)
    return order(due=total.amount, lines=(line,) * count, total=total, paid=Money(0, EUR))


@pytest.mark.parametrize("length", [50, 200, 300])
def test_an_order_whose_receipt_would_not_fit_is_refused_at_the_scan(
    counter: Bench, length: int
) -> None:
    counter.to_order(many_lines(500, "ж" * length))
    assert counter.page() is Page.REFUSED
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is Code.ORDER_MALFORMED
    assert kinds(counter) == []


def test_the_largest_order_that_is_served_fits_with_its_slip(counter: Bench) -> None:
    sizes = (many_lines(500, "ж" * length) for length in range(300, 0, -1))
    wanted = next(made for made in sizes if not is_too_large(made))
    counter.to_charging(wanted)
    for slip in Slip:
        counter.core.charging.slip(counter.handover, counter.payment, slip, ["█" * 250] * 200)
    counter.approve()
    assert counter.page() is Page.HAND_OVER
    assert [job.what for job in counter.hands.jobs] == ["receipt", "merchant"]


def test_an_order_that_grew_too_large_before_the_claim_is_not_taken_over(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    grown = replace(many_lines(500, "ж" * 300), version="2")
    counter.claim_answer(ClaimRefused(Code.ORDER_CHANGED, "changed", grown))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert body.code is Code.ORDER_MALFORMED
    counter.clock.pass_(1)
    counter.core.tick()
    assert counter.page() is Page.ORDER
