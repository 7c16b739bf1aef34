"""What holds for every dialect, whatever the link."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.links import (
    codes,
    dialects,
    fields,
    kassa,
    paypal_here,
    square_android,
    square_ios,
    sumup,
    x_callback,
)
from appliance.protocols.links.address import origin
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import (
    LONGEST_LINK,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
)
from appliance.protocols.links.signing import verify
from tests.protocols.links.strategies import LINKS, RESULTS, STAMPS

BUILD: Mapping[str, Callable[..., str]] = {
    Name.KASSA: kassa.build,
    Name.X_CALLBACK: x_callback.build,
    Name.PAYPAL_HERE: paypal_here.build,
    Name.SQUARE_IOS: square_ios.build,
    Name.SQUARE_ANDROID: square_android.build,
    Name.SUMUP_IOS: sumup.build,
    Name.SUMUP_ANDROID: sumup.build,
}
ANY = st.sampled_from(Name).flatmap(LINKS.__getitem__)
OURS = st.sampled_from([Name.KASSA, Name.X_CALLBACK]).flatmap(LINKS.__getitem__)


def sealed(link, stamp):
    return BUILD[link.dialect](link, stamp)


@given(link=ANY)
def test_what_is_built_is_what_is_read(link):
    assert dialects.parse(BUILD[link.dialect](link)) == link


@given(link=OURS, stamp=STAMPS)
def test_a_seal_that_is_built_is_verified(link, stamp):
    found = dialects.parse(sealed(link, stamp))
    assert found.seal is not None
    assert verify(stamp.key, found.seal.text, found.seal.signature)
    assert found.seal.key_id == stamp.key.id
    assert found.seal.expires_at == stamp.expires_at
    assert found.reference == found.seal.nonce == stamp.nonce
    assert replace(found, seal=None, reference=found.order) == link


def parsed(text):
    try:
        return dialects.parse(text)
    except LinkError as error:
        return error


def is_forged(text, stamp, original):
    """Whether it passes for the caller's, and asks for something else."""
    found = parsed(text)
    if isinstance(found, LinkError):
        return False
    if found.seal is None or not verify(stamp.key, found.seal.text, found.seal.signature):
        return False
    return replace(found, seal=None) != replace(original, seal=None)


@given(data=st.data(), link=OURS, stamp=STAMPS)
def test_no_change_of_one_character_is_believed(data, link, stamp):
    text = sealed(link, stamp)
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.sampled_from("aA0&=%?#/.:+-_~{\\ \n\x00ä") | st.characters())
    original = dialects.parse(text)
    for changed in (
        text[:at] + new + text[at + 1 :],
        text[:at] + new + text[at:],
        text[:at] + text[at + 1 :],
    ):
        assert not is_forged(changed, stamp, original)


@given(link=OURS, stamp=STAMPS)
def test_who_passes_it_on_may_write_it_another_way(link, stamp):
    """Lower-case host, a slash behind it, percent-encoding in small letters, parameters moved."""
    text = sealed(link, stamp)
    action, _, query = text.partition("?")
    moved = "&".join(sorted(query.split("&"), reverse=True))
    small = moved.replace("%2F", "%2f").replace("%3A", "%3a")
    found = dialects.parse(f"{action.lower()}/?{small}")
    original = dialects.parse(text)
    assert found == original
    assert found.seal is not None
    assert verify(stamp.key, found.seal.text, found.seal.signature)


@given(text=st.text() | st.text("kassa-pi:/?&=%{}#;SintendNowrv1.0", max_size=60))
def test_any_text_is_a_link_or_none(text):
    for start in ("", *(f"{scheme}://" for scheme in dialects.SCHEMES), "intent:#Intent;"):
        found = parsed(start + text)
        if isinstance(found, LinkError):
            assert found.reason in set(Reason) - {Reason.NONE}
            assert str(found).isprintable()
            assert len(str(found)) < 300
        else:
            assert isinstance(found, Link)


@given(link=ANY, result=RESULTS, stamp=st.none() | STAMPS)
def test_an_answer_goes_where_the_caller_wants_it(link, result, stamp):
    found = dialects.respond(link, result, stamp)
    wanted = fields.chosen(link.callbacks, result.outcome)
    assert (found is None) == (not wanted)
    if found is not None:
        assert origin(found) == origin(wanted)
        assert found.isascii()
        assert urlsplit(found).scheme == urlsplit(wanted).scheme


