"""What only the driver of kind "pay-api" can get wrong: answers that are not what they seem, and
answers that are lost. The rest is in tests/contract."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from appliance.domain.errors import Bug, Code, ConfigTrouble, TerminalTrouble
from appliance.domain.money import Money
from appliance.domain.payment import Baseline
from appliance.drivers.link_hop import LIFE_S, Signer
from appliance.drivers.pay_link import SHORTEST_S, PayLink, PayLinkOptions
from appliance.ports import Approved, Charge, Declined, Outcome, Unknown
from appliance.protocols.links.messages import Act, LinkError, Reason
from appliance.protocols.links.messages import Outcome as Said
from appliance.protocols.links.signing import Algorithm, Key
from tests.contract.terminal import AMOUNT, WAIT_S, Aside, Recorder, charge_of
from tests.counter.harness import Clock
from tests.drivers.link_far_side import THEIRS, FarSide

STRANGER = Key("app", Algorithm.HMAC_SHA256, b"x" * 32, can_sign=True)


class Rig:
    def __init__(self, *, knows_status=True, answer_s=WAIT_S, ask_s=WAIT_S, **far):
        self.clock = Clock()
        self.far = FarSide(self.clock, **far)
        self.options = PayLinkOptions(
            self.far.signer, knows_status=knows_status, answer_s=answer_s, ask_s=ask_s
        )
        self.restart()
        self.heard = Recorder()
        self.charge = charge_of(self.terminal)

    def restart(self):
        """The driver's memory is gone; the link and the application are not."""
        self.terminal = PayLink(
            self.options, self.far.door, lambda: time.monotonic() + self.clock.monotonic()
        )
        self.terminal.connect()

    def pay(self, charge=None):
        return Aside(lambda: self.terminal.authorise(charge or self.charge, self.heard))

    def ask(self):
        return Aside(lambda: self.terminal.last_transaction(self.charge, self.heard))


def test_the_link_says_all_that_it_must():
    rig = Rig()
    running = rig.pay()
    link = rig.far.link(Act.PAY)
    assert (link.order, link.amount) == ("1042", AMOUNT)
    assert (link.claim, link.payment) == ("H-1", "p-1")
    assert link.callbacks.success == "kassa-api://paymentResult?{response}"
    assert link.seal is not None
    assert link.seal.expires_at == rig.charge.baseline.expires_at == rig.far.now() + LIFE_S
    rig.far.take(link)
    outcome = running.result()
    assert isinstance(outcome, Approved)
    card = outcome.card
    assert (card.terminal_id, card.receipt_no, card.trace_no) == ("52500041", 17, 42)
    assert (card.scheme, card.pan) == ("VISA", "************4711")
    assert rig.far.door.to_open() is None


def test_an_application_need_not_tell_the_card():
    rig = Rig()
    running = rig.pay()
    rig.far.answer(rig.far.link(Act.PAY), Said.PAID, receipt_no="A-17")
    outcome = running.result()
    assert isinstance(outcome, Approved)
    assert (outcome.card.amount, outcome.card.receipt_no, outcome.card.pan) == (1234, None, "")


@pytest.mark.parametrize(
    "charge",
    [
        Charge("p-1", AMOUNT, Baseline(), "1042", "H-1"),
        "too old",
        "from the future",
    ],
    ids=["without a time", "too old", "from the future"],
)
def test_a_link_that_would_not_count_as_long_as_it_should_does_not_leave(charge):
    rig = Rig()
    if charge == "too old":
        rig.clock.pass_(LIFE_S - SHORTEST_S + 1)
        rig.far.door.drawn()
        charge = rig.charge
    elif charge == "from the future":
        rig.clock.at = rig.clock.at.replace(year=2025)
        charge = rig.charge
    with pytest.raises(TerminalTrouble) as caught:
        rig.terminal.authorise(charge, rig.heard)
    assert caught.value.code is Code.TERMINAL_BUSY
    assert rig.far.links == []


