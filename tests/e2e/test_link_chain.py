"""A real browser follows a link from the shop's page to the shop's result, through the handler that
its system starts, the counter and the terminal; and what is lost on the way is found again.

The handler is installed for the browser of one test only: a desktop file in a folder of its own.
Who asks the kiosk's session for a page asks us here.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright

from appliance.domain.facts import Kind
from appliance.follow import SOCKET
from appliance.protocols.links import kassa, signing
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Act, Callbacks, Link, Outcome
from appliance.protocols.links.signing import Algorithm, Key, Stamp
from tests.e2e.conftest import chromium
from tests.rig import Kiosk, Rig, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("xdg-open"), reason="needs xdg-utils"),
]

WAIT_MS = 20_000
SHOP = Key("shop", Algorithm.HMAC_SHA256, b"s" * 32, can_sign=True)
KIOSK = Key("kiosk", Algorithm.HMAC_SHA256, b"k" * 32, can_sign=True)
KEYS = [
    "shop hmac-sha256 c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M",
    "kiosk hmac-sha256 a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s",
]
NUMBER = "10001"
SCHEMES = ("kassa-api", "pay-api", "print-api", "web+kassa")


class ShopServer(ThreadingHTTPServer):
    """Stops as a machine does that is switched off: a browser keeps connections ready, and the one
    that it opened before is not served after."""

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._taken: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._taken.append(connection)
        return connection, address

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in self._taken:
            with suppress(OSError):  # most have ended
                connection.shutdown(socket.SHUT_RDWR)


class ShopPage:
    """The shop's page with a link to pay, and the one that results come to."""

    def __init__(self) -> None:
        self.link = ""
        self.results: list[str] = []
        self.seen: list[str] = []
        self._server: ShopServer | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                shop.seen.append(path)
                if path == "/paid":
                    shop.results.append(query)
                # Wherever a finger taps, it is the link.
                link = f'<a id="pay" style="position:fixed;inset:0" href="{shop.link}">Pay</a>'
                body = f"<title>{path}</title>{link}".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ShopServer(self.port, Handler)
        self.port = self._server.server_port

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Chain:
    """The counter with its devices, the shop's page, and the browser that has a handler."""

    folder: Path
    shop: ShopPage
    rig: Rig
    kiosk: Kiosk
    stack: ExitStack
    playwright: Playwright
    shown: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.session = self.stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.session.bind(str(self.folder / SOCKET))
        self.session.settimeout(WAIT_MS / 1000)
        self._install()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _install(self) -> None:
        """The handler, where this browser and no other finds it."""
        handler = self.folder / "handler"
        root = Path(__file__).parents[2]
        handler.write_text(
            f'#!/bin/sh\ncd "{root}" && exec "{sys.executable}" -m appliance.cli '
            f'link --port {self.rig.port} "$1" 2>>"{self.folder}/handler.log"\n'
        )
        handler.chmod(0o755)
        applications = self.folder / "data/applications"
        applications.mkdir(parents=True)
        types = [f"x-scheme-handler/{scheme}" for scheme in SCHEMES]
        (applications / "kassa-link.desktop").write_text(
            "[Desktop Entry]\nType=Application\nName=Kassa\nNoDisplay=true\n"
            f"Exec={handler} %u\nMimeType={';'.join(types)};\n"
        )
        (self.folder / "config").mkdir()
        lines = "".join(f"{each}=kassa-link.desktop\n" for each in types)
        (self.folder / "config/mimeapps.list").write_text(f"[Default Applications]\n{lines}")

    def browser(self) -> tuple[BrowserContext, Page]:
        """A new one, in which the seller has allowed the shop's page to start our links. On the
        kiosk a policy does that (tests/image/test_pages.py)."""
        profile = self.folder / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        (profile / "Default").mkdir(parents=True)
        allowed = {self.shop.origin: dict.fromkeys(SCHEMES, True)}
        preferences = {"protocol_handler": {"allowed_origin_protocol_pairs": allowed}}
        (profile / "Default/Preferences").write_text(json.dumps(preferences))
        environ: dict[str, str | float | bool] = {
            **os.environ,
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_CURRENT_DESKTOP": "",
            "WAYLAND_DISPLAY": "none",  # xdg-open looks whether there is one
        }
        context = self.playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium(),
            args=["--headless=new", *(["--no-sandbox"] if os.geteuid() == 0 else [])],
            env=environ,
        )
        self.stack.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(self.shop.origin)
        return context, page

    def link(self, nonce: str) -> None:
        """What the shop's page links to from now on."""
        back = f"{self.shop.origin}/paid?{{response}}"
        base = Link(Name.KASSA, Act.SELL, NUMBER, "", callbacks=Callbacks(back, back, back))
        stamp = Stamp(SHOP, nonce, int(time.time()) + 600)
        self.shop.link = kassa.build(base, stamp).replace("&", "&amp;")

    def click(self, page: Page) -> None:
        """The handler has asked the session for a page, which is shown as the session does."""
        page.click("#pay")
        address = self.session.recv(65_536).decode()
        self.shown.append(address)

    def follow(self, page: Page) -> None:
        self.click(page)
        page.goto(self.shown[-1])

    def waits_for_card(self) -> None:
        until(lambda: self.rig.terminal.state()["waits_for"] == "card", "the terminal waits")

    def pay(self) -> None:
        self.waits_for_card()
        self.rig.terminal.tap()
        self.kiosk.at("hand_over")
        assert self.rig.scanner.scan("KASSA-CONFIRM")
        self.kiosk.at("idle")

    def is_charged_once(self) -> None:
        kinds = [fact.kind for fact in self.rig.facts()]
        assert kinds.count(Kind.STARTED) == kinds.count(Kind.APPROVED) == 1
        assert kinds.count(Kind.LINK_ASKED) == kinds.count(Kind.LINK_ANSWERED) == 1

    def is_result(self, page: Page, nonce: str) -> None:
        """The browser is at the shop's page, with a result that only our counter can have made."""
        page.wait_for_url(f"{self.shop.origin}/paid?*")
        address = f"kassa-api://paymentResult?{urlsplit(page.url).query}"
        result, reference, seal = kassa.parse_result(address)
        assert (result.outcome, result.order, reference) == (Outcome.PAID, NUMBER, nonce)
        assert seal is not None
        assert signing.verify(KIOSK, seal.text, seal.signature)


