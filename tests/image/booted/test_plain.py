"""Our share: the same figures of a machine with Debian, compositor and browser, and no Kassa."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image import plain
from tests.image.booted.kiosk import BOOT_S, GROUND, Kiosk, Outside, Parts
from tests.image.hardware import Hardware
from tests.image.qemu import Machine
from tests.image.screens import contains_colour, flat_colour

pytestmark = [pytest.mark.timeout(3600)]

AGAIN_S = 0.5
REST_S = 30.0
PROCESSES = (
    "for p in /proc/[0-9]*; do r=$p/smaps_rollup; [ -r $r ] || continue;"
    " s=$(sed -n 's/^Pss: *\\([0-9]*\\).*/\\1/p' $r); [ -n \"$s\" ] || continue;"
    ' echo "$s $(cat $p/comm)"; done 2>/dev/null | sort -rn | head -n 12'
)


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + BOOT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(AGAIN_S)


def say(whose: str, painted_s: float, memory: str, processes: str, root: Path) -> None:
    """Printed, not judged."""
    print(f"figure: {whose}: page on the screen after {painted_s:.0f} s")
    print(f"figure: {whose}: memory, MiB, of and used:", memory.split()[1:3])
    for line in processes.splitlines():
        kib, name = line.split(maxsplit=1)
        print(f"figure: {whose}: PSS of {name}: {int(kib) / 1024:.0f} MiB")
    size = subprocess.run(
        ["du", "--summarize", "--apparent-size", "--block-size=1M", root],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    print(f"figure: {whose}: files, MiB: {size.split()[0]}")


def test_ours(parts: Parts, tmp_path: Path) -> None:
    with Outside(tmp_path, parts) as outside, Kiosk(outside) as kiosk:

        def is_painted() -> bool:
            shown = kiosk.screenshot("painted")
            return flat_colour(shown) is None and contains_colour(shown, GROUND, 0.3)

        until(is_painted)
        painted_s = time.monotonic() - kiosk.started_at
        kiosk.wait_well()
        time.sleep(REST_S)
        memory, processes = kiosk.ssh("free -m | sed -n 2p"), kiosk.ssh(PROCESSES)
        say("ours", painted_s, memory, processes, parts.folder / "root")


def test_plain(parts: Parts, tmp_path: Path) -> None:
    plain.build(tmp_path, parts.arch, GROUND)
    hardware = Hardware(
        arch=parts.arch, disk=tmp_path / "disk.img", kernel=tmp_path / "vmlinuz",
        initrd=tmp_path / "initrd", append=plain.APPEND, memory_mib=1024, has_shell=True,
    )  # fmt: skip
    started = time.monotonic()
    with Machine(tmp_path / "machine", hardware) as machine:
        until(lambda: contains_colour(machine.screenshot(), GROUND, 0.9))
        painted_s = time.monotonic() - started
        machine.wait_shell(BOOT_S)
        time.sleep(REST_S)
        _, memory = machine.run("free -m | sed -n 2p", 300)
        _, processes = machine.run(PROCESSES, 300)
    say("plain", painted_s, memory, processes, tmp_path / "root")
