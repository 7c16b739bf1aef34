"""How a driver reaches a foreign application by links: a hop there, and words that come back.

The kiosk's own page opens the link, as a person's click would; nothing here opens a connection.
What comes back are results of our own format (protocols/links/kassa.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from appliance.domain.errors import ConfigTrouble
from appliance.protocols.links import kassa
from appliance.protocols.links.messages import Callbacks, Link, Result
from appliance.protocols.links.signing import Algorithm, Key, Stamp

LIFE_S: Final = 120
"""How long a link of ours counts: a slow browser gets it there, and no tab of yesterday does."""
CALLBACK: Final = Callbacks(*[kassa.RESULT_CALLBACK] * 3)


class Purpose(StrEnum):
    """One hop at a time for each; a payment comes before paper."""

    PAY = "pay"
    PRINT = "print"


@dataclass(frozen=True, slots=True)
class Hop:
    """A link on its way. id: unique for good, so that a page opens it once; it is the link's nonce.
    address: the whole link. life_s: after so many seconds it is of no use any more.
    accepts_unsigned: whether an answer that repeats the nonce is heard without a signature."""

    purpose: Purpose
    id: str
    address: str = field(repr=False)
    life_s: float
    accepts_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A result that came in. signed_by: the id of the key whose signature was verified; "" where
    nobody signed it, and it proves no more than that its sender has seen our link."""

    result: Result
    signed_by: str


class Door(Protocol):
    """Where links leave the kiosk, and where answers come in. Any thread; nothing raises.

    subject: the payment's id, or the nonce of a link that is about no payment."""

    def is_open(self) -> bool:
        """Whether a page of the kiosk's is there, which can open a link."""

    def show(self, hop: Hop) -> None:
        """Have it opened. It replaces an older one of its purpose."""

    def hide(self, purpose: Purpose) -> None:
        """It needs to be opened no more. It may have been."""

    def words(self, subject: str) -> tuple[Word, ...]:
        """What has come in and was not forgotten, oldest first, each once."""

    def wait(self, subject: str, known: tuple[Word, ...], timeout_s: float) -> tuple[Word, ...]:
        """The words, as soon as they differ from `known`, or after the timeout, or when the kiosk
        is about to end."""

    def is_closing(self) -> bool:
        """Whether the kiosk is about to end: nobody should wait any more."""

    def forget(self, subject: str) -> None:
        """These words have had their effect. A later one is news."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose links these are, and whose answers are believed. now: seconds since 1970, UTC.

    Raises ConfigTrouble for a key that cannot sign."""

    key: Key
    answer_key: str
    accept_unsigned: bool
    now: Callable[[], int]
    token: Callable[[], str] = secrets.token_urlsafe

    def __post_init__(self) -> None:
        if self.key.algorithm is not Algorithm.HMAC_SHA256 and not self.key.can_sign:
            raise ConfigTrouble([f"the key {self.key.id} cannot sign"])

    def hop(self, purpose: Purpose, link: Link, expires_at: int) -> Hop:
        """This link, signed, with a nonce of its own. expires_at: seconds since 1970."""
        nonce = self.token()
        address = kassa.build(link, Stamp(self.key, nonce, expires_at))
        life_s = max(expires_at - self.now(), 0)
        return Hop(purpose, nonce, address, life_s, self.accept_unsigned)

    def is_signed(self, word: Word) -> bool:
        """By the one application that may say so."""
        return bool(word.signed_by) and word.signed_by == self.answer_key
