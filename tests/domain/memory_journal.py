"""The counter's journal as a tuple: what is in it is durable, all else is gone with a crash.

It has what the core asks of `appliance.counter.journal.Journal`, without file, chain and outbox
mark on disk; test_memory_journal.py holds the two together. `append` is the only way in, so that
each of its calls is one point at which a power cut can come.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from appliance.counter.chain import canonical
from appliance.domain.errors import Code, JournalTrouble
from appliance.domain.facts import CLOSES, OPENS, Draft, Fact, Kind

AT = "2026-11-23T09:00:00.000Z"
_SETTLES = frozenset({Kind.APPROVED, Kind.DECIDED_PAID, Kind.HANDED_OVER})


class MemoryJournal:
    """facts: what is durable. is_full: the disk takes no more. lengths: of the facts after each
    `append` since the last `load`."""

    name = "model"

    def __init__(self, facts: tuple[Fact, ...] = ()) -> None:
        self.is_full = False
        self._known: dict[tuple[object, ...], Fact] = {}
        self.load(facts)

    def load(self, facts: tuple[Fact, ...]) -> None:
        self.facts = facts
        self.lengths: list[int] = []

    @property
    def last(self) -> int:
        return len(self.facts)

    def new_name(self) -> str:
        """Unique among what is opened, and the same on every path that opens as often."""
        return str(sum(fact.kind is Kind.OPENED for fact in self.facts) + 1)

    def append(self, drafts: Iterable[Draft], seller: str = "") -> list[Fact]:
        found = list(drafts)
        if self.is_full:
            raise JournalTrouble(Code.DISK_FULL, "full")
        written = [self._kept(seq, draft, seller) for seq, draft in enumerate(found, self.last + 1)]
        self.facts = (*self.facts, *written)
        self.lengths.append(self.last)
        return written

    def _kept(self, seq: int, draft: Draft, seller: str) -> Fact:
        """As JSON, so that what is read is no more than what a file keeps. The same fact on
        another path is the same object."""
        body = canonical(dict(draft.body))
        key = (seq, draft.kind, draft.subject, seller, body)
        if key not in self._known:
            self._known[key] = Fact(
                f"f-{seq}", draft.kind, draft.subject, AT, seller, json.loads(body)
            )
        return self._known[key]

    def of_subject(self, subject: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.subject == subject]

    def open_subjects(self) -> list[str]:
        """Oldest first, by their first fact, as the journal's table has them."""
        is_open = set()
        first: dict[str, int] = {}
        for seq, fact in enumerate(self.facts):
            first.setdefault(fact.subject, seq)
            if fact.kind in OPENS:
                is_open.add(fact.subject)
            elif fact.kind in CLOSES:
                is_open.discard(fact.subject)
        return sorted(is_open, key=first.__getitem__)

    def settled(self, order: str) -> list[Fact]:
        return [f for f in self.facts if f.kind in _SETTLES and f.body.get("order") == order]

    def newest_charge(self) -> str:
        started = [str(f.body["payment"]) for f in self.facts if f.kind is Kind.STARTED]
        return started[-1] if started else ""

    def count_undelivered(self) -> int:
        """The cursor over the facts is the world's (`World.outbox`)."""
        return 0

    def handed_over_since(self, at: str, limit: int) -> tuple[list[Fact], int]:
        found = [f for f in self.facts if f.kind is Kind.HANDED_OVER and f.at >= at]
        return found[::-1][:limit], len(found)

    def settle(self) -> None:
        """There is no mark that waits to be written."""

    def probe(self) -> None:
        if self.is_full:
            raise JournalTrouble(Code.DISK_FULL, "full")

    def prune(self, before_at: str) -> int:
        """Nothing in a model grows old."""
        return 0

    def close(self) -> None:
        """There is no file."""
