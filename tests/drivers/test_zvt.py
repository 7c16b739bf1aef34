"""The ZVT driver's dialogues, word for word and with the simulator."""

import pytest

from appliance.domain.errors import Code, TerminalTrouble
from appliance.domain.money import Money
from appliance.ports import Approved, Charge, Declined, Prompt, Slip, Unknown
from appliance.protocols.zvt import answers, commands
from tests.contract.terminal import AMOUNT, Recorder
from tests.drivers.zvt_rig import LINES, held, rigged
from tests.drivers.zvt_script import (
    BASELINE,
    CONNECT,
    DONE,
    OK,
    PAY,
    after,
    authorise,
    numbers,
    scripted,
    status,
)

# --- what a dialogue proves


@pytest.mark.parametrize(
    ("words", "outcome", "code"),
    [
        # The known mistake: a decline with a completion behind it is reported as paid.
        ((status(0x6C), DONE), Declined, Code.PAYMENT_STOPPED),
        ((status(0x05, text="Karte ungültig"), DONE), Declined, Code.PAYMENT_DECLINED),
        ((status(0x05), answers.Failure(0x05)), Declined, Code.PAYMENT_DECLINED),
        ((status(0x6F), DONE), Declined, Code.TERMINAL_CURRENCY),
        ((answers.Failure(0x6C),), Declined, Code.PAYMENT_STOPPED),
        ((answers.Failure(0xA3),), Declined, Code.PAYMENT_DECLINED),
        ((answers.Failure(0x00),), Unknown, Code.PAYMENT_UNKNOWN),
        ((status(), DONE), Approved, None),
        ((status(), status(), DONE), Approved, None),
        ((status(amount=None, currency=None), DONE), Approved, None),
        ((DONE,), Unknown, Code.PAYMENT_UNKNOWN),
        ((answers.PrintLine(0x81, "end"), DONE), Unknown, Code.PAYMENT_UNKNOWN),
        ((status(), answers.Failure(0xCC)), Unknown, Code.PAYMENT_UNKNOWN),
        ((status(), status(0x05), DONE), Unknown, Code.PAYMENT_UNKNOWN),
        ((status(), answers.Completion(b"\x27\x6c")), Unknown, Code.PAYMENT_UNKNOWN),
        ((status(), answers.Completion(b"\x27\x00")), Approved, None),
        ((status(), answers.Completion(b"\x04\x00")), Approved, None),
        # The same booking, told twice; the terminal must not take it back for that.
        ((status(time="120000"), status(time="120001"), DONE), Approved, None),
        ((answers.IntermediateStatus(0x0A), status(), DONE), Approved, None),
    ],
)
def test_what_a_dialogue_proves(words, outcome, code):
    heard = Recorder()
    driver, said = authorise(after(*words), heard)
    assert isinstance(said, outcome)
    assert getattr(said, "code", None) is code
    if isinstance(said, Unknown):
        with pytest.raises(TerminalTrouble):
            driver.baseline()
    else:
        assert heard.facts == [said]


def test_another_approval_behind_a_decline_is_refused():
    turns = [(None, status(0x05)), (OK, status(0)), (answers.Refusal(0xFF), DONE), (OK, None)]
    _, outcome = authorise(turns)
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("other", [{"amount": 1}, {"currency": 756}])
def test_another_amount_is_given_back(other):
    heard = Recorder()
    end = [(answers.Refusal(0xFF), answers.Failure(0x9B)), (OK, None)]
    _, outcome = authorise([(None, status(**other)), *end], heard)
    assert isinstance(outcome, Unknown)
    assert outcome.code is Code.TERMINAL_OTHER_AMOUNT
    assert heard.facts == []


ANOTHERS = (answers.Failure(0x6C), status(0x6C), status(), DONE, answers.IntermediateStatus(0x04))


