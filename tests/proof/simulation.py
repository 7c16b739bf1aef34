"""Simulated days of many towns, with the stories of those that broke a promise."""

from __future__ import annotations

import logging
import time
from collections import Counter
from multiprocessing import get_context
from typing import Final

from tests.proof.result import Result
from tests.simulation.story import Run, gist, play_seed, shorten

NAME: Final = "simulated days"
DAYS_A_TOWN: Final = 3
TOWNS_A_PROCESS: Final = 10
TOLD: Final = 3  # stories that are shortened; of the rest the seed must do
FIGURES: Final = ("steps", "days", "handovers", "charges", "faults")


def search(*, days: int, seed: int, processes: int = 1) -> Result:
    """So many days, in towns of their own, each with a seed that follows from this one."""
    started = time.monotonic()
    figures = Counter[str](dict.fromkeys(FIGURES, 0))
    violations: list[str] = []
    towns = [f"{seed}-{number}" for number in range(-(-days // DAYS_A_TOWN))]
    # Fresh processes now and then: a town leaves connections of SQLite's behind. Not a
    # ProcessPoolExecutor: with max_tasks_per_child it can wait for ever (CPython gh-115634).
    with get_context("spawn").Pool(processes, maxtasksperchild=TOWNS_A_PROCESS) as pool:
        for run in pool.imap(_play, towns):
            figures.update({name: getattr(run.figures, name) for name in FIGURES})
            if run.broken:
                violations.append(_told(run, is_short=len(violations) < TOLD))
    figures["violations"] = len(violations)
    seconds = time.monotonic() - started
    figures["steps a second"] = round(figures["steps"] / seconds)
    return Result(NAME, dict(figures), tuple(violations), seconds=seconds)


def _play(seed: str) -> Run:
    logging.disable(logging.CRITICAL)
    return play_seed(seed, DAYS_A_TOWN)


def _told(run: Run, *, is_short: bool) -> str:
    head = f"make sim SEED={run.plan.seed} DAYS={DAYS_A_TOWN}: {run.broken}"
    return "\n".join((head, *gist(shorten(run)))) if is_short else head
