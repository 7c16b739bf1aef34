"""The system's file systems, which an image keeps read-only: writable for a while, and back.

What /etc/fstab mounts read-only is what is to be read-only. On a plain Debian that is nothing, and
all of this does nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYSTEM: Final = ("/", "/boot/firmware")
_MOUNT_S: Final = 120.0
_MOST_NAMED: Final = 10
_WRITING: Final = os.O_WRONLY | os.O_RDWR


class StaysWritable(Exception):
    """A file system could not be made read-only again; its text says what holds it."""


def options(table: str) -> dict[str, set[str]]:
    """The options of each mount point, of /proc/mounts or /etc/fstab. A later line covers an
    earlier one."""
    found = {}
    for line in table.splitlines():
        fields = line.split()
        if len(fields) >= 4 and not line.startswith("#"):
            found[fields[1]] = set(fields[3].split(","))
    return found


def remount(target: str, how: str) -> None:
    """how: ro or rw. Raises CalledProcessError, TimeoutExpired."""
    subprocess.run(
        ["/usr/bin/mount", "-o", f"remount,{how}", target],
        stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=_MOUNT_S, check=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Roots:
    """system: which mount points; proc: /proc; fstab: its file. remount: makes a mount point
    "ro" or "rw", or raises CalledProcessError. Others only in tests."""

    system: tuple[str, ...] = SYSTEM
    proc: Path = Path("/proc")
    fstab: Path = Path("/etc/fstab")
    remount: Callable[[str, str], None] = remount

    def guarded(self) -> list[str]:
        """Those that are to be read-only, and are mounted. Raises OSError."""
        wanted, mounted = options(self.fstab.read_text()), options(self._mounts())
        return [at for at in self.system if "ro" in wanted.get(at, ()) and at in mounted]

    def are_writable(self) -> list[str]:
        """Of those, the ones that can be written to."""
        mounted = options(self._mounts())
        return [at for at in self.guarded() if "ro" not in mounted[at]]

    def open(self) -> None:
        """All writable. Raises CalledProcessError, OSError."""
        for at in self.guarded():
            self.remount(at, "rw")

    def close(self) -> None:
        """All read-only, as the kernel says. Raises StaysWritable, OSError."""
        os.sync()
        wrong = []
        for at in self.are_writable():
            try:
                self.remount(at, "ro")
            except subprocess.SubprocessError as error:
                wrong.append(f"{at}: {str(error) or 'it cannot be remounted'}")
        if left := self.are_writable():
            holders = "; ".join(self.holders()) or "nothing that /proc shows"
            raise StaysWritable(f"{', '.join(left)} can be written still ({holders}) {wrong}")

    def holders(self) -> list[str]:
        """Processes that hold something of the system's file systems for writing, or something
        that was removed: either keeps the kernel from making it read-only."""
        devices = {os.stat(at).st_dev for at in self.guarded() if os.path.exists(at)}
        found = []
        for folder in sorted(self.proc.glob("[0-9]*")):
            try:
                what = next(self._held(folder, devices), None)
                name = (folder / "comm").read_text().strip() if what else ""
            except OSError:
                continue  # it has ended
            if what:
                found.append(f"{name} ({folder.name}): {what}")
        return found[:_MOST_NAMED]

    def _held(self, process: Path, devices: set[int]) -> Iterator[str]:
        for link in (process / "fd").iterdir():
            try:
                status = link.stat()
            except FileNotFoundError:
                continue  # closed meanwhile
            if status.st_dev not in devices:
                continue
            flags = (process / "fdinfo" / link.name).read_text()
            is_written = any(
                int(line.split()[1], 8) & _WRITING
                for line in flags.splitlines()
                if line.startswith("flags:")
            )
            if is_written or status.st_nlink == 0:
                yield os.readlink(link)
        for line in (process / "maps").read_text().splitlines():
            if not line.endswith(" (deleted)"):
                continue
            major, _, minor = line.split()[3].partition(":")
            if os.makedev(int(major, 16), int(minor, 16)) in devices:
                yield line.split(maxsplit=5)[5]

    def _mounts(self) -> str:
        # Of process 1: a unit may have a mount namespace of its own.
        return (self.proc / "1/mounts").read_text()
