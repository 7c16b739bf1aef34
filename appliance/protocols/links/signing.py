"""Seals: who made a link or a result, for how long it counts, and that nobody changed it.

What is signed is ASCII text of five lines, without a line end behind the last:

    kassa-link 1
    request                         or: result
    kassa-api                       the scheme, in lower case
    paynow                          the action, in lower case and without a slash at its end
    exp=1790000000&kid=shop&…       every parameter but sig, sorted by name

Names and values are percent-encoded but for the unreserved characters of RFC 3986, section 2.3,
with capital hexadecimal digits. So it does not matter how a link was encoded on its way, in which
order its parameters stand, or that its host was written in lower case.

A result is the same wherever it is put: its scheme and action are those of RESULT_ADDRESS, and its
parameters are those of the result, without the ones that an address had before.

The algorithm belongs to the key, and a link cannot choose it.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from appliance.protocols.links.address import Pairs, query_of
from appliance.protocols.links.messages import LinkError, Reason, Seal

PARAMETERS: Final = ("kid", "nonce", "exp", "sig")
"""Of a seal, all or none: id of the key; 16 to 64 characters of base64url, never used before with
this key; seconds since 1970, UTC; signature in base64url without padding."""
RESULT_ADDRESS: Final = ("kassa-api", "paymentresult")
SHORTEST_SECRET: Final = 32
"""Bytes: as many as the digest has (RFC 2104, section 3)."""
LONGEST_SECRET: Final = 1024

_FIRST_LINE: Final = "kassa-link 1"
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
TIME: Final = re.compile(r"(?:0|[1-9][0-9]{0,11})\Z")
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9_-]{43,86}\Z")  # 32 to 64 bytes
_ED25519_BYTES: Final = 32


class Algorithm(StrEnum):
    HMAC_SHA256 = "hmac-sha256"  # RFC 2104: one secret for both sides
    ED25519 = "ed25519"  # RFC 8032: whoever can verify cannot sign


class KeyUnfit(ValueError):
    """A key that cannot do what is asked of it. The text holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Key:
    """id: 1 to 64 of A-Z a-z 0-9 . _ -. material: of HMAC the secret, 32 to 1024 bytes; of Ed25519
    the 32 bytes of the public key or, with can_sign, those of the private one (RFC 8032, section
    5.1.5). Raises KeyUnfit for anything else."""

    id: str
    algorithm: Algorithm
    material: bytes = field(repr=False)
    can_sign: bool = False

    def __post_init__(self) -> None:
        if not _KEY_ID.match(self.id):
            raise KeyUnfit("the id of a key is 1 to 64 of A-Z a-z 0-9 . _ -")
        size = len(self.material)
        if self.algorithm is Algorithm.HMAC_SHA256:
            if not SHORTEST_SECRET <= size <= LONGEST_SECRET:
                raise KeyUnfit(f"a secret has {SHORTEST_SECRET} to {LONGEST_SECRET} bytes")
        elif size != _ED25519_BYTES:
            raise KeyUnfit(f"an Ed25519 key has {_ED25519_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a link or a result is to be sealed with. nonce: fresh, from a good random source.
    expires_at: seconds since 1970, UTC."""

    key: Key
    nonce: str
    expires_at: int

    def __post_init__(self) -> None:
        assert _NONCE.match(self.nonce), "a nonce is 16 to 64 characters of base64url"
        assert TIME.match(str(self.expires_at)), "a time is 1 to 12 digits"


# --- what is signed ---------------------------------------------------------------------------


def request_text(scheme: str, target: str, params: Pairs) -> bytes:
    """See above. scheme, target: as address.Address has them; params: sig among them is left
    out."""
    return _text("request", scheme, target, params)


def result_text(params: Pairs) -> bytes:
    """See above."""
    return _text("result", *RESULT_ADDRESS, params)


def _text(kind: str, scheme: str, target: str, params: Pairs) -> bytes:
    signed = query_of(sorted(pair for pair in params if pair[0] != "sig"))
    return "\n".join((_FIRST_LINE, kind, scheme, target, signed)).encode("ascii")


# --- seals ------------------------------------------------------------------------------------


def read_seal(values: Mapping[str, str], text: bytes) -> Seal | None:
    """The seal among these parameters, not verified, or None where there is nothing of one. text:
    what must have been signed. Raises LinkError for half a seal or a malformed one."""
    found = [values.get(name) for name in PARAMETERS]
    if found == [None] * len(PARAMETERS):
        return None
    kid, nonce, exp, sig = (value or "" for value in found)
    for name, pattern, value in (
        ("kid", _KEY_ID, kid),
        ("nonce", _NONCE, nonce),
        ("exp", TIME, exp),
    ):
        if not pattern.match(value):
            raise LinkError(Reason.SEAL, f"{name}: missing or malformed")
    return Seal(kid, nonce, int(exp), _signature(sig), text)


def _signature(text: str) -> bytes:
    if _SIGNATURE.match(text) and len(text) % 4 != 1:
        signature = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        # The last character may hold bits that decode to nothing: only zeros there are canonical.
        if _base64url(signature) == text:
            return signature
    raise LinkError(Reason.SEAL, "sig: missing or malformed")


def sealed(params: Pairs, stamp: Stamp, text_of: Callable[[Pairs], bytes]) -> Pairs:
    """The parameters with a seal behind them. text_of: what is to be signed of all but sig.
    Raises KeyUnfit."""
    known = (
        *params,
        ("kid", stamp.key.id),
        ("nonce", stamp.nonce),
        ("exp", str(stamp.expires_at)),
    )
    return (*known, ("sig", _base64url(sign(stamp.key, text_of(known)))))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


# --- keys -------------------------------------------------------------------------------------

# cryptography takes 7 MiB, so it is imported only by who has a key that needs it.


def sign(key: Key, text: bytes) -> bytes:
    """The signature: 32 bytes of HMAC, 64 of Ed25519. Raises KeyUnfit for a public key."""
    if key.algorithm is Algorithm.HMAC_SHA256:
        return hmac.digest(key.material, text, "sha256")
    if not key.can_sign:
        raise KeyUnfit(f"key {key.id} can only verify")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(key.material).sign(text)


def verify(key: Key, text: bytes, signature: bytes) -> bool:
    """Whether this key signed this text. Of a secret's signature it takes always the same time."""
    if key.algorithm is Algorithm.HMAC_SHA256:
        return hmac.compare_digest(sign(key, text), signature)
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public(key).material).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def public(key: Key) -> Key:
    """Of an Ed25519 key the one that can only verify. Raises KeyUnfit for a shared secret."""
    if key.algorithm is Algorithm.HMAC_SHA256:
        raise KeyUnfit(f"key {key.id} has no public side")
    if not key.can_sign:
        return key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    material = Ed25519PrivateKey.from_private_bytes(key.material).public_key().public_bytes_raw()
    return Key(key.id, key.algorithm, material)
