"""Processes that tests start beside the counter."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO, Final, Self

TIED: Final = ("setpriv", "--pdeathsig", "TERM")
"""Before a command: it ends with the thread that started it, also where a test run is killed. A
counter that outlives its test would talk to whatever gets the number of its pseudo-terminal."""


def unmeasured() -> dict[str, str]:
    """The environment of a child that is not measured for coverage: measuring greenlets goes wrong,
    and measuring each write or each execution takes longer than the test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}


class Child:
    """A module of ours as a process that is told things by lines, and answers in lines."""

    def __init__(self, module: str, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=unmeasured(),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def tell(self, *words: object) -> IO[str]:
        """One line of words, with tabs between them; what the child then says can be read here."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*words, sep="\t", file=self._process.stdin, flush=True)
        return self._process.stdout
