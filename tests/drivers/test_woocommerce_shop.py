"""Who asks, and what WooCommerce's odder answers mean, over TLS and in the clear."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.domain.errors import Code, ConfigTrouble, OrderTrouble, ShopTrouble
from appliance.domain.facts import Fact, Kind
from appliance.drivers.shop_http import HttpOptions
from appliance.drivers.woocommerce_http import Key, WooHttp
from appliance.drivers.woocommerce_poll import OpenOrders
from appliance.drivers.woocommerce_shop import NOT_ASKED, WooCommerceShop, WooOptions
from appliance.ports import Claimed, ClaimRefused, SellerList
from appliance.protocols import woocommerce as woo
from appliance.simulators.woocommerce import FakeWoo
from appliance.simulators.woocommerce.samples import MITTE, fill
from tests.protocols.woocommerce.samples import answered

URL = "https://shop.example/wp"
DATE = {"Date": "Sat, 25 Jul 2026 17:20:00 GMT"}
Handler = Callable[[httpx.Request], httpx.Response]


class Far(httpx.BaseTransport):
    """Answers come in a stream, as from a socket."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        said = self._handler(request)
        stream = httpx.ByteStream(said.content)
        return httpx.Response(said.status_code, headers=said.headers, stream=stream)


def shop(handler: Handler, **more: Any) -> WooCommerceShop:
    options = WooOptions(URL, "ck_mitte1:cs_mitte1", MITTE, "Counter 1", **more)
    return WooCommerceShop(options, Far(handler))


@pytest.fixture
def far() -> Iterator[FakeWoo]:
    """The fake without a network, as if behind TLS."""
    fake = FakeWoo()
    fill(fake.store)
    yield fake
    fake.close()


def over_tls(fake: FakeWoo, token: str = "ck_mitte1:cs_mitte1") -> WooCommerceShop:
    options = WooOptions("https://shop.example", token, MITTE, "Counter 1")
    return WooCommerceShop(options, httpx.WSGITransport(app=fake.wsgi))


# --- who asks ---------------------------------------------------------------------------------


def test_with_tls_the_key_goes_as_basic_and_in_no_address() -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(404, json={"code": "rest_no_route", "message": ""}, headers=DATE)

    with pytest.raises(ShopTrouble):
        shop(handler).snapshot("", 0)
    pair = base64.b64encode(b"ck_mitte1:cs_mitte1").decode()
    assert {request.headers["authorization"] for request in asked} == {f"Basic {pair}"}
    assert len(asked) == 2
    assert "cs_mitte1" not in str([request.url for request in asked])
    assert str(asked[0].url).startswith(f"{URL}/wp-json/")


def test_a_shop_behind_tls(far: FakeWoo) -> None:
    link = over_tls(far)
    assert link.traits().detail == NOT_ASKED
    snapshot = link.snapshot("", 0)
    assert snapshot is not None
    assert len(snapshot.orders) == 4
    link.close()


@pytest.mark.parametrize(
    "token", ["", "ck_1", "ck_1:", "cs_1:ck_1", "ck_1:cs_ 1", "ck_1:cs_1:x\n", "ck_ж:cs_1"]
)
def test_what_is_no_key(token: str) -> None:
    with pytest.raises(ConfigTrouble, match="ck_…:cs_…") as caught:
        WooCommerceShop(WooOptions(URL, token, MITTE, "1"))
    assert not token or token not in str(caught.value)


def test_no_secret_is_shown() -> None:
    options = WooOptions(URL, "ck_1:cs_secret", MITTE, "1")
    assert "cs_secret" not in repr(options)
    assert "cs_secret" not in repr(Key.from_token("ck_1:cs_secret"))


@pytest.mark.parametrize(
    ("more", "said"),
    [({"ready_statuses": ()}, "no status"), ({"poll_s": 0.0}, "above zero")],
)
def test_what_cannot_be(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigTrouble, match=said):
        WooCommerceShop(WooOptions(URL, "ck_1:cs_1", MITTE, "1", **more))


@pytest.mark.parametrize("token", ["ck_mitte1:cs_wrong", "ck_nobody:cs_x"])
@pytest.mark.parametrize("is_tls", [True, False])
def test_a_key_that_is_not_accepted(token: str, is_tls: bool) -> None:
    with FakeWoo() as fake:
        link = (
            over_tls(fake, token)
            if is_tls
            else WooCommerceShop(WooOptions(fake.url, token, MITTE, "Counter 1"))
        )
        with pytest.raises(ShopTrouble) as caught:
            link.snapshot("", 0)
        assert caught.value.code is Code.SHOP_TOKEN
        link.close()


