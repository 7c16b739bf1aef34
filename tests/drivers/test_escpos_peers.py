"""The printer driver against peers that answer otherwise, and its options and lines."""

import os
import re
import socket
import subprocess
import sys
import termios
import threading
import time

import pytest

from appliance.domain.errors import Code, ConfigTrouble
from appliance.domain.receipt import Document, Text
from appliance.drivers.escpos_printer import EscposOptions
from appliance.drivers.printer_lines import open_line
from appliance.protocols.escpos import PROFILES
from appliance.simulators.escpos_printer import Fault, papers_of
from appliance.simulators.paper import Raster
from tests.drivers.printing import (
    LONG,
    RECEIPT,
    WHOLE,
    driven,
    scripted,
    simulated,
    trouble_of,
    wait_for,
)

# --- peers that answer otherwise -----------------------------------------------------------------


def well(data):
    return b"\x12" * data.count(b"\x10\x04")


def test_nonsense_is_a_fault_and_no_bug():
    with scripted(lambda _: b"\xff\xfeHello") as address, driven(address) as printer:
        health = printer.check()
        assert health.code is Code.PRINTER_FAULT
        assert "baud" in health.detail
        assert trouble_of(printer).code is Code.PRINTER_FAULT


def test_another_jobs_process_id_does_not_count():
    def answer(data):
        stale = b"\x37\x22????\x00" if b"\x1d(H" in data else b""
        return stale + well(data)

    asked = []

    def own(data):
        if b"\x1d(H" in data:
            at = data.index(b"\x1d(H")
            asked.append(data[at + 7 : at + 11])
            return b"\x37\x22" + asked[-1] + b"\x00" + well(data)
        return well(data)

    with scripted(answer) as address, driven(address, finish_timeout_s=0.3) as printer:
        started = time.monotonic()
        printer.print(RECEIPT, lambda: None)
        assert time.monotonic() - started >= 0.3, "its own was waited for"
    with scripted(own) as address, driven(address, finish_timeout_s=60.0) as printer:
        printer.print(RECEIPT, lambda: None)
        printer.print(RECEIPT, lambda: None)
        assert asked[0] != asked[1]


def test_late_answers_do_not_pass_for_later_ones():
    """The first question is answered after its deadline, with "offline"."""
    late = [b"", b"\x1a\x1a\x1a"]

    def answer(data):
        return late.pop(0) if late else well(data)

    with scripted(answer) as address, driven(address, status_timeout_s=0.1) as printer:
        assert printer.check().code is Code.PRINTER_GONE
        printer.check()
        late.clear()
        wait_for(lambda: printer.check().is_well)


def test_hung_up_in_the_middle():
    with (
        scripted(lambda data: None if b"Order" in data else well(data)) as address,
        driven(address) as printer,
    ):
        assert printer.check().is_well
        assert trouble_of(printer).code is Code.PRINTER_GONE
        assert printer.check().is_well


def test_a_clear_that_is_not_answered_is_let_go():
    """The cover opens with the first print bytes; DLE DC4 stays unanswered."""
    is_out: list[bool] = []

    def answer(data):
        if b"Order" in data:
            is_out.append(True)
        return (b"\x7e" if is_out else b"\x12") * data.count(b"\x10\x04")

    with scripted(answer) as address, driven(address, status_timeout_s=0.2) as printer:
        assert trouble_of(printer).code is Code.COVER_OPEN


def test_a_line_that_breaks_at_the_clear_leaves_the_trouble_as_it_was():
    is_out: list[bool] = []

    def answer(data):
        if b"\x10\x14" in data and is_out:
            return None
        if b"Order" in data:
            is_out.append(True)
        return (b"\x7e" if is_out else b"\x12") * data.count(b"\x10\x04")

    with scripted(answer) as address, driven(address, status_timeout_s=0.2) as printer:
        assert trouble_of(printer).code is Code.COVER_OPEN


def test_nonsense_in_the_middle():
    with (
        scripted(lambda data: b"\xff" if b"Order" in data else well(data)) as address,
        driven(address, status_timeout_s=0.2) as printer,
    ):
        assert trouble_of(printer).code is Code.PRINTER_FAULT


