"""Every fault, over both lines and in both commit modes, against what the bank truly holds.

The rule behind all of it: when the driver is certain it agrees with the bank, and it becomes
certain by asking.
"""

import itertools
from typing import Any

import pytest

from appliance.domain.errors import Code, TerminalTrouble
from appliance.drivers.zvt_session import Times
from appliance.ports import Approved, Charge, Declined, Unknown
from appliance.simulators.zvt_faults import NO_FAULTS, AnswerFault, Faults
from tests.contract.terminal import AMOUNT, Recorder
from tests.drivers.zvt_rig import COMMITS, LINES, QUICK, SHORT_T3_S, TIMES, held, rigged

EVERYWHERE = list(itertools.product(LINES, COMMITS))
A, D, U = Approved, Declined, Unknown
F = AnswerFault
# fault -> what authorise says at once, for (pty, tcp) in mode (auto-reverse, keep).
UNANSWERED = (F.GARBAGE, F.HALF, F.ENDLESS)
AT_ONCE: dict[AnswerFault, tuple[tuple[Any, Any], tuple[Any, Any]]] = {
    F.NONE: ((A, A), (A, A)),
    F.LOST: ((D, U), (D, U)),  # a terminal that reverses says so: 06 1E
    F.CUT: ((U, U), (U, U)),
    F.CUT_IN_PRINT: ((U, U), (U, U)),
    F.GARBAGE: ((D, U), (U, U)),
    F.HALF: ((D, U), (U, U)),
    F.BAD_CRC: ((D, U), (A, A)),
    F.BAD_CRC_ONCE: ((A, A), (A, A)),
    F.ENDLESS: (((D, U), U), (U, U)),  # a megabyte may take longer than T4
    F.OTHER_AMOUNT: ((U, U), (U, U)),
    F.OTHER_CURRENCY: ((U, U), (U, U)),
    F.DUPLICATE: ((A, A), (A, A)),
    F.UNMASKED: ((A, A), (A, A)),
    F.NO_STATUS: ((U, U), (U, U)),
    F.ABORT_AFTER: ((U, U), (U, U)),
}


def settle(driver, outcome, charge, heard):
    """Ask as the counter does, until it is certain."""
    if isinstance(outcome, Unknown):
        with pytest.raises(TerminalTrouble):  # nobody charges before it is settled
            driver.baseline()
        outcome = driver.last_transaction(charge, heard)
    return outcome


def agree(outcome, simulator, heard):
    """The driver's word and the bank's book."""
    assert not isinstance(outcome, Unknown), outcome
    assert isinstance(outcome, Approved) == (held(simulator) == 1)
    assert held(simulator) in (0, 1)
    assert simulator.state()["commands"].count("Authorization") == 2  # one before, one now
    if isinstance(outcome, Approved):
        assert heard.facts[-1] == outcome
        assert outcome.card.amount == AMOUNT.amount


@pytest.mark.parametrize(("line", "commit"), EVERYWHERE)
@pytest.mark.parametrize("fault", AnswerFault)
def test_every_fault_of_the_answer(tmp_path, fault, line, commit):
    t3_s = SHORT_T3_S if fault in UNANSWERED else 5.0
    with rigged(tmp_path, line, commit=commit, t3_s=t3_s) as (driver, simulator):
        simulator.faults = Faults(fault)
        heard, charge = Recorder(), Charge("p-1", AMOUNT, driver.baseline())
        outcome = driver.authorise(charge, heard)
        expected = AT_ONCE[fault][line == "tcp"][commit == "keep"]
        assert isinstance(outcome, expected), outcome
        if fault in (F.OTHER_AMOUNT, F.OTHER_CURRENCY):
            assert isinstance(outcome, Unknown)
            assert outcome.code is Code.TERMINAL_OTHER_AMOUNT
            assert heard.facts == []
            assert held(simulator) == 0
        simulator.faults, simulator.t3_s = NO_FAULTS, 5.0
        outcome = settle(driver, outcome, charge, heard)
        agree(outcome, simulator, heard)
        assert driver.check().is_well
        assert isinstance(
            driver.authorise(Charge("p-2", AMOUNT, driver.baseline()), Recorder()), Approved
        )


