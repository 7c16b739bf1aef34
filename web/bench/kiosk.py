"""The demo's kiosk: the real program as a child process, and the plug that one can pull."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from enum import StrEnum, auto
from pathlib import Path
from typing import Any, Final

import structlog

import appliance
from appliance.counter.instance import LOCK

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.1
ANSWER_WAIT_S: Final = 1.0
LOCK_WAIT_S: Final = 2.0
KILL_WAIT_S: Final = 5.0
LARGEST_ANSWER: Final = 64 * 1024
TAIL_LINES: Final = 12
TAIL_BYTES: Final = 16 * 1024


GUARD: Final = 'read -r _; kill -KILL "-$1"'
"""Waits at a pipe whose other end only the demo has, and then ends the kiosk's group: also where
the demo was killed and could do nothing any more. Not PR_SET_PDEATHSIG: that watches the thread
that started the kiosk, which is one of a request."""


class Power(StrEnum):
    """How the kiosk's process is."""

    OFF = auto()  # not started, stopped, or its plug was pulled
    STARTING = auto()  # runs, and does not answer yet
    ON = auto()
    DIED = auto()  # ended without being asked to


class Kiosk:
    """`kassa run` in a process group of its own; at most one at a time.

    changed: called from a thread of this object after each change of `power`.
    """

    def __init__(
        self, config: Path, data: Path, logs: Path, port: int, changed: Callable[[], None]
    ) -> None:
        self._config, self._data, self._logs, self._port = config, data, logs, port
        self._changed = changed
        self._lock = threading.Lock()  # of what follows
        self._power = Power.OFF
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: threading.Thread | None = None
        self._is_wanted = False
        self.starts = 0

    @property
    def power(self) -> Power:
        return self._power

    def start(self) -> None:
        """Start it; does nothing while it runs. `power` tells how far it has come."""
        with self._lock:
            if self._process is not None:
                return
            self._wait_for_lock()
            with self._logs.open("ab") as logs:
                self._process = subprocess.Popen(
                    # -P: a folder named like one of our packages, where the user happens to
                    # stand, is not ours.
                    [sys.executable, "-P", "-m", "appliance.cli", "run", "--config", self._config],
                    env={**os.environ, **self._environment()},
                    stdin=subprocess.DEVNULL,
                    stdout=logs,
                    stderr=logs,
                    # Ctrl-C in the shell is for the demo, which then ends the kiosk in good order.
                    start_new_session=True,
                )
            self._is_wanted = True
            self.starts += 1
            guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", str(self._process.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # "no such process" is the usual end
                start_new_session=True,
            )
            self._watch = threading.Thread(
                target=self._follow, args=(self._process, guard), name="kiosk", daemon=True
            )
            self._set(Power.STARTING)
            self._watch.start()

    def cut_power(self) -> None:
        """SIGKILL to all of its processes: no handler runs, nothing is flushed. Any thread."""
        self._end(signal.SIGKILL, KILL_WAIT_S)

    def stop(self, wait_s: float) -> bool:
        """End it in good order; after wait_s seconds by force. False where force was needed."""
        if self._end(signal.SIGTERM, wait_s):
            return True
        self.cut_power()
        return False

    def tail(self) -> str:
        """The newest lines of its log."""
        try:
            with self._logs.open("rb") as logs:
                logs.seek(max(0, logs.seek(0, os.SEEK_END) - TAIL_BYTES))
                lines = logs.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-TAIL_LINES:])

    def _environment(self) -> dict[str, str]:
        ours, given = str(Path(appliance.__file__).parents[1]), os.environ.get("PYTHONPATH")
        return {
            # Where the child finds the program that we are, wherever it was started from.
            "PYTHONPATH": os.pathsep.join([ours, given] if given else [ours]),
            # What it writes to temporary files goes when the demo's folder goes.
            "TMPDIR": str(self._data),
        }

    def _end(self, how: signal.Signals, wait_s: float) -> bool:
        with self._lock:
            process, watch = self._process, self._watch
            self._is_wanted = False
            if process is None or watch is None:
                return True
            if how is signal.SIGKILL:
                _signal_group(process.pid, how)
            else:
                # gunicorn's master tells its worker; telling both would end the worker twice.
                os.kill(process.pid, how)
        watch.join(wait_s)
        return not watch.is_alive()

    def _follow(self, process: subprocess.Popen[bytes], guard: subprocess.Popen[bytes]) -> None:
        """Until this process has ended: see when it answers, and clean up behind it."""
        while _runs(process) and not self.health():
            time.sleep(LOOK_EVERY_S)
        if _runs(process):
            self._set(Power.ON)
        # Without reaping it, so that its number stays its own until its group is gone as well.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _signal_group(process.pid, signal.SIGKILL)
        guard.communicate()  # closes the pipe
        with self._lock:
            status = process.wait()
            self._process = None
            self._power = Power.DIED if self._is_wanted else Power.OFF
        log.info("bench.kiosk_ended", status=status)
        self._changed()

    def health(self) -> dict[str, Any]:
        """What it says of itself; {} where it says nothing."""
        return self._ask("GET", "/healthz")

    def link(self, text: str) -> dict[str, Any]:
        """Give it a link, as the program does that a browser starts for one. How the request is, as
        docs/kiosk-http.yaml has it; {} where it says nothing."""
        return self._ask("POST", "/link", json.dumps({"link": text}))

    def followed(self, name: str) -> dict[str, Any]:
        """How the request with this id is; {} where it says nothing."""
        return self._ask("GET", f"/link/{name}")

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        headers = {"X-Kassa": "bench", "Origin": f"http://127.0.0.1:{self._port}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_WAIT_S)
        try:
            connection.request(method, path, body, headers)
            told = json.loads(connection.getresponse().read(LARGEST_ANSWER))
        except (OSError, http.client.HTTPException, ValueError):
            return {}  # off, or on its way up or down
        finally:
            connection.close()
        return told if isinstance(told, dict) else {}

    def _wait_for_lock(self) -> None:
        """A worker that was just killed may hold the counter's lock for a moment still."""
        self._data.mkdir(mode=0o700, exist_ok=True)
        until = time.monotonic() + LOCK_WAIT_S
        with (self._data / LOCK).open("a") as file:
            while time.monotonic() < until:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(LOOK_EVERY_S)
                else:
                    return  # closing the file lets go of it

    def _set(self, power: Power) -> None:
        self._power = power
        self._changed()


def _runs(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has not ended; leaves the ended one to be reaped later."""
    options = os.WEXITED | os.WNOWAIT | os.WNOHANG
    return os.waitid(os.P_PID, process.pid, options) is None


def _signal_group(leader: int, how: signal.Signals) -> None:
    try:
        os.killpg(leader, how)
    except ProcessLookupError:
        log.debug("bench.kiosk_gone_already", leader=leader)
