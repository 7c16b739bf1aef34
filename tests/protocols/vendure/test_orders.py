"""A Vendure order becomes the counter's: every refusal named, every rounding shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.money import MoneyError
from appliance.domain.order import Order, OrderStatus, disagreements
from appliance.protocols import vendure
from appliance.protocols.shopapi import OrderMalformed
from appliance.protocols.vendure import PickupBy, Scale, rounding_bound
from tests.protocols.vendure.values import order, payment

FIELD, METHOD = PickupBy("pickupPoint"), PickupBy()


def read(value: object, by: PickupBy = FIELD, precision: int = 2) -> Order:
    return vendure.found_from_json(value, by, Scale(precision)).order


def test_an_order() -> None:
    found = read(order())
    assert (found.id, found.number, found.codes) == ("2", "7RB69XSFJY78AVN6", found.codes)
    assert found.status is OrderStatus.READY
    assert found.pickup_point == "mitte"
    assert [(line.sku, line.total.amount) for line in found.lines] == [
        ("KETTLE", 4999),
        ("MUG", 1188),
        ("rounding", 1),
    ]
    assert [(r.label, r.amount.amount) for r in found.discounts] == [("7 % off from 40", -433)]
    assert (found.total.amount, found.paid.amount, found.due.amount) == (5755, 0, 5755)
    assert found.vat is not None
    assert found.vat.amount == 919
    assert found.customer.name == "Ada L."
    assert disagreements(found) == ()


def test_the_order_of_what_stands_in_it_is_not_seen() -> None:
    """Two reads of one order may differ in it."""
    one = order(
        discounts=[
            {"description": "b", "amountWithTax": -233},
            {"description": "a", "amountWithTax": -200},
        ]
    )
    two = order(lines=one["lines"][::-1], discounts=one["discounts"][::-1])
    assert read(one) == read(two)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "PaymentSettled"},
        {"customFields": {"pickupPoint": "hafen"}},
        {"payments": [payment("Settled", 100)]},
        {"total": 4835},
    ],
)
def test_what_matters_changes_the_version(change: dict[str, Any]) -> None:
    assert read(order(**change)).version != read(order()).version


def test_what_does_not_matter_leaves_it() -> None:
    later = order(payments=[payment("Authorized", 5755), payment("Declined", 1)])
    assert read(later).version == read(order()).version


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("PaymentAuthorized", OrderStatus.READY),
        ("ArrangingAdditionalPayment", OrderStatus.READY),
        ("Modifying", OrderStatus.NOT_READY),
        ("PartiallyShipped", OrderStatus.NOT_READY),
        ("Delivered", OrderStatus.HANDED_OVER),
        ("Cancelled", OrderStatus.CANCELLED),
        ("AddingItems", OrderStatus.NOT_READY),
        ("AStateOfTheShopsOwn", OrderStatus.NOT_READY),
    ],
)
def test_states(state: str, status: OrderStatus) -> None:
    assert read(order(state=state)).status is status


@pytest.mark.parametrize(
    ("state", "payments", "paid", "status"),
    [
        ("PaymentSettled", [payment("Settled", 5755)], 5755, OrderStatus.READY),
        ("PaymentSettled", [payment("Cancelled", 5755), payment("Settled", 5000)], 5000, "ready"),
        ("PaymentSettled", [payment("Settled", 5755, ("Settled", 100))], 5655, "not_ready"),
        ("PaymentSettled", [payment("Settled", 5755, ("Pending", 100))], 5655, "not_ready"),
        ("PaymentSettled", [payment("Settled", 5755, ("Failed", 100))], 5755, "ready"),
        ("Shipped", [payment("Settled", 5755)], 5755, "ready"),
        ("Shipped", [], 0, "not_ready"),
        ("PaymentAuthorized", None, 0, "ready"),
    ],
)
def test_what_is_paid(state: str, payments: Any, paid: int, status: str) -> None:
    found = read(order(state=state, payments=payments))
    assert (found.paid.amount, found.due.amount) == (paid, 5755 - paid)
    assert found.status == status
    assert bool(found.notes) == (status == "not_ready")


def test_a_line_that_was_cancelled_is_left_out() -> None:
    value = order(total=0, totalWithTax=4999, discounts=[])
    value["lines"][0]["quantity"] = 0
    assert [line.sku for line in read(value).lines] == ["KETTLE"]
    value = order(state="Cancelled", totalWithTax=0, total=0, discounts=[])
    for line in value["lines"]:
        line["quantity"] = 0
    assert read(value).lines == ()


def test_surcharges_and_shipping() -> None:
    value = order(
        totalWithTax=5755 + 150 - 20 + 499,
        surcharges=[
            {"sku": None, "description": "Bag", "priceWithTax": 150},
            {"sku": "x", "description": "Sorry", "priceWithTax": -20},
        ],
    )
    value["shippingLines"][0]["priceWithTax"] = 499
    found = read(value)
    assert [(line.sku, line.name) for line in found.lines[2:4]] == [
        ("surcharge", "Bag"),
        ("shipping", "Pickup Mitte"),
    ]
    assert "Sorry" in {r.label for r in found.discounts}
    assert disagreements(found) == ()


def test_what_rounding_left_over_may_be_too_much() -> None:
    found = read(order(totalWithTax=5753))
    assert found.discounts[-1].label == "Rounding"
    assert found.discounts[-1].amount.amount == -1
    assert disagreements(found) == ()


def test_what_no_rounding_explains_is_refused() -> None:
    bound = rounding_bound([3, 1], 1)
    assert bound == 5
    read(order(totalWithTax=5754 + bound))
    for total in (5754 + bound + 1, 5754 - bound - 1):
        with pytest.raises(OrderMalformed, match="totalWithTax: differs from its parts by"):
            read(order(totalWithTax=total))


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20_000)), min_size=1, max_size=5))
def test_the_bound_holds_for_net_prices(lines: list[tuple[int, int]]) -> None:
    """As Vendure computes it: tax on each piece's price for show, on each line's for the sum."""

    def gross(net: int) -> int:
        return (net * 119 + 50) // 100

    rows = [
        {
            "id": str(number), "quantity": quantity, "unitPriceWithTax": gross(net),
            "linePriceWithTax": gross(net * quantity), "taxRate": 19,
            "productVariant": {"sku": "S", "name": "N"},
        }
        for number, (quantity, net) in enumerate(lines)
    ]  # fmt: skip
    total = sum(gross(net * quantity) for quantity, net in lines)
    net_total = sum(net * quantity for quantity, net in lines)
    found = read(order(lines=rows, discounts=[], totalWithTax=total, total=net_total))
    assert disagreements(found) == ()
    assert found.total.amount == total


@pytest.mark.parametrize(
    ("by", "change", "place"),
    [
        (FIELD, {"customFields": None}, vendure.NOWHERE),
        (FIELD, {"customFields": {"pickupPoint": None}}, vendure.NOWHERE),
        (FIELD, {"customFields": {"pickupPoint": 7}}, vendure.NOWHERE),
        (METHOD, {}, "pickup-mitte"),
        (METHOD, {"shippingLines": []}, vendure.NOWHERE),
        (
            METHOD,
            {
                "shippingLines": [
                    {"priceWithTax": 0, "shippingMethod": {"code": code}} for code in "ab"
                ]
            },
            vendure.NOWHERE,
        ),
    ],
)
def test_where_it_is_picked_up(by: PickupBy, change: dict[str, Any], place: str) -> None:
    assert read(order(**change), by).pickup_point == place


def test_how_a_pickup_point_is_named() -> None:
    for text in ("shipping-method", "field:pickupPoint"):
        assert str(PickupBy.parse(text)) == text
    for text in ("", "field:", "field:a b", "field:1", "method"):
        with pytest.raises(ValueError, match=f"^{text}$"):
            PickupBy.parse(text)


@pytest.mark.parametrize(
    ("precision", "code", "shop", "minor"),
    [(2, "EUR", 1234, 1234), (2, "JPY", 50_000, 500), (2, "KWD", 1234, 12_340), (3, "EUR", 10, 1),
     (0, "JPY", 500, 500), (3, "KWD", 5, 5)],
)  # fmt: skip
def test_the_shops_amounts(precision: int, code: str, shop: int, minor: int) -> None:
    exponent = {"EUR": 2, "JPY": 0, "KWD": 3}[code]
    scale = Scale(precision)
    assert scale.minor(shop, exponent) == minor
    assert scale.shop(minor, exponent) == shop


def test_amounts_that_are_none() -> None:
    with pytest.raises(OrderMalformed, match="1250 is no whole amount of its currency"):
        Scale(2).minor(1250, 0)
    with pytest.raises(MoneyError, match="more digits"):
        Scale(2).shop(1234, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"currencyCode": "XXX"}, "currencyCode: unknown currency"),
        ({"totalWithTax": "5755"}, "totalWithTax: expected int"),
        ({"totalWithTax": 10**12}, "an amount is out of range"),
        ({"totalWithTax": True}, "totalWithTax: expected int"),
        ({"lines": None}, "lines: expected array"),
        ({"code": ""}, "number: expected"),
        ({"orderPlacedAt": "yesterday"}, "placed_at: expected"),
        ({"total": 9000}, "vat: expected"),
        ({"payments": [payment("Settled", 10**13)]}, "an amount is out of range"),
        ({"history": {"items": []}}, "history.totalItems: missing"),
        ({"history": {"totalItems": 5, "items": []}}, "history: has 5 notes, too many"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(OrderMalformed) as caught:
        read(order(**change))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("member", "value"), [("quantity", -1), ("quantity", 10**7), ("taxRate", 101), ("taxRate", -1)]
)
def test_a_line_has_bounds(member: str, value: int) -> None:
    wrong = order()
    wrong["lines"][0][member] = value
    with pytest.raises(OrderMalformed, match=rf"lines\[0\]\.{member}: is out of range"):
        read(wrong)


def test_what_only_the_driver_needs() -> None:
    value = order(
        payments=[
            payment("Authorized", 5755, metadata={"kassaPayment": "P-1"}),
            payment("Settled", 755, metadata="odd"),
            payment("Settled", 1000, metadata={"kassaPayment": 7}),
        ],
        fulfillments=[
            {"id": "1", "state": "Cancelled", "lines": [{"orderLineId": "10", "quantity": 3}]},
            {"id": "2", "state": "Pending", "lines": [{"orderLineId": "10", "quantity": 2}]},
            {"id": "3", "state": "Pending", "lines": [{"orderLineId": "99", "quantity": 2}]},
        ],
    )
    found = vendure.found_from_json(value, FIELD, Scale())
    assert [each.kassa for each in found.payments] == ["P-1", "", ""]
    assert found.outstanding == 4000
    assert found.unfulfilled == {"10": 1, "9": 1}
    assert [each.state for each in found.fulfilments] == ["Cancelled", "Pending", "Pending"]
    assert found.marks == ()


def test_texts_fit_one_line() -> None:
    value = order()
    value["lines"][0]["productVariant"] = {"sku": "", "name": "a\nb" + "x" * 400}
    line = read(value).lines[1]
    assert line.sku == "-"
    assert line.name.startswith("a b")
    assert len(line.name) == 300
