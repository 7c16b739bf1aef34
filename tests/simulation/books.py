"""The world's own books, and what must hold in them: whatever any kiosk or shop believes.

Each check is a sentence. It is made where the thing happens, so that a story ends at the first
step that breaks a promise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from appliance.domain.facts import Fact, Kind
from appliance.simulators.bank import Booking

TAKEN: Final = frozenset({Kind.APPROVED, Kind.DECIDED_PAID})
NOT_TAKEN: Final = frozenset({Kind.DECLINED, Kind.DECIDED_NOT_PAID})


class Violation(BaseException):
    """A promise was broken. The text says which, and how. No `except Exception` of the program's
    may take it for a driver's failure."""


class Books:
    """tell: for the story. order_of: which order a handover is about, by its id."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self.facts: dict[str, list[Fact]] = defaultdict(list)  # by kiosk: durable ones
        self.order_of: dict[str, str] = {}  # by handover
        self.kinds_of: dict[str, list[Kind]] = defaultdict(list)  # by payment: durable facts
        self.charging: dict[str, str] = {}  # by kiosk: the payment that left for the terminal
        self.charged: set[str] = set()  # payments that left for a terminal
        self.bookings: dict[str, Booking] = {}  # by payment
        self._payment_of: dict[tuple[str, int], str] = {}  # by terminal and number
        self.held: dict[str, set[str]] = defaultdict(set)  # by order: payments that the bank holds
        self.gone: dict[str, str] = {}  # by order: at which kiosk the goods left
        self.prepaid: set[str] = set()  # orders of which nothing was due at some time
        self.decided: dict[str, Kind] = {}  # by payment
        self.promised: dict[str, set[int]] = defaultdict(set)  # by handover: dues the shop granted
        self.agreed: dict[str, set[int]] = defaultdict(set)  # by order: sums a seller said yes to
        self.given: set[tuple[str, str]] = set()  # by kiosk: orders that a seller gave away there
        self.printed_today: dict[str, set[str]] = defaultdict(set)  # by kiosk: orders
        self.forgotten: set[str] = set()  # payments that the shop was told, and lost itself
        self._kiosk_of: dict[str, str] = {}  # by payment that left for a terminal
        self._printed: dict[str, bool] = {}  # by print job: whether its paper is out

    # --- as it happens --------------------------------------------------------------------------

    def appended(self, kiosk: str, facts: Sequence[Fact]) -> None:
        """These facts are on the kiosk's disk, and synced."""
        for fact in facts:
            self.facts[kiosk].append(fact)
            order = fact.body.get("order")
            if isinstance(order, str) and fact.subject.startswith("H-"):
                self.order_of[fact.subject] = order
            payment = fact.body.get("payment")
            if isinstance(payment, str):
                self._about_payment(kiosk, payment, fact)
            self._about_paper(kiosk, fact)
            if fact.kind is Kind.HANDED_OVER and (kiosk, order) not in self.given:
                raise Violation(f"{kiosk} says that order {order} is handed over; no seller did so")
            if fact.kind is Kind.JOURNAL_SET_ASIDE:
                raise Violation(f"{kiosk} takes its journal for damaged; no disk was")

    def _about_payment(self, kiosk: str, payment: str, fact: Fact) -> None:
        self.kinds_of[payment].append(fact.kind)
        order = self.order_of[fact.subject]
        is_held = payment in self.held[order]
        if fact.kind is Kind.APPROVED and not is_held:
            raise Violation(f"{kiosk} says that order {order} is paid; the bank does not hold it")
        card, booking = fact.body.get("card"), self.bookings.get(payment)
        if fact.kind is Kind.APPROVED and booking is not None and isinstance(card, dict):
            stated = card.get("amount"), card.get("currency")
            if stated != (booking.amount, "EUR"):
                raise Violation(f"{kiosk} keeps another sum for order {order} than the bank booked")
        if fact.kind is Kind.DECLINED and is_held:
            raise Violation(f"{kiosk} says that order {order} is not paid; the bank holds it")
        if fact.kind in (Kind.DECIDED_PAID, Kind.DECIDED_NOT_PAID):
            self.decided[payment] = fact.kind
            if not fact.seller:
                raise Violation(f"{kiosk} keeps a decision about order {order} without a name")

    def _about_paper(self, kiosk: str, fact: Fact) -> None:
        job = fact.subject
        match fact.kind:
            case Kind.PRINT_QUEUED:
                self._printed[job] = False
            case Kind.PRINT_STARTED if job[2:] in self.order_of:
                taken = any(
                    TAKEN & set(kinds)
                    for payment, kinds in self.kinds_of.items()
                    if payment.rpartition("-")[0] == job[2:]
                )
                if not taken:
                    order = self.order_of[job[2:]]
                    raise Violation(f"{kiosk} prints a receipt for {order}, which is not paid yet")
            case Kind.PRINTED:
                if self._printed.get(job):
                    raise Violation(f"{kiosk} prints {job} once more; nobody asked for it")
                self._printed[job] = True
                if job[2:] in self.order_of:
                    self.printed_today[kiosk].add(self.order_of[job[2:]])

    def forget(self, payments: Iterable[str]) -> None:
        """The shop has been told of these payments, and has lost them: until it is told again, no
        kiosk but the one that they are of can know of them (ADR 10)."""
        self.forgotten |= set(payments)

    def _unknowable(self, kiosk: str, payments: Iterable[str]) -> set[str]:
        return {p for p in payments if p in self.forgotten and self._kiosk_of[p] != kiosk}

    def leaves(self, kiosk: str, payment: str, amount: int, offline_limit: int) -> None:
        """A charge is about to leave for the terminal. offline_limit: below it the kiosk may charge
        what the shop could not be asked about."""
        handover = payment.rpartition("-")[0]
        order = self.order_of.get(handover)
        if order is None or Kind.STARTED not in self.kinds_of[payment]:
            raise Violation(f"{kiosk} charges before its intent is on disk")
        if amount not in self.promised[handover] and amount >= offline_limit:
            raise Violation(f"{kiosk} charges {amount} for order {order}; the shop never agreed")
        if amount not in self.agreed[order]:
            raise Violation(f"{kiosk} charges {amount} for order {order}; no seller agreed to that")
        if payment in self.charged:
            raise Violation(f"{kiosk} sends the same charge of order {order} twice")
        if self.held[order] - self._unknowable(kiosk, self.held[order]):
            raise Violation(f"{kiosk} charges order {order} although the bank holds its money")
        open_charges = self._open_charges(order)
        for other in sorted(open_charges - self._unknowable(kiosk, open_charges)):
            raise Violation(f"{kiosk} charges order {order} while {other} may still")
        self.charged.add(payment)
        self.charging[kiosk] = payment
        self._kiosk_of[payment] = kiosk

    def _open_charges(self, order: str) -> set[str]:
        """Payments of this order whose end no kiosk knows."""
        return {
            payment
            for payment in self.charged
            if self.order_of[payment.rpartition("-")[0]] == order
            and not (TAKEN | NOT_TAKEN) & set(self.kinds_of[payment])
        }

    def booked(self, kiosk: str, booking: Booking) -> None:
        """The bank has taken money at this kiosk's terminal."""
        payment = self.charging.get(kiosk)
        if payment is None:
            raise Violation(f"the terminal of {kiosk} books what nobody asked for")
        order = self.order_of[payment.rpartition("-")[0]]
        self._tell("the bank", f"books {booking.amount} for order {order}")
        if payment in self.bookings:
            raise Violation(f"one charge of order {order} is booked twice")
        self.bookings[payment] = booking
        self._payment_of[booking.terminal_id, booking.id] = payment
        self.held[order].add(payment)
        # One that a restored shop has forgotten may meet another counter's: `leaves` has judged it.
        if len(self.held[order] - self.forgotten) > 1:
            raise Violation(f"the customer of order {order} is charged twice")
        if NOT_TAKEN & set(self.kinds_of[payment]):
            raise Violation(f"{kiosk} has said that order {order} is not paid; now the bank books")

    def taken_back(self, kiosk: str, booking: Booking) -> None:
        payment = self._payment_of[booking.terminal_id, booking.id]
        order = self.order_of[payment.rpartition("-")[0]]
        self._tell("the bank", f"takes back what it booked for order {order}")
        self.held[order].discard(payment)
        if Kind.APPROVED in self.kinds_of[payment]:
            raise Violation(f"{kiosk} has said that order {order} is paid; it is taken back")

    def accepted(self, kiosk: str) -> None:
        """The till has acknowledged an approval: the terminal will not take it back any more."""
        payment = self.charging[kiosk]
        if not {Kind.ANSWERED, *TAKEN} & set(self.kinds_of[payment]):
            raise Violation(f"{kiosk} acknowledges an approval that it has not on disk")

    def was_prepaid(self, order: str) -> None:
        """Nothing was due at some time: whoever was told so then was told the truth."""
        self.prepaid.add(order)

    def handed(self, kiosk: str, order: str) -> None:
        """The goods are in the customer's hands."""
        self._tell(kiosk, f"the goods of order {order} leave")
        if order in self.gone:
            raise Violation(f"the goods of order {order} are handed over twice")
        decided = any(
            kind is Kind.DECIDED_PAID and self.order_of[payment.rpartition("-")[0]] == order
            for payment, kind in self.decided.items()
        )
        if not (self.held[order] or order in self.prepaid or decided):
            raise Violation(f"the goods of order {order} leave unpaid")
        self.gone[order] = kiosk

    def holds(self, payment: str) -> bool:
        """What a person learns who looks at the terminal's journal."""
        return payment in self.held[self.order_of[payment.rpartition("-")[0]]]

    def restarted(self, kiosk: str, found: Sequence[Fact], pruned: int) -> None:
        """What a start finds on the disk: all that was there but for what retention took from its
        beginning, and at most what nobody was told. pruned: how many facts retention took."""
        known = self.facts[kiosk][pruned:]
        if [fact.id for fact in found[: len(known)]] != [fact.id for fact in known]:
            missing = len(known) - sum(a.id == b.id for a, b in zip(known, found, strict=False))
            raise Violation(f"{kiosk} has lost {missing} facts that were on its disk")
        late = found[len(known) :]
        if late:
            self.appended(kiosk, late)

    # --- in the evening -------------------------------------------------------------------------

    def evening(self, payments: Sequence[dict[str, Any]]) -> None:
        """When everything has come to rest. payments: the shop's book."""
        refused = self._refused()
        reported = {row["id"]: row for row in payments if row["how"] != "online"}
        for payment, row in sorted(reported.items()):
            is_decided = self.decided.get(payment) is Kind.DECIDED_PAID
            if not self.holds(payment) and not is_decided:
                raise Violation(f"the shop believes that {row['order_id']} is paid; it is not")
        for order, held in sorted(self.held.items()):
            for payment in sorted(held):
                booking = self.bookings[payment]
                said = reported.get(payment)
                is_decided = self.decided.get(payment) is Kind.DECIDED_NOT_PAID
                if said is None and not is_decided and payment not in refused:
                    raise Violation(
                        f"the bank took {booking.amount} for {order}: no one told the shop"
                    )
                if said is not None and said["amount"] != booking.amount:
                    amounts = f"{said['amount']}, not {booking.amount}"
                    raise Violation(f"the shop books another amount for {order}: {amounts}")
        for kiosk, facts in sorted(self.facts.items()):
            self._receipts(kiosk, facts)
            handed = {fact.subject for fact in facts if fact.kind is Kind.HANDED_OVER}
            for fact in facts:
                if fact.kind in TAKEN and fact.subject not in handed:
                    order = self.order_of[fact.subject]
                    raise Violation(f"{kiosk} has lost sight of order {order}, which is paid")

    def _refused(self) -> set[str]:
        """Payments that the shop does not want to hear of: a person has been told."""
        every = [fact for facts in self.facts.values() for fact in facts]
        refused = {fact.body["fact"] for fact in every if fact.kind is Kind.FACT_REFUSED}
        return {str(fact.body.get("payment")) for fact in every if fact.id in refused}

    def _receipts(self, kiosk: str, facts: Sequence[Fact]) -> None:
        printed = {fact.subject for fact in facts if fact.kind in (Kind.PRINTED, Kind.PRINT_WAIVED)}
        for fact in facts:
            if fact.kind in TAKEN and f"P-{fact.subject}" not in printed:
                raise Violation(f"{kiosk} has no receipt for order {self.order_of[fact.subject]}")

    def papers(self, kiosk: str, originals: dict[str, int], out: set[str]) -> None:
        """originals: how many papers that do not say copy came out for each receipt. out: the
        orders for which any did."""
        for order in sorted(self.printed_today.pop(kiosk, set()) - out):
            raise Violation(f"{kiosk} says that the receipt of order {order} is printed; none is")
        for number, count in sorted(originals.items()):
            if count > 1:
                raise Violation(f"{kiosk} printed {count} receipts of order {number}, not a copy")
