"""The formats of others: PayPal Here, Square, SumUp."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.money import Money
from appliance.protocols.links import paypal_here, square_android, square_ios, sumup
from appliance.protocols.links.messages import (
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
)

SHOP = "https://shop.example/r"
EUR = Money.of(4980, "EUR")
PAID = Result(Outcome.PAID, Reason.NONE, "17", 1_790_000_000, amount=EUR, payment="P-1")
DECLINED = Result(Outcome.DECLINED, Reason.CARD_DECLINED, "17", 1_790_000_000, amount=EUR)


def refused(module, text):
    with pytest.raises(LinkError) as caught:
        module.parse(text)
    return caught.value.reason


# --- PayPal Here ------------------------------------------------------------------------------

ITEM = {"name": "T", "quantity": "1", "unitPrice": "49.80", "taxName": "Tax", "taxRate": "0"}
INVOICE = {
    "paymentTerms": "DueOnReceipt",
    "discountPercent": "0",
    "currencyCode": "EUR",
    "number": "17",
    "payerEmail": "buyer@shop.example",
    "itemList": {"item": [ITEM]},
}


def paypal(invoice=INVOICE, *, base64=False, back="", **params):
    text = json.dumps(invoice)
    written = b64encode(text.encode()).decode() if base64 else quote(text, safe="")
    rest = "".join(f"&{name}={quote(value, safe='')}" for name, value in params.items())
    tail = f"&returnUrl={quote(back, safe='')}" if back else ""
    return f"paypalhere://takePayment?invoice={written}{'&as=b64' if base64 else ''}{rest}{tail}"


@pytest.mark.parametrize("base64", [False, True])
@pytest.mark.parametrize("target", ["takePayment", "takePayment/", "takePayment/v2", "TAKEPAYMENT"])
def test_an_invoice_is_read(base64, target):
    text = paypal(base64=base64, accepted="cash, card,paypal", step="choosePayment", back=SHOP)
    link = paypal_here.parse(text.replace("takePayment", target))
    expected = Link("paypal-here", Act.SELL, "17", "17", EUR, Callbacks(SHOP, SHOP, SHOP))
    assert link == expected


def test_base64_may_stand_in_the_link_as_it_is():
    invoice = {**INVOICE, "payerEmail": "ü>>?~~~"}
    text = paypal(invoice, base64=True)
    assert "+" in text
    assert paypal_here.parse(text.rstrip("=")).order == "17"


def with_items(*items, **members):
    return {**INVOICE, "itemList": {"item": [{**ITEM, **item} for item in items]}, **members}


@pytest.mark.parametrize(
    ("invoice", "expected"),
    [
        (with_items({"quantity": "2"}), 9960),
        (with_items({"quantity": 2, "unitPrice": 24.9}), 4980),  # as the Android sample has it
        (with_items({"quantity": "0.5", "unitPrice": "10"}), 500),
        (with_items({"unitPrice": "10", "taxRate": "19.0000"}), 1190),
        (with_items({"unitPrice": "10", "taxRate": "19"}, discountPercent="50"), 595),
        (with_items({"unitPrice": "0"}), 0),
        (with_items({"unitPrice": "0.1"}, {"unitPrice": "0.2"}), 30),
        (with_items({"unitPrice": "10.00"}, merchantEmail="x"), 1000),
        (with_items({"unitPrice": "29.99", "taxRate": "8.5000"}, {"unitPrice": "5.0"}), 3754),
        # 0.5 cents each: rounded once or line by line is not the same
        (with_items({"unitPrice": "0.005"}, {"unitPrice": "0.005"}), None),
        (with_items(*[{"unitPrice": "10.05", "taxRate": "10"}] * 2), None),
        # what may change the total in a way that nobody describes
        (with_items({}, discountAmount="1"), None),
        (with_items({}, taxInclusive="true"), None),
        (with_items({"discount": "1"}), None),
    ],
)
def test_a_total_is_exact_or_none(invoice, expected):
    amount = paypal_here.parse(paypal(invoice)).amount
    assert amount == (None if expected is None else Money.of(expected, "EUR"))


def test_a_total_knows_its_currency():
    invoice = with_items({"unitPrice": "49"}, currencyCode="JPY")
    assert paypal_here.parse(paypal(invoice)).amount == Money.of(49, "JPY")


@pytest.mark.parametrize(
    ("invoice", "reason"),
    [
        ([], Reason.MALFORMED),
        ({**INVOICE, "number": ""}, Reason.MALFORMED),
        ({**INVOICE, "number": 17}, Reason.MALFORMED),
        ({**INVOICE, "number": "1\n7"}, Reason.MALFORMED),
        ({**INVOICE, "number": "\ud800"}, Reason.MALFORMED),
        ({**INVOICE, "currencyCode": None}, Reason.MALFORMED),
        ({**INVOICE, "currencyCode": "XXX"}, Reason.CURRENCY_DIFFERS),
        ({**INVOICE, "itemList": [ITEM]}, Reason.MALFORMED),
        ({**INVOICE, "itemList": {}}, Reason.MALFORMED),
        ({**INVOICE, "itemList": {"item": []}}, Reason.MALFORMED),
        ({**INVOICE, "itemList": {"item": ["x"]}}, Reason.MALFORMED),
        (with_items({"unitPrice": "-1"}), Reason.AMOUNT_MALFORMED),
        (with_items({"unitPrice": "1,50"}), Reason.AMOUNT_MALFORMED),
        (with_items({"unitPrice": "1e3"}), Reason.AMOUNT_MALFORMED),
        (with_items({"unitPrice": 1e30}), Reason.AMOUNT_MALFORMED),
        (with_items({"unitPrice": True}), Reason.MALFORMED),
        (with_items({"quantity": ""}), Reason.AMOUNT_MALFORMED),
        (with_items({"taxRate": "101"}), Reason.AMOUNT_MALFORMED),
        (with_items({}, discountPercent="100.01"), Reason.AMOUNT_MALFORMED),
        (with_items({"unitPrice": "10000000000"}), Reason.AMOUNT_TOO_LARGE),
        (with_items({"quantity": "9" * 12, "unitPrice": "9" * 12}), Reason.AMOUNT_TOO_LARGE),
    ],
)
def test_a_doubtful_invoice_is_refused(invoice, reason):
    assert refused(paypal_here, paypal(invoice)) is reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("paypalhere://takePayment", Reason.MALFORMED),
        ("paypalhere://takePayments?x=1", Reason.MALFORMED),
        ("other://takePayment?x=1", Reason.MALFORMED),
        ("paypalhere://takePayment?invoice={", Reason.MALFORMED),
        ("paypalhere://takePayment?invoice=%7B%22number%22%3ANaN%7D", Reason.MALFORMED),
        ("paypalhere://takePayment?invoice={" + "%22a%22:[" * 800, Reason.MALFORMED),
        (
            "paypalhere://takePayment?invoice=%7B%22number%22:%221%22,%22number%22:%222%22%7D",
            Reason.MALFORMED,
        ),
        ("paypalhere://takePayment?as=b64&invoice=%2A", Reason.MALFORMED),
        ("paypalhere://takePayment?as=b64&invoice=_w", Reason.MALFORMED),
        ("paypalhere://takePayment?as=b64&invoice=/w", Reason.MALFORMED),
        (paypal(accepted="cash,check"), Reason.TENDER),
        (paypal(back=f"{SHOP}?Type=CASH"), Reason.CALLBACK),
        (paypal(back="shop"), Reason.CALLBACK),
    ],
)
def test_a_sideload_that_means_nothing_certain_is_refused(text, reason):
    assert refused(paypal_here, text) is reason


TEMPLATE = (
    "app://takePayment/{result}?Type={Type}&InvoiceId={InvoiceId}&Tip={Tip}&TxId={TxId}"
    "&Number={Number}&GrandTotal={GrandTotal}&Email={Email}&x={Other}&type=mine"
)


def test_a_return_url_is_filled():
    link = paypal_here.parse(paypal(back=TEMPLATE))
    assert paypal_here.respond(link, PAID) == (
        "app://takePayment/?Type=CHIP&InvoiceId=P-1&Tip=0&TxId=P-1&Number=17&GrandTotal=49.80"
        "&Email=&x=%7BOther%7D&type=mine"
    )
    assert paypal_here.respond(link, DECLINED) == (
        "app://takePayment/?Type=UNKNOWN&InvoiceId=&Tip=&TxId=&Number=17&GrandTotal="
        "&Email=&x=%7BOther%7D&type=mine"
    )
    link = paypal_here.parse(paypal(back=f"{SHOP}?a=1"))
    assert paypal_here.respond(link, PAID) == (
        f"{SHOP}?a=1&Type=CHIP&InvoiceId=P-1&Tip=0&TxId=P-1&Number=17&GrandTotal=49.80"
    )
    assert paypal_here.respond(link, DECLINED) == f"{SHOP}?a=1&Type=UNKNOWN&Number=17"
    assert paypal_here.respond(link, replace(PAID, amount=None, payment="")) == (
        f"{SHOP}?a=1&Type=CHIP&Tip=0&Number=17"
    )
    assert paypal_here.respond(paypal_here.parse(paypal()), PAID) is None


@given(st.integers(0, 999_999_999_999), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_an_invoice_need_not_be_base64(amount, code):
    link = Link("paypal-here", Act.SELL, "17", "17", Money.of(amount, code))
    assert paypal_here.parse(paypal_here.build(link, base64=False)) == link


# --- Square, iOS ------------------------------------------------------------------------------

DATA = {
    "amount_money": {"amount": 4980, "currency_code": "EUR"},
    "callback_url": SHOP,
    "client_id": "sq0ids-x",
    "version": "1.3",
    "notes": "für\nden Kunden",
    "state": "17",
    "options": {"supported_tender_types": ["CREDIT_CARD", "CASH"], "auto_return": True},
}


def square(**members):
    data = {name: value for name, value in {**DATA, **members}.items() if value is not None}
    return f"square-commerce-v1://payment/create?data={quote(json.dumps(data), safe='')}"


def test_a_charge_from_ios_is_read():
    expected = Link(
        "square-ios", Act.SELL, "17", "17", EUR, Callbacks(SHOP, SHOP, SHOP), back={"state": "17"}
    )
    assert square_ios.parse(square()) == expected
    text = {"amount": "4980", "currency_code": "EUR"}
    assert square_ios.parse(square(amount_money=text)) == expected
    assert square_ios.parse(square(options=None, notes=None, extra=[1])) == expected
    # as the encoder of HTML forms has it
    assert square_ios.parse(square().replace("%20", "+").replace("create?", "create/?")) == expected
    assert square_ios.parse(square(state="a+b")).order == "a+b"
    assert square_ios.parse(square(callback_url=None)).callbacks == Callbacks()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"state": None}, Reason.MALFORMED),
        ({"state": ""}, Reason.MALFORMED),
        ({"state": 17}, Reason.MALFORMED),
        ({"callback_url": 1}, Reason.MALFORMED),
        ({"callback_url": "shop"}, Reason.CALLBACK),
        ({"callback_url": f"{SHOP}?data=x"}, Reason.CALLBACK),
        ({"version": None}, Reason.VERSION),
        ({"version": "2.0"}, Reason.VERSION),
        ({"version": 1.3}, Reason.MALFORMED),
        ({"options": []}, Reason.MALFORMED),
        ({"options": {"supported_tender_types": "CREDIT_CARD"}}, Reason.MALFORMED),
        ({"options": {"supported_tender_types": ["CASH", {}]}}, Reason.TENDER),
        ({"options": {"supported_tender_types": []}}, Reason.TENDER),
        ({"amount_money": None}, Reason.MALFORMED),
        ({"amount_money": 4980}, Reason.MALFORMED),
        ({"amount_money": {"currency_code": "EUR"}}, Reason.AMOUNT_MALFORMED),
        ({"amount_money": {"amount": 49.8, "currency_code": "EUR"}}, Reason.AMOUNT_MALFORMED),
        ({"amount_money": {"amount": -1, "currency_code": "EUR"}}, Reason.AMOUNT_MALFORMED),
        ({"amount_money": {"amount": 0, "currency_code": "EUR"}}, Reason.AMOUNT_TOO_SMALL),
        ({"amount_money": {"amount": 10**12, "currency_code": "EUR"}}, Reason.AMOUNT_TOO_LARGE),
        ({"amount_money": {"amount": 1, "currency_code": "XXX"}}, Reason.CURRENCY_DIFFERS),
        ({"amount_money": {"amount": 1, "currency": "EUR"}}, Reason.MALFORMED),
    ],
)
def test_a_doubtful_charge_from_ios_is_refused(members, reason):
    assert refused(square_ios, square(**members)) is reason


@pytest.mark.parametrize(
    "text",
    [
        "square-commerce-v1://payment/create",
        "square-commerce-v1://payment?data=%7B%7D",
        "square-commerce-v2://payment/create?data=%7B%7D",
        "square-commerce-v1://payment/create?data=%5B%5D",
    ],
)
def test_another_address_is_no_charge(text):
    assert refused(square_ios, text) is Reason.MALFORMED


def said(address):
    return dict(parse_qsl(urlsplit(address).query, strict_parsing=True, keep_blank_values=True))


def test_ios_gets_its_json():
    link = square_ios.parse(square(callback_url=f"{SHOP}?a=1"))
    answer = said(square_ios.respond(link, PAID))
    assert answer["a"] == "1"
    assert json.loads(answer["data"]) == {
        "status": "ok",
        "transaction_id": "P-1",
        "client_transaction_id": "P-1",
        "state": "17",
    }
    answer = said(square_ios.respond(link, DECLINED))
    assert json.loads(answer["data"]) == {
        "status": "error",
        "error_code": "payment_canceled",
        "state": "17",
    }
    assert square_ios.respond(square_ios.parse(square(callback_url=None)), PAID) is None


# --- Square, Android --------------------------------------------------------------------------

EXTRAS = {
    "action": "com.squareup.pos.action.CHARGE",
    "package": "com.squareup",
    "S.browser_fallback_url": "https://shop.example/get-the-app",
    "S.com.squareup.pos.WEB_CALLBACK_URI": SHOP,
    "S.com.squareup.pos.CLIENT_ID": "sq0ids-x",
    "S.com.squareup.pos.API_VERSION": "v2.0",
    "i.com.squareup.pos.TOTAL_AMOUNT": "4980",
    "S.com.squareup.pos.CURRENCY_CODE": "EUR",
    "S.com.squareup.pos.TENDER_TYPES": "com.squareup.pos.TENDER_CASH,com.squareup.pos.TENDER_CARD",
    "S.com.squareup.pos.REQUEST_METADATA": "17+4",
    "l.com.squareup.pos.AUTO_RETURN_TIMEOUT_MS": "3200",
    "B.x": "true",
}


def intent(start="intent:#Intent;", end="end", **changes):
    names = {
        "ACTION": "action",
        "PACKAGE": "package",
        "TOTAL_AMOUNT": "i.com.squareup.pos.TOTAL_AMOUNT",
    }
    changed = {
        names.get(name, f"S.com.squareup.pos.{name}"): value for name, value in changes.items()
    }
    pairs = {name: value for name, value in {**EXTRAS, **changed}.items() if value is not None}
    return (
        start + "".join(f"{name}={quote(value, safe='+')};" for name, value in pairs.items()) + end
    )


def test_a_charge_from_android_is_read():
    expected = Link(
        "square-android",
        Act.SELL,
        "17+4",
        "17+4",
        EUR,
        Callbacks(SHOP, SHOP, SHOP),
        back={"com.squareup.pos.REQUEST_METADATA": "17+4"},
    )
    assert square_android.parse(intent()) == expected
    assert square_android.parse(intent(start="INTENT://#Intent;")) == expected
    assert square_android.parse(intent(PACKAGE=None, TENDER_TYPES=None, NOTE="a;b=c")) == expected
    # most pages write addresses as they are
    assert square_android.parse(intent().replace("%3A", ":").replace("%2F", "/")) == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ACTION": None}, Reason.MALFORMED),
        ({"ACTION": "android.intent.action.VIEW"}, Reason.MALFORMED),
        ({"PACKAGE": "com.example"}, Reason.MALFORMED),
        ({"start": "intent://host/path#Intent;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;SEL;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;=1;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;action=x;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;i.browser_fallback_url=1;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;x= ;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;x=%;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;x=%0A;"}, Reason.MALFORMED),
        ({"start": "intent:#Intent;" + "".join(f"x{n}=;" for n in range(64))}, Reason.MALFORMED),
        ({"start": "intent:#Intent;x=" + "1" * 8192 + ";"}, Reason.MALFORMED),
        ({"end": "end;"}, Reason.MALFORMED),
        ({"end": ""}, Reason.MALFORMED),
        ({"WEB_CALLBACK_URI": "shop"}, Reason.CALLBACK),
        ({"WEB_CALLBACK_URI": f"{SHOP}?com.squareup.pos.ERROR_CODE=x"}, Reason.CALLBACK),
        ({"REQUEST_METADATA": None}, Reason.MALFORMED),
        ({"API_VERSION": None}, Reason.VERSION),
        ({"API_VERSION": "v1.3"}, Reason.VERSION),
        ({"TENDER_TYPES": "com.squareup.pos.TENDER_CARD_ON_FILE"}, Reason.TENDER),
        ({"TOTAL_AMOUNT": None}, Reason.AMOUNT_MALFORMED),
        ({"TOTAL_AMOUNT": "49.80"}, Reason.AMOUNT_MALFORMED),
        ({"TOTAL_AMOUNT": "0"}, Reason.AMOUNT_TOO_SMALL),
        ({"CURRENCY_CODE": "XXX"}, Reason.CURRENCY_DIFFERS),
    ],
)
def test_a_doubtful_charge_from_android_is_refused(changes, reason):
    assert refused(square_android, intent(**changes)) is reason


def test_an_empty_intent_is_none():
    assert refused(square_android, "intent:#Intent;end") is Reason.MALFORMED
    assert refused(square_android, "intent:#Intent;fooend") is Reason.MALFORMED


def test_android_gets_its_parameters():
    link = square_android.parse(intent())
    space = "com.squareup.pos."
    assert said(square_android.respond(link, PAID)) == {
        f"{space}CLIENT_TRANSACTION_ID": "P-1",
        f"{space}SERVER_TRANSACTION_ID": "P-1",
        f"{space}REQUEST_METADATA": "17+4",
    }
    assert said(square_android.respond(link, DECLINED)) == {
        f"{space}ERROR_CODE": f"{space}ERROR_TRANSACTION_CANCELED",
        f"{space}ERROR_DESCRIPTION": "The card was declined.",
        f"{space}REQUEST_METADATA": "17+4",
    }
    native = square_android.parse(intent(WEB_CALLBACK_URI=None))
    assert square_android.respond(native, PAID) is None


# --- SumUp ------------------------------------------------------------------------------------


def switch(**params):
    known = {
        "affiliate-key": "7ca84f17",
        "app-id": "com.example.shop",
        "amount": "49.80",
        "currency": "EUR",
        "title": "Taxi Ride",
        "receipt-mobilephone": "+4930123",
        "foreign-tx-id": "17",
        "AccountId": "taxi0334",
    }
    named = {name.replace("_", "-"): value for name, value in params.items()}
    pairs = {name: value for name, value in {**known, **named}.items() if value is not None}
    written = "&".join(f"{name}={quote(value, safe='+')}" for name, value in pairs.items())
    return f"sumupmerchant://pay/1.0?{written}"


def test_a_payment_switch_is_read():
    android = Link(
        "sumup-android",
        Act.SELL,
        "17",
        "17",
        EUR,
        Callbacks(SHOP, SHOP, SHOP),
        back={"foreign-tx-id": "17"},
    )
    assert sumup.parse(switch(callback=SHOP)) == android
    assert sumup.parse(switch(callback=SHOP, total="49.8")) == android
    assert sumup.parse(switch(callback=SHOP, amount=None, total="49.80")) == android
    assert sumup.parse(switch()) == replace(android, callbacks=Callbacks())
    ios = replace(android, dialect="sumup-ios", callbacks=Callbacks(SHOP, "app://bad", "app://bad"))
    both = switch(callbacksuccess=SHOP, callbackfail="app://bad", callback="app://all")
    assert sumup.parse(both) == ios
    only = sumup.parse(switch(callbacksuccess=SHOP))
    assert only == replace(ios, callbacks=Callbacks(SHOP))
    assert sumup.respond(only, DECLINED) is None


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"foreign_tx_id": None}, Reason.MALFORMED),
        ({"foreign_tx_id": "ä"}, Reason.MALFORMED),
        ({"foreign_tx_id": "1" * 129}, Reason.MALFORMED),
        ({"amount": None}, Reason.AMOUNT_MALFORMED),
        ({"total": "49.81"}, Reason.AMOUNT_MALFORMED),
        ({"amount": "49,80"}, Reason.AMOUNT_MALFORMED),
        ({"amount": "49.801"}, Reason.AMOUNT_MALFORMED),
        ({"amount": "-49.80"}, Reason.AMOUNT_MALFORMED),
        ({"amount": "+49.80"}, Reason.AMOUNT_MALFORMED),
        ({"amount": "4e1"}, Reason.AMOUNT_MALFORMED),
        ({"amount": "0.00"}, Reason.AMOUNT_TOO_SMALL),
        ({"amount": "10000000000.00"}, Reason.AMOUNT_TOO_LARGE),
        ({"currency": None}, Reason.MALFORMED),
        ({"currency": "XXX"}, Reason.CURRENCY_DIFFERS),
        ({"callback": "shop"}, Reason.CALLBACK),
        ({"callback": f"{SHOP}?smp-tx-code=1"}, Reason.CALLBACK),
        ({"callbackfail": "shop"}, Reason.CALLBACK),
        ({"callbacksuccess": "shop"}, Reason.CALLBACK),
    ],
)
def test_a_doubtful_switch_is_refused(params, reason):
    assert refused(sumup, switch(**params)) is reason


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("sumupmerchant://pay/1.1", Reason.VERSION),
        ("sumupmerchant://pay", Reason.MALFORMED),
        ("sumupmerchant://refund/1.0", Reason.MALFORMED),
        ("sumup://pay/1.0", Reason.MALFORMED),
    ],
)
def test_another_address_is_no_switch(start, reason):
    assert refused(sumup, switch().replace("sumupmerchant://pay/1.0", start)) is reason


def test_each_platform_gets_its_own_response():
    link = sumup.parse(switch(callbacksuccess="app://good?a=1", callbackfail="app://bad"))
    assert sumup.respond(link, PAID) == (
        "app://good?a=1&smp-status=success&smp-tx-code=P-1&foreign-tx-id=17"
    )
    assert sumup.respond(link, DECLINED) == "app://bad?smp-status=failed&foreign-tx-id=17"
    busy = Result(Outcome.REFUSED, Reason.BUSY, "17", 1)
    assert sumup.respond(link, busy) == "app://bad?smp-status=invalidstate&foreign-tx-id=17"
    link = sumup.parse(switch(callback=SHOP))
    assert sumup.respond(link, PAID) == (
        f"{SHOP}?smp-status=success&smp-message=Done.&smp-receipt-sent=false&smp-tx-code=P-1"
        "&foreign-tx-id=17"
    )
    assert sumup.respond(link, busy) == (
        f"{SHOP}?smp-status=failed&smp-failure-cause=transaction-failed"
        "&smp-message=The%20counter%20is%20busy.&smp-receipt-sent=false&foreign-tx-id=17"
    )


@given(st.text(max_size=40))
def test_any_json_is_an_invoice_or_none(text):
    for module, link in (
        (paypal_here, f"paypalhere://takePayment?invoice={quote(text, safe='')}"),
        (square_ios, f"square-commerce-v1://payment/create?data={quote(text, safe='')}"),
    ):
        with pytest.raises(LinkError):
            module.parse(link)
