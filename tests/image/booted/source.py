"""A source of Debian packages that nobody has signed: [trusted=yes] in sources.list(5)."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path


def build(folder: Path, name: str, version: str, control: str = "") -> Path:
    """A package with nothing in it but its name and version. control: more fields, a line each."""
    tree = folder / f"{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        f"Maintainer: nobody <nobody@example>\nDescription: for a test\n{control}"
    )
    package = folder / f"{name}_{version}_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, package],
        check=True, capture_output=True,
    )  # fmt: skip
    return package


def offer(folder: Path, *packages: Path) -> None:
    """Lists packages that lie in the folder, in its file Packages."""
    entries = []
    for package in packages:
        data = package.read_bytes()
        control = subprocess.run(
            ["dpkg-deb", "--field", package], check=True, capture_output=True, text=True
        ).stdout
        digest = hashlib.sha256(data).hexdigest()
        entries.append(
            f"{control}Filename: ./{package.name}\nSize: {len(data)}\nSHA256: {digest}\n"
        )
    (folder / "Packages").write_text("\n".join(entries))
