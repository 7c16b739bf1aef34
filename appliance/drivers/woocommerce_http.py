"""Requests to WooCommerce: who asks, and what the answers mean whatever was asked."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from appliance.domain.errors import Code, ConfigTrouble, OrderTrouble, ShopTrouble
from appliance.drivers.shop_http import Answer, HttpOptions, ShopHttp
from appliance.protocols import woocommerce as woo

T = TypeVar("T")
Query = Sequence[tuple[str, str]]
_TOKEN: Final = re.compile(r"(ck_[!-9;-~]{1,200}):(cs_[!-9;-~]{1,200})\Z")


@dataclass(frozen=True, slots=True)
class Key:
    """A key of WooCommerce's REST API: what the shop shows once, when it is made."""

    consumer_key: str
    consumer_secret: str = field(repr=False)

    @classmethod
    def from_token(cls, token: str) -> Key:
        """From "ck_…:cs_…". Raises ConfigTrouble."""
        found = _TOKEN.match(token)
        if found is None:
            raise ConfigTrouble(
                ["the shop's token is not of the form ck_…:cs_…: key and secret of WooCommerce"]
            )
        return cls(found[1], found[2])


class WooHttp:
    """From any thread. With TLS the key goes as Basic; without, each request is signed."""

    def __init__(
        self, options: HttpOptions, key: Key, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Raises ConfigTrouble."""
        self._key, self._base = key, options.url.rstrip("/")
        self._signs = urlsplit(options.url).scheme == "http"
        pair = f"{key.consumer_key}:{key.consumer_secret}".encode()
        self._basic = f"Basic {base64.b64encode(pair).decode('ascii')}"
        self._http = ShopHttp(options, {"Accept": "application/json"}, transport)

    def ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: bytes | None = None,
        *,
        also: Container[int] = (),
        names_key: bool = True,
    ) -> Answer:
        """See ShopHttp.call. names_key: whether to say who asks; WordPress itself refuses all that
        is not WooCommerce's to whoever has a key of WooCommerce's. Raises ShopTrouble."""
        headers: dict[str, str] = {}
        if names_key and self._signs:
            query = woo.oauth.signed(
                method,
                self._base + path,
                query,
                key=self._key.consumer_key,
                secret=self._key.consumer_secret,
                nonce=secrets.token_hex(16),
                at_s=int(time.time()),
            )
        elif names_key:
            headers["Authorization"] = self._basic
        words = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
        address = f"{path}?{words}" if words else path
        return self._http.call(method, address, headers=headers, body=body, also=also)

    def certificate_until(self) -> float | None:
        return self._http.certificate_until()

    def close(self) -> None:
        self._http.close()


def read(answer: Answer, reader: Callable[[bytes], T], *statuses: int) -> T:
    """What the body says, where the status is 200 or one of these. Raises WooMalformed for one
    order, OrderTrouble(ORDER_UNKNOWN) where the shop says that it has no such order, and
    ShopTrouble for all other nonsense."""
    if answer.status not in (200, *statuses):
        code, message = woo.problem_from(answer.body)
        if code == "woocommerce_rest_shop_order_invalid_id":
            raise OrderTrouble(Code.ORDER_UNKNOWN, message)
        raise answer.nonsense(f"{code}: {message}" if code else "not an answer to this")
    try:
        return reader(answer.body)
    except woo.WooMalformed:
        raise
    except woo.WooError as error:
        raise answer.nonsense(str(error)) from None


def shop_time(answer: Answer) -> int:
    """Unix time by the shop's clock (RFC 9110, 6.6.1): leases of several counters are counted by
    one clock. Raises ShopTrouble where it does not say."""
    try:
        return int(parsedate_to_datetime(answer.headers.get("date", "")).timestamp())
    except (ValueError, OverflowError):
        raise ShopTrouble(Code.SHOP_NONSENSE, "the shop's answer has no usable Date") from None
