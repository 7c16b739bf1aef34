"""Other releases than the image's, made from its package as a publisher would: signed, or not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
_KASSA: Final = "usr/lib/kassa"


class Publisher:
    """deb: the image's own package. folder: for keys and packages."""

    def __init__(self, folder: Path, deb: Path) -> None:
        self._folder, self._deb = folder, deb
        self.key, self.pub = folder / "release.pem", folder / "release.pub"
        self._openssl("genpkey", "-algorithm", "ed25519", "-out", self.key)
        self._openssl("pkey", "-in", self.key, "-pubout", "-out", self.pub)
        self.version = self._field("Version")

    @staticmethod
    def _openssl(*words: str | Path) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def _field(self, name: str) -> str:
        done = subprocess.run(
            ["dpkg-deb", "--field", self._deb, name], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def make(self, suffix: str, change: Callable[[Path], None] = lambda kassa: None) -> Path:
        """A package of the version VERSION+SUFFIX, signed. change: what is other in it than in the
        image's, given /usr/lib/kassa in it."""
        version = f"{self.version}+{suffix}"
        tree = self._folder / f"tree-{suffix}"
        subprocess.run(["dpkg-deb", "--raw-extract", self._deb, tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(
            control.read_text().replace(f"Version: {self.version}\n", f"Version: {version}\n")
        )
        kassa = tree / _KASSA
        self._about(kassa, lambda about: about.update(version=version))
        change(kassa)
        sums = [
            subprocess.run(["md5sum", file.relative_to(tree)], cwd=tree, check=True,
                           capture_output=True, text=True).stdout
            for file in sorted(tree.rglob("*"))
            if file.is_file() and not file.is_symlink()
            and file.relative_to(tree).parts[0] not in ("DEBIAN", "etc")
        ]  # fmt: skip
        (tree / "DEBIAN/md5sums").write_text("".join(sums))
        package = self._folder / f"kassa-kiosk_{version}_all.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "--build", tree, package],
            check=True, capture_output=True,
        )  # fmt: skip
        shutil.rmtree(tree)
        subprocess.run(
            [sys.executable, ROOT / "image/sign.py", "sign", "--key", self.key, package],
            check=True, capture_output=True,
        )  # fmt: skip
        return package

    @staticmethod
    def _about(kassa: Path, change: Callable[[dict[str, Any]], object]) -> None:
        file = kassa / "release.json"
        about = json.loads(file.read_text())
        change(about)
        file.write_text(json.dumps(about))

    def dead(self) -> Path:
        """A release whose counter does not start."""

        def spoil(kassa: Path) -> None:
            (kassa / "kassa.py").write_text("import nothing\n")

        return self.make("dead", spoil)

    def sick(self) -> Path:
        """One whose counter answers, and cannot work."""

        def spoil(kassa: Path) -> None:
            counter = kassa / "appliance/counter/counter.py"
            text = counter.read_text()
            assert 'status = "degraded" if' in text
            counter.write_text(text.replace('status = "degraded" if', 'status = "failing" if'))
            text = counter.read_text()
            counter.write_text(text.replace('else "ok"\n', 'else "failing"\n', 1))

        return self.make("sick", spoil)

    def unreadable(self) -> Path:
        """One whose journal the image's release could not read."""

        def later(about: dict[str, Any]) -> None:
            about["journal"]["schema"] += 1

        return self.make("later", lambda kassa: self._about(kassa, later))
