"""Starts the program without its imports: a process that has made them forks it.

Most of a start is Python reading modules, when there is nothing yet to be killed. What is forked
is `kassa run` all the same, from its first line on, in a process group of its own.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, cast

from tests.children import Child
from tests.rig import POLL_S, Kiosk, Rig

MODULES: Final = (
    "appliance.cli",
    "appliance.counter.runtime",
    "appliance.drivers.escpos_printer",
    "appliance.drivers.kassa_shop",
    "appliance.drivers.scanners",
    "appliance.drivers.zvt_payment",
    "appliance.serve",
    "web",
)

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


class Nursery(Child):
    """The process that forks."""

    def __init__(self) -> None:
        super().__init__(__spec__.name)

    def fork(self, config: Path, log: Path) -> Program:
        return Program(int(self.tell(config, log).readline()))


class Program:
    """A forked program, as far as `Kiosk` has to do with it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """None while it runs; the nursery takes its exit status."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self, timeout: float) -> int:
        end = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < end, f"process {self.pid} does not end"
            time.sleep(POLL_S)
        return 0


class ForkedKiosk(Kiosk):
    """`kassa run` from the nursery."""

    def __init__(self, rig: Rig, nursery: Nursery) -> None:
        super().__init__(rig)
        self._nursery = nursery

    def launch(self) -> None:
        program = self._nursery.fork(self._rig.config_file, self._rig.folder / "kiosk.log")
        self.process = cast("subprocess.Popen[bytes]", program)


def _main() -> None:
    from appliance.serve import NEEDLESS

    # As the program itself does before its worker imports these.
    modules: dict[str, Any] = sys.modules
    for name in NEEDLESS:
        modules.setdefault(name, None)
    for name in MODULES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a killed program ended
    for line in sys.stdin:
        config, log = line.rstrip("\n").split("\t")
        if (child := os.fork()) == 0:
            _run(config, log)
        while os.getpgid(child) != child:  # it could not be killed as a group before
            time.sleep(0.0001)
        print(child, flush=True)


def _run(config: str, log: str) -> None:
    """Be the program."""
    from appliance.cli import main

    status = 1
    try:
        os.setsid()
        # As with `children.TIED`: it ends with the nursery, which ends with the tests.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for mine, theirs in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(mine, theirs)
        sys.argv = ["kassa", "run", "--config", config]
        status = main(sys.argv[1:])
    finally:
        os._exit(status)


if __name__ == "__main__":
    _main()
