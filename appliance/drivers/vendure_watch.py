"""The open orders of a Vendure shop, kept up to date by looking at what tells of changes.

Vendure tells nobody of a change and has no cursor for them: its updatedAt stays as it is when an
order is settled or refunded. So each look compares what it sees of every open order with what it
saw before, and reads whole only those that differ; every few minutes it reads all of them anew.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import structlog

from appliance.domain.errors import Code, ShopTrouble
from appliance.domain.order import Order, OrderStatus
from appliance.drivers.vendure_session import VendureSession
from appliance.ports import Snapshot
from appliance.protocols import vendure
from appliance.protocols.vendure import OPEN_STATES, Document, Page

log = structlog.get_logger()

LONGEST_WAIT_S: Final = 25.0
POLL_EVERY_S: Final = 5.0
PROBE_EVERY_S: Final = 60.0
"""How often a large shop without the plugin is looked at whole; between, its newest change is."""
RESYNC_EVERY_S: Final = 300.0
RESYNC_WITH_PLUGIN_S: Final = 1800.0
"""The plugin's marks leave out only what no amount and no state shows, such as a name."""
SPREAD: Final = 0.2
"""Each of these times is drawn anew from so much below to so much above it, so that kiosks that
were switched on together do not ask together."""
GLANCE_ABOVE: Final = 200
"""Open orders; a shop that has more of them is large, see PROBE_EVERY_S."""
PAGE: Final = 100
PROBE_PAGE: Final = 1000  # as much as Vendure's adminListQueryLimit lets through
TRIES: Final = 3


