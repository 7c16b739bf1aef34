"""Transport (ZVT PA00P016): serial frames with ACK and NAK, and bare APDUs on TCP.

Both are the same to a driver and to a simulator: give bytes in, take APDUs out, call `tick` at
`deadline`. Nothing here reads a clock; times are monotonic seconds and are passed in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from appliance.domain.errors import Bug
from appliance.protocols.zvt.apdu import LARGEST_APDU, ApduReader
from appliance.protocols.zvt.errors import NotTakenError

DLE: Final = 0x10
STX: Final = 0x02
ETX: Final = 0x03
ACK: Final = 0x06
NAK: Final = 0x15
LARGEST_QUEUE: Final = 16  # APDUs that wait to be sent; the protocol never needs more than two


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0x8408 if byte & 1 else byte >> 1
    return byte


_CRC: Final = tuple(_crc_of(byte) for byte in range(256))


def crc16(data: bytes) -> int:
    """CRC-16/KERMIT: reflected polynomial 8408, start 0.

    The standard names it XModem; every working terminal computes this one.
    """
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def frame(apdu: bytes) -> bytes:
    """The serial frame around an APDU: DLE STX, the APDU with each DLE doubled, DLE ETX, CRC."""
    body = apdu.replace(b"\x10", b"\x10\x10")
    return b"\x10\x02" + body + b"\x10\x03" + crc16(apdu + b"\x03").to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class SerialTimes:
    """Seconds. t1: longest gap between bytes of a frame; t2: longest wait for the ACK.
    repeats: how often a frame is sent again."""

    t1_s: float = 0.2
    t2_s: float = 5.0
    repeats: int = 2


class Link(Protocol):
    """One end of a line, serial or TCP."""

    def send(self, apdu: bytes, now: float, *, after_silence: bool = True) -> None:
        """Queue one APDU. after_silence: may be sent again when the far end says nothing at all;
        not for a command that must not run twice (a NAK says for certain that it did not run)."""

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """The APDUs that these bytes complete. Never raises: errors wait for `tick`."""

    def tick(self, now: float) -> None:
        """Timeouts and repeats. Raises ZvtError when the far end takes no frame, or when nothing
        sensible can come any more. Call it only when there is nothing left to read."""

    def take_output(self) -> bytes:
        """What is to be written now."""

    def deadline(self) -> float | None:
        """When `tick` is due, or None."""

    @property
    def has_failed(self) -> bool:
        """The next `tick` raises, and every later one."""

    @property
    def is_taken(self) -> bool:
        """The far end has taken everything, as far as this line can tell."""

    @property
    def is_clear(self) -> bool:
        """The far end has taken everything, and is not in the middle of an APDU."""

    @property
    def copies(self) -> int:
        """How often the last APDU has left."""


class TcpLink:
    """Bare APDUs; TCP itself repeats and acknowledges."""

    def __init__(self) -> None:
        self._reader = ApduReader()
        self._output = bytearray()
        self.copies = 0

    def send(self, apdu: bytes, now: float, *, after_silence: bool = True) -> None:
        if len(self._output) > LARGEST_QUEUE * LARGEST_APDU:
            raise Bug("nobody takes the output of this link")
        self._output += apdu
        self.copies = 1

    def receive(self, data: bytes, now: float) -> list[bytes]:
        return self._reader.feed(data)

    def tick(self, now: float) -> None:
        if self._reader.error is not None:
            raise self._reader.error

    def take_output(self) -> bytes:
        output = bytes(self._output)
        self._output.clear()
        return output

    def deadline(self) -> float | None:
        return 0.0 if self.has_failed else None

    @property
    def has_failed(self) -> bool:
        return self._reader.error is not None

    @property
    def is_taken(self) -> bool:
        return not self._output

    @property
    def is_clear(self) -> bool:
        return self.is_taken and not self._reader.is_amid


class _State(Enum):
    IDLE = auto()
    IDLE_DLE = auto()
    BODY = auto()
    BODY_DLE = auto()
    CRC_LOW = auto()
    CRC_HIGH = auto()
    SKIP = auto()  # the frame is already bad: find its end, then NAK
    SKIP_DLE = auto()
    SKIP_CRC_LOW = auto()
    SKIP_CRC_HIGH = auto()


@dataclass(slots=True)
class _Sent:
    apdu: bytes
    after_silence: bool
    copies: int = 0
    until: float = 0.0


class SerialLink:
    """Serial frames; both ends are equal.

    A frame that is broken, too long or too slow gets one NAK when it ends or falls silent. While
    an ACK is awaited, a whole frame from the far end counts as one: it answers only what it has
    taken, and a command that it already runs must not reach it a second time.
    """

    def __init__(
        self, times: SerialTimes | None = None, *, largest_apdu: int = LARGEST_APDU
    ) -> None:
        self._times = times or SerialTimes()
        self._largest_apdu = largest_apdu
        self._state = _State.IDLE
        self._body = bytearray()
        self._crc_low = 0
        self._last_byte = 0.0
        self._queue: deque[_Sent] = deque()
        self._waiting: _Sent | None = None
        self._output = bytearray()
        self.has_failed = False
        self.copies = 0

    # --- sending

    def send(self, apdu: bytes, now: float, *, after_silence: bool = True) -> None:
        if len(self._queue) >= LARGEST_QUEUE:
            raise Bug("nobody takes the output of this link")
        self._queue.append(_Sent(apdu, after_silence))
        if self._waiting is None:
            self._next(now)

    def _next(self, now: float) -> None:
        self._waiting = self._queue.popleft() if self._queue else None
        if self._waiting is not None:
            self._write(self._waiting, now)

    def _write(self, sent: _Sent, now: float) -> None:
        self._output += frame(sent.apdu)
        sent.copies += 1
        sent.until = now + self._times.t2_s
        self.copies = sent.copies

    def _taken(self, now: float) -> None:
        if self._waiting is not None:
            self._next(now)

    def _refused(self, now: float) -> None:
        if self._waiting is not None:
            self._again(self._waiting, now)

    def _again(self, sent: _Sent, now: float) -> None:
        if sent.copies > self._times.repeats:
            self.has_failed = True
        else:
            self._write(sent, now)

    def take_output(self) -> bytes:
        output = bytes(self._output)
        self._output.clear()
        return output

    @property
    def is_taken(self) -> bool:
        return self._waiting is None

    @property
    def is_clear(self) -> bool:
        return self.is_taken and self._state is _State.IDLE

    # --- time

    def deadline(self) -> float | None:
        due: list[float] = []
        if self.has_failed:
            due.append(0.0)
        if self._waiting is not None:
            due.append(self._waiting.until)
        if self._state is not _State.IDLE:
            due.append(self._last_byte + self._times.t1_s)
        return min(due, default=None)

    def tick(self, now: float) -> None:
        self._end_slow_frame(now)
        waiting = self._waiting
        if waiting is not None and now >= waiting.until and not self.has_failed:
            if waiting.after_silence:
                self._again(waiting, now)
            else:
                self.has_failed = True
        if self.has_failed:
            raise NotTakenError("the far end takes no frame")

    def _end_slow_frame(self, now: float) -> None:
        if self._state is _State.IDLE or now < self._last_byte + self._times.t1_s:
            return
        if self._state is not _State.IDLE_DLE:  # a lone DLE is noise, and noise gets no answer
            self._output.append(NAK)
        self._reset()

    # --- receiving

    def receive(self, data: bytes, now: float) -> list[bytes]:
        # Only `tick` ends a slow frame: whether a gap was on the line or in a busy computer can be
        # told only when there is nothing left to read.
        found: list[bytes] = []
        self._last_byte = now
        at = 0
        while at < len(data):
            run = self._plain_run(data, at)
            if run:
                at += run
                continue
            apdu = self._byte(data[at], now)
            at += 1
            if apdu is not None:
                found.append(apdu)
        return found

    def _plain_run(self, data: bytes, start: int) -> int:
        """Take the bytes up to the next DLE at once, where they mean nothing by themselves."""
        if self._state not in (_State.BODY, _State.SKIP):
            return 0
        end = data.find(DLE, start)
        run = data[start:] if end < 0 else data[start:end]
        if self._state is _State.BODY:
            self._append(run)
        return len(run)

    def _reset(self) -> None:
        self._state = _State.IDLE
        self._body.clear()

    def _byte(self, byte: int, now: float) -> bytes | None:
        match self._state:
            case _State.IDLE:
                self._idle(byte, now)
            case _State.IDLE_DLE:
                if byte == STX:
                    self._start()
                elif byte != DLE:
                    self._state = _State.IDLE
                    self._idle(byte, now)
            case _State.BODY:  # a DLE: see _plain_run
                self._state = _State.BODY_DLE
            case _State.BODY_DLE:
                if byte == DLE:
                    self._state = _State.BODY
                    self._append(b"\x10")
                elif byte == ETX:
                    self._state = _State.CRC_LOW
                elif byte == STX:  # the sender has begun anew
                    self._start()
                else:
                    self._skip()
            case _State.CRC_LOW:
                self._crc_low = byte
                self._state = _State.CRC_HIGH
            case _State.CRC_HIGH:
                return self._end(self._crc_low | byte << 8, now)
            case _:
                self._skipping(byte)
        return None

    def _idle(self, byte: int, now: float) -> None:
        if byte == DLE:
            self._state = _State.IDLE_DLE
        elif byte == ACK:
            self._taken(now)
        elif byte == NAK:
            self._refused(now)

    def _start(self) -> None:
        self._body.clear()
        self._state = _State.BODY

    def _append(self, run: bytes) -> None:
        if len(self._body) + len(run) > self._largest_apdu:
            self._skip()
        else:
            self._body += run

    def _skip(self) -> None:
        self._body.clear()
        self._state = _State.SKIP

    def _skipping(self, byte: int) -> None:
        if self._state is _State.SKIP:  # a DLE: see _plain_run
            self._state = _State.SKIP_DLE
        elif self._state is _State.SKIP_DLE:
            if byte == STX:
                self._start()
            else:
                self._state = _State.SKIP_CRC_LOW if byte == ETX else _State.SKIP
        elif self._state is _State.SKIP_CRC_LOW:
            self._state = _State.SKIP_CRC_HIGH
        else:
            self._output.append(NAK)
            self._reset()

    def _end(self, crc: int, now: float) -> bytes | None:
        apdu = bytes(self._body)
        self._reset()
        if crc != crc16(apdu + b"\x03"):
            self._output.append(NAK)
            return None
        self._output.append(ACK)
        self._taken(now)
        return apdu