@given(link=ANY, result=RESULTS)
def test_nothing_but_a_payment_says_paid(link, result):
    """In every format there is a word that callers take for money in hand."""
    link = replace(link, callbacks=Callbacks(*["https://shop.example/r"] * 3))
    found = dialects.respond(link, replace(result, text="x", order="1"), None) or ""
    said = ("status=paid", "Type=CHIP", "%22ok%22", "SERVER_TRANSACTION_ID=", "smp-status=success")
    says_paid = any(word in found for word in said)
    if result.outcome is Outcome.PAID:
        assert says_paid
    elif result.outcome is not Outcome.PRINTED:
        assert not says_paid


# --- errors -----------------------------------------------------------------------------------

BACK = "https://shop.example/r"
ERRORS = [
    # a link; what is wrong; what its caller is told, or None
    (f"kassa-api://payNow?callback={BACK}", Reason.MALFORMED, f"{BACK}?status=refused&"),
    (f"pay-api://payNow?callback={BACK}&kid=a", Reason.SEAL, f"{BACK}?status=refused&"),
    (f"print-api://payNow?callback={BACK}&x=1", Reason.MALFORMED, f"{BACK}?status=refused&"),
    (
        f"kassa://x-callback-url/pay?x-error={BACK}",
        Reason.MALFORMED,
        f"{BACK}?errorCode=malformed&errorMessage=",
    ),
    ("kassa://x-callback-url/pay?x-success=" + BACK, Reason.MALFORMED, None),
    (f"paypalhere://takePayment?returnUrl={BACK}", Reason.MALFORMED, f"{BACK}?Type=UNKNOWN"),
    (f"paypalhere://takePayment/v3?returnUrl={BACK}", Reason.VERSION, f"{BACK}?Type=UNKNOWN"),
    (
        f"paypalhere://takePayment?accepted=cash&returnUrl={BACK}",
        Reason.TENDER,
        f"{BACK}?Type=UNKNOWN",
    ),
    (
        "square-commerce-v1://payment/create?data=%7B%22callback_url%22%3A%22" + BACK + "%22%7D",
        Reason.MALFORMED,
        f"{BACK}?data=%7B%22status%22%3A%22error%22%2C%22error_code%22%3A%22data_invalid%22%7D",
    ),
    (
        "intent:#Intent;action=com.squareup.pos.action.CHARGE;"
        f"S.com.squareup.pos.WEB_CALLBACK_URI={BACK};end",
        Reason.MALFORMED,
        f"{BACK}?com.squareup.pos.ERROR_CODE=com.squareup.pos.ERROR_INVALID_REQUEST&",
    ),
    (f"sumupmerchant://pay/1.0?callbackfail={BACK}", Reason.MALFORMED, f"{BACK}?smp-status=failed"),
    (
        f"sumupmerchant://pay/2.0?callback={BACK}&foreign-tx-id=1",
        Reason.VERSION,
        f"{BACK}?smp-status=failed&smp-failure-cause=invalid-param&",
    ),
    # Where the address to answer is the trouble, or the format is none, nobody is told.
    ("kassa-api://payNow?callback=nowhere", Reason.CALLBACK, None),
    (f"kassa-api://payNow?callback={BACK}?status=paid", Reason.CALLBACK, None),
    (f"kassa://x-callback-url/pay?x-error={BACK}?errorCode=0", Reason.CALLBACK, None),
    (f"paypalhere://takePayment?returnUrl={BACK}?Type=CASH", Reason.CALLBACK, None),
    (f"sumupmerchant://pay/1.0?callback={BACK}?smp-status=success", Reason.CALLBACK, None),
    (f"sumupmerchant://pay/1.0?callbackfail={BACK}?smp-status=success", Reason.CALLBACK, None),
    ("kassa-api://payLater?order=1", Reason.MALFORMED, None),
    ("other://payNow?order=1", Reason.MALFORMED, None),
    ("kassa-api", Reason.MALFORMED, None),
    ("", Reason.MALFORMED, None),
    ("https://shop.example", Reason.MALFORMED, None),
    ("kassa-api://payNow?order=" + "1" * LONGEST_LINK, Reason.MALFORMED, None),
]


@pytest.mark.parametrize(("text", "reason", "told"), ERRORS)
def test_a_caller_is_told_in_its_own_format(text, reason, told):
    with pytest.raises(LinkError) as caught:
        dialects.parse(text)
    assert caught.value.reason is reason
    link = caught.value.link
    answer = link and dialects.respond(link, Result(Outcome.REFUSED, reason, "", 1_790_000_000))
    assert (answer or "").startswith(told or "")
    assert bool(answer) == bool(told)