class OpenOrders:
    """For any thread; looks of several are made one after the other."""

    def __init__(
        self,
        session: VendureSession,
        pickup_point: str,
        chance: random.Random,
        clock: Callable[[], float] = time.monotonic,
        poll_every_s: float = POLL_EVERY_S,
    ) -> None:
        """clock: seconds that only grow."""
        self._session, self._pickup_point = session, pickup_point
        self._chance, self._clock, self._poll_every_s = chance, clock, poll_every_s
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._revision = self._asked = ""  # what has been read of; what is being read
        self._newest = ""
        self._marks: dict[str, str] = {}
        self._orders: dict[str, Order] = {}
        self._malformed: dict[str, tuple[str, str]] = {}
        self._probe_at = self._resync_at = float("-inf")
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Calls that wait for a change."""
        return self._waiting

    def close(self) -> None:
        self._is_closed.set()

    def snapshot(self, etag: str, wait_s: float) -> Snapshot | None:
        """See ports.Shop."""
        until = self._clock() + max(0.0, min(float(wait_s), LONGEST_WAIT_S))
        while True:
            with self._lock:
                found = self._look()
            if found.etag != etag:
                return found
            left_s, pause_s = until - self._clock(), self._soon(self._poll_every_s)
            self._wait(max(0.0, min(left_s, pause_s)))
            if left_s <= pause_s:
                return None  # whoever waits on calls again, and looks then

    def _wait(self, seconds: float) -> None:
        self._waiting += 1
        try:
            if self._is_closed.wait(seconds):
                raise ShopTrouble(Code.SHOP_UNREACHABLE, "the link to the shop was closed")
        finally:
            self._waiting -= 1

    def _soon(self, time_s: float) -> float:
        return time_s * self._chance.uniform(1 - SPREAD, 1 + SPREAD)

    def _look(self) -> Snapshot:
        now = self._clock()
        is_resync = now >= self._resync_at
        marks = self._by_plugin(is_resync) if self._has_plugin() else self._by_probe(is_resync)
        if marks is not None:
            wanted = [key for key in marks if is_resync or marks[key] != self._marks.get(key)]
            self._read(wanted)
            for gone in [key for key in (*self._orders, *self._malformed) if key not in marks]:
                self._orders.pop(gone, None)
                self._malformed.pop(gone, None)
            # Last: what a trouble has kept from being read is looked at again the next time.
            self._marks, self._revision = dict(marks), self._asked
        if is_resync:
            every_s = RESYNC_WITH_PLUGIN_S if self._has_plugin() else RESYNC_EVERY_S
            self._resync_at = now + self._soon(every_s)
        return self._snapshot()

    def _has_plugin(self) -> bool:
        return self._session.sign_in().has_plugin

    def _by_plugin(self, is_resync: bool) -> Mapping[str, str] | None:
        look = self._session.ask(
            vendure.LOOK,
            vendure.look_from,
            pickupPoint=self._pickup_point,
            by=str(self._session.by),
            revision="" if is_resync else self._revision,
        )
        self._asked = look.revision
        return look.marks

    def _by_probe(self, is_resync: bool) -> Mapping[str, str] | None:
        """None where a large shop's newest change is still the one that is known."""
        now = self._clock()
        if not is_resync and len(self._marks) > GLANCE_ABOVE and now < self._probe_at:
            options = self._options(1, 0, {"updatedAt": "DESC"})
            page = self._page(vendure.PROBE, options)
            newest = f"{page.total} {page.ids} {sorted(page.probes.values())}"
            if newest == self._newest:
                return None
            self._newest = newest
        self._probe_at = now + self._soon(PROBE_EVERY_S)
        for _ in range(TRIES):
            if (probes := self._probe_all()) is not None:
                return probes
        raise ShopTrouble(Code.SHOP_BUSY, "its orders change faster than they can be listed")

    def _probe_all(self) -> dict[str, str] | None:
        """What is seen of every open order; None where orders came or went between two pages, so
        that one may have slipped through."""
        probes: dict[str, str] = {}
        last, total, skip = "", 0, 0
        while True:
            page = self._page(vendure.PROBE, self._options(PROBE_PAGE, skip, {"id": "ASC"}))
            if skip and (page.total != total or page.ids[:1] != (last,)):
                return None
            probes.update(page.probes)
            if len(page.ids) < PROBE_PAGE:
                return probes
            # The next page begins with the last row of this one: it shows that nothing moved.
            total, last, skip = page.total, page.ids[-1], skip + PROBE_PAGE - 1

    def _options(self, take: int, skip: int, sort: Mapping[str, str]) -> dict[str, Any]:
        wanted: dict[str, Any] = {"state": {"in": list(OPEN_STATES)}}
        if self._session.by.field:
            wanted[self._session.by.field] = {"eq": self._pickup_point}
        return {"take": take, "skip": skip, "sort": dict(sort), "filter": wanted}

    def _page(self, document: Document, options: Mapping[str, Any]) -> Page:
        only = "" if self._session.by.field else self._pickup_point
        return self._session.ask(
            document, lambda d, raw: vendure.probe_from(d, raw, only), options=options
        )

    def _read(self, ids: Sequence[str]) -> None:
        """Read these orders whole. One that has gone meanwhile is left out."""
        scale, by = self._session.sign_in().scale, self._session.by
        for start in range(0, len(ids), PAGE):
            batch = ids[start : start + PAGE]
            page = self._session.ask(
                vendure.READ,
                lambda document, raw: vendure.page_from(document, raw, by, scale),
                options={"take": PAGE, "filter": {"id": {"in": list(batch)}}},
            )
            for key in batch:
                self._orders.pop(key, None)
                self._malformed.pop(key, None)
            for key, (number, reason) in page.malformed.items():
                log.warning("shop_order_malformed", number=number, reason=reason)
                self._malformed[key] = number, reason
            self._orders.update(
                (key, order) for key, order in page.orders.items() if self._is_ours(order)
            )

    def _is_ours(self, order: Order) -> bool:
        """It may have been handed over, or sent elsewhere, since it was listed."""
        is_open = order.status in (OrderStatus.READY, OrderStatus.NOT_READY)
        return is_open and order.pickup_point == self._pickup_point

    def _snapshot(self) -> Snapshot:
        said = [f"{key} {order.version}" for key, order in self._orders.items()]
        said += [f"{key} {reason}" for key, reason in self._malformed.items()]
        return Snapshot(
            _digest(said),
            tuple(self._orders[key] for key in sorted(self._orders)),
            dict(self._malformed.values()),
        )


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()[:32]
