"""The simulated printer by its bytes, written here by hand after Epson's reference."""

import json
import socket
import time
from typing import Any

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from appliance.simulators.cables import PtyCable
from appliance.simulators.escpos_printer import EscposPrinterSimulator, Fault, papers_of
from appliance.simulators.paper import BarcodeMark, QrMark, Raster, Side, TextLine

WAIT_S = 10.0
CUT = b"\x1dV\x42\x00"
CLEAR = bytes.fromhex("10 14 08 01 03 14 01 06 02 08")
ASK = [bytes((0x10, 0x04, n)) for n in (1, 2, 3, 4)]


def wait_for(condition):
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.005)


@pytest.fixture
def printer(tmp_path):
    with EscposPrinterSimulator(path=tmp_path / "lp") as printer:
        yield printer


@pytest.fixture
def port(printer):
    with serial.Serial(printer.address.removeprefix("serial:"), timeout=WAIT_S) as port:
        yield port


def answers(port):
    """The four status bytes."""
    found = []
    for question in ASK:
        port.write(question)
        found.append(port.read(1)[0])
    return found


# --- what it draws -------------------------------------------------------------------------------


def only(data, profile="epson-tm-80"):
    papers, defects = papers_of(data + CUT, profile)
    assert defects == []
    [paper] = papers
    return paper


def test_text_and_styles():
    paper = only(
        b"\x1b@plain\n"
        b"\x1bE\x01bold\x1bE\x00 and \x1b-\x01under\x1b-\x00\n"
        b"\x1d!\x11big\x1d!\x00\n"
        b"\x1b!\x38wide\x1b!\x00\n"
        b"\x1ba\x01middle\n\x1ba2right\n"
        b"\x1bt\x11\x8f\xe0\xa8\xa2\xa5\xe2\n\x1b@\x1bd\x02"
    )
    lines = [mark for mark in paper.marks if isinstance(mark, TextLine)]
    assert [line.text for line in lines] == [
        "plain",
        "bold and under",
        "big",
        "wide",
        "middle",
        "right",
        "Привет",
    ]
    assert [(s.bold, s.underline) for s in lines[1].spans] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert [(line.spans[0].width, line.spans[0].height) for line in lines[2:4]] == [(2, 2), (2, 2)]
    assert [line.side for line in lines[3:6]] == [Side.LEFT, Side.CENTER, Side.RIGHT]


