"""The machine itself, with its firmware and no system on its disk."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.image import needs
from tests.image.hardware import DEBIANS_FIRMWARE, Hardware
from tests.image.qemu import Machine, MachineError
from tests.image.screens import flat_colour, resembles

BOOT_WAIT_S = 100.0
WAIT_S = 30.0


@pytest.fixture(params=["amd64", "arm64"])
def arch(request):
    needs.qemu(request.param)
    return request.param


@pytest.fixture
def blank(tmp_path):
    path = tmp_path / "blank, and empty.img"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    return path


def machine(folder, arch, **more):
    hardware: dict[str, Any] = {"firmware": DEBIANS_FIRMWARE[arch], "memory_mib": 512} | more
    return Machine(folder / "machine", Hardware(arch=arch, **hardware))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_firmwares_shell_can_be_seen_typed_to_and_left(tmp_path, arch, blank):
    two = {"scanner": "SCAN01", "seller": ""}
    clock = datetime(2009, 8, 7, 12, tzinfo=UTC)
    with machine(tmp_path, arch, disk=blank, keyboards=two, clock=clock) as guest:
        guest.wait_for("Shell> ", BOOT_WAIT_S)
        before = guest.screenshot("before")
        guest.type("date\n", "scanner")
        guest.wait_for("08/07/2009", WAIT_S)
        guest.type("ECHO a_%cwd%\n", "seller")
        guest.wait_for("\na_", WAIT_S)
        assert flat_colour(before) is None
        assert not resembles(guest.screenshot("after"), before)
        guest.type("reset -s", "scanner")
        guest.say("\r")  # by the other way: the machine would be off before the key is let go
        guest.wait_off(WAIT_S)
        assert not guest.is_on
    assert blank.stat().st_blocks == 0


def test_cables_are_pulled_and_put_in_again(tmp_path, arch):
    with machine(tmp_path, arch, has_watchdog=True, has_shell=True) as guest:
        guest.type("a", "scanner")
        guest.unplug("scanner")
        assert [event.data["device"] for event in guest.events() if "device" in event.data] == [
            "scanner"
        ]
        with pytest.raises(ValueError, match="unplugged"):
            guest.type("a", "scanner")
        guest.plug_keyboard("scanner")
        guest.type("a", "scanner")
        guest.plug("usb-tablet", "touch", serial="TOUCH1")
        guest.unplug("touch")
        guest.plug("usb-tablet", "touch")
        guest.set_network(False)
        guest.set_network(True)


def test_a_lost_key_is_told(tmp_path, arch):
    with machine(tmp_path, arch) as guest, pytest.raises(MachineError, match="fetches keys"):
        guest.type("nobody listens yet", "scanner", pause_s=0)


def test_a_fault_tells_what_qemu_and_the_guest_said(tmp_path, arch):
    with pytest.raises(MachineError, match="no-such-device"):
        machine(tmp_path, arch, extra=("-device", "no-such-device")).__enter__()
    with machine(tmp_path, arch) as guest:
        with pytest.raises(MachineError, match=r"(?s)no-such-thing.*the end of the serial log"):
            guest.qmp("no-such-thing")
        with pytest.raises(MachineError, match="no 'never' within"):
            guest.wait_for("never", 0.01)
        with pytest.raises(MachineError, match="still on"):
            guest.wait_off(0.01)
        with pytest.raises(KeyError):
            guest.type("a", "piano")
        guest.power_off()
        assert not guest.is_on
        with pytest.raises(MachineError, match="ended before"):
            guest.wait_for("never", WAIT_S)
        with pytest.raises(MachineError, match=r"gone|Broken pipe"):
            guest.qmp("query-status")
