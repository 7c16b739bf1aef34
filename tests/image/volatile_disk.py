"""A disk with a write-back cache, as a power cut finds it: what was flushed is there; of the rest,
by sectors, any part may be.

A real disk promises no more (NVM Express 2.0, "Volatile Write Cache"; Linux,
Documentation/block/writeback_cache_control.rst). Sectors have 512 bytes; nothing smaller is torn.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Final, Self

SECTOR_BYTES: Final = 512
MOST_CACHED_BYTES: Final = 64 << 20
"""When more waits for a flush, the oldest of it lands by itself, as in a real disk."""
MOST_KEPT_BYTES: Final = 1 << 30
"""Different sectors that were ever written; they are held in memory."""
_EXPORT_SECTORS: Final = 2048


class PowerCut(Exception):
    """The disk has no power."""


class DiskFull(Exception):
    """More was written than is held in memory."""


class Landed(Enum):
    """What a cut leaves of the writes that were not flushed."""

    NOTHING = "nothing"
    EVERYTHING = "everything"
    PREFIX = "prefix"
    """The first so many of them, whole."""
    TORN = "torn"
    """The first so many, and of the next one its first sectors."""
    ANY = "any"
    """Each sector for itself: as it was, or as one of the writes left it."""


@dataclass(slots=True)
class Traffic:
    """What was written since the disk was made."""

    writes: int = 0
    flushes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """When the power fails by itself: before the write or the flush is answered that makes `when`
    true. That write may have landed; that flush has not been made. on_cut: called on the server's
    thread, after it; it must not ask the disk anything."""

    when: Callable[[Traffic], bool]
    dice: random.Random
    landed: Landed = Landed.ANY
    on_cut: Callable[[], None] = field(default=lambda: None)


_Sectors = dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Moment:
    """The disk as a cut would have left it there. write: since the sample began."""

    write: int
    landed: Landed
    disk: VolatileDisk


class Sample:
    """Moments of a stretch of work that itself goes on: each write and flush of it is as likely to
    be one as any other, though nobody knows beforehand how many there will be (reservoir sampling:
    Vitter, "Random Sampling with a Reservoir", 1985, algorithm R)."""

    def __init__(self, most: int, dice: random.Random) -> None:
        """Raises ValueError for none at all."""
        if most < 1:
            raise ValueError("a sample of nothing")
        self.moments: list[Moment] = []
        self.dice = dice
        self._most = most
        self._seen = 0

    def offer(self, make: Callable[[int], Moment]) -> None:
        """make: called with how many were offered before, where this moment is to be one."""
        number, self._seen = self._seen, self._seen + 1
        if number < self._most:
            self.moments.append(make(number))
        elif (slot := self.dice.randrange(self._seen)) < self._most:
            self.moments[slot].disk.close()
            self.moments[slot] = make(number)


class VolatileDisk:
    """base: a raw image, which is only read. regions: names of byte ranges, such as partitions, of
    which the traffic is counted apart. Any thread may call; all but `power_on`, `export` and the
    figures raise PowerCut while there is no power."""

    def __init__(self, base: Path, regions: Mapping[str, range] | None = None) -> None:
        """Raises OSError, and ValueError for an image that is not made of whole sectors."""
        self._base = base.open("rb", buffering=0)
        self.size_bytes = base.stat().st_size
        if self.size_bytes % SECTOR_BYTES or not self.size_bytes:
            self._base.close()
            raise ValueError(f"{base} has {self.size_bytes} bytes, which are no sectors")
        self._lock = threading.Lock()  # of what follows
        self._power_news = threading.Condition(self._lock)
        self._regions = dict(regions or {})
        self._traffic = Traffic()
        self._traffic_of = {name: Traffic() for name in self._regions}
        self._kept: _Sectors = {}
        self._waiting: deque[_Sectors] = deque()  # writes in their order
        self._newest: _Sectors = {}  # of all that waits
        self._waiting_bytes = 0
        self._plan: Cut | None = None
        self._sample: Sample | None = None
        self._has_power = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent."""
        self._base.close()

    # --- for the machine -------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> bytes:
        """Whole sectors. Raises ValueError for anything else."""
        sectors = self._sectors(offset, size)
        with self._lock:
            self._expect_power()
            return self._read(sectors)

    def write(self, offset: int, data: bytes, is_fua: bool = False) -> None:
        """Whole sectors. is_fua: these are kept at once, whatever waits. Raises ValueError for
        anything else than sectors, DiskFull."""
        sectors = self._sectors(offset, len(data))
        written = dict(zip(sectors, _cut_up(data), strict=True))
        with self._lock:
            self._expect_power()
            self._count(offset, len(data))
            self._waiting.append(written)
            self._newest |= written
            self._waiting_bytes += len(data)
            self._happen()
            if is_fua:
                self._land(written)
            while self._waiting_bytes > MOST_CACHED_BYTES:
                self._kept |= self._waiting[0]
                self._drop_oldest()
            if (len(self._kept) + len(self._newest)) * SECTOR_BYTES > MOST_KEPT_BYTES:
                raise DiskFull(f"more than {MOST_KEPT_BYTES} bytes")

    def flush(self) -> None:
        """All that waits is kept from now on."""
        with self._lock:
            self._expect_power()
            for traffic in (self._traffic, *self._traffic_of.values()):
                traffic.flushes += 1
            self._happen()
            self._kept |= self._newest
            self._forget()

    # --- for the one who cuts --------------------------------------------------------------------

    def cut(self, dice: random.Random, landed: Landed = Landed.ANY) -> None:
        """The power fails now. Idempotent."""
        with self._lock:
            if self._has_power:
                self._cut(dice, landed)

    def plan(self, cut: Cut | None) -> None:
        """The power will fail by itself, once; None: it will not."""
        with self._lock:
            self._plan = cut

    def wait_cut(self, timeout_s: float) -> bool:
        """Until the power has failed; False when the time is over."""
        with self._power_news:
            return self._power_news.wait_for(lambda: not self._has_power, timeout_s)

    def power_on(self) -> None:
        """With what the cut has left. Idempotent."""
        with self._lock:
            self._has_power = True

    def sample(self, sample: Sample | None) -> None:
        """Moments are kept from now on; None: no more."""
        with self._lock:
            self._sample = sample

    def fork(self) -> Self:
        """Another disk with what is kept by now, and nothing in its cache."""
        with self._lock:
            return self._fork()

    def export(self, path: Path) -> None:
        """What is kept, as a raw image with holes. Raises OSError."""
        with self._lock, path.open("wb") as file:
            for first in range(0, self.size_bytes // SECTOR_BYTES, _EXPORT_SECTORS):
                last = min(first + _EXPORT_SECTORS, self.size_bytes // SECTOR_BYTES)
                data = self._read(range(first, last), is_kept_only=True)
                if data.count(0) != len(data):
                    file.seek(first * SECTOR_BYTES)
                    file.write(data)
            file.truncate(self.size_bytes)

    def traffic(self, region: str | None = None) -> Traffic:
        """Since the disk was made, in all or in a region; a flush is one of every region's."""
        with self._lock:
            return replace(self._traffic if region is None else self._traffic_of[region])

    @property
    def waiting_sectors(self) -> int:
        """How many sectors a cut could take back now."""
        with self._lock:
            return len(self._newest)

    # --- with the lock held ----------------------------------------------------------------------

    def _expect_power(self) -> None:
        if not self._has_power:
            raise PowerCut

    def _sectors(self, offset: int, size: int) -> range:
        is_inside = offset >= 0 and size > 0 and offset + size <= self.size_bytes
        if offset % SECTOR_BYTES or size % SECTOR_BYTES or not is_inside:
            raise ValueError(f"{size} bytes at {offset} are no sectors of this disk")
        return range(offset // SECTOR_BYTES, (offset + size) // SECTOR_BYTES)

    def _read(self, sectors: range, *, is_kept_only: bool = False) -> bytes:
        self._base.seek(sectors.start * SECTOR_BYTES)
        data = bytearray(self._base.read(len(sectors) * SECTOR_BYTES))
        for layer in (self._kept,) if is_kept_only else (self._kept, self._newest):
            for sector in layer.keys() & sectors if layer else ():
                at = (sector - sectors.start) * SECTOR_BYTES
                data[at : at + SECTOR_BYTES] = layer[sector]
        return bytes(data)

    def _count(self, offset: int, size: int) -> None:
        self._traffic.writes += 1
        self._traffic.written_bytes += size
        for name, region in self._regions.items():
            inside = min(offset + size, region.stop) - max(offset, region.start)
            if inside > 0:
                self._traffic_of[name].writes += 1
                self._traffic_of[name].written_bytes += inside

    def _fork(self) -> Self:
        other = type(self)(Path(self._base.name), self._regions)
        other._kept = dict(self._kept)
        return other

    def _moment(self, number: int) -> Moment:
        assert self._sample is not None
        dice = self._sample.dice
        landed = dice.choice(list(Landed))
        disk = self._fork()
        disk._kept |= _survivors(list(self._waiting), dice, landed)
        return Moment(number, landed, disk)

    def _happen(self) -> None:
        """The moment of a planned cut, if this is it."""
        if self._sample is not None:
            self._sample.offer(self._moment)
        plan = self._plan
        if plan is not None and plan.when(self._traffic):
            self._plan = None
            self._cut(plan.dice, plan.landed)
            plan.on_cut()
            raise PowerCut

    def _land(self, written: _Sectors) -> None:
        """Nothing that was in these sectors before can come back."""
        self._kept |= written
        for sector in list(written):
            self._newest.pop(sector, None)
            for sectors in self._waiting:  # `written` is one of them
                if sectors.pop(sector, None) is not None:
                    self._waiting_bytes -= SECTOR_BYTES

    def _drop_oldest(self) -> None:
        oldest = self._waiting.popleft()
        self._waiting_bytes -= len(oldest) * SECTOR_BYTES
        for sector, data in oldest.items():
            if self._newest.get(sector) is data:  # else a later write is there
                del self._newest[sector]

    def _forget(self) -> None:
        self._waiting.clear()
        self._newest.clear()
        self._waiting_bytes = 0

    def _cut(self, dice: random.Random, landed: Landed) -> None:
        self._kept |= _survivors(list(self._waiting), dice, landed)
        self._forget()
        self._has_power = False
        self._power_news.notify_all()


def _cut_up(data: bytes) -> list[bytes]:
    return [data[at : at + SECTOR_BYTES] for at in range(0, len(data), SECTOR_BYTES)]


def _survivors(waiting: list[_Sectors], dice: random.Random, landed: Landed) -> _Sectors:
    match landed:
        case Landed.NOTHING:
            return {}
        case Landed.EVERYTHING:
            return _together(waiting)
        case Landed.PREFIX:
            return _together(waiting[: dice.randint(0, len(waiting))])
        case Landed.TORN:
            long = [number for number, sectors in enumerate(waiting) if len(sectors) > 1]
            if not long:
                return {}
            number = dice.choice(long)
            torn = list(waiting[number].items())
            return _together([*waiting[:number], dict(torn[: dice.randrange(1, len(torn))])])
        case Landed.ANY:
            versions: dict[int, list[bytes | None]] = {}
            for sectors in waiting:
                for sector, data in sectors.items():
                    versions.setdefault(sector, [None]).append(data)
            drawn = {sector: dice.choice(found) for sector, found in versions.items()}
            return {sector: data for sector, data in drawn.items() if data is not None}


def _together(writes: list[_Sectors]) -> _Sectors:
    result: _Sectors = {}
    for sectors in writes:
        result |= sectors
    return result
