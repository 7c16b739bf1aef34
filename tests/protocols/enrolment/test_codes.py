"""The enrolment code: one number, whole or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.enrolment import (
    LONGEST,
    EnrolCode,
    EnrolmentError,
    Trust,
    codes,
    grouped,
    read,
    write,
)
from appliance.protocols.links.signing import Algorithm, Key, public, sign
from appliance.protocols.scans import Scanned
from appliance.protocols.wedge import LAYOUTS, Wedge

DESK = Key("desk", Algorithm.ED25519, bytes(range(32)), can_sign=True)
OTHER = Key("other", Algorithm.ED25519, bytes(32), can_sign=True)
CODE = EnrolCode(
    Trust.PINNED,
    "192.0.2.10:8144",
    bytes.fromhex("0123456789abcdef"),
    bytes(range(16)),
    1_790_000_000,
    public(DESK).material,
)
DIGITS = write(CODE, DESK)

addresses = st.from_regex(
    r"\A[a-z0-9]([a-z0-9.-]{0,40}[a-z0-9])?(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~-]{1,10}){0,3}\Z"
)


@given(
    st.sampled_from((Trust.PINNED, Trust.AUTHORITIES)),
    addresses,
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=16, max_size=16),
    st.integers(0, codes.LAST_TIME),
)
def test_what_is_written_reads_as_the_same(trust, address, name, secret, expires_at) -> None:
    code = EnrolCode(trust, address, name, secret, expires_at, CODE.key)
    digits = write(code, DESK)
    assert digits.isdecimal()
    assert len(digits) <= LONGEST
    assert read(digits) == code
    assert read(grouped(digits)) == code


def test_its_size_is_that_of_a_small_symbol() -> None:
    # ISO/IEC 18004, table 7: 365 digits fill version 8, level M; 53 by 53 modules hold 432.
    assert len(DIGITS) <= 365


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_scanner_may_type_for_any_layout(layout: str) -> None:
    """The kiosk has no settings yet, and reads all scanners as if they were set to us."""
    keys = {character: (key, row.index(character))
            for key, row in LAYOUTS[layout].items() if key < 16
            for character in row if character.isdecimal()}  # fmt: skip
    wedge, now, found = Wedge("us", longest=LONGEST), 10.0, []
    for digit in DIGITS:
        key, has_shift = keys[digit]
        if has_shift:
            wedge.key(42, 1, now)
        found += wedge.key(key, 1, now) + wedge.key(key, 0, now)
        wedge.key(42, 0, now)
        now += 0.001
    found += wedge.key(28, 1, now)
    assert [read(scan.text) for scan in found if isinstance(scan, Scanned)] == [CODE]


@given(st.integers(0, len(DIGITS) - 1), st.sampled_from("0123456789"))
def test_no_digit_can_be_another(at: int, digit: str) -> None:
    changed = DIGITS[:at] + digit + DIGITS[at + 1 :]
    if changed == DIGITS:
        assert read(changed) == CODE
        return
    with pytest.raises(EnrolmentError) as refused:
        read(changed)
    assert DIGITS[:9] not in str(refused.value)


@given(st.text(max_size=700) | st.integers(min_value=10**250, max_value=10**560).map(str))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(EnrolmentError):
        read(text)


@pytest.mark.parametrize("text", ["", "0", "4006381333931", DIGITS[:-1], "0" + DIGITS, DIGITS * 2])
def test_a_code_of_another_length_is_refused(text: str) -> None:
    with pytest.raises(EnrolmentError):
        read(text)


def signed(head: bytes) -> str:
    return str(int.from_bytes(head + sign(DESK, codes.CONTEXT + head)))


def head_of(digits: str) -> bytes:
    number = int(digits)
    return number.to_bytes((number.bit_length() + 7) // 8)[:-64]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda head: b"\2" + head[1:], "version"),
        (lambda head: head[:1] + b"\7" + head[2:], "way to know"),
        (lambda head: head[:-15] + b"//x", "address"),
        (lambda head: head[:-15] + "ü".encode("latin-1"), "address"),
        (lambda head: head[:-4] + b"99999", "port"),
        (lambda head: head[:1] + b"\2" + head[2:], "this machine"),
    ],
)
def test_a_signature_alone_makes_no_code(change, why: str) -> None:
    with pytest.raises(EnrolmentError, match=why):
        read(signed(change(head_of(DIGITS))))


def test_a_code_of_another_desk_says_so_by_its_key() -> None:
    """Whoever can sign can make codes; whose they are is the key's to say."""
    with pytest.raises(EnrolmentError, match="damaged"):
        read(write(CODE, OTHER))


@pytest.mark.parametrize(
    "change",
    [
        {"id": b"1234567"},
        {"secret": b""},
        {"key": b"short"},
        {"expires_at": -1},
        {"expires_at": 2**32},
        {"address": ""},
        {"address": "a" * 101},
        {"address": "desk.example:0"},
        {"address": "DESK.example"},
        {"trust": Trust.LOOPBACK},
    ],
)
def test_a_part_out_of_its_range_is_refused(change) -> None:
    with pytest.raises(EnrolmentError):
        replace(CODE, **change)


def test_the_address_says_how_it_is_spoken_to() -> None:
    assert CODE.url == "https://192.0.2.10:8144"
    assert CODE.name == "0123456789abcdef"
    near = replace(CODE, trust=Trust.LOOPBACK, address="[::1]:8200/kassa")
    assert near.url == "http://[::1]:8200/kassa"
    assert repr(CODE.secret) not in repr(CODE)
