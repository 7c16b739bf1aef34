"""Orders: the shop's figures agree, or nothing is charged."""

from __future__ import annotations

from dataclasses import replace as replaced
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appliance.domain.errors import Code
from appliance.domain.money import CURRENCIES, LARGEST_AMOUNT, Currency, Money, Quantity, times
from appliance.domain.order import Line, Order, OrderStatus, Reduction, disagreements, refusal
from tests.domain.strategies import currencies, orders

EUR = CURRENCIES["EUR"]
changes = st.integers(-1_000_000, 1_000_000).filter(bool)


def with_(order: Order, **changed: Any) -> Order:
    return replaced(order, **changed)


def with_line(order: Order, place: int, **changed: Any) -> Order:
    lines = list(order.lines)
    lines[place] = replaced(lines[place], **changed)
    return with_(order, lines=tuple(lines))


def changed(value: Money, by: int) -> Money:
    return Money(value.amount + by, value.currency)


@given(orders())
def test_figures_that_agree_are_not_complained_about(order: Order) -> None:
    assert disagreements(order) == ()
    assert refusal(order, pickup_point="pp-1", currency=order.total.currency) is None
    assert order.is_prepaid == (order.due.amount == 0)


@given(orders(), changes, st.sampled_from(["total", "paid", "due"]))
def test_one_wrong_figure_of_the_order_is_found(order: Order, by: int, name: str) -> None:
    assert disagreements(with_(order, **{name: changed(getattr(order, name), by)}))


@given(orders(), changes, st.data())
def test_one_wrong_line_total_is_found(order: Order, by: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(order.lines) - 1))
    total = changed(order.lines[place].total, by)
    assert disagreements(with_line(order, place, total=total))


@given(orders(), changes, st.data())
def test_a_wrong_line_is_found_even_when_the_sums_agree(
    order: Order, by: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(order.lines) - 1))
    line = order.lines[place]
    total = changed(line.total, by)
    assume(total not in times(line.quantity, line.unit_price))
    wrong = replaced(
        with_line(order, place, total=total),
        total=changed(order.total, by),
        due=changed(order.due, by),
        vat=None,
    )
    assert any(found.startswith(f"line {place + 1}:") for found in disagreements(wrong))


@given(orders(), changes, st.data())
def test_one_wrong_unit_price_is_found(order: Order, by: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(order.lines) - 1))
    line = order.lines[place]
    price = changed(line.unit_price, by)
    # A change of less than the rounding cannot be told from rounding the other way.
    assume(line.total not in times(line.quantity, price))
    assert disagreements(with_line(order, place, unit_price=price))


@given(orders(), changes, st.sampled_from(["discounts", "loyalty"]))
def test_one_wrong_reduction_is_found(order: Order, by: int, name: str) -> None:
    reductions: tuple[Reduction, ...] = getattr(order, name)
    assume(reductions)
    wrong = replaced(reductions[0], amount=changed(reductions[0].amount, by))
    assert disagreements(with_(order, **{name: (wrong, *reductions[1:])}))


@given(orders(), st.integers(1, 10**6), st.sampled_from(["discounts", "loyalty"]))
def test_a_reduction_that_adds_is_found_even_when_the_sums_agree(
    order: Order, by: int, name: str
) -> None:
    extra = Reduction("bonus", Money(by, order.total.currency))
    wrong = with_(
        order,
        **{name: (*getattr(order, name), extra)},
        total=changed(order.total, by),
        due=changed(order.due, by),
    )
    assert disagreements(wrong) == (f"the reduction 'bonus' adds {extra.amount}",)


@given(orders(), st.integers(1, 10**6))
def test_a_vat_that_does_not_fit_is_found(order: Order, by: int) -> None:
    for amount in (order.total.amount + by, -by):
        wrong = with_(order, vat=Money(amount, order.total.currency))
        assert any("VAT" in found for found in disagreements(wrong))


@given(orders(), currencies, st.data())
def test_one_figure_in_another_currency_is_found(
    order: Order, other: Currency, data: st.DataObject
) -> None:
    assume(other != order.total.currency)

    def foreign(value: Money) -> Money:
        return Money(value.amount, other)

    line, swaps = order.lines[0], []
    swaps += [with_(order, **{n: foreign(getattr(order, n))}) for n in ("total", "paid", "due")]
    swaps += [with_line(order, 0, unit_price=foreign(line.unit_price))]
    swaps += [with_line(order, 0, total=foreign(line.total))]
    swaps += [with_(order, vat=Money(0, other))]
    swaps += [with_(order, discounts=(Reduction("x", Money(0, other)),))]
    swaps += [with_(order, loyalty=(Reduction("x", Money(0, other)),))]
    assert disagreements(data.draw(st.sampled_from(swaps))) == ("the order mixes currencies",)


