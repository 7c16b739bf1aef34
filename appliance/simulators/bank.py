"""The bank behind simulated terminals: what it truly holds, whatever anybody believes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Booking:
    """amount: minor units, negative for a refund. pan: masked. held: not taken back."""

    id: int
    amount: int
    currency: int
    terminal_id: str
    receipt_no: int
    trace_no: int
    pan: str
    held: bool = True


class Bank:
    """A book of bookings; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bookings: list[Booking] = []

    def book(
        self, amount: int, currency: int, terminal_id: str, receipt_no: int, trace_no: int, pan: str
    ) -> Booking:
        with self._lock:
            number = len(self._bookings) + 1
            booking = Booking(number, amount, currency, terminal_id, receipt_no, trace_no, pan)
            self._bookings.append(booking)
            return booking

    def take_back(self, booking: Booking) -> None:
        """Harmless when it was taken back before."""
        with self._lock:
            self._bookings[booking.id - 1] = replace(self._bookings[booking.id - 1], held=False)

    def find(self, terminal_id: str, receipt_no: int) -> Booking | None:
        """The latest booking with this receipt number."""
        with self._lock:
            for booking in reversed(self._bookings):
                if (booking.terminal_id, booking.receipt_no) == (terminal_id, receipt_no):
                    return booking
            return None

    def bookings(self) -> tuple[Booking, ...]:
        with self._lock:
            return tuple(self._bookings)

    def held(self) -> tuple[Booking, ...]:
        """What has been booked and not been taken back."""
        return tuple(booking for booking in self.bookings() if booking.held)

    def balance(self) -> int:
        """Minor units over all bookings that are held."""
        return sum(booking.amount for booking in self.held())
