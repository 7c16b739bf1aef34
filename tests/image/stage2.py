"""What pi-gen's stage 2 leaves, made from a tar of Debian's own arm64: enough of Raspberry Pi OS
for our stage to have something to remove. Packages are empty ones with the right names.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# Name -> what it depends on.
PACKAGES: Final[Mapping[str, str]] = {
    # The part that stays.
    "linux-image-rpi-2712": "",
    "linux-image-rpi-v8": "",
    "raspberrypi-archive-keyring": "",
    "raspi-utils": "",
    # The part that goes. Headers and compiler hang together, as do swap and its tools.
    "avahi-daemon": "",
    "bluez": "",
    "build-essential": "gcc",
    "cloud-init": "netplan.io",
    "gcc": "",
    "gdb": "",
    "linux-headers-6.18.34+rpt-rpi-v8": "gcc",
    "linux-headers-rpi-v8": "linux-headers-6.18.34+rpt-rpi-v8",
    "man-db": "",
    "netplan.io": "",
    "raspberrypi-sys-mods": "",
    "raspi-config": "",
    "rpi-cloud-init-mods": "cloud-init",
    "rpi-connect-lite": "",
    "rpi-loop-utils": "",
    "rpi-swap": "rpi-loop-utils, systemd-zram-generator",
    "rpi-usb-gadget": "",
    "sudo": "",
    "systemd-zram-generator": "",
    "triggerhappy": "",
    "udisks2": "",
    "userconf-pi": "",
}
USER: Final = "build"

# Where Debian's raspi-firmware would write its own boot partition, that of Raspberry Pi OS copies
# each kernel and initramfs under the names that the firmware looks for.
_HOOK: Final = """#!/bin/sh
set -eu
for name in kernel8.img kernel_2712.img; do cp "/boot/vmlinuz-$1" "/boot/firmware/$name"; done
for name in initramfs8 initramfs_2712; do cp "$2" "/boot/firmware/$name"; done
"""
_CMDLINE: Final = (
    "console=serial0,115200 console=tty1 root=ROOTDEV rootfstype=ext4 "
    "fsck.repair=yes rootwait resize"
)
# As stages 1 and 2 leave them: a user with a password who may do everything, a root without one.
_ACCOUNTS: Final = f"""
dpkg --install /fakes/*.deb
useradd --create-home --shell /bin/bash {USER}
echo {USER}:invented | chpasswd
echo root:root | chpasswd
usermod --pass='*' root
mkdir -p /etc/sudoers.d
echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/010_pi-nopasswd
systemctl --quiet enable rpi-resize.service
rm -rf /fakes
"""


def make_package(folder: Path, name: str, depends: str, files: Mapping[str, str]) -> None:
    """An empty Debian package, or one with a few files; its .deb comes to be in `folder`."""
    tree = folder / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nDescription: empty\n"
    control += "Maintainer: Nobody <nobody@kassa.invalid>\n"
    if depends:
        control += f"Depends: {depends}\n"
    (tree / "DEBIAN/control").write_text(control)
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, folder / f"{name}.deb"],
        check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run(["rm", "-rf", tree], check=True)


def unpack(tar: Path, root: Path) -> None:
    root.mkdir(parents=True)
    subprocess.run(
        ["tar", "--extract", "--numeric-owner", "--exclude=./dev/*", "-f", tar, "-C", root],
        check=True,
    )


def lacking(root: Path, deb: Path) -> list[str]:
    """What our package needs and the root has not: a tar may be older than the package."""
    asked = ["dpkg-deb", "--field", str(deb), "Depends"]
    needed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    names = {re.sub(r"[:( |].*", "", entry.strip()) for entry in needed.split(",")}
    status = (root / "var/lib/dpkg/status").read_text()
    return sorted(names - set(re.findall(r"^Package: (.*)$", status, re.MULTILINE)))


def dress(root: Path, deb: Path) -> None:
    """Makes Debian's root into one after stage 2, ready for our package. What that needs and a tar
    of last month lacks comes as an empty package too. Raises CalledProcessError.
    """
    fakes = root / "fakes"
    fakes.mkdir()
    unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
    for name, depends in {**PACKAGES, **dict.fromkeys(lacking(root, deb), "")}.items():
        own = name == "raspberrypi-sys-mods"
        files = {"usr/lib/systemd/system/rpi-resize.service": unit} if own else {}
        make_package(fakes, name, depends, files)
    for folder in ("etc/kernel/postinst.d", "etc/initramfs/post-update.d"):
        (root / folder / "z50-raspi-firmware").unlink()
    hook = root / "etc/initramfs/post-update.d/z50-raspi-firmware"
    hook.write_text(_HOOK)
    hook.chmod(0o755)

    # Read after ours: it is emulated, and two minutes of packing prove nothing.
    (root / "etc/initramfs-tools/conf.d/zz-quick").write_text("COMPRESSLEVEL=1\n")

    boot = root / "boot/firmware"
    (boot / "cmdline.txt").write_text(_CMDLINE + "\n")
    (boot / "config.txt").write_text("auto_initramfs=1\ndtoverlay=vc4-kms-v3d\n[cm4]\notg_mode=1\n")
    (boot / "user-data").write_text("#cloud-config\n")
    (root / "etc/fstab").write_text("ROOTDEV / ext4 defaults,noatime 0 1\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    (root / "etc/default/locale").write_text("LANG=en_GB.UTF-8\n")
    (root / "etc/apt/apt.conf.d/51cache").write_text(
        'Acquire::http { Proxy "http://192.0.2.1"; };\n'
    )
    conf = root / "etc/initramfs-tools/update-initramfs.conf"
    conf.write_text(conf.read_text().replace("update_initramfs=yes", "update_initramfs=no"))
    enter(root, _ACCOUNTS)


def enter(root: Path, script: str) -> None:
    """Runs a shell script inside of a root. Raises CalledProcessError; what it says is shown."""
    mounts = (
        'mount -t proc proc "$0/proc"; mount -t tmpfs dev "$0/dev"; : >"$0/dev/null"; '
        'mount --bind /dev/null "$0/dev/null"; exec chroot "$0" env -i HOME=/root LC_ALL=C.UTF-8 '
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -eu"
    )
    subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-euc", mounts, root],
        input=script, text=True, check=True,
    )  # fmt: skip
