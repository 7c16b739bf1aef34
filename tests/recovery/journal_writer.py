"""A process that writes a journal, for searches with power cuts: one life after the other.

Run as a script: folder, then for each life a line with its seed and how the journal is weakened.
The answer is what went wrong beside the power, if anything, and the line "over". Each life is a
process of its own, so that nothing is left of it. What it has promised to the world it tells the
folder (weak_mount.py).
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from typing import Final

from appliance.counter import journal_file
from appliance.counter.chain import canonical
from appliance.counter.journal import Journal, Reader, open_or_set_aside
from appliance.domain.errors import Code, JournalTrouble
from appliance.domain.facts import Draft, Fact, Json, Kind
from tests.counter.journals import LATER, at_now
from tests.recovery.weak_mount import TOLD

NAME: Final = "journal.sqlite3"
OVER: Final = "over"
BATCH_MOST: Final = 4
STEPS_MOST: Final = 3_000
KINDS: Final = (Kind.OPENED, Kind.SLIP, Kind.HANDED_OVER, Kind.APPROVED)


class Weakened:
    """Ways to make the journal break its promise, which a search must then find."""

    NOT: Final = "not"
    NO_SYNC: Final = "synchronous=OFF"
    NO_FOLDER_SYNC: Final = "folder not synced"


def digest(fact: Fact) -> str:
    """Of all that the fact says."""
    said = canonical([fact.id, fact.kind, fact.subject, fact.at, fact.seller, dict(fact.body)])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def live(folder: Path, seed: int, weakened: str) -> None:
    """Open the journal and write until something fails: the power goes at some moment."""
    dice = random.Random(seed)

    def tell(what: str, *values: object) -> None:
        os.setxattr(folder, TOLD, json.dumps([what, *values]).encode())

    if weakened == Weakened.NO_FOLDER_SYNC:
        journal_file._sync_folder = lambda folder: None
    book, aside = open_or_set_aside(folder / NAME, at_now)
    if weakened == Weakened.NO_SYNC:
        book._db.execute("PRAGMA synchronous = OFF")
    tell("opened", book.name, book.last, aside.name if aside else "")
    reader = Reader(folder / NAME)
    largest = dice.choice((0, 300, 3_000, 20_000))
    for number in itertools.islice(itertools.count(), STEPS_MOST):
        match dice.randrange(24):
            case 0 if book.last > 8:
                seq = book.last - dice.randrange(8)
                tell("delivering", seq)
                book.delivered(seq)
                if dice.random() < 0.5:
                    book.settle()
                    tell("settled")
            case 1:
                pruned = book.prune(LATER)
                tell("pruned", pruned)
            case 2:
                book.probe()
            case 3:
                assert len(reader.newest(3)) == min(3, len(reader.facts(book.last - 3)))
            case _:
                tell("facts", *append(book, dice, number, largest))


def append(book: Journal, dice: random.Random, number: int, largest: int) -> list[list[object]]:
    """One to four facts in one transaction; the place and the digest of each."""
    kinds = dice.choices(KINDS, k=dice.randint(1, BATCH_MOST))
    body: dict[str, Json] = {"first": book.last + 1, "of": len(kinds)}
    body["pad"] = "x" * dice.randint(0, largest)
    facts = book.append([Draft(kind, f"H-{number % 3}", body) for kind in kinds], "anna")
    return [[book.last - len(facts) + at, digest(fact)] for at, fact in enumerate(facts, 1)]


def _main(folder: Path) -> None:
    for line in sys.stdin:
        seed, _, weakened = line.strip().partition("\t")
        child = os.fork()
        if child == 0:
            try:
                live(folder, int(seed), weakened)
            except BaseException as error:  # noqa: BLE001 - whatever it is, this life is over
                if not _is_power_cut(error):
                    print(*traceback.format_exception(error), flush=True)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        # The shared memory of a disk without power cannot be read either.
        if (code := os.waitstatus_to_exitcode(status)) not in (0, -signal.SIGBUS):
            print(f"the writer ended with {code}", flush=True)
        print(OVER, flush=True)


def _is_power_cut(error: BaseException) -> bool:
    """Anything else that ends a life is a mistake of ours."""
    if isinstance(error, JournalTrouble):
        return error.code is Code.DISK_FULL
    return isinstance(error, OSError) and error.errno == errno.EIO


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
