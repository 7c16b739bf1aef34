"""Seals and keys. The primitives are held to the test vectors of their RFCs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.links.messages import LinkError, Reason, Seal
from appliance.protocols.links.signing import (
    Algorithm,
    Key,
    KeyUnfit,
    Stamp,
    public,
    read_seal,
    request_text,
    result_text,
    sealed,
    sign,
    verify,
)
from tests.protocols.links.strategies import KEYS, PRIVATE, SECRET, STAMPS

OTHERS = {
    SECRET: Key("shop-1", Algorithm.HMAC_SHA256, b"another one, which has as many bytes"),
    PRIVATE: Key("desk.2", Algorithm.ED25519, bytes(range(1, 33)), can_sign=True),
}

# --- what is signed ---------------------------------------------------------------------------


def test_what_is_signed_is_spelt_out():
    params = (("order", "Ä 1&2"), ("exp", "9"), ("sig", "x"), ("a.b-c_~", "*"), ("callback", ""))
    lines = ["kassa-link 1", "request", "pay-api", "paynow"]
    signed = "a.b-c_~=%2A&callback=&exp=9&order=%C3%84%201%262"
    assert request_text("pay-api", "paynow", params) == "\n".join([*lines, signed]).encode()
    lines = ["kassa-link 1", "result", "kassa-api", "paymentresult"]
    assert result_text(params) == "\n".join([*lines, signed]).encode()
    assert result_text(()) == "\n".join([*lines, ""]).encode()


PARAMS = st.dictionaries(st.text("abc", min_size=1), st.text("a=&\n%é"), max_size=3).map(
    lambda found: tuple(found.items())
)


@given(first=PARAMS, second=PARAMS, actions=st.lists(st.sampled_from("ab"), min_size=4, max_size=4))
def test_two_links_never_have_one_text(first, second, actions):
    """Neither by a separator in a value, nor as a request and a result."""
    one = (actions[0], actions[1], dict(first))
    other = (actions[2], actions[3], dict(second))
    texts = request_text(*one[:2], first), request_text(*other[:2], second)
    assert (texts[0] == texts[1]) == (one == other)
    assert result_text(first) not in texts


# --- seals ------------------------------------------------------------------------------------

PLAIN = (("order", "1"), ("x", ""))


@given(stamp=STAMPS)
def test_what_is_sealed_is_verified(stamp):
    params = sealed(PLAIN, stamp, result_text)
    assert params[: len(PLAIN)] == PLAIN
    seal = read_seal(dict(params), result_text(params))
    assert seal is not None
    assert (seal.key_id, seal.nonce, seal.expires_at) == (
        stamp.key.id,
        stamp.nonce,
        stamp.expires_at,
    )
    assert verify(stamp.key, seal.text, seal.signature)
    assert not verify(OTHERS[stamp.key], seal.text, seal.signature)
    assert not verify(stamp.key, seal.text + b" ", seal.signature)
    assert not verify(stamp.key, seal.text, seal.signature[:-1])
    assert not verify(stamp.key, seal.text, b"")


SIGNATURE = "A" * 43
FULL = {"kid": "a", "nonce": "n" * 16, "exp": "0", "sig": SIGNATURE}


def test_a_seal_is_read():
    assert read_seal(FULL, b"x") == Seal("a", "n" * 16, 0, bytes(32), b"x")
    assert read_seal({"order": "1"}, b"x") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in FULL),
        *((name, "") for name in FULL),
        ("kid", "ä"),
        ("kid", "a b"),
        ("kid", "k" * 65),
        ("nonce", "n" * 15),
        ("nonce", "n" * 65),
        ("nonce", "n" * 16 + "="),
        ("exp", "-1"),
        ("exp", "+1"),
        ("exp", "01"),
        ("exp", "1.0"),
        ("exp", "1_0"),
        ("exp", "١"),
        ("exp", "1" * 13),
        ("sig", "A" * 42),
        ("sig", "A" * 87),
        ("sig", "A" * 45),
        ("sig", SIGNATURE + "="),
        ("sig", "A" * 42 + "B"),  # its last two bits decode to nothing
        ("sig", "A" * 42 + "+"),
        ("sig", "A" * 42 + "\n"),
    ],
)
def test_half_a_seal_is_none(name, value):
    values = {**FULL, name: value} if value is not None else {n: FULL[n] for n in FULL if n != name}
    with pytest.raises(LinkError, match=rf"^{name}: missing or malformed$") as caught:
        read_seal(values, b"")
    assert caught.value.reason is Reason.SEAL


@pytest.mark.parametrize(("nonce", "expires_at"), [("short", 1), ("n" * 16, -1)])
def test_we_make_no_seal_that_nobody_reads(nonce, expires_at):
    with pytest.raises(AssertionError):
        Stamp(SECRET, nonce, expires_at)


# --- keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key_id", "algorithm", "size"),
    [
        ("", Algorithm.HMAC_SHA256, 32),
        ("a/b", Algorithm.HMAC_SHA256, 32),
        ("a" * 65, Algorithm.HMAC_SHA256, 32),
        ("a", Algorithm.HMAC_SHA256, 31),
        ("a", Algorithm.HMAC_SHA256, 1025),
        ("a", Algorithm.ED25519, 31),
        ("a", Algorithm.ED25519, 33),
    ],
)
def test_an_unfit_key_is_refused(key_id, algorithm, size):
    with pytest.raises(KeyUnfit):
        Key(key_id, algorithm, bytes(size))


def test_a_key_is_in_no_log():
    assert "not a secret" not in repr(SECRET)
    assert repr(PRIVATE.material) not in repr(PRIVATE)


def test_a_public_key_verifies_and_does_not_sign():
    key = public(PRIVATE)
    assert key.material != PRIVATE.material
    assert not key.can_sign
    assert public(key) is key
    signature = sign(PRIVATE, b"text")
    assert verify(key, b"text", signature)
    assert not verify(key, b"other", signature)
    with pytest.raises(KeyUnfit, match=r"desk\.2"):
        sign(key, b"text")
    with pytest.raises(KeyUnfit, match="shop-1"):
        public(SECRET)


@given(key=KEYS, text=st.binary(max_size=80), signature=st.binary(max_size=80))
def test_a_guess_is_no_signature(key, text, signature):
    assert verify(key, text, signature) == (signature == sign(key, text))


def test_an_algorithm_belongs_to_its_key():
    """A public key is no secret: as one it would sign whatever its owner's enemies like."""
    key = public(PRIVATE)
    forged = sign(Key(key.id, Algorithm.HMAC_SHA256, key.material), b"text")
    assert not verify(key, b"text", forged)


