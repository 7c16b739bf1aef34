"""The shop behind Vendure's Admin API, with or without the plugin in docs/shops/vendure-plugin.

With it a claim is one statement of the shop's database, and a fact and its effect are one
transaction. Without it both are kept in notes of the order: see vendure_notes.py for what that
does and does not guarantee.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import structlog

from appliance.domain.errors import Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Fact, Json
from appliance.domain.money import MoneyError, currency
from appliance.domain.order import Order, OrderStatus
from appliance.drivers.shop_http import FactRefused
from appliance.drivers.vendure_notes import NoteDesk, reference
from appliance.drivers.vendure_session import VendureOptions, VendureSession
from appliance.drivers.vendure_watch import POLL_EVERY_S, OpenOrders
from appliance.ports import (
    Claimed,
    ClaimRefused,
    Seller,
    SellerList,
    ShopForgot,
    ShopTraits,
    Snapshot,
)
from appliance.protocols import vendure
from appliance.protocols.shopapi import OrderMalformed, one_line
from appliance.protocols.vendure import Scale

__all__ = ["VendureOptions", "VendureShop"]

log = structlog.get_logger()

LONGEST_CODE: Final = 200
FACTS_AT_ONCE: Final = 50
_REFUSED: Final = {
    OrderStatus.NOT_READY: Code.ORDER_NOT_READY,
    OrderStatus.HANDED_OVER: Code.ORDER_HANDED_OVER,
    OrderStatus.CANCELLED: Code.ORDER_CANCELLED,
    OrderStatus.EXPIRED: Code.ORDER_EXPIRED,
}
_WITH_PLUGIN: Final = "Vendure with the Kassa plugin: a claim is atomic, a fact counts once"
_WITHOUT: Final = (
    "Vendure without the Kassa plugin: counters see each other's claims in the order's notes; the"
    " amount of a booking is Vendure's; a restored backup is not noticed."
    " The plugin in docs/shops is the cure"
)
_NOT_ASKED: Final = "Vendure has not been asked yet whether it has the Kassa plugin"


class VendureShop:
    """ports.Shop over GraphQL. Every call may come from any thread."""

    def __init__(
        self,
        options: VendureOptions,
        transport: httpx.BaseTransport | None = None,
        chance: random.Random | None = None,
        poll_every_s: float = POLL_EVERY_S,
    ) -> None:
        """Raises ConfigTrouble; asks nothing of the shop yet. transport: see ShopHttp."""
        chance = chance or random.Random()  # noqa: S311 - jitter, no secret
        self._pickup_point = options.pickup_point
        self._session = VendureSession(options, transport)
        self._open = OpenOrders(
            self._session, options.pickup_point, chance, poll_every_s=poll_every_s
        )
        self._notes = NoteDesk(self._session, self._refusal, chance)

    @property
    def waiting(self) -> int:
        """Calls of `snapshot` that wait for a change."""
        return self._open.waiting

    def traits(self) -> ShopTraits:
        match self._session.has_plugin:
            case None:
                return ShopTraits(atomic_claim=False, detail=_NOT_ASKED)
            case True:
                return ShopTraits(atomic_claim=True, detail=_WITH_PLUGIN)
        return ShopTraits(atomic_claim=False, detail=_WITHOUT)

    def snapshot(self, etag: str, wait_s: int) -> Snapshot | None:
        """See ports.Shop. Vendure holds no request: the driver looks again and again."""
        return self._open.snapshot(etag, wait_s)

    def order(self, code: str) -> Order:
        if not code or len(code) > LONGEST_CODE or not code.isprintable():
            raise OrderTrouble(Code.ORDER_UNKNOWN, one_line(code[:80]))
        scale = self._session.sign_in().scale
        page = self._session.ask(
            vendure.BY_CODE,
            lambda document, raw: vendure.page_from(document, raw, self._session.by, scale),
            options={"take": 1, "filter": {"code": {"eq": code}}},
        )
        for number, reason in page.malformed.values():
            log.warning("shop_order_malformed", number=number, reason=reason)
            raise OrderTrouble(Code.ORDER_MALFORMED, reason)
        for order in page.orders.values():
            if code in order.codes:  # a database may compare without regard to case
                return order
        raise OrderTrouble(Code.ORDER_UNKNOWN, code[:80])

    def claim(
        self, order_id: str, claim_id: str, version: str, lease_s: int
    ) -> Claimed | ClaimRefused:
        signed = self._session.sign_in()
        if not signed.has_plugin:
            return self._notes.claim(order_id, claim_id, version, lease_s)
        try:
            claim = self._session.ask(
                vendure.CLAIM,
                lambda document, raw: vendure.claim_from(
                    document, raw, self._session.by, signed.scale
                ),
                orderId=order_id,
                claimId=claim_id,
                leaseS=lease_s,
            )
        except OrderMalformed as error:
            self._release(order_id, claim_id)
            return ClaimRefused(Code.ORDER_MALFORMED, f"order.{error}")
        if claim.order is None:
            return ClaimRefused(Code.ORDER_UNKNOWN, order_id)
        if not claim.granted:
            return ClaimRefused(Code.ORDER_CLAIMED, claim.holder, claim.order)
        if refused := self._refusal(claim.order, version):
            # A claim that was held before still is: a payment may be under way.
            if not claim.renewed:
                self._release(order_id, claim_id)
            return refused
        return Claimed(claim.order, lease_s)

    def _release(self, order_id: str, claim_id: str) -> None:
        self._session.ask(vendure.RELEASE, vendure.data_from, orderId=order_id, claimId=claim_id)

    def _refusal(self, order: Order, version: str) -> ClaimRefused | None:
        """Why this order, as it is now, must not be charged as `version`."""
        if order.pickup_point != self._pickup_point:
            return ClaimRefused(Code.ORDER_ELSEWHERE, order.pickup_point, order)
        if order.status is not OrderStatus.READY:
            return ClaimRefused(_REFUSED[order.status], order.number, order)
        if order.version != version:
            return ClaimRefused(Code.ORDER_CHANGED, f"now version {order.version}", order)
        return None

    def deliver(self, facts: Sequence[Fact], after: str = "") -> None:
        """See ports.Shop. Raises FactRefused, which names the fact."""
        signed = self._session.sign_in()
        if not signed.has_plugin:
            for fact in facts:
                self._notes.deliver(fact, signed.scale)
            return
        if not facts and after:
            self._deliver((), after, signed.scale)
        for start in range(0, len(facts), FACTS_AT_ONCE):
            batch = facts[start : start + FACTS_AT_ONCE]
            self._deliver(batch, after, signed.scale)
            after = batch[-1].id

    def _deliver(self, facts: Sequence[Fact], after: str, scale: Scale) -> None:
        sent = [_fact_input(fact, scale) for fact in facts]
        taken = self._session.ask(vendure.FACTS, vendure.taken_from, facts=sent, after=after)
        if taken.forgot is not None:
            raise ShopForgot(taken.forgot)
        if taken.refused:
            raise FactRefused(taken.refused, one_line(taken.reason))
        if taken.accepted != len(facts):
            detail = f"took {taken.accepted} of {len(facts)} facts"
            raise ShopTrouble(Code.SHOP_NONSENSE, detail)

    def sellers(self) -> SellerList:
        """Those that the plugin was given; none without it."""
        if not self._session.sign_in().has_plugin:
            return SellerList()
        message = self._session.ask(vendure.INFO, vendure.sellers_from)
        if message is None:
            return SellerList()
        return SellerList(
            message.salt,
            message.iterations,
            {row.badge_hash: Seller(row.id, row.name) for row in message.sellers},
        )

    def report_health(self, report: Mapping[str, object]) -> None:
        """The plugin keeps it; without the plugin there is nowhere to put it."""
        if self._session.sign_in().has_plugin:
            self._session.ask(vendure.HEALTH, vendure.data_from, report=dict(report))

    def certificate_until(self) -> float | None:
        return self._session.certificate_until()

    def close(self) -> None:
        self._open.close()
        self._session.close()


def _fact_input(fact: Fact, scale: Scale) -> dict[str, Any]:
    body = fact.body
    return {
        "id": fact.id,
        "kind": fact.kind,
        "subject": fact.subject,
        "at": fact.at,
        "seller": fact.seller,
        "order": _text(body, "order"),
        "claim": _text(body, "claim") or fact.subject,
        "payment": _text(body, "payment"),
        "amount": _amount(body, scale),
        "currency": _text(body, "currency"),
        "reference": reference(body),
        "body": dict(body),
    }


def _amount(body: Mapping[str, Json], scale: Scale) -> str:
    """The amount in the shop's units; "" where there is none, which the shop then refuses."""
    amount = body.get("amount")
    if type(amount) is not int:
        return ""
    try:
        return str(scale.shop(amount, currency(_text(body, "currency")).exponent))
    except MoneyError:
        return ""


def _text(body: Mapping[str, Json], name: str) -> str:
    """A member of a fact's body that is a text, or ""."""
    value = body.get(name)
    return value if isinstance(value, str) else ""
