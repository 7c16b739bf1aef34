"""What a journal has promised to the world, and whether what a power cut left of it keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.counter.chain import mark
from appliance.counter.journal import Journal, open_or_set_aside
from appliance.domain.facts import Draft, Kind
from tests.counter.journals import at_now
from tests.recovery.journal_writer import BATCH_MOST, digest

NAMED = 5
"""Of many lost facts, so many are named in a story."""


@dataclass(slots=True)
class Promises:
    """What the world was told of one journal: it must stay true whatever happens."""

    name: str = ""
    last: int = 0  # the newest place that is known to be there
    facts: dict[int, str] = field(default_factory=dict)  # place -> digest
    outbox: int = 0
    delivering: int = 0  # the outbox may be as far as here
    waiting: int = 0  # kept along with the next fact, if there is one
    pruned: int = 0
    _heard: int = 0  # of what was told in this life

    def new_life(self) -> None:
        self._heard = 0

    def hear(self, told: Sequence[str]) -> None:
        """told: all that was told in this life so far."""
        for text in told[self._heard :]:
            what, *values = json.loads(text)
            match what:
                case "opened":
                    self.name, last, _ = values
                    self.last = max(self.last, last)
                    self.waiting = 0
                case "facts":
                    self.facts |= dict(values)
                    self.last = values[-1][0]
                    self.outbox = max(self.outbox, self.waiting)
                case "delivering":
                    self.waiting = max(self.waiting, values[0])
                    self.delivering = max(self.delivering, self.waiting)
                case "settled":
                    self.outbox = max(self.outbox, self.waiting)
                case "pruned":
                    self.pruned += values[0]
        self._heard = len(told)

    def broken(self, path: Path) -> Iterator[str]:
        """What the journal there has forgotten or got wrong. Writes to it."""
        book, aside = open_or_set_aside(path, at_now)
        try:
            if aside is not None:
                yield f"set aside as damaged: {book.newest(1)[0].body['reason']}"
                return
            yield from self._broken(book)
            place = book.last + 1
            book.append([Draft(Kind.OPENED, "H-new", {"first": place, "of": 1})])
            book.probe()
            if book.last != place or book.verify():
                yield "what was appended after the cut is not right"
        finally:
            book.close()

    def _broken(self, book: Journal) -> Iterator[str]:
        yield from (f"fact {flaw.seq}: {flaw.what}" for flaw in book.verify())
        if self.name not in ("", book.name):
            yield f"another journal: {book.name}, not {self.name}"
        # What nobody was told of may have landed all the same, as one whole transaction.
        pruned, outbox = mark(book._db, "pruned")[0], book.outbox()
        if not self.pruned <= pruned <= max(self.delivering, self.pruned):
            yield f"pruned up to {pruned}; told: {self.pruned}, the shop has {self.delivering}"
        if not self.outbox <= outbox <= self.delivering:
            yield f"the outbox is at {outbox}; told: {self.outbox} to {self.delivering}"
        if not self.last <= book.last <= self.last + BATCH_MOST:
            yield f"{book.last} facts; told: {self.last}"
        rows = book.facts(limit=1_000_000)
        found = {place: digest(fact) for place, fact in rows}
        wrong = [
            f"fact {place} is {'another' if place in found else 'lost'}"
            for place, said in self.facts.items()
            if place > pruned and found.get(place) != said
        ]
        yield from wrong[:NAMED]
        if wrong[NAMED:]:
            yield f"and {len(wrong) - NAMED} more"
        if rows:
            first, of = rows[-1][1].body["first"], rows[-1][1].body["of"]
            assert isinstance(first, int)
            assert isinstance(of, int)
            if first + of - 1 != book.last:
                yield "half a transaction"


@dataclass(slots=True)
class PutAside:
    """A damaged journal is being put away: what there was of it is kept, and it is said so."""

    parts: list[bytes]  # the file, and its log if there was one
    name: str = ""  # of the journal that follows, once it was told

    def new_life(self) -> None:
        """Nothing to do: there is one life."""

    def hear(self, told: Sequence[str]) -> None:
        for text in told:
            what, *values = json.loads(text)
            if what == "opened":
                self.name = values[0]

    def broken(self, path: Path) -> Iterator[str]:
        book, _ = open_or_set_aside(path, at_now)
        try:
            kept = [part.read_bytes() for part in path.parent.glob(f"{path.stem}.damaged-*")]
            if lost := [len(part) for part in self.parts if part not in kept]:
                yield f"parts of {lost} bytes of the damaged journal are lost"
            first = book.facts(limit=1)
            if not first or first[0][1].kind is not Kind.JOURNAL_SET_ASIDE:
                yield "a new journal that does not say what became of the old one"
            if self.name not in ("", book.name):
                yield f"another journal: {book.name}, not {self.name}"
            if book.verify():
                yield "the new journal is damaged itself"
        finally:
            book.close()
