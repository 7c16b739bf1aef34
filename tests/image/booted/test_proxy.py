"""A shop behind a proxy: the counter and its browser reach it by that and not past it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.drivers.far_proxy import Proxy
from tests.e2e.test_link_chain import KEYS, ShopPage
from tests.image.booted.kiosk import HOST, Kiosk, Outside, Parts
from tests.image.booted.test_links import SETTLE_S, is_paid, pay, tap_page
from tests.image.hardware import USB_BUS

pytestmark = [pytest.mark.timeout(1800)]

LOOPBACK = "127.0.0.1"
PAGES = "pages.shop.test"
"""A name that nobody but the proxy knows."""
SILENCE_S = 20.0
"""Less than a kiosk would have its shop be silent."""


@dataclass
class Site:
    kiosk: Kiosk
    proxy: Proxy
    page: ShopPage

    @property
    def origin(self) -> str:
        return f"http://{PAGES}:{self.page.port}"


@pytest.fixture(scope="module")
def site(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    page = ShopPage()
    origin = f"http://{PAGES}:{page.port}"
    links = (
        f'[links]\naccept = "signed"\nkeys = {json.dumps(KEYS)}\nsign_with = "kiosk"\n'
        f'return_to = ["{origin}"]\npages = ["{origin}"]\n'
    )
    folder = tmp_path_factory.mktemp("proxy")
    hosts = {PAGES: LOOPBACK, HOST: LOOPBACK}
    with Proxy(hosts=hosts, silence_s=SILENCE_S) as proxy:
        way = f'proxy = "http://{HOST}:{proxy.port}"'
        with (
            Outside(folder, parts, config=links, shop_config=way) as outside,
            Kiosk(outside) as kiosk,
        ):
            kiosk.wait_up()
            kiosk.wait_well()
            kiosk.wait_drawn()
            kiosk.machine.plug("usb-tablet", "finger", bus=USB_BUS)
            time.sleep(SETTLE_S)  # until the compositor has it
            yield Site(kiosk, proxy, page)
    page.stop()


def test_a_sale_of_the_shops_page(site: Site) -> None:
    """From its page to its result, and the orders in between."""
    kiosk, proxy, page = site.kiosk, site.proxy, site.page
    assert kiosk.status(f"getent hosts {PAGES}") != 0
    number, nonce = tap_page(kiosk, page, site.origin)
    pay(kiosk)
    kiosk.until(lambda: page.results, "the browser is at the shop's page with the result")
    [query] = page.results
    is_paid(query, number, nonce)
    kiosk.screenshot("result")
    asked = [line.split(" ")[:2] for line in proxy.asked]
    assert ["GET", f"{site.origin}/"] in asked
    assert ["GET", f"{site.origin}/paid?{query}"] in asked
    assert ["CONNECT", f"{HOST}:{kiosk.outside.tls.port}"] in asked


def test_the_counters_own_page_is_not_asked_of_the_proxy(site: Site) -> None:
    assert not [line for line in site.proxy.asked if LOOPBACK in line or "localhost" in line]
