"""What udev/ holds, and how the tests read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "udev"
RULES: Final = FOLDER / "65-kassa.rules"
LATE_RULES: Final = FOLDER / "72-kassa.rules"
HWDB: Final = FOLDER / "60-kassa.hwdb"
SCRIPTS: Final = ("kassa-role", "kassa-link", "kassa-devices")
ROLES: Final = ("terminal", "printer", "scanner", "fiscal")

_MATCHES: Final = {"==", "!="}
_KEY: Final = re.compile(
    r'\s*([A-Z_]+)(?:\{([^}]*)\})?\s*(==|!=|\+=|-=|:=|=)\s*"([^"]*)"\s*(?:,|$)'
)
# IMPORT and PROGRAM are written like assignments and ask a question all the same; udev(7).
_QUESTIONS: Final = {"IMPORT", "PROGRAM", "TEST", "RESULT"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a rule, as in ENV{ID_BUS}=="usb"."""

    name: str
    attribute: str
    operator: str
    value: str

    @property
    def is_match(self) -> bool:
        return self.operator in _MATCHES or self.name in _QUESTIONS


def rules(text: str) -> list[list[Key]]:
    """The rules with their keys. Raises ValueError for what is none; udev(7), "Rules Files"."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        keys, at = [], 0
        while at < len(line):
            key = _KEY.match(line, at)
            if key is None:
                raise ValueError(line)
            name, attribute, operator, value = key.groups()
            keys.append(Key(name, attribute or "", operator, value))
            at = key.end()
        found.append(keys)
    return found


@dataclass(frozen=True, slots=True)
class Model:
    """One id of the hwdb: `pattern` for modaliases, and the role it gives."""

    pattern: str
    role: str


def models(text: str) -> list[Model]:
    """The hwdb's ids. Raises ValueError for a line that is none; hwdb(7)."""
    found, waiting = [], list[str]()
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("usb:"):
            waiting.append(line)
        elif role := re.fullmatch(r" KASSA_ROLE=(\w+)", line):
            found += [Model(pattern, role[1]) for pattern in waiting]
            waiting = []
        elif line or waiting:
            raise ValueError(line)
    return found
