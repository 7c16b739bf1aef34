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
from appliance.serve import NEEDLESS
from tests.rig import free_port


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


def test_mistakes_in_the_configuration_are_served_until_the_file_changes(tmp_path: Path) -> None:
    """As the service does it: a screen that says what is wrong, and a new start by itself."""
    file = tmp_path / "kassa.toml"
    program = f"""
import sys
from pathlib import Path
from appliance.counter.config_schema import Web
from appliance.serve import serve_unset
def ready(address):
    print(address, flush=True)
serve_unset(Path({str(file)!r}), ["kassa.toml:1: is wrong"], ready, Web(port={free_port()}))
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
        file.write_text("[counter]")
        assert process.wait(60) == 0


def test_a_broken_configuration_stays_on_the_screen_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    monkeypatch.setattr(serve, "serve_unset", lambda *words: told.append(words))
    file = tmp_path / "kassa.toml"
    assert main(["run", "--stay", "--config", str(file)]) == 78
    assert [(words[0], len(words[1])) for words in told] == [(file, 1)]
    assert "is not there" in capsys.readouterr().err
