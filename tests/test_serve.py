"""The kiosk's process: what it does without, and how it ends."""

import subprocess
import sys
import threading
from typing import cast

import pytest

from appliance import serve
from appliance.serve import NEEDLESS


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
