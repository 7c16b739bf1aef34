"""BER-TLV as ZVT uses it in BMP 06 (PA00P015, chapter TLV container). Unknown tags are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.domain.errors import Bug
from appliance.protocols.zvt.errors import ZvtError
from appliance.protocols.zvt.pan import mask_characters, mask_packed

TEXT_LINE: Final = 0x07
END_OF_RECEIPT: Final = 0x09
COMMAND: Final = 0x0A
DISPLAY_TEXTS: Final = 0x24
PRINT_TEXTS: Final = 0x25
COMMANDS: Final = 0x26
RECEIPT_TYPE: Final = 0x1F07
SYNC_RECEIPT: Final = 0x1F1F
MESSAGE_ID: Final = 0x1F73

DEEPEST: Final = 8
_TEXTS: Final = frozenset({TEXT_LINE, 0x44})  # 44: the card application's label
_LARGEST_TAG_BYTES: Final = 3
_PADDING: Final = 0x00  # allowed between objects (ISO 7816-4)


@dataclass(frozen=True, slots=True)
class Tlv:
    """One object. tag: its bytes as one number, 1F07 for example. A constructed one's value holds
    objects again, see `children`."""

    tag: int
    value: bytes = field(default=b"", repr=False)

    def children(self) -> tuple[Tlv, ...]:
        """Raises ZvtError where the value holds no objects."""
        return decode(self.value)


def encode(objects: Iterable[Tlv]) -> bytes:
    """The objects one after the other, without an outer length."""
    parts: list[bytes] = []
    for item in objects:
        size = max(1, (item.tag.bit_length() + 7) // 8)
        parts += (item.tag.to_bytes(size, "big"), encode_length(len(item.value)), item.value)
    return b"".join(parts)


def constructed(tag: int, children: Sequence[Tlv]) -> Tlv:
    return Tlv(tag, encode(children))


def encode_length(size: int) -> bytes:
    if size <= 0x7F:
        return bytes((size,))
    if size <= 0xFF:
        return bytes((0x81, size))
    if size > 0xFFFF:
        raise Bug(f"a TLV object of {size} bytes")
    return b"\x82" + size.to_bytes(2, "big")


def decode_length(data: bytes, start: int) -> tuple[int, int]:
    """The length that stands at `start`, and where the value begins. Raises ZvtError."""
    first = data[start] if start < len(data) else 0x80
    if first <= 0x7F:
        return first, start + 1
    more = {0x81: 1, 0x82: 2}.get(first)
    if more is None or start + 1 + more > len(data):
        raise ZvtError("a TLV length that cannot be read")
    return int.from_bytes(data[start + 1 : start + 1 + more], "big"), start + 1 + more


def decode(data: bytes) -> tuple[Tlv, ...]:
    """The objects of one level. Raises ZvtError."""
    return tuple(Tlv(tag, data[low:high]) for tag, low, high in _walk(data))


def find(objects: Iterable[Tlv], tag: int) -> Tlv | None:
    """The first object with this tag, on this level."""
    return next((item for item in objects if item.tag == tag), None)


def mask(data: bytes, depth: int = 0) -> bytes:
    """The same container, byte for byte as long, with every card number in it masked.

    Raises ZvtError where `data` is no container.
    """
    out = bytearray(data)
    for tag, low, high in _walk(data):
        out[low:high] = _mask_value(tag, data[low:high], depth)
    return bytes(out)


def _mask_value(tag: int, value: bytes, depth: int) -> bytes:
    if tag in _TEXTS:  # text holds packed digits by accident only
        return mask_characters(value)
    if _is_constructed(tag) and depth < DEEPEST:
        try:
            return mask(value, depth + 1)
        except ZvtError:
            pass  # a vendor's tag that only looks constructed: it is masked as a plain value
    return mask_packed(mask_characters(value))


def _is_constructed(tag: int) -> bool:
    first = tag
    while first > 0xFF:
        first >>= 8
    return bool(first & 0x20)


def _walk(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(tag, where its value begins, where it ends) of one level. Raises ZvtError."""
    at = 0
    while at < len(data):
        tag = data[at]
        at += 1
        if tag == _PADDING:
            continue
        if tag & 0x1F == 0x1F:  # more tag bytes follow, the last one without its top bit
            for _ in range(_LARGEST_TAG_BYTES - 1):
                if at >= len(data):
                    raise ZvtError("a TLV tag without an end")
                tag = tag << 8 | data[at]
                at += 1
                if not tag & 0x80:
                    break
            else:
                raise ZvtError("a TLV tag without an end")
        size, at = decode_length(data, at)
        if at + size > len(data):
            raise ZvtError("a TLV object that is longer than its container")
        yield tag, at, at + size
        at += size
