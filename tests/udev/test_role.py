"""What /etc/kassa/devices says of a device, and what it says when it is wrong."""

import os
import shutil
import subprocess

import pytest

from tests.udev.files import FOLDER

PI_4 = "platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3:1.0"
PI_5 = "platform-xhci-hcd.1-usb-0:1.3:1.0"
PC = "pci-0000:00:14.0-usb-0:1.3:1.0"
EPSON = {"ID_VENDOR_ID": "04b8", "ID_MODEL_ID": "0202"}
ANY = ("terminal", "printer", "scanner", "fiscal")


class Bench:
    """The script with a file of its own, and a `logger` that remembers."""

    def __init__(self, folder):
        self.file = folder / "devices"
        self._log = folder / "log"
        self._tools = folder / "tools"
        self._tools.mkdir()
        logger = self._tools / "logger"
        logger.write_text(f'#!/bin/sh\nshift 5\nprintf "%s\\n" "$*" >>"{self._log}"\n')
        logger.chmod(0o755)

    def run(self, port, roles, environment):
        return subprocess.run(
            [FOLDER / "kassa-role", port, *roles],
            env={
                "PATH": f"{self._tools}:{os.environ['PATH']}",
                "KASSA_DEVICES": str(self.file),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ask(self, text, port=PC, roles=ANY, **environment):
        """What the script says, by its names, and what it logged."""
        self.file.write_text(text)
        done = self.run(port, roles, environment)
        assert (done.returncode, done.stderr) == (0, "")
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def logged(self):
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line.removeprefix(str(self.file)) for line in lines]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def given(role, line):
    return {"KASSA_ROLE": role, "KASSA_RANK": f"1-{line:02}"}


@pytest.mark.parametrize("port", [PI_4, PI_5, PC])
def test_one_line_for_a_port_is_right_on_every_board(bench, port):
    assert bench.ask("terminal port usb-0:1.3\n", port) == given("terminal", 1)


@pytest.mark.parametrize(
    ("line", "is_it"),
    [
        ("usb-0:1.3", True),
        ("usb-0:1.3:1.0", True),
        ("usb-0:1.3:1.0-port0", True),
        ("xhci-hcd.1-usb-0:1.3", True),
        ("platform-xhci-hcd.1-usb-0:1.3", True),
        ("usb-0:1", False),  # the hub between
        ("usb-0:1.3.2", False),  # behind a hub that is not there
        ("usb-0:1.30", False),
        ("usb-0:11.3", False),
        ("usb-0:1.3:1.2", False),  # another interface
        ("usb-0:1.3:1.0-port1", False),  # another port of the adapter
        ("xhci-hcd.0-usb-0:1.3", False),  # the other controller
        ("hci-hcd.1-usb-0:1.3", False),  # half a word
    ],
)
def test_a_port_is_that_port_and_no_other(bench, line, is_it):
    said = bench.ask(f"terminal port {line}\n", PI_5 + "-port0")
    assert said == (given("terminal", 1) if is_it else {})
    assert bench.logged() == []


@pytest.mark.parametrize(
    ("line", "environment", "is_it"),
    [
        ("serial A1", {"ID_SERIAL_SHORT": "A1"}, True),
        ("serial A1", {"ID_SERIAL_SHORT": "A10"}, False),
        ("serial a1", {"ID_SERIAL_SHORT": "A1"}, False),
        ("serial A1", {}, False),
        ("serial 001", {"ID_SERIAL_SHORT": "1"}, False),
        ("serial A.", {"ID_SERIAL_SHORT": "AB"}, False),  # no pattern
        ("model 04b8:0202", {"ID_VENDOR_ID": "04b8", "ID_MODEL_ID": "0202"}, True),
        ("model 04B8:0202", {"ID_VENDOR_ID": "04b8", "ID_MODEL_ID": "0202"}, True),
        ("model 04b8:0202", {"ID_VENDOR_ID": "04b8", "ID_MODEL_ID": "0203"}, False),
        ("model 04b8:0202", {}, False),
        ("serial A1 04b8:0202", EPSON | {"ID_SERIAL_SHORT": "A1"}, True),
        ("serial A1 04B8:0202 # and why", EPSON | {"ID_SERIAL_SHORT": "A1"}, True),
        ("serial A1 04b8:0203", EPSON | {"ID_SERIAL_SHORT": "A1"}, False),
        ("serial A1 04b8:0202", EPSON | {"ID_SERIAL_SHORT": "A2"}, False),
        ("port usb-0:1.3 04b8:0202", EPSON, True),
        ("port usb-0:1.3 04b8:0203", EPSON, False),
        ("port usb-0:1.3 04b8:0202", {}, False),
        ("serial A1 #04b8:0203", EPSON | {"ID_SERIAL_SHORT": "A1"}, True),
    ],
)
def test_serial_numbers_and_models(bench, line, environment, is_it):
    said = bench.ask(f"printer {line}\n", **environment)
    assert said == (given("printer", 1) if is_it else {})


def test_the_first_line_that_fits_counts(bench):
    text = "# two\n\nprinter serial B\n  scanner serial A # and why\nterminal port usb-0:1.3"
    assert bench.ask(text, ID_SERIAL_SHORT="A") == given("scanner", 4)
    assert bench.ask(text, ID_SERIAL_SHORT="C") == given("terminal", 5)
    assert bench.logged() == []


def test_a_line_for_another_sort_of_node_is_not_for_this_one(bench):
    text = "scanner serial A\nprinter serial A\n"
    assert bench.ask(text, roles=("printer",), ID_SERIAL_SHORT="A") == given("printer", 2)
    assert bench.ask("terminal serial A\n", roles=("scanner",), ID_SERIAL_SHORT="A") == {}


def test_a_role_that_is_given_to_one_is_not_left_to_others(bench):
    text = "printer serial A\n"
    assert bench.ask(text, KASSA_ROLE="printer", ID_SERIAL_SHORT="B") == {"KASSA_RANK": "none"}
    assert bench.ask(text, KASSA_ROLE="scanner", ID_SERIAL_SHORT="B") == {}
    assert bench.ask(text, ID_SERIAL_SHORT="B") == {}
    # a wrong line gives nothing to anyone
    assert bench.ask("printer serial\n", KASSA_ROLE="printer", ID_SERIAL_SHORT="B") == {}


@pytest.mark.parametrize("line", ["printer ask", "printer ask # until somebody confirms"])
def test_a_role_that_is_asked_for_is_left_to_nobody(bench, line):
    assert bench.ask(f"{line}\n", KASSA_ROLE="printer") == {"KASSA_RANK": "none"}
    assert bench.ask(f"{line}\n", KASSA_ROLE="scanner") == {}
    text = f"{line}\nprinter serial A\n"
    assert bench.ask(text, KASSA_ROLE="printer", ID_SERIAL_SHORT="A") == given("printer", 2)
    assert bench.logged() == []


@pytest.mark.parametrize(
    "line",
    [
        "drawer serial A",
        "Terminal serial A",
        "terminal",
        "terminal serial",
        "terminal serial #A",
        "terminal serial a/b",
        "terminal serial A\r",
        "terminal serial A B",
        "terminal serial Ä",
        "terminal number A",
        "terminal port 1.3",
        "terminal port usb-0:",
        "terminal port usb-0:1.",
        "terminal port usb-0:1..3",
        "terminal port usb-0:0",
        "terminal port usb-1:1.3",
        "terminal port xusb-0:1.3",
        "terminal port usb-0:1.3:1",
        "terminal port usb-0:1.3-port1",
        "terminal port usb-0:*",
        "terminal port usb-0:1.3:1.0-port",
        "terminal model 04b8",
        "terminal model 04b8:",
        "terminal model 4b8:0202",
        "terminal model 04b8:020g",
        "terminal model 04b8:*",
        "terminal model 04b8:0202 04b8:0202",
        "terminal serial A 04b8:0202 B",
        "terminal serial A 04b8:020g",
        "terminal ask A",
        "$(reboot) serial A",
        "* * *",
        "- - -",
    ],
)
def test_a_wrong_line_is_named_and_ignored_and_the_others_count(bench, line):
    said = bench.ask(f"{line}\nprinter serial A\n", ID_SERIAL_SHORT="A")
    assert said == given("printer", 2)
    (message,) = bench.logged()
    assert message.startswith(":1: is ignored; a line ")


def test_many_wrong_lines_do_not_fill_the_log(bench):
    assert bench.ask("x\n" * 60 + "printer serial A\n", ID_SERIAL_SHORT="A") == given("printer", 61)
    assert len(bench.logged()) == 8


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#" * 16385, ": has more than 16384 bytes"),
        ("\n" * 65, ": has more than 64 lines"),
    ],
)
def test_a_file_beyond_all_bounds_says_nothing(bench, text, why):
    bench.file.write_text(text)
    done = bench.run(PC, ANY, {})
    assert (done.returncode, done.stdout) == (1, "")
    assert bench.logged() == [why]


