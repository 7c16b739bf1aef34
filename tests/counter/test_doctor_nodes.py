"""What the doctor says of a device's node, and of the machine's own answers."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from appliance.counter import doctor_machine
from appliance.counter.config_rules import NOWHERE, Address
from appliance.counter.doctor import Machine

SERIAL = Address("serial", path="/dev/kassa/terminal")


def node(root, address=SERIAL, **machine):
    return doctor_machine.node("terminal", address, Machine(root=root, **machine))


def test_a_node_that_is_there(tmp_path):
    device, other_end = os.openpty()
    try:
        (tmp_path / "dev/kassa").mkdir(parents=True)
        (tmp_path / "dev/kassa/terminal").symlink_to(os.ttyname(other_end))
        assert node(tmp_path) is None
    finally:
        os.close(device)
        os.close(other_end)


@pytest.mark.parametrize(
    "address", [Address("tcp", host="h", port=1), Address("file", path="/x"), NOWHERE]
)
def test_what_has_no_node(tmp_path, address):
    assert node(tmp_path, address) is None


@pytest.mark.parametrize(
    ("scheme", "there", "named"),
    [
        ("serial", ["dev/serial/by-id/usb-FTDI_1", "dev/ttyUSB0"], "/dev/serial/by-id/usb-FTDI_1"),
        ("serial", ["dev/ttyACM0", "dev/ttyACM1"], "/dev/ttyACM0, /dev/ttyACM1"),
        ("serial", [f"dev/ttyUSB{n}" for n in range(6)], "/dev/ttyUSB3 and 2 more"),
        ("usb", ["dev/usb/lp1"], "/dev/usb/lp1"),
        ("evdev", ["dev/input/by-id/a-event-kbd", "dev/input/by-id/b"], "by-id/a-event-kbd"),
        ("evdev", ["dev/input/by-id/b-event-mouse"], "/dev/input/by-id/b-event-mouse"),
        ("usb", [], "no other device of its sort is there"),
    ],
)
def test_an_absent_device_and_what_is_there_instead(tmp_path, scheme, there, named):
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = node(tmp_path, Address(scheme, path="/dev/kassa/terminal"))
    assert found is not None
    assert found.what == "/dev/kassa/terminal is not there"
    assert found.fix.endswith(named)
    if there:
        assert f'set [terminal] address to "{scheme}:"' in found.fix


def test_a_name_that_leads_nowhere(tmp_path):
    (tmp_path / "dev/kassa").mkdir(parents=True)
    (tmp_path / "dev/kassa/terminal").symlink_to("../ttyUSB0")
    found = node(tmp_path)
    assert found is not None
    assert found.what == "/dev/kassa/terminal leads to ../ttyUSB0, which is gone"


def test_a_file_is_no_device(tmp_path):
    (tmp_path / "dev/kassa").mkdir(parents=True)
    (tmp_path / "dev/kassa/terminal").touch()
    found = node(tmp_path)
    assert found is not None
    assert found.what == "/dev/kassa/terminal is no device"


@pytest.mark.parametrize(
    ("group", "mode", "said"),
    [
        (20, 0o660, "sudo usermod -aG dialout 4242, then sudo systemctl restart kassa"),
        (0, 0o660, "its group root may not use it: install Kassa's udev rules"),
        (20, 0o640, "its group dialout may not use it"),
    ],
)
def test_a_node_without_permission(tmp_path, monkeypatch, group, mode, said):
    device, other_end = os.openpty()
    names = {20: "dialout", 0: "root"}
    monkeypatch.setattr(doctor_machine, "group_name", lambda number: names[number])
    try:
        was = os.fstat(other_end)
        status = list(was)
        status[0], status[5] = (was.st_mode & ~0o777) | mode, group
        (tmp_path / "dev/kassa").mkdir(parents=True)
        (tmp_path / "dev/kassa/terminal").symlink_to(os.ttyname(other_end))
        monkeypatch.setattr(Path, "stat", lambda *_, **__: os.stat_result(status))
        found = node(tmp_path, usable=lambda _: False, user=lambda: 4242)
    finally:
        monkeypatch.undo()
        os.close(device)
        os.close(other_end)
    assert found is not None
    assert found.fix.startswith(said)


def test_names_of_users_and_groups_that_have_none():
    assert doctor_machine.user_name(0) == doctor_machine.group_name(0) == "root"
    assert doctor_machine.user_name(3_999_999) == doctor_machine.group_name(3_999_999) == "3999999"


def test_the_real_steps_of_the_way():
    machine = Machine()
    machine.resolve("127.0.0.1", 1)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        machine.dial("127.0.0.1", port)
    with pytest.raises(OSError, match="refused"):
        machine.dial("127.0.0.1", port)
    assert machine.free_bytes(Path("/")) >= 0
