"""APDUs: class, instruction, length, data (ZVT PA00P015, chapter 1; PA00P016 for TCP)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from appliance.domain.errors import Bug
from appliance.protocols.zvt.errors import ZvtError

LARGEST_DATA: Final = 0xFFFF
"""Bytes of data that the extended length can state."""

LARGEST_APDU: Final = 5 + LARGEST_DATA

_EXTENDED: Final = 0xFF  # this length byte says: two more follow, low byte first
_CLASSES: Final = frozenset({0x04, 0x05, 0x06, 0x08, 0x0F, 0x80, 0x84})


@dataclass(frozen=True, slots=True)
class Apdu:
    """One message before it is understood. `data` stays out of repr: it may hold card data."""

    cls: int
    ins: int
    data: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """The bytes on a TCP line, or inside a serial frame."""
        size = len(self.data)
        if size > LARGEST_DATA:
            raise Bug(f"an APDU of {size} bytes")
        if size < _EXTENDED:
            return bytes((self.cls, self.ins, size)) + self.data
        return bytes((self.cls, self.ins, _EXTENDED, size & 0xFF, size >> 8)) + self.data

    @classmethod
    def decode(cls, raw: bytes) -> Apdu:
        """Exactly one APDU. Raises ZvtError."""
        size = apdu_size(raw)
        if size is None or size != len(raw):
            raise ZvtError(f"an APDU of {len(raw)} bytes that states another length")
        return cls(raw[0], raw[1], raw[5:] if raw[2] == _EXTENDED else raw[3:])


def apdu_size(raw: bytes | bytearray) -> int | None:
    """Bytes of the APDU that starts here, header included; None while the header is incomplete."""
    if len(raw) < 3:
        return None
    if raw[2] != _EXTENDED:
        return 3 + raw[2]
    if len(raw) < 5:
        return None
    return 5 + (raw[3] | raw[4] << 8)


class ApduReader:
    """Cuts a byte stream without frames (TCP) into APDUs, whatever the segmentation.

    Holds at most one incomplete APDU (64 KiB). The stream has no marker to find the next APDU
    by, so after an impossible class byte everything is nonsense: `error` says so for good.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.error: ZvtError | None = None

    @property
    def is_amid(self) -> bool:
        """True while an APDU has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The APDUs that these bytes complete, as raw bytes. Never raises; see `error`."""
        found: list[bytes] = []
        if self.error is not None:
            return found
        self._buffer += data
        start = 0
        while start < len(self._buffer):
            if self._buffer[start] not in _CLASSES:
                self.error = ZvtError(f"no APDU starts with {self._buffer[start]:02X}")
                self._buffer.clear()
                return found
            size = apdu_size(self._buffer[start : start + 5])
            if size is None or start + size > len(self._buffer):
                break
            found.append(bytes(self._buffer[start : start + size]))
            start += size
        del self._buffer[:start]
        return found
