"""Every message of ZVT that Kassa knows, and the one way from bytes to one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from appliance.protocols.zvt import answers, bmp, commands, pan
from appliance.protocols.zvt.apdu import Apdu
from appliance.protocols.zvt.errors import ZvtError

Message = commands.Command | answers.Answer

_DECODERS: Final[dict[tuple[int, int], Callable[[bytes], Message]]] = {
    (0x04, 0x0F): answers.StatusInformation.decode,
    (0x04, 0xFF): answers.IntermediateStatus.decode,
    (0x05, 0x01): commands.StatusEnquiry.decode,
    (0x06, 0x00): commands.Registration.decode,
    (0x06, 0x01): commands.Authorization.decode,
    (0x06, 0x02): commands.LogOff.decode,
    (0x06, 0x0F): answers.Completion.decode,
    (0x06, 0x1E): answers.Failure.decode,
    (0x06, 0x20): commands.RepeatReceipt.decode,
    (0x06, 0x30): commands.Reversal.decode,
    (0x06, 0x31): commands.Refund.decode,
    (0x06, 0x50): commands.EndOfDay.decode,
    (0x06, 0xB0): commands.AbortCommand.decode,
    (0x06, 0xD1): answers.PrintLine.decode,
    (0x06, 0xD3): answers.PrintTextBlock.decode,
    (0x06, 0xE0): commands.DisplayText.decode,
}
_PASSWORD_FIRST: Final = frozenset({0x00, 0x20, 0x30, 0x31, 0x50})
"""Commands of class 06 whose data starts with the password."""


def decode(raw: bytes) -> Message:
    """One APDU, understood. Card numbers in it are masked. Raises ZvtError, and nothing else."""
    apdu = Apdu.decode(raw)
    if apdu.cls == 0x80:
        return answers.accepted(apdu.ins)
    if apdu.cls == 0x84:
        return answers.refusal(apdu.ins, apdu.data)
    decoder = _DECODERS.get((apdu.cls, apdu.ins))
    return answers.Unhandled(apdu.cls, apdu.ins) if decoder is None else decoder(apdu.data)


def redact(raw: bytes) -> bytes:
    """The same APDU, byte for byte as long, fit for a trace: no card number, no password.

    What cannot be decoded is blanked behind its header; what is no APDU becomes b"".
    """
    try:
        apdu = Apdu.decode(raw)
    except ZvtError:
        return b""
    try:
        data = _redact_data(apdu)
    except ZvtError:
        data = b"\xee" * len(apdu.data)
    return raw[: len(raw) - len(data)] + data


def _redact_data(apdu: Apdu) -> bytes:
    data = apdu.data
    match apdu.cls, apdu.ins:
        case (0x06, 0x00):
            return b"\xee" * 3 + data[3:6] + bmp.mask(data[6:]) if len(data) > 3 else _blank(data)
        case (0x06, ins) if ins in _PASSWORD_FIRST:
            return b"\xee" * 3 + bmp.mask(data[3:]) if len(data) > 2 else _blank(data)
        case (0x05, 0x01):
            return _blank(data)
        case (0x04, 0x0F) | (0x06, 0x01) | (0x06, 0xD3) | (0x06, 0xE0):
            return bmp.mask(data)
        case (0x04, 0xFF):
            return data[:2] + _mask_or_blank(data[2:])
        case (0x06, 0xD1):  # the attribute byte may look like a digit
            return data[:1] + pan.mask_characters(data[1:])
        case (0x06, 0x0F):
            return answers.mask_completion(data)
        case (0x06, 0x1E) | (0x80, _) | (0x84, _):
            return data[:2] + _blank(data[2:])
        case _:
            return _blank(data)


def _mask_or_blank(data: bytes) -> bytes:
    try:
        return bmp.mask(data)
    except ZvtError:
        return _blank(data)


def _blank(data: bytes) -> bytes:
    return b"\xee" * len(data)