@pytest.mark.parametrize("after", ["declined", "reversal", "nothing"])
@pytest.mark.parametrize("line", LINES)
def test_whatever_a_terminal_remembers_of_a_reversal(tmp_path, line, after):
    with rigged(tmp_path, line, after_reversal=after) as (driver, simulator):
        simulator.faults = Faults(F.CUT)
        heard, charge = Recorder(), Charge("p-1", AMOUNT, driver.baseline())
        outcome = driver.authorise(charge, heard)
        assert isinstance(outcome, Unknown)
        simulator.faults = NO_FAULTS
        outcome = settle(driver, outcome, charge, heard)
        agree(outcome, simulator, heard)
        assert isinstance(outcome, Declined)
        assert (outcome.code is Code.PAYMENT_REVERSED) == (after == "reversal")


@pytest.mark.parametrize(("line", "commit"), EVERYWHERE)
def test_a_host_slower_than_t4(tmp_path, line, commit):
    """The known mistake: a timeout taken for a decline while the terminal goes on and approves."""
    times = Times(t1_s=0.1, t2_s=1.0, t3_s=0.3, t4_s=0.3, connect_s=1.0, query_s=5.0)
    with rigged(tmp_path, line, times, commit=commit, t3_s=SHORT_T3_S) as (driver, simulator):
        simulator.faults = Faults(host_delay_s=0.6)
        heard, charge = Recorder(), Charge("p-1", AMOUNT, driver.baseline())
        outcome = driver.authorise(charge, heard)
        assert outcome == Unknown(Code.PAYMENT_UNKNOWN, "the terminal fell silent")
        agree(settle(driver, outcome, charge, heard), simulator, heard)


@pytest.mark.parametrize(("line", "commit"), EVERYWHERE)
def test_busy_after_a_loss_is_waited_for(tmp_path, line, commit):
    with rigged(tmp_path, line, commit=commit, reversal_s=0.2) as (driver, simulator):
        simulator.faults = Faults(F.CUT, busy_after_loss_s=0.5)
        heard, charge = Recorder(), Charge("p-1", AMOUNT, driver.baseline())
        outcome = driver.authorise(charge, heard)
        assert driver.check().code is Code.TERMINAL_BUSY
        agree(settle(driver, outcome, charge, heard), simulator, heard)


@pytest.mark.parametrize("line", LINES)
def test_busy_for_longer_than_the_bound_stays_unknown(tmp_path, line):
    with rigged(tmp_path, line, idle_wait_s=0.2) as (driver, simulator):
        simulator.faults = Faults(F.CUT, busy_after_loss_s=60.0)
        charge = Charge("p-1", AMOUNT, driver.baseline())
        driver.authorise(charge, Recorder())
        outcome = driver.last_transaction(charge, Recorder())
        assert isinstance(outcome, Unknown)
        assert outcome.code is Code.PAYMENT_UNKNOWN


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (0x9C, Code.TERMINAL_BUSY),
        (0x6F, Code.TERMINAL_CURRENCY),
        (0x6B, Code.TERMINAL_SETUP),
        (0xC2, Code.TERMINAL_SETUP),
        (0x83, Code.PAYMENT_DECLINED),
    ],
)
@pytest.mark.parametrize("line", LINES)
def test_a_refused_command_is_certainly_not_charged(tmp_path, line, refusal, code):
    with rigged(tmp_path, line) as (driver, simulator):
        simulator.faults = Faults(refusal=refusal)
        outcome = driver.authorise(Charge("p-1", AMOUNT, driver.baseline()), Recorder())
        assert outcome == Declined(code)
        assert held(simulator) == 0
        simulator.faults = NO_FAULTS
        assert driver.check().is_well


