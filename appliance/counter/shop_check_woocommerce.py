"""What a shop owner may have set up wrongly, question by question, without changing anything.

Rights to write are tried on an order that no shop has: WooCommerce looks at the key first.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from appliance.counter.config_schema import Config
from appliance.counter.doctor_findings import Finding, failed
from appliance.domain.errors import Code, ShopTrouble
from appliance.drivers.shop_http import Answer, HttpOptions
from appliance.drivers.woocommerce_http import Key, Query, WooHttp, shop_time
from appliance.protocols import woocommerce as woo

NO_ORDER: Final = str(woo.paths.LARGEST_ID - 1)
INDEX: Final = [("_fields", "namespaces,timezone_string,gmt_offset")]
ANY: Final = range(100, 600)
FUTURE: Final = "2099-01-01T00:00:00"
CLOCKS_APART_S: Final = 120
PAGES_READ: Final = 3


class _Stop(Exception):
    """What follows would only fail for the same reason."""


class _Checker:
    def __init__(self, config: Config, http: WooHttp) -> None:
        self._config, self._http = config, http
        self._pickup = woo.Pickup(config.shop.pickup_point, config.shop.ready_statuses)

    def findings(self) -> Iterator[Finding]:
        steps: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
            ("address", self._address),
            ("key reads", self._reads),
            ("key writes", self._writes),
            ("statuses", self._statuses),
            ("orders", self._orders),
            ("changes", self._changes),
            ("cache", self._cache),
            ("clock", self._clock),
            ("claim", self._plugin),
        )
        for name, step in steps:
            try:
                yield from step()
            except _Stop:
                return
            except ShopTrouble as trouble:
                yield failed(name, trouble)
                if trouble.code is Code.SHOP_UNREACHABLE:
                    return
            except woo.WooError as error:
                yield Finding(name, False, str(error), "let the shop's technician look at it")

    def _address(self) -> Iterator[Finding]:
        answer = self._ask("GET", "/wp-json/", INDEX, names_key=False)
        said: Any = None
        if answer.status == 200:
            said = woo.read_json(answer.body)
        if not isinstance(said, dict) or "namespaces" not in said:
            fix = (
                "set [shop] url to the shop's home page; in WordPress, Settings > Permalinks must "
                "not be 'Plain'"
            )
            yield Finding(
                "address", False, f"no WordPress answers at /wp-json/ ({answer.status})", fix
            )
            raise _Stop
        if "wc/v3" not in said["namespaces"]:
            fix = "activate WooCommerce; a security plugin may hide its REST API"
            yield Finding("address", False, "WordPress, but no WooCommerce (wc/v3)", fix)
            raise _Stop
        zone = said.get("timezone_string") or f"UTC{said.get('gmt_offset', 0):+}"
        yield Finding("address", True, f"{self._config.shop.url}, time zone {zone}")

    def _reads(self) -> Iterator[Finding]:
        answer = self._list(("per_page", "1"), ("_fields", "id"))
        if answer.status == 200:
            yield Finding("key reads", True, f"orders: {answer.headers.get('x-wp-total', '?')}")
            return
        code, message = woo.problem_from(answer.body)
        fix = (
            "make a key in WooCommerce > Settings > Advanced > REST API, Read/Write, and put "
            "ck_…:cs_… into [shop] token_file"
        )
        if code == "woocommerce_rest_cannot_view":
            fix = (
                "the key did not arrive, or its user may not see orders: choose a shop manager as "
                "its user; let the web server pass the Authorization header on to PHP"
            )
        yield Finding("key reads", False, f"HTTP {answer.status}: {message or 'no reason'}", fix)
        raise _Stop

    def _writes(self) -> Iterator[Finding]:
        fix = "give the key Read/Write, of a user who may edit orders (shop manager)"
        for name, method, path, body in (
            ("key writes", "PUT", woo.paths.order_path(NO_ORDER), b"{}"),
            ("key notes", "POST", woo.paths.notes_path(NO_ORDER), woo.books.note_message("x")),
        ):
            answer = self._ask(method, path, body=body)
            code, message = woo.problem_from(answer.body)
            if code == "woocommerce_rest_shop_order_invalid_id" or answer.status == 404:
                yield Finding(name, True, "allowed; tried on an order that is not there")
            else:
                said = f"HTTP {answer.status}: {message or 'no reason'}"
                yield Finding(name, False, said, fix)

    def _statuses(self) -> Iterator[Finding]:
        for status in self._pickup.ready:
            answer = self._list(("status", status), ("per_page", "1"), ("_fields", "id"))
            count = answer.headers.get("x-wp-total", "?")
            if answer.status == 200:
                yield Finding("statuses", True, f"{status}: {count} orders")
            else:
                fix = "correct [shop] ready_statuses: the words of the shop's addresses, no titles"
                yield Finding("statuses", False, f"the shop has no status {status}", fix)

    def _orders(self) -> Iterator[Finding]:
        found: list[woo.WooOrder] = []
        malformed: dict[str, str] = {}
        for page_no in range(1, PAGES_READ + 1):
            query = woo.paths.open_orders(self._pickup.ready, "", page_no)
            answer = self._ask("GET", woo.paths.ORDERS, query)
            if answer.status != 200:
                return  # the statuses are wrong, which was said
            page = woo.page_from(answer.body, self._pickup)
            found += page.orders
            malformed |= page.malformed
            if page.rows < woo.PAGE:
                break
        yield from self._point(found)
        yield from self._money(found, malformed)

    def _point(self, found: list[woo.WooOrder]) -> Iterator[Finding]:
        points = Counter(order.order.pickup_point for order in found)
        here = points.pop(self._pickup.point, 0)
        others = ", ".join(f"{name!r}" for name, _ in points.most_common(6)) or "none"
        if here:
            yield Finding("pickup point", True, f"{here} open orders; elsewhere: {others}")
        elif found:
            fix = f"if it should be one of these, set [shop] pickup_point to it: {others}"
            yield Finding("pickup point", True, f"no open order is for {self._pickup.point!r}", fix)
        else:
            what = "no order is open in the whole shop"
            fix = "place an order for collection, and check again"
            yield Finding("pickup point", True, what, fix)

    def _money(self, found: list[woo.WooOrder], malformed: dict[str, str]) -> Iterator[Finding]:
        mine = self._config.counter.currency.code
        codes = {order.order.total.currency.code for order in found}
        if codes - {mine}:
            fix = "set [counter] currency to the shop's; the terminal must have the same"
            yield Finding("currency", False, f"orders in {', '.join(sorted(codes))}", fix)
        elif codes:
            yield Finding("currency", True, mine)
        if malformed:
            number, reason = next(iter(malformed.items()))
            what = f"{len(malformed)} orders cannot be read, the first {number}: {reason}"
            yield Finding("sums", False, what, "docs/shops/woocommerce.md, What is refused")
            return
        rounded = [
            order
            for order in found
            if any(line.sku == "rounding" for line in order.order.lines)
            or any(reduction.label == "Rounding" for reduction in order.order.discounts)
        ]
        fix = "docs/shops/woocommerce.md says where it comes from" if rounded else ""
        what = f"{len(found)} orders add up, {len(rounded)} of them with a line 'Rounding'"
        yield Finding("sums", True, what, fix)

    def _changes(self) -> Iterator[Finding]:
        answer = self._ask("GET", woo.paths.ORDERS, woo.paths.changed_orders(FUTURE, 1))
        if answer.status == 200 and woo.read_json(answer.body) == []:
            yield Finding("changes", True, "the shop says what was modified since a moment")
        else:
            fix = "update WooCommerce to 5.8 or later; a plugin may filter the parameter away"
            yield Finding("changes", False, "modified_after is not heeded", fix)

    def _cache(self) -> Iterator[Finding]:
        self._list(("per_page", "1"), ("_fields", "id"))
        answer = self._list(("per_page", "1"), ("_fields", "id"))
        told = [
            f"{name}: {answer.headers[name]}"
            for name in ("age", "x-cache", "cf-cache-status", "x-litespeed-cache")
            if "hit" in answer.headers.get(name, "").lower()
            or (name == "age" and answer.headers.get(name, "0") != "0")
        ]
        if told:
            fix = "except /wp-json/ from the cache: an old answer may hide a cancelled order"
            yield Finding("cache", False, f"answers come from a cache ({told[0]})", fix)
        else:
            yield Finding("cache", True, "answers come from the shop itself")

    def _clock(self) -> Iterator[Finding]:
        apart = abs(shop_time(self._list(("per_page", "1"), ("_fields", "id"))) - time.time())
        fix = "set the clock of whichever is wrong: timedatectl" if apart > CLOCKS_APART_S else ""
        yield Finding("clock", True, f"the shop's and ours are {apart:.0f} s apart", fix)

    def _plugin(self) -> Iterator[Finding]:
        query = woo.plugin.known_query("kassa shop check", "", [])
        answer = self._ask("GET", woo.paths.FACTS_PATH, query)
        if answer.status == 200:
            woo.plugin.known_from(answer.body)
            yield Finding("claim", True, "with the Kassa plugin: atomic")
        elif woo.plugin.is_absent(answer.status, answer.body):
            fix = "for several counters install the plugin: docs/shops/woocommerce-plugin/README.md"
            yield Finding("claim", True, "without the Kassa plugin: marks in the orders", fix)
        else:
            fix = "its user must be allowed to edit orders (shop manager)"
            yield Finding("claim", False, f"the plugin refuses the key: HTTP {answer.status}", fix)

    def _list(self, *query: tuple[str, str]) -> Answer:
        return self._ask("GET", woo.paths.ORDERS, query)

    def _ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: bytes | None = None,
        *,
        names_key: bool = True,
    ) -> Answer:
        answer = self._http.ask(method, path, query, body, also=ANY, names_key=names_key)
        if 300 <= answer.status < 400:
            place = answer.headers.get("location", "")[:200]
            raise ShopTrouble(Code.SHOP_MOVED, f"to {place}")
        return answer


def check(config: Config) -> Iterator[Finding]:
    """Raises ConfigTrouble for a key that cannot be one."""
    chosen = config.shop
    options = HttpOptions(
        chosen.url,
        chosen.connect_timeout_s,
        chosen.answer_timeout_s,
        ca_file=str(chosen.ca_file or ""),
        proxy=chosen.proxy,
    )
    http = WooHttp(options, Key.from_token(chosen.token.reveal()))
    try:
        yield from _Checker(config, http).findings()
    finally:
        http.close()
