"""The scanner drivers where they differ from each other. What holds for both is in
tests/contract/scanner.py."""

import termios
import threading
import time

import pytest
import serial
from structlog.testing import capture_logs

from appliance.domain.errors import Code, ConfigTrouble, ScannerTrouble
from appliance.drivers import scanners
from appliance.drivers.scanners import (
    EvdevOptions,
    EvdevScanner,
    SerialScanner,
    SerialScannerOptions,
    open_input_device,
)
from appliance.protocols.scans import GLUED_S, REST_S
from appliance.simulators.scanner import ScannerSimulator
from tests.contract.scanner import Running


@pytest.fixture
def keyboard(tmp_path):
    pytest.importorskip("evdev")  # not to be had everywhere, see requirements/run.in
    from tests.drivers.input_pipe import Keyboard

    keyboard = Keyboard(tmp_path / "keyboard")
    yield keyboard
    keyboard.pull_out()


@pytest.fixture
def typing(keyboard):
    scanner = EvdevScanner(EvdevOptions(str(keyboard.path)), open_device=keyboard.open)
    running = Running(scanner)
    assert running.next() == ("opened", "")
    yield running
    scanner.close()
    running.end()


def test_the_device_is_grabbed_before_it_is_read_and_closed_after(keyboard):
    scanner = EvdevScanner(EvdevOptions(str(keyboard.path)), open_device=keyboard.open)
    running = Running(scanner)
    assert running.next() == ("opened", "")
    assert keyboard.device.is_grabbed
    scanner.close()
    assert running.end() is None
    assert keyboard.device.fd == -1


def test_a_device_that_another_program_has_grabbed_is_trouble(keyboard):
    class Grabbed:
        fd = -1
        closed = False

        def grab(self):
            raise OSError(16, "Device or resource busy")

        def read(self):
            return []

        def close(self):
            self.closed = True

    device = Grabbed()
    scanner = EvdevScanner(EvdevOptions("/dev/input/x"), open_device=lambda _: device)
    with pytest.raises(ScannerTrouble, match="busy") as caught:
        scanner.run(pytest.fail, pytest.fail)
    assert caught.value.code is Code.SCANNER_GONE
    assert device.closed


def test_events_that_the_kernel_lost_spoil_the_code(keyboard, typing):
    from evdev import ecodes

    keyboard.send((ecodes.EV_KEY, ecodes.KEY_1, 1), (ecodes.EV_KEY, ecodes.KEY_1, 0))
    keyboard.send((ecodes.EV_SYN, ecodes.SYN_DROPPED, 0))
    assert typing.next() == ("refused", "key events were lost")
    keyboard.type("23")  # the rest of the spoilt one, with its end
    time.sleep(2 * GLUED_S)
    keyboard.type("45")
    assert typing.next() == ("scanned", "45")


def test_a_code_without_an_end_is_refused_after_a_while(keyboard, typing):
    from evdev import ecodes

    keyboard.press(ecodes.KEY_1)
    assert typing.next()[0] == "refused"
    time.sleep(REST_S)
    keyboard.type("45")
    assert typing.next() == ("scanned", "45")


def test_letters_and_layouts(keyboard):
    scanner = EvdevScanner(EvdevOptions(str(keyboard.path), layout="de"), open_device=keyboard.open)
    running = Running(scanner)
    running.next()
    keyboard.type("YZ-")  # typed on a US keyboard
    assert running.next() == ("scanned", "ZYß")
    scanner.close()


def test_evdev_itself_finds_no_device(tmp_path):
    pytest.importorskip("evdev")
    scanner = EvdevScanner(EvdevOptions(f"{tmp_path}/event0"))
    with pytest.raises(ScannerTrouble) as caught:
        scanner.run(pytest.fail, pytest.fail)
    assert caught.value.code is Code.SCANNER_GONE
    with pytest.raises(OSError, match="event0"):
        open_input_device(f"{tmp_path}/event0")


# evdev 1.9.1 asks for an event loop when what it could not open is collected (Python 3.12+).
@pytest.mark.filterwarnings("ignore:Exception ignored in.*InputDevice:Warning")
def test_evdev_itself_refuses_what_is_no_input_device(tmp_path):
    pytest.importorskip("evdev")
    (tmp_path / "file").touch()
    with pytest.raises(ScannerTrouble):
        EvdevScanner(EvdevOptions(f"{tmp_path}/file")).run(pytest.fail, pytest.fail)


def test_an_unknown_layout():
    with pytest.raises(ConfigTrouble, match=r"dvorak.*us, de, fr, ru"):
        EvdevOptions("/dev/kassa/scanner", layout="dvorak")


# --- serial --------------------------------------------------------------------------------------


@pytest.fixture
def simulator(tmp_path):
    with ScannerSimulator(tmp_path / "scanner") as simulator:
        yield simulator


@pytest.fixture
def reading(simulator, request):
    options = getattr(request, "param", {})
    path = simulator.address.removeprefix("serial:")
    scanner = SerialScanner(SerialScannerOptions(path, **options))
    running = Running(scanner)
    assert running.next() == ("opened", "")
    yield running
    scanner.close()
    running.end()


