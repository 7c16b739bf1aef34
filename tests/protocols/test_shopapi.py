"""The shop API's codec: round trips, every refusal named, and one reading with the document."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

from appliance.domain.money import CURRENCIES, LARGEST_AMOUNT, Money, Quantity
from appliance.domain.order import Check, CheckKind, Customer, Line, Order, OrderStatus, Reduction
from appliance.protocols import shopapi
from appliance.protocols.enrolment import settings_from
from appliance.protocols.shopapi import OrderMalformed, ShopApiError
from tests.contract.shop_schema import document, examples, schema
from tests.protocols.shop_values import FULL, characters, keys, notes, texts, times

# --- orders of all kinds ----------------------------------------------------------------------

quantities = st.builds(
    Quantity,
    st.one_of(st.integers(1, 10**12), st.integers(1, 3000)),
    st.text(characters, min_size=1, max_size=10),
)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    unit = draw(st.sampled_from(sorted(CURRENCIES.values(), key=lambda known: known.code)))

    def money(low: int, high: int) -> st.SearchStrategy[Money]:
        return st.builds(Money, st.integers(low, high), st.just(unit))

    amount = money(0, LARGEST_AMOUNT)
    rates = st.none() | st.integers(0, 10_000)
    line = st.builds(Line, keys, texts, quantities, amount, amount, rates, texts, texts)
    reduction = st.builds(Reduction, texts, money(-LARGEST_AMOUNT, 0))
    return draw(
        st.builds(
            Order,
            id=keys,
            number=keys,
            version=keys,
            status=st.sampled_from(OrderStatus),
            pickup_point=keys,
            lines=st.lists(line, max_size=3).map(tuple),
            total=amount,
            paid=amount,
            due=money(-LARGEST_AMOUNT, LARGEST_AMOUNT),
            codes=st.lists(keys, max_size=3).map(tuple),
            discounts=st.lists(reduction, max_size=2).map(tuple),
            loyalty=st.lists(reduction, max_size=2).map(tuple),
            vat=st.none() | amount,
            customer=st.builds(Customer, texts, texts, texts),
            cell=texts,
            notes=st.lists(notes, max_size=2).map(tuple),
            checks=st.lists(st.builds(Check, st.sampled_from(CheckKind), texts), max_size=2).map(
                tuple
            ),
            placed_at=times,
            ready_at=times,
            pickup_until=times,
            last_day=st.booleans(),
        )
    )


@given(orders())
def test_an_order_comes_back_as_it_was(order: Order) -> None:
    written = shopapi.order_to_json(order)
    assert shopapi.order_from(shopapi.write_json(written)) == order
    assert not list(schema("Order").iter_errors(written))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, member in below for place in _places(member, (*path, key)))]


PLACES = [place for place in _places(FULL) if place]
GONE = object()
ODD: list[Any] = [
    GONE, None, True, 0, 1, -1, 7200, 10_000, 10_001, LARGEST_AMOUNT, LARGEST_AMOUNT + 1,
    -LARGEST_AMOUNT, -LARGEST_AMOUNT - 1, 10**18, 10**30, 1.5, "", "1", "x", "0", "0.000", "-1",
    "1.2345", "1000000000", "1000000000.000", "1000000000.001", "0999999999.9", "99999999999",
    "00000000000.1", "١", "1\n", "\x00", "\x7f", "\x85", "a\nb", "🛒", "€" * 80, "a" * 81,
    "b" * 300, "c" * 301, "d" * 1000, "e" * 1001, "ready", "cancelled", "gone", "EUR", "RUB", "XXX",
    "eur", "age", "identity", "2026-11-28", "2026-11-28T10:00", "2026-11-28T10:00Z", "28.11.2026",
    "2026-11-28\n", [], {}, [{}], [None], ["x"], {"x": 1}, [{"kind": "age"}] * 10,
    [{"kind": "age"}] * 11, ["y"] * 20, ["y"] * 21,
]  # fmt: skip


def _changed(place: tuple[Any, ...], value: Any) -> Any:
    order = deepcopy(FULL)
    node: Any = order
    for key in place[:-1]:
        node = node[key]
    if value is GONE:
        del node[place[-1]]
    else:
        node[place[-1]] = value
    return order


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_the_codec_takes_what_the_document_allows_and_nothing_else(place: tuple[Any, ...]) -> None:
    verdicts = set()
    for value in ODD:
        order = _changed(place, value)
        is_allowed = schema("Order").is_valid(order)
        try:
            shopapi.order_from_json(order)
            is_taken = True
        except OrderMalformed:
            is_taken = False
        assert is_taken == is_allowed, (place, value)
        verdicts.add(is_taken)
    assert False in verdicts


def test_unknown_members_are_ignored() -> None:
    order = deepcopy(FULL)
    order["colour"] = {"a": [1.5]}
    order["lines"][0]["weight"] = 0.35
    assert shopapi.order_from_json(order) == shopapi.order_from_json(FULL)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("lines", 0, "total"), GONE, "lines[0].total: missing"),
        (("total",), GONE, "total: missing"),
        (("total",), 12.5, "total: expected int, got float"),
        (("total",), -1, "total: expected int >= 0"),
        (("paid",), 10**30, "paid: expected int <= 999999999999"),
        (("lines", 0, "quantity"), "0", "lines[0].quantity: "),
        (("currency",), "XXX", "currency: unknown currency 'XXX'"),
        (("checks", 0, "kind"), "mood", "checks[0].kind: Invalid enum value 'mood'"),
        (("lines", 0), 5, "lines[0]: expected object, got int"),
        (("customer",), [], "customer: expected object, got array"),
    ],
)
def test_what_is_wrong_is_named(place: tuple[Any, ...], value: Any, said: str) -> None:
    with pytest.raises(OrderMalformed) as caught:
        shopapi.order_from_json(_changed(place, value))
    assert str(caught.value).startswith(said)
    with pytest.raises(ShopApiError) as caught_in_claim:
        shopapi.claim_granted_from(b'{"order": 5, "lease_s": 600}')
    assert str(caught_in_claim.value) == "expected object, got int"


@pytest.mark.parametrize("what", ["total", "lines", "notes"])
def test_an_order_that_would_not_come_back_is_not_written(what: str) -> None:
    order = shopapi.order_from_json(FULL)
    fields = {name: getattr(order, name) for name in order.__dataclass_fields__}
    line = order.lines[0]
    bad: dict[str, Any] = {
        "total": Money.of(1011, "USD"),
        "lines": (Line("A", "x\x1b@", line.quantity, line.unit_price, line.total),),
        "notes": ("n" * 1001,),
    }
    with pytest.raises(OrderMalformed):
        shopapi.order_to_json(Order(**{**fields, what: bad[what]}))


# --- snapshots --------------------------------------------------------------------------------


def _with(**changes: Any) -> dict[str, Any]:
    return deepcopy(FULL) | changes


@pytest.mark.parametrize(
    "body",
    [
        '{"\\ud800accepted": 1, "accepted": 1}',
        '{"error": "cha\\ud800nged", "refused": "x", "\\udfff": 0}',
        '{"salt": "salt-salt", "iterations": 1, "sellers": [{"\\ud800": 1}]}',
    ],
)
def test_half_a_character_is_refused_like_any_nonsense(body: str) -> None:
    for read in (
        shopapi.accepted_from, shopapi.claim_refused_from, shopapi.fact_refused_from,
        shopapi.sellers_from, shopapi.claim_request_from, shopapi.orders_from,
    ):  # fmt: skip
        with pytest.raises(ShopApiError):
            read(body.encode())
    assert shopapi.problem_text(body.encode()) == ""


def test_half_a_character_spoils_its_own_order_only() -> None:
    odd = _with(number="2", id="ord-2") | {"\ud800": 1}
    found = shopapi.orders_from(shopapi.orders_message([FULL, odd]))
    assert [order.id for order in found.orders] == ["ord-1"]
    assert found.malformed == {"2": "got half a character (a lone surrogate)"}


def test_a_malformed_order_does_not_spoil_the_rest() -> None:
    no_total = _with(number="2", id="ord-2")
    del no_total["total"]
    values = [FULL, no_total, {"id": "ord-3"}, 7, {"number": 4}, _with(id="ord-5", due="5")]
    found = shopapi.orders_from(shopapi.orders_message(values))  # type: ignore[arg-type]
    assert [order.id for order in found.orders] == ["ord-1"]
    assert found.malformed == {
        "2": "total: missing",
        "ord-3": "number: missing",
        "#3": "expected object, got int",
        "#4": "number: expected str, got int",
        "1": "due: expected int, got str",
    }


def test_an_order_that_stands_twice_is_not_believed() -> None:
    raw = shopapi.orders_message([FULL, _with(total=1), _with(id="ord-2", number="2")])
    found = shopapi.orders_from(raw)
    assert [order.id for order in found.orders] == ["ord-2"]
    assert list(found.malformed) == ["1"]


WANTED: dict[str, Any] = {"id": "r-1", "order": "10002", "expires_at": 1790000060}


def _requests(*values: Any) -> shopapi.Orders:
    return shopapi.orders_from(json.dumps({"orders": [FULL], "requests": values}).encode())


def test_requests_come_with_the_orders() -> None:
    rows = (shopapi.RequestRow("r-1", "10002", 5, "Counter 2"), shopapi.RequestRow("r-2", "7", 0))
    raw = shopapi.orders_message([FULL], rows)
    assert shopapi.orders_from(raw).requests == rows
    schema("Snapshot").validate(json.loads(raw))
    assert b"requests" not in shopapi.orders_message([FULL])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": ""}, "id: expected str of length >= 1"),
        ({"id": "r" * 65}, "id: expected str of length <= 64"),
        ({"id": "r\n"}, "id: expected str matching regex"),
        ({"id": 1}, "id: expected str, got int"),
        ({"order": ""}, "order: expected str of length >= 1"),
        ({"order": None}, "order: expected str, got null"),
        ({"counter": "c" * 81}, "counter: expected str of length <= 80"),
        ({"expires_at": -1}, "expires_at: expected int >= 0"),
        ({"expires_at": 10**12}, "expires_at: expected int <= 999999999999"),
        ({"expires_at": 5.0}, "expires_at: expected int, got float"),
        ({"expires_at": "5"}, "expires_at: expected int, got str"),
        ({"expires_at": True}, "expires_at: expected int, got bool"),
    ],
)
def test_a_malformed_request_spoils_neither_the_others_nor_the_orders(
    changes: dict[str, Any], said: str
) -> None:
    found = _requests(WANTED | changes, WANTED | {"id": "r-2"}, 7, {"order": "1"})
    assert [order.id for order in found.orders] == ["ord-1"]
    assert [row.id for row in found.requests] == ["r-2"]
    assert found.malformed == {}
    first, *others = found.odd_requests.values()
    assert first.startswith(said)
    assert others == ["expected object, got int", "id: missing"]
    assert not schema("OpenRequest").is_valid(WANTED | changes) or changes == {"expires_at": 5.0}


def test_a_request_that_stands_twice_is_not_believed() -> None:
    found = _requests(WANTED, WANTED | {"order": "7"}, WANTED | {"id": "r-2"})
    assert [row.id for row in found.requests] == ["r-2"]
    assert found.odd_requests == {"r-1": "the request stands twice"}


@pytest.mark.parametrize(
    "requests", [None, {}, "", 5, [WANTED | {"id": str(number)} for number in range(17)]]
)
def test_what_is_no_list_of_requests_is_none(requests: Any) -> None:
    found = shopapi.orders_from(json.dumps({"orders": [FULL], "requests": requests}).encode())
    assert [order.id for order in found.orders] == ["ord-1"]
    assert found.requests == ()
    assert list(found.odd_requests) == ["all"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"total": 1011', '"total": 1011, "total": 1', "expected object, got RepeatedName"),
        ('"paid": 0', f'"paid": {"9" * 5000}', "paid: expected int, got HugeNumber"),
        ('"paid": 0', '"paid": 1e400', "paid: expected int, got HugeNumber"),
        ('"sku": "A"', '"sku": "A", "sku": "B"', "lines[0]: expected object, got RepeatedName"),
        ('"cell": "A"', '"cell": "\\ud800"', "cell: expected str matching regex"),
    ],
)
def test_traps_in_one_order_stay_in_that_order(before: str, after: str, said: str) -> None:
    text = json.dumps(FULL)
    assert before in text
    sound = json.dumps(_with(id="ord-2", number="2"))
    raw = f'{{"orders": [{text.replace(before, after, 1)}, {sound}]}}'.encode()
    found = shopapi.orders_from(raw)
    assert [order.id for order in found.orders] == ["ord-2"]
    (reason,) = found.malformed.values()
    assert reason.startswith(said)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\xff", b"{", b"[]", b"null", b"5", b'{"orders": NaN}', b'{"orders": {}}', b"{}",
        b'{"orders": [], "orders": []}', b'\xef\xbb\xbf{"orders": []}', b'{"orders": []} x',
        b"[" * 200_000, b'{"orders":' * 50_000, json.dumps({"orders": [0] * 2001}).encode(),
        '{"orders": []}'.encode("utf-16"),
    ],
    ids=lambda raw: repr(raw[:20]),
)  # fmt: skip
def test_a_snapshot_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(ShopApiError):
        shopapi.orders_from(raw)


READERS = [
    shopapi.orders_from,
    shopapi.order_from,
    shopapi.claim_request_from,
    shopapi.claim_granted_from,
    shopapi.claim_refused_from,
    shopapi.facts_from,
    shopapi.accepted_from,
    shopapi.fact_refused_from,
    shopapi.forgotten_from,
    shopapi.sellers_from,
    shopapi.health_from,
    shopapi.problem_text,
]
_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["orders", "order", "lease_s", "facts", "id", "body", "error", "salt"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(
    st.one_of(st.binary(max_size=60), _json_values.map(lambda value: json.dumps(value).encode()))
)
def test_whatever_the_bytes_only_the_one_error(raw: bytes) -> None:
    for reader in READERS:
        said = ""
        try:
            reader(raw)
        except ShopApiError as error:
            said = str(error)
        assert len(said) <= 300
        assert said.isprintable()


# --- the document -----------------------------------------------------------------------------


def test_the_document_is_sound_openapi() -> None:
    validate(document())


def test_the_document_and_the_domain_know_the_same_words() -> None:
    schemas = document()["components"]["schemas"]
    assert set(schemas["Currency"]["enum"]) == set(CURRENCIES)
    assert set(schemas["Order"]["properties"]["status"]["enum"]) == set(OrderStatus)
    assert set(schemas["Check"]["properties"]["kind"]["enum"]) == set(CheckKind)
    refused = schemas["ClaimRefused"]["allOf"][1]["properties"]["error"]["enum"]
    assert set(refused) == set(shopapi.Refusal)
    assert schemas["Lease"]["maximum"] == shopapi.LONGEST_LEASE_S
    assert schemas["Sellers"]["properties"]["iterations"]["maximum"] == shopapi.MOST_ITERATIONS
    assert schemas["Facts"]["properties"]["facts"]["maxItems"] == shopapi.MOST_FACTS
    assert schemas["Snapshot"]["properties"]["orders"]["maxItems"] == shopapi.MOST_ORDERS
    assert schemas["Snapshot"]["properties"]["requests"]["maxItems"] == shopapi.MOST_REQUESTS
    assert schemas["Sellers"]["properties"]["sellers"]["maxItems"] == shopapi.MOST_SELLERS


READER_OF = {
    "Snapshot": shopapi.orders_from,
    "ClaimRequest": shopapi.claim_request_from,
    "ClaimRefused": shopapi.claim_refused_from,
    "Facts": shopapi.facts_from,
    "Forgotten": shopapi.forgotten_from,
    "Accepted": shopapi.accepted_from,
    "FactRefused": shopapi.fact_refused_from,
    "Sellers": shopapi.sellers_from,
    "HealthReport": shopapi.health_from,
    "EnrolmentSettings": settings_from,
}


def test_every_example_of_the_document_is_sound_and_can_be_read() -> None:
    found = examples()
    assert {name for name, _ in found} == set(READER_OF)
    for name, value in found:
        schema(name).validate(value)
        read = READER_OF[name](shopapi.write_json(value))
        if isinstance(read, shopapi.Orders):
            assert not read.malformed
            assert not read.odd_requests
