"""The keyboard that loses no key; what a real kernel makes of it: test_guest.py."""

from __future__ import annotations

import pytest

from tests.image.usb_far_end import machine_of
from tests.image.usb_keyboard import (
    MOST_WAITING,
    KeyboardGone,
    UsbKeyboard,
    chord_of,
    reports_of,
)
from tests.image.usbredir import Kind, Packet, Status

PRESS_A, RELEASE = bytes.fromhex("0000040000000000"), bytes(8)


@pytest.fixture
def keyboard(tmp_path):
    with UsbKeyboard(tmp_path / "keyboard") as keyboard:
        yield keyboard
    assert keyboard.defects == []


@pytest.fixture
def machine(keyboard):
    with machine_of(keyboard) as machine:
        machine.expect_device()
        yield machine


def listen(machine):
    machine.configure()
    machine.send(Packet(Kind.START_INTERRUPT_RECEIVING, 6, b"\x81"))
    assert machine.next() == Packet(Kind.INTERRUPT_RECEIVING_STATUS, 6, b"\0\x81")


def test_each_key_is_pressed_and_let_go():
    assert reports_of("a") == [PRESS_A, RELEASE]
    keys = {"A": "020004", "z": "00001d", "1": "00001e", "0": "000027", "\n": "000028",
            " ": "00002c", "-": "00002d", "_": "02002d", "\\": "000031", "|": "020031",
            ";": "000033", "/": "000038", "?": "020038", "@": "02001f"}  # fmt: skip
    assert {key: reports_of(key)[0][:3].hex() for key in keys} == keys
    for odd in ("ß", "\r", "\0"):
        with pytest.raises(ValueError, match="no key"):
            reports_of(odd)


def test_keys_that_are_held_together() -> None:
    assert chord_of("ctrl", "o")[0].hex() == "0100120000000000"
    assert chord_of("ctrl", "shift", "f12")[0].hex() == "0300450000000000"
    assert chord_of("f1") == [bytes.fromhex("00003a0000000000"), RELEASE]
    with pytest.raises(KeyError):
        chord_of("hyper")


def test_what_is_typed_arrives_in_its_order(keyboard, machine):
    listen(machine)
    keyboard.type("a")
    keyboard.type("b")
    heard = [machine.next() for _ in range(4)]
    assert [packet.kind for packet in heard] == [Kind.INTERRUPT] * 4
    assert [packet.number for packet in heard] == [1, 2, 3, 4]
    assert heard[0].body == b"\x81\0\x08\0" + PRESS_A
    assert heard[1].body == b"\x81\0\x08\0" + RELEASE


def test_nobody_types_into_the_air(keyboard, machine):
    def expect_gone():
        assert not keyboard.is_listened_to
        with pytest.raises(KeyboardGone):
            keyboard.type("a")

    expect_gone()
    machine.send(Packet(Kind.START_INTERRUPT_RECEIVING, 6, b"\x81"))
    refused = Packet(Kind.INTERRUPT_RECEIVING_STATUS, 6, bytes((Status.INVAL, 0x81)))
    assert machine.next() == refused
    expect_gone()
    listen(machine)
    assert keyboard.is_listened_to
    machine.send(Packet(Kind.STOP_INTERRUPT_RECEIVING, 7, b"\x81"))
    assert machine.next() == Packet(Kind.INTERRUPT_RECEIVING_STATUS, 7, b"\0\x81")
    expect_gone()
    listen(machine)
    keyboard.unplug()
    assert machine.next().kind == Kind.DEVICE_DISCONNECT
    expect_gone()
    keyboard.plug()
    machine.expect_device()
    listen(machine)
    with pytest.raises(ValueError, match="too many"):
        keyboard.type("a" * MOST_WAITING)
    assert machine.is_quiet()


def test_what_it_says_of_itself(machine):
    machine.configure()
    _, configuration = machine.control(0x80, 6, 0x0200)
    assert len(configuration) == 34
    status, report = machine.control(0x81, 6, 0x2200)
    assert (status, len(report)) == (Status.SUCCESS, configuration[25])
    assert machine.control(0x21, 0x0A) == (Status.SUCCESS, b"")  # Set_Idle
    assert machine.control(0xA1, 1) == (Status.SUCCESS, RELEASE)
    assert machine.control(0xA1, 3)[0] == Status.STALL  # Get_Protocol
