import os
from pathlib import Path

import pytest
import serial

from appliance.simulators.scanner import ScannerSimulator


@pytest.fixture
def simulator(tmp_path):
    with ScannerSimulator(tmp_path / "scanner") as simulator:
        yield simulator


def taken(simulator, text, **options):
    """What arrives of a scan at one who listens."""
    with serial.Serial(simulator.address.removeprefix("serial:"), timeout=10) as port:
        assert simulator.scan(text, **options)
        return port.read_until(b"\n" if simulator._suffix.endswith("\n") else b"\r")


def test_it_sends_what_it_reads_with_its_suffix(tmp_path, simulator):
    assert taken(simulator, "A-1\x1b\t\x03Ж") == "A-1\x1b\t\x03Ж\r".encode()
    with ScannerSimulator(tmp_path / "other", suffix="\r\n") as other:
        assert taken(other, "7", pause_s=0.001) == b"7\r\n"


def test_its_path_is_there_as_long_as_the_cable(simulator):
    path = Path(simulator.address.removeprefix("serial:"))
    assert path.is_symlink()
    first = os.readlink(path)
    simulator.cable_out()
    assert not path.exists()
    assert not path.is_symlink()
    assert simulator.state()["cable"] is False
    assert not simulator.scan("lost")
    simulator.cable_out()
    simulator.cable_in()
    simulator.cable_in()
    assert path.exists()
    assert first.startswith("/dev/pts/")
    assert taken(simulator, "back") == b"back\r"


def test_it_does_not_wait_for_ever_for_a_reader(simulator, monkeypatch):
    monkeypatch.setattr("appliance.simulators.scanner._WRITE_WAIT_S", 0.05)
    assert not simulator.send(b"7" * 100_000)


def test_changes_are_told(tmp_path):
    told = []
    with ScannerSimulator(tmp_path / "scanner", on_change=lambda: told.append(1)) as simulator:
        simulator.scan("A-1")
        assert simulator.state()["last"] == "A-1"
    assert len(told) == 3  # plugged in, scanned, pulled out
