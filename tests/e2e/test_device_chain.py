"""A paired device: a real browser in the shop's network, over HTTPS, from a link to its result.

The code is read from the kiosk's screen as a camera would; the browser on the device follows a
web+kassa link of the shop's page, for which our page is the handler.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Playwright

from appliance.domain.facts import Kind
from appliance.protocols.links import kassa
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Act, Callbacks, Link, Outcome
from appliance.protocols.links.signing import Stamp
from tests.children import TIED
from tests.e2e.conftest import chromium
from tests.e2e.test_link_chain import KEYS, NUMBER, SHOP, WAIT_MS, ShopPage
from tests.rig import Kiosk, Rig, free_port, until

pytestmark = pytest.mark.e2e


@dataclass
class Counter:
    """The counter with its devices, its listener, and the shop's page."""

    folder: Path
    rig: Rig
    kiosk: Kiosk
    shop: ShopPage
    playwright: Playwright
    address: str
    stack: ExitStack

    def context(self, name: str) -> BrowserContext:
        """A browser in which our page is the handler of web+kassa, as a person has allowed."""
        profile = self.folder / name
        shutil.rmtree(profile, ignore_errors=True)
        (profile / "Default").mkdir(parents=True)
        handler = {
            "protocol": "web+kassa", "url": f"{self.address}/open?link=%s", "default": True,
        }  # fmt: skip
        handlers = {"enabled": True, "registered_protocol_handlers": [handler]}
        (profile / "Default/Preferences").write_text(json.dumps({"custom_handlers": handlers}))
        context = self.playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium(),
            args=["--headless=new", *(["--no-sandbox"] if os.geteuid() == 0 else [])],
            ignore_https_errors=True,  # its own certificate, which a person accepts once
            viewport={"width": 1280, "height": 800},
        )
        self.stack.callback(context.close)
        context.set_default_timeout(WAIT_MS)
        return context

    def code(self, context: BrowserContext) -> str:
        """What the kiosk's screen shows, read as a camera would."""
        page = context.new_page()
        page.goto(self.kiosk.origin)
        page.click("#do-pair-foot")
        picture = page.locator(".qr").screenshot()
        [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
        page.close()
        return found.text

    def pair(self, context: BrowserContext) -> Page:
        address = self.code(context)
        assert address.startswith(f"{self.address}/pair#")
        page = context.new_page()
        page.goto(address)
        page.click("#go")
        page.wait_for_selector("text=This device is paired.")
        assert address.partition("#")[2] not in page.url
        return page

    def link(self, nonce: str, *, is_signed: bool = True) -> str:
        back = f"{self.shop.origin}/paid?{{response}}"
        base = Link(Name.KASSA, Act.SELL, NUMBER, "", callbacks=Callbacks(back, back, back))
        until_s = int(time.time()) + 600
        return kassa.build(base, Stamp(SHOP, nonce, until_s) if is_signed else None, web=True)

    def pay(self) -> None:
        until(lambda: self.rig.terminal.state()["waits_for"] == "card", "the terminal waits")
        self.rig.terminal.tap()

    def is_paid_once(self, page: Page) -> None:
        page.wait_for_url(f"{self.shop.origin}/paid?*")
        query = urlsplit(page.url).query
        result, _, seal = kassa.parse_result(f"kassa-api://paymentResult?{query}")
        assert (result.outcome, result.order) == (Outcome.PAID, NUMBER)
        assert seal is not None
        kinds = [fact.kind for fact in self.rig.facts()]
        assert kinds.count(Kind.STARTED) == kinds.count(Kind.APPROVED) == 1


@pytest.fixture
def counter(tmp_path: Path, playwright: Playwright) -> Iterator[Counter]:
    with ExitStack() as stack:
        shop = ShopPage()
        stack.callback(shop.stop)
        port = free_port()
        address = f"https://localhost:{port}"
        links = (
            f'[links]\naccept = "confirmed"\nreturn_to = ["{shop.origin}"]\n'
            f'keys = {json.dumps(KEYS)}\nsign_with = "kiosk"\n'
            f'listen = "127.0.0.1:{port}"\npublic_url = "{address}"\n'
        )
        rig = stack.enter_context(Rig(tmp_path, counter=links, customer_s=20.0))
        kiosk = stack.enter_context(Kiosk(rig))
        until(kiosk.is_well, "all is well")
        command = [*TIED, sys.executable, "-m", "appliance.cli", "links", "--port", str(rig.port)]
        with (tmp_path / "links.log").open("wb") as log:
            served = subprocess.Popen(
                [*command, "--data", tmp_path / "links"], stdout=log, stderr=log
            )
        stack.callback(served.wait, 20)
        stack.callback(served.terminate)
        until(lambda: "fingerprint" in (tmp_path / "links.log").read_text(), "the listener")
        yield Counter(tmp_path, rig, kiosk, shop, playwright, address, stack)


def test_a_paired_device_follows_a_link_to_its_result(counter: Counter) -> None:
    context = counter.context("phone")
    counter.pair(context)
    counter.shop.link = counter.link("a" * 22).replace("&", "&amp;")
    page = context.new_page()
    page.goto(counter.shop.origin)
    page.click("#pay")  # another site leads to our page, which acts as the shop has signed it
    page.wait_for_url(f"{counter.address}/open?link=*")
    counter.pay()
    counter.is_paid_once(page)


def test_the_devices_browser_is_closed_on_the_way(counter: Counter) -> None:
    context = counter.context("phone")
    counter.pair(context)
    address = f"{counter.address}/open?link={quote(counter.link('b' * 22), safe='')}"
    pages = [context.new_page() for _ in range(2)]
    for page in pages:
        page.goto(address)
    until(lambda: counter.rig.terminal.state()["waits_for"] == "card", "the terminal waits")
    for page in pages:
        page.close()
    counter.pay()
    page = context.new_page()
    page.goto(address)
    counter.is_paid_once(page)


def test_what_nobody_has_signed_waits_for_a_tap_here_and_one_at_the_counter(
    counter: Counter,
) -> None:
    context = counter.context("phone")
    counter.pair(context)
    page = context.new_page()
    address = quote(counter.link("", is_signed=False), safe="")
    page.goto(f"{counter.address}/open?link={address}")
    page.wait_for_selector("#go:not([hidden])")
    assert counter.kiosk.page() != "order"
    page.click("#go")
    counter.kiosk.at("order")
    assert counter.rig.terminal.state()["waits_for"] != "card"
    counter.kiosk.do("confirm")
    counter.pay()
    counter.is_paid_once(page)


def test_a_device_that_is_not_paired_or_is_not_any_more_does_nothing(counter: Counter) -> None:
    address = f"{counter.address}/open?link={quote(counter.link('c' * 22), safe='')}"
    stranger = counter.context("stranger").new_page()
    stranger.goto(address)
    stranger.wait_for_selector("text=not paired")
    context = counter.context("phone")
    page = counter.pair(context)
    [device] = json.loads(counter.kiosk.request("GET", "/devices")[1])
    assert counter.kiosk.request("POST", "/devices/remove", {"id": device["id"]})[0] == 204
    page.goto(address)
    page.wait_for_selector("text=not paired")
    assert Kind.LINK_ASKED not in [fact.kind for fact in counter.rig.facts()]
