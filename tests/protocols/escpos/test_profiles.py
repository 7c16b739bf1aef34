"""The table against python-escpos's own database of printers, which we do not use otherwise."""

import codecs
import json
from pathlib import Path

import escpos
import pytest

from appliance.protocols.escpos.profiles import DEFAULT, PROFILES

DATABASE = json.loads(
    (Path(escpos.__file__).parent / "capabilities.json").read_text(encoding="utf-8")
)["profiles"]
COUNTERPARTS = {
    "epson-tm-80": "TM-T20II",
    "epson-tm-t88": "TM-T88V",
    "epson-tm-58": "TM-T20II",
    "generic-80": "default",
    "generic-58": "POS-5890",
    "cyrillic-80": "default",
    "cyrillic-58": "POS-5890",
}


@pytest.mark.parametrize("name", PROFILES)
def test_code_pages_have_the_numbers_that_others_know(name):
    known = DATABASE[COUNTERPARTS[name]]["codePages"]
    for page, number in PROFILES[name].pages.items():
        assert known[str(number)] == page.upper()
        codecs.lookup(page)


@pytest.mark.parametrize("name", PROFILES)
def test_rows_are_sound(name):
    profile = PROFILES[name]
    assert profile.name == name
    assert profile.columns * 12 <= profile.dots < (profile.columns + 1) * 12, "font A is 12 wide"
    assert profile.dots % 8 == 0
    assert not (profile.process_id and profile.double_byte)


def test_the_default_is_there():
    assert DEFAULT in PROFILES
