"""The open orders of one pickup point, kept up to date with few requests.

A poll asks for what was modified since the poll before, with an overlap; every few minutes, and at
the start, all open orders are read again, and what is absent is open no longer. WooCommerce has
no filter for the pickup point: orders of other places are read and dropped.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from datetime import UTC, datetime
from typing import Final

import structlog

from appliance.domain.errors import Code, ShopTrouble
from appliance.domain.order import OrderStatus
from appliance.drivers.woocommerce_http import WooHttp, read, shop_time
from appliance.ports import Snapshot
from appliance.protocols import woocommerce as woo

log = structlog.get_logger()

OVERLAP_S: Final = 15
"""modified_after is strictly greater, in whole seconds, and clocks of a shop's servers differ."""
RESYNC_S: Final = 300.0
JITTER: Final = 0.25
MOST_PAGES: Final = 250
"""Of open orders, 100 each: a shop with more needs another way to be connected."""


class OpenOrders:
    """Any thread; one asks the shop at a time."""

    def __init__(
        self,
        http: WooHttp,
        pickup: woo.Pickup,
        poll_s: float,
        chance: random.Random | None = None,
        resync_s: float = RESYNC_S,
    ) -> None:
        self._http, self._pickup, self._poll_s = http, pickup, poll_s
        self._chance = chance or random.Random()  # noqa: S311 - jitter, no secret
        self._resync_s = resync_s
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._orders: dict[str, woo.WooOrder] = {}  # by id
        self._malformed: dict[str, str] = {}
        self._since = ""  # UTC: what was modified later has not been asked for
        self._resync_at = float("-inf")
        self._poll_at = float("-inf")

    def close(self) -> None:
        """A waiting `snapshot` ends at once."""
        self._closed.set()

    def resync_soon(self) -> None:
        """The next poll reads all of them."""
        self._resync_at = float("-inf")

    def snapshot(self, etag: str, wait_s: float) -> Snapshot | None:
        """See ports.Shop. Raises ShopTrouble."""
        until = time.monotonic() + wait_s
        while True:
            with self._lock:
                if not etag or time.monotonic() >= self._poll_at:
                    self._poll(all_of_them=not etag)
                now = self._snapshot()
                due_s = min(until, self._poll_at) - time.monotonic()
            if now.etag != etag:
                return now
            if self._closed.wait(max(due_s, 0.0)):
                raise ShopTrouble(Code.SHOP_UNREACHABLE, "the link to the shop was closed")
            if time.monotonic() >= until:
                return None

    def _poll(self, *, all_of_them: bool) -> None:
        spread = self._chance.uniform(1 - JITTER, 1 + JITTER)
        # Before the request: a shop that is slow to fail is not asked the more often.
        self._poll_at = time.monotonic() + self._poll_s * spread
        if all_of_them or time.monotonic() >= self._resync_at or not self._read_changes():
            self._read_all()

    def _read_changes(self) -> bool:
        """What was modified lately; whether that was all of it."""
        answer = self._http.ask("GET", woo.paths.ORDERS, woo.paths.changed_orders(self._since, 1))
        page = read(answer, lambda raw: woo.page_from(raw, self._pickup))
        if page.rows == woo.PAGE:
            return False  # read in pages, a list by the time of the change slips
        self._since = _before(shop_time(answer))
        for order in page.orders:
            self._take(order)
        self._take_malformed(page)
        return True

    def _read_all(self) -> None:
        pages, begun = self._pages()
        self._orders, self._malformed = {}, {}
        for page in pages:
            for order in page.orders:
                self._take(order)
            self._take_malformed(page)
        self._since = begun
        self._resync_at = time.monotonic() + self._resync_s

    def _pages(self) -> tuple[list[woo.Page], str]:
        """All open orders, and since when they are known."""
        pages: list[woo.Page] = []
        begun, after, page_no = "", "", 1
        for _ in range(MOST_PAGES):
            query = woo.paths.open_orders(self._pickup.ready, after, page_no)
            answer = self._http.ask("GET", woo.paths.ORDERS, query)
            pages.append(read(answer, lambda raw: woo.page_from(raw, self._pickup)))
            begun = begun or _before(shop_time(answer))
            if pages[-1].rows < woo.PAGE:
                return pages, begun
            # On from the second before the last order's; within one second by pages.
            further = _second_before(pages[-1].last_created)
            after, page_no = (further, 1) if further > after else (after, page_no + 1)
        raise ShopTrouble(Code.SHOP_NONSENSE, f"more than {MOST_PAGES} pages of open orders")

    def _take(self, found: woo.WooOrder) -> None:
        order = found.order
        self._malformed.pop(order.number, None)
        if order.status is OrderStatus.READY and order.pickup_point == self._pickup.point:
            self._orders[order.id] = found
        else:
            self._orders.pop(order.id, None)

    def _take_malformed(self, page: woo.Page) -> None:
        for number, reason in page.malformed.items():
            log.warning("shop_order_malformed", number=number, reason=reason)
            self._malformed[number] = reason
            for found in list(self._orders.values()):
                if found.order.number == number:
                    del self._orders[found.order.id]

    def _snapshot(self) -> Snapshot:
        orders = tuple(self._orders[key].order for key in sorted(self._orders, key=int))
        digest = hashlib.sha256()
        for order in orders:
            digest.update(f"{order.id} {order.version}\n".encode())
        for number, reason in sorted(self._malformed.items()):
            digest.update(f"{number} {reason}\n".encode("utf-8", "replace"))
        return Snapshot(digest.hexdigest()[:24], orders, dict(self._malformed))


def _before(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s - OVERLAP_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _second_before(moment: str) -> str:
    """One second earlier, as `after` is strictly greater. Raises ShopTrouble."""
    try:
        unix_s = datetime.fromisoformat(f"{moment}+00:00").timestamp()
    except ValueError:
        raise ShopTrouble(Code.SHOP_NONSENSE, "an order's date_created_gmt is no date") from None
    return datetime.fromtimestamp(unix_s - 1, UTC).strftime("%Y-%m-%dT%H:%M:%S")
