"""The printer driver against a simulated printer that fails in the middle. What holds for every
printer is in tests/contract/printer.py."""

import fcntl
import threading
import time

import pytest

from appliance.domain.errors import Code, PrinterTrouble
from appliance.domain.receipt import Document, Qr
from appliance.drivers.printer_lines import open_line
from appliance.protocols.escpos import PROFILES
from appliance.simulators.escpos_printer import Fault
from tests.drivers.printing import (
    LONG,
    RECEIPT,
    WAIT_S,
    WHOLE,
    driven,
    scripted,
    simulated,
    trouble_of,
    wait_for,
)

# --- paper runs out ------------------------------------------------------------------------------


def test_wherever_paper_runs_out_a_whole_one_follows_and_no_rest(tmp_path):
    """With a printer that can be told to forget the rest."""
    with simulated(tmp_path) as simulator, driven(simulator.address) as printer:
        for lines in range(len(WHOLE) + 3):
            simulator.load_paper(lines)
            before = len(simulator.papers)
            code = None
            try:
                printer.print(RECEIPT, lambda: None)
            except PrinterTrouble as trouble:
                code = trouble.code
            assert code in (None, Code.NO_PAPER)
            if code:
                assert printer.check().code is code
                simulator.load_paper()
                printer.print(RECEIPT, lambda: None)
                half = simulator.papers[before:-1]
                assert all(paper.lines == WHOLE[: len(paper.lines)] for paper in half)
                assert not any(paper.is_cut for paper in half)
            assert simulator.papers[-1].lines == WHOLE
            assert simulator.papers[-1].is_cut
            assert simulator.papers[-1].barcodes == ["A-1"]
            assert simulator.state()["buffered_bytes"] == 0
        assert simulator.defects == []


def test_a_printer_that_cannot_forget_finishes_the_rest_itself(tmp_path):
    with (
        simulated(tmp_path, "generic-80") as simulator,
        driven(simulator.address, "generic-80") as printer,
    ):
        simulator.load_paper(3)
        assert trouble_of(printer).code is Code.NO_PAPER
        simulator.load_paper()
        wait_for(lambda: len(simulator.papers) == 2)
        assert simulator.papers[0].lines + simulator.papers[1].lines == WHOLE
        printer.print(RECEIPT, lambda: None)
        assert simulator.papers[2].lines == WHOLE


def test_a_half_that_a_printer_finishes_on_the_new_roll_is_cut_off_the_next_paper(tmp_path):
    """Only what it had received comes out, and the cut was not among it."""
    with (
        simulated(tmp_path, "generic-80") as simulator,
        driven(simulator.address, "generic-80") as printer,
    ):
        simulator.load_paper(3)
        assert trouble_of(printer, LONG).code is Code.NO_PAPER
        simulator.load_paper()
        wait_for(lambda: not simulator.state()["buffered_bytes"])
        printer.print(RECEIPT, lambda: None)
        wait_for(lambda: simulator.papers[-1].lines == WHOLE)


def test_a_printer_that_is_still_busy_when_paper_ends_is_not_believed_too_early(tmp_path):
    """No process ids: it is watched for a while after the last byte."""
    with (
        simulated(tmp_path, "generic-80", line_s=0.05) as simulator,
        driven(simulator.address, "generic-80", settle_s=2.0) as printer,
    ):
        simulator.load_paper(6)
        assert trouble_of(printer).code is Code.NO_PAPER


@pytest.mark.parametrize("scheme", ["serial", "usb"])
def test_a_full_buffer_keeps_the_question_out_and_the_cause_is_found_all_the_same(tmp_path, scheme):
    with simulated(tmp_path, buffer_bytes=64) as simulator:
        address = simulator.address.replace("serial:", f"{scheme}:")
        with driven(address, status_timeout_s=0.3) as printer:
            simulator.load_paper(0)
            found = trouble_of(printer, LONG).code
            # A serial line's queue can be emptied so that the question gets through; a USB
            # transfer cannot, and a pseudo-terminal has no port status to ask for.
            assert found is (Code.NO_PAPER if scheme == "serial" else Code.PRINTER_GONE)


def test_the_usb_port_itself_knows_of_paper(tmp_path, monkeypatch):
    real = fcntl.ioctl

    def port_status(descriptor, request, *arguments):
        if request != 0x060B:  # LPGETSTATUS; the simulator asks the kernel other things
            return real(descriptor, request, *arguments)
        arguments[0][:] = (0x20).to_bytes(4, "little")  # paper empty, not selected, error
        return 0

    with simulated(tmp_path, buffer_bytes=64) as simulator:
        address = simulator.address.replace("serial:", "usb:")
        with driven(address, status_timeout_s=0.3) as printer:
            simulator.load_paper(0)
            monkeypatch.setattr(fcntl, "ioctl", port_status)
            assert trouble_of(printer, LONG).code is Code.NO_PAPER


