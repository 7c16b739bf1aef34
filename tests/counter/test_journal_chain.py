"""The chain shows what was changed behind the journal's back, and a start does not read it all."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.counter import chain, journal, journal_file
from appliance.counter.chain import TAIL_CHECKED_AT_START, Flaw
from appliance.counter.journal import Journal, Reader
from appliance.counter.journal_file import JournalDamaged
from appliance.domain.facts import Draft, Kind
from tests.counter.journals import LATER, at_now, fill, handover, raw, scratch, verified

# --- the chain ---------------------------------------------------------------------------------

TAMPERED: Final = {
    "kind": ("UPDATE fact SET kind = 'payment.declined' WHERE seq = 5", [5]),
    "subject": ("UPDATE fact SET subject = 'H-9' WHERE seq = 5", [5]),
    "at": ("UPDATE fact SET at = '2026-03-01T10:00:00.001Z' WHERE seq = 5", [5]),
    "seller": ("UPDATE fact SET seller = 'bert' WHERE seq = 5", [5]),
    "body": ("UPDATE fact SET body = replace(body, 'o-1', 'o-2') WHERE seq = 5", [5]),
    "spelling of the body": ("UPDATE fact SET body = body || ' ' WHERE seq = 5", [5]),
    "hash": ("UPDATE fact SET hash = zeroblob(32) WHERE seq = 5", [5, 6]),
    "one deleted": ("DELETE FROM fact WHERE seq = 5", [6]),
    "the first deleted": ("DELETE FROM fact WHERE seq = 1", [2]),
    "many deleted": ("DELETE FROM fact WHERE seq BETWEEN 4 AND 8", [9]),
    "the end deleted": ("DELETE FROM fact WHERE seq > 6", [0]),
    "all deleted": ("DELETE FROM fact", [0]),
    "a place changed": ("UPDATE fact SET seq = 20 WHERE seq = 12", [20]),
    "pruned mark's hash": ("UPDATE mark SET hash = zeroblob(32) WHERE name = 'pruned'", [1]),
    "pruned mark's place": ("UPDATE mark SET seq = 3 WHERE name = 'pruned'", [4]),
    "an open subject forgotten": ("DELETE FROM open_subject", [0]),
    "an open subject made up": ("INSERT INTO open_subject VALUES ('H-1', 4)", [0]),
}


@pytest.mark.parametrize(("statement", "places"), TAMPERED.values(), ids=TAMPERED.keys())
def test_verify_finds_where_the_file_was_changed(
    path: Path, statement: str, places: list[int]
) -> None:
    book = Journal(path, at_now)
    fill(book, 3)
    book.append([handover(7), handover(7, Kind.SLIP), handover(7, Kind.SLIP)])
    book.delivered(9)
    book.settle()
    assert book.verify() == []
    book.close()
    raw(path, statement, without_triggers=True)
    assert [flaw.seq for flaw in verified(path)] == places
    with pytest.raises(JournalDamaged):
        Journal(path, at_now)


def test_verify_finds_two_facts_that_changed_places(path: Path) -> None:
    book = Journal(path, at_now)
    fill(book, 3)
    book.close()
    raw(
        path,
        "UPDATE fact SET seq = -1 WHERE seq = 4",
        "UPDATE fact SET seq = 4 WHERE seq = 5",
        "UPDATE fact SET seq = 5 WHERE seq = -1",
        without_triggers=True,
    )
    assert [flaw.seq for flaw in verified(path)] == [4, 5, 6]


@given(st.integers(1, 12), st.sampled_from(["kind", "subject", "at", "seller", "body"]), st.data())
@settings(max_examples=30)
def test_verify_finds_any_one_character(place: int, column: str, data: st.DataObject) -> None:
    with scratch() as path:
        book = Journal(path, at_now)
        fill(book, 4)
        book.close()
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("DROP TRIGGER fact_is_never_changed")
        query = f"SELECT {column} FROM fact WHERE seq = ?"
        (text,) = db.execute(query, (place,)).fetchone()
        at = data.draw(st.integers(0, len(text)))
        # No quote or backslash: SQLite's index over the body would refuse JSON that is none.
        changed = text[:at] + data.draw(st.sampled_from("abz09é ")) + text[at:]
        if column == "body":
            changed = json.dumps({"order": changed})
        db.execute(f"UPDATE fact SET {column} = ? WHERE seq = ?", (changed, place))
        db.close()
        assert [flaw.seq for flaw in verified(path)] == [place]


def test_verify_tells_no_more_flaws_than_asked_for_and_from_where_asked(path: Path) -> None:
    book = Journal(path, at_now)
    fill(book, 4)
    book.close()
    raw(path, "UPDATE fact SET seller = 'x' WHERE seq IN (2, 4, 8)", without_triggers=True)
    assert [flaw.seq for flaw in verified(path)] == [2, 4, 8]
    assert [flaw.seq for flaw in verified(path, most=2)] == [2, 4]
    assert [flaw.seq for flaw in verified(path, after=4)] == [8]
    assert verified(path, after=8) == []
    assert verified(path, after=99) == [Flaw(99, "missing")]


def test_a_start_trusts_the_old_but_not_the_newest_nor_what_it_will_replay(path: Path) -> None:
    book = Journal(path, at_now)
    book.append([handover(1_000), handover(1_000, Kind.SLIP)])  # stays open
    fill(book, TAIL_CHECKED_AT_START // 3 + 1)
    last = book.last
    book.close()
    copy = path.with_name("copy.sqlite3")
    for place, is_found in [
        (1, True),
        (2, True),
        (3, False),
        (last - TAIL_CHECKED_AT_START + 1, True),
    ]:
        shutil.copy(path, copy)
        change = f"UPDATE fact SET seller = 'x' WHERE seq = {place}"
        raw(copy, change, without_triggers=True)
        if is_found:
            with pytest.raises(JournalDamaged, match=f"fact {place}: changed"):
                Journal(copy, at_now)
        else:
            Journal(copy, at_now).close()
        assert [flaw.seq for flaw in verified(copy)] == [place]
    raw(path, "UPDATE fact SET subject = 'H-1' WHERE seq = 1", without_triggers=True)
    with pytest.raises(JournalDamaged, match="first fact of 'H-1000'"):
        Journal(path, at_now)


# --- what a start costs ------------------------------------------------------------------------


def cost_of_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Steps of SQLite's virtual machine for opening the journal and reading what is replayed."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def counting(target: Path, *, read_only: bool) -> sqlite3.Connection:
        db = journal_file.connect(target, read_only=read_only)
        db.set_progress_handler(count, 1)
        return db

    with monkeypatch.context() as patch:
        patch.setattr(journal, "connect", counting)
        patch.setattr(chain, "connect", counting)
        book = Journal(path, at_now)
        for subject in book.open_subjects():
            book.of_subject(subject)
        book.handed_over_since(LATER, 1)
        book.settled("o-1")
        book.count_undelivered()
        book.close()
    return steps


def test_a_start_reads_no_more_with_a_longer_history(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Journal(path, at_now)
    book.append([handover(1_000_000)])
    costs = []
    for count in (TAIL_CHECKED_AT_START, 10 * TAIL_CHECKED_AT_START):
        for _ in range(count // TAIL_CHECKED_AT_START):
            book.append([handover(2, Kind.SLIP)] * TAIL_CHECKED_AT_START)
        book.delivered(book.last)
        book.settle()
        costs.append(cost_of_start(path, monkeypatch))
    book.close()
    assert costs[0] > TAIL_CHECKED_AT_START  # it does look at the newest
    assert costs[0] == costs[1]


def test_a_journal_that_is_written_meanwhile_is_not_taken_for_damaged(
    path: Path, book: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(book, 3)

    def slow_mark(db: sqlite3.Connection, name: str) -> tuple[int, bytes]:
        if name == "outbox":  # asked for after the facts, before what is open
            book.append([Draft(Kind.OPENED, f"H-{book.new_name()}", {"order": "o-9"})])
        return chain_mark(db, name)

    chain_mark = chain.mark
    reader = Reader(path)
    monkeypatch.setattr(chain, "mark", slow_mark)
    assert reader.verify() == []
    reader.close()
