"""What only the driver of kind "print-api" can do. The rest is in tests/contract."""

from __future__ import annotations

import pytest

from appliance.domain.errors import Bug, Code, PrinterTrouble
from appliance.domain.receipt import Document, Text
from appliance.drivers.link_hop import LIFE_S
from appliance.drivers.print_link import PAUSE_S, PrintLink, PrintLinkOptions
from appliance.protocols.links.messages import Act, LinkError, Outcome, Reason
from tests.contract.printer import RECEIPT
from tests.contract.terminal import Aside
from tests.counter.harness import Clock
from tests.drivers.link_far_side import FarSide


class Rig:
    def __init__(self, answer_s=20.0, **far):
        self.clock = Clock()
        self.far = FarSide(self.clock, **far)
        options = PrintLinkOptions(self.far.signer, answer_s)
        self.printer = PrintLink(options, self.far.door, self.clock.monotonic)
        self.began = 0

    def print(self, document=RECEIPT):
        def begin():
            self.began += 1

        return Aside(lambda: self.printer.print(document, begin))


def test_a_receipt_is_asked_for_by_its_order():
    rig = Rig()
    running = rig.print()
    link = rig.far.link(Act.PRINT)
    assert (link.order, link.amount, link.payment) == ("Order A-1", None, "")
    rig.far.answer(link, Outcome.PRINTED)
    running.result()
    assert rig.began == 1
    assert rig.far.door.to_open() is None


def test_what_is_no_receipt_is_not_dropped_in_silence():
    rig = Rig()
    with pytest.raises(Bug, match="receipt"):
        rig.printer.print(Document((Text("merchant's slip"),)), lambda: None)
    assert rig.far.links == []


@pytest.mark.parametrize(
    ("told", "code"),
    [("K-PRN-02", Code.NO_PAPER), ("K-ORD-01", Code.PRINTER_FAULT), ("", Code.PRINTER_FAULT)],
)
def test_why_it_does_not_print(told, code):
    rig = Rig()
    running = rig.print()
    rig.far.answer(rig.far.link(Act.PRINT), Outcome.REFUSED, Reason.PRINTER, code=told)
    with pytest.raises(PrinterTrouble) as caught:
        running.result()
    assert caught.value.code is code
    assert rig.printer.check().code is code, "no page is sent there again at once"
    rig.clock.pass_(PAUSE_S - 1)
    rig.far.door.drawn()
    assert rig.printer.check().code is code
    rig.clock.pass_(1)
    assert rig.printer.check().is_well


def lost(rig: Rig) -> None:
    running = Aside(lambda: rig.printer.print(RECEIPT, lambda: None))
    with pytest.raises(PrinterTrouble) as caught:
        running.result()
    assert caught.value.code is Code.PRINTER_GONE


def test_a_try_whose_answer_was_lost_is_repeated_with_the_same_link():
    rig = Rig(answer_s=0.0)
    lost(rig)
    first = rig.far.texts[-1]
    lost(rig)
    assert rig.far.texts == [first], "the page has opened it; another page would open it again"
    leave = rig.far.door.to_open()
    assert leave is None
    rig.far.answer(rig.far.link(Act.PRINT), Outcome.PRINTED)  # late
    rig.print().result()
    assert len(rig.far.links) == 1


def test_a_new_try_after_the_link_has_expired():
    rig = Rig(answer_s=0.0)
    lost(rig)
    rig.clock.pass_(LIFE_S)
    rig.far.door.drawn()
    lost(rig)
    assert len(rig.far.links) == 2


def test_a_wanted_reprint_is_a_link_of_its_own():
    rig = Rig()
    for count in (1, 2):
        running = rig.print()
        rig.far.answer(rig.far.link(Act.PRINT, count), Outcome.PRINTED)
        running.result()
    assert len(set(rig.far.texts)) == 2


def test_unsigned_answers_count_where_that_is_configured():
    rig = Rig(key=None, accept_unsigned=True)
    running = rig.print()
    rig.far.answer(rig.far.link(Act.PRINT), Outcome.PRINTED)
    running.result()
    strict = Rig(key=None, answer_s=0.0)
    lost(strict)
    with pytest.raises(LinkError):
        strict.far.answer(strict.far.link(Act.PRINT), Outcome.PRINTED)