# --- other faults in the middle ------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["epson-tm-80", "generic-80"])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.COVER_OPEN, Code.COVER_OPEN),
        (Fault.OVERHEATED, Code.PRINTER_FAULT),
        (Fault.UNRECOVERABLE, Code.PRINTER_FAULT),
        (Fault.POWER_OFF, Code.PRINTER_GONE),
        (Fault.CABLE_OUT, Code.PRINTER_GONE),
        (Fault.SILENT, Code.PRINTER_GONE),
    ],
)
def test_what_breaks_in_the_middle_is_told_and_the_next_paper_is_whole(
    tmp_path, profile, fault, code
):
    with (
        simulated(tmp_path, profile, line_s=0.03) as simulator,
        driven(simulator.address, profile, status_timeout_s=0.4, settle_s=WAIT_S) as printer,
    ):
        breaker = threading.Thread(
            target=lambda: (
                wait_for(lambda: len(simulator.hanging.lines) >= 2),
                simulator.set_fault(fault),
            )
        )
        breaker.start()
        found = trouble_of(printer)
        breaker.join()
        assert found.code is code
        simulator.set_fault(fault, False)
        wait_for(lambda: printer.check().is_well)
        printer.close()
        with driven(simulator.address, profile) as another:
            another.print(RECEIPT, lambda: None)
            wait_for(lambda: simulator.papers and simulator.papers[-1].lines[-8:] == WHOLE)


def test_what_another_left_unfinished_does_not_swallow_the_next_paper(tmp_path):
    """A program that died, or a cable that was pulled, in the middle of an image."""
    with simulated(tmp_path) as simulator:
        line = open_line(simulator.address, time.monotonic, baud=9600, rts_cts=False)
        line.send(b"\x1b@half\n\x1dv0\x00\x10\x00\x60\x00" + b"\xff" * 40, time.monotonic() + 1)
        wait_for(lambda: simulator.state()["buffered_bytes"] == 48)
        line.close()
        with driven(simulator.address) as printer:
            printer.print(RECEIPT, lambda: None)
        assert simulator.papers[0].lines == ["half", *WHOLE]


@pytest.mark.parametrize("profile", ["generic-58", "cyrillic-80"])
@pytest.mark.parametrize("status", ["full", "none"])
def test_nor_where_the_printer_cannot_be_told_to_forget_it(tmp_path, profile, status):
    """The whole receipt became a part of the image, and counted as printed."""
    with simulated(tmp_path, profile) as simulator:
        line = open_line(simulator.address, time.monotonic, baud=9600, rts_cts=False)
        line.send(b"\x1b@half\n\x1dv0\x00\x30\x00\x18\x00" + b"\xff" * 40, time.monotonic() + 1)
        wait_for(lambda: simulator.state()["buffered_bytes"] == 48)
        line.close()
        with driven(simulator.address, profile, status=status) as printer:
            printer.print(RECEIPT, lambda: None)
            wait_for(lambda: simulator.papers)
        assert simulator.papers[0].lines[:3] == [
            "half",
            "Order A-1",
            "─" * PROFILES[profile].columns,
        ]


def test_a_printer_that_takes_questions_for_the_rest_of_an_image_is_found_again():
    """It reads DLE EOT in its turn, as many do."""
    waits_for = [1100]

    def answer(data):
        swallowed = min(waits_for[0], len(data))
        waits_for[0] -= swallowed
        return b"\x12" * data[swallowed:].count(b"\x10\x04")

    with (
        scripted(answer) as address,
        driven(address, "generic-58", status_timeout_s=0.2) as printer,
    ):
        assert printer.check().is_well
        printer.print(RECEIPT, lambda: None)


def test_a_torn_paper_is_cut_off_before_the_next(tmp_path):
    with simulated(tmp_path, line_s=0.02) as simulator, driven(simulator.address) as printer:
        simulator.jam_next_cut()
        assert trouble_of(printer).code is Code.PRINTER_FAULT
        simulator.set_fault(Fault.CUTTER, False)
        printer.print(RECEIPT, lambda: None)
        assert [paper.lines for paper in simulator.papers] == [WHOLE, WHOLE]
        printer.print(RECEIPT, lambda: None)
        assert len(simulator.papers) == 3, "once is enough"


