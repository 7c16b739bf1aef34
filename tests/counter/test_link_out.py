"""The meeting place of drivers, page and answers; and answers that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.counter.link_out import PAGE_S, SUBJECTS_KEPT, WORDS_KEPT, LinkOut
from appliance.counter.screen import Action, Page
from appliance.domain.errors import Code
from appliance.domain.facts import Kind
from appliance.domain.money import Money
from appliance.domain.payment import State
from appliance.drivers.link_hop import LIFE_S, Hop, Purpose
from appliance.ports import Declined, Unknown
from appliance.protocols.links import address, kassa
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Act, Link, LinkError, Outcome, Reason, Result
from appliance.protocols.links.signing import Stamp
from tests.counter.harness import EUR, Bench, Clock, approved, bench, kinds, order
from tests.drivers.link_far_side import OURS, THEIRS

DUE = Money(128450, EUR)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def out(clock: Clock) -> LinkOut:
    return LinkOut(clock, {"app": THEIRS})


def hop(name: str, purpose: Purpose = Purpose.PAY, *, accepts_unsigned: bool = False) -> Hop:
    return Hop(purpose, name, f"pay-api://payNow?nonce={name}", LIFE_S, accepts_unsigned)


def text(
    clock: Clock,
    payment: str = "P-1",
    outcome: Outcome = Outcome.PAID,
    reason: Reason = Reason.NONE,
    *,
    ref: str = "r",
    key: object = THEIRS,
    life_s: int = 60,
    at: int = 5,
) -> str:
    now = int(clock.now().timestamp())
    stamp = Stamp(key, "n" * 22, now + life_s) if key else None  # type: ignore[arg-type]
    link = Link(Name.KASSA, Act.PAY, "1042", ref)
    pairs = kassa.response(link, Result(outcome, reason, "1042", at, payment=payment), stamp)
    return address.build("kassa-api", "paymentResult", pairs)


# --- what is to be opened -----------------------------------------------------------------------


def test_a_payment_is_opened_before_a_paper(out: LinkOut) -> None:
    changes: list[int] = []
    out.listen(lambda: changes.append(1))
    out.show(hop("paper", Purpose.PRINT))
    out.show(hop("payment"))
    shown = out.to_open()
    assert shown is not None
    assert shown.id == "payment"
    assert shown.address.startswith("pay-api:")
    out.hide(Purpose.PAY)
    shown = out.to_open()
    assert shown is not None
    assert shown.id == "paper"
    out.hide(Purpose.PRINT)
    out.hide(Purpose.PRINT)
    assert out.to_open() is None
    assert len(changes) == 4, "what changes nothing is no change"


def test_what_has_expired_is_not_opened(out: LinkOut, clock: Clock) -> None:
    out.show(hop("payment"))
    clock.pass_(LIFE_S)
    assert out.to_open() is None


def test_a_page_that_has_told_nothing_for_long_is_gone(out: LinkOut, clock: Clock) -> None:
    assert not out.is_open()
    out.drawn()
    assert out.is_open()
    clock.pass_(PAGE_S)
    assert not out.is_open()


# --- what comes in ------------------------------------------------------------------------------


def test_whoever_waits_is_woken(out: LinkOut, clock: Clock) -> None:
    heard: list[int] = []
    waiting = threading.Thread(target=lambda: heard.append(len(out.wait("P-1", (), 20.0))))
    waiting.start()
    out.hear(text(clock))
    waiting.join(20.0)
    assert heard == [1]


def test_a_repeat_is_no_news(out: LinkOut, clock: Clock) -> None:
    for _ in range(3):
        out.hear(text(clock))
    (word,) = out.words("P-1")
    assert (word.signed_by, word.result.outcome) == ("app", Outcome.PAID)
    out.forget("P-1")
    assert out.words("P-1") == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": None}, Reason.SEAL),
        ({"key": OURS}, Reason.SEAL),
        ({"key": replace(OURS, id="app")}, Reason.SEAL),
        ({"life_s": 0}, Reason.SEAL),
        ({"payment": "", "ref": ""}, Reason.MALFORMED),
    ],
    ids=["unsigned", "our own key", "a stranger's", "expired", "about nothing"],
)
def test_what_is_not_believed(
    out: LinkOut, clock: Clock, changes: dict[str, object], reason: Reason
) -> None:
    with pytest.raises(LinkError) as refused:
        out.hear(text(clock, **changes))  # type: ignore[arg-type]
    assert refused.value.reason is reason
    assert out.words("P-1") == ()


def test_an_unsigned_one_that_has_seen_our_link(out: LinkOut, clock: Clock) -> None:
    out.show(hop("strict"))
    out.show(hop("nonce", accepts_unsigned=True))
    assert out.hear(text(clock, ref="nonce", key=None)).signed_by == ""
    with pytest.raises(LinkError):
        out.hear(text(clock, ref="strict", key=None))


def test_it_keeps_no_more_than_it_must(out: LinkOut, clock: Clock) -> None:
    out.hear(text(clock, "P-0", at=1))
    for at in range(2, 2 * WORDS_KEPT):
        out.hear(text(clock, "P-0", Outcome.REFUSED, Reason.NEVER_ASKED, at=at))
    words = out.words("P-0")
    assert len(words) == WORDS_KEPT
    assert words[0].result.outcome is Outcome.PAID, "that something was paid is kept"
    for number in range(1, SUBJECTS_KEPT + 1):
        out.hear(text(clock, f"P-{number}"))
    assert out.words("P-0") == ()
    assert out.words("P-1") != ()


def test_a_kiosk_that_ends_keeps_nobody(out: LinkOut) -> None:
    out.close()
    assert out.wait("P-1", (), 20.0) == ()
    assert out.is_closing()


# --- nobody waits for it ------------------------------------------------------------------------


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as found:
        yield found


def said(counter: Bench, payment: str, outcome: Outcome = Outcome.PAID) -> None:
    reason = Reason.NONE if outcome is Outcome.PAID else Reason.CARD_DECLINED
    counter.hands.asked.clear()
    counter.core.charging.heard(Result(outcome, reason, "1042", 5, DUE, payment=payment))


def test_it_settles_what_waits_for_a_person(counter: Bench) -> None:
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    counter.end(Unknown(Code.PAYMENT_UNKNOWN, "no answer came back"))
    counter.end(Unknown(Code.PAYMENT_UNRESOLVED, "nobody can be asked"))
    assert counter.page() is Page.ATTENTION_ITEM
    said(counter, payment)
    assert counter.hands.asked == [("query", handover, payment)]
    assert Action.DECIDE_PAID not in counter.screen().actions, "its word comes before a person's"
    said(counter, payment)
    assert counter.hands.names() == [], "it is being asked already"
    counter.core.charging.charged(handover, payment, approved(DUE))
    assert counter.page() is Page.HAND_OVER


def test_paid_after_not_paid_goes_to_a_person_even_when_all_is_over(counter: Bench) -> None:
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    counter.end(Declined(Code.PAYMENT_DECLINED, ""))
    said(counter, payment, Outcome.DECLINED)
    assert counter.hands.names() == [], "that is known"
    counter.do(Action.CANCEL)
    assert counter.core.state.handovers == {}
    said(counter, payment)
    assert counter.hands.asked == [("query", handover, payment)]
    counter.core.charging.charged(handover, payment, approved(DUE))
    assert counter.screen().attention == 1
    counter.restart()
    assert counter.screen().attention == 1


def test_what_is_known_or_waited_for_is_left_alone(counter: Bench) -> None:
    counter.to_charging()
    payment = counter.payment
    said(counter, payment)
    assert counter.hands.names() == [], "the terminal's thread waits for it"
    counter.approve()
    for about in (payment, "H-nobody-1-1", "P-1", ""):
        said(counter, about)
        assert counter.hands.names() == []
    focus = counter.core.state.focus
    assert focus is not None
    assert focus.payment is not None
    assert focus.payment.state is State.APPROVED


def test_the_charge_says_which_order_and_whose_claim_it_is(counter: Bench) -> None:
    counter.to_charging(order())
    charge = counter.hands.charges[-1]
    assert (charge.order, charge.claim) == ("1042", counter.handover)
    counter.approve()
    assert counter.hands.jobs[0].document.receipt_of == "1042"
    counter.restart()
    (job,) = counter.core.state.jobs.values()
    assert job.document.receipt_of == "1042"
    assert Kind.PRINT_QUEUED in kinds(counter)
