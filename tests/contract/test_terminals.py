"""Every card-terminal driver, on every kind of line that it knows."""

from typing import Literal

import pytest

from appliance.domain.errors import Code, TerminalTrouble
from appliance.drivers.pay_link import PayLink, PayLinkOptions
from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
from appliance.ports import Approved, Declined, Unknown
from appliance.protocols.links.messages import Act, Outcome, Reason
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.contract.terminal import (
    WAIT_S,
    Aside,
    Recorder,
    TerminalContract,
    TerminalRig,
    charge_of,
)
from tests.drivers.link_far_side import FarSide, TickingClock


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


class PayLinkRig(TerminalRig):
    """The customer stands at a foreign application; the cable is the kiosk's page."""

    def __init__(self, answer_s=WAIT_S):
        self.far = FarSide(TickingClock())
        options = PayLinkOptions(
            self.far.signer, knows_status=True, answer_s=answer_s, ask_s=WAIT_S
        )
        self.terminal = PayLink(options, self.far.door)
        self.cash = 0
        self.paid = {}
        self.asked = 0
        self.asking = 0

    def wait_for_card(self):
        self.asked += 1
        return self.far.link(Act.PAY, self.asked)

    def customer_taps(self):
        link = self.wait_for_card()
        self.cash += link.amount.amount
        self.paid[link.payment] = link
        if self.far.door.is_open():  # else the way back is lost
            self.far.take(link)

    def customer_is_declined(self):
        self.far.answer(self.wait_for_card(), Outcome.DECLINED, Reason.CARD_DECLINED)

    def customer_stops(self):
        self.far.answer(self.wait_for_card(), Outcome.CANCELLED, Reason.BY_SELLER)

    def cable_out(self):
        self.far.close_page()

    def cable_in(self):
        self.far.open_page()

    def balance(self):
        return self.cash

    def tells_status(self):
        """Once: what became of the payment that is asked about."""
        self.asking += 1
        link = self.far.link(Act.STATUS, self.asking)
        if link.payment in self.paid:
            self.far.take(link)
        else:
            self.far.answer(link, Outcome.REFUSED, Reason.NEVER_ASKED)


class TestPayLink(TerminalContract):
    @pytest.fixture
    def rig(self):
        return PayLinkRig()

    def test_the_seller_stops(self, rig, heard):
        """No link stops a payment: the application's word is waited for."""
        rig.terminal.connect()

        def stop():
            assert heard.wait_for_prompt()
            rig.terminal.abort()
            assert rig.far.door.to_open() is None
            rig.customer_stops()

        outcome = self.pay(rig, heard, stop)
        assert isinstance(outcome, Declined)
        assert outcome.code is Code.PAYMENT_STOPPED
        assert rig.balance() == 0

    def test_a_line_lost_in_the_middle_is_unknown_and_then_settled(self, rig, heard):
        """A page that is gone ends no payment: the time does."""
        rig = PayLinkRig(answer_s=0.2)
        rig.terminal.connect()
        charge = charge_of(rig.terminal)
        lost = Recorder()
        running = Aside(lambda: rig.terminal.authorise(charge, lost))
        assert lost.wait_for_prompt()
        rig.cable_out()
        assert isinstance(running.result(), Unknown)
        with pytest.raises(TerminalTrouble):
            rig.terminal.baseline()
        rig.customer_taps()
        rig.cable_in()
        asked = Aside(lambda: rig.terminal.last_transaction(charge, heard))
        rig.tells_status()
        assert isinstance(asked.result(), Approved)
        assert rig.balance() == 1234

    @pytest.mark.parametrize("at", ["answered"])  # an application prints its slips itself
    def test_what_cannot_be_stored_is_not_acknowledged(self, rig, heard, at):
        super().test_what_cannot_be_stored_is_not_acknowledged(rig, heard, at)
