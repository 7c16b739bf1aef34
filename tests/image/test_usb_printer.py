"""The printer on USB. The machine is played here packet by packet, as QEMU does it; and QEMU itself
sees the device (what a real kernel makes of it: test_guest.py)."""

from __future__ import annotations

import struct
import time
from dataclasses import replace

import pytest

from appliance.simulators.printer_faults import Fault
from tests.image import needs
from tests.image.hardware import DEBIANS_FIRMWARE, Hardware
from tests.image.qemu import Machine
from tests.image.usb_far_end import machine_of
from tests.image.usb_printer import usb_printer
from tests.image.usb_printer_function import EPSON, IN, OUT
from tests.image.usbredir import Kind, Packet, Status

WAIT_S = 10.0
CUT = b"\x1dV\x42\x00"


@pytest.fixture
def bench(tmp_path):
    with usb_printer(tmp_path / "usb", buffer_bytes=64) as (printer, cable):
        with machine_of(cable) as machine:
            machine.expect_device()
            machine.configure()
            yield printer, cable, machine
        assert cable.defects == []


def letters(printer):
    """All that it ever printed."""
    papers = [*printer.papers, printer.hanging]
    return "".join(letter for paper in papers for letter in paper.text() if letter.isalpha())


def wait_for(condition):
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.005)


def test_what_is_written_is_printed_and_asked_is_answered(bench):
    printer, _, machine = bench
    number = machine.write(b"Hello\n" + CUT)
    machine.expect_bulk(number, Status.SUCCESS, 10)
    wait_for(lambda: letters(printer) == "Hello")
    wanted = machine.want(64)
    number = machine.write(b"\x10\x04\x01")
    answers = {machine.next().number: 1, machine.next().number: 2}
    assert set(answers) == {wanted, number}


def test_an_answer_waits_until_it_is_wanted(bench):
    printer, _, machine = bench
    printer.set_fault(Fault.COVER_OPEN)
    machine.expect_bulk(machine.write(b"\x10\x04\x01\x10\x04\x02"), Status.SUCCESS, 6)
    first = machine.want(1)
    machine.expect_bulk(first, Status.SUCCESS, 1, b"\x1a")
    second = machine.want(64)
    machine.expect_bulk(second, Status.SUCCESS, 1, b"\x36")
    machine.want(64)
    assert machine.is_quiet()


def test_a_full_printer_makes_the_machine_wait(bench):
    printer, _, machine = bench
    printer.set_fault(Fault.NO_PAPER)
    text = b"a line of text\n" * 20
    number = machine.write(text)
    wait_for(lambda: printer.state()["buffered_bytes"] == 64)
    assert machine.is_quiet()
    printer.load_paper()
    machine.expect_bulk(number, Status.SUCCESS, len(text))
    wait_for(lambda: letters(printer) == "alineoftext" * 20)


def test_what_is_taken_back_is_not_printed(bench):
    printer, _, machine = bench
    printer.set_fault(Fault.NO_PAPER)
    lost = machine.write(b"x" * 5000)
    behind = machine.write(b"y" * 10 + b"\n")
    wait_for(lambda: printer.state()["buffered_bytes"] == 64)
    machine.send(Packet(Kind.CANCEL_DATA_PACKET, lost))
    machine.expect_bulk(lost, Status.CANCELLED, 64)
    printer.load_paper()
    machine.expect_bulk(behind, Status.SUCCESS, 11)
    wait_for(lambda: letters(printer) == "x" * 64 + "y" * 10)
    # What was answered already cannot be taken back; and a read can.
    machine.send(Packet(Kind.CANCEL_DATA_PACKET, behind))
    wanted = machine.want(64)
    machine.send(Packet(Kind.CANCEL_DATA_PACKET, wanted))
    machine.expect_bulk(wanted, Status.CANCELLED, 0)


def test_what_it_says_of_itself(bench):
    _, _, machine = bench
    status, device = machine.control(0x80, 6, 0x0100)
    assert (status, len(device)) == (Status.SUCCESS, 18)
    assert struct.unpack_from("<HH", device, 8) == (0x04B8, 0x0E28)
    assert machine.control(0x80, 6, 0x0100, length=8) == (Status.SUCCESS, device[:8])
    _, configuration = machine.control(0x80, 6, 0x0200)
    assert struct.unpack_from("<H", configuration, 2)[0] == len(configuration) == 32
    assert machine.control(0x80, 6, 0x0303)[1][2:].decode("utf-16-le") == "PRN00001"
    assert machine.control(0x80, 6, 0x0309)[0] == Status.STALL
    assert machine.control(0x80, 6, 0x0600)[0] == Status.STALL  # device qualifier
    _, name = machine.control(0xA1, 0)
    assert struct.unpack(">H", name[:2])[0] == len(name)
    assert b"MFG:EPSON;" in name
    machine.send(Packet(Kind.GET_ALT_SETTING, 9, b"\0"))
    assert machine.next() == Packet(Kind.ALT_SETTING_STATUS, 9, b"\0\0\0")
    machine.send(Packet(Kind.GET_CONFIGURATION, 10))
    assert machine.next() == Packet(Kind.CONFIGURATION_STATUS, 10, b"\0\1")


