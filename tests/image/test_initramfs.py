"""The archive that the smallest guest starts from; a kernel unpacks it in test_guest.py."""

from __future__ import annotations

import lzma
import struct
import subprocess

import pytest

from tests.image import needs
from tests.image.initramfs import GuestMissing, build_initramfs, find_parts

RELEASE = "6.1.0-1-arm64"
ELF_ARM64 = b"\x7fELF" + bytes(14) + struct.pack("<H", 183) + bytes(40)


@pytest.fixture
def root(tmp_path):
    modules = tmp_path / "root/usr/lib/modules" / RELEASE
    (modules / "kernel").mkdir(parents=True)
    (tmp_path / "root/boot").mkdir()
    (tmp_path / "root/boot" / f"vmlinuz-{RELEASE}").write_bytes(b"kernel")
    (tmp_path / "root/boot/vmlinuz-9.9").write_bytes(b"one without modules")
    (tmp_path / "root/usr/bin").mkdir()
    (tmp_path / "root/usr/bin/busybox").write_bytes(ELF_ARM64)
    (modules / "modules.dep").write_text(
        "kernel/usb-top.ko.xz: kernel/middle.ko kernel/bottom.ko\n"
        "kernel/middle.ko: kernel/bottom.ko\n"
        "kernel/bottom.ko:\n"
    )
    (modules / "modules.builtin").write_text("kernel/built-in.ko\n")
    (modules / "kernel/usb-top.ko.xz").write_bytes(lzma.compress(b"top"))
    (modules / "kernel/middle.ko").write_bytes(b"middle")
    (modules / "kernel/bottom.ko").write_bytes(b"bottom")
    return tmp_path / "root"


def test_what_is_found(root):
    parts = find_parts(root)
    assert (parts.arch, parts.kernel.name) == ("arm64", f"vmlinuz-{RELEASE}")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (f"usr/lib/modules/{RELEASE}/modules.dep", None, "modules.dep"),
        ("usr/bin/busybox", None, "busybox"),
        ("usr/bin/busybox", ELF_ARM64.replace(b"\xb7", b"\x01"), "another processor"),
        ("usr/bin/busybox", b"", "another processor"),
    ],
)
def test_what_is_missing(root, name, content, reason):
    if content is None:
        (root / name).unlink()
    else:
        (root / name).write_bytes(content)
    with pytest.raises(GuestMissing, match=reason):
        find_parts(root)


def test_the_archive(root, tmp_path):
    needs.program("cpio", "cpio")
    image = tmp_path / "initrd"
    build_initramfs(find_parts(root), image, ["middle", "usb_top", "built_in"], ["old", "bottom"])
    (tmp_path / "out").mkdir()
    with image.open("rb") as archive:
        words = ["cpio", "-i", "--quiet", "--make-directories"]
        subprocess.run(words, stdin=archive, cwd=tmp_path / "out", check=True, timeout=20)
    order = (tmp_path / "out/modules/order").read_text().split()
    assert len(order) == 3
    contents = [(tmp_path / "out/modules" / name).read_bytes() for name in order]
    assert contents == [b"bottom", b"middle", b"top"]
    assert (tmp_path / "out/init").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/bin/busybox").read_bytes() == ELF_ARM64


def test_a_module_that_is_not_there(root, tmp_path):
    with pytest.raises(GuestMissing, match="no wanted"):
        build_initramfs(find_parts(root), tmp_path / "initrd", ["wanted"])
