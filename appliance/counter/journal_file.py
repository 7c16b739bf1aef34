"""The journal's file: how it comes to be, what SQLite's errors mean, how damage is put away.

A file under the journal's own name is always a complete one: it is made under another name and
moved there. So an empty file, or a log (`-wal`) without its file, is damage and no beginning.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from appliance.domain.errors import Bug, Code, JournalTrouble

BUSY_TIMEOUT_S: Final = 5.0
_ASIDE_MOST: Final = 100  # in one second; more is a loop
# Primary result codes (sqlite.org/rescode.html) that speak of the disk, not of what is on it.
_PERM, _BUSY, _LOCKED, _NOMEM, _READONLY, _IOERR, _FULL, _CANTOPEN, _PROTOCOL = (
    3, 5, 6, 7, 8, 10, 13, 14, 15,
)  # fmt: skip
_DISK: Final = {_PERM, _BUSY, _LOCKED, _NOMEM, _READONLY, _IOERR, _FULL, _CANTOPEN, _PROTOCOL}
_ERROR: Final = 1
# The file before its log: a file without its log is an older journal that looks sound, while a
# log without its file is known for what it is.
_PARTS: Final = ("", "-wal", "-shm", "-journal")


class JournalDamaged(JournalTrouble):
    """The file is there but cannot be trusted; the caller puts it away whole."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.JOURNAL_DAMAGED, detail)


@contextmanager
def reported() -> Iterator[None]:
    """SQLite's errors, and the file system's, as the journal's own."""
    try:
        yield
    except OSError as error:
        raise JournalTrouble(Code.DISK_FULL, str(error)) from error
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:
        raise Bug(f"the journal refuses: {error}") from error
    except UnicodeDecodeError as error:
        # SQLite quotes a damaged schema in its message.
        raise JournalDamaged("text that cannot be read") from error
    except sqlite3.DatabaseError as error:
        number = getattr(error, "sqlite_errorcode", None)
        if number is None:
            # Python's own: text that is no UTF-8. Its message repeats the text, so it is not kept.
            raise JournalDamaged("text that cannot be read") from error
        if number == _ERROR:
            # No such column and its like: in a file that was proven, our own SQL is wrong.
            raise Bug(f"the journal's SQL: {error}") from error
        if number & 0xFF in _DISK:
            # Full, an I/O error, read-only, a vanished card: one cure, another disk.
            raise JournalTrouble(Code.DISK_FULL, str(error)) from error
        raise JournalDamaged(str(error)) from error


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection without transactions of Python's own. Raises sqlite3.Error, JournalDamaged."""
    target = f"{path.absolute().as_uri()}?mode=ro" if read_only else str(path)
    db = sqlite3.connect(
        target, uri=read_only, isolation_level=None, timeout=BUSY_TIMEOUT_S,
        check_same_thread=False,
    )  # fmt: skip
    try:
        db.execute("PRAGMA cache_size = -2000")
    except BaseException as error:
        db.close()
        if getattr(error, "sqlite_errorcode", None) == _ERROR:
            raise JournalDamaged(str(error)) from error  # "unsupported file format" and its like
        raise
    return db


def is_there(path: Path) -> bool:
    """False when a journal is to be begun. Raises JournalDamaged for remains of one, and OSError
    where the disk cannot tell: `Path.exists` says no then, from Python 3.14 on."""
    with suppress(FileNotFoundError):
        if path.stat().st_size == 0:
            raise JournalDamaged("the file is empty")
        return True
    with suppress(FileNotFoundError):
        _part(path, "-wal").stat()
        raise JournalDamaged("the log is there, the file is not")
    return False


def create(path: Path, script: str, page_size_bytes: int) -> None:
    """Make the file with what the script writes in one transaction: complete, or not at all."""
    draft = path.with_name(path.name + ".new")
    for suffix in _PARTS:
        _part(draft, suffix).unlink(missing_ok=True)
    db = connect(draft, read_only=False)
    try:
        db.execute(f"PRAGMA page_size = {page_size_bytes}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(f"BEGIN; {script}; COMMIT;")
    finally:
        db.close()  # the last connection's end moves the log into the file, synced
    os.replace(draft, path)
    _sync_folder(path.parent)


def put_aside(path: Path, now: str) -> Path:
    """Move the file and its log to a name that says what they are; returns it.

    now: ISO 8601; its digits become part of the name. Never overwrites anything. Raises
    JournalTrouble.
    """
    stamp = "".join(character for character in now if character.isdigit())[:14]
    for number in range(_ASIDE_MOST):
        aside = path.with_name(f"{path.stem}.damaged-{stamp}-{number}{path.suffix}")
        if not any(_part(aside, suffix).exists() for suffix in _PARTS):
            break
    else:
        raise JournalTrouble(Code.JOURNAL_DAMAGED, "a hundred damaged journals in one second")
    with reported():
        for suffix in _PARTS:
            if (part := _part(path, suffix)).exists():
                os.replace(part, _part(aside, suffix))
                # One by one: a disk may keep two moves in another order.
                _sync_folder(path.parent)
    return aside


def newest_aside(path: Path) -> Path | None:
    """The damaged journal that was put away last, if any."""
    # The names sort by time but for the number, which has no fixed width.
    found = path.parent.glob(f"{path.stem}.damaged-*{path.suffix}")
    return max(found, key=lambda aside: (len(aside.name), aside.name), default=None)


def _part(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync a folder
            raise
    finally:
        os.close(handle)
