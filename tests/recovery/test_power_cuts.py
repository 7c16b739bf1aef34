"""The power goes at any moment, on a disk that keeps no more than it must; the short form of the
search that tests/proof makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.recovery import kills, power_cuts
from tests.recovery.journal_writer import Weakened
from tests.recovery.power_cuts import search
from tests.recovery.weak_mount import DEVICE, missing

pytestmark = pytest.mark.recovery
CUTS = 90
CUTS_UNTIL_FOUND = 600


@pytest.fixture(autouse=True)
def can_mount() -> None:
    if reason := missing():
        # Where tests count and could run, they are not left out in silence.
        assert not (os.environ.get("CI") == "true" and DEVICE.exists()), reason
        pytest.skip(reason)


@pytest.mark.parametrize("is_strict", [False, True], ids=["ext4", "strict"])
def test_what_was_promised_survives(tmp_path: Path, is_strict: bool) -> None:
    found = search(tmp_path, cuts=CUTS, seed=2026, is_strict=is_strict)
    assert found.stories == []
    assert found.figures["commits acknowledged"] > 100


def test_the_whole_program_goes_on_after_a_power_cut(tmp_path: Path) -> None:
    found = kills.search(tmp_path, rounds=3, seed=2026, is_disk_weak=True)
    assert found.stories == []
    assert found.figures["kills"] >= 3


@pytest.mark.parametrize("weakened", [Weakened.NO_SYNC, Weakened.NO_FOLDER_SYNC])
def test_a_journal_that_syncs_too_little_is_found_out(
    tmp_path: Path, weakened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test of the test."""
    monkeypatch.setattr(power_cuts, "KEPT", tmp_path / "kept")
    found = search(tmp_path, cuts=CUTS_UNTIL_FOUND, seed=1, weakened=weakened, until_found=True)
    assert found.stories != []
