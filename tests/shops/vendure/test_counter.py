"""A whole counter, `kassa run` with simulated devices, on a real Vendure."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.cli import main
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


def test_the_doctor_says_what_holds(
    shop: VendureShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = (
        f'kind = "vendure"\nurl = "{shop.url}"\ntoken = "mitte-6:secret-6"\n'
        f'pickup_point = "nowhere"\nanswer_timeout_s = 60\n'
    )
    with Rig(tmp_path, shop=keys) as rig:
        main(["doctor", "--config", str(rig.config_file)])
        said = capsys.readouterr().out
        (claim,) = [line for line in said.splitlines() if line[6:].startswith("claim ")]
        if shop.plugin:
            assert claim.startswith("ok ")
            assert "a claim is atomic" in claim
        else:
            assert claim.startswith("note ")
            assert "no atomic claim" in claim
        rig.config_file.write_text(
            rig.config_file.read_text().replace(
                'token = "mitte-6:secret-6"', f'token_file = "{tmp_path}/none"'
            )
        )
        main(["doctor", "--config", str(rig.config_file)])
        assert "K-CFG-01: token_file" in capsys.readouterr().out


def _open(kiosk: Kiosk) -> str:
    _, page = kiosk.request("GET", "/screen")
    return page.decode()
