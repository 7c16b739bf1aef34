"""The simulated terminal by itself: what a till that is not Kassa's driver would meet."""

import json
import time
from contextlib import contextmanager

import pytest

from appliance.drivers.lines import open_line
from appliance.drivers.zvt_session import Session, Times
from appliance.drivers.zvt_trace import Trace
from appliance.protocols.zvt import answers, bmp, commands, messages, tlv
from appliance.protocols.zvt.framing import SerialLink, TcpLink
from appliance.simulators.bank import Bank
from appliance.simulators.zvt_faults import AnswerFault, Faults
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import KEEP, SimulatorOptions
from appliance.simulators.zvt_terminal import NOTHING_STORED, ZvtTerminalSimulator

OK = answers.Accepted()
WAIT_S = 10.0
PASSWORD = "000000"
ALL = commands.Config(0x8E)
PAY = commands.Authorization(500, 978)


class Till:
    """A till that says what the test says."""

    def __init__(self, address):
        line = open_line(address, time.monotonic() + WAIT_S)
        link = TcpLink() if address.startswith("tcp:") else SerialLink()
        self.session = Session(line, link, Times(), time.monotonic, Trace(None))

    def say(self, message):
        self.session.send(message)

    def hear(self):
        return self.session.receive(time.monotonic() + WAIT_S)

    def ask(self, command):
        """All that the terminal says until it ends the command; each is acknowledged."""
        self.say(command)
        heard = [self.hear()]
        if heard[0] != OK:
            return heard
        while not isinstance(heard[-1], answers.Completion | answers.Failure):
            heard.append(self.hear())
            assert heard[-1] is not None
            self.say(OK)
        return heard

    def register(self, config=ALL):
        assert self.ask(commands.Registration(PASSWORD, config, 978))[0] == OK


@contextmanager
def bench(tmp_path, kind="pty", t3_s=0.4, register=True, **options):
    options.setdefault("auto", "approve")
    line = LineOptions(kind, path=str(tmp_path / "terminal"), t3_s=t3_s)
    with ZvtTerminalSimulator(SimulatorOptions(line=line, **options)) as simulator:
        till = Till(simulator.address)
        if register:
            till.register()
        yield simulator, till
        till.session.close()


@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_a_payment_line_by_line(tmp_path, kind):
    with bench(tmp_path, kind) as (simulator, till):
        heard = till.ask(PAY)
        kinds = [type(message).__name__ for message in heard]
        assert kinds[:4] == [
            "Accepted",
            "IntermediateStatus",
            "IntermediateStatus",
            "StatusInformation",
        ]
        assert kinds[-1] == "Completion"
        assert set(kinds[4:-1]) == {"PrintLine"}
        assert heard[3].result == 0
        assert sum(line.is_last for line in heard[4:-1]) == 2
        assert simulator.bank.balance() == 500


def test_it_prints_by_itself_when_the_till_does_not(tmp_path):
    with bench(tmp_path, register=False) as (simulator, till):
        till.register(commands.Config(0x00))
        kinds = [type(message).__name__ for message in till.ask(PAY)]
        assert kinds == ["Accepted", "StatusInformation", "Completion"]
        assert [paper[1] for paper in simulator.paper] == [
            "* Merchant receipt *",
            "* Customer receipt *",
        ]
        till.say(commands.LogOff())
        assert till.hear() == OK
        assert "PrintLine" in [type(message).__name__ for message in till.ask(PAY)]


def test_a_till_that_is_not_registered_cannot_charge(tmp_path):
    with bench(tmp_path, register=False) as (_, till):
        assert till.ask(PAY) == [answers.Refusal(0x6B)]


def test_what_it_refuses(tmp_path):
    with bench(tmp_path) as (_, till):
        assert till.ask(commands.Registration(PASSWORD, ALL, 756)) == [answers.Refusal(0x6F)]
        assert till.ask(commands.Registration("111111", ALL, 978)) == [answers.Refusal(0x83)]
        assert till.ask(commands.Authorization(500, 756)) == [answers.Refusal(0x6F)]
        assert till.ask(commands.RepeatReceipt(PASSWORD)) == [answers.Refusal(NOTHING_STORED)]
        reversal = till.ask(commands.Reversal(PASSWORD, 7, 500, 978))
        assert reversal[1].result == 0xB5


