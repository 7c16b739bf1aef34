from itertools import pairwise

import pytest
import zxingcpp
from barcode.charsets import code128 as reference  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from appliance.protocols.escpos import code128
from appliance.protocols.escpos.code128 import CodeSet, Run

ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
MIXED = st.lists(st.text("0123456789", max_size=9) | ASCII, min_size=1, max_size=4).map("".join)


def drawn(symbol: int) -> str:
    widths = code128.WIDTHS[symbol]
    return "".join(("1" if at % 2 == 0 else "0") * int(width) for at, width in enumerate(widths))


def test_the_patterns_are_those_of_another_implementation():
    assert len(code128.WIDTHS) == 107
    assert [drawn(symbol) for symbol in range(106)] == list(reference.CODES)
    assert drawn(code128.STOP) == reference.STOP + "11"


@given(text=MIXED.filter(bool))
def test_runs_say_the_text_and_c_has_pairs_of_digits(text):
    parts = code128.runs(text)
    assert "".join(part.text for part in parts) == text
    for part in parts:
        assert part.text
        if part.code_set is CodeSet.C:
            assert len(part.text) % 2 == 0
            assert part.text.isdigit()
    assert all(a.code_set != b.code_set for a, b in pairwise(parts))
    # Never longer than without code set C.
    assert len(code128.values(parts)) <= len(text) + 3


@given(text=ASCII)
def test_what_is_drawn_reads_as_the_text(text):
    bars = code128.modules(code128.values(code128.runs(text)))
    row = [255] * 40 + [0 if bar else 255 for bar in bars for _ in range(2)] + [255] * 40
    picture = Image.new("L", (len(row), 40))
    picture.putdata(row * 40)
    [found] = zxingcpp.read_barcodes(picture)
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("12", [(CodeSet.C, "12")]),
        ("123", [(CodeSet.B, "123")]),
        ("1234", [(CodeSet.C, "1234")]),
        ("12345", [(CodeSet.B, "1"), (CodeSet.C, "2345")]),
        ("A1234B", [(CodeSet.B, "A1234B")]),
        ("A123456B", [(CodeSet.B, "A"), (CodeSet.C, "123456"), (CodeSet.B, "B")]),
        ("A1234", [(CodeSet.B, "A"), (CodeSet.C, "1234")]),
        ("1234A", [(CodeSet.C, "1234"), (CodeSet.B, "A")]),
    ],
)
def test_runs(text, parts):
    assert code128.runs(text) == tuple(Run(*part) for part in parts)


@pytest.mark.parametrize("text", ["", "ä", "a\x1d", "a\x7f", "١٢٣٤"])
def test_what_cannot_be_said(text):
    with pytest.raises(ValueError, match="printable ASCII"):
        code128.runs(text)
