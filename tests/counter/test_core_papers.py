"""What becomes of receipts: no paper, none wanted, and wanted once more."""

from __future__ import annotations

from datetime import datetime

from appliance.counter.printing import on_paper
from appliance.counter.screen import (
    Action,
    Page,
    Refused,
)
from appliance.domain.errors import Code
from appliance.domain.order import OrderStatus
from appliance.ports import (
    Claimed,
)
from tests.counter.harness import Bench, order

A = Action


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
