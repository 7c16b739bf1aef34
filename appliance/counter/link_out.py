"""Where drivers that work by links, the kiosk's page and the answers meet.

A driver shows a hop; the screen carries it (Screen.leave), and the page opens it once. The answer
comes in by Counter.link, from whatever browser, and wakes the driver. An answer that nobody waits
for is kept, as the next question about its payment is answered by it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from appliance.counter.clock import Clock
from appliance.counter.screen import Leave
from appliance.counter.settings import NO_KEYS
from appliance.drivers.link_hop import Hop, Purpose, Word
from appliance.protocols.links import kassa, signing
from appliance.protocols.links.messages import LinkError, Outcome, Reason, Seal
from appliance.protocols.links.signing import Key

log = structlog.get_logger()

PAGE_S: Final = 60.0
"""How long ago a page may have told that it draws. It does so every ten seconds."""
SUBJECTS_KEPT: Final = 64
WORDS_KEPT: Final = 8
"""Of each subject. More than two different ones are a contradiction already."""


def _room_in(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """The words without the oldest where there are too many. That something was paid is kept."""
    if len(words) < WORDS_KEPT:
        return words
    dropped = next((w for w in words if w.result.outcome is not Outcome.PAID), words[0])
    return tuple(word for word in words if word is not dropped)


class LinkOut:
    """A Door (see drivers/link_hop). keys: of the applications whose answers are believed.
    changed: called when something else is to be opened; from any thread, and never blocks."""

    def __init__(self, clock: Clock, keys: Mapping[str, Key] = NO_KEYS) -> None:
        self._clock, self._keys = clock, keys
        self._changed: Callable[[], None] = lambda: None
        self._news = threading.Condition()
        self._hops: dict[Purpose, tuple[Hop, float]] = {}  # and until when
        self._nonces: OrderedDict[str, None] = OrderedDict()  # of links, answered by unsigned words
        self._words: OrderedDict[str, tuple[Word, ...]] = OrderedDict()
        self._drawn_at = float("-inf")
        self._is_closing = False

    # --- for the counter --------------------------------------------------------------------------

    def listen(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def drawn(self) -> None:
        """A page has just told that it draws."""
        self._drawn_at = self._clock.monotonic()

    def to_open(self) -> Leave | None:
        """What the page is to open now: a payment before a paper, nothing that has expired."""
        with self._news:
            for purpose in Purpose:
                if found := self._hops.get(purpose):
                    hop, until = found
                    if self._clock.monotonic() < until:
                        return Leave(hop.id, hop.address)
        return None

    def hear(self, text: str) -> Word:
        """Take a result. Raises LinkError for one that means nothing certain or is not believed."""
        result, ref, seal = kassa.parse_result(text)
        word = Word(result, self._signed_by(ref, seal))
        subject = result.payment or ref
        if not subject:
            raise LinkError(Reason.MALFORMED, "a result of nothing that can be told")
        with self._news:
            known = self._words.pop(subject, ())
            self._words[subject] = known if word in known else (*_room_in(known), word)
            while len(self._words) > SUBJECTS_KEPT:
                dropped, _ = self._words.popitem(last=False)
                log.warning("link_answer_dropped", about=dropped)
            self._news.notify_all()
        log.info("link_answer", about=subject, outcome=result.outcome, signed_by=word.signed_by)
        return word

    def _signed_by(self, ref: str, seal: Seal | None) -> str:
        """The key whose seal it is. Raises LinkError."""
        if seal is None:
            with self._news:
                if ref not in self._nonces:
                    raise LinkError(Reason.SEAL, "the result is not signed")
            return ""
        key = self._keys.get(seal.key_id)
        if key is None or not signing.verify(key, seal.text, seal.signature):
            raise LinkError(Reason.SEAL, "the signature is not right")
        if seal.expires_at <= int(self._clock.now().timestamp()):
            raise LinkError(Reason.SEAL, "the result has expired")
        return key.id

    def close(self) -> None:
        """The kiosk ends: whoever waits gives up."""
        with self._news:
            self._is_closing = True
            self._news.notify_all()

    # --- Door -------------------------------------------------------------------------------------

    def is_open(self) -> bool:
        return self._clock.monotonic() - self._drawn_at < PAGE_S

    def show(self, hop: Hop) -> None:
        with self._news:
            self._hops[hop.purpose] = (hop, self._clock.monotonic() + hop.life_s)
            if hop.accepts_unsigned:
                self._nonces[hop.id] = None
                while len(self._nonces) > SUBJECTS_KEPT:
                    self._nonces.popitem(last=False)
        self._changed()

    def hide(self, purpose: Purpose) -> None:
        with self._news:
            had = self._hops.pop(purpose, None)
        if had is not None:
            self._changed()

    def words(self, subject: str) -> tuple[Word, ...]:
        with self._news:
            return self._words.get(subject, ())

    def wait(self, subject: str, known: tuple[Word, ...], timeout_s: float) -> tuple[Word, ...]:
        with self._news:
            self._news.wait_for(
                lambda: self._is_closing or self._words.get(subject, ()) != known, timeout_s
            )
            return self._words.get(subject, ())

    def is_closing(self) -> bool:
        return self._is_closing

    def forget(self, subject: str) -> None:
        with self._news:
            self._words.pop(subject, None)
