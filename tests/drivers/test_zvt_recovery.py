"""What the last transaction proves, once the dialogue is lost: recovery, word for word."""

import dataclasses

import pytest

from appliance.domain.errors import Code
from appliance.domain.payment import Baseline
from appliance.ports import Approved, Charge, Declined, Slip, Unknown
from appliance.protocols.zvt import answers, commands
from appliance.simulators.zvt_faults import NO_FAULTS, AnswerFault, Faults
from tests.contract.terminal import AMOUNT, Recorder
from tests.drivers.zvt_rig import LINES, SHORT_T3_S, rigged
from tests.drivers.zvt_script import (
    ASK_LAST,
    ASK_STATE,
    BASELINE,
    BUSY,
    CONNECT,
    DONE,
    LAST,
    LEARN,
    OK,
    PAY,
    REGISTER,
    REGISTERED,
    STATE,
    TID,
    after,
    scripted,
    status,
)


def recover(last, baseline=BASELINE, registered=REGISTERED, tail=()):
    ask = [(ASK_LAST, OK), (None, last), (OK, DONE), (OK, None)]
    if isinstance(last, answers.Refusal):
        ask = [(ASK_LAST, last)]
    elif last is None:
        ask = [(ASK_LAST, OK), (None, DONE), (OK, None)]
    register = [(REGISTER, OK), (None, registered), (OK, None)]
    driver, line = scripted(*STATE, *register, *ask, *tail, idle_wait_s=0.0)
    heard = Recorder()
    outcome = driver.last_transaction(Charge("p-1", AMOUNT, baseline), heard)
    assert isinstance(outcome, Approved) == bool(heard.facts)
    assert line.is_at_end
    return outcome


U = Code.PAYMENT_UNRESOLVED


@pytest.mark.parametrize(
    ("last", "baseline", "code"),
    [
        # newer, the same amount, the same terminal: paid
        (status(), BASELINE, None),
        (status(receipt_no=9, trace_no=81), BASELINE, None),
        (status(trace_no=None), BASELINE, None),
        (status(), Baseline(TID, 7, None), None),
        (status(receipt_no=1, trace_no=1), Baseline(TID, 9999, 999_999), None),
        (status(), Baseline("", 7, 79), None),
        (status(terminal_id=""), BASELINE, None),
        # the same number: certainly not booked
        (LAST, BASELINE, Code.PAYMENT_DECLINED),
        (status(receipt_no=7, trace_no=None), BASELINE, Code.PAYMENT_DECLINED),
        # newer, and failed
        (status(0x05), BASELINE, Code.PAYMENT_DECLINED),
        (status(0x6C), BASELINE, Code.PAYMENT_STOPPED),
        # newer, and a reversal of the one that was asked for
        (status(receipt_no=9, trace_no=81, original_trace_no=80), BASELINE, Code.PAYMENT_REVERSED),
        # anything else: a person decides
        (status(receipt_no=9, trace_no=81, original_trace_no=79), BASELINE, U),
        (status(trace_no=None, original_trace_no=80), Baseline(TID, 7, None), U),
        (status(0x05, receipt_no=10, trace_no=83), BASELINE, U),
        (status(amount=1), BASELINE, U),
        (status(amount=None), BASELINE, U),
        (status(currency=756), BASELINE, U),
        (status(terminal_id="11111111"), BASELINE, U),
        (status(None), BASELINE, U),
        (status(receipt_no=None, totals=bytes(53)), BASELINE, U),  # an end of day meanwhile
        (status(receipt_no=6, trace_no=78), BASELINE, U),
        (status(receipt_no=8, trace_no=79), BASELINE, U),  # the counters disagree
        (status(receipt_no=7, trace_no=80), BASELINE, U),
        (status(receipt_no=None, trace_no=None), BASELINE, U),
        (status(), Baseline(TID), U),  # what was before is not known
        (status(receipt_no=1, trace_no=1), Baseline(TID, 0, 0), U),
        (answers.Refusal(0x66), Baseline(TID, 0, 0), U),  # no code means "there is none"
        (answers.Refusal(0x66), Baseline(TID), U),
        (answers.Refusal(0x66), BASELINE, U),
        (answers.Refusal(0x83), Baseline(TID), U),
        (answers.Refusal(0xFF), Baseline(TID), U),
        (None, BASELINE, U),  # it repeats the receipt and does not say of what
        (answers.Refusal(0x9C), BASELINE, Code.PAYMENT_UNKNOWN),  # busy again
    ],
)
def test_what_the_last_transaction_proves(last, baseline, code):
    print_again = commands.RepeatReceipt("000000", commands.RepeatService(0))
    tail = [(print_again, answers.Refusal(0x83))] if code is None else []
    outcome = recover(last, baseline, tail=tail)
    if code is None:
        assert isinstance(outcome, Approved)
    else:
        unknown = (Code.PAYMENT_UNRESOLVED, Code.PAYMENT_UNKNOWN)
        assert isinstance(outcome, Unknown if code in unknown else Declined)
        assert outcome.code is code


def test_it_waits_until_the_terminal_is_idle():
    busy = [(ASK_STATE, OK), (None, BUSY), (OK, None), (ASK_STATE, answers.Refusal(0x9C))]
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    driver, line = scripted(*busy, *STATE, *register, *LEARN)
    outcome = driver.last_transaction(Charge("p-1", AMOUNT, BASELINE), Recorder())
    assert isinstance(outcome, Declined)
    assert line.is_at_end
    assert line.clock() == 2.0


