"""The image as a counter: from the power to the shop's books, through real USB devices."""

from __future__ import annotations

import pytest

from tests.image.booted.kiosk import Kiosk

pytestmark = [pytest.mark.timeout(1800)]


def test_a_whole_handover(kiosk: Kiosk) -> None:
    outside = kiosk.outside
    kiosk.wait_well()
    order = next(row for row in outside.open_orders() if row["number"] == "10002")
    kiosk.scan(f"NL-{order['number']}")
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
