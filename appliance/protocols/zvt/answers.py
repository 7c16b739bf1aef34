"""Messages from the terminal to the till, and both ends' acknowledgements (PA00P015, chapter 3)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

from appliance.protocols.zvt import bmp, tlv
from appliance.protocols.zvt.apdu import Apdu
from appliance.protocols.zvt.errors import ZvtError
from appliance.protocols.zvt.pan import mask_characters, mask_pan, pan_text

_REFUSAL_WITH_REASON: Final = 0x1E


@dataclass(frozen=True, slots=True)
class Accepted:
    """80 00, or 84 00 which means the same."""

    def encode(self) -> bytes:
        return Apdu(0x80, 0x00).encode()


@dataclass(frozen=True, slots=True)
class Refusal:
    """84 xx: not accepted, code says why. In answer to a 04 0F: 9C asks for it again in two
    seconds, 9D is a partial issue, and every other code makes the terminal reverse."""

    code: int

    def encode(self) -> bytes:
        return Apdu(0x84, self.code).encode()


@dataclass(frozen=True, slots=True)
class StatusInformation:
    """04 0F: a transaction's result. None and "" stand for what the terminal does not state.

    amount: minor units. currency: ISO 4217 number. time, date: HHMMSS, MMDD as stated.
    A receipt or trace number of 0 means that the terminal counts none: it is given as None.
    undecoded: so many bytes may hold whatever is missing, see bmp.Fields.
    """

    result: int | None = None
    amount: int | None = None
    currency: int | None = None
    receipt_no: int | None = None
    trace_no: int | None = None
    original_trace_no: int | None = None
    turnover_no: int | None = None
    terminal_id: str = ""
    vu_number: str = ""
    pan: str = ""
    card_name: str = ""
    card_type: int | None = None
    authorisation: str = ""
    text: str = ""
    time: str = ""
    date: str = ""
    payment_type: int | None = None
    totals: bytes = b""
    tlv: tuple[tlv.Tlv, ...] = ()
    undecoded: int = 0

    def encode(self) -> bytes:
        values: list[tuple[int, bytes | None]] = [
            (bmp.RESULT, _byte(self.result)),
            (bmp.AMOUNT, _bcd(self.amount, 6)),
            (bmp.CURRENCY, _bcd(self.currency, 2)),
            (bmp.RECEIPT, _bcd(self.receipt_no, 2)),
            (bmp.TRACE, _bcd(self.trace_no, 3)),
            (bmp.ORIGINAL_TRACE, _bcd(self.original_trace_no, 3)),
            (bmp.TURNOVER, _bcd(self.turnover_no, 3)),
            (bmp.TERMINAL_ID, bytes.fromhex(self.terminal_id) or None),
            (
                bmp.VU_NUMBER,
                bmp.to_characters(self.vu_number.ljust(15)) if self.vu_number else None,
            ),
            (bmp.PAN, _pan_field(self.pan) or None),
            (bmp.CARD_NAME, bmp.to_characters(self.card_name) or None),
            (bmp.CARD_TYPE, _byte(self.card_type)),
            (bmp.AUTHORISATION, _padded(self.authorisation)),
            (bmp.TEXT, bmp.to_characters(self.text) or None),
            (bmp.TIME, bytes.fromhex(self.time) or None),
            (bmp.DATE, bytes.fromhex(self.date) or None),
            (bmp.PAYMENT_TYPE, _byte(self.payment_type)),
            (bmp.TOTALS, self.totals or None),
            (bmp.CONTAINER, tlv.encode(self.tlv) or None),
        ]
        fields = [(number, value) for number, value in values if value is not None]
        return Apdu(0x04, 0x0F, bmp.encode(fields)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        fields = bmp.decode(data)
        return cls(
            result=fields.byte(bmp.RESULT),
            amount=fields.decimal(bmp.AMOUNT),
            currency=fields.decimal(bmp.CURRENCY),
            receipt_no=fields.decimal(bmp.RECEIPT) or None,
            trace_no=fields.decimal(bmp.TRACE) or None,
            original_trace_no=fields.decimal(bmp.ORIGINAL_TRACE) or None,
            turnover_no=fields.decimal(bmp.TURNOVER),
            terminal_id=fields.digits(bmp.TERMINAL_ID),
            vu_number=fields.text(bmp.VU_NUMBER),
            pan=pan_text(fields.get(bmp.PAN) or b""),
            card_name=fields.text(bmp.CARD_NAME),
            card_type=fields.byte(bmp.CARD_TYPE),
            authorisation=_authorisation(fields.get(bmp.AUTHORISATION) or b""),
            text=fields.text(bmp.TEXT),
            time=fields.digits(bmp.TIME),
            date=fields.digits(bmp.DATE),
            payment_type=fields.byte(bmp.PAYMENT_TYPE),
            totals=fields.get(bmp.TOTALS) or b"",
            tlv=_objects(fields),
            undecoded=fields.undecoded,
        )


def _objects(fields: bmp.Fields) -> tuple[tlv.Tlv, ...]:
    """What a result adds in BMP 06. Of a vendor's that cannot be read the till needs nothing."""
    try:
        return fields.container()
    except ZvtError:
        return ()


