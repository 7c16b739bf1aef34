"""The counter's judgement: each story on the real core, the real machines and a real journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from appliance.counter.opening import is_too_large
from appliance.counter.printing import on_paper
from appliance.counter.screen import (
    Action,
    Attention,
    HandOver,
    OrderPage,
    Page,
    Paid,
    Refused,
    UnknownPage,
)
from appliance.counter.settings import Settings
from appliance.domain import handover as ho
from appliance.domain.errors import Code, JournalTrouble, OrderTrouble, ShopTrouble, TerminalTrouble
from appliance.domain.facts import Kind
from appliance.domain.money import CURRENCIES, Money, Quantity
from appliance.domain.order import Line, Order, OrderStatus
from appliance.ports import (
    WELL,
    Claimed,
    ClaimRefused,
    Declined,
    Health,
    Prompt,
    Seller,
    SellerList,
    Slip,
    Snapshot,
    Unknown,
)
from tests.counter.harness import AGE, BASELINE, EUR, Bench, approved, bench, order

A = Action


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def kinds(counter: Bench) -> list[Kind]:
    return [fact.kind for _, fact in counter.core.journal.facts()]


def test_one_scan_one_tap_paid_printed_handed_over(counter: Bench) -> None:
    counter.to_charging()
    assert counter.hands.names() == ["claim", "prepare", "authorise"]
    handover = counter.handover
    counter.core.charging.prompted(Prompt.CARD, "insert card")
    counter.core.charging.slip(handover, counter.payment, Slip.CUSTOMER, ["CUSTOMER COPY", "OK"])
    counter.approve()
    body = counter.screen().body
    assert isinstance(body, HandOver)
    assert (body.paid, body.card) == (Paid.CARD, "VISA ************4711")
    counter.print_all()
    assert counter.do(A.CONFIRM) is not None
    assert counter.page() is Page.IDLE
    assert counter.core.journal.open_subjects() == []
    assert counter.screen().handed_over_today == 1
    assert kinds(counter) == [
        Kind.OPENED, Kind.CLAIM_ASKED, Kind.CLAIMED, Kind.STARTED, Kind.SLIP, Kind.ANSWERED,
        Kind.APPROVED, Kind.PRINT_QUEUED, Kind.PRINT_STARTED, Kind.PRINTED, Kind.HANDED_OVER,
    ]  # fmt: skip


def test_the_intent_is_on_disk_before_the_terminal_is_asked(counter: Bench) -> None:
    seen: list[list[Kind]] = []
    counter.hands.authorise = lambda *_: seen.append(kinds(counter))  # type: ignore[method-assign]
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    counter.prepared(BASELINE)
    assert seen
    assert seen[0][-1] is Kind.STARTED


def test_a_decline_says_why_and_may_be_tried_again(counter: Bench) -> None:
    counter.to_charging()
    first = counter.payment
    counter.end(Declined(Code.PAYMENT_DECLINED, "no money"))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert (body.code, body.reason) == (Code.PAYMENT_DECLINED, "no money")
    assert counter.hands.jobs == []
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    counter.prepared(BASELINE)
    assert counter.payment != first
    counter.approve()
    assert counter.page() is Page.HAND_OVER


@pytest.mark.parametrize(
    ("code", "said"),
    [(Code.PAYMENT_DECLINED, "Payment declined"), (Code.PAYMENT_STOPPED, "Payment stopped")],
)
def test_the_slip_says_what_the_screen_says(counter: Bench, code: Code, said: str) -> None:
    counter.to_charging()
    counter.core.charging.slip(counter.handover, counter.payment, Slip.CUSTOMER, ["0000 NO"])
    counter.end(Declined(code))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert body.code is code
    assert said in str(counter.hands.jobs[-1].document)


def test_silence_is_asked_about_and_never_charged_again(counter: Bench) -> None:
    counter.to_charging()
    counter.end(Unknown(Code.PAYMENT_UNKNOWN, "cable"))
    assert isinstance(counter.screen().body, UnknownPage)
    assert counter.hands.names()[-1] == "query"
    assert A.CONFIRM not in counter.screen().actions
    counter.core.scanned("KO-1042")
    counter.core.scanned("KO-9")
    counter.core.scanned("KASSA-CONFIRM")
    assert counter.page() is Page.UNKNOWN
    counter.end(approved(Money(128450, EUR)))
    assert counter.page() is Page.HAND_OVER
    assert counter.hands.names().count("authorise") == 1


def test_what_the_terminal_cannot_tell_a_person_decides_by_name(counter: Bench) -> None:
    counter.sign_in()
    counter.to_charging()
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNRESOLVED, "?"))
    assert counter.page() is Page.ATTENTION_ITEM
    # Another order may be served meanwhile; this one cannot be charged.
    counter.do(A.CANCEL)
    counter.do(A.CANCEL)
    assert counter.page() is Page.IDLE
    assert counter.screen().attention == 1
    counter.core.scanned("KO-1042")
    assert counter.page() is Page.ATTENTION_ITEM
    assert A.CONFIRM not in counter.screen().actions
    counter.do(A.DECIDE_PAID)
    body = counter.screen().body
    assert isinstance(body, HandOver)
    assert body.paid is Paid.DECIDED
    decided = [f for _, f in counter.core.journal.facts() if f.kind is Kind.DECIDED_PAID]
    assert decided[0].seller == "s1"
    assert [job.what for job in counter.hands.jobs] == ["receipt"]


def test_the_scanner_turns_the_language_of_the_start_page_only(counter: Bench) -> None:
    counter.core.scanned("KASSA-LANGUAGE")
    assert counter.screen().language_turns == 1
    counter.to_order()
    counter.clock.pass_(1.0)  # or it counts as the same read
    counter.core.scanned("KASSA-LANGUAGE")
    notice = counter.screen().notice
    assert notice is not None
    assert notice.code is Code.SCAN_NOT_NOW
    assert counter.screen().language_turns == 1


def test_a_decision_needs_a_name_where_the_shop_has_names(counter: Bench) -> None:
    counter.sign_in()
    counter.to_charging()
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNRESOLVED, "?"))
    counter.do(A.SIGN_OUT)
    counter.do(A.DECIDE_NOT_PAID)
    assert counter.page() is Page.ATTENTION_ITEM
    assert counter.screen().notice is not None
    counter.sign_in()
    counter.do(A.DECIDE_NOT_PAID)
    assert counter.page() is Page.ORDER


def test_the_terminal_that_comes_back_may_settle_it_by_itself(counter: Bench) -> None:
    counter.core.device("terminal", WELL)
    counter.to_charging()
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    counter.core.device("terminal", Health(Code.TERMINAL_GONE))
    before = counter.hands.names().count("query")
    counter.core.device("terminal", WELL)
    assert counter.hands.names().count("query") == before + 1
    counter.end(approved(Money(128450, EUR)))
    assert counter.core.state.handovers[counter.handover].state is ho.State.TO_HAND_OVER


def test_a_later_charge_ends_what_the_terminal_can_tell_of_an_earlier_one(counter: Bench) -> None:
    """The next payment of the same amount would look just like the one in doubt."""
    counter.core.device("terminal", WELL)
    counter.to_charging()
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    counter.do(A.CANCEL)
    counter.to_charging(order("1043"))
    counter.approve()
    counter.do(A.CONFIRM)
    counter.core.device("terminal", Health(Code.TERMINAL_GONE))
    counter.core.device("terminal", WELL)
    assert counter.hands.names().count("query") == 1


def test_stopping_tells_the_terminal_and_waits_for_what_it_says(counter: Bench) -> None:
    counter.to_charging()
    counter.do(A.CANCEL)
    assert counter.hands.names()[-1] == "abort"
    assert counter.page() is Page.CHARGING
    assert A.CANCEL not in counter.screen().actions
    counter.approve()  # the customer had tapped already
    assert counter.page() is Page.HAND_OVER


@pytest.mark.parametrize("step", ["order", "claiming", "claimed"])
def test_a_restart_before_the_charge_puts_the_order_back(counter: Bench, step: str) -> None:
    counter.to_order()
    if step != "order":
        counter.do(A.CONFIRM)
    if step == "claimed":
        counter.claim_answer(Claimed(order(), 600))
    counter.restart()
    assert counter.page() is Page.IDLE
    assert kinds(counter)[-1] is Kind.PUT_BACK
    assert "authorise" not in counter.hands.names()


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("stopped", [False, True])
def test_a_restart_in_mid_charge_asks_and_never_charges(
    counter: Bench, answered: bool, stopped: bool
) -> None:
    counter.to_charging()
    if stopped:
        counter.do(A.CANCEL)
    payment = counter.payment
    if answered:
        counter.core.charging.answered(counter.handover, payment, approved(Money(128450, EUR)))
    counter.restart()
    assert counter.page() is Page.UNKNOWN
    assert counter.hands.names() == ["query"]
    counter.end(approved(Money(128450, EUR)))
    assert counter.page() is Page.HAND_OVER
    assert [job.what for job in counter.hands.jobs] == ["receipt"]


def test_a_restart_after_the_payment_goes_on_with_it(counter: Bench) -> None:
    counter.to_charging()
    counter.core.charging.slip(counter.handover, counter.payment, Slip.CUSTOMER, ["SLIP"])
    counter.approve()
    job = counter.hands.jobs[0]
    counter.core.papers.began(job.id)
    counter.restart()
    assert counter.page() is Page.HAND_OVER
    assert [(j.id, j.began) for j in counter.hands.jobs] == [(job.id, True)]
    assert counter.hands.names() == ["print"]


def test_paid_online_goes_straight_to_the_goods(counter: Bench) -> None:
    prepaid = order(due=0, checks=AGE)
    counter.to_order(prepaid)
    assert counter.hands.names() == ["claim"]
    counter.claim_answer(Claimed(prepaid, 600))
    body = counter.screen().body
    assert isinstance(body, HandOver)
    assert body.paid is Paid.ONLINE
    counter.do(A.CONFIRM)
    assert counter.screen().notice is not None  # the age has not been checked
    counter.do(A.CHECK)
    counter.do(A.CONFIRM)
    assert counter.page() is Page.IDLE
    assert counter.hands.charges == []


REFUSALS = [
    ({"status": OrderStatus.CANCELLED}, Code.ORDER_CANCELLED),
    ({"status": OrderStatus.EXPIRED}, Code.ORDER_EXPIRED),
    ({"status": OrderStatus.NOT_READY}, Code.ORDER_NOT_READY),
    ({"status": OrderStatus.HANDED_OVER}, Code.ORDER_HANDED_OVER),
    ({"pickup_point": "PP2"}, Code.ORDER_ELSEWHERE),
    ({"paid": Money(1, EUR)}, Code.ORDER_SUMS),
]


@pytest.mark.parametrize(("changes", "code"), REFUSALS)
@pytest.mark.parametrize("found", ["snapshot", "look-up", "claim"])
def test_what_cannot_be_served_says_so(
    counter: Bench, changes: dict[str, object], code: Code, found: str
) -> None:
    bad = order(**changes)  # type: ignore[arg-type]
    if found == "snapshot":
        counter.to_order(bad)
    elif found == "look-up":
        counter.core.scanned("KO-1042")
        assert counter.page() is Page.ASKING
        counter.core.opening.looked_up("KO-1042", bad)
    else:
        counter.to_order()
        counter.do(A.CONFIRM)
        counter.claim_answer(Claimed(bad, 600))
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is code
    assert counter.hands.charges == []
    counter.do(A.CONFIRM)
    assert counter.page() is Page.IDLE


@pytest.mark.parametrize(
    ("said", "shown"), [("Hafen, Kai 3", "Hafen, Kai 3"), ("elsewhere", "PP2")]
)
def test_where_the_order_waits_is_shown_as_the_shop_calls_it(
    counter: Bench, said: str, shown: str
) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    there = order(pickup_point="PP2", version="2")
    counter.claim_answer(ClaimRefused(Code.ORDER_ELSEWHERE, said, there))
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert (body.code, body.detail) == (Code.ORDER_ELSEWHERE, shown)


def test_an_order_in_another_currency_is_refused(counter: Bench) -> None:
    rub = CURRENCIES["RUB"]
    bad = order()
    due = Money(128450, rub)
    line = replace(bad.lines[0], unit_price=due, total=due)
    counter.to_order(replace(bad, lines=(line,), total=due, paid=Money(0, rub), due=due))
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is Code.ORDER_CURRENCY


@pytest.mark.parametrize(
    "trouble",
    [OrderTrouble(Code.ORDER_UNKNOWN), ShopTrouble(Code.SHOP_UNREACHABLE, "no route")],
)
def test_an_unknown_code_is_looked_up_and_explained(
    counter: Bench, trouble: OrderTrouble | ShopTrouble
) -> None:
    counter.core.scanned("4006381333931")
    counter.core.opening.looked_up("4006381333931", trouble)
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert (body.code, body.about) == (trouble.code, "4006381333931")


def test_an_answer_that_comes_too_late_is_not_shown(counter: Bench) -> None:
    counter.core.scanned("one")
    counter.do(A.CANCEL)
    counter.core.scanned("two")
    counter.core.opening.looked_up("one", order())
    assert counter.page() is Page.ASKING


def test_an_order_changed_since_the_scan_is_shown_anew_and_not_charged(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    newer = order(version="2", due=100000)
    counter.claim_answer(ClaimRefused(Code.ORDER_CHANGED, "", newer))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert (body.code, body.order.due.amount) == (Code.ORDER_CHANGED, 100000)
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(newer, 600))
    counter.prepared(BASELINE)
    assert counter.hands.charges[-1].amount.amount == 100000


OFFLINE = [
    (None, Code.SHOP_UNREACHABLE, Code.OFFLINE_NO_CHARGE),
    (128450, Code.SHOP_UNREACHABLE, Code.OFFLINE_NO_CHARGE),
    (128451, Code.SHOP_UNREACHABLE, None),
    (128451, Code.SHOP_BUSY, None),
    (128451, Code.SHOP_NONSENSE, Code.SHOP_NONSENSE),
    (128451, Code.SHOP_TOKEN, Code.SHOP_TOKEN),
]


@pytest.mark.parametrize("terminal_first", [False, True])
@pytest.mark.parametrize(("limit", "trouble", "code"), OFFLINE)
def test_without_the_shop_the_policy_decides(
    tmp_path: Path, limit: int | None, trouble: Code, code: Code | None, terminal_first: bool
) -> None:
    settings = Settings("1", "", "PP1", EUR, offline_limit=limit)
    with bench(tmp_path, settings) as counter:
        counter.to_order()
        counter.do(A.CONFIRM)
        if terminal_first:
            counter.prepared(BASELINE)
        counter.claim_answer(ShopTrouble(trouble))
        if not terminal_first:
            counter.prepared(BASELINE)
        if code is None:
            assert len(counter.hands.charges) == 1
        else:
            body = counter.screen().body
            assert isinstance(body, OrderPage)
            assert body.code is code
            assert counter.hands.charges == []


def test_a_terminal_that_is_not_there_charges_nothing(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    counter.core.charging.prepared(
        counter.handover, TerminalTrouble(Code.TERMINAL_GONE, "no such file")
    )
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert body.code is Code.TERMINAL_GONE
    assert Kind.STARTED not in kinds(counter)


def test_what_was_paid_here_is_never_charged_again_even_if_the_shop_forgets(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    counter.print_all()
    counter.do(A.CONFIRM)
    counter.to_order()  # the shop, restored from yesterday, offers it again
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is Code.ORDER_HANDED_OVER
    counter.restart()
    counter.to_order()
    assert counter.page() is Page.REFUSED


def test_a_receipt_is_printed_again_from_the_page_that_its_own_code_leads_to(
    counter: Bench,
) -> None:
    counter.to_charging()
    counter.approve()
    counter.print_all()
    handover = counter.handover
    counter.do(A.CONFIRM)
    original = counter.hands.jobs[0].document
    counter.orders()  # handed over: in the shop's list no more
    counter.restart()
    counter.core.scanned("KO-1042")
    counter.core.opening.looked_up("KO-1042", order(status=OrderStatus.HANDED_OVER))
    assert counter.page() is Page.REFUSED
    assert A.REPRINT in counter.screen().actions
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert datetime.fromisoformat(body.detail) == counter.clock.at  # as the shop says nothing of it
    counter.core.scanned("KASSA-REPRINT")
    job = counter.hands.jobs[-1]
    assert (job.handover, job.document, job.began) == (handover, original, True)
    assert counter.page() is Page.REFUSED


def test_only_a_receipt_that_the_journal_has_is_offered_again(counter: Bench) -> None:
    handed_over = order(status=OrderStatus.HANDED_OVER)
    counter.to_order(handed_over)  # at another counter
    assert counter.page() is Page.REFUSED
    assert A.REPRINT not in counter.screen().actions
    counter.do(A.CONFIRM)
    counter.to_order(order(due=0))
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(due=0), 600))
    counter.do(A.CONFIRM)  # paid online: there never was a receipt
    counter.to_order(handed_over)
    assert A.REPRINT not in counter.screen().actions


def test_a_receipt_whose_document_retention_has_dropped_is_not_offered(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    counter.clock.pass_(60)
    counter.print_all()
    counter.do(A.CONFIRM)
    counter.core.delivered(counter.core.journal.last, 0)
    counter.core.journal.settle()
    assert counter.core.journal.prune("2026-11-23T09:00:30.000Z")
    counter.to_order(order(status=OrderStatus.HANDED_OVER))
    assert counter.page() is Page.REFUSED
    assert A.REPRINT not in counter.screen().actions
    counter.do(A.CONFIRM)
    counter.do(A.REPRINT)
    notice = counter.screen().notice
    assert notice is not None
    assert notice.code is Code.NO_RECEIPT


def test_set_aside_is_remembered_and_taken_up_again(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    counter.do(A.NEXT)
    assert (counter.page(), counter.screen().attention) == (Page.IDLE, 1)
    counter.restart()
    counter.do(A.ATTENTION)
    counter.do(A.CONFIRM)
    assert counter.page() is Page.ATTENTION_ITEM
    counter.do(A.CONFIRM)
    assert counter.page() is Page.HAND_OVER
    counter.do(A.CONFIRM)
    assert counter.screen().attention == 0


def test_a_tick_can_be_taken_back_and_the_scanner_ticks_what_is_open(counter: Bench) -> None:
    line = order().lines[0]
    half = replace(line, unit_price=Money(64225, EUR), total=Money(64225, EUR))
    counter.to_charging(order(lines=(half, half)))
    counter.approve()

    def ticked() -> frozenset[int]:
        body = counter.screen().body
        assert isinstance(body, HandOver)
        return body.ticked

    counter.do(A.TICK, "1")
    counter.core.scanned("KASSA-TICK")
    assert ticked() == {0, 1}
    counter.do(A.TICK, "1")
    assert ticked() == {0}
    counter.clock.pass_(1)
    counter.core.scanned("KASSA-TICK")
    assert ticked() == {0, 1}


def test_money_in_doubt_comes_before_goods_that_stayed_and_without_a_device_path(
    counter: Bench,
) -> None:
    counter.to_charging()
    counter.approve()
    counter.do(A.NEXT)  # paid, and left for later
    counter.to_charging(order("1043"))
    reason = "[Errno 5] Input/output error: '/dev/kassa/terminal'"
    for _ in range(2):  # the dialogue, then the asking
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, reason))
    counter.do(A.CANCEL)
    body = counter.screen().body
    assert isinstance(body, Attention)
    assert [item.code for item in body.items] == [Code.PAYMENT_UNRESOLVED, Code.PAID_NOT_HANDED]
    assert not [item for item in body.items if item.reason]
    assert reason in str([fact.body for _, fact in counter.core.journal.facts()])


def test_no_paper_is_a_page_of_its_own_and_heals(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    job = counter.hands.jobs[0].id
    counter.core.papers.failed(job, Code.NO_PAPER)
    assert counter.page() is Page.NO_RECEIPT
    counter.restart()
    assert counter.page() is Page.NO_RECEIPT
    counter.core.papers.began(job)
    counter.core.papers.printed(job)
    assert counter.page() is Page.HAND_OVER


def test_going_on_without_receipt_is_a_fact_and_can_be_printed_later(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    handover, job = counter.handover, counter.hands.jobs[0]
    counter.core.papers.failed(job.id, Code.NO_PAPER)
    counter.do(A.WAIVE_RECEIPT)
    assert counter.page() is Page.HAND_OVER
    assert counter.core.state.jobs == {}
    counter.do(A.CONFIRM)
    counter.do(A.REPRINT, handover)
    # Nothing ever came out, so what is printed now is the original.
    assert counter.hands.jobs[-1].document == job.document


def test_a_wanted_reprint_says_copy(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    counter.print_all()
    original = counter.hands.jobs[0].document
    counter.do(A.REPRINT)
    copy = on_paper(counter.hands.jobs[-1], "en").document
    assert copy.elements[1:-1] == original.elements
    assert copy.elements[0] == copy.elements[-1]
    assert "COPY" in str(copy.elements[0])


def test_a_full_disk_charges_nothing_and_loses_nothing(counter: Bench) -> None:
    counter.to_charging()
    journal, append = counter.core.journal, counter.core.journal.append

    def full(*_: object, **__: object) -> None:
        raise JournalTrouble(Code.DISK_FULL, "full")

    journal.append = full  # type: ignore[method-assign, assignment]
    outcome = approved(Money(128450, EUR))
    with pytest.raises(JournalTrouble):
        counter.core.charging.answered(counter.handover, counter.payment, outcome)
    counter.end(outcome)
    assert counter.page() is Page.CHARGING
    counter.core.tick()
    journal.append = append  # type: ignore[method-assign]
    counter.core.tick()
    assert counter.page() is Page.HAND_OVER
    assert counter.core.state.fault is None


def test_a_seller_is_in_every_fact_and_signs_out_by_time(tmp_path: Path) -> None:
    settings = Settings("1", "", "PP1", EUR, require_seller=True, sign_out_after_s=60)
    with bench(tmp_path, settings) as counter:
        counter.orders(order())
        counter.core.scanned("KO-1042")
        assert counter.page() is Page.IDLE
        assert counter.screen().notice is not None
        counter.sign_in()
        counter.to_charging()
        counter.clock.pass_(3600)
        counter.core.tick()
        assert counter.screen().seller is not None  # not in the middle of a payment
        counter.approve()
        counter.do(A.CONFIRM)
        about = [f for _, f in counter.core.journal.facts() if f.subject.startswith("H-")]
        assert {fact.seller for fact in about} == {"s1"}
        counter.clock.pass_(61)
        counter.core.tick()
        assert counter.screen().seller is None


def test_scans_at_the_wrong_time_are_answered_and_change_nothing(counter: Bench) -> None:
    counter.orders(order(), order("1043"))
    counter.core.scanned("KO-1042")
    counter.core.scanned("KO-1042")
    assert kinds(counter) == [Kind.OPENED]
    counter.core.scanned("KO-1043")  # another customer was first
    assert kinds(counter) == [Kind.OPENED, Kind.PUT_BACK, Kind.OPENED]
    counter.core.scanned("x" * 129)
    counter.core.scanned("bad\x07code")
    notice = counter.screen().notice
    assert notice is not None
    assert notice.code is Code.SCAN_UNREADABLE


def test_an_order_left_alone_is_put_back(counter: Bench) -> None:
    counter.to_order()
    counter.clock.pass_(601)
    counter.core.tick()
    assert counter.page() is Page.IDLE
    assert kinds(counter)[-1] is Kind.PUT_BACK


def test_a_malformed_order_is_named(counter: Bench) -> None:
    counter.core.snapshot(Snapshot("e", (), {"1099": "lines[0].total: missing"}))
    counter.core.scanned("1099")
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert (body.code, body.detail) == (Code.ORDER_MALFORMED, "lines[0].total: missing")


def test_a_fact_the_shop_refuses_waits_for_a_person(counter: Bench) -> None:
    counter.to_charging()
    counter.approve()
    counter.do(A.CONFIRM)
    (fact,) = [f for _, f in counter.core.journal.facts() if f.kind is Kind.APPROVED]
    counter.core.fact_refused(fact, "no such order")
    counter.restart()
    assert counter.screen().attention == 1
    counter.do(A.ATTENTION)
    counter.do(A.CONFIRM)
    counter.do(A.CONFIRM)
    assert counter.screen().attention == 0
    counter.restart()
    assert counter.screen().attention == 0


def test_late_money_after_a_persons_no_is_never_swallowed(counter: Bench) -> None:
    """The terminal came back in the middle: its answer arrives after the person's."""
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    counter.do(A.DECIDE_NOT_PAID)
    counter.do(A.CANCEL)
    assert counter.core.state.handovers == {}
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    assert counter.screen().attention == 1
    counter.restart()
    assert counter.screen().attention == 1
    counter.to_order()
    assert counter.page() is Page.ATTENTION_ITEM


