"""What a USB printer tells of itself: descriptors, its IEEE 1284 id, its port status.

Sources: USB 2.0, chapter 9; USB Device Class Definition for Printing Devices 1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from appliance.simulators.printer_faults import Fault, is_online
from tests.image.usbredir import Control, Interface

OUT: Final = 0x01
IN: Final = 0x82
PRINTER: Final = Interface(7, 1, 2, (OUT, IN), 512)
"""Printing class, and both ways: section 4.1 and table 3 of the class definition."""
VERSION_BCD: Final = 0x0100
SOFT_RESET: Final = 2
_GET_DEVICE_ID: Final = 0
_GET_PORT_STATUS: Final = 1
CLEAR_FEATURE: Final = 1
_GET_STATUS: Final = 0
_GET_DESCRIPTOR: Final = 6
_ENGLISH: Final = 0x0409


@dataclass(frozen=True, slots=True)
class Identity:
    """serial: "" for a printer that has none, so that two of them cannot be told apart."""

    vendor: int = 0x04B8
    product: int = 0x0E28
    serial: str = "PRN00001"
    maker: str = "EPSON"
    model: str = "TM-T20III"

    def device_id(self) -> bytes:
        """IEEE 1284-2000, section 7.6; its length, which counts itself, is big-endian."""
        text = f"MFG:{self.maker};CMD:ESC/POS;MDL:{self.model};CLS:PRINTER;".encode("ascii")
        return struct.pack(">H", 2 + len(text)) + text

    def descriptor(self, kind: int, number: int) -> bytes | None:
        """kind: 1 device, 2 configuration, 3 string. None: it has none such."""
        if (kind, number) == (1, 0):
            return struct.pack(
                "<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, self.vendor, self.product,
                VERSION_BCD, 1, 2, 3 if self.serial else 0, 1,
            )  # fmt: skip
        if (kind, number) == (2, 0):
            rest = struct.pack(
                "<9B", 9, 4, 0, 0, len(PRINTER.bulk_endpoints), PRINTER.interface_class,
                PRINTER.subclass, PRINTER.protocol, 0,
            )  # fmt: skip
            for address in PRINTER.bulk_endpoints:
                rest += struct.pack("<BBBBHB", 7, 5, address, 2, PRINTER.max_packet_bytes, 0)
            self_powered, current_2_ma = 0xC0, 1
            head = (9, 2, 9 + len(rest), 1, 1, 0, self_powered, current_2_ma)
            return struct.pack("<BBHBBBBB", *head) + rest
        if kind == 3:
            return self._string(number)
        return None

    def _string(self, number: int) -> bytes | None:
        if number == 0:
            return struct.pack("<BBH", 4, 3, _ENGLISH)
        texts = {1: self.maker, 2: self.model, 3: self.serial}
        if not texts.get(number):
            return None
        text = texts[number].encode("utf-16-le")
        return bytes((2 + len(text), 3)) + text

    def answer(self, asked: Control, port_status: int, halted: int | None) -> bytes | None:
        """To a request that reads; None: it does not understand. halted: an endpoint that is."""
        known = {
            (0x80, _GET_DESCRIPTOR): self.descriptor(asked.value >> 8, asked.value & 0xFF),
            (0x80, _GET_STATUS): b"\1\0",  # self-powered
            (0x81, _GET_STATUS): b"\0\0",
            (0x82, _GET_STATUS): bytes((asked.index == halted, 0)),
            (0xA1, _GET_DEVICE_ID): self.device_id(),
            (0xA1, _GET_PORT_STATUS): bytes((port_status,)),
        }
        return known.get((asked.request_type, asked.request))


def port_status(faults: Iterable[str]) -> int:
    """Section 4.2.2: 0x20 paper empty, 0x10 selected, 0x08 no error. 0x18 is well."""
    now = {Fault(fault) for fault in faults}
    is_out = bool(now & {Fault.NO_PAPER, Fault.COVER_OPEN})
    return 0x20 * is_out | 0x10 | 0x08 * is_online(now)
