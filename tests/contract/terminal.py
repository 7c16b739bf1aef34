"""What every card-terminal driver owes, whatever it drives. See appliance/ports.py.

A test class inherits TerminalContract and gives a `rig`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import pytest

from appliance.domain.errors import Code, TerminalTrouble
from appliance.domain.money import Money
from appliance.domain.payment import Baseline
from appliance.ports import Approved, Charge, Declined, Slip, Terminal, Unknown

WAIT_S = 20.0
AMOUNT = Money.of(1234, "EUR")


class Recorder:
    """An observer that keeps all it hears, and that can fail as a full disk does."""

    def __init__(self) -> None:
        self.prompts: list[tuple[str, str]] = []
        self.facts: list[Approved | Declined] = []
        self.slips: list[tuple[Slip, list[str]]] = []
        self.fails_at = ""
        self.heard = threading.Condition()

    def prompt(self, prompt, text):
        self._hear("prompt", self.prompts, (prompt, text))

    def answered(self, outcome):
        self._hear("answered", self.facts, outcome)

    def slip(self, kind, lines):
        self._hear("slip", self.slips, (kind, list(lines)))

    def _hear(self, what, store, entry):
        if self.fails_at == what:
            raise OSError(28, "no space left on device")
        with self.heard:
            store.append(entry)
            self.heard.notify_all()

    def wait_for_prompt(self) -> bool:
        with self.heard:
            return self.heard.wait_for(lambda: bool(self.prompts), WAIT_S)


class Aside:
    """One call on a thread of its own, as the counter has it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._result: list[Any] = []
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._result.append(error)

    def result(self) -> Any:
        self._thread.join(WAIT_S)
        assert self._result, "the driver does not come back"
        if isinstance(self._result[0], BaseException):
            raise self._result[0]
        return self._result[0]


class TerminalRig(ABC):
    """A driver, its terminal, and the customer. Nobody has connected yet."""

    terminal: Terminal

    @abstractmethod
    def customer_taps(self) -> None:
        """Returns when the terminal has seen the card; waits until it wants one."""

    @abstractmethod
    def customer_is_declined(self) -> None: ...

    @abstractmethod
    def customer_stops(self) -> None: ...

    @abstractmethod
    def cable_out(self) -> None: ...

    @abstractmethod
    def cable_in(self) -> None: ...

    @abstractmethod
    def balance(self) -> int:
        """What the bank holds, in minor units."""


def charge_of(terminal: Terminal, payment_id: str = "p-1") -> Charge:
    return Charge(payment_id, AMOUNT, terminal.baseline(), "1042", "H-1")


class TerminalContract(ABC):
    @pytest.fixture
    @abstractmethod
    def rig(self) -> TerminalRig: ...

    @pytest.fixture
    def heard(self):
        return Recorder()

    def pay(self, rig, heard, customer, payment_id="p-1"):
        charge = charge_of(rig.terminal, payment_id)
        running = Aside(lambda: rig.terminal.authorise(charge, heard))
        customer()
        return running.result()

    def test_before_it_is_connected_nothing_leaves(self, rig, heard):
        with pytest.raises(TerminalTrouble):
            rig.terminal.baseline()
        with pytest.raises(TerminalTrouble):
            rig.terminal.authorise(Charge("p-1", AMOUNT, Baseline(), "1042", "H-1"), heard)
        assert rig.balance() == 0
        assert heard.facts == []

    def test_a_tap_is_approved(self, rig, heard):
        rig.terminal.connect()
        outcome = self.pay(rig, heard, rig.customer_taps)
        assert isinstance(outcome, Approved)
        assert (outcome.card.amount, outcome.card.currency) == (1234, "EUR")
        assert heard.facts == [outcome]
        assert heard.prompts
        assert rig.balance() == 1234

    def test_a_decline_is_declined(self, rig, heard):
        rig.terminal.connect()
        outcome = self.pay(rig, heard, rig.customer_is_declined)
        assert isinstance(outcome, Declined)
        assert outcome.code is Code.PAYMENT_DECLINED
        assert rig.balance() == 0

    def test_the_customer_stops(self, rig, heard):
        rig.terminal.connect()
        outcome = self.pay(rig, heard, rig.customer_stops)
        assert isinstance(outcome, Declined)
        assert outcome.code is Code.PAYMENT_STOPPED
        assert rig.balance() == 0

    def test_the_seller_stops(self, rig, heard):
        rig.terminal.connect()

        def stop():
            assert heard.wait_for_prompt()
            rig.terminal.abort()

        outcome = self.pay(rig, heard, stop)
        assert isinstance(outcome, Declined)
        assert outcome.code is Code.PAYMENT_STOPPED
        assert rig.balance() == 0

    def test_a_stale_abort_stops_nobody_elses_charge(self, rig, heard):
        rig.terminal.connect()
        self.pay(rig, heard, rig.customer_stops)
        assert isinstance(self.pay(rig, heard, rig.customer_taps, "p-2"), Approved)

    def test_one_charge_after_the_other(self, rig, heard):
        rig.terminal.connect()
        for number in range(3):
            before = rig.terminal.baseline()
            outcome = self.pay(rig, heard, rig.customer_taps, f"p-{number}")
            assert isinstance(outcome, Approved)
            assert rig.terminal.baseline() != before
        assert rig.balance() == 3 * 1234

    def test_health_follows_the_cable(self, rig):
        assert rig.terminal.check().is_well
        rig.cable_out()
        assert rig.terminal.check().code is Code.TERMINAL_GONE
        rig.cable_in()
        assert rig.terminal.check().is_well
        assert rig.terminal.baseline() is not None

    def test_a_line_lost_while_idle_is_trouble_and_not_unknown(self, rig, heard):
        rig.terminal.connect()
        charge = charge_of(rig.terminal)
        rig.cable_out()
        with pytest.raises(TerminalTrouble) as caught:
            rig.terminal.authorise(charge, heard)
        assert caught.value.code is Code.TERMINAL_GONE
        with pytest.raises(TerminalTrouble):
            rig.terminal.baseline()
        assert rig.balance() == 0

    def test_a_line_lost_in_the_middle_is_unknown_and_then_settled(self, rig, heard):
        rig.terminal.connect()
        self.pay(rig, heard, rig.customer_taps, "p-0")
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
        if rig.terminal.traits().recovers:
            outcome = rig.terminal.last_transaction(charge, heard)
            assert isinstance(outcome, Approved if rig.balance() == 2 * 1234 else Declined)

    def test_close_twice_and_connect_again(self, rig):
        rig.terminal.connect()
        rig.terminal.close()
        rig.terminal.close()
        rig.terminal.connect()
        assert rig.terminal.check().is_well

    def test_abort_without_a_charge_is_harmless(self, rig):
        rig.terminal.abort()
        rig.terminal.connect()
        rig.terminal.abort()
        assert rig.terminal.check().is_well

    @pytest.mark.parametrize("at", ["answered", "slip"])
    def test_what_cannot_be_stored_is_not_acknowledged(self, rig, heard, at):
        rig.terminal.connect()
        self.pay(rig, heard, rig.customer_taps, "p-0")
        charge = charge_of(rig.terminal)
        broken = Recorder()
        broken.fails_at = at
        running = Aside(lambda: rig.terminal.authorise(charge, broken))
        rig.customer_taps()
        with pytest.raises(OSError, match="no space"):
            running.result()
        with pytest.raises(TerminalTrouble):
            rig.terminal.baseline()
        if rig.terminal.traits().recovers:
            outcome = rig.terminal.last_transaction(charge, heard)
            assert isinstance(outcome, Approved if rig.balance() == 2 * 1234 else Declined)