@pytest.fixture
def chain(tmp_path: Path, playwright: Playwright) -> Iterator[Chain]:
    with ExitStack() as stack:
        shop = ShopPage()
        stack.callback(shop.stop)
        links = (
            f'[links]\naccept = "signed"\nreturn_to = ["{shop.origin}"]\n'
            f'keys = {json.dumps(KEYS)}\nsign_with = "kiosk"\n'
        )
        rig = stack.enter_context(Rig(tmp_path, counter=links, customer_s=20.0))
        kiosk = stack.enter_context(Kiosk(rig))
        until(kiosk.is_well, "all is well")
        with Chain(tmp_path, shop, rig, kiosk, stack, playwright) as made:
            yield made


def test_from_the_shops_page_to_the_shops_result(chain: Chain) -> None:
    chain.link("a" * 22)
    _, page = chain.browser()
    chain.follow(page)
    assert chain.shown == [f"{chain.kiosk.origin}/"]
    chain.pay()
    chain.is_result(page, "a" * 22)
    assert len(chain.shop.results) == 1
    chain.is_charged_once()


def test_the_same_link_five_times(chain: Chain) -> None:
    chain.link("b" * 22)
    _, page = chain.browser()
    for _ in range(5):
        chain.click(page)
    page.goto(chain.shown[-1])
    chain.pay()
    chain.is_result(page, "b" * 22)
    chain.is_charged_once()


def test_the_browser_is_closed_while_the_customer_pays(chain: Chain) -> None:
    """The payment goes on; the same link in another browser finds its result."""
    chain.link("c" * 22)
    context, page = chain.browser()
    chain.follow(page)
    chain.waits_for_card()
    context.close()
    chain.pay()
    assert chain.shop.results == []
    _, page = chain.browser()
    chain.follow(page)
    chain.is_result(page, "c" * 22)
    chain.is_charged_once()


def says_that_it_cannot(page: Page) -> None:
    """The browser has given up, and shows a page of its own. The event of the request that failed
    was once waited for in vain."""
    end = time.monotonic() + 3 * WAIT_MS / 1000
    while not page.url.startswith("chrome-error://"):
        assert time.monotonic() < end, page.url
        page.wait_for_timeout(100)


def test_the_shop_cannot_be_reached_when_the_result_is_there(chain: Chain) -> None:
    chain.link("d" * 22)
    _, page = chain.browser()
    chain.follow(page)
    chain.waits_for_card()
    chain.shop.stop()
    chain.pay()
    says_that_it_cannot(page)
    chain.shop.start()
    page.goto(chain.shop.origin)
    chain.follow(page)
    chain.is_result(page, "d" * 22)
    chain.is_charged_once()