def _byte(value: int | None) -> bytes | None:
    return None if value is None else bytes((value,))


def _bcd(value: int | None, size: int) -> bytes | None:
    return None if value is None else bmp.bcd(value, size)


def _padded(text: str) -> bytes | None:
    return bmp.to_characters(text).ljust(8, b"\0") if text else None


def _pan_field(pan: str) -> bytes:
    signs = mask_pan(pan).replace("*", "e")
    return bytes.fromhex(signs + "f" * (len(signs) % 2))


def _authorisation(value: bytes) -> str:
    """Characters on most terminals, packed or binary on some: those are given in hexadecimal."""
    plain = value.rstrip(b"\0 ")
    if all(0x20 <= byte < 0x7F for byte in plain):
        return bmp.characters(plain).strip()
    return bmp.characters(value.hex().encode())


@dataclass(frozen=True, slots=True)
class IntermediateStatus:
    """04 FF: what the terminal is at. timeout_min: from now on it may take so many minutes until
    the next message (0: as before). lines: the terminal's own words."""

    status: int
    timeout_min: int | None = None
    lines: tuple[str, ...] = ()

    def encode(self) -> bytes:
        data = bytes((self.status,))
        if self.timeout_min is not None or self.lines:
            data += bmp.bcd(self.timeout_min or 0, 1)
        if self.lines:
            texts = [tlv.Tlv(tlv.TEXT_LINE, bmp.to_characters(line)) for line in self.lines]
            container = tlv.encode((tlv.constructed(tlv.DISPLAY_TEXTS, texts),))
            data += bmp.encode(((bmp.CONTAINER, container),))
        return Apdu(0x04, 0xFF, data).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        if not data:
            raise ZvtError("an intermediate status without its status")
        # It only tells how far the terminal is: what it adds, and cannot be read, is left out.
        timeout: int | None = None
        lines: tuple[str, ...] = ()
        with contextlib.suppress(ZvtError):
            timeout = bmp.from_bcd(data[1:2])
        with contextlib.suppress(ZvtError):
            lines = _lines(tlv.find(bmp.decode(data[2:]).container(), tlv.DISPLAY_TEXTS))
        return cls(data[0], timeout, lines)


def _lines(texts: tlv.Tlv | None) -> tuple[str, ...]:
    if texts is None:
        return ()
    return tuple(
        bmp.characters(item.value) for item in texts.children() if item.tag == tlv.TEXT_LINE
    )


@dataclass(frozen=True, slots=True)
class PrintLine:
    """06 D1: one line of a slip. attribute: see is_last and blank_lines; other bits are style."""

    attribute: int
    text: str = ""

    LAST = 0x81
    FEED = 0xFF

    @property
    def is_last(self) -> bool:
        """The slip ends with this line; then it may be torn off."""
        return bool(self.attribute & 0x80) and self.attribute not in (0x80, self.FEED)

    @property
    def blank_lines(self) -> int:
        """How many empty lines this is, 0 for a line with text."""
        return ord(self.text[0]) & 0x7F if self.attribute == self.FEED and self.text else 0

    def encode(self) -> bytes:
        text = self.text.encode("latin-1") if self.attribute == self.FEED else None
        data = bmp.to_characters(self.text) if text is None else text
        return Apdu(0x06, 0xD1, bytes((self.attribute,)) + data).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        if not data:
            raise ZvtError("a line to print without its attribute")
        if data[0] == cls.FEED:  # the text is a number of lines
            return cls(data[0], data[1:2].decode("latin-1"))
        return cls(data[0], bmp.characters(data[1:]))