def test_what_is_never_asked():
    rig = Rig()
    with pytest.raises(TerminalTrouble) as caught:
        rig.terminal.authorise(replace(rig.charge, amount=Money.of(1, "USD")), rig.heard)
    assert caught.value.code is Code.TERMINAL_CURRENCY
    for wrong in (replace(rig.charge, amount=Money.of(0, "EUR")), replace(rig.charge, order="")):
        with pytest.raises(Bug):
            rig.terminal.authorise(wrong, rig.heard)
    assert isinstance(rig.terminal.end_of_day(rig.heard), Declined)
    assert isinstance(rig.terminal.refund(AMOUNT, rig.heard), Declined)
    assert rig.far.links == []


# --- answers that are not what they seem ------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "reason", "changes", "code"),
    [
        (Said.PAID, Reason.NONE, {"amount": Money.of(1, "EUR")}, Code.TERMINAL_OTHER_AMOUNT),
        (Said.PAID, Reason.NONE, {"amount": Money.of(1234, "USD")}, Code.TERMINAL_OTHER_AMOUNT),
        (Said.PAID, Reason.NONE, {"amount": None}, Code.TERMINAL_OTHER_AMOUNT),
        (Said.PAID, Reason.NONE, {"order": "1043"}, Code.PAYMENT_UNRESOLVED),
        (Said.DECLINED, Reason.CARD_DECLINED, {"order": "1043"}, Code.PAYMENT_UNRESOLVED),
        (
            Said.DECLINED,
            Reason.CARD_DECLINED,
            {"amount": Money.of(1, "EUR")},
            Code.PAYMENT_UNRESOLVED,
        ),
        (Said.PRINTED, Reason.NONE, {}, Code.PAYMENT_UNRESOLVED),
    ],
)
def test_what_contradicts_the_charge_is_no_outcome(outcome, reason, changes, code):
    rig = Rig()
    running = rig.pay()
    rig.far.answer(rig.far.link(Act.PAY), outcome, reason, **changes)
    unknown = running.result()
    assert isinstance(unknown, Unknown)
    assert unknown.code is code
    assert rig.heard.facts == []
    assert rig.terminal.last_transaction(rig.charge, rig.heard) == unknown, "nor later on"


def test_paid_and_not_paid_is_a_persons_case():
    rig = Rig(answer_s=0.1)
    running = rig.pay()
    link = rig.far.link(Act.PAY)
    assert isinstance(running.result(), Unknown)
    rig.far.answer(link, Said.DECLINED, Reason.CARD_DECLINED)
    rig.far.take(link)
    outcome = rig.terminal.last_transaction(rig.charge, rig.heard)
    assert isinstance(outcome, Unknown)
    assert outcome.code is Code.PAYMENT_UNRESOLVED


def test_a_no_about_another_amount_says_which():
    rig = Rig()
    running = rig.pay()
    rig.far.answer(
        rig.far.link(Act.PAY), Said.REFUSED, Reason.AMOUNT_DIFFERS, amount=Money.of(1, "EUR")
    )
    outcome = running.result()
    assert isinstance(outcome, Declined)
    assert outcome.code is Code.TERMINAL_SETUP


@pytest.mark.parametrize(
    ("outcome", "reason", "code"),
    [
        (Said.CANCELLED, Reason.TIMED_OUT, Code.PAYMENT_STOPPED),
        (Said.REFUSED, Reason.ORDER_NOT_HERE, Code.TERMINAL_GONE),
        (Said.REFUSED, Reason.TERMINAL, Code.TERMINAL_GONE),
    ],
)
def test_what_certainly_was_not_charged(outcome, reason, code):
    rig = Rig()
    running = rig.pay()
    rig.far.answer(rig.far.link(Act.PAY), outcome, reason)
    found = running.result()
    assert isinstance(found, Declined)
    assert found.code is code
    assert rig.heard.facts == [found]


@pytest.mark.parametrize("key", [None, STRANGER, replace(THEIRS, id="other")])
def test_who_has_not_the_key_says_nothing(key):
    rig = Rig(answer_s=0.1, ask_s=0.1)
    running = rig.pay()
    link = rig.far.link(Act.PAY)
    rig.far.key = key
    for tell in (rig.far.take, lambda link: rig.far.answer(link, Said.DECLINED, Reason.INTERNAL)):
        with pytest.raises(LinkError) as caught:
            tell(link)
        assert caught.value.reason is Reason.SEAL
    assert isinstance(running.result(), Unknown)


