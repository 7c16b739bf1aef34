"""The shop API: its bodies as both ends read them, a shop's whole answers, and the demo shop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeVar

import httpx
import msgspec

from appliance.domain.errors import Trouble
from appliance.domain.facts import Fact, Kind
from appliance.drivers.kassa_shop import KassaShop, ShopOptions
from appliance.drivers.shop_http import LONGEST_RETRY_AFTER_S, Answer, ShopBusy, _refuse
from appliance.protocols import shopapi
from appliance.simulators.shop import samples
from appliance.simulators.shop.api import api_app
from appliance.simulators.shop.store import ShopStore
from tests.fuzz.http_text import answered, parsed
from tests.fuzz.target import demand

# --- bodies -----------------------------------------------------------------------------------

T = TypeVar("T")


def body(
    read: Callable[[bytes], T], written: Callable[[T], bytes] | None = None
) -> Callable[[bytes], None]:
    """A check of one reader, with the writer of the same message where there is one."""

    def check(data: bytes) -> None:
        try:
            found = read(data)
        except shopapi.ShopApiError as error:
            _fit_for_a_log(str(error))
            raise
        if written is not None:
            demand(read(written(found)) == found, "written, it reads as something else")

    return check


def orders(data: bytes) -> None:
    found = shopapi.orders_from(data)
    ids = [order.id for order in found.orders]
    demand(len(set(ids)) == len(ids), "an order stands twice")
    asked = {request.id for request in found.requests}
    demand(len(asked) == len(found.requests) <= shopapi.MOST_REQUESTS, "too much is asked for")
    for name, reason in (*found.malformed.items(), *found.odd_requests.items()):
        _fit_for_a_log(name)
        _fit_for_a_log(reason)
    written = shopapi.orders_message(map(shopapi.order_to_json, found.orders), found.requests)
    again = shopapi.orders_from(written)
    demand(again.orders == found.orders, "written, they read as others")
    demand(again.requests == found.requests, "written, something else is asked for")


def order_message(order: Any) -> bytes:
    return shopapi.write_json(shopapi.order_to_json(order))


def facts_message(request: shopapi.FactsRequest) -> bytes:
    return shopapi.write_json(msgspec.to_builtins(request))


def problem(data: bytes) -> None:
    _fit_for_a_log(shopapi.problem_text(data))


def _fit_for_a_log(text: str) -> None:
    demand(len(text) <= 600 and text.isprintable(), "not fit for a log")


# --- a shop's answers, with status and headers ------------------------------------------------

_FACTS: Final = (Fact("f-1", Kind.CLAIMED, "H-1", "2026-11-23T14:33:07Z"),)
_CALLS: Final[Mapping[str, Callable[[KassaShop], object]]] = {
    "snapshot": lambda shop: shop.snapshot("", 0),
    "poll": lambda shop: shop.snapshot('"a"', 0),
    "order": lambda shop: shop.order("NL-10002"),
    "claim": lambda shop: shop.claim("ord-10002", "H-1", "1", 60),
    "deliver": lambda shop: shop.deliver(_FACTS),
    "sellers": lambda shop: shop.sellers(),
    "health": lambda shop: shop.report_health({}),
}
_NAMES: Final = tuple(_CALLS)


class _Canned:
    """In the place of ShopHttp: one answer to everything."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def call(self, *_: object, **__: object) -> Answer:
        _refuse(self._answer)
        return self._answer

    def close(self) -> None:
        """Nothing is open."""


@cache
def _link() -> KassaShop:
    return KassaShop(ShopOptions("https://shop.example", "t", "mitte"))


def answer(data: bytes) -> None:
    """ "call status", header lines, an empty line, the body: what the driver makes of it."""
    said = parsed(data)
    wanted = said.method if said.method in _CALLS else _NAMES[len(data) % len(_NAMES)]
    status = int(said.path) if said.path.isascii() and said.path.isdigit() else 200
    headers = httpx.Headers([(name.encode(), value) for name, value in said.raw_headers])
    shop = _link()
    shop._http = _Canned(Answer(status % 1000, headers, said.body))  # type: ignore[assignment]
    try:
        _CALLS[wanted](shop)
    except Trouble as trouble:
        _fit_for_a_log(trouble.detail)
        if isinstance(trouble, ShopBusy) and trouble.retry_after_s is not None:
            demand(0 <= trouble.retry_after_s <= LONGEST_RETRY_AFTER_S, "told to wait for ever")


# --- requests to the demo shop ----------------------------------------------------------------


class _Shop:
    """The demo shop without a network, the same at the beginning of each request."""

    def __init__(self) -> None:
        self._store = ShopStore(":memory:")
        self._books = self._store.saved()
        stop = threading.Event()
        stop.set()  # no poll waits
        app = api_app(self._store, stop)
        app.testing = True  # what it does not expect comes out
        self.app = app

    def begin_anew(self) -> None:
        self._store.restore(self._books)


@cache
def _shop() -> _Shop:
    return _Shop()


_TOKEN: Final = f"Bearer {samples.KIOSKS[0].token}"


def request(data: bytes) -> None:
    """ "METHOD path", header lines, an empty line, the body."""
    asked = parsed(data)
    shop = _shop()
    shop.begin_anew()
    environ = asked.environ()
    environ.setdefault("HTTP_AUTHORIZATION", _TOKEN)
    # The demo shop's server makes UTF-8 of whatever stands there.
    environ["QUERY_STRING"] = environ["QUERY_STRING"].encode().decode("latin-1")
    given = answered(shop.app, environ)
    demand(given.status < 500, f"HTTP {given.status}")
    if environ["PATH_INFO"].startswith("/v1/") and given.status >= 400:
        demand(given.headers["content-type"] == shopapi.PROBLEM_TYPE, "an error in another form")
        problem(given.body)