@pytest.mark.parametrize("before", ANOTHERS)
def test_what_comes_before_the_command_is_accepted_is_another_ones(before):
    """A message of the payment before, repeated because its acknowledgement got lost."""
    said = OK if isinstance(before, (answers.Failure, answers.Completion)) else None
    said = OK if isinstance(before, answers.IntermediateStatus) else said
    driver, line = scripted(*CONNECT, (PAY, before), (said, OK), *after(status(), DONE))
    driver.connect()
    heard = Recorder()
    outcome = driver.authorise(Charge("p-1", AMOUNT, BASELINE), heard)
    assert isinstance(outcome, Approved)
    assert heard.facts == [outcome]
    assert line.is_at_end


@pytest.mark.parametrize("answer", [None, answers.Refusal(0x83)])
def test_a_refusal_among_anothers_messages_is_not_certain(answer):
    driver, line = scripted(*CONNECT, (PAY, answers.Failure(0x6C)), (OK, answer))
    driver.connect()
    heard = Recorder()
    assert isinstance(driver.authorise(Charge("p-1", AMOUNT, BASELINE), heard), Unknown)
    assert heard.facts == []
    assert line.is_at_end


class Raw:
    def __init__(self, text):
        self.raw = bytes.fromhex(text)

    def encode(self):
        return self.raw


def test_an_amount_behind_an_unknown_field_is_not_taken_for_granted():
    """Not acknowledged, and not the amount asked for: it may be another one."""
    hidden = Raw("04 0F 0D 27 00 47 F0 F1 04 00 00 00 00 00 01 00")
    heard = Recorder()
    _, outcome = authorise([(None, hidden)], heard)
    assert isinstance(outcome, Unknown)
    assert heard.facts == []
    _, outcome = authorise(after(Raw("04 0F 09 27 00 04 00 00 00 00 12 34"), DONE))
    assert isinstance(outcome, Approved)


@pytest.mark.parametrize("odd", ["04FF 02 0A FF", "04FF 03 0A 00 06", "04FF 06 0A 00 06 02 24 80"])
def test_a_progress_message_that_cannot_be_read_ends_no_payment(odd):
    heard = Recorder()
    line = [(None, Raw("04FF 01 0A")), (OK, Raw(odd)), (OK, status()), (OK, DONE), (OK, None)]
    _, outcome = authorise(line, heard)
    assert isinstance(outcome, Approved)
    assert [prompt for prompt, _ in heard.prompts] == [Prompt.CARD] * 2


def test_a_result_without_its_code_is_nonsense():
    _, outcome = authorise([(None, status(None))])
    assert isinstance(outcome, Unknown)


def test_words_that_are_not_for_a_till_are_refused_and_it_goes_on():
    class SetClock:
        def encode(self):
            return bytes.fromhex("040100")

    turns = [(None, SetClock()), (answers.Refusal(0x83), status()), (OK, DONE), (OK, None)]
    _, outcome = authorise(turns)
    assert isinstance(outcome, Approved)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (status(), (8, 80)),
        (status(trace_no=None), (8, None)),  # never half new, half old
        (status(0x05), (8, 80)),
        (status(0x05, receipt_no=None), (7, 80)),
        (status(0x05, receipt_no=None, trace_no=None), (7, 79)),
    ],
)
def test_the_baseline_after_a_payment(words, expected):
    driver, _ = authorise(after(words, DONE))
    assert numbers(driver) == expected


def test_an_approval_without_numbers_leaves_no_baseline():
    """The next same amount could be mistaken for this one."""
    driver, outcome = authorise(after(status(receipt_no=None, trace_no=None), DONE))
    assert isinstance(outcome, Approved)
    with pytest.raises(TerminalTrouble):
        driver.baseline()


