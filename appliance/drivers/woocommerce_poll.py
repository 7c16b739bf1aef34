"""The open orders of one pickup point, kept up to date with few requests.

A poll asks for what was modified since the poll before, with an overlap; every few minutes, and at
the start, the list of all open orders is read again, and what is absent is open no longer; in
full only those whose time of modification is not the known one. WooCommerce has no filter for the
pickup point: orders of other places are read and dropped.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

import structlog

from appliance.domain.errors import Code, ShopTrouble
from appliance.domain.order import OrderStatus
from appliance.drivers.woocommerce_http import WooHttp, read, shop_time
from appliance.ports import Snapshot
from appliance.protocols import woocommerce as woo

log = structlog.get_logger()

P = TypeVar("P", woo.Page, woo.Stamps)
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
        self._seen: dict[str, str] = {}  # of all places: id -> when it was modified
        self._since = ""  # UTC: what was modified later has not been asked for
        self._resync_at = float("-inf")
        self._poll_at = float("-inf")

    def close(self) -> None:
        """A waiting `snapshot` ends at once."""
        self._closed.set()

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
        if all_of_them or not self._since:
            self._read_all()
        elif time.monotonic() >= self._resync_at or not self._read_changes():
            self._reconcile()

    def _read_changes(self) -> bool:
        """What was modified lately; whether that was all of it."""
        answer = self._http.ask("GET", woo.paths.ORDERS, woo.paths.changed_orders(self._since, 1))
        page = read(answer, self._page)
        if page.rows == woo.PAGE:
            return False  # read in pages, a list by the time of the change slips
        self._since = _before(shop_time(answer))
        for order in page.orders:
            self._take(order)
        self._take_malformed(page)
        return True

    def _read_all(self) -> None:
        """Every open order in full."""
        pages, begun = self._walk(woo.paths.open_orders, self._page)
        self._orders, self._malformed, self._seen = {}, {}, {}
        self._done(pages, begun)

    def _reconcile(self) -> None:
        """Which orders are open, and in full those that are not known as they are."""
        found, begun = self._walk(woo.paths.stamps, woo.stamps_from)
        stamps = {key: at for part in found for key, at in part.modified.items()}
        stale = [key for key, at in stamps.items() if self._seen.get(key) != at]
        pages = []
        for start in range(0, len(stale), woo.PAGE):
            query = woo.paths.these(stale[start : start + woo.PAGE])
            pages.append(read(self._http.ask("GET", woo.paths.ORDERS, query), self._page))
        self._orders = {key: order for key, order in self._orders.items() if key in stamps}
        self._seen = {key: at for key, at in self._seen.items() if key in stamps}
        self._malformed = {}  # those are never known, so that they were all among the stale ones
        self._done(pages, begun)

    def _done(self, pages: Sequence[woo.Page], begun: str) -> None:
        for page in pages:
            for order in page.orders:
                self._take(order)
            self._take_malformed(page)
        self._since = begun
        self._resync_at = time.monotonic() + self._resync_s

    def _page(self, raw: bytes) -> woo.Page:
        return woo.page_from(raw, self._pickup)

    def _walk(
        self,
        query: Callable[[Sequence[str], str, int], woo.paths.Query],
        reader: Callable[[bytes], P],
    ) -> tuple[list[P], str]:
        """The whole list of open orders, page by page, and since when it is known."""
        pages: list[P] = []
        begun, after, page_no = "", "", 1
        for _ in range(MOST_PAGES):
            asked = query(self._pickup.ready, after, page_no)
            answer = self._http.ask("GET", woo.paths.ORDERS, asked)
            pages.append(read(answer, reader))
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
        self._seen[order.id] = found.modified_at
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
                    self._seen.pop(found.order.id, None)

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
