"""What every shop driver with an atomic claim must do, whatever shop is behind it.

A driver's test gives a `Bench`: its shop, links to it as two kiosks of one pickup point, and a
look into the shop's books. The books are the oracle, never the driver's own word.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import pytest

from appliance.domain.errors import Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Fact, Json, Kind
from appliance.domain.order import Order, OrderStatus, disagreements
from appliance.ports import Claimed, ClaimRefused, Shop, ShopForgot, Snapshot

AT = "2026-11-23T15:04:05Z"


class Bench(Protocol):
    """A shop with at least two orders that can be claimed and paid, and what is done to it."""

    first: Shop
    second: Shop  # another kiosk of the same pickup point

    def advance(self, seconds: float) -> None:
        """The shop's clock."""

    def cancel(self, order_id: str) -> None: ...
    def change(self, order_id: str) -> None:
        """Another total, another version."""

    def pay_online(self, order_id: str) -> None: ...
    def lose_answer(self, call: str) -> None:
        """The shop commits the next "claim" or "facts", and its answer is lost."""

    def await_poll(self) -> None:
        """Return when the shop holds a poll open."""

    def booked(self, order_id: str) -> list[int]:
        """The amounts of all payments that kiosks reported, as the shop booked them."""

    def handed_over(self, order_id: str) -> int:
        """How often the shop says that the order was handed over."""


