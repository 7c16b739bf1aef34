"""Work on the system: when it may begin, what is writable meanwhile, that it is not afterwards."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from kassa_updater import maintenance
from kassa_updater.maintenance import EX_TEMPFAIL, Maintenance, alone
from kassa_updater.places import Places
from kassa_updater.roots import Roots, StaysWritable, options

IMAGE = "PARTUUID=1 / ext4 ro,noatime 0 0\nPARTUUID=2 /boot/firmware vfat ro,nofail 0 2\n"
PLAIN = "UUID=1 / ext4 errors=remount-ro 0 1\n"


class Kernel:
    """Its table of mounts, and what remounting makes of it. held: what stays writable."""

    def __init__(self, folder: Path, fstab: str, held: str = "") -> None:
        self.mounts = {"/": "ro", "/boot/firmware": "ro"} if fstab == IMAGE else {"/": "rw"}
        self.proc, self.held, self.asked = folder / "proc", held, list[tuple[str, str]]()
        (self.proc / "1").mkdir(parents=True)
        (folder / "fstab").write_text(fstab)
        self.write()
        self.roots = Roots(proc=self.proc, fstab=folder / "fstab", remount=self.remount)

    def write(self) -> None:
        lines = [f"dev {at} ext4 {how},noatime 0 0\n" for at, how in self.mounts.items()]
        (self.proc / "1/mounts").write_text("".join(lines))

    def remount(self, target: str, how: str) -> None:
        self.asked.append((target, how))
        if how == "ro" and target == self.held:
            raise subprocess.CalledProcessError(32, "mount")
        self.mounts[target] = how
        self.write()


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def work(folder: Path, kernel: Kernel, *, idle: bool = True) -> Maintenance:
    return Maintenance(
        run=folder / "run",
        places=Places(folder),
        roots=kernel.roots,
        wait_idle=lambda wait_s: idle,
        look_at_disks=lambda: None,
    )


def test_begin_and_end(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, IMAGE)
    at = work(tmp_path, kernel)
    for _ in range(2):  # again, it changes nothing
        assert maintenance.main(["begin"], at) == 0
        assert set(kernel.mounts.values()) == {"rw"}
    for _ in range(2):
        assert maintenance.main(["end"], at) == 0
        assert set(kernel.mounts.values()) == {"ro"}


def test_a_busy_counter_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = Kernel(tmp_path, IMAGE)
    at = work(tmp_path, kernel, idle=False)
    assert maintenance.main(["begin", "--wait-s", "5"], at) == EX_TEMPFAIL
    assert maintenance.main(["run", "--wait-s", "5", "--", "false"], at) == EX_TEMPFAIL
    assert maintenance.main(["idle", "--wait-s", "5"], at) == EX_TEMPFAIL
    assert kernel.asked == []
    assert "not idle within 5 s" in capsys.readouterr().err


def test_an_idle_counter_is_waited_for_within_a_maintenance(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, IMAGE)
    at = work(tmp_path, kernel)
    with alone(at.lock):  # as for a command of `run`
        assert maintenance.main(["idle"], at) == 0
    assert kernel.asked == []


def test_what_keeps_it_writable_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = Kernel(tmp_path, IMAGE, held="/")
    at = work(tmp_path, kernel)
    assert maintenance.main(["begin"], at) == 0
    assert maintenance.main(["end"], at) == 1
    assert "/ can be written still" in capsys.readouterr().err
    kernel.held = ""
    assert maintenance.main(["end"], at) == 0


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 0", 0), ("exit 3", 3), ("kill -15 $$", 143)],
)
def test_run_wraps_a_command(tmp_path: Path, command: str, status: int) -> None:
    kernel = Kernel(tmp_path, IMAGE)
    at = work(tmp_path, kernel)
    assert maintenance.main(["run", "--", "sh", "-c", command], at) == status
    assert kernel.asked == [
        ("/", "rw"), ("/boot/firmware", "rw"), ("/", "ro"), ("/boot/firmware", "ro"),
    ]  # fmt: skip


def test_run_of_nothing_that_is_there(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, IMAGE)
    assert maintenance.main(["run", "--", "/no/such/thing", "-x"], work(tmp_path, kernel)) == 127
    assert set(kernel.mounts.values()) == {"ro"}


def test_run_says_that_it_stays_writable(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, IMAGE, held="/boot/firmware")
    assert maintenance.main(["run", "--", "true"], work(tmp_path, kernel)) == 1


def test_run_between_begin_and_end_leaves_the_end_to_others(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, IMAGE)
    at = work(tmp_path, kernel)
    at.begin(0.0)
    assert maintenance.main(["run", "--", "true"], at) == 0
    assert set(kernel.mounts.values()) == {"rw"}


def test_a_plain_debian_is_left_as_it_is(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, PLAIN)
    at = work(tmp_path, kernel)
    assert [maintenance.main([word], at) for word in ("begin", "end")] == [0, 0]
    assert maintenance.main(["run", "--", "true"], at) == 0
    assert kernel.asked == []


def test_not_during_an_update(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, IMAGE)
    at = work(tmp_path, kernel)
    at.places.home.mkdir(parents=True)
    at.places.plan.write_text("{}")
    assert maintenance.main(["begin"], at) == EX_TEMPFAIL
    at.places.plan.unlink()
    with alone(at.lock):
        assert maintenance.main(["begin"], at) == EX_TEMPFAIL
    assert kernel.asked == []


def test_who_holds_it_is_named(tmp_path: Path) -> None:
    """By the real /proc, for the file system that this test is on."""
    kernel = Kernel(tmp_path, IMAGE, held="/")
    removed = tmp_path / "removed"
    with removed.open("w+"):
        removed.unlink()
        device = removed.parent.stat().st_dev
        found = list(Roots()._held(Path("/proc/self"), {device}))
    assert any("removed" in what for what in found)
    assert list(Roots()._held(Path("/proc/self"), {0})) == []
    kernel.roots.open()
    with pytest.raises(StaysWritable):
        kernel.roots.close()


def test_a_later_mount_covers_an_earlier_one() -> None:
    assert options("# a / b c\na / ext4 rw 0 0\nb / ext4 ro,x 0 0\n") == {"/": {"ro", "x"}}
