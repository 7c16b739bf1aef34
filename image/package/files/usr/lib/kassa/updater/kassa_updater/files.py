"""Files that are whole after a power cut: the old one or the new one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

LARGEST_JSON_BYTES: Final = 256 << 10
_CHUNK_BYTES: Final = 1 << 20


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in it lasts."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Raises OSError; the old file is then still there."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
    sync_folder(path.parent)


def write_among_strangers(folder: Path, name: str, data: bytes) -> None:
    """A readable file in a folder whose parent belongs to somebody else, who may have put a link in
    its way: none is followed. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755)
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{name}.new", dir_fd=inside)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        handle = os.open(f"{name}.new", flags, 0o644, dir_fd=inside)
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), 0o644)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(f"{name}.new", name, src_dir_fd=inside, dst_dir_fd=inside)
        os.fsync(inside)
    finally:
        os.close(inside)


def remove_among_strangers(folder: Path, name: str) -> None:
    """As `write_among_strangers`. Raises OSError; a file that is not there is well."""
    try:
        inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=inside)
        os.fsync(inside)
    finally:
        os.close(inside)


def read_json(path: Path) -> dict[str, Any] | None:
    """None where the file is not there. Raises OSError, ValueError for what is no JSON object."""
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(LARGEST_JSON_BYTES))
    except FileNotFoundError:
        return None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: no object")  # noqa: TRY004 - a value, to whoever reads it
    return found


def sync_file(path: Path) -> None:
    """What was written to it lasts."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def copy(source: Path, target: Path) -> None:
    """A whole copy, or none. Raises OSError."""
    new = target.with_name(f"{target.name}.new")
    shutil.copyfile(source, new)
    sync_file(new)
    new.replace(target)
    sync_folder(target.parent)


def sha256(path: Path) -> str:
    """In hexadecimal digits. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
