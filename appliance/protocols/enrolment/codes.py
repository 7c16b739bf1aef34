"""The enrolment code: what an unprovisioned kiosk scans.

It is one decimal number, for two reasons. A QR code holds digits almost as densely as bytes
(ISO/IEC 18004, numeric mode: ten bits for three digits), and digits survive a scanner that types
for another keyboard layout: on us, de, fr and ru the ten digits are the same ten keys, with Shift
on fr. So the shifted signs of the us layout, which is what such keys are read as, count as digits.

The number's bytes, most significant first:

    1   version, 1                        never 0, so that no leading byte is lost
    1   how the desk is known: Trust
    8   id of the code
    16  secret
    4   when it expires, seconds since 1970, UTC
    32  the desk's public key (Ed25519, RFC 8032)
    n   the desk's address in ASCII, without a scheme: desk.example:8144/enrol
    64  signature by that key of all before it, with CONTEXT in front
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from appliance.domain.errors import ProtocolError
from appliance.protocols.links.signing import Algorithm, Key, sign, verify

VERSION: Final = 1
ID_BYTES: Final = 8
SECRET_BYTES: Final = 16
KEY_BYTES: Final = 32
LAST_TIME: Final = 2**32 - 1
LONGEST_ADDRESS: Final = 100
LONGEST: Final = 560
"""Digits; an address of 100 characters makes 545."""
CONTEXT: Final = b"kassa-enrol-code 1\n"

_SIGNATURE_BYTES: Final = 64
_HEAD_BYTES: Final = 2 + ID_BYTES + SECRET_BYTES + 4 + KEY_BYTES
_SMALLEST_BYTES: Final = _HEAD_BYTES + 1 + _SIGNATURE_BYTES
_SHORTEST: Final = len(str(256 ** (_SMALLEST_BYTES - 1)))
_SHIFTED: Final = str.maketrans("!@#$%^&*()", "1234567890")
_DIGITS: Final = re.compile(r"[1-9][0-9]*\Z", re.ASCII)
_ADDRESS: Final = re.compile(
    r"(\[[0-9a-f:]{2,39}\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*\Z"
)
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class EnrolmentError(ProtocolError):
    """The text is no enrolment code of ours. Nothing of it is in the message."""


class Trust(IntEnum):
    """How the kiosk knows that it speaks to the desk that the code names."""

    PINNED = 0  # TLS, by the key of the desk's certificate, which is the one in the code: no clock
    AUTHORITIES = 1  # TLS, as browsers do it: for a shop behind an ordinary web server
    LOOPBACK = 2  # on the same machine, without TLS: the demo


@dataclass(frozen=True, slots=True)
class EnrolCode:
    """id, secret, key: 8, 16 and 32 bytes. expires_at: seconds since 1970, UTC; the desk's to
    judge. address: host, port and path of the desk, at most 100 characters. Raises
    EnrolmentError."""

    trust: Trust
    address: str
    id: bytes
    secret: bytes = field(repr=False)
    expires_at: int
    key: bytes

    def __post_init__(self) -> None:
        sizes = (len(self.id), len(self.secret), len(self.key))
        if sizes != (ID_BYTES, SECRET_BYTES, KEY_BYTES):
            raise EnrolmentError("a part of the code has not its length")
        if not 0 <= self.expires_at <= LAST_TIME:
            raise EnrolmentError("a time out of range")
        if len(self.address) > LONGEST_ADDRESS or not (found := _ADDRESS.match(self.address)):
            raise EnrolmentError("no address of a desk")
        if found[3] and not 1 <= int(found[3][1:]) <= 65_535:
            raise EnrolmentError("no port")
        if self.trust is Trust.LOOPBACK and found[1] not in _THIS_MACHINE:
            raise EnrolmentError("without TLS only a desk on this machine counts")

    @property
    def url(self) -> str:
        """The desk's base address."""
        return f"{'http' if self.trust is Trust.LOOPBACK else 'https'}://{self.address}"

    @property
    def name(self) -> str:
        """The id as people and the desk's book write it: 16 hexadecimal digits."""
        return self.id.hex()


def write(code: EnrolCode, key: Key) -> str:
    """The digits, signed. key: the private one whose public side is in the code."""
    head = bytes((VERSION, code.trust)) + code.id + code.secret
    head += code.expires_at.to_bytes(4) + code.key + code.address.encode("ascii")
    return str(int.from_bytes(head + sign(key, CONTEXT + head)))


def read(text: str) -> EnrolCode:
    """The code in these digits; white space among them counts for nothing. Its signature is that
    of the key in it, which shows that it was read whole, and not whose it is. Raises
    EnrolmentError."""
    digits = "".join(text[: 2 * LONGEST].split()).translate(_SHIFTED)
    if not _DIGITS.match(digits) or not _SHORTEST <= len(digits) <= LONGEST:
        raise EnrolmentError("not an enrolment code")
    number = int(digits)
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    if raw[0] != VERSION:
        raise EnrolmentError("not an enrolment code of this version")
    head, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    fields, address = head[2:_HEAD_BYTES], head[_HEAD_BYTES:]
    code = EnrolCode(
        _trust(head[1]),
        address.decode("latin-1"),  # every byte is a character, and the wrong ones are refused
        fields[:8],
        fields[8:24],
        int.from_bytes(fields[24:28]),
        fields[28:],
    )
    if not verify(Key("desk", Algorithm.ED25519, code.key), CONTEXT + head, signature):
        raise EnrolmentError("the code is damaged, or was changed")
    return code


def _trust(number: int) -> Trust:
    try:
        return Trust(number)
    except ValueError:
        raise EnrolmentError("a way to know the desk that this release does not know") from None


def grouped(digits: str) -> str:
    """The digits in groups of five, ten in a line, as a file of the boot partition may have
    them."""
    fives = [digits[at : at + 5] for at in range(0, len(digits), 5)]
    lines = [" ".join(fives[at : at + 10]) for at in range(0, len(fives), 10)]
    return "\n".join(lines) + "\n"
