"""Receipts: nothing is missing on them, they survive the journal, copies say that they are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appliance.counter.receipts import LANGUAGES, words
from appliance.domain.errors import Bug
from appliance.domain.facts import Json
from appliance.domain.order import Order
from appliance.domain.payment import Card
from appliance.domain.receipt import (
    Align,
    Barcode,
    Document,
    Feed,
    Heading,
    Pair,
    Qr,
    Rule,
    Text,
    as_copy,
    decline_slip,
    merchant_slip,
    payment_receipt,
)
from tests.domain.strategies import cards, names, orders, texts

EN: Final = words("en")
sizes = st.integers(1, 2)
elements = st.one_of(
    st.builds(Text, texts, st.sampled_from(Align), st.booleans(), sizes),
    st.builds(Pair, texts, texts, st.booleans(), sizes),
    st.just(Rule()),
    st.builds(Feed, st.integers(1, 10)),
    st.builds(Qr, texts),
    st.builds(Barcode, texts),
)
documents = st.builds(Document, st.lists(elements, max_size=8).map(tuple))
headings = st.builds(Heading, st.lists(texts, max_size=3).map(tuple), texts, texts, texts)
slips = st.lists(texts, max_size=5)
languages = st.sampled_from(LANGUAGES)


def pairs(document: Document) -> list[tuple[str, str]]:
    return [(e.left, e.right) for e in document.elements if isinstance(e, Pair)]


def paragraphs(document: Document) -> list[str]:
    return [e.text for e in document.elements if isinstance(e, Text)]


@given(documents)
def test_a_document_survives_the_journal(document: Document) -> None:
    assert Document.from_json(json.loads(json.dumps(document.to_json()))) == document


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        "text",
        ["text"],
        [None],
        [{}],
        [{"is": "picture"}],
        [{"is": ["text"], "text": "a"}],
        [{"is": "Text", "text": "a"}],
        [{"is": "text"}],
        [{"is": "text", "text": None}],
        [{"is": "text", "text": 5}],
        [{"is": "text", "text": "a", "size": True}],
        [{"is": "text", "text": "a", "bold": 1}],
        [{"is": "text", "text": "a", "align": "middle"}],
        [{"is": "text", "text": "a", "align": ["left"]}],
        [{"is": "text", "text": "a", "colour": "red"}],
        [{"is": "pair", "left": "a"}],
        [{"is": "rule", "text": "a"}],
        [{"is": "feed", "lines": "3"}],
    ],
)
def test_anything_else_is_a_bug(body: Json) -> None:
    with pytest.raises(Bug):
        Document.from_json(body)


@given(documents, languages)
def test_a_copy_is_marked_at_both_ends_and_a_copy_of_it_is_the_same(
    document: Document, language: str
) -> None:
    wording = words(language)
    mark = Text(wording["copy"], Align.CENTER, bold=True, size=2)
    assume(not document.elements or document.elements[0] != mark)
    copy = as_copy(document, wording)
    assert copy.elements == (mark, *document.elements, mark)
    assert as_copy(copy, wording) == copy


@given(orders(), st.one_of(st.none(), cards), slips, headings, languages)
def test_nothing_is_missing_on_a_receipt(
    order: Order, card: Card | None, slip: list[str], heading: Heading, language: str
) -> None:
    wording = words(language)
    receipt = payment_receipt(order, card, slip, heading, wording)
    left, found = paragraphs(receipt), pairs(receipt)

    positions = [(line.name, wording.money(line.total)) for line in order.lines]
    reductions = [(r.label, wording.money(r.amount)) for r in (*order.discounts, *order.loyalty)]
    sums = [(wording["total"], wording.money(order.total))]
    if order.vat is not None:
        sums.append((wording["vat_included"], wording.money(order.vat)))
    if order.paid:
        sums.append((wording["paid_before"], wording.money(order.paid)))
    label = wording["paid_by_slip"] if card is None else wording["paid_by_card"]
    sums.append((label, wording.money(order.due)))
    about_card = []
    if card is not None:
        about_card = [
            (wording["card"], " ".join(x for x in (card.scheme, card.pan) if x)),
            (wording["terminal"], card.terminal_id),
            (wording["receipt_no"], "" if card.receipt_no is None else str(card.receipt_no)),
            (wording["trace_no"], "" if card.trace_no is None else str(card.trace_no)),
            (wording["authorisation"], card.authorisation),
        ]
    assert found == positions + reductions + sums + [row for row in about_card if row[1]]

    first = receipt.elements.index(Rule()) + 1
    for place, line in enumerate(order.lines):
        below = receipt.elements[first + 2 * place + 1]
        assert isinstance(below, Text)
        start = f"  {wording.quantity(line.quantity)} × {wording.money(line.unit_price)}"
        rate = line.vat_basis_points
        assert below.text == start + ("" if rate is None else f"  {wording.rate(rate)}")
    assert left[: len(heading.lines)] == list(heading.lines)
    assert f"{wording['order']} {order.number}" in left
    assert not heading.seller or f"{wording['seller']} {heading.seller}" in left
    assert any(heading.counter in text and heading.at in text for text in left)
    end = len(receipt.elements) - 5  # a rule, two sentences, a feed, the code
    assert list(receipt.elements[end - len(slip) : end]) == [Text(text) for text in slip]
    assert wording["not_fiscal"] in left


@given(orders(), headings, st.text(max_size=50).filter(bool))
def test_the_order_can_be_scanned_from_its_receipt(
    order: Order, heading: Heading, code: str
) -> None:
    receipt = payment_receipt(replace(order, codes=(code, "other")), None, [], heading, EN)
    fits = len(code) <= 40 and code.isascii() and code.isprintable()
    assert receipt.elements[-1] == (Barcode(code) if fits else Qr(code))


@given(orders(), headings)
def test_without_a_code_the_number_is_scanned(order: Order, heading: Heading) -> None:
    receipt = payment_receipt(replace(order, codes=()), None, [], heading, EN)
    assert receipt.elements[-1] == Barcode(order.number)


@given(orders(), slips, texts, headings, languages)
def test_a_decline_slip_says_that_nothing_was_charged_and_no_sum_as_paid(
    order: Order, slip: list[str], reason: str, heading: Heading, language: str
) -> None:
    wording = words(language)
    document = decline_slip(order, slip, reason, heading, wording)
    found = paragraphs(document)
    assert wording["declined"] in found
    assert wording["not_charged"] in found
    assert not reason or reason in found
    assert found[len(found) - len(slip) :] == slip
    assert pairs(document) == []


@given(orders(), slips, headings, languages)
def test_a_merchant_slip_is_the_terminals_own_words(
    order: Order, slip: list[str], heading: Heading, language: str
) -> None:
    wording = words(language)
    document = merchant_slip(order, slip, heading, wording)
    assert wording["merchant_copy"] in paragraphs(document)
    assert document.elements[len(document.elements) - len(slip) :] == tuple(Text(x) for x in slip)


@given(orders(), names)
def test_a_name_of_any_length_and_script_is_left_whole(order: Order, name: str) -> None:
    long = (name * 40)[:300]
    lines = (replace(order.lines[0], name=long), *order.lines[1:])
    receipt = payment_receipt(replace(order, lines=lines), None, [], Heading((), "K1", "", ""), EN)
    assert pairs(receipt)[0][0] == long


def test_words_know_the_wording() -> None:
    assert EN["total"] == "Total"
