"""The driver in dialogues that are written down word for word, and in those with a terminal."""

import dataclasses
import errno
import itertools
import json

import pytest
import structlog

from appliance.domain.errors import Bug, Code, ConfigTrouble, TerminalTrouble
from appliance.domain.money import Money
from appliance.domain.payment import Baseline, Card
from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
from appliance.drivers.zvt_questions import CONFIG
from appliance.drivers.zvt_session import Times
from appliance.drivers.zvt_trace import LARGEST_FILE, ReplayLine, Trace
from appliance.ports import Approved, Charge, Declined, Prompt, Slip, Unknown
from appliance.protocols.zvt import answers, commands, messages
from appliance.simulators.zvt_faults import NO_FAULTS, AnswerFault, Faults
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.contract.terminal import AMOUNT, Recorder
from tests.drivers.zvt_rig import LINES, SHORT_T3_S, held, rigged

OK = answers.Accepted()
DONE = answers.Completion()
TID = "28004869"
ASK_STATE = commands.StatusEnquiry("000000")
ASK_LAST = commands.RepeatReceipt("000000", commands.RepeatService(3))
REGISTER = commands.Registration("000000", CONFIG, 978, tlv=commands.TEXT_BLOCKS)
PAY = commands.Authorization(AMOUNT.amount, 978)
READY = answers.Completion.of_status(0x00)
BUSY = answers.Completion.of_status(0x9C)
REGISTERED = answers.Completion.of_registration(0, TID, 978)


def status(result=0, receipt_no=8, trace_no=80, amount=AMOUNT.amount, **more):
    more = {"currency": 978, "terminal_id": TID, **more}
    return answers.StatusInformation(
        result, amount, receipt_no=receipt_no, trace_no=trace_no, **more
    )


LAST = status(receipt_no=7, trace_no=79, amount=500)
BASELINE = Baseline(TID, 7, 79)
STATE = [(ASK_STATE, OK), (None, READY), (OK, None)]
LEARN = [(ASK_LAST, OK), (None, LAST), (OK, DONE), (OK, None)]
CONNECT = [*STATE, (REGISTER, OK), (None, REGISTERED), (OK, None), *STATE, *LEARN]


def scripted(*turns, address="tcp:127.0.0.1:20007", **options):
    """A driver before a terminal that says these words: (till, terminal) in turn."""
    lines = [
        json.dumps({"ms": 0, "dir": way, "hex": messages.redact(message.encode()).hex()})
        for turn in turns
        for way, message in zip(("tx", "rx"), turn, strict=True)
        if message is not None
    ]
    line = ReplayLine(lines)
    driver = ZvtTerminal(
        ZvtOptions(address, **options), line.clock, open_line=lambda until: line, sleep=line.sleep
    )
    return driver, line


def numbers(driver):
    """The baseline that the driver has in memory, without asking the terminal again."""
    return driver._baseline.receipt_no, driver._baseline.trace_no


def after(*words):
    """The terminal's words, each acknowledged by the till."""
    return [(None, words[0]), *((OK, word) for word in words[1:]), (OK, None)]


def authorise(turns, heard=None, baseline=None):
    driver, line = scripted(*CONNECT, (PAY, OK), *turns)
    driver.connect()
    assert numbers(driver) == (7, 79)
    outcome = driver.authorise(Charge("p-1", AMOUNT, baseline or BASELINE), heard or Recorder())
    assert line.is_at_end
    return driver, outcome


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


# --- recovery, word for word


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


# --- connecting


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
        assert outcome.code is U
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


# --- cards, traces, lines


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
