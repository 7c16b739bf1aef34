"""A printer is plugged in, offered, and taken into service in a real browser: a real counter, the
real scripts of udev's rules and root's real program on a bus of files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from appliance.counter import runtime
from appliance.counter.clock import SystemClock
from appliance.counter.counter import Counter
from appliance.counter.plug_watch import WISHES
from appliance.counter.settings import DeviceSettings
from tests.e2e.conftest import WAIT_MS, served
from tests.image.test_adopt import adopt
from tests.rig import WAIT_S, Rig, until
from tests.usb_tree import EPSON, Bus

pytestmark = pytest.mark.e2e

SHOTS = Path(__file__).parents[2] / "build" / "journeys"
LEFT, RIGHT = replace(EPSON, serial="LEFT1234"), replace(EPSON, serial="RIGHT567")


@dataclass
class Desk:
    """The page, the bus, and root."""

    page: Page
    bus: Bus
    rig: Rig

    def root(self) -> None:
        """kassa-adopt.service, once the counter wishes for something else, and udev after it."""
        until(lambda: adopt.adopt(self.rig.data / WISHES, self.bus.devices), "a new wish")
        self.bus.settle()

    def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"adoption-{name}.png")


@pytest.fixture
def desk(tmp_path: Path, page: Page) -> Iterator[Desk]:
    (tmp_path / "bus").mkdir()
    bus = Bus(tmp_path / "bus")
    bus.devices.write_text("printer ask\n")
    with Rig(tmp_path) as rig:
        config = rig.config()
        config.counter.data_dir.mkdir()
        clock = SystemClock()
        counter = Counter(
            config.counter.journal,
            # The simulated devices hang on lines of their own, which are no roles.
            replace(
                runtime.settings(config), devices=DeviceSettings("ask", (), {"printer": "usbmisc"})
            ),
            replace(runtime.devices(config, clock), plugs=bus.plugs),
            clock,
            pytest.fail,
        )
        counter.start()
        address, stop = served(counter)
        try:
            page.goto(address)
            yield Desk(page, bus, rig)
        finally:
            assert counter.stop(WAIT_S)
            stop()


def test_from_the_plug_to_the_service_by_touch(desk: Desk) -> None:
    page = desk.page
    desk.bus.plug("1.1", LEFT)
    desk.bus.plug("1.2", RIGHT)
    page.click("#do-devices", timeout=WAIT_MS)
    rows = page.locator("#plugged .row")
    expect(rows).to_have_count(2)
    rows.filter(has_text="1.2").click()
    expect(page.locator("#place")).to_contain_text("1.2")
    desk.shot("offered")
    confirm = page.locator('button[data-action="confirm"]')
    confirm.click()
    expect(page.locator("#screen")).to_contain_text("badge")
    desk.rig.scanner.scan(desk.rig.shop.badges["Anna K."])
    expect(page.locator("#screen")).not_to_contain_text("Scan your badge first")
    confirm.click()
    desk.root()
    expect(rows.filter(has_text="1.2")).to_contain_text("in service")
    desk.shot("in-service")
    assert "printer serial RIGHT567" in desk.bus.devices.read_text()
    page.click('button[data-action="cancel"]')
    expect(page.locator('#screen[data-page="idle"]')).to_be_visible()
    expect(page.locator("#do-devices.ask")).to_have_count(0)
