"""What the demo shop knows: orders, claims, payments, facts. SQLite; one transaction a call.

It is a shop's half of docs/shop-api.md made plain: the claim is an atomic compare and set, each
fact has its effect once however often it arrives, and a snapshot changes its ETag exactly when
it says something else.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from appliance.domain.money import currency as currency_of
from appliance.domain.order import Order, OrderStatus
from appliance.protocols.shopapi import (
    LONGEST_LEASE_S,
    MOST_REQUESTS,
    ClaimRequest,
    FactMessage,
    Refusal,
    RequestRow,
    order_from_json,
    order_to_json,
    orders_message,
    write_json,
)
from appliance.simulators.shop import ledger, samples

OPEN: Final = (OrderStatus.READY, OrderStatus.NOT_READY)
FIRST_NEW_ORDER: Final = 101
MOST_NEW_ORDERS: Final = 1000  # at each pickup point, so that a snapshot stays readable
REQUEST_S: Final = 120
"""How long an order is wanted at a counter."""
SAME_CLICK_S: Final = 3
"""A double click is one wish."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, number TEXT NOT NULL, pickup_point TEXT NOT NULL, doc TEXT NOT NULL,
    status TEXT NOT NULL, version INTEGER NOT NULL, total INTEGER NOT NULL, paid INTEGER NOT NULL,
    currency TEXT NOT NULL,
    claim_id TEXT NOT NULL DEFAULT '', claim_kiosk TEXT NOT NULL DEFAULT '',
    claim_until REAL NOT NULL DEFAULT 0,
    charging TEXT NOT NULL DEFAULT '', unresolved TEXT NOT NULL DEFAULT '',
    set_aside INTEGER NOT NULL DEFAULT 0,
    flag TEXT NOT NULL DEFAULT '',
    handed_at TEXT NOT NULL DEFAULT '', handed_by TEXT NOT NULL DEFAULT '',
    handed_kiosk TEXT NOT NULL DEFAULT '', handed_times INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS codes (code TEXT PRIMARY KEY, order_id TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS payments (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    how TEXT NOT NULL, reference TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS facts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    subject TEXT NOT NULL, at TEXT NOT NULL, seller TEXT NOT NULL, body TEXT NOT NULL,
    kiosk TEXT NOT NULL, received_at TEXT NOT NULL, arrived INTEGER NOT NULL DEFAULT 1,
    applied INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS requests (
    id TEXT PRIMARY KEY, number TEXT NOT NULL, pickup_point TEXT NOT NULL, counter TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS health (
    kiosk TEXT PRIMARY KEY, report TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Granted:
    order: Mapping[str, Any]
    lease_s: int


@dataclass(frozen=True, slots=True)
class Refused:
    why: Refusal
    order: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """newest: the id of the newest fact of that kiosk that is here, or ""."""

    newest: str


def _now() -> datetime:
    return datetime.now(UTC).astimezone()


class ShopStore:
    """Any thread. path: a file, or ":memory:". currency: ISO 4217. clock: seconds that only go
    forward, for leases; now: what stands on orders and facts, for people."""

    def __init__(
        self,
        path: str,
        currency: str = "EUR",
        seed: int = 1,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.currency = currency
        self.on_change: Callable[[], None] | None = None
        self._seed, self._clock, self._now = seed, clock, now
        self._chance = random.Random(seed)
        self._changed = threading.Condition(threading.RLock())
        self._revision = 1
        self._waiting = 0
        self._snapshots: dict[str, tuple[int, str, bytes]] = {}
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)
        with self._write():
            if self._one("SELECT 1 FROM orders LIMIT 1") is None:
                self._fill()
            # A clock that began anew would leave a lease of yesterday to last for days.
            self._db.execute(
                "UPDATE orders SET claim_until = min(claim_until, ?)", (clock() + LONGEST_LEASE_S,)
            )

    def close(self) -> None:
        with self._changed:
            self._db.close()

    # --- what kiosks ask ----------------------------------------------------------------------

    def snapshot(self, pickup_point: str) -> tuple[str, bytes]:
        """ETag and body of the open orders."""
        with self._changed:
            known = self._snapshots.get(pickup_point)
            if known is None or known[0] != self._revision:
                rows = self._db.execute(
                    "SELECT * FROM orders WHERE pickup_point = ? AND status IN (?, ?)"
                    " ORDER BY number",
                    (pickup_point, *OPEN),
                )
                body = orders_message((current(row) for row in rows), self._wanted(pickup_point))
                etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
                known = self._snapshots[pickup_point] = (self._revision, etag, body)
            return known[1], known[2]

    def snapshot_unlike(
        self, pickup_point: str, etag: str, wait_s: float, stop: threading.Event
    ) -> tuple[str, bytes] | None:
        """The open orders as soon as they are others than those of `etag`; None after wait_s."""
        until = time.monotonic() + wait_s
        with self._changed:
            while True:
                found = self.snapshot(pickup_point)
                left_s = until - time.monotonic()
                if found[0] != etag:
                    return found
                if left_s <= 0 or stop.is_set():
                    return None
                self._waiting += 1
                try:
                    self._changed.wait(left_s)
                finally:
                    self._waiting -= 1

    def _wanted(self, pickup_point: str) -> list[RequestRow]:
        """The newest, oldest first. What expires stays until something else changes: that nobody
        opens it any more is no reason to send all orders again."""
        rows = self._db.execute(
            "SELECT * FROM (SELECT rowid AS n, * FROM requests WHERE pickup_point = ?"
            " AND expires_at > ? ORDER BY n DESC LIMIT ?) ORDER BY n",
            (pickup_point, self._seconds(), MOST_REQUESTS),
        )
        return [
            RequestRow(row["id"], row["number"], row["expires_at"], row["counter"]) for row in rows
        ]

    def by_code(self, code: str) -> Mapping[str, Any] | None:
        """The order with this barcode, else with this number, whatever its status."""
        with self._changed:
            row = self._one(
                "SELECT o.* FROM orders o JOIN codes c ON c.order_id = o.id WHERE c.code = ?", code
            ) or self._one("SELECT * FROM orders WHERE number = ?", code)
            return None if row is None else current(row)

    def claim(self, order_id: str, kiosk: str, wanted: ClaimRequest) -> Granted | Refused | None:
        """Take the order for one kiosk, in one step; None where there is no such order."""
        with self._write():
            row = self._one("SELECT * FROM orders WHERE id = ?", order_id)
            if row is None:
                return None
            if why := self._against(row, kiosk, wanted):
                return Refused(why, current(row))
            lease_s = min(wanted.lease_s, LONGEST_LEASE_S)
            self._db.execute(
                "UPDATE orders SET claim_id = ?, claim_kiosk = ?, claim_until = ? WHERE id = ?",
                (wanted.claim_id, kiosk, self._clock() + lease_s, order_id),
            )
            return Granted(current(row), lease_s)

    def _against(self, row: sqlite3.Row, kiosk: str, wanted: ClaimRequest) -> Refusal | None:
        if row["pickup_point"] != wanted.pickup_point:
            return Refusal.ELSEWHERE
        if row["status"] != OrderStatus.READY:
            return Refusal(row["status"])
        # Claim ids are each kiosk's own: the same words from another one are another claim.
        is_mine = (row["claim_kiosk"], row["claim_id"]) == (kiosk, wanted.claim_id)
        # A charge that is under way, or whose outcome nobody knows, holds the order for as long
        # as that lasts: a second kiosk would charge a second time.
        is_held = row["claim_id"] and (row["claim_until"] > self._clock() or row["charging"])
        if is_held and not is_mine:
            return Refusal.CLAIMED
        if wanted.version != str(row["version"]):
            return Refusal.CHANGED if row["paid"] < row["total"] else Refusal.PAID
        return None

    def take_facts(
        self, kiosk: str, facts: Sequence[FactMessage], after: str = ""
    ) -> ledger.Refused | Forgotten | None:
        """Keep them all, each with its effect, once; or none, and say which one is refused, or
        that there is no fact `after` here."""
        try:
            with self._write():
                if after and not self._one(
                    "SELECT 1 FROM facts WHERE id = ? AND kiosk = ?", after, kiosk
                ):
                    newest = self._one(
                        "SELECT id FROM facts WHERE kiosk = ? ORDER BY seq DESC LIMIT 1", kiosk
                    )
                    return Forgotten("" if newest is None else str(newest["id"]))
                for fact in facts:
                    self._take(kiosk, fact)
        except ledger.Refused as refused:
            return refused
        return None

    def _take(self, kiosk: str, fact: FactMessage) -> None:
        repeated = self._db.execute(
            "UPDATE facts SET arrived = arrived + 1 WHERE id = ?", (fact.id,)
        )
        if repeated.rowcount:
            return
        received_at = self._now().isoformat(timespec="seconds")
        self._db.execute(
            "INSERT INTO facts (id, kind, subject, at, seller, body, kiosk, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                fact.id,
                fact.kind,
                fact.subject,
                fact.at,
                fact.seller,
                write_json(fact.body).decode(),
                kiosk,
                received_at,
            ),
        )
        ledger.apply(self._db, kiosk, fact)
        self._db.execute("UPDATE facts SET applied = applied + 1 WHERE id = ?", (fact.id,))

    def keep_health(self, kiosk: str, report: Mapping[str, Any]) -> None:
        with self._write():
            self._db.execute(
                "INSERT OR REPLACE INTO health VALUES (?, ?, ?)",
                (kiosk, write_json(report).decode(), self._now().isoformat(timespec="seconds")),
            )

    # --- what the shop's staff does -----------------------------------------------------------

    def add_order(self, order: Order) -> None:
        with self._write():
            self._insert(order)

    def add_random_order(self, pickup_point: str) -> str:
        """A new order, ready to be picked up; answers its number, or "" when the shop is full.
        Raises KeyError for a place that is none of the shop's."""
        place = {place.id: place for place in samples.PLACES}[pickup_point]
        with self._write():
            last = self._last_number(place)
            if last >= place.first_number + MOST_NEW_ORDERS:
                return ""
            number = max(last + 1, place.first_number + FIRST_NEW_ORDER)
            unit = currency_of(self.currency)
            self._insert(samples.random_order(place, number, unit, self._now(), self._chance))
            return str(number)

    def set_status(self, order_id: str, status: OrderStatus) -> bool:
        """Cancel, expire, make ready …; False where there is no such order."""
        return self._edit(order_id, "status = ?", status)

    def want_at_counter(self, order_id: str, counter: str = "") -> bool:
        """A counter is to open the order now. counter: its name; "" for any of the pickup point's.
        False where there is no such order."""
        with self._write():
            row = self._one("SELECT * FROM orders WHERE id = ?", order_id)
            if row is None:
                return False
            now = self._seconds()
            self._db.execute("DELETE FROM requests WHERE expires_at <= ?", (now,))
            wanted = (row["number"], row["pickup_point"], counter)
            is_known = self._db.execute(
                "SELECT 1 FROM requests WHERE (number, pickup_point, counter) = (?, ?, ?)"
                " AND expires_at > ?",
                (*wanted, now + REQUEST_S - SAME_CLICK_S),
            ).fetchone()
            if is_known is None:
                self._db.execute(
                    "INSERT INTO requests VALUES (?, ?, ?, ?, ?)",
                    (secrets.token_hex(16), *wanted, now + REQUEST_S),
                )
            return True

    def pay_online(self, order_id: str) -> bool:
        """The customer pays the rest on the shop's website, whoever holds the order."""
        with self._write():
            row = self._one("SELECT * FROM orders WHERE id = ?", order_id)
            if row is None:
                return False
            if (due := row["total"] - row["paid"]) > 0:
                ledger.pay(
                    self._db,
                    f"web-{order_id}-{row['version']}",
                    row,
                    due,
                    "online",
                    {},
                    self._now().isoformat(timespec="seconds"),
                )
            return True

    def add_line(self, order_id: str, item: samples.Item = samples.MUG) -> bool:
        """The customer adds something: another total, another version."""
        with self._write():
            row = self._one("SELECT * FROM orders WHERE id = ?", order_id)
            if row is None:
                return False
            order = order_from_json(current(row))
            line = samples.line_of(item, order.total.currency)
            order = samples.priced(samples.with_line(order, line))
            self._db.execute(
                "UPDATE orders SET doc = ?, total = ?, version = version + 1 WHERE id = ?",
                (json.dumps(order_to_json(order)), order.total.amount, order_id),
            )
            return True

    def bump(self, order_id: str) -> bool:
        """A change that matters but that the counter cannot see: a new version, no more."""
        return self._edit(order_id, "flag = flag")

    def add_samples(self) -> bool:
        """The samples once more, under numbers of their own; False when the shop is full.

        Nothing is taken back: counters and banks know the old ones, whatever a shop forgets.
        """
        with self._write():
            places = [
                replace(place, first_number=self._next_hundred(place)) for place in samples.PLACES
            ]
            for place, anew in zip(samples.PLACES, places, strict=True):
                if anew.first_number > place.first_number + MOST_NEW_ORDERS:
                    return False
            self._fill(places)
            return True

    def saved(self) -> sqlite3.Connection:
        """A backup of the books as they are now."""
        backup = sqlite3.connect(":memory:", check_same_thread=False)
        with self._changed:
            self._db.backup(backup)
        return backup

    def restore(self, backup: sqlite3.Connection) -> None:
        """Forget what has happened since that backup was made."""
        with self._changed:
            backup.backup(self._db)
            self._snapshots.clear()
            self._revision += 1
            self._changed.notify_all()

    # --- what the pages and the tests see -----------------------------------------------------

    @property
    def revision(self) -> int:
        """Changes whenever anything does."""
        with self._changed:
            return self._revision

    @property
    def waiting(self) -> int:
        """Polls that are being held open."""
        with self._changed:
            return self._waiting

    def rows(self, table: str, order_by: str, most: int = -1) -> list[dict[str, Any]]:
        """All columns of a table's rows. Both names are the program's own, never a visitor's."""
        with self._changed:
            query = f"SELECT * FROM {table} ORDER BY {order_by} LIMIT ?"  # noqa: S608
            return [dict(row) for row in self._db.execute(query, (most,))]

    def seconds_left(self, until: float) -> int:
        """Of a lease."""
        return max(0, round(until - self._clock()))

    def wake(self) -> None:
        """Let every poll look again, at whether it is to stop."""
        with self._changed:
            self._changed.notify_all()

    # --- below --------------------------------------------------------------------------------

    def _seconds(self) -> int:
        """Since 1970, UTC."""
        return int(self._now().timestamp())

    def _edit(self, order_id: str, change: str, *values: str) -> bool:
        with self._write():
            done = self._db.execute(
                f"UPDATE orders SET {change}, version = version + 1 WHERE id = ?",  # noqa: S608
                (*values, order_id),
            )
            return done.rowcount == 1

    def _one(self, query: str, *values: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(query, values).fetchone()
        return row

    def _last_number(self, place: samples.Place) -> int:
        row = self._one(
            "SELECT max(CAST(number AS INTEGER)) AS last FROM orders WHERE pickup_point = ?",
            place.id,
        )
        return int(row["last"] or 0) if row is not None else 0

    def _next_hundred(self, place: samples.Place) -> int:
        """So that 10201 shows what 10001 did; the first new orders keep their numbers."""
        last = max(self._last_number(place), place.first_number + FIRST_NEW_ORDER)
        return -(-last // 100) * 100

    def _fill(self, places: Sequence[samples.Place] = samples.PLACES) -> None:
        for order in samples.sample_orders(self.currency, self._seed, self._now(), places):
            self._insert(order)

    def _insert(self, order: Order) -> None:
        self._db.execute(
            "INSERT INTO orders (id, number, pickup_point, doc, status, version, total, paid,"
            " currency) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                order.id,
                order.number,
                order.pickup_point,
                json.dumps(order_to_json(order)),
                order.status,
                int(order.version),
                order.total.amount,
                order.paid.amount,
                order.total.currency.code,
            ),
        )
        for code in order.codes:
            self._db.execute("INSERT INTO codes VALUES (?, ?)", (code, order.id))

    @contextmanager
    def _write(self) -> Iterator[None]:
        """One transaction; whoever waits for a change is told of it when it is on disk."""
        with self._changed:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self._revision += 1
            self._changed.notify_all()
        if self.on_change is not None:
            self.on_change()


def current(row: sqlite3.Row | Mapping[str, Any]) -> dict[str, Any]:
    """The order as the API states it: what was written once, and what has changed since."""
    doc: dict[str, Any] = json.loads(row["doc"])
    return doc | {
        "status": row["status"],
        "version": str(row["version"]),
        "paid": row["paid"],
        "due": row["total"] - row["paid"],
    }
