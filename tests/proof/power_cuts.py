"""Power cuts below the journal, far more of them than `make test` makes."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.proof.kills import warnings_only
from tests.proof.result import Result
from tests.recovery import kills, power_cuts
from tests.recovery.weak_mount import missing

NAME: Final = "power cuts"
CUTS_PER_ROUND: Final = 50
"""Of the journal alone, for one round with the whole program."""


def search(*, cuts: int, seed: int) -> Result:
    """Half of the cuts on a disk as ext4 makes it, half on the weakest that there may be; and some
    of the whole program, which takes much longer."""
    if reason := missing():
        return Result(NAME, missing=reason)
    begun = time.monotonic()
    figures, stories = Counter[str](), list[str]()
    for is_strict in (False, True):
        with tempfile.TemporaryDirectory() as name:
            found = power_cuts.search(
                Path(name), cuts=max(cuts // 2, 1), seed=seed, is_strict=is_strict
            )
        figures.update(found.figures)
        stories += found.stories
    warnings_only()
    with tempfile.TemporaryDirectory() as name:
        rounds = max(cuts // CUTS_PER_ROUND, 1)
        program = kills.search(Path(name), rounds=rounds, seed=seed, is_disk_weak=True)
    figures["lost or damaged"] += program.figures["violations"]
    figures["cuts of the program"] = program.figures["kills"]
    stories += program.stories
    return Result(NAME, dict(figures), tuple(stories), seconds=time.monotonic() - begun)
