"""The shop contract, on a real Vendure with the plugin and without it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from appliance.domain.errors import Code
from appliance.domain.facts import Kind
from appliance.ports import Claimed, ClaimRefused
from tests.contract.shop import Bench, ShopContract, _fact, _payable
from tests.shops.vendure.bench import VendureBench
from tests.shops.vendure.conftest import a_bench
from tests.shops.vendure.shop import VendureShop

pytestmark = pytest.mark.slow


class TestWithThePlugin(ShopContract):
    @pytest.fixture
    def bench(self, with_plugin: VendureShop) -> Iterator[VendureBench]:
        yield from a_bench(with_plugin)

    def test_it_says_so(self, bench: VendureBench) -> None:
        assert not bench.first.traits().atomic_claim, "nobody has asked yet"
        bench.first.sellers()
        assert bench.first.traits().atomic_claim


class TestWithoutIt(ShopContract):
    """What it cannot promise is overridden here, and nowhere else."""

    @pytest.fixture
    def bench(self, without_plugin: VendureShop) -> Iterator[VendureBench]:
        yield from a_bench(without_plugin)

    def test_it_says_so(self, bench: VendureBench) -> None:
        bench.first.sellers()
        traits = bench.first.traits()
        assert not traits.atomic_claim
        assert "backup" in traits.detail

    def test_of_two_kiosks_exactly_one_gets_the_order(self, bench: Bench) -> None:
        """At most one: both may have to take their claims back. Nobody is shut out for long."""
        for _ in range(6):
            order = _payable(bench.first)[0]
            line_up = threading.Barrier(2, timeout=10)
            results: list[Claimed | ClaimRefused] = []

            def race(
                number: int,
                line_up: threading.Barrier = line_up,
                results: list[Claimed | ClaimRefused] = results,
            ) -> None:
                line_up.wait()
                shop = (bench.first, bench.second)[number]
                results.append(shop.claim(order.id, "H-race", order.version, 600))  # noqa: B023

            kiosks = [threading.Thread(target=race, args=(number,)) for number in (0, 1)]
            for kiosk in kiosks:
                kiosk.start()
            for kiosk in kiosks:
                kiosk.join(30)
            assert len(results) == 2
            claimed = [result for result in results if isinstance(result, Claimed)]
            assert len(claimed) <= 1
            if not claimed:
                again = bench.first.claim(order.id, "H-race", order.version, 600)
                assert isinstance(again, Claimed)
            put_back = _fact(order, Kind.PUT_BACK, claim="H-race")
            for shop in (bench.first, bench.second):
                shop.deliver([put_back])
            bench.advance(601)

    def test_a_shop_knows_whether_it_has_what_came_before(self, bench: Bench) -> None:
        """It does not, and `traits` says so; nothing is kept or lost by asking."""
        bench.first.deliver([], after="never-told")

    def test_sellers_and_health(self, bench: Bench) -> None:
        """There is nowhere to keep either: nobody can sign in, and that is what is told."""
        assert bench.first.sellers().by_hash == {}
        bench.first.report_health({"version": "0.1.0"})

    def test_what_could_not_be_booked_is_charged_by_nobody_again(self, bench: VendureBench) -> None:
        order = _payable(bench.first)[0]
        bench.change(order.id)
        fresh = bench.first.order(order.number)
        bench.first.deliver(
            [_fact(fresh, Kind.APPROVED, payment="P", amount=fresh.due.amount, currency="EUR")]
        )
        assert bench.booked(order.id) == [fresh.due.amount]
        assert "FOR THE OFFICE" in bench.shop.notes(order.id)[-1]
        fresh = bench.second.order(order.number)
        refused = bench.second.claim(order.id, "H-9", fresh.version, 600)
        assert isinstance(refused, ClaimRefused)
        assert refused.code is Code.ORDER_NOT_READY
