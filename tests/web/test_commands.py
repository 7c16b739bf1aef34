"""The sheet of command barcodes: what a scanner reads is what the counter knows."""

from __future__ import annotations

import re

import numpy
import pytest
import zxingcpp
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from appliance.counter.commands import COMMAND_CODES
from web import LANGUAGES, code128, pages

BAR = re.compile(r"M(\d+) 0h(\d+)v40h-\2z")


def read(picture: str, scale: int = 3) -> tuple[str, str]:
    """What another maker's decoder sees in the SVG."""
    size = re.search(r'viewBox="0 0 (\d+) 40"', picture)
    assert size is not None
    pixels = numpy.full((40 * scale, int(size[1]) * scale), 255, numpy.uint8)
    for x, width in BAR.findall(picture):
        pixels[:, int(x) * scale : (int(x) + int(width)) * scale] = 0
    found = zxingcpp.read_barcode(pixels)
    assert found is not None
    return found.text, found.format.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_can_be_scanned_from_the_sheet(client: FlaskClient, language: str) -> None:
    client.set_cookie(pages.COOKIE, language)
    page = client.get("/commands").text
    pictures = re.findall(r'<svg class="barcode".*?</svg>', page, re.DOTALL)
    assert [read(picture) for picture in pictures] == [(c, "Code128") for c in COMMAND_CODES]
    assert f'<html lang="{language}">' in page


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40))
def test_any_text_is_read_back(text: str) -> None:
    assert read(str(code128.svg(text)))[0] == text


@pytest.mark.parametrize("text", ["", "x" * 41, "ä", "a\tb"])
def test_what_the_code_set_does_not_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        code128.values(text)
