"""A USB device over a stream: packets to and from QEMU's `usb-redir`.

Source: the usbredir protocol, version 0.7 (usb-redirection-protocol.md, usbredirproto.h). Here is
what a device with control, bulk and interrupt transfers needs; both ends speak the same packets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Final

MOST_DATA_BYTES: Final = 1 << 20
"""Of one packet. QEMU's longest transfers are far shorter."""
ENDPOINTS: Final = 32
"""Slots of the endpoint tables: those that lead out first, from 16 on those that lead in."""
UNUSED: Final = 255
BULK_TYPE: Final = 2
INTERRUPT_TYPE: Final = 3
HIGH_SPEED: Final = 2


class RedirError(Exception):
    """What came is no usbredir, or more than anybody may send."""


class Kind(IntEnum):
    HELLO = 0
    DEVICE_CONNECT = 1
    DEVICE_DISCONNECT = 2
    RESET = 3
    INTERFACE_INFO = 4
    EP_INFO = 5
    SET_CONFIGURATION = 6
    GET_CONFIGURATION = 7
    CONFIGURATION_STATUS = 8
    SET_ALT_SETTING = 9
    GET_ALT_SETTING = 10
    ALT_SETTING_STATUS = 11
    START_INTERRUPT_RECEIVING = 15
    STOP_INTERRUPT_RECEIVING = 16
    INTERRUPT_RECEIVING_STATUS = 17
    CANCEL_DATA_PACKET = 21
    CONTROL = 100
    BULK = 101
    INTERRUPT = 103


class Status(IntEnum):
    SUCCESS = 0
    CANCELLED = 1
    INVAL = 2
    IOERROR = 3
    STALL = 4


class Capability(IntFlag):
    CONNECT_DEVICE_VERSION = 1 << 1
    EP_INFO_MAX_PACKET_SIZE = 1 << 4
    IDS_OF_64_BITS = 1 << 5
    BULK_LENGTH_OF_32_BITS = 1 << 6


CAPABILITIES: Final = (
    Capability.CONNECT_DEVICE_VERSION
    | Capability.EP_INFO_MAX_PACKET_SIZE
    | Capability.IDS_OF_64_BITS
    | Capability.BULK_LENGTH_OF_32_BITS
)
"""QEMU's xHCI insists on the last three."""


@dataclass(frozen=True, slots=True)
class Packet:
    """number: pairs a request with its answer. kind: a Kind, or a number that is none of them."""

    kind: int
    number: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Control:
    """A control transfer, by the fields of its setup packet (USB 2.0, section 9.3).

    status: of an answer; in a request QEMU leaves there what happened to be in memory.
    """

    number: int
    endpoint: int
    request: int
    request_type: int
    status: int
    value: int
    index: int
    length: int
    data: bytes = b""

    def answered(self, status: Status, data: bytes = b"") -> Control:
        """data: for one that reads; at most what was asked for is sent."""
        if not self.request_type & 0x80:
            return replace(self, status=status, data=b"")
        data = data[: self.length]
        return replace(self, status=status, length=len(data), data=data)


@dataclass(frozen=True, slots=True)
class Bulk:
    """A bulk transfer. endpoint: with 0x80 when it leads in. length: how many bytes are wanted, or
    how many were moved."""

    number: int
    endpoint: int
    status: int
    length: int
    stream: int = 0
    data: bytes = b""


Message = Packet | Control | Bulk

_HELLO = struct.Struct("<64sI")
_CONTROL = struct.Struct("<BBBBHHH")
_BULK = struct.Struct("<BBHIH")
_VERSION: Final = b"kassa tests"


