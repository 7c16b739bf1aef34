"""The disk that forgets: by itself, and as QEMU's own tools find it."""

from __future__ import annotations

import random
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.image import needs, volatile_disk
from tests.image.nbd import NbdServer
from tests.image.volatile_disk import (
    SECTOR_BYTES,
    Cut,
    DiskFull,
    Landed,
    PowerCut,
    Sample,
    VolatileDisk,
)

SECTORS = 16
WAIT_S = 20.0


def sectors(*letters):
    return b"".join(letter.encode() * SECTOR_BYTES for letter in letters)


def letters(data):
    return "".join(chr(data[at]) for at in range(0, len(data), SECTOR_BYTES))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("disk") / "base.img"
    path.write_bytes(sectors(*"." * SECTORS))
    yield path
    assert path.read_bytes() == sectors(*"." * SECTORS)


@pytest.fixture
def disk(base):
    with VolatileDisk(base) as disk:
        yield disk


def write(disk, first, text, **more):
    disk.write(first * SECTOR_BYTES, sectors(*text), **more)


def content(disk, first=0, count=SECTORS):
    return letters(disk.read(first * SECTOR_BYTES, count * SECTOR_BYTES))


def after_cut(disk, landed, seed=0):
    disk.cut(random.Random(seed), landed)
    disk.power_on()
    return content(disk)


def all_ends(disk, landed, seeds=200):
    """What cuts may leave of the first four sectors."""
    found = set()
    for seed in range(seeds):
        with disk.fork() as other:
            for first, text in (0, "ab"), (1, "c"), (2, "de"):
                write(other, first, text)
            found.add(after_cut(other, landed, seed)[:4])
    return found


# --- what a cut leaves ---------------------------------------------------------------------------


def test_what_lands(disk):
    assert all_ends(disk, Landed.NOTHING) == {"...."}
    assert all_ends(disk, Landed.EVERYTHING) == {"acde"}
    assert all_ends(disk, Landed.PREFIX) == {"....", "ab..", "ac..", "acde"}
    assert all_ends(disk, Landed.TORN) == {"a...", "acd."}
    any_of = {a + b + c + d for a in ".a" for b in ".bc" for c in ".d" for d in ".e"}
    assert all_ends(disk, Landed.ANY, seeds=1000) == any_of


def test_a_page_is_torn_inside(disk):
    found = set()
    for seed in range(100):
        with disk.fork() as other:
            write(other, 8, "12345678")
            found.add(after_cut(other, Landed.TORN, seed)[8:])
    assert found == {"12345678"[:n] + "." * (8 - n) for n in range(1, 8)}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, SECTORS - 1), st.integers(1, 6), st.booleans()),
        st.just(("flush",)),
    ),
    max_size=20,
)


@given(STEPS, st.sampled_from(Landed), st.integers(0, 99), st.integers(1, 8))
def test_what_was_kept_is_there_and_the_rest_is_something_that_was(
    base, steps, landed, seed, cached_sectors
):
    """For every sector: the one that was last synced, or a later one; never anything else."""
    with pytest.MonkeyPatch.context() as patch, VolatileDisk(base) as disk:
        patch.setattr(volatile_disk, "MOST_CACHED_BYTES", cached_sectors * SECTOR_BYTES)
        possible = [{"."} for _ in range(SECTORS)]
        now = ["."] * SECTORS
        names = iter("abcdefghijklmnopqrstuvwxyz")
        for step in steps:
            if step[0] == "flush":
                disk.flush()
                possible = [{sector} for sector in now]
                continue
            _, first, count, is_fua = step
            count = min(count, SECTORS - first)
            name = next(names)
            write(disk, first, name * count, is_fua=is_fua)
            for sector in range(first, first + count):
                now[sector] = name
                possible[sector] = {name} if is_fua else possible[sector] | {name}
            assert content(disk) == "".join(now)
            assert disk.waiting_sectors <= cached_sectors
        left = after_cut(disk, landed, seed)
        assert all(found in allowed for found, allowed in zip(left, possible, strict=True))
        disk.flush()
        assert after_cut(disk, landed, seed) == left
        with disk.fork() as other:
            assert content(other) == left


