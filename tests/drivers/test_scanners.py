"""The scanner drivers where they differ from each other. What holds for both is in
tests/contract/scanner.py."""

import pytest
from structlog.testing import capture_logs

from appliance.domain.errors import Code, ConfigTrouble, ScannerTrouble
from appliance.drivers.scanners import (
    EvdevOptions,
    EvdevScanner,
    SerialScanner,
    SerialScannerOptions,
    open_input_device,
)
from appliance.simulators.scanner import ScannerSimulator
from tests.contract.scanner import Running


@pytest.fixture
def keyboard():
    pytest.importorskip("evdev")  # not to be had everywhere, see requirements/run.in
    from tests.drivers.input_pipe import Keyboard

    keyboard = Keyboard()
    yield keyboard
    keyboard.pull_out()


@pytest.fixture
def typing(keyboard):
    scanner = EvdevScanner(EvdevOptions("/dev/kassa/scanner"), open_device=keyboard.open)
    running = Running(scanner)
    assert running.next() == ("opened", "")
    yield running
    scanner.close()
    running.end()


def test_the_device_is_grabbed_before_it_is_read_and_closed_after(keyboard):
    scanner = EvdevScanner(EvdevOptions("/dev/kassa/scanner"), open_device=keyboard.open)
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
    keyboard.type("45")
    assert typing.next() == ("scanned", "45")


def test_a_code_without_an_end_is_refused_after_a_while(keyboard, typing):
    from evdev import ecodes

    keyboard.press(ecodes.KEY_1)
    assert typing.next()[0] == "refused"
    keyboard.type("45")
    assert typing.next() == ("scanned", "45")


def test_letters_and_layouts(keyboard):
    scanner = EvdevScanner(
        EvdevOptions("/dev/kassa/scanner", layout="de"), open_device=keyboard.open
    )
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
        for _ in range(200):
            assert running.next() == ("refused", "control characters")
        scanner.close()
        running.end()
    assert len([entry for entry in logs if entry["event"] == "scan_refused"]) == 1
