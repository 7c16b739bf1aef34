"""What the fake WooCommerce knows, durable in SQLite, with the semantics of the real one.

No transition of status is guarded, set_paid is ignored where an order needs no payment, a
transaction_id is written over, a moment is a whole second, and a note changes no date.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from appliance.simulators.woocommerce import shapes

STATUSES: Final = (
    "pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed",
    "checkout-draft",
)  # fmt: skip
NEEDS_PAYMENT: Final = ("pending", "failed")  # woocommerce_valid_order_statuses_for_payment
AMOUNTS: Final = (
    "discount_total", "discount_tax", "shipping_total", "shipping_tax", "cart_tax", "total",
    "total_tax",
)  # fmt: skip
ITEM_AMOUNTS: Final = ("subtotal", "subtotal_tax", "total", "total_tax", "discount", "discount_tax")
ITEMS: Final = ("line_items", "tax_lines", "shipping_lines", "fee_lines", "coupon_lines")
MOMENTS: Final = ("date_created", "date_modified", "date_completed", "date_paid")

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, doc TEXT NOT NULL, status TEXT NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, paid INTEGER, completed INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL,
    customer_note INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refunds (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, amount TEXT NOT NULL, reason TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY, doc TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS transitions (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS kassa_claims (
    order_id INTEGER PRIMARY KEY, claim_id TEXT NOT NULL, kiosk TEXT NOT NULL,
    until_s INTEGER NOT NULL, payment TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS kassa_facts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kiosk TEXT NOT NULL,
    kind TEXT NOT NULL, order_id TEXT NOT NULL
) STRICT;
"""