def test_prompts():
    heard = Recorder()
    own = answers.IntermediateStatus(0xFF, 0, ("Bitte", "warten"))
    codes = (0x0A, 0x01, 0x04, 0x0B, 0x44, 0x45, 0x0E, 0x10)
    prompts = [answers.IntermediateStatus(code) for code in codes]
    authorise(after(*prompts, own, status(), DONE), heard)
    assert [prompt for prompt, _ in heard.prompts] == [
        Prompt.CARD,
        Prompt.PIN,
        Prompt.HOST,
        Prompt.REMOVE,
        Prompt.REMOVE,
        Prompt.REVERSING,
        Prompt.WAIT,
        Prompt.OTHER,
        Prompt.OTHER,
    ]
    assert heard.prompts[0][1] == "insert card"
    assert heard.prompts[-1][1] == "Bitte warten"


def test_slips_line_by_line():
    heard = Recorder()
    feed = answers.PrintLine(0xFF, "\x02")
    lines = [
        answers.PrintLine(0x40, "* Händlerbeleg *"),
        answers.PrintLine(0x00, "EUR 12,34  "),
        answers.PrintLine(0x81),
        answers.PrintLine(0x40, "* Kundenbeleg *"),
        feed,
        answers.PrintLine(0x00, "Danke"),
        answers.PrintLine(0xC1, "Ende"),
        answers.PrintLine(0x00, "without an end mark"),
    ]
    authorise(after(status(), *lines, DONE), heard)
    assert heard.slips == [
        (Slip.MERCHANT, ["* Händlerbeleg *", "EUR 12,34"]),
        (Slip.CUSTOMER, ["* Kundenbeleg *", "", "", "Danke", "Ende"]),
        (Slip.CUSTOMER, ["without an end mark"]),
    ]


def test_slips_in_blocks():
    heard = Recorder()
    blocks = [
        answers.PrintTextBlock(("a",), answers.Receipt.MERCHANT, ends=False),
        answers.PrintTextBlock(("b",)),
        answers.PrintTextBlock(("c",), answers.Receipt.CUSTOMER),
        answers.PrintTextBlock(("d",), answers.Receipt.ADMIN),
        answers.PrintTextBlock(("",)),
        answers.PrintTextBlock(("e",), answers.Receipt.MERCHANT, ends=False),
        answers.PrintTextBlock(("f",), answers.Receipt.CUSTOMER, ends=False),
    ]
    authorise(after(status(), *blocks, DONE), heard)
    assert heard.slips == [
        (Slip.MERCHANT, ["a", "b"]),
        (Slip.CUSTOMER, ["c"]),
        (Slip.MERCHANT, ["d"]),
        (Slip.MERCHANT, ["e"]),
        (Slip.CUSTOMER, ["f"]),
    ]


def test_a_slip_is_bounded():
    heard = Recorder()
    block = answers.PrintTextBlock(("x",) * 200, answers.Receipt.CUSTOMER, ends=False)
    authorise(after(status(), *[block] * 5, DONE), heard)
    assert [len(lines) for _, lines in heard.slips] == [300]


def test_a_stray_message_between_two_payments_is_thrown_away_at_once():
    """The late answer to an abort, for example."""
    stray = answers.Refusal(0x83)
    first = after(status(0x6C), DONE)[:-1]
    driver, line = scripted(
        *CONNECT, (PAY, OK), *first, (OK, stray), (PAY, OK), *after(status(), DONE)
    )
    driver.connect()
    before = line.clock()
    outcomes = [
        driver.authorise(Charge(number, AMOUNT, BASELINE), Recorder()) for number in ("p-1", "p-2")
    ]
    assert [type(outcome) for outcome in outcomes] == [Declined, Approved]
    assert line.clock() == before


class Stopping(Recorder):
    """A seller who stops the charge at the customer's first prompt."""

    def __init__(self, driver):
        super().__init__()
        self.driver = driver

    def prompt(self, prompt, text):
        super().prompt(prompt, text)
        self.driver.abort()


ABORT = commands.AbortCommand()
STOPPED = [(PAY, OK), (None, answers.IntermediateStatus(0x0A)), (OK, None)]


