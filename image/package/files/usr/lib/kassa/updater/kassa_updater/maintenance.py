"""Work on the system itself: waits until the counter is idle, makes the system's disk writable, and
read-only again afterwards."""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from kassa_updater import counter
from kassa_updater.places import Places
from kassa_updater.roots import Roots, StaysWritable

EX_TEMPFAIL: Final = 75
WAIT_S: Final = 1800.0
LONGEST_WAIT_S: Final = 86_400.0
_LOOK_AT_DISKS_S: Final = 60.0
_LOCK_LOOK_S: Final = 0.2


class Held(Exception):
    """Somebody else is at it; its text says who."""


def look_at_disks() -> None:
    """The image's own look, whose finding is on the screen; other machines have none."""
    if Path("/usr/lib/kassa-image/check-storage").exists():
        subprocess.run(
            ["/usr/bin/systemctl", "--quiet", "start", "kassa-storage.service"],
            stdin=subprocess.DEVNULL, timeout=_LOOK_AT_DISKS_S, check=False,
        )  # fmt: skip


@contextmanager
def alone(lock: Path, wait_s: float = 0.0) -> Iterator[None]:
    """One at a time; a process that ends gives it back. Raises Held, OSError."""
    lock.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    end = time.monotonic() + wait_s
    with lock.open("w") as stream:
        while not _is_ours(stream):
            if time.monotonic() >= end:
                raise Held("maintenance or an update is under way")
            time.sleep(_LOCK_LOOK_S)
        yield


def _is_ours(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Maintenance:
    """run: a folder in memory. Others than the default only in tests."""

    run: Path = Path("/run/kassa-maintenance")
    places: Places = field(default_factory=Places)
    roots: Roots = field(default_factory=Roots)
    wait_idle: Callable[[float], bool] = counter.wait_idle
    look_at_disks: Callable[[], None] = look_at_disks

    @property
    def lock(self) -> Path:
        return self.run / "lock"

    @property
    def begun(self) -> Path:
        """There between begin and end. A restart forgets it, and makes everything read-only."""
        return self.run / "begun"

    def idle(self, wait_s: float) -> int:
        """0, or EX_TEMPFAIL when the counter is not idle in time. For a restart of the counter in
        the course of a maintenance: somebody may be served again by then."""
        if self.wait_idle(wait_s):
            return 0
        print(f"the counter was not idle within {wait_s:.0f} s", file=sys.stderr)
        return EX_TEMPFAIL

    def begin(self, wait_s: float) -> int:
        """Again, it does nothing. 0, or EX_TEMPFAIL when the counter is not idle in time or an
        update is under way."""
        with alone(self.lock):
            if self.places.plan.exists():
                raise Held("an update is under way")
            if not self.begun.exists():
                if status := self.idle(wait_s):
                    return status
                self.begun.touch()
            self.roots.open()
            return 0

    def end(self) -> int:
        """0, or 1 where something stays writable. It may be tried again; a restart cures it."""
        with alone(self.lock):
            return self._end()

    def _end(self) -> int:
        try:
            self.roots.close()
        except StaysWritable as error:
            print(f"{error}; a restart cures it", file=sys.stderr)
            return 1
        finally:
            self.look_at_disks()
        self.begun.unlink(missing_ok=True)
        return 0

    def wrap(self, command: Sequence[str], wait_s: float) -> int:
        """The command's status; 1 where it was well and something stays writable."""
        was_begun = self.begun.exists()
        if status := self.begin(wait_s):
            return status
        with alone(self.lock):
            try:
                status = _call(command)
            finally:
                ended = 0 if was_begun else self._end()
        return status or ended


def _call(command: Sequence[str]) -> int:
    try:
        status = subprocess.run(command, check=False).returncode
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126
    return status if status >= 0 else 128 - status


def main(arguments: Sequence[str], work: Maintenance) -> int:
    """The command line of /usr/lib/kassa/maintenance."""
    parser = argparse.ArgumentParser(prog="maintenance", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    begin = commands.add_parser(
        "begin", help="wait for an idle counter, then make the disk writable"
    )
    commands.add_parser("end", help="make the disk read-only again, and see that it is")
    idle = commands.add_parser("idle", help="wait for an idle counter, and change nothing")
    run = commands.add_parser("run", help="both, around a command")
    run.add_argument("command", nargs="+", metavar="COMMAND")
    for which in (begin, idle, run):
        which.add_argument("--wait-s", type=seconds, default=WAIT_S, metavar="N")
    parsed = parser.parse_args(arguments)
    if os.geteuid():
        print("maintenance is root's", file=sys.stderr)
        return 77
    try:
        if parsed.what == "begin":
            return work.begin(parsed.wait_s)
        if parsed.what == "end":
            return work.end()
        if parsed.what == "idle":
            return work.idle(parsed.wait_s)
        return work.wrap(parsed.command, parsed.wait_s)
    except Held as error:
        print(error, file=sys.stderr)
        return EX_TEMPFAIL
    except (OSError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1


def seconds(text: str) -> float:
    """A number of seconds of a command line. Raises ValueError."""
    found = float(text)
    if not 0 <= found <= LONGEST_WAIT_S:
        raise ValueError(text)
    return found
