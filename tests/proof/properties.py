"""The properties of domain and protocols, with many times the examples that `make test` tries."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.proof.result import Result

NAME: Final = "properties"
ROOT: Final = Path(__file__).parents[2]
_PASSED: Final = re.compile(r"\b(\d+) passed")


def search(*, processes: int) -> Result:
    """With fresh dice each time: a failure prints how to repeat it."""
    started = time.monotonic()
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-n", str(processes), "-m", "not slow",
            "--hypothesis-profile=proof", "--timeout=0", "tests/domain", "tests/protocols",
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    passed = _PASSED.search(done.stdout)
    return Result(
        NAME,
        {"properties and tests": int(passed[1]) if passed else 0},
        () if done.returncode == 0 else (done.stdout[-20_000:] + done.stderr[-2_000:],),
        seconds=time.monotonic() - started,
    )
