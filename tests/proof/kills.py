"""Kills of the running program, far more of them than `make test` makes."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import structlog

from tests.proof.result import Result
from tests.recovery import kills


def search(*, rounds: int, seed: int) -> Result:
    """So many orders, each served by a program that is killed now and then."""
    warnings_only()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = kills.search(Path(folder), rounds=rounds, seed=seed)
    return Result(
        "kills", dict(found.figures), tuple(found.stories), seconds=time.monotonic() - begun
    )


def warnings_only() -> None:
    """The simulators tell of each request otherwise."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