class WooStore:
    """Any thread. path: a file, or ":memory:". clock: Unix time. timezone: the shop's. decimals:
    of its prices. number_offset: what a plugin for order numbers adds to the id, 0 without one."""

    def __init__(
        self,
        path: str = ":memory:",
        *,
        clock: Callable[[], float] = time.time,
        timezone: str = "Europe/Berlin",
        currency: str = "EUR",
        decimals: int = 2,
        number_offset: int = 0,
        refund_gap_s: float = 0.0,
    ) -> None:
        self.clock, self.timezone = clock, ZoneInfo(timezone)
        self.currency, self.decimals, self.number_offset = currency, decimals, number_offset
        self.refund_gap_s = refund_gap_s
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def db(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def now(self) -> int:
        return int(self.clock())

    # --- orders -------------------------------------------------------------------------------

    def create(self, members: Mapping[str, Any]) -> int:
        """A new order, with whatever prices the client gives. members: of order.json; items without
        ids. Totals are computed unless `total` is given."""
        doc = shapes.order()
        status = str(members.get("status", "pending"))
        with self.db() as db:
            # As AUTO_INCREMENT: the number of a deleted order is not given out again.
            last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'orders'").fetchone()
            order_id = (int(last["seq"]) if last else 12) + 1
            apart = (*ITEMS, "meta_data", "billing", "shipping")
            doc |= {k: v for k, v in members.items() if k in doc and k not in apart}
            for name in ("billing", "shipping"):
                doc[name] |= dict(members.get(name) or {})
            for kind in ITEMS:
                doc[kind] = [
                    shapes.item(kind) | dict(item) | {"id": order_id * 100 + number}
                    for number, item in enumerate(members.get(kind, []))
                ]
            for item in doc["line_items"]:
                self._fill_product(item)
            doc["currency"] = members.get("currency", self.currency)
            doc["number"] = str(members.get("number", order_id + self.number_offset))
            doc["id"] = order_id
            if "total" not in members:
                _add_up(doc)
            _set_meta(doc, members.get("meta_data", []))
            now = self.now()
            db.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?, NULL, NULL)",
                (order_id, json.dumps(doc), "pending", now, now),
            )
            self._change_status(db, order_id, status)
            if members.get("set_paid") is True:
                self._complete_payment(db, order_id, str(members.get("transaction_id", "")))
        return order_id

    def _fill_product(self, item: dict[str, Any]) -> None:
        product = self.product(item["product_id"]) if item["product_id"] else None
        if product is not None:
            item["name"] = item["name"] or product["name"]
            item["sku"], item["global_unique_id"] = product["sku"], product["global_unique_id"]
            if item["total"] == "0.00":
                total = Decimal(product["regular_price"] or 0) * Decimal(str(item["quantity"]))
                item["total"] = item["subtotal"] = str(total)

    def get(self, order_id: int, digits: int | None = None) -> dict[str, Any] | None:
        """As the API answers it; None where there is none."""
        with self._lock:
            row = self._db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
            if row is None:
                return None
            refunds = self._db.execute(
                "SELECT * FROM refunds WHERE order_id = ? ORDER BY id DESC", (order_id,)
            ).fetchall()
        return self._shown(row, refunds, self.decimals if digits is None else digits)

    def rows(self) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute("SELECT * FROM orders").fetchall()

    def update(self, order_id: int, members: Mapping[str, Any]) -> bool:
        """PUT. Whatever the order's status is, this is done; False where there is no order."""
        with self.db() as db:
            row = db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
            if row is None:
                return False
            doc = json.loads(row["doc"])
            for name in ("transaction_id", "customer_note", "payment_method"):
                if members.get(name) is not None:
                    doc[name] = members[name]
            for name in ("billing", "shipping"):
                doc[name] |= dict(members.get(name) or {})
            _set_meta(doc, members.get("meta_data") or [])
            for fee in members.get("fee_lines") or []:
                doc["fee_lines"].append(shapes.item("fee_lines") | dict(fee))
                _add_up(doc)
            if json.dumps(doc) != row["doc"]:
                self._save(db, order_id, doc)
            if members.get("status"):
                self._change_status(db, order_id, str(members["status"]))
            if members.get("set_paid") is True:
                reference = str(members.get("transaction_id") or "")
                self._complete_payment(db, order_id, reference)
        return True

    def _save(self, db: sqlite3.Connection, order_id: int, doc: Mapping[str, Any]) -> None:
        db.execute(
            "UPDATE orders SET doc = ?, modified = ? WHERE id = ?",
            (json.dumps(doc), self.now(), order_id),
        )

    def _change_status(self, db: sqlite3.Connection, order_id: int, status: str) -> None:
        """WC_Order::set_status with maybe_set_date_paid and maybe_set_date_completed. Nothing
        guards against any change."""
        row = db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
        if row["status"] == status:
            return
        is_cod = json.loads(row["doc"])["payment_method"] == "cod"
        paid, completed = row["paid"], row["completed"]
        # Cash on delivery is paid when it is completed, all else when it is processed.
        if paid is None and (status == "completed" or (status == "processing" and not is_cod)):
            paid = self.now()
        if status == "completed":
            completed = self.now()
        db.execute(
            "UPDATE orders SET status = ?, modified = ?, paid = ?, completed = ? WHERE id = ?",
            (status, self.now(), paid, completed, order_id),
        )
        db.execute(
            "INSERT INTO transitions (order_id, was, became) VALUES (?, ?, ?)",
            (order_id, row["status"], status),
        )
        self._add_note(db, order_id, f"Order status changed from {row['status']} to {status}.")

    def _complete_payment(self, db: sqlite3.Connection, order_id: int, reference: str) -> None:
        """WC_Order::payment_complete, which the API calls only where the order needs payment."""
        row = db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
        if row["status"] not in NEEDS_PAYMENT:
            return
        if reference:
            self._save(db, order_id, json.loads(row["doc"]) | {"transaction_id": reference})
        db.execute("UPDATE orders SET paid = ? WHERE id = ?", (self.now(), order_id))
        self._change_status(db, order_id, "processing")

    def trash(self, order_id: int) -> bool:
        with self.db() as db:
            if db.execute("SELECT 1 FROM orders WHERE id = ?", (order_id,)).fetchone() is None:
                return False
            db.execute(
                "UPDATE orders SET status = 'trash', modified = ? WHERE id = ?",
                (self.now(), order_id),
            )
        return True

    def delete(self, order_id: int) -> bool:
        with self.db() as db:
            return bool(db.execute("DELETE FROM orders WHERE id = ?", (order_id,)).rowcount)

    def transitions(self, order_id: int) -> list[tuple[str, str]]:
        with self._lock:
            rows = self._db.execute(
                "SELECT was, became FROM transitions WHERE order_id = ? ORDER BY id", (order_id,)
            ).fetchall()
        return [(row["was"], row["became"]) for row in rows]

    # --- notes, refunds, products -------------------------------------------------------------

    def _add_note(
        self, db: sqlite3.Connection, order_id: int, note: str, customer: bool = False
    ) -> int:
        added = db.execute(
            "INSERT INTO notes (order_id, note, at, customer_note) VALUES (?, ?, ?, ?)",
            (order_id, note, self.now(), int(customer)),
        )
        return int(added.lastrowid or 0)

    def add_note(self, order_id: int, note: str, customer: bool) -> dict[str, Any]:
        """It does not change the order's date of modification."""
        with self.db() as db:
            note_id = self._add_note(db, order_id, note, customer)
        return next(each for each in self.notes(order_id) if each["id"] == note_id)

    def notes(self, order_id: int) -> list[dict[str, Any]]:
        with self._lock:
            rows = self._db.execute(
                "SELECT * FROM notes WHERE order_id = ? ORDER BY id DESC", (order_id,)
            ).fetchall()
        return [
            shapes.other("note")
            | {"id": row["id"], "note": row["note"], "customer_note": bool(row["customer_note"])}
            | self._moments("date_created", row["at"])
            for row in rows
        ]

    def refund(self, order_id: int, amount: str, reason: str) -> dict[str, Any] | None:
        """None where it is more than is left. What is left is read first and the refund written
        later, without a lock between: two at once both succeed."""
        found = self.get(order_id)
        assert found is not None
        left = Decimal(found["total"]) + sum(Decimal(r["total"]) for r in found["refunds"])
        if Decimal(amount) <= 0 or Decimal(amount) > left:
            return None
        time.sleep(self.refund_gap_s)
        with self.db() as db:
            added = db.execute(
                "INSERT INTO refunds (order_id, amount, reason, at) VALUES (?, ?, ?, ?)",
                (order_id, amount, reason, self.now()),
            )
            rows = db.execute("SELECT amount FROM refunds WHERE order_id = ?", (order_id,))
            if sum(Decimal(row["amount"]) for row in rows) >= Decimal(found["total"]):
                self._change_status(db, order_id, "refunded")
        stated = {"id": 10_000 + int(added.lastrowid or 0), "reason": reason}
        stated |= {"amount": _digits(amount, self.decimals)}
        return shapes.other("refund") | stated | self._moments("date_created", self.now())

    def add_product(self, members: Mapping[str, Any]) -> dict[str, Any]:
        with self.db() as db:
            (last,) = db.execute("SELECT coalesce(max(id), 500) FROM products").fetchone()
            doc = shapes.other("product")
            doc |= {k: v for k, v in members.items() if k in doc} | {"id": int(last) + 1}
            doc["price"] = doc["regular_price"]
            db.execute("INSERT INTO products VALUES (?, ?)", (doc["id"], json.dumps(doc)))
        return doc

    def product(self, product_id: int) -> dict[str, Any] | None:
        return next((each for each in self.products() if each["id"] == product_id), None)

    def products(self) -> list[dict[str, Any]]:
        with self._lock:
            rows = self._db.execute("SELECT doc FROM products ORDER BY id").fetchall()
        return [json.loads(row["doc"]) for row in rows]

    def drop_product(self, product_id: int) -> bool:
        with self.db() as db:
            return bool(db.execute("DELETE FROM products WHERE id = ?", (product_id,)).rowcount)

    # --- how it is shown ----------------------------------------------------------------------

    def _shown(
        self, row: sqlite3.Row, refunds: Sequence[sqlite3.Row], digits: int
    ) -> dict[str, Any]:
        doc: dict[str, Any] = json.loads(row["doc"])
        doc["status"] = row["status"]
        for name, at in (
            ("date_created", row["created"]), ("date_modified", row["modified"]),
            ("date_paid", row["paid"]), ("date_completed", row["completed"]),
        ):  # fmt: skip
            doc |= self._moments(name, at)
        for name in AMOUNTS:
            doc[name] = _digits(doc[name], digits)
        for kind in ITEMS:
            for item in doc[kind]:
                for name in ITEM_AMOUNTS:
                    if name in item:
                        item[name] = _digits(item[name], digits)
                if kind == "line_items":
                    quantity = Decimal(str(item["quantity"])) or Decimal(1)
                    item["price"] = float(Decimal(item["total"]) / quantity)
        doc["refunds"] = [
            {
                "id": 10_000 + refund["id"],
                "reason": refund["reason"],
                "total": "-" + _digits(refund["amount"], digits),
            }
            for refund in refunds
        ]
        doc["needs_payment"] = row["status"] in NEEDS_PAYMENT
        return doc

    def _moments(self, name: str, at: int | None) -> dict[str, str | None]:
        if at is None:
            return {name: None, f"{name}_gmt": None}
        return {name: self.local(at), f"{name}_gmt": gmt(at)}

    def local(self, at: int) -> str:
        return datetime.fromtimestamp(at, self.timezone).strftime("%Y-%m-%dT%H:%M:%S")