class Stream:
    """One connection, from either end. `hello` is the first to be sent; nothing else until the far
    end's has come: only then it is known how long the numbers are."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header = struct.Struct("<III")
        self.is_open = False

    def hello(self) -> bytes:
        body = _HELLO.pack(_VERSION, CAPABILITIES)
        return struct.pack("<III", Kind.HELLO, len(body), 0) + body

    def encode(self, message: Message) -> bytes:
        if isinstance(message, Control):
            kind = int(Kind.CONTROL)
            head = _CONTROL.pack(
                message.endpoint, message.request, message.request_type, message.status,
                message.value, message.index, message.length,
            )  # fmt: skip
            body = head + message.data
        elif isinstance(message, Bulk):
            kind = int(Kind.BULK)
            low, high = message.length & 0xFFFF, message.length >> 16
            head = _BULK.pack(message.endpoint, message.status, low, message.stream, high)
            body = head + message.data
        else:
            kind, body = message.kind, message.body
        return self._header.pack(kind, len(body), message.number) + body

    def receive(self, data: bytes) -> list[Message]:
        """What has come whole by now, the far end's hello excepted. Raises RedirError; then
        nothing more can be understood."""
        self._buffer += data
        found: list[Message] = []
        while len(self._buffer) >= self._header.size:
            header = self._header
            kind, length, number = header.unpack_from(self._buffer)
            if length > MOST_DATA_BYTES + _CONTROL.size:
                raise RedirError(f"a packet of {length} bytes")
            if len(self._buffer) < header.size + length:
                break
            body = bytes(self._buffer[header.size : header.size + length])
            del self._buffer[: header.size + length]
            if kind == Kind.HELLO and not self.is_open:
                self._agree(body)
            elif not self.is_open or kind == Kind.HELLO:
                raise RedirError("one hello, and before anything else")
            else:
                found.append(_decoded(kind, number, body))
        return found

    def _agree(self, body: bytes) -> None:
        if len(body) < _HELLO.size:
            raise RedirError("a hello without capabilities")
        theirs = Capability(_HELLO.unpack_from(body)[1])
        if CAPABILITIES & ~theirs:
            raise RedirError(f"the far end lacks {CAPABILITIES & ~theirs!r}")
        self._header = struct.Struct("<IIQ")
        self.is_open = True


def _decoded(kind: int, number: int, body: bytes) -> Message:
    try:
        if kind == Kind.CONTROL:
            fields = _CONTROL.unpack_from(body)
            return replace(Control(number, *fields), data=body[_CONTROL.size :])
        if kind == Kind.BULK:
            endpoint, status, low, stream, high = _BULK.unpack_from(body)
            return Bulk(number, endpoint, status, high << 16 | low, stream, body[_BULK.size :])
    except struct.error as error:
        raise RedirError(f"a packet of kind {kind} that is too short") from error
    return Packet(kind, number, body)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """address: with 0x80 when it leads in. kind: BULK_TYPE or INTERRUPT_TYPE. interval: of the
    endpoint's descriptor (USB 2.0, table 9-13)."""

    address: int
    kind: int
    max_packet_bytes: int
    interval: int = 0


@dataclass(frozen=True, slots=True)
class Interface:
    """A device's only one. class_descriptor: what stands between its own descriptor and those of
    its endpoints."""

    interface_class: int
    subclass: int
    protocol: int
    endpoints: tuple[Endpoint, ...]
    class_descriptor: bytes = b""


def announcement(interface: Interface, vendor: int, product: int, version_bcd: int) -> list[Packet]:
    """A device that is plugged in: its tables, and then itself."""
    first_only = struct.Struct("<B31x")
    table = struct.pack("<I", 1) + b"".join(
        first_only.pack(value)
        for value in (0, interface.interface_class, interface.subclass, interface.protocol)
    )
    kinds, intervals = bytearray([UNUSED] * ENDPOINTS), bytearray(ENDPOINTS)
    sizes = [0] * ENDPOINTS
    control = (Endpoint(0x00, 0, 64), Endpoint(0x80, 0, 64))
    for end in (*control, *interface.endpoints):
        slot = (end.address >> 3 & 0x10) | end.address & 0x0F
        kinds[slot], intervals[slot], sizes[slot] = end.kind, end.interval, end.max_packet_bytes
    endpoints = kinds + intervals + bytes(ENDPOINTS) + struct.pack(f"<{ENDPOINTS}H", *sizes)
    # Class 0: it is the interface that tells.
    device = struct.pack("<BBBBHHH", HIGH_SPEED, 0, 0, 0, vendor, product, version_bcd)
    return [
        Packet(Kind.INTERFACE_INFO, 0, table),
        Packet(Kind.EP_INFO, 0, bytes(endpoints)),
        Packet(Kind.DEVICE_CONNECT, 0, device),
    ]
