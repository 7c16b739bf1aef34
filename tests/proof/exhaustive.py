"""Every interleaving of the counter and the true world, for `make proof`."""

from __future__ import annotations

import time

from tests.domain import exhaustive
from tests.proof.result import Result


def search(*, deep: bool) -> Result:
    """All of the searches of `make test`, and the deeper ones as well. Their states are counted
    one search after the other: what two of them reach counts twice."""
    began = time.monotonic()
    figures = dict.fromkeys(("searches", "states", "moves", "ends", "runs of the counter"), 0)
    violations: list[str] = []
    for name, bounds in {**exhaustive.QUICK, **(exhaustive.DEEP if deep else {})}.items():
        desk, found = exhaustive.search(bounds)
        figures["searches"] += 1
        figures["states"] += len(found.states)
        figures["moves"] += found.moves
        figures["ends"] += len(found.ends)
        figures["runs of the counter"] += desk.half.runs
        violations += [
            f"{name}: {rule}\n{story}\n{bounds}" for rule, story in found.violations.items()
        ]
    return Result(
        "every interleaving", figures, tuple(violations), seconds=time.monotonic() - began
    )