def test_the_largest_file_is_read(bench):
    text = "printer serial A\n" * 63 + "# " + "x" * 100
    assert bench.ask(text, ID_SERIAL_SHORT="A") == given("printer", 1)
    assert bench.logged() == []


def test_what_is_no_file_is_not_waited_for(bench):
    os.mkfifo(bench.file)
    done = bench.run(PC, ANY, {})
    assert (done.returncode, done.stdout) == (1, "")
    assert bench.logged() == [": is no file"]


def test_bytes_that_are_no_text_are_a_wrong_line(bench):
    bench.file.write_bytes(b"terminal serial \xff\xfe\x1b[2J\nprinter serial A\n")
    done = bench.run(PC, ANY, {"ID_SERIAL_SHORT": "A"})
    assert done.stdout == "KASSA_ROLE=printer\nKASSA_RANK=1-02\n"
    assert len(bench.logged()) == 1
    assert "\x1b" not in bench.logged()[0]


def test_without_a_logger_the_reason_is_told_to_udev(bench, tmp_path):
    bench.file.write_text("x\n")
    broken = tmp_path / "tools/logger"
    broken.write_text("#!/bin/sh\nexit 1\n")
    done = bench.run(PC, ANY, {})
    assert done.returncode == 0
    assert ":1: is ignored" in done.stderr


def test_the_smallest_shell_is_enough(bench):
    dash = shutil.which("dash")
    if dash is None:
        pytest.skip("there is no dash")
    bench.file.write_text("printer serial A\n")
    done = subprocess.run(
        [dash, FOLDER / "kassa-role", PC, "printer"],
        env={"PATH": os.environ["PATH"], "KASSA_DEVICES": str(bench.file), "ID_SERIAL_SHORT": "A"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "KASSA_ROLE=printer\nKASSA_RANK=1-01\n"
