"""Every scanner driver. There is no keyboard to be had in a test, so evdev's device is one end of
a pipe with the kernel's own records in it (tests/drivers/input_pipe.py)."""

import time
from pathlib import Path

import pytest

from appliance.drivers.scanners import (
    EvdevOptions,
    EvdevScanner,
    SerialScanner,
    SerialScannerOptions,
)
from appliance.simulators.scanner import AGAIN_S, ScannerSimulator
from tests.contract.scanner import ScannerContract, ScannerRig


class SerialRig(ScannerRig):
    def __init__(self, simulator):
        self.simulator = simulator
        self.path = Path(simulator.address.removeprefix("serial:"))
        self.scanner = SerialScanner(SerialScannerOptions(str(self.path)))

    def scan(self, text):
        assert self.simulator.scan(text)

    def scan_evil(self):
        assert self.simulator.scan("A\x1b[2J\x03")

    def pull_out(self):
        self.simulator.cable_out()

    def plug_in(self):
        self.simulator.cable_in()


class EvdevRig(ScannerRig):
    def __init__(self, path):
        pytest.importorskip("evdev")  # not to be had everywhere, see requirements/run.in
        from tests.drivers.input_pipe import Keyboard

        self.path = path
        self.keyboard = Keyboard(path)
        self.scanner = EvdevScanner(EvdevOptions(str(path)), open_device=self.keyboard.open)

    def scan(self, text):
        time.sleep(AGAIN_S)
        self.keyboard.type(text)

    def scan_evil(self):
        from evdev import ecodes

        self.keyboard.press(ecodes.KEY_LEFTCTRL, ecodes.KEY_ENTER)

    def pull_out(self):
        self.keyboard.pull_out()

    def plug_in(self):
        self.keyboard.plug_in()


class TestSerial(ScannerContract):
    @pytest.fixture
    def rig(self, tmp_path):
        with ScannerSimulator(tmp_path / "scanner") as simulator:
            yield SerialRig(simulator)


class TestEvdev(ScannerContract):
    @pytest.fixture
    def rig(self, tmp_path):
        rig = EvdevRig(tmp_path / "scanner")
        yield rig
        rig.keyboard.pull_out()
