"""What the updater does to the machine. A test has a machine of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from kassa_updater import counter
from kassa_updater.maintenance import look_at_disks
from kassa_updater.roots import Roots, StaysWritable
from kassa_updater.statement import Journal

PACKAGE: Final = "kassa-kiosk"
UNITS: Final = ("kassa-session.service", "kassa-links.service", "kassa.service")
JOURNAL: Final = "/var/lib/kassa/journal.sqlite3"
INSTALL_UNIT: Final = "kassa-update-install.service"
WATCH_UNIT: Final = "kassa-update-watch.service"
_STOP_S: Final = 330.0  # a stop in the middle of a payment waits for the terminal: kassa.service
_DPKG_S: Final = 900.0
_VERIFY_S: Final = 300.0
_SOON_S: Final = 60.0


class Broken(Exception):
    """It could not be installed; its text says why."""


class Box(Protocol):
    """The machine. Every method is bounded in time."""

    def installed(self) -> str | None:
        """The version of the package that is installed whole; None for none."""

    def idle(self, wait_s: float) -> bool:
        """As `counter.wait_idle`."""

    def look(self) -> counter.Look | None:
        """As `counter.look`."""

    def journal_holds(self) -> bool:
        """Whether the journal's chain does, by the release that is installed."""

    def stop(self) -> None:
        """The counter and its screen. A running payment is waited for."""

    def start(self) -> None:
        """Both, and the watch; returns at once, as they may have to wait for us."""

    def go_back(self) -> None:
        """Let the install unit do it, and return."""

    def install(self, package: Path, version: str) -> None:
        """It, whole and on disk, whatever was there. Raises Broken."""

    def now(self) -> float:
        """Seconds since 1970, as far as this machine knows."""

    def monotonic(self) -> float:
        """Seconds."""

    def sleep(self, duration_s: float) -> None: ...


def _run(*command: str | Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Raises Broken for a command that does not end."""
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        # The maintainer scripts then neither stop nor start the counter: it may be waiting for us.
        "KASSA_UPDATE": "1",
    }
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=timeout_s, env=environment, cwd="/", check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Broken(f"{Path(command[0]).name} did not end within {timeout_s:.0f} s") from None


def _systemctl(*words: str, timeout_s: float = _SOON_S) -> None:
    done = _run("/usr/bin/systemctl", *words, timeout_s=timeout_s)
    if done.returncode:
        say(f"systemctl {' '.join(words)}: {done.stdout.strip()}")


def say(text: str) -> None:
    """For the log."""
    print(text, file=sys.stderr, flush=True)


class Machine:
    """The real one."""

    def __init__(self, roots: Roots | None = None) -> None:
        self._roots = roots or Roots(system=("/",))

    def installed(self) -> str | None:
        done = _run(
            "/usr/bin/dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", PACKAGE,
            timeout_s=_SOON_S,
        )  # fmt: skip
        status, _, version = done.stdout.strip().partition(" ")
        return version if done.returncode == 0 and status == "installed" else None

    def idle(self, wait_s: float) -> bool:
        return counter.wait_idle(wait_s)

    def look(self) -> counter.Look | None:
        return counter.look()

    def journal_holds(self) -> bool:
        # By its name: settings whose token is a credential are read in the counter's service alone.
        words = ("/usr/bin/kassa", "journal", "verify", "--file", JOURNAL)
        try:
            done = _run("/usr/sbin/runuser", "-u", "kassa", "--", *words, timeout_s=_VERIFY_S)
        except Broken as error:
            say(str(error))
            return False
        if done.returncode:
            say(done.stdout.strip())
        return done.returncode == 0

    def stop(self) -> None:
        _systemctl("stop", *UNITS, timeout_s=_STOP_S)

    def start(self) -> None:
        _systemctl("daemon-reload")
        _systemctl("reset-failed", *UNITS)
        _systemctl("start", "--no-block", *reversed(UNITS), WATCH_UNIT)

    def go_back(self) -> None:
        _systemctl("start", "--no-block", INSTALL_UNIT)

    def install(self, package: Path, version: str) -> None:
        with self.writable():
            # What a cut left half done is finished or replaced; dpkg heeds no earlier version.
            done = _run("/usr/bin/dpkg", "--install", package, timeout_s=_DPKG_S)
            say(done.stdout.strip())
            if done.returncode:
                raise Broken(f"dpkg: {done.stdout.strip()[-200:]}")
            wrong = _run("/usr/bin/dpkg", "--verify", PACKAGE, timeout_s=_DPKG_S).stdout
            # Settings that somebody changed, and documents that an image leaves out, are no damage.
            ours = [
                line for line in wrong.splitlines()
                if " c " not in line and "/usr/share/" not in line
            ]  # fmt: skip
            if ours:
                raise Broken(f"not as the package has it: {ours[0]} and {len(ours) - 1} more")
            # dpkg syncs its own; not what the maintainer scripts make of it, such as compiled code.
            os.sync()
        if (found := self.installed()) != version:
            raise Broken(f"{found} is installed, and not {version}")

    @contextmanager
    def writable(self) -> Iterator[None]:
        """The system's disk, for a while. One that stays writable is told, and no reason to undo an
        installation: the next start makes it read-only, and until then it is on the screen. Raises
        Broken."""
        try:
            self._roots.open()
        except (OSError, subprocess.SubprocessError) as error:
            raise Broken(f"the system's disk: {error}") from error
        try:
            yield
        finally:
            try:
                self._roots.close()
            except (StaysWritable, OSError) as error:
                say(str(error))
            look_at_disks()

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)


def about_package(package: Path) -> tuple[str, str]:
    """Its name and version, by its own control file. Raises Broken."""
    found = []
    for name in ("Package", "Version"):
        done = _run("/usr/bin/dpkg-deb", "--field", package, name, timeout_s=_SOON_S)
        if done.returncode:
            raise Broken(f"{package}: no package")
        found.append(done.stdout.strip())
    return found[0], found[1]


def is_later(version: str, than: str) -> bool:
    """By Debian's rules (deb-version(7))."""
    words = ("/usr/bin/dpkg", "--compare-versions", version, "gt", than)
    return _run(*words, timeout_s=_SOON_S).returncode == 0


def about_release(file: Path) -> Journal:
    """What a release's release.json says. Raises OSError, ValueError."""
    found = json.loads(file.read_bytes())
    if not isinstance(found, dict) or not isinstance(found.get("journal"), dict):
        raise ValueError(f"{file}: no journal in it")  # noqa: TRY004 - a value, to whoever reads it
    return Journal.of(found["journal"])
