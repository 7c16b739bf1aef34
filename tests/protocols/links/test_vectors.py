"""The conformance kit, held to the code, and to a second reading that shares nothing with it."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.protocols.links.address import origin
from appliance.protocols.links.messages import LinkError
from appliance.protocols.links.signing import Algorithm
from tests.protocols.links import make_vectors

KIT = json.loads(make_vectors.FILE.read_text(encoding="ascii"))
KEYS = {key["kid"]: key for key in KIT["keys"]}


def test_the_kit_is_what_the_code_does():
    assert make_vectors.FILE.read_text(encoding="ascii") == make_vectors.written(), (
        "the contract changed: python -m tests.protocols.links.make_vectors"
    )


def signed_again(kind, link):
    """What has to be signed, from the link's own parameters."""
    address = urlsplit(link)
    action = f"{address.netloc}{address.path}".lower().rstrip("/")
    pairs = parse_qsl(address.query.replace("+", "%2B"), keep_blank_values=True)
    ours = sorted(f"{name}={quote(value, safe='')}" for name, value in pairs if name != "sig")
    return "\n".join(["kassa-link 1", kind, address.scheme.lower(), action, "&".join(ours)])


def holds(seal):
    key, text = KEYS[seal["kid"]], seal["signed"].encode()
    signature = urlsafe_b64decode(seal["sig"] + "=" * (-len(seal["sig"]) % 4))
    if "secret" in key:
        return hmac.new(bytes.fromhex(key["secret"]), text, "sha256").digest() == signature
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["public"])).verify(signature, text)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("vector", KIT["requests"], ids=lambda vector: vector["name"])
def test_a_request_is_signed_as_it_says(vector):
    seal = vector["is"]["seal"]
    if seal is None:
        assert "sig=" not in vector["link"]
    else:
        assert seal["signed"] == signed_again("request", vector["link"])
        assert holds(seal)
        assert not holds({**seal, "signed": seal["signed"].replace("NL", "NM")})


@pytest.mark.parametrize("vector", KIT["results"], ids=lambda vector: vector["link"][:80])
def test_a_result_is_signed_as_it_says(vector):
    seal = vector["seal"]
    if seal is not None:
        assert seal["signed"] == signed_again("result", vector["link"])
        assert holds(seal)


def test_an_answer_is_signed_wherever_it_is_put():
    """The result's own parameters, as if they came to kassa-api://paymentResult."""
    seen = set()
    for vector in KIT["requests"]:
        for answer in vector["answers"]:
            if not answer["sealed_by"]:
                continue
            query = urlsplit(answer["opens"]).query
            ours = query[query.index("status=") :]  # x-error has two more before it
            said = dict(parse_qsl(ours))
            text = signed_again("result", f"kassa-api://paymentResult?{ours}")
            assert holds({**said, "signed": text})
            assert said["kid"] == answer["sealed_by"]
            seen.add((vector["is"]["dialect"], KEYS[said["kid"]]["algorithm"]))
    assert {("kassa", algorithm) for algorithm in Algorithm} <= seen
    assert ("x-callback", Algorithm.HMAC_SHA256) in seen


def test_every_dialect_and_outcome_is_in_the_kit():
    dialects = {vector["is"]["dialect"] for vector in KIT["requests"]}
    assert len(dialects) == 7
    assert {v["is"]["seal"]["kid"] for v in KIT["requests"] if v["is"]["seal"]} == {
        "shop-1",
        "shop-2",
    }
    answers = [answer for vector in KIT["requests"] for answer in vector["answers"]]
    assert len({answer["result"]["outcome"] for answer in answers}) == 5


@pytest.mark.parametrize("address", KIT["never_opened"])
def test_what_is_never_opened_is_refused(address):
    with pytest.raises(LinkError):
        origin(address)
