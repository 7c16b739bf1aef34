"""What happens to an order of WooCommerce between the scan and the hand-over, with and without our
plugin. The fake's books are the oracle."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.domain.errors import Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Fact, Kind
from appliance.domain.order import Order, OrderStatus
from appliance.drivers.shop_http import FactRefused, ShopBusy
from appliance.drivers.woocommerce_shop import MARKS, PLUGIN
from appliance.ports import Claimed, ClaimRefused, ShopForgot
from appliance.simulators.woocommerce import Fault, WooFaults
from appliance.simulators.woocommerce.samples import HAFEN, MITTE, blocks, line, order
from tests.contract.shop import _fact, _paid, _payable
from tests.contract.woo_bench import WooBench, woo_bench

CARD = {"terminal_id": "52500042", "receipt_no": 42, "trace_no": 107}
REFERENCE = "H-1-1, terminal 52500042, receipt 42, trace 107"


@pytest.fixture(params=[True, False], ids=["plugin", "alone"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WooBench]:
    with woo_bench(tmp_path, plugin=request.param) as bench:
        yield bench


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[WooBench]:
    with woo_bench(tmp_path, plugin=False) as bench:
        yield bench


def paid(found: Order, **more: Any) -> Fact:
    body: dict[str, Any] = {
        "payment": "H-1-1",
        "amount": found.due.amount,
        "currency": "EUR",
        "card": CARD,
    }
    return _fact(found, Kind.APPROVED, **(body | more))


def stored(bench: WooBench, found: Order) -> dict[str, Any]:
    value = bench.shop.store.get(int(found.id))
    assert value is not None
    return value


def story(found: Order) -> list[Fact]:
    started = _paid(found, Kind.STARTED)
    return [started, paid(found), _fact(found, Kind.HANDED_OVER)]


# --- as it should go --------------------------------------------------------------------------


def test_claimed_paid_and_handed_over(bench: WooBench) -> None:
    (found, *_) = _payable(bench.first)
    assert isinstance(bench.first.claim(found.id, "H-1", found.version, 600), Claimed)
    for fact in story(found):
        bench.first.deliver([fact])
    value = stored(bench, found)
    assert value["status"] == "completed"
    assert value["transaction_id"] == REFERENCE
    assert value["date_paid_gmt"] is not None
    assert bench.booked(found.id) == [found.due.amount]
    assert bench.notes(found.id) == [
        f"Paid 48.27 EUR at the counter Counter 1. Reference: {REFERENCE}. [kassa H-1-1]"
    ]
    assert "_kassa_attention" not in bench.meta(found.id)
    again = bench.first.order(found.number)
    assert (again.status, again.due.amount) == (OrderStatus.HANDED_OVER, 0)


def test_between_payment_and_hand_over_the_order_is_prepaid(bench: WooBench) -> None:
    (found, *_) = _payable(bench.first)
    bench.first.deliver(story(found)[:2])
    assert stored(bench, found)["status"] == "processing"
    assert bench.second.order(found.number).is_prepaid


def test_what_is_paid_from_pending_is_set_to_paid(tmp_path: Path) -> None:
    with woo_bench(tmp_path, plugin=False) as bench:
        shop = bench.link("1", ready_statuses=("pending",))
        (found,) = _payable(shop)
        shop.deliver([paid(found)])
        value = stored(bench, found)
        assert (value["status"], value["transaction_id"]) == ("processing", REFERENCE)
        assert value["date_paid_gmt"] is not None
        shop.close()


def test_set_paid_would_have_done_nothing(bench: WooBench) -> None:
    """Why a payment of cash on delivery is a mark first, and paid for the shop when completed."""
    (found, *_) = _payable(bench.first)
    assert bench.shop.store.update(int(found.id), {"set_paid": True, "transaction_id": "x"})
    assert stored(bench, found)["date_paid_gmt"] is None


# --- the office is quicker --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "then", "said"),
    [("cancelled", "completed", "was cancelled"), ("refunded", "refunded", "is refunded")],
)
def test_ended_while_the_customer_paid(bench: WooBench, status: str, then: str, said: str) -> None:
    (found, *_) = _payable(bench.first)
    bench.first.deliver(story(found)[:1])
    bench.set_status(found.id, status)
    bench.first.deliver(story(found)[1:])
    assert bench.booked(found.id) == [found.due.amount]
    assert stored(bench, found)["status"] == then
    assert f"the order is {status}" in bench.meta(found.id)["_kassa_attention"]
    assert f"the order {said}" in bench.meta(found.id)["_kassa_attention"]
    assert len([note for note in bench.notes(found.id) if "Please look" in note]) == 2


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.PHP_WARNING])
@pytest.mark.parametrize("lost", range(3))
def test_the_office_is_told_whatever_answer_is_lost(
    bench: WooBench, fault: Fault, lost: int
) -> None:
    (found, *_) = _payable(bench.first)
    bench.first.deliver(story(found)[:2])
    bench.set_status(found.id, "cancelled")
    method, path = (("PUT", "/orders/"), ("GET", "/orders/"), ("POST", "/notes"))[lost]
    bench.shop.fail(WooFaults(fault, method, path, times=1))
    for _ in range(3):
        with suppress(ShopTrouble):
            bench.first.deliver(story(found)[2:])
            break
    assert "the order was cancelled" in bench.meta(found.id)["_kassa_attention"]
    assert len([note for note in bench.notes(found.id) if "Please look" in note]) == 1


def test_failed_while_the_customer_paid(bench: WooBench) -> None:
    """An attempt online failed: from there WooCommerce can be told that it is paid."""
    (found, *_) = _payable(bench.first)
    bench.first.deliver(story(found)[:1])
    bench.set_status(found.id, "failed")
    bench.first.deliver(story(found)[1:2])
    assert stored(bench, found)["status"] == "processing"
    bench.first.deliver(story(found)[2:])
    assert stored(bench, found)["transaction_id"] == REFERENCE
    assert "_kassa_attention" not in bench.meta(found.id)


def test_completed_and_cancelled_at_once_both_say_yes(bench: WooBench) -> None:
    """The later of the two is what stands; the office is told either way."""
    (found, *_) = _payable(bench.first)
    bench.first.deliver(story(found))
    bench.set_status(found.id, "cancelled")
    bench.first.deliver(story(found))
    assert stored(bench, found)["status"] == "cancelled", "an office's last word is left alone"
    assert bench.handed_over(found.id) == 1


def test_cancelled_while_it_is_being_completed(bench: WooBench, monkeypatch: Any) -> None:
    (found, *_) = _payable(bench.first)
    bench.first.deliver(story(found)[:2])
    update = bench.shop.store.update

    def meddle(order_id: int, members: dict[str, Any]) -> bool:
        done = update(order_id, members)
        if members.get("status") == "completed":
            update(order_id, {"status": "cancelled"})
        return done

    monkeypatch.setattr(bench.shop.store, "update", meddle)
    bench.first.deliver(story(found)[2:])
    assert "handed over, but the order is cancelled" in bench.meta(found.id)["_kassa_attention"]


def test_paid_online_while_the_customer_pays_here(bench: WooBench) -> None:
    (found, *_) = _payable(bench.first)
    bench.first.deliver(story(found)[:1])
    bench.pay_online(found.id)
    bench.first.deliver(story(found)[1:])
    value = stored(bench, found)
    assert value["transaction_id"] == "pi_online", "another payment's reference is not written over"
    assert bench.booked(found.id) == [found.due.amount]
    assert "paid in another way too" in bench.meta(found.id)["_kassa_attention"]
    assert bench.first.order(found.number).due.amount == -found.due.amount


def test_a_gateway_writes_over_our_reference(bench: WooBench) -> None:
    (found, *_) = _payable(bench.first)
    bench.first.deliver(story(found)[:2])
    bench.pay_online(found.id)
    assert stored(bench, found)["transaction_id"] == "pi_online"
    bench.first.deliver(story(found)[2:])
    assert bench.booked(found.id) == [found.due.amount]
    assert bench.first.order(found.number).due.amount == -found.due.amount


def test_trashed_after_the_scan(bench: WooBench) -> None:
    (found, *_) = _payable(bench.first)
    etag = bench.first.snapshot("", 0)
    assert etag is not None
    assert bench.shop.store.trash(int(found.id))
    refused = bench.first.claim(found.id, "H-1", found.version, 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_CANCELLED
    fresh = bench.first.snapshot("", 0)
    assert fresh is not None
    assert found.id not in {other.id for other in fresh.orders}
    bench.first.deliver(story(found))
    assert bench.booked(found.id) == [found.due.amount]
    assert stored(bench, found)["status"] == "trash"
    assert "the order is trash" in bench.meta(found.id)["_kassa_attention"]


def test_deleted_for_good(bench: WooBench) -> None:
    (found, *_) = _payable(bench.first)
    assert bench.shop.store.delete(int(found.id))
    refused = bench.first.claim(found.id, "H-1", found.version, 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_UNKNOWN
    with pytest.raises(FactRefused, match="no such order any more") as caught:
        bench.first.deliver([paid(found)])
    assert caught.value.code is Code.SHOP_REFUSES_FACT
    with pytest.raises(OrderTrouble):
        bench.first.order(found.number)


@pytest.mark.parametrize("refused_as", ["flat_rate", "elsewhere", "refunded in part"])
def test_no_longer_for_this_counter(bench: WooBench, refused_as: str) -> None:
    (found, *_) = _payable(bench.first)
    store = bench.shop.store
    with store.db() as db:
        doc = json.loads(
            db.execute("SELECT doc FROM orders WHERE id = ?", (found.id,)).fetchone()["doc"]
        )
        if refused_as == "flat_rate":
            doc["shipping_lines"][0] |= {"method_id": "flat_rate"}
        elif refused_as == "elsewhere":
            doc["shipping_lines"] = [blocks(HAFEN)]
        db.execute("UPDATE orders SET doc = ? WHERE id = ?", (json.dumps(doc), found.id))
    if refused_as == "refunded in part":
        assert store.refund(int(found.id), "5.00", "") is not None
    refused = bench.first.claim(found.id, "H-1", found.version, 600)
    assert isinstance(refused, ClaimRefused)
    changed = refused_as == "refunded in part"
    assert refused.code is (Code.ORDER_CHANGED if changed else Code.ORDER_ELSEWHERE)
    assert not [key for key in bench.meta(found.id) if key.startswith("_kassa_claim")]


def test_an_order_whose_sums_broke_is_not_charged_but_its_money_is_booked(bench: WooBench) -> None:
    (found, *_) = _payable(bench.first)
    with bench.shop.store.db() as db:
        doc = stored(bench, found) | {"total": "99.99"}
        db.execute("UPDATE orders SET doc = ? WHERE id = ?", (json.dumps(doc), found.id))
    refused = bench.first.claim(found.id, "H-1", found.version, 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_MALFORMED
    with pytest.raises(OrderTrouble) as caught:
        bench.first.order(found.number)
    assert caught.value.code is Code.ORDER_MALFORMED
    bench.first.deliver([paid(found)])
    assert bench.booked(found.id) == [found.due.amount]


# --- answers that never come ------------------------------------------------------------------

LOST = [
    ("PUT", "/orders/"),
    ("POST", "/notes"),
    ("GET", "/orders/"),
    ("GET", "/notes"),
    ("PUT", "/payment"),
    ("DELETE", "/claim"),
    ("POST", "/facts"),
    ("GET", "/facts"),
]


@pytest.mark.parametrize(("method", "path"), LOST)
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DOWN, Fault.PHP_WARNING, Fault.ERROR_500])
def test_each_fact_has_its_effect_once_whatever_answer_is_lost(
    bench: WooBench, fault: Fault, method: str, path: str
) -> None:
    (found, *_) = _payable(bench.first)
    bench.first.deliver([])
    for fact in story(found):
        bench.shop.fail(WooFaults(fault, method, path, times=1))
        for _ in range(4):
            with suppress(ShopTrouble):
                bench.first.deliver([fact])
                break
        bench.shop.fail()
        bench.first.deliver([fact])
    assert bench.booked(found.id) == [found.due.amount]
    assert bench.handed_over(found.id) == 1
    assert len(bench.notes(found.id)) == 1
    assert stored(bench, found)["status"] == "completed"


@pytest.mark.parametrize("seed", range(4))
def test_a_shop_that_fails_by_chance_gets_every_fact_once(bench: WooBench, seed: int) -> None:
    chance = random.Random(seed)
    kinds = (Fault.LOST, Fault.DOWN, Fault.ERROR_500, Fault.UNAVAILABLE_503, Fault.PHP_WARNING)
    found = _payable(bench.first)[0]
    facts = story(found)
    for _ in range(200):
        bench.shop.fail(WooFaults(chance.choice(kinds), rate=0.3))
        try:
            bench.first.deliver(facts)
        except ShopTrouble:
            continue
        break
    else:
        raise AssertionError("never through")
    assert bench.booked(found.id) == [found.due.amount]
    assert bench.handed_over(found.id) == 1
    assert len(bench.notes(found.id)) == 1


def test_patience_is_asked_for_and_heard(bench: WooBench) -> None:
    bench.shop.fail(WooFaults(Fault.TOO_MANY_429, times=1, seconds=7))
    with pytest.raises(ShopBusy) as caught:
        bench.first.order("13")
    assert caught.value.retry_after_s == 7


def test_a_warning_of_php_is_no_answer(bench: WooBench) -> None:
    bench.first.deliver([])
    bench.shop.fail(WooFaults(Fault.PHP_WARNING, "GET", "/orders", times=1))
    with pytest.raises(ShopTrouble, match="display_errors"):
        bench.first.order("13")


# --- the same second, another time zone, other numbers ----------------------------------------


def test_two_orders_of_the_same_second_are_both_seen(bench: WooBench) -> None:
    """modified_after is strictly greater and in whole seconds."""
    snapshot = bench.first.snapshot("", 0)
    assert snapshot is not None
    made = []
    for _ in range(2):
        made.append(str(bench.shop.store.create(order(blocks(MITTE), line("Mug", "12.90")))))
        snapshot = bench.first.snapshot(snapshot.etag, 5)
        assert snapshot is not None
        assert made[-1] in {found.id for found in snapshot.orders}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kolkata"])
def test_a_shop_in_another_time_zone(tmp_path: Path, zone: str) -> None:
    with woo_bench(tmp_path, plugin=False, timezone=zone) as bench:
        snapshot = bench.first.snapshot("", 0)
        assert snapshot is not None
        found = snapshot.orders[0]
        bench.advance(40)
        bench.cancel(found.id)
        fresh = bench.first.snapshot(snapshot.etag, 10)
        assert fresh is not None
        assert found.id not in {other.id for other in fresh.orders}
        assert not [r for r in bench.shop.requests[3:] if "orderby=date" in r[1]], "no resync"


def test_a_number_need_not_be_the_id(tmp_path: Path) -> None:
    with woo_bench(tmp_path, plugin=False, number_offset=1) as bench:
        found = bench.first.order("#14")
        assert (found.id, found.number) == ("13", "14")
        assert bench.first.order("15").id == "14"
        with pytest.raises(OrderTrouble):
            bench.first.order("13")


def test_two_orders_of_one_number_are_nobodys(bench: WooBench) -> None:
    for _ in range(2):
        bench.shop.store.create(order(blocks(MITTE), line("Mug", "1"), number="A-7"))
    with pytest.raises(OrderTrouble, match="2 orders have this number") as caught:
        bench.first.order("A-7")
    assert caught.value.code is Code.ORDER_MALFORMED


def test_more_than_a_page_and_a_change_between_two_pages(alone: WooBench) -> None:
    """Read by what changes, a list of pages would have lost one here."""
    store = alone.shop.store
    for number in range(250):
        if number % 7 == 0:
            alone.advance(1)
        store.create(order(blocks(MITTE), line("Mug", "12.90")))
    rows, asked = store.rows, []

    def meddle() -> Any:
        asked.append(1)
        if len(asked) == 2:
            store.update(20, {"status": "completed"})
        return rows()

    store.rows = meddle  # type: ignore[method-assign]
    snapshot = alone.first.snapshot("", 0)
    assert snapshot is not None
    ids = {int(found.id) for found in snapshot.orders}
    assert len(asked) == 3
    assert ids >= {row["id"] for row in rows() if row["status"] == "processing"} - {17, 18, 19}


# --- two counters -----------------------------------------------------------------------------


def test_without_the_plugin_two_at_once_never_both_get_the_order(alone: WooBench) -> None:
    """Each writes its mark before it reads the other's."""
    found = _payable(alone.first)[0]
    both = 0
    for number in range(6):
        results: list[Any] = []
        line_up = threading.Barrier(2, timeout=10)

        def race(shop: Any, claim: str, results=results, line_up=line_up) -> None:
            line_up.wait()
            results.append((shop, claim, shop.claim(found.id, claim, found.version, 600)))

        claims = (f"A-{number}", f"B-{number}")
        threads = [
            threading.Thread(target=race, args=(shop, claim))
            for shop, claim in zip((alone.first, alone.second), claims, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        granted = [each for each in results if isinstance(each[2], Claimed)]
        assert len(granted) <= 1
        both += len(granted)
        for shop, claim, _ in granted:
            shop.deliver([Fact(f"back-{claim}", Kind.PUT_BACK, claim, "", "", {"order": found.id})])
    assert both, "not once did anyone get it"


def test_the_plugin_comes_and_goes(alone: WooBench) -> None:
    found, other = _payable(alone.first, 2)[:2]
    assert alone.first.traits().detail == MARKS
    alone.shop.plugin = True
    third = alone.link("1")
    assert isinstance(third.claim(found.id, "H-1", found.version, 600), Claimed)
    assert third.traits().atomic_claim
    assert third.traits().detail == PLUGIN
    alone.shop.plugin = False
    with pytest.raises(ShopTrouble, match="not there, or not any more"):
        third.claim(other.id, "H-2", other.version, 600)
    assert isinstance(third.claim(other.id, "H-2", other.version, 600), Claimed)
    assert not third.traits().atomic_claim
    third.close()


def test_the_plugin_gives_no_order_that_a_mark_holds(alone: WooBench) -> None:
    found = _payable(alone.first)[0]
    assert isinstance(alone.first.claim(found.id, "H-1", found.version, 600), Claimed)
    alone.shop.plugin = True
    late = alone.link("2")
    refused = late.claim(found.id, "H-2", found.version, 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_CLAIMED
    late.close()


# --- facts that cannot be ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"order": "no-such"}, "no order of WooCommerce"),
        ({"order": None}, "body.order is missing"),
        ({"payment": None}, "body.payment is missing"),
        ({"payment": "a b"}, "body.payment cannot stand in an order"),
        ({"claim": "a b"}, "body.claim cannot stand in an order"),
        ({"amount": 0}, "not an amount"),
        ({"amount": True}, "not an amount"),
        ({"currency": "XXX"}, "unknown currency"),
        ({"currency": "USD"}, "is not the order's, EUR"),
    ],
)
def test_a_fact_that_can_never_be_taken_is_refused_by_name(
    bench: WooBench, changes: dict[str, Any], said: str
) -> None:
    sound = paid(_payable(bench.first)[0])
    fact = replace(sound, body={**sound.body, **changes})
    with pytest.raises(FactRefused, match=said) as caught:
        bench.first.deliver([fact])
    assert caught.value.fact_id == fact.id


def test_nobody_can_tell_and_the_office_is_told_so(bench: WooBench) -> None:
    found = _payable(bench.first)[0]
    for _ in range(2):
        bench.first.deliver([_paid(found, Kind.UNRESOLVED)])
    (note,) = bench.notes(found.id)
    assert "Nobody can tell yet" in note
    bench.first.deliver([_paid(found, Kind.DECIDED_PAID)])
    assert json.loads(bench.meta(found.id)["_kassa_payment_H-1-1"])["how"] == "slip"


def test_told_again_after_it_was_paid_nothing_is_held(alone: WooBench) -> None:
    found = _payable(alone.first)[0]
    alone.first.deliver([paid(found)])
    alone.first.deliver([_paid(found, Kind.STARTED)])
    assert not [key for key in alone.meta(found.id) if key.startswith("_kassa_claim")]


def test_the_driver_never_refunds(bench: WooBench) -> None:
    found = _payable(bench.first)[0]
    bench.first.claim(found.id, "H-1", found.version, 600)
    bench.first.deliver(story(found))
    assert not [each for each in bench.shop.requests if "refunds" in each[1].partition("?")[0]]


# --- a shop that does not keep what it was given -------------------------------------------------


def meddling(bench: WooBench, monkeypatch: pytest.MonkeyPatch, after: Any) -> None:
    """after: called behind each write that brings meta data, with the order and what it brought."""
    update = bench.shop.store.update

    def meddled(order_id: int, members: dict[str, Any]) -> bool:
        done = update(order_id, members)
        for entry in members.get("meta_data", []):
            after(update, order_id, entry)
        return done

    monkeypatch.setattr(bench.shop.store, "update", meddled)


@pytest.mark.parametrize("place", [1, 2])
def test_what_was_written_and_is_not_there_is_no_success(
    bench: WooBench, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    found = _payable(bench.first)[0]
    bench.first.deliver(story(found)[:place])

    def lose(update: Any, order_id: int, entry: dict[str, Any]) -> None:
        update(order_id, {"meta_data": [{"key": entry["key"], "value": None}]})

    meddling(bench, monkeypatch, lose)
    with pytest.raises(ShopTrouble, match=r"lacks payment|is not handed over") as caught:
        bench.first.deliver(story(found)[place : place + 1])
    assert caught.value.code is Code.SHOP_NONSENSE
    monkeypatch.undo()
    bench.first.deliver(story(found))
    assert bench.booked(found.id) == [found.due.amount]
    assert stored(bench, found)["status"] == "completed"


def other_mark(update: Any, order_id: int, entry: dict[str, Any]) -> None:
    """Another counter's, behind each of ours."""
    value = json.dumps({"kiosk": "Counter 9", "until_s": 9_999_999_999})
    if entry["key"] != "_kassa_claim_X" and json.loads(entry["value"]).get("until_s"):
        update(order_id, {"meta_data": [{"key": "_kassa_claim_X", "value": value}]})
    elif entry["key"].startswith("_kassa_claim_"):
        update(order_id, {"meta_data": [{"key": "_kassa_claim_X", "value": None}]})


def test_who_sees_another_mark_each_time_gives_up(
    alone: WooBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _payable(alone.first)[0]
    meddling(alone, monkeypatch, other_mark)
    refused = alone.first.claim(found.id, "H-1", found.version, 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_CLAIMED
    assert "at the same time" in refused.detail
    assert json.loads(alone.meta(found.id)["_kassa_claim_H-1"])["until_s"] == 0


def test_who_is_being_paid_keeps_the_order(
    alone: WooBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other reads that a payment is under way, and steps back."""
    found = _payable(alone.first)[0]
    assert isinstance(alone.first.claim(found.id, "H-1", found.version, 600), Claimed)
    alone.first.deliver(story(found)[:1])
    meddling(alone, monkeypatch, other_mark)
    assert isinstance(alone.first.claim(found.id, "H-1", found.version, 600), Claimed)
    assert json.loads(alone.meta(found.id)["_kassa_claim_H-1"])["payment"] == "H-1-1"


def test_what_a_restored_shop_lacks(alone: WooBench) -> None:
    """A hand-over that is gone is told again; an order that is gone says nothing."""
    found = _payable(alone.first)[0]
    facts = story(found)
    alone.first.deliver(facts)
    alone.first.deliver([], after=facts[-1].id)
    entry = {"key": "_kassa_handed_over", "value": None}
    assert alone.shop.store.update(int(found.id), {"meta_data": [entry]})
    with pytest.raises(ShopForgot):
        alone.first.deliver([], after=facts[-1].id)
    alone.first.deliver(facts)
    assert alone.handed_over(found.id) == 1
    assert alone.shop.store.delete(int(found.id))
    alone.first.deliver([], after=facts[-1].id)
