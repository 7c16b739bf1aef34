"""What the terminal's numbers mean (ZVT PA00P015: error messages, intermediate status, terminal
status). Texts are for logs and the small print; the screen shows the Code's own words."""

from __future__ import annotations

from typing import Final

from appliance.domain.errors import Code

OK: Final = 0x00
CURRENCY_WRONG: Final = 0x6F
NOT_POSSIBLE: Final = 0x83
WAIT: Final = 0x9C
SYSTEM_ERROR: Final = 0xFF

RESULTS: Final[dict[int, str]] = {
    0x64: "card not readable",
    0x65: "no card data",
    0x66: "processing error",
    0x67: "not permitted for girocard or Maestro",
    0x68: "not permitted for credit cards",
    0x6A: "turnover memory full",
    0x6B: "function off: terminal not registered",
    0x6C: "stopped by key or by timeout",
    0x6E: "card on the blocked list",
    0x6F: "wrong currency",
    0x71: "credit on the card not sufficient",
    0x72: "chip error",
    0x73: "card data wrong",
    0x77: "end of day not possible",
    0x78: "card expired",
    0x79: "card not yet valid",
    0x7A: "card unknown",
    0x7B: "magnetic stripe not possible for girocard",
    0x7C: "magnetic stripe not possible",
    0x7D: "communication error",
    0x83: "function not possible",
    0x85: "key missing",
    0x89: "PIN pad defective",
    0x9A: "protocol error",
    0x9B: "communication fault",
    0x9C: "please wait",
    0xA0: "receiver not ready",
    0xA1: "remote station does not respond",
    0xA3: "no connection",
    0xA5: "not allowed by card industry rules",
    0xB1: "memory full",
    0xB2: "merchant journal full",
    0xB4: "already reversed",
    0xB5: "reversal not possible",
    0xB7: "amount wrong",
    0xBF: "supply voltage too low",
    0xC2: "diagnosis required",
    0xC3: "maximum amount exceeded",
    0xC4: "card profiles invalid",
    0xC5: "payment method not supported",
    0xC6: "currency not applicable",
    0xC8: "amount too small",
    0xCB: "only possible in EUR",
    0xCC: "printer not ready",
    0xDC: "card inserted",
    0xE2: "card reader defective",
    0xE4: "activation required",
    0xEA: "card not permitted",
    0xEC: "PIN not possible",
    0xED: "PIN pad defective",
    0xF0: "open end of day",
    0xF5: "personalisation error",
    0xF6: "personalisation required",
    0xFB: "turnover record damaged",
    0xFC: "device missing or defective",
    0xFF: "system error",
}
_CODES: Final[dict[int, Code]] = {
    0x6C: Code.PAYMENT_STOPPED,
    **dict.fromkeys((0x6F, 0xC6, 0xCB), Code.TERMINAL_CURRENCY),
    **dict.fromkeys((0x9C, 0xA0, 0xDC), Code.TERMINAL_BUSY),
    0xB4: Code.PAYMENT_REVERSED,
    **dict.fromkeys((0x6A, 0x6B, 0x85, 0x89, 0x9A, 0xB1, 0xB2, 0xC2), Code.TERMINAL_SETUP),
    **dict.fromkeys((0xC4, 0xE2, 0xE4, 0xED, 0xF0, 0xF5, 0xF6, 0xFC), Code.TERMINAL_SETUP),
}

READY: Final = 0x00
BUSY_STATES: Final = frozenset({0x9C, 0x9D, 0xA0, 0xDC, 0xE0, 0xE1})
"""Terminal states, and refusals, in which a transaction may still be running."""
_STATES: Final[dict[int, str]] = {
    0x00: "ready",
    0x51: "initialisation needed",
    0x62: "date or time wrong",
    0x9C: "busy",
    0x9D: "partial issue of goods",
    0xCC: "printer not ready",
    0xDC: "card inserted",
    0xDF: "out of order",
    0xE0: "remote maintenance",
    0xE1: "card not completely removed",
    0xF0: "end of day needed",
}

INTERMEDIATE: Final[dict[int, str]] = {
    0x00: "confirm the amount",
    0x01: "see the PIN pad",
    0x02: "see the PIN pad",
    0x03: "not accepted",
    0x04: "waiting for the host",
    0x05: "reversing",
    0x06: "sending stored bookings",
    0x07: "card not admitted",
    0x08: "card unknown",
    0x09: "card expired",
    0x0A: "insert card",
    0x0B: "remove card",
    0x0C: "card not readable",
    0x0D: "processing error",
    0x0E: "please wait",
    0x0F: "end of day begins",
    0x10: "card invalid",
    0x11: "balance",
    0x12: "system malfunction",
    0x13: "payment not possible",
    0x14: "credit not sufficient",
    0x15: "PIN wrong",
    0x16: "limit not sufficient",
    0x17: "please wait",
    0x18: "PIN wrong too often",
    0x19: "card data wrong",
    0x1A: "service mode",
    0x1B: "approved",
    0x1C: "approved",
    0x1D: "declined",
    0x2C: "choose an application",
    0xC8: "waiting for the cashier",
    0xC9: "diagnosis begins",
    0xCA: "initialisation begins",
    0xD2: "dialling",
    0xD3: "connected",
    0xE0: "choose an application",
    0xE1: "choose a language",
    0xF1: "offline",
    0xF2: "online",
}
REMOVE_CARD: Final = 0x40
"""Added to an intermediate status: the same, and the card is to be removed (41 to 67)."""


def result_text(code: int) -> str:
    """A result code (BMP 27, 06 1E, 84 xx) in words."""
    if 0x01 <= code <= 0x63:
        return f"host: {code:02X}"
    return RESULTS.get(code, f"code {code:02X}")


def result_code(code: int) -> Code:
    """What a result code other than 00 means to the counter."""
    return _CODES.get(code, Code.PAYMENT_DECLINED)


def state_text(state: int) -> str:
    """A terminal status byte (completion of 05 01) in words."""
    return _STATES.get(state, f"state {state:02X}")


def intermediate_text(status: int) -> str:
    """An intermediate status (04 FF) in words, "" for one without."""
    return INTERMEDIATE.get(status) or INTERMEDIATE.get(status - REMOVE_CARD, "")
