"""Square Point of Sale API, as pages on iOS send it.

    square-commerce-v1://payment/create?data=…

Source: "Mobile Web Technical Reference" and "Build on Mobile Web" (developer.squareup.com,
docs/pos-api), square/SquarePointOfSaleSDK-iOS (Sources/SCCAPIRequest.m, SCCAPIResponse.m).

data: a percent-encoded JSON object: amount_money {amount, currency_code} in minor units,
callback_url, client_id, version (1.0 to 1.3), state (up to us to repeat: the shop puts the order's
number there), notes, customer_id, location_id, sdk_version, options {supported_tender_types of
CREDIT_CARD, CASH, OTHER, SQUARE_GIFT_CARD, CARD_ON_FILE; clear_default_fees, auto_return,
disable_cnp, skip_receipt}. The SDK writes amount as a number, pages also as text; both are read.
What we do not know is ignored. "+" is a space: whoever writes JSON through the encoder of HTML
forms sends it so, while every source writes a plus as %2B.

Response: callback_url with data=… appended, a JSON object: status "ok" with transaction_id and
client_transaction_id, or "error" with error_code (codes.py); and state, where there was one. Both
ids are our payment's: the first is Square's server's, the second the device's, and we have one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from appliance.protocols.links import codes, fields
from appliance.protocols.links.address import build as build_address
from appliance.protocols.links.address import fill, read
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

SCHEME: Final = "square-commerce-v1"

_TARGET: Final = "payment/create"
_VERSIONS: Final = ("1.0", "1.1", "1.2", "1.3")
_CARD: Final = "CREDIT_CARD"
_NONE: Final[dict[str, Any]] = {}


def parse(text: str) -> Link:
    """A request. Raises LinkError."""
    address = read(text, plus_is_space=True)
    if address.scheme != SCHEME or address.target != _TARGET:
        raise LinkError(Reason.MALFORMED, "no payment/create")
    data = json_object(dict(address.params).get("data", ""), "data")
    back = fields.callback(text_of(data, "callback_url"), "callback_url", ("data",))
    told = Link(Name.SQUARE_IOS, Act.SELL, "", "", callbacks=Callbacks(back, back, back))
    with fields.telling(told):
        state = fields.order(text_of(data, "state"), "state")
    told = replace(told, order=state, reference=state, back={"state": state})
    with fields.telling(told):
        if text_of(data, "version") not in _VERSIONS:
            raise LinkError(Reason.VERSION, "version: none that we know")
        _check_tender(_object(data, "options"))
        money = _object(data, "amount_money")
        amount = fields.minor(digits_of(money, "amount"), text_of(money, "currency_code"), least=1)
        return replace(told, amount=amount)


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name, _NONE)
    if not isinstance(found, dict):
        raise LinkError(Reason.MALFORMED, f"{name}: no object")
    return found


def _check_tender(options: dict[str, Any]) -> None:
    types = options.get("supported_tender_types", [_CARD])
    if not isinstance(types, list):
        raise LinkError(Reason.MALFORMED, "supported_tender_types: no list")
    if _CARD not in types:
        raise LinkError(Reason.TENDER, "supported_tender_types: no cards")


def respond(link: Link, result: Result, stamp: Stamp | None = None) -> str | None:
    """The address to open, or None where the caller named none. stamp: the format has no seal."""
    template = fields.chosen(link.callbacks, result.outcome)
    if not template:
        return None
    said: dict[str, str] = {"status": "error"}
    if result.outcome is Outcome.PAID:
        said = {
            "status": "ok",
            "transaction_id": result.payment,
            "client_transaction_id": result.payment,
        }
    else:
        said["error_code"] = codes.code(Name.SQUARE_IOS, result.reason)
    return fill(template, (("data", write_json({**said, **link.back}).decode()),))


def build(link: Link) -> str:
    """A request that `parse` reads as `link`."""
    assert link.amount is not None, "a request of this format has an amount"
    data = {
        "amount_money": {
            "amount": link.amount.amount,
            "currency_code": link.amount.currency.code,
        },
        **({"callback_url": link.callbacks.success} if link.callbacks.success else {}),
        "client_id": "kassa",
        "version": _VERSIONS[-1],
        "state": link.order,
        "options": {"supported_tender_types": [_CARD], "auto_return": True},
    }
    return build_address(SCHEME, _TARGET, (("data", write_json(data).decode()),))
