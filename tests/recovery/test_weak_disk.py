"""The weak disk keeps what was synced, and nothing else for certain."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.recovery.weak_disk import SECTOR, Disk, Image

OLD, NEW = b"o" * SECTOR, b"n" * SECTOR


def crashes(disk: Disk) -> list[Image]:
    return [disk.crash(random.Random(seed)) for seed in range(300)]


@pytest.fixture(params=[False, True], ids=["ext4", "strict"])
def is_strict(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_what_was_synced_stays(is_strict: bool) -> None:
    disk = Disk(is_strict=is_strict)
    inode = disk.create("a")
    disk.write(inode, 0, OLD + NEW)
    disk.sync(inode)
    disk.sync_folder()
    assert all(image == {"a": OLD + NEW} for image in crashes(disk))


def test_of_the_rest_any_sector_may_have_landed_and_nothing_smaller(is_strict: bool) -> None:
    disk = Disk({"a": OLD * 2}, is_strict=is_strict)
    disk.write(disk.names["a"], SECTOR - 1, b"x" + NEW)
    left = {image["a"] for image in crashes(disk)}
    first, second = OLD[:-1] + b"x", NEW
    assert left == {OLD + OLD, first + OLD, OLD + second, first + second}


def test_a_later_write_may_land_without_an_earlier_one(is_strict: bool) -> None:
    disk = Disk({"a": OLD * 2}, is_strict=is_strict)
    disk.write(disk.names["a"], 0, NEW)
    disk.write(disk.names["a"], SECTOR, NEW)
    assert OLD + NEW in {image["a"] for image in crashes(disk)}


def test_a_sector_is_one_that_there_was(is_strict: bool) -> None:
    disk = Disk({"a": OLD}, is_strict=is_strict)
    disk.write(disk.names["a"], 0, b"1")
    disk.write(disk.names["a"], 1, b"2")
    assert {image["a"][:2] for image in crashes(disk)} == {b"oo", b"1o", b"12"}


def test_a_size_may_land_before_its_bytes() -> None:
    disk = Disk({"a": OLD})
    disk.write(disk.names["a"], SECTOR, NEW)
    assert {image["a"] for image in crashes(disk)} == {OLD, OLD + bytes(SECTOR), OLD + NEW}


def test_what_follows_a_cut_to_size_does_not_land_without_it() -> None:
    disk = Disk({"a": OLD * 2})
    disk.resize(disk.names["a"], 0)
    disk.write(disk.names["a"], 0, NEW)
    assert {image["a"] for image in crashes(disk)} == {
        OLD * 2, b"", bytes(SECTOR), NEW,
    }  # fmt: skip


def written(disk: Disk) -> None:
    disk.sync(disk.names["new"])


def renamed(disk: Disk) -> None:
    disk.rename("new", "a")


@pytest.mark.parametrize(
    ("steps", "on_ext4", "at_worst"),
    [
        ((), {(), ("new",)}, {(), ("new",)}),
        ((written,), {("new",)}, {(), ("new",)}),
        ((written, renamed), {("new",), ("a",)}, {(), ("new",), ("a",)}),
        ((written, renamed, Disk.sync_folder), {("a",)}, {("a",)}),
    ],
)
def test_a_name_lands_with_its_file_or_with_its_folder(
    steps: tuple[Callable[[Disk], None], ...],
    on_ext4: set[tuple[str, ...]],
    at_worst: set[tuple[str, ...]],
    is_strict: bool,
) -> None:
    disk = Disk(is_strict=is_strict)
    disk.write(disk.create("new"), 0, NEW)
    for step in steps:
        step(disk)
    found = {tuple(image) for image in crashes(disk)}
    assert found <= (at_worst if is_strict else on_ext4)
    assert is_strict or found == on_ext4


def test_names_land_in_their_order_where_there_is_a_journal(is_strict: bool) -> None:
    disk = Disk({"a": OLD, "b": OLD}, is_strict=is_strict)
    disk.unlink("a")
    disk.unlink("b")
    found = {tuple(image) for image in crashes(disk)}
    assert found == {("a", "b"), ("b",), ()} | ({("a",)} if is_strict else set())
