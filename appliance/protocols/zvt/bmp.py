"""BMPs: the fields of a message, in any order (ZVT PA00P015, summary of utilised BMPs)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from appliance.domain.errors import Bug
from appliance.protocols.zvt import pan, tlv
from appliance.protocols.zvt.errors import ZvtError


class Size(Enum):
    """How a BMP without a fixed length states it."""

    LL = 2  # two bytes F0..F9, a decimal digit in each
    LLL = 3
    TLV = 0  # one BER length, see tlv.py


TIMEOUT: Final = 0x01
SERVICE: Final = 0x03
AMOUNT: Final = 0x04
CONTAINER: Final = 0x06
TRACE: Final = 0x0B
TIME: Final = 0x0C
DATE: Final = 0x0D
EXPIRY: Final = 0x0E
CARD_SEQUENCE: Final = 0x17
PAYMENT_TYPE: Final = 0x19  # in a registration's completion: the terminal's status byte
PAN: Final = 0x22
RESULT: Final = 0x27
TERMINAL_ID: Final = 0x29
VU_NUMBER: Final = 0x2A
ORIGINAL_TRACE: Final = 0x37
AUTHORISATION: Final = 0x3B  # the authorisation attribute, not the EMV application's id
TEXT: Final = 0x3C
CURRENCY: Final = 0x49
TOTALS: Final = 0x60
RECEIPT: Final = 0x87
TURNOVER: Final = 0x88
CARD_TYPE: Final = 0x8A
CARD_NAME: Final = 0x8B
DISPLAY_SECONDS: Final = 0xF0
DISPLAY_LINE_1: Final = 0xF1
DISPLAY_LINE_8: Final = 0xF8
BEEPS: Final = 0xF9

_TABLE: Final[dict[int, int | Size]] = {
    TIMEOUT: 1,
    0x02: 1,  # greatest number of Status-Informations
    SERVICE: 1,
    AMOUNT: 6,
    0x05: 1,  # pump
    CONTAINER: Size.TLV,
    TRACE: 3,
    TIME: 3,
    DATE: 2,
    EXPIRY: 2,
    CARD_SEQUENCE: 2,
    PAYMENT_TYPE: 1,
    PAN: Size.LL,
    0x23: Size.LL,  # track 2
    0x24: Size.LLL,  # track 3
    RESULT: 1,
    TERMINAL_ID: 4,
    VU_NUMBER: 15,
    0x2D: Size.LL,  # track 1
    0x2E: Size.LLL,  # data of a synchronous chip
    ORIGINAL_TRACE: 3,
    0x3A: 2,  # card verification value
    AUTHORISATION: 8,
    TEXT: Size.LLL,
    0x3D: 3,  # password
    CURRENCY: 2,
    TOTALS: Size.LLL,
    **dict.fromkeys((0x70, 0x71), 4),  # an image to display: 70 to 75
    **dict.fromkeys(range(0x72, 0x76), 1),
    RECEIPT: 2,
    TURNOVER: 3,
    CARD_TYPE: 1,
    CARD_NAME: Size.LL,
    0x8C: 1,  # card type of the network operator
    0x92: Size.LLL,  # chip data of an offline payment
    0x9A: Size.LLL,  # GeldKarte records
    0xA0: 1,  # result code of the authorisation system
    0xA7: Size.LL,  # chip data
    0xAA: 3,  # date YYMMDD
    0xAF: Size.LLL,  # chip data
    0xBA: 5,  # AID parameter
    0xD0: 1,
    0xD1: Size.LL,
    0xD2: 1,
    0xD3: 1,
    0xE0: 1,
    **dict.fromkeys(range(0xE1, 0xE9), Size.LL),
    0xE9: 1,
    0xEA: 1,
    0xEB: 8,
    DISPLAY_SECONDS: 1,
    **dict.fromkeys(range(DISPLAY_LINE_1, DISPLAY_LINE_8 + 1), Size.LL),
    BEEPS: 1,
    0xFA: 1,
    0xFB: 1,
    0xFC: 1,
    0xFD: 1,
}
_SECRET: Final = frozenset({0x23, 0x24, 0x2D, 0x2E, 0x3A, 0x3D, 0x92, 0x9A, 0xA7, 0xAF, 0xD1})
"""Card and key data that a till has no use for: blanked unread."""
_CHARACTERS: Final = frozenset(
    {TEXT, CARD_NAME, *range(0xE1, 0xE9), *range(DISPLAY_LINE_1, DISPLAY_LINE_8 + 1)}
)
_DECIMAL_SIZES: Final = {Size.LL: 99, Size.LLL: 999}


@dataclass(frozen=True, slots=True)
class Fields:
    """BMP number -> value, card numbers masked. undecoded: bytes from the first BMP on whose
    length nobody but its vendor knows; what stood before it is certain."""

    values: Mapping[int, bytes] = field(repr=False)
    undecoded: int = 0

    def get(self, number: int) -> bytes | None:
        return self.values.get(number)

    def byte(self, number: int) -> int | None:
        value = self.values.get(number)
        return None if value is None else value[0]

    def decimal(self, number: int) -> int | None:
        """A packed decimal. Raises ZvtError where it holds other digits."""
        value = self.values.get(number)
        return None if value is None else from_bcd(value)

    def digits(self, number: int) -> str:
        """A packed number as it is written, leading zeros included; "" where it is missing."""
        return self.values.get(number, b"").hex()

    def text(self, number: int) -> str:
        """Characters in code page 437, controls and outer spaces removed."""
        return characters(self.values.get(number, b"")).strip()

    def container(self) -> tuple[tlv.Tlv, ...]:
        """The objects of BMP 06. Raises ZvtError."""
        return tlv.decode(self.values.get(CONTAINER, b""))


def decode(data: bytes) -> Fields:
    """Raises ZvtError for a field that is cut short or that two fields contradict."""
    masked = mask(data)
    values: dict[int, bytes] = {}
    end = 0
    for number, low, end in _walk(masked):
        if values.setdefault(number, masked[low:end]) != masked[low:end]:
            raise ZvtError(f"BMP {number:02X} is there twice, with two values")
    return Fields(values, len(masked) - end)


def mask(data: bytes) -> bytes:
    """The same fields, byte for byte as long, without card numbers and card data.

    What cannot be decoded is blanked as a whole. Raises ZvtError as `decode` does.
    """
    out = bytearray(data)
    end = 0
    for number, low, end in _walk(data):
        out[low:end] = _mask_value(number, data[low:end])
    # Its first byte, the unknown number, stays for the log.
    out[end + 1 :] = b"\xee" * len(out[end + 1 :])
    return bytes(out)


def _mask_value(number: int, value: bytes) -> bytes:
    if number == PAN:
        return pan.mask_pan_field(value)
    if number in _SECRET:
        return b"\xee" * len(value)
    if number in _CHARACTERS:
        return pan.mask_characters(value)
    if number == CONTAINER:
        return _mask_container(value)
    return value


def _mask_container(value: bytes) -> bytes:
    try:
        return tlv.mask(value)
    except ZvtError:
        return b"\xee" * len(value)  # it cannot be read, and so neither can a card number in it


def encode(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """(BMP number, value) one after the other; lengths are added where the BMP has one."""
    parts: list[bytes] = []
    for number, value in fields:
        size = _TABLE[number]
        if isinstance(size, int):
            if len(value) != size:
                raise Bug(f"BMP {number:02X} has {size} bytes, not {len(value)}")
            parts += (bytes((number,)), value)
        elif size is Size.TLV:
            parts += (bytes((number,)), tlv.encode_length(len(value)), value)
        else:
            if len(value) > _DECIMAL_SIZES[size]:
                raise Bug(f"BMP {number:02X} cannot hold {len(value)} bytes")
            length = bytes(0xF0 | int(digit) for digit in f"{len(value):0{size.value}d}")
            parts += (bytes((number,)), length, value)
    return b"".join(parts)


def _walk(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(number, where its value begins, where it ends), up to the first unknown number.

    Raises ZvtError for a field that is cut short.
    """
    at = 0
    while at < len(data):
        number = data[at]
        size = _TABLE.get(number)
        if size is None:
            return
        if isinstance(size, int):
            low, high = at + 1, at + 1 + size
        elif size is Size.TLV:
            length, low = tlv.decode_length(data, at + 1)
            high = low + length
        else:
            low = at + 1 + size.value
            high = low + _decimal_length(data[at + 1 : low], size.value)
        if high > len(data):
            raise ZvtError(f"BMP {number:02X} is cut short")
        yield number, low, high
        at = high


