"""The whole counter on a WooCommerce shop: scanned, paid, printed, settled; and the races."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.counter.commands import Answer
from appliance.counter.counter import Counter
from appliance.counter.screen import Action, Page, Refused
from appliance.domain.errors import Code
from appliance.simulators.woocommerce import FakeWoo, Fault, WooFaults
from appliance.simulators.woocommerce.samples import MITTE, fill
from tests.counter.test_counter import at, do
from tests.rig import Rig, in_process, until

DUE = 4827


class WooRig(Rig):
    """The same devices, at another shop."""

    woo: FakeWoo

    def _toml(self) -> str:
        shop = f"""[shop]
kind = "woocommerce"
url = "{self.woo.url}"
token = "ck_mitte1:cs_mitte1"
pickup_point = "{MITTE}"
poll_s = 2
"""
        return re.sub(r"\[shop\]\n(?:[a-z].*\n)+", shop, super()._toml())

    def order(self, number: int = 13) -> dict[str, Any]:
        found = self.woo.store.get(number)
        assert found is not None
        return found

    def meta(self, number: int = 13) -> dict[str, str]:
        return {entry["key"]: entry["value"] for entry in self.order(number)["meta_data"]}

    def notes(self, number: int = 13) -> list[str]:
        return [n["note"] for n in self.woo.store.notes(number) if "[kassa" in n["note"]]


@pytest.fixture(params=[True, False], ids=["plugin", "alone"])
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[WooRig]:
    with FakeWoo(str(tmp_path / "woo.sqlite3"), plugin=request.param) as shop:
        fill(shop.store)
        made = WooRig(tmp_path, line="tcp")
        made.woo = shop
        with made:
            yield made


def to_charging(counter: Counter, rig: WooRig) -> None:
    until(lambda: getattr(counter.screen().body, "is_fetched", False), "the orders are here")
    assert rig.scanner.scan("13")
    at(counter, Page.ORDER)
    assert do(counter, Action.CONFIRM) is Answer.DONE
    at(counter, Page.CHARGING)
    assert rig.terminal.wait_for(lambda state: bool(state["waits_for"]))


def to_the_end(counter: Counter, rig: WooRig) -> None:
    rig.terminal.tap()
    at(counter, Page.HAND_OVER)
    until(lambda: any("13" in paper.text() for paper in rig.printer.papers), "it is printed")
    assert do(counter, Action.CONFIRM) is Answer.DONE
    at(counter, Page.IDLE)
    until(lambda: "_kassa_handed_over" in rig.meta(), "the shop knows")


def test_scanned_paid_printed_settled_and_completed(rig: WooRig) -> None:
    with in_process(rig) as counter:
        to_charging(counter, rig)
        to_the_end(counter, rig)
        order = rig.order()
        assert order["status"] == "completed"
        assert order["date_paid"] is not None
        # The terminal's own numbers: by these the bank's statement and the order find each other.
        assert re.fullmatch(
            r"H-\S+-1, terminal \w+, receipt 42, trace 42(, authorisation \w+)?",
            order["transaction_id"],
        ), order["transaction_id"]
        (note,) = rig.notes()
        assert "Paid 48.27 EUR at the counter Counter 1" in note
        assert rig.bank.balance() == DUE
        assert rig.printer.defects == []
        assert "_kassa_attention" not in rig.meta()


def test_cancelled_by_the_office_while_the_customer_pays(rig: WooRig) -> None:
    with in_process(rig) as counter:
        to_charging(counter, rig)
        assert rig.woo.store.update(13, {"status": "cancelled"})
        to_the_end(counter, rig)
        until(lambda: counter.health()["undelivered"] == 0, "all is told")
        assert "the order was cancelled" in rig.meta()["_kassa_attention"]
        assert rig.bank.balance() == DUE
        assert sum("Please look at this order" in note for note in rig.notes()) == 2


def test_cancelled_before_the_charge(rig: WooRig) -> None:
    with in_process(rig) as counter:
        until(lambda: getattr(counter.screen().body, "is_fetched", False), "the orders are here")
        assert rig.scanner.scan("13")
        at(counter, Page.ORDER)
        assert rig.woo.store.update(13, {"status": "cancelled"})
        assert do(counter, Action.CONFIRM) is Answer.DONE
        at(counter, Page.REFUSED)
        body = counter.screen().body
        assert isinstance(body, Refused)
        assert body.code is Code.ORDER_CANCELLED
        assert rig.bank.balance() == 0


def test_the_shop_is_away_from_the_charge_on(rig: WooRig) -> None:
    """Nothing is lost and nothing counts twice, whatever it takes to tell."""
    with in_process(rig) as counter:
        to_charging(counter, rig)
        rig.woo.fail(WooFaults(Fault.LOST, rate=0.6))
        rig.terminal.tap()
        at(counter, Page.HAND_OVER)
        assert do(counter, Action.CONFIRM) is Answer.DONE
        at(counter, Page.IDLE)
        until(lambda: len(rig.woo.requests) > 12, "some answers were lost")
        rig.woo.fail()
        until(lambda: "_kassa_handed_over" in rig.meta(), "the shop knows", 90)
        until(lambda: counter.health()["undelivered"] == 0, "all is told", 90)
        payments = [key for key in rig.meta() if key.startswith("_kassa_payment_")]
        assert len(payments) == 1
        assert len(rig.notes()) == 1
        assert [new for _, new in rig.woo.store.transitions(13)].count("completed") == 1
        assert rig.bank.balance() == DUE
