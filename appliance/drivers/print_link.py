"""Driver for a printing application that is reached by links: print-api://payNow.

It prints receipts only, and words them itself: a link says which order's. A try whose answer was
lost is made again with the same link as long as that counts, so that the application may know it
for a repeat and print nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance.domain.errors import Bug, Code, PrinterTrouble
from appliance.domain.receipt import Document
from appliance.drivers.link_hop import CALLBACK, LIFE_S, Door, Hop, Purpose, Signer, Word
from appliance.ports import WELL, Health
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Act, Link, Outcome

PAUSE_S: Final = 60.0
"""After a paper that failed: each try takes the kiosk's page to the application."""
TROUBLES: Final = frozenset({Code.PRINTER_GONE, Code.NO_PAPER, Code.COVER_OPEN, Code.PRINTER_FAULT})


@dataclass(frozen=True, slots=True)
class PrintLinkOptions:
    """answer_s: how long one paper may take."""

    signer: Signer
    answer_s: float = 60.0


@dataclass(frozen=True, slots=True)
class _Try:
    order: str
    hop: Hop
    until: float


class PrintLink:
    """A Printer (see ports). clock: monotonic seconds."""

    def __init__(
        self, options: PrintLinkOptions, door: Door, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options, self._door, self._clock = options, door, clock
        self._signer = options.signer
        self._open: _Try | None = None  # a try that nothing was heard of
        self._trouble = WELL
        self._trouble_until = 0.0

    def check(self) -> Health:
        if not self._door.is_open():
            return Health(Code.PRINTER_GONE, "no page of the kiosk is open to open a link")
        return self._trouble if self._clock() < self._trouble_until else WELL

    def print(self, document: Document, began: Callable[[], None]) -> None:
        if not document.receipt_of:
            # The configuration allows none. Of an older one's papers some may still be there, and
            # they must not hold up the others.
            raise Bug("no link prints a paper that is not a receipt")
        if not self._door.is_open():
            raise PrinterTrouble(Code.PRINTER_GONE, "no page of the kiosk is open to open a link")
        began()
        tried = self._tried(document.receipt_of)
        self._door.show(tried.hop)
        try:
            word = self._await(tried.hop.id)
        finally:
            self._door.hide(Purpose.PRINT)
        if word is None:
            self._fail(Code.PRINTER_GONE, "no answer came back")
            return
        self._open = None
        self._door.forget(tried.hop.id)
        result = word.result
        if result.outcome is not Outcome.PRINTED:
            code = next((code for code in TROUBLES if code == result.code), Code.PRINTER_FAULT)
            self._fail(code, f"{result.outcome}: {result.reason} {result.text}".strip())

    def _fail(self, code: Code, detail: str) -> None:
        self._trouble, self._trouble_until = Health(code, detail), self._clock() + PAUSE_S
        raise PrinterTrouble(code, detail)

    def _tried(self, order: str) -> _Try:
        """The try that nothing was heard of, or a new one."""
        tried, now = self._open, self._clock()
        if tried is None or tried.order != order or now >= tried.until:
            link = Link(Name.KASSA, Act.PRINT, order, "", callbacks=CALLBACK)
            hop = self._signer.hop(Purpose.PRINT, link, self._signer.now() + LIFE_S)
            tried = self._open = _Try(order, hop, now + LIFE_S)
        return tried

    def _await(self, subject: str) -> Word | None:
        """The first answer that counts. A forged one could do no more than leave out or repeat a
        paper, so the configuration may allow unsigned ones."""
        until = self._clock() + self._options.answer_s
        words = self._door.words(subject)
        while True:
            for word in words:
                if self._signer.is_signed(word) or not word.signed_by:
                    return word
            left_s = until - self._clock()
            if left_s <= 0 or self._door.is_closing():
                return None
            words = self._door.wait(subject, words, left_s)

    def close(self) -> None:
        """There is no line to close."""