@pytest.mark.parametrize("state", ["open", "claiming", "claimed"])
def test_late_money_on_the_way_to_a_second_try_stops_it(counter: Bench, state: str) -> None:
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    counter.do(A.DECIDE_NOT_PAID)
    if state != "open":
        counter.do(A.CONFIRM)
    if state == "claimed":
        counter.claim_answer(Claimed(order(), 600))
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    counter.claim_answer(Claimed(order(), 600))
    counter.prepared(BASELINE)
    assert len(counter.hands.charges) == 1
    assert counter.screen().attention == 1


def test_a_look_up_that_is_never_answered_ends(counter: Bench) -> None:
    counter.core.scanned("4006381333931")
    counter.clock.pass_(41)
    counter.core.tick()
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert (body.code, body.about) == (Code.SHOP_UNREACHABLE, "4006381333931")


def test_what_came_after_the_end_does_not_stay_open_for_ever(counter: Bench) -> None:
    """A repeated word about a handover that is over opens it again in the journal; retention
    would stop there for good."""
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    counter.approve()
    counter.print_all()
    counter.do(A.CONFIRM)
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    assert kinds(counter)[-2:] == [Kind.APPROVED, Kind.SETTLED]
    assert counter.core.journal.open_subjects() == []
    assert counter.core.state.handovers == {}


