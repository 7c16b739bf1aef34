"""PayPal Here, the sideloader API 1.3: withdrawn by PayPal, still sent by shops.

    paypalhere://takePayment?accepted=…&returnUrl=…&as=b64&step=…&payerPhone=…&invoice=…
    paypalhere://takePayment/v2?…

Source: paypal/here-sideloader-api-samples: docs/README.md, the samples in docs, web, ios, android,
and its issues 21, 22, 49, 63.

accepted: comma-separated of cash, card, invoice, check, paypal; optional. invoice: a JSON object,
in base64 where as=b64: number (the order), currencyCode, discountPercent, payerEmail, paymentTerms,
merchantEmail, itemList.item[] of name, description, quantity, unitPrice, taxName, taxRate. The
document has numbers as text, the Android sample as numbers; both are read, by their digits. Members
and parameters that we do not know are ignored, as shops send more than the document has. "+" is a
plus: some samples put base64 into the link as it is.

The total is computed to be compared with what the shop says is due, and only where it is beyond
doubt: PayPal does not say where it rounds, so a total that depends on that is left out, and so is
one with members that change it in ways which this document does not describe.

returnUrl: its placeholders {Type}, {InvoiceId}, {Tip}, {TxId}, {Number}, {GrandTotal}, {Email} and
{result} are replaced, others stay, as in PayPal's. Type is UNKNOWN for all that is not a payment
(document: cancelled and declined alike; issue 50 tells of declined ones with another Type, which is
a mistake there), else one of KEY, SCAN, SWIPE, PAYPAL, CHECK, CASH, CHIP, EMV_SWIPE: CHIP, as the
document has none for contactless. Where sources disagree:
- TxId: the document says the merchant's tax id, issue 63 of PayPal's says the transaction's; shops
  read it as the latter, so it is our payment's id.
- Number and GrandTotal: not in every version of the document, but in samples and in use.
- result: in the templates of nearly all samples, explained nowhere, and gone in the document's own
  example of a response. It becomes nothing.
- Email is the customer's, for the receipt. We ask nobody for it: nothing.
Without any placeholder the response is appended; the document appends Type then.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from appliance.domain.money import CURRENCIES, LARGEST_AMOUNT, Money
from appliance.protocols.links import fields
from appliance.protocols.links.address import Pairs, fill, read
from appliance.protocols.links.address import build as build_address
from appliance.protocols.links.codes import Name
from appliance.protocols.links.fields import digits_of, json_object, text_of
from appliance.protocols.links.messages import (
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
)
from appliance.protocols.links.signing import Stamp
from appliance.protocols.shopapi import write_json

SCHEME: Final = "paypalhere"

_TARGETS: Final = ("takepayment", "takepayment/v2")
_RESPONSE: Final = ("Type", "InvoiceId", "Tip", "TxId", "Number", "GrandTotal")
_PLACEHOLDERS: Final = (*_RESPONSE, "Email", "result")
_NOT_PAID: Final = "UNKNOWN"
_BY_CARD: Final = "CHIP"
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?\Z")
# What the document describes. Any other member may change the total.
_INVOICE: Final = frozenset(
    {
        *("number", "currencyCode", "discountPercent", "paymentTerms", "payerEmail"),
        *("merchantEmail", "itemList"),
    }
)
_ITEM: Final = frozenset({"name", "description", "quantity", "unitPrice", "taxName", "taxRate"})


def parse(text: str) -> Link:
    """A request. Raises LinkError."""
    address = read(text)
    if address.scheme != SCHEME or not f"{address.target}/".startswith(f"{_TARGETS[0]}/"):
        raise LinkError(Reason.MALFORMED, "no takePayment")
    values = dict(address.params)
    back = values.get("returnUrl", "")
    # A template with placeholders names its parameters itself; only to others they are appended.
    is_template = any(f"{{{name}}}" in back for name in _PLACEHOLDERS)
    back = fields.callback(back, "returnUrl", () if is_template else _RESPONSE)
    told = Link(Name.PAYPAL_HERE, Act.SELL, "", "", callbacks=Callbacks(back, back, back))
    with fields.telling(told):
        if address.target not in _TARGETS:
            raise LinkError(Reason.VERSION, "another version of takePayment")
        accepted = values.get("accepted", "").replace(" ", "")
        if accepted and "card" not in accepted.split(","):
            raise LinkError(Reason.TENDER, "accepted: no cards")
        invoice = json_object(_invoice(values), "invoice")
        number = fields.order(text_of(invoice, "number"), "number")
    told = replace(told, order=number, reference=number)
    with fields.telling(told):
        return replace(told, amount=_total(invoice))


def _invoice(values: dict[str, str]) -> str:
    said = values.get("invoice", "")
    match values.get("as", ""):
        case "":
            return said
        case "b64":
            bare = said.rstrip("=")
            try:
                return b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
            except ValueError:  # no base64, or no UTF-8 in it
                raise LinkError(Reason.MALFORMED, "invoice: no base64 of UTF-8") from None
        case _:
            raise LinkError(Reason.MALFORMED, "as: not b64")


# --- the total --------------------------------------------------------------------------------


def _total(invoice: dict[str, Any]) -> Money | None:
    """What the invoice comes to, or None where that is not beyond doubt. Raises LinkError."""
    code = text_of(invoice, "currencyCode")
    fields.check_currency(code)
    unit = 10 ** CURRENCIES[code].exponent
    left = 1 - _percent(invoice, "discountPercent")
    known = invoice.keys() <= _INVOICE
    exact, by_line = Fraction(0), 0
    for item in _items(invoice):
        known = known and item.keys() <= _ITEM
        net = _number(item, "quantity") * _number(item, "unitPrice") * unit * left
        tax = net * _percent(item, "taxRate")
        exact += net + tax
        by_line += _rounded(net) + _rounded(tax)
    if exact > LARGEST_AMOUNT:
        raise LinkError(Reason.AMOUNT_TOO_LARGE, "the amount is too large")
    # Rounded once or line by line: most totals are the same.
    return Money.of(by_line, code) if known and _rounded(exact) == by_line else None


def _items(invoice: dict[str, Any]) -> list[dict[str, Any]]:
    listed = invoice.get("itemList")
    items = listed.get("item") if isinstance(listed, dict) else None
    if not isinstance(items, list) or not items or not all(isinstance(i, dict) for i in items):
        raise LinkError(Reason.MALFORMED, "itemList: no list of items")
    return items


def _number(members: dict[str, Any], name: str) -> Fraction:
    text = digits_of(members, name)
    if not _DECIMAL.match(text):
        raise LinkError(Reason.AMOUNT_MALFORMED, f"{name}: no plain decimal number")
    return Fraction(text)


def _percent(members: dict[str, Any], name: str) -> Fraction:
    """As a part of 1; 0 where it is missing."""
    found = _number(members, name) / 100 if name in members else Fraction(0)
    if found > 1:
        raise LinkError(Reason.AMOUNT_MALFORMED, f"{name}: more than 100 percent")
    return found


def _rounded(amount: Fraction) -> int:
    """Half up; amounts are never negative here."""
    return int(amount + Fraction(1, 2))


# --- the response -----------------------------------------------------------------------------


def respond(link: Link, result: Result, stamp: Stamp | None = None) -> str | None:
    """The address to open, or None where the caller named none. stamp: the format has no seal."""
    template = fields.chosen(link.callbacks, result.outcome)
    if not template:
        return None
    paid = result.outcome is Outcome.PAID
    total = f"{result.amount.decimal():f}" if paid and result.amount is not None else ""
    payment = result.payment if paid else ""
    said = (
        _BY_CARD if paid else _NOT_PAID,
        payment,
        "0" if paid else "",
        payment,
        link.order,
        total,
    )
    values = dict(zip(_RESPONSE, said, strict=True))
    appended: Pairs = tuple((name, value) for name, value in values.items() if value)
    return fill(template, appended, dict.fromkeys(_PLACEHOLDERS, "") | values)


def build(link: Link, *, base64: bool = True) -> str:
    """A request that `parse` reads as `link`, for whom its amount is the price of one item."""
    assert link.amount is not None, "an invoice has an amount"
    price = f"{link.amount.decimal():f}"
    invoice = write_json(
        {
            "paymentTerms": "DueOnReceipt",
            "currencyCode": link.amount.currency.code,
            "number": link.order,
            "itemList": {"item": [{"name": "Order", "quantity": "1", "unitPrice": price}]},
        }
    )
    params: Pairs = (
        ("accepted", "card"),
        *((("returnUrl", link.callbacks.success),) if link.callbacks.success else ()),
        *((("as", "b64"),) if base64 else ()),
        ("step", "choosePayment"),
        ("invoice", (b64encode(invoice) if base64 else invoice).decode()),
    )
    return build_address(SCHEME, "takePayment/v2", params)
