"""The journal on real files: what is acknowledged is there, and nobody can take it back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.counter.journal import BODY_LIMIT_BYTES, Journal, Reader
from appliance.counter.migrations import PAGE_SIZE_BYTES
from appliance.domain.errors import Bug, JournalTrouble
from appliance.domain.facts import CLOSES, OPENS, REPORTED, Draft, Kind
from tests.counter.journals import NOW, at_now, fill, handover, parts, raw, read, scratch
from tests.domain.strategies import drafts

# --- appending ---------------------------------------------------------------------------------


@given(st.lists(st.lists(drafts, max_size=4), max_size=5), st.text("abc", max_size=3))
@settings(max_examples=25)
def test_what_is_appended_is_read_back_also_after_a_restart(
    batches: list[list[Draft]], seller: str
) -> None:
    with scratch() as path:
        book, written = Journal(path, at_now), []
        for batch in batches:
            written += book.append(batch, seller)
        book.close()
        assert [(f.kind, f.subject, dict(f.body)) for f in written] == [
            (d.kind, d.subject, dict(d.body)) for batch in batches for d in batch
        ]
        assert all((fact.at, fact.seller) == (NOW, seller) for fact in written)
        assert len({fact.id for fact in written}) == len(written)
        again = Journal(path, at_now)
        assert [fact for _, fact in again.facts()] == written
        assert again.last == len(written)
        assert again.verify() == []
        again.close()


def test_ids_never_meet_in_two_journals(tmp_path: Path) -> None:
    ids = set()
    for number in range(5):
        book = Journal(tmp_path / f"{number}.sqlite3", at_now)
        ids |= {fact.id for fact in book.append([handover(1), handover(2)])}
        book.close()
    assert len(ids) == 10


def test_a_place_that_is_given_out_twice_has_two_ids(tmp_path: Path) -> None:
    """The log was lost with the newest facts: what comes in their place is not what they were."""
    path = tmp_path / "journal.sqlite3"
    book = Journal(path, at_now)
    book.append([handover(1)])
    book.close()
    kept = path.read_bytes()
    ids, names = set(), set()
    for number in range(2, 5):
        path.write_bytes(kept)
        book = Journal(path, at_now)
        names.add(book.new_name())
        (fact,) = book.append([handover(number)])
        ids.add(fact.id)
        assert fact.id.startswith(f"{book.name}-00000002-")
        book.close()
    assert (len(ids), len(names)) == (3, 3)


@pytest.mark.parametrize(
    ("spoilt", "error"),
    [
        (Draft(Kind.SLIP, "H-1", {"lines": "x" * BODY_LIMIT_BYTES}), "bytes"),
        (Draft(Kind.SLIP, "H-1", {"lines": "я" * (BODY_LIMIT_BYTES // 2)}), "bytes"),
        (Draft(Kind.SLIP, "H-1", {"lines": "\ud800"}), "half a character"),
        (Draft(Kind.SLIP, "\udfff", {}), "half a character"),
    ],
)
def test_a_batch_is_written_whole_or_not_at_all(book: Journal, spoilt: Draft, error: str) -> None:
    book.append([handover(1)])
    with pytest.raises(Bug, match=error):
        book.append([handover(2), spoilt])
    assert (book.last, len(book.facts())) == (1, 1)
    assert [fact.subject for fact in book.append([handover(3)])] == ["H-3"]
    assert book.verify() == []


def test_a_failure_within_the_batch_leaves_nothing_of_it(
    book: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_row: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(book, "_follow", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        book.append([handover(1), handover(2)])
    monkeypatch.undo()
    assert (book.last, read(path), book.open_subjects()) == (0, [], [])
    book.append([handover(3)])
    assert book.verify() == []


def test_the_largest_body_fits(book: Journal) -> None:
    text = "x" * (BODY_LIMIT_BYTES - len('{"a":""}'))
    (fact,) = book.append([Draft(Kind.SLIP, "H-1", {"a": text})])
    assert fact.body["a"] == text


def test_nothing_appended_is_nothing_written(book: Journal, path: Path) -> None:
    before = parts(path)
    assert book.append([]) == []
    assert parts(path) == before


def test_it_syncs_every_commit(book: Journal) -> None:
    db = book._db
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db.execute("PRAGMA page_size").fetchone()[0] == PAGE_SIZE_BYTES


def test_readers_see_what_is_committed_and_nothing_else(book: Journal, path: Path) -> None:
    reader = Reader(path)
    seen: list[int] = []
    follow = book._follow

    def look(row: Any) -> None:
        follow(row)
        seen.append(len(reader.facts()))  # in the middle of the transaction

    book._follow = look  # type: ignore[method-assign]
    book.append([handover(1), handover(2)])
    assert seen == [0, 0]
    assert len(reader.facts()) == 2
    reader.close()


def test_a_reader_cannot_write(book: Journal, path: Path) -> None:
    reader = Reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM mark")
    reader.close()


# --- what readers ask --------------------------------------------------------------------------


def test_reading_by_place_subject_and_age(book: Journal) -> None:
    fill(book, 4)
    assert [place for place, _ in book.facts(after=3, limit=2)] == [4, 5]
    assert [fact.id.split("-")[1][-2:] for fact in book.newest(2)] == ["11", "12"]
    assert [fact.kind for fact in book.of_subject("H-2")] == [
        Kind.OPENED, Kind.APPROVED, Kind.HANDED_OVER,
    ]  # fmt: skip
    assert book.of_subject("H-9") == []


def test_handed_over_is_counted_and_listed_newest_first(path: Path) -> None:
    times = iter(f"2026-03-01T{hour:02d}:00:00.000Z" for hour in range(10, 20))
    book = Journal(path, lambda: next(times))
    for number in range(5):
        book.append([handover(number, Kind.HANDED_OVER)])
    found, count = book.handed_over_since("2026-03-01T12:00:00.000Z", 2)
    assert ([fact.subject for fact in found], count) == (["H-4", "H-3"], 3)
    book.close()


def test_settled_is_what_was_taken_or_given_for_an_order(book: Journal) -> None:
    told = (Kind.APPROVED, Kind.DECIDED_PAID, Kind.HANDED_OVER)
    for number, kind in enumerate(Kind):
        book.append([Draft(kind, f"X-{number}", {"order": "o-1"}), handover(2, kind)])
    book.append([Draft(Kind.APPROVED, "X-1"), Draft(Kind.APPROVED, "X-1", {"order": 1})])
    assert sorted(fact.kind for fact in book.settled("o-1")) == sorted(told)
    assert book.settled("o-3") == book.settled("") == book.settled("1") == []


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda book: book.settled("o-1"), "fact_settled"),
        (lambda book: book.handed_over_since(NOW, 5), "fact_handed_over"),
        (lambda book: book.of_subject("H-1"), "fact_subject"),
    ],
)
def test_questions_asked_at_each_scan_use_their_index(
    book: Journal, ask: Callable[[Journal], object], index: str
) -> None:
    fill(book, 3)
    asked: list[str] = []
    book._db.set_trace_callback(asked.append)
    ask(book)
    book._db.set_trace_callback(None)
    assert asked
    for statement in asked:
        plan = book._db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        assert all(f"USING INDEX {index}" in row[3] or index in row[3] for row in plan), plan


# --- what is open ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_which_kinds_open_and_close_a_subject(book: Journal, kind: Kind) -> None:
    book.append([Draft(kind, "new"), Draft(Kind.OPENED, "open")])
    assert book.open_subjects() == (["new", "open"] if kind in OPENS else ["open"])
    book.append([Draft(kind, "open")])
    assert ("open" in book.open_subjects()) == (kind not in CLOSES)
    assert book.verify() == []


def test_late_money_opens_a_handover_again_from_its_first_fact(book: Journal) -> None:
    book.append([handover(1), handover(2)])
    book.append([handover(1, Kind.PUT_BACK)])
    assert book.open_subjects() == ["H-2"]
    book.append([handover(1, Kind.APPROVED)])
    assert book.open_subjects() == ["H-1", "H-2"]
    assert next(fact.kind for fact in book.of_subject("H-1")) is Kind.OPENED
    assert book.verify() == []


@given(st.lists(st.tuples(st.sampled_from(Kind), st.sampled_from("abc")), max_size=30))
@settings(max_examples=25)
def test_what_is_open_is_what_the_facts_say(steps: list[tuple[Kind, str]]) -> None:
    with scratch() as path:
        book = Journal(path, at_now)
        expected: set[str] = set()
        for kind, subject in steps:
            book.append([Draft(kind, subject)])
            if kind in OPENS:
                expected.add(subject)
            elif kind in CLOSES:
                expected.discard(subject)
            assert set(book.open_subjects()) == expected
        assert book.verify() == []
        book.close()


# --- the outbox --------------------------------------------------------------------------------


def test_undelivered_is_what_is_reported_beyond_the_mark(book: Journal) -> None:
    book.append([Draft(kind, "X-1") for kind in Kind])
    told, place = book.undelivered(0, 1000)
    assert ({fact.kind for fact in told}, place) == (set(REPORTED), len(Kind))
    assert book.count_undelivered() == len(REPORTED)
    assert book.undelivered(place, 10) == ([], place)
    some, place = book.undelivered(0, 2)
    assert (some, place) == ([], 2)
    book.delivered(len(Kind))
    book.settle()
    assert book.count_undelivered() == 0


def test_the_outbox_mark_is_kept_with_the_next_fact_or_by_settle(book: Journal, path: Path) -> None:
    fill(book, 2)
    book.delivered(2)
    book.delivered(1)
    assert book.outbox() == 0
    book.append([handover(9)])
    assert book.outbox() == 2
    book.delivered(4)
    book.settle()
    assert book.outbox() == 4
    book.delivered(3)  # late: the mark stays
    book.settle()
    assert book.outbox() == 4
    before = parts(path)
    book.settle()
    assert parts(path) == before


def test_a_mark_that_could_not_be_written_is_written_next_time(book: Journal) -> None:
    fill(book, 2)
    book.delivered(5)
    book._db.execute("PRAGMA query_only = 1")
    with pytest.raises(JournalTrouble):
        book.settle()
    with pytest.raises(JournalTrouble):
        book.append([handover(9)])
    book._db.execute("PRAGMA query_only = 0")
    book.settle()
    assert book.outbox() == 5


def test_a_place_beyond_the_end_is_a_bug_and_no_mark(book: Journal) -> None:
    fill(book, 1)
    with pytest.raises(Bug, match="cannot have fact 4"):
        book.delivered(4)
    book.settle()
    assert book.outbox() == 0


def test_a_probe_writes_and_says_nothing(book: Journal, path: Path) -> None:
    fill(book, 1)
    before = parts(path)["-wal"]
    book.probe()
    assert parts(path)["-wal"] != before
    assert book.verify() == []
    assert (book.outbox(), book.last) == (0, 3)


# --- triggers: what nobody may do --------------------------------------------------------------

FORBIDDEN: Final = {
    "change a body": "UPDATE fact SET body = '{}' WHERE seq = 2",
    "change anything": "UPDATE fact SET at = at",
    "change a place": "UPDATE fact SET seq = 99 WHERE seq = 6",
    "delete the first": "DELETE FROM fact WHERE seq = 1",
    "delete the last": "DELETE FROM fact WHERE seq = 6",
    "delete all": "DELETE FROM fact",
    "leave a gap": "INSERT INTO fact VALUES (8, 'a', 'b', 'c', 'd', '{}', x'00')",
    "insert before": "INSERT INTO fact VALUES (0, 'a', 'b', 'c', 'd', '{}', x'00')",
    "insert with no place": "INSERT INTO fact VALUES (-1, 'a', 'b', 'c', 'd', '{}', x'00')",
    "overwrite": "INSERT OR REPLACE INTO fact VALUES (2, 'a', 'b', 'c', 'd', '{}', x'00')",
    "move the outbox back": "UPDATE mark SET seq = 2 WHERE name = 'outbox'",
    "move pruned back": "UPDATE mark SET seq = -1 WHERE name = 'pruned'",
    "rename a mark": "UPDATE mark SET name = 'pruned' WHERE name = 'outbox'",
    "delete a mark": "DELETE FROM mark WHERE name = 'outbox'",
    "a mark of another name": "INSERT INTO mark VALUES ('mine', 0, x'')",
    "overwrite a mark": "INSERT INTO mark VALUES ('outbox', 0, x'')",
    "replace a mark": "INSERT OR REPLACE INTO mark VALUES ('outbox', 0, x'')",
}


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_the_file_itself_refuses(book: Journal, path: Path, statement: str) -> None:
    book.append([handover(0, Kind.HANDED_OVER), handover(1), handover(2)])
    book.append([handover(2, kind) for kind in (Kind.APPROVED, Kind.HANDED_OVER, Kind.SLIP)])
    book.delivered(3)
    book.settle()
    before = read(path)
    with pytest.raises(sqlite3.IntegrityError):
        raw(path, statement)
    assert (read(path), book.outbox(), book.verify()) == (before, 3, [])


@pytest.mark.parametrize(
    ("opened", "delivered", "free"),
    [(0, 3, 3), (3, 6, 2), (3, 1, 1), (0, 0, 0), (1, 6, 0), (0, 6, 6)],
)
def test_the_file_itself_refuses_to_prune_what_is_undelivered_or_open(
    book: Journal, path: Path, opened: int, delivered: int, free: int
) -> None:
    for place in range(1, 7):
        book.append([handover(place, Kind.OPENED if place == opened else Kind.SLIP)])
    book.delivered(delivered)
    book.settle()
    with pytest.raises(sqlite3.IntegrityError, match="undelivered or open"):
        raw(path, f"UPDATE mark SET seq = {free + 1} WHERE name = 'pruned'")
    raw(path, f"UPDATE mark SET seq = {free} WHERE name = 'pruned'")
