"""Orders of WooCommerce as ours: every sum knowingly, every refusal named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.order import OrderStatus, disagreements
from appliance.protocols import woocommerce as woo
from appliance.protocols.woocommerce.orders import rounding_limit
from appliance.simulators.woocommerce.samples import HAFEN, MITTE, blocks, classic, line
from tests.protocols.woocommerce.samples import answered, raw

HERE = woo.Pickup(MITTE)


def read(value: dict[str, Any], pickup: woo.Pickup = HERE) -> woo.WooOrder:
    return woo.order_from(raw(value), pickup)


def test_an_order_in_full() -> None:
    found = read(
        answered(
            line("Becher &amp; Co", "12.90", 2, sku="MUG-02", ean="4006381333931"),
            customer_note="Bitte\r\n\x07klingeln",
            billing={"first_name": "Jana", "last_name": "Petersen", "email": "jana@example.org"},
        )
    )
    order = found.order
    (position,) = order.lines
    assert (position.sku, position.name, position.ean) == (
        "MUG-02",
        "Becher & Co",
        "4006381333931",
    )
    assert (str(position.quantity), position.unit_price.amount, position.total.amount) == (
        "2",
        1290,
        2580,
    )
    assert position.vat_basis_points == 1900
    assert (order.total.amount, order.paid.amount, order.due.amount) == (2580, 0, 2580)
    assert order.vat is not None
    assert order.vat.amount == 412
    assert order.customer.name == "Jana Petersen"
    assert order.customer.email == "jana@example.org"
    assert order.notes == ("Bitte\nklingeln",)
    assert order.status is OrderStatus.READY
    assert order.pickup_point == MITTE
    assert order.placed_at == "2026-07-25T17:20:00Z"
    assert (order.id, order.number, order.codes) == ("13", "13", ("13",))
    assert found.key == 13
    assert disagreements(order) == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("processing", OrderStatus.READY),
        ("on-hold", OrderStatus.READY),
        ("pending", OrderStatus.NOT_READY),
        ("packed", OrderStatus.NOT_READY),
        ("completed", OrderStatus.HANDED_OVER),
        *[(word, OrderStatus.CANCELLED) for word in ("cancelled", "refunded", "failed", "trash")],
    ],
)
def test_each_status(status: str, expected: OrderStatus) -> None:
    assert read(answered() | {"status": status}).order.status is expected
    packed = woo.Pickup(MITTE, ("packed",))
    assert read(answered() | {"status": "packed"}, packed).order.status is OrderStatus.READY


@pytest.mark.parametrize(
    ("place", "point", "expected"),
    [
        (blocks(MITTE), MITTE, MITTE),
        (blocks(HAFEN), MITTE, HAFEN),
        (blocks("A &amp; B"), "A & B", "A & B"),
        (blocks(MITTE) | {"meta_data": []}, MITTE, "(pickup_location without a name)"),
        (classic("Abholung"), "Abholung", "Abholung"),
        (classic("Abholung", 7), "local_pickup:7", "local_pickup:7"),
        (classic("", 7), "x", "local_pickup:7"),
        ({"method_id": "flat_rate", "method_title": MITTE}, MITTE, f"(flat_rate) {MITTE}"),
    ],
)
def test_the_pickup_point_by_the_platforms_own_notion(
    place: dict[str, Any], point: str, expected: str
) -> None:
    assert read(answered(place=place), woo.Pickup(point)).order.pickup_point == expected


def test_an_order_without_a_name_is_an_order() -> None:
    value = answered()
    del value["billing"]
    assert read(value).order.customer.name == ""
    company = read(value | {"billing": {"company": "Nord AG"}})
    assert company.order.customer.name == "Nord AG"


def test_an_order_without_shipping_is_nobodys() -> None:
    value = answered() | {"shipping_lines": []}
    assert read(value).order.pickup_point == "(no shipping)"


def test_any_of_several_parcels_may_be_ours() -> None:
    value = answered(shipping_lines=[blocks(HAFEN), blocks(MITTE)])
    assert read(value).order.pickup_point == MITTE


# --- sums -------------------------------------------------------------------------------------


def parts(order: Any) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    return (
        [(position.sku, position.total.amount) for position in order.lines],
        [(reduction.label, reduction.amount.amount) for reduction in order.discounts],
    )


def test_a_discount_is_a_reduction_under_its_coupons_code() -> None:
    value = answered(line("Mug", "12.90", 2, off="5.80", sku="M"), coupon_lines=[{"code": "may"}])
    order = read(value).order
    assert parts(order) == ([("M", 2580)], [("may", -580)])
    assert order.due.amount == 2000
    assert parts(read(value | {"coupon_lines": []}).order)[1] == [("Discount", -580)]


def test_shipping_and_fees() -> None:
    fees = [
        {"name": "Wrap", "total": "2.50"},
        {"name": "", "total": "1"},
        {"name": "Loyal", "total": "-3"},
        {"name": "", "total": "-0.5"},
        {"total": "0"},
    ]
    order = read(
        answered(
            line("Mug", "12.90", sku="M"),
            shipping_lines=[blocks(MITTE) | {"total": "4.20", "total_tax": "0.80"}],
            fee_lines=fees,
        )
    ).order
    assert parts(order) == (
        [("M", 1290), ("shipping", 500), ("fee", 250), ("fee", 100)],
        [("Loyal", -300), ("Fee", -50)],
    )
    assert disagreements(order) == ()


def test_a_price_that_the_office_raised_is_no_discount() -> None:
    raised = line("Mug", "10.00", sku="M") | {"total": "20", "total_tax": "0"}
    assert parts(read(answered(raised)).order) == ([("M", 2000)], [])


def test_what_does_not_divide_is_a_line_of_its_own() -> None:
    three = line("Tea", "0", 3, sku="T") | {"subtotal": "10", "total": "10", "taxes": []}
    order = read(answered(three)).order
    assert parts(order) == ([("T", 999), ("rounding", 1)], [])
    assert disagreements(order) == ()
    assert order.lines[0].vat_basis_points is None
    six = line("Tea", "0", 6, sku="T") | {"subtotal": "10", "total": "10"}
    assert parts(read(answered(six)).order) == ([("T", 1002)], [("Rounding", -2)])


def test_tax_that_is_rounded_on_each_line() -> None:
    """Two lines of 0.004 net more each than is shown: the shop's total has the cent, they have
    not."""
    odd = line("A", "0", sku="A") | {"subtotal": "1.004", "total": "1.004"}
    value = answered(odd, odd, odd)
    assert value["total"] == "3.010000"
    assert parts(read(value).order) == ([("A", 100)] * 3 + [("rounding", 1)], [])


def test_a_larger_difference_is_refused() -> None:
    value = answered(line("Mug", "12.90", 2), total="25.84")
    with pytest.raises(woo.WooMalformed, match="positions come to 2580"):
        read(value)
    assert parts(read(value | {"total": "25.83"}).order)[0][-1] == ("rounding", 3)
    assert rounding_limit(Decimal(2), 2) == 3


def test_weighed_goods() -> None:
    cheese = line("Comté", "0", sku="C") | {"quantity": 0.35, "subtotal": "10.12", "total": "10.12"}
    order = read(answered(cheese)).order
    assert str(order.lines[0].quantity) == "0.350"
    assert order.lines[0].unit_price.amount == 2891
    assert disagreements(order) == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 99_999), st.integers(1, 40), st.integers(0, 100)),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_shop_sells_the_sums_agree(goods: list[tuple[int, int, int]]) -> None:
    """Gross prices with 19 % in them, percentages off: only the rounding may come in between."""
    lines = []
    for cents, count, percent in goods:
        gross = Decimal(cents) / 100
        off = (gross * count * percent / 100).quantize(Decimal("0.01"))
        lines.append(line("x", str(gross), count, off=str(off), sku="x"))
    value = answered(*lines)
    order = read(value).order
    assert disagreements(order) == ()
    assert order.total.amount == int(Decimal(value["total"]) * 100)
    # At two digits, as an older shop may send them, too.
    assert disagreements(read(answered(*lines, digits=2)).order) == ()


# --- what is paid -----------------------------------------------------------------------------


def marked(value: dict[str, Any], *metas: dict[str, str], **more: Any) -> dict[str, Any]:
    return value | {"meta_data": list(metas)} | more


def paid(amount: int = 2580, payment: str = "H-1-1") -> dict[str, str]:
    return woo.payment_meta(payment, woo.PaymentMark("f-1", amount, "EUR", "Counter 1"))


DAY = "2026-07-25T17:20:00"
PAYMENTS = [
    ("nothing", {}, [], 0),
    ("online", {"date_paid_gmt": DAY, "transaction_id": "pi_1"}, [], 2580),
    ("here", {"transaction_id": "H-1-1, receipt 42"}, [paid()], 2580),
    (
        "here, and completed",
        {"transaction_id": "H-1-1, receipt 42", "date_paid_gmt": DAY},
        [paid()],
        2580,
    ),
    ("twice", {"transaction_id": "pi_1", "date_paid_gmt": DAY}, [paid()], 5160),
    ("in parts", {"transaction_id": "H-1-1"}, [paid(1000), paid(580, "H-1-2")], 1580),
]


@pytest.mark.parametrize(("case", "members", "metas", "amount"), PAYMENTS)
def test_who_says_that_it_is_paid(
    case: str, members: dict[str, Any], metas: list[dict[str, str]], amount: int
) -> None:
    order = read(marked(answered(), *metas, **members)).order
    assert (order.paid.amount, order.due.amount) == (amount, 2580 - amount), case


def test_refunds_lower_what_is_due() -> None:
    value = answered() | {"refunds": [{"id": 1, "reason": "", "total": "-5.80"}]}
    found = read(value)
    assert (found.order.total.amount, found.order.due.amount) == (2000, 2000)
    assert found.refunded.amount == 580
    assert found.order.discounts[-1].label == "Refunded"
    assert found.order.vat is None
    assert disagreements(found.order) == ()
    assert read(value | {"date_paid_gmt": DAY}).order.is_prepaid
    for total in ("-25.81", "5"):
        with pytest.raises(woo.WooMalformed, match="refunds"):
            read(value | {"refunds": [{"total": total}]})


def test_what_was_handed_over_here_stays_so() -> None:
    value = marked(answered(), woo.text_meta(woo.HANDED_OVER, "f-9"))
    assert read(value).order.status is OrderStatus.HANDED_OVER


def test_what_the_office_must_look_at_is_a_note() -> None:
    value = marked(answered(), woo.text_meta(woo.ATTENTION, "paid twice"))
    assert read(value).order.notes == ("paid twice",)


def test_the_version_changes_with_what_matters_and_with_nothing_else() -> None:
    value = answered()
    version = read(value).order.version
    claim = woo.claim_meta("H-1", woo.ClaimMark("Counter 1", 9))
    same = [
        value | {"date_modified_gmt": "2027-01-01T00:00:00"},
        value | {"status": "on-hold"},
        marked(value, claim),
        value | {"payment_url": "x"},
    ]
    other = [
        value | {"status": "cancelled"},
        value | {"date_paid_gmt": DAY},
        marked(value, paid()),
        value | {"customer_note": "x"},
        value | {"number": "14"},
        value | {"refunds": [{"total": "-1"}]},
        answered(place=blocks(HAFEN)),
    ]
    assert {read(each).order.version for each in same} == {version}
    assert version not in {read(each).order.version for each in other}


# --- what cannot be read ----------------------------------------------------------------------


def item(**changes: Any) -> dict[str, Any]:
    value = answered()
    return value | {"line_items": [value["line_items"][0] | changes]}


BROKEN = [
    (answered() | {"currency": "XXX"}, "unknown currency"),
    (answered() | {"total": "25.801"}, "total: '25.801' has more digits"),
    (answered() | {"total": "25,80"}, "total: is no amount"),
    (answered() | {"total": 25.8}, "total: expected str"),
    (answered() | {"id": 0}, "id: "),
    (answered() | {"date_created_gmt": None}, "date_created_gmt"),
    (answered() | {"number": "x" * 80 + "\x07"}, None),
    (answered() | {"number": " "}, "number"),
    (answered() | {"meta_data": [5]}, "meta_data"),
    (item(quantity=0), "line_items[0].quantity: quantity"),
    (item(quantity="2"), "line_items[0].quantity: is no number"),
    (item(quantity=True), "line_items[0].quantity: is no number"),
    (item(subtotal="-5", total="-5", total_tax="", subtotal_tax=""), "line_items[0].total: is bel"),
    (answered() | {"line_items": []}, "total: is 2580"),
    (
        answered() | {"shipping_lines": [blocks(MITTE) | {"total": "-1"}]},
        "shipping: is below zero",
    ),
    (marked(answered(), {"key": "_kassa_claim_H-1", "value": "{}"}), "_kassa_claim_H-1"),
    (answered(line("x", "19999999999.00")), "out of range"),
]


@pytest.mark.parametrize(("value", "said"), BROKEN)
def test_an_order_that_cannot_be_read_says_where(value: dict[str, Any], said: str | None) -> None:
    if said is None:
        assert len(read(value).order.number) == 80
        return
    with pytest.raises(woo.WooMalformed) as caught:
        read(value)
    assert said in str(caught.value)


def test_odd_items_have_names_all_the_same() -> None:
    value = item(name=None, sku=None, global_unique_id=None, variation_id=5)
    assert read(value).order.lines[0].name == "#5"
    assert read(value).order.lines[0].sku == "#5"


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(19, 1900), (7.7, 770), (5.555, None), (101, None), ("19", None), (True, None), (None, None)],
)
def test_a_tax_rate_is_stated_or_left_out(percent: object, expected: int | None) -> None:
    value = answered() | {"tax_lines": [{"rate_id": 1, "rate_percent": percent}]}
    assert read(value).order.lines[0].vat_basis_points == expected


@pytest.mark.parametrize("odd", [None, "x", 5, [5], {}, [{"id": None, "total": None}]])
def test_odd_taxes_are_no_reason_to_refuse_an_order(odd: object) -> None:
    assert read(item(taxes=odd)).order.lines[0].vat_basis_points is None
    assert read(answered() | {"tax_lines": odd}).order.lines[0].vat_basis_points is None


def test_two_taxes_on_a_line_are_no_rate() -> None:
    value = item(
        taxes=[{"id": 1, "total": "1"}, {"id": 2, "total": "1"}, {"id": 3, "total": "0.00"}]
    )
    assert read(value).order.lines[0].vat_basis_points is None


# --- pages ------------------------------------------------------------------------------------


def test_a_page_has_what_can_be_read() -> None:
    good, elsewhere = answered(), answered(place=blocks(HAFEN)) | {"total": "1"}
    bad = good | {"number": "14", "total": "1", "date_created_gmt": "2027-01-01T00:00:00"}
    nowhere = bad | {"shipping_lines": "x", "number": None, "date_created_gmt": 5}
    page = woo.page_from(raw([good, bad, elsewhere, nowhere, 7]), HERE)
    assert [found.order.number for found in page.orders] == ["13"]
    assert page.rows == 5
    assert page.last_created == "2027-01-01T00:00:00"
    assert set(page.malformed) == {"14", "13", "#4"}
    with pytest.raises(woo.WooError, match="101 orders on a page"):
        woo.page_from(raw([good] * 101), HERE)
    with pytest.raises(woo.WooError):
        woo.page_from(b"{}", HERE)


def test_stamps_tell_whether_an_order_is_known() -> None:
    value = answered()
    other = value | {"id": 14, "date_created_gmt": "2027-01-01T00:00:00"}
    found = woo.stamps_from(raw([value, other]))
    assert dict(found.modified) == dict.fromkeys(("13", "14"), value["date_modified_gmt"])
    assert (found.rows, found.last_created) == (2, "2027-01-01T00:00:00")
    assert woo.stamps_from(b"[]") == woo.Stamps({}, 0, "")
    with pytest.raises(woo.WooError):
        woo.stamps_from(b'[{"id":1}]')
