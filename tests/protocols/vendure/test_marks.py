"""Claims and payments in an order's notes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import vendure
from appliance.protocols.shopapi import OrderMalformed
from appliance.protocols.vendure import Mark, Op, books
from appliance.protocols.vendure.marks import marks_from
from tests.protocols.shop_values import keys
from tests.protocols.vendure.values import history

AT = "2026-11-26T22:23:51.000Z"


def mark(op: Op, name: str, kiosk: str = "a", claim: str = "", until_s: int = 60) -> Mark:
    return Mark(op, name, kiosk, claim=claim, until_s=until_s if op is Op.CLAIM else 0)


@given(
    st.builds(
        Mark,
        st.sampled_from(Op),
        keys,
        keys,
        st.just("") | keys,
        st.integers(0, 10**11),
        st.integers(0, 10**12),
    ),
    st.text(max_size=50),
)
def test_a_mark_comes_back_as_it_was(written: Mark, words: str) -> None:
    (found,) = marks_from(history((AT, vendure.note_of(written, words))))
    expected = Mark(
        written.op, written.id, written.kiosk, written.claim, written.until_s, written.amount, "1",
    )  # fmt: skip
    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Please ring twice",
        "Kassa: hello",
        'Somebody: hello\n[kassa] {"op":"claim","id":"H","kiosk":"a","until_s":60}',
        "Kassa: x\n[kassa] not JSON",
        'Kassa: x\n[kassa] {"op":"sing","id":"H","kiosk":"a"}',
        'Kassa: x\n[kassa] {"op":"claim","id":"","kiosk":"a"}',
        'Kassa: x\n[kassa] {"op":"claim","id":"H","kiosk":"a","until_s":0}',
        'Kassa: x\n[kassa] {"op":"claim","id":"\ud800","kiosk":"a"}',
        "Kassa: x\n[kassa] " + " " * 5000,
    ],
)
def test_what_people_write_is_no_mark(text: str) -> None:
    assert marks_from(history((AT, text))) == ()


def test_notes_that_are_not_there_may_be_claims() -> None:
    with pytest.raises(OrderMalformed, match="too many"):
        marks_from(history((AT, "x"), total=2))
    assert marks_from(None) == ()


def test_who_has_the_order() -> None:
    known = books([mark(Op.CLAIM, "H-1", until_s=160)])
    assert known.holder("a", "H-1", 110.0) == ""
    assert known.holder("a", "H-2", 110.0) == "a", "a claim of its own is another one's too"
    assert known.holder("b", "H-1", 160.0) == "a"
    assert known.holder("b", "H-1", 160.5) == "", "the lease is over"


def test_an_open_payment_outlasts_the_lease() -> None:
    opened = mark(Op.OPEN, "P", "a", "H-1")
    known = books([mark(Op.CLAIM, "H-1"), opened])
    assert known.is_open("P")
    assert known.holder("b", "H-2", 1e9) == "a"
    assert known.holder("a", "H-1", 1e9) == ""
    for end in (Op.CLOSED, Op.PAID):
        ended = books([mark(end, "P"), opened])
        assert not ended.is_open("P"), "whatever came first"
        assert ended.holder("b", "H-2", 1e9) == ""


def test_what_was_told_and_paid() -> None:
    known = books([mark(Op.TOLD, "f-1"), mark(Op.PAID, "P")])
    assert known.told == {"f-1"}
    assert known.paid == {"P"}
