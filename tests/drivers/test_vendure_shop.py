"""The Vendure driver against answers that a real shop gives rarely; the real one is asked in
tests/shops/vendure."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from appliance.domain.errors import Code, ConfigTrouble, OrderTrouble, ShopTrouble
from appliance.domain.facts import Fact, Kind
from appliance.drivers.shop_http import FactRefused, ShopBusy
from appliance.drivers.vendure_session import VendureOptions
from appliance.drivers.vendure_shop import VendureShop
from appliance.drivers.vendure_watch import (
    GLANCE_ABOVE,
    POLL_EVERY_S,
    PROBE_EVERY_S,
    PROBE_PAGE,
    RESYNC_EVERY_S,
    SPREAD,
    OpenOrders,
)
from appliance.ports import ClaimRefused, ShopForgot
from appliance.protocols.vendure import OPEN_STATES
from tests.protocols.vendure.values import history, order, payment

DATE = "Thu, 26 Nov 2026 22:23:51 GMT"
NAME = re.compile(r"(?:query|mutation) (\w+)")


class Shop(httpx.BaseTransport):
    """A Vendure made of a dictionary. say: operation -> what is answered in its place."""

    def __init__(self, *, plugin: bool = False, count: int = 0) -> None:
        self.plugin = plugin
        self.orders = {str(n): order(id=str(n), code=f"C{n}") for n in range(1, count + 1)}
        self.updated = dict.fromkeys(self.orders, "t0")
        self.say: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.asked: list[str] = []
        self.headers: list[httpx.Headers] = []
        self.token = "t-1"

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        message = json.loads(request.read())
        found = NAME.match(message["query"].strip())
        assert found is not None
        name, variables = found[1], message["variables"]
        self.asked.append(name)
        self.headers.append(request.headers)
        if name in self.say:
            answer = self.say[name](variables)
            if isinstance(answer, httpx.Response):
                return answer
            return _answer(answer)
        if name != "Login" and request.headers.get("authorization") != f"Bearer {self.token}":
            return _error("FORBIDDEN")
        made = getattr(self, f"on_{name.lower()}")(variables)
        return made if isinstance(made, httpx.Response) else _answer(made)

    def on_login(self, _: dict[str, Any]) -> httpx.Response:
        body = {"login": {"__typename": "CurrentUser", "identifier": "mitte-1"}}
        return _answer(body, {"vendure-auth-token": self.token})

    def on_settings(self, _: dict[str, Any]) -> Any:
        return {"globalSettings": {"serverConfig": {"moneyStrategyPrecision": 2}}}

    def on_info(self, _: dict[str, Any]) -> Any:
        if not self.plugin:
            return _error("GRAPHQL_VALIDATION_FAILED", 400)
        return {"kassa": {"version": 1, "kiosk": "mitte-1", "sellers": None}}

    def on_probe(self, variables: dict[str, Any]) -> Any:
        options = variables["options"]
        assert options["filter"]["state"]["in"] == list(OPEN_STATES)
        rows = sorted(self.orders.values(), key=lambda row: int(row["id"]))
        if options["sort"] == {"updatedAt": "DESC"}:
            rows.sort(key=lambda row: self.updated[row["id"]], reverse=True)
        chosen = rows[options["skip"] : options["skip"] + options["take"]]
        items = [
            {
                "id": row["id"], "state": row["state"], "updatedAt": self.updated[row["id"]],
                "totalWithTax": row["totalWithTax"],
            }
            for row in chosen
        ]  # fmt: skip
        return {"orders": {"totalItems": len(rows), "items": items}}

    def on_read(self, variables: dict[str, Any]) -> Any:
        wanted = variables["options"]["filter"]
        rows = list(self.orders.values())
        if "id" in wanted:
            rows = [row for row in rows if row["id"] in wanted["id"]["in"]]
        else:
            rows = [row for row in rows if row["code"].lower() == wanted["code"]["eq"].lower()]
        return {"orders": {"totalItems": len(rows), "items": rows}}


def _answer(data: Any, headers: dict[str, str] | None = None, status: int = 200) -> httpx.Response:
    body = json.dumps({"data": data}).encode()
    said = {"Content-Type": "application/json", "Date": DATE, **(headers or {})}
    return httpx.Response(status, headers=said, stream=httpx.ByteStream(body))


def _error(code: str, status: int = 200) -> httpx.Response:
    error = {"message": "no", "extensions": {"code": code}}
    body = json.dumps({"errors": [error], "data": None}).encode()
    said = {"Content-Type": "application/json", "Date": DATE}
    return httpx.Response(status, headers=said, stream=httpx.ByteStream(body))


def _status(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""))


def _link(shop: Shop, **changes: Any) -> VendureShop:
    options: dict[str, Any] = {"url": "https://shop.example", "secret": "mitte-1:pw"}
    options |= {"pickup_point": "mitte"} | changes
    return VendureShop(VendureOptions(**options), shop, random.Random(1))


@pytest.fixture(params=[False, True], ids=["plain", "plugin"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(plugin=request.param, count=2)


# --- the session --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "name"}, {"secret": ":pw"}, {"secret": "name:"}, {"pickup_point": ""},
        {"pickup_point": "x" * 81}, {"pickup_by": "colour"}, {"url": "http://shop.example"},
    ],
)  # fmt: skip
def test_what_cannot_be(change: dict[str, str]) -> None:
    with pytest.raises(ConfigTrouble):
        _link(Shop(), **change)


def test_the_password_is_not_shown() -> None:
    assert "pw" not in repr(VendureOptions("https://shop.example", "mitte-1:pw", "mitte"))


def test_one_sign_in_for_all(shop: Shop) -> None:
    link = _link(shop, channel="de")
    assert not link.traits().atomic_claim
    for _ in range(3):
        link.order("C1")
    assert shop.asked.count("Login") == 1
    assert all(headers["vendure-token"] == "de" for headers in shop.headers)
    assert link.traits().atomic_claim is shop.plugin


def test_a_session_that_is_over_is_begun_anew_once(shop: Shop) -> None:
    link = _link(shop)
    link.order("C1")
    shop.token = "t-2"
    link.order("C1")
    assert shop.asked.count("Login") == 2
    shop.say["Read"] = lambda _: _error("FORBIDDEN")
    with pytest.raises(ShopTrouble) as caught:
        link.order("C1")
    assert caught.value.code is Code.SHOP_TOKEN
    assert shop.asked.count("Login") == 3, "what a fresh session may not do, none may"


def test_two_threads_sign_in_once(shop: Shop) -> None:
    link = _link(shop)
    line_up = threading.Barrier(4)
    found: list[str] = []

    def ask() -> None:
        line_up.wait(10)
        found.append(link.order("C1").number)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == ["C1"] * 4
    assert shop.asked.count("Login") == 1


SAYS: list[tuple[str, Callable[[dict[str, Any]], Any], Code]] = [
    (
        "Login",
        lambda _: {"login": {"errorCode": "INVALID_CREDENTIALS_ERROR", "message": "no"}},
        Code.SHOP_TOKEN,
    ),
    ("Login", lambda _: {"login": {"__typename": "CurrentUser"}}, Code.SHOP_NONSENSE),
    ("Settings", lambda _: _error("FORBIDDEN"), Code.SHOP_TOKEN),
    ("Info", lambda _: _error("INTERNAL_SERVER_ERROR"), Code.SHOP_BUSY),
    ("Read", lambda _: _status(200), Code.SHOP_NONSENSE),
    ("Read", lambda _: _status(404), Code.SHOP_NONSENSE),
    ("Read", lambda _: _status(401), Code.SHOP_TOKEN),
    ("Read", lambda _: _status(302, location="/x"), Code.SHOP_MOVED),
    ("Read", lambda _: _status(503), Code.SHOP_BUSY),
    ("Read", lambda _: _error("INTERNAL_SERVER_ERROR"), Code.SHOP_BUSY),
    ("Read", lambda _: _error("GRAPHQL_VALIDATION_FAILED", 400), Code.SHOP_NONSENSE),
    ("Read", lambda _: {"orders": None}, Code.SHOP_NONSENSE),
]


@pytest.mark.parametrize(("operation", "say", "code"), SAYS)
def test_trouble_has_its_code(
    shop: Shop, operation: str, say: Callable[[dict[str, Any]], Any], code: Code
) -> None:
    shop.say[operation] = say
    with pytest.raises(ShopTrouble) as caught:
        _link(shop).order("C1")
    assert caught.value.code is code
    assert "pw" not in caught.value.detail


def test_a_busy_shop_is_left_alone_as_long_as_it_asks(shop: Shop) -> None:
    shop.say["Read"] = lambda _: _status(429, **{"retry-after": "7"})
    with pytest.raises(ShopBusy) as caught:
        _link(shop).order("C1")
    assert caught.value.retry_after_s == 7


# --- orders -------------------------------------------------------------------------------------


def test_a_code_of_another_case_is_another_code(shop: Shop) -> None:
    with pytest.raises(OrderTrouble) as caught:
        _link(shop).order("c1")
    assert caught.value.code is Code.ORDER_UNKNOWN


def test_an_order_that_cannot_be_read_spoils_no_other() -> None:
    shop = Shop(count=2)
    shop.orders["2"]["totalWithTax"] = 1
    link = _link(shop)
    snapshot = link.snapshot("", 0)
    assert snapshot is not None
    assert [found.number for found in snapshot.orders] == ["C1"]
    assert list(snapshot.malformed) == ["C2"]
    with pytest.raises(OrderTrouble) as caught:
        link.order("C2")
    assert caught.value.code is Code.ORDER_MALFORMED
    shop.orders["2"] = order(id="2", code="C2")
    assert len(_found(link)) == 2
    del shop.orders["2"]
    assert _found(link) == ["1"]


def _found(link: VendureShop) -> list[str]:
    snapshot = link.snapshot("", 0)
    assert snapshot is not None
    assert snapshot.malformed == {}
    return [each.id for each in snapshot.orders]


class Watched:
    """The watch alone, with a clock of its own."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.now = shop, 0.0
        self.link = _link(shop)
        self.watch = OpenOrders(self.link._session, "mitte", random.Random(1), lambda: self.now)

    def look(self, etag: str = "") -> list[str] | None:
        self.shop.asked.clear()
        snapshot = self.watch.snapshot(etag, 0)
        if snapshot is None:
            return None
        self.etag = snapshot.etag
        return [each.id for each in snapshot.orders]