def test_the_terminal_has_no_third_word_on_late_money(counter: Bench) -> None:
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    counter.end(Declined(Code.PAYMENT_DECLINED))
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    assert counter.screen().attention == 1
    for outcome in (Declined(Code.PAYMENT_DECLINED), approved(Money(128450, EUR))):
        counter.core.charging.charged(handover, payment, outcome)
        assert counter.screen().attention == 1
    counter.do(A.DECIDE_PAID)
    assert counter.page() is Page.HAND_OVER
    receipt = counter.hands.jobs[-1]
    assert "4711" in str(receipt.document)


def test_what_was_confirmed_about_an_order_ends_with_its_version(counter: Bench) -> None:
    wanted = order(checks=AGE)
    counter.to_order(wanted)
    counter.do(A.CHECK)
    counter.do(A.CONFIRM)
    newer = replace(wanted, version="2")
    counter.claim_answer(ClaimRefused(Code.ORDER_CHANGED, "", newer))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert body.open_checks == ("age",)


def test_a_claim_of_another_order_charges_nothing(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.prepared(BASELINE)
    counter.claim_answer(Claimed(order("1043"), 600))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert (body.code, body.order.number) == (Code.SHOP_NONSENSE, "1042")
    assert counter.hands.charges == []


def in_doubt(counter: Bench) -> tuple[str, str]:
    """A payment that the terminal could not be asked about; the terminal is then back."""
    counter.core.device("terminal", WELL)
    counter.to_charging()
    handover, payment = counter.handover, counter.payment
    for _ in range(2):
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "gone"))
    return handover, payment


