"""The error tree, and the catalogue of codes that a seller can meet.

Two kinds, never mixed. `Bug` is ours: it fails loudly. `Trouble` is theirs (the terminal, the
shop, the paper, the scan): a state with a code, a screen and a cure. Every code has a page in
docs/runbook/ and words in every language of the kiosk; tests hold both complete.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """A trouble's code, as the screen shows it and the runbook files it."""

    SECOND_INSTANCE = "K-APP-01"
    INTERNAL = "K-APP-02"
    DEVICE_HUNG = "K-APP-03"
    STARTING = "K-APP-04"
    STORAGE = "K-APP-05"
    UPDATE = "K-UPD-01"
    CONFIGURATION = "K-CFG-01"
    ENROL_WAITING = "K-ENR-01"
    ENROL_UNREADABLE = "K-ENR-02"
    ENROL_EXPIRED = "K-ENR-03"
    ENROL_USED = "K-ENR-04"
    ENROL_UNREACHABLE = "K-ENR-05"
    ENROL_STRANGER = "K-ENR-06"
    ENROL_CLOCK = "K-ENR-07"
    ENROL_SETTINGS = "K-ENR-08"
    JOURNAL_DAMAGED = "K-JRN-01"
    DISK_FULL = "K-JRN-02"
    JOURNAL_NEWER = "K-JRN-03"

    SCAN_UNREADABLE = "K-SCN-01"
    SCANNER_GONE = "K-SCN-02"
    SCAN_NOT_NOW = "K-SCN-03"

    BADGE_UNKNOWN = "K-SEL-01"
    SIGN_IN_FIRST = "K-SEL-02"
    BADGES_MISSING = "K-SEL-03"
    NOT_ALLOWED = "K-SEL-04"

    ORDER_UNKNOWN = "K-ORD-01"
    ORDER_ELSEWHERE = "K-ORD-02"
    ORDER_CANCELLED = "K-ORD-03"
    ORDER_EXPIRED = "K-ORD-04"
    ORDER_HANDED_OVER = "K-ORD-05"
    ORDER_SUMS = "K-ORD-06"
    ORDER_CURRENCY = "K-ORD-07"
    ORDER_CHANGED = "K-ORD-08"
    ORDER_CLAIMED = "K-ORD-09"
    ORDER_NOT_READY = "K-ORD-10"
    ORDER_MALFORMED = "K-ORD-11"
    CHECKS_OPEN = "K-ORD-12"
    ORDER_PAID_HERE = "K-ORD-13"  # charged at this counter, and the shop does not know it

    SHOP_UNREACHABLE = "K-SHP-01"
    SHOP_NONSENSE = "K-SHP-02"
    SHOP_TOKEN = "K-SHP-03"  # noqa: S105 - a code, no secret
    SHOP_MOVED = "K-SHP-04"
    SHOP_REFUSES_FACT = "K-SHP-05"
    OFFLINE_NO_CHARGE = "K-SHP-06"
    SHOP_BUSY = "K-SHP-07"

    PAYMENT_DECLINED = "K-PAY-01"
    TERMINAL_GONE = "K-PAY-02"
    TERMINAL_BUSY = "K-PAY-03"
    PAYMENT_STOPPED = "K-PAY-04"
    TERMINAL_CURRENCY = "K-PAY-05"
    TERMINAL_OTHER_AMOUNT = "K-PAY-06"
    PAYMENT_UNKNOWN = "K-PAY-07"
    PAYMENT_UNRESOLVED = "K-PAY-08"
    PAYMENT_LATE = "K-PAY-09"
    TERMINAL_SETUP = "K-PAY-10"
    TERMINAL_NONSENSE = "K-PAY-11"
    PAYMENT_REVERSED = "K-PAY-12"
    PAID_NOT_HANDED = "K-PAY-13"

    PRINTER_GONE = "K-PRN-01"
    NO_PAPER = "K-PRN-02"
    COVER_OPEN = "K-PRN-03"
    PRINTER_FAULT = "K-PRN-04"
    NO_RECEIPT = "K-PRN-05"

    TERMINAL_STAYS = "K-DEV-01"
    TERMINAL_CHANGES = "K-DEV-02"

    LINK_REFUSED = "K-LNK-01"
    LINK_AMOUNT = "K-LNK-02"


class KassaError(Exception):
    """The root of everything that Kassa raises on purpose."""


class Bug(KassaError):
    """Ours: a broken assumption of the program. Never caught but at the top of a thread."""


class Trouble(KassaError):
    """Theirs: something in the world does not do its part.

    code: what the screen shows and the runbook explains.
    detail: one line for the log and the small print: no secret, no card number.
    """

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail


class OrderTrouble(Trouble):
    """The order cannot be handed over here and now."""


class ShopTrouble(Trouble):
    """The shop cannot be asked, or answers what no shop should."""


class TerminalTrouble(Trouble):
    """The card terminal did not take part. Raised only when certainly nothing was charged."""


class PrinterTrouble(Trouble):
    """The printer cannot print now. It says nothing of what may already be on the paper."""


class ScannerTrouble(Trouble):
    """The scanner is gone, or what it read is no code."""


class JournalTrouble(Trouble):
    """The journal cannot be opened or written."""


class ConfigTrouble(Trouble):
    """The configuration cannot be used; `detail` names every mistake, a line each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__(Code.CONFIGURATION, "\n".join(mistakes))
        self.mistakes = mistakes


class EnrolTrouble(Trouble):
    """The kiosk cannot be enrolled with this code, or not now."""


class ProtocolError(KassaError):
    """The far end sent what the protocol does not allow. Each protocol raises its own subclass,
    and nothing else, whatever the bytes."""
