"""The disk that loses what was not synced: the real journal on it, cut at any write."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from appliance.counter.journal import open_or_set_aside
from appliance.domain.errors import JournalTrouble
from appliance.domain.facts import Draft, Kind
from tests.simulation.disk import VFS, Disk

AT = "2026-01-01T00:00:00.000Z"
CUTS = 40


def cut_at(disk: Disk, writes: int) -> None:
    """The power goes before this many more writes have been done."""
    last = disk.writes + writes

    def tick(what: str) -> None:
        disk.is_dead = disk.is_dead or disk.writes >= last

    disk.tick = tick


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_is_there_after_every_cut(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    acknowledged: list[str] = []
    with VFS.installed():
        disk = Disk(tmp_path / "0")
        disk.folder.mkdir()
        for number in range(CUTS):
            VFS.disks[:] = [disk]
            journal, aside = open_or_set_aside(disk.folder / "j.sqlite3", lambda: AT)
            found = [fact.id for _, fact in journal.facts(limit=100_000)]
            assert aside is None
            assert found[: len(acknowledged)] == acknowledged
            assert not journal.verify()
            acknowledged = found
            cut_at(disk, dice.randrange(1, 200))
            with suppress(JournalTrouble):
                while True:
                    body = "x" * dice.randrange(2000)
                    facts = journal.append([Draft(Kind.SIGNED_IN, "", {"name": body})])
                    acknowledged += [fact.id for fact in facts]
            assert disk.is_dead
            journal.close()  # of no effect on a disk without power
            disk = disk.after_power_cut(tmp_path / str(number + 1), dice)
    assert len(acknowledged) > CUTS


@contextmanager
def table(path: Path, synchronous: str) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("CREATE TABLE IF NOT EXISTS t (x)")
        yield db
    finally:
        db.close()


def rows(folder: Path) -> list[tuple[int]]:
    with table(folder / "t.sqlite3", "FULL") as db:
        return db.execute("SELECT x FROM t").fetchall()


def rows_after_a_cut(folder: Path, synchronous: str, seed: int) -> int:
    """Of twenty that were committed."""
    with VFS.installed():
        disk = Disk(folder / "before")
        disk.folder.mkdir(parents=True)
        VFS.disks[:] = [disk]
        with table(disk.folder / "t.sqlite3", "FULL") as db:
            db.execute(f"PRAGMA synchronous = {synchronous}")
            for number in range(20):
                db.execute("INSERT INTO t VALUES (?)", (number,))
            after = disk.after_power_cut(folder / "after", random.Random(seed))
        return len(rows(after.folder))


def test_the_disk_can_lose_what_was_not_synced(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    assert all(rows_after_a_cut(tmp_path / f"f{n}", "FULL", n) == 20 for n in range(10))
    assert any(rows_after_a_cut(tmp_path / f"o{n}", "OFF", n) < 20 for n in range(10))


def test_a_killed_program_loses_nothing_that_it_wrote(tmp_path: Path) -> None:
    with VFS.installed():
        disk = Disk(tmp_path / "before")
        disk.folder.mkdir()
        VFS.disks[:] = [disk]
        with table(disk.folder / "t.sqlite3", "OFF") as db:
            db.execute("INSERT INTO t VALUES (1)")
            after = disk.after_kill(tmp_path / "after")
            assert rows(after.folder) == [(1,)]
            with pytest.raises(sqlite3.OperationalError):
                db.execute("INSERT INTO t VALUES (2)")  # its disk is gone


def test_a_full_disk_takes_no_more_and_works_again(tmp_path: Path) -> None:
    with VFS.installed():
        disk = Disk(tmp_path / "d")
        disk.folder.mkdir()
        VFS.disks[:] = [disk]
        with table(disk.folder / "t.sqlite3", "FULL") as db:
            disk.is_full = True
            with pytest.raises(sqlite3.OperationalError, match="full"):
                db.execute("INSERT INTO t VALUES (?)", ("x" * 20_000,))
            disk.is_full = False
            db.execute("INSERT INTO t VALUES (?)", ("x" * 20_000,))
