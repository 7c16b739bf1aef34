"""SumUp's payment switch.

    sumupmerchant://pay/1.0?amount=…&currency=…&affiliate-key=…&foreign-tx-id=…&…

Source: sumup/sumup-ios-url-scheme (README.md, Sources/SMPPayment/SMPPaymentRequest.m),
sumup/sumup-android-api (README.md, and its older version for 1.55).

total (Android, from application 1.88) or amount (iOS, and older Android): a decimal with a point;
Android's document asks for both where old applications are about: then they must agree. currency:
ISO 4217. foreign-tx-id: at most 128 printable ASCII characters, unique; optional there, but it is
the order's number to us. callbacksuccess and callbackfail (iOS), or callback (Android); who sends
all three, for one link on both, is answered as on iOS. affiliate-key, app-id, title, receipt-email,
receipt-mobilephone, skip-screen-success and tags of the caller's own are ignored. "+" is a plus: a
sample of SumUp's has a telephone number with a bare one.

Response, appended to the callback.
- iOS: smp-status (success, failed, or invalidstate: not ready to accept a payment), smp-tx-code,
  foreign-tx-id. The SDK has a name for smp-message too, the document has not; it is left out.
- Android: smp-status (success or failed), smp-failure-cause where it failed (transaction-failed,
  geolocation-required, invalid-param, invalid-token), smp-message, smp-receipt-sent, smp-tx-code,
  foreign-tx-id, in the order of the document's examples. Its examples for the web leave out
  foreign-tx-id, but their links have none; its examples for applications, with one, return it.
smp-tx-code is our payment's id, of a declined one too, as in the document's examples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from appliance.protocols.links import codes, fields
from appliance.protocols.links.address import Pairs, fill, read
from appliance.protocols.links.address import build as build_address
from appliance.protocols.links.codes import Name
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

SCHEME: Final = "sumupmerchant"

_TARGET: Final = "pay/1.0"
_RESPONSE: Final = (
    *("smp-status", "smp-failure-cause", "smp-message", "smp-receipt-sent", "smp-tx-code"),
    "foreign-tx-id",
)


def parse(text: str) -> Link:
    """A request. Raises LinkError."""
    address = read(text)
    if address.scheme != SCHEME or not address.target.startswith("pay/"):
        raise LinkError(Reason.MALFORMED, "no pay")
    values = dict(address.params)
    name, callbacks = _callbacks(values)
    told = Link(name, Act.SELL, "", "", callbacks=callbacks)
    with fields.telling(told):
        number = fields.order(values.get("foreign-tx-id", ""), "foreign-tx-id")
        if not number.isascii():
            raise LinkError(Reason.MALFORMED, "foreign-tx-id: not ASCII")
    told = replace(told, order=number, reference=number, back={"foreign-tx-id": number})
    with fields.telling(told):
        if address.target != _TARGET:
            raise LinkError(Reason.VERSION, "another version of pay")
        amounts = {
            fields.decimal(values[name], values.get("currency", ""), least=1)
            for name in ("total", "amount")
            if name in values
        }
        if len(amounts) != 1:
            raise LinkError(Reason.AMOUNT_MALFORMED, "total, amount: none, or two that differ")
        return replace(told, amount=amounts.pop())


def _callbacks(values: dict[str, str]) -> tuple[Name, Callbacks]:
    def callback(name: str) -> str:
        return fields.callback(values.get(name, ""), name, _RESPONSE)

    if values.get("callbacksuccess") or values.get("callbackfail"):
        failed = callback("callbackfail")
        return Name.SUMUP_IOS, Callbacks(callback("callbacksuccess"), failed, failed)
    return Name.SUMUP_ANDROID, Callbacks(*[callback("callback")] * 3)


def respond(link: Link, result: Result, stamp: Stamp | None = None) -> str | None:
    """The address to open, or None where the caller named none. stamp: the format has no seal."""
    template = fields.chosen(link.callbacks, result.outcome)
    if not template:
        return None
    said: Pairs
    if link.dialect == Name.SUMUP_IOS:
        said = (("smp-status", codes.code(Name.SUMUP_IOS, result.reason)),)
    else:
        said = (
            ("smp-status", "success" if result.outcome is Outcome.PAID else "failed"),
            ("smp-failure-cause", codes.code(Name.SUMUP_ANDROID, result.reason)),
            ("smp-message", codes.words(result)),
            ("smp-receipt-sent", "false"),
        )
    said = (*said, ("smp-tx-code", result.payment), *link.back.items())
    return fill(template, tuple((name, value) for name, value in said if value))


def build(link: Link) -> str:
    """A request that `parse` reads as `link`, in the way of the platform of its dialect."""
    assert link.amount is not None, "a request of this format has an amount"
    callbacks: Pairs = (("callback", link.callbacks.success),)
    if link.dialect == Name.SUMUP_IOS:
        callbacks = (
            ("callbacksuccess", link.callbacks.success),
            ("callbackfail", link.callbacks.failure),
        )
    params = (
        ("affiliate-key", "kassa"),
        ("total", f"{link.amount.decimal():f}"),
        ("currency", link.amount.currency.code),
        ("foreign-tx-id", link.order),
        *callbacks,
    )
    return build_address(SCHEME, _TARGET, tuple((name, value) for name, value in params if value))