def test_only_what_changed_is_read() -> None:
    watched = Watched(Shop(count=3))
    assert watched.look() == ["1", "2", "3"]
    assert watched.look(watched.etag) is None
    assert watched.shop.asked == ["Probe"]
    watched.shop.updated["2"] = "t1"
    assert watched.look(watched.etag) is None, "it was touched, and is what it was"
    assert watched.shop.asked == ["Probe", "Read"]
    watched.shop.orders["2"]["state"] = "PaymentSettled"
    assert watched.look(watched.etag) is not None


def test_what_no_probe_shows_is_seen_by_a_resync() -> None:
    watched = Watched(Shop(count=1))
    watched.look()
    watched.shop.orders["1"]["payments"] = [payment("Settled", 5755)]
    assert watched.look(watched.etag) is None
    watched.now = RESYNC_EVERY_S * (1 + SPREAD)
    assert watched.look(watched.etag) == ["1"]


def test_what_could_not_be_read_is_read_the_next_time() -> None:
    watched = Watched(Shop(count=1))
    watched.look()
    watched.shop.orders["1"]["state"] = "PaymentSettled"
    watched.shop.say["Read"] = lambda _: _status(503)
    with pytest.raises(ShopBusy):
        watched.look(watched.etag)
    watched.shop.say.clear()
    assert watched.look(watched.etag) == ["1"]


