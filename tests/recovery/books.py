"""All books of one order, side by side: the bank's, the shop's, the counter's journal, the papers.

What must hold whatever happened to the program between them is in `check`.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any, Final

from appliance.counter.journal import Reader
from appliance.domain.errors import JournalTrouble
from appliance.domain.facts import Fact, Kind
from tests.rig import Kiosk, Rig, until

FACTS_MOST: Final = 1_000_000
PAPERS_KEPT: Final = 60
"""Of the newest papers so many are looked at: more than any order makes."""
STORY_LINE: Final = 200
PAID: Final = re.compile(r"Paid by card|Paid, see")
COPY: Final = re.compile(r"\bCOPY\b")
ENDS: Final = frozenset({Kind.PRINTED, Kind.PRINT_WAIVED})
MONEY: Final = frozenset({Kind.APPROVED, Kind.DECIDED_PAID})


class Books:
    """Of the order with this number, from now on. place: the journal's newest fact. reading: is
    held while the journal is being read."""

    def __init__(self, rig: Rig, number: str, place: int, reading: threading.Lock) -> None:
        self._rig, self.number, self.place, self._reading = rig, number, place, reading
        self._bookings = len(rig.bank.bookings())
        self.seen: dict[int, Fact] = {}  # what anybody could see in the journal

    # --- the journal ----------------------------------------------------------------------------

    def look(self) -> list[Fact]:
        """The journal's facts about the order so far, and what stands between them."""
        found = self._read()
        self.seen |= found
        return list(found.values())

    def _read(self, *, is_verified: bool = False) -> dict[int, Fact]:
        with self._reading:
            reader = Reader(self._rig.data / "journal.sqlite3")
            try:
                assert not is_verified or reader.verify() == []
                return dict(reader.facts(self.place, FACTS_MOST))
            finally:
                reader.close()

    def kinds(self) -> list[Kind]:
        try:
            return [fact.kind for fact in self.look()]
        except JournalTrouble:
            return []  # it is being made, or the disk is gone

    def is_over(self, *, gave_up: bool) -> bool:
        kinds = self.kinds()
        is_back = gave_up and not self.held() and kinds[-1:] == [Kind.PUT_BACK]
        return is_back or Kind.HANDED_OVER in kinds

    def is_printed(self) -> bool:
        jobs = [fact for fact in self.look() if fact.kind.startswith("print.")]
        ended = {fact.subject for fact in jobs if fact.kind in ENDS}
        return {fact.subject for fact in jobs} == ended

    def signed_in(self) -> int:
        return self.kinds().count(Kind.SIGNED_IN)

    # --- the others -----------------------------------------------------------------------------

    def held(self) -> list[tuple[str, int]]:
        """What the bank holds for the order: terminal and receipt number of each booking."""
        return [
            (booking.terminal_id, booking.receipt_no)
            for booking in self._rig.bank.bookings()[self._bookings :]
            if booking.held
        ]

    def payments(self, order: str) -> list[dict[str, Any]]:
        """What the shop believes to have been paid for it."""
        rows = self._rig.shop.store.rows("payments", "rowid DESC", 20)
        return [row for row in rows if row["order_id"] == order]

    def after_a_kill(self) -> None:
        """What was there is there. Raises AssertionError."""
        found = self._read(is_verified=True)
        lost = [fact for place, fact in self.seen.items() if found.get(place) != fact]
        assert not lost, f"seen, and lost: {lost}"
        ids = {fact.id for fact in found.values()}
        told = {fact.id: fact for fact in self.seen.values()}
        for row in self._rig.shop.store.rows("facts", "seq DESC", 60):
            assert row["id"] in ids or row["id"] in told or self._is_older(row["id"]), (
                f"the shop has it, the journal has not: {row}"
            )

    def story(self) -> str:
        """All that is known of the order, for whoever has to find out what happened."""
        facts = "".join(
            f"\n  {place} {fact.kind} {fact.subject} {dict(fact.body)}"[:STORY_LINE]
            for place, fact in sorted(self.seen.items())
        )
        bookings = self._rig.bank.bookings()[self._bookings :]
        return f"order {self.number}; the bank: {bookings}; the journal:{facts}"

    def _is_older(self, fact_id: str) -> bool:
        return int(fact_id.split("-")[1]) <= self.place

    def check(self, kiosk: Kiosk) -> None:
        """At the order's end. Raises AssertionError."""
        until(lambda: kiosk.health()["undelivered"] == 0, "the shop is told all")
        until(self.is_printed, "all is printed")
        self.after_a_kill()
        facts, held = self.look(), self.held()
        kinds = [fact.kind for fact in facts]
        assert len(held) <= 1, f"charged more than once: {held}"
        row = self._order()
        payments = self.payments(row["id"])
        assert len(payments) == len(held), f"the bank holds {held}, the shop has {payments}"
        assert sum(p["amount"] for p in payments) == (row["total"] if held else 0)
        for payment in payments:
            if payment["how"] == "card":
                card = json.loads(payment["reference"])
                assert (card["terminal_id"], card["receipt_no"]) in held, payment
        assert row["flag"] == "", row["flag"]
        assert row["handed_times"] == kinds.count(Kind.HANDED_OVER) == len(held)
        assert len([kind for kind in kinds if kind in MONEY]) == len(held), kinds
        reported = self._rig.shop.store.rows("facts", "seq DESC", 60)
        assert all(row["applied"] == 1 for row in reported), "a fact that counted twice"
        self._check_papers(len(held), kinds)

    def figures(self) -> dict[str, int]:
        """What happened on the way."""
        kinds = self.kinds()
        return {
            "handovers": kinds.count(Kind.HANDED_OVER),
            "in doubt": Kind.DOUBTFUL in kinds,
            "decided": Kind.DECIDED_PAID in kinds or Kind.DECIDED_NOT_PAID in kinds,
            "copies": sum(bool(COPY.search(text)) for text in self._receipts()),
        }

    def _receipts(self) -> list[str]:
        texts = [paper.text() for paper in self._rig.printer.papers[-PAPERS_KEPT:]]
        return [t for t in texts if f"Order {self.number}" in t and PAID.search(t)]

    def _check_papers(self, paid: int, kinds: list[Kind]) -> None:
        if paid and Kind.PRINT_WAIVED not in kinds:
            until(self._receipts, "a receipt")
        found = self._receipts()
        assert paid or not found, f"a receipt, and no money: {found}"
        originals = [text for text in found if not COPY.search(text)]
        assert len(originals) <= 1, f"two originals: {originals}"
        assert self._rig.printer.defects == [], self._rig.printer.defects

    def _order(self) -> dict[str, Any]:
        newest = self._rig.shop.store.rows("orders", "CAST(number AS INTEGER) DESC", 100)
        return next(row for row in newest if row["number"] == self.number)