def test_a_refusal_after_a_repeat_is_not_certain(tmp_path):
    """The terminal may have taken both copies: the refusal may answer the second."""
    with rigged(tmp_path) as (driver, simulator):
        simulator.faults = Faults(refusal=0x9C, nak_first=1)
        outcome = driver.authorise(Charge("p-1", AMOUNT, driver.baseline()), Recorder())
        assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("naks", [1, 2])
def test_a_nak_is_repeated(tmp_path, naks):
    with rigged(tmp_path) as (driver, simulator):
        simulator.faults = Faults(nak_first=naks)
        heard = Recorder()
        outcome = driver.authorise(Charge("p-1", AMOUNT, driver.baseline()), heard)
        assert isinstance(outcome, Approved)
        agree(outcome, simulator, heard)


def test_three_naks_are_unknown_and_then_not_booked(tmp_path):
    with rigged(tmp_path) as (driver, simulator):
        simulator.faults = Faults(nak_first=3)
        charge = Charge("p-1", AMOUNT, driver.baseline())
        assert isinstance(driver.authorise(charge, Recorder()), Unknown)
        simulator.faults = NO_FAULTS
        assert isinstance(driver.last_transaction(charge, Recorder()), Declined)
        assert held(simulator) == 0


@pytest.mark.parametrize("line", LINES)
def test_a_deaf_terminal(tmp_path, line):
    with rigged(tmp_path, line, QUICK, idle_wait_s=0.1) as (driver, simulator):
        charge = Charge("p-1", AMOUNT, driver.baseline())
        simulator.faults = Faults(silent=True)
        outcome = driver.authorise(charge, Recorder())
        assert isinstance(outcome, Unknown)
        outcome = driver.last_transaction(charge, Recorder())
        assert isinstance(outcome, Unknown)
        assert outcome.code is Code.PAYMENT_UNKNOWN
        assert driver.check().code is Code.TERMINAL_GONE
        simulator.faults = NO_FAULTS
        assert isinstance(driver.last_transaction(charge, Recorder()), Declined)
        assert held(simulator) == 0


@pytest.mark.parametrize(("line", "commit"), EVERYWHERE)
def test_power_lost_while_the_host_decides(tmp_path, line, commit):
    with rigged(tmp_path, line, QUICK, commit=commit, idle_wait_s=0.1) as (driver, simulator):
        simulator.faults = Faults(host_delay_s=30.0)
        charge = Charge("p-1", AMOUNT, driver.baseline())

        class Clumsy(Recorder):
            def prompt(self, prompt, text):
                super().prompt(prompt, text)
                if text == "waiting for the host":
                    simulator.pull_plug()

        assert isinstance(driver.authorise(charge, Clumsy()), Unknown)
        assert isinstance(driver.last_transaction(charge, Recorder()), Unknown)
        simulator.faults = NO_FAULTS
        simulator.plug_in()
        outcome = driver.last_transaction(charge, Recorder())
        assert isinstance(outcome, Declined)
        assert held(simulator) == 0
        assert driver.check().is_well


@pytest.mark.parametrize(("line", "commit"), EVERYWHERE)
@pytest.mark.parametrize("at", ["answered", "slip"])
def test_power_lost_between_booking_and_acknowledgement(tmp_path, line, commit, at):
    with rigged(tmp_path, line, QUICK, commit=commit, t3_s=5.0) as (driver, simulator):
        charge = Charge("p-1", AMOUNT, driver.baseline())

        class Clumsy(Recorder):
            def answered(self, outcome):
                super().answered(outcome)
                if at == "answered":
                    simulator.pull_plug()

            def slip(self, kind, lines):
                super().slip(kind, lines)
                simulator.pull_plug()

        outcome = driver.authorise(charge, Clumsy())
        assert isinstance(outcome, Unknown)
        simulator.plug_in()
        heard = Recorder()
        outcome = driver.last_transaction(charge, heard)
        agree(outcome, simulator, heard)
        assert isinstance(outcome, Approved if commit == "keep" else Declined)


