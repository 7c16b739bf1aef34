"""A new kiosk as a whole: the program's own process, a desk over HTTPS, a scanner on a pty, and
root's script; then the counter has its settings."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from appliance import cli_enrol
from appliance.cli import main
from appliance.counter import enrolling
from appliance.counter.enrolling import Places
from appliance.serve_enrol import DeskServer
from appliance.simulators.scanner import ScannerSimulator
from tests.children import TIED
from tests.counter.enrol_kit import CONFIG, HOUR_S, TOKEN, Clock, desk_in
from tests.drivers.test_enrol_desk import serving
from tests.image.test_enrol import GROUP, enrol
from tests.rig import free_port, until

PROGRAM = """
import sys
from pathlib import Path
from appliance.counter.config_schema import Web
from appliance.counter.enrolling import Places
from appliance.serve import serve_enrolment
folder = Path(sys.argv[1])
places = Places(folder / "etc/kassa.toml", folder / "var/enrolment", folder / "dev",
                folder / "etc/enrolment-desk", folder / "etc/enrol.txt", folder / "sys")
serve_enrolment(Web(port=int(sys.argv[2])), places, lambda address: print(address, flush=True))
"""


@pytest.mark.e2e
def test_from_the_scan_to_settings(tmp_path: Path) -> None:
    for name in ("etc", "var", "dev"):
        (tmp_path / name).mkdir()
    desk, left = desk_in(tmp_path / "desk", Clock()), tmp_path / "var/enrolment/answer.json"
    with (
        serving(DeskServer(desk, ("127.0.0.1", 0))) as address,
        ScannerSimulator(tmp_path / "dev/scanner") as scanner,
        subprocess.Popen(
            [*TIED, sys.executable, "-c", PROGRAM, tmp_path, str(free_port())],
            stdout=subprocess.PIPE, text=True,
        ) as kiosk,
    ):  # fmt: skip
        try:
            assert kiosk.stdout is not None
            base = kiosk.stdout.readline().strip()

            def screen() -> str:
                with urllib.request.urlopen(base + "screen", timeout=30) as answer:
                    return str(answer.read().decode())

            until(lambda: "No scanner was found" not in screen(), "the scanner is open")
            assert "K-ENR-01" in screen()
            _, digits = desk.make("counter-7", address, HOUR_S)
            scanner.scan(digits)
            until(left.exists, "the answer is left for root")
            assert "Setting up" in screen()
            assert enrol.main(tmp_path / "etc", left, GROUP) == 0
            assert kiosk.wait(60) == 0
        finally:
            kiosk.kill()
    assert (tmp_path / "etc/kassa.toml").read_text() == CONFIG
    assert (tmp_path / "etc/credentials/shop-token").read_text() == TOKEN + "\n"
    assert not enrolling.is_new(tmp_path / "etc/kassa.toml")


def test_the_service_waits_for_a_code_only_where_it_can_keep_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(tmp_path / "kassa.toml", tmp_path / "var/enrolment")
    monkeypatch.setattr(enrolling, "Places", lambda: places)
    monkeypatch.setattr("appliance.cli.DEFAULT_CONFIG", places.config)
    waited: list[Places] = []
    monkeypatch.setattr(
        "appliance.serve.serve_enrolment", lambda web, places, ready: waited.append(places)
    )
    assert not cli_enrol.wait_for_code(print)  # the data partition is not there
    (tmp_path / "var").mkdir()
    assert main(["run", "--stay", "--config", str(places.config)]) == 78
    assert waited == [places]
    places.config.write_text(CONFIG)
    assert not cli_enrol.wait_for_code(print)
