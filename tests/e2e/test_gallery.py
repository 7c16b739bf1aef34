"""Every screen in every size and language: nothing cut off, nothing too small, nothing hidden.

The pictures go to build/screens/.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.conftest import ROOT, Kiosk
from tests.web.samples import ONE_OF_EACH, SAMPLES
from web import LANGUAGES, Theme, pages

pytestmark = pytest.mark.e2e

SIZES = ((1024, 600), (1280, 800), (1920, 1080))
LAYOUT = (Path(__file__).parent / "layout.js").read_text()
PICTURES = ROOT / "build" / "screens"


def open_kiosk(page: Page, kiosk: Kiosk, language: str, size: tuple[int, int], theme: str) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if theme == Theme.DARK else "light")
    page.context.add_cookies([{"name": pages.COOKIE, "value": language, "url": kiosk.address}])
    page.goto(kiosk.address)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_screen_fits(page: Page, kiosk: Kiosk, language: str, size: tuple[int, int]) -> None:
    open_kiosk(page, kiosk, language, size, Theme.LIGHT)
    wrong: dict[str, list[str]] = {}
    for name, sample in SAMPLES.items():
        kiosk.show(page, sample)
        if found := page.evaluate(LAYOUT):
            wrong[name] = found
    assert wrong == {}


# What 200 % and 400 % of zoom leave of a screen of 1280 x 800.
ZOOMED = ((640, 400), (320, 200), (320, 640))
REACHABLE = (Path(__file__).parent / "reachable.js").read_text()


@pytest.mark.parametrize("size", ZOOMED, ids=lambda size: f"{size[0]}x{size[1]}")
def test_everything_can_be_reached_when_zoomed_in(
    page: Page, kiosk: Kiosk, size: tuple[int, int]
) -> None:
    open_kiosk(page, kiosk, "de", size, Theme.LIGHT)
    wrong: dict[str, list[str]] = {}
    for name, sample in SAMPLES.items():
        kiosk.show(page, sample)
        if found := page.evaluate(REACHABLE):
            wrong[name] = found
    assert wrong == {}


def test_the_systems_own_colours_leave_every_button_an_outline(page: Page, kiosk: Kiosk) -> None:
    page.emulate_media(forced_colors="active")
    page.goto(kiosk.address)
    outlined = """() => [...document.querySelectorAll("button:not(.seller)")]
        .filter((button) => parseFloat(getComputedStyle(button).borderTopWidth) < 2)
        .map((button) => button.id || button.textContent)"""
    for name in ONE_OF_EACH:
        kiosk.show(page, SAMPLES[name])
        assert page.evaluate(outlined) == [], name


# Not the full product: each theme in the smallest and the usual size.
LOOKS = (
    ("en", (1280, 800), Theme.LIGHT),
    ("en", (1280, 800), Theme.DARK),
    ("de", (1024, 600), Theme.LIGHT),
    ("ru", (1024, 600), Theme.DARK),
)


@pytest.mark.parametrize(("language", "size", "theme"), LOOKS)
def test_pictures(
    page: Page, kiosk: Kiosk, language: str, size: tuple[int, int], theme: Theme
) -> None:
    folder = PICTURES / f"{language}-{size[0]}x{size[1]}-{theme}"
    folder.mkdir(parents=True, exist_ok=True)
    open_kiosk(page, kiosk, language, size, theme)
    for name, sample in SAMPLES.items():
        kiosk.show(page, sample)
        page.screenshot(path=folder / f"{name}.png")
    assert len(list(folder.glob("*.png"))) >= len(SAMPLES)


# What the first sample of a page does not show: troubles, notices, toggles, banners.
MORE = ("idle-many", "idle-sign-in", "order-checks", "order-declined", "hand-over-slip")


@pytest.mark.parametrize(("language", "theme"), [("en", Theme.LIGHT), ("ru", Theme.DARK)])
def test_everybody_can_use_it(page: Page, kiosk: Kiosk, language: str, theme: Theme) -> None:
    """axe: the rules of WCAG 2.2, level AA, and the common good practice."""
    open_kiosk(page, kiosk, language, (1280, 800), theme)
    axe = Axe()
    wrong: dict[str, list[str]] = {}
    for name in (*ONE_OF_EACH, *MORE):
        kiosk.show(page, SAMPLES[name])
        violations = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
        if violations:
            wrong[name] = [
                f"{violation['id']}: {node['html'][:120]}"
                for violation in violations
                for node in violation["nodes"]
            ]
    assert wrong == {}


def test_the_key_pad_and_the_command_sheet_are_usable_too(page: Page, kiosk: Kiosk) -> None:
    axe = Axe()
    for size in SIZES:
        open_kiosk(page, kiosk, "de", size, Theme.LIGHT)
        page.click("#keypad-open")
        assert page.evaluate(LAYOUT) == []
    assert axe.run(page).response["violations"] == []
    page.screenshot(path=PICTURES / "keypad.png")
    page.goto(f"{kiosk.address}/commands")
    assert axe.run(page).response["violations"] == []
    page.screenshot(path=PICTURES / "commands.png", full_page=True)
