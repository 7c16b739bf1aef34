"""Documents to bytes, read back by the simulated printer's own interpreter."""

import io
import re

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from appliance.domain.receipt import Align, Barcode, Document, Feed, Pair, Qr, Rule, Text
from appliance.protocols.escpos import PROFILES, Encoder, ending
from appliance.protocols.escpos.profiles import Cut
from appliance.simulators import paper_drawing
from appliance.simulators.escpos_printer import papers_of
from appliance.simulators.paper import BarcodeMark, QrMark, Raster, Side, TextLine

ENCODERS = {name: Encoder(profile) for name, profile in PROFILES.items()}
NAMES = st.sampled_from(sorted(PROFILES))
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
SIZES = st.sampled_from([1, 1, 1, 2, 0, 99])
ELEMENTS = st.one_of(
    st.builds(Text, ANY_TEXT, st.sampled_from(Align), st.booleans(), SIZES),
    st.builds(Pair, ANY_TEXT, ANY_TEXT, st.booleans(), SIZES),
    st.just(Rule()),
    st.builds(Feed, st.integers(-1, 300)),
    st.builds(Qr, ANY_TEXT),
    st.builds(Barcode, ANY_TEXT | ASCII),
)
# DLE EOT 1 to 4, DLE ENQ, DLE DC4: obeyed wherever they stand.
REAL_TIME = re.compile(rb"\x10[\x04\x05\x14]")


def printed(name: str, *elements, **options):
    data = b"".join(ENCODERS[name].encode(Document(elements), **options))
    papers, defects = papers_of(data, name)
    assert defects == []
    [paper] = papers
    return paper


@given(elements=st.lists(ELEMENTS, max_size=5), name=NAMES)
def test_any_document_is_one_sound_paper(elements, name):
    encoder = ENCODERS[name]
    segments = encoder.encode(Document((*elements, Text("end"))), process_id=b"0001")
    data = b"".join(segments)
    if PROFILES[name].process_id:
        papers, defects = papers_of(data, name)
        assert defects == []
    else:
        # Asked of a printer without process ids, which is the driver's fault and no other.
        papers, defects = papers_of(data.removesuffix(segments[-1]), name)
        assert defects == []
    # One paper, cut where there is a cutter; and no text could do anything but be printed.
    if PROFILES[name].cut is not Cut.NONE:
        [paper] = papers
        assert paper.is_cut
    assert papers[-1].lines[-1] == "end"
    assert not REAL_TIME.search(data)
    assert all(segments), "no segment is empty"


@given(elements=st.lists(ELEMENTS, max_size=5), name=NAMES)
def test_segments_are_whole_commands(elements, name):
    """Else a question between two of them would become a parameter of the first."""
    whole: list[str] = []
    for segment in ENCODERS[name].encode(Document(tuple(elements))):
        _, defects = papers_of(segment, name)
        whole += [defect for defect in defects if "inside" in defect]
    assert whole == []


@pytest.mark.parametrize("name", PROFILES)
def test_an_injected_command_is_only_text(name):
    evil = "\x1bp\x00\x19\x19\x1d\x56\x00\x10\x14\x01\x00\x01\x1b@ free goods\r\n\x0c"
    paper = printed(name, Text(evil), Pair(evil, evil), Qr(evil), Barcode(evil))
    assert paper.lines[0] == "pV@ free goods"


def test_styles():
    paper = printed(
        "epson-tm-80",
        Text("plain"),
        Text("big", Align.CENTER, bold=True, size=2),
        Text("right", Align.RIGHT),
        Pair("total", "1,00", bold=True),
        Text("plain again"),
    )
    lines = [mark for mark in paper.marks if isinstance(mark, TextLine)]
    styles = [
        (line.side, line.spans[0].bold, line.spans[0].width, line.spans[0].height) for line in lines
    ]
    assert styles == [
        (Side.LEFT, False, 1, 1),
        (Side.CENTER, True, 2, 2),
        (Side.RIGHT, False, 1, 1),
        (Side.LEFT, True, 1, 1),
        (Side.LEFT, False, 1, 1),
    ]


def test_a_style_is_not_said_twice():
    one = b"".join(ENCODERS["epson-tm-80"].encode(Document((Text("a"),))))
    two = b"".join(ENCODERS["epson-tm-80"].encode(Document((Text("a"), Text("a")))))
    assert len(two) - len(one) == len(b"a\n")


