"""A real browser, and a kiosk whose counter shows what it is told to."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from appliance.counter.screen import Action, Screen
from tests.web.fake import FakeCounter
from tests.web.samples import AT
from web import Counter, WebSettings, create_app
from web.settings import Display

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT_MS = 10_000


def chromium() -> str | None:
    """The browser that the setup chose, or the system's; None for Playwright's own."""
    chosen = ROOT / ".venv" / "chromium"
    if chosen.exists():
        return chosen.read_text().strip() or None
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """One for all tests of this process: beside it no second one starts."""
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all tests of this process; each test takes a page or a context of its own."""
    arguments = ["--headless=new"]
    # Chromium's sandbox refuses to run as root, which only throw-away machines do.
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    started = playwright.chromium.launch(executable_path=chromium(), args=arguments)
    yield started
    started.close()


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: the tests look at what the browser shows."""


@dataclass
class Kiosk:
    counter: FakeCounter
    address: str
    stop: Callable[[], None]

    def show(self, page: Page, screen: Screen) -> int:
        """Put a screen up and wait until the browser has it."""
        seq = self.counter.show(screen)
        page.wait_for_selector(f'#screen[data-seq="{seq}"]', timeout=WAIT_MS)
        return seq


def serve(port: int = 0, display: Display = Display()) -> Kiosk:  # noqa: B008 - a constant
    """A kiosk on this port, or on a free one."""
    counter = FakeCounter()
    address, end = served(counter, port, display)

    def stop() -> None:
        counter.stop()
        end()

    return Kiosk(counter, address, stop)


def served(
    counter: Counter, port: int = 0, display: Display | None = None
) -> tuple[str, Callable[[], None]]:
    """The pages of a counter: their address, and what ends them once the counter has ended."""
    listener = socket.create_server(("127.0.0.1", port))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    settings = WebSettings(hosts=(host,), heartbeat_s=1, display=display or Display())
    app = create_app(counter, settings, now=lambda: datetime.fromisoformat(AT))
    server = make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=Quiet, fd=listener.fileno()
    )
    listener.close()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()

    def stop() -> None:
        if thread.is_alive():
            server.shutdown()
            thread.join(WAIT_MS / 1000)
            server.server_close()

    return f"http://{host}", stop


@pytest.fixture
def kiosk() -> Iterator[Kiosk]:
    running = serve()
    yield running
    running.stop()


def is_ours(message: ConsoleMessage) -> bool:
    """A complaint about the page itself, and not about an answer that a test asked for."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


@pytest.fixture
def page(browser: Browser, kiosk: Kiosk) -> Iterator[Page]:
    """A page in a context of its own; what its script or the policy complains of fails the test.

    It needs the kiosk only to be closed before it.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if is_ours(message) else None)
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def opened(page: Page, kiosk: Kiosk) -> Page:
    page.goto(kiosk.address)
    expect(page.locator("#say")).not_to_be_empty()  # the script runs
    return page


def until(page: Page, is_so: Callable[[], bool]) -> None:
    for _ in range(WAIT_MS // 20):
        if is_so():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it did not come to that")


def sent(kiosk: Kiosk) -> list[tuple[Action, str, int | None]]:
    return [(c.action, c.argument, c.seq) for c in kiosk.counter.commands]


def settled(page: Page) -> None:
    page.wait_for_selector("body:not(.settling)")
