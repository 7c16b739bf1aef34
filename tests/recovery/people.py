"""The people at a counter whose program may go at any moment: a seller, and a customer.

They look at the screen and do what one does there, so that it makes no difference to them whether
the program has just been started again. What they try is drawn from dice.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable
from typing import Final

from tests.recovery.books import Books
from tests.rig import Kiosk, Rig

PATIENCE_S: Final = 90.0
LOOK_S: Final = 0.01
TRIES_MOST: Final = 3
"""After so many charges that came to nothing the customer means it."""
SELLER: Final = "Anna K."


class Gone(Exception):
    """The program was killed under their hands."""


class People:
    """Serve one order to its end, through as many starts of the program as it takes."""

    def __init__(self, rig: Rig, kiosk: Kiosk, books: Books, dice: random.Random) -> None:
        self._rig, self._kiosk, self._books, self._dice = rig, kiosk, books, dice
        self._tries = 0
        self._gives_up = dice.random() < 0.1
        self._waits_for_paper = dice.random() < 0.5
        self._is_signed_in = False
        self.was_answered = True  # since the program's last start

    def begin_anew(self) -> None:
        """The program has been started again; it may not answer yet."""
        self._is_signed_in = self.was_answered = False

    def is_done(self) -> bool:
        return self._books.is_over(gave_up=self._gives_up)

    def serve(self, is_gone: Callable[[], bool]) -> None:
        """is_gone: whether the program is killed. Raises Gone when it is, and AssertionError for
        what must not be, such as no end."""
        end = time.monotonic() + PATIENCE_S
        page = "none"
        while not is_gone():
            try:
                if self.is_done():
                    return
                page = self._kiosk.page()
                self.was_answered = True
                self._look(page)
            except (OSError, http.client.HTTPException, ValueError):
                process = self._kiosk.process
                assert is_gone() or (process and process.poll() is None), "it ended by itself"
            assert time.monotonic() < end, f"no end: page {page}"
            time.sleep(LOOK_S)
        raise Gone

    def _look(self, page: str) -> None:
        match page:
            case "idle":
                self._open()
            case "order":
                self._kiosk.do("cancel" if self._gives_up and self._tries else "confirm")
            case "charging":
                self._pay()
            case "unknown" if self._waits() and self._dice.random() < 0.02:
                self._rig.terminal.tap()  # it still asks for a card
            case "hand_over":
                assert self._books.held(), "the goods may leave, and the bank has no money"
                if not self._waits_for_paper or self._books.is_printed():
                    self._kiosk.do("confirm")
            case "refused" | "attention":
                self._kiosk.do("confirm")
            case "attention_item":
                self._decide()
            case _:
                pass  # it passes by itself, and that it does is what is searched for

    def _open(self) -> None:
        code = f"NL-{self._books.number}"
        if self._dice.random() < 0.5:
            self._kiosk.do("scan", code)
        else:
            self._rig.scanner.scan(code)
            time.sleep(0.1)  # a second one at once would be a shaky hand's

    def _waits(self) -> bool:
        return bool(self._rig.terminal.state()["waits_for"] == "card")

    def _pay(self) -> None:
        if not self._waits():
            return
        self._tries += 1
        chance = self._dice.random() if self._tries < TRIES_MOST else 0.0
        if chance < 0.7:
            self._rig.terminal.tap()
        elif chance < 0.8:
            self._rig.terminal.decline()
        elif chance < 0.85:
            self._rig.terminal.cancel_key()
        else:
            self._kiosk.do("cancel")
            if self._dice.random() < 0.5:
                self._rig.terminal.tap()  # they crossed
        time.sleep(0.05)

    def _decide(self) -> None:
        """The seller signs in, since a decision has a name, and reads the terminal's slip."""
        if not self._is_signed_in:
            if self._kiosk.health()["devices"].get("shop") == "ok":
                signed_in = self._books.signed_in()
                self._rig.scanner.scan(self._rig.shop.badges[SELLER])
                time.sleep(0.3)
                self._is_signed_in = self._books.signed_in() > signed_in
            return
        word = "decide_paid" if self._books.held() else "decide_not_paid"
        if self._kiosk.do(word) != 200:
            self._kiosk.do("confirm")
