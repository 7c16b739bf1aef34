"""SQLite's files on a disk that can lose what was not synced: an SQLite VFS around the real one.

Reads, locks and shared memory are the real VFS's own methods; only write, truncate and sync come by
here. Each write is remembered with what it overwrote until a sync. A power cut takes all of those
back, and lets a part of them happen after all: any of them, in whole or in sectors of 512 bytes,
as a disk with a cache of its own may do it. What was synced stays.
(sqlite.org/vfs.html; sqlite.org/atomiccommit.html, section 3.)
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SECTOR_BYTES: Final = 512
# sqlite3.h
_OK, _IOERR_WRITE, _IOERR_FSYNC, _FULL = 0, 10 | 3 << 8, 10 | 4 << 8, 13
_METHODS: Final = 19  # pointers of sqlite3_io_methods, version 3, after iVersion
_CLOSE, _WRITE, _TRUNCATE, _SYNC = 0, 2, 3, 4

_Close = CFUNCTYPE(c_int, c_void_p)
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)
# The path as a pointer: SQLite keeps it, and looks behind its end for parameters.
_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)


class _IoMethods(Structure):
    _fields_ = [("version", c_int), ("pointers", c_void_p * _METHODS)]


class _Vfs(Structure):
    _fields_ = [
        ("version", c_int), ("file_bytes", c_int), ("path_most", c_int), ("next", c_void_p),
        ("name", c_char_p), ("data", c_void_p), ("open", _Open), ("others", c_void_p * 17),
    ]  # fmt: skip


@dataclass(slots=True)
class _Pending:
    """A write that was not synced. before: what stood there; size: of the file before."""

    offset: int
    data: bytes
    before: bytes
    size: int


@dataclass(slots=True)
class Disk:
    """What one kiosk's card does with the journal's files below `folder`.

    is_dead: nothing is written any more, as the power is gone. is_full: files do not grow.
    tick: called before and after each write and each sync, which is where power may go.
    """

    folder: Path
    tick: Callable[[str], None] = lambda what: None
    is_dead: bool = False
    is_full: bool = False
    writes: int = 0
    syncs: int = 0
    pending: dict[str, list[_Pending]] = field(default_factory=dict)

    def after_kill(self, target: Path) -> Disk:
        """The program alone has died: the kernel still writes all that it had taken."""
        self.is_dead = True
        self._copy(target)
        return Disk(target, self.tick)

    def after_power_cut(self, target: Path, dice: random.Random) -> Disk:
        """The disk as the next start finds it."""
        self.is_dead = True
        self._copy(target)
        for name in sorted(self.pending):
            path = target / name
            # Renamed meanwhile, or removed: then it is another file's story.
            if path.exists() and not name.endswith("-shm"):
                _cut(path, self.pending[name], dice)
        return Disk(target, self.tick)

    def _copy(self, target: Path) -> None:
        target.mkdir(parents=True)
        for path in sorted(self.folder.iterdir()):
            # Shared memory is no file to SQLite: it is made anew from the log.
            if not path.name.endswith("-shm"):
                shutil.copyfile(path, target / path.name)


def _cut(path: Path, pending: list[_Pending], dice: random.Random) -> None:
    with path.open("r+b") as file:
        for write in reversed(pending):
            file.seek(write.offset)
            file.write(write.before)
            file.truncate(write.size)
        mode = dice.choice(("all", "none", "some", "some", "torn", "torn"))
        for write in pending:
            if mode == "all" or (mode != "none" and dice.random() < 0.5):
                for offset in range(0, len(write.data), SECTOR_BYTES):
                    if mode != "torn" or dice.random() < 0.5:
                        file.seek(write.offset + offset)
                        file.write(write.data[offset : offset + SECTOR_BYTES])


class Vfs:
    """The default VFS of this process, while `installed`. disks: whose files are watched.

    One for the whole process (`VFS`), and for good: SQLite calls it for connections that nobody
    closed, whenever those are collected."""

    def __init__(self) -> None:
        self.disks: list[Disk] = []
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        library.sqlite3_vfs_find.argtypes = [c_char_p]
        library.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
        library.sqlite3_vfs_unregister.argtypes = [c_void_p]
        self._library = library
        self._real = library.sqlite3_vfs_find(b"unix")
        if not self._real:
            raise RuntimeError("this SQLite has no VFS named unix")
        self._open_real = self._real.contents.open
        self._vfs = _Vfs.from_buffer_copy(self._real.contents)
        self._vfs.name, self._vfs.next = b"simulated", None
        self._vfs.open = _Open(self._open)
        self._files: dict[int, tuple[Disk, str, int]] = {}  # by address: name, descriptor
        self._tables: dict[tuple[int, ...], tuple[_IoMethods, tuple[object, ...]]] = {}

    @contextmanager
    def installed(self) -> Iterator[Vfs]:
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        try:
            yield self
        finally:
            self._library.sqlite3_vfs_register(self._real, 1)
            self.disks.clear()

    def _open(self, vfs: int, path: int | None, file: int, flags: int, out: int | None) -> int:
        code = int(self._open_real(vfs, path, file, flags, out))
        if code != _OK or path is None:
            return code
        found = Path(os.fsdecode(ctypes.string_at(path)))
        disk = next((disk for disk in self.disks if disk.folder == found.parent), None)
        if disk is not None:
            table = c_void_p.from_address(file)
            methods = _IoMethods.from_address(table.value or 0)
            table.value = ctypes.addressof(self._watched(methods))
            self._files[file] = (disk, found.name, os.open(found, os.O_RDONLY))
        return code

    def _watched(self, methods: _IoMethods) -> _IoMethods:
        """A table like this one with four methods of our own; the rest stays the real one's."""
        key = tuple(pointer or 0 for pointer in methods.pointers)
        if key not in self._tables:
            close, write = _Close(key[_CLOSE]), _Write(key[_WRITE])
            truncate, sync = _Truncate(key[_TRUNCATE]), _Sync(key[_SYNC])
            ours = (
                _Close(lambda file: self._close(close, file)),
                _Write(lambda file, data, size, at: self._write(write, file, data, size, at)),
                _Truncate(lambda file, size: self._truncate(truncate, file, size)),
                _Sync(lambda file, flags: self._sync(sync, file, flags)),
            )
            table = _IoMethods(min(methods.version, 3), methods.pointers)
            for place, function in zip((_CLOSE, _WRITE, _TRUNCATE, _SYNC), ours, strict=True):
                table.pointers[place] = ctypes.cast(function, c_void_p).value
            self._tables[key] = table, ours
        return self._tables[key][0]

    def _close(self, real: Callable[[int], int], file: int) -> int:
        os.close(self._files.pop(file)[2])
        return real(file)

    def _write(
        self, real: Callable[[int, int, int, int], int], file: int, data: int, size: int, at: int
    ) -> int:
        disk, name, descriptor = self._files[file]
        disk.tick("write")
        if disk.is_dead:
            return _IOERR_WRITE
        length = os.fstat(descriptor).st_size
        if disk.is_full and at + size > length:
            return _FULL
        before = os.pread(descriptor, size, at)
        disk.pending.setdefault(name, []).append(
            _Pending(at, ctypes.string_at(data, size), before, length)
        )
        disk.writes += 1
        return real(file, data, size, at)

    def _truncate(self, real: Callable[[int, int], int], file: int, size: int) -> int:
        disk, name, descriptor = self._files[file]
        if disk.is_dead:
            return _IOERR_WRITE
        length = os.fstat(descriptor).st_size
        lost = os.pread(descriptor, max(0, length - size), size)
        disk.pending.setdefault(name, []).append(_Pending(size, b"", lost, length))
        return real(file, size)

    def _sync(self, real: Callable[[int, int], int], file: int, flags: int) -> int:
        disk, name, _ = self._files[file]
        disk.tick("sync")
        if disk.is_dead:
            return _IOERR_FSYNC
        disk.pending.pop(name, None)
        disk.syncs += 1
        # The real fsync would only wait: what is lost is decided here.
        disk.tick("synced")
        return _OK


VFS: Final = Vfs()
