"""The kiosk's process: what it does without, and how it ends."""

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import cast

import pytest

from appliance import serve
from appliance.cli import main
from appliance.domain.errors import Code
from appliance.serve import NEEDLESS
from tests.rig import Rig, free_port


def test_what_is_kept_out_is_needed_by_nothing():
    """Libraries take it where it is there; with a name gone they must still load, and not load
    it by another way."""
    program = f"""
import sys
for name in {NEEDLESS!r}:
    sys.modules[name] = None
import appliance.counter.runtime, web, httpx, appliance.drivers.kassa_shop
assert "pygments" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_worker_that_waits_for_the_terminal_is_not_taken_for_hung(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped alone, it has an arbiter that kills what has been silent for a minute."""
    beaten = threading.Event()

    class Counter:
        def stop(self, wait_s: float) -> bool:
            return beaten.wait(wait_s)

    class Worker:
        counter = Counter()

        def notify(self) -> None:
            beaten.set()

    monkeypatch.setattr(serve, "BEAT_S", 0.01)
    server = object.__new__(serve.Server)
    server._exiting(None, cast(serve.KioskWorker, Worker()))
    assert beaten.is_set()


def test_what_keeps_it_from_starting_is_served_until_it_is_over(tmp_path: Path) -> None:
    """As the service does it: a screen that says what is wrong, and a new start by itself."""
    file = tmp_path / "cured"
    program = f"""
from pathlib import Path
from appliance.counter.config_schema import Web
from appliance.domain.errors import Code
from appliance.serve import serve_stand_in
def ready(address):
    print(address, flush=True)
trouble = Code.CONFIGURATION, ["kassa.toml:1: is wrong"]
serve_stand_in(Web(port={free_port()}), trouble, Path({str(file)!r}).exists, ready)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address + "screen", timeout=10) as answer:
            assert "kassa.toml:1: is wrong" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError) as failed:
            urllib.request.urlopen(address + "healthz", timeout=10)
        with failed.value as answer:
            assert json.load(answer)["code"] == "K-CFG-01"
        file.touch()
        assert process.wait(60) == 0


def test_a_broken_configuration_stays_on_the_screen_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kassa.toml"

    def shown(_web: object, trouble: tuple[Code, list[str]], is_over, _ready: object) -> None:
        assert trouble[0] is Code.CONFIGURATION
        assert not is_over()
        file.write_text("[counter]")
        assert is_over()

    monkeypatch.setattr(serve, "serve_stand_in", shown)
    assert main(["run", "--stay", "--config", str(file)]) == 78
    assert "is not there" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_stays_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as that of a data partition that cannot be mounted."""
    folder = tmp_path / "data"
    folder.write_text("no folder")

    def shown(_web: object, trouble: tuple[Code, list[str]], is_over, _ready: object) -> None:
        assert trouble[0] is Code.DISK_FULL
        assert not is_over()
        folder.unlink()
        assert is_over()

    monkeypatch.setattr(serve, "serve_stand_in", shown)
    with Rig(tmp_path) as rig:
        assert main(["run", "--stay", "--config", str(rig.config_file)]) == 69