def test_symbols_and_images():
    paper = only(
        b"\x1b@"
        b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x05\x1d(k\x03\x001E1"
        b"\x1d(k\x06\x001P0abc\x1d(k\x03\x001Q0"
        b"\x1dh\x50\x1dw\x02\x1dH\x02\x1df\x00\x1dk\x49\x0a{BA-{C\x01\x02\x03\x04"
        b"\x1dv0\x00\x02\x00\x01\x00\xaa\x55\x1dv0\x00\x02\x00\x01\x00\x01\x02"
    )
    assert [type(mark) for mark in paper.marks] == [QrMark, BarcodeMark, Raster]
    assert paper.qr_texts == ["abc"]
    assert paper.barcodes == ["A-01020304"]
    assert paper.marks[2] == Raster(16, (b"\xaa\x55", b"\x01\x02"))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\x1bZ", "unknown command"),
        (b"\x1dZ", "unknown command"),
        (b"\x07", "unknown command"),
        (b"\x10\x04\x01", "unknown command"),  # from a file there is no real time
        (b"\x1bt\x63abc\n", "code page 99"),
        (b"x" * 49 + b"\n", "over the edge"),
        (b"\x1bt\x10\x81\n", "without a glyph"),
        (b"abc\x1b@", "middle of a line"),
        (b"abc\x1ba\x01", "beginning"),
        (b"\x1ba\x07", "justification"),
        (b"abc" + CUT, "middle of a line"),
        (b"abc\x1dv0\x00\x01\x00\x01\x00\xff", "middle of a line"),
        (b"\x1dv0\x00\xff\x00\x01\x00" + b"\xff" * 255, "dots on 576"),
        (b"\x1dv0\x01\x01\x00\x01\x00\xff", "not simulated"),
        (b"\x1dv0\x00\x00\x00\xff\xff", "an image of 0 by 65535 dots"),
        (b"\x1dk\x04ABC\x00", "no such barcode"),
        (b"\x1dk\x49\x03ABC", "code set"),
        (b"\x1dk\x49\x03{Ax", "code set"),
        (b"\x1dk\x49\x03{C\x64", "digits"),
        (b"\x1dk\x49\x02{B", "empty run"),
        (b"\x1dk\x49\x00", "no data"),
        (b"\x1dw\x06\x1dk\x49\x2a{B" + b"x" * 40, "dots on 576"),
        (b"\x1dw\x09", "module width"),
        (b"\x1d!\x88", "character size"),
        (b"\x1d(k\x03\x001Q0", "QR function 81"),
        (b"\x1d(k\x03\x001E9", "QR function 69"),
        (b"\x1d(k\x02\x001C", "QR function 0"),
        (b"\x1d(L\x02\x000a", "unknown command"),
        (b"\x1da\xff", "automatic status"),
        (b"\x1b!\x01", "font B"),
        (b"\x1bM\x01", "not simulated"),
        (b"\x1bR\x02", "not simulated"),
        (b"\x1b", "ends inside"),
        (b"\x1d(k\x06", "ends inside"),
        (b"\x1dv0\x00\x02", "ends inside"),
        (b"\x1dk\x49", "ends inside"),
        (b"\x1dk\x04AB", "ends inside"),
        (b"\x1dV", "ends inside"),
    ],
)
def test_defects(data, word):
    _, defects = papers_of(data, "epson-tm-80")
    assert any(word in defect for defect in defects), defects


def test_a_cutter_that_is_not_there():
    papers, defects = papers_of(b"a\n\x1dV\x01", "generic-58")
    assert defects == ["this printer has no cutter"]
    papers, defects = papers_of(b"a\n\x1bd\x04b\n\x1bd\x04", "generic-58")
    assert [paper.lines for paper in papers] == [["a"], ["b"]], "it is torn off"
    assert defects == []


def test_two_kinds_of_cut_and_nothing_for_an_empty_paper():
    papers, _ = papers_of(b"a\n\x1dV\x01b\n\x1dV\x42\x10\x1dV\x00c\n")
    assert [(paper.lines, paper.is_cut) for paper in papers] == [
        (["a"], True),
        (["b"], True),
        (["c"], False),
    ]


@given(data=st.binary(max_size=300) | st.lists(
    st.sampled_from([b"\x1b", b"\x1d", b"\x1c", b"(k", b"v0\x00", b"k\x49", b"V", b"!", b"\x01",
                     b"\x00", b"1Q0", b"1P0a", b"{B", b"{C", b"abc", b"\n"]), max_size=40
).map(b"".join))  # fmt: skip
def test_any_bytes_are_papers_and_defects(data):
    papers, defects = papers_of(data)
    assert len(defects) <= 101
    for paper in papers:
        assert paper.text()


# --- how it behaves ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (None, [0x12, 0x12, 0x12, 0x12]),
        (Fault.NEAR_END, [0x12, 0x12, 0x12, 0x1E]),
        (Fault.NO_PAPER, [0x1A, 0x32, 0x12, 0x7E]),
        (Fault.COVER_OPEN, [0x1A, 0x36, 0x12, 0x7E]),
        (Fault.CUTTER, [0x1A, 0x52, 0x1A, 0x12]),
        (Fault.UNRECOVERABLE, [0x1A, 0x52, 0x32, 0x12]),
        (Fault.OVERHEATED, [0x1A, 0x52, 0x52, 0x12]),
    ],
)
def test_status(printer, port, fault, expected):
    if fault:
        printer.set_fault(fault)
    assert answers(port) == expected
    assert printer.state()["online"] is (expected[0] == 0x12)
    if fault:
        printer.set_fault(fault, False)
    assert answers(port) == [0x12] * 4