def test_the_port_status(bench):
    printer, _, machine = bench
    for fault, status in ((Fault.NO_PAPER, 0x30), (Fault.CUTTER, 0x10), (Fault.NEAR_END, 0x18)):
        printer.set_fault(fault)
        assert machine.control(0xA1, 1, length=1) == (Status.SUCCESS, bytes((status,)))
        printer.set_fault(fault, is_on=False)
    assert machine.control(0xA1, 1, length=1) == (Status.SUCCESS, b"\x18")


@pytest.mark.parametrize("way", [(0x02, 1, 0, OUT), (0x21, 2, 0, 0), "reset", "plug"])
def test_a_halt_lasts_until_it_is_cleared(bench, way):
    printer, cable, machine = bench
    printer.set_fault(Fault.NO_PAPER)
    waiting = machine.write(b"x" * 100)
    wait_for(lambda: printer.state()["buffered_bytes"] == 64)
    cable.halt()
    machine.expect_bulk(waiting, Status.STALL, 64)
    machine.expect_bulk(machine.write(b"x"), Status.STALL, 0)
    assert machine.control(0x82, 0, 0, OUT) == (Status.SUCCESS, b"\1\0")
    assert machine.control(0x82, 0, 0, IN) == (Status.SUCCESS, b"\0\0")
    if way == "reset":
        machine.configure()
    elif way == "plug":
        printer.set_fault(Fault.CABLE_OUT)
        printer.set_fault(Fault.CABLE_OUT, is_on=False)
        assert machine.next().kind == Kind.DEVICE_DISCONNECT
        machine.expect_device()
        machine.configure()
    else:
        request_type, request, value, index = way
        answer = machine.control(request_type, request, value, index, 0)
        assert answer == (Status.SUCCESS, b"")
    printer.load_paper()
    machine.expect_bulk(machine.write(b"x"), Status.SUCCESS, 1)


def test_a_pulled_cable(bench):
    printer, _, machine = bench
    printer.set_fault(Fault.NO_PAPER)
    machine.write(b"x" * 500)
    machine.want(64)
    wait_for(lambda: printer.state()["buffered_bytes"] == 64)
    printer.set_fault(Fault.CABLE_OUT)
    assert machine.next().kind == Kind.DEVICE_DISCONNECT
    machine.write(b"into the air")
    assert machine.is_quiet()
    printer.set_fault(Fault.CABLE_OUT, is_on=False)
    machine.expect_device()
    late = machine.write(b"meant for the time before")
    machine.expect_bulk(late, Status.INVAL, 0)
    machine.configure()
    printer.load_paper()
    machine.expect_bulk(machine.write(b"yyy\n"), Status.SUCCESS, 4)
    wait_for(lambda: letters(printer) == "x" * 64 + "yyy")


def test_the_next_machine_finds_it(bench):
    printer, cable, machine = bench
    printer.set_fault(Fault.NO_PAPER)
    machine.write(b"x" * 500)
    wait_for(lambda: printer.state()["buffered_bytes"] == 64)
    machine.socket.close()
    with machine_of(cable) as following:
        following.expect_device()
        following.configure()
        printer.load_paper()
        following.expect_bulk(following.write(b"y\n"), Status.SUCCESS, 2)
    wait_for(lambda: letters(printer) == "x" * 64 + "y")


def test_one_that_is_out_is_not_announced(tmp_path):
    with usb_printer(tmp_path / "usb") as (printer, cable):
        printer.set_fault(Fault.CABLE_OUT)
        with machine_of(cable) as machine:
            assert machine.stream.receive(machine.socket.recv(1000)) == []
            assert machine.is_quiet()
            printer.set_fault(Fault.CABLE_OUT, is_on=False)
            machine.expect_device()


def test_a_far_end_that_speaks_something_else_is_hung_up_on(tmp_path):
    with usb_printer(tmp_path / "usb") as (_, cable):
        with machine_of(cable) as machine:
            machine.expect_device()
            machine.send(Packet(Kind.HELLO, 0, bytes(68)))
            while machine.socket.recv(1000):
                pass
        assert len(cable.defects) == 1


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_qemu_takes_two_of_the_same(tmp_path, arch):
    needs.qemu(arch)
    twin = replace(EPSON, serial="")
    with (
        usb_printer(tmp_path / "a", twin) as (first, cable),
        usb_printer(tmp_path / "b", twin) as (_, other),
    ):
        extra = cable.words("a") + other.words("b")
        hardware = Hardware(arch=arch, firmware=DEBIANS_FIRMWARE[arch], extra=extra)
        with Machine(tmp_path / "machine", hardware) as machine:

            def seen():
                paths = [f"/machine/peripheral/{name}" for name in "ab"]
                return [machine.qmp("qom-get", path=p, property="attached") for p in paths]

            wait_for(lambda: seen() == [True, True])
            first.set_fault(Fault.CABLE_OUT)
            wait_for(lambda: seen() == [False, True])
            first.set_fault(Fault.CABLE_OUT, is_on=False)
            wait_for(lambda: seen() == [True, True])
        assert cable.defects == other.defects == []
