"""The image under test: the folder that KASSA_IMAGE names (`make image-test` does)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.booted.kiosk import Kiosk, Outside, Parts

ROOT = Path(__file__).parents[3]

if "KASSA_IMAGE" not in os.environ:
    # An image takes minutes to build and root to do it: `make test` does without.
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def parts() -> Parts:
    found = Parts(ROOT / os.environ["KASSA_IMAGE"])
    assert found.disk.exists(), f"{found.disk} is not there: make image ARCH={found.folder.name}"
    return found


@pytest.fixture(scope="module")
def outside(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with Outside(tmp_path_factory.mktemp("outside"), parts) as found:
        yield found


@pytest.fixture(scope="session")
def kiosk(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    """One power-on for all tests that leave it as they found it, started as a PC starts. It takes a
    minute or two to come up: the first tests are about that."""
    folder = tmp_path_factory.mktemp("shared")
    with Outside(folder, parts) as outside, Kiosk(outside, by_firmware=True) as found:
        yield found
