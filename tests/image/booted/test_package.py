"""The package on a plain Debian 13: what it brings, what it takes along again, what it keeps."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.image.booted import source
from tests.image.booted.conftest import ROOT
from tests.image.booted.kiosk import Parts

pytestmark = [pytest.mark.timeout(900)]

INSIDE = """
root=$1; shift
mount -t proc proc "$root/proc"
mount -t tmpfs dev "$root/dev"
for node in null zero full random urandom tty; do
    : >"$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
"""
# What dpkg, debconf and systemd keep for themselves, and what is a cache.
THEIRS = (
    *("var/lib/dpkg", "var/log", "var/cache", "var/lib/systemd/deb-systemd", "var/lib/apt"),
    *("etc/udev/hwdb.bin", "usr/lib/udev/hwdb.bin", "usr/lib/python3", "usr/share/python3"),
    *("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid"),
    *("run", "proc", "dev", "sys", "tmp", "etc/.pwd.lock", "etc/ssl", "usr/share/python-wheels"),
)


class Debian:
    """A root file system, in which commands can be run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def answer(self, *command: str) -> tuple[int, str, str]:
        """The status of a command in it, and what it says, and what it complains of."""
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork",
             "sh", "-ec", INSIDE, "x", self.root, *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def run(self, *command: str) -> str:
        """What a command in it says. Raises AssertionError when it fails."""
        status, said, complained = self.answer(*command)
        assert status == 0, f"{command}: {said}{complained}"
        return said

    def files(self) -> set[str]:
        """All but what is not the package's business."""
        listed = subprocess.run(
            ["find", ".", "-xdev", "-mindepth", "1", "-printf", r"%P\t%l\n"],
            cwd=self.root, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        return {line for line in listed.splitlines() if not line.startswith(THEIRS)}


@pytest.fixture(scope="module")
def debian(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Debian:
    if parts.arch != "amd64":
        pytest.skip("NOT TESTED: the package is the same; an emulated dpkg takes its time")
    (base,) = (ROOT / "build/image").glob("base-amd64-*.tar")
    root = tmp_path_factory.mktemp("debian")
    subprocess.run(
        ["tar", "--extract", "--numeric-owner", f"--file={base}", "--exclude=./dev/*"],
        cwd=root, check=True,
    )  # fmt: skip
    return Debian(root)


@pytest.fixture(scope="module")
def deb() -> Path:
    (found,) = (ROOT / "dist").glob("kassa-kiosk_*_all.deb")
    return found


def install(debian: Debian, deb: Path) -> None:
    (debian.root / "tmp" / "kassa.deb").write_bytes(deb.read_bytes())
    debian.run("dpkg", "--install", "/tmp/kassa.deb")


def test_lintian_has_nothing_to_say(deb: Path) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", deb],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_comes_and_goes(debian: Debian, deb: Path) -> None:
    """In one test, as each step stands on the one before."""
    before = debian.files()
    install(debian, deb)
    root = debian.root

    # It works: its own program on Debian's libraries, its units, its users, its rules.
    assert debian.run("kassa", "--version").startswith("kassa ")
    debian.run("runuser", "-u", "kassa", "--", "kassa", "journal", "--help")
    units = (
        *("kassa.service", "kassa-session.service", "kassa-firewall.service"),
        *("kassa-devices.service", "kassa-links.service", "kassa-metrics.service"),
        *("kassa-enrol.path", "kassa-adopt.path", "kassa-adopt.service"),
    )
    for unit in units:
        debian.run("systemctl", "--root=/", "is-enabled", unit)
    debian.run("systemd-analyze", "verify", "--man=no", *units)
    assert debian.answer("systemctl", "--root=/", "is-enabled", "kassa-security.timer")[1] == (
        "disabled\n"  # an administrator's to enable
    )
    debian.run("systemd-analyze", "verify", "--man=no", "kassa-security.timer")
    debian.run("systemctl", "--root=/", "enable", "kassa-security.timer")
    debian.run("udevadm", "verify", "/usr/lib/udev/rules.d/65-kassa.rules")
    debian.run("nft", "--check", "--file", "/usr/lib/kassa/firewall.nft")
    assert list((root / "usr/lib/kassa/appliance/__pycache__").glob("*.pyc"))
    listed = debian.run("dpkg", "--listfiles", "kassa-kiosk").split()
    assert "/usr/share/man/man1/kassa.1.gz" in listed
    assert "/usr/share/bash-completion/completions/kassa" in listed

    # Without the counter's data and settings it is as it was, and with them they are kept.
    (root / "var/lib/kassa/journal.sqlite3").write_text("payments")
    debian.run("dpkg", "--remove", "kassa-kiosk")
    left = {line.split("\t")[0] for line in debian.files() - before}
    allowed = ("var/lib/kassa", "etc/kassa", "etc/chromium")
    assert {line for line in left if not line.startswith(allowed)} == set()
    assert before - debian.files() == set()

    # Purged, the journal of payments stays …
    debian.run("dpkg", "--purge", "kassa-kiosk")
    left = {line.split("\t")[0] for line in debian.files() - before}
    assert left == {"var/lib/kassa", "var/lib/kassa/journal.sqlite3"}

    # … unless somebody asked for its removal.
    install(debian, deb)
    answer = "kassa-kiosk kassa-kiosk/purge_journal boolean true"
    debian.run("sh", "-c", f"echo '{answer}' | debconf-set-selections")
    debian.run("dpkg", "--purge", "kassa-kiosk")
    assert debian.files() == before


def test_security_updates(debian: Debian, deb: Path) -> None:
    """By Debian's own apt and dpkg: what is there and newer at the source, and nothing else."""
    install(debian, deb)
    shop = debian.root / "source"
    shop.mkdir()
    old = [source.build(shop, name, "1") for name in ("alone", "needing", "half")]
    for package in old:
        debian.run("dpkg", "--install", f"/source/{package.name}")
    # No systemd runs in there, and so no counter either.
    words = ("env", "SYSTEMD_OFFLINE=1", "KASSA_SECURITY_SOURCE=deb [trusted=yes] copy:/source ./")
    script = "/usr/lib/kassa/security-updates"

    source.offer(shop, *old)
    assert "nothing is newer" in debian.run(*words, script)

    source.offer(
        shop,
        source.build(shop, "alone", "2"),
        source.build(shop, "needing", "2", "Depends: more\n"),
        source.build(shop, "more", "2"),
    )
    # As the power left it in the middle of an installation.
    status = debian.root / "var/lib/dpkg/status"
    configured = "Package: half\nStatus: install ok installed"
    assert configured in status.read_text()
    cut = configured.replace("ok installed", "ok unpacked")
    status.write_text(status.read_text().replace(configured, cut))
    debian.run(*words, script)
    found = debian.run("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n")
    assert {"alone 2 installed", "needing 1 installed", "half 1 installed"} <= set(
        found.splitlines()
    )
    assert "more" not in {line.split()[0] for line in found.splitlines()}
    assert not (debian.root / "var/lib/kassa-update/security").exists()

    # A source that is away changes nothing, and is told.
    away = ("env", "KASSA_SECURITY_SOURCE=deb [trusted=yes] copy:/away ./")
    assert debian.answer(*away, script)[0] != 0
