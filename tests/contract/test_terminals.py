"""Every card-terminal driver, on every kind of line that it knows."""

from typing import Literal

import pytest

from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.contract.terminal import WAIT_S, TerminalContract, TerminalRig


class ZvtRig(TerminalRig):
    def __init__(self, simulator):
        self.simulator = simulator
        self.terminal = ZvtTerminal(
            ZvtOptions(simulator.address, idle_poll_s=0.05, idle_wait_s=WAIT_S)
        )

    def wait_for_card(self):
        assert self.simulator.wait_for(lambda state: state["waits_for"] == "card", WAIT_S)

    def customer_taps(self):
        self.wait_for_card()
        self.simulator.tap()

    def customer_is_declined(self):
        self.wait_for_card()
        self.simulator.decline(0x05)

    def customer_stops(self):
        self.wait_for_card()
        self.simulator.cancel_key()

    def cable_out(self):
        self.simulator.cable_out()

    def cable_in(self):
        self.simulator.cable_in()

    def balance(self):
        return self.simulator.bank.balance()


class ZvtContract(TerminalContract):
    kind = "pty"
    commit: Literal["auto-reverse", "keep"] = "auto-reverse"

    @pytest.fixture
    def rig(self, tmp_path):
        line = LineOptions(self.kind, path=str(tmp_path / "terminal"), t3_s=0.5)
        with ZvtTerminalSimulator(SimulatorOptions(line=line, commit=self.commit)) as simulator:
            rig = ZvtRig(simulator)
            yield rig
            rig.terminal.close()


class TestZvtOverSerial(ZvtContract):
    kind = "pty"


class TestZvtOverTcp(ZvtContract):
    kind = "tcp"


class TestZvtThatKeepsBookings(ZvtContract):
    kind = "pty"
    commit = "keep"
