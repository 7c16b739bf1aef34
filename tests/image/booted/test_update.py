"""Updates of a box: good ones, broken ones, ones at the wrong moment; and the plug that is pulled
out in the middle of them, at writes that the dice choose, on a disk that forgets what was not
flushed. KASSA_CUTS: how many cuts of a good one, and of a broken one; KASSA_SEED: of the dice.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.image.booted.conftest import ROOT
from tests.image.booted.kiosk import BOOT_S, Kiosk, Outside, Parts
from tests.image.booted.releases import Publisher
from tests.image.booted.test_power_cuts import regions
from tests.image.nbd import NbdServer
from tests.image.volatile_disk import Cut, Landed, Moment, Sample, VolatileDisk

CUTS = int(os.environ.get("KASSA_CUTS", "1"))
SEED = int(os.environ.get("KASSA_SEED", "1"))
HEALTHY_S = 900
"""Emulated, a counter and its browser take minutes."""
GIVEN_UP_S = 60
"""For a release that never is: each start after a cut waits for so long as well."""
UPDATE_S = 2400.0
START_WRITES, START_S = 400, 150.0
"""Up to which write of a start it is cut, or up to which second where it does not write so much.
One that has to install makes more, any other fewer."""
pytestmark = [pytest.mark.timeout(7200)]


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
    """Empty where nothing is told."""
    file = "/var/lib/kassa/update/state.json"
    found: dict[str, Any] = json.loads(kiosk.ssh(f"test ! -e {file} && echo '{{}}' || cat {file}"))
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
    journal = "--file /var/lib/kassa/journal.sqlite3"
    assert "the chain holds" in kiosk.ssh(f"runuser -u kassa -- kassa journal verify {journal}")


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
    box.scan_to("NL-10001", "order")
    assert box.health()["busy"]
    before = installed(box)
    status, said = update(box, package, "--wait-s 5")
    assert (status, "not idle" in said) == (75, True), said
    assert installed(box) == before
    answers: list[tuple[int, str]] = []
    waiting = threading.Thread(target=lambda: answers.append(update(box, package)))
    waiting.start()
    plan = "/var/lib/kassa-update/plan.json"
    box.until(lambda: answers or box.status(f"test -e {plan}") == 0, "it waits")
    assert not answers
    assert box.health()["version"] == before
    assert box.health()["page"] == "order"
    box.scan_to("KASSA-CANCEL", "idle")
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


WITHOUT_SCREEN = "systemd.mask=kassa-session.service"
"""An emulated browser takes most of the minutes of a start; and an update on a box where none has
drawn does not wait for one."""
TOLD = f"{WITHOUT_SCREEN} console=ttyS0 loglevel=6 systemd.show_status=1"
"""A start that does not come tells how far it came."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An update that was begun, and what cuts at moments of it would have left. old, new: the
    releases; the new one may be a broken one."""

    outside: Outside
    old: str
    new: str
    moments: list[Moment]


def record(
    outside: Outside, publisher: Publisher, package: Path, seed: int, healthy_s: int
) -> Recorded:
    """The whole update, with CUTS moments of it, on a disk that forgets."""
    with (
        VolatileDisk(outside.card, regions(outside.card)) as drive,
        NbdServer(drive, outside.folder / "nbd") as server,
        Kiosk(outside, "recorded", disk=server.uri, more_words=TOLD) as kiosk,
    ):
        kiosk.wait_up()
        kiosk.wait_well()
        trust(kiosk, publisher)
        old = installed(kiosk)
        sample = Sample(CUTS, random.Random(seed))
        before = drive.traffic().writes
        drive.sample(sample)
        status, said = update(kiosk, package, f"--healthy-s {healthy_s}")
        drive.sample(None)
        writes = drive.traffic().writes - before
    assert status in (0, 69), said
    print(f"figure: {writes} writes of an update with the status {status}")
    moments = sorted(sample.moments, key=lambda moment: moment.write)
    return Recorded(outside, old, package.name.split("_")[1], moments)


def cut_again(
    outside: Outside, drive: VolatileDisk, uri: str, number: int, dice: random.Random
) -> str:
    """The start after a cut is cut as well; when."""
    landed, write = dice.choice(list(Landed)), dice.randrange(1, START_WRITES)
    longest_s = dice.uniform(START_S / 10, START_S)
    kiosk = Kiosk(outside, f"again-{number}", disk=uri, more_words=TOLD)
    drive.plan(Cut(lambda t: t.writes == write, dice, landed, on_cut=kiosk.machine.power_off))
    when = f"at write {write}"
    with kiosk:
        if not drive.wait_cut(longest_s):
            drive.cut(dice, landed)
            when = f"after {longest_s:.0f} s"
    drive.plan(None)
    drive.power_on()
    return when


@pytest.fixture(scope="module")
def good(
    parts: Parts, publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    with Outside(tmp_path_factory.mktemp("good"), parts) as outside:
        yield record(outside, publisher, publisher.make("cut"), SEED, HEALTHY_S)


@pytest.fixture(scope="module")
def broken(
    parts: Parts, publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    """Its moments are also those of a way back."""
    with Outside(tmp_path_factory.mktemp("broken"), parts) as outside:
        yield record(outside, publisher, publisher.dead(), SEED + 1, GIVEN_UP_S)


@pytest.mark.parametrize("number", range(CUTS))
@pytest.mark.parametrize("which", ["good", "broken"])
def test_a_cut(which: str, number: int, request: pytest.FixtureRequest) -> None:
    """The start after it ends what was begun, and the box counts. Of three such starts one is cut
    as well."""
    recorded: Recorded = request.getfixturevalue(which)
    outside, moment = recorded.outside, recorded.moments[number]
    dice = random.Random(SEED * 1000 + number)
    drive = moment.disk
    what = f"{which} {number}: at write {moment.write}, {moment.landed.value} of the rest landed"
    found = outside.folder / f"found-{number}.img"
    drive.export(found)
    begin = time.monotonic()
    with NbdServer(drive, outside.folder / "nbd") as server:
        if dice.random() < 1 / 3:
            when = cut_again(outside, drive, server.uri, number, dice)
            what += f"; and the next start {when}"
        kiosk = Kiosk(outside, f"after-{number}", disk=server.uri, more_words=TOLD)
        with kiosk:
            kiosk.wait_up()
            kiosk.until(
                lambda: kiosk.status("test ! -e /var/lib/kassa-update/plan.json") == 0,
                "the update has come to an end",
                UPDATE_S,
            )
            kiosk.wait_page("idle")
            version = installed(kiosk)
            assert version in ((recorded.old, recorded.new) if which == "good" else (recorded.old,))
            told = state(kiosk).get("state")
            # Nothing is told of an update that the cut came before.
            assert told == ("ok" if version == recorded.new else told), what
            assert told in (None, "ok", "rolled-back"), what
            kiosk.ssh("kassa-update --acknowledge")
            kiosk.wait_well()
            check_box(kiosk, version)
    drive.close()
    found.unlink()  # kept only where the start after the cut went wrong
    took_s = time.monotonic() - begin
    print(f"figure: {what}; ended with {version} after {took_s:.0f} s")