def test_without_an_ed25519_key_its_library_stays_out_of_memory():
    code = """
import sys
from appliance.protocols.links import dialects, signing
key = signing.Key("a", signing.Algorithm.HMAC_SHA256, bytes(32))
assert signing.verify(key, b"text", signing.sign(key, b"text"))
sys.exit("cryptography" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# RFC 4231, sections 4.2 to 4.8 (4.3 and 4.6 have a short key and a cut digest, which we refuse);
# keys of fewer than 32 bytes are padded with zeros, which RFC 2104, section 2, does as well.
RFC_4231 = [
    (
        "0b" * 20,
        b"Hi There".hex(),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        b"Jefe".hex(),
        b"what do ya want for nothing?".hex(),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    ("aa" * 20, "dd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        "aa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First".hex(),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


@pytest.mark.parametrize(("key", "text", "expected"), RFC_4231)
def test_hmac_is_rfc_4231s(key, text, expected):
    made = Key("rfc", Algorithm.HMAC_SHA256, bytes.fromhex(key).ljust(32, b"\0"))
    assert sign(made, bytes.fromhex(text)).hex() == expected
    assert verify(made, bytes.fromhex(text), bytes.fromhex(expected))


# RFC 8032, section 7.1, tests 1 to 3.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf"
        "9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f"
        "11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984"
        "dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("seed", "key", "text", "expected"), RFC_8032)
def test_ed25519_is_rfc_8032s(seed, key, text, expected):
    made = Key("rfc", Algorithm.ED25519, bytes.fromhex(seed), can_sign=True)
    assert public(made).material.hex() == key
    assert sign(made, bytes.fromhex(text)).hex() == expected
    assert verify(public(made), bytes.fromhex(text), bytes.fromhex(expected))
    assert verify(made, bytes.fromhex(text), bytes.fromhex(expected))


def test_a_signature_has_one_spelling():
    """RFC 8032, section 5.1.7: S is below the order of the group, so S + L is no signature."""
    signature = sign(PRIVATE, b"text")
    order = 2**252 + 27742317777372353535851937790883648493
    other = int.from_bytes(signature[32:], "little") + order
    assert not verify(PRIVATE, b"text", signature[:32] + other.to_bytes(32, "little"))
