"""The shop contract for each driver; and the demo shop's answers held against the document."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from appliance.domain.order import OrderStatus
from appliance.drivers.kassa_shop import KassaShop, ShopOptions
from appliance.ports import Shop
from appliance.simulators.shop import DemoShop, Fault, ShopFaults
from tests.contract.shop import AT, RequestContract, ShopContract
from tests.contract.shop_schema import document, schema


class KassaBench:
    def __init__(self, shop: DemoShop, clock: list[float]) -> None:
        self.shop, self._clock = shop, clock
        self.first: Shop = self._link("mitte-1")
        self.second: Shop = self._link("mitte-2")

    def _link(self, kiosk: str) -> KassaShop:
        return KassaShop(ShopOptions(self.shop.url, self.shop.tokens[kiosk], "mitte"))

    def advance(self, seconds: float) -> None:
        self._clock[0] += seconds

    def cancel(self, order_id: str) -> None:
        assert self.shop.store.set_status(order_id, OrderStatus.CANCELLED)

    def change(self, order_id: str) -> None:
        assert self.shop.store.add_line(order_id)

    def pay_online(self, order_id: str) -> None:
        assert self.shop.store.pay_online(order_id)

    def open_at(self, order_id: str, counter: str) -> None:
        assert self.shop.store.want_at_counter(order_id, counter)

    def lose_answer(self, call: str) -> None:
        self.shop.faults = ShopFaults(Fault.LOST, path=call, times=1)

    def await_poll(self) -> None:
        until = time.monotonic() + 10
        while not self.shop.store.waiting:
            assert time.monotonic() < until, "no poll reached the shop"
            time.sleep(0.005)

    def booked(self, order_id: str) -> list[int]:
        rows = self.shop.store.rows("payments", "rowid")
        return [row["amount"] for row in rows if row["order_id"] == order_id]

    def handed_over(self, order_id: str) -> int:
        (order,) = [o for o in self.shop.state()["orders"].values() if o["id"] == order_id]
        times = order["handed_over"]
        assert isinstance(times, int)
        return times


@pytest.fixture
def bench() -> Iterator[KassaBench]:
    clock = [1000.0]
    with DemoShop(clock=lambda: clock[0]) as shop:
        bench = KassaBench(shop, clock)
        yield bench
        bench.first.close()
        bench.second.close()


class TestKassaShop(ShopContract, RequestContract):
    pass


@pytest.mark.parametrize(
    "code", ["a/b", "a//b", "100%", "%2F", "ж к", "?x=1#y", "a+b", "x/", "a.."]
)
def test_a_code_reaches_the_shop_as_it_was_scanned(bench: KassaBench, code: str) -> None:
    order = replace(bench.first.order("10001"), id="odd", number="77", codes=(code,))
    bench.shop.store.add_order(order)
    assert bench.first.order(code) == order


# --- the document -----------------------------------------------------------------------------


def _claim(**changes: Any) -> dict[str, Any]:
    return {"claim_id": "H-1", "version": "1", "lease_s": 60, "pickup_point": "mitte"} | changes


def _facts(**changes: Any) -> dict[str, Any]:
    body = {"order": "ord-10001", "payment": "p", "amount": 1, "currency": "EUR"}
    fact = {"id": "f", "kind": "payment.approved", "subject": "H-1", "at": AT, "body": body}
    return {"facts": [fact | changes]}


ORDERS = "/v1/pickup-points/{pickup_point}/orders"
SELLERS = "/v1/pickup-points/{pickup_point}/sellers"
CODE, CLAIM = "/v1/orders/by-code/{code}", "/v1/orders/{order_id}/claim"
FACTS, HEALTH = "/v1/facts", "/v1/kiosks/health"
# template, method, path, JSON, expected status
ANSWERS: list[tuple[str, str, str, Any, int]] = [
    (ORDERS, "GET", "/v1/pickup-points/mitte/orders", None, 200),
    (ORDERS, "GET", "/v1/pickup-points/mitte/orders?wait=26", None, 400),
    (ORDERS, "GET", "/v1/pickup-points/mitte/orders?wait=-1", None, 400),
    (ORDERS, "GET", "/v1/pickup-points/hafen/orders", None, 403),
    (ORDERS, "GET", "/v1/pickup-points/nowhere/orders", None, 404),
    *[(CODE, "GET", f"/v1/orders/by-code/{10_000 + n}", None, 200) for n in range(1, 16)],
    (CODE, "GET", "/v1/orders/by-code/NL-20001", None, 200),
    (CODE, "GET", "/v1/orders/by-code/none", None, 404),
    (CLAIM, "PUT", "/v1/orders/ord-10001/claim", _claim(), 200),
    (CLAIM, "PUT", "/v1/orders/ord-10001/claim", _claim(claim_id="H-2"), 409),
    (CLAIM, "PUT", "/v1/orders/ord-10002/claim", _claim(version="0"), 409),
    (CLAIM, "PUT", "/v1/orders/ord-10010/claim", _claim(), 409),
    (CLAIM, "PUT", "/v1/orders/ord-10011/claim", _claim(), 409),
    (CLAIM, "PUT", "/v1/orders/ord-10012/claim", _claim(), 409),
    (CLAIM, "PUT", "/v1/orders/ord-10015/claim", _claim(), 409),
    (CLAIM, "PUT", "/v1/orders/ord-20001/claim", _claim(), 409),
    (CLAIM, "PUT", "/v1/orders/none/claim", _claim(), 404),
    (CLAIM, "PUT", "/v1/orders/ord-10001/claim", _claim(lease_s=0), 400),
    (FACTS, "POST", "/v1/facts", _facts(), 200),
    (FACTS, "POST", "/v1/facts", _facts(id="g", body={"order": "none"}), 422),
    (FACTS, "POST", "/v1/facts", {"facts": []}, 200),
    (FACTS, "POST", "/v1/facts", {"facts": [], "after": "never-told"}, 409),
    (FACTS, "POST", "/v1/facts", {"facts": {}}, 400),
    (SELLERS, "GET", "/v1/pickup-points/mitte/sellers", None, 200),
    (HEALTH, "POST", "/v1/kiosks/health", {"a": 1.5}, 204),
    (HEALTH, "POST", "/v1/kiosks/health", [], 400),
]


def test_real_answers_are_as_the_document_says(bench: KassaBench) -> None:
    token = bench.shop.tokens["mitte-1"]
    bench.open_at("ord-10001", "")
    with httpx.Client(base_url=bench.shop.url, trust_env=False) as client:
        for template, method, path, body, status in ANSWERS:
            about = f"{method} {path}"
            headers = {"Authorization": f"Bearer {token}"}
            answer = client.request(method, path, json=body, headers=headers)
            _as_documented(template, answer, status, about)
            bare = client.request(method, path, json=body)
            _as_documented(template, bare, 401, about)
            if etag := answer.headers.get("etag"):
                headers["If-None-Match"] = etag
                again = client.request(method, path, headers=headers)
                _as_documented(template, again, 304, about)
                assert again.headers["etag"] == etag


def _as_documented(template: str, answer: httpx.Response, status: int, about: str) -> None:
    assert answer.status_code == status, (about, answer.text)
    operation = document()["paths"][template][answer.request.method.lower()]
    described = _resolved(operation["responses"][str(status)])
    for name, header in described.get("headers", {}).items():
        assert name in answer.headers or not _resolved(header).get("required"), about
    if "content" not in described:
        assert answer.content == b"", about
        return
    ((media_type, content),) = described["content"].items()
    assert answer.headers["content-type"].partition(";")[0] == media_type, about
    name = content["schema"]["$ref"].rsplit("/", 1)[1]
    found = [error.message for error in schema(name).iter_errors(json.loads(answer.content))]
    assert not found, (about, found)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = document()
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    assert isinstance(found, dict)
    return found
