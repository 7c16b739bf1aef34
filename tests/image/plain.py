"""A machine to compare ours with: Debian, the same compositor, the same browser with one page that
does nothing, and no Kassa. What ours takes beyond it is our share."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.image.hardware import Arch
from tests.image.shell import PORT_NAME

SYSTEM: Final = Path(__file__).parents[2] / "image/system"
SUITE: Final = "trixie"
SCREEN: Final = ("cage", "chromium", "fonts-inter", "libgl1-mesa-dri", "seatd")
SIZE_MIB: Final = 3072
APPEND: Final = "root=/dev/vda rw quiet splash loglevel=3"

SHELL_UNIT: Final = f"""[Service]
ExecStart=/bin/sh -c 'exec sh <>/dev/virtio-ports/{PORT_NAME} >&0 2>&0'
Restart=always
[Install]
WantedBy=multi-user.target
"""
SCREEN_UNIT: Final = """[Unit]
After=seatd.service systemd-user-sessions.service
Wants=seatd.service
Conflicts=getty@tty1.service
[Service]
User=screen
SupplementaryGroups=video render
RuntimeDirectory=screen
Environment=XDG_RUNTIME_DIR=/run/screen HOME=/run/screen LIBSEAT_BACKEND=seatd
Environment=WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman
ExecStart=cage -d -- /usr/lib/chromium/chromium --kiosk --ozone-platform=wayland --disable-gpu \
  --no-first-run --disable-dev-tools --user-data-dir=/run/screen/profile file:///usr/share/page.html
Restart=always
[Install]
WantedBy=graphical.target
"""


def packages(arch: Arch) -> list[str]:
    """What our image has of Debian's besides what our package depends on, and the screen."""
    found = list(SCREEN)
    for name in ("packages.txt", f"packages-{arch}.txt"):
        lines = (SYSTEM / name).read_text().splitlines()
        found += [line for line in lines if line and not line.startswith("#")]
    return found


def build(folder: Path, arch: Arch, colour: tuple[int, int, int]) -> None:
    """Leaves root/, disk.img (one ext4), vmlinuz and initrd in `folder`. The page has that colour.
    Raises CalledProcessError. Needs root, and a minute and a half."""
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    options = ["--aptopt=APT::Install-Recommends false"]
    for name in ("doc", "man", "info", "locale"):
        options.append(f"--dpkgopt=path-exclude=/usr/share/{name}/*")
    _run("mmdebstrap", "--quiet", f"--arch={arch}", "--variant=minbase",
         "--components=main non-free-firmware", f"--include={','.join(packages(arch))}", *options,
         SUITE, str(root))  # fmt: skip
    units = root / "etc/systemd/system"
    (units / "shell.service").write_text(SHELL_UNIT)
    (units / "screen.service").write_text(SCREEN_UNIT)
    red, green, blue = colour
    page = f"<!doctype html><body style='background:rgb({red} {green} {blue})'>"
    (root / "usr/share/page.html").write_text(page)
    (root / "etc/fstab").write_text("/dev/vda / ext4 rw 0 1\n")
    inside = ("chroot", str(root))
    _run(*inside, "useradd", "--system", "screen")
    _run(*inside, "systemctl", "--quiet", "enable", "shell", "screen")
    _run(*inside, "systemctl", "--quiet", "set-default", "graphical.target")
    for name in ("vmlinuz", "initrd.img"):
        (newest,) = (root / "boot").glob(f"{name}-*")
        shutil.copy(newest, folder / name.removesuffix(".img"))
    disk = folder / "disk.img"
    disk.unlink(missing_ok=True)
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(disk), f"{SIZE_MIB}M")


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