def test_a_key_that_may_only_read(far: FakeWoo) -> None:
    link = over_tls(far, "ck_reader:cs_reader")
    found = link.order("13")
    with pytest.raises(ShopTrouble) as caught:
        link.claim(found.id, "H-1", found.version, 600)
    assert caught.value.code is Code.SHOP_TOKEN


# --- odd answers ------------------------------------------------------------------------------


def reply(body: object, status: int = 200, **headers: str) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        if "/kassa/v1/" in request.url.path:
            return httpx.Response(404, json={"code": "rest_no_route"}, headers=DATE)
        return httpx.Response(status, json=body, headers=DATE | headers)

    return handler


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 200, Code.SHOP_NONSENSE),
        ([], 404, Code.SHOP_NONSENSE),
        ({"code": "rest_no_route", "message": "No route"}, 404, Code.SHOP_NONSENSE),
        ({"code": "rest_invalid_param", "message": "status"}, 400, Code.SHOP_NONSENSE),
        ({"code": "internal_server_error"}, 500, Code.SHOP_BUSY),
        ([], 301, Code.SHOP_MOVED),
        ([], 403, Code.SHOP_TOKEN),
    ],
)
def test_what_is_no_list_of_orders(body: object, status: int, code: Code) -> None:
    with pytest.raises(ShopTrouble) as caught:
        shop(reply(body, status)).snapshot("", 0)
    assert caught.value.code is code


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 25 Jul 99999 17:20:00 GMT"])
def test_a_shop_without_a_clock(date: str) -> None:
    with pytest.raises(ShopTrouble, match="no usable Date"):
        shop(reply([], Date=date)).snapshot("", 0)


def test_a_shop_with_orders_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.drivers.woocommerce_poll.MOST_PAGES", 3)
    value = answered()
    with pytest.raises(ShopTrouble, match="more than 3 pages"):
        shop(reply([value] * 100)).snapshot("", 0)
    broken = [{**value, "date_created_gmt": "when?"}] * 100
    with pytest.raises(ShopTrouble, match="is no date"):
        shop(reply(broken)).snapshot("", 0)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (418, {}, Code.SHOP_NONSENSE),
        (200, {}, Code.SHOP_NONSENSE),
        (401, {"code": "woocommerce_rest_authentication_error", "message": "x"}, Code.SHOP_TOKEN),
        (403, {"code": "rest_forbidden", "message": "x"}, Code.SHOP_TOKEN),
        (404, {"code": "woocommerce_odd", "message": "x"}, Code.SHOP_NONSENSE),
        (503, {}, Code.SHOP_BUSY),
    ],
)
def test_a_shop_that_does_not_say_whether_it_has_the_plugin(
    status: int, body: object, code: Code
) -> None:
    """Then nothing is read, and nothing charged: a guess could have two counters keep apart by two
    different means."""
    link = shop(lambda request: httpx.Response(status, json=body))
    with pytest.raises(ShopTrouble) as caught:
        link.snapshot("", 0)
    assert caught.value.code is code
    assert link.traits().detail == NOT_ASKED


@pytest.mark.parametrize("plugin", [True, False])
def test_over_tls_wordpress_refuses_the_key_where_there_is_no_plugin(
    far: FakeWoo, plugin: bool
) -> None:
    far.plugin = plugin
    link = over_tls(far)
    found = link.order("13")
    assert isinstance(link.claim(found.id, "H-1", found.version, 60), Claimed)
    assert link.traits().atomic_claim is plugin
    far.plugin = False
    if plugin:
        with pytest.raises(ShopTrouble, match="not there, or not any more"):
            link.claim(found.id, "H-1", found.version, 60)
        assert isinstance(link.claim(found.id, "H-1", found.version, 60), Claimed)
        assert not link.traits().atomic_claim


def test_an_order_that_cannot_be_read_leaves_the_list(far: FakeWoo) -> None:
    link = over_tls(far)
    snapshot = link.snapshot("", 0)
    assert snapshot is not None
    with far.store.db() as db:
        doc = {**json.loads(far.store.rows()[0]["doc"]), "total": "1"}
        db.execute(
            "UPDATE orders SET doc = ?, modified = modified + 1 WHERE id = 13", (json.dumps(doc),)
        )
    pickup = woo.Pickup(MITTE)
    http = WooHttp(
        HttpOptions("https://shop.example"),
        Key("ck_mitte1", "cs_mitte1"),
        httpx.WSGITransport(app=far.wsgi),
    )
    polls = OpenOrders(http, pickup, 0.01)
    first = polls.snapshot("", 0)
    assert first is not None
    assert set(first.malformed) == {"13"}
    assert "13" not in {found.id for found in first.orders}
    with far.store.db() as db:
        doc["total"] = "48.27"
        db.execute("UPDATE orders SET doc = ? WHERE id = 13", (json.dumps(doc),))
    then = polls.snapshot(first.etag, 5)
    assert then is not None
    assert then.malformed == {}
    with far.store.db() as db:
        doc["total"] = "1"
        db.execute("UPDATE orders SET doc = ? WHERE id = 13", (json.dumps(doc),))
    again = polls.snapshot(then.etag, 5)
    assert again is not None
    assert set(again.malformed) == {"13"}
    assert "13" not in {found.id for found in again.orders}
    with pytest.raises(OrderTrouble) as caught:
        link._search("13")
    assert caught.value.code is Code.ORDER_MALFORMED


