"""The shop contract for WooCommerce, with and without our plugin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.domain.facts import Kind
from appliance.ports import Claimed, ClaimRefused, Shop, ShopForgot
from tests.contract.shop import ShopContract, _fact, _paid, _payable
from tests.contract.woo_bench import WooBench, woo_bench


class TestWithPlugin(ShopContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[WooBench]:
        with woo_bench(tmp_path, plugin=True) as bench:
            yield bench


class TestAlone(ShopContract):
    """What WooCommerce alone cannot give is said here, and what it gives instead."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[WooBench]:
        with woo_bench(tmp_path, plugin=False) as bench:
            yield bench

    def test_of_two_kiosks_exactly_one_gets_the_order(self, bench: WooBench) -> None:  # type: ignore[override]
        """At most one: two that see each other's marks both step back, and then one may ask
        again."""
        for order in _payable(bench.first, 2)[:2]:
            line_up = threading.Barrier(2, timeout=10)
            results: list[Claimed | ClaimRefused] = []

            def race(shop: Shop, claim: str, line_up=line_up, order=order, results=results) -> None:
                line_up.wait()
                results.append(shop.claim(order.id, claim, order.version, 600))

            kiosks = [
                threading.Thread(target=race, args=(shop, claim))
                for shop, claim in ((bench.first, "H-1"), (bench.second, "H-2"))
            ]
            for kiosk in kiosks:
                kiosk.start()
            for kiosk in kiosks:
                kiosk.join(20)
            assert len(results) == 2
            assert len([result for result in results if isinstance(result, Claimed)]) <= 1

    def test_a_shop_knows_whether_it_has_what_came_before(self, bench: WooBench) -> None:  # type: ignore[override]
        """Of the newest payment or hand-over of this run alone; an order that is restored from a
        backup lacks its mark then, and everything is told again."""
        order = _payable(bench.first)[0]
        before = bench.shop.store.get(int(order.id))
        assert before is not None
        bench.first.deliver([_fact(order, Kind.CLAIMED)], after="told by an earlier run")
        paid = _paid(order)
        bench.first.deliver([paid])
        bench.first.deliver([], after=paid.id)
        key = {"key": "_kassa_payment_H-1-1", "value": None}
        assert bench.shop.store.update(int(order.id), {"meta_data": [key]})
        with pytest.raises(ShopForgot) as caught:
            bench.first.deliver([], after=paid.id)
        assert caught.value.newest == ""
        bench.first.deliver([paid])
        assert bench.booked(order.id) == [order.due.amount]
