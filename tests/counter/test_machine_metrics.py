"""What a machine's files come to as figures; what is not there, or makes no sense, is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.counter.machine_metrics import THROTTLED, Machine, measure
from tests.fleet.machines import NOW, UP_S, machine, put

Figures = dict[tuple[str, ...], float]


def figures(found: Machine) -> Figures:
    """By name and the values of the labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in measure(found)
        for sample in family.samples
    }


def test_a_healthy_box(tmp_path: Path) -> None:
    found = figures(machine(tmp_path))
    sizes = {key: found.pop(key) for key in list(found) if key[0].startswith("kassa_data_")}
    assert set(sizes) == {("kassa_data_free_bytes",), ("kassa_data_size_bytes",)}
    assert 0 < sizes["kassa_data_free_bytes",] <= sizes["kassa_data_size_bytes",]
    assert found == {
        ("kassa_time_seconds",): NOW,
        ("kassa_uptime_seconds",): UP_S,
        ("kassa_clock_synchronised",): 1,
        ("kassa_memory_available_bytes",): 2_048_000_000,
        ("kassa_temperature_celsius",): 48.312,
        ("kassa_undervoltage",): 0,
        ("kassa_undervoltage_seen",): 0,
        ("kassa_filesystem_errors", "mmcblk0p2"): 0,
        ("kassa_filesystem_errors", "mmcblk0p3"): 0,
        ("kassa_emmc_life_used_ratio", "mmcblk0", "a"): 0.1,
        ("kassa_emmc_life_used_ratio", "mmcblk0", "b"): 0.2,
        ("kassa_emmc_pre_eol", "mmcblk0"): 1,
        ("kassa_storage_troubles",): 0,
        ("kassa_write_probe_ok",): 1,
        ("kassa_write_probe_seconds",): 0.03,
        ("kassa_write_probe_timestamp_seconds",): NOW,
    }


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("sys/fs/ext4/mmcblk0p3/errors_count", "7\n",
         {("kassa_filesystem_errors", "mmcblk0p3"): 7}),
        ("sys/block/mmcblk0/device/life_time", "0x0b 0x0a",
         {("kassa_emmc_life_used_ratio", "mmcblk0", "a"): 1.1,
          ("kassa_emmc_life_used_ratio", "mmcblk0", "b"): 1.0}),
        ("sys/block/mmcblk0/device/pre_eol_info", "0x03", {("kassa_emmc_pre_eol", "mmcblk0"): 3}),
        (THROTTLED[0], "50005\n", {("kassa_undervoltage",): 1, ("kassa_undervoltage_seen",): 1}),
        (THROTTLED[0], "0x50000\n", {("kassa_undervoltage",): 0, ("kassa_undervoltage_seen",): 1}),
        ("run/kassa-machine/storage", "one\ntwo\n", {("kassa_storage_troubles",): 2}),
        ("run/kassa-machine/write-probe", "failed 60.01 12",
         {("kassa_write_probe_ok",): 0, ("kassa_write_probe_seconds",): 60.01}),
    ],
)  # fmt: skip
def test_what_wears_out_is_seen(tmp_path: Path, name: str, content: str, expected: Figures) -> None:
    found = machine(tmp_path)
    put(tmp_path, name, content)
    assert figures(found).items() >= expected.items()


@pytest.mark.parametrize(
    ("name", "content", "gone"),
    [
        ("sys/fs/ext4/mmcblk0p3/errors_count", "many", ("kassa_filesystem_errors", "mmcblk0p3")),
        ("sys/block/mmcblk0/device/life_time", "0x00 0x0c",
         ("kassa_emmc_life_used_ratio", "mmcblk0", "a")),
        ("sys/block/mmcblk0/device/life_time", "\xff",
         ("kassa_emmc_life_used_ratio", "mmcblk0", "b")),
        ("sys/block/mmcblk0/device/pre_eol_info", "0x00", ("kassa_emmc_pre_eol", "mmcblk0")),
        (THROTTLED[0], "what?", ("kassa_undervoltage",)),
        ("sys/class/thermal/thermal_zone0/temp", "", ("kassa_temperature_celsius",)),
        ("proc/meminfo", "MemAvailable: much", ("kassa_memory_available_bytes",)),
        ("run/kassa-machine/write-probe", "ok soon", ("kassa_write_probe_ok",)),
        ("run/kassa-machine/write-probe", "ok 1 nan", ("kassa_write_probe_timestamp_seconds",)),
    ],
)  # fmt: skip
def test_nonsense_is_no_figure(
    tmp_path: Path, name: str, content: str, gone: tuple[str, ...]
) -> None:
    found = machine(tmp_path)
    assert gone in figures(found)
    put(tmp_path, name, content)
    assert gone not in figures(found)


def test_a_kernel_driver_tells_of_the_supply_where_the_firmware_does_not(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    put(tmp_path, "sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
    assert ("kassa_undervoltage",) not in figures(Machine(tmp_path))
    put(tmp_path, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert figures(Machine(tmp_path))["kassa_undervoltage",] == 1
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
    assert figures(Machine(tmp_path))["kassa_undervoltage",] == 0


def test_a_clock_that_was_not_set_yet(tmp_path: Path) -> None:
    found = machine(tmp_path)
    (tmp_path / "run/systemd/timesync/synchronized").unlink()
    assert figures(found)["kassa_clock_synchronised",] == 0
    (tmp_path / "run/systemd/timesync").rmdir()  # another time service: nobody can say
    assert ("kassa_clock_synchronised",) not in figures(found)


def test_an_empty_machine_has_a_clock(tmp_path: Path) -> None:
    assert set(figures(Machine(tmp_path))) == {("kassa_time_seconds",), ("kassa_uptime_seconds",)}


def test_a_label_takes_no_odd_name_and_few_devices(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path, f"sys/fs/ext4/sd{number:02}/errors_count", "0")
    put(tmp_path, "sys/fs/ext4/a b/errors_count", "0")
    found = [key for key in figures(Machine(tmp_path)) if key[0] == "kassa_filesystem_errors"]
    assert 1 <= len(found) <= 8
    assert all(key[1].startswith("sd") for key in found)


def test_the_machine_that_runs_this(tmp_path: Path) -> None:
    found = figures(Machine())
    assert found["kassa_uptime_seconds",] > 0
    assert found["kassa_data_free_bytes",] > 0
