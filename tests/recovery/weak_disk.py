"""A disk with a write-back cache, as a power cut finds it: what was synced is there, of the rest
any part may be.

Assumed of the file system is what ext4 does with data=ordered and nothing more (the kernel's
Documentation/filesystems/ext4 and jbd2's journal; fsync(2)):

- fsync or fdatasync of a file: its bytes, its size, and the name that it was made under.
- fsync of the folder: all names in it.
- Names and sizes go through one journal: those of them that landed are the first so many, in
  their order. What a sync makes durable takes along all that stands before it there.
- Bytes that nobody synced land by sectors, in any order or not at all. Each sector is one that the
  file really had at some time since; a write leaves bytes beside it alone (SQLite calls that
  "powersafe overwrite"). Where a size landed before its bytes, zeros are read.
- A file that was cut to a size gets new blocks: where the cut did not land, what was written
  after it did not either.

`is_strict` takes the journal away, as other file systems may: a file's sync says nothing of its
name, sizes and names land in any order (each name's own changes keep theirs, a rename is whole),
bytes written after a cut to size land without it, and what a size has uncovered is rubbish.

Sectors have 512 bytes; nothing smaller is ever torn, as with every real disk.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SECTOR: Final = 512
Image = dict[str, bytes]
"""Names and contents of the files: what a start finds."""
Op = tuple[Any, ...]
"""A method of the disk that changes it, and its arguments: ("write", 3, 0, b"..."). A list of
these is a tape, which plays to any place."""


@dataclass(slots=True)
class _Write:
    inode: int
    at: int
    data: bytes


@dataclass(slots=True)
class _Size:
    inode: int
    size: int
    is_safe: bool = False


@dataclass(slots=True)
class _Names:
    """changes: name -> inode, or None where it is gone. born: the inode that was made."""

    changes: Mapping[str, int | None]
    born: int = 0


_Event = _Write | _Size | _Names


@dataclass(slots=True)
class _File:
    now: bytearray = field(default_factory=bytearray)  # as everybody sees it
    safe: bytearray = field(default_factory=bytearray)  # as of its last sync


class Disk:
    """One folder of files. Methods that change it are what a tape is made of."""

    def __init__(
        self, image: Mapping[str, bytes] | None = None, *, is_strict: bool = False
    ) -> None:
        self.is_strict = is_strict
        self.told: list[str] = []
        self.names: dict[str, int] = {}
        self._safe_names: dict[str, int] = {}
        self._files: dict[int, _File] = {}
        self._waiting: list[_Event] = []
        self._made = 0
        for name, content in sorted((image or {}).items()):
            inode = self._new_file(content)
            self.names[name] = self._safe_names[name] = inode

    def do(self, op: Op) -> Any:
        return getattr(self, op[0])(*op[1:])

    def content(self, inode: int) -> bytearray:
        return self._files[inode].now

    # --- what changes it ------------------------------------------------------------------------

    def create(self, name: str) -> int:
        inode = self._new_file(b"")
        self._rename({name: inode}, born=inode)
        return inode

    def unlink(self, name: str) -> None:
        self._rename({name: None})

    def rename(self, old: str, new: str) -> None:
        self._rename({new: self.names[old], old: None})

    def resize(self, inode: int, size: int) -> None:
        if size != len(self._files[inode].now):
            self._happened(_Size(inode, size))
            _resize(self._files[inode].now, size)

    def write(self, inode: int, at: int, data: bytes) -> None:
        now = self._files[inode].now
        self.resize(inode, max(len(now), at + len(data)))
        now[at : at + len(data)] = data
        self._happened(_Write(inode, at, data))

    def sync(self, inode: int) -> None:
        """fsync and fdatasync; the weaker of the two."""
        file = self._files[inode]
        if not self.is_strict:
            mine = [at for at, event in enumerate(self._waiting) if _is_about(event, inode)]
            self._commit(mine[-1] + 1 if mine else 0)
        self._waiting = [event for event in self._waiting if getattr(event, "inode", 0) != inode]
        file.safe[:] = file.now

    def sync_folder(self) -> None:
        if self.is_strict:
            self._waiting = [event for event in self._waiting if not isinstance(event, _Names)]
            self._safe_names = dict(self.names)
        else:
            names = [at for at, event in enumerate(self._waiting) if isinstance(event, _Names)]
            self._commit(names[-1] + 1 if names else 0)

    def tell(self, text: str) -> None:
        """Somebody outside has heard this: it changes nothing here but must stay true."""
        self.told.append(text)

    # --- the power cut --------------------------------------------------------------------------

    def crash(self, dice: random.Random) -> Image:
        """What a start would find if the power went now. The disk itself goes on."""
        landed = self._landed(dice)
        names = dict(self._safe_names)
        events: dict[int, list[tuple[_Write | _Size, bool]]] = defaultdict(list)
        for event, is_landed in zip(self._waiting, landed, strict=True):
            if not isinstance(event, _Names):
                events[event.inode].append((event, is_landed))
            elif is_landed:
                _apply(names, event.changes)
        return {
            name: self._crashed(self._files[inode].safe, events[inode], dice)
            for name, inode in sorted(names.items())
        }

    def _landed(self, dice: random.Random) -> list[bool]:
        """Which names and sizes landed. A write's entry says nothing: that goes by sectors."""
        if not self.is_strict:
            least = max((at + 1 for at, e in enumerate(self._waiting) if _is_safe(e)), default=0)
            most = len(self._waiting)
            count = dice.choice((least, most, dice.randint(least, most)))
            return [at < count for at in range(most)]
        share, landed, missing = dice.random(), [], set[str]()
        for event in self._waiting:
            is_landed = dice.random() < share
            if isinstance(event, _Names):
                # What came to this name later cannot be there without what came before.
                is_landed = is_landed and not missing & set(event.changes)
                missing |= set() if is_landed else set(event.changes)
            landed.append(is_landed)
        return landed

    def _crashed(
        self, safe: bytearray, events: list[tuple[_Write | _Size, bool]], dice: random.Random
    ) -> bytes:
        """The file's bytes: sizes as they landed, and of each sector one that there once was."""
        content, is_cut = bytearray(safe), False
        limit = _limits([event for event, _ in events if isinstance(event, _Write)], dice)
        number = 0
        for event, is_landed in events:
            if isinstance(event, _Size):
                if is_landed:
                    filler = dice.randrange(256) if self.is_strict else 0
                    _resize(content, event.size, filler)
                is_cut = is_cut or (not is_landed and event.size < len(content))
                continue
            number += 1
            if is_cut and not self.is_strict:
                continue
            for start, piece in _sectors(event):
                if number <= limit[start // SECTOR] and start < len(content):
                    room = len(content) - start
                    content[start : start + len(piece[:room])] = piece[:room]
        return bytes(content)

    # --- below ----------------------------------------------------------------------------------

    def _new_file(self, content: bytes) -> int:
        self._made += 1
        self._files[self._made] = _File(bytearray(content), bytearray(content))
        return self._made

    def _rename(self, changes: Mapping[str, int | None], born: int = 0) -> None:
        _apply(self.names, changes)
        self._happened(_Names(changes, born))

    def _happened(self, event: _Event) -> None:
        self._waiting.append(event)

    def _commit(self, count: int) -> None:
        """The journal's entries among the first so many events are on the disk."""
        kept: list[_Event] = []
        for event in self._waiting[:count]:
            if isinstance(event, _Names):
                _apply(self._safe_names, event.changes)
                continue
            if isinstance(event, _Size):
                event.is_safe = True
            kept.append(event)
        self._waiting[:count] = kept


def _is_about(event: _Event, inode: int) -> bool:
    """Whether the journal's entry is one that a sync of this file waits for."""
    if isinstance(event, _Names):
        return event.born == inode
    return isinstance(event, _Size) and event.inode == inode


def _is_safe(event: _Event) -> bool:
    return isinstance(event, _Size) and event.is_safe


def _apply(names: dict[str, int], changes: Mapping[str, int | None]) -> None:
    for name, inode in changes.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


def _resize(content: bytearray, size: int, filler: int = 0) -> None:
    del content[size:]
    content.extend(bytes((filler,)) * (size - len(content)))


def _sectors(write: _Write) -> list[tuple[int, bytes]]:
    """The write in pieces that each lie within one sector."""
    end = write.at + len(write.data)
    starts = [write.at, *range(write.at // SECTOR * SECTOR + SECTOR, end, SECTOR)]
    return [
        (start, write.data[start - write.at : stop - write.at])
        for start, stop in zip(starts, [*starts[1:], end], strict=True)
    ]


def _limits(writes: list[_Write], dice: random.Random) -> Mapping[int, int]:
    """For each sector, up to which of the file's writes it has landed, counted from one."""
    touched: dict[int, list[int]] = defaultdict(list)
    for number, write in enumerate(writes, 1):
        for start, _ in _sectors(write):
            touched[start // SECTOR].append(number)
    match dice.choice(("none", "all", "first", "some", "torn", "torn")):
        case "none":
            landed = set[int]()
        case "all":
            landed = set(range(1, len(writes) + 1))
        case "first":
            landed = set(range(1, dice.randint(0, len(writes)) + 1))
        case "some":
            share = dice.random()
            landed = {number for number in range(1, len(writes) + 1) if dice.random() < share}
        case _:
            share = dice.random()
            return {
                sector: dice.choice(numbers) if dice.random() < share else 0
                for sector, numbers in touched.items()
            }
    return {
        sector: max((number for number in numbers if number in landed), default=0)
        for sector, numbers in touched.items()
    }