@pytest.mark.parametrize(("line", "commit"), EVERYWHERE)
@pytest.mark.parametrize("at", ["answered", "slip"])
def test_a_fact_that_is_not_on_disk_is_not_acknowledged(tmp_path, line, commit, at):
    with rigged(tmp_path, line, commit=commit, t3_s=SHORT_T3_S) as (driver, simulator):
        charge, broken = Charge("p-1", AMOUNT, driver.baseline()), Recorder()
        broken.fails_at = at
        with pytest.raises(OSError, match="no space"):
            driver.authorise(charge, broken)
        heard = Recorder()
        outcome = driver.last_transaction(charge, heard)
        agree(outcome, simulator, heard)
        assert isinstance(outcome, Approved if commit == "keep" else Declined)


@pytest.mark.parametrize(("line", "commit"), EVERYWHERE)
def test_an_abort_that_comes_too_late_changes_nothing(tmp_path, line, commit):
    with rigged(tmp_path, line, commit=commit) as (driver, simulator):
        simulator.faults = Faults(ignore_abort=True)
        heard, charge = Recorder(), Charge("p-1", AMOUNT, driver.baseline())

        class Stopping(Recorder):
            def prompt(self, prompt, text):
                super().prompt(prompt, text)
                driver.abort()

        heard = Stopping()
        outcome = driver.authorise(charge, heard)
        assert isinstance(outcome, Approved)
        agree(outcome, simulator, heard)


@pytest.mark.parametrize("seed", range(8))
def test_faults_by_lot(tmp_path, seed):
    line, commit = LINES[seed % 2], COMMITS[seed // 2 % 2]
    with rigged(tmp_path, line, commit=commit, t3_s=0.5, reversal_s=0.05) as (driver, simulator):
        for number in range(2):
            simulator.faults = Faults.from_seed(1000 * seed + number)
            before, heard = simulator.bank.balance(), Recorder()
            if not driver.check().is_well:
                simulator.faults = NO_FAULTS
                assert driver.check().is_well
            charge = Charge(f"p-{number}", AMOUNT, driver.baseline())
            outcome = driver.authorise(charge, heard)
            simulator.faults = NO_FAULTS
            outcome = settle(driver, outcome, charge, heard)
            assert isinstance(outcome, Approved | Declined)
            gained = simulator.bank.balance() - before
            assert gained == (AMOUNT.amount if isinstance(outcome, Approved) else 0)
            assert driver.check().is_well


def test_t4_is_extended_by_the_terminal(tmp_path):
    times = Times(t1_s=0.1, t2_s=1.0, t3_s=2.0, t4_s=0.2, connect_s=1.0, query_s=5.0)
    with rigged(tmp_path, times=times) as (driver, simulator):
        simulator.faults = Faults(host_delay_s=0.7, timeout_min=1)
        outcome = driver.authorise(Charge("p-1", AMOUNT, driver.baseline()), Recorder())
        assert isinstance(outcome, Approved)


def test_a_terminal_that_always_asks_for_more_time_is_given_up(tmp_path):
    times = Times(t1_s=0.1, t2_s=1.0, t3_s=2.0, t4_s=0.2, connect_s=1.0, charge_s=0.6)
    with rigged(tmp_path, times=times) as (driver, simulator):
        simulator.faults = Faults(host_delay_s=20.0, timeout_min=99)
        outcome = driver.authorise(Charge("p-1", AMOUNT, driver.baseline()), Recorder())
        assert isinstance(outcome, Unknown)


assert TIMES.t4_s > 2 * SHORT_T3_S  # else the table above would show timeouts in place of faults