def test_a_jammed_cutter_is_told(tmp_path):
    with simulated(tmp_path) as simulator, driven(simulator.address) as printer:
        simulator.jam_next_cut()
        trouble = trouble_of(printer)
        assert (trouble.code, trouble.detail) == (Code.PRINTER_FAULT, "cutter error")
        assert printer.check().detail == "cutter error"


# --- silence -------------------------------------------------------------------------------------


def test_a_silent_printer_is_gone_and_nothing_is_sent(tmp_path):
    with (
        simulated(tmp_path) as simulator,
        driven(simulator.address, status_timeout_s=0.1) as printer,
    ):
        simulator.set_fault(Fault.SILENT)
        assert printer.check().code is Code.PRINTER_GONE
        began = []
        assert trouble_of(printer, began=lambda: began.append(1)).code is Code.PRINTER_GONE
        assert not began
        assert simulator.hanging.marks == ()


def test_a_printer_that_never_answers_prints_when_the_options_say_so(tmp_path):
    with (
        simulated(tmp_path, "generic-80") as simulator,
        driven(simulator.address, "generic-80", status="none") as printer,
    ):
        simulator.set_fault(Fault.SILENT)
        assert printer.check().is_well
        printer.print(RECEIPT, lambda: None)
        wait_for(lambda: simulator.papers)
        assert simulator.papers[0].lines == WHOLE
        simulator.set_fault(Fault.CABLE_OUT)
        assert printer.check().code is Code.PRINTER_GONE
        assert trouble_of(printer).code is Code.PRINTER_GONE


def test_without_status_a_printer_that_takes_nothing_is_gone(tmp_path):
    with (
        simulated(tmp_path, "generic-80", buffer_bytes=64) as simulator,
        driven(simulator.address, "generic-80", status="none", write_timeout_s=0.2) as printer,
    ):
        simulator.set_fault(Fault.COVER_OPEN)
        document = Document(LONG.elements * 5)
        assert trouble_of(printer, document).code is Code.PRINTER_GONE


def test_no_process_id_is_missed_once_and_not_waited_for_again(tmp_path):
    """The profile says more than the printer can do."""
    with (
        simulated(tmp_path, "generic-80") as simulator,
        driven(simulator.address, "generic-80", process_id=True, finish_timeout_s=0.1) as printer,
    ):
        printer.print(RECEIPT, lambda: None)
        printer.print(RECEIPT, lambda: None)
        assert len(simulator.papers) == 2
        assert len(simulator.defects) == 1, "it was sent once"


# --- slow lines ----------------------------------------------------------------------------------


def test_a_slow_line(tmp_path):
    with (
        simulated(tmp_path, baud=9600) as simulator,
        driven(simulator.address, baud=9600) as printer,
    ):
        printer.print(RECEIPT, lambda: None)
        assert simulator.papers[0].lines == WHOLE
        assert simulator.defects == []


def test_long_papers_go_through_small_buffers(tmp_path):
    for profile in ("epson-tm-80", "generic-58"):
        with (
            simulated(tmp_path, profile, buffer_bytes=256) as simulator,
            driven(simulator.address, profile) as printer,
        ):
            printer.print(Document((*LONG.elements, Qr("q" * 250))), lambda: None)
            wait_for(lambda simulator=simulator: simulator.papers)
            assert "".join(simulator.papers[0].lines).count("line") == 120
            assert simulator.defects == []


def test_a_printer_that_takes_too_long_altogether_is_given_up(tmp_path):
    with (
        simulated(tmp_path, line_s=0.05, buffer_bytes=64) as simulator,
        driven(simulator.address, print_timeout_s=0.2, status_timeout_s=5.0) as printer,
    ):
        assert trouble_of(printer, LONG).code is Code.PRINTER_FAULT


# --- a role that goes to another printer ----------------------------------------------------------


def test_what_is_printed_comes_out_where_the_name_leads(tmp_path):
    name = tmp_path / "printer"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        simulated(tmp_path / "a") as first,
        simulated(tmp_path / "b") as second,
        driven(f"serial:{name}") as printer,
    ):
        printed = []
        for simulator in (first, second, None, first):
            name.unlink(missing_ok=True)
            if simulator is not None:
                name.symlink_to(simulator.address.removeprefix("serial:"))
                assert printer.check().is_well
                printer.print(RECEIPT, lambda: None)
            else:
                assert printer.check().code is Code.PRINTER_GONE
                assert trouble_of(printer).code is Code.PRINTER_GONE
            printed.append((len(first.papers), len(second.papers)))
        assert printed == [(1, 0), (1, 1), (1, 1), (2, 1)]
        assert first.defects == second.defects == []