def test_a_connection_that_was_closed_while_idle_is_opened_again_at_once():
    """Network printers hang up on who says nothing, some after every job: no trouble, no wait."""
    hang_up = threading.Event()
    for status in ("full", "none"):
        with scripted(well, hang_up) as address, driven(address, status=status) as printer:
            assert printer.check().is_well
            hang_up.set()
            wait_for(lambda: not hang_up.is_set())
            assert printer.check().is_well
            hang_up.set()
            wait_for(lambda: not hang_up.is_set())
            began: list[int] = []
            printer.print(RECEIPT, lambda began=began: began.append(1))
            assert began == [1]


def test_a_printer_that_answers_only_after_printing_is_waited_for():
    """Many do: DLE EOT waits its turn behind the lines, however short those are."""

    def answer(data):
        time.sleep(0.02 * data.count(b"\n"))
        return well(data)

    short = Document(tuple(Text("x") for _ in range(90)))
    with scripted(answer) as address, driven(address, "generic-80", status_timeout_s=0.2) as slow:
        slow.print(short, lambda: None)


def test_a_printer_that_takes_no_more_is_not_believed_because_the_kernel_did():
    """Without status: what our own send buffer holds is on no paper."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        address = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        with driven(address, "generic-80", status="none", write_timeout_s=0.3) as printer:
            document = Document(LONG.elements[:90])
            assert trouble_of(printer, document).code is Code.PRINTER_GONE


class Fed:
    """Answers as a printer whose feed button is pressed, from the first print byte on, until it
    was asked so many times."""

    def __init__(self, asked_most):
        self.left = asked_most
        self.began = False
        self.identity = b""

    def __call__(self, data):
        said = b""
        self.began |= b"Order" in data
        if b"\x1d(H" in data:
            self.identity = data[data.index(b"\x1d(H") + 7 :][:4]
        for question in re.findall(rb"\x10\x04(.)", data):
            is_fed = self.began and self.left > 0
            self.left -= int(is_fed)
            said += b"\x1a" if is_fed and question in b"\x01\x02" else b"\x12"
        if self.identity and not self.left:
            said += b"\x37\x22" + self.identity + b"\x00"
        return said


@pytest.mark.parametrize("profile", ["epson-tm-80", "generic-80"])
def test_a_finger_on_the_feed_button_does_not_cost_a_second_paper(profile):
    """The printer is offline so long, and goes on by itself."""
    fed = Fed(12)
    with scripted(fed) as address, driven(address, profile, status_timeout_s=0.3) as printer:
        printer.print(RECEIPT, lambda: None)
        assert fed.left == 0


def test_a_feed_button_that_is_stuck_is_told():
    options = {"status_timeout_s": 0.3, "finish_timeout_s": 0.3}
    with scripted(Fed(10_000)) as address, driven(address, "generic-80", **options) as printer:
        assert "button" in trouble_of(printer).detail


def test_near_end_is_well_but_told(tmp_path):
    with simulated(tmp_path) as simulator, driven(simulator.address) as printer:
        simulator.set_fault(Fault.NEAR_END)
        assert printer.check().is_well
        assert "near" in printer.check().detail
        printer.print(RECEIPT, lambda: None)


# --- options and lines ---------------------------------------------------------------------------


def test_the_drawer_opens_only_on_request(tmp_path):
    with simulated(tmp_path) as simulator:
        for wanted, kicks in ((False, 0), (True, 1)):
            with driven(simulator.address, open_drawer=wanted) as printer:
                printer.print(RECEIPT, lambda: None)
                assert simulator.state()["drawer_kicks"] == kicks


def test_a_file_collects_papers(tmp_path):
    with driven(f"file:{tmp_path}/out.bin", "generic-80") as printer:
        assert printer.check().is_well
        printer.print(RECEIPT, lambda: None)
        printer.print(RECEIPT, lambda: None)
    papers, defects = papers_of((tmp_path / "out.bin").read_bytes())
    assert [paper.lines for paper in papers] == [WHOLE, WHOLE]
    assert defects == []


def test_a_page_that_the_profile_lacks_gives_way_to_its_own(tmp_path):
    with (
        simulated(tmp_path, "cyrillic-80") as simulator,
        driven(simulator.address, "cyrillic-80", code_page="CP858") as printer,
    ):
        printer.print(Document((Text("Ёлка für 5 €"),)), lambda: None)
        assert simulator.papers[0].lines == ["Ёлка fuer 5 EUR"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"address": "/dev/usb/lp0"}, "address"),
        ({"address": "tcp:host"}, "address"),
        ({"address": "usb:lp0"}, "address"),
        ({"address": "tcp:host:65536"}, "address"),
        ({"address": "tcp:host:0"}, "address"),
        ({"address": "usb:/dev/lp0", "profile": "laser"}, "generic-80"),
        ({"address": "usb:/dev/lp0", "code_page": "cp0"}, "code page"),
    ],
)
def test_options_that_cannot_be(options, word):
    with pytest.raises(ConfigTrouble, match=word):
        EscposOptions(**options)


def test_what_is_not_there_is_gone(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    for address in (f"tcp:127.0.0.1:{closed}", f"usb:{tmp_path}/lp", f"serial:{tmp_path}/ttyS"):
        with driven(address) as printer:
            assert printer.check().code is Code.PRINTER_GONE


@pytest.mark.parametrize("error", [termios.error(5, "Input/output error"), ValueError("baud")])
def test_a_port_that_cannot_be_set_is_gone(tmp_path, monkeypatch, error):
    """As when its adapter is pulled out in that moment; termios has an error of its own."""

    def tcsetattr(*_):
        raise error

    with simulated(tmp_path) as simulator:
        monkeypatch.setattr(termios, "tcsetattr", tcsetattr)
        with driven(simulator.address) as printer:
            assert printer.check().code is Code.PRINTER_GONE


def test_a_name_that_is_none_is_gone():
    with driven("tcp:a..b:9100") as printer:
        assert printer.check().code is Code.PRINTER_GONE


def test_a_serial_line_is_opened_by_one_only(tmp_path):
    with (
        simulated(tmp_path) as simulator,
        driven(simulator.address) as one,
        driven(simulator.address) as other,
    ):
        assert one.check().is_well
        assert other.check().code is Code.PRINTER_GONE


def test_an_unknown_scheme_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="no address"):
        open_line("lpt:/dev/lp0", time.monotonic, baud=9600, rts_cts=False)


def test_the_encoder_leaves_nothing_behind_and_reads_no_database(tmp_path):
    """python-escpos makes a folder in the temporary directory each time that it is imported."""
    program = """
