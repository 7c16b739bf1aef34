"""The journal's log (`-wal`) as it lies on the disk, looked at before SQLite opens it.

SQLite reads a log up to the first frame whose checksum is wrong and takes that for its end. After
a power cut that is right: the last transaction was not synced, and nobody was told of it. But a
bit that turns in the middle ends the log there as well, and what comes behind it (an approved
payment, perhaps) is gone without a word. The two can be told apart: with `synchronous=FULL` each
transaction is on the disk before the next one begins, so behind a torn one there is none.

A disk writes whole sectors, in any order. A torn frame's head may lie in two of them, and then the
one that was not written still says whether some older frame there was a commit.

Source: SQLite's file format, section 4, "The Write-Ahead Log" (sqlite.org/fileformat2.html).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HEADER: Final = struct.Struct(">IIIIIIII")  # magic, version, page size, count, salts, checksums
_FRAME: Final = struct.Struct(">IIIIII")  # page, pages after a commit or 0, salts, checksums
_MAGIC: Final = 0x377F0682  # the last bit: the checksums' words are big-endian
_SALTS_AT: Final = 8  # in a frame: what stands before says whether it is a commit
_SECTOR: Final = 512  # a disk's smallest, and no other one has a border elsewhere
_PAGE_SIZES: Final = frozenset(1 << power for power in range(9, 17))
_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Frame:
    is_whole: bool  # its checksum, which goes on from the frames before, is right
    is_current: bool  # it is of this log, and not left over from an earlier one
    is_commit: bool  # surely so


def flaw(log: Path) -> str:
    """Why the log holds transactions that SQLite would leave out; "" where it holds none.

    Raises OSError.
    """
    content = log.read_bytes() if log.exists() else b""
    if len(content) < _HEADER.size + _FRAME.size:
        return ""
    magic, _, size_bytes, *_ = _HEADER.unpack_from(content)
    order = ">" if magic & 1 else "<"
    stated = _HEADER.unpack_from(content)[-2:]
    if magic & ~1 != _MAGIC or _checksum(order, content[:24], (0, 0)) != stated:
        return "the log's header is damaged"
    if size_bytes not in _PAGE_SIZES:
        return f"the log has pages of {size_bytes} bytes"
    frames = list(_frames(content, size_bytes, order, stated))
    torn = next((at for at, frame in enumerate(frames) if not frame.is_whole), len(frames))
    rest = [at for at in range(torn, len(frames)) if frames[at].is_current]
    # The torn transaction ends with its commit. What is of this log and behind that came later.
    end = next((at for at in rest if frames[at].is_commit), None)
    if end is None or end == rest[-1]:
        return ""
    return f"the log is damaged at frame {torn + 1} of {rest[-1] + 1}"


def _frames(
    content: bytes, size_bytes: int, order: str, checksum: tuple[int, ...]
) -> Iterator[_Frame]:
    salts = _HEADER.unpack_from(content)[4:6]
    is_whole, stated = True, checksum
    for at in range(
        _HEADER.size, len(content) - _FRAME.size - size_bytes + 1, _FRAME.size + size_bytes
    ):
        _, pages, *rest = _FRAME.unpack_from(content, at)
        is_current = tuple(rest[:2]) == salts
        body = (
            content[at : at + _SALTS_AT] + content[at + _FRAME.size : at + _FRAME.size + size_bytes]
        )
        if is_whole:
            checksum = _checksum(order, body, checksum)
            is_whole = is_current and checksum == tuple(rest[2:])
        is_commit = bool(pages)
        if is_commit and not is_whole and (at + _SALTS_AT) % _SECTOR == 0:
            is_commit = _checksum(order, body, stated) == tuple(rest[2:])
        stated = tuple(rest[2:])
        yield _Frame(is_whole, is_current, is_commit)


def _checksum(order: str, data: bytes, start: tuple[int, ...]) -> tuple[int, ...]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & _MASK
        second = (second + words[at + 1] + first) & _MASK
    return first, second
