"""Where things are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """root: "/", but in tests."""

    root: Path = Path("/")

    @property
    def home(self) -> Path:
        """The updater's own, root's alone, on the disk that lasts: /data/update in an image."""
        return self.root / "var/lib/kassa-update"

    @property
    def plan(self) -> Path:
        """There while an update is under way."""
        return self.home / "plan.json"

    @property
    def releases(self) -> Path:
        """Packages: the one that is installed, and the one before it."""
        return self.home / "releases"

    @property
    def program(self) -> Path:
        """The copy of this program that does the work."""
        return self.home / "program"

    @property
    def told(self) -> Path:
        """The folder of state.json, which the counter and others read."""
        return self.root / "var/lib/kassa/update"

    @property
    def units(self) -> Path:
        return self.root / "etc/systemd/system"

    @property
    def keys(self) -> tuple[Path, ...]:
        """An administrator's, and those that the package was built with."""
        return self.root / "etc/kassa/release-keys", self.root / "usr/lib/kassa/release-keys"

    @property
    def about(self) -> Path:
        """What the installed release says of itself (appliance/counter/release.py)."""
        return self.root / "usr/lib/kassa/release.json"

    @property
    def kept(self) -> tuple[Path, ...]:
        """Where the package that is installed may lie."""
        return self.releases, self.root / "usr/lib/kassa-image/releases"
