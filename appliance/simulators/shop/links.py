"""The links that the demo shop sends, and what it makes of the addresses that come back.

The shop's half of docs/links.md: it signs with its own key, keeps the nonce with the order, and
believes a result only with the counter's seal.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from appliance.domain.order import Order
from appliance.protocols.links import (
    kassa,
    paypal_here,
    square_android,
    square_ios,
    sumup,
    x_callback,
)
from appliance.protocols.links.address import Pairs, query_of
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import LONGEST_LINK, Act, Callbacks, Link, LinkError
from appliance.protocols.links.signing import Algorithm, Key, Stamp, public, verify

LIFE_S: Final = 600
MOST_NONCES: Final = 1000
"""Of links that were shown, the newest."""
MOST_PARAMETERS: Final = 64
_NUMBERS: Final = ("order", "Number", "foreign-tx-id", "com.squareup.pos.REQUEST_METADATA")
"""Where each format says the order's number again."""


def _private(name: str) -> Key:
    return Key(name, Algorithm.ED25519, secrets.token_bytes(32), can_sign=True)


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """shop: signs links. counter: signs results; a real shop has its public side only."""

    shop: Key = field(default_factory=lambda: _private("nordlicht"))
    counter: Key = field(default_factory=lambda: _private("counter"))

    def lines(self) -> tuple[str, ...]:
        """What the counter's file of keys has to hold."""
        written = urlsafe_b64encode
        return (
            f"{self.shop.id} ed25519 {written(public(self.shop).material).decode()}",
            f"{self.counter.id} ed25519-private {written(self.counter.material).decode()}",
        )


@dataclass(frozen=True, slots=True)
class Offered:
    """A link on the shop's page. is_code: short enough to be read by a scanner as a QR code."""

    title: str
    says: str
    link: str
    is_code: bool = False