def test_a_large_shop_is_glanced_at() -> None:
    watched = Watched(Shop(count=GLANCE_ABOVE + 1))
    watched.look()
    watched.look(watched.etag)  # learns which change is the newest
    assert watched.look(watched.etag) is None
    assert watched.shop.asked == ["Probe"]
    watched.shop.updated["7"] = "t1"
    watched.shop.orders["7"]["state"] = "PaymentSettled"
    assert watched.look(watched.etag) is not None
    assert watched.shop.asked == ["Probe", "Probe", "Read"]
    watched.shop.orders["9"]["state"] = "PaymentSettled"
    assert watched.look(watched.etag) is None, "nothing tells of it"
    watched.now += PROBE_EVERY_S * (1 + SPREAD)
    assert watched.look(watched.etag) is not None


def test_pages_overlap_so_that_none_slips_through() -> None:
    shop = Shop(count=PROBE_PAGE + 5)
    watched = Watched(shop)
    pages = 0

    def probe(variables: dict[str, Any]) -> Any:
        nonlocal pages
        pages += 1
        if pages == 2:
            del shop.orders["1"]  # every later one moves up by a place
        return shop.on_probe(variables)

    shop.say["Probe"] = probe
    found = watched.look()
    assert found is not None
    assert len(found) == PROBE_PAGE + 4
    assert pages == 4, "begun anew"


def test_a_list_that_never_holds_still_is_given_up() -> None:
    shop = Shop(count=PROBE_PAGE + 50)
    watched = Watched(shop)

    def probe(variables: dict[str, Any]) -> Any:
        if variables["options"]["skip"]:
            del shop.orders[min(shop.orders, key=int)]
        return shop.on_probe(variables)

    shop.say["Probe"] = probe
    with pytest.raises(ShopTrouble) as caught:
        watched.look()
    assert caught.value.code is Code.SHOP_BUSY


