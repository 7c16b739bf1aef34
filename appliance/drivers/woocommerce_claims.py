"""Who may charge an order of WooCommerce: by our plugin where it is, else by marks in the order.

With the plugin one statement in the shop's database decides. Without it each counter writes a mark
of its own into the order, then reads the order again, and keeps it only if it sees no other
counter's live mark. Since each writes before it reads, at most one of two can see itself alone, as
long as the shop's reads show what was written before them; a cache of orders or a replica of the
database that lags may break that. Two that see each other both step back.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from appliance.domain.errors import Code, ShopTrouble
from appliance.drivers.shop_http import Answer
from appliance.drivers.woocommerce_http import Query, WooHttp, read, shop_time
from appliance.protocols import woocommerce as woo

log = structlog.get_logger()

TRIES: Final = 3
LONGEST_PAUSE_S: Final = 0.8
"""Between two tries, so that two counters that saw each other do not again."""
ASKED_EVERY_S: Final = 300.0
"""How often a shop that had no plugin is asked again whether it has one now."""


@dataclass(frozen=True, slots=True)
class Taken:
    """lease_s: how long the order is this counter's; 0 where another has it, who is `holder`."""

    lease_s: int
    holder: str = ""


class Claims(Protocol):
    """Raises ShopTrouble, and OrderTrouble(ORDER_UNKNOWN), in each call."""

    def take(self, order_id: str, claim_id: str, lease_s: int) -> Taken: ...
    def release(self, order_id: str, claim_id: str) -> None:
        """Give back what is ours; nobody else's."""

    def hold(self, order_id: str, claim_id: str, payment: str) -> None:
        """A payment is under way or in doubt: the order stays ours beyond the lease."""

    def let_go(self, order_id: str, claim_id: str, payment: str) -> None:
        """That payment has an end."""


class MarkClaims:
    """Marks in the order's meta data. Any thread."""

    def __init__(self, http: WooHttp, kiosk: str, chance: random.Random | None = None) -> None:
        self._http, self._kiosk = http, kiosk
        self._chance = chance or random.Random()  # noqa: S311 - a pause, no secret
        # A renewal and a fact may come at once; each reads a mark and writes it anew.
        self._lock = threading.Lock()

    def take(self, order_id: str, claim_id: str, lease_s: int) -> Taken:
        with self._lock:
            for tried in range(TRIES):
                if tried:
                    time.sleep(self._chance.uniform(0.05, LONGEST_PAUSE_S))
                taken = self._try(order_id, claim_id, lease_s)
                if taken is not None:
                    return taken
            return Taken(0, "another counter that asked at the same time")

    def _try(self, order_id: str, claim_id: str, lease_s: int) -> Taken | None:
        """None where another counter's mark came in between: nobody has the order then."""
        marks, now_s = self._marks(order_id)
        if holder := self.holder(marks, claim_id, now_s):
            return Taken(0, holder)
        mine = marks.claims.get(claim_id)
        open_payment = mine.payment if mine is not None and mine.kiosk == self._kiosk else ""
        mark = woo.ClaimMark(self._kiosk, now_s + lease_s, open_payment)
        self._write(order_id, claim_id, mark)
        marks, now_s = self._marks(order_id)
        if self.holder(marks, claim_id, now_s) == "" and marks.claims.get(claim_id) == mark:
            return Taken(lease_s)
        if open_payment:
            # Another came while our customer pays: that one reads ours and steps back.
            return Taken(lease_s)
        self._write(order_id, claim_id, woo.ClaimMark(self._kiosk))
        return None

    def release(self, order_id: str, claim_id: str) -> None:
        with self._lock:
            mark = self._mine(order_id, claim_id)
            if mark is not None and (mark.until_s or mark.payment):
                self._write(order_id, claim_id, woo.ClaimMark(self._kiosk))

    def hold(self, order_id: str, claim_id: str, payment: str) -> None:
        with self._lock:
            mark = self._mine(order_id, claim_id)
            until_s = mark.until_s if mark is not None else 0
            wanted = woo.ClaimMark(self._kiosk, until_s, payment)
            if mark != wanted:
                self._write(order_id, claim_id, wanted)

    def let_go(self, order_id: str, claim_id: str, payment: str) -> None:
        with self._lock:
            mark = self._mine(order_id, claim_id)
            if mark is not None and mark.payment == payment:
                self._write(order_id, claim_id, woo.ClaimMark(self._kiosk, mark.until_s))

    def _mine(self, order_id: str, claim_id: str) -> woo.ClaimMark | None:
        query = [("_fields", woo.books.FIELDS)]
        answer = self._http.ask("GET", woo.paths.order_path(order_id), query)
        mark = read(answer, woo.books.book_from).claim(claim_id)
        return mark if mark is None or mark.kiosk == self._kiosk else None

    def holder(self, marks: woo.Marks, claim_id: str, now_s: int) -> str:
        """The counter with a live mark that is not this claim's, or ""."""
        for other, mark in marks.claims.items():
            is_mine = other == claim_id and mark.kiosk == self._kiosk
            if not is_mine and mark.is_live(now_s):
                return mark.kiosk
        return ""

    def _marks(self, order_id: str) -> tuple[woo.Marks, int]:
        answer = self._http.ask(
            "GET", woo.paths.order_path(order_id), [("_fields", "id,meta_data")]
        )
        return read(answer, woo.order_marks_from), shop_time(answer)

    def _write(self, order_id: str, claim_id: str, mark: woo.ClaimMark) -> None:
        body = woo.books.meta_message(woo.claim_meta(claim_id, mark))
        answer = self._http.ask("PUT", woo.paths.order_path(order_id), [("_fields", "id")], body)
        read(answer, woo.read_json)


