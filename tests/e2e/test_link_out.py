"""A real browser carries a payment from one kiosk to another and its result back, through the
handlers that its system starts: A's page opens pay-api and print-api by itself, and B's page goes
back to A. Chromium starts one application for each touch, so the seller taps what is left over."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Playwright

from appliance.domain.facts import Kind
from appliance.follow import SOCKET
from tests.e2e.conftest import chromium
from tests.rig import Kiosk, Rig, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("xdg-open"), reason="needs xdg-utils"),
]

PATIENCE_S: Final = 2.0
CODES: Final = ("NL-10001", "NL-10002")
LINKS: Final = """
[links]
accept = "signed"
return_to = ["kassa-api:"]
keys = [
    "a hmac-sha256 YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE",
    "b hmac-sha256 YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI",
]
"""
APPLICATION: Final = """
[terminal]
kind = "pay-api"
answer_key = "b"
knows_status = true
[printer]
kind = "print-api"
answer_key = "b"
print_merchant_slip = false
print_declines = false
"""


class Two:
    """A, B, and the browser in which A's page is open. Whoever asks the kiosk's session for a page
    gets it in that browser."""

    def __init__(self, folder: Path, stack: ExitStack, playwright: Playwright) -> None:
        self.folder = folder
        (folder / "a").mkdir()
        (folder / "b").mkdir()
        self.a = stack.enter_context(Rig(folder / "a"))
        self.b = stack.enter_context(Rig(folder / "b", beside=self.a))
        own = re.sub(r"(?s)\[terminal\].*?(?=\[scanner\])", "", self.a.config_file.read_text())
        self.a.config_file.write_text(f'{own}{LINKS}sign_with = "a"\n{APPLICATION}')
        self.b.config_file.write_text(f'{self.b.config_file.read_text()}{LINKS}sign_with = "b"\n')
        self.kiosk_a = stack.enter_context(Kiosk(self.a))
        self.kiosk_b = stack.enter_context(Kiosk(self.b))
        until(self.kiosk_b.is_well, "B is well")
        self._offered: dict[str, float] = {}
        self.papers = 0
        self._session = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self._session.bind(str(folder / SOCKET))
        self._session.settimeout(0.1)
        self._install()
        context = playwright.chromium.launch_persistent_context(
            self._profile(),
            executable_path=chromium(),
            args=["--headless=new", *(["--no-sandbox"] if os.geteuid() == 0 else [])],
            env=self._environ(),
        )
        stack.callback(context.close)
        self.page = context.new_page()
        self.page.goto(self.kiosk_a.origin)

    def _install(self) -> None:
        """Handlers, where this browser and no other finds them: payment and paper are B's, results
        are A's."""
        applications = self.folder / "data/applications"
        applications.mkdir(parents=True)
        (self.folder / "config").mkdir()
        root, defaults = Path(__file__).parents[2], ""
        for name, port, schemes in (
            ("b", self.b.port, ("pay-api", "print-api")),
            ("a", self.a.port, ("kassa-api",)),
        ):
            handler = self.folder / f"handler-{name}"
            handler.write_text(
                f'#!/bin/sh\ncd "{root}" && exec "{sys.executable}" -m appliance.cli '
                f'link --port {port} "$1" 2>>"{self.folder}/handler.log"\n'
            )
            handler.chmod(0o755)
            types = [f"x-scheme-handler/{scheme}" for scheme in schemes]
            (applications / f"{name}.desktop").write_text(
                "[Desktop Entry]\nType=Application\nName=Kassa\nNoDisplay=true\n"
                f"Exec={handler} %u\nMimeType={';'.join(types)};\n"
            )
            defaults += "".join(f"{each}={name}.desktop\n" for each in types)
        (self.folder / "config/mimeapps.list").write_text(f"[Default Applications]\n{defaults}")

    def _profile(self) -> Path:
        """In which each kiosk's page may start the other's links."""
        profile = self.folder / "profile"
        (profile / "Default").mkdir(parents=True)
        allowed = {
            self.kiosk_a.origin: {"pay-api": True, "print-api": True},
            self.kiosk_b.origin: {"kassa-api": True},
        }
        preferences = {"protocol_handler": {"allowed_origin_protocol_pairs": allowed}}
        (profile / "Default/Preferences").write_text(json.dumps(preferences))
        return profile

    def _environ(self) -> dict[str, str | float | bool]:
        return {
            **os.environ,
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_CURRENT_DESKTOP": "",
            "WAYLAND_DISPLAY": "none",
        }

    def browse(self) -> None:
        """Show what the session is asked for; let the page live meanwhile. What a page offers for
        longer than it takes to start it by itself, the seller taps once."""
        self.page.wait_for_timeout(50)
        link = self.page.locator("#go-leave")
        if link.count():
            address = str(link.get_attribute("href"))
            self._offered.setdefault(address, time.monotonic())
            if time.monotonic() - self._offered[address] > PATIENCE_S:
                self._offered[address] = float("inf")
                link.click()
        try:
            address = self._session.recv(65_536).decode()
        except TimeoutError:
            return
        # Not until all is loaded: the page may start the next application before that.
        self.page.goto(address, wait_until="commit")

    def until(self, condition, what: str) -> None:
        def looked():
            self.browse()
            return condition()

        until(looked, what, 90.0)

    def serve(self, code: str) -> None:
        """One customer, whose goods are handed over at A."""
        self.until(self.kiosk_a.is_well, "A has seen its page")
        assert self.a.scanner.scan(code)
        self.until(lambda: self.kiosk_a.page() == "order", "the order is open")
        assert self.a.scanner.scan("KASSA-CONFIRM")
        waits = self.b.terminal.state
        self.until(lambda: waits()["waits_for"] == "card", "B's terminal wants a card")
        self.b.terminal.tap()
        self.until(lambda: self.kiosk_a.page() == "hand_over", "A knows that it is paid")
        self.until(lambda: self.printed() == self.papers + 1, "the receipt is printed")
        self.papers += 1
        assert self.a.scanner.scan("KASSA-CONFIRM")
        self.until(lambda: self.kiosk_a.page() == "idle", "it is handed over")

    def printed(self) -> int:
        return [fact.kind for fact in self.a.facts()].count(Kind.PRINTED)


@pytest.fixture
def two(tmp_path: Path, playwright: Playwright) -> Iterator[Two]:
    with ExitStack() as stack:
        yield Two(tmp_path, stack, playwright)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_customers_one_after_the_other(two: Two) -> None:
    for code in CODES:
        two.serve(code)
    kinds = [fact.kind for fact in two.a.facts()]
    assert kinds.count(Kind.STARTED) == kinds.count(Kind.APPROVED) == 2
    assert kinds.count(Kind.DOUBTFUL) == 0
    assert len(two.b.bank.bookings()) == 2
    orders = two.a.shop.state()["orders"]
    for code in CODES:
        order = orders[code.removeprefix("NL-")]
        assert len(order["payments"]) == 1
