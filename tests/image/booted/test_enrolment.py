"""A card on which nobody wrote settings: from the power, by one scan of a code, to a payment."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from appliance.counter.enrol_book import Desk
from appliance.serve_enrol import DeskServer
from tests.drivers.test_enrol_desk import serving
from tests.image.booted.kiosk import BOOT_S, HOST, Kiosk, Outside, Parts
from tests.image.nbd import NbdServer
from tests.image.volatile_disk import Landed, VolatileDisk

pytestmark = [pytest.mark.timeout(3600)]

NAME = "counter-7"
HOUR_S = 3600


@pytest.fixture(scope="module")
def outside(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with Outside(tmp_path_factory.mktemp("blank"), parts, has_settings=False) as found:
        yield found


@pytest.fixture(scope="module")
def drive(outside: Outside) -> Iterator[VolatileDisk]:
    with VolatileDisk(outside.card) as found:
        yield found


@pytest.fixture(scope="module")
def disk(outside: Outside, drive: VolatileDisk) -> Iterator[str]:
    with NbdServer(drive, outside.folder / "nbd") as server:
        yield server.uri


def make_desk(outside: Outside) -> Desk:
    kiosks = outside.folder / "desk/kiosks"
    kiosks.mkdir(parents=True)
    (kiosks / f"{NAME}.toml").write_text(outside.toml(by_credential=True))
    (kiosks / f"{NAME}.token").write_text(f"{outside.token}\n")
    (kiosks / f"{NAME}.pem").write_text(outside.authority)
    return Desk(kiosks.parent, time.time)


def test_from_the_power_to_the_first_payment(
    outside: Outside, drive: VolatileDisk, disk: str
) -> None:
    """And then the plug is pulled: what was not flushed is lost."""
    desk = make_desk(outside)
    with (
        serving(DeskServer(desk, ("127.0.0.1", 0))) as address,
        Kiosk(outside, disk=disk) as kiosk,
    ):
        began = kiosk.started_at
        kiosk.wait_up()
        kiosk.until(lambda: "K-ENR-01" in kiosk.get("/screen"), "it asks for a code", BOOT_S)
        kiosk.until(lambda: kiosk.status("test -e /dev/kassa/scanner") == 0, "its scanner")
        asked_s = time.monotonic() - began
        kiosk.screenshot("asks")
        _, digits = desk.make(NAME, f"{HOST}:{address.rpartition(':')[2]}", HOUR_S)
        kiosk.scan_until(
            digits, lambda: kiosk.status("test -e /etc/kassa/kassa.toml") == 0, "settings"
        )
        has_settings_s = time.monotonic() - began
        kiosk.wait_well()
        is_well_s = time.monotonic() - began
        assert kiosk.ssh("stat -c %a:%U /etc/kassa/credentials/shop-token").strip() == "600:root"
        assert outside.token not in kiosk.ssh("journalctl -b -o cat")
        kiosk.wait_drawn()
        kiosk.scan_to("NL-10002", "order")
        kiosk.scan_to_card()
        outside.terminal.tap()
        kiosk.wait_page("hand_over")
        paid_s = time.monotonic() - began
        kiosk.until(lambda: outside.printer.papers, "the receipt")
        kiosk.scan_to("KASSA-CONFIRM", "idle")
        kiosk.until(
            lambda: all(row["number"] != "10002" for row in outside.open_orders()),
            "the shop knows",
        )
        drive.cut(random.Random(0), Landed.NOTHING)
    drive.power_on()
    print(
        f"figure: it asks for a code after {asked_s:.0f} s, has settings after"
        f" {has_settings_s:.0f}, is well after {is_well_s:.0f}, is paid after {paid_s:.0f}"
    )


def test_its_card_in_another_box_needs_no_code_and_takes_none(outside: Outside, disk: str) -> None:
    """To the card, every power-on here is another box: no part of the machine remembers."""
    with Kiosk(outside, "another", disk=disk) as kiosk:
        kiosk.wait_up()
        kiosk.wait_well()
        took_s = time.monotonic() - kiosk.started_at
        print(f"figure: a box with the card of another is well after {took_s:.0f} s")
        before = kiosk.ssh("sha256sum /etc/kassa/kassa.toml /etc/kassa/credentials/*")
        other = make_other_code(outside)
        kiosk.scan_until(
            other, lambda: "K-SCN-01" in kiosk.get("/screen"), "it is a code that cannot be read"
        )
        assert kiosk.ssh("sha256sum /etc/kassa/kassa.toml /etc/kassa/credentials/*") == before


def make_other_code(outside: Outside) -> str:
    desk = Desk(outside.folder / "desk", time.time)
    return desk.make(NAME, f"{HOST}:8144", HOUR_S)[1]
