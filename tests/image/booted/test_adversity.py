"""A clock that is years off, a full card, no data partition: the screen is there and says it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.image.booted.kiosk import OUT_OF_ORDER, Kiosk, Outside, Parts
from tests.image.booted.test_power_cuts import regions
from tests.image.screens import contains_colour

pytestmark = [pytest.mark.timeout(1800)]

DATA_BYTES = 64 << 20  # image/disk.py
LONG_AGO = datetime(2009, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="class")
def kiosk(outside: Outside) -> Iterator[Kiosk]:
    with Kiosk(outside, clock=LONG_AGO) as found:
        found.wait_up()
        yield found


class TestWithAClockThatIsYearsOff:
    """One machine, which is switched off before the next test's is on."""

    def test_it_starts_in_2009_and_waits_for_nobody(self, kiosk: Kiosk) -> None:
        """No clock that lasts and nobody to ask: the screen is there. systemd knows that it is not
        before its own release, so it is some month since; the shop's certificate tells the rest."""
        found = kiosk.wait_drawn()
        assert found["page"] == "idle"
        assert int(kiosk.ssh("date +%s")) < time.time() - 24 * 3600

    def test_with_the_time_comes_the_shop(self, kiosk: Kiosk) -> None:
        kiosk.until(
            lambda: kiosk.health()["devices"].get("shop") not in (None, "ok"), "no shop yet"
        )
        kiosk.ssh(f"date --set=@{time.time():.0f}")
        kiosk.wait_well()

    def test_a_full_card_stops_the_counter_and_is_said(self, kiosk: Kiosk) -> None:
        """Until there is room again. That it gets full is shown before."""
        fill = "dd if=/dev/zero of=/data/{} bs={} 2>/dev/null"
        kiosk.ssh(f"{fill.format('fill', '1M')}; {fill.format('more', 512)}; sync; true", 300)
        kiosk.ssh("systemctl start kassa-storage")
        kiosk.until(lambda: kiosk.health()["devices"].get("machine") == "K-APP-05", "it is shown")
        kiosk.scan("NL-10001")
        kiosk.until(lambda: kiosk.health().get("code") == "K-JRN-02", "the card is full")
        kiosk.until(
            lambda: contains_colour(kiosk.screenshot("full"), OUT_OF_ORDER, 0.3),
            "it is on the screen",
        )
        kiosk.ssh("rm /data/fill /data/more; systemctl start kassa-storage")
        kiosk.wait_well()


def test_without_its_data_partition_it_starts_and_says_so(parts: Parts, tmp_path: Path) -> None:
    """Such as a card whose last part has died: with it go the journal and the settings, and nothing
    of it can be repaired."""
    with Outside(tmp_path, parts) as outside:
        with outside.card.open("r+b") as disk:
            disk.seek(regions(outside.card)["data"].start)
            disk.write(os.urandom(DATA_BYTES))
        with Kiosk(outside, "no-data") as kiosk:

            def is_said() -> bool:
                return contains_colour(kiosk.screenshot("no-data"), OUT_OF_ORDER, 0.3)

            kiosk.until(is_said, "it is on the screen", 900)
