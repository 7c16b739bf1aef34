"""The searchers searched: each mutant of the table must be found, or the searchers have a hole.

A mutant is applied in a copy of the tree. The exhaustive checks come first, where it is one of the
domain's, which is all that they see; then simulated days, until one breaks a promise.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.proof.mutants import MUTANTS, Mutant
from tests.proof.result import Result

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("appliance", "web", "tests", "pyproject.toml")
DOMAIN: Final = "appliance/domain/"
EXHAUSTIVE: Final = tuple(
    f"tests/domain/{name}.py" for name in ("test_payment", "test_handover", "test_world")
)
EXHAUSTIVE_S: Final = 600.0
DAY_S: Final = 180.0  # of real time, on a slow and busy machine; a day takes some seconds
DAYS: Final = 20
SOUND_DAYS: Final = 4  # of the program as it is; the other searches play it for much longer


@dataclass(frozen=True, slots=True)
class Found:
    """by: "" where nobody noticed. promise: which was broken, in the searcher's own words. days:
    how many were simulated until then."""

    by: str
    promise: str
    days: int
    seconds: float


def search(
    *, days: int, names: Sequence[str] | None = None, seed: int = 1, processes: int = 1
) -> Result:
    """Every mutant, or those of these names; at most so many days for each, from this seed on."""
    started = time.monotonic()
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    violations: list[str] = []
    found = 0
    with ExitStack() as stack:
        trees = [stack.enter_context(_copy()) for _ in range(processes)]
        sound = _hunt(trees[0], min(days, SOUND_DAYS), seed, exhaustive=True)
        _tell("(none)", sound)
        if sound.by:
            violations.append(f"the program as it is: {sound.by}: {sound.promise}")
            chosen = []

        def hunt(mutant: Mutant) -> Found:
            is_domains = any(edit.file.startswith(DOMAIN) for edit in mutant.edits)
            tree = trees.pop()  # as many as there are hands
            try:
                with _applied(tree, mutant):
                    outcome = _hunt(tree, days, seed, exhaustive=is_domains)
            finally:
                trees.append(tree)
            _tell(mutant.name, outcome)
            return outcome

        pool = stack.enter_context(ThreadPoolExecutor(processes))
        for mutant, outcome in zip(chosen, pool.map(hunt, chosen), strict=True):
            found += bool(outcome.by)
            if not outcome.by:
                violations.append(f"nobody notices that {mutant.wrong} ({mutant.name})")
    figures = {"mutants": len(chosen), "found": found}
    return Result("mutants", figures, tuple(violations), "", time.monotonic() - started)


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kassa-mutants-") as folder:
        for name in COPIED:
            source, target = ROOT / name, Path(folder, name)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
        yield Path(folder)


@contextmanager
def _applied(tree: Path, mutant: Mutant) -> Iterator[None]:
    before = {edit.file: (tree / edit.file).read_text("utf-8") for edit in mutant.edits}
    # With its times, by which Python knows its compiled files: a mutant and its original may have
    # the same size.
    times = {file: (tree / file).stat().st_mtime_ns for file in before}
    try:
        for file, text in mutated(mutant, before).items():
            (tree / file).write_text(text, "utf-8")
        yield
    finally:
        for file, text in before.items():
            (tree / file).write_text(text, "utf-8")
            os.utime(tree / file, ns=(times[file], times[file]))


def mutated(mutant: Mutant, texts: dict[str, str]) -> dict[str, str]:
    """The files with the mutant in them. Raises ValueError where an old text is not there once."""
    texts = dict(texts)
    for edit in mutant.edits:
        if (count := texts[edit.file].count(edit.old)) != 1:
            raise ValueError(f"{mutant.name}: {edit.old!r} stands {count} times in {edit.file}")
        texts[edit.file] = texts[edit.file].replace(edit.old, edit.new)
    return texts


def _hunt(tree: Path, days: int, seed: int, *, exhaustive: bool) -> Found:
    started = time.monotonic()
    if exhaustive and (promise := _exhaustive(tree)):
        return Found("exhaustive checks", promise, 0, time.monotonic() - started)
    by, promise, played = _simulated(tree, days, seed)
    return Found(by, promise, played, time.monotonic() - started)


def _exhaustive(tree: Path) -> str:
    files = [name for name in EXHAUSTIVE if (tree / name).exists()]
    try:
        done = _run(tree, EXHAUSTIVE_S, "pytest", "-q", "-x", "-p", "no:cacheprovider", *files)
    except subprocess.TimeoutExpired:
        return "it hangs"
    if done.returncode == 0:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].partition("::")[2] if failed else _last_line(done)


def _simulated(tree: Path, days: int, seed: int) -> tuple[str, str, int]:
    """What found it, the broken promise, and after how many days."""
    try:
        done = _run(
            tree, DAY_S * days, "tests.proof.days", "--seed", str(seed), "--days", str(days)
        )
    except subprocess.TimeoutExpired as hang:
        lines = hang.stdout.decode().splitlines() if isinstance(hang.stdout, bytes) else []
        return "a hang", "it hangs", len(lines) + 1
    lines = done.stdout.splitlines()
    broken = json.loads(lines[-1])["broken"] if lines else ""
    if broken:
        return "simulated days", broken, len(lines)
    if done.returncode != 0:
        return "a crash", _last_line(done), len(lines) + 1
    return "", "", len(lines)


def _run(tree: Path, limit_s: float, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-P", "-m", *command],
        cwd=tree, env=environment, capture_output=True, text=True, timeout=limit_s, check=False,
    )  # fmt: skip


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    return next((line for line in reversed(lines) if line.strip()), "no word")[:200]


def _tell(name: str, found: Found) -> None:
    days = f"day {found.days}" if found.days else "-"
    by = found.by or "NOBODY"
    print(f"{name:26} {by:18} {days:>7} {found.seconds:6.0f} s  {found.promise}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.mutation", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[[], *(m.name for m in MUTANTS)], metavar="name"
    )
    parser.add_argument("--days", type=int, default=DAYS, help="at most, for each mutant")
    parser.add_argument("--seed", type=int, default=1, help="of the first day")
    asked = parser.parse_args()
    result = search(days=asked.days, names=asked.names, seed=asked.seed)
    print(f"{result.figures['found']} of {result.figures['mutants']} mutants found")
    print(*result.violations, sep="\n")
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
