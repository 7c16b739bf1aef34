"""What these tests need from the host. Where it is missing they are skipped, and say so."""

from __future__ import annotations

import shutil

import pytest

from tests.image.hardware import DEBIANS_FIRMWARE, PROGRAMS, Arch


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