class PluginGone(ShopTrouble):
    """The plugin is not there; a caller that thought so asks again."""

    def __init__(self) -> None:
        super().__init__(Code.SHOP_BUSY, "the shop's Kassa plugin is not there, or not any more")


class Plugin:
    """The claims and the table of facts of our WordPress plugin. Any thread."""

    def __init__(self, http: WooHttp, kiosk: str) -> None:
        self._http, self._kiosk = http, kiosk
        self._is_there: bool | None = None
        self._asked_at = float("-inf")

    @property
    def was_there(self) -> bool | None:
        """At the last look; None before the first."""
        return self._is_there

    def is_there(self) -> bool:
        """Raises ShopTrouble."""
        is_time = time.monotonic() - self._asked_at >= ASKED_EVERY_S
        if not self._is_there and is_time:
            try:
                self.known("", [])
            except PluginGone:
                self._is_there = False
            else:
                self._is_there = True
            self._asked_at = time.monotonic()
            log.info("shop_plugin", is_there=self._is_there)
        return bool(self._is_there)

    def take(self, order_id: str, claim_id: str, lease_s: int) -> Taken:
        body = woo.plugin.claim_message(self._kiosk, claim_id, lease_s)
        answer = self._ask("PUT", woo.paths.claim_path(order_id), body=body)
        found = read(answer, woo.plugin.claim_from, 409)
        return Taken(found.lease_s) if found.granted else Taken(0, found.holder or "another")

    def release(self, order_id: str, claim_id: str) -> None:
        query = [("kiosk", self._kiosk), ("claim_id", claim_id)]
        answer = self._ask("DELETE", woo.paths.claim_path(order_id), query)
        read(answer, woo.read_json)

    def hold(self, order_id: str, claim_id: str, payment: str) -> None:
        self._payment(order_id, claim_id, payment, is_open=True)

    def let_go(self, order_id: str, claim_id: str, payment: str) -> None:
        self._payment(order_id, claim_id, payment, is_open=False)

    def _payment(self, order_id: str, claim_id: str, payment: str, *, is_open: bool) -> None:
        body = woo.plugin.payment_message(self._kiosk, claim_id, payment, is_open=is_open)
        answer = self._ask("PUT", woo.paths.payment_path(order_id), body=body)
        read(answer, woo.read_json)

    def known(self, after: str, ids: list[str]) -> woo.plugin.Known:
        """Raises ShopTrouble."""
        query = woo.plugin.known_query(self._kiosk, after, ids)
        answer = self._ask("GET", woo.paths.FACTS_PATH, query)
        return read(answer, woo.plugin.known_from)

    def keep(self, facts: list[tuple[str, str, str]]) -> None:
        """Raises ShopTrouble."""
        body = woo.plugin.facts_message(self._kiosk, facts)
        answer = self._ask("POST", woo.paths.FACTS_PATH, body=body)
        accepted = read(answer, woo.plugin.accepted_from)
        if accepted != len(facts):
            raise answer.nonsense(f"the plugin kept {accepted} of {len(facts)} facts")

    def _ask(self, method: str, path: str, query: Query = (), body: bytes | None = None) -> Answer:
        answer = self._http.ask(method, path, query, body, also=(401, 403))
        if woo.plugin.is_absent(answer.status, answer.body):
            self._is_there, self._asked_at = None, float("-inf")
            raise PluginGone
        if answer.status in (401, 403):
            _, message = woo.problem_from(answer.body)
            detail = f"HTTP {answer.status}, for the Kassa plugin: {message}"
            raise ShopTrouble(Code.SHOP_TOKEN, detail)
        return answer
