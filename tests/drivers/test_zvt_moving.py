"""Two terminals, and a role that goes from one to the other: no charge at the wrong one."""

import contextlib

import pytest

from appliance.domain.errors import Code, TerminalTrouble
from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
from appliance.ports import Approved, Charge, Unknown
from appliance.simulators.zvt_faults import AnswerFault, Faults
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.contract.terminal import AMOUNT, Recorder
from tests.drivers.zvt_rig import TIMES

OLD, NEW = "11111111", "22222222"


class Counter:
    """A driver that knows its terminal by a name, and the two terminals."""

    def __init__(self, folder, old, new):
        self.name, self.old, self.new = folder / "terminal", old, new
        self.give_to(old)
        self.driver = ZvtTerminal(
            ZvtOptions(f"serial:{self.name}", times=TIMES, idle_wait_s=1.0, idle_poll_s=0.05)
        )

    def give_to(self, terminal):
        """None: to nobody."""
        self.name.unlink(missing_ok=True)
        if terminal is not None:
            self.name.symlink_to(terminal.address.removeprefix("serial:"))

    def bookings(self):
        return [len(terminal.bank.held()) for terminal in (self.old, self.new)]


@pytest.fixture
def counter(tmp_path):
    with contextlib.ExitStack() as stack:
        terminals = [
            stack.enter_context(
                ZvtTerminalSimulator(
                    SimulatorOptions(
                        line=LineOptions("pty", path=str(tmp_path / name)),
                        terminal_id=name, auto="approve", commit="keep",
                    )
                )
            )
            for name in (OLD, NEW)
        ]  # fmt: skip
        counter = Counter(tmp_path, *terminals)
        counter.driver.connect()
        yield counter
        counter.driver.close()


def test_the_next_baseline_and_the_next_charge_are_the_new_ones(counter):
    driver = counter.driver
    assert driver.baseline().terminal_id == OLD
    counter.give_to(counter.new)
    with pytest.raises(TerminalTrouble) as caught:
        driver.baseline()
    assert caught.value.code is Code.TERMINAL_GONE
    driver.connect()
    baseline = driver.baseline()
    assert baseline.terminal_id == NEW
    outcome = driver.authorise(Charge("p-1", AMOUNT, baseline), Recorder())
    assert isinstance(outcome, Approved)
    assert outcome.card.terminal_id == NEW
    assert counter.bookings() == [0, 1]


def test_a_check_finds_the_new_one_by_itself(counter):
    counter.give_to(counter.new)
    assert counter.driver.check().is_well
    assert counter.driver.baseline().terminal_id == NEW


def test_a_terminal_that_lost_its_role_is_not_charged_at(counter):
    counter.give_to(None)
    with pytest.raises(TerminalTrouble):
        counter.driver.baseline()
    assert counter.driver.check().code is Code.TERMINAL_GONE
    assert counter.bookings() == [0, 0]


def test_a_charge_ends_where_its_baseline_is_from(counter):
    """Nothing gives the role away between the two but an administrator's hand."""
    driver = counter.driver
    charge = Charge("p-1", AMOUNT, driver.baseline())
    counter.give_to(counter.new)
    assert isinstance(driver.authorise(charge, Recorder()), Approved)
    assert counter.bookings() == [1, 0]


def test_the_new_terminal_cannot_tell_of_the_old_ones_charge(counter):
    driver = counter.driver
    charge = Charge("p-1", AMOUNT, driver.baseline())
    counter.old.faults = Faults(AnswerFault.CUT)
    assert isinstance(driver.authorise(charge, Recorder()), Unknown)
    counter.give_to(counter.new)
    heard = Recorder()
    asked = driver.last_transaction(charge, heard)
    assert isinstance(asked, Unknown)
    assert heard.facts == []
    assert counter.bookings() == [1, 0]
