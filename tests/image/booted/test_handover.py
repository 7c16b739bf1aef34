"""The image as a counter: from the power to the shop's books, through real USB devices."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.image.booted.kiosk import BOOT_S, GROUND, Kiosk, Outside
from tests.image.screens import contains_colour, flat_colour

pytestmark = [pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def kiosk(outside: Outside) -> Iterator[Kiosk]:
    with Kiosk(outside, by_firmware=True) as found:
        yield found


def test_it_comes_up_by_itself_with_the_page_on_the_screen(kiosk: Kiosk) -> None:
    """Without a login, a text or a key pressed."""
    kiosk.wait_up()
    up_s = time.monotonic() - kiosk.started_at
    kiosk.wait_well()
    well_s = time.monotonic() - kiosk.started_at
    kiosk.wait_drawn()

    def is_painted() -> bool:
        shown = kiosk.screenshot("first")
        return flat_colour(shown) is None and contains_colour(shown, GROUND, 0.3)

    kiosk.until(is_painted, "the page is on the screen", BOOT_S)
    painted_s = time.monotonic() - kiosk.started_at
    print(
        f"figure: power-on to SSH {up_s:.0f} s, counter ready {well_s:.0f} s, "
        f"page on the screen {painted_s:.0f} s"
    )


def test_a_whole_handover(kiosk: Kiosk, outside: Outside) -> None:
    order = next(row for row in outside.open_orders() if row["number"] == "NL-10002")
    kiosk.scan(order["number"])
    kiosk.wait_page("order")
    kiosk.scan("KASSA-CONFIRM")
    assert outside.terminal.wait_for(lambda state: state["waits_for"] == "card", 60)
    assert kiosk.health()["page"] == "charging"
    outside.terminal.tap()
    kiosk.wait_page("hand_over")
    assert outside.bank.balance() == order["due"]
    kiosk.until(lambda: outside.printer.papers, "the receipt")
    assert not outside.printer.defects
    kiosk.scan("KASSA-CONFIRM")
    kiosk.wait_page("idle")
    kiosk.until(
        lambda: not any(row["number"] == order["number"] for row in outside.open_orders()),
        "the shop knows",
    )
    assert "the chain holds" in kiosk.ssh("runuser -u kassa -- kassa journal verify")