def test_while_the_terminal_is_asked_no_person_decides(counter: Bench) -> None:
    in_doubt(counter)
    counter.core.device("terminal", Health(Code.TERMINAL_GONE))
    assert A.DECIDE_NOT_PAID in counter.screen().actions
    counter.core.device("terminal", WELL)
    assert not {A.DECIDE_PAID, A.DECIDE_NOT_PAID} & counter.screen().actions
    counter.end(Unknown(Code.PAYMENT_UNKNOWN, "still gone"))
    assert A.DECIDE_NOT_PAID in counter.screen().actions


def test_a_second_handover_of_an_order_is_not_charged_once_the_first_one_was(
    counter: Bench,
) -> None:
    """The answer about the first one arrives when the second one is at the terminal's door."""
    handover, payment = in_doubt(counter)
    counter.do(A.DECIDE_NOT_PAID)
    counter.do(A.CANCEL)
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    counter.prepared(BASELINE)
    assert len(counter.hands.charges) == 1
    assert counter.screen().attention == 1


def test_an_end_that_leaves_late_money_behind_is_not_forgotten(counter: Bench) -> None:
    handover, payment = in_doubt(counter)
    counter.do(A.DECIDE_NOT_PAID)
    prepaid = order(due=0, version="2")
    counter.do(A.CONFIRM)
    counter.claim_answer(ClaimRefused(Code.ORDER_CHANGED, "", prepaid))
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(prepaid, 600))
    assert counter.page() is Page.HAND_OVER
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    counter.do(A.CONFIRM)
    assert counter.page() is Page.IDLE
    assert counter.screen().attention == 1
    counter.restart()
    assert counter.screen().attention == 1
    counter.do(A.ATTENTION)
    counter.do(A.CONFIRM)
    counter.do(A.DECIDE_NOT_PAID)
    assert counter.screen().attention == 0
    assert counter.core.journal.open_subjects() == []


