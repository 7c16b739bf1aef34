"""What can come between a scan and the goods, on a real Vendure with the plugin and without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.domain.errors import Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Json, Kind
from appliance.domain.order import OrderStatus, disagreements
from appliance.ports import Claimed, ClaimRefused
from tests.contract.shop import _fact, _paid, _payable, _snapshot
from tests.rig import until
from tests.shops.vendure.bench import VendureBench
from tests.shops.vendure.conftest import a_bench
from tests.shops.vendure.shop import VendureShop, wait_for_second

pytestmark = pytest.mark.slow
CARD: dict[str, Json] = {
    "terminal_id": "52000001",
    "receipt_no": 42,
    "trace_no": 17,
    "authorisation": "A1",
}


def test_the_terminals_reference_is_in_the_shop(bench: VendureBench) -> None:
    order = _payable(bench.first)[0]
    fact = _paid(order)
    bench.first.deliver([replace(fact, body={**fact.body, "card": CARD})])
    rows = bench.shop.payments(order.id)
    assert [row["state"] for row in rows] == ["Cancelled", "Settled"], "the promise, the payment"
    assert rows[1]["transactionId"] == "52000001 42 17 A1"
    assert rows[1]["metadata"]["kassaFact"] == fact.id
    assert bench.shop.state(order.id) == "PaymentSettled"


def test_cancelled_while_the_customer_pays(bench: VendureBench) -> None:
    """The money is not lost from sight, and the office is told."""
    order = _payable(bench.first)[0]
    assert isinstance(bench.first.claim(order.id, "H-1", order.version, 600), Claimed)
    bench.first.deliver([_paid(order, Kind.STARTED)])
    bench.cancel(order.id)
    for _ in range(2):
        bench.first.deliver([_paid(order)])
    assert bench.booked(order.id) == [order.due.amount]
    assert "office" in "".join(bench.shop.notes(order.id)).lower()
    bench.first.deliver([_fact(order, Kind.HANDED_OVER)])
    assert bench.handed_over(order.id) == 0
    assert bench.shop.state(order.id) == "Cancelled"


def test_paid_otherwise_while_the_customer_pays(bench: VendureBench) -> None:
    order = _payable(bench.first)[0]
    bench.first.deliver([_paid(order, Kind.STARTED)])
    bench.pay_online(order.id)
    for _ in range(2):
        bench.first.deliver([_paid(order)])
    assert bench.booked(order.id) == [order.due.amount]
    assert "office" in "".join(bench.shop.notes(order.id)).lower()


def test_changed_while_the_customer_pays(bench: VendureBench) -> None:
    """What the card was charged is what is booked; the difference is somebody's to settle."""
    order = _payable(bench.first)[0]
    bench.first.deliver([_paid(order, Kind.STARTED)])
    bench.change(order.id)
    for _ in range(2):
        bench.first.deliver([_paid(order)])
    assert bench.booked(order.id) == [order.due.amount]
    assert "office" in "".join(bench.shop.notes(order.id)).lower()


@pytest.mark.parametrize("step", range(5))
def test_a_booking_is_taken_up_where_it_was_broken_off(bench: VendureBench, step: int) -> None:
    """Each of its writes has its answer lost once, those that there are."""
    order = _payable(bench.first)[0]
    writes = [b"cancelPayment(", b"transitionOrderToState(", b"addManualPaymentToOrder("]
    writes += [b"addFulfillmentToOrder(", b"transitionFulfillmentToState("]
    story = [_paid(order), _fact(order, Kind.HANDED_OVER)]
    bench.line.lose = b"kassaFacts(" if bench.shop.plugin else writes[step]
    with pytest.raises(ShopTrouble) as caught:
        bench.first.deliver(story)
    assert caught.value.code is Code.SHOP_UNREACHABLE
    for _ in range(2):
        bench.first.deliver(story)
    assert bench.booked(order.id) == [order.due.amount]
    assert bench.handed_over(order.id) == 1
    assert [row["state"] for row in bench.shop.payments(order.id)] == ["Cancelled", "Settled"]
    assert bench.first.order(order.number).status is OrderStatus.HANDED_OVER


