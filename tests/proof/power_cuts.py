"""Power cuts below the journal, far more of them than `make test` makes."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.proof.result import Result
from tests.recovery import power_cuts
from tests.recovery.weak_mount import missing

NAME = "power cuts"


def search(*, cuts: int, seed: int) -> Result:
    """Half of the cuts on a disk as ext4 makes it, half on the weakest that there may be."""
    if reason := missing():
        return Result(NAME, missing=reason)
    begun = time.monotonic()
    figures, stories = Counter[str](), list[str]()
    for is_strict in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            found = power_cuts.search(Path(folder), cuts=cuts // 2, seed=seed, is_strict=is_strict)
        figures.update(found.figures)
        stories += found.stories
    return Result(NAME, dict(figures), tuple(stories), seconds=time.monotonic() - begun)