def test_it_prints_and_says_when_it_has(printer, port):
    port.write(b"hello\n" + CUT + b"\x1d(H\x06\x0000A7xy")
    assert port.read(7) == b"\x37\x22A7xy\x00"
    assert [paper.lines for paper in printer.papers] == [["hello"]]


def test_offline_it_keeps_what_comes_and_goes_on_later(printer, port):
    printer.set_fault(Fault.COVER_OPEN)
    port.write(b"hello\n" + CUT)
    port.write(ASK[0])
    assert port.read(1) == b"\x1a"
    assert printer.papers == []
    printer.set_fault(Fault.COVER_OPEN, False)
    wait_for(lambda: printer.papers)
    assert printer.papers[0].lines == ["hello"]


def test_a_clear_makes_it_forget(printer, port):
    printer.set_fault(Fault.COVER_OPEN)
    port.write(b"forget me\n" + CUT + CLEAR)
    assert port.read(3) == b"\x37\x25\x00"
    printer.set_fault(Fault.COVER_OPEN, False)
    port.write(b"keep me\n" + CUT)
    wait_for(lambda: printer.papers)
    assert [paper.lines for paper in printer.papers] == [["keep me"]]


def test_paper_that_ends_stops_it_before_the_next_line(printer, port):
    printer.load_paper(2)
    port.write(b"1\n2\n3\n4\n" + CUT)
    wait_for(lambda: not printer.state()["online"])
    assert printer.hanging.lines == ["1", "2"]
    assert not printer.hanging.is_cut
    assert answers(port)[3] == 0x7E
    printer.load_paper()
    wait_for(lambda: len(printer.papers) == 2)
    assert [paper.lines for paper in printer.papers] == [["1", "2"], ["3", "4"]]
    assert printer.defects == []


def test_a_full_buffer_takes_no_more_but_a_short_question(tmp_path):
    with EscposPrinterSimulator(path=tmp_path / "lp", buffer_bytes=64) as printer:
        printer.set_fault(Fault.COVER_OPEN)
        with serial.Serial(str(tmp_path / "lp"), timeout=WAIT_S, write_timeout=0.2) as port:
            with pytest.raises(serial.SerialTimeoutException):
                port.write(b"x\n" * 20_000)
            assert printer.state()["buffered_bytes"] <= 64
            port.reset_output_buffer()
            port.timeout = 0.2
            # The first one may still go the way of what was thrown away.
            wait_for(lambda: port.write(ASK[0]) and port.read(1) == b"\x1a")
            assert printer.state()["buffered_bytes"] <= 64


def test_power_off_loses_what_it_had_and_the_paper_keeps_what_it_has(printer, port):
    printer.load_paper(1)
    port.write(b"one\ntwo\n" + CUT)
    wait_for(lambda: not printer.state()["online"])
    printer.set_fault(Fault.POWER_OFF)
    printer.set_fault(Fault.POWER_OFF, False)
    printer.load_paper()
    port.write(b"three\n" + CUT + ASK[0])
    assert port.read(1) == b"\x12"
    wait_for(lambda: len(printer.papers) == 2)
    assert [paper.lines for paper in printer.papers] == [["one"], ["three"]]


def test_a_pulled_cable_is_felt_at_once_and_the_path_comes_back(printer, port, tmp_path):
    printer.set_fault(Fault.CABLE_OUT)
    assert not (tmp_path / "lp").exists()
    with pytest.raises(OSError):  # noqa: PT011 - pyserial's or the kernel's
        port.write(b"x" * 100)
    printer.set_fault(Fault.CABLE_OUT, False)
    with serial.Serial(str(tmp_path / "lp"), timeout=WAIT_S) as again:
        assert answers(again) == [0x12] * 4


def test_silent_it_prints_all_the_same(printer, port):
    printer.set_fault(Fault.SILENT)
    port.write(ASK[0] + b"hello\n" + CUT)
    wait_for(lambda: printer.papers)
    assert port.in_waiting == 0


