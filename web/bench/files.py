"""The demo's folder: what is in it, and the kassa.toml that the kiosk is started with."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600


class Unfit(Exception):
    """The folder is not for this demo; its text says why, for whoever named it."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths below one folder; the town's own are beside them."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "kassa.toml"

    @property
    def token(self) -> Path:
        return self.root / "shop-token"

    @property
    def link_keys(self) -> Path:
        return self.root / "link-keys"

    @property
    def logs(self) -> Path:
        return self.root / "kiosk.log"

    @property
    def kiosk(self) -> Path:
        """The kiosk's own data: its journal."""
        return self.root / "kiosk"

    @property
    def mark(self) -> Path:
        """Says that the folder is a demo's; held while that demo runs."""
        return self.root / "demo.lock"

    def make(self) -> None:
        """Make what is missing, for this user alone; what was there before keeps its mode. Raises
        OSError, and Unfit for a file, or a folder with something else in it."""
        if self.root.exists() and not self.root.is_dir():
            raise Unfit(f"{self.root} is not a folder")
        if self.root.exists() and not self.mark.exists() and any(self.root.iterdir()):
            raise Unfit(f"{self.root} is neither empty nor a demo's")
        for folder in (self.root, self.kiosk):
            if not folder.exists():
                folder.mkdir(mode=PRIVATE_FOLDER, parents=True)
                folder.chmod(PRIVATE_FOLDER)  # whatever the umask
        self.mark.touch(PRIVATE_FILE)

    def hold(self) -> IO[str]:
        """Be the only demo in it, as long as the returned file is open. Raises Unfit when another
        one is, and OSError."""
        file = self.mark.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise Unfit(f"{self.root} has a running demo in it") from None
        return file


def write_private(file: Path, text: str) -> None:
    """Write it so that at no moment another user can read it. Raises OSError."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), PRIVATE_FILE)
        stream.write(text)


Value = str | int | float | bool | list[str]


def toml(sections: Mapping[str, Mapping[str, Value]]) -> str:
    """These sections as TOML 1.0. JSON's texts, numbers, booleans and lists are TOML's as well."""
    return "\n".join(
        f"[{name}]\n"
        + "".join(f"{key} = {json.dumps(keys[key], ensure_ascii=False)}\n" for key in keys)
        for name, keys in sections.items()
    )
