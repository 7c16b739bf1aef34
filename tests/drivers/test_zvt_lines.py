"""What a line to a terminal does, what its trace keeps, and numbers that begin anew."""

import errno
import itertools
import json

import pytest
import structlog

from appliance.domain.errors import Bug
from appliance.domain.payment import Baseline
from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
from appliance.drivers.zvt_session import Times
from appliance.drivers.zvt_trace import LARGEST_FILE, ReplayLine, Trace
from appliance.ports import Approved, Charge, Declined, Slip, Unknown
from appliance.simulators.zvt_faults import NO_FAULTS, AnswerFault, Faults
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.contract.terminal import AMOUNT, Recorder
from tests.drivers.zvt_rig import LINES, held, rigged
from tests.drivers.zvt_script import (
    OK,
    TID,
    numbers,
)


@pytest.mark.parametrize("line", LINES)
def test_an_unmasked_card_number_leaves_no_trace_anywhere(tmp_path, line):
    trace = tmp_path / "trace.jsonl"
    with (
        structlog.testing.capture_logs() as logs,
        rigged(tmp_path, line, trace=str(trace)) as (driver, simulator),
    ):
        simulator.faults = Faults(AnswerFault.UNMASKED)
        heard = Recorder()
        outcome = driver.authorise(Charge("p-1", AMOUNT, driver.baseline()), heard)
    assert isinstance(outcome, Approved)
    assert outcome.card.pan == "541333******4111"
    everything = trace.read_text() + repr((outcome, heard.__dict__, logs))
    assert "5413330089604111" not in everything
    assert b"5413330089604111".hex() not in everything
    assert "541333eeeeee4111" in everything


@pytest.mark.parametrize("line", LINES)
def test_a_recorded_dialogue_replays_to_the_same_end(tmp_path, line):
    trace = tmp_path / "trace.jsonl"
    with rigged(tmp_path, line, trace=str(trace), commit="keep") as (driver, simulator):
        charge, heard = Charge("p-1", AMOUNT, driver.baseline()), Recorder()
        simulator.faults = Faults(AnswerFault.CUT)
        outcomes = [driver.authorise(charge, heard)]
        simulator.faults = NO_FAULTS
        outcomes.append(driver.last_transaction(charge, heard))
    lines = trace.read_text().splitlines()
    times = [json.loads(entry)["ms"] for entry in lines]
    assert times == sorted(times)
    replay = ReplayLine(lines)
    driver = ZvtTerminal(
        ZvtOptions("tcp:127.0.0.1:1", password="654321"),
        replay.clock,
        open_line=lambda until: replay,
        sleep=replay.sleep,
    )
    again = Recorder()

    def baseline():
        """As it was asked for in the record: a serial line's only at the start."""
        return driver.baseline() if line == "tcp" else driver._baseline

    driver.connect()
    driver.authorise(Charge("p-0", AMOUNT, baseline()), Recorder())
    assert baseline() == charge.baseline
    replayed = [driver.authorise(charge, again), driver.last_transaction(charge, again)]
    assert [type(outcome) for outcome in replayed] == [type(outcome) for outcome in outcomes]
    assert replayed[1] == outcomes[1]
    assert (again.facts, again.slips) == (heard.facts, heard.slips)
    assert replay.is_at_end


def test_a_trace_is_bounded_and_a_full_disk_ends_it(tmp_path):
    path = tmp_path / "trace.jsonl"
    trace = Trace(str(path))
    path.write_text("x" * (LARGEST_FILE + 1))
    trace.write("tx", 1.5, OK.encode())
    assert json.loads(path.read_text()) == {"ms": 1500, "dir": "tx", "hex": "800000"}
    assert (tmp_path / "trace.jsonl.1").stat().st_size > LARGEST_FILE
    trace = Trace(str(tmp_path / "absent" / "trace.jsonl"))
    trace.write("tx", 1.5, OK.encode())
    assert trace._path is None
    trace.write("tx", 1.6, OK.encode())


def test_a_replayed_till_that_says_no_zvt_is_our_bug():
    with pytest.raises(Bug):
        ReplayLine([]).write(b"GET /", 0.0)


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_was_lost_while_idle_is_opened_again(tmp_path, line):
    with rigged(tmp_path, line) as (driver, simulator):
        before = driver.baseline()
        simulator.order(simulator.port.flap)
        assert driver.check().is_well
        assert driver.baseline() == before


@pytest.mark.parametrize("line", LINES)
def test_many_opens_and_closes(tmp_path, line):
    with rigged(tmp_path, line) as (driver, simulator):
        for number in range(5):
            driver.close()
            assert driver.check().is_well
            charge = Charge(f"p-{number}", AMOUNT, driver.baseline())
            assert isinstance(driver.authorise(charge, Recorder()), Approved)
        assert held(simulator) == 5


def test_a_port_without_modem_lines_is_forgiven(tmp_path):
    """The known mistake: setRTS on a pty raises. This pty refuses it, and all works."""
    import serial

    with rigged(tmp_path) as (driver, simulator):
        path = simulator.address.removeprefix("serial:")
        driver.close()
        with serial.Serial(path) as port, pytest.raises(OSError) as caught:  # noqa: PT011
            port.rts = True
        assert caught.value.errno in (errno.EINVAL, errno.ENOTTY)
        assert driver.check().is_well


@pytest.mark.parametrize(("line", "blocks"), list(itertools.product(LINES, (True, False))))
def test_slips_come_from_terminals_with_and_without_text_blocks(tmp_path, line, blocks):
    with rigged(tmp_path, line, text_blocks=blocks) as (driver, _):
        heard = Recorder()
        driver.authorise(Charge("p-1", AMOUNT, driver.baseline()), heard)
        assert [kind for kind, _ in heard.slips] == [Slip.MERCHANT, Slip.CUSTOMER]
        assert heard.slips[1][1][1] == "* Customer receipt *"


def test_numbers_that_begin_anew(tmp_path):
    with rigged(tmp_path, commit="keep", receipt_no=9998, trace_no=999_998) as (driver, simulator):
        assert numbers(driver) == (9999, 999_999)
        charge = Charge("p-1", AMOUNT, driver.baseline())
        simulator.faults = Faults(AnswerFault.CUT)
        assert isinstance(driver.authorise(charge, Recorder()), Unknown)
        outcome = driver.last_transaction(charge, Recorder())
        assert isinstance(outcome, Approved)
        assert (outcome.card.receipt_no, outcome.card.trace_no) == (1, 1)


def test_the_first_payment_of_a_new_terminal():
    line = LineOptions("tcp")
    with ZvtTerminalSimulator(SimulatorOptions(line=line, auto="approve")) as simulator:
        driver = ZvtTerminal(ZvtOptions(simulator.address, times=Times(t4_s=2.0)))
        driver.connect()
        charge = Charge("p-1", AMOUNT, driver.baseline())
        assert charge.baseline == Baseline(TID)
        # Nobody can say of a new terminal what became of a first payment that got lost.
        assert isinstance(driver.last_transaction(charge, Recorder()), Unknown)
        assert isinstance(driver.authorise(charge, Recorder()), Approved)
        assert isinstance(driver.last_transaction(charge, Recorder()), Unknown)
        # From the first one on it is known.
        charge = Charge("p-2", AMOUNT, driver.baseline())
        assert isinstance(driver.last_transaction(charge, Recorder()), Declined)
        driver.close()
