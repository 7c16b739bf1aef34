"""The night: an idle screen that nobody uses is black, and whatever is done lights it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from appliance.counter.screen import Action
from tests.e2e.conftest import Kiosk, sent, serve, settled, until
from tests.web.samples import SAMPLES
from web.settings import Display

pytestmark = pytest.mark.e2e

REST_S = 61


@pytest.fixture
def kiosk() -> Iterator[Kiosk]:
    """It is 14:36 there (samples.AT): in the night of this shop."""
    running = serve(display=Display(blank_from="14:00", blank_until="07:00"))
    yield running
    running.stop()


@pytest.fixture
def resting(page: Page, kiosk: Kiosk) -> Page:
    """Idle, and not touched for a minute."""
    page.clock.install()
    page.goto(kiosk.address)
    expect(page.locator("#say")).not_to_be_empty()
    kiosk.show(page, SAMPLES["idle"])
    settled(page)
    expect(page.locator("#blank")).to_be_hidden()
    page.clock.run_for(REST_S * 1000)
    expect(page.locator("#blank")).to_be_visible()
    return page


def test_a_touch_lights_it_and_does_nothing_else(resting: Page, kiosk: Kiosk) -> None:
    row = resting.locator("#screen button[data-action=open]").first.bounding_box()
    assert row is not None
    resting.mouse.click(row["x"] + 5, row["y"] + 5)
    expect(resting.locator("#blank")).to_be_hidden()
    assert sent(kiosk) == []
    resting.mouse.click(row["x"] + 5, row["y"] + 5)  # the next one is meant
    until(resting, lambda: [action for action, _, _ in sent(kiosk)] == [Action.OPEN])


def test_a_code_that_is_typed_loses_no_character(resting: Page, kiosk: Kiosk) -> None:
    resting.keyboard.type("NL-10002")
    expect(resting.locator("#blank")).to_be_hidden()
    resting.keyboard.press("Enter")
    until(resting, lambda: [argument for _, argument, _ in sent(kiosk)] == ["NL-10002"])


def test_another_page_lights_it(resting: Page, kiosk: Kiosk) -> None:
    """Such as an order that was scanned."""
    kiosk.show(resting, SAMPLES["order"])
    expect(resting.locator("#blank")).to_be_hidden()
    resting.clock.run_for(REST_S * 1000)
    expect(resting.locator("#blank")).to_be_hidden()  # an order waits for somebody


@pytest.mark.parametrize(("begins", "ends"), [("", ""), ("07:00", "14:00"), ("19:00", "20:00")])
def test_it_is_lit_by_day(page: Page, begins: str, ends: str) -> None:
    kiosk = serve(display=Display(blank_from=begins, blank_until=ends))
    try:
        page.clock.install()
        page.goto(kiosk.address)
        expect(page.locator("#say")).not_to_be_empty()
        kiosk.show(page, SAMPLES["idle"])
        page.clock.run_for(REST_S * 1000)
        expect(page.locator("#blank")).to_be_hidden()
    finally:
        kiosk.stop()
