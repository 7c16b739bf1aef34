"""Random links, results and addresses, for the properties of every dialect."""

from __future__ import annotations

import string
from collections.abc import Mapping

from hypothesis import strategies as st

from appliance.domain.money import CURRENCIES, LARGEST_AMOUNT, Money
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import (
    Act,
    Callbacks,
    Link,
    Outcome,
    Reason,
    Result,
)
from appliance.protocols.links.signing import Algorithm, Key, Stamp
from appliance.protocols.zvt.pan import mask_text

SECRET = Key("shop-1", Algorithm.HMAC_SHA256, b"not a secret, but it has 32 bytes")
PRIVATE = Key("desk.2", Algorithm.ED25519, bytes(range(32)), can_sign=True)
KEYS = st.sampled_from([SECRET, PRIVATE])
STAMPS = st.builds(
    Stamp,
    KEYS,
    st.text(string.ascii_letters + string.digits + "_-", min_size=16, max_size=64),
    st.integers(0, 999_999_999_999),
)

PRINTABLE = st.characters(exclude_categories=("C", "Z")) | st.just(" ")


def words(most=40, least=1, characters=PRINTABLE):
    return (
        st.text(characters, min_size=least, max_size=most)
        .map(str.strip)
        .filter(lambda text: len(text) >= least and text.isprintable())
    )


ORDERS = words()
ASCII_ORDERS = words(characters=st.characters(min_codepoint=0x20, max_codepoint=0x7E))
MONEY = st.builds(Money.of, st.integers(0, LARGEST_AMOUNT), st.sampled_from(sorted(CURRENCIES)))
CHARGES = MONEY.filter(bool)

HOSTS = st.sampled_from(
    [
        "https://shop.example",
        "HTTPS://Shop.Example:443",
        "http://127.0.0.1:8000",
        "https://[::1]:8443",
        "https://xn--bcher-kva.example",
        "myapp://handler",
        "kassa-api://paymentResult",
        "web+kassa://paymentResult",
    ]
)
PLACEHOLDERS = st.sampled_from(["{response}", "{Type}", "{Number}", "{other}"])
SAFE = st.text("abcXYZ019-._~!$'()*,:@", max_size=6)
PARTS = st.lists(SAFE | PLACEHOLDERS, max_size=3).map("".join)
PATHS = st.lists(PARTS.filter(lambda part: part.strip(".")), max_size=3).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
QUERIES = st.none() | st.lists(PARTS, max_size=3).map("&".join)
TEMPLATES = st.builds(
    lambda host, path, query, fragment: (
        host
        + path
        + (f"?{query}" if query is not None else "")
        + (f"#{fragment}" if fragment is not None else "")
    ),
    HOSTS,
    PATHS,
    QUERIES,
    QUERIES,
)
"""Addresses to open in return, none with a parameter that a response has."""

ONE_CALLBACK = (st.just("") | TEMPLATES).map(lambda text: Callbacks(text, text, text))
THREE_CALLBACKS = st.builds(Callbacks, *[st.just("") | TEMPLATES] * 3)
FAIL_CALLBACKS = st.builds(
    lambda good, bad: Callbacks(good, bad, bad), st.just("") | TEMPLATES, TEMPLATES
)
IDS = st.just("") | words(80)


def ours(name, callbacks):
    return st.builds(
        lambda act, order, amount, callbacks, claim, payment: Link(
            name,
            act,
            order,
            order,
            amount,
            callbacks,
            claim=claim,
            payment=payment or ("P-1" if act is Act.STATUS else ""),
        ),
        st.sampled_from(Act),
        ORDERS,
        st.none() | MONEY,
        callbacks,
        IDS,
        IDS,
    )


def theirs(name, repeated, orders=ORDERS, callbacks=ONE_CALLBACK, amounts=CHARGES):
    return st.builds(
        lambda order, amount, callbacks: Link(
            name,
            Act.SELL,
            order,
            order,
            amount,
            callbacks,
            back={repeated: order} if repeated else {},
        ),
        orders,
        amounts,
        callbacks,
    )


LINKS: Mapping[str, st.SearchStrategy[Link]] = {
    Name.KASSA: ours(Name.KASSA, ONE_CALLBACK),
    Name.X_CALLBACK: ours(Name.X_CALLBACK, THREE_CALLBACKS),
    Name.PAYPAL_HERE: theirs(Name.PAYPAL_HERE, "", amounts=MONEY),
    Name.SQUARE_IOS: theirs(Name.SQUARE_IOS, "state"),
    Name.SQUARE_ANDROID: theirs(Name.SQUARE_ANDROID, "com.squareup.pos.REQUEST_METADATA"),
    Name.SUMUP_IOS: theirs(Name.SUMUP_IOS, "foreign-tx-id", ASCII_ORDERS, FAIL_CALLBACKS),
    Name.SUMUP_ANDROID: theirs(Name.SUMUP_ANDROID, "foreign-tx-id", ASCII_ORDERS),
}

DONE = (Outcome.PAID, Outcome.PRINTED)
SHORT = st.just("") | words(20)
ENDINGS = st.one_of(
    st.tuples(st.sampled_from(DONE), st.just(Reason.NONE)),
    st.tuples(
        st.sampled_from([outcome for outcome in Outcome if outcome not in DONE]),
        st.sampled_from([reason for reason in Reason if reason is not Reason.NONE]),
    ),
)
RESULTS = st.builds(
    lambda ending, *rest: Result(*ending, *rest),
    ENDINGS,
    st.just("") | ORDERS,
    st.integers(0, 999_999_999_999),
    st.none() | MONEY,
    st.sampled_from(["", "K-PAY-01"]),
    (st.just("") | words(60)).filter(lambda text: mask_text(text) == text),
    SHORT,
    SHORT,
    st.just("") | st.from_regex(r"[0-9]{0,6}\*{3,9}[0-9]{4}", fullmatch=True),
    SHORT,
    SHORT,
    SHORT,
)
