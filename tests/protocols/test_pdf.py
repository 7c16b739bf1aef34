"""The PDF that we write: its structure by ISO 32000-1, its text, and what is drawn."""

from __future__ import annotations

import re
import zlib

import pytest

from appliance.protocols import pdf


def contents(data: bytes) -> list[bytes]:
    return [zlib.decompress(s) for s in re.findall(rb"stream\n(.*?)\nendstream", data, re.S)]


def test_every_object_is_where_the_table_says() -> None:
    data = pdf.document([pdf.Page(), pdf.Page((100, 50))])
    assert data.startswith(b"%PDF-1.4\n")
    assert data.endswith(b"%%EOF\n")
    table = int(data.rpartition(b"startxref\n")[2].split()[0])
    assert data[table:].startswith(b"xref\n0 9\n")
    places = re.findall(rb"^(\d{10}) 00000 n $", data[table:], re.M)
    assert len(places) == 8
    for number, place in enumerate(places, 1):
        assert data[int(place) :].startswith(b"%d 0 obj\n" % number)
    assert b"/Count 2" in data
    assert b"/MediaBox [0 0 595.276 841.890]" in data
    assert b"/MediaBox [0 0 283.465 141.732]" in data
    for length, stream in re.findall(rb"/Length (\d+).*?stream\n(.*?)\nendstream", data, re.S):
        assert int(length) == len(stream)


def test_a_document_has_a_page() -> None:
    with pytest.raises(AssertionError):
        pdf.document([])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a (b) \\", rb"a \(b\) \\"),
        ("Größe 5 €", "Größe 5 €".encode("cp1252")),
        ("Дмитрий", b"Dmitriy"),
        ("a\nb", b"a b"),
    ],
)
def test_text_is_what_helvetica_has(text: str, shown: bytes) -> None:
    page = pdf.Page()
    page.text(25.4, 297 - 25.4, text, size=12, bold=True)
    assert contents(pdf.document([page])) == [b"BT /F2 12 Tf 72.000 72.000 Td (%b) Tj ET" % shown]


def test_a_box_stands_on_its_lower_left_corner() -> None:
    page = pdf.Page((254, 254))
    page.box(25.4, 25.4, 50.8, 12.7)
    page.text(0, 254, "x")
    assert (
        page.content()
        == b"72.000 612.000 144.000 36.000 re f\nBT /F1 9 Tf 0.000 0.000 Td (x) Tj ET"
    )