def test_display_text(tmp_path):
    with bench(tmp_path) as (simulator, till):
        till.say(commands.DisplayText(("Hello", "world"), 1, 0))
        assert till.hear() == OK
        assert till.hear() == answers.Completion()
        assert simulator.wait_for(lambda state: state["display"] == ["Hello", "world"])
        till.say(OK)
        assert simulator.wait_for(lambda state: state["display"][1] == "Ready")


def read_to_status(till):
    till.say(PAY)
    while not isinstance(message := till.hear(), answers.StatusInformation):
        if isinstance(message, answers.IntermediateStatus):
            till.say(OK)
    return message


def test_84_9c_asks_for_the_result_again(tmp_path):
    with bench(tmp_path, repeat_s=0.01) as (simulator, till):
        status = read_to_status(till)
        till.say(answers.Refusal(0x9C))
        assert till.hear() == status
        till.say(OK)
        while not isinstance(till.hear(), answers.Completion):
            till.say(OK)
        assert simulator.bank.balance() == 500


def test_84_9c_for_ever_is_given_up(tmp_path):
    with bench(tmp_path, repeat_s=0.01) as (simulator, till):
        read_to_status(till)
        for _ in range(2):
            till.say(answers.Refusal(0x9C))
            assert isinstance(till.hear(), answers.StatusInformation)
        till.say(answers.Refusal(0x9C))
        assert isinstance(till.hear(), answers.Failure)
        assert simulator.bank.balance() == 0


@pytest.mark.parametrize("commit", ["auto-reverse", "keep"])
def test_any_other_refusal_makes_it_reverse(tmp_path, commit):
    with bench(tmp_path, commit=commit) as (simulator, till):
        read_to_status(till)
        till.say(answers.Refusal(0xFF))
        assert isinstance(till.hear(), answers.Completion | answers.Failure)
        assert simulator.bank.balance() == 0
        assert len(simulator.bank.bookings()) == 1


@pytest.mark.parametrize(("commit", "balance"), [("auto-reverse", 0), ("keep", 500)])
def test_a_print_command_without_answer(tmp_path, commit, balance):
    with bench(tmp_path, commit=commit) as (simulator, till):
        read_to_status(till)
        till.say(OK)
        assert isinstance(till.hear(), answers.PrintLine)
        assert isinstance(till.hear(), answers.Completion | answers.Failure)
        assert simulator.bank.balance() == balance


@pytest.mark.parametrize(
    ("mirrored", "balance"),
    [("0001", 1000), ("0000", 500), ("0005", 1000), ("", 1000)],
)
def test_the_sync_number_of_a_terminal_that_keeps(tmp_path, mirrored, balance):
    """One behind: the till never saw the last booking, and it is taken back."""
    with bench(tmp_path, commit=KEEP) as (simulator, till):
        status = till.ask(PAY)[3]
        number = tlv.find(status.tlv, tlv.SYNC_RECEIPT)
        assert number is not None
        assert bmp.from_bcd(number.value) == 1
        objects = (tlv.Tlv(tlv.SYNC_RECEIPT, bytes.fromhex(mirrored)),)
        till.ask(commands.Authorization(500, 978, tlv=objects))
        assert simulator.bank.balance() == balance


@pytest.mark.parametrize(
    ("ends", "kind"), [("completion", answers.Completion), ("abort", answers.Failure)]
)
def test_a_decline(tmp_path, ends, kind):
    with bench(tmp_path, auto=None, decline_ends=ends) as (simulator, till):
        till.say(PAY)
        assert till.hear() == OK
        assert simulator.wait_for(lambda state: state["waits_for"] == "card")
        simulator.decline(0x61, "No money")
        heard: list[messages.Message | None] = []
        while not heard or not isinstance(heard[-1], answers.Completion | answers.Failure):
            heard.append(till.hear())
            till.say(OK)
        assert isinstance(heard[-1], kind)
        status = next(m for m in heard if isinstance(m, answers.StatusInformation))
        assert (status.result, status.text) == (0x61, "No money")
        assert simulator.bank.bookings() == ()


