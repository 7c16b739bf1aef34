"""What kiosk and desk say to each other (docs/shop-api.yaml, redeemEnrolment), and the desk's
judgement, which is one for every desk.

What proves the secret and what the kiosk signs is ASCII or UTF-8 text of five lines:

    kassa-enrol 1
    0123456789abcdef                the code's id
    <64 hexadecimal digits>         the kiosk's public key
    Raspberry Pi 4 Model B          its model
    10000000abcdef01                its serial number

The proof is the HMAC-SHA256 of that text with the secret (RFC 2104), the signature is Ed25519 by
the kiosk's key, of the text, a line end and the proof in hexadecimal digits. The secret itself is
not sent.
"""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from appliance.protocols.enrolment.codes import EnrolCode
from appliance.protocols.links.signing import Algorithm, Key, public, sign, verify
from appliance.protocols.shopapi.strict import ShortText, read_as, read_json, write_json

REPEAT_S: Final = 86_400
"""How long after it was used a code still answers the kiosk that used it: its answer may have been
lost, or its card with the answer on it."""
LARGEST_CONFIG: Final = 64 * 1024
LARGEST_CA: Final = 64 * 1024
LARGEST_KEYS: Final = 64 * 1024

_FIRST_LINE: Final = "kassa-enrol 1"
_Hex8 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{16}\Z")]
_Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]


class _Asked(msgspec.Struct):
    id: _Hex8
    key: _Hex32
    proof: _Hex32
    signature: _Hex64
    model: ShortText = ""
    serial: ShortText = ""


class _Settings(msgspec.Struct):
    config: Annotated[str, Meta(min_length=1, max_length=LARGEST_CONFIG)]
    token: Annotated[str, Meta(pattern=r"\A[!-~]{1,4096}\Z")]
    shop_ca: Annotated[str, Meta(max_length=LARGEST_CA)] = ""
    terminal_password: Annotated[str, Meta(pattern=r"\A([0-9]{6})?\Z")] = ""
    link_keys: Annotated[str, Meta(max_length=LARGEST_KEYS)] = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A kiosk that wants to redeem a code, or somebody who says so: `judge` tells them apart."""

    id: bytes
    key: bytes
    proof: bytes
    signature: bytes
    model: str
    serial: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a code is redeemed for. config: the text of kassa.toml. token: the shop's, 1 to 4096
    printable ASCII characters. shop_ca: certificates in PEM, or "". terminal_password: six digits,
    or "". link_keys: the keys of links, a line each, or ""."""

    config: str
    token: str = field(repr=False)
    shop_ca: str = ""
    terminal_password: str = field(default="", repr=False)
    link_keys: str = field(default="", repr=False)


def asked_message(code: EnrolCode, kiosk: Key, model: str, serial: str) -> bytes:
    """The request. kiosk: its private key. Raises KeyUnfit for a public one."""
    key = public(kiosk).material
    text = _text(code.id, key, model, serial)
    proof = hmac.digest(code.secret, text, "sha256")
    return write_json(
        {
            "id": code.name,
            "key": key.hex(),
            "proof": proof.hex(),
            "signature": sign(kiosk, _signed(text, proof)).hex(),
            "model": model,
            "serial": serial,
        }
    )


def asked_from(raw: bytes) -> Asked:
    """The request in these bytes. Raises ShopApiError."""
    found = read_as(_Asked, read_json(raw))
    return Asked(
        bytes.fromhex(found.id),
        bytes.fromhex(found.key),
        bytes.fromhex(found.proof),
        bytes.fromhex(found.signature),
        found.model,
        found.serial,
    )


def _text(code: bytes, key: bytes, model: str, serial: str) -> bytes:
    lines = (_FIRST_LINE, code.hex(), key.hex(), model, serial)
    return "\n".join(lines).encode("utf-8")


def _signed(text: bytes, proof: bytes) -> bytes:
    return text + b"\n" + proof.hex().encode()


def settings_message(settings: Settings) -> bytes:
    """The desk's answer."""
    return write_json(asdict(settings))


def settings_from(raw: bytes) -> Settings:
    """The desk's answer in these bytes. Raises ShopApiError."""
    found = read_as(_Settings, read_json(raw))
    return Settings(
        found.config, found.token, found.shop_ca, found.terminal_password, found.link_keys
    )


def _is_proved(secret: bytes, asked: Asked) -> bool:
    """Whether whoever asks knows the secret, and has the private side of the key."""
    text = _text(asked.id, asked.key, asked.model, asked.serial)
    if not hmac.compare_digest(hmac.digest(secret, text, "sha256"), asked.proof):
        return False
    kiosk = Key("kiosk", Algorithm.ED25519, asked.key)
    return verify(kiosk, _signed(text, asked.proof), asked.signature)


# --- the desk's judgement -------------------------------------------------------------------------


class Verdict(StrEnum):
    """What a desk answers. The value is the word in the problem's member `error`."""

    GRANTED = "granted"
    UNKNOWN = "unknown"  # no such code, or it is not proved: nobody learns which
    USED = "used"  # by another kiosk, or so long ago that it is over
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a desk has in its book of one code. expires_at, used_at: seconds since 1970, UTC. key:
    of the kiosk that has used it, empty before."""

    secret: bytes = field(repr=False)
    expires_at: int
    key: bytes = b""
    used_at: int = 0
    is_withdrawn: bool = False


def judge(entry: Entry | None, asked: Asked, now: int) -> Verdict:
    """Whether this kiosk gets the settings now. now: seconds since 1970, UTC. A desk that grants
    writes the kiosk's key and the time into its book before it answers, unless a key is there."""
    if entry is None or not _is_proved(entry.secret, asked):
        return Verdict.UNKNOWN
    if entry.is_withdrawn:
        return Verdict.WITHDRAWN
    if entry.key:
        # A clock that was put back makes the time since negative: still a repeat.
        is_repeat = entry.key == asked.key and now - entry.used_at <= REPEAT_S
        return Verdict.GRANTED if is_repeat else Verdict.USED
    return Verdict.GRANTED if now < entry.expires_at else Verdict.EXPIRED