@pytest.mark.parametrize("name", PROFILES)
def test_columns_rules_and_amounts(name):
    columns = PROFILES[name].columns
    paper = printed(
        name,
        Rule(),
        Pair("x" * 200, "1 234,50"),
        Text(" ".join(["y" * (columns // 2)] * 2), size=2),
        Pair("Total", "123 456 789 012,50 EUR", size=2),
    )
    assert paper.lines[0] == "─" * columns
    amount = next(line for line in paper.lines if line.endswith("1 234,50"))
    assert len(amount) <= columns
    assert [line for line in paper.lines if set(line) == {"y"}] == ["y" * (columns // 2)] * 2
    last = [mark for mark in paper.marks if isinstance(mark, TextLine)][-1]
    assert last.text.endswith("123 456 789 012,50 EUR"), "whole"
    assert last.columns == columns // last.spans[0].width * last.spans[0].width


def test_an_amount_wider_than_double_size_allows_is_printed_small():
    paper = printed("generic-58", Pair("Total", "123 456 789,50 EUR", size=2))
    [line] = [mark for mark in paper.marks if isinstance(mark, TextLine)]
    assert line.spans[0].width == 1


def test_a_word_wider_than_double_size_allows_is_printed_small_and_whole():
    paper = printed("generic-58", Text("Bestellung DE-2025-10-0001042-B", bold=True, size=2))
    [line] = [mark for mark in paper.marks if isinstance(mark, TextLine)]
    assert line.text == "Bestellung DE-2025-10-0001042-B"
    assert line.spans[0].width == 1


def codes_read(paper) -> list[str]:
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(paper_drawing.png(paper))).convert("L"))
    return [code.text for code in found]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("text", ["https://shop.example/o/4711?k=Ключ", "A", "x" * 300, "ы" * 150])
def test_qr_codes_read_as_their_text(name, text):
    paper = printed(name, Qr(text))
    native = [mark for mark in paper.marks if isinstance(mark, QrMark)]
    images = [mark for mark in paper.marks if isinstance(mark, Raster)]
    assert (len(native), len(images)) == ((1, 0) if PROFILES[name].native_qr else (0, 1))
    assert codes_read(paper) == [text]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize(
    "text", ["A-100482", "{weird} \\~|", "4820010123456", "1604010216", "x" * 12, "0" * 26]
)
def test_barcodes_read_as_their_text(name, text):
    paper = printed(name, Barcode(text))
    assert codes_read(paper) == [text]
    shown = [*paper.lines, *paper.barcodes]
    assert text in shown, "in characters too, below"


def test_digits_that_would_be_a_real_time_command_go_as_an_image():
    # Pairs of digits are sent as bytes: 16 04 01 would be DLE EOT 1.
    for text, kind in (("16040104", Raster), ("12040104", BarcodeMark)):
        paper = printed("epson-tm-80", Barcode(text))
        assert any(isinstance(mark, kind) for mark in paper.marks)


@pytest.mark.parametrize("name", PROFILES)
def test_a_barcode_too_wide_for_the_paper_becomes_a_qr_code(name):
    text = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
    paper = printed(name, Barcode(text))
    assert codes_read(paper) == [text]
    assert "".join(paper.lines) == text
    assert not paper.barcodes


def test_a_barcode_of_other_characters_becomes_a_qr_code():
    assert codes_read(printed("epson-tm-80", Barcode("Заказ 7"))) == ["Заказ 7"]


@pytest.mark.parametrize(("name", "length"), [("generic-58", 3000), ("epson-tm-80", 3000)])
def test_a_qr_code_that_cannot_be_is_its_text(name, length):
    paper = printed(name, Qr("q" * length))
    assert "".join(paper.lines) == "q" * length


def test_an_empty_code_is_an_empty_line():
    assert printed("epson-tm-80", Text("a"), Qr(""), Barcode("")).lines == ["a"]


@pytest.mark.parametrize("name", PROFILES)
def test_the_drawer_opens_only_when_asked(name):
    document = Document((Text("a"),))
    kick = b"\x1bp"
    assert kick not in b"".join(ENCODERS[name].encode(document))
    assert kick in b"".join(ENCODERS[name].encode(document, drawer=True))


@pytest.mark.parametrize("name", PROFILES)
def test_cutting_first_leaves_the_torn_one_alone(name):
    encoder = ENCODERS[name]
    document = Document((Text("whole"),))
    torn = b"".join(encoder.encode(Document((Text("torn"),)))[:-1])
    papers, defects = papers_of(torn + b"".join(encoder.encode(document, cut_first=True)), name)
    assert defects == []
    assert [paper.lines for paper in papers] == [["torn"], ["whole"]]


@pytest.mark.parametrize("name", PROFILES)
def test_the_ending_ends_whatever_broke_off(name):
    """A line that is lost anywhere in a receipt must not cost the next one."""
    evil = Document((Text("a"), Qr("q" * 200), Barcode("16040104"), Barcode("A-1"), Text("b")))
    data = b"".join(ENCODERS[name].encode(evil))
    after = ending(PROFILES[name]) + b"".join(ENCODERS[name].encode(Document((Text("whole"),))))
    for at in {*range(1, len(data), max(1, len(data) // 200)), *range(1, 40)}:
        papers, _ = papers_of(data[:at] + after, name)
        assert "whole" in papers[-1].lines, data[:at][-20:]


def test_the_preferred_page_is_used():
    profile = PROFILES["generic-80"]
    document = Document((Text("Ёлка"),))
    data = b"".join(Encoder(profile, "cp866").encode(document))
    assert "Ёлка".encode("cp866") + b"\n" in data
    assert data.count(b"\x1bt") == 1
    with pytest.raises(KeyError):
        Encoder(profile, "cp1251")


def test_nothing_is_written_to_our_own_output(capfd):
    """python-escpos has several prints; none of the ways that are used may come by one."""
    for name in PROFILES:
        Encoder(PROFILES[name]).encode(
            Document((Text("a"), Qr("b"), Barcode("cde"), Barcode("16040104"), Feed(2), Rule()))
        )
    assert capfd.readouterr() == ("", "")
