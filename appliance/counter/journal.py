"""The journal: what happened, on disk before anything visible follows from it.

SQLite in WAL mode with synchronous=FULL: when `append` returns, the facts survive a power cut.
One writer (the loop's thread) holds a `Journal`; everybody else reads through `Reader`s.
A fact's id is the journal's own random name, the fact's place in it and the start of its hash:
unique for good, also when a damaged journal was put away and a new one counts from one again, or
when the newest facts were lost with their log and their places are given out a second time.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from appliance.counter.chain import (
    COLUMNS,
    Flaw,
    Row,
    canonical,
    check_at_start,
    head,
    link,
    mark,
    origin_name,
    prove,
    schema_version,
    verify,
)
from appliance.counter.journal_file import (
    JournalDamaged,
    connect,
    create,
    is_there,
    newest_aside,
    put_aside,
    reported,
)
from appliance.counter.migrations import MIGRATIONS, PAGE_SIZE_BYTES
from appliance.domain.errors import Bug, Code, JournalTrouble
from appliance.domain.facts import CLOSES, OPENS, REPORTED, Draft, Fact, Json, Kind

ID_HASH_BYTES: Final = 3
BODY_LIMIT_BYTES: Final = 256 * 1024
PRUNE_BATCH: Final = 1000
_REPORTED: Final = ", ".join(f"'{kind}'" for kind in sorted(REPORTED))


class Reader:
    """Reads facts on a connection of its own. One thread at a time."""

    def __init__(self, path: Path) -> None:
        with reported():
            self._db = connect(path, read_only=True)
            try:
                prove(self._db)
                self.name = origin_name(self._db)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        self._db.close()

    def facts(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Fact]]:
        """The facts after this place, oldest first."""
        return self._select("seq > ? ORDER BY seq LIMIT ?", (after, limit))

    def newest(self, most: int) -> list[Fact]:
        """The newest facts, oldest first."""
        found = self._select("seq > 0 ORDER BY seq DESC LIMIT ?", (most,))
        return [fact for _, fact in reversed(found)]

    def undelivered(self, after: int, limit: int) -> tuple[list[Fact], int]:
        """What the shop is still to be told, and the place up to which that was looked for."""
        rows = self._select("seq > ? ORDER BY seq LIMIT ?", (after, limit))
        reported = [fact for _, fact in rows if fact.kind in REPORTED]
        return reported, rows[-1][0] if rows else after

    def place_of(self, fact_id: str) -> int:
        """Where in the journal this fact is; 0 when it is not, or not any more."""
        origin, _, rest = fact_id.partition("-")
        place = rest.partition("-")[0]
        if origin != self.name or not (place.isascii() and place.isdigit()):
            return 0
        found = self._select("seq = ?", (int(place),))
        return found[0][0] if found and found[0][1].id == fact_id else 0

    def newest_delivered(self) -> str:
        """The id of the newest fact that the shop has taken, or ""."""
        found = self._select(
            f"seq <= ? AND kind IN ({_REPORTED}) ORDER BY seq DESC LIMIT 20",
            (self.outbox(),),
        )
        for _, fact in found:
            if not self.of_subject(f"S-{fact.id}"):  # else it was refused
                return fact.id
        return ""

    def newest_charge(self) -> str:
        """The payment that the terminal's memory is about; "" where there was none."""
        found = self._select("kind = 'payment.started' ORDER BY seq DESC LIMIT 1", ())
        return str(found[0][1].body["payment"]) if found else ""

    def count_undelivered(self, after: int | None = None) -> int:
        """How many facts the shop is still to be told; as long as the queue, not the history.
        after: the place up to which it has them, where that is not what the outbox says."""
        with reported():
            row = self._db.execute(
                f"SELECT count(*) FROM fact WHERE seq > ? AND kind IN ({_REPORTED})",  # noqa: S608 - constants
                (self.outbox() if after is None else after,),
            ).fetchone()
        return int(row[0])

    def of_subject(self, subject: str) -> list[Fact]:
        """All facts of one handover or print job, oldest first."""
        return [fact for _, fact in self._select("subject = ? ORDER BY seq", (subject,))]

    def handed_over_since(self, at: str, limit: int) -> tuple[list[Fact], int]:
        """The hand-overs since this time, newest first, and how many there are in all."""
        with reported():
            count = self._db.execute(
                "SELECT count(*) FROM fact WHERE kind = 'handover.handed_over' AND at >= ?", (at,)
            ).fetchone()[0]
        found = self._select(
            "kind = 'handover.handed_over' AND at >= ? ORDER BY at DESC, seq DESC LIMIT ?",
            (at, limit),
        )
        return [fact for _, fact in found], int(count)

    def settled(self, order: str) -> list[Fact]:
        """What this counter took or gave for this order, ever: approved, decided, handed over."""
        return [
            fact
            for _, fact in self._select(
                "json_extract(body, '$.order') = ? AND kind IN ('payment.approved',"
                " 'payment.decided_paid', 'handover.handed_over') ORDER BY seq",
                (order,),
            )
        ]

    def ended(self, number: str) -> str:
        """The newest handover of the order with this number that ended with its goods handed over,
        or given back to another cash desk; "" for none."""
        found = self._select(
            "json_extract(body, '$.number') = ? AND kind IN ('handover.handed_over',"
            " 'handover.given_back') ORDER BY seq DESC LIMIT 1",
            (number,),
        )
        return found[0][1].subject if found else ""

    def open_subjects(self) -> list[str]:
        """What is replayed at start, oldest first."""
        with reported():
            rows = self._db.execute("SELECT subject FROM open_subject ORDER BY first_seq")
            return [row[0] for row in rows]

    def outbox(self) -> int:
        """The place of the last fact that the shop is known to have."""
        with reported():
            return mark(self._db, "outbox")[0]

    def verify(self, after: int | None = None, most: int = 20) -> list[Flaw]:
        """The chain from the last pruned fact (or from `after`) on; at most `most` flaws."""
        with reported():
            return list(verify(self._db, after, most))

    def _select(self, where: str, values: tuple[object, ...]) -> list[tuple[int, Fact]]:
        with reported():
            rows = self._db.execute(f"SELECT {COLUMNS} FROM fact WHERE {where}", values)  # noqa: S608 - constants
            return [(row[0], _fact(self.name, row)) for row in rows]


