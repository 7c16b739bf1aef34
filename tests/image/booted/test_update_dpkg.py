"""The real dpkg, killed at moments that the dice choose, on a plain Debian 13: what the next start
does ends with one release, whole. KASSA_KILLS: how many; KASSA_SEED: of the dice."""

from __future__ import annotations

import json
import os
import random
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest
from kassa_updater import files, prepare
from kassa_updater.places import Places
from kassa_updater.plan import Before, Plan, Step

from tests.image.booted.conftest import ROOT
from tests.image.booted.releases import Publisher
from tests.image.booted.test_package import INSIDE, Debian

KILLS = int(os.environ.get("KASSA_KILLS", "3"))
SEED = int(os.environ.get("KASSA_SEED", "1"))
LONGEST_S = float(os.environ.get("KASSA_KILL_S", "20"))
"""About as long as an installation takes."""
pytestmark = [pytest.mark.timeout(900 + 300 * KILLS)]


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    (deb,) = (ROOT / "dist").glob("kassa-kiosk_*_all.deb")
    return Publisher(tmp_path_factory.mktemp("publisher"), deb)


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Debian:
    (base,) = (ROOT / "build/image").glob("base-amd64-*.tar")
    root = tmp_path_factory.mktemp("debian")
    subprocess.run(
        ["tar", "--extract", "--numeric-owner", f"--file={base}", "--exclude=./dev/*"],
        cwd=root, check=True,
    )  # fmt: skip
    (deb,) = (ROOT / "dist").glob("kassa-kiosk_*_all.deb")
    found = Debian(root)
    (root / "tmp/kassa.deb").write_bytes(deb.read_bytes())
    found.run("dpkg", "--install", "/tmp/kassa.deb")
    return found


def status(debian: Debian) -> str:
    return debian.run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "kassa-kiosk")


def begin(debian: Debian, publisher: Publisher, package: Path) -> tuple[str, str]:
    """The plan of an update, as kassa-update leaves it; the versions before and after."""
    places = Places(debian.root)
    (debian.root / "etc/kassa/release-keys").mkdir(exist_ok=True)
    (debian.root / "etc/kassa/release-keys/release.pub").write_bytes(publisher.pub.read_bytes())
    said = prepare.check(package, package.with_name(f"{package.name}.sig"), places)
    old = status(debian).removeprefix("installed ")
    kept = prepare.find_kept(old, places, debian.root / "tmp/kassa.deb")
    target, present = prepare.stage(package, said, kept, old, places)
    prepare.copy_program(places)
    plan = Plan(Step.INSTALLING, target, present, 0.0, 60.0, Before())
    files.write(places.plan, json.dumps(asdict(plan)).encode())
    return old, said.version


def start(debian: Debian, kill_after_s: float | None) -> bool:
    """What the unit does, killed with all that it started. Whether it came to its end."""
    command = ["/usr/bin/python3", "-ISB", "/var/lib/kassa-update/program/start.py", "install"]
    with subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child",
         "sh", "-ec", INSIDE, "x", debian.root, *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as running:  # fmt: skip
        try:
            said, _ = running.communicate(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            running.kill()
            return False
    assert running.returncode == 0, said
    return True


@pytest.mark.parametrize("number", range(KILLS))
def test_dpkg_is_killed(debian: Debian, publisher: Publisher, number: int) -> None:
    dice = random.Random(SEED * 1000 + number)
    old, new = begin(debian, publisher, publisher.make(f"kill{number:03}"))
    kills = 0
    while not start(debian, dice.uniform(0, LONGEST_S) if kills < 2 else None):
        kills += 1
        print(f"figure: kill {number}.{kills}: {status(debian)}")
    assert status(debian) == f"installed {new}"
    assert debian.run("dpkg", "--audit") == ""
    wrong = debian.run("sh", "-c", "dpkg --verify kassa-kiosk || true").splitlines()
    assert [line for line in wrong if " c " not in line and "/usr/share/" not in line] == []
    assert debian.run("kassa", "--version").startswith("kassa ")
    plan = json.loads((debian.root / "var/lib/kassa-update/plan.json").read_text())
    assert (plan["step"], plan["kept"]["version"]) == ("trying", old)