class ShopContract:
    """Subclass as Test…, with a fixture `bench`."""

    # --- orders -------------------------------------------------------------------------------

    def test_the_snapshot_has_sound_orders(self, bench: Bench) -> None:
        snapshot = _snapshot(bench.first)
        assert snapshot.etag
        assert len({order.id for order in snapshot.orders}) == len(snapshot.orders)
        assert _payable(bench.first, 2)

    def test_an_unchanged_snapshot_is_not_sent_again(self, bench: Bench) -> None:
        etag = _snapshot(bench.first).etag
        assert bench.first.snapshot(etag, 0) is None
        assert bench.first.snapshot(etag, 1) is None

    def test_a_waiting_poll_ends_with_the_change(self, bench: Bench) -> None:
        etag, order = _snapshot(bench.first).etag, _payable(bench.first)[0]
        found: list[Snapshot | None] = []
        poll = threading.Thread(target=lambda: found.append(bench.first.snapshot(etag, 25)))
        poll.start()
        bench.await_poll()
        bench.cancel(order.id)
        poll.join(20)
        assert not poll.is_alive()
        (snapshot,) = found
        assert snapshot is not None
        assert snapshot.etag != etag
        assert order.id not in {other.id for other in snapshot.orders}

    def test_an_order_is_found_by_each_code_and_by_number(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        for code in (*order.codes, order.number):
            assert bench.first.order(code) == order

    def test_a_cancelled_order_is_still_found(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.cancel(order.id)
        found = bench.first.order(order.number)
        assert found.status is OrderStatus.CANCELLED
        assert found.version != order.version

    @pytest.mark.parametrize("code", ["no-such", "a/b", "/", "", "..", "ж\u00ad", "%2F", "x" * 999])
    def test_an_unknown_code_is_unknown(self, bench: Bench, code: str) -> None:
        with pytest.raises(OrderTrouble) as caught:
            bench.first.order(code)
        assert caught.value.code is Code.ORDER_UNKNOWN

    # --- claims -------------------------------------------------------------------------------

    def test_a_claim_gives_the_fresh_order_and_a_lease(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        claimed = bench.first.claim(order.id, "H-1", order.version, 600)
        assert isinstance(claimed, Claimed)
        assert claimed.order == order
        assert 1 <= claimed.lease_s <= 600

    def test_of_two_kiosks_exactly_one_gets_the_order(self, bench: Bench) -> None:
        for round_number, order in enumerate(_payable(bench.first, 2)[:2]):
            line_up = threading.Barrier(2, timeout=10)
            results: list[Claimed | ClaimRefused] = []

            def race(
                shop: Shop,
                line_up: threading.Barrier = line_up,
                order: Order = order,
                results: list[Claimed | ClaimRefused] = results,
                claim: str = f"H-{round_number}",
            ) -> None:
                line_up.wait()
                results.append(shop.claim(order.id, claim, order.version, 600))

            kiosks = [
                threading.Thread(target=race, args=(shop,)) for shop in (bench.first, bench.second)
            ]
            for kiosk in kiosks:
                kiosk.start()
            for kiosk in kiosks:
                kiosk.join(20)
            (refused,) = [result for result in results if isinstance(result, ClaimRefused)]
            assert len([result for result in results if isinstance(result, Claimed)]) == 1
            assert refused.code is Code.ORDER_CLAIMED

    def test_a_repeat_renews_the_lease(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        for _ in range(3):
            assert isinstance(bench.first.claim(order.id, "H-1", order.version, 600), Claimed)
            bench.advance(500)
        refused = bench.second.claim(order.id, "H-2", order.version, 600)
        assert isinstance(refused, ClaimRefused)
        assert refused.code is Code.ORDER_CLAIMED

    def test_a_lease_runs_out(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        assert isinstance(bench.first.claim(order.id, "H-1", order.version, 600), Claimed)
        bench.advance(601)
        assert isinstance(bench.second.claim(order.id, "H-2", order.version, 600), Claimed)
        lost = bench.first.claim(order.id, "H-1", order.version, 600)
        assert isinstance(lost, ClaimRefused)
        assert lost.code is Code.ORDER_CLAIMED

    def test_a_claim_whose_answer_was_lost_can_be_repeated(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.lose_answer("claim")
        with pytest.raises(ShopTrouble) as caught:
            bench.first.claim(order.id, "H-1", order.version, 600)
        assert caught.value.code is Code.SHOP_UNREACHABLE
        refused = bench.second.claim(order.id, "H-1", order.version, 600)
        assert isinstance(refused, ClaimRefused), "the lost claim was committed"
        assert isinstance(bench.first.claim(order.id, "H-1", order.version, 600), Claimed)

    def test_cancelled_between_the_scan_and_the_claim(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.cancel(order.id)
        self._refused(bench, order, Code.ORDER_CANCELLED)

    def test_changed_between_the_scan_and_the_claim(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.change(order.id)
        fresh = self._refused(bench, order, Code.ORDER_CHANGED)
        assert fresh.due != order.due
        assert isinstance(bench.first.claim(order.id, "H-1", fresh.version, 600), Claimed)

    def test_paid_online_between_the_scan_and_the_claim(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.pay_online(order.id)
        assert self._refused(bench, order, Code.ORDER_CHANGED).is_prepaid

    def _refused(self, bench: Bench, order: Order, code: Code) -> Order:
        refused = bench.first.claim(order.id, "H-1", order.version, 600)
        assert isinstance(refused, ClaimRefused)
        assert refused.code is code
        assert refused.order is not None
        assert refused.order.version != order.version
        return refused.order

    def test_an_unknown_order_cannot_be_claimed(self, bench: Bench) -> None:
        refused = bench.first.claim("no-such", "H-1", "1", 600)
        assert isinstance(refused, ClaimRefused)
        assert refused.code is Code.ORDER_UNKNOWN

    # --- facts --------------------------------------------------------------------------------

    def test_a_payment_reaches_the_order(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.first.deliver([_paid(order)])
        assert bench.booked(order.id) == [order.due.amount]
        found = bench.first.order(order.number)
        assert found.is_prepaid
        assert found.version != order.version

    def test_facts_that_come_again_count_once(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        facts = [_paid(order), _fact(order, Kind.HANDED_OVER)]
        for batch in (facts, facts[:1], facts[1:], facts):
            bench.first.deliver(batch)
        assert bench.booked(order.id) == [order.due.amount]
        assert bench.handed_over(order.id) == 1
        assert bench.first.order(order.number).status is OrderStatus.HANDED_OVER

    def test_facts_whose_answer_was_lost_count_once(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.lose_answer("facts")
        with pytest.raises(ShopTrouble) as caught:
            bench.first.deliver([_paid(order)])
        assert caught.value.code is Code.SHOP_UNREACHABLE
        assert bench.booked(order.id) == [order.due.amount], "the shop had committed"
        bench.first.deliver([_paid(order)])
        assert bench.booked(order.id) == [order.due.amount]

    def test_a_shop_knows_whether_it_has_what_came_before(self, bench: Bench) -> None:
        """A restored one does not, and keeps nothing until it has been told all."""
        order = _payable(bench.first)[0]
        told, paid = _fact(order, Kind.CLAIMED), _paid(order)
        bench.first.deliver([told])
        bench.first.deliver([], after=told.id)
        for facts in ([paid], []):
            with pytest.raises(ShopForgot) as caught:
                bench.first.deliver(facts, after="never-told")
            assert caught.value.newest == told.id
        assert bench.booked(order.id) == []
        with pytest.raises(ShopForgot) as caught:
            bench.second.deliver([paid], after=told.id)
        assert caught.value.newest == "", "each kiosk has its own"
        bench.first.deliver([paid], after=told.id)
        assert bench.booked(order.id) == [order.due.amount]

    def test_one_payment_is_booked_once_whatever_says_so(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.first.deliver([_paid(order)])
        bench.first.deliver([_paid(order, Kind.DECIDED_PAID)])
        assert bench.booked(order.id) == [order.due.amount]

    def test_money_is_booked_on_a_cancelled_order_too(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        bench.cancel(order.id)
        bench.first.deliver([_paid(order)])
        assert bench.booked(order.id) == [order.due.amount]

    def test_putting_back_releases_the_claim(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        assert isinstance(bench.first.claim(order.id, "H-1", order.version, 600), Claimed)
        bench.first.deliver([_fact(order, Kind.PUT_BACK)])
        assert isinstance(bench.second.claim(order.id, "H-2", order.version, 600), Claimed)

    def test_putting_back_releases_no_one_elses_claim(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        assert isinstance(bench.first.claim(order.id, "H-1", order.version, 600), Claimed)
        bench.advance(601)
        assert isinstance(bench.second.claim(order.id, "H-1", order.version, 600), Claimed)
        bench.first.deliver([_fact(order, Kind.PUT_BACK)])
        assert isinstance(bench.first.claim(order.id, "H-3", order.version, 600), ClaimRefused)

    @pytest.mark.parametrize("open_as", [Kind.STARTED, Kind.UNRESOLVED])
    @pytest.mark.parametrize("end", [Kind.DECLINED, Kind.DECIDED_NOT_PAID])
    def test_an_open_payment_holds_the_order_beyond_the_lease(
        self, bench: Bench, open_as: Kind, end: Kind
    ) -> None:
        order = _payable(bench.first)[0]
        assert isinstance(bench.first.claim(order.id, "H-1", order.version, 600), Claimed)
        bench.first.deliver([_paid(order, open_as)])
        bench.advance(100_000)
        assert isinstance(bench.second.claim(order.id, "H-2", order.version, 600), ClaimRefused)
        bench.first.deliver([_paid(order, end)])
        assert isinstance(bench.second.claim(order.id, "H-2", order.version, 600), Claimed)
        assert bench.booked(order.id) == []

    def test_many_facts_are_all_taken(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        facts = [_fact(order, Kind.CLAIMED, f"claimed-{number}") for number in range(120)]
        bench.first.deliver([*facts, _paid(order)])
        assert bench.booked(order.id) == [order.due.amount]

    # --- the rest -----------------------------------------------------------------------------

    def test_sellers_and_health(self, bench: Bench) -> None:
        sellers = bench.first.sellers()
        assert sellers.by_hash
        assert sellers.iterations > 0
        bench.first.report_health({"version": "0.1.0", "up_s": 1.5, "devices": {"printer": None}})

    def test_calls_from_several_threads(self, bench: Bench) -> None:
        order = _payable(bench.first)[0]
        calls: list[Callable[[], object]] = [
            lambda: bench.first.order(order.number),
            lambda: bench.first.snapshot("", 0),
            bench.first.sellers,
        ] * 4
        done: list[object] = []
        threads = [threading.Thread(target=lambda call=call: done.append(call())) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(done) == len(calls)

    def test_closing_ends_a_waiting_poll(self, bench: Bench) -> None:
        etag = _snapshot(bench.first).etag
        ended: list[Code] = []

        def poll() -> None:
            with pytest.raises(ShopTrouble) as caught:
                bench.first.snapshot(etag, 25)
            ended.append(caught.value.code)

        waiting = threading.Thread(target=poll)
        waiting.start()
        bench.await_poll()
        bench.first.close()
        waiting.join(10)  # far below the 25 s that the shop would take
        assert ended == [Code.SHOP_UNREACHABLE]


class AskingBench(Bench, Protocol):
    """Of a shop whose office can ask for an order to be opened at a counter."""

    def open_at(self, order_id: str, counter: str) -> None: ...


class RequestContract:
    """Beside ShopContract, for a shop that can ask. The fixture `bench` gives an AskingBench."""

    def test_an_order_is_wanted_at_a_counter(self, bench: AskingBench) -> None:
        before, order = _snapshot(bench.first), _payable(bench.first)[0]
        assert before.requests == ()
        found: list[Snapshot | None] = []
        poll = threading.Thread(target=lambda: found.append(bench.first.snapshot(before.etag, 25)))
        poll.start()
        bench.await_poll()
        bench.open_at(order.id, "Counter 2")
        poll.join(20)
        assert not poll.is_alive()
        (snapshot,) = found
        assert snapshot is not None
        assert snapshot.orders == before.orders
        (request,) = snapshot.requests
        assert (request.order, request.counter) == (order.number, "Counter 2")
        assert 1 <= len(request.id) <= 64
        assert 0 < request.expires_at - time.time() <= 24 * 3600
        # Both kiosks see it, each as often as it asks; and it is no news any more.
        assert _snapshot(bench.second).requests == (request,)
        assert bench.first.snapshot(snapshot.etag, 0) is None


def _snapshot(shop: Shop) -> Snapshot:
    snapshot = shop.snapshot("", 0)
    assert snapshot is not None
    return snapshot


def _payable(shop: Shop, count: int = 1) -> list[Order]:
    found = [
        order
        for order in _snapshot(shop).orders
        if order.status is OrderStatus.READY and order.due and not disagreements(order)
    ]
    assert len(found) >= count
    return found


def _fact(order: Order, kind: Kind, fact_id: str = "", **body: Json) -> Fact:
    about: dict[str, Json] = {"order": order.id, "claim": "H-1"}
    return Fact(fact_id or f"{order.id}-{kind}", kind, "H-1", AT, "s-1001", about | body)


def _paid(order: Order, kind: Kind = Kind.APPROVED) -> Fact:
    amount, code = order.due.amount, order.due.currency.code
    return _fact(order, kind, payment="H-1-1", amount=amount, currency=code)