@pytest.mark.parametrize(
    ("other", "proves"),
    [({}, Declined), ({"date": "0602"}, Unknown), ({"amount": AMOUNT.amount}, Unknown)],
)
def test_a_number_that_was_used_before_does_not_prove_that_nothing_was_booked(other, proves):
    """Numbers that begin anew with each end of day, and one payment a day."""
    yesterday = status(receipt_no=1, trace_no=None, amount=500, date="0601", time="120000")
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    learn = [(ASK_LAST, OK), (None, yesterday), (OK, DONE), (OK, None)]
    today = dataclasses.replace(yesterday, **other)
    ask = [*STATE, *register, (ASK_LAST, OK), (None, today), (OK, DONE), (OK, None)]
    driver, line = scripted(*STATE, *register, *STATE, *learn, *learn, *ask, *ask, idle_wait_s=0.0)
    driver.connect()
    charge = Charge("p-1", AMOUNT, driver.baseline())
    for _ in range(2):  # asking again proves no more
        outcome = driver.last_transaction(charge, Recorder())
        assert isinstance(outcome, proves)
        assert outcome.code is (Code.PAYMENT_DECLINED if proves is Declined else U)
    assert line.is_at_end


def test_a_shared_terminal_is_asked_again_before_each_charge():
    """Another till's booking of the same amount, of which this one saw nothing, is not our
    charge."""
    theirs = status(receipt_no=8, trace_no=80)
    seen = [(ASK_LAST, OK), (None, theirs), (OK, DONE), (OK, None)]
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    driver, line = scripted(*CONNECT, *seen, *STATE, *register, *seen, idle_wait_s=0.0)
    driver.connect()
    charge = Charge("p-1", AMOUNT, driver.baseline())
    assert (charge.baseline.receipt_no, charge.baseline.trace_no) == (8, 80)
    assert isinstance(driver.last_transaction(charge, Recorder()), Declined)
    assert line.is_at_end


def test_a_number_that_this_till_has_used_twice():
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    again = status(receipt_no=7, trace_no=79)  # as LAST, which was of another amount
    learn = [(ASK_LAST, OK), (None, again), (OK, DONE), (OK, None)]
    paid = [(PAY, OK), *after(again, DONE)]
    driver, line = scripted(*CONNECT, *paid, *learn, *STATE, *register, *learn, idle_wait_s=0.0)
    driver.connect()
    assert isinstance(driver.authorise(Charge("p-1", AMOUNT, BASELINE), Recorder()), Approved)
    charge = Charge("p-2", AMOUNT, driver.baseline())
    assert isinstance(driver.last_transaction(charge, Recorder()), Declined)
    assert line.is_at_end


@pytest.mark.parametrize("state", [0x9C, 0x9D, 0xDC, 0xE0, 0xE1])
def test_not_every_terminal_that_answers_is_idle(state):
    """A card half out of the reader, for example: its payment may not have come to an end."""
    turns = [(ASK_STATE, OK), (None, answers.Completion.of_status(state)), (OK, None)]
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    driver, _ = scripted(*turns, *register, *LEARN, idle_wait_s=0.0)
    outcome = driver.last_transaction(Charge("p-1", AMOUNT, BASELINE), Recorder())
    assert isinstance(outcome, Unknown)
    assert outcome.code is Code.PAYMENT_UNKNOWN  # worth asking again


def test_a_terminal_that_cannot_say_whether_it_is_idle_needs_a_person():
    driver, _ = scripted((ASK_STATE, answers.Refusal(0x83)))
    outcome = driver.last_transaction(Charge("p-1", AMOUNT, BASELINE), Recorder())
    assert outcome == Unknown(U, "status enquiry: function not possible")


def test_what_is_left_of_the_old_dialogue_is_not_acknowledged():
    """The terminal is still at the payment: it must decide as if nobody were there."""
    late = [(ASK_STATE, answers.IntermediateStatus(0x04)), (OK, status())]
    late += [(None, answers.PrintLine(0x81, "x")), (None, DONE), (OK, None)]
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    driver, line = scripted(*late, *STATE, *register, *LEARN, idle_wait_s=60.0)
    outcome = driver.last_transaction(Charge("p-1", AMOUNT, BASELINE), Recorder())
    assert isinstance(outcome, Declined)
    assert line.is_at_end


@pytest.mark.parametrize("line", LINES)
def test_a_lost_slip_is_printed_again(tmp_path, line):
    with rigged(tmp_path, line, commit="keep") as (driver, simulator):
        simulator.faults = Faults(AnswerFault.CUT)
        heard, charge = Recorder(), Charge("p-1", AMOUNT, driver.baseline())
        driver.authorise(charge, heard)
        assert heard.slips == []
        simulator.faults = NO_FAULTS
        assert isinstance(driver.last_transaction(charge, heard), Approved)
        assert [kind for kind, _ in heard.slips] == [Slip.MERCHANT, Slip.CUSTOMER]
        # and not a third time
        assert isinstance(driver.last_transaction(charge, heard), Approved)
        assert len(heard.slips) == 2
        simulator.t3_s = SHORT_T3_S
        broken = Recorder()
        broken.fails_at = "slip"
        driver._printed = ("", frozenset())
        with pytest.raises(OSError, match="no space"):
            driver.last_transaction(charge, broken)
        assert simulator.wait_for(lambda state: not state["busy"])
        assert driver.check().is_well
