"""A clock that is years off, a full card, no data partition: the screen is there and says it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.image.booted.kiosk import OUT_OF_ORDER, Kiosk, Outside
from tests.image.booted.test_power_cuts import regions
from tests.image.screens import contains_colour

pytestmark = [pytest.mark.timeout(1800)]

LONG_AGO = datetime(2009, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def kiosk(outside: Outside) -> Iterator[Kiosk]:
    with Kiosk(outside, clock=LONG_AGO) as found:
        found.wait_up()
        yield found


def test_it_starts_in_2009_and_waits_for_nobody(kiosk: Kiosk) -> None:
    """No clock that lasts and nobody to ask: the screen is there. systemd knows that it is not
    before its own release, so it is some year since; the shop's certificate tells the rest."""
    found = kiosk.wait_drawn()
    assert found["page"] == "idle"
    assert int(kiosk.ssh("date +%Y")) < 2026


def test_with_the_time_comes_the_shop(kiosk: Kiosk) -> None:
    kiosk.until(lambda: kiosk.health()["devices"].get("shop") not in (None, "ok"), "no shop yet")
    kiosk.ssh(f"date --set=@{time.time():.0f}")
    kiosk.wait_well()


def test_a_full_card_stops_the_counter_and_is_said(kiosk: Kiosk) -> None:
    """Until there is room again; then it goes on by itself."""
    fill = "dd if=/dev/zero of=/data/{} bs={} 2>/dev/null"
    kiosk.ssh(f"{fill.format('fill', '1M')}; {fill.format('more', 512)}; sync; true", 300)
    kiosk.until(lambda: kiosk.health().get("code") == "K-JRN-02", "the card is full")
    kiosk.until(
        lambda: contains_colour(kiosk.screenshot("full"), OUT_OF_ORDER, 0.3), "it is on the screen"
    )
    kiosk.ssh("rm /data/fill /data/more")
    kiosk.wait_well()


def test_without_its_data_partition_it_starts_and_says_so(outside: Outside, tmp_path: Path) -> None:
    """Such as a card whose last part has died."""
    card = tmp_path / "card.img"
    subprocess.run(["cp", "--sparse=always", outside.card, card], check=True)
    with card.open("r+b") as disk:
        disk.seek(regions(card)["data"].start)
        disk.write(bytes(4 << 20))
    with Kiosk(outside, "no-data", disk=card) as kiosk:

        def is_said() -> bool:
            shown = kiosk.screenshot("no-data")
            return contains_colour(shown, OUT_OF_ORDER, 0.3)

        kiosk.until(is_said, "it is on the screen", 900)
