"""A file that is all there or as it was, whenever the power goes."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(file: Path, content: bytes, mode: int) -> None:
    """The file has all of this content, on disk, or is as it was. Raises OSError."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
