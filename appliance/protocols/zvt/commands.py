"""Commands from the till to the terminal (ZVT PA00P015, chapter 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Final, Self

from appliance.domain.errors import Bug
from appliance.protocols.zvt import bmp, tlv
from appliance.protocols.zvt.apdu import Apdu
from appliance.protocols.zvt.errors import ZvtError

_PASSWORD: Final = re.compile(r"[0-9]{6}\Z")


class Config(IntFlag):
    """The config byte of a registration."""

    TILL_PRINTS_PAYMENTS = 0x02
    TILL_PRINTS_ADMIN = 0x04
    INTERMEDIATE_STATUS = 0x08
    NO_AMOUNT_ENTRY = 0x10
    NO_ADMIN_MENU = 0x20
    PRINT_LINES = 0x80


AFTER_LOG_OFF: Final = Config(0x86)


class RepeatService(IntFlag):
    """The service byte of a Repeat Receipt."""

    SEND_STATUS = 0x01
    DO_NOT_PRINT = 0x02


TEXT_BLOCKS: Final = (tlv.constructed(tlv.COMMANDS, (tlv.Tlv(tlv.COMMAND, b"\x06\xd3"),)),)
"""A registration's TLV that asks for receipts as text blocks."""


def password_bytes(password: str) -> bytes:
    """Six digits as three packed bytes. Raises Bug for anything else."""
    if not _PASSWORD.match(password):
        raise Bug("a terminal password has six digits")
    return bytes.fromhex(password)


def _password_text(data: bytes) -> str:
    if len(data) < 3:
        raise ZvtError("a command without its password")
    return bmp.from_bcd_text(data[:3])


def _container(objects: tuple[tlv.Tlv, ...]) -> list[tuple[int, bytes]]:
    return [(bmp.CONTAINER, tlv.encode(objects))] if objects else []


