"""Our own formats: kassa-api and its kin, and x-callback-url."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.money import LARGEST_AMOUNT, Money
from appliance.protocols.links import dialects, kassa, x_callback
from appliance.protocols.links.messages import (
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
)
from appliance.protocols.links.signing import Stamp, verify
from tests.protocols.links.strategies import LINKS, PRIVATE, RESULTS, STAMPS

SHOP = "https://shop.example/r"
PAID = Result(
    Outcome.PAID,
    Reason.NONE,
    "NL 1",
    1_790_000_000,
    amount=Money.of(4980, "EUR"),
    payment="P-1",
    scheme="girocard",
    pan="476173******1234",
    terminal="52500041",
    receipt_no="17",
    trace_no="000042",
)

# --- requests ---------------------------------------------------------------------------------


def test_a_request_with_everything():
    text = (
        "kassa-api://payNow?callback=https%3A%2F%2Fshop.example%2Fr%3F%7Bresponse%7D&order=NL%2010"
        "&amount=4980&currency=EUR&claim=H-1&payment=P-1"
    )
    back = f"{SHOP}?{{response}}"
    expected = Link(
        "kassa", Act.SELL, "NL 10", "NL 10", Money.of(4980, "EUR"), Callbacks(back, back, back)
    )
    assert kassa.parse(text) == replace(expected, claim="H-1", payment="P-1")
    assert kassa.parse(text).callbacks.all == (back,)


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("kassa-api://payNow?order=1", Act.SELL),
        ("Pay-API://paynow/?order=1", Act.PAY),
        ("print-api://PAYNOW?order=1", Act.PRINT),
        ("web+kassa://payNow?order=1&act=sell", Act.SELL),
        ("web+kassa://payNow?order=1&act=pay", Act.PAY),
        ("web+kassa://payNow?act=print&order=1", Act.PRINT),
    ],
)
def test_the_scheme_says_what_is_wanted(text, act):
    assert kassa.parse(text) == Link("kassa", act, "1", "1")


@pytest.mark.parametrize(
    "text",
    [
        "pay-api://paymentStatus?order=1&payment=P-1",
        "Pay-Api://PAYMENTSTATUS/?payment=P-1&order=1",
        "web+kassa://payNow?order=1&act=status&payment=P-1",
    ],
)
def test_a_payment_is_asked_about_by_its_id(text):
    assert kassa.parse(text) == Link("kassa", Act.STATUS, "1", "1", payment="P-1")


@pytest.mark.parametrize(
    "text",
    [
        "pay-api://paymentStatus?order=1",
        "kassa-api://paymentStatus?order=1&payment=P-1",
        "web+kassa://payNow?order=1&act=status",
        "kassa://x-callback-url/status?order=1",
    ],
)
def test_a_status_of_no_payment_is_refused(text):
    with pytest.raises(LinkError) as caught:
        dialects.parse(text)
    assert caught.value.reason is Reason.MALFORMED


def test_a_result_is_told_from_a_request():
    assert kassa.is_result("Kassa-Api://paymentresult/?status=nonsense")
    assert kassa.is_result("web+kassa://paymentResult?")
    for text in ("kassa-api://payNow?order=1", "pay-api://paymentResult?at=1", "KO-1042", ""):
        assert not kassa.is_result(text)


@given(link=LINKS["kassa"], stamp=STAMPS)
def test_one_scheme_for_pages_has_all_acts(link, stamp):
    found = kassa.parse(kassa.build(link, stamp, web=True))
    assert replace(found, seal=None, reference=link.reference) == link
    assert found.seal is not None
    assert verify(stamp.key, found.seal.text, found.seal.signature)


@pytest.mark.parametrize(
    "back", ["[https://shop.example/r?{response}]", "https://shop.example/r?{response}"]
)
def test_a_callback_may_stand_in_brackets(back):
    for written in (back, quote(back, safe="")):
        link = kassa.parse(f"kassa-api://payNow?callback={written}&order=1")
        assert link.callbacks.success == "https://shop.example/r?{response}"


def test_a_cut_callback_is_not_mended():
    """Written into the link as it is, its own & ended it."""
    with pytest.raises(LinkError) as caught:
        kassa.parse("kassa-api://payNow?callback=[https://shop.example/r?a=1&{response}]&order=1")
    assert caught.value.reason is Reason.MALFORMED
    with pytest.raises(LinkError) as caught:
        kassa.parse("kassa-api://payNow?callback=[https://shop.example/r?a=1&b=2]&order=1")
    assert caught.value.reason is Reason.CALLBACK


@pytest.mark.parametrize(
    ("query", "reason", "why"),
    [
        ("", Reason.MALFORMED, "order: "),
        ("order=", Reason.MALFORMED, "order: "),
        ("order=%20", Reason.MALFORMED, "order: "),
        ("order=1%20", Reason.MALFORMED, "order: "),
        ("order=" + "1" * 129, Reason.MALFORMED, "order: "),
        ("order=%E2%80%AE1", Reason.MALFORMED, "order: "),  # turns what follows around
        ("order=%E2%80%8B1", Reason.MALFORMED, "order: "),  # nobody sees it
        ("order=1&order=2", Reason.MALFORMED, "order: given twice"),
        ("order=1&Order=2", Reason.MALFORMED, "Order: no parameter"),
        ("order=1&act=pay", Reason.MALFORMED, "act: no parameter"),
        ("order=1&status=paid", Reason.MALFORMED, "status: no parameter"),
        ("order=1&amount=1", Reason.MALFORMED, "the currency"),
        ("order=1&amount=1&currency=", Reason.MALFORMED, "the currency"),
        ("order=1&amount=1&currency=eur", Reason.MALFORMED, "the currency"),
        ("order=1&amount=1&currency=XXX", Reason.CURRENCY_DIFFERS, "a currency"),
        ("order=1&currency=EUR", Reason.AMOUNT_MALFORMED, "the amount"),
        ("order=1&amount=&currency=EUR", Reason.AMOUNT_MALFORMED, "the amount"),
        ("order=1&amount=1.00&currency=EUR", Reason.AMOUNT_MALFORMED, "the amount"),
        ("order=1&amount=-1&currency=EUR", Reason.AMOUNT_MALFORMED, "the amount"),
        ("order=1&amount=01&currency=EUR", Reason.AMOUNT_MALFORMED, "the amount"),
        ("order=1&amount=1e3&currency=EUR", Reason.AMOUNT_MALFORMED, "the amount"),
        ("order=1&amount=1000000000000&currency=EUR", Reason.AMOUNT_TOO_LARGE, "the amount"),
        ("order=1&claim=", Reason.MALFORMED, "claim: "),
        ("order=1&payment=" + "1" * 81, Reason.MALFORMED, "payment: "),
        ("order=1&kid=a", Reason.SEAL, "nonce: "),
        ("order=1&callback=shop", Reason.CALLBACK, "callback: an address to open: "),
        ("order=1&callback=javascript%3A%2F%2Fx", Reason.CALLBACK, "callback: "),
    ],
)
@pytest.mark.parametrize("start", ["pay-api://payNow", "kassa://x-callback-url/pay"])
def test_a_request_that_means_nothing_certain_is_refused(start, query, reason, why):
    if start.startswith("kassa:"):
        query = query.replace("callback=", "x-success=")
        why = why.replace("callback:", "x-success:")
    with pytest.raises(LinkError) as caught:
        (x_callback if start.startswith("kassa:") else kassa).parse(f"{start}?{query}")
    assert caught.value.reason is reason
    assert str(caught.value).startswith(why)


@pytest.mark.parametrize(
    "text",
    [
        "kassa-api://payNow/now?order=1",
        "kassa-api://pay?order=1",
        "kassa://payNow?order=1",
        "web+kassa://payNow?order=1",
        "web+kassa://payNow?order=1&act=refund",
        "web+pay://payNow?order=1&act=pay",
    ],
)
def test_another_action_is_none_of_ours(text):
    with pytest.raises(LinkError, match=r"none that we know|no action that we know"):
        kassa.parse(text)


def test_amounts_reach_as_far_as_money_does():
    link = kassa.parse(f"pay-api://payNow?order=1&amount={LARGEST_AMOUNT}&currency=JPY")
    assert link.amount == Money.of(LARGEST_AMOUNT, "JPY")
    link = kassa.parse("pay-api://payNow?order=1&amount=0&currency=JPY")
    assert link.amount == Money.of(0, "JPY")


def test_who_signed_is_answered_by_the_nonce_though_the_order_is_missing():
    stamp = Stamp(PRIVATE, "n" * 16, 1)
    text = kassa.build(Link("kassa", Act.PAY, "", ""), stamp)
    with pytest.raises(LinkError) as caught:
        kassa.parse(text)
    assert caught.value.link is not None
    assert caught.value.link.reference == "n" * 16


# --- results ----------------------------------------------------------------------------------


def test_a_result_with_everything():
    link = Link("kassa", Act.SELL, "NL 1", "n-1", callbacks=Callbacks(*[SHOP] * 3))
    assert kassa.respond(link, PAID) == (
        f"{SHOP}?status=paid&order=NL%201&amount=4980&currency=EUR&payment=P-1&scheme=girocard"
        "&pan=476173%2A%2A%2A%2A%2A%2A1234&terminal=52500041&receipt=17&trace=000042&ref=n-1"
        "&at=1790000000"
    )
    refused = Result(Outcome.REFUSED, Reason.BUSY, "NL 1", 5, code="K-SHP-07", text="Later.")
    assert kassa.respond(link, refused) == (
        f"{SHOP}?status=refused&order=NL%201&code=K-SHP-07&reason=busy&text=Later.&ref=n-1&at=5"
    )


def test_no_callback_no_answer():
    assert kassa.respond(Link("kassa", Act.SELL, "1", "1"), PAID) is None
    assert x_callback.respond(Link("x-callback", Act.SELL, "1", "1"), PAID) is None


@given(result=RESULTS, reference=st.just("") | st.from_regex(r"[a-z-]{1,64}", fullmatch=True))
@pytest.mark.parametrize("scheme", ["kassa-api", "web+kassa"])
def test_a_result_comes_back_as_it_was(scheme, result, reference):
    back = kassa.RESULT_CALLBACK.replace("kassa-api", scheme)
    link = Link("kassa", Act.PAY, "1", reference, callbacks=Callbacks(back, back, back))
    answer = kassa.respond(link, result)
    assert answer is not None
    assert answer.startswith(f"{scheme}://paymentResult?status=")
    assert kassa.parse_result(answer) == (result, reference, None)


@given(result=RESULTS, stamp=STAMPS, data=st.data())
def test_a_sealed_result_is_verified_wherever_it_is_put(result, stamp, data):
    link = Link("kassa", Act.PAY, "1", "r", callbacks=Callbacks(*[kassa.RESULT_CALLBACK] * 3))
    answer = kassa.respond(link, result, stamp)
    assert answer is not None
    found, _, seal = kassa.parse_result(answer)
    assert found == result
    assert seal is not None
    assert verify(stamp.key, seal.text, seal.signature)
    web = answer.replace("kassa-api", "web+kassa")
    assert kassa.parse_result(web)[2] == seal

    at = data.draw(st.integers(0, len(answer) - 1))
    new = data.draw(st.sampled_from("aA0&=%?/:+-"))
    try:
        other, ref, seal = kassa.parse_result(answer[:at] + new + answer[at + 1 :])
    except LinkError:
        return
    is_believed = seal is not None and verify(stamp.key, seal.text, seal.signature)
    assert not is_believed or (other, ref) == (result, "r")


@given(text=st.text(), scheme=st.text(max_size=100))
def test_no_words_make_a_result_unreadable(text, scheme):
    link = Link("kassa", Act.PAY, "1", "r", callbacks=Callbacks(*[kassa.RESULT_CALLBACK] * 3))
    answer = kassa.respond(link, replace(PAID, text=text + "\n", scheme=scheme))
    assert answer is not None
    found = kassa.parse_result(answer)[0]
    assert replace(found, text="", scheme="") == replace(PAID, text="", scheme="")


def test_a_card_number_leaves_masked():
    link = Link("kassa", Act.PAY, "1", "r", callbacks=Callbacks(*[kassa.RESULT_CALLBACK] * 3))
    answer = kassa.respond(link, replace(PAID, pan="4761739001010119"))
    assert answer is not None
    assert "pan=476173%2A%2A%2A%2A%2A%2A0119" in answer


GOOD = "kassa-api://paymentResult?status=paid&at=1"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kassa-api://payNow?status=paid&at=1", "no action"),
        ("pay-api://paymentResult?status=paid&at=1", "no action"),
        ("kassa-api://paymentResult", "at: |status or reason"),
        ("kassa-api://paymentResult?status=paid", "at: no number of seconds"),
        ("kassa-api://paymentResult?status=paid&at=-1", "at: no number of seconds"),
        ("kassa-api://paymentResult?status=maybe&at=1", "status or reason"),
        (f"{GOOD}&reason=mood", "status or reason"),
        (f"{GOOD}&reason=busy", "contradict"),
        ("kassa-api://paymentResult?status=refused&at=1", "contradict"),
        (f"{GOOD}&status=paid", "given twice"),
        (f"{GOOD}&extra=1", "extra: no parameter"),
        (f"{GOOD}&pan=4761739001010119", "pan: no masked"),
        (f"{GOOD}&pan=x", "pan: no masked"),
        (f"{GOOD}&pan=" + "1" * 20, "pan: no masked"),
        (f"{GOOD}&amount=1", "the currency"),
        (f"{GOOD}&currency=EUR", "the amount"),
        (f"{GOOD}&payment=" + "1" * 81, "payment: "),
        (f"{GOOD}&text=" + "1" * 301, "text: "),
        (f"{GOOD}&ref=" + "1" * 129, "ref: "),
        (f"{GOOD}&kid=a", "nonce: "),
    ],
)
def test_a_result_that_means_nothing_certain_is_refused(text, why):
    with pytest.raises(LinkError, match=f"^(?:{why})|{why}"):
        kassa.parse_result(text)


def test_a_card_number_in_a_foreign_text_is_masked():
    result, ref, seal = kassa.parse_result(f"{GOOD}&text=Card%204761739001010119&ref=a")
    assert (result.text, ref, seal) == ("Card 476173******0119", "a", None)


# --- x-callback-url ---------------------------------------------------------------------------

THREE = "x-success=app://good&x-error=app://bad&x-cancel=app://stopped&x-source=Till&x-new=1"


@pytest.mark.parametrize("action", ["sell", "PAY", "print/"])
def test_the_action_says_what_is_wanted(action):
    link = x_callback.parse(f"kassa://X-Callback-Url/{action}?order=1&{THREE}")
    act = Act(action.lower().strip("/"))
    expected = Link("x-callback", act, "1", "1")
    assert link == replace(
        expected, callbacks=Callbacks("app://good", "app://bad", "app://stopped")
    )


@pytest.mark.parametrize(
    "text",
    [
        "kassa://x-callback-url?order=1",
        "kassa://x-callback-url/refund?order=1",
        "kassa://payNow?order=1",
        "other://x-callback-url/pay?order=1",
    ],
)
def test_another_x_callback_is_none_of_ours(text):
    with pytest.raises(LinkError, match=r"no action that we know|no x-callback-url of ours"):
        x_callback.parse(text)


@pytest.mark.parametrize(
    ("outcome", "reason", "expected"),
    [
        (Outcome.PAID, Reason.NONE, "app://good?status=paid&"),
        (Outcome.PRINTED, Reason.NONE, "app://good?status=printed&"),
        (Outcome.CANCELLED, Reason.TIMED_OUT, "app://stopped?status=cancelled&"),
        (
            Outcome.DECLINED,
            Reason.CARD_DECLINED,
            "app://bad?errorCode=card_declined&errorMessage=The%20card%20was%20declined."
            "&status=declined&",
        ),
        (
            Outcome.REFUSED,
            Reason.SHOP,
            "app://bad?errorCode=shop&errorMessage=The%20shop%20could%20not%20be%20reached."
            "&status=refused&",
        ),
    ],
)
def test_each_end_has_its_own_address(outcome, reason, expected):
    link = x_callback.parse(f"kassa://x-callback-url/pay?order=1&{THREE}")
    answer = x_callback.respond(link, Result(outcome, reason, "1", 1))
    assert answer is not None
    assert answer.startswith(expected)


def test_a_cancellation_without_an_address_of_its_own_is_an_error():
    link = x_callback.parse("kassa://x-callback-url/pay?order=1&x-error=app://bad")
    answer = x_callback.respond(link, Result(Outcome.CANCELLED, Reason.BY_SELLER, "1", 1, text="x"))
    assert answer is not None
    assert answer.startswith("app://bad?errorCode=by_seller&errorMessage=x&status=cancelled&")


def test_our_name_is_told():
    link = Link("x-callback", Act.PAY, "1", "1")
    assert "x-source=Till%201" in x_callback.build(link, source="Till 1")
