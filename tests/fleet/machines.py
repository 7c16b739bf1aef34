"""Machines that are only files: a tree as the kernel and the image would show it."""

from __future__ import annotations

from pathlib import Path

from appliance.counter.machine_metrics import THROTTLED, Machine

NOW = 1_796_000_000.0
UP_S = 86_400.0

HEALTHY = {
    "proc/meminfo": "MemTotal:  3884000 kB\nMemAvailable:  2000000 kB\n",
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    THROTTLED[0]: "0\n",
    "sys/fs/ext4/mmcblk0p2/errors_count": "0\n",
    "sys/fs/ext4/mmcblk0p3/errors_count": "0\n",
    "sys/block/mmcblk0/device/life_time": "0x01 0x02\n",
    "sys/block/mmcblk0/device/pre_eol_info": "0x01\n",
    "run/systemd/timesync/synchronized": "",
    "run/kassa-machine/storage": "",
    "run/kassa-machine/write-probe": f"ok 0.03 {NOW:.0f}\n",
    "data/kassa/journal.sqlite3": "",
}


def machine(root: Path) -> Machine:
    """A healthy one below this folder. Its clock says NOW."""
    for name, content in HEALTHY.items():
        put(root, name, content)
    return Machine(root, lambda: NOW, lambda: UP_S)


def put(root: Path, name: str, content: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content)
