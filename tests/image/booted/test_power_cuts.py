"""The plug is pulled out: at moments and at writes that the dice choose, on a disk that forgets
what was not flushed. The next start has a sound journal, and knows what became of the money.

KASSA_CUTS: how many cuts (two boots each, some minutes); KASSA_SEED: of the dice. KASSA_IDLE_S and
KASSA_HANDOVERS: over how long, and over how many, is measured what is written.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.booted.kiosk import Kiosk, Outside
from tests.image.nbd import NbdServer
from tests.image.volatile_disk import Cut, Landed, Traffic, VolatileDisk

CUTS = int(os.environ.get("KASSA_CUTS", "1"))
SEED = int(os.environ.get("KASSA_SEED", "1"))
IDLE_S = float(os.environ.get("KASSA_IDLE_S", "60"))
HANDOVERS = int(os.environ.get("KASSA_HANDOVERS", "1"))
pytestmark = [pytest.mark.timeout(1800 + 900 * CUTS + IDLE_S + 60 * HANDOVERS)]

SECTOR = 512
ORDERS = ("10001", "10002", "10003", "10008", "10009")
LATE_WRITES = 30
"""How many writes after the card a cut may come: a handover's rest has about as many."""


def regions(card: Path) -> dict[str, range]:
    """The partitions, in bytes."""
    said = subprocess.run(
        ["sfdisk", "--dump", str(card)], capture_output=True, text=True, check=True
    ).stdout
    found = {}
    lines = [line for line in said.splitlines() if "start=" in line]
    for name, line in zip(("boot", "root"), lines[:2], strict=True):
        words = dict(word.strip().split("=", 1) for word in line.split(" : ")[1].split(","))
        start = int(words["start"]) * SECTOR
        found[name] = range(start, start + int(words["size"]) * SECTOR)
    # It grows to the end at the first start.
    found["data"] = range(found["root"].stop, card.stat().st_size)
    return found


@pytest.fixture(scope="module")
def disk(outside: Outside) -> Iterator[VolatileDisk]:
    with VolatileDisk(outside.card, regions(outside.card)) as found:
        yield found


@pytest.fixture(scope="module")
def served(outside: Outside, disk: VolatileDisk) -> Iterator[str]:
    with NbdServer(disk, outside.folder / "nbd") as server:
        yield server.uri


def charge(kiosk: Kiosk, number: str) -> None:
    kiosk.scan_to(f"NL-{number}", "order")
    kiosk.scan_to_card()


def settle(kiosk: Kiosk, number: str) -> None:
    """From wherever the start left it to the goods at the customer, charging where nothing was."""
    found = kiosk.until(
        lambda: (page := kiosk.health()["page"]) in ("hand_over", "order", "idle") and page,
        "the start has settled what was open",
        600,
    )
    kiosk.wait_well_but_busy(300)
    if found != "hand_over":
        if found == "idle":
            kiosk.scan_to(f"NL-{number}", "order")
        kiosk.scan_to_card()
        kiosk.outside.terminal.tap()
        kiosk.wait_page("hand_over")
    kiosk.scan_to("KASSA-CONFIRM", "idle")
    kiosk.until(
        lambda: all(row["number"] != number for row in kiosk.outside.open_orders()),
        "the shop knows",
    )


def test_what_is_written(outside: Outside, disk: VolatileDisk, served: str) -> None:
    """Figures; and that the system's partition is never written to."""
    with Kiosk(outside, "quiet", disk=served) as kiosk:
        kiosk.wait_up()
        kiosk.wait_well()
        kiosk.wait_drawn()
        time.sleep(20)
        before = disk.traffic("data").written_bytes
        time.sleep(IDLE_S)
        idle = disk.traffic("data").written_bytes - before
        print(f"figure: written in {IDLE_S:.0f} s without work: {idle / 1024:.0f} KiB")
        before = disk.traffic("data").written_bytes
        for _ in range(HANDOVERS):
            order = outside.shop.store.add_random_order("mitte")
            charge(kiosk, order)
            outside.terminal.tap()
            kiosk.wait_page("hand_over")
            settle(kiosk, order)
        time.sleep(10)
        work = disk.traffic("data").written_bytes - before
        print(f"figure: written for {HANDOVERS} handovers: {work / 1024:.0f} KiB")
        kiosk.machine.press_power_button()  # a key of the machine that must do nothing
        time.sleep(5)
        assert kiosk.machine.is_on
    assert disk.traffic("root").written_bytes == 0
    assert disk.traffic("boot").written_bytes == 0


@pytest.mark.parametrize("number", range(CUTS))
def test_a_cut(outside: Outside, disk: VolatileDisk, served: str, number: int) -> None:
    dice = random.Random(SEED * 1000 + number)
    order = ORDERS[number % len(ORDERS)]
    due = next(row["due"] for row in outside.open_orders() if row["number"] == order)
    before = outside.bank.balance()
    landed = dice.choice(list(Landed))
    with Kiosk(outside, f"cut-{number}", disk=served) as kiosk:
        kiosk.wait_up()
        kiosk.wait_well()
        charge(kiosk, order)
        if dice.random() < 0.3:
            what = "before the card"
            disk.cut(dice, landed)
            kiosk.machine.power_off()
            outside.terminal.tap()  # the customer does not know
        else:
            goal = disk.traffic().writes + dice.randrange(LATE_WRITES)
            what = f"at write {goal}"

            def is_now(traffic: Traffic, goal: int = goal) -> bool:
                return traffic.writes > goal

            disk.plan(Cut(is_now, dice, landed, on_cut=kiosk.machine.power_off))
            outside.terminal.tap()
            if not disk.wait_cut(60):
                what = f"after all, as write {goal} did not come"
                disk.cut(dice, landed)
                kiosk.machine.power_off()
    print(f"figure: cut {number}: {what}, {landed.value} of the rest landed")
    outside.terminal.wait_for(lambda state: not state["busy"], 120)
    disk.plan(None)
    disk.power_on()
    found = outside.folder / f"found-{number}.img"
    disk.export(found)
    with Kiosk(outside, f"after-{number}", disk=served) as kiosk:
        kiosk.wait_up()
        settle(kiosk, order)
        assert outside.bank.balance() - before == due, "charged once"
        assert "the chain holds" in kiosk.ssh("runuser -u kassa -- kassa journal verify")
        assert kiosk.ssh("ls /var/lib/kassa | grep damaged || true") == ""
        kiosk.status("systemctl poweroff")  # it may hang up before it answers
        kiosk.machine.wait_off(300)
    found.unlink()  # kept only where the start after the cut went wrong
