"""The demo's folder: what is in it, and the kassa.toml that the kiosk is started with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600


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
    def logs(self) -> Path:
        return self.root / "kiosk.log"

    @property
    def kiosk(self) -> Path:
        """The kiosk's own data: its journal."""
        return self.root / "kiosk"

    def make(self) -> None:
        """Make them, for this user alone. Raises OSError."""
        for folder in (self.root, self.kiosk):
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            folder.chmod(PRIVATE_FOLDER)  # whatever the umask, and where it was there before


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
