"""The demo shop as a desk: its staff's page makes codes for its kiosks, and they are redeemed once.

In memory: a code of the demo counts for a quarter of an hour. A desk that lasts has a table for
this; see docs/shop-api.md.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from appliance.protocols.enrolment import (
    Asked,
    EnrolCode,
    Entry,
    Settings,
    Trust,
    Verdict,
    judge,
    write,
)
from appliance.protocols.links.signing import Algorithm, Key, public
from appliance.simulators.shop import samples

LIFE_S: Final = 15 * 60
MOST_CODES: Final = 100


class ShopEnrolments:
    """now: wall time in seconds since 1970. Any thread."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._key = Key("shop", Algorithm.ED25519, secrets.token_bytes(32), can_sign=True)
        self._codes: dict[bytes, tuple[Entry, samples.Kiosk]] = {}
        self._lock = threading.Lock()

    def make(self, kiosk: samples.Kiosk, address: str) -> str:
        """The digits of a new code for this kiosk. address: of this shop, host and port."""
        code = EnrolCode(
            Trust.LOOPBACK,
            address,
            secrets.token_bytes(8),
            secrets.token_bytes(16),
            int(self._now()) + LIFE_S,
            public(self._key).material,
        )
        with self._lock:
            while len(self._codes) >= MOST_CODES:
                del self._codes[next(iter(self._codes))]
            self._codes[code.id] = (Entry(code.secret, code.expires_at), kiosk)
        return write(code, self._key)

    def redeem(self, asked: Asked, url: str) -> Verdict | Settings:
        """The settings, or why not. url: this shop's base address."""
        now = int(self._now())
        with self._lock:
            entry, kiosk = self._codes.get(asked.id, (None, None))
            verdict = judge(entry, asked, now)
            if verdict is not Verdict.GRANTED or entry is None or kiosk is None:
                return verdict
            if not entry.key:
                self._codes[asked.id] = (replace(entry, key=asked.key, used_at=now), kiosk)
        return Settings(
            f'[counter]\nname = "{kiosk.id}"\n[shop]\nurl = "{url}"\n'
            f'pickup_point = "{kiosk.pickup_point}"\ntoken_credential = "shop-token"\n',
            kiosk.token,
        )
