"""The update that is under way, as it is on disk; and what others are told of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from kassa_updater import files

_LONGEST_REASON: Final = 500
_FILE: Final = re.compile(r"kassa-kiosk_[0-9A-Za-z.+~-]{1,64}_all\.deb")


class Step(StrEnum):
    """How far it is."""

    INSTALLING = "installing"
    """The new package is to be installed; it may be there in part."""
    TRYING = "trying"
    """It is installed, and has not yet shown that it works."""
    GOING_BACK = "going-back"
    """The package before it is to be installed again."""


class Told(StrEnum):
    """How it went, in state.json."""

    OK = "ok"
    INSTALLING = "installing"
    TRYING = "trying"
    FAILED = "failed"
    """Nothing was changed, or the package before it could not be brought back either."""
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True, slots=True)
class Release:
    """A package in the folder of releases. file: its name there."""

    file: str
    version: str
    sha256: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Raises KeyError, ValueError."""
        file = str(found["file"])
        if not _FILE.fullmatch(file):
            raise ValueError(f"{file!r} is no package's name")
        return cls(file, str(found["version"]), str(found["sha256"]))


@dataclass(frozen=True, slots=True)
class Before:
    """How the counter was: the new release must not be worse. devices: those that were well.
    works: it could serve. draws: a browser drew. has_journal: its chain held."""

    devices: tuple[str, ...] = ()
    works: bool = False
    draws: bool = False
    has_journal: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """tries: of the present step. wait_s: how long to wait for an idle counter; healthy_s: how long
    the new release has. reason: why it goes back."""

    step: Step
    target: Release
    kept: Release
    wait_s: float
    healthy_s: float
    before: Before = field(default_factory=Before)
    tries: int = 0
    reason: str = ""


def save(path: Path, plan: Plan) -> None:
    """Raises OSError."""
    files.write(path, json.dumps(asdict(plan), sort_keys=True).encode())


def load(path: Path) -> Plan | None:
    """None where no update is under way. Raises OSError, ValueError for a file that we have not
    written."""
    found = files.read_json(path)
    if found is None:
        return None
    try:
        before = found["before"]
        return Plan(
            step=Step(found["step"]),
            target=Release.of(found["target"]),
            kept=Release.of(found["kept"]),
            wait_s=float(found["wait_s"]),
            healthy_s=float(found["healthy_s"]),
            before=Before(
                tuple(str(name) for name in before["devices"]),
                bool(before["works"]),
                bool(before["draws"]),
                bool(before["has_journal"]),
            ),
            tries=int(found["tries"]),
            reason=str(found["reason"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error!r}") from error


def remove(path: Path) -> None:
    """Raises OSError."""
    path.unlink(missing_ok=True)
    files.sync_folder(path.parent)


def tell(folder: Path, told: Told, plan: Plan, at: float, reason: str = "") -> None:
    """state.json; at: seconds since 1970. Raises OSError."""
    is_target = told in (Told.OK, Told.TRYING)
    state = {
        "state": told.value,
        "version": plan.target.version if is_target else plan.kept.version,
        "from": plan.kept.version,
        "to": plan.target.version,
        "at": int(at),
        "reason": reason[:_LONGEST_REASON],
    }
    files.write_among_strangers(folder, "state.json", json.dumps(state, sort_keys=True).encode())
