"""Connecting to a terminal, what it is asked while idle, and the baseline that follows."""

import pytest

from appliance.domain.errors import Bug, Code, ConfigTrouble, TerminalTrouble
from appliance.domain.money import Money
from appliance.domain.payment import Baseline, Card
from appliance.drivers.zvt import ZvtOptions
from appliance.ports import Approved, Charge, Declined, Unknown
from appliance.protocols.zvt import answers, commands
from tests.contract.terminal import AMOUNT, Recorder
from tests.drivers.zvt_script import (
    ASK_LAST,
    ASK_STATE,
    BASELINE,
    BUSY,
    CONNECT,
    DONE,
    OK,
    PAY,
    READY,
    REGISTER,
    REGISTERED,
    STATE,
    TID,
    after,
    numbers,
    scripted,
    status,
)


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ([(ASK_STATE, OK), (None, BUSY), (OK, None)], Code.TERMINAL_BUSY),
        ([(ASK_STATE, answers.Refusal(0x9C))], Code.TERMINAL_BUSY),
        ([(ASK_STATE, answers.Failure(0xFF)), (OK, None)], Code.TERMINAL_SETUP),
        ([*STATE, (REGISTER, answers.Refusal(0x6F))], Code.TERMINAL_CURRENCY),
        ([*STATE, (REGISTER, answers.Refusal(0x83))], Code.TERMINAL_SETUP),
        (
            [
                *STATE,
                (REGISTER, OK),
                (None, answers.Completion.of_registration(0, TID, 756)),
                (OK, None),
            ],
            Code.TERMINAL_CURRENCY,
        ),
        ([(ASK_STATE, None)], Code.TERMINAL_GONE),
        ([(ASK_STATE, OK), (None, DONE), (OK, None)], Code.TERMINAL_NONSENSE),
        ([(commands.LogOff(), None)], Code.TERMINAL_GONE),
    ],
)
def test_connecting_to_a_terminal_that_is_not_well(turns, code):
    driver, _ = scripted(*turns)
    with pytest.raises(TerminalTrouble) as caught:
        driver.connect()
    assert caught.value.code is code
    assert driver.check().code is Code.TERMINAL_GONE
    with pytest.raises(TerminalTrouble):
        driver.authorise(Charge("p-1", AMOUNT, BASELINE), Recorder())


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (0x51, Code.TERMINAL_SETUP),
        (0x62, Code.TERMINAL_SETUP),
        (0xDC, Code.TERMINAL_BUSY),
        (0xE1, Code.TERMINAL_BUSY),
    ],
)
def test_health_of_a_registered_terminal(state, code):
    ill = [(ASK_STATE, OK), (None, answers.Completion.of_status(state, "1.2")), (OK, None)]
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    driver, _ = scripted(*STATE, *register, *ill)
    with pytest.raises(TerminalTrouble) as caught:
        driver.connect()
    assert caught.value.code is code
    driver, _ = scripted(*CONNECT, *ill)
    driver.connect()
    assert driver.check().code is code


@pytest.mark.parametrize(
    "turns",
    [
        [(ASK_STATE, OK), (None, BUSY), (OK, None)],
        [(ASK_STATE, answers.Refusal(0x9C))],
        [(PAY, answers.Refusal(0x9C))],
        [(PAY, OK), *after(status(0x9C), DONE)],
    ],
)
def test_a_terminal_that_is_busy_with_somebody_elses_transaction_is_asked_anew(turns):
    """That transaction may have this charge's amount, and must not pass for it."""
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    learn = [(ASK_LAST, OK), (None, status()), (OK, DONE), (OK, None)]
    driver, line = scripted(*CONNECT, *turns, *STATE, *register, *STATE, *learn)
    driver.connect()
    if turns[0][0] is PAY:
        outcome = driver.authorise(Charge("p-1", AMOUNT, BASELINE), Recorder())
        assert outcome == Declined(Code.TERMINAL_BUSY)
    else:
        assert driver.check().code is Code.TERMINAL_BUSY
    with pytest.raises(TerminalTrouble):
        driver.baseline()
    assert driver.check().is_well
    assert numbers(driver) == (8, 80)
    assert line.is_at_end


@pytest.mark.parametrize(
    "does",
    [
        [(None, answers.IntermediateStatus(0x0F)), (OK, READY)],
        [(None, answers.PrintTextBlock(("Kassenschnitt",), answers.Receipt.ADMIN)), (OK, READY)],
        [(None, answers.PrintLine(0x00, "Diagnose")), (OK, answers.PrintLine(0x81)), (OK, READY)],
        [(None, answers.StatusInformation(0)), (None, READY)],
    ],
)
def test_a_terminal_that_uses_a_status_enquiry_for_an_end_of_day_is_asked_anew(does):
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    learn = [(ASK_LAST, OK), (None, status(receipt_no=1)), (OK, DONE), (OK, None)]
    turns = [(ASK_STATE, OK), *does, (OK, None), *STATE, *register, *STATE, *learn]
    driver, line = scripted(*CONNECT, *turns)
    driver.connect()
    assert driver.check().is_well
    with pytest.raises(TerminalTrouble):
        driver.baseline()
    assert driver.check().is_well
    assert numbers(driver) == (1, 80)
    assert line.is_at_end


