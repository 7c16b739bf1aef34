"""What devices say of themselves, and what is made of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import usb_ids
from appliance.protocols.escpos.profiles import PROFILES
from appliance.protocols.usb_ids import KEYS, PRINTER_CLASS, SERIAL, Said
from tests.udev.files import HWDB, models

EPSON = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20III;CLS:PRINTER;DES:EPSON TM-T20III;"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (Said(0x04B8, 0x0E28, PRINTER_CLASS, ieee1284=EPSON), "Epson TM-T20III"),
        # one id for several models: the printer's own word counts
        (
            Said(0x04B8, 0x0E28, PRINTER_CLASS, ieee1284="MANUFACTURER: EPSON; MODEL: TM-m30;"),
            "Epson TM-m30",
        ),
        (Said(0x04B8, 0x0E28, PRINTER_CLASS), "Epson TM-T20III"),
        (Said(0x0416, 0x5011, PRINTER_CLASS, ieee1284="MFG:Xprinter;MDL:XP-80"), "Xprinter XP-80"),
        (Said(0x1209, 1, PRINTER_CLASS, maker="ACME", product="ACME Print"), "ACME Print"),
        (Said(0x1209, 1, PRINTER_CLASS, product="Print"), "Print"),
        (Said(0x0C2E, 0x0B61, KEYS, maker="Hand Held", product="1450g"), "Honeywell 1450g"),
        (Said(0x11CA, 0x0220, SERIAL, "cdc_acm", product="V400m"), "Verifone V400m"),
        (Said(0x1A86, 0x7523, SERIAL, "ch341", product="USB Serial"), "CH340 (USB Serial)"),
        (Said(0x0403, 0x6001, SERIAL, "ftdi_sio"), "FTDI"),
        (Said(0x1209, 0xA, SERIAL, "cdc_acm"), "1209:000a"),
        (Said(0x1209, 1, SERIAL, "cdc_acm", product="\x00 \n\x1b"), "1209:0001"),
        (Said(0x1209, 1, SERIAL, "cdc_acm", product="a\x1b[31m  b"), "a [31m b"),
    ],
)
def test_a_device_has_the_name_that_people_know(said: Said, name: str) -> None:
    assert usb_ids.name(said) == name


TEXT = st.text(max_size=80)


@given(
    st.builds(
        Said,
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFF),
        st.sampled_from([PRINTER_CLASS, SERIAL, KEYS]),
        st.sampled_from(["", "ftdi_sio", "cdc_acm"]),
        TEXT,
        TEXT,
        TEXT,
    )
)
def test_whatever_a_device_says_its_name_can_be_shown(said: Said) -> None:
    name = usb_ids.name(said)
    assert name
    assert name.isprintable()
    assert len(name) <= usb_ids.LONGEST_NAME
    assert usb_ids.profile(said) in {"", *PROFILES}


def test_an_adapter_is_known_by_its_driver() -> None:
    assert usb_ids.is_adapter(Said(0x0403, 0x6001, SERIAL, "ftdi_sio"))
    assert not usb_ids.is_adapter(Said(0x11CA, 0x0220, SERIAL, "cdc_acm"))


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("TM-T20III", "epson-tm-80"),
        ("TM-T88VI", "epson-tm-t88"),
        ("tm-m10", "epson-tm-58"),
        ("POS-58", "generic-58"),
        ("LaserJet", ""),
    ],
)
def test_a_model_that_is_known_has_its_profile(model: str, profile: str) -> None:
    said = Said(0x1209, 1, PRINTER_CLASS, ieee1284=f"MDL:{model}")
    assert usb_ids.profile(said) == profile


def test_a_profile_is_also_known_by_the_id() -> None:
    assert usb_ids.profile(Said(0x04B8, 0x0E03, PRINTER_CLASS)) == "epson-tm-80"
    assert set(usb_ids._PROFILES.values()) <= set(PROFILES)


@pytest.mark.parametrize(
    ("serial", "is_one"),
    [
        ("", False),
        ("0001", False),
        ("00000000", False),
        ("123456", False),
        ("0123456789ABCDEF", False),
        ("X1234", True),
        ("J7GK012345", True),
        ("A9X0ZK", True),
    ],
)
def test_a_number_that_a_whole_make_shares_tells_nobody_apart(serial: str, is_one: bool) -> None:
    assert usb_ids.tells_apart(serial) is is_one


def test_every_model_that_udev_knows_by_its_id_has_a_name_or_its_maker_has() -> None:
    chips = {0x0416, 0x0FE6, 0x0483, 0x6868, 0x0581}  # of many makers: their own words count
    known = {maker for maker, _ in usb_ids._MODELS}
    for model in models(HWDB.read_text()):
        found = re.match(r"usb:v([0-9A-F]{4})p([0-9A-F]{4})?", model.pattern)
        assert found is not None, model
        vendor = int(found[1], 16)
        named = vendor in usb_ids._MAKERS or (vendor, int(found[2] or "0", 16)) in usb_ids._MODELS
        assert named or vendor in chips, model
    patterns = [model.pattern for model in models(HWDB.read_text())]
    for vendor in known | set(usb_ids._MAKERS):
        assert any(pattern.startswith(f"usb:v{vendor:04X}p") for pattern in patterns), hex(vendor)
    for vendor, product in usb_ids._MODELS:
        assert f"usb:v{vendor:04X}p{product:04X}*" in patterns, (hex(vendor), hex(product))
