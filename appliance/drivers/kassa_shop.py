"""The shop behind the Kassa shop API (docs/shop-api.yaml)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import httpx
import structlog

from appliance.domain.errors import Bug, Code, ConfigTrouble, OrderTrouble
from appliance.domain.facts import Fact
from appliance.domain.order import Order
from appliance.drivers.shop_http import Answer, HttpOptions, ShopHttp
from appliance.drivers.shop_http import FactRefused as FactRefused
from appliance.ports import (
    Claimed,
    ClaimRefused,
    OrderRequest,
    Seller,
    SellerList,
    ShopForgot,
    ShopTraits,
    Snapshot,
)
from appliance.protocols import shopapi
from appliance.protocols.shopapi import Refusal

log = structlog.get_logger()

LONGEST_CODE: Final = 200
FACTS_AT_ONCE: Final = 50
_ETAG: Final = re.compile(r'(W/)?"[!#-~]{0,200}"\Z')  # RFC 9110, 8.8.3, without the odd bytes
_TOKEN: Final = re.compile(r"[!-~]{1,4096}\Z")
_REFUSED: Final = {
    Refusal.CLAIMED: Code.ORDER_CLAIMED,
    Refusal.CHANGED: Code.ORDER_CHANGED,
    Refusal.PAID: Code.ORDER_CHANGED,
    Refusal.CANCELLED: Code.ORDER_CANCELLED,
    Refusal.EXPIRED: Code.ORDER_EXPIRED,
    Refusal.HANDED_OVER: Code.ORDER_HANDED_OVER,
    Refusal.NOT_READY: Code.ORDER_NOT_READY,
    Refusal.ELSEWHERE: Code.ORDER_ELSEWHERE,
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ShopOptions:
    """token: this kiosk's own. Times and sizes: see HttpOptions."""

    url: str
    token: str = field(repr=False)
    pickup_point: str
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 10.0
    max_body: int = 8 * 1024 * 1024
    ca_file: str = ""
    allow_http: bool = False
    proxy: str = ""