@pytest.mark.parametrize(
    ("outcome", "reason"), [(Said.PAID, Reason.NONE), (Said.DECLINED, Reason.CARD_DECLINED)]
)
def test_an_unsigned_answer_is_put_before_a_person_and_decides_nothing(outcome, reason):
    rig = Rig(key=None, accept_unsigned=True)
    running = rig.pay()
    rig.far.answer(rig.far.link(Act.PAY), outcome, reason)
    for found in (running.result(), rig.terminal.last_transaction(rig.charge, rig.heard)):
        assert isinstance(found, Unknown)
        assert found.code is Code.PAYMENT_UNRESOLVED
    assert rig.heard.facts == []


def test_an_unsigned_answer_that_never_saw_our_link_is_not_heard():
    rig = Rig(key=None, accept_unsigned=True, answer_s=0.1)
    running = rig.pay()
    link = rig.far.link(Act.PAY)
    with pytest.raises(LinkError):
        rig.far.answer(replace(link, reference="guessed"), Said.PAID)
    assert running.result() == Unknown(Code.PAYMENT_UNKNOWN, "no answer came back")


def test_a_signed_answer_outweighs_an_unsigned_one():
    rig = Rig(accept_unsigned=True, answer_s=0.1)
    running = rig.pay()
    link = rig.far.link(Act.PAY)
    assert isinstance(running.result(), Unknown)
    rig.far.key = None
    rig.far.answer(link, Said.DECLINED, Reason.CARD_DECLINED)
    rig.far.key = THEIRS
    rig.far.take(link)
    assert isinstance(rig.terminal.last_transaction(rig.charge, rig.heard), Approved)


# --- what became of it ------------------------------------------------------------------------


def lost(rig: Rig) -> Outcome:
    """A link whose answer never came."""
    running = rig.pay()
    rig.far.link(Act.PAY)
    return running.result()


def test_an_answer_that_was_late_is_found_without_asking():
    rig = Rig(answer_s=0.1)
    assert isinstance(lost(rig), Unknown)
    rig.far.take(rig.far.link(Act.PAY))
    assert isinstance(rig.terminal.last_transaction(rig.charge, rig.heard), Approved)
    assert [link.act for link in rig.far.links] == [Act.PAY]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_lost_answer_is_asked_for_and_nothing_is_charged(is_restarted):
    rig = Rig(answer_s=0.1)
    assert isinstance(lost(rig), Unknown)
    if is_restarted:
        rig.restart()
    asked = rig.ask()
    link = rig.far.link(Act.STATUS)
    assert (link.order, link.amount, link.payment) == ("1042", AMOUNT, "p-1")
    rig.far.take(link)
    assert isinstance(asked.result(), Approved)
    assert [link.act for link in rig.far.links] == [Act.PAY, Act.STATUS]


def test_one_question_is_opened_once_however_often_it_is_asked():
    rig = Rig(answer_s=0.1, ask_s=0.05)
    lost(rig)
    for _ in range(3):
        assert isinstance(rig.ask().result(), Unknown)
    assert len(rig.far.links) == 2
    rig.clock.pass_(LIFE_S)
    rig.far.door.drawn()
    assert isinstance(rig.ask().result(), Unknown)
    assert [link.act for link in rig.far.links] == [Act.PAY, Act.STATUS, Act.STATUS]


@pytest.mark.parametrize("reason", [Reason.NEVER_ASKED, Reason.BUSY, Reason.SEAL])
def test_what_is_said_of_the_link_counts_only_when_the_link_does_not(reason):
    """It may still be on its way through a slow browser."""
    rig = Rig(answer_s=0.1, ask_s=0.1)
    lost(rig)
    asked = rig.ask()
    link = rig.far.link(Act.STATUS)
    rig.far.answer(link, Said.REFUSED, reason)
    outcome = asked.result()
    assert isinstance(outcome, Unknown)
    assert outcome.code is Code.PAYMENT_UNKNOWN
    rig.far.ahead_s = LIFE_S - 1
    rig.far.answer(link, Said.REFUSED, reason)
    assert isinstance(rig.ask().result(), Unknown)
    rig.far.ahead_s = LIFE_S
    rig.far.answer(link, Said.REFUSED, reason)
    assert isinstance(rig.terminal.last_transaction(rig.charge, rig.heard), Declined)


