"""Inputs by plain chance: for machines without the coverage-guided fuzzer, and for `make test`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_MOST_CHANGES: Final = 4
_ODD: Final = (
    b"\x00", b"\xff", b"\x10", b"\x10\x02", b"\x10\x03", b"\x15", b"\x06", b"\x1f", b"\x7f",
    b"\x80", b"\r\n", b'"', b"\\", b"{", b"}", b"[", b"]", b"=", b",", b"-", b"9" * 20,
    b"\\ud800", b"\xed\xa0\x80", b"\xc3", b"1e999", b"null", b"true", b"\xff\xff\xff\xff",
)  # fmt: skip
"""What parsers stumble over."""

_Change = Callable[[random.Random, bytes, bytes], bytes]


def inputs(seeds: Sequence[bytes], chance: random.Random, longest: int) -> Iterator[bytes]:
    """Endless changed copies of the seeds."""
    pool = [*seeds, b""]
    while True:
        data = chance.choice(pool)
        for _ in range(chance.randint(1, _MOST_CHANGES)):
            data = chance.choice(_CHANGES)(chance, data, chance.choice(pool))
        yield data[:longest]


def _place(chance: random.Random, data: bytes) -> int:
    return chance.randint(0, len(data))


def _flip(chance: random.Random, data: bytes, _: bytes) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]


def _overwrite(chance: random.Random, data: bytes, _: bytes) -> bytes:
    at = _place(chance, data)
    fresh = chance.randbytes(chance.randint(1, 4))
    return data[:at] + fresh + data[at + len(fresh) :]


def _insert(chance: random.Random, data: bytes, _: bytes) -> bytes:
    at = _place(chance, data)
    return data[:at] + chance.choice(_ODD) + data[at:]


def _cut(chance: random.Random, data: bytes, _: bytes) -> bytes:
    low, high = sorted((_place(chance, data), _place(chance, data)))
    return data[:low] + data[high:]


def _double(chance: random.Random, data: bytes, _: bytes) -> bytes:
    low, high = sorted((_place(chance, data), _place(chance, data)))
    return data[:high] + data[low:high] * chance.choice((1, 1, 7)) + data[high:]


def _splice(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: _place(chance, data)] + other[_place(chance, other) :]


_CHANGES: Final[tuple[_Change, ...]] = (_flip, _flip, _overwrite, _insert, _cut, _double, _splice)
