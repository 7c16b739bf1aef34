"""A parser as the fuzzer sees it: bytes in, and nothing out but the errors that are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
PLANTED: Final = "planted"
"""The name of a parser with a mistake in it, by which it is seen that mistakes are found."""
LONGEST: Final = 1024
"""Bytes of an input: enough for every structure, and short enough that none takes long."""


@dataclass(frozen=True, slots=True)
class Target:
    """check: raises for a violation. own: the errors with which this parser refuses bytes, as its
    documentation says; whatever else escapes is a violation. longest: bytes of an input.
    price: how much an execution costs, compared to the others; `make test` makes fewer of it."""

    check: Callable[[bytes], None]
    own: tuple[type[Exception], ...] = ()
    longest: int = LONGEST
    price: int = 1


class Violation(AssertionError):
    """A parser did what it must not: an error that is not its own, or a wrong answer."""


def attempt(target: Target, data: bytes) -> None:
    """One execution. Raises whatever is a violation."""
    try:
        target.check(data)
    except target.own:
        return


def by_name(name: str) -> Target:
    """From the table; or the planted one, which is not in it. Imports what they need."""
    if name == PLANTED:
        from tests.fuzz import planted

        return planted.TARGET
    from tests.fuzz import targets

    return targets.TARGETS[name]


def demand(holds: object, what: str) -> None:
    """An assertion that says what is wrong, also where assertions are not rewritten."""
    if not holds:
        raise Violation(what)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """The same bytes, `size` of them at a time."""
    return (data[at : at + size] for at in range(0, len(data), size))


# --- inputs that are kept ---------------------------------------------------------------------


def kept(name: str) -> dict[str, bytes]:
    """The inputs of a target in corpus/ and regressions/, by "folder/file"."""
    return {
        f"{file.parent.parent.name}/{file.name}": content(file)
        for folder in ("corpus", "regressions")
        for file in sorted((FOLDER / folder / name).glob("*"))
    }


def content(file: Path) -> bytes:
    """The input in a file. A .hex file holds its bytes as hexadecimal digits, # begins a remark."""
    if file.suffix != ".hex":
        return file.read_bytes()
    lines = file.read_text(encoding="ascii").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))
