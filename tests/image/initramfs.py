"""The smallest guest: a kernel of Debian's, a few modules, busybox, and a shell that answers.

Source of the archive's format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import lzma
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.image.hardware import Arch
from tests.image.shell import PORT_NAME

READY: Final = "the guest is ready"
_ELF_MACHINES: Final[dict[int, Arch]] = {62: "amd64", 183: "arm64"}
_INIT: Final = f"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
    insmod "/modules/$module" || echo "no $module"
done </modules/order
port=
while [ -z "$port" ]; do
    name=$(grep -lx {PORT_NAME} /sys/class/virtio-ports/*/name)
    port=${{name%/name}}
    port=${{port##*/}}
done
echo {READY}
while :; do
    sh <>"/dev/$port" >&0 2>&0
    sleep 1
done
"""


class GuestMissing(Exception):
    """What the guest is made of is not on this host."""


@dataclass(frozen=True, slots=True)
class GuestParts:
    """root: of a Debian system or of unpacked packages, with a kernel, its modules, and a busybox
    that needs no libraries."""

    arch: Arch
    kernel: Path
    modules: Path
    busybox: Path


def find_parts(root: Path) -> GuestParts:
    """Of the newest kernel there. Raises GuestMissing."""
    busybox = _first(root, "bin/busybox", "usr/bin/busybox")
    # e_machine of the ELF header
    arch = _ELF_MACHINES.get(int.from_bytes(busybox.read_bytes()[18:20], "little"))
    if arch is None:
        raise GuestMissing(f"{busybox} is for another processor")
    for kernel in sorted(root.glob("boot/vmlinuz-*"), reverse=True):
        release = kernel.name.removeprefix("vmlinuz-")
        for modules in (root / "lib/modules" / release, root / "usr/lib/modules" / release):
            if (modules / "modules.dep").exists():
                return GuestParts(arch, kernel, modules, busybox)
    raise GuestMissing(f"no boot/vmlinuz-* with its modules and their modules.dep in {root}")


def _first(root: Path, *names: str) -> Path:
    for name in names:
        if (root / name).exists():
            return root / name
    raise GuestMissing(f"no {names[0]} in {root}")


def build_initramfs(
    parts: GuestParts, path: Path, modules: Iterable[str], if_there: Iterable[str] = ()
) -> None:
    """An archive with these modules and what they need. if_there: and these, which newer kernels
    may have no more. Raises GuestMissing for one of the others that is neither a module nor part of
    the kernel."""
    files = _module_files(parts, modules, set(if_there))
    entries = [
        ("bin", stat.S_IFDIR | 0o755, b""),
        ("dev", stat.S_IFDIR | 0o755, b""),
        ("modules", stat.S_IFDIR | 0o755, b""),
        ("init", stat.S_IFREG | 0o755, _INIT.encode()),
        ("bin/busybox", stat.S_IFREG | 0o755, parts.busybox.read_bytes()),
        ("modules/order", stat.S_IFREG | 0o644, "".join(f"{f.stem}\n" for f in files).encode()),
    ]
    for file in files:
        data = file.read_bytes()
        if file.suffix == ".xz":
            data = lzma.decompress(data)
        entries.append((f"modules/{file.stem}", stat.S_IFREG | 0o644, data))
    with path.open("wb") as archive:
        for piece in _archive(entries):
            archive.write(piece)


def _module_files(parts: GuestParts, wanted: Iterable[str], if_there: set[str]) -> list[Path]:
    """In the order in which they can be loaded."""
    needs: dict[str, list[str]] = {}
    for line in (parts.modules / "modules.dep").read_text().splitlines():
        name, _, others = line.partition(":")
        needs[name] = others.split()
    by_name = {_module_name(file): file for file in needs}
    builtin = {
        _module_name(line) for line in (parts.modules / "modules.builtin").read_text().splitlines()
    }
    found: dict[str, None] = {}
    for name in [*(if_there & by_name.keys()), *wanted]:
        if name in builtin:
            continue
        if name not in by_name:
            raise GuestMissing(f"{parts.kernel.name} has no {name}")
        file = by_name[name]
        # What it needs stands there with the deepest last (modules.dep(5)).
        found |= dict.fromkeys([*needs[file][::-1], file])
    return [parts.modules / file for file in found]


def _module_name(file: str) -> str:
    return Path(file).name.partition(".ko")[0].replace("-", "_")


def _archive(entries: Iterable[tuple[str, int, bytes]]) -> Iterator[bytes]:
    """In cpio's "newc" format."""
    number = 0
    for number, (name, mode, data) in enumerate(entries, 1):
        yield _entry(name, number, mode, data)
    yield _entry("TRAILER!!!", 0, 0, b"")


def _entry(name: str, number: int, mode: int, data: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    # Inode, mode, owner, group, links, time, size, the device's and the node's numbers, the
    # length of the name, no checksum.
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields) + encoded
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
