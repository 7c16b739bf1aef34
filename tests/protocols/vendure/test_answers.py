"""What Vendure answers: an error is never taken for success, wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.protocols import vendure
from appliance.protocols.shopapi import ShopApiError
from appliance.protocols.vendure import (
    Document,
    Forbidden,
    PickupBy,
    Scale,
    ShopFault,
    UnknownField,
)
from tests.protocols.vendure.values import history, order

FIELD, SCALE = PickupBy("pickupPoint"), Scale()


def raw(document: Document, value: object) -> bytes:
    return json.dumps({"data": {document.result: value}}).encode()


def failing(code: str | None, message: str = "no") -> bytes:
    error: dict[str, Any] = {"message": message}
    if code is not None:
        error["extensions"] = {"code": code}
    return json.dumps({"errors": [error], "data": None}).encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("FORBIDDEN", Forbidden),
        ("INTERNAL_SERVER_ERROR", ShopFault),
        ("GRAPHQL_VALIDATION_FAILED", UnknownField),
        ("SOMETHING_NEW", ShopApiError),
        (None, ShopApiError),
    ],
)
def test_errors_beside_the_data(code: str | None, kind: type[ShopApiError]) -> None:
    with pytest.raises(ShopApiError) as caught:
        vendure.data_from(vendure.HEALTH, failing(code))
    assert type(caught.value) is kind
    assert str(caught.value) == f"kassaHealth: {code or 'error'}: no"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":null}', b'{"data":{}}', b"[]", b"<html>"])
def test_no_answer_at_all(body: bytes) -> None:
    with pytest.raises(ShopApiError):
        vendure.data_from(vendure.HEALTH, body)


def test_errors_as_data() -> None:
    document = vendure.MOVE_ORDER
    assert vendure.result_from(document, raw(document, {"__typename": "Order"})) == ""
    refused = {"errorCode": "ORDER_STATE_TRANSITION_ERROR", "message": "m"}
    assert vendure.result_from(document, raw(document, refused)) == (
        "ORDER_STATE_TRANSITION_ERROR: m"
    )
    refused["transitionError"] = "t"
    assert vendure.result_from(document, raw(document, refused)).endswith(": t")
    with pytest.raises(ShopApiError):
        vendure.result_from(document, raw(document, None))


def test_settings_and_the_plugin() -> None:
    settings = raw(vendure.SETTINGS, {"serverConfig": {"moneyStrategyPrecision": 3}})
    assert vendure.precision_from(vendure.SETTINGS, settings) == 3
    with pytest.raises(ShopApiError):
        vendure.precision_from(
            vendure.SETTINGS, raw(vendure.SETTINGS, {"serverConfig": {"moneyStrategyPrecision": 9}})
        )
    info = raw(vendure.INFO, {"version": 1, "kiosk": "mitte-1", "sellers": None})
    found = vendure.info_from(vendure.INFO, info)
    assert found is not None
    assert found.kiosk == "mitte-1"
    assert vendure.sellers_from(vendure.INFO, info) is None
    assert vendure.info_from(vendure.INFO, failing("GRAPHQL_VALIDATION_FAILED")) is None
    with pytest.raises(Forbidden):
        vendure.info_from(vendure.INFO, failing("FORBIDDEN"))
    row = {"id": "s", "name": "Anna", "badge_hash": "0" * 64}
    sellers = {"salt": "saltsalt", "iterations": 1, "sellers": [row]}
    info = raw(vendure.INFO, {"version": 1, "kiosk": "mitte-1", "sellers": sellers})
    message = vendure.sellers_from(vendure.INFO, info)
    assert message is not None
    assert [seller.name for seller in message.sellers] == ["Anna"]
    sellers["sellers"] = [row, row]
    info = raw(vendure.INFO, {"version": 1, "kiosk": "mitte-1", "sellers": sellers})
    with pytest.raises(ShopApiError, match="stands twice"):
        vendure.sellers_from(vendure.INFO, info)


def test_a_page_of_orders() -> None:
    rows = [order(), order(id="3", totalWithTax=1), {"id": "4"}]
    body = raw(vendure.READ, {"totalItems": 3, "items": rows})
    page = vendure.page_from(vendure.READ, body, FIELD, SCALE)
    assert page.ids == ("2", "3", "4")
    assert set(page.orders) == {"2"}
    assert page.malformed["3"][0] == "7RB69XSFJY78AVN6"
    assert page.malformed["4"][0] == "4"
    nameless: list[Any] = [{}, 7, {"id": 7}]
    for item in nameless:
        body = raw(vendure.READ, {"totalItems": 1, "items": [item]})
        with pytest.raises(ShopApiError):
            vendure.page_from(vendure.READ, body, FIELD, SCALE)
    body = raw(vendure.READ, {"totalItems": vendure.MOST_OPEN + 1, "items": []})
    with pytest.raises(ShopApiError, match="more than"):
        vendure.page_from(vendure.READ, body, FIELD, SCALE)


def test_an_order_without_any_name() -> None:
    assert vendure.order_id_of({"code": ""}) == "?"
    assert vendure.order_id_of(7) == "?"


def test_a_probe() -> None:
    row = {"id": "1", "state": "S", "updatedAt": "t", "totalWithTax": 5}
    other = row | {"id": "2", "shippingLines": [{"shippingMethod": {"code": "parcel"}}]}
    mine = row | {"id": "3", "shippingLines": [{"shippingMethod": {"code": "mitte"}}]}
    body = raw(vendure.PROBE, {"totalItems": 3, "items": [row, other, mine]})
    page = vendure.probe_from(vendure.PROBE, body)
    assert page.ids == ("1", "2", "3")
    assert page.probes["1"] == "S t 5"
    page = vendure.probe_from(vendure.PROBE, body, "mitte")
    assert page.ids == ("1", "2", "3"), "all of them, so that pages can be counted"
    assert set(page.probes) == {"3"}


def test_one_order() -> None:
    document = vendure.BY_ID
    assert vendure.order_from(document, raw(document, None), FIELD, SCALE) is None
    found = vendure.order_from(document, raw(document, order(history=history())), FIELD, SCALE)
    assert found is not None
    assert found.state == "PaymentAuthorized"


def test_what_the_plugin_says() -> None:
    look = vendure.look_from(vendure.LOOK, raw(vendure.LOOK, {"revision": "r", "orders": None}))
    assert look.marks is None
    rows = [{"id": "1", "mark": "m"}]
    look = vendure.look_from(vendure.LOOK, raw(vendure.LOOK, {"revision": "r", "orders": rows}))
    assert look.marks == {"1": "m"}
    claim = {"granted": False, "renewed": False, "holder": "b\n", "order": None}
    found = vendure.claim_from(vendure.CLAIM, raw(vendure.CLAIM, claim), FIELD, SCALE)
    assert found.order is None
    assert found.holder == "b?"
    claim["order"] = order()
    found = vendure.claim_from(vendure.CLAIM, raw(vendure.CLAIM, claim), FIELD, SCALE)
    assert found.order is not None
    taken = {"accepted": 1, "refused": "", "reason": "", "forgot": None}
    assert vendure.taken_from(vendure.FACTS, raw(vendure.FACTS, taken)).forgot is None


DOCUMENTS = [each for each in vars(vendure).values() if isinstance(each, Document)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.result)
def test_a_document_is_whole(document: Document) -> None:
    for by in (FIELD, PickupBy()):
        text = json.loads(vendure.request_message(document, {"a": 1}, by))["query"]
        assert "%" not in text
        assert text.count("{") == text.count("}")
        assert document.result in text
    assert ("pickupPoint }" in document.fields(FIELD)) == ("KassaOrder on" in document.text)


def test_a_message_without_a_pickup_point() -> None:
    message = json.loads(vendure.request_message(vendure.HEALTH, {"report": {}}))
    assert message["variables"] == {"report": {}}