@dataclass(frozen=True, slots=True)
class Registration:
    """06 00. currency: ISO 4217 number. Completed with status byte, TID and currency."""

    password: str = field(repr=False)
    config: Config
    currency: int | None = None
    service: int | None = None
    tlv: tuple[tlv.Tlv, ...] = ()

    def encode(self) -> bytes:
        fields = _container(self.tlv)
        if self.service is not None:
            fields.insert(0, (bmp.SERVICE, bytes((self.service,))))
        if fields and self.currency is None:
            raise Bug("a registration with fields needs its currency")
        currency = b"" if self.currency is None else bmp.bcd(self.currency, 2)
        head = password_bytes(self.password) + bytes((self.config,)) + currency
        return Apdu(0x06, 0x00, head + bmp.encode(fields)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        password = _password_text(data)
        if len(data) < 4:
            raise ZvtError("a registration without its config byte")
        fields = bmp.decode(data[6:])
        return cls(
            password,
            Config(data[3]),
            bmp.from_bcd(data[4:6]) if len(data) > 4 else None,
            fields.byte(bmp.SERVICE),
            fields.container(),
        )


@dataclass(frozen=True, slots=True)
class Authorization:
    """06 01: charge. amount: minor units. currency: ISO 4217 number."""

    amount: int
    currency: int
    payment_type: int | None = None
    tlv: tuple[tlv.Tlv, ...] = ()

    def encode(self) -> bytes:
        fields = [(bmp.AMOUNT, bmp.bcd(self.amount, 6)), (bmp.CURRENCY, bmp.bcd(self.currency, 2))]
        if self.payment_type is not None:
            fields.append((bmp.PAYMENT_TYPE, bytes((self.payment_type,))))
        return Apdu(0x06, 0x01, bmp.encode(fields + _container(self.tlv))).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        fields = bmp.decode(data)
        amount, currency = fields.decimal(bmp.AMOUNT), fields.decimal(bmp.CURRENCY)
        if amount is None or currency is None:
            raise ZvtError("an authorization without amount or currency")
        return cls(amount, currency, fields.byte(bmp.PAYMENT_TYPE), fields.container())


@dataclass(frozen=True, slots=True)
class Reversal:
    """06 30: take back the booking with this receipt number."""

    password: str = field(repr=False)
    receipt_no: int
    amount: int | None = None
    currency: int | None = None

    def encode(self) -> bytes:
        fields = [(bmp.RECEIPT, bmp.bcd(self.receipt_no, 2))]
        if self.amount is not None:
            fields.append((bmp.AMOUNT, bmp.bcd(self.amount, 6)))
        if self.currency is not None:
            fields.append((bmp.CURRENCY, bmp.bcd(self.currency, 2)))
        return Apdu(0x06, 0x30, password_bytes(self.password) + bmp.encode(fields)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        password = _password_text(data)
        fields = bmp.decode(data[3:])
        receipt_no = fields.decimal(bmp.RECEIPT)
        if receipt_no is None:
            raise ZvtError("a reversal without its receipt number")
        amount, currency = fields.decimal(bmp.AMOUNT), fields.decimal(bmp.CURRENCY)
        return cls(password, receipt_no, amount, currency)


@dataclass(frozen=True, slots=True)
class Refund:
    """06 31: give money back, without an original booking."""

    password: str = field(repr=False)
    amount: int
    currency: int

    def encode(self) -> bytes:
        fields = ((bmp.AMOUNT, bmp.bcd(self.amount, 6)), (bmp.CURRENCY, bmp.bcd(self.currency, 2)))
        return Apdu(0x06, 0x31, password_bytes(self.password) + bmp.encode(fields)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        password = _password_text(data)
        fields = bmp.decode(data[3:])
        amount, currency = fields.decimal(bmp.AMOUNT), fields.decimal(bmp.CURRENCY)
        if amount is None or currency is None:
            raise ZvtError("a refund without amount or currency")
        return cls(password, amount, currency)


@dataclass(frozen=True, slots=True)
class EndOfDay:
    """06 50: settle with the acquirer."""

    password: str = field(repr=False)

    def encode(self) -> bytes:
        return Apdu(0x06, 0x50, password_bytes(self.password)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(_password_text(data))


@dataclass(frozen=True, slots=True)
class RepeatReceipt:
    """06 20: the last transaction again, as a Status-Information, on paper, or both."""

    password: str = field(repr=False)
    service: RepeatService | None = None

    def encode(self) -> bytes:
        fields = [] if self.service is None else [(bmp.SERVICE, bytes((self.service,)))]
        return Apdu(0x06, 0x20, password_bytes(self.password) + bmp.encode(fields)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        password = _password_text(data)
        service = bmp.decode(data[3:]).byte(bmp.SERVICE)
        return cls(password, None if service is None else RepeatService(service))


@dataclass(frozen=True, slots=True)
class StatusEnquiry:
    """05 01: how is the terminal? Older ones ask for the password, newer ones ignore it."""

    password: str | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        data = b"" if self.password is None else password_bytes(self.password)
        return Apdu(0x05, 0x01, data).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(_password_text(data) if data else None)


@dataclass(frozen=True, slots=True)
class LogOff:
    """06 02: the terminal answers with an acknowledgement only, and prints by itself again."""

    def encode(self) -> bytes:
        return Apdu(0x06, 0x02).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class AbortCommand:
    """06 B0: stop what runs, if it can still be stopped."""

    def encode(self) -> bytes:
        return Apdu(0x06, 0xB0).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class DisplayText:
    """06 E0: up to eight lines on the terminal's display. seconds: 0 is until something else."""

    lines: tuple[str, ...]
    seconds: int | None = None
    beeps: int | None = None

    def encode(self) -> bytes:
        if len(self.lines) > 8:
            raise Bug("a terminal's display has eight lines")
        fields: list[tuple[int, bytes]] = []
        if self.seconds is not None:
            fields.append((bmp.DISPLAY_SECONDS, bytes((self.seconds,))))
        for number, line in enumerate(self.lines, bmp.DISPLAY_LINE_1):
            fields.append((number, bmp.to_characters(line)))
        if self.beeps is not None:
            fields.append((bmp.BEEPS, bytes((self.beeps,))))
        return Apdu(0x06, 0xE0, bmp.encode(fields)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        fields = bmp.decode(data)
        numbers = range(bmp.DISPLAY_LINE_1, bmp.DISPLAY_LINE_8 + 1)
        lines = [bmp.characters(fields.get(number) or b"") for number in numbers]
        while lines and not lines[-1]:
            lines.pop()
        return cls(tuple(lines), fields.byte(bmp.DISPLAY_SECONDS), fields.byte(bmp.BEEPS))


Command = (
    Registration
    | Authorization
    | Reversal
    | Refund
    | EndOfDay
    | RepeatReceipt
    | StatusEnquiry
    | LogOff
    | AbortCommand
    | DisplayText
)
