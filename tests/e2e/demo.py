"""`kassa demo` as a process of its own, and what one can do with it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.children import TIED
from tests.web.bench import free_ports

START_WAIT_S = 40.0  # on a busy machine
WAIT_S = 30.0


@dataclass
class Demo:
    process: subprocess.Popen[str]
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}/"

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + "state", timeout=WAIT_S) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def wait(self, is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        until = time.monotonic() + WAIT_S
        while not is_so(state := self.state()):
            assert time.monotonic() < until, f"it did not come: {state}"
            time.sleep(0.05)
        return state

    def do(self, action: str, argument: str = "") -> None:
        """Click until it is obeyed, as a visitor does: what is refused has not been done, and
        where the disk is slow the counter needs longer than the bench waits."""
        until = time.monotonic() + WAIT_S
        while (refusal := self._click(action, argument)) is not None:
            assert time.monotonic() < until, f"{refusal}: {self.state()}"

    def _click(self, action: str, argument: str) -> str | None:
        """Why it was refused."""
        asked = urllib.request.Request(
            self.url + "do",
            json.dumps({"action": action, "argument": argument}).encode(),
            {
                "Content-Type": "application/json",
                "X-Kassa": "bench",
                "Origin": self.url.rstrip("/"),
            },
        )
        try:
            with urllib.request.urlopen(asked, timeout=WAIT_S) as answer:
                assert answer.status == 200
                return None
        except urllib.error.HTTPError as refused:
            if refused.code != 409:
                raise
            return str(json.load(refused)["error"])

    def is_leaving(self) -> bool:
        """Whether the counter's page goes back to the address of a link."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/screen", timeout=WAIT_S) as page:
            return b"data-leave=" in page.read()

    def end(self, number: int, timeout_s: float = WAIT_S) -> tuple[int, str, str]:
        self.process.send_signal(number)
        told, complaints = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, told, complaints

    def processes(self) -> list[int]:
        """All that were started on its folder, by their command lines."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue  # it has just ended
                if str(self.folder).encode() in words:
                    found.append(int(entry.name))
        return found

    def wait_alone(self) -> None:
        """Until what it has started is gone: killed ones take a moment."""
        until = time.monotonic() + WAIT_S
        while self.processes():
            assert time.monotonic() < until
            time.sleep(0.05)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Demo]:
    """The demo, with temporary files below `folder`; it is gone afterwards."""
    port = free_ports()
    process = subprocess.Popen(
        [*TIED, sys.executable, "-m", "appliance.cli", "demo", "--port", str(port), *options],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    demo = Demo(process, port, folder)
    try:
        yield demo
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=START_WAIT_S)
            except subprocess.TimeoutExpired:
                for pid in demo.processes():
                    os.kill(pid, signal.SIGKILL)
                process.kill()
                process.communicate()
                raise
            assert process.returncode == 0, "SIGTERM ends it as Ctrl-C does"
        assert demo.processes() == []


def started(demo: Demo) -> Demo:
    """As soon as it says where to look; it gives up by itself where its kiosk does not start."""
    assert demo.process.stdout is not None
    line = demo.process.stdout.readline()
    assert demo.url in line, demo.process.communicate()
    return demo
