"""The display is turned and goes dark as the settings say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from tests.image.booted.kiosk import GROUND, Kiosk, Outside, Parts
from tests.image.screens import contains_colour, flat_colour, resembles

pytestmark = [pytest.mark.timeout(3600)]

BLACK = (0, 0, 0)
CHANGED = 0.02
"""A clock goes on."""


@pytest.fixture(scope="module")
def kiosk(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    with (
        Outside(tmp_path_factory.mktemp("display"), parts) as outside,
        Kiosk(outside) as found,
    ):
        found.wait_up()
        found.wait_well()
        found.wait_drawn()
        yield found


def display(kiosk: Kiosk, **settings: object) -> None:
    """As an administrator sets it, and both are started anew."""
    lines = ["[display]", *(f"{name} = {value!r}" for name, value in settings.items())]
    text = "\n".join(lines).replace("'", '"')
    kiosk.ssh(
        "cd /etc/kassa; [ -e plain ] || cp kassa.toml plain;"
        f" (cat plain; printf '{text}\n') > kassa.toml;"
        " systemctl restart kassa; systemctl restart kassa-session"
    )
    kiosk.wait_well()
    kiosk.wait_drawn()


def lit(kiosk: Kiosk, name: str) -> Image.Image:
    def is_lit() -> Image.Image | None:
        shown = kiosk.screenshot(name)
        is_page = flat_colour(shown) is None and contains_colour(shown, GROUND, 0.3)
        return shown if is_page else None

    found = kiosk.until(is_lit, "the page is on the screen", 300)
    assert isinstance(found, Image.Image)
    return found


def test_it_is_turned(kiosk: Kiosk) -> None:
    upright = lit(kiosk, "upright")
    turned = {}
    for degrees in (180, 90, 270):
        display(kiosk, rotation=degrees)
        turned[degrees] = lit(kiosk, f"turned-{degrees}")

        def is_as_turned(degrees: int = degrees) -> bool:
            # The browser draws anew some time after the output was turned.
            turned[degrees] = kiosk.screenshot(f"turned-{degrees}")
            if degrees == 90:
                return not resembles(upright, turned[degrees], CHANGED)
            before = upright if degrees == 180 else turned[90]
            return resembles(before.rotate(180), turned[degrees], CHANGED)

        kiosk.until(is_as_turned, f"the page is turned by {degrees}")


def test_it_has_the_resolution_that_is_chosen_and_then_its_own_again(kiosk: Kiosk) -> None:
    own = lit(kiosk, "own").size
    display(kiosk, resolution="800x600")
    assert own != (800, 600)

    def has(size: tuple[int, int]) -> bool:
        return kiosk.screenshot("resolution").size == size

    kiosk.until(lambda: has((800, 600)), "the screen is of the chosen size")
    lit(kiosk, "chosen")
    display(kiosk)
    kiosk.until(lambda: has(own), "the screen is of its own size")


def test_at_night_an_idle_screen_is_black_until_somebody_comes(kiosk: Kiosk) -> None:
    now = datetime.now(UTC)
    display(
        kiosk,
        blank_from=f"{now - timedelta(hours=1):%H:%M}",
        blank_until=f"{now + timedelta(hours=6):%H:%M}",
    )
    kiosk.until(
        lambda: contains_colour(kiosk.screenshot("dark"), BLACK, 0.999), "the screen is dark"
    )
    kiosk.scan_to("NL-10001", "order")
    lit(kiosk, "lit")
    kiosk.scan_to("KASSA-CANCEL", "idle")
