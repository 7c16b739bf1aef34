"""The USB side of a printer: requests and transfers in, answers out. No I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from tests.image import usb_identity
from tests.image.usb_identity import IN, OUT, PRINTER, VERSION_BCD, Identity
from tests.image.usbredir import Bulk, Control, Kind, Message, Packet, Status, announcement

_MOST_TRANSFERS: Final = 64
_MOST_DEFECTS: Final = 100


@dataclass(slots=True, eq=False)
class Transfer:
    """One to the printer. taken: how many of its bytes the printer has."""

    asked: Bulk
    taken: int = 0

    @property
    def rest(self) -> bytes:
        return self.asked.data[self.taken :]


class UsbDevice:
    """One that is plugged in at one machine. Each method returns what is to be sent.

    A transfer to the printer is answered when the printer has taken all of it: until then the
    guest waits, as it does where a device answers NAK. SOFT_RESET clears a halted endpoint and
    nothing else, as the printer itself does not hear of it. Until the machine has chosen its
    configuration there are no transfers: some that were meant for the time before an `unplug` may
    come after the next `plug`.

    defects: what came that no machine should send.
    """

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.defects: deque[str] = deque(maxlen=_MOST_DEFECTS)
        self._outs: deque[Transfer] = deque()
        self._ins: deque[Bulk] = deque()
        self._halted: int | None = None
        self._is_configured = False

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

    # --- the machine's side ----------------------------------------------------------------------

    def plug(self) -> list[Message]:
        device = (self.identity.vendor, self.identity.product, VERSION_BCD)
        return [*announcement(PRINTER, *device)]

    def unplug(self) -> list[Message]:
        """Nobody waits for the transfers any more."""
        self.forget()
        return [Packet(Kind.DEVICE_DISCONNECT, 0)]

    def forget(self) -> None:
        """As `unplug`, where the machine is gone."""
        self._outs.clear()
        self._ins.clear()
        self._halted = None
        self._is_configured = False

    def halt(self) -> list[Message]:
        """It stalls what it is sent, until the guest clears that or resets it."""
        self._halted = OUT
        stopped = list(self._outs)
        self._outs.clear()
        return [_done(out.asked, Status.STALL, out.taken) for out in stopped]

    def handle(self, message: Message, port_status: int) -> list[Message]:
        """port_status: section 4.2.2 of the class definition."""
        match message:
            case Control():
                return [self._control(message, port_status)]
            case Bulk():
                return self._bulk(message)
            case Packet(Kind.SET_CONFIGURATION, number, body):
                self._is_configured = body == b"\1"
                return [Packet(Kind.CONFIGURATION_STATUS, number, b"\0" + body)]
            case Packet(Kind.GET_CONFIGURATION, number, _):
                body = bytes((Status.SUCCESS, self._is_configured))
                return [Packet(Kind.CONFIGURATION_STATUS, number, body)]
            case Packet(Kind.SET_ALT_SETTING | Kind.GET_ALT_SETTING, number, body):
                # There is one setting of one interface.
                return [Packet(Kind.ALT_SETTING_STATUS, number, b"\0" + body[:1] + b"\0")]
            case Packet(Kind.CANCEL_DATA_PACKET, number, _):
                return self._cancel({number})
            case Packet(Kind.RESET, _, _):
                self._halted = None
                self._is_configured = False
                outs = {out.asked.number for out in self._outs}
                return self._cancel(outs | {asked.number for asked in self._ins})
            case Packet(kind, _, _):
                self.defects.append(f"a packet of kind {kind}")
        return []

    def _control(self, asked: Control, port_status: int) -> Control:
        match asked.request_type, asked.request:
            case (0x21 | 0x23, usb_identity.SOFT_RESET) | (0x02, usb_identity.CLEAR_FEATURE):
                self._halted = None
                return asked.answered(Status.SUCCESS)
        data = self.identity.answer(asked, port_status, self._halted)
        if data is None:
            return asked.answered(Status.STALL)
        return asked.answered(Status.SUCCESS, data)

    def _bulk(self, asked: Bulk) -> list[Message]:
        if not self._is_configured:
            return [_done(asked, Status.INVAL)]
        if asked.endpoint not in (OUT, IN) or asked.endpoint == self._halted:
            return [_done(asked, Status.STALL)]
        if len(self._outs) + len(self._ins) >= _MOST_TRANSFERS:
            self.defects.append("more transfers at once than anybody needs")
            return [_done(asked, Status.IOERROR)]
        if asked.endpoint == OUT:
            self._outs.append(Transfer(asked))
        else:
            self._ins.append(asked)
        return self._settled()

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
