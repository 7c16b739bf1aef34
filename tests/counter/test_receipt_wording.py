"""The receipts' wording: complete in every language, and money as people there write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.counter import receipts
from appliance.counter.clock import SystemClock, iso, local
from appliance.counter.receipts import LANGUAGES, words, words_without_payment
from appliance.domain.errors import Bug, Code
from appliance.domain.money import Money, Quantity
from appliance.domain.receipt import LABELS, Heading, Text, merchant_slip
from tests.counter.harness import order
from tests.domain.strategies import money, quantities

NBSP = "\u00a0"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_label_is_worded(language: str) -> None:
    wording = words(language)
    assert set(wording.labels) == set(LABELS)
    assert all(wording[label].strip() == wording[label] != "" for label in LABELS)
    assert all(wording[label].replace(NBSP, " ").isprintable() for label in LABELS)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Seller: Anna K."),
        ("ru", "Продавец: Anna K."),
        ("de", "Es bediente Sie: Anna K."),
        ("fr", f"Vendeur{NBSP}: Anna K."),
    ],
)
def test_the_seller_is_named_as_the_language_writes_a_colon(language: str, text: str) -> None:
    heading = Heading(("Shop",), "Counter 1", "Anna K.", "now")
    assert Text(text) in merchant_slip(order(), [], heading, words(language)).elements


@pytest.mark.parametrize("label", LABELS)
def test_each_language_has_words_of_its_own(label: str) -> None:
    # Russian shares no word with the others; the others may, as with "Total" and "Terminal".
    russian = words("ru")[label]
    assert re.search("[а-яА-Я]", russian)
    assert russian not in {words(language)[label] for language in LANGUAGES if language != "ru"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_must_not_be_mixed_up_is_worded_differently(language: str) -> None:
    wording = words(language)
    kinds = ("paid_before", "paid_by_card", "paid_by_slip", "declined", "not_charged", "total")
    assert len({wording[kind] for kind in kinds}) == len(kinds)
    assert len({wording[kind] for kind in ("copy", "merchant_copy")}) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_slip_says_declined_only_of_what_was_declined(language: str) -> None:
    codes = (
        Code.PAYMENT_DECLINED, Code.PAYMENT_STOPPED, Code.PAYMENT_REVERSED, Code.TERMINAL_SETUP,
    )  # fmt: skip
    said = [words_without_payment(language, code)["declined"] for code in codes]
    assert said[0] == words(language)["declined"]
    assert len(set(said)) == len(codes)


def test_the_terminals_slip_has_a_name_of_its_own() -> None:
    # In both languages one word would do for the terminal's slip and for our receipt.
    labels = ("paid_by_slip", "receipt_no")
    assert all("ticket CB" in words("fr")[label] for label in labels)
    assert all("терминала" in words("ru")[label] for label in labels)


@pytest.mark.parametrize("language", ["", "EN", "it", "en_GB"])
def test_a_language_that_there_is_not_is_a_bug(language: str) -> None:
    with pytest.raises(Bug, match="no receipts"):
        words(language)


@pytest.mark.parametrize(
    ("language", "amount", "code", "text"),
    [
        ("en", 123456789, "EUR", "1,234,567.89 EUR"),
        ("ru", 123456789, "RUB", "1 234 567,89 RUB"),
        ("de", 123456789, "EUR", "1.234.567,89 EUR"),
        ("fr", 123456789, "EUR", "1 234 567,89 EUR"),
        ("de", -5, "EUR", "-0,05 EUR"),
        ("en", 1234, "JPY", "1,234 JPY"),
        ("de", 1234567, "KWD", "1.234,567 KWD"),
        ("en", 0, "EUR", "0.00 EUR"),
    ],
)
def test_money_as_it_is_written_there(language: str, amount: int, code: str, text: str) -> None:
    assert words(language).money(Money.of(amount, code)) == text.replace(" ", NBSP)


@given(money(), st.sampled_from(LANGUAGES))
def test_money_loses_no_digit_and_never_wraps(value: Money, language: str) -> None:
    text = words(language).money(value)
    number, code = text.rsplit(NBSP, 1)
    assert code == value.currency.code
    assert " " not in text
    assert int(re.sub(r"[^0-9]", "", number)) == abs(value.amount)
    assert number.startswith("-") == (value.amount < 0)
    fraction = re.split(r"[.,]", number)[-1] if value.currency.exponent else ""
    assert len(fraction) == value.currency.exponent


@pytest.mark.parametrize(
    ("language", "thousandths", "unit", "text"),
    [
        ("en", 2000, "pc", "2"),
        ("en", 350, "kg", "0.350 kg"),
        ("de", 350, "kg", "0,350 kg"),
        ("ru", 1500, "pc", "1,500"),
        ("ru", 350, "kg", "0,350 кг"),
        ("ru", 350, "furlong", "0,350 furlong"),
        ("fr", 3000, "m", "3 m"),
        ("ru", 250000, "ml", "250 мл"),
        ("en", 12500, "m2", "12.500 m²"),
        ("de", 1500, "h", "1,500 Std."),
    ],
)
def test_quantities_as_they_are_written_there(
    language: str, thousandths: int, unit: str, text: str
) -> None:
    assert words(language).quantity(Quantity(thousandths, unit)) == text.replace(" ", NBSP)


@given(quantities, st.integers(0, 10_000), st.sampled_from(LANGUAGES))
def test_a_quantity_and_a_rate_lose_no_digit(
    quantity: Quantity, basis_points: int, language: str
) -> None:
    wording = words(language)
    number, *unit = wording.quantity(quantity).split(NBSP)
    assert len(unit) == (quantity.unit != "pc")
    assert Quantity.parse(number.replace(",", "."), quantity.unit) == quantity
    number, sign = wording.rate(basis_points).split(NBSP)
    assert Decimal(number.replace(",", ".")) * 100 == basis_points
    assert sign == "%"
    assert ("," in number) <= (language != "en")


# --- the clock, whose times stand on receipts ---------------------------------------------------

moments = st.integers(0, 10**15 * 3).map(
    lambda microseconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(moments, st.integers(-12 * 60, 14 * 60))
def test_a_moment_is_the_same_text_whatever_its_offset(moment: datetime, minutes: int) -> None:
    text = iso(moment)
    assert iso(moment.astimezone(timezone(timedelta(minutes=minutes)))) == text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    read = datetime.fromisoformat(text)
    assert read == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(moments, moments)
def test_texts_sort_as_their_moments(one: datetime, two: datetime) -> None:
    assert (iso(one) < iso(two)) <= (one < two)
    assert (iso(one) == iso(two)) >= (one == two)


@given(moments)
def test_local_takes_a_moment_or_its_text(moment: datetime) -> None:
    pattern = "%Y-%m-%d %H:%M"
    assert local(iso(moment), pattern) == local(moment, pattern)
    assert local(moment, pattern) == moment.astimezone().strftime(pattern)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "07 Oct 2025, 09:05"),
        ("ru", "07.10.2025 09:05"),
        ("de", "07.10.2025 09:05"),
        ("fr", "07/10/2025 09:05"),
    ],
)
def test_the_day_as_it_is_written_there(language: str, text: str) -> None:
    assert receipts.moment(datetime(2025, 10, 7, 9, 5).astimezone(), language) == text


def test_the_systems_clock() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
