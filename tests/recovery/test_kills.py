"""SIGKILL at any moment of a handover, and of the recovery from it; the short form of the search
that tests/proof makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.simulators.bank import Bank, Booking
from tests.recovery.kills import search

pytestmark = pytest.mark.recovery
ROUNDS = 8


def test_all_books_agree_whenever_it_was_killed(tmp_path: Path) -> None:
    found = search(tmp_path, rounds=ROUNDS, seed=2026)
    assert found.stories == []
    assert found.figures["kills"] >= ROUNDS


def test_a_second_charge_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: the bank takes all money twice."""
    book = Bank.book

    def twice(self: Bank, *args: Any) -> Booking:
        book(self, *args)
        return book(self, *args)

    monkeypatch.setattr(Bank, "book", twice)
    found = search(tmp_path, rounds=1, seed=1)
    assert "charged more than once" in "".join(found.stories)