MARK = "Sekret77"


@pytest.mark.parametrize(
    "text",
    [
        f"kassa-api://payNow?order=1&amount={MARK}&currency=EUR",
        f"kassa-api://payNow?order=1&amount=1&currency={MARK}",
        f"kassa-api://payNow?callback={MARK}",
        f"kassa-api://payNow?order={MARK}%00",
        f"kassa-api://payNow?order=%20{MARK}",
        f"kassa-api://{MARK}",
        f"{MARK}://payNow",
        f"paypalhere://takePayment?invoice={MARK}",
        f"paypalhere://takePayment?as=b64&invoice={MARK}",
        f"paypalhere://takePayment?as={MARK}",
        f"square-commerce-v1://payment/create?data=%5B%22{MARK}%22%5D",
        f"intent:#Intent;action={MARK};end",
        f"sumupmerchant://pay/1.0?foreign-tx-id=1&total={MARK}&currency=EUR",
    ],
)
def test_what_a_log_is_told_holds_no_value(text):
    with pytest.raises(LinkError) as caught:
        dialects.parse(text)
    assert MARK not in str(caught.value)


def test_every_dialect_is_in_the_tables():
    assert set(dialects.DIALECTS) == set(Name) == set(BUILD)
    assert set(dialects.SCHEMES) == {
        *("kassa-api", "pay-api", "print-api", "web+kassa", "kassa"),
        *("paypalhere", "square-commerce-v1", "intent", "sumupmerchant"),
    }


# --- codes ------------------------------------------------------------------------------------

SQUARE_IOS = {
    *("payment_canceled", "data_invalid", "not_logged_in", "user_id_mismatch"),
    *("client_not_authorized_for_user", "user_not_active", "currency_code_missing"),
    *("unsupported_currency_code", "currency_code_mismatch", "amount_invalid_format"),
    *("amount_too_small", "amount_too_large", "invalid_tender_type", "unsupported_tender_type"),
    *("could_not_perform", "no_network_connection", "unsupported_api_version"),
    *("invalid_version_number", "customer_management_not_supported", "invalid_customer_id"),
}
SQUARE_ANDROID = {
    *("CUSTOMER_MANAGEMENT_NOT_SUPPORTED", "DISABLED", "ILLEGAL_LOCATION_ID"),
    *("INVALID_CUSTOMER_ID", "INVALID_REQUEST", "NO_EMPLOYEE_LOGGED_IN", "NO_NETWORK"),
    *("NO_RESULT", "TRANSACTION_ALREADY_IN_PROGRESS", "TRANSACTION_CANCELED"),
    *("UNAUTHORIZED_CLIENT_ID", "UNEXPECTED", "UNSUPPORTED_API_VERSION"),
    *("UNSUPPORTED_WEB_API_VERSION", "USER_NOT_ACTIVATED", "USER_NOT_LOGGED_IN"),
}
KNOWN: Mapping[Name, Set[str]] = {
    Name.KASSA: set(Reason),
    Name.X_CALLBACK: set(Reason),
    Name.PAYPAL_HERE: {""},
    Name.SQUARE_IOS: SQUARE_IOS,
    Name.SQUARE_ANDROID: {f"com.squareup.pos.ERROR_{name}" for name in SQUARE_ANDROID},
    Name.SUMUP_IOS: {"failed", "invalidstate"},
    Name.SUMUP_ANDROID: {
        *("transaction-failed", "geolocation-required", "invalid-param", "invalid-token")
    },
}
"""Every code that the formats' own documents have."""


@pytest.mark.parametrize("name", Name)
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_word_in_every_format(name, reason):
    said = codes.code(name, reason)
    if reason is Reason.NONE:
        assert said == ("success" if name is Name.SUMUP_IOS else "")
    else:
        assert said in KNOWN[name]
    assert codes.WORDS[reason].endswith(".")


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_address(outcome):
    three = Callbacks("good", "bad", "stopped")
    expected = {
        Outcome.PAID: "good",
        Outcome.PRINTED: "good",
        Outcome.CANCELLED: "stopped",
        Outcome.DECLINED: "bad",
        Outcome.REFUSED: "bad",
    }
    assert fields.chosen(three, outcome) == expected[outcome]
    assert fields.chosen(replace(three, cancelled=""), Outcome.CANCELLED) == "bad"
    assert fields.chosen(Callbacks(), outcome) == ""
