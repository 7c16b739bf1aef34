"""Journals for tests, and hands that do with the file what nobody should."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.counter.chain import Flaw
from appliance.counter.journal import Journal, Reader
from appliance.domain.facts import Draft, Fact, Json, Kind

NOW: Final = "2026-03-01T10:00:00.000Z"
LATER: Final = "2026-03-02T10:00:00.000Z"


def at_now() -> str:
    return NOW


@contextmanager
def scratch() -> Iterator[Path]:
    """A path for a journal that is wanted for a moment, in memory where there is such a folder:
    properties open many, and the disk's syncs would take most of their time."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None) as folder:
        yield Path(folder) / "journal.sqlite3"


def handover(number: int, kind: Kind = Kind.OPENED, **body: Json) -> Draft:
    return Draft(kind, f"H-{number}", {"order": f"o-{number}", **body})


FILLED_AT_ONCE: Final = 3
"""Facts in each transaction of `fill`."""


def fill(book: Journal, count: int) -> None:
    """Handovers one after the other, each opened, approved and ended."""
    first = book.last // FILLED_AT_ONCE
    for number in range(first, first + count):
        steps = (Kind.OPENED, Kind.APPROVED, Kind.HANDED_OVER)
        book.append([handover(number, kind) for kind in steps], "anna")


def read(path: Path) -> list[Fact]:
    reader = Reader(path)
    try:
        return [fact for _, fact in reader.facts(limit=100_000)]
    finally:
        reader.close()


def verified(path: Path, after: int | None = None, most: int = 20) -> list[Flaw]:
    reader = Reader(path)
    try:
        return reader.verify(after, most)
    finally:
        reader.close()


def raw(path: Path, *statements: str, without_triggers: bool = False) -> None:
    """Hands of somebody else on the file."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        if without_triggers:
            names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for (name,) in names:
                db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
    finally:
        db.close()


def parts(path: Path) -> dict[str, bytes]:
    """The journal's file and what is in its log, without SQLite's index of the log."""
    found = {"": path.read_bytes()} if path.exists() else {}
    log = path.with_name(path.name + "-wal")
    if log.exists() and (content := log.read_bytes()):
        found["-wal"] = content
    return found
