"""A disk that is full: it is said, nothing is half written, and it goes on when there is room."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from appliance.counter import journal
from appliance.counter.journal import Journal, open_or_set_aside
from appliance.counter.journal_file import JournalDamaged
from appliance.domain.errors import Code, JournalTrouble
from appliance.domain.facts import Draft, Kind
from tests.counter.journals import at_now, fill, handover, read


def test_a_full_disk_is_said_and_leaves_nothing_half_written(book: Journal, path: Path) -> None:
    fill(book, 3)
    before = read(path)
    pages = book._db.execute("PRAGMA page_count").fetchone()[0]
    book._db.execute(f"PRAGMA max_page_count = {pages}")
    big = Draft(Kind.SLIP, "H-1", {"lines": "x" * 20_000})
    for batch in ([big], [handover(9), big], [handover(9)] * 200):
        with pytest.raises(JournalTrouble) as caught:
            book.append(batch)
        assert caught.value.code is Code.DISK_FULL
        assert not isinstance(caught.value, JournalDamaged)
        assert (read(path), book.last, book.verify()) == (before, 9, [])
    book._db.execute("PRAGMA max_page_count = 1000000")
    (fact,) = book.append([big])
    assert (fact.id.split("-")[1][-2:], book.verify()) == ("10", [])


def fill_up(path: Path, results: Any) -> None:
    """In a process of its own: its files may not grow, as on a full disk, and then they may."""
    book = Journal(path, at_now)
    fill(book, 3)
    size = path.with_name(path.name + "-wal").stat().st_size
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    for doing in (lambda: book.append([handover(9), handover(9)]), book.probe, book.settle):
        book.delivered(1)
        try:
            doing()
        except JournalTrouble as trouble:
            results.put((str(trouble.code), book.last, len(read(path)), book.verify()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    book.probe()
    book.append([handover(9)])
    results.put(("again", book.last, len(read(path)), book.verify()))
    book.close()


def test_a_disk_that_takes_no_more_bytes(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    child = context.Process(target=fill_up, args=(path, results))
    child.start()
    found = [results.get(timeout=60) for _ in range(4)]
    child.join(60)
    assert found == [(str(Code.DISK_FULL), 9, 9, [])] * 3 + [("again", 10, 10, [])]
    assert child.exitcode == 0


def test_a_disk_that_became_read_only(book: Journal) -> None:
    fill(book, 1)
    book._db.execute("PRAGMA query_only = 1")
    for doing in (lambda: book.append([handover(9)]), book.probe):
        with pytest.raises(JournalTrouble) as caught:
            doing()
        assert caught.value.code is Code.DISK_FULL
    book._db.execute("PRAGMA query_only = 0")
    book.append([handover(9)])
    assert book.verify() == []


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_a_folder_that_fails_is_the_disks_trouble(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "the card is gone")

    for content in (None, b"garbage"):
        if content:
            path.write_bytes(content)
        with monkeypatch.context() as patch:
            patch.setattr(os, failing, fail)
            with pytest.raises(JournalTrouble, match="the card is gone") as caught:
                open_or_set_aside(path, at_now)
        assert caught.value.code is Code.DISK_FULL
        path.unlink(missing_ok=True)


def test_a_file_system_that_cannot_sync_a_folder_is_no_trouble(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EINVAL, "not for folders")

    monkeypatch.setattr(os, "fsync", fail)
    Journal(path, at_now).close()
    assert read(path) == []


def test_what_was_put_away_and_could_not_be_written_down_is_told_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise JournalTrouble(Code.DISK_FULL, "full")

    path.write_bytes(b"garbage")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", fail)
        with pytest.raises(JournalTrouble, match="full"):
            open_or_set_aside(path, at_now)
    book, aside = open_or_set_aside(path, at_now)
    assert aside is not None
    assert [fact.body["file"] for _, fact in book.facts()] == [aside.name]
    book.close()


def test_no_room_for_a_new_journal_leaves_no_half_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was put away is remembered when there is room."""
    path.write_bytes(b"garbage")
    with monkeypatch.context() as patch:
        script = f"PRAGMA max_page_count = 3; {journal._beginning('abcd')}"
        patch.setattr(journal, "_beginning", lambda _: script)
        with pytest.raises(JournalTrouble) as caught:
            open_or_set_aside(path, at_now)
        assert caught.value.code is Code.DISK_FULL
    assert not path.exists()
    book, aside = open_or_set_aside(path, at_now)
    assert aside is not None
    assert aside.read_bytes() == b"garbage"
    assert [fact.kind for _, fact in book.facts()] == [Kind.JOURNAL_SET_ASIDE]
    book.close()
