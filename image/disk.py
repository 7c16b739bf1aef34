"""Makes a disk image from trees of files, without loop devices or mounts.

Three partitions: boot (FAT, what a firmware and any computer can read), root (ext4), data (ext4,
the last one, so that it can grow to the end of whatever card it is written to). Identifiers and
times are given, so that the same trees make the same bytes where mke2fs and mtools permit.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20
SECTOR: Final = 512
FIRST_MIB: Final = 4  # SD cards erase in pieces of up to 4 MiB
BOOT_MIB: Final = 256
DATA_MIB: Final = 64
ROOM_PERCENT: Final = 60
"""Free on the root, of what is used: updates unpack the new beside the old."""
# Of an ext4 file system; those between are its own.
ROOT_INODE: Final = 2
FIRST_INODE: Final = 11
# sfdisk(8): types by GPT's GUID and by MBR's number.
TYPES: Final = {"amd64": ("U", "L", "L"), "arm64": ("c", "83", "83")}
LABELS: Final = {"amd64": "gpt", "arm64": "dos"}


@dataclass(frozen=True, slots=True)
class Part:
    """One partition: where it begins and how large it is, in MiB."""

    start_mib: int
    size_mib: int


def run(*command: str, text: str | None = None) -> str:
    """What it says. Raises CalledProcessError, with what it said on standard error before."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        done.check_returncode()
    return done.stdout