def test_too_many_changes_at_once_are_read_anew(far: FakeWoo) -> None:
    link = over_tls(far)
    link._open._poll_s = 0.01
    first = link.snapshot("", 0)
    assert first is not None
    fill(far.store, 120)
    then = link.snapshot(first.etag, 5)
    assert then is not None
    assert len(then.orders) == 124
    assert [path for _, path, _ in far.requests[-4:] if "orderby=date" in path]


def test_what_is_open_is_read_again_and_in_full_only_what_is_new(far: FakeWoo) -> None:
    link = over_tls(far)
    link._open._poll_s = 0.01
    first = link.snapshot("", 0)
    assert first is not None
    far.store.trash(13)  # which no list of changes tells
    with far.store.db() as db:
        doc = json.loads(far.store.rows()[2]["doc"]) | {"total": "1"}
        db.execute("UPDATE orders SET doc = ?, modified = 5 WHERE id = 15", (json.dumps(doc),))
        db.execute("UPDATE orders SET modified = 5 WHERE id = 13")
    link._open._resync_at = 0.0
    then = link.snapshot(first.etag, 5)
    assert then is not None
    assert {found.id for found in then.orders} == {"14", "16"}
    assert set(then.malformed) == {"15"}
    assert "include=15&" in far.requests[-1][1].replace("%2C", ",")
    # What cannot be read is asked for again each time; what is known is not.
    link._open._resync_at = 0.0
    link._open._poll_at = 0.0
    assert link.snapshot(then.etag, 0) is None
    assert "include=15&" in far.requests[-1][1].replace("%2C", ",")


def test_a_poll_that_fails_keeps_what_is_known(far: FakeWoo) -> None:
    link = over_tls(far)
    first = link.snapshot("", 0)
    far.store.rows = lambda: (_ for _ in ()).throw(OSError("disk"))  # type: ignore[method-assign]
    far.app.testing = False
    with pytest.raises(ShopTrouble):
        link.snapshot("", 0)
    del far.store.rows
    assert first is not None
    assert link.snapshot(first.etag, 0) is None


# --- calls that cannot be ---------------------------------------------------------------------


@pytest.mark.parametrize(("order", "claim"), [("x", "H"), ("13", ""), ("13", "a b"), ("٣", "H")])
def test_a_claim_that_cannot_be_written(far: FakeWoo, order: str, claim: str) -> None:
    refused = over_tls(far).claim(order, claim, "v", 60)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_UNKNOWN
    assert far.requests == []


def test_changed_between_the_mark_and_the_reading(far: FakeWoo) -> None:
    """The mark is taken back: nobody waits for its lease to end."""
    link = over_tls(far)
    found = link.order("13")
    update = far.store.update

    def meddle(order_id: int, members: dict[str, Any]) -> bool:
        done = update(order_id, members)
        if "meta_data" in members:
            update(order_id, {"customer_note": "Please wrap"})
        return done

    far.store.update = meddle  # type: ignore[method-assign,assignment]
    refused = link.claim(found.id, "H-1", found.version, 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_CHANGED
    value = far.store.get(13)
    assert value is not None
    (mark,) = [m["value"] for m in value["meta_data"] if m["key"] == "_kassa_claim_H-1"]
    assert json.loads(mark)["until_s"] == 0


def test_the_plugin_that_keeps_too_few_facts(far: FakeWoo) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/facts"):
            known = {"newest": "", "has_after": True, "known": []}
            return httpx.Response(200, json=known if request.method == "GET" else {"accepted": 0})
        return httpx.Response(200, json={})

    with pytest.raises(ShopTrouble, match="kept 0 of 1"):
        shop(handler).deliver([Fact("f", Kind.CLAIMED, "H", "")])


# --- sellers and health -----------------------------------------------------------------------


def test_sellers_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "sellers.json"
    link = shop(reply([]), sellers_file=str(file))
    with pytest.raises(ShopTrouble, match="No such file"):
        link.sellers()
    file.write_text("[]")
    with pytest.raises(ShopTrouble, match="sellers_file: expected object"):
        link.sellers()
    assert shop(reply([])).sellers() == SellerList()


def test_health_asks_nothing_of_the_shop() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    shop(handler).report_health({"up_s": 1})
