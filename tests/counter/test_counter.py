"""The whole counter in this process, on real bytes: loop, threads, drivers, shop link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.counter.chain import TAIL_CHECKED_AT_START
from appliance.counter.commands import Answer, Command
from appliance.counter.counter import Counter
from appliance.counter.screen import Action, HandOver, OrderPage, Page, Receipt
from appliance.domain.errors import Code
from appliance.domain.facts import Draft, Kind
from appliance.simulators.escpos_printer import Fault as PrinterFault
from appliance.simulators.shop import Fault as ShopFault
from appliance.simulators.shop import ShopFaults
from appliance.simulators.zvt_faults import AnswerFault, Faults
from tests.counter.harness import bench
from tests.rig import Rig, in_process, until


@pytest.fixture(params=["pty", "tcp"])
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with Rig(tmp_path, line=request.param, counter="unknown_ask_s = 30") as made:
        yield made


_n = iter(range(1_000_000))


def do(counter: Counter, action: Action, argument: str = "") -> Answer:
    command = Command(f"t{next(_n)}", action, argument, counter.screen().seq)
    return counter.command(command).answer


def at(counter: Counter, *pages: Page) -> None:
    until(lambda: counter.screen().page in pages, f"{pages}, is {counter.screen().page}")


def to_pay(rig: Rig) -> tuple[str, str]:
    """The number and the code of an order that is ready and due here."""
    for number, order in rig.shop.state()["orders"].items():
        is_here = order["pickup_point"] == "mitte" and order["status"] == "ready"
        if is_here and order["due"] and not order["special"]:
            return number, order["codes"][0]
    raise AssertionError("the demo shop has no plain order")


def to_charging(counter: Counter, rig: Rig) -> str:
    number, code = to_pay(rig)
    until(lambda: getattr(counter.screen().body, "is_fetched", False), "the orders are here")
    assert rig.scanner.scan(code)
    at(counter, Page.ORDER)
    assert do(counter, Action.CONFIRM) is Answer.DONE
    at(counter, Page.CHARGING)
    assert rig.terminal.wait_for(lambda state: bool(state["waits_for"]))
    return number


def test_scan_tap_print_hand_over_report(rig: Rig) -> None:
    with in_process(rig) as counter:
        until(lambda: not counter.health()["busy"], "nothing to wait for before an update")
        number = to_charging(counter, rig)
        assert counter.health()["busy"]
        rig.terminal.tap()
        at(counter, Page.HAND_OVER)
        until(lambda: _receipt(counter) is Receipt.PRINTED, "the receipt is printed")
        assert counter.health()["busy"]
        assert do(counter, Action.CONFIRM) is Answer.DONE
        at(counter, Page.IDLE)
        until(lambda: not counter.health()["busy"], "nothing to wait for")
        until(lambda: rig.shop.state()["orders"][number]["handed_over"] == 1, "the shop knows")
        order = rig.shop.state()["orders"][number]
        assert order["due"] == 0
        assert len(order["payments"]) == 1
        assert rig.bank.balance() == order["total"]
        assert any(number in paper.text() for paper in rig.printer.papers)
        assert rig.printer.defects == []
        assert counter.health()["status"] == "ok"
        figures = counter.metrics()
        assert b"kassa_status 0.0" in figures
        assert b"kassa_payments_unknown 0.0" in figures
        assert b'kassa_facts_total{kind="payment.approved"} 1.0' in figures
        assert b"kassa_paper_low 0.0" in figures
        rig.printer.set_fault(PrinterFault.NEAR_END)
        until(lambda: b"kassa_paper_low 1.0" in counter.metrics(), "the roll is near its end")


def _receipt(counter: Counter) -> Receipt | None:
    body = counter.screen().body
    return body.receipt if isinstance(body, HandOver) else None


def test_a_decline_charges_nothing(rig: Rig) -> None:
    with in_process(rig) as counter:
        to_charging(counter, rig)
        rig.terminal.decline()
        at(counter, Page.ORDER)
        body = counter.screen().body
        assert isinstance(body, OrderPage)
        assert body.code is Code.PAYMENT_DECLINED
        assert rig.bank.balance() == 0


def test_stopping_before_the_tap(rig: Rig) -> None:
    with in_process(rig) as counter:
        to_charging(counter, rig)
        assert do(counter, Action.CANCEL) is Answer.DONE
        at(counter, Page.ORDER)
        body = counter.screen().body
        assert isinstance(body, OrderPage)
        assert body.code is Code.PAYMENT_STOPPED
        assert rig.bank.balance() == 0


@pytest.mark.parametrize(
    "fault", [AnswerFault.CUT, AnswerFault.CUT_IN_PRINT, AnswerFault.NO_STATUS]
)
def test_a_lost_answer_is_found_out(rig: Rig, fault: AnswerFault) -> None:
    rig.terminal.faults = Faults(answer=fault)
    with in_process(rig) as counter:
        to_charging(counter, rig)
        rig.terminal.tap()
        at(counter, Page.HAND_OVER, Page.ORDER, Page.ATTENTION_ITEM)
        # Whatever the terminal did of it, the counter says the same as the bank.
        page = counter.screen().page
        assert page is not Page.ATTENTION_ITEM
        assert (page is Page.HAND_OVER) == (rig.bank.balance() > 0)
        assert len(rig.bank.bookings()) == 1


def test_paper_that_runs_out_is_waited_for(rig: Rig) -> None:
    rig.printer.set_fault(PrinterFault.NO_PAPER)
    with in_process(rig) as counter:
        to_charging(counter, rig)
        rig.terminal.tap()
        at(counter, Page.NO_RECEIPT)
        rig.printer.load_paper()
        at(counter, Page.HAND_OVER)
        until(lambda: _receipt(counter) is Receipt.PRINTED, "printed by itself")


def test_the_shop_that_is_away_gets_it_later(rig: Rig) -> None:
    with in_process(rig) as counter:
        number = to_charging(counter, rig)
        rig.shop.faults = ShopFaults(fault=ShopFault.UNAVAILABLE_503)
        rig.terminal.tap()
        at(counter, Page.HAND_OVER)
        do(counter, Action.CONFIRM)
        at(counter, Page.IDLE)
        assert counter.screen().undelivered > 0
        rig.shop.faults = ShopFaults()
        until(lambda: rig.shop.state()["orders"][number]["handed_over"] == 1, "told later")
        until(lambda: counter.screen().undelivered == 0, "nothing is left to tell")


def test_a_command_is_done_once_and_a_stale_one_not_at_all(rig: Rig) -> None:
    with in_process(rig) as counter:
        _, code = to_pay(rig)
        until(lambda: getattr(counter.screen().body, "is_fetched", False), "the orders are here")
        idle = counter.screen().seq
        first = Command("one", Action.SCAN, code, idle)
        assert counter.command(first).answer is Answer.DONE
        assert counter.command(first).answer is Answer.DONE
        assert counter.screen().page is Page.ORDER
        assert counter.command(Command("two", Action.DAY, "", idle)).answer is Answer.STALE
        assert counter.command(Command("three", Action.DAY, "", None)).answer is Answer.NOT_HERE
        opened = [fact for fact in rig.facts() if fact.kind is Kind.OPENED]
        assert len(opened) == 1


def test_a_damaged_journal_is_set_aside_and_said(rig: Rig) -> None:
    rig.data.mkdir()
    (rig.data / "journal.sqlite3").write_bytes(b"this is no journal" * 100)
    with in_process(rig) as counter:
        until(lambda: counter.screen().page is Page.OUT_OF_ORDER, "said so")
        assert counter.health()["code"] == Code.JOURNAL_DAMAGED
        assert do(counter, Action.CONFIRM) is Answer.DONE
        at(counter, Page.IDLE)
    kept = list(rig.data.glob("journal.damaged-*"))
    assert [file.read_bytes() for file in kept] == [b"this is no journal" * 100]


def test_damage_that_only_the_replay_meets_is_set_aside_as_well(rig: Rig) -> None:
    """In the receipt of goods that still wait: older than what each start checks."""
    rig.data.mkdir()
    with bench(rig.data) as old:
        old.to_charging()
        old.approve()
        old.print_all()
        for _ in range(TAIL_CHECKED_AT_START):
            old.core.journal.append([Draft(Kind.SIGNED_OUT, "")])
    file = rig.data / "journal.sqlite3"
    sound = file.read_bytes()
    assert sound.count(b'"what":"receipt"') == 1
    damaged = sound.replace(b'"what":"receipt"', b'"what";"receipt"')
    file.write_bytes(damaged)
    with in_process(rig) as counter:
        until(lambda: counter.screen().page is Page.OUT_OF_ORDER, "said so")
        assert counter.health()["code"] == Code.JOURNAL_DAMAGED
        assert do(counter, Action.CONFIRM) is Answer.DONE
        at(counter, Page.IDLE)
    (kept,) = rig.data.glob("journal.damaged-*.sqlite3")
    assert b'"what";"receipt"' in kept.read_bytes()


def test_two_counters_and_one_order(tmp_path: Path) -> None:
    """Both have it on the screen, both press charge: the shop gives it to one of them."""
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    with (
        Rig(tmp_path / "1") as first,
        Rig(tmp_path / "2", beside=first) as second,
        in_process(first) as one,
        in_process(second) as two,
    ):
        number, code = to_pay(first)
        for counter, rig in ((one, first), (two, second)):
            until(lambda c=counter: getattr(c.screen().body, "is_fetched", False), "orders")  # type: ignore[misc]
            assert rig.scanner.scan(code)
            at(counter, Page.ORDER)
        assert do(one, Action.CONFIRM) is Answer.DONE
        assert do(two, Action.CONFIRM) is Answer.DONE
        until(lambda: Page.CHARGING in (one.screen().page, two.screen().page), "one charges")
        winner, loser = (one, two) if one.screen().page is Page.CHARGING else (two, one)
        rig = first if winner is one else second
        at(loser, Page.ORDER)
        body = loser.screen().body
        assert isinstance(body, OrderPage)
        assert body.code is Code.ORDER_CLAIMED
        until(lambda: rig.terminal.state()["waits_for"] == "card", "the terminal waits")
        rig.terminal.tap()
        at(winner, Page.HAND_OVER)
        until(lambda: first.shop.state()["orders"][number]["due"] == 0, "the shop knows")
        # The other one asks again: it is paid, and neither charged nor handed over there.
        do(loser, Action.CONFIRM)
        at(loser, Page.ORDER, Page.REFUSED)
        assert do(winner, Action.CONFIRM) is Answer.DONE
        assert len(first.bank.held()) + len(second.bank.held()) == 1
