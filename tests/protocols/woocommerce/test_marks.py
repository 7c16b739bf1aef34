"""Our marks in an order, the messages that write them, and what the office is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from appliance.protocols import woocommerce as woo
from appliance.protocols.woocommerce import books, paths, plugin
from appliance.protocols.woocommerce.marks import MOST_MARKS
from tests.protocols.woocommerce.samples import answered, raw

CLAIM = woo.ClaimMark("Касса 1", 1_785_000_600, "H-1-1")
PAID = woo.PaymentMark("f-1", 2580, "EUR", "Counter 1", "H-1-1, receipt 42", "card", "2026-11-23")


def test_marks_are_read_back() -> None:
    metas = [
        woo.claim_meta("H-1", CLAIM),
        woo.payment_meta("H-1-1", PAID),
        woo.text_meta(woo.HANDED_OVER, "f-2"),
        woo.text_meta(woo.ATTENTION, "look"),
        woo.text_meta("_kassa_new", "of a later release"),
        {"key": "_billing_x", "value": {"any": 1}},
    ]
    marks = woo.order_marks_from(raw({"id": 1, "meta_data": metas}))
    assert marks == woo.Marks({"H-1": CLAIM}, {"H-1-1": PAID}, "f-2", "look")
    assert marks.paid == 2580


def test_the_same_mark_is_the_same_text() -> None:
    """So that a repeat, or two that write it at once, leave one value."""
    assert woo.claim_meta("H", CLAIM) == woo.claim_meta("H", replace_mark(CLAIM))


def replace_mark(mark: woo.ClaimMark) -> woo.ClaimMark:
    return woo.ClaimMark(mark.kiosk, mark.until_s, mark.payment)


@pytest.mark.parametrize(
    "entry",
    [
        {"key": "_kassa_claim_H-1", "value": 5},
        {"key": "_kassa_claim_H-1", "value": "not JSON"},
        {"key": "_kassa_payment_H-1-1", "value": '{"fact":"f","amount":0}'},
        {"key": woo.HANDED_OVER, "value": None},
        {"value": "no key"},
    ],
)
def test_a_mark_that_nobody_understands_is_an_error(entry: dict[str, Any]) -> None:
    with pytest.raises(woo.WooError, match="meta_data"):
        woo.marks_from([entry])


def test_marks_are_bounded() -> None:
    metas = [woo.claim_meta(f"H-{number}", CLAIM) for number in range(MOST_MARKS + 1)]
    woo.marks_from(metas[:-1])
    with pytest.raises(woo.WooError, match="more than"):
        woo.marks_from(metas)


def test_a_claim_lives_until_its_time_or_as_long_as_its_payment() -> None:
    assert woo.ClaimMark("k", 100).is_live(99)
    assert not woo.ClaimMark("k", 100).is_live(100)
    assert woo.ClaimMark("k", 100, "H-1-1").is_live(10**9)


@pytest.mark.parametrize("text", ["", "a b", "ж", "x" * 81, "a\n"])
def test_what_cannot_stand_in_a_key(text: str) -> None:
    assert not woo.is_id(text)
    assert woo.is_id("H-x/1")


def test_the_reference_says_where_the_terminals_books_have_it() -> None:
    card = {"terminal_id": "52500042", "receipt_no": 42, "trace_no": None, "authorisation": "A1"}
    assert woo.reference("H-1-1", card) == "H-1-1, terminal 52500042, receipt 42, authorisation A1"
    assert woo.reference("H-1-1", None) == "H-1-1"


# --- books ------------------------------------------------------------------------------------


def book(**changes: Any) -> books.Book:
    return books.book_from(raw(answered() | changes))


def test_a_book_is_read_where_the_order_cannot_be() -> None:
    found = book(
        total="nonsense",
        line_items=5,
        meta_data=[
            woo.payment_meta("H-1-1", PAID),
            woo.claim_meta("H-1", CLAIM),
            {"key": "_kassa_claim_H-2", "value": "{}"},
            {"key": "_kassa_claim_H-3", "value": 5},
            woo.text_meta(woo.HANDED_OVER, "f-2"),
            woo.text_meta(woo.ATTENTION, "look"),
        ],
    )
    assert found.payment("H-1-1") == PAID
    assert found.payment("H-1-2") is None
    assert found.claim("H-1") == CLAIM
    assert found.claim("H-2") is None
    assert (found.paid, found.handed_over, found.attention) == (2580, "f-2", "look")
    assert books.payment_trouble(found) == ""
    with pytest.raises(woo.WooError):
        books.book_from(b"[]")


def test_a_payment_never_writes_over_another_ones_reference() -> None:
    entry = woo.payment_meta("H-1-1", PAID)

    def message(**changes: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(books.paid_message(book(**changes), "H-1-1", entry))
        assert found.pop("meta_data") == [entry]
        return found

    assert message() == {"transaction_id": "H-1-1"}
    assert message(status="pending") == {"transaction_id": "H-1-1", "set_paid": True}
    assert message(transaction_id="pi_1") == {}
    assert message(date_paid_gmt="2026-07-25T17:20:00") == {}


def test_a_hand_over_completes_what_can_be() -> None:
    def status(before: str) -> str | None:
        body = json.loads(books.handed_over_message(book(status=before), "f-9"))
        assert body["meta_data"] == [{"key": woo.HANDED_OVER, "value": "f-9"}]
        return body.get("status")

    assert {word: status(word) for word in ("processing", "cancelled", "packed")} == dict.fromkeys(
        ("processing", "cancelled", "packed"), "completed"
    )
    assert [status(word) for word in ("completed", "refunded", "trash")] == [None] * 3


def test_marks_alone_change_nothing_else() -> None:
    entry = woo.claim_meta("H-1", CLAIM)
    assert json.loads(books.meta_message(entry)) == {"meta_data": [entry]}


def test_a_note_is_for_the_office_alone() -> None:
    assert json.loads(books.note_message("x")) == {"note": "x", "customer_note": False}


TWICE = woo.payment_meta("H-2-1", PAID)
DAY = "2026-07-25T17:20:00"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"status": "cancelled"}, "the order is cancelled"),
        ({"status": "trash"}, "the order is trash"),
        ({"date_paid_gmt": DAY, "transaction_id": "pi_1"}, "in another way too"),
        ({"date_paid_gmt": DAY, "transaction_id": "H-1-1, receipt 42"}, ""),
        ({"meta_data": [woo.payment_meta("H-1-1", PAID), TWICE]}, "more than its total"),
        ({"total": "30.00"}, ""),
        ({"total": "20"}, "more than its total"),
        ({"currency": "XXX"}, ""),
    ],
)
def test_when_the_office_must_look_at_a_payment(changes: dict[str, Any], said: str) -> None:
    members = {"meta_data": [woo.payment_meta("H-1-1", PAID)]} | changes
    found = books.payment_trouble(book(**members))
    assert said in found
    assert bool(said) == bool(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "completed"}, ""),
        ({"status": "cancelled"}, "the order is cancelled"),
        ({"status": "refunded"}, "the order is refunded"),
        ({"status": "completed", "date_paid_gmt": DAY, "transaction_id": "pi_1"}, "another way"),
    ],
)
def test_when_the_office_must_look_at_a_hand_over(changes: dict[str, Any], said: str) -> None:
    found = books.trouble_after(book(meta_data=[woo.payment_meta("H-1-1", PAID)], **changes))
    assert said in found
    assert bool(said) == bool(found)


def test_what_was_told_with_the_payment_is_not_told_again() -> None:
    members = {"date_paid_gmt": DAY, "transaction_id": "pi_1", "status": "completed"}
    paid = woo.payment_meta("H-1-1", PAID)
    told = books.payment_trouble(book(meta_data=[paid], **members))
    known = [paid, woo.text_meta(woo.ATTENTION, told)]
    assert books.trouble_after(book(meta_data=known, **members)) == ""


def test_what_a_hand_over_overrules_is_told_with_it() -> None:
    statuses = ("processing", "cancelled", "failed", "refunded", "trash", "completed")
    told = [status for status in statuses if books.trouble_before(book(status=status))]
    assert told == ["cancelled", "failed"]


def test_what_the_office_must_look_at_is_said_once() -> None:
    first = replace(book(), meta={})
    assert books.attention_text(first, "a") == "a"
    assert books.attention_text(first, "") == ""
    second = replace(first, meta={woo.ATTENTION: "a"})
    assert books.attention_text(second, "a") == "a"
    assert books.attention_text(second, "b") == "a; b"


# --- the rest ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "0", "01", "٣", "1.0", "-1", "a", "9" * 30])
def test_what_is_no_order_id(text: str) -> None:
    assert not paths.is_order_id(text)
    assert paths.is_order_id("13")


def test_the_queries() -> None:
    assert ("after", "2026-01-01T00:00:00") in paths.open_orders(
        ("a", "b"), "2026-01-01T00:00:00", 2
    )
    assert "after" not in dict(paths.open_orders(("a", "b"), "", 1))
    assert dict(paths.open_orders(("a", "b"), "", 1))["status"] == "a,b"
    assert dict(paths.stamps(("a",), "", 1))["_fields"] == paths.STAMP
    assert dict(paths.these(["1", "2"]))["include"] == "1,2"
    assert dict(paths.changed_orders("t", 1))["modified_after"] == "t"
    assert dict(paths.search("13"))["search"] == "13"
    assert paths.order_path("13") == "/wp-json/wc/v3/orders/13"
    assert paths.notes_path("13").endswith("/13/notes")
    assert paths.claim_path("13") == "/wp-json/kassa/v1/orders/13/claim"
    assert paths.payment_path("13").endswith("/13/payment")


def test_the_plugins_messages() -> None:
    assert json.loads(plugin.claim_message("k", "H", 60)) == {
        "kiosk": "k",
        "claim_id": "H",
        "lease_s": 60,
    }
    assert json.loads(plugin.payment_message("k", "H", "H-1", is_open=True))["open"] is True
    assert plugin.claim_from(b'{"granted":false,"holder":"x"}').holder == "x"
    assert dict(plugin.known_query("k", "a", ["1", "2"]))["ids"] == "1,2"
    assert plugin.known_from(b'{"newest":"","has_after":true,"known":[]}').has_after
    assert json.loads(plugin.facts_message("k", [("f", "kind", "13")]))["facts"][0]["order"] == "13"
    assert plugin.accepted_from(b'{"accepted":1}') == 1
    for reader in (plugin.claim_from, plugin.known_from, plugin.accepted_from):
        with pytest.raises(woo.WooError):
            reader(b"{}")


def test_problems_and_notes() -> None:
    assert woo.problem_from(b'{"code":"x","message":"y\\n"}') == ("x", "y?")
    assert woo.problem_from(b"<html>") == ("", "")
    assert woo.notes_from(b'[{"note":"a"}]') == ("a",)


PHP = b"<br />\n<b>Warning</b>:  Undefined array key 0 in <b>/x.php</b> on line <b>4</b><br />\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PHP + b"[]", "message of PHP stands before"),
        (b"\xff", "not JSON"),
        (b"{", "not JSON"),
        (b"[NaN]", "not JSON: NaN"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json(data: bytes, said: str) -> None:
    with pytest.raises(woo.WooError, match=said):
        woo.read_json(data)


def test_numbers_are_exact_or_none() -> None:
    value = woo.read_json(b'[1, 1.10, 1e3, 1234567890123456789, {"a":1,"a":2}, {"a":1}]')
    assert value[0] == 1
    assert str(value[1]) == "1.10"
    assert [type(each).__name__ for each in value[2:5]] == ["HugeNumber"] * 2 + ["RepeatedName"]
    assert value[5] == {"a": 1}


@pytest.mark.parametrize(
    ("status", "body", "is_absent"),
    [
        (200, b"{}", False),
        (404, b'{"code":"rest_no_route"}', True),
        (404, b"<html>", True),
        (404, b'{"code":"woocommerce_rest_shop_order_invalid_id"}', False),
        (401, b'{"code":"invalid_username"}', True),
        (401, b'{"code":"some_firewall"}', True),
        (401, b'{"code":"woocommerce_rest_authentication_error"}', False),
        (401, b'{"code":"rest_forbidden"}', False),
        (403, b'{"code":"rest_forbidden"}', False),
        (500, b"", False),
    ],
)
def test_whether_the_plugin_is_there(status: int, body: bytes, is_absent: bool) -> None:
    assert plugin.is_absent(status, body) is is_absent
