"""What these tests need from the host. Where it is missing they are skipped, and say so."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.image.hardware import DEBIANS_FIRMWARE, PROGRAMS, Arch
from tests.image.initramfs import GuestMissing, GuestParts, find_parts


def qemu(arch: Arch) -> None:
    """Skips the test where the machine cannot be emulated or has no firmware."""
    firmware = DEBIANS_FIRMWARE[arch]
    if shutil.which(PROGRAMS[arch]) is None:
        pytest.skip(f"NOT TESTED: {PROGRAMS[arch]} is missing (Debian: qemu-system)")
    if not (firmware.code.exists() and firmware.variables.exists()):
        pytest.skip(f"NOT TESTED: {firmware.code} is missing (Debian: ovmf, qemu-efi-aarch64)")


def program(name: str, package: str) -> None:
    """Skips the test where a program is missing."""
    if shutil.which(name) is None:
        pytest.skip(f"NOT TESTED: {name} is missing (Debian: {package})")


def guest() -> GuestParts:
    """Of this host's own kernel, or of the folder that KASSA_GUEST_ROOT names: unpacked packages of
    linux-image-amd64 or -arm64 (after `depmod -b`) and busybox-static. Skips where there is none.
    """
    root = Path(os.environ.get("KASSA_GUEST_ROOT", "/"))
    try:
        parts = find_parts(root)
    except GuestMissing as missing:
        pytest.skip(f"NOT TESTED: {missing} (Debian: linux-image-amd64, busybox-static)")
    qemu(parts.arch)
    return parts
