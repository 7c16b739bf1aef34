"""A whole counter, `kassa run` with simulated devices, on a real Vendure."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.domain.facts import Kind
from tests.rig import Kiosk, Rig, until
from tests.shops.vendure.shop import VendureShop

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def test_scanned_paid_printed_settled_fulfilled(shop: VendureShop, tmp_path: Path) -> None:
    place = f"counter-{shop.plugin}"
    order = shop.place(pickup_point=place, lines=[("KETTLE", 1), ("MUG", 3)])
    keys = (
        f'kind = "vendure"\nurl = "{shop.url}"\ntoken = "mitte-5:secret-5"\n'
        f'pickup_point = "{place}"\nanswer_timeout_s = 60\n'
    )
    with Rig(tmp_path, shop=keys) as rig, Kiosk(rig) as kiosk:
        until(kiosk.is_well, "all is well", 60)
        rig.scanner.scan(shop.number(order))
        kiosk.at("order")
        kiosk.do("confirm")
        kiosk.at("charging")
        until(lambda: rig.terminal.state()["waits_for"] == "card", "the terminal waits")
        rig.terminal.tap()
        kiosk.at("hand_over")
        until(kiosk.printed, "the receipt is printed")
        kiosk.do("confirm")
        kiosk.at("idle")
        until(lambda: shop.state(order) == "Delivered", "the shop knows", 60)
        (held,) = rig.bank.held()
        approved = next(fact for fact in rig.facts() if fact.kind is Kind.APPROVED)
        until(lambda: shop.number(order) not in _open(kiosk), "the order has left the list", 60)
    (payment,) = [row for row in shop.payments(order) if row["state"] == "Settled"]
    assert payment["amount"] == held.amount == approved.body["amount"]
    card = approved.body["card"]
    assert isinstance(card, dict)
    assert str(card["receipt_no"]) in payment["transactionId"].split()
    assert payment["metadata"]["kassaPayment"] == approved.body["payment"]
    (fulfilment,) = shop.fulfilments(order)
    assert fulfilment["state"] == "Delivered"


def _open(kiosk: Kiosk) -> str:
    _, page = kiosk.request("GET", "/screen")
    return page.decode()
