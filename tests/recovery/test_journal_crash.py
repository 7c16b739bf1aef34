"""The journal's promise, with a real process and a real SIGKILL: what was acknowledged is there."""

from __future__ import annotations

import random
import select
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from appliance.counter.journal import open_or_set_aside
from appliance.domain.facts import Fact
from tests.counter.journals import at_now

ROUNDS: Final = 20
WAIT_S: Final = 30.0
# Appends batches of one to four facts for ever, delivers and prunes now and then, and tells the
# place of the newest fact only after `append` has returned.
WRITER: Final = """
import itertools, os, random, sys
from pathlib import Path
from appliance.counter.journal import open_or_set_aside
from appliance.domain.facts import Draft, Kind

dice = random.Random(sys.argv[2])
book, aside = open_or_set_aside(Path(sys.argv[1]), lambda: "2026-03-01T10:00:00.000Z")
assert aside is None, aside
some = [Kind.OPENED, Kind.SLIP, Kind.HANDED_OVER, Kind.APPROVED]
for number in itertools.count():
    kinds = dice.choices(some, k=1 + number % 4)
    body = {"first": book.last + 1, "of": len(kinds), "pad": "x" * dice.randint(0, 3000)}
    book.append([Draft(kind, f"H-{number % 5}", body) for kind in kinds])
    os.write(1, b"%d\\n" % book.last)
    if number % 16 == 15:
        book.delivered(book.last - 5)
        book.settle()
        book.prune("2026-03-02T00:00:00.000Z")
"""


def killed_after(path: Path, acknowledged: int, seed: int) -> int:
    """Run the writer, kill it somewhere after so many acknowledgements; the last one of them."""
    dice = random.Random(seed)
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(seed)], stdout=subprocess.PIPE, bufsize=0
    )
    assert child.stdout is not None
    told = b""
    try:
        while told.count(b"\n") < acknowledged:
            assert select.select([child.stdout], [], [], WAIT_S)[0], "the writer is silent"
            chunk = child.stdout.read(65536)
            assert chunk, "the writer ended by itself"
            told += chunk
        # Within the next append or two, wherever that is.
        select.select([], [], [], dice.random() * 0.004)
    finally:
        child.kill()
        told += child.stdout.read() or b""
        child.stdout.close()
        child.wait(WAIT_S)
    return int(told.split(b"\n")[-2])  # what follows the last newline is no acknowledgement


def check(path: Path, acknowledged: int, before: list[Fact]) -> list[Fact]:
    """Everything acknowledged is there, whole batches only, and nothing older has changed."""
    book, aside = open_or_set_aside(path, at_now)
    try:
        assert aside is None
        assert book.verify() == []
        assert book.last >= acknowledged
        rows = book.facts(limit=1_000_000)
        places = [place for place, _ in rows]
        assert places == list(range(book.last - len(rows) + 1, book.last + 1))
        pruned = book.last - len(rows)
        assert pruned <= book.outbox()
        found = {fact.id: fact for _, fact in rows}
        assert all(found.get(fact.id, fact) == fact for fact in before)
        assert {fact.id for fact in before if int(fact.id.split("-")[1]) > pruned} <= set(found)
        place, last = rows[-1]
        first, of = last.body["first"], last.body["of"]
        assert isinstance(first, int)
        assert isinstance(of, int)
        assert place == first + of - 1, "half a batch"
        return [fact for _, fact in rows]
    finally:
        book.close()


@pytest.mark.recovery
def test_what_was_acknowledged_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    path, dice = tmp_path / "journal.sqlite3", random.Random(2026)
    facts: list[Fact] = []
    for seed in range(ROUNDS):
        last = killed_after(path, dice.choice([1, 2, 3, 10, 40]), seed)
        facts = check(path, last, facts)


# Makes a journal again and again, each in a process that is killed one step later than the one
# before: before each statement, and before and after the move to the journal's own name.
MAKER: Final = """
import os, signal, sys
from pathlib import Path
from appliance.counter import journal, journal_file

def dying_at(stop):
    count = 0
    def step(*_):
        nonlocal count
        count += 1
        if count == stop:
            os.kill(os.getpid(), signal.SIGKILL)
    connect, replace = journal_file.connect, os.replace
    def connecting(path, *, read_only):
        db = connect(path, read_only=read_only)
        step()
        db.set_trace_callback(step)
        return db
    def replacing(source, target):
        step()
        replace(source, target)
        step()
    journal.connect = journal_file.connect = connecting
    os.replace = replacing

for stop in range(1, 200):
    folder = Path(sys.argv[1]) / str(stop)
    folder.mkdir()
    child = os.fork()
    if child == 0:
        dying_at(stop)
        journal.Journal(folder / "journal.sqlite3", lambda: "2026-03-01T10:00:00.000Z")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, status
"""


@pytest.mark.recovery
def test_a_kill_while_it_is_made_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", MAKER, str(tmp_path)], check=True, timeout=WAIT_S)
    folders = list(tmp_path.iterdir())
    assert len(folders) > 20  # each statement of the schema is a step
    assert not (tmp_path / "1" / "journal.sqlite3").exists()
    for folder in folders:
        book, aside = open_or_set_aside(folder / "journal.sqlite3", at_now)
        assert (aside, book.last, book.verify()) == (None, 0, [])
        book.close()
