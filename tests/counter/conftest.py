"""A counter, and a journal on a real file, for the tests that take one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.counter.journal import Journal
from tests.counter.harness import Bench, bench
from tests.counter.journals import at_now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def book(path: Path) -> Iterator[Journal]:
    opened = Journal(path, at_now)
    yield opened
    opened.close()


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made