def test_a_status_enquiry_with_mere_progress_changes_nothing():
    wait = [(None, answers.IntermediateStatus(0x0E)), (OK, READY), (OK, None)]
    driver, line = scripted(*CONNECT, (ASK_STATE, OK), *wait)
    driver.connect()
    assert driver.check().is_well
    assert numbers(driver) == (7, 79)
    assert line.is_at_end


def test_a_terminal_without_transactions_has_no_baseline_numbers():
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    unknown = [(ASK_STATE, answers.Refusal(0x6B))]  # not registered: so what
    ask = [(ASK_LAST, answers.Failure(0x66)), (OK, None)]
    driver, line = scripted(*unknown, *register, *STATE, *ask)
    driver.connect()
    assert numbers(driver) == (None, None)
    assert line.is_at_end


def test_a_terminal_that_never_tells_its_last_transaction_can_be_used():
    """A lost answer is then a person's case, and the payments that are not lost need nobody."""
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    silent = [(ASK_LAST, OK), (None, DONE), (OK, None)]
    pay = [(PAY, OK), *after(status(), DONE)]
    driver, line = scripted(*STATE, *register, *STATE, *silent, *silent, *pay)
    driver.connect()
    charge = Charge("p-1", AMOUNT, driver.baseline())
    assert charge.baseline == Baseline(TID)
    assert isinstance(driver.authorise(charge, Recorder()), Approved)
    assert line.is_at_end


@pytest.mark.parametrize("code", [0x64, 0x66, 0x7D, 0xA3, 0xCC])
def test_a_terminal_that_cannot_tell_its_last_transaction_now_may_have_one(code):
    """An older booking of the same amount is not this charge, and a refusal is not "none"."""
    register = [(REGISTER, OK), (None, REGISTERED), (OK, None)]
    refused = [*STATE, *register, *STATE, *[(ASK_LAST, answers.Refusal(code))] * 2]
    older = [*STATE, *register, (ASK_LAST, OK), (None, status()), (OK, DONE), (OK, None)]
    for then in (older, [*STATE, *register, (ASK_LAST, answers.Refusal(code))]):
        driver, line = scripted(*refused, *then, idle_wait_s=0.0)
        driver.connect()
        charge = Charge("p-1", AMOUNT, driver.baseline())
        outcome = driver.last_transaction(charge, Recorder())
        assert isinstance(outcome, Unknown)
        assert outcome.code is Code.PAYMENT_UNRESOLVED
        assert line.is_at_end


@pytest.mark.parametrize(
    ("address", "password", "currency"),
    [
        ("usb:1", "000000", "EUR"),
        ("tcp:host", "000000", "EUR"),
        ("tcp:host:1:2", "000000", "EUR"),
        ("tcp:/dev/x", "000000", "EUR"),
        ("serial:/dev/x", "1", "EUR"),
        ("serial:/dev/x", "12345x", "EUR"),
        ("serial:/dev/x", "000000", "XXX"),
    ],
)
def test_options_that_cannot_be(address, password, currency):
    with pytest.raises(ConfigTrouble):
        ZvtOptions(address, password=password, currency=currency)


def test_the_password_is_not_shown():
    assert "123456" not in repr(ZvtOptions("serial:/dev/x", password="123456"))


def test_charges_that_cannot_be():
    driver, _ = scripted(*CONNECT)
    driver.connect()
    with pytest.raises(Bug):
        driver.authorise(Charge("p-1", Money.of(0, "EUR"), BASELINE), Recorder())
    with pytest.raises(TerminalTrouble) as caught:
        driver.authorise(Charge("p-1", Money.of(5, "CHF"), BASELINE), Recorder())
    assert caught.value.code is Code.TERMINAL_CURRENCY
    with pytest.raises(Bug):
        driver.refund(Money.of(5, "CHF"), Recorder())
    card = Card(5, "EUR")
    assert isinstance(driver.reverse(card, Recorder()), Declined)
    assert driver.traits().recovers


def test_an_abort_just_before_its_charge_counts():
    driver, line = scripted(*CONNECT)
    driver.connect()
    driver.abort()
    charge = Charge("p-1", AMOUNT, BASELINE)
    assert driver.authorise(charge, Recorder()) == Declined(Code.PAYMENT_STOPPED)
    driver.abort()
    line.sleep(3.0)
    assert isinstance(driver.authorise(charge, Recorder()), Unknown)  # it tried


def test_bytes_that_never_left_are_trouble_and_not_unknown():
    driver, line = scripted(*CONNECT)
    driver.connect()

    def refuse(data, until):
        raise driver_lost

    from appliance.drivers.lines import LineLost

    driver_lost = LineLost("broken", 0)
    line.write = refuse
    with pytest.raises(TerminalTrouble) as caught:
        driver.authorise(Charge("p-1", AMOUNT, BASELINE), Recorder())
    assert caught.value.code is Code.TERMINAL_GONE
    driver, line = scripted(*CONNECT)
    driver.connect()
    driver_lost = LineLost("broken", 1)
    line.write = refuse
    assert isinstance(driver.authorise(Charge("p-1", AMOUNT, BASELINE), Recorder()), Unknown)