def _decimal_length(signs: bytes, size: int) -> int:
    if len(signs) != size or any(sign < 0xF0 or sign > 0xF9 for sign in signs):
        raise ZvtError("a length that is not decimal")
    return int("".join(str(sign & 0x0F) for sign in signs))


def bcd(value: int, size: int) -> bytes:
    """A packed decimal of `size` bytes."""
    text = f"{value:0{2 * size}d}"
    if value < 0 or len(text) > 2 * size:
        raise Bug(f"{value} does not fit {size} BCD bytes")
    return bytes.fromhex(text)


def from_bcd_text(value: bytes) -> str:
    text = value.hex()
    if text and not text.isdecimal():
        raise ZvtError("a packed decimal with other digits")
    return text


def from_bcd(value: bytes) -> int:
    """Raises ZvtError where the value holds other digits than 0 to 9, or none."""
    text = from_bcd_text(value)
    if not text:
        raise ZvtError("a packed decimal without digits")
    return int(text)


def characters(value: bytes) -> str:
    """Code page 437, which ZVT uses unless another is registered; control characters go, and
    card numbers are masked."""
    text = value.decode("cp437")
    return pan.mask_text("".join(sign for sign in text if sign >= " " and sign != "\x7f"))


def to_characters(text: str) -> bytes:
    """Code page 437; what it lacks becomes a question mark."""
    return text.encode("cp437", "replace")