@given(STEPS, st.integers(0, 99), st.integers(1, 6))
def test_a_moment_is_what_a_cut_would_leave_and_the_work_goes_on(base, steps, seed, most):
    """For every sector: one that a cut before this write or flush was answered may leave."""
    with VolatileDisk(base) as disk:
        sample = Sample(most, random.Random(seed))
        disk.sample(sample)
        possible = [{"."} for _ in range(SECTORS)]
        at_moment = []
        names = iter("abcdefghijklmnopqrstuvwxyz")
        for step in steps:
            if step[0] == "flush":
                at_moment.append(possible)
                disk.flush()
                possible = [{sector} for sector in content(disk)]
                continue
            _, first, count, is_fua = step
            count = min(count, SECTORS - first)
            name = next(names)
            written = range(first, first + count)
            here = [possible[n] | {name} if n in written else possible[n] for n in range(SECTORS)]
            at_moment.append(here)
            write(disk, first, name * count, is_fua=is_fua)
            possible = [{name} if is_fua and n in written else here[n] for n in range(SECTORS)]
        disk.sample(None)
        disk.flush()
        assert len(sample.moments) == min(most, len(steps))
        assert len({moment.write for moment in sample.moments}) == len(sample.moments)
        for moment in sample.moments:
            with moment.disk as left:
                allowed = at_moment[moment.write]
                assert all(c in these for c, these in zip(content(left), allowed, strict=True))


def test_each_moment_is_as_likely_as_any_other(disk):
    counts = [0] * 10
    for seed in range(2000):
        sample = Sample(3, random.Random(seed))
        disk.sample(sample)
        for _ in counts:
            disk.flush()
        for moment in sample.moments:
            counts[moment.write] += 1
            moment.disk.close()
    assert all(500 < count < 700 for count in counts), counts  # 600, and five times the deviation


def test_without_power_there_is_nothing(disk):
    write(disk, 0, "a", is_fua=True)
    disk.cut(random.Random(0))
    disk.cut(random.Random(1))
    for ask in (
        lambda: disk.read(0, SECTOR_BYTES),
        lambda: write(disk, 0, "b"),
        disk.flush,
    ):
        with pytest.raises(PowerCut):
            ask()
    assert disk.wait_cut(0)
    disk.power_on()
    assert not disk.wait_cut(0)
    assert content(disk, 0, 2) == "a."


@pytest.mark.parametrize(
    ("landed", "left"), [(Landed.NOTHING, "a..."), (Landed.EVERYTHING, "ab..")]
)
def test_a_cut_at_a_write(disk, landed, left):
    told = []
    dice = random.Random(0)
    disk.plan(Cut(lambda t: t.writes == 2, dice, landed, on_cut=lambda: told.append("cut")))
    write(disk, 0, "a", is_fua=True)
    with pytest.raises(PowerCut):
        write(disk, 1, "b", is_fua=True)
    assert told == ["cut"]
    disk.power_on()
    assert content(disk, 0, 4) == left
    write(disk, 2, "c")  # it happens once


def test_a_cut_at_a_flush_and_none_where_the_plan_was_dropped(disk):
    disk.plan(Cut(lambda t: t.flushes == 1, random.Random(0)))
    disk.plan(None)
    disk.flush()
    disk.plan(Cut(lambda t: t.flushes == 2, random.Random(0), Landed.NOTHING))
    write(disk, 0, "a")
    with pytest.raises(PowerCut):
        disk.flush()
    disk.power_on()
    assert content(disk, 0, 1) == "."


# --- figures, bounds -----------------------------------------------------------------------------


