"""The image as a counter: from the power to the shop's books, through real USB devices."""

from __future__ import annotations

import pytest

from tests.image.booted.kiosk import Kiosk

pytestmark = [pytest.mark.timeout(1800)]


def test_a_whole_handover(kiosk: Kiosk) -> None:
    outside = kiosk.outside
    kiosk.wait_well()
    order = next(row for row in outside.open_orders() if row["number"] == "10002")
    kiosk.scan_to(f"NL-{order['number']}", "order")
    kiosk.scan_to_card()
    assert kiosk.health()["page"] == "charging"
    outside.terminal.tap()
    kiosk.wait_page("hand_over")
    assert outside.bank.balance() == order["due"]
    kiosk.until(lambda: outside.printer.papers, "the receipt")
    assert not outside.printer.defects
    kiosk.scan_to("KASSA-CONFIRM", "idle")
    kiosk.until(
        lambda: not any(row["number"] == order["number"] for row in outside.open_orders()),
        "the shop knows",
    )
    assert "the chain holds" in kiosk.ssh("runuser -u kassa -- kassa journal verify")
