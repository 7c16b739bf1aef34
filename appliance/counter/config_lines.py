"""On which line of a TOML text a key or section stands: tomllib reads values, but not where.

This is no second parser. It walks statement by statement, lets tomllib read the key of each, and
steps over the value. For a text that tomllib accepts, the lines are right; for any other text
they are as good as can be, and nothing is raised.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Path: TypeAlias = tuple[str, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_KEY})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*({_KEY})[ \t]*=")
# What a value is made of, as far as its end is concerned. The order matters: a multi-line string
# begins like an empty one. A multi-line string may end in up to two quotes of its own.
_TOKEN: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?!")'
    r"|'''.*?'''(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|(?P<open>[\[{])"
    r"|(?P<close>[\]}])"
    r"|(?P<end>\n)"
    r"|[^\"'\#\[\]{}\n]+"
    r"|.",
    re.DOTALL,
)
_MOST_DOTS: Final = 100


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key or section that is given twice. Lines count from 1."""

    path: Path
    line: int
    first: int


@dataclass(slots=True)
class Lines:
    """Where everything stands. Lines count from 1."""

    _lines: dict[Path, int] = field(default_factory=dict)
    duplicates: list[Duplicate] = field(default_factory=list)

    def of(self, *path: str) -> int:
        """The line of this section or key; where it is written inside a value, such as an inline
        table, that value's line; 1 for what the text does not have."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 1

    def has(self, *path: str) -> bool:
        """Whether the text has this section or key as a statement of its own."""
        return path in self._lines

    def _note(self, path: Path, line: int, seen: dict[Path, int]) -> None:
        if path in seen:
            self.duplicates.append(Duplicate(path, line, seen[path]))
        else:
            seen[path] = line
        # A dotted key or a sub-section makes its parents, on the same line.
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)


def crowded_line(text: str) -> int:
    """The first line that may be a key of more dotted parts than can be read; 0 for none.

    A key of n parts costs n times n, here and in tomllib: one of 64 KiB would take gigabytes."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS and not line.lstrip().startswith("#"):
            return number
    return 0


def find_lines(text: str) -> Lines:
    """Where the keys and sections of this TOML text stand. Never raises."""
    text = text.replace("\r\n", "\n")
    lines = Lines()
    headers: dict[Path, int] = {}
    keys: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    section: Path = ()
    position, line = 0, 1
    while position < len(text):
        start = position
        if header := _HEADER.match(text, position):
            path = _key(header[2])
            if header[1] == "[[":
                # Each entry of an array of tables is a section of its own, not a repetition.
                arrays[path] = arrays.get(path, -1) + 1
                path = (*path, str(arrays[path]))
            section = path
            lines._note(path, line, headers)
            position = header.end()
        elif assignment := _ASSIGNMENT.match(text, position):
            lines._note((*section, *_key(assignment[1])), line, keys)
            position = assignment.end()
        position = _end(text, position)
        line += text.count("\n", start, position)
    return lines


def _key(text: str) -> Path:
    """A key's parts, quotes and escapes undone."""
    try:
        value: object = tomllib.loads(f"{text} = 0")
    except (ValueError, RecursionError):
        return (text,)
    path: list[str] = []
    while isinstance(value, dict):
        part, value = next(iter(value.items()))
        path.append(part)
    return tuple(path)


def _end(text: str, position: int) -> int:
    """Where the statement ends whose value starts here: behind its newline, or the text's end."""
    depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        assert token is not None, "the last alternative takes any character"
        position = token.end()
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth = max(0, depth - 1)
        elif token["end"] and depth == 0:
            break
    return position
