"""The disk image's file systems: the same files make the same bytes."""

from __future__ import annotations

import os
import runpy
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.image import needs

DISK: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "image/disk.py"))
EPOCH = 1_700_000_000
PART = DISK["Part"](start_mib=1, size_mib=16)


def tree(folder: Path) -> Path:
    """Some files, all with one time of their own."""
    for number in range(40):
        file = folder / f"a{number % 7}" / f"file {number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"this is {number}")
        os.utime(file, (EPOCH, EPOCH))
    for path in (*folder.iterdir(), folder):
        os.utime(path, (EPOCH, EPOCH))
    return folder


def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk with one file system, of files that were written just now."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
    needs.program("debugfs", "e2fsprogs")
    for name in ("SOURCE_DATE_EPOCH", "E2FSPROGS_FAKE_TIME"):
        monkeypatch.setenv(name, str(EPOCH))
    disk = folder / "disk.img"
    disk.parent.mkdir()
    with disk.open("wb") as file:
        file.truncate((PART.start_mib + PART.size_mib) << 20)
    identity = "4b617373-0002-4000-8000-000000000000"
    DISK["make_ext4"](disk, PART, tree(folder / "tree"), "label", identity)
    return disk


def test_the_same_files_make_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(tmp_path / "one", monkeypatch)
    time.sleep(1.1)  # file systems name whole seconds
    second = made(tmp_path / "two", monkeypatch)
    assert (tmp_path / "one/tree").stat().st_ctime != (tmp_path / "two/tree").stat().st_ctime
    assert first.read_bytes() == second.read_bytes()


def test_it_is_a_sound_file_system_with_the_times_of_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = made(tmp_path / "one", monkeypatch)
    part = tmp_path / "part.img"
    part.write_bytes(disk.read_bytes()[PART.start_mib << 20 :])
    subprocess.run(["e2fsck", "-fn", part], check=True, capture_output=True)
    for path in ("/", "/a3", "/a3/file 10"):
        said = subprocess.run(
            ["debugfs", "-R", f'stat "{path}"', part], capture_output=True, text=True, check=True
        ).stdout
        for kind in ("ctime", "atime"):
            assert f"{kind}: 0x{EPOCH:x}" in said, (path, said)