import sys
from appliance.drivers.escpos_printer import EscposOptions, EscposPrinter
from tests.drivers.printing import RECEIPT
EscposPrinter(EscposOptions("file:" + sys.argv[1])).print(RECEIPT, lambda: None)
import escpos.capabilities
assert list(escpos.capabilities.CAPABILITIES["profiles"]) == ["default"]
assert not {"PIL", "barcode", "qrcode"} & sys.modules.keys()
"""
    (tmp_path / "temporary").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "out.bin"], env=environment, check=True
    )
    assert list((tmp_path / "temporary").iterdir()) == []
    papers, defects = papers_of((tmp_path / "out.bin").read_bytes())
    assert [paper.lines for paper in papers] == [WHOLE]
    assert defects == []


def test_a_picture_is_drawn_with_what_was_not_loaded_before(tmp_path):
    """A printer that draws no barcode needs the libraries that the others are spared."""
    program = """
import sys
from appliance.drivers.escpos_printer import EscposOptions, EscposPrinter
from tests.drivers.printing import RECEIPT
options = EscposOptions("file:" + sys.argv[1], profile=sys.argv[2])
EscposPrinter(options).print(RECEIPT, lambda: None)
assert "PIL.Image" in sys.modules
import barcode, qrcode
assert barcode.PROVIDED_BARCODES and qrcode.QRCode
"""
    name = next(name for name, profile in PROFILES.items() if not profile.native_code128)
    subprocess.run([sys.executable, "-c", program, tmp_path / "out.bin", name], check=True)
    [paper], defects = papers_of((tmp_path / "out.bin").read_bytes(), name)
    assert any(isinstance(mark, Raster) for mark in paper.marks)
    assert defects == []