class Verdict(StrEnum):
    TRUE = "true"
    """The counter's seal holds, and it is the result of a link of ours."""
    UNKNOWN = "unknown"
    """It has no seal, or is of a link that we know nothing of."""
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back. order: the number that it states, or ""."""

    verdict: Verdict
    says: str
    order: str
    params: Pairs


class ShopLinks:
    """Any thread. now: seconds since 1970, UTC."""

    def __init__(self, keys: LinkKeys, now: Callable[[], int] = lambda: int(time.time())) -> None:
        self.keys = keys
        self._now = now
        self._lock = threading.Lock()
        self._numbers: OrderedDict[str, str] = OrderedDict()  # nonce -> order's number

    def offered(self, order: Order, back: str) -> list[Offered]:
        """The links for this order. back: the page that results are to be sent to."""
        ours = f"{back}?{{response}}"
        signed = Link(Name.KASSA, Act.SELL, order.number, "", order.due, Callbacks(*[ours] * 3))
        return [
            Offered(
                "Sell it, signed",
                "The counter opens the order and charges by itself.",
                kassa.build(signed, self._stamp(order)),
            ),
            Offered(
                "Sell it, unsigned",
                "The counter opens the order; the seller confirms.",
                kassa.build(signed),
            ),
            Offered(
                "Use the terminal only, signed",
                "As another cash desk does: no receipt, and the goods are not handed over here.",
                kassa.build(_with(signed, Act.PAY), self._stamp(order)),
            ),
            Offered(
                "Print the receipt, signed",
                "Of an order that was paid at this counter.",
                kassa.build(_with(signed, Act.PRINT), self._stamp(order)),
            ),
            Offered(
                "As a QR code, signed",
                "Short enough for a scanner, and nobody waits for an answer.",
                kassa.build(
                    Link(Name.KASSA, Act.SELL, order.number, "", order.due), self._stamp(order)
                ),
                is_code=True,
            ),
            Offered(
                "web+kassa, signed",
                "The same as the first, for a browser in which a page handles such links.",
                kassa.build(signed, self._stamp(order), web=True),
            ),
            Offered(
                "x-callback-url, signed",
                "The same as the first, in the form that applications know.",
                x_callback.build(signed, self._stamp(order), source="Nordlicht"),
            ),
            *(_foreign(order, back) if order.due.amount > 0 else ()),
        ]

    def _stamp(self, order: Order) -> Stamp:
        nonce = secrets.token_urlsafe(24)
        with self._lock:
            self._numbers[nonce] = order.number
            while len(self._numbers) > MOST_NONCES:
                self._numbers.popitem(last=False)
        return Stamp(self.keys.shop, nonce, self._now() + LIFE_S)

    def returned(self, query: str) -> Returned:
        """What a query says that came to the page for results, and whether to believe it."""
        try:
            params = tuple(
                parse_qsl(
                    query.replace("+", "%2B")[:LONGEST_LINK],
                    keep_blank_values=True,
                    errors="strict",
                    max_num_fields=MOST_PARAMETERS,
                )
            )
        except ValueError:
            return Returned(Verdict.FALSE, "It cannot be read.", "", ())
        if "status" in dict(params):
            return self._sealed(params)
        says = "This format has no place for a seal: anybody could have written it."
        return Returned(Verdict.UNKNOWN, says, _number(params), params)

    def _sealed(self, params: Pairs) -> Returned:
        # x-callback-url puts these before the result; its seal does not cover them.
        ours = tuple(pair for pair in params if pair[0] not in ("errorCode", "errorMessage"))

        def judged(verdict: Verdict, says: str) -> Returned:
            return Returned(verdict, says, _number(params), params)

        try:
            result, ref, seal = kassa.parse_result(f"kassa-api://paymentResult?{query_of(ours)}")
        except LinkError as error:
            return judged(Verdict.FALSE, f"It is no result: {error}.")
        key = public(self.keys.counter)
        if seal is None:
            return judged(Verdict.UNKNOWN, "It has no seal: anybody could have written it.")
        if seal.key_id != key.id or not verify(key, seal.text, seal.signature):
            return judged(
                Verdict.FALSE, "The seal does not hold: somebody changed it, or wrote it."
            )
        if seal.expires_at <= self._now():
            return judged(Verdict.FALSE, "The seal holds, but it has expired.")
        with self._lock:
            number = self._numbers.get(ref)
        if number is None:
            is_unsigned = ref == result.order
            what = "a link without a seal" if is_unsigned else "a link that is not known any more"
            return judged(Verdict.UNKNOWN, f"The counter's seal holds. It answers {what}.")
        if number != result.order:
            return judged(Verdict.FALSE, "It answers a link for another order.")
        return judged(Verdict.TRUE, "The counter's seal holds, and it answers a link of ours.")


def _with(link: Link, act: Act) -> Link:
    return replace(link, act=act)


def _foreign(order: Order, back: str) -> list[Offered]:
    """As a shop sends them that was made for another application. They are unsigned."""

    def link(name: Name) -> Link:
        return Link(name, Act.SELL, order.number, "", order.due, Callbacks(back, back, back))

    says = "As a shop sends it that was made for that application; the seller confirms."
    return [
        Offered("PayPal Here", says, paypal_here.build(link(Name.PAYPAL_HERE))),
        Offered("Square, iOS", says, square_ios.build(link(Name.SQUARE_IOS))),
        Offered("Square, Android", says, square_android.build(link(Name.SQUARE_ANDROID))),
        Offered("SumUp, iOS", says, sumup.build(link(Name.SUMUP_IOS))),
        Offered("SumUp, Android", says, sumup.build(link(Name.SUMUP_ANDROID))),
    ]


def _number(params: Pairs) -> str:
    values = dict(params)
    try:
        square = json.loads(values.get("data", "{}"))
    except (ValueError, RecursionError):
        square = {}
    state = square.get("state") if isinstance(square, dict) else None
    found = next((values[name] for name in _NUMBERS if name in values), state)
    return found if isinstance(found, str) else ""
