"""A journal that cannot be trusted is put away as it was, and never overwritten."""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.counter import chain, journal, journal_file
from appliance.counter.journal import Journal, Reader, open_or_set_aside
from appliance.counter.journal_file import JournalDamaged
from appliance.counter.migrations import MIGRATIONS, PAGE_SIZE_BYTES
from appliance.domain.errors import Bug, Code, JournalTrouble
from appliance.domain.facts import Fact, Kind
from tests.counter.journals import (
    FILLED_AT_ONCE,
    LATER,
    NOW,
    at_now,
    fill,
    handover,
    parts,
    raw,
    read,
    scratch,
    verified,
)

# --- what cannot be opened ---------------------------------------------------------------------


@pytest.fixture
def closed(path: Path) -> Path:
    """A journal as an orderly stop leaves it: one file."""
    book = Journal(path, at_now)
    fill(book, 20)
    book.close()
    assert set(parts(path)) == {""}
    return path


@pytest.fixture
def cut_off(tmp_path: Path) -> Path:
    """A journal as a power cut leaves it: most of it is in the log."""
    book = Journal(tmp_path / "running.sqlite3", at_now)
    fill(book, 20)
    path = tmp_path / "journal.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"running.sqlite3{suffix}", tmp_path / f"{path.name}{suffix}")
    book.close()
    return path


def test_a_power_cut_loses_nothing(cut_off: Path) -> None:
    book, aside = open_or_set_aside(cut_off, at_now)
    assert (aside, book.last, book.verify()) == (None, 60, [])
    book.close()


