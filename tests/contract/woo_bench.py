"""A fake WooCommerce as the shop contract's bench sees it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.drivers.woocommerce_shop import WooCommerceShop, WooOptions
from appliance.protocols.shopapi import SellerRow, SellersMessage, badge_hash, sellers_message
from appliance.simulators.woocommerce import FakeWoo, Fault, WooFaults
from appliance.simulators.woocommerce.samples import MITTE, fill

SALT = "woo-test-salt"


class WooBench:
    def __init__(self, shop: FakeWoo, clock: list[float], folder: Path) -> None:
        self.shop, self._clock, self._folder = shop, clock, folder
        self.first = self.link("1")
        self.second = self.link("2")

    def link(self, kiosk: str, **more: Any) -> WooCommerceShop:
        sellers = self._folder / "sellers.json"
        row = SellerRow("s-1001", "Anna K.", badge_hash("KS-1001", SALT, 10))
        sellers.write_bytes(sellers_message(SellersMessage(SALT, 10, (row,))))
        options: dict[str, Any] = {"poll_s": 0.05, "sellers_file": str(sellers), **more}
        token = f"ck_mitte{kiosk}:cs_mitte{kiosk}"
        return WooCommerceShop(
            WooOptions(self.shop.url, token, MITTE, f"Counter {kiosk}", **options)
        )

    def advance(self, seconds: float) -> None:
        self._clock[0] += seconds

    def cancel(self, order_id: str) -> None:
        self.set_status(order_id, "cancelled")

    def set_status(self, order_id: str, status: str) -> None:
        assert self.shop.store.update(int(order_id), {"status": status})

    def change(self, order_id: str) -> None:
        fee = {"name": "Gift wrap", "total": "2.50", "total_tax": "0.48"}
        assert self.shop.store.update(int(order_id), {"fee_lines": [fee]})

    def pay_online(self, order_id: str) -> None:
        """The office sends a link for payment, and the customer uses it."""
        store = self.shop.store
        assert store.update(int(order_id), {"status": "pending", "payment_method": "stripe"})
        assert store.update(int(order_id), {"set_paid": True, "transaction_id": "pi_online"})

    def lose_answer(self, call: str) -> None:
        place = {"claim": "/claim" if self.shop.plugin else "/orders/", "facts": "/orders/"}[call]
        self.shop.fail(WooFaults(Fault.LOST, "PUT", place, times=1))

    def await_poll(self) -> None:
        seen = len(self.shop.requests)
        until = time.monotonic() + 10
        while len(self.shop.requests) <= seen:
            assert time.monotonic() < until, "no poll reached the shop"
            time.sleep(0.005)

    def meta(self, order_id: str) -> dict[str, Any]:
        found = self.shop.store.get(int(order_id))
        assert found is not None
        return {entry["key"]: entry["value"] for entry in found["meta_data"]}

    def booked(self, order_id: str) -> list[int]:
        """What the order says, not what the driver does."""
        return [
            json.loads(value)["amount"]
            for key, value in self.meta(order_id).items()
            if key.startswith("_kassa_payment_")
        ]

    def handed_over(self, order_id: str) -> int:
        became = [new for _, new in self.shop.store.transitions(int(order_id))]
        return became.count("completed")

    def notes(self, order_id: str) -> list[str]:
        """What Kassa wrote, oldest first."""
        found = [note["note"] for note in self.shop.store.notes(int(order_id))]
        return [note for note in reversed(found) if "[kassa " in note]


@contextmanager
def woo_bench(folder: Path, *, plugin: bool, **more: Any) -> Iterator[WooBench]:
    clock = [1_785_000_000.0]
    with FakeWoo(clock=lambda: clock[0], plugin=plugin, **more) as shop:
        fill(shop.store)
        bench = WooBench(shop, clock, folder)
        yield bench
        bench.first.close()
        bench.second.close()
