"""Retention takes what is old, delivered and closed, and nothing else."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from appliance.counter.journal import PRUNE_BATCH, Journal
from appliance.domain.facts import CLOSES, OPENS, Draft, Fact, Kind
from tests.counter.journals import LATER, NOW, at_now, fill, handover, scratch, verified


def test_prune_takes_what_is_old_delivered_and_closed(path: Path) -> None:
    now = iter([NOW] * 3 + [LATER] * 99)
    book = Journal(path, lambda: next(now))
    fill(book, 4)
    assert book.prune(LATER) == 0  # nothing is delivered
    book.delivered(12)
    book.settle()
    assert book.prune(NOW) == 0  # nothing is that old
    assert book.prune(LATER) == 9
    assert book.prune(LATER) == 0
    assert [place for place, _ in book.facts()] == [10, 11, 12]
    assert (book.verify(), book.last) == ([], 12)
    (fact,) = book.append([handover(9)])
    assert "-00000013-" in fact.id
    book.close()
    assert verified(path) == []
    again = Journal(path, at_now)
    assert (again.last, again.open_subjects()) == (13, ["H-9"])
    again.close()


def test_prune_stops_before_what_is_open(book: Journal) -> None:
    fill(book, 1)
    book.append([handover(7)])
    fill(book, 1)
    book.delivered(book.last)
    book.settle()
    assert book.prune(LATER) == 3
    assert book.of_subject("H-7")
    book.append([handover(7, Kind.PUT_BACK)])
    assert book.prune(LATER) == 4  # as far as the shop has them
    assert (book.verify(), book.last) == ([], 8)


def test_everything_can_be_pruned_and_the_chain_goes_on(book: Journal, path: Path) -> None:
    fill(book, 2)
    name = book.name
    book.delivered(6)
    book.settle()
    assert book.prune(LATER) == 6
    assert (book.facts(), book.verify()) == ([], [])
    book.close()
    again = Journal(path, at_now)
    assert (again.last, again.name) == (6, name)
    assert again.append([handover(9)])[0].id.startswith(f"{name}-00000007-")
    assert again.verify() == []
    again.close()


def test_prune_goes_in_batches(book: Journal) -> None:
    for _ in range(3):
        book.append([handover(1, Kind.SLIP)] * (PRUNE_BATCH // 2))
    book.delivered(book.last)
    book.settle()
    assert [book.prune(LATER) for _ in range(3)] == [PRUNE_BATCH, PRUNE_BATCH // 2, 0]


class Retention(RuleBasedStateMachine):
    """Appending, delivering, pruning, checkpoints and restarts in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.path = self.cleanup.enter_context(scratch())
        self.day = 10
        self.facts: list[Fact] = []
        self.is_open: dict[str, int] = {}
        self.delivered = 0

    @initialize()
    def begin(self) -> None:
        self.book = Journal(self.path, self.now)

    def now(self) -> str:
        return f"2026-01-{self.day}T00:00:00.000Z"

    @rule(drafts=st.lists(st.tuples(st.sampled_from(Kind), st.sampled_from("abcd")), max_size=4))
    def append(self, drafts: list[tuple[Kind, str]]) -> None:
        self.facts += self.book.append([Draft(kind, subject) for kind, subject in drafts])
        for place, (kind, subject) in enumerate(drafts, len(self.facts) - len(drafts) + 1):
            kept = [p for p in self.places() if self.facts[p - 1].subject == subject]
            if kind in OPENS:
                self.is_open.setdefault(subject, min(kept, default=place))
            elif kind in CLOSES:
                self.is_open.pop(subject, None)

    def places(self) -> list[int]:
        return [place for place, _ in self.book.facts(limit=10_000)]

    @rule(share=st.floats(0, 1))
    def deliver(self, share: float) -> None:
        self.delivered = max(self.delivered, int(share * len(self.facts)))
        self.book.delivered(self.delivered)

    @rule()
    def settle(self) -> None:
        self.book.settle()

    @rule()
    def next_day(self) -> None:
        self.day = min(self.day + 1, 31)

    @rule(day=st.integers(10, 31))
    def prune(self, day: int) -> None:
        before = self.places()
        self.book.prune(f"2026-01-{day}T00:00:00.000Z")
        for place in set(before) - set(self.places()):
            assert place <= self.book.outbox() <= self.delivered
            assert place < min(self.is_open.values(), default=place + 1)
            assert self.facts[place - 1].at < f"2026-01-{day}"

    @rule()
    def checkpoint(self) -> None:
        self.book._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @rule()
    def restart(self) -> None:
        self.book.close()
        self.book = Journal(self.path, self.now)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "book"):
            return
        rows = self.book.facts(limit=10_000)
        assert [place for place, _ in rows] == [
            *range(len(self.facts) - len(rows) + 1, len(self.facts) + 1)
        ]
        assert [fact for _, fact in rows] == self.facts[len(self.facts) - len(rows) :]
        assert self.book.last == len(self.facts)
        assert set(self.book.open_subjects()) == set(self.is_open)
        assert self.book.verify() == []

    def teardown(self) -> None:
        if hasattr(self, "book"):
            self.book.close()
        self.cleanup.close()


Retention.TestCase.settings = settings(max_examples=20, stateful_step_count=25)
TestRetention = Retention.TestCase
