"""The chain: each fact carries the hash of the one before, so that a change shows.

It shows what happened to the file by accident or by hand. It is no signature: who can rewrite the
whole journal can compute all hashes anew.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.counter import journal_log
from appliance.counter.journal_file import JournalDamaged, connect
from appliance.counter.migrations import MIGRATIONS
from appliance.domain.errors import Code, JournalTrouble
from appliance.domain.facts import CLOSES, OPENS

TAIL_CHECKED_AT_START: Final = 256  # the newest facts, verified at each start
COLUMNS: Final = "seq, kind, subject, at, seller, body, hash"
_TABLES: Final = {"fact": COLUMNS, "mark": "name, seq, hash", "open_subject": "subject, first_seq"}
Row = tuple[int, str, str, str, str, str, bytes]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Where the chain does not hold. seq: the fact's place, 0 for the journal as a whole."""

    seq: int
    what: str


def canonical(body: object) -> str:
    """JSON with one spelling, so that a hash can be taken of it."""
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def link(before: bytes, seq: int, row: Sequence[str]) -> bytes:
    """The hash that binds a fact to all before it."""
    return hashlib.sha256(before + canonical([seq, *row]).encode()).digest()


def prove(db: sqlite3.Connection) -> None:
    """See that the tables and columns are there, and that the triggers can be read: later on, a
    missing one is a mistake of ours. Raises JournalDamaged."""
    try:
        for table, columns in _TABLES.items():
            db.execute(f"SELECT {columns} FROM {table} LIMIT 0")  # noqa: S608 - constants
            # EXPLAIN compiles what a write would run, the triggers with it, and runs nothing.
            questions = ", ".join("?" * (columns.count(",") + 1))
            for write in (
                f"INSERT INTO {table} VALUES ({questions})",  # noqa: S608 - constants
                f"UPDATE {table} SET ({columns}) = ({questions})",  # noqa: S608 - constants
                f"DELETE FROM {table}",  # noqa: S608 - constants
            ):
                db.execute(f"EXPLAIN {write}", [None] * write.count("?"))
    except sqlite3.OperationalError as error:
        raise JournalDamaged(str(error)) from error


def check_at_start(path: Path) -> None:
    """What every start checks, and what it costs does not grow with history: the marks, the
    newest facts, and the facts that will be replayed. Through a connection that cannot write, so
    that a damaged journal is put away as it was found. Raises JournalTrouble, OSError."""
    if found := journal_log.flaw(path.with_name(f"{path.name}-wal")):
        raise JournalDamaged(found)
    db = connect(path, read_only=True)
    try:
        schema_version(db)
        prove(db)
        last, _ = head(db)
        for flaw in verify(db, max(last - TAIL_CHECKED_AT_START, 0), 1):
            raise JournalDamaged(f"fact {flaw.seq}: {flaw.what}")
        for flaw in _verify_open(db):
            raise JournalDamaged(f"fact {flaw.seq}: {flaw.what}")
    finally:
        db.close()


def schema_version(db: sqlite3.Connection) -> int:
    """The step of MIGRATIONS that the file is at. Raises JournalTrouble(JOURNAL_NEWER) for a later
    release's, JournalDamaged for none."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise JournalTrouble(
            Code.JOURNAL_NEWER, f"schema {version}, this release knows {len(MIGRATIONS)}"
        )
    if version < 1:
        raise JournalDamaged("a file without a journal's schema")
    return version


def mark(db: sqlite3.Connection, name: str) -> tuple[int, bytes]:
    """A mark's place and hash; see migrations.py. Raises JournalDamaged when it is not there."""
    row = db.execute("SELECT seq, hash FROM mark WHERE name = ?", (name,)).fetchone()
    if row is None or type(row[0]) is not int or type(row[1]) is not bytes:
        raise JournalDamaged(f"the mark {name!r} is missing")
    return row[0], row[1]


def origin_name(db: sqlite3.Connection) -> str:
    """The journal's own random name, with which every fact's id begins."""
    return mark(db, "origin")[1].decode("ascii", "replace")


def head(db: sqlite3.Connection) -> tuple[int, bytes]:
    """The newest fact's place and hash, or the last pruned one's when there is none."""
    row = db.execute("SELECT seq, hash FROM fact ORDER BY seq DESC LIMIT 1").fetchone()
    return (row[0], _digest(row[1])) if row else mark(db, "pruned")


def _digest(value: object) -> bytes:
    """A fact's hash as it was read; b"", which is nobody's, where a damaged row has none."""
    return value if isinstance(value, bytes) else b""


def _is_linked(before: bytes, row: Row) -> bool:
    texts = row[1:6]
    # In a damaged row a text may be anything.
    return all(type(text) is str for text in texts) and link(before, row[0], texts) == row[6]


def verify(db: sqlite3.Connection, after: int | None, most: int) -> Iterator[Flaw]:
    """Each fact after this place (None: after the last pruned one) against the one before it, and
    the marks; with the whole journal also which subjects are open. At most `most` flaws."""
    # One snapshot for all questions: a kiosk that writes between two of them is no flaw.
    db.execute("BEGIN")
    try:
        yield from _verify(db, after, most)
    finally:
        if db.in_transaction:  # SQLite ends it by itself when it meets damage
            db.execute("ROLLBACK")


def _verify(db: sqlite3.Connection, after: int | None, most: int) -> Iterator[Flaw]:
    place, before = mark(db, "pruned")
    is_whole = after is None or after <= place
    if after is not None and not is_whole:
        row = db.execute("SELECT hash FROM fact WHERE seq = ?", (after,)).fetchone()
        if row is None:
            yield Flaw(after, "missing")
            return
        place, before = after, _digest(row[0])
    found, still_open = 0, set[str]()
    for row in db.execute(f"SELECT {COLUMNS} FROM fact WHERE seq > ? ORDER BY seq", (place,)):  # noqa: S608
        what = ""
        if row[0] != place + 1:
            what = f"facts {place + 1} to {row[0] - 1} are missing"
        elif not _is_linked(before, row):
            what = "changed, or moved from its place"
        if what:
            yield Flaw(row[0], what)
            found += 1
            if found >= most:
                return
        place, before = row[0], _digest(row[6])
        if row[1] in OPENS:
            still_open.add(row[2])
        elif row[1] in CLOSES:
            still_open.discard(row[2])
    if place < mark(db, "outbox")[0]:
        yield Flaw(0, f"facts after {place} are missing, the shop has them")
        found += 1
    if is_whole and found == 0:
        listed = {row[0] for row in db.execute("SELECT subject FROM open_subject")}
        for subject in sorted(listed ^ still_open)[:most]:
            yield Flaw(0, f"{subject!r} is {'not ' if subject in listed else ''}open by its facts")


def _verify_open(db: sqlite3.Connection) -> Iterator[Flaw]:
    """The facts of what is open, each against the one before it."""
    subjects = db.execute("SELECT subject, first_seq FROM open_subject").fetchall()
    pruned = mark(db, "pruned")
    for subject, first in subjects:
        rows = db.execute(
            f"SELECT {COLUMNS} FROM fact WHERE subject = ? ORDER BY seq",  # noqa: S608 - constants
            (subject,),
        ).fetchall()
        if not rows or rows[0][0] != first:
            yield Flaw(0, f"the first fact of {subject!r} is missing")
        for row in rows:
            before = db.execute("SELECT hash FROM fact WHERE seq = ?", (row[0] - 1,)).fetchone()
            digest = _digest(before[0]) if before else pruned[1]
            if not _is_linked(digest, row):
                yield Flaw(row[0], "changed, or moved from its place")