def test_while_it_is_busy(tmp_path):
    with bench(tmp_path, auto=None) as (_, till):
        till.say(PAY)
        assert till.hear() == OK
        assert isinstance(till.hear(), answers.IntermediateStatus)
        till.say(OK)
        till.say(commands.StatusEnquiry())
        assert till.hear() == answers.Refusal(0x9C)
        till.say(commands.AbortCommand())
        assert till.hear() == OK
        assert till.hear().result == 0x6C


def test_nobody_comes(tmp_path):
    with bench(tmp_path, auto=None, customer_s=0.05) as (_, till):
        assert read_to_status(till).result == 0x6C


def test_an_abort_without_a_payment(tmp_path):
    with bench(tmp_path) as (_, till):
        till.say(commands.AbortCommand())
        assert till.hear() == OK


def test_a_tap_without_a_payment_is_nothing(tmp_path):
    with bench(tmp_path, auto=None) as (simulator, till):
        simulator.tap()
        simulator.insert()
        simulator.cancel_key()
        till.say(PAY)
        assert till.hear() == OK
        assert simulator.wait_for(lambda state: state["waits_for"] == "card")
        assert simulator.bank.bookings() == ()


@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_state_is_json_and_changes_are_told(tmp_path, kind):
    changes = []
    line = LineOptions(kind, path=str(tmp_path / "terminal"))
    bank = Bank()
    with ZvtTerminalSimulator(
        SimulatorOptions(line=line, boot_s=0.01), bank=bank, on_change=lambda: changes.append(1)
    ) as simulator:
        assert simulator.wait_for(lambda state: state["display"][-1:] == ["Ready"])
        assert changes
        state = simulator.state()
        assert json.loads(json.dumps(state)) == state
        assert state["powered"]
        simulator.pull_plug()
        assert simulator.wait_for(lambda state: not state["powered"] and state["display"] == [])
        simulator.plug_in()
        assert simulator.wait_for(lambda state: state["display"][-1:] == ["Ready"])
        simulator.cable_out()
        simulator.cable_out()
        assert not simulator.state()["cable"]
        simulator.pull_plug()
        simulator.plug_in()
        simulator.cable_in()
        simulator.cable_in()
        Till(simulator.address).session.close()
    assert simulator.bank is bank


def test_a_stable_path_follows_the_pty(tmp_path):
    path = tmp_path / "terminal"
    line = LineOptions("pty", path=str(path))
    with ZvtTerminalSimulator(SimulatorOptions(line=line)) as simulator:
        assert simulator.address == f"serial:{path}"
        assert path.is_symlink()
        simulator.cable_out()
        assert not path.is_symlink()
        simulator.cable_in()
        Till(simulator.address).session.close()
    assert not path.is_symlink()


def test_the_same_seed_gives_the_same_faults():
    faults = [Faults.from_seed(seed) for seed in range(200)]
    assert faults == [Faults.from_seed(seed) for seed in range(200)]
    assert {fault.answer for fault in faults} == set(AnswerFault)


def test_nonsense_from_a_till_does_not_stop_it(tmp_path):
    for kind in ("pty", "tcp"):
        with bench(tmp_path, kind, register=False) as (simulator, till):
            till.session._line.write(b"GET / HTTP/1.0\r\n\r\n", time.monotonic() + 1.0)
            till.session.close()
            till.session = Till(simulator.address).session
            till.register()


def test_the_bank_keeps_the_truth():
    bank = Bank()
    first = bank.book(500, 978, "1", 7, 70, "")
    second = bank.book(-200, 978, "1", 8, 71, "")
    assert bank.find("1", 7) == first
    assert bank.find("2", 7) is None
    assert bank.balance() == 300
    bank.take_back(first)
    bank.take_back(first)
    assert bank.held() == (second,)
    assert [booking.held for booking in bank.bookings()] == [False, True]


def test_pans_of_bookings_are_masked(tmp_path):
    with bench(tmp_path) as (simulator, till):
        till.ask(PAY)
        assert simulator.bank.bookings()[0].pan == "541333******4771"
        assert messages.decode(simulator._last.encode()) == simulator._last
