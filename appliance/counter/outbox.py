"""The outbox: a cursor over the journal's facts, up to which the shop has been told.

Each delivery names the fact before it, so that a shop that was restored from a backup finds out
that it lacks some, and is told again from there. It knows facts by their ids: a repeat is harmless.
"""

from __future__ import annotations

from typing import Final

import structlog

from appliance.counter.journal import Reader
from appliance.counter.workers import Loop
from appliance.domain.errors import Code, ShopTrouble
from appliance.domain.facts import Fact
from appliance.ports import Shop, ShopForgot

log = structlog.get_logger()

BATCH: Final = 50
LOOKED_AT: Final = 500  # facts read at once in search of some to deliver


class Outbox:
    """For one thread. Calls raise ShopTrouble and JournalTrouble, and may be repeated then."""

    def __init__(self, shop: Shop, loop: Loop, reader: Reader) -> None:
        self._shop, self._loop, self._reader = shop, loop, reader
        self._after = reader.outbox()
        self._known = reader.newest_delivered()  # the fact that the shop took last
        self._ahead: set[str] = set()  # facts beyond the cursor that the shop has

    def check(self) -> None:
        """Ask whether the shop still has what it took last."""
        if self._known:
            self._send([])

    def deliver(self) -> bool:
        """Deliver the next facts, if there are any; whether there may be more."""
        facts, until = self._reader.undelivered(self._after, LOOKED_AT)
        facts = [fact for fact in facts if fact.id not in self._ahead]
        for start in range(0, len(facts), BATCH):
            self._hand_over(facts[start : start + BATCH])
        if until <= self._after:
            return False
        self._after, count = until, len(facts) + len(self._ahead)
        self._ahead.clear()
        self._loop.post(lambda core: core.delivered(until, count))
        return True

    def _send(self, facts: list[Fact]) -> None:
        try:
            self._shop.deliver(facts, self._known)
        except ShopForgot as forgot:
            place = self._reader.place_of(forgot.newest)
            log.warning("shop_has_forgotten", newest=forgot.newest, from_fact=place)
            # Nothing is told twice at once: whoever called comes again after a while.
            self._known = forgot.newest if place else ""
            self._after = after = min(self._after, place)
            self._ahead.clear()
            self._loop.post(lambda core: core.forgotten(after))
            raise
        if facts:
            self._known = facts[-1].id

    def _hand_over(self, facts: list[Fact]) -> None:
        """Deliver these. One that the shop will never take becomes a person's concern; one that it
        chokes on is tried again for ever, and holds up no other meanwhile: the shop knows facts by
        their ids, not by their places."""
        try:
            self._send(facts)
        except ShopTrouble as trouble:
            if trouble.code not in (Code.SHOP_REFUSES_FACT, Code.SHOP_NONSENSE):
                raise
            if len(facts) > 1:
                self._one_by_one(facts)
            elif trouble.code is Code.SHOP_NONSENSE:
                raise
            else:
                fact, detail = facts[0], trouble.detail
                log.error("shop_refuses_fact", fact=fact.id, kind=fact.kind, detail=detail)
                self._loop.ask(lambda core: core.fact_refused(fact, detail))

    def _one_by_one(self, facts: list[Fact]) -> None:
        """Raises the trouble with the one that the shop chokes on, when the others are there. What
        is about the same subject waits behind it: a story is told in its order."""
        stuck: ShopTrouble | None = None
        waits = ""
        for fact in facts:
            if fact.subject == waits:
                continue
            try:
                self._hand_over([fact])
                self._ahead.add(fact.id)
            except ShopTrouble as trouble:
                if stuck is not None or trouble.code is not Code.SHOP_NONSENSE:
                    raise  # a second one: it is the shop, not the fact
                stuck, waits = trouble, fact.subject
        if stuck is not None:
            raise stuck