def test_waits_are_spread() -> None:
    watched = Watched(Shop())
    waits = [watched.watch._soon(POLL_EVERY_S) for _ in range(1000)]
    assert min(waits) >= POLL_EVERY_S * (1 - SPREAD)
    assert max(waits) <= POLL_EVERY_S * (1 + SPREAD)
    assert max(waits) - min(waits) > POLL_EVERY_S * SPREAD


# --- claims and facts ---------------------------------------------------------------------------


def test_a_claim_of_what_cannot_be_read_is_given_back() -> None:
    shop = Shop(plugin=True)
    wrong = order(totalWithTax=1)
    granted = {"granted": True, "renewed": False, "holder": "mitte-1", "order": wrong}
    shop.say["Claim"] = lambda _: {"kassaClaim": granted}
    shop.say["Release"] = lambda _: {"kassaRelease": True}
    refused = _link(shop).claim("2", "H-1", "v", 60)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_MALFORMED
    assert shop.asked[-1] == "Release"


@pytest.mark.parametrize(("renewed", "is_released"), [(True, False), (False, True)])
def test_a_claim_that_is_held_outlasts_a_change(renewed: bool, is_released: bool) -> None:
    shop = Shop(plugin=True)
    granted = {"granted": True, "renewed": renewed, "holder": "mitte-1", "order": order()}
    shop.say["Claim"] = lambda _: {"kassaClaim": granted}
    shop.say["Release"] = lambda _: {"kassaRelease": True}
    refused = _link(shop).claim("2", "H-1", "an older version", 60)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_CHANGED
    assert ("Release" in shop.asked) is is_released


FACT = Fact("f-1", Kind.APPROVED, "H-1", DATE, "", {"order": "2", "payment": "P", "amount": 5755,
                                                    "currency": "EUR"})  # fmt: skip
TAKEN = {"accepted": 1, "refused": "", "reason": "", "forgot": None}


def test_what_the_plugin_says_of_facts() -> None:
    shop = Shop(plugin=True)
    link = _link(shop)
    said = dict(TAKEN)
    shop.say["Facts"] = lambda _: {"kassaFacts": said}
    link.deliver([FACT], after="f-0")
    said["accepted"] = 0
    with pytest.raises(ShopTrouble) as caught:
        link.deliver([FACT])
    assert caught.value.code is Code.SHOP_NONSENSE
    said |= {"refused": "f-1", "reason": "no\nsuch order"}
    with pytest.raises(FactRefused, match="no\\?such order"):
        link.deliver([FACT])
    said["forgot"] = "f-0"
    with pytest.raises(ShopForgot) as forgot:
        link.deliver([], after="f-9")
    assert forgot.value.newest == "f-0"


def test_amounts_that_the_shop_cannot_hold_are_for_it_to_refuse() -> None:
    shop = Shop(plugin=True)
    sent: list[str] = []

    def facts(variables: dict[str, Any]) -> Any:
        sent.extend(fact["amount"] for fact in variables["facts"])
        return {"kassaFacts": TAKEN}

    shop.say["Facts"] = facts
    link = _link(shop)
    bodies: list[dict[str, Any]] = [
        {"amount": 5755, "currency": "EUR"}, {"amount": 500, "currency": "JPY"},
        {"amount": 1, "currency": "KWD"}, {"amount": True, "currency": "EUR"}, {"amount": 5},
    ]  # fmt: skip
    for body in bodies:
        link.deliver([Fact("f", Kind.APPROVED, "H", DATE, "", {"order": "2", **body})])
    assert sent == ["5755", "50000", "", "", ""]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"order": "9"}, "there is no order 9"),
        ({}, "there is no order"),
        ({"order": "2", "payment": "P"}, "body.amount"),
        ({"order": "2", "payment": "P", "amount": 0, "currency": "EUR"}, "body.amount"),
        ({"order": "2", "payment": "P", "amount": 5, "currency": "USD"}, "not the order's, EUR"),
        ({"order": "2", "payment": "P", "amount": 5, "currency": "XXX"}, "unknown currency"),
        ({"order": "2", "amount": 5, "currency": "EUR"}, "body.payment is missing"),
    ],
)
def test_facts_that_can_never_be_taken(body: dict[str, Any], said: str) -> None:
    shop = Shop(count=2)
    shop.say["ById"] = lambda variables: {
        "order": order(history=history()) if variables["id"] == "2" else None
    }
    with pytest.raises(FactRefused) as caught:
        _link(shop).deliver([Fact("f-1", Kind.APPROVED, "H-1", DATE, "", body)])
    assert said in caught.value.detail
    assert caught.value.code is Code.SHOP_REFUSES_FACT