def test_traffic_by_region(base):
    regions = {"root": range(4 * SECTOR_BYTES), "data": range(4 * SECTOR_BYTES, 8192)}
    with VolatileDisk(base, regions) as disk:
        write(disk, 3, "ab")
        write(disk, 10, "c")
        disk.flush()
        figures = [disk.traffic(region) for region in (None, "root", "data")]
    assert [(t.writes, t.flushes, t.written_bytes // SECTOR_BYTES) for t in figures] == [
        (2, 1, 3),
        (1, 1, 1),
        (2, 1, 2),
    ]


def test_export(disk, base, tmp_path):
    write(disk, 5, "abc", is_fua=True)
    write(disk, 6, "x")
    disk.export(tmp_path / "left.img")
    assert letters((tmp_path / "left.img").read_bytes()) == ".....abc........"
    with VolatileDisk(tmp_path / "left.img") as other:
        assert content(other) == ".....abc........"


@pytest.mark.parametrize(
    ("offset", "size"), [(1, 512), (0, 511), (-512, 512), (0, 8704), (8192, 512), (0, 0)]
)
def test_what_is_no_sector_is_refused(disk, offset, size):
    with pytest.raises(ValueError, match="no sectors"):
        disk.read(offset, size)
    with pytest.raises(ValueError, match="no sectors"):
        disk.write(offset, bytes(size))


def test_an_image_of_odd_size_is_refused(tmp_path):
    for size in (0, 513):
        (tmp_path / "odd").write_bytes(bytes(size))
        with pytest.raises(ValueError, match="no sectors"):
            VolatileDisk(tmp_path / "odd")


def test_memory_has_an_end(disk, monkeypatch):
    monkeypatch.setattr(volatile_disk, "MOST_KEPT_BYTES", 4 * SECTOR_BYTES)
    write(disk, 0, "abcd")
    with pytest.raises(DiskFull):
        write(disk, 4, "e")


# --- QEMU as the client --------------------------------------------------------------------------


class Server(NbdServer):
    def __init__(self, disk, path):
        super().__init__(disk, path)
        self.disk = disk


@pytest.fixture
def server(tmp_path):
    needs.program("qemu-io", "qemu-utils")
    with (tmp_path / "base.img").open("wb") as file:
        file.truncate(4 << 20)
    with (
        VolatileDisk(tmp_path / "base.img") as disk,
        Server(disk, tmp_path / "nbd") as server,
    ):
        yield server


def qemu_io(server, *commands):
    words = ["qemu-io", "-f", "raw", "-t", "writeback"]
    for command in commands:
        words += ["-c", command]
    return subprocess.run([*words, server.uri], capture_output=True, text=True, timeout=WAIT_S)


def expect_well(result):
    assert result.returncode == 0, result.stdout + result.stderr
    assert "verification failed" not in result.stdout


def test_qemu_reads_what_it_wrote(server):
    expect_well(
        qemu_io(
            server,
            "write -P 1 0 64k",
            "write -P 2 100 1000",  # no sectors: QEMU has to make some of it
            "read -P 1 0 100",
            "read -P 2 100 1000",
            "read -P 1 1100 1k",
            "write -z 4k 8k",
            "discard 1M 1M",
            "read -P 0 4k 8k",
            "read -P 0 1M 1M",
            "flush",
        )
    )
    assert server.disk.waiting_sectors == 0
    assert server.disk.traffic().flushes >= 1


def test_qemu_syncs_what_it_is_told_to(server):
    dice = random.Random(0)
    server.disk.plan(Cut(lambda traffic: traffic.flushes == 1, dice, Landed.NOTHING))
    result = qemu_io(
        server, "write -P 4 0 4k", "write -f -P 3 512 512", "write -P 5 0 512", "flush"
    )
    assert result.returncode != 0
    server.disk.power_on()
    expect_well(qemu_io(server, "read -P 0 0 512", "read -P 3 512 512", "read -P 0 1k 3k"))


def test_qemu_is_hung_up_on_by_a_cut_and_served_after_it(server):
    dice = random.Random(0)
    server.disk.plan(Cut(lambda traffic: traffic.writes == 2, dice, Landed.NOTHING))
    result = qemu_io(server, "write -P 1 0 4k", "flush", "write -P 2 0 4k", "write -P 3 0 4k")
    assert result.returncode != 0
    assert server.disk.wait_cut(WAIT_S)
    assert qemu_io(server, "read 0 4k").returncode != 0
    server.disk.power_on()
    expect_well(qemu_io(server, "read -P 1 0 4k"))


def test_qemu_img_sees_the_same_disk_as_the_export(server, tmp_path):
    needs.program("qemu-img", "qemu-utils")
    expect_well(qemu_io(server, "write -P 7 1M 64k"))
    server.disk.export(tmp_path / "left.img")
    words = ["qemu-img", "compare", "-f", "raw", "-F", "raw", server.uri, tmp_path / "left.img"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S)
    assert "identical" in done.stdout, done.stdout + done.stderr
