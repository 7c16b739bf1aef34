"""Devices that may send links from the shop's network: how one is paired, known again and removed.

Whoever stands at the counter asks for it; the screen then shows an address with a code that counts
once, for two minutes, and only while it is shown. What a device keeps is a token; of that the
journal has a hash alone. Tokens and codes are random and long, so no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from appliance.counter.ledger import Ledger
from appliance.counter.screen import Page, Pairing
from appliance.counter.state import Paired, Place, paired_from
from appliance.domain.facts import Draft, Kind

DEVICES_MOST: Final = 16
CODE_BYTES: Final = 16
TOKEN_BYTES: Final = 32
CODE_S: Final = 120.0
DONE_S: Final = 5.0
"""How long the screen says that a device is paired; then it is free for what the device sends."""
TRIES_MOST: Final = 5
"""Wrong codes until the right one counts no longer: nobody types it, so nobody mistypes it."""
LONGEST_NAME: Final = 40


class PairingRefused(Exception):
    """The code is wrong, used or too old, or there are too many devices: which, is not said."""


class PairingDesk:
    """address: what devices open, without slash at its end; "" where none may be paired. secret:
    random base64url of so many bytes."""

    def __init__(
        self,
        ledger: Ledger,
        address: str,
        secret: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._ledger, self._address, self._secret = ledger, address, secret
        self._code = ""
        self._until = float("-inf")
        self._tries = 0
        ledger.state.may_pair = bool(address)

    def show(self) -> None:
        """Put a new code on the screen."""
        self._code, self._tries = self._secret(CODE_BYTES), 0
        self._until = self._ledger.clock.monotonic() + CODE_S
        self._ledger.state.pairing = Pairing(f"{self._address}/pair#{self._code}", "")
        self._ledger.go(Place(Page.PAIRING))

    def tick(self) -> None:
        """Once a second: a code that is not on the screen, or has been for too long, is none."""
        is_shown = self._ledger.state.place.page is Page.PAIRING
        if is_shown and self._ledger.clock.monotonic() >= self._until:
            self._ledger.go(Place())
            is_shown = False
        if not is_shown:
            self._forget()

    def pair(self, code: str, name: str) -> str:
        """A new device's token, which nobody can be told again. Raises PairingRefused,
        JournalTrouble."""
        state = self._ledger.state
        self.tick()
        if not self._code or not hmac.compare_digest(code.encode(), self._code.encode()):
            self._tries += 1
            if self._tries >= TRIES_MOST:
                self._forget()
            raise PairingRefused
        if len(state.paired) >= DEVICES_MOST:
            raise PairingRefused
        token = self._secret(TOKEN_BYTES)
        subject = f"D-{self._ledger.journal.new_name()}"
        name = "".join(filter(str.isprintable, name))[:LONGEST_NAME].strip() or "?"
        draft = Draft(Kind.DEVICE_PAIRED, subject, {"name": name, "hash": _hash(token)})
        (fact,) = self._ledger.write([draft])[-1:]
        state.paired[subject] = paired_from(fact)
        self._code = ""
        self._until = self._ledger.clock.monotonic() + DONE_S
        state.pairing = Pairing("", name)
        return token

    def device(self, token: str) -> Paired | None:
        """Whose token this is; None for nobody's. It takes the same time for every token."""
        asked, found = _hash(token), None
        for paired in self._ledger.state.paired.values():
            if hmac.compare_digest(asked, paired.hash):
                found = paired
        return found

    def remove(self, device: str) -> bool:
        """Its token counts no longer. False where it is not known. Raises JournalTrouble."""
        if device not in self._ledger.state.paired:
            return False
        self._ledger.write([Draft(Kind.DEVICE_REMOVED, device)])
        del self._ledger.state.paired[device]
        return True

    def _forget(self) -> None:
        self._code = ""
        pairing = self._ledger.state.pairing
        if pairing is not None and not pairing.device:
            self._ledger.state.pairing = Pairing("", "")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