class Journal(Reader):
    """The one writer. Raises JournalTrouble for the disk's failures, Bug for ours.

    path: the file; its folder exists. now: wall time in ISO 8601 UTC, for `Fact.at`.
    Raises JournalDamaged when what is there cannot be trusted, and JournalTrouble(JOURNAL_NEWER)
    when a later release wrote it. token: random hex digits of so many bytes.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], str],
        token: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        self._now = now
        self._start = token(2)
        self._outbox_waiting = 0
        with reported():
            if is_there(path):
                check_at_start(path)
            else:
                create(path, _beginning(token(4)), PAGE_SIZE_BYTES)
            self._db = connect(path, read_only=False)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        db = self._db
        db.execute("PRAGMA synchronous = FULL")
        # A log begins anew with each start: what a power cut tore stays in it otherwise, and would
        # look like damage in the middle (journal_log.py). On a full disk it has to wait.
        with suppress(sqlite3.OperationalError):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        known = schema_version(db)
        for number, script in enumerate(MIGRATIONS[known:], known + 1):
            db.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
        self.name = origin_name(db)
        self._last, self._hash = head(db)

    @property
    def last(self) -> int:
        """The place of the newest fact; 0 when there is none."""
        return self._last

    def new_name(self) -> str:
        """A name for what the next fact opens: unique for good, also where the end of the journal
        was lost and its places are given out again."""
        return f"{self.name}-{self._last + 1:08d}-{self._start}"

    def append(self, drafts: Iterable[Draft], seller: str = "") -> list[Fact]:
        """All of these facts, or none: on disk and synced when this returns."""
        at = self._now()
        seq, before = self._last, self._hash
        rows: list[Row] = []
        for draft in drafts:
            body = canonical(dict(draft.body))
            size_bytes = len(body.encode(errors="surrogatepass"))
            if size_bytes > BODY_LIMIT_BYTES:
                raise Bug(f"a fact of {size_bytes} bytes")
            seq += 1
            texts = (str(draft.kind), draft.subject, at, seller, body)
            try:
                before = link(before, seq, texts)
            except UnicodeEncodeError:
                raise Bug(f"a fact with half a character, {draft.kind}") from None
            rows.append((seq, *texts, before))
        if not rows:
            return []
        with reported(), self._transaction():
            self._db.executemany("INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            for row in rows:
                self._follow(row)
            self._move_outbox()
        self._outbox_waiting = 0
        self._last, self._hash = seq, before
        return [_fact(self.name, row) for row in rows]

    def delivered(self, seq: int) -> None:
        """The shop has all facts up to this place. Kept with the next fact, or by `settle`:
        losing it costs a repeat that the shop recognises. Raises Bug for a place without fact:
        a mark beyond the end would make the journal look cut off."""
        if seq > self._last:
            raise Bug(f"the shop cannot have fact {seq}: there are {self._last}")
        self._outbox_waiting = max(self._outbox_waiting, seq)

    def settle(self) -> None:
        """Write what waits to be written along with the next fact."""
        if self._outbox_waiting:
            with reported(), self._transaction():
                self._move_outbox()
            self._outbox_waiting = 0

    def probe(self) -> None:
        """Write and sync one page that says nothing. Raises JournalTrouble while it cannot."""
        with reported(), self._transaction():
            # SQLite writes no page that stays the same. The outbox mark has no use for its hash.
            self._db.execute("UPDATE mark SET hash = randomblob(8) WHERE name = 'outbox'")

    def prune(self, before_at: str) -> int:
        """Retention: drop facts from before this time, oldest first, at most PRUNE_BATCH.

        Never a fact that the shop has not got, nor one at or after the start of anything still
        open. Returns how many went. The chain goes on from the last one's hash.
        """
        with reported():
            pruned = mark(self._db, "pruned")[0]
            floor = self._db.execute("SELECT min(first_seq) FROM open_subject").fetchone()[0]
            until = min(self.outbox(), pruned + PRUNE_BATCH, (floor or self._last + 1) - 1)
            rows = self._db.execute(
                "SELECT seq, at, hash FROM fact WHERE seq > ? AND seq <= ? ORDER BY seq",
                (pruned, until),
            ).fetchall()
            last: tuple[int, bytes] | None = None
            for seq, at, digest in rows:
                if at >= before_at:
                    break
                last = (seq, digest)
            if last is None:
                return 0
            with self._transaction():
                self._db.execute("UPDATE mark SET seq = ?, hash = ? WHERE name = 'pruned'", last)
                self._db.execute("DELETE FROM fact WHERE seq <= ?", (last[0],))
            return last[0] - pruned

    def _follow(self, row: Row) -> None:
        """Keep open_subject true: it says which subjects a start replays."""
        seq, kind, subject = row[0], Kind(row[1]), row[2]
        if kind in OPENS:
            first = self._db.execute(
                "SELECT min(seq) FROM fact WHERE subject = ?", (subject,)
            ).fetchone()[0]
            self._db.execute(
                "INSERT OR IGNORE INTO open_subject VALUES (?, ?)", (subject, first or seq)
            )
        elif kind in CLOSES:
            self._db.execute("DELETE FROM open_subject WHERE subject = ?", (subject,))

    def _move_outbox(self) -> None:
        if self._outbox_waiting:
            self._db.execute(
                "UPDATE mark SET seq = ?1 WHERE name = 'outbox' AND seq < ?1",
                (self._outbox_waiting,),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself, as it does when the disk is full.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def open_or_set_aside(
    path: Path, now: Callable[[], str], token: Callable[[int], str] = secrets.token_hex
) -> tuple[Journal, Path | None]:
    """The journal, and where a damaged one was put, whole and untouched, if there was one.

    now, token: see Journal. Raises JournalTrouble.
    """
    aside, reason = None, "the counter stopped before it could say so"
    try:
        journal = Journal(path, now, token)
    except JournalDamaged as damage:
        aside, reason = put_aside(path, now()), damage.detail
        journal = Journal(path, now, token)
    if journal.last == 0 and (aside := aside or newest_aside(path)):
        subject = f"J-{journal.new_name()}"
        body: dict[str, Json] = {"file": aside.name, "reason": reason[:500]}
        try:
            journal.append([Draft(Kind.JOURNAL_SET_ASIDE, subject, body)])
        except BaseException:
            journal.close()
            raise
    return journal, aside


def _beginning(name: str) -> str:
    """The schema and the marks of a journal without facts. name: of hexadecimal digits."""
    origin, start = name.encode(), hashlib.sha256(name.encode()).digest()
    return ";".join(
        (
            *MIGRATIONS,
            f"INSERT INTO mark VALUES ('origin', 0, x'{origin.hex()}')",  # noqa: S608 - hex
            f"INSERT INTO mark VALUES ('pruned', 0, x'{start.hex()}')",  # noqa: S608 - hex
            "INSERT INTO mark VALUES ('outbox', 0, x'')",
            f"PRAGMA user_version = {len(MIGRATIONS)}",
        )
    )


def _fact_id(journal: str, seq: int, digest: bytes) -> str:
    return f"{journal}-{seq:08d}-{digest[:ID_HASH_BYTES].hex()}"


def _fact(journal: str, row: Row) -> Fact:
    seq, kind, subject, at, seller, body, digest = row
    try:
        known = Kind(kind)
    except ValueError:
        raise JournalTrouble(
            Code.JOURNAL_NEWER, f"fact {seq} is of a kind that this release does not know"
        ) from None
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise JournalDamaged(f"fact {seq}: {error}") from error
    if not isinstance(values, dict):
        raise JournalDamaged(f"fact {seq}: its body is no object")
    return Fact(_fact_id(journal, seq, bytes(digest)), known, subject, at, seller, values)
