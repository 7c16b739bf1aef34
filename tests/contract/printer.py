"""What every printer driver owes, whatever it drives. See appliance/ports.py.

A test class inherits PrinterContract and gives a `rig`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

import pytest

from appliance.domain.errors import Code, PrinterTrouble, Trouble
from appliance.domain.receipt import Barcode, Document, Pair, Rule, Text
from appliance.ports import Printer

RECEIPT = Document(
    (Text("Order A-1", bold=True, size=2), Rule(), Pair("Total", "1,00 EUR"), Barcode("A-1")),
    receipt_of="Order A-1",
)


def paper(text: str) -> Document:
    """One line, for printers of our papers and for those that write their own alike."""
    return Document((Text(text),), receipt_of=text)


class PrinterRig(ABC):
    """A driver with the far end that can be broken."""

    printer: Printer

    @abstractmethod
    def papers(self) -> list[list[str]]:
        """The lines of each paper that came out, oldest first."""

    @abstractmethod
    def break_it(self, code: Code) -> None:
        """Make it so that the printer is in this trouble."""

    @abstractmethod
    def mend_it(self, code: Code) -> None: ...


class PrinterContract(ABC):
    troubles: tuple[Code, ...] = (
        Code.PRINTER_GONE,
        Code.NO_PAPER,
        Code.COVER_OPEN,
        Code.PRINTER_FAULT,
    )

    @pytest.fixture
    @abstractmethod
    def rig(self) -> PrinterRig: ...

    def test_a_well_printer_prints_once(self, rig):
        assert rig.printer.check().is_well
        rig.printer.print(RECEIPT, lambda: None)
        assert len(rig.papers()) == 1
        assert rig.papers()[0][0] == "Order A-1"

    def test_it_prints_without_a_check_before(self, rig):
        rig.printer.print(RECEIPT, lambda: None)
        assert len(rig.papers()) == 1

    def test_began_comes_once_and_before_anything_is_on_the_paper(self, rig):
        seen = []
        rig.printer.print(RECEIPT, lambda: seen.append(len(rig.papers())))
        assert seen == [0]

    def test_nothing_is_printed_when_began_fails(self, rig):
        def began() -> None:
            raise RuntimeError("the disk is full")

        with pytest.raises(RuntimeError, match="disk"):
            rig.printer.print(RECEIPT, began)
        rig.printer.print(paper("next"), lambda: None)
        assert rig.papers() == [["next"]]

    @pytest.mark.parametrize("when", ["at first", "after a print"])
    def test_each_trouble_is_told_and_nothing_is_printed(self, rig, when):
        for code in self.troubles:
            if when == "after a print":
                rig.printer.print(RECEIPT, lambda: None)
            before = rig.papers()
            rig.break_it(code)
            assert rig.printer.check().code == code
            began: list[int] = []
            with pytest.raises(PrinterTrouble) as caught:
                rig.printer.print(RECEIPT, lambda began=began: began.append(1))
            assert caught.value.code == code
            assert not began
            rig.mend_it(code)
            assert rig.papers() == before
            # And all is well again, with the same driver.
            assert rig.printer.check().is_well

    def test_it_may_be_closed_at_any_time_and_opens_again(self, rig):
        rig.printer.close()
        assert rig.printer.check().is_well
        rig.printer.close()
        rig.printer.close()
        rig.printer.print(RECEIPT, lambda: None)
        rig.break_it(Code.PRINTER_GONE)
        rig.printer.close()
        rig.mend_it(Code.PRINTER_GONE)
        assert rig.printer.check().is_well

    def test_many_papers_come_out_each_once_and_in_order(self, rig):
        for number in range(8):
            rig.printer.print(paper(f"paper {number}"), lambda: None)
        assert rig.papers() == [[f"paper {number}"] for number in range(8)]

    def test_it_works_on_another_thread_than_the_one_that_made_it(self, rig):
        failures = []

        def work() -> None:
            try:
                rig.printer.print(RECEIPT, lambda: None)
            except Trouble as trouble:  # pragma: no cover - the failure itself
                failures.append(trouble)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert failures == []
        assert len(rig.papers()) == 1
