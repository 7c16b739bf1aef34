"""Money: exact, bounded, of one currency."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.money import (
    CURRENCIES,
    LARGEST_AMOUNT,
    Currency,
    Money,
    MoneyError,
    Quantity,
    currency,
    percent,
    times,
)
from tests.domain.strategies import currencies, money, quantities

EUR, JPY, KWD = CURRENCIES["EUR"], CURRENCIES["JPY"], CURRENCIES["KWD"]


@pytest.mark.parametrize(
    ("code", "amount", "text"),
    [
        ("RUB", 123456, "1234.56 RUB"),
        ("EUR", 5, "0.05 EUR"),
        ("USD", -5, "-0.05 USD"),
        ("EUR", 0, "0.00 EUR"),
        ("JPY", 1234, "1234 JPY"),
        ("JPY", 0, "0 JPY"),
        ("KWD", 1234, "1.234 KWD"),
        ("KWD", -1, "-0.001 KWD"),
        ("KWD", LARGEST_AMOUNT, "999999999.999 KWD"),
        ("JPY", -LARGEST_AMOUNT, "-999999999999 JPY"),
    ],
)
def test_words_of_an_amount(code: str, amount: int, text: str) -> None:
    assert str(Money.of(amount, code)) == text
    assert Money.parse(text.split()[0], code) == Money.of(amount, code)


@given(money())
def test_parse_reads_what_str_writes(value: Money) -> None:
    text, code = str(value).split()
    assert Money.parse(text, code) == value


@given(money())
def test_decimal_is_exact(value: Money) -> None:
    assert value.decimal() * 10**value.currency.exponent == Decimal(value.amount)


@given(st.integers(-(10**12) + 1, 10**12 - 1), st.integers(0, 6), currencies)
def test_parse_takes_more_digits_only_when_they_are_zeros(
    whole: int, digits: int, unit: Currency
) -> None:
    text = f"{whole}.{'0' * digits}" if digits else str(whole)
    if abs(whole) * 10**unit.exponent > LARGEST_AMOUNT:
        with pytest.raises(MoneyError, match="out of range"):
            Money.parse(text, unit.code)
    else:
        assert Money.parse(text, unit.code).amount == whole * 10**unit.exponent


@pytest.mark.parametrize(("code", "text"), [("JPY", "1.5"), ("EUR", "0.001"), ("KWD", "0.0001")])
def test_parse_refuses_more_digits_than_the_currency_has(code: str, text: str) -> None:
    with pytest.raises(MoneyError, match="more digits"):
        Money.parse(text, code)


NO_AMOUNTS = [
    "", " 1", "1 ", "1\n", "+1", "--1", "1,5", ".5", "1.", "1e3", "NaN", "Infinity", "0x1",
    "1_000", "1.0000000", "9" * 13, "-", "١٢", "１.５", "1.٥", "²", "1" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_parse_refuses_what_is_no_plain_decimal(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, "EUR")
    with pytest.raises(MoneyError):
        Quantity.parse(text)


@given(st.text(max_size=20))
def test_parse_raises_nothing_but_its_own_error(text: str) -> None:
    for parse in (lambda: Money.parse(text, "EUR"), lambda: Quantity.parse(text)):
        with contextlib.suppress(MoneyError):
            parse()


@pytest.mark.parametrize("amount", [LARGEST_AMOUNT + 1, -LARGEST_AMOUNT - 1, 10**30])
def test_bounds(amount: int) -> None:
    with pytest.raises(MoneyError, match="out of range"):
        Money(amount, EUR)


def test_the_sum_is_bounded_too() -> None:
    most = Money(LARGEST_AMOUNT, EUR)
    with pytest.raises(MoneyError, match="out of range"):
        most + Money(1, EUR)
    with pytest.raises(MoneyError, match="out of range"):
        -most - Money(1, EUR)


@pytest.mark.parametrize("amount", [1.0, True, "1", None, Decimal(1)])
def test_only_an_integer_is_an_amount(amount: object) -> None:
    with pytest.raises(MoneyError, match="must be an integer"):
        Money(amount, EUR)  # type: ignore[arg-type]


@given(money(EUR, -(10**11), 10**11), money(EUR, -(10**11), 10**11))
def test_arithmetic_and_order_are_those_of_the_minor_units(one: Money, two: Money) -> None:
    assert (one + two).amount == one.amount + two.amount
    assert (one - two).amount == one.amount - two.amount
    assert (-one).amount == -one.amount
    assert (one < two) == (one.amount < two.amount)
    assert (one <= two) == (one.amount <= two.amount)
    assert (one > two) == (one.amount > two.amount)
    assert (one >= two) == (one.amount >= two.amount)
    assert bool(one) == (one.amount != 0)


def test_currencies_do_not_mix() -> None:
    one, two = Money(1, EUR), Money(1, JPY)
    assert one != two
    for mixing in (
        lambda: one + two,
        lambda: one - two,
        lambda: one < two,
        lambda: one <= two,
        lambda: one > two,
        lambda: one >= two,
    ):
        with pytest.raises(MoneyError, match="do not mix"):
            mixing()


@pytest.mark.parametrize("code", ["", "eur", "XXX", "EURO"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(MoneyError, match="unknown currency"):
        currency(code)
    with pytest.raises(MoneyError, match="unknown currency"):
        Money.of(1, code)
    with pytest.raises(MoneyError, match="unknown currency"):
        Money.parse("1", code)


def test_the_table_has_each_currency_under_its_own_code_and_number() -> None:
    assert all(code == unit.code for code, unit in CURRENCIES.items())
    assert len({unit.numeric for unit in CURRENCIES.values()}) == len(CURRENCIES)


@given(quantities)
def test_quantity_reads_what_it_writes(quantity: Quantity) -> None:
    assert Quantity.parse(str(quantity), quantity.unit) == quantity
    assert quantity.is_whole == ("." not in str(quantity))


@pytest.mark.parametrize(
    ("thousandths", "text"), [(2000, "2"), (350, "0.350"), (1, "0.001"), (10**12, "1000000000")]
)
def test_words_of_a_quantity(thousandths: int, text: str) -> None:
    assert str(Quantity(thousandths)) == text


@pytest.mark.parametrize("thousandths", [0, -1, 10**12 + 1, 1.0, True, "1", None])
def test_no_quantity(thousandths: object) -> None:
    with pytest.raises(MoneyError, match="out of range"):
        Quantity(thousandths)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0", "-1", "0.000", "1000000000.001"])
def test_parse_bounds_a_quantity(text: str) -> None:
    with pytest.raises(MoneyError, match="out of range"):
        Quantity.parse(text)


def test_parse_refuses_a_quantity_finer_than_thousandths() -> None:
    with pytest.raises(MoneyError, match="three digits"):
        Quantity.parse("0.0001")


@given(quantities, money(EUR, -(10**9), 10**9))
def test_times_brackets_the_exact_product(quantity: Quantity, price: Money) -> None:
    exact = Fraction(quantity.thousandths * price.amount, 1000)
    if abs(exact) > LARGEST_AMOUNT:
        with pytest.raises(MoneyError):
            times(quantity, price)
        return
    low, high = times(quantity, price)
    assert low.amount <= exact <= high.amount
    assert high.amount - low.amount == (0 if exact.denominator == 1 else 1)
    assert low.currency == high.currency == price.currency


@pytest.mark.parametrize(
    ("basis_points", "text"),
    [(0, "0"), (1, "0.01"), (10, "0.1"), (550, "5.5"), (1000, "10"), (2000, "20"), (10_000, "100")],
)
def test_percent(basis_points: int, text: str) -> None:
    assert percent(basis_points) == text


@given(st.integers(0, 10_000))
def test_percent_is_exact_and_has_no_needless_digits(basis_points: int) -> None:
    text = percent(basis_points)
    assert Decimal(text) * 100 == basis_points
    assert "." not in text or not text.endswith(("0", "."))