class KassaShop:
    """ports.Shop over HTTP. Every call may come from any thread."""

    def __init__(self, options: ShopOptions, transport: httpx.BaseTransport | None = None) -> None:
        """Raises ConfigTrouble; asks nothing of the shop yet. transport: see ShopHttp."""
        if not _TOKEN.match(options.token):
            raise ConfigTrouble(["the shop's token is empty or has blanks or odd characters"])
        if not 1 <= len(options.pickup_point) <= 80 or options.pickup_point in (".", ".."):
            raise ConfigTrouble(["the pickup point has 1 to 80 characters"])
        self._pickup_point = options.pickup_point
        self._http = ShopHttp(
            HttpOptions(
                options.url,
                options.connect_timeout_s,
                options.answer_timeout_s,
                options.max_body,
                options.ca_file,
                options.allow_http,
                proxy=options.proxy,
            ),
            {"Authorization": f"Bearer {options.token}", "Accept": shopapi.JSON_TYPE},
            transport,
        )

    def traits(self) -> ShopTraits:
        return ShopTraits(atomic_claim=True, detail="Kassa shop API 1: a claim is atomic")

    def snapshot(self, etag: str, wait_s: int) -> Snapshot | None:
        """See ports.Shop. wait_s above LONGEST_WAIT_S is cut to it."""
        path = shopapi.orders_path(self._pickup_point)
        if not etag:
            answer = self._http.call("GET", path)
        else:
            wait_s = max(0, min(wait_s, shopapi.LONGEST_WAIT_S))
            answer = self._http.call(
                "GET", f"{path}?wait={wait_s}", headers={"If-None-Match": etag}, wait_s=wait_s
            )
            if answer.status == 304:
                return None
        found = _read(answer, shopapi.orders_from)
        fresh = answer.headers.get("etag", "")
        if not _ETAG.match(fresh):
            # Without one every poll would carry all orders, and none would wait.
            raise answer.nonsense("the snapshot has no usable ETag")
        for number, reason in found.malformed.items():
            log.warning("shop_order_malformed", number=number, reason=reason)
        for name, reason in found.odd_requests.items():
            log.warning("shop_request_malformed", request=name, reason=reason)
        requests = tuple(
            OrderRequest(row.id, row.order, row.counter, row.expires_at) for row in found.requests
        )
        return Snapshot(fresh, found.orders, found.malformed, requests)

    def order(self, code: str) -> Order:
        if not code or len(code) > LONGEST_CODE or code in (".", "..") or not code.isprintable():
            raise OrderTrouble(Code.ORDER_UNKNOWN, shopapi.one_line(code[:80]))
        answer = self._http.call("GET", shopapi.by_code_path(code))
        if _is_problem(answer, 404):
            raise OrderTrouble(Code.ORDER_UNKNOWN, code[:80])
        try:
            return _read(answer, shopapi.order_from)
        except shopapi.OrderMalformed as error:
            log.warning("shop_order_malformed", number=code[:80], reason=str(error))
            raise OrderTrouble(Code.ORDER_MALFORMED, str(error)) from None

    def claim(
        self, order_id: str, claim_id: str, version: str, lease_s: int
    ) -> Claimed | ClaimRefused:
        request = shopapi.ClaimRequest(claim_id, version, lease_s, self._pickup_point)
        answer = self._http.call(
            "PUT", shopapi.claim_path(order_id), body=shopapi.claim_request_message(request)
        )
        if _is_problem(answer, 404):
            return ClaimRefused(Code.ORDER_UNKNOWN, order_id)
        if answer.status == 409:
            refusal = _read(answer, shopapi.claim_refused_from, 409)
            return ClaimRefused(
                _REFUSED[refusal.error], refusal.detail or refusal.error, refusal.order
            )
        try:
            order, granted_s = _read(answer, shopapi.claim_granted_from)
        except shopapi.OrderMalformed as error:
            return ClaimRefused(Code.ORDER_MALFORMED, f"order.{error}")
        if order.id != order_id:
            raise answer.nonsense("the claim was answered with another order")
        if order.version != version:
            # The shop should have refused; what the seller saw is not what would be charged.
            return ClaimRefused(Code.ORDER_CHANGED, f"now version {order.version}", order)
        return Claimed(order, granted_s)

    def deliver(self, facts: Sequence[Fact], after: str = "") -> None:
        """See ports.Shop. Raises FactRefused, which names the fact."""
        if not facts and after:
            self._deliver((), after)
        for start in range(0, len(facts), FACTS_AT_ONCE):
            batch = facts[start : start + FACTS_AT_ONCE]
            self._deliver(batch, after)
            after = batch[-1].id

    def _deliver(self, facts: Sequence[Fact], after: str) -> None:
        body = shopapi.facts_message(facts, after)
        answer = self._http.call("POST", shopapi.FACTS_PATH, body=body)
        if after and answer.status == 409:
            raise ShopForgot(_read(answer, shopapi.forgotten_from, 409))
        if answer.status == 422:
            refusal = _read(answer, shopapi.fact_refused_from, 422)
            if refusal.refused not in {fact.id for fact in facts}:
                raise answer.nonsense("refuses a fact that was not sent")
            raise FactRefused(refusal.refused, shopapi.one_line(refusal.reason))
        accepted = _read(answer, shopapi.accepted_from)
        if accepted != len(facts):
            raise answer.nonsense(f"took {accepted} of {len(facts)} facts")

    def sellers(self) -> SellerList:
        answer = self._http.call("GET", shopapi.sellers_path(self._pickup_point))
        message = _read(answer, shopapi.sellers_from)
        return SellerList(
            message.salt,
            message.iterations,
            {row.badge_hash: Seller(row.id, row.name) for row in message.sellers},
        )

    def report_health(self, report: Mapping[str, object]) -> None:
        """report: what json can write. Raises Bug for anything else."""
        try:
            body = shopapi.write_json(dict(report))
        except (TypeError, ValueError) as error:
            raise Bug(f"a health report that is no JSON: {error}") from error
        answer = self._http.call("POST", shopapi.HEALTH_PATH, body=body)
        if answer.status != 204:
            raise answer.nonsense(shopapi.problem_text(answer.body) or "not an answer to this")

    def certificate_until(self) -> float | None:
        return self._http.certificate_until()

    def close(self) -> None:
        self._http.close()


def _is_problem(answer: Answer, status: int) -> bool:
    """The shop itself says so: a web server that knows nothing of the API answers HTML."""
    return answer.status == status and answer.media_type == shopapi.PROBLEM_TYPE


def _read(answer: Answer, reader: Callable[[bytes], T], status: int = 200) -> T:
    """What the body says. Raises OrderMalformed, and ShopTrouble for all other nonsense."""
    if answer.status != status:
        raise answer.nonsense(shopapi.problem_text(answer.body) or "not an answer to this")
    try:
        return reader(answer.body)
    except shopapi.OrderMalformed:
        raise
    except shopapi.ShopApiError as error:
        raise answer.nonsense(str(error)) from None
