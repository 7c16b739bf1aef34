"""What a simulated terminal prints, and with which card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from appliance.domain.money import CURRENCIES, Money
from appliance.protocols.zvt import answers
from appliance.protocols.zvt.framing import frame

PAN: Final = "541333******4771"
_UNMASKED_PAN: Final = "5413330089604111"
_UNITS: Final = {unit.numeric: unit for unit in CURRENCIES.values()}


@dataclass(frozen=True, slots=True)
class Slip:
    receipt: answers.Receipt
    lines: tuple[str, ...]


def price(amount: int, currency: int) -> str:
    """As displays and slips have it. currency: its ISO 4217 number."""
    return str(Money(amount, _UNITS[currency]))


def payment_slips(shop: str, status: answers.StatusInformation) -> list[Slip]:
    """The merchant's and the customer's; of a decline the customer's only. The status states its
    currency."""
    assert status.currency is not None
    verdict = "Payment made" if status.result == 0 else f"Declined ({status.result:02X})"
    common = (
        f"Terminal-ID {status.terminal_id}",
        f"Trace {status.trace_no:06d}  Receipt {status.receipt_no:04d}",
        *([status.card_name, f"Card {status.pan}"] if status.pan else []),
        f"Amount {price(status.amount or 0, status.currency)}",
        *([f"Approval {status.authorisation}"] if status.authorisation else []),
        verdict,
    )
    customer = Slip(answers.Receipt.CUSTOMER, (shop, "* Customer receipt *", *common))
    if status.result != 0:
        return [customer]
    return [Slip(answers.Receipt.MERCHANT, (shop, "* Merchant receipt *", *common)), customer]


def day_slip(shop: str, total: int, count: int) -> Slip:
    lines = (shop, "* End of day *", f"Bookings {count}", f"Total {total}")
    return Slip(answers.Receipt.ADMIN, lines)


def send_slip(slip: Slip, *, blocks: bool) -> Iterator[answers.PrintLine | answers.PrintTextBlock]:
    """As one text block, or line by line with the last one marked."""
    if blocks:
        yield answers.PrintTextBlock(slip.lines, slip.receipt)
        return
    for line in slip.lines:
        yield answers.PrintLine(0x00, line)
    yield answers.PrintLine(answers.PrintLine.FEED, "\x03")
    yield answers.PrintLine(answers.PrintLine.LAST)


def unmasked(status: answers.StatusInformation, *, is_serial: bool) -> bytes:
    """The same result with a whole card number in field and text, as no terminal should send."""
    raw = status.encode()
    masked = b"\x22\xf0\xf8" + bytes.fromhex(PAN.replace("*", "e"))
    field = b"\x22\xf0\xf8" + bytes.fromhex(_UNMASKED_PAN)
    text = b"\x3c\xf0\xf2\xf0" + b"PAN " + _UNMASKED_PAN.encode()
    data = raw[3:].replace(masked, field) + text
    apdu = raw[:2] + bytes((len(data),)) + data
    return frame(apdu) if is_serial else apdu