def used_mib(tree: Path) -> int:
    """What the files of a tree take on a file system with blocks of 4 KiB."""
    total = 0
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            total += -(-os.lstat(os.path.join(folder, name)).st_size // 4096) * 4096 + 256
    return -(-total // MIB)


def layout(root_mib: int, boot_mib: int = BOOT_MIB) -> tuple[Part, Part, Part]:
    boot = Part(FIRST_MIB, boot_mib)
    root = Part(boot.start_mib + boot.size_mib, root_mib)
    return boot, root, Part(root.start_mib + root.size_mib, DATA_MIB)


def table(arch: str, disk_id: str, ids: list[str], parts: tuple[Part, ...]) -> str:
    """The partition table, as sfdisk(8) reads it."""
    is_gpt = LABELS[arch] == "gpt"
    label_id = f"{disk_id}-0000-4000-8000-000000000000" if is_gpt else f"0x{disk_id}"
    lines = [f"label: {LABELS[arch]}", f"label-id: {label_id}", "unit: sectors"]
    lines.append(f"sector-size: {SECTOR}")
    for part, kind, identity in zip(parts, TYPES[arch], ids, strict=True):
        start, size = part.start_mib * MIB // SECTOR, part.size_mib * MIB // SECTOR
        line = f"start={start}, size={size}, type={kind}"
        lines.append(f"{line}, uuid={identity}" if is_gpt else line)
    return "\n".join(lines) + "\n"


def make_fat(disk: Path, part: Part, tree: Path, volume_id: str) -> None:
    file = disk.with_name("boot.img")
    file.unlink(missing_ok=True)
    # --invariant: no time of this minute in it. FAT32, as a Raspberry Pi's firmware wants it.
    size = str(part.size_mib * 1024)
    run(
        *("mkfs.vfat", "--invariant", "-C", "-F", "32", "-n", "KASSA", "-i", volume_id),
        *(str(file), size),
    )
    for path in sorted(tree.iterdir()):
        run("mcopy", "-i", str(file), "-s", "-p", "-m", str(path), "::/")
    run("dd", f"if={file}", f"of={disk}", "bs=1M", f"seek={part.start_mib}", "conv=notrunc,sparse")
    file.unlink()


def make_ext4(disk: Path, part: Part, tree: Path, label: str, identity: str) -> None:
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-U", identity, "-m", "1",
        "-E", f"offset={part.start_mib * MIB},hash_seed={identity},"
        "lazy_itable_init=0,lazy_journal_init=0",
        "-d", str(tree), str(disk), f"{part.size_mib * 1024}k")  # fmt: skip
    settle_times(f"{disk}?offset={part.start_mib * MIB}")


def settle_times(file_system: str) -> None:
    """When an inode was last changed and read is copied by mke2fs as well, and no program can set
    the first in a tree. Here both become the time of the commit. file_system: as e2fsprogs name
    one, with its offset."""
    told = run("dumpe2fs", file_system)
    (count,) = map(int, re.findall(r"(?m)^Inode count: +(\d+)$", told))
    free: set[int] = set()
    for ranges in re.findall(r"(?m)^  Free inodes: (.+)$", told):
        for some in ranges.split(", "):
            first, _, last = some.partition("-")
            free.update(range(int(first), int(last or first) + 1))
    used = sorted({ROOT_INODE, *range(FIRST_INODE, count + 1)} - free)
    epoch = os.environ["SOURCE_DATE_EPOCH"]
    fields = ("atime", "ctime")
    words = "".join(f"sif <{inode}> {field} @{epoch}\n" for inode in used for field in fields)
    run("debugfs", "-w", "-f", "-", file_system, text=words)


def skeleton(tree: Path, passwd: Path) -> None:
    """What the data partition has from the start. Owners are looked up in the system's passwd."""
    users = {line.split(":")[0]: line.split(":") for line in passwd.read_text().splitlines()}

    def folder(name: str, owner: str, group: str, mode: int) -> None:
        path = tree / name
        path.mkdir(parents=True)
        os.chown(path, int(users[owner][2]), int(users[group][3]))
        path.chmod(mode)

    folder("kassa", "kassa", "kassa", 0o750)
    folder("links", "kassa-links", "kassa-links", 0o700)
    folder("etc", "root", "kassa", 0o750)
    folder("etc/credentials", "root", "root", 0o700)
    folder("etc/firewall.d", "root", "root", 0o750)
    folder("network", "root", "root", 0o700)
    folder("ssh", "root", "root", 0o700)
    folder("update", "root", "root", 0o700)
    folder("timesync", "systemd-timesync", "systemd-timesync", 0o755)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=sorted(TYPES), required=True)
    parser.add_argument("--root", type=Path, required=True, help="the system's tree")
    parser.add_argument("--boot", type=Path, required=True, help="the boot partition's tree")
    parser.add_argument("--work", type=Path, required=True, help="disk.img is made in here")
    parser.add_argument("--disk-id", required=True, help="eight hexadecimal digits")
    parser.add_argument("--partitions", nargs=3, required=True, help="PARTUUIDs")
    parser.add_argument("--boot-mib", type=int, default=BOOT_MIB, help="the boot partition's size")
    asked = parser.parse_args()
    os.environ["E2FSPROGS_FAKE_TIME"] = os.environ["SOURCE_DATE_EPOCH"]  # and debugfs

    data = asked.work / "data"
    run("rm", "-rf", str(data))
    skeleton(data, asked.root / "etc/passwd")
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for folder, _, _ in os.walk(data):
        os.utime(folder, (epoch, epoch))

    used = used_mib(asked.root)
    parts = layout(-(-used * (100 + ROOM_PERCENT) // 100 // 64) * 64, asked.boot_mib)
    disk = asked.work / "disk.img"
    disk.unlink(missing_ok=True)
    with disk.open("wb") as file:
        file.truncate((parts[-1].start_mib + parts[-1].size_mib + 1) * MIB)
    run(
        "sfdisk",
        "--quiet",
        str(disk),
        text=table(asked.arch, asked.disk_id, asked.partitions, parts),
    )
    identity = f"{asked.disk_id}-{{}}-4000-8000-000000000000"
    make_fat(disk, parts[0], asked.boot, asked.disk_id)
    make_ext4(disk, parts[1], asked.root, "kassa-root", identity.format("0002"))
    make_ext4(disk, parts[2], data, "kassa-data", identity.format("0003"))
    print(f"image: root {used} MiB of {parts[1].size_mib} MiB", file=sys.stderr)


if __name__ == "__main__":
    main()
