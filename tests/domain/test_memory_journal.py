"""The journal of the model does what the real one does, as far as the core asks it."""

from __future__ import annotations

import random
from pathlib import Path

from appliance.counter.journal import Journal
from appliance.domain.facts import Draft, Kind
from tests.domain.memory_journal import AT, MemoryJournal

SUBJECTS = ("H-1", "H-2", "P-H-1", "")


def draft(dice: random.Random) -> Draft:
    body = {"order": dice.choice(["o-1", "o-2"]), "payment": f"H-1-{dice.randrange(3)}"}
    return Draft(dice.choice(list(Kind)), dice.choice(SUBJECTS), body)


def told(journal: Journal | MemoryJournal) -> object:
    """All that the core can learn from it, but for names and ids."""
    handed, count = journal.handed_over_since("2026-01-01", 2)
    found = (
        *(journal.of_subject(subject) for subject in SUBJECTS),
        *(journal.settled(order) for order in ("o-1", "o-2")),
        handed,
    )
    facts = [[(f.kind, f.subject, f.at, f.seller, f.body) for f in each] for each in found]
    return facts, count, journal.open_subjects(), journal.newest_charge(), journal.last


def test_the_two_say_the_same(tmp_path: Path) -> None:
    for seed in range(20):
        dice = random.Random(seed)
        real, model = Journal(tmp_path / f"{seed}.sqlite3", lambda: AT), MemoryJournal()
        for _ in range(30):
            drafts = [draft(dice) for _ in range(dice.randrange(1, 4))]
            seller = dice.choice(["", "anna"])
            real.append(drafts, seller)
            model.append(drafts, seller)
            assert told(real) == told(model)
        real.close()
