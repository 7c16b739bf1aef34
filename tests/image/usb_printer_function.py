"""The USB side of a printer. No I/O.

Source: USB Device Class Definition for Printing Devices 1.1.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from appliance.simulators.printer_faults import Fault, is_online
from tests.image.usb_function import Identity, UsbFunction
from tests.image.usbredir import (
    BULK_TYPE,
    Bulk,
    Control,
    Endpoint,
    Interface,
    Kind,
    Message,
    Packet,
    Status,
)

OUT: Final = 0x01
IN: Final = 0x82
PRINTER: Final = Interface(7, 1, 2, (Endpoint(OUT, BULK_TYPE, 512), Endpoint(IN, BULK_TYPE, 512)))
"""Printing class, and both ways: section 4.1 and table 3."""
EPSON: Final = Identity(0x04B8, 0x0E28, "PRN00001", "EPSON", "TM-T20III")
WELL: Final = 0x18
_MOST_TRANSFERS: Final = 64


def port_status(faults: Iterable[str]) -> int:
    """Section 4.2.2: 0x20 paper empty, 0x10 selected, 0x08 no error. Without faults: WELL."""
    now = {Fault(fault) for fault in faults}
    is_out = bool(now & {Fault.NO_PAPER, Fault.COVER_OPEN})
    return 0x20 * is_out | 0x10 | 0x08 * is_online(now)


@dataclass(slots=True, eq=False)
class Transfer:
    """One to the printer. taken: how many of its bytes the printer has."""

    asked: Bulk
    taken: int = 0

    @property
    def rest(self) -> bytes:
        return self.asked.data[self.taken :]


class PrinterFunction(UsbFunction):
    """A transfer to the printer is answered when the printer has taken all of it: until then the
    guest waits, as it does where a device answers NAK. SOFT_RESET clears a halted endpoint and
    nothing else, as the printer itself does not hear of it.

    port_status: what it says when it is asked for that.
    """

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity, PRINTER)
        self.port_status = WELL
        self._outs: deque[Transfer] = deque()
        self._ins: deque[Bulk] = deque()

    # --- the printer's side ----------------------------------------------------------------------

    @property
    def head(self) -> Transfer | None:
        """What the printer may take from."""
        return self._outs[0] if self._outs else None

    def took(self, size: int) -> list[Message]:
        """The printer has taken so many bytes of the head."""
        self._outs[0].taken += size
        return self._settled()

    @property
    def wanted(self) -> int:
        """How many bytes the machine would take from the printer now."""
        return self._ins[0].length if self._ins else 0

    def reply(self, data: bytes) -> list[Message]:
        """At most as many as are wanted."""
        return [_done(self._ins.popleft(), Status.SUCCESS, len(data), data)]

    def halt(self) -> list[Message]:
        """It stalls what it is sent, until the guest clears that or resets it."""
        self.halted = OUT
        stopped = list(self._outs)
        self._outs.clear()
        return [_done(out.asked, Status.STALL, out.taken) for out in stopped]

    # --- the machine's side ----------------------------------------------------------------------

    def forget(self) -> None:
        super().forget()
        self._outs.clear()
        self._ins.clear()

    def _class_request(self, asked: Control) -> bytes | None:
        match asked.request_type, asked.request:
            case (0xA1, 0):  # GET_DEVICE_ID: IEEE 1284-2000, section 7.6; its length counts itself
                me = self.identity
                text = f"MFG:{me.maker};CMD:ESC/POS;MDL:{me.model};CLS:PRINTER;".encode("ascii")
                return struct.pack(">H", 2 + len(text)) + text
            case (0xA1, 1):  # GET_PORT_STATUS
                return bytes((self.port_status,))
            case (0x21 | 0x23, 2):  # SOFT_RESET; 0x23 in version 1.0
                self.halted = None
                return b""
        return None

    def _transfer(self, asked: Bulk) -> list[Message]:
        if not self.is_configured:
            return [_done(asked, Status.INVAL)]
        if asked.endpoint not in (OUT, IN) or asked.endpoint == self.halted:
            return [_done(asked, Status.STALL)]
        if len(self._outs) + len(self._ins) >= _MOST_TRANSFERS:
            self.defects.append("more transfers at once than anybody needs")
            return [_done(asked, Status.IOERROR)]
        if asked.endpoint == OUT:
            self._outs.append(Transfer(asked))
        else:
            self._ins.append(asked)
        return self._settled()

    def _packet(self, packet: Packet) -> list[Message]:
        if packet.kind == Kind.CANCEL_DATA_PACKET:
            return self._cancel({packet.number})
        return super()._packet(packet)

    def _reset(self) -> list[Message]:
        outs = {out.asked.number for out in self._outs}
        return self._cancel(outs | {asked.number for asked in self._ins})

    def _cancel(self, numbers: set[int]) -> list[Message]:
        """One that was answered meanwhile is left at that."""
        outs = [out for out in self._outs if out.asked.number in numbers]
        ins = [asked for asked in self._ins if asked.number in numbers]
        self._outs = deque(out for out in self._outs if out not in outs)
        self._ins = deque(asked for asked in self._ins if asked not in ins)
        ended = [_done(out.asked, Status.CANCELLED, out.taken) for out in outs]
        ended += [_done(asked, Status.CANCELLED) for asked in ins]
        return ended + self._settled()

    def _settled(self) -> list[Message]:
        """Answers to what the printer has taken whole; to an empty transfer as well."""
        done: list[Message] = []
        while self._outs and not self._outs[0].rest:
            out = self._outs.popleft()
            done.append(_done(out.asked, Status.SUCCESS, out.taken))
        return done


def _done(asked: Bulk, status: Status, length: int = 0, data: bytes = b"") -> Message:
    return replace(asked, status=status, length=length, data=data)