def test_goods_that_the_shop_does_not_let_go_are_for_the_office() -> None:
    """Said in the order once, and to a person at the counter."""
    shop = Shop(count=2)
    notes: list[tuple[str, str]] = []

    def by_id(_: dict[str, Any]) -> Any:
        settled = [payment("Settled", 5755)]
        return {"order": order(state="PaymentSettled", payments=settled, history=history(*notes))}

    def note(variables: dict[str, Any]) -> Any:
        notes.append(("2026-11-26T22:23:51.000Z", variables["note"]))
        return {"addNoteToOrder": {"id": "2"}}

    refusal = {"errorCode": "INSUFFICIENT_STOCK_ON_HAND_ERROR", "message": "no stock"}
    shop.say |= {"ById": by_id, "AddNote": note}
    shop.say["Fulfil"] = lambda _: {"addFulfillmentToOrder": refusal}
    fact = Fact("f-1", Kind.HANDED_OVER, "H-1", DATE, "", {"order": "2"})
    link = _link(shop)
    for _ in range(2):
        with pytest.raises(FactRefused, match="INSUFFICIENT_STOCK"):
            link.deliver([fact])
    assert len(notes) == 1
    assert "FOR THE OFFICE" in notes[0][1]


def test_a_booking_that_never_comes_to_its_end_is_tried_later() -> None:
    shop = Shop(count=2)
    shop.say["ById"] = lambda _: {"order": order(history=history())}
    shop.say["CancelPayment"] = lambda _: {
        "cancelPayment": {"errorCode": "CANCEL_PAYMENT_ERROR", "message": "no"}
    }
    with pytest.raises(ShopBusy):
        _link(shop).deliver([FACT])
    assert shop.asked.count("CancelPayment") < 20


def test_an_amount_that_vendure_booked_otherwise_is_told_once() -> None:
    shop = Shop(count=2)
    notes: list[tuple[str, str]] = []
    booked = payment("Settled", 5000, metadata={"kassaPayment": "P"})

    def note(variables: dict[str, Any]) -> Any:
        notes.append(("2026-11-26T22:23:51.000Z", variables["note"]))
        return {"addNoteToOrder": {"id": "2"}}

    shop.say["ById"] = lambda _: {
        "order": order(state="PaymentSettled", payments=[booked], history=history(*notes))
    }
    shop.say["AddNote"] = note
    link = _link(shop)
    for _ in range(2):
        link.deliver([FACT])
    assert len(notes) == 1
    assert "charged 5755, and Vendure booked 5000" in notes[0][1]


def test_an_answer_without_a_date_is_none() -> None:
    shop = Shop(count=2)

    def by_id(_: dict[str, Any]) -> httpx.Response:
        answer = _answer({"order": order(history=history())})
        del answer.headers["date"]
        return answer

    shop.say["ById"] = by_id
    with pytest.raises(ShopTrouble) as caught:
        _link(shop).claim("2", "H-1", "v", 60)
    assert caught.value.code is Code.SHOP_NONSENSE


@pytest.fixture
def both_see_both() -> tuple[Shop, list[str]]:
    """Whenever this kiosk writes a claim, another one has just done so too."""
    shop, deleted = Shop(count=2), list[str]()
    notes: dict[str, str] = {}

    def by_id(_: dict[str, Any]) -> Any:
        items = [
            {"id": key, "createdAt": "2026-11-26T22:23:51.000Z", "data": {"note": text}}
            for key, text in notes.items()
        ]
        return {"order": order(history={"totalItems": len(items), "items": items})}

    def note(variables: dict[str, Any]) -> Any:
        number = len(deleted)
        notes[f"mine-{number}"] = variables["note"]
        notes[f"other-{number}"] = variables["note"].replace("mitte-1", "mitte-2")
        return {"addNoteToOrder": {"id": "2"}}

    def delete(variables: dict[str, Any]) -> Any:
        deleted.append(variables["id"])
        notes.clear()
        return {"deleteOrderNote": {"result": "DELETED", "message": None}}

    shop.say |= {"ById": by_id, "AddNote": note, "DeleteNote": delete}
    return shop, deleted


def test_two_that_see_each_other_both_step_back(
    both_see_both: tuple[Shop, list[str]],
) -> None:
    shop, deleted = both_see_both
    link = _link(shop)
    shop.orders["2"] = order()
    refused = link.claim("2", "H-1", link.order(order()["code"]).version, 60)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is Code.ORDER_CLAIMED
    assert refused.detail == "mitte-2"
    assert len(deleted) == 4
    assert all(name.startswith("mine-") for name in deleted), "never another kiosk's"
