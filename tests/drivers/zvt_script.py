"""A terminal that says what it is told to, word for word, before a real driver."""

import json

from appliance.domain.payment import Baseline
from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
from appliance.drivers.zvt_questions import CONFIG
from appliance.drivers.zvt_trace import ReplayLine
from appliance.ports import Charge
from appliance.protocols.zvt import answers, commands, messages
from tests.contract.terminal import AMOUNT, Recorder

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
