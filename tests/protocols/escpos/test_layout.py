from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.escpos.layout import pair, wrap

WORDS = st.text("ab é-", max_size=80)
WIDTHS = st.integers(1, 50)


@given(text=WORDS, width=WIDTHS)
def test_wrapping_keeps_the_words_within_the_width(text, width):
    lines = wrap(text, width)
    assert lines
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(text=WORDS, width=WIDTHS)
def test_what_fits_stays_as_it_is(text, width):
    if len(text.rstrip()) <= width:
        assert wrap(text, width) == [text.rstrip()]


def test_wrapping_breaks_at_spaces_and_keeps_the_indentation():
    assert wrap("one two three four", 9) == ["one two", "three", "four"]
    assert wrap("  one two three", 9) == ["  one two", "  three"]
    assert wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert wrap("SUM          12,00", 20) == ["SUM          12,00"]
    assert wrap("   ", 4) == [""]


@given(left=WORDS, right=st.text("0123456789, €", max_size=30), width=WIDTHS)
def test_a_pair_loses_nothing_and_keeps_its_amount_whole(left, right, width):
    lines = pair(left, right, width)
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join((left + right).split())
    amount = right.strip()
    if amount and len(amount) <= width:
        assert lines[-1].endswith(amount), "whole, at the end of the last line"
        assert len(lines[-1]) == width, "and at the right edge"


def test_pairs():
    assert pair("Milk", "1,00", 12) == ["Milk    1,00"]
    assert pair("A long name of a thing", "1,00", 14) == ["A long name of", "a thing   1,00"]
    # The last line of the name gives way to the amount.
    assert pair("Butter and bread", "123,00", 18) == ["Butter and", "bread       123,00"]
    # No room beside each other.
    assert pair("Milk and bread", "1 000 000,00 EUR", 17) == ["Milk and bread", " 1 000 000,00 EUR"]
    assert pair("", "123456789", 4) == ["1234", "5678", "   9"]
    assert pair("left only", " ", 20) == ["left only"]