@pytest.mark.parametrize("reading", [{"gap_s": 5.0}], indirect=True)
def test_a_slow_scanner_is_waited_for(simulator, reading):
    assert simulator.scan("A-1", pause_s=0.02)
    assert reading.next() == ("scanned", "A-1")


@pytest.mark.parametrize("reading", [{"gap_s": 0.05}], indirect=True)
def test_half_a_code_is_refused(simulator, reading):
    assert simulator.send(b"A-")
    assert reading.next()[0] == "refused"
    assert simulator.scan("100482"), "the rest of it"
    time.sleep(REST_S)
    assert simulator.scan("A-1")
    assert reading.next() == ("scanned", "A-1")


@pytest.mark.parametrize("reading", [{"gap_s": 0.05, "ends": "gap"}], indirect=True)
def test_a_scanner_without_suffix(simulator, reading):
    assert simulator.send(b"A-1")
    assert reading.next() == ("scanned", "A-1")


def test_ten_thousand_characters_are_refused_once(simulator, reading):
    assert simulator.scan("7" * 10_000)
    assert reading.next() == ("refused", "too long")
    assert simulator.scan("A-1")
    assert reading.next() == ("scanned", "A-1")


def test_what_was_scanned_while_nobody_listened_is_not_done_later(simulator, monkeypatch):
    """A scanner keeps what nobody took, and hands it over once somebody opens its port; the tail
    of a code that was under way is another order's."""
    path = simulator.address.removeprefix("serial:")
    scanner = SerialScanner(SerialScannerOptions(path))
    real = serial.Serial

    def opened(*arguments, **options):
        port = real(*arguments, **options)
        assert simulator.send(b"00482\rKASSA-CONFIRM\r")
        return port

    monkeypatch.setattr(serial, "Serial", opened)
    running = Running(scanner)
    assert running.next() == ("opened", "")
    assert simulator.scan("A-1")
    assert running.next() == ("scanned", "A-1")
    scanner.close()
    running.end()


def test_a_scanner_that_never_falls_silent_is_opened_all_the_same(simulator, monkeypatch):
    monkeypatch.setattr(scanners, "_QUIET_MOST_S", 0.2)
    path = simulator.address.removeprefix("serial:")
    scanner = SerialScanner(SerialScannerOptions(path))
    running = Running(scanner)
    stop = threading.Event()

    def chatter():
        while not stop.wait(0.02):
            simulator.send(b"x")

    thread = threading.Thread(target=chatter)
    thread.start()
    assert running.next() == ("opened", "")
    stop.set()
    thread.join()
    scanner.close()
    running.end()


def test_keys_that_were_under_way_when_it_was_opened_are_no_code(keyboard):
    scanner = EvdevScanner(EvdevOptions(str(keyboard.path)), open_device=keyboard.open)
    running = Running(scanner)
    until = time.monotonic() + 5
    while keyboard.device is None and time.monotonic() < until:
        time.sleep(0.001)
    keyboard.type("482")
    assert running.next() == ("opened", "")
    keyboard.type("45")
    assert running.next() == ("scanned", "45")
    scanner.close()


@pytest.mark.parametrize("error", [termios.error(5, "Input/output error"), ValueError("baud")])
def test_a_port_that_cannot_be_set_is_trouble(simulator, monkeypatch, error):
    """As when it is pulled out in that moment; termios has an error of its own."""

    def tcsetattr(*_):
        raise error

    monkeypatch.setattr(termios, "tcsetattr", tcsetattr)
    path = simulator.address.removeprefix("serial:")
    with pytest.raises(ScannerTrouble) as caught:
        SerialScanner(SerialScannerOptions(path)).run(pytest.fail, pytest.fail)
    assert caught.value.code is Code.SCANNER_GONE


def test_one_reader_only(simulator, reading):
    path = simulator.address.removeprefix("serial:")
    with pytest.raises(ScannerTrouble):
        SerialScanner(SerialScannerOptions(path)).run(pytest.fail, pytest.fail)


def test_what_the_listener_raises_is_not_swallowed(simulator):
    class Broken(Exception):
        pass

    def scanned(_text):
        raise Broken

    path = simulator.address.removeprefix("serial:")
    scanner = SerialScanner(SerialScannerOptions(path))
    with pytest.raises(Broken):
        scanner.run(scanned, pytest.fail, lambda: simulator.scan("A-1") or None)


def test_noise_is_logged_once_in_a_while_not_line_by_line(tmp_path):
    with ScannerSimulator(tmp_path / "scanner") as simulator, capture_logs() as logs:
        scanner = SerialScanner(SerialScannerOptions(str(tmp_path / "scanner")))
        running = Running(scanner)
        assert running.next() == ("opened", "")
        simulator.send(b"\x01\r" * 200)
        whys = [running.next() for _ in range(200)]
        assert {kind for kind, _ in whys} == {"refused"}
        scanner.close()
        running.end()
    assert len([entry for entry in logs if entry["event"] == "scan_refused"]) == 1
