"""Fuzzes one target in a process of its own, led by coverage: atheris, which is libFuzzer for
Python. By hand: `python -m tests.fuzz.run NAME [seconds]`, or `… NAME --input HEX` for one input.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.children import unmeasured
from tests.fuzz.target import attempt, by_name, kept

SLOWEST_S: Final = 20
"""A parser that is at one short input for so long hangs, on a slow machine as well."""
LARGEST_MB: Final = 700
_ROOT: Final = Path(__file__).parents[2]
_EXECUTIONS: Final = re.compile(r"stat::number_of_executed_units: +(\d+)")
_COVERAGE: Final = re.compile(r"\bcov: (\d+)")
_UNCAUGHT: Final = "=== Uncaught Python exception: ==="
_TAIL: Final = 4000


@dataclass(frozen=True, slots=True)
class Run:
    """coverage: libFuzzer's count of branches. failed: the inputs that are violations; story:
    what they did."""

    target: str
    executions: int
    coverage: int
    seconds: float
    failed: tuple[bytes, ...] = ()
    story: str = ""


def missing() -> str:
    """Why there is no fuzzing here, or ""."""
    return "" if find_spec("atheris") else "atheris has no package for this kind of machine"


def fuzz(name: str, *, runs: int | None = None, seconds: float | None = None, seed: int = 1) -> Run:
    """At most so many executions, and so many seconds; it ends at the first violation."""
    assert runs or seconds, "an end is needed"
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kassa-fuzz-") as folder:
        seeds, found = Path(folder, "seeds"), Path(folder, "found")
        seeds.mkdir()
        found.mkdir()
        for number, data in enumerate(kept(name).values()):
            seeds.joinpath(str(number)).write_bytes(data)
        options = [
            f"-seed={seed}",
            f"-runs={runs or -1}",
            f"-max_total_time={max(1, round(seconds)) if seconds else 0}",
            f"-timeout={SLOWEST_S}",
            f"-rss_limit_mb={LARGEST_MB}",
            "-print_final_stats=1",
            f"-artifact_prefix={found}/",
        ]
        child = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.child", name, *options, str(seeds)],
            cwd=_ROOT, env=unmeasured(), capture_output=True, check=False, text=True,
            errors="replace",
        )  # fmt: skip
        failed = tuple(file.read_bytes() for file in sorted(found.iterdir()))
    executions = _EXECUTIONS.findall(child.stderr)
    coverage = _COVERAGE.findall(child.stderr)
    # Our traceback is on the one stream, what libFuzzer says (slow, too large) on the other.
    told = child.stdout.partition(_UNCAUGHT)[2] or child.stderr
    story = "" if child.returncode == 0 and not failed else _story(name, failed, told)
    return Run(
        name,
        int(executions[-1]) if executions else 0,
        int(coverage[-1]) if coverage else 0,
        time.monotonic() - started,
        failed,
        story,
    )


def _story(name: str, failed: tuple[bytes, ...], told: str) -> str:
    again = [f"python -m tests.fuzz.run {name} --input {data.hex()}" for data in failed]
    return "\n".join([f"{name}: {told.strip()[-_TAIL:]}", *again])


def main() -> int:
    from tests.fuzz.targets import TARGETS

    match sys.argv[1:]:
        case [name, "--input", digits]:
            attempt(by_name(name), bytes.fromhex(digits))
            print("no violation")
            return 0
        case [name] | [name, _] if name in TARGETS:
            result = fuzz(name, seconds=float((sys.argv[2:] or ["60"])[0]))
            print(f"{result.executions} executions, coverage {result.coverage}")
            print(result.story)
            return 1 if result.story else 0
    print(__doc__, "Targets:", *TARGETS, sep="\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
