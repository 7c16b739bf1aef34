"""A counter that takes links, with an order that waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.counter.harness import Bench, bench, order
from tests.counter.links.kit import SETTINGS


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, SETTINGS) as found:
        found.orders(order())
        yield found
