"""The shop contract's bench on a real Vendure."""

from __future__ import annotations

import json
import random

import httpx

from appliance.drivers.vendure_session import VendureOptions
from appliance.drivers.vendure_shop import VendureShop as VendureDriver
from tests.rig import until
from tests.shops.vendure.shop import VendureShop

_MARKERS = {
    (True, "claim"): b"kassaClaim(",
    (True, "facts"): b"kassaFacts(",
    (False, "claim"): b"addNoteToOrder(",
    (False, "facts"): b"addManualPaymentToOrder(",
}


class Losing(httpx.BaseTransport):
    """Loses the answer to the next request that has `lose` in its body: the shop has it."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.lose: bytes | None = None
        self.sent: list[bytes] = []
        self.received = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        response = self._inner.handle_request(request)
        self.sent.append(body)
        if self.lose is not None and self.lose in body:
            self.lose = None
            response.read()
            response.close()
            raise httpx.ReadError("lost", request=request)
        return response

    def close(self) -> None:
        self._inner.close()


class VendureBench:
    def __init__(self, shop: VendureShop, place: str, by: str = "field:pickupPoint") -> None:
        self.shop, self.place, self._by = shop, place, by
        if shop.plugin:  # the contract's ids are those of a shop that nobody has told anything
            for table in ("kassa_claim", "kassa_fact", "kassa_payment"):
                shop.sql(f"DELETE FROM {table}")
        self.line = Losing()
        self.first = self.kiosk(1, self.line)
        self.second = self.kiosk(2)
        self.orders = [
            shop.place(pickup_point=place),
            shop.place(pickup_point=place, lines=[("KETTLE", 1), ("MUG", 3)]),
        ]

    def kiosk(
        self,
        number: int,
        transport: httpx.BaseTransport | None = None,
        *,
        place: str = "",
        password: str = "",
    ) -> VendureDriver:
        secret = f"mitte-{number}:{password or f'secret-{number}'}"
        options = VendureOptions(
            self.shop.url, secret, place or self.place, self._by, answer_timeout_s=60
        )
        return VendureDriver(options, transport, random.Random(number), poll_every_s=0.2)

    def advance(self, seconds: float) -> None:
        self.shop.advance(seconds)

    def cancel(self, order_id: str) -> None:
        self.shop.cancel(order_id)

    def change(self, order_id: str) -> None:
        self.shop.add_item(order_id)

    def pay_online(self, order_id: str) -> None:
        self.shop.settle(order_id)

    def lose_answer(self, call: str) -> None:
        self.line.lose = _MARKERS[self.shop.plugin, call]

    def await_poll(self) -> None:
        until(lambda: self.first.waiting, "a poll waits")

    def booked(self, order_id: str) -> list[int]:
        rows = self.shop.payments(order_id)
        booked = [int(row["amount"]) for row in rows if row["metadata"].get("kassaPayment")]
        notes = [note for note in self.shop.notes(order_id) if "[kassa] " in note]
        marks = [json.loads(note.rpartition("[kassa] ")[2]) for note in notes]
        return booked + [mark["amount"] for mark in marks if mark["op"] == "paid"]

    def handed_over(self, order_id: str) -> int:
        return sum(row["state"] == "Delivered" for row in self.shop.fulfilments(order_id))
