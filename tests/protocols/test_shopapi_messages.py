"""The shop API's messages beside orders: claims, facts, sellers, health; every refusal named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.facts import Fact, Kind
from appliance.protocols import shopapi
from appliance.protocols.shopapi import ShopApiError
from tests.contract.shop_schema import schema
from tests.protocols.shop_values import FULL, keys, texts, times


def test_claims_come_back_as_they_were() -> None:
    request = shopapi.ClaimRequest("H-1", "7", 600, "mitte")
    raw = shopapi.claim_request_message(request)
    assert shopapi.claim_request_from(raw) == request
    assert schema("ClaimRequest").is_valid(json.loads(raw))
    raw = shopapi.claim_granted_message(FULL, 60)
    assert shopapi.claim_granted_from(raw) == (shopapi.order_from_json(FULL), 60)
    assert schema("ClaimGranted").is_valid(json.loads(raw))


@pytest.mark.parametrize("lease_s", [0, -1, 7201, 1.5, "60", None])
def test_a_lease_has_bounds(lease_s: object) -> None:
    with pytest.raises(ShopApiError, match=r"^lease_s: "):
        shopapi.claim_granted_from(shopapi.write_json({"order": FULL, "lease_s": lease_s}))


def test_a_refused_claim_may_carry_the_order() -> None:
    order = shopapi.order_from_json(FULL)
    for members, expected in (
        ({}, None),
        ({"order": None}, None),
        ({"order": FULL}, order),
    ):
        raw = shopapi.problem_message(409, "no", "why", error="changed", **members)
        assert schema("ClaimRefused").is_valid(json.loads(raw) | {"order": FULL})
        found = shopapi.claim_refused_from(raw)
        assert found == shopapi.ClaimRefusal(shopapi.Refusal.CHANGED, "why", expected)
    raw = shopapi.problem_message(409, "no", "why", error="paid", order={"id": "x"})
    found = shopapi.claim_refused_from(raw)
    assert (found.error, found.order) == (shopapi.Refusal.PAID, None)
    assert found.detail == "why (order.number: missing)"
    with pytest.raises(ShopApiError, match=r"^error: "):
        shopapi.claim_refused_from(shopapi.problem_message(409, "no", error="mood"))


bodies = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**17), 10**17) | texts,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
        max_leaves=6,
    ),
    max_size=4,
)


@given(
    st.lists(
        st.builds(Fact, keys, st.sampled_from(Kind), texts, times, texts, bodies),
        min_size=1,
        max_size=3,
    )
)
def test_facts_come_back_as_they_were(facts: list[Fact]) -> None:
    raw = shopapi.facts_message(facts)
    found = shopapi.facts_from(raw).facts
    assert [(f.id, f.kind, f.subject, f.at, f.seller, f.body) for f in found] == [
        (f.id, str(f.kind), f.subject, f.at, f.seller, dict(f.body)) for f in facts
    ]


def _fact(body: str, kind: str = "payment.approved") -> bytes:
    return (
        f'{{"facts":[{{"id":"f","kind":"{kind}","subject":"H","at":"","body":{body}}}]}}'.encode()
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"a": 1.5}', "facts[0].body.a: got float"),
        ('{"a": [{"b": 1, "b": 2}]}', "facts[0].body.a[0]: got RepeatedName"),
        (f'{{"a": {10**18}}}', "facts[0].body.a: got HugeNumber"),
        (f'{{"a": {-(10**18)}}}', "facts[0].body.a: got HugeNumber"),
        ('{"a":' + "[" * 12 + "]" * 12 + "}", "facts[0].body.a[0]"),
        ("5", "facts[0].body: expected object, got int"),
    ],
)
def test_facts_are_exact_and_shallow(body: str, said: str) -> None:
    with pytest.raises(ShopApiError) as caught:
        shopapi.facts_from(_fact(body))
    assert str(caught.value).startswith(said)
    raw = _fact('{"a":' + "[" * 11 + "]" * 11 + "}", "kind.of.tomorrow")
    (kept,) = shopapi.facts_from(raw).facts
    assert kept.kind == "kind.of.tomorrow"


def test_a_message_has_up_to_100_facts() -> None:
    fact = {"id": "f", "kind": "k", "subject": "", "at": ""}
    asked = shopapi.facts_from(shopapi.facts_message([], "f-1"))
    assert (asked.facts, asked.after) == ([], "f-1")
    with pytest.raises(ShopApiError, match=r"^facts: "):
        shopapi.facts_from(shopapi.write_json({"facts": [fact] * 101}))


def test_answers_to_facts() -> None:
    assert shopapi.accepted_from(shopapi.accepted_message(3)) == 3
    raw = shopapi.problem_message(422, "A fact is refused", refused="f-1", reason="no")
    assert shopapi.fact_refused_from(raw) == shopapi.FactRefusal("f-1", "no")


def test_health_may_have_fractions_but_no_repeated_names() -> None:
    assert shopapi.health_from(b'{"up_s": 1.5, "a": {"b": [1]}}') == {"up_s": 1.5, "a": {"b": [1]}}
    with pytest.raises(ShopApiError, match=r"^report\.a: got RepeatedName"):
        shopapi.health_from(b'{"a": {"b": 1, "b": 2}}')


def test_a_badge_is_hashed_as_rfc_7914_shows() -> None:
    """Section 11: PBKDF2-HMAC-SHA-256, P="passwd", S="salt", c=1; its first 32 bytes."""
    expected = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    assert shopapi.badge_hash("passwd", "salt", 1) == expected


SELLER = {"id": "s", "name": "Anna K.", "badge_hash": "0" * 64}


def _sellers(**changes: Any) -> bytes:
    message = {"salt": "salt-salt", "iterations": 1, "sellers": [SELLER]} | changes
    return shopapi.write_json(message)


def test_sellers_come_back_as_they_were() -> None:
    row = shopapi.SellerRow("s", "Anna K.", "0" * 64)
    message = shopapi.SellersMessage("salt-salt", 200_000, (row,))
    raw = shopapi.sellers_message(message)
    assert shopapi.sellers_from(raw) == message
    assert schema("Sellers").is_valid(json.loads(raw))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iterations": 0}, "iterations"),
        ({"iterations": 200_001}, "iterations"),  # a kiosk would hash for seconds
        ({"salt": "short"}, "salt"),
        ({"sellers": [{"id": "s", "name": "A", "badge_hash": "0" * 63}]}, "sellers[0].badge_hash"),
        ({"sellers": [{"id": "s", "name": "A", "badge_hash": "A" * 64}]}, "sellers[0].badge_hash"),
        ({"sellers": [SELLER, SELLER]}, "sellers[1].badge_hash"),
        ({"sellers": [{"id": "s", "badge_hash": "0" * 64}]}, "sellers[0].name"),
    ],
)  # fmt: skip
def test_sellers_that_cannot_be_told_apart_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ShopApiError) as caught:
        shopapi.sellers_from(_sellers(**changes))
    assert caught.value.where == said


def test_problems_become_one_line() -> None:
    assert (
        shopapi.problem_text(shopapi.problem_message(404, "No\nsuch", "x" * 999))[:9] == "No?such: "
    )
    assert len(shopapi.problem_text(shopapi.problem_message(404, "No", "x" * 999))) == 300
    assert shopapi.problem_text(b'{"title": "No", "detail": ""}') == "No"
    assert shopapi.problem_text(b"<html>") == ""
    assert shopapi.problem_text(b'{"title": 5}') == ""


def test_paths_are_encoded_as_a_whole() -> None:
    assert shopapi.by_code_path("a/b ?#ж%") == "/v1/orders/by-code/a%2Fb%20%3F%23%D0%B6%25"
    assert shopapi.claim_path("a/b") == "/v1/orders/a%2Fb/claim"
    assert shopapi.orders_path("ö") == "/v1/pickup-points/%C3%B6/orders"
    assert shopapi.sellers_path("ö") == "/v1/pickup-points/%C3%B6/sellers"