def test_an_outcome_that_waits_for_the_disk_comes_before_everything_else(counter: Bench) -> None:
    handover, payment = in_doubt(counter)
    counter.do(A.DECIDE_NOT_PAID)
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 600))
    journal, append = counter.core.journal, counter.core.journal.append

    def full(*_: object, **__: object) -> None:
        raise JournalTrouble(Code.DISK_FULL, "full")

    journal.append = full  # type: ignore[method-assign, assignment]
    counter.core.charging.charged(handover, payment, approved(Money(128450, EUR)))
    journal.append = append  # type: ignore[method-assign]
    counter.prepared(BASELINE)
    counter.core.tick()
    assert len(counter.hands.charges) == 1
    assert counter.screen().attention == 1


def many_lines(count: int, name: str) -> Order:
    """An order of many lines, whose figures agree."""
    price = Money(257, EUR)
    line = Line("A1", name, Quantity(1000), price, price, 2000)
    total = Money(257 * count, EUR)
    return order(due=total.amount, lines=(line,) * count, total=total, paid=Money(0, EUR))


@pytest.mark.parametrize("length", [50, 200, 300])
def test_an_order_whose_receipt_would_not_fit_is_refused_at_the_scan(
    counter: Bench, length: int
) -> None:
    counter.to_order(many_lines(500, "ж" * length))
    assert counter.page() is Page.REFUSED
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is Code.ORDER_MALFORMED
    assert kinds(counter) == []