@given(orders())
def test_an_overpaid_order_is_found(order: Order) -> None:
    unit = order.total.currency
    paid = Money(order.total.amount + 1, unit)
    wrong = disagreements(with_(order, paid=paid, due=Money(-1, unit)))
    assert wrong == (f"negative amount due {Money(-1, unit)}",)


@given(orders())
def test_a_negative_payment_is_found_even_when_the_sums_agree(order: Order) -> None:
    unit = order.total.currency
    wrong = with_(order, paid=Money(-1, unit), due=changed(order.total, 1))
    assert disagreements(wrong) == (f"negative amount paid {Money(-1, unit)}",)


def one_line(quantity: int, price: int, total: int, vat: int | None = None) -> Order:
    line = Line("s", "n", Quantity(quantity), Money(price, EUR), Money(total, EUR), vat)
    zero = Money(0, EUR)
    return Order("o", "1", "v", OrderStatus.READY, "pp-1", (line,), line.total, zero, line.total)


def test_an_order_without_lines_is_found() -> None:
    zero = Money(0, EUR)
    empty = replaced(one_line(1000, 1, 1), lines=(), total=zero, due=zero)
    assert disagreements(empty) == ("the order has no lines",)


def test_a_negative_price_is_found_even_when_the_sums_agree() -> None:
    (price, due) = disagreements(one_line(1000, -5, -5))
    assert price == "line 1: negative price -0.05 EUR"
    assert due == "negative amount due -0.05 EUR"


def test_sums_that_do_not_agree_are_told_in_money() -> None:
    order = replaced(one_line(1000, 1234, 1234), total=Money(1334, EUR), due=Money(1334, EUR))
    said = "the lines and reductions come to 12.34, the total says 13.34 EUR"
    assert disagreements(order) == (said,)


@pytest.mark.parametrize("vat", [-1, 10_001])
def test_a_vat_rate_out_of_range_is_found(vat: int) -> None:
    assert disagreements(one_line(1000, 5, 5, vat)) == ("line 1: VAT rate out of range",)


def test_a_line_beyond_all_amounts_is_a_disagreement_and_no_crash() -> None:
    (found,) = disagreements(one_line(10**12, LARGEST_AMOUNT, 1))
    assert found.endswith("is out of range")


STATUSES = [
    (OrderStatus.NOT_READY, Code.ORDER_NOT_READY),
    (OrderStatus.HANDED_OVER, Code.ORDER_HANDED_OVER),
    (OrderStatus.CANCELLED, Code.ORDER_CANCELLED),
    (OrderStatus.EXPIRED, Code.ORDER_EXPIRED),
]


def test_every_status_has_its_row() -> None:
    assert {status for status, _ in STATUSES} == set(OrderStatus) - {OrderStatus.READY}


@pytest.mark.parametrize(("status", "code"), STATUSES)
def test_refused_for_its_status(status: OrderStatus, code: Code) -> None:
    order = replaced(one_line(1000, 5, 5), status=status)
    assert refusal(order, pickup_point="pp-1", currency=EUR) == (code, "1")


def test_refused_for_its_place_before_anything_else() -> None:
    order = replaced(one_line(1000, 5, 5), status=OrderStatus.CANCELLED, pickup_point="pp-2")
    assert refusal(order, pickup_point="pp-1", currency=EUR) == (Code.ORDER_ELSEWHERE, "pp-2")


def test_refused_for_its_currency_and_its_sums() -> None:
    rub = CURRENCIES["RUB"]
    order = one_line(1000, 5, 5)
    assert refusal(order, pickup_point="pp-1", currency=rub) == (Code.ORDER_CURRENCY, "EUR")
    wrong = with_(order, due=Money(6, EUR))
    assert refusal(wrong, pickup_point="pp-1", currency=EUR) == (
        Code.ORDER_SUMS,
        "total 0.05 EUR less paid 0.00 EUR is not the amount due 0.06 EUR",
    )


def test_a_line_lies_where_it_says_or_where_the_order_does() -> None:
    order = replaced(one_line(1000, 5, 5), cell="A-1")
    assert order.cell_of(order.lines[0]) == "A-1"
    assert order.cell_of(replaced(order.lines[0], cell="B-7")) == "B-7"
