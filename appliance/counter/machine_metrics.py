"""What a Prometheus server can read of the machine: disks, supply, clock. As files of the kernel
and of the image say it, read anew each time; what is not there, or makes no sense, is left out.

Sources: Linux, Documentation/ABI/testing/sysfs-fs-ext4 and Documentation/mmc/mmc-dev-attrs; JEDEC
JESD84-B51 (eMMC), 7.4.40 to 7.4.42; Raspberry Pi's firmware, get_throttled; proc(5).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from appliance.counter.metrics import gauge

LARGEST_BYTES: Final = 64 * 1024
DEVICES_MOST: Final = 8
"""Disks, or file systems, that are looked at: a box has two or three."""
THROTTLED: Final = (
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
)
UNDERVOLTAGE_NOW, UNDERVOLTAGE_SEEN = 1 << 0, 1 << 16
_DEVICE: Final = re.compile(r"[A-Za-z0-9!-]{1,32}\Z")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,8}\Z")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?\Z")


def _room(folder: Path) -> tuple[int, int]:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that is looked at; tests give one of their own. root: where the file systems
    begin. now, up: wall time and time since the start, in seconds. room: of a folder's file system,
    bytes that are free and bytes in all; raises OSError."""

    root: Path = Path("/")
    now: Callable[[], float] = time.time
    up: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    room: Callable[[Path], tuple[int, int]] = _room


def measure(machine: Machine) -> list[Metric]:
    """All that can be found out. It never waits for a disk that does not answer: nothing here
    writes, and all but the write probe's word is in the kernel's memory."""
    return [
        gauge("kassa_time_seconds", "The machine's clock, in Unix time.", machine.now()),
        gauge("kassa_uptime_seconds", "Since the machine was started.", machine.up()),
        *_clock(machine.root),
        *_memory(machine.root),
        *_temperature(machine.root),
        *_supply(machine.root),
        *_file_systems(machine.root),
        *_emmc(machine.root),
        *_image(machine.root),
        *_data(machine),
    ]


def _clock(root: Path) -> Iterator[Metric]:
    """systemd-timesyncd(8): the folder is there while it runs, the file in it once it did its
    work. adjtimex(2) would say it for any time service, and is refused to a hardened unit."""
    folder = root / "run/systemd/timesync"
    if folder.is_dir():
        text = "1 once the clock was set from the network."
        is_set = (folder / "synchronized").exists()
        yield gauge("kassa_clock_synchronised", text, is_set)


def _memory(root: Path) -> Iterator[Metric]:
    for line in (_read(root / "proc/meminfo") or "").splitlines():
        if found := re.fullmatch(r"MemAvailable:\s+([0-9]{1,12}) kB", line):
            text = "Memory that programs can still have."
            yield gauge("kassa_memory_available_bytes", text, int(found[1]) * 1024)


def _temperature(root: Path) -> Iterator[Metric]:
    value = _number(root / "sys/class/thermal/thermal_zone0/temp")
    if value is not None:
        yield gauge("kassa_temperature_celsius", "Of the processor.", value / 1000)


def _supply(root: Path) -> Iterator[Metric]:
    """The firmware's own word, or that of the kernel's driver rpi_volt. A PC has neither."""
    words = [_read(root / path) for path in THROTTLED]
    bits = next((int(word, 16) for word in words if word and _is_hex(word)), None)
    alarms = [
        value
        for name in sorted(root.glob("sys/class/hwmon/hwmon*/name"))
        if _read(name) == "rpi_volt"
        and (value := _number(name.with_name("in0_lcrit_alarm"))) is not None
    ]
    if bits is None and not alarms:
        return
    is_low = bool((bits or 0) & UNDERVOLTAGE_NOW) or any(alarms)
    yield gauge("kassa_undervoltage", "1 while the supply's voltage is too low.", is_low)
    if bits is not None:
        text = "1 when it was too low at some time since the start."
        yield gauge("kassa_undervoltage_seen", text, bool(bits & UNDERVOLTAGE_SEEN))


def _file_systems(root: Path) -> Iterator[Metric]:
    errors = GaugeMetricFamily(
        "kassa_filesystem_errors", "Errors that ext4 has met, ever.", labels=["device"]
    )
    for file in sorted(root.glob("sys/fs/ext4/*/errors_count"))[:DEVICES_MOST]:
        value = _number(file)
        if value is not None and _DEVICE.match(file.parent.name):
            errors.add_metric([file.parent.name], value)
    yield errors


def _emmc(root: Path) -> Iterator[Metric]:
    """life_time has two estimates in steps of a tenth, 0x01 … 0x0a, 0x0b for "exceeded" and 0x00
    for "not said". pre_eol_info: 1 well, 2 four fifths of the spare blocks are used, 3 nearly all.
    """
    life = GaugeMetricFamily(
        "kassa_emmc_life_used_ratio", "Of its life, as it estimates; above 1 is over.",
        labels=["device", "estimate"],
    )  # fmt: skip
    spare = GaugeMetricFamily(
        "kassa_emmc_pre_eol", "1 well, 2 spare blocks run out, 3 nearly none left.",
        labels=["device"],
    )  # fmt: skip
    for folder in sorted(root.glob("sys/block/mmcblk*/device"))[:DEVICES_MOST]:
        device = folder.parent.name
        if not _DEVICE.match(device):
            continue
        words = (_read(folder / "life_time") or "").split()
        for estimate, word in zip("ab", words, strict=False):
            if _is_hex(word) and 1 <= int(word, 16) <= 11:
                life.add_metric([device, estimate], int(word, 16) / 10)
        word = _read(folder / "pre_eol_info") or ""
        if _is_hex(word) and 1 <= int(word, 16) <= 3:
            spare.add_metric([device], int(word, 16))
    yield life
    yield spare


def _image(root: Path) -> Iterator[Metric]:
    """What the image's kassa-storage.timer has found: see image/system's check-storage."""
    storage = _read(root / "run/kassa-machine/storage")
    if storage is not None:
        lines = [line for line in storage.split("\n") if line]
        text = "Things wrong with how the disk is used."
        yield gauge("kassa_storage_troubles", text, len(lines))
    words = (_read(root / "run/kassa-machine/write-probe") or "").split()
    if len(words) == 3 and words[0] in ("ok", "failed") and all(map(_NUMBER.match, words[1:])):
        outcome, took, at = words
        yield gauge("kassa_write_probe_ok", "1 when the last one was written.", outcome == "ok")
        text = "What writing and syncing a block on the data partition took."
        yield gauge("kassa_write_probe_seconds", text, float(took))
        text = "When it was last tried, in Unix time."
        yield gauge("kassa_write_probe_timestamp_seconds", text, float(at))


def _data(machine: Machine) -> Iterator[Metric]:
    folder = machine.root / "data"
    with suppress(OSError):
        free, size = machine.room(folder if folder.is_dir() else machine.root / "var/lib")
        text = "Room left for the journal."
        yield gauge("kassa_data_free_bytes", text, free)
        text = "Of the file system that holds it."
        yield gauge("kassa_data_size_bytes", text, size)


def _read(file: Path) -> str | None:
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST_BYTES).decode("ascii", errors="replace").strip()
    except OSError:
        return None


def _number(file: Path) -> float | None:
    text = _read(file)
    return float(text) if text is not None and _NUMBER.match(text) else None


def _is_hex(word: str) -> bool:
    return bool(_HEX.match(word if word.startswith("0x") else f"0x{word}"))
