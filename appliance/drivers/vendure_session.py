"""A session with Vendure's Admin API: signs in, asks, and signs in again when the session is over.

Each kiosk has an administrator of its own: its name is how the shop knows the kiosk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import httpx

from appliance.domain.errors import Code, ConfigTrouble, ShopTrouble
from appliance.drivers.shop_http import Answer, HttpOptions, ShopBusy, ShopHttp
from appliance.protocols import vendure
from appliance.protocols.shopapi import OrderMalformed, ShopApiError
from appliance.protocols.vendure import Document, PickupBy, Scale

ADMIN_PATH: Final = "/admin-api"
_TOKEN_HEADER: Final = "vendure-auth-token"  # noqa: S105 - a name
KEEP_IDLE_S: Final = 3.0
"""Node's HTTP server hangs up after 5 s; a request that crosses with that would be lost."""
_JSON_TYPES: Final = ("application/json", "application/graphql-response+json")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VendureOptions:
    """secret: "name:password" of this kiosk's administrator. pickup_by: see PickupBy.parse.
    channel: the token of the shop's channel, "" for its default one. Times: see HttpOptions."""

    url: str
    secret: str = field(repr=False)
    pickup_point: str
    pickup_by: str = "field:pickupPoint"
    channel: str = ""
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 10.0
    max_body: int = 8 * 1024 * 1024
    ca_file: str = ""
    allow_http: bool = False
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a sign-in brought. has_plugin: the Kassa plugin is there."""

    token: str = field(repr=False)
    scale: Scale
    has_plugin: bool


class VendureSession:
    """Questions from any thread; one of them signs in for all."""

    def __init__(self, options: VendureOptions, transport: httpx.BaseTransport | None) -> None:
        """Raises ConfigTrouble; asks nothing of the shop yet."""
        self.kiosk, colon, self._password = options.secret.partition(":")
        if not colon or not self.kiosk or not self._password:
            raise ConfigTrouble(["the shop's token is not of the form name:password"])
        if not 1 <= len(options.pickup_point) <= 80:
            raise ConfigTrouble(["the pickup point has 1 to 80 characters"])
        try:
            self.by = PickupBy.parse(options.pickup_by)
        except ValueError:
            raise ConfigTrouble(['pickup_by is "field:NAME" or "shipping-method"']) from None
        headers = {"Accept": "application/json"}
        if options.channel:
            headers["vendure-token"] = options.channel
        self._http = ShopHttp(
            HttpOptions(
                options.url,
                options.connect_timeout_s,
                options.answer_timeout_s,
                options.max_body,
                options.ca_file,
                options.allow_http,
                KEEP_IDLE_S,
                options.proxy,
            ),
            headers,
            transport,
        )
        self._lock = threading.Lock()
        self._signed: _Signed | None = None

    @property
    def has_plugin(self) -> bool | None:
        """Whether the shop has the Kassa plugin; None before the first sign-in."""
        signed = self._signed
        return None if signed is None else signed.has_plugin

    def sign_in(self) -> _Signed:
        """Be signed in. Raises ShopTrouble; SHOP_TOKEN where the shop does not know us."""
        return self._sign_in_after(None)

    def certificate_until(self) -> float | None:
        return self._http.certificate_until()

    def close(self) -> None:
        self._http.close()

    def ask(self, document: Document, read: Callable[[Document, bytes], T], **variables: Any) -> T:
        """The answer as `read` reads it. Raises ShopTrouble, and OrderMalformed of `read`."""
        return self.ask_timed(document, read, **variables)[0]

    def ask_timed(
        self, document: Document, read: Callable[[Document, bytes], T], **variables: Any
    ) -> tuple[T, float]:
        """The answer, and the shop's time in seconds since 1970. As `ask`."""
        signed = self.sign_in()
        for is_last in (False, True):
            answer = self._post(document, variables, signed.token)
            try:
                return _read(document, answer, read), _time(answer)
            except vendure.Forbidden as error:
                if is_last:
                    raise ShopTrouble(Code.SHOP_TOKEN, str(error)) from None
                signed = self._sign_in_after(signed)
        raise AssertionError("the second answer returns or raises")

    def _sign_in_after(self, stale: _Signed | None) -> _Signed:
        """Sign in, unless another thread has done so since `stale` was refused."""
        with self._lock:
            if self._signed is not None and self._signed is not stale:
                return self._signed
            user = {"user": self.kiosk, "password": self._password}
            answer = self._post(vendure.LOGIN, user)
            if refusal := _read(vendure.LOGIN, answer, vendure.result_from):
                raise ShopTrouble(Code.SHOP_TOKEN, refusal)
            token = answer.headers.get(_TOKEN_HEADER, "")
            if not token or not token.isascii() or not token.isprintable():
                raise answer.nonsense("signing in brought no token: see authOptions.tokenMethod")
            precision = self._read_as(token, vendure.SETTINGS, vendure.precision_from)
            info = self._read_as(token, vendure.INFO, vendure.info_from)
            self._signed = _Signed(token, Scale(precision), info is not None)
            return self._signed

    def _read_as(self, token: str, document: Document, read: Callable[[Document, bytes], T]) -> T:
        try:
            return _read(document, self._post(document, {}, token), read)
        except vendure.Forbidden as error:
            raise ShopTrouble(Code.SHOP_TOKEN, str(error)) from None

    def _post(self, document: Document, variables: Mapping[str, Any], token: str = "") -> Answer:
        return self._http.call(
            "POST",
            ADMIN_PATH,
            headers={"Authorization": f"Bearer {token}"} if token else None,
            body=vendure.request_message(document, variables, self.by),
        )


def _read(document: Document, answer: Answer, read: Callable[[Document, bytes], T]) -> T:
    """Raises Forbidden and OrderMalformed, and ShopTrouble for all other nonsense."""
    # 400 is how a document is refused that the schema does not know.
    if answer.status not in (200, 400) or answer.media_type not in _JSON_TYPES:
        raise answer.nonsense("not an answer of Vendure's Admin API")
    try:
        return read(document, answer.body)
    except (vendure.Forbidden, OrderMalformed):
        raise
    except vendure.ShopFault as error:
        raise ShopBusy(str(error)) from None
    except ShopApiError as error:
        raise answer.nonsense(str(error)) from None


def _time(answer: Answer) -> float:
    """The shop's clock (RFC 9110, 6.6.1): ours may be wrong. Raises ShopTrouble."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise answer.nonsense("the answer has no Date") from None
