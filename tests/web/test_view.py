"""How amounts, quantities and times read, and what a screen looks like."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.counter.screen import HandOver, Page, Receipt
from appliance.domain.money import CURRENCIES, LARGEST_AMOUNT, Money, Quantity
from tests.web.samples import AT, SAMPLES
from web import LANGUAGES, view

SPACES = str.maketrans("\u00a0\u202f", "  ")


@pytest.mark.parametrize(
    ("language", "amount", "unit", "text"),
    [
        ("en", 128450, "EUR", "1,284.50 €"),
        ("en", 128450, "GBP", "£1,284.50"),
        ("en", 128450, "USD", "US$1,284.50"),
        ("en", 12800, "JPY", "¥12,800"),
        ("en", -1500, "EUR", "−15.00 €"),
        ("ru", 12845000, "RUB", "128 450,00 ₽"),
        ("ru", -1500, "EUR", "−15,00 €"),
        ("de", 128450, "EUR", "1.284,50 €"),
        ("de", 12800, "JPY", "12.800 ¥"),
        ("fr", 128450, "EUR", "1 284,50 €"),
        ("fr", 1250, "KWD", "1,250 KWD"),
    ],
)
def test_money(language: str, amount: int, unit: str, text: str) -> None:
    said = view.language(language).money(Money.of(amount, unit))
    assert said.translate(SPACES) == text
    assert " " not in said  # an amount never breaks


@given(
    st.sampled_from(LANGUAGES),
    st.integers(-LARGEST_AMOUNT, LARGEST_AMOUNT),
    st.sampled_from(sorted(CURRENCIES)),
)
def test_an_amount_has_exactly_its_own_digits(language: str, amount: int, unit: str) -> None:
    money = Money.of(amount, unit)
    said = view.language(language).money(money)
    digits = "".join(character for character in said if character.isdigit())
    assert digits == str(abs(amount)).rjust(money.currency.exponent + 1, "0")
    assert ("\u2212" in said) == (amount < 0)


@pytest.mark.parametrize(
    ("language", "quantity", "text"),
    [
        ("en", Quantity(2000), "2"),
        ("en", Quantity(1500), "1.500"),
        ("en", Quantity(350, "kg"), "0.350 kg"),
        ("ru", Quantity(350, "kg"), "0,350 кг"),
        ("de", Quantity(1234000, "m2"), "1.234 m²"),
        ("fr", Quantity(3000, "Paar"), "3 Paar"),
    ],
)
def test_quantity(language: str, quantity: Quantity, text: str) -> None:
    assert view.language(language).quantity(quantity).translate(SPACES) == text


@pytest.mark.parametrize(
    ("language", "at", "text"),
    [
        ("en", "2025-10-07T09:10:00+02:00", "09:10"),
        ("en", "2025-10-06T18:02:00+02:00", "6 Oct, 18:02"),
        ("de", "2025-10-06T18:02:00+02:00", "6. Okt., 18:02"),
        ("ru", "2025-10-06T18:02:00+02:00", "6 окт., 18:02"),
        ("fr", "2025-10-06T18:02:00+02:00", "le 6 oct., 18:02"),
        ("en", "2025-10-07T07:10:00Z", "09:10"),
        ("en", "2025-10-06T22:30:00.5Z", "00:30"),
        ("en", "2025-10-07T21:30:00+00:00", "23:30"),
        ("en", "2025-10-06", "6 Oct"),
        ("en", "2025-10-07", "7 Oct"),
        ("en", "next Tuesday", "next Tuesday"),
        ("en", "", ""),
    ],
)
def test_moment(language: str, at: str, text: str) -> None:
    assert view.language(language).moment(at, AT) == text


def test_the_clock_has_the_counters_own_offset() -> None:
    now = datetime(2025, 10, 7, 22, 30, 1, tzinfo=UTC)
    assert view.clock(now, AT) == "2025-10-08T00:30:01.000+02:00"
    assert view.clock(now, "soon") == "2025-10-07T22:30:01.000+00:00"


def test_the_whole_screen_has_the_colour_of_its_state() -> None:
    tones = {name: view.tone(sample) for name, sample in SAMPLES.items()}
    assert {name for name, tone in tones.items() if tone == "go"} == {
        "hand-over", "hand-over-online", "hand-over-slip", "hand-over-badge", "hand-over-long",
    }  # fmt: skip
    assert {name for name, tone in tones.items() if tone == "doubt"} == {"unknown"}
    assert tones["charging"] == "turn"
    assert tones["out-of-order"] == "stop"
    assert tones["starting"] == "ready"


@pytest.mark.parametrize(
    ("receipt", "place"),
    [(Receipt.PRINTED, "done"), (Receipt.WAIVED, "done"), (Receipt.FAILED, "next")],
)
def test_a_receipt_that_is_not_printed_is_no_step_behind_us(receipt: Receipt, place: str) -> None:
    sample = SAMPLES["hand-over"]
    assert isinstance(sample.body, HandOver)
    steps = dict(view.steps(replace(sample, body=replace(sample.body, receipt=receipt))))
    assert steps == {"order": "done", "payment": "done", "receipt": place, "handover": "now"}


def test_steps_are_for_pages_about_an_order() -> None:
    shown = {sample.page for sample in SAMPLES.values() if view.steps(sample)}
    assert shown == {Page.ORDER, Page.CHARGING, Page.UNKNOWN, Page.HAND_OVER, Page.NO_RECEIPT}


def test_another_order_is_another_page() -> None:
    keys = {view.key(SAMPLES[name]) for name in ("order", "order-long", "order-yen", "idle")}
    assert len(keys) == 4
    assert view.key(SAMPLES["order"]) == view.key(SAMPLES["order-declined"])


@given(st.text())
def test_type_that_fits_has_a_class_for_every_text(text: str) -> None:
    for classes in (view.fit(text), view.headline(text)):
        name = classes.split()[-1]
        assert name.startswith("n")
        assert 4 <= int(name[1:]) <= 30


@given(st.text())
def test_an_id_has_no_white_space(text: str) -> None:
    assert not any(character.isspace() for character in view.slug(text))
