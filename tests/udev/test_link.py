"""Whom /dev/kassa/ROLE leads to: the same device, whatever came first."""

import itertools
import os
import random
import subprocess
import threading

import pytest

from tests.udev.files import FOLDER, ROLES

PORTS = ["x-usb-0:1.2:1.0", "x-usb-0:1.3:1.0", "y-usb-0:1.1:1.0"]


class Bench:
    """A folder like /dev/kassa, and udev's part in it."""

    def __init__(self, folder):
        self.folder = folder / "kassa"
        self.ranks = self.folder / "by-rank"
        self.ranks.mkdir(parents=True)

    def plug(self, name):
        (self.ranks / name).symlink_to("../../usb/lp0")

    def unplug(self, name):
        (self.ranks / name).unlink()

    def choose(self):
        done = subprocess.run(
            [FOLDER / "kassa-link", self.folder],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def links(self):
        return {path.name: os.readlink(path) for path in self.folder.iterdir() if path.is_symlink()}


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_plugging_makes_no_difference(bench, order):
    names = [f"printer-2-{port}" for port in PORTS]
    there = []
    for number in order:
        bench.plug(names[number])
        there.append(names[number])
        bench.choose()
        assert bench.links() == {"printer": f"by-rank/{min(there)}"}
    for number in order:
        bench.unplug(names[number])
        there.remove(names[number])
        bench.choose()
        assert bench.links() == ({"printer": f"by-rank/{min(there)}"} if there else {})


def test_what_the_administrator_says_comes_first_then_what_is_known(bench):
    ranked = ["1-02-z", "1-10-y", "2-x", "3-w"]
    for rank in ranked:
        bench.plug(f"printer-{rank}")
    for rank in ranked:
        bench.choose()
        assert bench.links() == {"printer": f"by-rank/printer-{rank}"}
        bench.unplug(f"printer-{rank}")


def test_the_roles_do_not_disturb_each_other(bench):
    for role in ROLES:
        bench.plug(f"{role}-2-a")
    bench.choose()
    assert bench.links() == {role: f"by-rank/{role}-2-a" for role in ROLES}
    bench.unplug("scanner-2-a")
    bench.choose()
    assert sorted(bench.links()) == sorted(set(ROLES) - {"scanner"})


def test_a_link_that_is_right_is_left_alone(bench):
    bench.plug("printer-2-a")
    bench.choose()
    before = (bench.folder / "printer").lstat().st_ino
    bench.choose()
    assert (bench.folder / "printer").lstat().st_ino == before


def test_files_that_stand_in_the_way(bench):
    # A program that opens a name for writing that is not there makes a file.
    (bench.folder / "printer").write_text("receipt")
    (bench.ranks / "printer-0-file").write_text("receipt")
    bench.plug("printer-2-a")
    bench.choose()
    assert bench.links() == {"printer": "by-rank/printer-2-a"}
    bench.unplug("printer-2-a")
    bench.choose()
    assert not (bench.folder / "printer").exists()


def test_what_an_interrupted_run_left_behind_is_no_obstacle(bench):
    bench.plug("printer-2-a")
    (bench.folder / ".printer.new").symlink_to("by-rank/printer-2-old")
    bench.choose()
    assert bench.links() == {"printer": "by-rank/printer-2-a"}


def test_without_any_device(bench, tmp_path):
    bench.choose()
    assert bench.links() == {}
    bench.folder = tmp_path / "not-there"
    bench.choose()
    assert not bench.folder.exists()


def test_runs_at_the_same_time_end_as_one_would(bench):
    """udev's workers run it side by side, each after its own device came or went."""
    chance = random.Random(1)
    names = [f"printer-{rank}-{port}" for rank in ("1-01", "2", "3") for port in PORTS]
    stays = set(chance.sample(names, 4))

    def worker(name):
        bench.plug(name)
        bench.choose()
        if name not in stays:
            bench.unplug(name)
            bench.choose()

    chance.shuffle(names)
    threads = [threading.Thread(target=worker, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.links() == {"printer": f"by-rank/{min(stays)}"}
