"""Hostile bytes, led by coverage, to every parser: tests/fuzz/targets.py."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.fuzz import run
from tests.fuzz.targets import TARGETS
from tests.proof.result import Result

NAME = "hostile bytes"


def search(
    *,
    seconds_each: float | None,
    runs_each: int | None,
    seed: int,
    names: Iterable[str] = tuple(TARGETS),
    processes: int = 1,
) -> Result:
    """So many seconds, or executions, for each parser, so many of them at once. A parser that
    failed is left at its first violation."""
    if reason := run.missing():
        return Result(NAME, missing=reason)
    started = time.monotonic()
    figures: dict[str, int] = {}
    violations: list[str] = []

    def fuzz(name: str) -> run.Run:
        return run.fuzz(name, runs=runs_each, seconds=seconds_each, seed=seed)

    chosen = tuple(names)
    with ThreadPoolExecutor(processes) as pool:  # each of them is a process of its own
        for name, done in zip(chosen, pool.map(fuzz, chosen), strict=True):
            figures[name] = done.executions
            if done.story:
                violations.append(done.story)
    total = {"executions": sum(figures.values())}
    return Result(NAME, total | figures, tuple(violations), seconds=time.monotonic() - started)
