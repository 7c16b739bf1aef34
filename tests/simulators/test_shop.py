"""The demo shop itself: its samples, its staff's page, its books over a restart."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.domain.errors import Code
from appliance.domain.money import CURRENCIES, currency
from appliance.domain.order import CheckKind, OrderStatus, disagreements, refusal
from appliance.protocols import shopapi
from appliance.simulators.shop import DemoShop, Fault, ShopFaults, samples
from appliance.simulators.shop.store import (
    REQUEST_S,
    SAME_CLICK_S,
    Granted,
    Refused,
    ShopStore,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def shop() -> Iterator[DemoShop]:
    with DemoShop(now=lambda: NOW) as shop:
        yield shop


@pytest.fixture
def browser(shop: DemoShop) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, trust_env=False) as client:
        yield client


def deliver(shop: DemoShop, *facts: dict[str, Any], kiosk: str = "mitte-1") -> int:
    answer = httpx.post(
        shop.url + "/v1/facts",
        content=shopapi.write_json(
            {"facts": [{"subject": "H-1", "at": "2026-11-23T12:00:00Z"} | fact for fact in facts]}
        ),
        headers={"Authorization": f"Bearer {shop.tokens[kiosk]}"},
        trust_env=False,
    )
    return answer.status_code


def paid(number: int, amount: int, payment: str = "p-1", **members: Any) -> dict[str, Any]:
    body = {"order": f"ord-{number}", "payment": payment, "amount": amount, "currency": "EUR"}
    return {"id": f"f-{payment}", "kind": "payment.approved", "body": body | members}


# --- samples ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(CURRENCIES))
@pytest.mark.parametrize("seed", [1, 2])
def test_the_samples_cover_every_case_of_a_counter(code: str, seed: int) -> None:
    orders = samples.sample_orders(code, seed, NOW)
    assert len({order.id for order in orders}) == len(orders)
    for place in samples.PLACES:
        here = [order for order in orders if order.pickup_point == place.id]
        verdicts = Counter(
            found[0] if found else None
            for order in here
            for found in [refusal(order, pickup_point=place.id, currency=currency(code))]
        )
        assert verdicts == {
            None: 9,
            Code.ORDER_CANCELLED: 1,
            Code.ORDER_EXPIRED: 1,
            Code.ORDER_NOT_READY: 1,
            Code.ORDER_HANDED_OVER: 1,
            Code.ORDER_SUMS: 1,
            Code.ORDER_CURRENCY: 1,
        }
        assert sum(bool(disagreements(order)) for order in here) == 1
        assert {check.kind for order in here for check in order.checks} == set(CheckKind)
        assert any(order.discounts and order.loyalty for order in here)
        assert any(order.is_prepaid and order.status is OrderStatus.READY for order in here)
        assert any(order.paid and order.due for order in here)
        assert any(order.last_day for order in here)
        assert any(order.notes for order in here)
        assert any(not line.quantity.is_whole for order in here for line in order.lines)
    # What the journal and the wire must hold.
    assert [shopapi.order_from_json(shopapi.order_to_json(order)) for order in orders] == orders


def test_a_button_s_order_is_sound_too() -> None:
    for code in ("EUR", "RUB", "USD", "JPY"):
        store = ShopStore(":memory:", code, seed=3, now=lambda: NOW)
        for _ in range(30):
            order = store.by_code(store.add_random_order("mitte"))
            assert order is not None
            assert not disagreements(shopapi.order_from_json(order))
        store.close()


def test_a_full_shop_takes_no_more_orders(
    shop: DemoShop, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.simulators.shop.store.MOST_NEW_ORDERS", 102)
    numbers = [shop.store.add_random_order("hafen") for _ in range(3)]
    assert numbers == ["20101", "20102", ""]


def test_each_badge_is_in_the_list_of_its_pickup_points(
    browser: httpx.Client, shop: DemoShop
) -> None:
    for kiosk, place in (("mitte-1", "mitte"), ("hafen-1", "hafen")):
        answer = browser.get(
            shopapi.sellers_path(place), headers={"Authorization": f"Bearer {shop.tokens[kiosk]}"}
        )
        sellers = shopapi.sellers_from(answer.content)
        by_hash = {row.badge_hash: row.name for row in sellers.sellers}
        found = {
            name
            for name, badge in shop.badges.items()
            if by_hash.get(shopapi.badge_hash(badge, sellers.salt, sellers.iterations)) == name
        }
        assert found == {person.name for person in samples.STAFF if place in person.pickup_points}


# --- the books --------------------------------------------------------------------------------


def test_the_books_are_kept_over_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.sqlite3")
    with DemoShop(path) as shop:
        url = shop.url
        due = shop.state()["orders"]["10001"]["due"]
        assert deliver(shop, paid(10001, due)) == 200
        shop.stop()
        with pytest.raises(httpx.ConnectError):
            deliver(shop, paid(10001, due))
        shop.start()
        assert shop.url == url
    with DemoShop(path) as shop:
        assert deliver(shop, paid(10001, due)) == 200
        order = shop.state()["orders"]["10001"]
        assert (order["paid"], order["due"], len(order["payments"])) == (due, 0, 1)
        (fact,) = shop.facts()
        assert (fact["arrived"], fact["applied"]) == (2, 1)


def test_a_restored_shop_has_forgotten_what_came_after_the_backup(shop: DemoShop) -> None:
    assert deliver(shop, paid(10001, 100, "before")) == 200
    backup = shop.store.saved()
    assert deliver(shop, paid(10002, 200, "after")) == 200
    _, snapshot = shop.store.snapshot("mitte")
    shop.store.restore(backup)
    assert [fact["id"] for fact in shop.facts()] == ["f-before"]
    assert shop.store.snapshot("mitte")[1] != snapshot
    assert deliver(shop, paid(10002, 200, "after")) == 200
    assert shop.store.snapshot("mitte")[1] == snapshot
    backup.close()


def test_a_lease_of_a_clock_that_began_anew_does_not_last_for_days(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.sqlite3")
    wanted = shopapi.ClaimRequest("H-1", "1", 600, "mitte")
    before = ShopStore(path, clock=lambda: 1e9)
    assert isinstance(before.claim("ord-10001", "mitte-1", wanted), Granted)
    before.close()
    now = [5.0]
    after = ShopStore(path, clock=lambda: now[0])
    assert isinstance(after.claim("ord-10001", "mitte-2", wanted), Refused)
    now[0] += shopapi.LONGEST_LEASE_S
    assert isinstance(after.claim("ord-10001", "mitte-2", wanted), Granted)
    after.close()


def test_what_is_paid_too_much_is_booked_and_flagged(shop: DemoShop) -> None:
    due = shop.state()["orders"]["10001"]["due"]
    assert deliver(shop, paid(10001, due, "p-1"), paid(10001, due, "p-2")) == 200
    order = shop.state()["orders"]["10001"]
    assert order["paid"] == 2 * due
    assert order["flag"]
    assert order["due"] == -due


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"order": "none"},
        {"order": "ord-10001"},
        {"order": "ord-10001", "payment": "p", "amount": 0, "currency": "EUR"},
        {"order": "ord-10001", "payment": "p", "amount": True, "currency": "EUR"},
        {"order": "ord-10001", "payment": "p", "amount": 5, "currency": "USD"},
        {"order": "ord-10001", "payment": "p\ud800", "amount": 5, "currency": "EUR"},
        {"order": "\ud800", "payment": "p", "amount": 5, "currency": "EUR"},
        {"order": "none" * 99, "payment": "p", "amount": 5, "currency": "EUR"},
        {"order": "ord-10001", "payment": "p", "amount": 5, "currency": "EUR", "card": "****"},
    ],
)
def test_of_a_request_with_an_impossible_fact_nothing_is_kept(
    shop: DemoShop, body: dict[str, Any]
) -> None:
    bad = {"id": "bad", "kind": "payment.approved", "body": body}
    assert deliver(shop, paid(10002, 5), bad) == 422
    assert shop.facts() == []
    assert shop.state()["orders"]["10002"]["payments"] == []


@pytest.mark.parametrize(
    ("member", "value"),
    [("order", 5), ("claim", ""), ("payment", None), ("amount", -1), ("currency", "XXX"),
     ("card", []), ("code", 1), ("reason", {})],
)  # fmt: skip
def test_a_fact_that_is_not_as_the_document_says_is_refused_by_its_id(
    shop: DemoShop, member: str, value: Any
) -> None:
    fact = {"id": "f", "kind": "goods.weighed", "body": {member: value}}
    answer = httpx.post(
        shop.url + "/v1/facts",
        json={"facts": [{"subject": "H-1", "at": "", **fact}]},
        headers={"Authorization": f"Bearer {shop.tokens['mitte-1']}"},
        trust_env=False,
    )
    assert answer.status_code == 422
    refusal = shopapi.fact_refused_from(answer.content)
    assert refusal.refused == "f"
    assert refusal.reason.startswith(f"body.{member}: ")


@pytest.mark.parametrize("wait", ["9" * 5000, "\xff", "1.0", " 1", "+1"])
def test_a_wait_that_is_no_number_is_a_bad_request(
    browser: httpx.Client, shop: DemoShop, wait: str
) -> None:
    headers = {"Authorization": f"Bearer {shop.tokens['mitte-1']}"}
    path = shopapi.orders_path("mitte")
    assert browser.get(path, params={"wait": wait}, headers=headers).status_code == 400


def test_a_health_report_with_a_number_out_of_range_is_a_bad_request(
    shop: DemoShop, browser: httpx.Client
) -> None:
    headers = {"Authorization": f"Bearer {shop.tokens['mitte-1']}"}
    for number in (b"1e999", b"-1e18", b"1000000000000000000"):
        body = b'{"load": ' + number + b"}"
        assert browser.post("/v1/kiosks/health", content=body, headers=headers).status_code == 400


def test_a_wrong_method_is_told_the_right_ones(shop: DemoShop, browser: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {shop.tokens['mitte-1']}"}
    answer = browser.request("DELETE", "/v1/facts", headers=headers)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_fact_of_tomorrow_is_kept(shop: DemoShop) -> None:
    assert deliver(shop, {"id": "f", "kind": "goods.weighed", "body": {"order": "none"}}) == 200
    assert [fact["kind"] for fact in shop.facts()] == ["goods.weighed"]


def test_an_approval_settles_what_was_unresolved_in_either_order(shop: DemoShop) -> None:
    open_question = {**paid(10001, 5), "id": "u", "kind": "payment.unresolved"}
    assert deliver(shop, open_question) == 200
    assert shop.state()["orders"]["10001"]["unresolved"] == "p-1"
    assert deliver(shop, paid(10001, 5)) == 200
    assert shop.state()["orders"]["10001"]["unresolved"] == ""
    assert deliver(shop, {**open_question, "id": "late"}) == 200
    assert shop.state()["orders"]["10001"]["unresolved"] == ""


def test_state_is_json_and_every_change_is_told(shop: DemoShop) -> None:
    told = threading.Event()
    shop.on_change = told.set
    before = shop.state()
    assert deliver(shop, {"id": "f", "kind": "handover.set_aside", "body": {"order": "ord-10001"}})
    assert told.wait(10)
    assert shop.on_change is not None
    after = json.loads(json.dumps(shop.state()))
    assert after["revision"] > before["revision"]
    assert after["orders"]["10001"]["set_aside"] is True


# --- faults, and stopping ---------------------------------------------------------------------


def test_a_fault_hits_as_often_and_only_where_it_is_told(
    shop: DemoShop, browser: httpx.Client
) -> None:
    headers = {"Authorization": f"Bearer {shop.tokens['mitte-1']}"}
    shop.faults = ShopFaults(Fault.ERROR_500, path="by-code", times=2)
    codes = [browser.get("/v1/orders/by-code/10001", headers=headers).status_code for _ in range(4)]
    assert codes == [500, 500, 200, 200]
    shop.faults = ShopFaults(Fault.ERROR_500, path="by-code")
    assert browser.get(shopapi.orders_path("mitte"), headers=headers).status_code == 200
    assert browser.get("/staff").status_code == 200
    assert "made to fail: error_500" in browser.get("/staff").text


@pytest.mark.parametrize("how", ["down", "stop"])
def test_a_poll_in_progress_ends_when_the_shop_goes(shop: DemoShop, how: str) -> None:
    etag, _ = shop.store.snapshot("mitte")
    headers = {"Authorization": f"Bearer {shop.tokens['mitte-1']}", "If-None-Match": etag}
    with socket.create_connection(("127.0.0.1", httpx.URL(shop.url).port)) as poll:
        lines = [f"GET {shopapi.orders_path('mitte')}?wait=25 HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        poll.sendall("\r\n".join([*lines, "", ""]).encode())
        poll.settimeout(10)  # far below the 25 s
        while not shop.store.waiting:
            threading.Event().wait(0.005)
        if how == "down":
            shop.faults = ShopFaults(Fault.DOWN)
            assert poll.recv(100) == b""
        else:
            shop.stop()
            assert poll.recv(100).startswith(b"HTTP/1.1 304")


def test_a_stranger_gets_nothing(browser: httpx.Client) -> None:
    for value in ("", "Bearer", "Bearer wrong", "Basic demo-token-mitte-1", "Bearer ä"):
        answer = browser.get("/v1/orders/by-code/10001", headers={b"Authorization": value.encode()})
        assert answer.status_code == 401
        assert b"10001" not in answer.content
    unknown = browser.get("/v1/nothing", headers={"Authorization": "Bearer demo-token-mitte-1"})
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == shopapi.PROBLEM_TYPE


# --- the staff's page -------------------------------------------------------------------------


def rows(page: str) -> dict[str, str]:
    """Order id -> its row as text."""
    found = re.findall(r'data-order="([^"]+)">(.*?)</li>', page, re.S)
    return {order: re.sub(r"<[^>]+>|\s+", " ", row) for order, row in found}


def test_the_page_shows_what_happened(shop: DemoShop, browser: httpx.Client) -> None:
    card = {"scheme": "Visa", "pan": "************1234", "authorisation": "A1B2"}
    fact = paid(10001, 10817, card=card)
    handed = {
        "id": "h",
        "kind": "handover.handed_over",
        "seller": "s-1001",
        "body": {"order": "ord-10001"},
    }
    doubt = {
        "id": "u",
        "kind": "payment.unresolved",
        "body": {"order": "ord-10002", "payment": "p-9"},
    }
    assert deliver(shop, fact, handed, doubt) == 200
    assert deliver(shop, fact) == 200
    shop.store.keep_health("mitte-1", {"printer": "<K-PRN-02>"})
    page = browser.get("/staff")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    shown = rows(page.text)
    assert set(shown) == {order["id"] for order in shop.state()["orders"].values()}
    for text in ("handed over", "by Anna K.", "108.17", "Visa", "************1234", "A1B2"):
        assert text in shown["ord-10001"]
    assert "not known yet whether it was taken" in shown["ord-10002"]
    assert "the sums do not agree" in shown["ord-10013"]
    assert "came 2 times, counted once" in page.text
    assert "&lt;K-PRN-02&gt;" in page.text
    assert set(rows(browser.get("/staff?at=hafen").text)) == {
        f"ord-{20_000 + n}" for n in range(1, 16)
    }
    for name in ("shop_staff.css", "shop_staff.js"):
        assert f"/staff/static/{name}" in page.text
        assert browser.get(f"/staff/static/{name}").status_code == 200


@pytest.mark.parametrize(
    ("number", "action", "expected"),
    [
        (10001, "cancel", {"status": "cancelled"}),
        (10001, "expire", {"status": "expired"}),
        (10012, "ready", {"status": "ready"}),
        (10001, "unready", {"status": "not_ready"}),
        (10001, "pay", {"due": 0}),
        (10005, "pay", {"due": 0}),
        (10001, "add-line", {"due": 10817 + 1290}),
        (10001, "touch", {}),
    ],
)
def test_each_button_changes_the_order_and_its_version(
    shop: DemoShop, browser: httpx.Client, number: int, action: str, expected: dict[str, Any]
) -> None:
    answer = browser.post(f"/staff/orders/ord-{number}/{action}", data={"at": "mitte"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/staff?at=mitte"
    order = shop.state()["orders"][str(number)]
    assert order["version"] == "2"
    assert {key: order[key] for key in expected} == expected
    stated = shopapi.order_from_json(shop.store.by_code(str(number)))
    assert not disagreements(stated)


def test_an_order_is_wanted_at_the_counter_until_that_expires(tmp_path: Path) -> None:
    now, path = [NOW], str(tmp_path / "shop.sqlite3")
    shop = ShopStore(path, now=lambda: now[0])
    assert not shop.want_at_counter("none")
    assert shop.want_at_counter("ord-10001", "Counter 2")
    etag, body = shop.snapshot("mitte")
    (request,) = shopapi.orders_from(body).requests
    assert (request.order, request.counter) == ("10001", "Counter 2")
    assert request.expires_at == int(NOW.timestamp()) + REQUEST_S
    assert shopapi.orders_from(shop.snapshot("hafen")[1]).requests == ()
    shop.close()
    shop = ShopStore(path, now=lambda: now[0])
    assert shop.snapshot("mitte") == (etag, body), "it is durable, and no news"
    now[0] += timedelta(seconds=REQUEST_S)
    assert shop.snapshot("mitte") == (etag, body), "that it expires is no news either"
    assert shop.set_status("ord-10002", OrderStatus.CANCELLED)
    assert shopapi.orders_from(shop.snapshot("mitte")[1]).requests == ()
    shop.close()


def test_a_double_click_is_one_wish_and_another_click_another() -> None:
    now = [NOW]
    shop = ShopStore(":memory:", now=lambda: now[0])
    for _ in range(2):
        assert shop.want_at_counter("ord-10001")
    assert len(shop.rows("requests", "id")) == 1
    now[0] += timedelta(seconds=SAME_CLICK_S)
    assert shop.want_at_counter("ord-10001")
    assert len(shop.rows("requests", "id")) == 2
    now[0] += timedelta(seconds=REQUEST_S)
    assert shop.want_at_counter("ord-10002")
    assert len(shop.rows("requests", "id")) == 1, "what has expired is not kept"
    shop.close()


def test_of_too_many_wishes_the_newest_are_told(shop: DemoShop) -> None:
    numbers = [10_000 + number for number in range(1, 10)] + [
        int(shop.store.add_random_order("mitte")) for _ in range(10)
    ]
    for number in numbers:
        assert shop.store.want_at_counter(f"ord-{number}")
    requests = shopapi.orders_from(shop.store.snapshot("mitte")[1]).requests
    assert [int(request.order) for request in requests] == numbers[-shopapi.MOST_REQUESTS :]


def test_the_page_offers_the_counters_that_have_reported(
    shop: DemoShop, browser: httpx.Client
) -> None:
    assert "Open at the counter" in rows(browser.get("/staff").text)["ord-10001"]
    shop.store.keep_health("mitte-1", {"counter": "Kasse 1"})
    assert "Open at the counter" in rows(browser.get("/staff").text)["ord-10001"]
    for odd in ("Kasse\n2", "", 5, "x" * 81):
        shop.store.keep_health("mitte-2", {"counter": odd})
        assert "Open at the counter" in rows(browser.get("/staff").text)["ord-10001"]
    shop.store.keep_health("mitte-2", {"counter": "Kasse 2"})
    shown = rows(browser.get("/staff").text)
    assert "Open at Kasse 1 Open at Kasse 2" in shown["ord-10001"].replace("  ", " ")
    assert "Open at the counter" in shown["ord-20001"]
    path = "/staff/orders/ord-10001/open"
    assert browser.post(path, data={"counter": "Kasse 2"}).status_code == 303
    for odd in ("Kasse\n2", "x" * 81):
        assert browser.post(path, data={"counter": odd}).status_code == 400
    (request,) = shopapi.orders_from(shop.store.snapshot("mitte")[1]).requests
    assert (request.order, request.counter) == ("10001", "Kasse 2")


def test_paying_twice_online_is_paying_once(shop: DemoShop, browser: httpx.Client) -> None:
    for _ in range(2):
        browser.post("/staff/orders/ord-10001/pay")
    order = shop.state()["orders"]["10001"]
    assert (order["due"], len(order["payments"]), order["version"]) == (0, 1, "2")


def test_buttons_for_nothing_do_nothing(shop: DemoShop, browser: httpx.Client) -> None:
    before = shop.state()["orders"]
    for path in (
        "/staff/orders/none/cancel",
        "/staff/orders/none/pay",
        "/staff/orders/none/add-line",
        "/staff/orders/ord-10001/dance",
    ):
        assert browser.post(path).status_code == 404
    assert browser.post("/staff/new", data={"at": "nowhere"}).status_code == 404
    assert shop.state()["orders"] == before


def test_new_orders(shop: DemoShop, browser: httpx.Client) -> None:
    before = set(shop.state()["orders"])
    assert browser.post("/staff/new", data={"at": "hafen"}).status_code == 303
    assert browser.post("/staff/new").status_code == 303
    assert set(shop.state()["orders"]) - before == {"20101", "10101"}


@pytest.mark.parametrize("new_orders", [0, 1, 150])
def test_the_samples_again_have_other_numbers_and_nothing_is_forgotten(
    shop: DemoShop, browser: httpx.Client, new_orders: int
) -> None:
    for _ in range(new_orders):
        shop.store.add_random_order("mitte")
    deliver(shop, paid(10001, 5))
    before, facts = shop.state()["orders"], shop.facts()
    after = before
    for _ in range(2):
        seen = set(after)
        assert browser.post("/staff/samples").status_code == 303
        after = shop.state()["orders"]
        added = sorted(set(after) - seen)
        assert len(added) == 30
        assert [number[-2:] for number in added] == [f"{n:02}" for n in range(1, 16)] * 2
        assert min(added) > max(number for number in seen if number < "2")
    assert {number: after[number] for number in before} == before
    assert shop.facts() == facts
    shop.store.add_random_order("mitte")
    assert len(shop.state()["orders"]) == len(after) + 1


def test_a_shop_full_of_samples_takes_no_more(shop: DemoShop) -> None:
    count = 1
    while shop.store.add_samples():
        count += 1
        assert count < 20
    assert len(shop.state()["orders"]) == count * 30
    assert shop.store.add_random_order("mitte") == ""


def test_the_page_asks_for_its_part_only_when_something_changed(
    shop: DemoShop, browser: httpx.Client
) -> None:
    match = re.search(r'data-seen="([^"]+)"', browser.get("/staff").text)
    assert match
    seen = match[1]
    assert browser.get(f"/staff/part?seen={seen}").status_code == 204
    shop.store.bump("ord-10001")
    part = browser.get(f"/staff/part?seen={seen}")
    assert part.status_code == 200
    assert "ord-10001" in rows(part.text)
    assert "<html" not in part.text


@pytest.mark.parametrize(
    "headers", [{"Host": "shop.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_no_other_site_can_press_a_button(
    shop: DemoShop, browser: httpx.Client, headers: dict[str, str]
) -> None:
    assert browser.post("/staff/samples", headers=headers).status_code == 403
    assert browser.post("/staff/new", headers={"Origin": shop.url}).status_code == 303
