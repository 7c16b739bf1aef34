"""Facts into orders of WooCommerce, each effect once for good.

WooCommerce has no idempotency and no guard against any change of status. So each effect carries its
own id into the order (the payment's, the fact's), is looked for before it is written, and read back
after. One thread delivers; another may write to the same order at any time: the shop's office.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from appliance.domain.errors import Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Fact, Kind
from appliance.domain.money import LARGEST_AMOUNT, Money, MoneyError
from appliance.drivers.shop_http import FactRefused
from appliance.drivers.woocommerce_claims import Claims
from appliance.drivers.woocommerce_http import WooHttp, read
from appliance.protocols import woocommerce as woo
from appliance.protocols.woocommerce.books import Book

DELETED: Final = "the shop has no such order any more"


class Bookkeeper:
    """For one thread. kiosk: how this counter is called in the order."""

    def __init__(self, http: WooHttp, kiosk: str) -> None:
        self._http, self._kiosk = http, kiosk
        self._effects: Mapping[Kind, Callable[[Fact, str, Claims], None]] = {
            Kind.STARTED: self._started,
            Kind.UNRESOLVED: self._unresolved,
            Kind.DECLINED: self._not_paid,
            Kind.DECIDED_NOT_PAID: self._not_paid,
            Kind.APPROVED: self._paid,
            Kind.DECIDED_PAID: self._paid,
            Kind.HANDED_OVER: self._handed_over,
            Kind.PUT_BACK: self._put_back,
        }

    def enter(self, fact: Fact, claims: Claims) -> None:
        """Have this fact's effect, unless the order says that it had it. Raises FactRefused,
        ShopTrouble."""
        effect = self._effects.get(fact.kind)
        if effect is None:
            return  # nothing in WooCommerce would tell of it
        order_id = _text(fact, "order")
        if not woo.paths.is_order_id(order_id):
            raise FactRefused(fact.id, f"{order_id[:40]!r} is no order of WooCommerce")
        try:
            effect(fact, order_id, claims)
        except OrderTrouble:
            raise FactRefused(fact.id, f"{DELETED}: {order_id}") from None

    def has(self, fact: Fact) -> bool | None:
        """Whether the shop still has this fact's effect; None where nobody can tell: it left no
        trace, or the order is deleted. Raises ShopTrouble."""
        if fact.kind not in (Kind.APPROVED, Kind.DECIDED_PAID, Kind.HANDED_OVER):
            return None
        try:
            book = self._book(_text(fact, "order"))
        except OrderTrouble:
            return None
        if fact.kind is Kind.HANDED_OVER:
            return bool(book.handed_over)
        return book.payment(_text(fact, "payment")) is not None

    # --- what each kind does ------------------------------------------------------------------

    def _started(self, fact: Fact, order_id: str, claims: Claims) -> None:
        payment = _id(fact, "payment")
        if self._book(order_id).payment(payment) is None:  # told again after a backup, maybe
            claims.hold(order_id, _claim(fact), payment)

    def _unresolved(self, fact: Fact, order_id: str, claims: Claims) -> None:
        self._started(fact, order_id, claims)
        payment = _id(fact, "payment")
        words = "Nobody can tell yet whether this payment was taken. Look at the terminal's books."
        self._note(order_id, words, f"{payment} unresolved")

    def _not_paid(self, fact: Fact, order_id: str, claims: Claims) -> None:
        claims.let_go(order_id, _claim(fact), _id(fact, "payment"))

    def _put_back(self, fact: Fact, order_id: str, claims: Claims) -> None:
        claims.release(order_id, _claim(fact))

    def _paid(self, fact: Fact, order_id: str, claims: Claims) -> None:
        payment, amount = _id(fact, "payment"), _amount(fact)
        card = fact.body.get("card")
        reference = woo.reference(payment, card if isinstance(card, dict) else None)
        how = "card" if fact.kind is Kind.APPROVED else "slip"
        mark = woo.PaymentMark(
            fact.id, amount.amount, amount.currency.code, self._kiosk, reference, how, fact.at
        )
        book = self._book(order_id)
        if book.currency != amount.currency.code:
            raise FactRefused(fact.id, f"body.currency is not the order's, {book.currency[:10]}")
        there = book.payment(payment)
        if there is None:
            entry = woo.payment_meta(payment, mark)
            self._put(order_id, woo.books.paid_message(book, reference, entry))
            book = self._book(order_id)
            there = book.payment(payment)
        if there is None or (there.amount, there.currency) != (mark.amount, mark.currency):
            raise ShopTrouble(Code.SHOP_NONSENSE, f"order {order_id} lacks payment {payment}")
        claims.let_go(order_id, _claim(fact), payment)
        words = f"Paid {amount} at the counter {self._kiosk}. Reference: {there.reference}."
        self._note(order_id, words, payment)
        if trouble := woo.books.payment_trouble(book):
            text = woo.books.attention_text(book, trouble)
            self._tell_office(order_id, book, text, payment)

    def _handed_over(self, fact: Fact, order_id: str, claims: Claims) -> None:
        book = self._book(order_id)
        if not book.handed_over:
            entries = []
            if trouble := woo.books.trouble_before(book):
                text = woo.books.attention_text(book, trouble)
                entries.append(woo.text_meta(woo.ATTENTION, text))
            self._put(order_id, woo.books.handed_over_message(book, fact.id, *entries))
            book = self._book(order_id)
            if not book.handed_over:
                raise ShopTrouble(Code.SHOP_NONSENSE, f"order {order_id} is not handed over")
        # On a repeat as well: the try before may have ended between the two.
        text = woo.books.attention_text(book, woo.books.trouble_after(book))
        self._tell_office(order_id, book, text, woo.books.HANDED)
        claims.release(order_id, _claim(fact))

    # --- the shop -----------------------------------------------------------------------------

    def _book(self, order_id: str) -> Book:
        query = [("_fields", woo.books.FIELDS)]
        answer = self._http.ask("GET", woo.paths.order_path(order_id), query)
        return read(answer, woo.books.book_from)

    def _put(self, order_id: str, body: bytes) -> None:
        answer = self._http.ask("PUT", woo.paths.order_path(order_id), [("_fields", "id")], body)
        read(answer, woo.read_json)

    def _tell_office(self, order_id: str, book: Book, text: str, operation: str) -> None:
        """text: all that the office must look at. In a note where it is about this operation."""
        if text != book.attention:
            entry = woo.text_meta(woo.ATTENTION, text)
            self._put(order_id, woo.books.meta_message(entry))
        if operation != woo.books.HANDED or woo.books.HANDED in text:
            self._note(order_id, f"Please look at this order: {text}.", f"{operation} attention")

    def _note(self, order_id: str, words: str, operation: str) -> None:
        """Once: a note with this operation in it may be there from a try whose answer was lost."""
        sign = f"[kassa {operation}]"
        path = woo.paths.notes_path(order_id)
        notes = read(self._http.ask("GET", path, [("type", "internal")]), woo.notes_from)
        if not any(sign in note for note in notes):
            body = woo.books.note_message(f"{words} {sign}")
            read(self._http.ask("POST", path, body=body), woo.read_json, 201)


def _text(fact: Fact, name: str) -> str:
    value = fact.body.get(name)
    if not isinstance(value, str) or not value:
        raise FactRefused(fact.id, f"body.{name} is missing")
    return value


def _id(fact: Fact, name: str) -> str:
    value = _text(fact, name)
    if not woo.is_id(value):
        raise FactRefused(fact.id, f"body.{name} cannot stand in an order")
    return value


def _claim(fact: Fact) -> str:
    """A kiosk that stopped between the shop's answer and its own note of it knows of no claim: its
    handover's id was the claim's all the same."""
    value = fact.body.get("claim") or fact.subject
    if not isinstance(value, str) or not woo.is_id(value):
        raise FactRefused(fact.id, "body.claim cannot stand in an order")
    return value


def _amount(fact: Fact) -> Money:
    amount, code = fact.body.get("amount"), fact.body.get("currency")
    if type(amount) is not int or not 0 < amount <= LARGEST_AMOUNT:
        raise FactRefused(fact.id, "body.amount is not an amount in minor units")
    try:
        return Money.of(amount, str(code))
    except MoneyError as error:
        raise FactRefused(fact.id, f"body.currency: {error}") from None
