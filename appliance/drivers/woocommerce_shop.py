"""A WooCommerce shop as it comes, over its REST API, version 3 (docs/shops/woocommerce.md)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import structlog

from appliance.domain.errors import Code, ConfigTrouble, OrderTrouble, ShopTrouble
from appliance.domain.facts import Fact
from appliance.domain.order import Order, OrderStatus
from appliance.drivers.shop_http import Answer, HttpOptions
from appliance.drivers.woocommerce_claims import Claims, MarkClaims, Plugin
from appliance.drivers.woocommerce_facts import Bookkeeper
from appliance.drivers.woocommerce_http import Key, WooHttp, read, shop_time
from appliance.drivers.woocommerce_poll import OpenOrders
from appliance.ports import (
    Claimed,
    ClaimRefused,
    Seller,
    SellerList,
    ShopForgot,
    ShopTraits,
    Snapshot,
)
from appliance.protocols import shopapi
from appliance.protocols import woocommerce as woo

log = structlog.get_logger()

LONGEST_CODE: Final = 80
LARGEST_SELLERS: Final = 1024 * 1024
_CLOSED: Final = {
    OrderStatus.NOT_READY: Code.ORDER_NOT_READY,
    OrderStatus.HANDED_OVER: Code.ORDER_HANDED_OVER,
    OrderStatus.CANCELLED: Code.ORDER_CANCELLED,
    OrderStatus.EXPIRED: Code.ORDER_EXPIRED,
}
MARKS: Final = (
    "WooCommerce alone: marks in the order keep two counters apart, unless the shop's reads lag "
    "behind its writes (object cache, replica). The Kassa plugin makes a claim atomic"
)
PLUGIN: Final = "WooCommerce with the Kassa plugin: a claim is atomic"
NOT_ASKED: Final = "WooCommerce: not asked yet whether it has the Kassa plugin"


@dataclass(frozen=True, slots=True)
class WooOptions:
    """token: key and secret, "ck_…:cs_…". pickup_point: see woo.Pickup. kiosk: this counter's
    name. poll_s: between two questions for changes, spread by a quarter. ready_statuses: of orders
    that may be handed over. sellers_file: the sellers' badges, as the Kassa shop API would answer;
    "" for none. Times and sizes: see HttpOptions."""

    url: str
    token: str = field(repr=False)
    pickup_point: str
    kiosk: str
    poll_s: float = 10.0
    ready_statuses: tuple[str, ...] = woo.READY
    sellers_file: str = ""
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 10.0
    max_body: int = 8 * 1024 * 1024
    ca_file: str = ""
    allow_http: bool = False
    proxy: str = ""


class WooCommerceShop:
    """ports.Shop over WooCommerce's REST API. Every call may come from any thread."""

    def __init__(
        self,
        options: WooOptions,
        transport: httpx.BaseTransport | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """Raises ConfigTrouble; asks nothing of the shop yet. transport: see ShopHttp. chance: for
        jitter."""
        if not options.ready_statuses:
            raise ConfigTrouble(["no status is named in which an order may be handed over"])
        if not options.poll_s > 0:
            raise ConfigTrouble(["the time between two polls is above zero"])
        http = HttpOptions(
            options.url,
            options.connect_timeout_s,
            options.answer_timeout_s,
            options.max_body,
            options.ca_file,
            options.allow_http,
            proxy=options.proxy,
        )
        self._http = WooHttp(http, Key.from_token(options.token), transport)
        self._pickup = woo.Pickup(options.pickup_point, options.ready_statuses)
        self._open = OpenOrders(self._http, self._pickup, options.poll_s, chance)
        self._marks = MarkClaims(self._http, options.kiosk, chance)
        self._plugin = Plugin(self._http, options.kiosk)
        self._books = Bookkeeper(self._http, options.kiosk)
        self._sellers_file = options.sellers_file
        self._told: Fact | None = None  # the newest fact that the shop has for certain

    def traits(self) -> ShopTraits:
        is_there = self._plugin.was_there
        detail = {None: NOT_ASKED, False: MARKS, True: PLUGIN}[is_there]
        return ShopTraits(atomic_claim=bool(is_there), detail=detail)

    def snapshot(self, etag: str, wait_s: int) -> Snapshot | None:
        """See ports.Shop. The shop is asked every poll_s seconds; the etag is made here."""
        self._plugin.is_there()
        return self._open.snapshot(etag, wait_s)

    def order(self, code: str) -> Order:
        """By the order's number, which need not be its id: plugins give numbers of their own."""
        number = code.removeprefix("#")
        if not number or len(number) > LONGEST_CODE or not number.isprintable():
            raise OrderTrouble(Code.ORDER_UNKNOWN, shopapi.one_line(code[:80]))
        try:
            if woo.paths.is_order_id(number):
                try:
                    found = self._order_of(self._ask(number))
                except OrderTrouble as trouble:
                    log.debug("shop_order_by_id", code=trouble.code)
                else:
                    if found.order.number == number:
                        return found.order
            return self._search(number)
        except woo.WooMalformed as error:
            log.warning("shop_order_malformed", number=number, reason=str(error))
            raise OrderTrouble(Code.ORDER_MALFORMED, str(error)) from None

    def _search(self, number: str) -> Order:
        answer = self._http.ask("GET", woo.paths.ORDERS, woo.paths.search(number))
        page = read(answer, lambda raw: woo.page_from(raw, self._pickup))
        found = [order.order for order in page.orders if order.order.number == number]
        if len(found) > 1:
            raise OrderTrouble(Code.ORDER_MALFORMED, f"{len(found)} orders have this number")
        if not found and number in page.malformed:
            raise OrderTrouble(Code.ORDER_MALFORMED, page.malformed[number])
        if not found:
            raise OrderTrouble(Code.ORDER_UNKNOWN, number)
        return found[0]

    def claim(
        self, order_id: str, claim_id: str, version: str, lease_s: int
    ) -> Claimed | ClaimRefused:
        """Take the order, then read it: what is charged is what stood there when nobody else could
        charge it any more."""
        if not woo.paths.is_order_id(order_id) or not woo.is_id(claim_id):
            return ClaimRefused(Code.ORDER_UNKNOWN, shopapi.one_line(order_id[:80]))
        try:
            answer = self._ask(order_id)
            found = self._order_of(answer)
            if refused := self._refusal(found.order, version):
                return refused  # and no mark is left in an order that is not ours to mark
            # With the plugin too: it may have come while another counter's mark still lives.
            if holder := self._marks.holder(found.marks, claim_id, shop_time(answer)):
                return ClaimRefused(Code.ORDER_CLAIMED, holder, found.order)
            claims = self._claims()
            taken = claims.take(order_id, claim_id, lease_s)
            if not taken.lease_s:
                return ClaimRefused(Code.ORDER_CLAIMED, taken.holder, found.order)
            fresh = self._order_of(self._ask(order_id)).order
            if refused := self._refusal(fresh, version):
                claims.release(order_id, claim_id)
                return refused
        except woo.WooMalformed as error:
            return ClaimRefused(Code.ORDER_MALFORMED, f"order.{error}")
        except OrderTrouble as trouble:
            return ClaimRefused(trouble.code, trouble.detail)
        return Claimed(fresh, taken.lease_s)

    def _refusal(self, fresh: Order, version: str) -> ClaimRefused | None:
        if fresh.pickup_point != self._pickup.point:
            return ClaimRefused(Code.ORDER_ELSEWHERE, fresh.pickup_point, fresh)
        if fresh.status is not OrderStatus.READY:
            return ClaimRefused(_CLOSED[fresh.status], fresh.number, fresh)
        if fresh.version != version:
            return ClaimRefused(Code.ORDER_CHANGED, f"now version {fresh.version}", fresh)
        return None

    def _claims(self) -> Claims:
        return self._plugin if self._plugin.is_there() else self._marks

    def _ask(self, order_id: str) -> Answer:
        return self._http.ask("GET", woo.paths.order_path(order_id), woo.paths.one())

    def _order_of(self, answer: Answer) -> woo.WooOrder:
        return read(answer, lambda raw: woo.order_from(raw, self._pickup))

    def deliver(self, facts: Sequence[Fact], after: str = "") -> None:
        """See ports.Shop. Raises FactRefused, which names the fact. Without the plugin only the
        newest fact of this run can be looked for, so that a shop that was restored from a backup
        is not always found out."""
        if self._plugin.is_there():
            if not facts and after:
                self._deliver_with_plugin((), after)
            for start in range(0, len(facts), woo.plugin.MOST_FACTS):
                batch = facts[start : start + woo.plugin.MOST_FACTS]
                self._deliver_with_plugin(batch, after)
                after = batch[-1].id
            return
        told = self._told
        if told is not None and told.id == after and self._books.has(told) is False:
            self._told = None
            raise ShopForgot("")
        for fact in facts:
            self._books.enter(fact, self._marks)
            self._told = fact

    def _deliver_with_plugin(self, facts: Sequence[Fact], after: str) -> None:
        known = self._plugin.known(after, [fact.id for fact in facts])
        if after and not known.has_after:
            raise ShopForgot(known.newest)
        there = set(known.known)
        fresh = [fact for fact in facts if fact.id not in there]
        for fact in fresh:
            self._books.enter(fact, self._plugin)
        if fresh:
            rows = [(fact.id, str(fact.kind), str(fact.body.get("order", ""))) for fact in fresh]
            self._plugin.keep(rows)

    def sellers(self) -> SellerList:
        """WooCommerce knows no sellers: they come from a file of this counter. Raises ShopTrouble
        where it cannot be read."""
        if not self._sellers_file:
            return SellerList()
        try:
            with Path(self._sellers_file).open("rb") as stream:
                message = shopapi.sellers_from(stream.read(LARGEST_SELLERS))
        except OSError as error:
            raise ShopTrouble(Code.SHOP_NONSENSE, f"sellers_file: {error.strerror}") from None
        except shopapi.ShopApiError as error:
            raise ShopTrouble(Code.SHOP_NONSENSE, f"sellers_file: {error}") from None
        return SellerList(
            message.salt,
            message.iterations,
            {row.badge_hash: Seller(row.id, row.name) for row in message.sellers},
        )

    def report_health(self, report: Mapping[str, object]) -> None:
        """WooCommerce has no place for it; `kassa doctor` and the metrics have it."""

    def certificate_until(self) -> float | None:
        return self._http.certificate_until()

    def close(self) -> None:
        self._open.close()
        self._http.close()