def test_the_largest_order_that_is_served_fits_with_its_slip(counter: Bench) -> None:
    sizes = (many_lines(500, "ж" * length) for length in range(300, 0, -1))
    wanted = next(made for made in sizes if not is_too_large(made))
    counter.to_charging(wanted)
    for slip in Slip:
        counter.core.charging.slip(counter.handover, counter.payment, slip, ["█" * 250] * 200)
    counter.approve()
    assert counter.page() is Page.HAND_OVER
    assert [job.what for job in counter.hands.jobs] == ["receipt", "merchant"]


def test_an_order_that_grew_too_large_before_the_claim_is_not_taken_over(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    grown = replace(many_lines(500, "ж" * 300), version="2")
    counter.claim_answer(ClaimRefused(Code.ORDER_CHANGED, "changed", grown))
    body = counter.screen().body
    assert isinstance(body, OrderPage)
    assert body.code is Code.ORDER_MALFORMED
    counter.clock.pass_(1)
    counter.core.tick()
    assert counter.page() is Page.ORDER


def test_the_claim_is_renewed_as_long_as_the_payment_runs(counter: Bench) -> None:
    counter.to_charging()
    renewed = ("renew", counter.handover, "o-1042", "1")
    lease_s = counter.settings.lease_s
    for _ in range(3 * lease_s):
        counter.clock.pass_(1)
        counter.core.tick()
    assert counter.hands.asked.count(renewed) == 12
    counter.end(Unknown(Code.PAYMENT_UNKNOWN, "silence"))
    counter.clock.pass_(lease_s / 4)
    counter.core.tick()
    assert counter.hands.asked.count(renewed) == 13
    counter.restart()
    counter.core.tick()
    assert renewed in counter.hands.asked  # at once: nobody knows how long it was away
    counter.end(Declined(Code.PAYMENT_DECLINED))
    counter.clock.pass_(lease_s / 4)
    counter.core.tick()
    assert counter.hands.asked.count(renewed) == 1


def test_a_seller_whom_the_shop_has_taken_off_the_list_is_signed_out(counter: Bench) -> None:
    counter.sign_in()
    counter.core.tick()
    assert counter.screen().seller == Seller("s1", "Anna K.")
    counter.to_charging()
    counter.core.sellers(SellerList("s", 1, {"i": Seller("s2", "Boris M.")}))
    counter.core.tick()
    assert counter.screen().seller is not None  # whoever began a payment also ends it
    counter.end(Declined(Code.PAYMENT_DECLINED))
    counter.core.tick()
    assert counter.screen().seller is None
    assert counter.core.journal.newest(1)[0].kind is Kind.SIGNED_OUT


def test_a_short_lease_is_renewed_the_sooner(counter: Bench) -> None:
    counter.to_order()
    counter.do(A.CONFIRM)
    counter.claim_answer(Claimed(order(), 20))
    counter.prepared(BASELINE)
    for _ in range(20):
        counter.clock.pass_(1)
        counter.core.tick()
    assert counter.hands.names().count("renew") == 4