def test_our_own_clock_does_not_make_the_link_expire():
    rig = Rig(answer_s=0.1, ask_s=0.1)
    lost(rig)
    rig.clock.pass_(3 * LIFE_S)  # ahead of the application's by as much
    rig.far.ahead_s = -3 * LIFE_S
    rig.far.door.drawn()
    asked = rig.ask()
    rig.far.answer(rig.far.link(Act.STATUS), Said.REFUSED, Reason.NEVER_ASKED)
    assert isinstance(asked.result(), Unknown)


def test_paid_after_never_asked_is_paid():
    rig = Rig(answer_s=0.1, ask_s=0.1)
    lost(rig)
    link = rig.far.link(Act.PAY)
    rig.far.answer(link, Said.REFUSED, Reason.NEVER_ASKED)
    assert isinstance(rig.ask().result(), Unknown)
    rig.far.take(link)
    assert isinstance(rig.terminal.last_transaction(rig.charge, rig.heard), Approved)


def test_where_nobody_can_be_asked_a_person_is():
    rig = Rig(knows_status=False, answer_s=0.1, ask_s=0.1)
    assert not rig.terminal.traits().recovers
    lost(rig)
    outcome = rig.terminal.last_transaction(rig.charge, rig.heard)
    assert isinstance(outcome, Unknown)
    assert outcome.code is Code.PAYMENT_UNKNOWN, "the link still counts"
    rig.clock.pass_(LIFE_S)
    rig.far.door.drawn()
    outcome = rig.terminal.last_transaction(rig.charge, rig.heard)
    assert isinstance(outcome, Unknown)
    assert outcome.code is Code.PAYMENT_UNRESOLVED
    assert [link.act for link in rig.far.links] == [Act.PAY]


def test_a_word_that_had_its_effect_is_news_when_it_changes():
    rig = Rig()
    running = rig.pay()
    link = rig.far.link(Act.PAY)
    rig.far.answer(link, Said.DECLINED, Reason.CARD_DECLINED)
    assert isinstance(running.result(), Declined)
    rig.far.take(link)
    assert isinstance(rig.terminal.last_transaction(rig.charge, rig.heard), Approved)


def test_a_stop_waits_no_longer_than_the_link_counts():
    rig = Rig()
    running = rig.pay()
    rig.far.link(Act.PAY)
    rig.terminal.abort()
    rig.clock.pass_(LIFE_S)
    outcome = running.result()
    assert isinstance(outcome, Unknown)


def test_a_kiosk_that_ends_waits_for_nobody():
    rig = Rig()
    running = rig.pay()
    rig.far.link(Act.PAY)
    rig.far.door.close()
    assert running.result() == Unknown(Code.PAYMENT_UNKNOWN, "the kiosk ends")


def test_a_public_key_signs_no_links():
    with pytest.raises(ConfigTrouble):
        Signer(Key("k", Algorithm.ED25519, b"k" * 32), "app", False, lambda: 0)


def test_it_is_asked_anew_once_its_answer_counts():
    rig = Rig(answer_s=0.1)
    lost(rig)
    asked = rig.ask()
    rig.far.answer(rig.far.link(Act.STATUS), Said.REFUSED, Reason.NEVER_ASKED)
    assert isinstance(asked.result(), Unknown), "at once: whoever asks looks again"
    rig.far.ahead_s = LIFE_S - 1  # what is left to be waited for is short
    rig.far.answer(rig.far.link(Act.STATUS), Said.REFUSED, Reason.NEVER_ASKED)
    assert isinstance(rig.ask().result(), Unknown)
    assert len(rig.far.links) == 2
    rig.far.ahead_s = LIFE_S
    asked = rig.ask()
    rig.far.answer(rig.far.link(Act.STATUS, 2), Said.REFUSED, Reason.NEVER_ASKED)
    assert isinstance(asked.result(), Declined)
