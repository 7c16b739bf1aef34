"""What kiosk and desk say to each other, and the one judgement of every desk."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.enrolment import (
    REPEAT_S,
    Entry,
    Settings,
    Verdict,
    asked_from,
    asked_message,
    judge,
    settings_from,
    settings_message,
)
from appliance.protocols.links.signing import Algorithm, Key, public
from appliance.protocols.shopapi import ShopApiError
from tests.protocols.enrolment.test_codes import CODE

KIOSK = Key("kiosk", Algorithm.ED25519, bytes(range(1, 33)), can_sign=True)
THIEF = Key("kiosk", Algorithm.ED25519, bytes(range(2, 34)), can_sign=True)
NOW = 1_789_990_000
FRESH = Entry(CODE.secret, CODE.expires_at)
words = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=80)


def asks(kiosk: Key = KIOSK, code=CODE, model: str = "Pi", serial: str = "1"):
    return asked_from(asked_message(code, kiosk, model, serial))


@given(words, words)
def test_what_is_asked_reads_as_the_same(model: str, serial: str) -> None:
    asked = asks(model=model, serial=serial)
    assert (asked.id, asked.key) == (CODE.id, public(KIOSK).material)
    assert (asked.model, asked.serial) == (model, serial)
    assert judge(FRESH, asked, NOW) is Verdict.GRANTED


def test_the_secret_is_not_sent() -> None:
    message = asked_message(CODE, KIOSK, "Pi", "1")
    assert CODE.secret.hex().encode() not in message
    assert repr(CODE.secret) not in repr(FRESH)


@pytest.mark.parametrize("name", ["id", "key", "proof", "signature", "model", "serial"])
def test_whatever_is_changed_on_the_way_proves_nothing(name: str) -> None:
    sent = json.loads(asked_message(CODE, KIOSK, "ab", "ab"))
    sent[name] = sent[name][::-1]
    changed = asked_from(json.dumps(sent).encode())
    assert judge(FRESH, changed, NOW) is Verdict.UNKNOWN


def test_who_knows_the_secret_and_not_the_key_is_no_repeat() -> None:
    """He has seen the code and the kiosk's public key, and wants its answer once more."""
    forged = replace(asks(), signature=bytes(64))
    assert judge(used(), forged, NOW) is Verdict.UNKNOWN


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"id": "00"}', b"\xff"])
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    with pytest.raises(ShopApiError):
        asked_from(raw)
    with pytest.raises(ShopApiError):
        settings_from(raw)


@given(
    st.text(min_size=1, max_size=99),
    st.text(max_size=99),
    st.sampled_from(["", "471147"]),
    st.sampled_from(["", "shop hmac-sha256 c3Rvb\n"]),
)
def test_settings_read_as_the_same(config: str, ca: str, password: str, keys: str) -> None:
    settings = Settings(config, "t-1", ca, password, keys)
    assert settings_from(settings_message(settings)) == settings
    secrets = repr(replace(settings, config="", shop_ca=""))
    assert not any(secret in secrets for secret in ("t-1", "471147", "c3Rvb"))


# --- the judgement --------------------------------------------------------------------------------


def used(at: int = NOW, kiosk: Key = KIOSK) -> Entry:
    return replace(FRESH, key=public(kiosk).material, used_at=at)


@pytest.mark.parametrize(
    ("entry", "now", "verdict"),
    [
        (None, NOW, Verdict.UNKNOWN),
        (replace(FRESH, secret=bytes(16)), NOW, Verdict.UNKNOWN),
        (FRESH, NOW, Verdict.GRANTED),
        (FRESH, CODE.expires_at - 1, Verdict.GRANTED),
        (FRESH, CODE.expires_at, Verdict.EXPIRED),
        (replace(FRESH, is_withdrawn=True), NOW, Verdict.WITHDRAWN),
        (replace(used(), is_withdrawn=True), NOW, Verdict.WITHDRAWN),
        (used(), NOW, Verdict.GRANTED),
        (used(), CODE.expires_at + 10, Verdict.GRANTED),
        (used(), NOW + REPEAT_S, Verdict.GRANTED),
        (used(), NOW + REPEAT_S + 1, Verdict.USED),
        (used(), NOW - 10**6, Verdict.GRANTED),
        (used(kiosk=THIEF), NOW, Verdict.USED),
    ],
)
def test_the_judgement(entry: Entry | None, now: int, verdict: Verdict) -> None:
    assert judge(entry, asks(), now) is verdict


@given(st.integers(0, 2**32), st.booleans())
def test_whoever_does_not_know_the_secret_learns_nothing(now: int, is_used: bool) -> None:
    stranger = replace(CODE, secret=bytes(16))
    entry = used() if is_used else FRESH
    assert judge(entry, asks(code=stranger), now) is Verdict.UNKNOWN
