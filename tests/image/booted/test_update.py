"""Updates of a box: good ones, broken ones, ones at the wrong moment; and the plug that is pulled
out in the middle of them, at writes that the dice choose, on a disk that forgets what was not
flushed. KASSA_CUTS: how many cuts; KASSA_SEED: of the dice.
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.image.booted.conftest import ROOT
from tests.image.booted.kiosk import BOOT_S, Kiosk, Outside
from tests.image.booted.releases import Publisher
from tests.image.booted.test_power_cuts import charge, regions, settle
from tests.image.nbd import NbdServer
from tests.image.volatile_disk import Cut, Landed, Traffic, VolatileDisk

CUTS = int(os.environ.get("KASSA_CUTS", "1"))
SEED = int(os.environ.get("KASSA_SEED", "1"))
HEALTHY_S = 900
"""Emulated, a counter and its browser take minutes."""
UPDATE_S = 2400.0
WRITES = 600
"""About how many writes an update makes."""
pytestmark = [pytest.mark.timeout(5400 + 3600 * CUTS)]


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    (deb,) = (ROOT / "dist").glob("kassa-kiosk_*_all.deb")
    return Publisher(tmp_path_factory.mktemp("publisher"), deb)


@pytest.fixture(scope="module")
def box(outside: Outside) -> Iterator[Kiosk]:
    with Kiosk(outside, "updated") as found:
        found.wait_up()
        found.wait_well()
        yield found


def send(kiosk: Kiosk, *files: Path) -> None:
    """To /run, as an administrator copies them."""
    for file in files:
        kiosk.put(file, f"/run/{file.name}")


def trust(kiosk: Kiosk, publisher: Publisher) -> None:
    send(kiosk, publisher.pub)
    kiosk.ssh(
        "mkdir -p /etc/kassa/release-keys && cp /run/release.pub /etc/kassa/release-keys/"
        " && sync -f /etc/kassa/release-keys"
    )


def update(kiosk: Kiosk, package: Path, *words: str) -> tuple[int, str]:
    """Its status and what it says."""
    send(kiosk, package, package.with_name(f"{package.name}.sig"))
    more = " ".join(words)
    return kiosk.answer(
        f"kassa-update /run/{package.name} --healthy-s {HEALTHY_S} {more}", UPDATE_S
    )


def state(kiosk: Kiosk) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kiosk.ssh("cat /var/lib/kassa/update/state.json"))
    return found


def installed(kiosk: Kiosk) -> str:
    return kiosk.ssh("dpkg-query -W -f '${db:Status-Abbrev} ${Version}' kassa-kiosk").removeprefix(
        "ii  "
    )


def check_box(kiosk: Kiosk, version: str) -> None:
    """It is this release, whole, on a disk that cannot be written, and counts."""
    assert installed(kiosk) == version
    wrong = kiosk.ssh("dpkg --verify kassa-kiosk | grep -v ' /usr/share/' || true")
    assert [line for line in wrong.splitlines() if " c " not in line] == []
    assert kiosk.ssh("dpkg --audit") == ""
    assert kiosk.status("touch /usr/x") != 0
    assert kiosk.health()["version"] == version
    assert "the chain holds" in kiosk.ssh("runuser -u kassa -- kassa journal verify")


# --- without a cut --------------------------------------------------------------------------------


def test_what_is_refused(box: Kiosk, publisher: Publisher) -> None:
    before = installed(box)
    later = publisher.unreadable()
    status, said = update(box, later)
    assert (status, "no release key" in said) == (65, True), said
    trust(box, publisher)
    status, said = update(box, later)
    assert (status, "no way back" in said) == (65, True), said
    good = publisher.make("refused")
    with good.open("ab") as stream:
        stream.write(b"\n")
    status, said = update(box, good)
    assert (status, "not what was signed" in said) == (65, True), said
    check_box(box, before)


def test_in_the_middle_of_a_handover_it_waits(box: Kiosk, publisher: Publisher) -> None:
    """And the good one is then installed."""
    package = publisher.make("good")
    charge(box, "10001")
    assert box.health()["busy"]
    before = installed(box)
    status, said = update(box, package, "--wait-s", "5")
    assert (status, "not idle" in said) == (75, True), said
    assert installed(box) == before
    answers: list[tuple[int, str]] = []
    waiting = threading.Thread(target=lambda: answers.append(update(box, package)))
    waiting.start()
    box.until(lambda: box.status("test -e /var/lib/kassa-update/plan.json") == 0, "it waits")
    assert box.health()["version"] == before
    box.outside.terminal.tap()
    settle(box, "10001")
    waiting.join(UPDATE_S)
    assert answers, "no end"
    assert answers[0][0] == 0, answers
    check_box(box, f"{publisher.version}+good")
    assert state(box)["state"] == "ok"


@pytest.mark.parametrize("how", ["dead", "sick"])
def test_a_broken_release_is_taken_back(box: Kiosk, publisher: Publisher, how: str) -> None:
    before = installed(box)
    package: Path = getattr(publisher, how)()
    send(box, package, package.with_name(f"{package.name}.sig"))
    # It is later than the one before it by its name, or it is allowed.
    status, said = box.answer(
        f"kassa-update /run/{package.name} --allow-downgrade --healthy-s 240", UPDATE_S
    )
    assert (status, "rolled-back" in said) == (69, True), said
    box.wait_page("idle", BOOT_S)
    check_box(box, before)
    assert state(box)["reason"]
    box.until(lambda: box.health()["devices"].get("machine") == "K-UPD-01", "it is shown")
    box.ssh("kassa-update --acknowledge")
    box.wait_well()


# --- with cuts ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def disk(
    parts: Any, publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Outside, VolatileDisk, str]]:
    folder = tmp_path_factory.mktemp("cuts")
    with (
        Outside(folder, parts) as outside,
        VolatileDisk(outside.card, regions(outside.card)) as found,
        NbdServer(found, folder / "nbd"),
    ):
        yield outside, found, f"nbd+unix:///?socket={folder / 'nbd'}"


@pytest.mark.parametrize("number", range(CUTS))
def test_a_cut(disk: tuple[Outside, VolatileDisk, str], publisher: Publisher, number: int) -> None:
    """Each cut is in an update from where the one before it ended."""
    outside, drive, served = disk
    dice = random.Random(SEED * 1000 + number)
    landed = dice.choice(list(Landed))
    package = publisher.make(f"cut{number:03}")
    with Kiosk(outside, f"cut-{number}", disk=served) as kiosk:
        kiosk.wait_up()
        kiosk.wait_well()
        trust(kiosk, publisher)
        old = installed(kiosk)
        new = f"{publisher.version}+cut{number:03}"
        send(kiosk, package, package.with_name(f"{package.name}.sig"))
        goal = drive.traffic().writes + dice.randrange(1, WRITES)

        def is_now(traffic: Traffic, goal: int = goal) -> bool:
            return traffic.writes > goal

        drive.plan(Cut(is_now, dice, landed, on_cut=kiosk.machine.power_off))
        kiosk.ssh(f"systemd-run --collect kassa-update /run/{package.name} --healthy-s {HEALTHY_S}")
        what = f"at write {goal}"
        if not drive.wait_cut(UPDATE_S if dice.random() < 0.2 else 240):
            what = f"after all, as write {goal} did not come"
            drive.cut(dice, landed)
            kiosk.machine.power_off()
    print(f"figure: cut {number}: {what}, {landed.value} of the rest landed")
    drive.plan(None)
    drive.power_on()
    found = outside.folder / f"found-{number}.img"
    drive.export(found)
    with Kiosk(outside, f"after-{number}", disk=served) as kiosk:
        kiosk.wait_up()
        kiosk.until(
            lambda: kiosk.status("test ! -e /var/lib/kassa-update/plan.json") == 0,
            "the update has come to an end",
            UPDATE_S,
        )
        kiosk.wait_well()
        version = installed(kiosk)
        assert version in (old, new)
        check_box(kiosk, version)
        print(f"figure: cut {number}: ended with {'the new' if version == new else 'the old'}")
        kiosk.status("systemctl poweroff")
        kiosk.machine.wait_off(300)
    found.unlink()  # kept only where the start after the cut went wrong