def test_a_refund_that_is_repeated(bench: VendureBench) -> None:
    """The shop guards the total; an order that was paid back is not charged again."""
    order = _payable(bench.first)[0]
    bench.pay_online(order.id)
    half = order.due.amount // 2 + 1
    assert bench.shop.refund(order.id, half) == ""
    seen = bench.first.order(order.number)
    assert bench.shop.refund(order.id, half) == "REFUND_AMOUNT_ERROR"
    assert bench.first.order(order.number) == seen, "the second changed nothing"
    assert seen.status is OrderStatus.NOT_READY
    assert seen.due.amount == half
    refused = bench.first.claim(order.id, "H-1", seen.version, 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_NOT_READY


def test_two_orders_that_change_in_one_second(bench: VendureBench) -> None:
    one, two = _payable(bench.first, 2)[:2]
    etag = _snapshot(bench.first).etag
    wait_for_second()
    bench.change(one.id)
    bench.change(two.id)
    fresh = until(lambda: bench.first.snapshot(etag, 1), "the change is seen")
    dues = {order.id: order.due for order in fresh.orders}
    assert dues[one.id] != one.due
    assert dues[two.id] != two.due


def test_a_change_right_after_a_look_is_seen_by_the_next(bench: VendureBench) -> None:
    """Both within one second of the shop's clock: no clock decides what is news."""
    order = _payable(bench.first)[0]
    etag = _snapshot(bench.first).etag
    for state, status in [
        ("Modifying", OrderStatus.NOT_READY),
        ("PaymentAuthorized", OrderStatus.READY),
    ]:
        bench.shop.move(order.id, state)
        fresh = until(lambda: bench.first.snapshot(etag, 1), "the change is seen")  # noqa: B023
        assert {found.id: found.status for found in fresh.orders}[order.id] is status
        etag = fresh.etag


def test_an_order_that_is_gone_after_the_scan(bench: VendureBench) -> None:
    """Deleted from the shop's database, as no page of Vendure's can; and a fact about it."""
    order = _payable(bench.first)[0]
    bench.shop.sql("PRAGMA foreign_keys = OFF")
    for table in ("order_line", "payment", "history_entry", "shipping_line"):
        bench.shop.sql(f"DELETE FROM {table} WHERE orderId = ?", order.id)
    bench.shop.sql("DELETE FROM order_channels_channel WHERE orderId = ?", order.id)
    bench.shop.sql('DELETE FROM "order" WHERE id = ?', order.id)
    bench.shop.sql("PRAGMA foreign_keys = ON")
    refused = bench.first.claim(order.id, "H-1", order.version, 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_UNKNOWN
    with pytest.raises(OrderTrouble):
        bench.first.order(order.number)
    until(
        lambda: order.id not in {found.id for found in _snapshot(bench.first).orders}, "it is gone"
    )
    with pytest.raises(ShopTrouble) as caught:
        bench.first.deliver([_paid(order)])
    assert caught.value.code is Code.SHOP_REFUSES_FACT


def test_the_shops_time_zone_is_not_ours(bench: VendureBench) -> None:
    """Its server runs in Auckland: leases end after their time all the same, and no sooner."""
    order = _payable(bench.first)[0]
    assert order.placed_at.endswith("Z")
    assert isinstance(bench.first.claim(order.id, "H-1", order.version, 60), Claimed)
    bench.advance(50)
    assert isinstance(bench.second.claim(order.id, "H-2", order.version, 60), ClaimRefused)
    bench.advance(11)
    assert isinstance(bench.second.claim(order.id, "H-2", order.version, 60), Claimed)


def test_sums_of_the_shops_promotion_agree(bench: VendureBench) -> None:
    """Net prices, two tax rates and a discount: what rounding leaves over has a line of its own."""
    orders = _snapshot(bench.first).orders
    assert [disagreements(order) for order in orders] == [(), ()]
    assert any(order.discounts for order in orders)
    assert any(line.sku == "rounding" for order in orders for line in order.lines)


def test_a_session_that_is_over_is_begun_anew(bench: VendureBench) -> None:
    order = _payable(bench.first)[0]
    bench.shop.end_sessions()
    assert bench.first.order(order.number) == order


def test_a_wrong_password(bench: VendureBench) -> None:
    link = bench.kiosk(1, password="wrong")
    try:
        with pytest.raises(ShopTrouble) as caught:
            link.snapshot("", 0)
        assert caught.value.code is Code.SHOP_TOKEN
        assert "wrong" not in caught.value.detail
    finally:
        link.close()


@pytest.mark.parametrize("name", ["with_plugin", "without_plugin"])
def test_a_pickup_point_that_is_a_shipping_method(
    name: str, request: pytest.FixtureRequest
) -> None:
    shop = request.getfixturevalue(name)
    assert isinstance(shop, VendureShop)
    for bench in a_bench(shop, by="shipping-method"):
        there = bench.kiosk(3, place="pickup-hafen")
        try:
            order_id = shop.place(method="pickup-hafen")
            (found,) = until(lambda: _snapshot(there).orders, "it is there")  # noqa: B023
            assert found.id == order_id
            assert found.pickup_point == "pickup-hafen"
            bench.cancel(order_id)
            until(lambda: not _snapshot(there).orders, "it is gone")  # noqa: B023
        finally:
            there.close()
