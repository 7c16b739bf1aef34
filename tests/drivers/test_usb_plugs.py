"""What is plugged in, as the kernel and udev tell it."""

from __future__ import annotations

import itertools
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance import usb
from appliance.counter import adopt_rows
from appliance.drivers.usb_plugs import UsbPlugs
from appliance.ports import Plugged
from appliance.protocols.role_lines import MARK
from tests.udev.files import FOLDER
from tests.usb_tree import (
    ADAPTER,
    CONTROLLER,
    EPSON,
    FOUR_PORTS,
    KEYBOARD,
    MOUSE,
    SCANNER,
    VERIFONE,
    Bus,
    Device,
)


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path)


def at(port: str) -> str:
    return f"{CONTROLLER}-usb-0:{port}"


def test_nothing_is_there_where_nothing_is(bus: Bus) -> None:
    assert bus.plugs.look() == ()


def test_a_known_printer_serves_as_soon_as_it_is_there(bus: Bus) -> None:
    bus.plug("1.3", replace(EPSON, serial="X1234"))
    assert bus.plugs.look() == (
        Plugged(
            str(bus.dev / "usb/lp0"), "usbmisc", at("1.3:1.0"), "04b8:0e28", "X1234",
            "printer", "printer", "Epson TM-T20III", False, "epson-tm-80",
        ),
    )  # fmt: skip
    bus.unplug("1.3")
    assert bus.plugs.look() == ()


def test_an_adapter_is_nobody_by_itself_and_has_a_role_by_a_line(bus: Bus) -> None:
    bus.plug("2", ADAPTER)
    (found,) = bus.plugs.look()
    assert (found.role, found.serves, found.is_adapter) == ("", "", True)
    assert found.port == at("2:1.0-port0")
    bus.devices.write_text(f"{adopt_rows.wish('terminal', found, (found,))}\n")
    bus.settle()
    (found,) = bus.plugs.look()
    assert (found.role, found.serves) == ("terminal", "terminal")


def test_each_port_of_an_adapter_is_a_device_of_its_own(bus: Bus) -> None:
    bus.plug("2", replace(FOUR_PORTS, serial="FT4X9Z"))
    found = bus.plugs.look()
    assert [each.port for each in found] == [at(f"2:1.0-port{n}") for n in range(4)]
    third = found[2]
    assert "serial" not in adopt_rows.wish("terminal", third, found), "which all four have"
    bus.devices.write_text(f"{adopt_rows.wish('terminal', third, found)}\n")
    bus.settle()
    assert [each.serves for each in bus.plugs.look()] == ["", "", "terminal", ""]


def test_of_a_device_with_several_ports_it_is_the_first(bus: Bus) -> None:
    bus.plug("1", VERIFONE)
    (found,) = bus.plugs.look()
    assert (found.port, found.serves, found.name) == (at("1:1.0"), "terminal", "Verifone V400m")
    bus.devices.write_text("terminal port usb-0:1:1.1\n")
    bus.settle()
    (found,) = bus.plugs.look()
    assert (found.port, found.serves) == (at("1:1.1"), "terminal"), "but for a line"


def test_a_scanner_is_its_keyboard_and_an_ordinary_keyboard_is_none(bus: Bus) -> None:
    for port, device in (("1", KEYBOARD), ("2", MOUSE), ("3", SCANNER)):
        bus.plug(port, device)
    (found,) = bus.plugs.look()
    assert (found.name, found.port, found.serves) == ("Honeywell 1450g", at("3:1.0"), "scanner")


def test_a_scanner_that_an_administrator_names_is_one(bus: Bus) -> None:
    bus.plug("1", KEYBOARD)
    bus.devices.write_text("scanner model 046d:c31c\n")
    bus.settle()
    (found,) = bus.plugs.look()
    assert found.serves == "scanner"


def test_a_role_that_waits_is_nobodys(bus: Bus) -> None:
    bus.devices.write_text("printer ask\n")
    bus.plug("1", EPSON)
    (found,) = bus.plugs.look()
    assert (found.role, found.serves) == ("printer", "")


def test_what_udev_has_not_looked_at_is_not_there_yet(bus: Bus) -> None:
    bus.plug("1", EPSON)
    for data in bus.udev.iterdir():
        data.unlink()
    assert bus.plugs.look() == ()


@pytest.mark.parametrize("what", ["3-1/idVendor", "3-1/3-1:1.0/bInterfaceClass"])
def test_what_goes_while_it_is_looked_at_is_left_out(bus: Bus, what: str) -> None:
    bus.plug("1", EPSON)
    bus.plug("2", ADAPTER)
    (bus.sys / "devices/usb3" / what).unlink()
    assert [each.port for each in bus.plugs.look()] == [at("2:1.0-port0")]


def test_what_is_no_number_is_no_device(bus: Bus) -> None:
    bus.plug("1", EPSON)
    (bus.sys / "devices/usb3/3-1/idVendor").write_text("?")
    assert bus.plugs.look() == ()


