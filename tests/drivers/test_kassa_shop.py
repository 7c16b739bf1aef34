"""What a shop's answers mean to KassaShop, and what it sends: real sockets, real bytes."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from structlog.testing import capture_logs

from appliance.domain.errors import Bug, Code, ConfigTrouble, OrderTrouble
from appliance.domain.facts import Fact, Kind
from appliance.drivers.kassa_shop import FACTS_AT_ONCE, FactRefused, KassaShop, ShopOptions
from appliance.ports import Claimed, ClaimRefused, OrderRequest
from appliance.protocols import shopapi
from tests.drivers.far_shop import CALLS, ORDER, TOKEN, reply, trouble

# --- what the answers mean --------------------------------------------------------------------


@pytest.mark.parametrize("etag", [None, "", "bare", '"a b"', '"' + "x" * 300 + '"'])
def test_a_snapshot_without_a_usable_etag_is_nonsense(far: Any, etag: str | None) -> None:
    headers = {} if etag is None else {"ETag": etag}
    _, shop = far(reply({"orders": []}, **headers))
    assert trouble(CALLS["snapshot"], shop).code is Code.SHOP_NONSENSE


def test_a_304_that_was_not_asked_for_is_nonsense(far: Any) -> None:
    _, shop = far(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    for name in ("snapshot", "order", "claim", "deliver", "sellers"):
        assert trouble(CALLS[name], shop).code is Code.SHOP_NONSENSE


def test_a_malformed_order_is_named_and_the_rest_is_there(far: Any) -> None:
    _, shop = far(
        reply({"orders": [ORDER, ORDER | {"id": "x", "number": "2", "due": 1.5}]}, ETag='"1"')
    )
    snapshot = shop.snapshot("", 0)
    assert [order.id for order in snapshot.orders] == ["ord-1"]
    assert snapshot.malformed == {"2": "due: expected int, got float"}


def test_a_malformed_request_is_logged_and_the_rest_is_there(far: Any) -> None:
    wanted = {"id": "r-1", "order": "1", "counter": "Counter 2", "expires_at": 1790000060}
    _, shop = far(reply({"orders": [ORDER], "requests": [wanted, {"id": "r-2"}]}, ETag='"1"'))
    with capture_logs() as logs:
        snapshot = shop.snapshot("", 0)
    assert [order.id for order in snapshot.orders] == ["ord-1"]
    assert snapshot.requests == (OrderRequest("r-1", "1", "Counter 2", 1790000060),)
    (said,) = logs
    assert (said["event"], said["request"]) == ("shop_request_malformed", "r-2")
    assert said["reason"] == "order: missing"


def test_a_malformed_order_by_its_code(far: Any) -> None:
    for body, said in (
        (ORDER | {"total": "5"}, "total: expected int, got str"),
        (b"[]", "expected object, got array"),
    ):
        _, shop = far(reply(body))
        with pytest.raises(OrderTrouble) as caught:
            shop.order("1")
        assert caught.value.code is Code.ORDER_MALFORMED
        assert caught.value.detail == said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("claimed", Code.ORDER_CLAIMED),
        ("changed", Code.ORDER_CHANGED),
        ("paid", Code.ORDER_CHANGED),
        ("cancelled", Code.ORDER_CANCELLED),
        ("expired", Code.ORDER_EXPIRED),
        ("handed_over", Code.ORDER_HANDED_OVER),
        ("not_ready", Code.ORDER_NOT_READY),
        ("elsewhere", Code.ORDER_ELSEWHERE),
    ],
)
def test_each_refusal_has_its_code(far: Any, error: str, code: Code) -> None:
    body = {"title": "no", "error": error, "order": ORDER}
    _, shop = far(reply(body, status="409 Conflict", kind="application/problem+json"))
    refused = shop.claim("ord-1", "H-1", "1", 600)
    assert refused == ClaimRefused(code, error, shopapi.order_from_json(ORDER))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"order": ORDER | {"version": "2"}, "lease_s": 600}, Code.ORDER_CHANGED),
        ({"order": ORDER | {"due": "x"}, "lease_s": 600}, Code.ORDER_MALFORMED),
    ],
)
def test_a_grant_of_something_else_is_no_grant(
    far: Any, answer: dict[str, Any], code: Code
) -> None:
    _, shop = far(reply(answer))
    refused = shop.claim("ord-1", "H-1", "1", 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is code


@pytest.mark.parametrize(
    "answer",
    [
        reply({"order": ORDER | {"id": "ord-2"}, "lease_s": 600}),
        reply({"order": ORDER, "lease_s": 0}),
        reply({"order": ORDER}),
        reply({"error": "mood"}, status="409 Conflict"),
        reply(b"<html>", status="409 Conflict"),
    ],
)
def test_a_claim_answered_with_nonsense(far: Any, answer: bytes) -> None:
    _, shop = far(answer)
    assert trouble(CALLS["claim"], shop).code is Code.SHOP_NONSENSE


def test_the_claim_says_what_the_seller_saw(far: Any) -> None:
    end, shop = far(reply({"order": ORDER, "lease_s": 60}))
    claimed = shop.claim("ord-1", "H-1", "1", 600)
    assert claimed == Claimed(shopapi.order_from_json(ORDER), 60)
    head, _, body = end.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /base/v1/orders/ord-1/claim HTTP/1.1\r\n")
    expected = shopapi.ClaimRequest("H-1", "1", 600, "mitte")
    assert shopapi.claim_request_from(body) == expected


def test_a_refused_fact_is_named(far: Any) -> None:
    body = {"title": "no", "refused": "f-1", "reason": "no such\norder"}
    _, shop = far(reply(body, status="422 Unprocessable", kind="application/problem+json"))
    refused = trouble(CALLS["deliver"], shop)
    assert refused.code is Code.SHOP_NONSENSE, "a reason has one line"
    body["reason"] = "no such order"
    _, shop = far(reply(body, status="422 Unprocessable", kind="application/problem+json"))
    refused = trouble(CALLS["deliver"], shop)
    assert isinstance(refused, FactRefused)
    assert (refused.code, refused.fact_id) == (Code.SHOP_REFUSES_FACT, "f-1")
    assert refused.detail == "f-1: no such order"


@pytest.mark.parametrize(
    "answer",
    [
        reply({"accepted": 0}),
        reply({"accepted": 2}),
        reply({}),
        reply({"refused": "another"}, status="422 Unprocessable"),
        reply(b"", status="204 No Content"),
    ],
)
def test_facts_are_delivered_only_when_the_shop_says_so(far: Any, answer: bytes) -> None:
    _, shop = far(answer)
    assert trouble(CALLS["deliver"], shop).code is Code.SHOP_NONSENSE


def test_many_facts_go_in_several_requests_in_order(far: Any) -> None:
    def count(request: bytes, connection: socket.socket) -> bytes:
        return reply({"accepted": len(shopapi.facts_from(request.partition(b"\r\n\r\n")[2]).facts)})

    end, shop = far(count)
    facts = [Fact(f"f-{n}", Kind.CLAIMED, "H", "2026-11-23") for n in range(2 * FACTS_AT_ONCE + 1)]
    shop.deliver(facts)
    sent = [
        fact.id
        for request in end.requests
        for fact in shopapi.facts_from(request.partition(b"\r\n\r\n")[2]).facts
    ]
    assert sent == [fact.id for fact in facts]
    assert len(end.requests) == 3
    shop.deliver([])
    assert len(end.requests) == 3


def test_a_report_that_is_no_json_is_our_bug(far: Any) -> None:
    _, shop = far(reply(b"", status="204 No Content"))
    for report in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises(Bug):
            shop.report_health(report)


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "token", "pickup_point"),
    [
        ("", TOKEN, "mitte"),
        ("shop.example", TOKEN, "mitte"),
        ("ftp://shop.example", TOKEN, "mitte"),
        ("https://", TOKEN, "mitte"),
        ("https://shop.example:0", TOKEN, "mitte"),
        ("https://shop.example:99999", TOKEN, "mitte"),
        ("https://me:hunter2@shop.example", TOKEN, "mitte"),
        ("https://shop.example/?a", TOKEN, "mitte"),
        ("https://shop.example/#a", TOKEN, "mitte"),
        ("https://shop.example/ü", TOKEN, "mitte"),
        ("http://shop.example", TOKEN, "mitte"),
        ("http://192.168.0.9", TOKEN, "mitte"),
        ("https://shop.example", "", "mitte"),
        ("https://shop.example", "a b", "mitte"),
        ("https://shop.example", "a\r\nX: y", "mitte"),
        ("https://shop.example", TOKEN, ""),
        ("https://shop.example", TOKEN, "x" * 81),
        ("https://shop.example", TOKEN, ".."),
    ],
)
def test_options_that_cannot_be_used(url: str, token: str, pickup_point: str) -> None:
    options = ShopOptions(url, token, pickup_point)
    with pytest.raises(ConfigTrouble) as caught:
        KassaShop(options)
    for secret in (TOKEN, "hunter2", "X: y"):
        assert secret not in caught.value.detail


@pytest.mark.parametrize(
    "url", ["https://shop.example/base/", "http://[::1]:8080", "http://localhost"]
)
def test_options_that_can_be_used(url: str) -> None:
    options = ShopOptions(url, TOKEN, "mitte")
    assert TOKEN not in repr(options)
    KassaShop(options).close()
    KassaShop(ShopOptions("http://shop.example", TOKEN, "mitte", allow_http=True)).close()


def test_a_file_of_certificates_that_is_none() -> None:
    options = ShopOptions("https://shop.example", TOKEN, "mitte", ca_file=__file__)
    with pytest.raises(ConfigTrouble):
        KassaShop(options)