@pytest.mark.parametrize("answer", [OK, answers.Refusal(0x83)])
def test_an_abort_that_was_answered_leaves_a_clean_line(answer):
    driver, line = scripted(*CONNECT, *STOPPED, (ABORT, answer), *after(status(0x6C), DONE))
    driver.connect()
    heard = Stopping(driver)
    assert isinstance(driver.authorise(Charge("p-1", AMOUNT, BASELINE), heard), Declined)
    assert numbers(driver)  # the line is kept
    assert line.is_at_end


def test_an_abort_that_was_not_answered_leaves_none():
    """Its late refusal would be taken for the next charge's, which then runs unheard."""
    first = [*STOPPED, (ABORT, status(0x6C)), (OK, DONE), (OK, None)]
    late = [(PAY, answers.Refusal(0x83)), (None, OK), *after(status(), DONE)]
    driver, _ = scripted(*CONNECT, *first, *late)
    driver.connect()
    heard = Stopping(driver)
    assert isinstance(driver.authorise(Charge("p-1", AMOUNT, BASELINE), heard), Declined)
    with pytest.raises(TerminalTrouble):  # it opens the line anew first
        driver.authorise(Charge("p-2", AMOUNT, BASELINE), Recorder())


# --- silence


@pytest.mark.parametrize(
    ("turns", "seconds"),
    [
        ([], 5),  # T3
        ([(PAY, OK)], 180),  # T4
        ([(PAY, OK), (None, answers.IntermediateStatus(0x0A)), (OK, None)], 180),
        ([(PAY, OK), (None, answers.IntermediateStatus(0x0A, 5)), (OK, None)], 300),
        ([(PAY, OK), (None, status()), (OK, None)], 180),
        ([(PAY, OK), (None, answers.IntermediateStatus(0x0A, 99)), (OK, None)], 1800),
    ],
)
def test_silence_is_unknown_after_the_standards_times(turns, seconds):
    driver, line = scripted(*CONNECT, *(turns or [(PAY, None)]))
    driver.connect()
    before = line.clock()
    outcome = driver.authorise(Charge("p-1", AMOUNT, BASELINE), Recorder())
    assert outcome == Unknown(Code.PAYMENT_UNKNOWN, "the terminal fell silent")
    assert line.clock() - before == pytest.approx(seconds, abs=0.01)


# --- other commands


@pytest.mark.parametrize("line", LINES)
def test_reversal_refund_and_end_of_day(tmp_path, line):
    with rigged(tmp_path, line) as (driver, simulator):
        heard = Recorder()
        outcome = driver.authorise(Charge("p-1", AMOUNT, driver.baseline()), heard)
        assert isinstance(outcome, Approved)
        taken_back = driver.reverse(outcome.card, heard)
        assert isinstance(taken_back, Approved)
        assert held(simulator) == 0
        assert driver.check().is_well
        assert driver.reverse(outcome.card, heard) == Declined(Code.PAYMENT_REVERSED)
        assert driver.check().is_well
        assert isinstance(driver.refund(Money.of(34, "EUR"), heard), Approved)
        assert simulator.bank.balance() == 1200
        assert driver.check().is_well
        assert isinstance(driver.end_of_day(heard), Approved)
        assert heard.slips[-1][1][1] == "* End of day *"
        assert driver.check().is_well
        number = driver.baseline().receipt_no
        assert number == simulator.state()["receipt_no"]


@pytest.mark.parametrize(
    ("words", "proves"),
    [
        ((DONE,), Approved),  # nothing was booked that day
        ((answers.PrintLine(0x81, "no transactions"), DONE), Approved),
        ((answers.StatusInformation(totals=bytes(3)), status(amount=5), DONE), Approved),
        ((status(), status(0x77), DONE), Unknown),
        ((answers.Failure(0x77),), Declined),
    ],
)
def test_ends_of_day(words, proves):
    driver, line = scripted(*CONNECT, (commands.EndOfDay("000000"), OK), *after(*words))
    driver.connect()
    assert isinstance(driver.end_of_day(Recorder()), proves)
    assert line.is_at_end