def test_a_name_that_leads_nowhere_is_nobodys(bus: Bus) -> None:
    bus.plug("1", EPSON)
    bus.unplug("1")
    os.symlink("by-rank/printer-2-gone", bus.dev / "kassa/printer")
    bus.plugs.look()
    assert not [each for each in bus.plugs.look() if each.serves]


POOL: tuple[Device, ...] = (
    EPSON,
    replace(EPSON, serial="X1234"),
    replace(EPSON, serial="Y5678"),
    replace(EPSON, serial="0001"),
    ADAPTER,
    VERIFONE,
    SCANNER,
    KEYBOARD,
    MOUSE,
)
PORTS = ("1", "1.1", "1.2", "1.2.3", "2", "3.4")


@settings(max_examples=10, deadline=None)
@given(st.dictionaries(st.sampled_from(PORTS), st.sampled_from(POOL), max_size=4), st.data())
def test_whatever_is_plugged_in_and_in_whatever_order(
    devices: dict[str, Device], data: st.DataObject
) -> None:
    """The same devices at the same ports are the same list, but for the kernel's numbers; and a
    line that we would write means the device that it was written for, and no other."""
    lists = []
    for ports in (sorted(devices), data.draw(st.permutations(sorted(devices)))):
        with tempfile.TemporaryDirectory() as folder:
            bus = Bus(Path(folder))
            for port in ports:
                bus.plug(port, devices[port], settles=False)
            bus.settle()
            found = bus.plugs.look()
            lists.append([replace(each, node="") for each in found])
            assert len(found) == len([d for d in devices.values() if d not in (KEYBOARD, MOUSE)])
            if not found:
                continue
            each = data.draw(st.sampled_from(found))
            role = each.role or "terminal"
            bus.devices.write_text(f"{adopt_rows.wish(role, each, found)}\n")
            bus.settle()
            serving = [one.node for one in bus.plugs.look() if one.serves == role]
            assert serving == [each.node], adopt_rows.wish(role, each, found)
    assert lists[0] == lists[1]


def test_two_alike_are_told_apart_by_port_whatever_came_first(tmp_path: Path) -> None:
    for number, ports in enumerate(itertools.permutations(["1.1", "1.2", "2"])):
        bus = Bus(tmp_path / str(number))
        bus.folder.mkdir()
        for port in ports:
            bus.plug(port, EPSON)
        bus.devices.write_text("printer port usb-0:1.2 04b8:0e28\n")
        bus.settle()
        assert [each.serves for each in bus.plugs.look()] == ["", "printer", ""]
        # gone: nobody else gets the role; another model in its place does not either
        bus.unplug("1.2")
        assert [each.serves for each in bus.plugs.look()] == ["", ""]
        bus.plug("1.2", replace(EPSON, model=0x0202, ieee1284=""))
        assert not any(each.serves for each in bus.plugs.look())


def test_the_listing_says_what_is_what(bus: Bus) -> None:
    assert usb.told(bus.plugs) == "nothing is plugged in that could have a role"
    bus.plug("1", replace(EPSON, serial="X1234"))
    bus.plug("2", replace(EPSON, serial="Y5678"))
    bus.plug("3", ADAPTER)
    assert usb.told(bus.plugs).replace(str(bus.dev), "/dev").splitlines() == [
        "Epson TM-T20III (04b8:0e28, printer) /dev/usb/lp0: in service as printer",
        '    printer serial X1234 04b8:0e28; suits it: profile = "epson-tm-80"',
        "Epson TM-T20III (04b8:0e28, printer) /dev/usb/lp1: a printer, not chosen: "
        f"{at('1:1.0')} is",
        '    printer serial Y5678 04b8:0e28; suits it: profile = "epson-tm-80"',
        "CH340 (USB Serial) (1a86:7523, serial port) /dev/ttyUSB2: unknown: only a line of "
        "/etc/kassa/devices gives it a role",
        f"    ROLE port {at('3:1.0-port0')} 1a86:7523",
    ]


def test_the_listing_says_what_was_confirmed_at_the_counter(bus: Bus) -> None:
    bus.plug("1", replace(EPSON, serial="X1234"))
    line = "printer serial X1234 04b8:0e28"
    for text, says in (("", ""), (f"{line} {MARK}\n", ", adopted at the counter"), (line, "")):
        bus.devices.write_text(text)
        bus.settle()
        assert usb.told(bus.plugs).split("\n")[0].endswith(f": in service as printer{says}")


def test_it_looks_where_a_system_has_these(tmp_path: Path) -> None:
    plugs = UsbPlugs()
    assert (plugs.sysfs, plugs.dev, plugs.udev) == (
        Path("/sys"), Path("/dev"), Path("/run/udev/data"),
    )  # fmt: skip
    assert 'SYMLINK+="kassa/by-port/' in (FOLDER / "65-kassa.rules").read_text()
