"""What every USB device is asked, and what it tells of itself. No I/O.

Source: USB 2.0, chapter 9.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from tests.image.usbredir import (
    Bulk,
    Control,
    Interface,
    Kind,
    Message,
    Packet,
    Status,
    announcement,
)

VERSION_BCD: Final = 0x0100
_ENGLISH: Final = 0x0409
_MOST_DEFECTS: Final = 100


@dataclass(frozen=True, slots=True)
class Identity:
    """serial: "" for a device that has none, so that two of them cannot be told apart."""

    vendor: int
    product: int
    serial: str
    maker: str
    model: str


class UsbFunction:
    """A device with one configuration of one interface. Each method returns what is to be sent.

    Until the machine has chosen the configuration there are no transfers: some that were meant for
    the time before an `unplug` may come after the next `plug`.

    defects: what came that no machine should send.
    """

    def __init__(self, identity: Identity, interface: Interface) -> None:
        self.identity = identity
        self.interface = interface
        self.defects: deque[str] = deque(maxlen=_MOST_DEFECTS)
        self.halted: int | None = None  # the address of an endpoint
        self.is_configured = False

    def plug(self) -> list[Message]:
        device = (self.identity.vendor, self.identity.product, VERSION_BCD)
        return [*announcement(self.interface, *device)]

    def unplug(self) -> list[Message]:
        """Nobody waits for the transfers any more."""
        self.forget()
        return [Packet(Kind.DEVICE_DISCONNECT, 0)]

    def forget(self) -> None:
        """As `unplug`, where the machine is gone."""
        self.halted = None
        self.is_configured = False

    def handle(self, message: Message) -> list[Message]:
        match message:
            case Control():
                return [self._control(message)]
            case Bulk():
                return self._transfer(message)
            case Packet(Kind.SET_CONFIGURATION, number, body):
                self.is_configured = body == b"\1"
                return [Packet(Kind.CONFIGURATION_STATUS, number, b"\0" + body)]
            case Packet(Kind.GET_CONFIGURATION, number, _):
                body = bytes((Status.SUCCESS, self.is_configured))
                return [Packet(Kind.CONFIGURATION_STATUS, number, body)]
            case Packet(Kind.SET_ALT_SETTING | Kind.GET_ALT_SETTING, number, body):
                # There is one setting of one interface.
                return [Packet(Kind.ALT_SETTING_STATUS, number, b"\0" + body[:1] + b"\0")]
            case Packet(Kind.RESET, _, _):
                self.halted = None
                self.is_configured = False
                return self._reset()
        return self._packet(message)

    # --- what differs ----------------------------------------------------------------------------

    def _transfer(self, asked: Bulk) -> list[Message]:
        return self._packet(Packet(Kind.BULK, asked.number))

    def _packet(self, packet: Packet) -> list[Message]:
        self.defects.append(f"a packet of kind {packet.kind}")
        return []

    def _reset(self) -> list[Message]:
        return []

    def _class_request(self, asked: Control) -> bytes | None:
        """What it answers, b"" to what only tells; None: not understood."""
        return None

    # --- what does not ---------------------------------------------------------------------------

    def _control(self, asked: Control) -> Control:
        data = self._class_request(asked)
        if data is None:
            data = self._standard_request(asked)
        if data is None:
            return asked.answered(Status.STALL)
        return asked.answered(Status.SUCCESS, data)

    def _standard_request(self, asked: Control) -> bytes | None:
        match asked.request_type, asked.request:
            case (0x80, 6):  # get descriptor
                return self._descriptor(asked.value >> 8, asked.value & 0xFF)
            case (0x80, 0):  # get status: it has power of its own
                return b"\1\0"
            case (0x81, 0):
                return b"\0\0"
            case (0x82, 0):
                return bytes((asked.index == self.halted, 0))
            case (0x02, 1):  # clear feature: there is none but the halt
                self.halted = None
                return b""
        return None

    def _descriptor(self, kind: int, number: int) -> bytes | None:
        """kind: 1 device, 2 configuration, 3 string. None: it has none such."""
        me = self.identity
        if (kind, number) == (1, 0):
            return struct.pack(
                "<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, me.vendor, me.product,
                VERSION_BCD, 1, 2, 3 if me.serial else 0, 1,
            )  # fmt: skip
        if (kind, number) == (2, 0):
            what = self.interface
            rest = struct.pack(
                "<9B", 9, 4, 0, 0, len(what.endpoints), what.interface_class, what.subclass,
                what.protocol, 0,
            ) + what.class_descriptor  # fmt: skip
            for end in what.endpoints:
                fields = (7, 5, end.address, end.kind, end.max_packet_bytes, end.interval)
                rest += struct.pack("<BBBBHB", *fields)
            self_powered, current_2_ma = 0xC0, 1
            head = (9, 2, 9 + len(rest), 1, 1, 0, self_powered, current_2_ma)
            return struct.pack("<BBHBBBBB", *head) + rest
        if (kind, number) == (3, 0):
            return struct.pack("<BBH", 4, 3, _ENGLISH)
        texts = {1: me.maker, 2: me.model, 3: me.serial}
        if kind != 3 or not texts.get(number):
            return None
        text = texts[number].encode("utf-16-le")
        return bytes((2 + len(text), 3)) + text
