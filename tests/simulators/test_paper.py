import io
import xml.etree.ElementTree as ET

import pytest
import zxingcpp
from PIL import Image

from appliance.protocols.escpos import code128
from appliance.simulators import paper_drawing
from appliance.simulators.paper import (
    BarcodeMark,
    Blank,
    Paper,
    QrMark,
    Raster,
    Side,
    Span,
    TextLine,
)

CODE = "P-4820010123456"
PAPER = Paper(
    48,
    576,
    (
        TextLine((Span('Shop <&> "Ä"', bold=True, width=2, height=2),), Side.CENTER),
        TextLine((Span("tall", height=2), Span("wide", width=2), Span("low", underline=True))),
        TextLine((Span("─" * 48),)),
        TextLine((Span("left"), Span("bold", bold=True))),
        TextLine((Span("right"),), Side.RIGHT),
        Blank(60),
        QrMark("https://shop.example/ü".encode(), 5, "M", Side.CENTER),
        Blank(60),
        BarcodeMark(CODE, tuple(code128.values(code128.runs(CODE))), 2, 80, True, Side.CENTER),
        Blank(60),
        Raster(16, (b"\xff\x00", b"\x00\xff"), Side.RIGHT),
    ),
)


def test_text():
    assert PAPER.text().splitlines() == [
        '            Shop <&> "Ä"',
        "tallwidelow",
        "─" * 48,
        "leftbold",
        " " * 43 + "right",
        "",
        "",
        "          [QR https://shop.example/ü]",
        "",
        "",
        "           [Code 128 P-4820010123456]",
        "",
        "",
        "                  [image 16x2]",
        "8<".center(48, "-"),
    ]
    assert Paper(4, 48, is_cut=False).text() == "~~~~\n"


def test_what_is_on_it():
    assert PAPER.lines[:2] == ['Shop <&> "Ä"', "tallwidelow"]
    assert PAPER.qr_texts == ["https://shop.example/ü"]
    assert PAPER.barcodes == [CODE]


def test_the_png_can_be_scanned_and_has_the_papers_width():
    picture = Image.open(io.BytesIO(paper_drawing.png(PAPER)))
    assert picture.width == 576 + 2 * paper_drawing.MARGIN_DOTS
    found = {code.text for code in zxingcpp.read_barcodes(picture.convert("L"))}
    assert found == {"https://shop.example/ü", CODE}


def test_the_svg_is_xml_with_all_text_escaped():
    root = ET.fromstring(paper_drawing.svg(PAPER))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == 'Shop <&> "Ä"'
    assert CODE in texts
    assert "─" * 48 not in texts, "a rule is a line"
    width, height = (int(root.attrib[name]) for name in ("width", "height"))
    assert root.attrib["viewBox"] == f"0 0 {width} {height}"


def test_svg_and_png_agree_about_their_size():
    root = ET.fromstring(paper_drawing.svg(PAPER))
    picture = Image.open(io.BytesIO(paper_drawing.png(PAPER)))
    assert picture.size == (int(root.attrib["width"]), int(root.attrib["height"]))


@pytest.mark.parametrize("character", ["M", "Ж", "ё", "€", "«"])
def test_characters_are_drawn_in_their_columns(character):
    """The dots of a lone character are in its own cell and nowhere else."""
    column = 7
    paper = Paper(48, 576, (TextLine((Span(" " * column + character),)),))
    picture = (
        Image.open(io.BytesIO(paper_drawing.png(paper)))
        .convert("L")
        .point(lambda v: 255 * (v < 128))
    )
    margin = paper_drawing.MARGIN_DOTS
    box = picture.getbbox()
    assert box
    left, _, right, _ = box
    assert margin + column * 12 - 1 <= left < right <= margin + (column + 1) * 12 + 1


def test_it_draws_without_dejavu_too(monkeypatch, tmp_path):
    monkeypatch.setattr(paper_drawing, "_FONTS", tmp_path)
    paper_drawing._font.cache_clear()
    try:
        picture = Image.open(io.BytesIO(paper_drawing.png(PAPER)))
        assert {code.text for code in zxingcpp.read_barcodes(picture.convert("L"))}
    finally:
        paper_drawing._font.cache_clear()
