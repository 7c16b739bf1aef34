"""A click in the shop's back office opens an order at the counter: the real kiosk, its screen, and
the demo shop's page in real browsers, and no way from the shop into the kiosk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from appliance.domain.facts import Kind
from tests.rig import Kiosk, Rig, until

pytestmark = pytest.mark.e2e

WAIT_MS = 20_000
ORDER = "10001"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as rig:
        yield rig


@pytest.fixture
def kiosk(rig: Rig) -> Iterator[Kiosk]:
    with Kiosk(rig) as kiosk:
        until(kiosk.is_well, "all devices are well")
        until(lambda: rig.shop.store.waiting, "the kiosk waits for news of the orders")
        yield kiosk


@pytest.fixture
def screen(browser: Browser, kiosk: Kiosk) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(kiosk.origin)
    at(page, "idle")
    yield page
    page.close()


@pytest.fixture
def office(browser: Browser, rig: Rig, screen: Page) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(rig.shop.url + "/staff")
    yield page
    page.close()


def at(screen: Page, name: str) -> None:
    screen.wait_for_selector(f'#screen[data-page="{name}"]', timeout=WAIT_MS)
    screen.wait_for_selector("body:not(.settling):not(.asked)", timeout=WAIT_MS)


def open_at_the_counter(office: Page) -> None:
    office.click(f'[data-order="ord-{ORDER}"] >> text=Open at the counter', timeout=WAIT_MS)


def kinds(rig: Rig) -> Counter[Kind]:
    return Counter(fact.kind for fact in rig.facts())


def test_a_click_in_the_office_opens_the_order_once(
    rig: Rig, kiosk: Kiosk, screen: Page, office: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_at_the_counter(office)
    at(screen, "order")
    assert ORDER in screen.inner_text("#screen")
    assert rig.bank.bookings() == (), "it opens the order, and charges nothing"
    assert kiosk.do("cancel") == 200
    at(screen, "idle")

    # The shop goes on saying so, and a kiosk that starts again hears it again.
    assert rig.shop.store.bump("ord-10002")
    until(lambda: rig.shop.store.waiting, "the kiosk has the newer orders")
    kiosk.stop()
    kiosk.start()
    until(kiosk.is_well, "all devices are well")
    until(lambda: rig.shop.store.waiting, "the kiosk has the orders once more")
    at(screen, "idle")
    assert (kinds(rig)[Kind.OPENED], kinds(rig)[Kind.LINK_ASKED]) == (1, 1)

    monkeypatch.setattr("appliance.simulators.shop.store.SAME_CLICK_S", 0)
    open_at_the_counter(office)
    at(screen, "order")
    assert (kinds(rig)[Kind.OPENED], kinds(rig)[Kind.LINK_ASKED]) == (2, 2), "another wish"