def test_a_question_inside_of_a_command_is_a_defect(printer, port):
    port.write(b"\x1bE")
    wait_for(lambda: printer.state()["buffered_bytes"] == 2)
    port.write(ASK[0])
    assert port.read(1) == b"\x12"
    assert printer.defects == ["DLE EOT inside of 1b 45"]


def test_a_dle_that_is_no_question_is_data(printer, port):
    port.write(b"\x1dv0\x00\x03\x00\x01\x00\x10\x05\x10" + b"ok\n" + CUT)
    wait_for(lambda: printer.papers)
    assert printer.papers[0].marks[0] == Raster(24, (b"\x10\x05\x10",))
    assert printer.defects == []


def test_a_jam_comes_with_the_cut(printer, port):
    printer.jam_next_cut()
    port.write(b"a\n" + CUT)
    wait_for(lambda: not printer.state()["online"])
    assert answers(port) == [0x1A, 0x52, 0x1A, 0x12]
    printer.set_fault(Fault.CUTTER, False)
    wait_for(lambda: printer.papers)


def test_over_tcp_with_one_guest_at_a_time():
    with EscposPrinterSimulator(port=0) as printer:
        host, port = printer.address.removeprefix("tcp:").split(":")
        for number in range(3):
            with socket.create_connection((host, int(port)), timeout=WAIT_S) as guest:
                guest.sendall(b"%d\n" % number + CUT + ASK[3])
                assert guest.recv(1) == b"\x12"
        wait_for(lambda: len(printer.papers) == 3)
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as guest:
            guest.sendall(ASK[0])
            assert guest.recv(1) == b"\x12"
            printer.set_fault(Fault.CABLE_OUT)
            assert guest.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=WAIT_S)
        printer.set_fault(Fault.CABLE_OUT, False)
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as guest:
            guest.sendall(ASK[0])
            assert guest.recv(1) == b"\x12"


def test_a_slow_line_takes_its_time(tmp_path):
    with (
        EscposPrinterSimulator(path=tmp_path / "lp", baud=9600) as printer,
        serial.Serial(str(tmp_path / "lp"), timeout=WAIT_S) as port,
    ):
        started = time.monotonic()
        port.write(b"x" * 40 + b"\n" + b"y" * 40 + b"\n" + CUT)
        wait_for(lambda: printer.papers)
        # 86 bytes at 960 a second; slower is this machine's affair.
        assert time.monotonic() - started >= 0.08


def test_state_is_json_and_changes_are_told(tmp_path):
    told = []
    with EscposPrinterSimulator(path=tmp_path / "lp", on_change=lambda: told.append(1)) as printer:
        printer.set_fault(Fault.NEAR_END)
        wait_for(lambda: told)
        with serial.Serial(str(tmp_path / "lp")) as port:
            seen = len(told)
            port.write(b"\x1bp\x00\x19\x19a\n" + CUT + b"b\n")
            wait_for(lambda: printer.state()["hanging"])
            wait_for(lambda: len(told) > seen)
        state = json.loads(json.dumps(printer.state()))
        assert state["faults"] == ["near_end"]
        assert (state["papers"], state["drawer_kicks"], state["defects"]) == (1, 1, [])
        assert state["hanging"].startswith("b\n")


def test_it_has_one_line(tmp_path):
    path = tmp_path / "lp"
    wrong: list[dict[str, Any]] = [
        {},
        {"path": path, "port": 0},
        {"path": path, "cable": PtyCable(path)},
        {"port": 0, "cable": PtyCable(path)},
    ]
    for lines in wrong:
        with pytest.raises(ValueError, match="one of"):
            EscposPrinterSimulator(**lines)


def test_any_cable_will_do(tmp_path):
    cable = PtyCable(tmp_path / "lp")
    with EscposPrinterSimulator(cable=cable) as printer:
        assert printer.address == cable.address
        with serial.Serial(str(cable.path), timeout=WAIT_S) as port:
            assert answers(port)[0] == 0x12
