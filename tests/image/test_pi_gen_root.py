"""The pi-gen stage at work: after a stage 2 that is made from Debian's own arm64, emulated.

KASSA_ARM64_BASE names a tar of that root, as image/build-image.sh keeps it in build/image.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.image import needs, stage2
from tests.image.test_pi_gen import IMAGE, ROOT, fake_pi_gen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

EMULATOR = Path(__file__).with_name("pi_gen.sh")
DISK = "4b617373"
MIB = 1 << 20


@dataclass(frozen=True)
class Made:
    """What came out: the stage's root and its boot partition, and the export's folder and disk."""

    root: Path
    exported: Path
    disk: Path
    deploy: Path

    @property
    def boot(self) -> Path:
        return self.root / "boot/firmware"

    def systemctl(self, *words: str) -> str:
        done = subprocess.run(
            ["systemctl", f"--root={self.root}", *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.strip()

    def packages(self) -> set[str]:
        done = subprocess.run(
            ["dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W", "-f", "${Package}\n"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return set(done.stdout.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = os.environ.get("KASSA_ARM64_BASE")
    if not base:
        pytest.skip("NOT TESTED: KASSA_ARM64_BASE names no tar of an arm64 root")
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a root file system has other owners than you: run as root")
    for name, package in (
        ("arch-test", "arch-test"), ("capsh", "libcap2-bin"), ("mcopy", "mtools"),
        ("mkfs.vfat", "dosfstools"), ("rsync", "rsync"), ("sfdisk", "fdisk"), ("zstd", "zstd"),
    ):  # fmt: skip
        needs.program(name, package)
    if subprocess.run(["arch-test", "arm64"], check=False, capture_output=True).returncode:
        pytest.skip("NOT TESTED: arm64 cannot be run here (Debian: qemu-user-static)")
    debs = list((ROOT / "dist").glob("kassa-kiosk_*_all.deb"))
    if len(debs) != 1:
        pytest.skip("NOT TESTED: no package in dist/: make deb")

    work = tmp_path_factory.mktemp("pi-gen")
    tree = fake_pi_gen(work / "tree")
    subprocess.run([IMAGE / "build-pi-gen.sh", "--prepare", tree], check=True)
    before = work / "work/stage2/rootfs"
    stage2.unpack(Path(base), before)
    stage2.dress(before, debs[0])
    alone = ("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc")
    subprocess.run(["nice", "-n", "15", *alone, EMULATOR, tree, work / "work"], check=True)
    packed = next((tree / "deploy").glob("*.img.zst"))
    disk = work / "disk.img"
    subprocess.run(["zstd", "--quiet", "-d", packed, "-o", disk], check=True)
    shutil.rmtree(before)
    return Made(
        root=work / "work/stage-kassa/rootfs",
        exported=work / "work/export-image",
        disk=disk,
        deploy=tree / "deploy",
    )


def listed(name: str) -> set[str]:
    text = (IMAGE / name).read_text()
    return {line.partition("#")[0].strip() for line in text.splitlines()} - {""}


def test_the_packages_are_those_of_the_other_image_and_the_pis(made: Made):
    packages = made.packages()

    assert "kassa-kiosk" in packages
    assert listed("system/packages.txt") <= packages
    assert listed("system/packages-raspios.txt") <= packages


def test_nothing_that_a_kiosk_must_not_have_stays(made: Made):
    gone = {name for name in stage2.PACKAGES if name not in listed("system/packages-raspios.txt")}
    unwanted = listed("pi-gen/stage-kassa/00-install/files/unwanted.txt")
    assert gone & unwanted, "stage 2 brought nothing of it: the test would prove nothing"

    assert not made.packages() & (gone | unwanted)


def test_nobody_can_log_in_with_a_password(made: Made):
    shadow = [line.split(":") for line in (made.root / "etc/shadow").read_text().splitlines()]
    passwd = [line.split(":") for line in (made.root / "etc/passwd").read_text().splitlines()]

    assert [fields[0] for fields in shadow if fields[1][:1] not in {"!", "*"}] == []
    assert next(fields[1] for fields in shadow if fields[0] == "root").startswith("!")
    assert [fields[0] for fields in passwd if 1000 <= int(fields[2]) < 60000] == []
    assert stage2.USER not in {fields[0] for fields in passwd}
    assert list((made.root / "home").iterdir()) == []
    assert not (made.root / "etc/sudoers.d").exists()


def test_ssh_is_by_key_alone(made: Made):
    assert made.systemctl("is-enabled", "ssh.service") == "enabled"
    ours = (made.root / "etc/ssh/sshd_config.d/50-kassa.conf").read_text()
    assert "PasswordAuthentication no" in ours
    # The first word counts in sshd's settings, and the files are read in their order.
    files = sorted(path.name for path in (made.root / "etc/ssh/sshd_config.d").iterdir())
    assert files[0] == "50-kassa.conf"
    assert list((made.root / "etc/ssh").glob("ssh_host_*")) == []


@pytest.mark.parametrize(
    "unit",
    [
        *("kassa.service", "kassa-session.service", "kassa-firewall.service"),
        *(
            "kassa-devices.service",
            "kassa-links.service",
            "kassa-metrics.service",
            "kassa-enrol.path",
            "kassa-adopt.path",
            "kassa-adopt.service",
            "kassa-grow.service",
            "kassa-import.service",
        ),
        *("kassa-storage.timer", "NetworkManager.service", "systemd-timesyncd.service"),
    ],
)
def test_units_are_enabled(made: Made, unit: str):
    assert made.systemctl("is-enabled", unit) == "enabled"


def test_security_updates_are_an_administrators_to_enable(made: Made):
    assert made.systemctl("is-enabled", "kassa-security.timer") == "disabled"


@pytest.mark.parametrize(
    "unit", ["getty@tty1.service", "apt-daily.timer", "userconf.service", "rpi-resize.service"]
)
def test_units_are_masked(made: Made, unit: str):
    assert made.systemctl("is-enabled", unit) == "masked"


def test_it_starts_into_the_counter(made: Made):
    assert made.systemctl("get-default") == "graphical.target"


def test_no_unit_is_enabled_that_is_not_there(made: Made):
    links = [path for path in (made.root / "etc/systemd/system").rglob("*") if path.is_symlink()]
    targets = {path: os.readlink(path) for path in links}
    assert targets
    for path, target in targets.items():
        inside = made.root / target.lstrip("/") if target.startswith("/") else path.parent / target
        assert target == "/dev/null" or inside.exists(), path


def test_disks_are_mounted_by_their_ids(made: Made):
    lines = [
        line.split()
        for line in (made.root / "etc/fstab").read_text().splitlines()
        if not line.startswith("#")
    ]
    where = {fields[1]: fields for fields in lines}
    assert where["/"][0] == f"PARTUUID={DISK}-02"
    assert "ro" in where["/"][3].split(",")
    assert where["/boot/firmware"][0] == f"PARTUUID={DISK}-01"
    assert where["/data"][0] == f"PARTUUID={DISK}-03"
    assert "ROOTDEV" not in (made.root / "etc/fstab").read_text()


def test_the_boot_partition_starts_our_root(made: Made):
    words = (made.boot / "cmdline.txt").read_text().split()
    assert len((made.boot / "cmdline.txt").read_text().splitlines()) == 1
    assert f"root=PARTUUID={DISK}-02" in words
    assert {"ro", "quiet", "splash", "rootwait"} <= set(words)
    # Raspberry Pi OS would grow the root over the data partition, and show its boot on a wire.
    assert not {"resize", "rw"} & set(words)
    assert not [word for word in words if "serial" in word or word.startswith("init=")]

    config = (made.boot / "config.txt").read_text()
    assert "auto_initramfs=1" in config
    ours = config.rpartition("[all]")[2].splitlines()
    assert {"dtparam=watchdog=on", "disable_splash=1", "hdmi_force_hotplug=1"} <= set(ours)
    assert (made.boot / "kassa.toml.example").is_file()
    assert (made.boot / "README.txt").is_file()
    assert not (made.boot / "user-data").exists()


def test_nothing_of_the_build_stays(made: Made):
    exported = made.exported / "rootfs"
    for root in (made.root, exported):
        for name in ("kassa-build", "install.sh", "etc/default/locale"):
            assert not (root / name).exists()
        assert not (root / "etc/apt/apt.conf.d/51cache").exists(), "a proxy of whoever builds"
        assert (root / "etc/machine-id").read_text() == ""
    assert os.readlink(exported / "etc/resolv.conf") == "/run/NetworkManager/resolv.conf"
    for name in ("proc", "sys", "dev", "run", "tmp", "boot/firmware", "var/lib/apt/lists"):
        assert list((exported / name).iterdir()) == []
    assert "192.0.2.1" not in (exported / "etc/fstab").read_text()


def test_the_disk_is_that_of_the_other_image(made: Made):
    done = subprocess.run(["sfdisk", "--json", made.disk], capture_output=True, check=True)
    table = json.loads(done.stdout)["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", f"0x{DISK}")
    parts = table["partitions"]
    assert [part["type"] for part in parts] == ["c", "83", "83"]
    assert parts[0]["start"] * 512 == 4 * MIB
    assert parts[0]["size"] * 512 == 512 * MIB
    # The last one, so that it can grow; nothing lies between them.
    for before, after in pairwise(parts):
        assert before["start"] + before["size"] == after["start"]

    for part, label in zip(parts[1:], ("kassa-root", "kassa-data"), strict=True):
        place = made.disk.with_name(label)
        with made.disk.open("rb") as disk, place.open("wb") as file:
            disk.seek(part["start"] * 512)
            for _ in range(part["size"] * 512 // MIB):
                file.write(disk.read(MIB))
        subprocess.run(["e2fsck", "-f", "-n", place], check=True, capture_output=True)
        told = subprocess.run(["dumpe2fs", "-h", place], capture_output=True, text=True, check=True)
        assert re.search(rf"^Filesystem volume name: +{label}$", told.stdout, re.MULTILINE)
        place.unlink()


def test_the_firmware_finds_its_files(made: Made):
    done = subprocess.run(
        ["mdir", "-b", "-i", f"{made.disk}@@4M", "::/"], capture_output=True, text=True, check=True
    )
    names = {line.removeprefix("::/") for line in done.stdout.split()}
    assert {"kernel8.img", "kernel_2712.img", "initramfs8", "initramfs_2712"} <= names
    assert {"config.txt", "cmdline.txt", "README.txt", "kassa.toml.example"} <= names


def test_what_is_inside_is_told(made: Made):
    told = json.loads(next(made.deploy.glob("*.spdx.json")).read_text())
    assert {package["name"] for package in told["packages"]} == made.packages()