def gmt(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _digits(amount: str, digits: int) -> str:
    """wc_format_decimal with a number of digits."""
    if amount == "":
        return ""
    rounded = Decimal(str(amount)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{rounded:f}"


def _set_meta(doc: dict[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
    """WC_Data::update_meta_data: one value a key; null deletes it."""
    for entry in entries:
        there = [meta for meta in doc["meta_data"] if meta["key"] == entry["key"]]
        if entry.get("value") is None:
            doc["meta_data"] = [meta for meta in doc["meta_data"] if meta["key"] != entry["key"]]
        elif there:
            there[0]["value"] = entry["value"]
        else:
            number = 1 + max((meta["id"] for meta in doc["meta_data"]), default=doc["id"] * 1000)
            meta = {"id": number, "key": entry["key"], "value": entry["value"]}
            doc["meta_data"].append(meta)


def _add_up(doc: dict[str, Any]) -> None:
    """calculate_totals: nets and taxes apart; the total is rounded to the prices' digits."""
    items = [item for kind in ("line_items", "shipping_lines", "fee_lines") for item in doc[kind]]
    net = sum(Decimal(item["total"]) for item in items)
    tax = sum(Decimal(item["total_tax"]) for item in items)
    off = [
        (Decimal(i["subtotal"]) - Decimal(i["total"]),
         Decimal(i["subtotal_tax"]) - Decimal(i["total_tax"]))
        for i in doc["line_items"]
    ]  # fmt: skip
    doc["discount_total"] = str(sum((net for net, _ in off), Decimal(0)))
    doc["discount_tax"] = str(sum((tax for _, tax in off), Decimal(0)))
    doc["shipping_total"] = str(sum(Decimal(i["total"]) for i in doc["shipping_lines"]))
    doc["shipping_tax"] = str(sum(Decimal(i["total_tax"]) for i in doc["shipping_lines"]))
    doc["total_tax"] = doc["cart_tax"] = _digits(str(tax), 2)
    doc["total"] = _digits(str(net + tax), 2)