class Receipt(IntEnum):
    """Whose slip a text block is (TLV 1F07)."""

    MERCHANT = 1
    CUSTOMER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class PrintTextBlock:
    """06 D3: several lines of a slip. ends: the slip is complete with this block."""

    lines: tuple[str, ...]
    receipt: Receipt | None = None
    ends: bool = True

    def encode(self) -> bytes:
        texts = [tlv.Tlv(tlv.TEXT_LINE, bmp.to_characters(line)) for line in self.lines]
        if self.ends:
            texts.append(tlv.Tlv(tlv.END_OF_RECEIPT, b"\x81"))
        objects = [tlv.constructed(tlv.PRINT_TEXTS, texts)]
        if self.receipt is not None:
            objects.insert(0, tlv.Tlv(tlv.RECEIPT_TYPE, bytes((self.receipt,))))
        return Apdu(0x06, 0xD3, bmp.encode(((bmp.CONTAINER, tlv.encode(objects)),))).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        objects = bmp.decode(data).container()
        texts = tlv.find(objects, tlv.PRINT_TEXTS)
        if texts is None:
            raise ZvtError("a text block without text")
        kind = tlv.find(objects, tlv.RECEIPT_TYPE)
        number = kind.value[0] if kind is not None and kind.value else 0
        return cls(
            _lines(texts),
            Receipt(number) if number in (*Receipt,) else None,
            tlv.find(texts.children(), tlv.END_OF_RECEIPT) is not None,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """06 0F: the command has come to its end. It says nothing about whether money moved."""

    data: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        return Apdu(0x06, 0x0F, self.data).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        try:
            return cls(mask_completion(data))
        except ZvtError:
            return cls()  # what it adds cannot be read; that the command has ended is certain

    def result(self) -> int | None:
        """The result that it states of the command; most state none."""
        try:
            return bmp.decode(self.data).byte(bmp.RESULT)
        except ZvtError:
            return None

    def registered(self) -> tuple[int, str, int | None]:
        """After a registration: (status byte, TID, currency). Raises ZvtError."""
        fields = bmp.decode(self.data)
        return (
            fields.byte(bmp.PAYMENT_TYPE) or 0,
            fields.digits(bmp.TERMINAL_ID),
            fields.decimal(bmp.CURRENCY),
        )

    @classmethod
    def of_registration(cls, status: int, terminal_id: str, currency: int) -> Self:
        fields = (
            (bmp.PAYMENT_TYPE, bytes((status,))),
            (bmp.TERMINAL_ID, bytes.fromhex(terminal_id)),
            (bmp.CURRENCY, bmp.bcd(currency, 2)),
        )
        return cls(bmp.encode(fields))

    def state(self) -> tuple[int, str]:
        """After a status enquiry: (state, software version). Raises ZvtError."""
        at = _version_bytes(self.data)
        if len(self.data) <= at:
            raise ZvtError("a status enquiry's completion without the state")
        if self.data[at + 1 : at + 2] not in (b"", bytes((bmp.CONTAINER,))):
            raise ZvtError("a status enquiry's completion that is none")
        return self.data[at], bmp.characters(self.data[3:at]).strip()

    @classmethod
    def of_status(cls, state: int, version: str = "") -> Self:
        text = bmp.to_characters(version)
        length = bytes(0xF0 | int(digit) for digit in f"{len(text):03d}")
        return cls((length + text if text else b"") + bytes((state,)))


def _version_bytes(data: bytes) -> int:
    """How many bytes the software version takes (LLLVAR) at the start; 0 where it is missing."""
    length = data[:3]
    if len(length) < 3 or any(byte < 0xF0 or byte > 0xF9 for byte in length):
        return 0
    return 3 + int("".join(str(byte & 0x0F) for byte in length))


def mask_completion(data: bytes) -> bytes:
    """The same completion, byte for byte as long, without card numbers. Raises ZvtError."""
    state_end = _version_bytes(data) + 1
    if len(data) <= state_end or data[state_end] == bmp.CONTAINER:
        try:
            return mask_characters(data[:state_end]) + bmp.mask(data[state_end:])
        except ZvtError:
            pass  # then it is not a status enquiry's
    return mask_characters(bmp.mask(data))


@dataclass(frozen=True, slots=True)
class Failure:
    """06 1E: the command was broken off; code says why."""

    code: int

    def encode(self) -> bytes:
        return Apdu(0x06, 0x1E, bytes((self.code,))).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        if not data:
            raise ZvtError("an abort without its reason")
        return cls(data[0])


@dataclass(frozen=True, slots=True)
class Unhandled:
    """A message that Kassa has no use for, such as the terminal's wish to set the till's clock."""

    cls: int
    ins: int


Answer = (
    Accepted
    | Refusal
    | StatusInformation
    | IntermediateStatus
    | PrintLine
    | PrintTextBlock
    | Completion
    | Failure
    | Unhandled
)


def accepted(ins: int) -> Accepted:
    """80 xx. Raises ZvtError for anything but 80 00."""
    if ins:
        raise ZvtError(f"an acknowledgement 80 {ins:02X}")
    return Accepted()


def refusal(ins: int, data: bytes) -> Accepted | Refusal:
    """84 xx. `84 1E … rc` states its reason in the data (a registration's wrong currency)."""
    if ins == _REFUSAL_WITH_REASON and data:
        return Refusal(data[-1])
    return Refusal(ins) if ins else Accepted()
