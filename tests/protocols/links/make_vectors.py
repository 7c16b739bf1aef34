"""The conformance kit: `python -m tests.protocols.links.make_vectors` writes vectors.json anew.

For whoever builds the other end, in whatever language: links and what they come to, what exactly is
signed, results and the addresses that tell them, and what must be refused. Everything in it is
fixed, Ed25519's signatures included (RFC 8032 draws no random number), so a change of the file is a
change of the contract.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any, Final

from appliance.domain.money import Money
from appliance.protocols.links import dialects, kassa, x_callback
from appliance.protocols.links.address import fill, origin
from appliance.protocols.links.messages import (
    LONGEST_LINK,
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
    Seal,
)
from appliance.protocols.links.signing import Algorithm, Key, Stamp, public

FILE: Final = Path(__file__).parents[3] / "docs" / "links" / "vectors.json"
AT: Final = 1_790_000_000
KEYS: Final = (
    Key("shop-1", Algorithm.HMAC_SHA256, bytes(range(32))),
    Key("shop-2", Algorithm.ED25519, bytes(range(32, 64)), can_sign=True),
    Key("kiosk.7", Algorithm.HMAC_SHA256, bytes(range(64, 128))),
    Key("kiosk.8", Algorithm.ED25519, bytes(range(128, 160)), can_sign=True),
)
SHOP_HMAC, SHOP_ED25519, KIOSK_HMAC, KIOSK_ED25519 = KEYS
BACK: Final = "https://shop.example/return?{response}"
EUR: Final = Money.of(4980, "EUR")


def callbacks(address: str) -> Callbacks:
    return Callbacks(address, address, address)


SELL: Final = Link("kassa", Act.SELL, "NL-10002", "", EUR, callbacks(BACK))
_TO_US: Final = callbacks(kassa.RESULT_CALLBACK)
CHAINED: Final = Link("kassa", Act.PAY, "NL 10/2 ä+", "", EUR, _TO_US, claim="H-1", payment="P-1")
PRINT: Final = Link("kassa", Act.PRINT, "NL-10002", "", None, callbacks(BACK))
X_PAY: Final = Link(
    "x-callback", Act.PAY, "NL-10002", "", EUR, Callbacks("till://good", "till://bad", "till://no")
)


def stamp(key: Key, number: int) -> Stamp:
    return Stamp(key, f"nonce-{number:010}", AT + 300)


_PAYPAL: Final = (
    "paypalhere://takePayment/v2?accepted=cash%2Ccard%2Cpaypal&returnUrl=shop%3A%2F%2Fpaid%3Fresult"
    "%3D{result}%26Type%3D{Type}%26InvoiceId%3D{InvoiceId}%26Number%3D{Number}%26GrandTotal%3D"
    "{GrandTotal}&step=choosePayment&invoice="
)
_INVOICE: Final = (
    "%7B%22paymentTerms%22%3A%22DueOnReceipt%22%2C%22currencyCode%22%3A%22EUR%22%2C%22number%22%3A"
    "%22NL-10002%22%2C%22itemList%22%3A%7B%22item%22%3A%5B%7B%22name%22%3A%22Tea%22%2C%22quantity"
    "%22%3A%222%22%2C%22unitPrice%22%3A%2220.00%22%2C%22taxRate%22%3A%2224.5%22%7D%5D%7D%7D"
)
_INVOICE_BASE64: Final = (
    "eyJjdXJyZW5jeUNvZGUiOiJFVVIiLCJudW1iZXIiOiJOTC0xMDAwMiIsIml0ZW1MaXN0Ijp7Iml0ZW0iOlt7Im5hbWUi"
    "OiJUZWEiLCJxdWFudGl0eSI6MSwidW5pdFByaWNlIjo0OS44fV19fQ=="
)
_SQUARE: Final = (
    "square-commerce-v1://payment/create?data=%7B%22amount_money%22%3A%7B%22amount%22%3A4980%2C%22"
    "currency_code%22%3A%22EUR%22%7D%2C%22callback_url%22%3A%22https%3A%2F%2Fshop.example%2Fsquare"
    "%3Fx%3D1%22%2C%22client_id%22%3A%22sq0idp-x%22%2C%22version%22%3A%221.3%22%2C%22state%22%3A"
    "%22NL-10002%22%2C%22options%22%3A%7B%22supported_tender_types%22%3A%5B%22CREDIT_CARD%22%5D%7D"
    "%7D"
)
_INTENT: Final = (
    "intent:#Intent;action=com.squareup.pos.action.CHARGE;package=com.squareup;"
    "S.browser_fallback_url=https%3A%2F%2Fshop.example%2Fget;"
    "S.com.squareup.pos.WEB_CALLBACK_URI=https%3A%2F%2Fshop.example%2Fsquare;"
    "S.com.squareup.pos.CLIENT_ID=sq0idp-x;S.com.squareup.pos.API_VERSION=v2.0;"
    "i.com.squareup.pos.TOTAL_AMOUNT=4980;S.com.squareup.pos.CURRENCY_CODE=EUR;"
    "S.com.squareup.pos.TENDER_TYPES=com.squareup.pos.TENDER_CARD;"
    "S.com.squareup.pos.REQUEST_METADATA=NL-10002;end"
)
_SUMUP: Final = (
    "sumupmerchant://pay/1.0?amount=49.80&currency=EUR&affiliate-key=k&foreign-tx-id=NL-10002"
)

REQUESTS: Final[tuple[tuple[str, str], ...]] = (
    ("the whole of it, signed with a secret", kassa.build(SELL, stamp(SHOP_HMAC, 1))),
    ("the whole of it, signed with Ed25519", kassa.build(SELL, stamp(SHOP_ED25519, 2))),
    ("a cash desk asks for the payment", kassa.build(CHAINED, stamp(SHOP_HMAC, 3))),
    ("a cash desk asks for the receipt", kassa.build(PRINT, stamp(SHOP_ED25519, 4))),
    ("from a page's own scheme", kassa.build(SELL, stamp(SHOP_HMAC, 5), web=True)),
    (
        "the first one, written in another way",
        "KASSA-API://paynow/?"
        + "&".join(
            reversed(kassa.build(SELL, stamp(SHOP_HMAC, 1)).partition("?")[2].split("&"))
        ).replace("%3A", ":").replace("%2F", "%2f").replace("NL", "%4eL"),
    ),
    ("unsigned, as short as can be", "pay-api://payNow?order=NL-10002"),
    ("unsigned, the callback as it is", f"kassa-api://payNow?callback={BACK}&order=NL-10002"),
    ("unsigned, the callback in brackets", f"kassa-api://payNow?callback=[{BACK}]&order=NL-10002"),
    ("x-callback-url, signed", x_callback.build(X_PAY, stamp(SHOP_HMAC, 6), source="Till 1")),
    ("x-callback-url, unsigned", "kassa://x-callback-url/print?order=1&x-success=till://good"),
    ("PayPal Here", _PAYPAL + _INVOICE),
    ("PayPal Here, base64", f"{_PAYPAL}{_INVOICE_BASE64}&as=b64"),
    ("Square, iOS", _SQUARE),
    ("Square, Android", _INTENT),
    ("SumUp, iOS", f"{_SUMUP}&callbacksuccess=shop%3A%2F%2Fgood&callbackfail=shop%3A%2F%2Fbad"),
    ("SumUp, Android", f"{_SUMUP}&total=49.8&callback=https%3A%2F%2Fshop.example%2Fsumup%23top"),
)  # fmt: skip

PAID: Final = Result(
    Outcome.PAID, Reason.NONE, "NL-10002", AT + 60, EUR, payment="P-1", scheme="girocard",
    pan="476173******0119", terminal="52500041", receipt_no="17", trace_no="000042",
)  # fmt: skip
RESULTS: Final = (
    PAID,
    Result(Outcome.PRINTED, Reason.NONE, "NL-10002", AT + 60),
    Result(Outcome.CANCELLED, Reason.BY_SELLER, "NL-10002", AT + 60, EUR),
    Result(
        Outcome.DECLINED, Reason.CARD_DECLINED, "NL-10002", AT + 60, EUR, "K-PAY-01",
        "Declined: 51 & more", payment="P-1",
    ),
    Result(Outcome.REFUSED, Reason.AMOUNT_DIFFERS, "NL-10002", AT + 60, EUR),
)  # fmt: skip

_SIGNED: Final = kassa.build(SELL, stamp(SHOP_HMAC, 1))
REFUSED: Final[tuple[tuple[str, str], ...]] = (
    ("no scheme of ours", "https://shop.example/payNow?order=1"),
    ("no action of ours", "kassa-api://payLater?order=1"),
    ("user-info", "kassa-api://shop@payNow?order=1"),
    ("a port", "kassa-api://payNow:1?order=1"),
    ("a fragment", "kassa-api://payNow?order=1#x"),
    ("a backslash", "kassa-api:\\\\payNow?order=1"),
    ("a space", "kassa-api://payNow?order=1 2"),
    ("a line end", "kassa-api://payNow?order=1\n"),
    ("not ASCII", "kassa-api://payNow?order=ä"),
    ("too long", "kassa-api://payNow?order=" + "1" * LONGEST_LINK),
    ("half a percent-encoding", "kassa-api://payNow?order=%4"),
    ("not UTF-8", "kassa-api://payNow?order=%FF"),
    ("a control character", "kassa-api://payNow?order=1%00"),
    ("a parameter twice", "kassa-api://payNow?order=1&order=2"),
    ("a parameter without a value", "kassa-api://payNow?order=1&callback"),
    ("an unknown parameter", f"kassa-api://payNow?order=1&tip=5&callback={BACK}"),
    ("no order", f"kassa-api://payNow?callback={BACK}"),
    ("an order that nobody sees", f"kassa-api://payNow?order=1%E2%80%8B&callback={BACK}"),
    ("an amount with a point", f"pay-api://payNow?order=1&amount=1.00&currency=EUR&callback={BACK}"),
    ("an amount without a currency", "pay-api://payNow?order=1&amount=100"),
    ("a currency that we do not know", "pay-api://payNow?order=1&amount=100&currency=XXX"),
    ("a negative amount", "pay-api://payNow?order=1&amount=-100&currency=EUR"),
    ("a huge amount", "pay-api://payNow?order=1&amount=1000000000000&currency=EUR"),
    ("half a seal", _SIGNED.partition("&sig=")[0]),
    ("a padded signature", _SIGNED + "="),
    ("a signature with spare bits", _SIGNED[:-1] + chr(ord(_SIGNED[-1]) + 1)),
    ("a time with a sign", _SIGNED.replace("exp=", "exp=%2B")),
    ("a short nonce", _SIGNED.replace("nonce=nonce-", "nonce=")),
    ("a callback without a host", "kassa-api://payNow?order=1&callback=%2Freturn"),
    ("a callback with user-info", "kassa-api://payNow?order=1&callback=https://shop.example@evil.example"),
    ("a callback with a script", "kassa-api://payNow?order=1&callback=javascript://x/%250Aalert(1)"),
    ("a callback with a placeholder for a host", "kassa-api://payNow?order=1&callback=https://{response}"),
    ("a callback that brings a result", "kassa-api://payNow?order=1&callback=https://shop.example/r?status=paid"),
    ("a page's own scheme without an act", "web+kassa://payNow?order=1"),
    ("x-callback-url, no action of ours", "kassa://x-callback-url/refund?order=1"),
    ("x-callback-url, no order", "kassa://x-callback-url/pay?x-error=till://bad"),
    ("PayPal Here, no cards", f"{_PAYPAL.replace('card', 'check')}{_INVOICE}"),
    ("PayPal Here, no number", f"{_PAYPAL}{_INVOICE.replace('number', 'n')}"),
    ("PayPal Here, another version", f"{_PAYPAL.replace('/v2', '/v3')}{_INVOICE}"),
    ("PayPal Here, a price with a comma", f"{_PAYPAL}{_INVOICE.replace('20.00', '20%2C00')}"),
    ("Square, iOS, no cards", _SQUARE.replace("CREDIT_CARD", "CASH")),
    ("Square, iOS, another version", _SQUARE.replace("1.3", "2.0")),
    ("Square, iOS, an amount with a point", _SQUARE.replace("4980", "49.80")),
    ("Square, iOS, a member twice", _SQUARE.replace("client_id", "state")),
    ("Square, Android, no cards", _INTENT.replace("TENDER_CARD", "TENDER_CASH")),
    ("Square, Android, another action", _INTENT.replace("action.CHARGE", "action.REFUND")),
    ("Square, Android, an extra twice", _INTENT.replace(";end", ";l.browser_fallback_url=1;end")),
    ("SumUp, another version", f"{_SUMUP.replace('1.0', '1.1')}&callback={BACK}"),
    ("SumUp, no id", f"{_SUMUP.replace('foreign-tx-id', 'title')}&callback={BACK}"),
    ("SumUp, two amounts", f"{_SUMUP}&total=49.81&callback={BACK}"),
)  # fmt: skip

TEMPLATES: Final = (
    "https://shop.example",
    "https://Shop.Example:443/r?a=1#top",
    "https://shop.example/r?a=1&{response}&b=2",
    "https://shop.example/r?data={response}",
    "https://shop.example/{response}",
    "https://shop.example/#/r?{response}",
    "https://[2001:db8::1]:8443/r",
    "https://xn--bcher-kva.example/r?{other}",
    "kassa-api://paymentResult?{response}",
)
NEVER_OPENED: Final = (
    "shop.example", "//shop.example", "https:shop.example", "https:///shop.example", "myapp://",
    "https:\\\\shop.example", "https://shop.example\\@evil.example", "https://a@shop.example",
    "https://shop.example:", "https://shop.example:0443", "https://shop.example.", "https://127.1",
    "https://0x7f000001", "https://2130706433", "https://[::ffff:1.2.3.4]", "https://[::1%25lo]",
    "https://xn--shop-.example", "https://b\u00fccher.example", "https://shop.example/a/%2e%2e/b",
    "https://shop.example/%00", "https://shop.example/\t", "https://{response}.example",
    "https://shop.example/{", "javascript://shop.example/x", "file://shop.example/x",
)  # fmt: skip


# --- as JSON ----------------------------------------------------------------------------------


def _money(amount: Money | None) -> dict[str, Any] | None:
    if amount is None:
        return None
    return {"minor": amount.amount, "currency": amount.currency.code}


def _seal(seal: Seal | None) -> dict[str, Any] | None:
    if seal is None:
        return None
    return {
        "kid": seal.key_id,
        "nonce": seal.nonce,
        "exp": seal.expires_at,
        "sig": urlsafe_b64encode(seal.signature).decode().rstrip("="),
        "signed": seal.text.decode(),
    }


def _link(link: Link) -> dict[str, Any]:
    back = link.callbacks
    return {
        "dialect": link.dialect,
        "act": link.act,
        "order": link.order,
        "reference": link.reference,
        "amount": _money(link.amount),
        "success": back.success,
        "failure": back.failure,
        "cancelled": back.cancelled,
        "claim": link.claim,
        "payment": link.payment,
        "seal": _seal(link.seal),
    }


def _result(result: Result) -> dict[str, Any]:
    said = {
        "outcome": result.outcome,
        "reason": result.reason,
        "order": result.order,
        "at": result.at,
        "amount": _money(result.amount),
        "code": result.code,
        "text": result.text,
        "payment": result.payment,
        "scheme": result.scheme,
        "pan": result.pan,
        "terminal": result.terminal,
        "receipt": result.receipt_no,
        "trace": result.trace_no,
    }
    return {name: value for name, value in said.items() if value not in ("", None)}


def _answers(link: Link) -> list[dict[str, Any]]:
    is_ours = link.dialect in ("kassa", "x-callback")
    key = KIOSK_ED25519 if link.seal and link.seal.key_id == SHOP_ED25519.id else KIOSK_HMAC
    sealing = stamp(key, 9) if is_ours and link.seal else None
    return [
        {
            "result": _result(result),
            "sealed_by": sealing and sealing.key.id,
            "opens": dialects.respond(link, result, sealing),
        }
        for result in RESULTS
        if is_ours or result.outcome is not Outcome.PRINTED
    ]


def _key(key: Key) -> dict[str, str]:
    if key.algorithm is Algorithm.HMAC_SHA256:
        return {"kid": key.id, "algorithm": key.algorithm, "secret": key.material.hex()}
    return {
        "kid": key.id,
        "algorithm": key.algorithm,
        "private": key.material.hex(),
        "public": public(key).material.hex(),
    }


def _refused(text: str) -> dict[str, Any]:
    try:
        dialects.parse(text)
    except LinkError as error:
        said = Result(Outcome.REFUSED, error.reason, "", AT)
        opens = error.link and dialects.respond(error.link, said)
        return {"reason": error.reason, "opens": opens}
    raise AssertionError(f"accepted: {text}")


def _came_back(link: Link, result: Result, sealing: Stamp | None) -> dict[str, Any]:
    text = kassa.respond(link, result, sealing)
    assert text is not None
    found, reference, seal = kassa.parse_result(text)
    return {"link": text, "result": _result(found), "ref": reference, "seal": _seal(seal)}


def vectors() -> dict[str, Any]:
    """The whole kit, as vectors.json has it."""
    asked = Link("kassa", Act.PAY, "NL-10002", "nonce-0000000003", None, CHAINED.callbacks)
    sealings = (None, stamp(KIOSK_HMAC, 7), stamp(KIOSK_ED25519, 8))
    return {
        "keys": [_key(key) for key in KEYS],
        "requests": [
            {"name": name, "link": text, "is": _link(link), "answers": _answers(link)}
            for name, text in REQUESTS
            for link in [dialects.parse(text)]
        ],
        "results": [
            _came_back(asked, result, sealing) for result in RESULTS for sealing in sealings
        ],
        "refused": [{"name": name, "link": text, **_refused(text)} for name, text in REFUSED],
        "templates": [
            {
                "template": template,
                "origin": origin(template),
                "response": "status=paid&order=a%26b",
                "opens": fill(template, (("status", "paid"), ("order", "a&b"))),
            }
            for template in TEMPLATES
        ],
        "never_opened": list(NEVER_OPENED),
    }


def written() -> str:
    """vectors.json, in ASCII, as some of what is in it is there to confuse."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="ascii")