def test_a_later_release_is_not_touched(closed: Path) -> None:
    raw(closed, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = parts(closed)
    with pytest.raises(JournalTrouble) as caught:
        open_or_set_aside(closed, at_now)
    assert caught.value.code is Code.JOURNAL_NEWER
    assert not isinstance(caught.value, JournalDamaged)
    assert parts(closed)[""] == before[""]
    assert not list(closed.parent.glob("*.damaged-*"))


def test_a_kind_of_a_later_release_is_said_when_it_is_read(closed: Path) -> None:
    book = Journal(closed, at_now)
    row = ("payment.refunded", "H-1", NOW, "", "{}")
    link = chain.link(book._hash, book.last + 1, row)
    book._db.execute("INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?)", (book.last + 1, *row, link))
    book.close()
    again = Journal(closed, at_now)  # the chain holds: it is no damage
    with pytest.raises(JournalTrouble, match="fact 61 is of a kind") as caught:
        again.of_subject("H-1")
    assert caught.value.code is Code.JOURNAL_NEWER
    again.close()


def overwritten(path: Path, at: int, by: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(by)


def another_programs(path: Path, version: int) -> None:
    path.unlink()
    raw(path, "CREATE TABLE mine (a)", f"PRAGMA user_version = {version}")


DAMAGES: Final[dict[str, Callable[[Path], object]]] = {
    "zero length": lambda path: path.write_bytes(b""),
    "one byte": lambda path: path.write_bytes(b"S"),
    "half a header": lambda path: os.truncate(path, 50),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a page short": lambda path: os.truncate(path, path.stat().st_size - PAGE_SIZE_BYTES),
    "garbage": lambda path: path.write_bytes(random.Random(1).randbytes(40_000)),
    "garbage in the header": lambda path: overwritten(path, 0, b"no database at all"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a flipped byte in the newest fact": lambda path: overwritten(
        path, path.read_bytes().rindex(b"o-19"), b"O"
    ),
    "no text": lambda path: overwritten(path, path.read_bytes().rindex(b"o-19"), b"\xff"),
    "no schema": lambda path: overwritten(
        path, path.read_bytes().index(b"CREATE TABLE mark"), b"?"
    ),
    "a file format of the future": lambda path: overwritten(path, 47, b"\x07"),
    "a version without schema": lambda path: overwritten(path, 60, bytes(4)),
    "another program's": lambda path: another_programs(path, 0),
    "another program's of our version": lambda path: another_programs(path, 1),
    "a mark is missing": lambda path: raw(
        path, "DELETE FROM mark WHERE name = 'outbox'", without_triggers=True
    ),
    "a mark is no mark": lambda path: raw(
        path,
        "DROP TABLE mark",
        "CREATE TABLE mark (name, seq, hash)",
        "INSERT INTO mark VALUES ('origin', 0, 'text'), ('pruned', 0, x''), ('outbox', 'x', x'')",
        without_triggers=True,
    ),
    "a hash is no hash": lambda path: raw(
        path,
        "CREATE TABLE other AS SELECT * FROM fact",
        "DROP TABLE fact",
        "ALTER TABLE other RENAME TO fact",
        "UPDATE fact SET hash = 12 WHERE seq = 60",
        without_triggers=True,
    ),
    "a text is no text": lambda path: raw(
        path,
        "CREATE TABLE other AS SELECT * FROM fact",
        "DROP TABLE fact",
        "ALTER TABLE other RENAME TO fact",
        "UPDATE fact SET seller = x'ff' WHERE seq = 60",
        without_triggers=True,
    ),
    "a subject is open without facts": lambda path: raw(
        path, "INSERT INTO open_subject VALUES ('H-99', 61)", without_triggers=True
    ),
    "a column is missing": lambda path: raw(
        path, "ALTER TABLE open_subject RENAME COLUMN first_seq TO first"
    ),
    "the shop has more": lambda path: raw(path, "UPDATE mark SET seq = 61 WHERE name = 'outbox'"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_put_away_as_it_was_and_a_new_journal_begins(
    closed: Path, damage: Callable[[Path], object]
) -> None:
    reader = Reader(closed)
    reader.close()
    damage(closed)
    check_put_away(closed, reader.name)


LOGS: Final[dict[str, Callable[[Path], object]]] = {
    "the file is lost": lambda path: path.unlink(),
    "the file is empty": lambda path: path.write_bytes(b""),
    "the file is cut": lambda path: os.truncate(path, 700),
    "the file is garbage": lambda path: path.write_bytes(random.Random(2).randbytes(5_000)),
}


@pytest.mark.parametrize("damage", LOGS.values(), ids=LOGS.keys())
def test_the_log_goes_with_its_file(cut_off: Path, damage: Callable[[Path], object]) -> None:
    damage(cut_off)
    check_put_away(cut_off, "")


def test_damage_within_the_log_is_put_away_with_it(cut_off: Path) -> None:
    # A change that SQLite cannot see: its own checksums are right.
    raw_into_log(cut_off, "UPDATE fact SET body = '{}' WHERE seq = 60")
    check_put_away(cut_off, "")


def raw_into_log(path: Path, statement: str) -> None:
    keeper = sqlite3.connect(path)
    keeper.execute("SELECT * FROM mark").fetchall()
    raw(path, statement, without_triggers=True)
    kept = parts(path)
    keeper.close()
    for suffix, content in kept.items():
        path.with_name(path.name + suffix).write_bytes(content)


def check_put_away(path: Path, name: str) -> None:
    before = parts(path)
    book, aside = open_or_set_aside(path, at_now)
    try:
        assert aside is not None
        assert parts(aside) == before
        assert book.name != name
        ((place, fact),) = book.facts()
        assert (place, fact.kind, fact.body["file"]) == (1, Kind.JOURNAL_SET_ASIDE, aside.name)
        assert fact.body["reason"]
        assert book.open_subjects() == [fact.subject]
        assert book.verify() == []
    finally:
        book.close()
    again, nothing = open_or_set_aside(path, at_now)
    assert (again.last, nothing, parts(aside)) == (1, None, before)
    again.close()


def test_a_lost_log_is_an_older_journal_and_only_the_shop_can_tell(cut_off: Path) -> None:
    cut_off.with_name(cut_off.name + "-wal").unlink()
    book, aside = open_or_set_aside(cut_off, at_now)
    # Nothing in the file says that there was more. docs/journal.md names this limit.
    assert (book.last, aside, book.verify()) == (0, None, [])
    book.close()


@cache
def sound(*, in_log: bool) -> tuple[dict[str, bytes], list[Fact]]:
    """A journal's bytes as a power cut leaves them, and what it says."""
    with scratch() as path:
        book = Journal(path, at_now)
        fill(book, 6)
        if not in_log:
            book._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kept = {suffix: content for suffix, content in parts(path).items() if content}
        facts = [fact for _, fact in book.facts()]
        book.close()
    return kept, facts


@given(st.booleans(), st.data())
@settings(max_examples=60)
def test_no_flipped_byte_is_taken_for_a_fact(in_log: bool, data: st.DataObject) -> None:
    """Wherever it is: the journal is put away, or it says what it said, or it says that it cannot
    be read, or the whole chain shows the flaw, or the newest are missing that were in the log's
    last two transactions."""
    kept, written = sound(in_log=in_log)
    suffix = data.draw(st.sampled_from(sorted(kept)))
    at = data.draw(st.integers(0, len(kept[suffix]) - 1))
    flipped = bytes([kept[suffix][at] ^ data.draw(st.integers(1, 255))])
    with scratch() as path:
        for name, content in kept.items():
            path.with_name(path.name + name).write_bytes(content)
        overwritten(path.with_name(path.name + suffix), at, flipped)
        before = parts(path)
        try:
            found, aside = open_or_set_aside(path, at_now)
        except JournalTrouble as trouble:
            is_version = trouble.code is Code.JOURNAL_NEWER
            assert is_version
            return
        try:
            if aside is not None:
                assert parts(aside) == before
                return
            try:
                read_back = [fact for _, fact in found.facts()]
                found.append([handover(99)])
            except (JournalTrouble, Bug):
                return
            assert read_back == written[: len(read_back) if in_log else None] or verified(path)
            assert len(written) - len(read_back) <= (2 * FILLED_AT_ONCE if in_log else 0)
        finally:
            found.close()


def test_two_damaged_journals_of_one_second_are_both_kept(closed: Path) -> None:
    contents = []
    for number in range(3):
        closed.write_bytes(b"garbage %d" % number)
        contents.append(closed.read_bytes())
        book, _ = open_or_set_aside(closed, at_now)
        book.close()
    kept = sorted(closed.parent.glob("*.damaged-20260301100000-*"))
    assert [aside.read_bytes() for aside in kept] == contents


def test_a_hundred_in_one_second_are_a_loop(closed: Path) -> None:
    for number in range(100):
        closed.with_name(f"journal.damaged-20260301100000-{number}.sqlite3").write_bytes(b"kept")
    closed.write_bytes(b"garbage")
    with pytest.raises(JournalTrouble, match="hundred"):
        open_or_set_aside(closed, at_now)
    assert closed.read_bytes() == b"garbage"


def test_only_a_log_of_that_name_is_not_overwritten_either(closed: Path) -> None:
    kept = closed.with_name("journal.damaged-20260301100000-0.sqlite3-wal")
    kept.write_bytes(b"kept")
    closed.write_bytes(b"garbage")
    book, aside = open_or_set_aside(closed, at_now)
    assert aside is not None
    assert aside.name.endswith("-1.sqlite3")
    assert kept.read_bytes() == b"kept"
    book.close()


def test_a_stop_between_putting_away_and_saying_so_is_made_good(closed: Path) -> None:
    journal_file.put_aside(closed, LATER)
    aside = journal_file.put_aside(closed_again(closed), NOW)
    newest = closed.with_name("journal.damaged-20260302100000-0.sqlite3")
    book, told = open_or_set_aside(closed, at_now)
    assert aside != newest == told
    assert [fact.body["file"] for _, fact in book.facts()] == [newest.name]
    book.close()


def test_a_stop_between_the_file_and_its_log_makes_no_older_journal(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose log was taken away looks sound, and is yesterday's."""
    raw_into_log(cut_off, "UPDATE fact SET body = '{}' WHERE seq = 60")
    before, replace = parts(cut_off), os.replace
    moved: list[object] = []

    def stop_at_the_second(source: Path, target: Path) -> None:
        if moved:
            raise OSError(errno.EIO, "the power is gone")
        moved.append(source)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop_at_the_second)
        with pytest.raises(JournalTrouble, match="the power is gone"):
            open_or_set_aside(cut_off, at_now)
    book, aside = open_or_set_aside(cut_off, at_now)
    assert aside is not None
    assert book.last == 1
    book.close()
    kept = [part.read_bytes() for part in cut_off.parent.glob("*.damaged-*")]
    assert all(content in kept for content in before.values())


def test_the_log_moves_only_once_the_files_move_is_on_the_disk(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system may keep two moves in another order, and a power cut then leaves one."""
    did: list[str] = []
    replace, sync = os.replace, journal_file._sync_folder

    def moving(source: Path, target: Path) -> None:
        did.append(source.name)
        replace(source, target)

    def syncing(folder: Path) -> None:
        did.append("synced")
        sync(folder)

    monkeypatch.setattr(os, "replace", moving)
    monkeypatch.setattr(journal_file, "_sync_folder", syncing)
    journal_file.put_aside(cut_off, NOW)
    assert did[:4] == [cut_off.name, "synced", f"{cut_off.name}-wal", "synced"]


@pytest.mark.parametrize("part", ["", "-wal"])
def test_a_disk_that_cannot_tell_is_no_empty_one(
    cut_off: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a new journal would take the place of one that is there."""
    if part:
        cut_off.unlink()
    before, stat = parts(cut_off), Path.stat

    def failing(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if self.name == cut_off.name + part:
            raise OSError(errno.EIO, "cannot tell")
        return stat(self, follow_symlinks=follow_symlinks)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", failing)
        with pytest.raises(JournalTrouble, match="cannot tell"):
            open_or_set_aside(cut_off, at_now)
    assert parts(cut_off) == before


def closed_again(path: Path) -> Path:
    Journal(path, at_now).close()
    return path


def test_what_was_begun_and_not_finished_is_begun_again(path: Path) -> None:
    for suffix in ("", "-wal", "-journal"):
        path.with_name(path.name + ".new" + suffix).write_bytes(b"half a journal")
    book, aside = open_or_set_aside(path, at_now)
    assert (aside, book.last, book.verify()) == (None, 0, [])
    book.close()
    assert [part.name for part in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there_is_the_disks_trouble(tmp_path: Path) -> None:
    with pytest.raises(JournalTrouble) as caught:
        open_or_set_aside(tmp_path / "gone" / "journal.sqlite3", at_now)
    assert caught.value.code is Code.DISK_FULL


def test_a_reader_of_no_journal_says_so(path: Path, closed: Path) -> None:
    with pytest.raises(JournalTrouble) as caught:
        Reader(path.with_name("none.sqlite3"))
    assert caught.value.code is Code.DISK_FULL
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(JournalDamaged):
        Reader(path)
    another_programs(path, 1)
    with pytest.raises(JournalDamaged, match="no such table"):
        Reader(path)


@pytest.mark.parametrize("body", ['{"order"', "[1]", "null", "[" * 100_000])
def test_a_body_that_is_no_json_object_is_damage_when_it_is_read(closed: Path, body: str) -> None:
    raw(
        closed,
        "DROP INDEX fact_settled",
        f"UPDATE fact SET body = '{body}' WHERE seq = 2",
        without_triggers=True,
    )
    reader = Reader(closed)
    with pytest.raises(JournalDamaged, match="fact 2"):
        reader.facts()
    reader.close()


def test_a_closed_journal_is_our_mistake_and_no_full_disk(closed: Path) -> None:
    reader = Reader(closed)
    reader.close()
    with pytest.raises(Bug, match="closed"):
        reader.facts()


# --- schema ------------------------------------------------------------------------------------


def test_a_step_that_fails_is_undone_and_the_journal_stays(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own mistake in a release is no reason to put a sound journal away."""
    before = read(closed)
    with monkeypatch.context() as patch:
        for module in (journal, chain):
            wrong = (*MIGRATIONS, "CREATE TABLE extra (a); SELECT wrong")
            patch.setattr(module, "MIGRATIONS", wrong)
        with pytest.raises(Bug, match="no such column"):
            open_or_set_aside(closed, at_now)
    book = Journal(closed, at_now)
    assert [fact for _, fact in book.facts()] == before
    assert not book._db.execute("SELECT * FROM sqlite_schema WHERE name = 'extra'").fetchall()
    book.close()


def test_an_older_journal_is_brought_up_step_by_step(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = "CREATE TABLE extra (a INTEGER) STRICT"
    patched = (*MIGRATIONS, step)
    for module in (journal, chain):
        monkeypatch.setattr(module, "MIGRATIONS", patched)
    for _ in range(2):
        book = Journal(closed, at_now)
        assert book._db.execute("PRAGMA user_version").fetchone()[0] == len(patched)
        assert book._db.execute("SELECT count(*) FROM extra").fetchone()[0] == 0
        assert (book.last, book.verify()) == (60, [])
        book.close()


def test_a_trigger_that_is_no_sql_any_more_is_damage(path: Path) -> None:
    """One bit of it is enough: every fact would be refused, and the kiosk could not say why."""
    book = Journal(path, at_now)
    fill(book, 2)
    book.close()
    sound = path.read_bytes()
    assert sound.count(b"NEW.seq <> 1") == 1
    path.write_bytes(sound.replace(b"NEW.seq <> 1", b"NEW.weq <> 1"))
    with pytest.raises(JournalDamaged, match="weq"):
        Journal(path, at_now)
