"""The known models, as systemd's own database reads them."""

import re
import shutil
import subprocess

import pytest

from tests.udev.files import HWDB, ROLES, models

FOUND = models(HWDB.read_text())
TOOL = shutil.which("systemd-hwdb")

ADAPTERS = {
    "0403": "FTDI",
    "10C4": "Silicon Labs CP210x",
    "1A86": "WCH CH340",
    "067B": "Prolific PL2303",
    "9710": "MosChip",
    "0557": "ATEN",
}
"""Makers of adapters: what hangs on one, its id does not say."""


def test_every_id_is_written_as_a_modalias_once():
    patterns = [model.pattern for model in FOUND]
    assert len(set(patterns)) == len(patterns) > 50
    for pattern in patterns:
        # A whole maker only with a class; hwdb(7): hexadecimal digits are upper case.
        assert re.fullmatch(
            r"usb:v[0-9A-F]{4}p([0-9A-F]{4}\*(ic07\*)?|\*ic(03|07)\*|\*ic02isc02\*)", pattern
        ), pattern


def test_every_role_is_one_of_ours_and_has_a_model():
    assert {model.role for model in FOUND} == set(ROLES)


def test_no_adapter_is_a_known_model():
    makers = {model.pattern[5:9] for model in FOUND}
    assert makers.isdisjoint(ADAPTERS)


def test_every_group_names_its_source():
    groups = re.split(r"\n\n", HWDB.read_text())
    groups = [group for group in groups if "\nusb:" in group]
    assert len(groups) > 8
    for group in groups:
        assert re.search(r"\[usb\.ids.*\]|as\s+(#\s+)?the(ir)?\s+(#\s+)?owners' lsusb\s", group), (
            group
        )


needs_tool = pytest.mark.skipif(TOOL is None, reason="there is no systemd-hwdb (Debian: udev)")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A file system that holds nothing but our database."""
    assert TOOL is not None
    root = tmp_path_factory.mktemp("root")
    folder = root / "etc/udev/hwdb.d"
    folder.mkdir(parents=True)
    shutil.copy(HWDB, folder)
    done = subprocess.run(
        [TOOL, "--strict", "--root", root, "update"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

    def query(modalias: str) -> str:
        asked = [TOOL, "--root", root, "query", modalias]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    return query


@needs_tool
@pytest.mark.parametrize(
    ("modalias", "role"),
    [
        # Epson TM-T88IV, which says "vendor specific" where others say "printer"
        ("usb:v04B8p0202d0100dc00dsc00dp00icFFisc00ip00in00", "printer"),
        ("usb:v0519p0003d0100dc00dsc00dp00ic07isc01ip02in00", "printer"),
        # Star's player is no printer
        ("usb:v0519pC002d0100dc00dsc00dp00ic08isc06ip50in00", ""),
        # an Epson for the office
        ("usb:v04B8p0803d0100dc00dsc00dp00ic07isc01ip02in00", ""),
        ("usb:v0416p5011d0200dc00dsc00dp00ic07isc01ip02in00", "printer"),
        # the same chip as a serial port
        ("usb:v0416p5011d0200dc02dsc00dp00ic02isc02ip01in00", ""),
        ("usb:v0C2Ep0B61d4010dc00dsc00dp00ic03isc01ip01in00", "scanner"),
        ("usb:v05E0p1701d0100dc02dsc00dp00ic02isc02ip01in00", "scanner"),
        ("usb:v05E0p0800d0100dc00dsc00dp00icFFisc00ip00in00", ""),  # a radio card
        ("usb:v1EABp0106d0100dc02dsc02dp01ic02isc02ip01in00", "scanner"),
        ("usb:v11CAp0220d0100dc02dsc00dp00ic02isc02ip01in00", "terminal"),
        ("usb:v079Bp0028d0100dc02dsc00dp00ic02isc02ip01in00", "terminal"),
        ("usb:v079Bp0024d0100dc02dsc00dp00ic02isc02ip01in00", ""),  # a fingerprint sensor
        ("usb:v2912p0005d0100dc02dsc00dp00ic02isc02ip01in00", "fiscal"),
        ("usb:v2912p20C8d0100dc00dsc00dp00ic01isc01ip00in00", ""),  # an audio interface
        ("usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00", ""),  # a keyboard
        ("usb:v0403p6001d0600dc00dsc00dp00icFFiscFFipFFin00", ""),
        ("usb:v1A86p7523d0264dc00dsc00dp00icFFisc01ip02in00", ""),
    ],
)
def test_a_device_is_known_or_it_is_not(database, modalias, role):
    assert database(modalias) == (f"KASSA_ROLE={role}\n" if role else "")


@needs_tool
def test_every_id_is_found_in_the_database(database):
    for model in FOUND:
        modalias = (
            model.pattern.replace("p*", "p0001*").replace("*", "x", 1).replace("*", "ip01in00")
        )
        assert database(modalias) == f"KASSA_ROLE={model.role}\n", model
