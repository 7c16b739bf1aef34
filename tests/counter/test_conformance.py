"""`kassa shop conformance`: the demo shop passes, and every planted defect is found, by its check.

A defect is planted on the line to a sound shop: what it answers is changed, or what it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.cli import main
from appliance.counter import conformance as module
from appliance.counter.conformance import CHECKS, Subject, conformance, report
from appliance.domain.errors import Code, ConfigTrouble, ShopTrouble
from appliance.domain.order import OrderStatus, disagreements
from appliance.drivers.kassa_shop import KassaShop, ShopOptions
from appliance.simulators.shop import DemoShop
from tests.drivers.far_proxy import Proxy
from tests.image.booted.tls import TlsFront, certificate

Handle = Callable[[httpx.Request], httpx.Response]
Defect = Callable[[httpx.Request, Handle], httpx.Response]


@pytest.fixture
def shop() -> Iterator[DemoShop]:
    with DemoShop() as running:
        yield running


def subject(shop: DemoShop, **changes: Any) -> Subject:
    link = KassaShop(ShopOptions(shop.url, shop.tokens["mitte-1"], "mitte"))
    snapshot = link.snapshot("", 0)
    link.close()
    assert snapshot is not None
    numbers = [
        order.number
        for order in snapshot.orders
        if order.status is OrderStatus.READY and order.due and not disagreements(order)
    ]
    made: dict[str, Any] = {"claim_order": numbers[0], "pay_order": numbers[1]}
    made |= {"other_token": shop.tokens["mitte-2"]} | changes
    return Subject(shop.url, shop.tokens["mitte-1"], "mitte", **made)


class Line(httpx.BaseTransport):
    """The way to the shop, with a defect on it."""

    def __init__(self, defect: Defect) -> None:
        self._inner, self._defect = httpx.HTTPTransport(), defect

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        answer = self._defect(request, self._ask)
        # As it comes from a line: not read yet.
        body = httpx.ByteStream(answer.content)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=body)

    def _ask(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        response.read()
        return response

    def close(self) -> None:
        self._inner.close()


def test_the_demo_shop_keeps_its_promises(shop: DemoShop) -> None:
    before = shop.state()["orders"]
    given = subject(shop)
    verdicts = conformance(given)
    assert [verdict for verdict in verdicts if not verdict.is_well] == []
    assert [verdict.name for verdict in verdicts] == list(CHECKS)
    assert report(verdicts).endswith("the shop keeps its promises\n")
    after = shop.state()["orders"]
    touched = {number for number, row in after.items() if row != before[number]}
    assert touched <= {given.claim_order, given.pay_order}, "no other order was touched"
    assert after[given.pay_order]["handed_over"] == 1


def test_what_cannot_be_asked_is_said(shop: DemoShop) -> None:
    verdicts = conformance(subject(shop, other_token=""))
    (left_out,) = [verdict for verdict in verdicts if not verdict.is_asked]
    assert left_out.name == "each kiosk has its own claims"
    assert all(verdict.is_well for verdict in verdicts if verdict is not left_out)
    assert "note  each kiosk" in report(verdicts)
    assert report(verdicts).endswith("; 1 not asked\n")


@pytest.mark.parametrize("change", [{"pay_order": "10010"}, {"claim_order": "20001"}])
def test_an_order_that_cannot_serve_is_named(shop: DemoShop, change: dict[str, str]) -> None:
    verdicts = conformance(subject(shop, **change))
    ((number,),) = [change.values()]
    assert any(number in verdict.flaw for verdict in verdicts)


# --- defects ------------------------------------------------------------------------------------


def _with(response: httpx.Response, **changes: Any) -> httpx.Response:
    body = json.loads(response.content) | changes
    headers = {k: v for k, v in response.headers.items() if k.lower() != "content-length"}
    return httpx.Response(response.status_code, headers=headers, json=body)


def _again(request: httpx.Request, **changes: Any) -> httpx.Request:
    body = json.loads(request.content) | changes
    headers = {k: v for k, v in request.headers.items() if k.lower() != "content-length"}
    return httpx.Request(
        request.method, request.url, headers=headers, json=body, extensions=request.extensions
    )


def _is_claim(request: httpx.Request) -> bool:
    return request.url.path.endswith("/claim")


def _is_facts(request: httpx.Request) -> bool:
    return request.url.path.endswith("/facts")


def _is_list(request: httpx.Request) -> bool:
    return request.url.path.endswith("/orders")


def _facts(request: httpx.Request) -> list[dict[str, Any]]:
    try:
        found = json.loads(request.content)["facts"]
    except (ValueError, KeyError, TypeError):
        return []
    return found if isinstance(found, list) else []


def no_tokens(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    if answer.status_code == 401:
        return httpx.Response(200, json={"orders": []}, headers={"ETag": '"a"'})
    return answer


def no_etag(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    answer.headers.pop("etag", None)
    return answer


def never_304(request: httpx.Request, ask: Handle) -> httpx.Response:
    request.headers.pop("If-None-Match", None)
    return ask(request)


def always_304(request: httpx.Request, ask: Handle) -> httpx.Response:
    etag = request.headers.get("If-None-Match")
    return httpx.Response(304, headers={"ETag": etag}) if etag else ask(request)


def html_404(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    if answer.status_code == 404:
        return httpx.Response(404, html="<h1>Not found</h1>")
    return answer


def every_claim(request: httpx.Request, ask: Handle) -> httpx.Response:
    """No compare and set: who comes second gets the order too."""
    answer = ask(request)
    if _is_claim(request) and answer.status_code == 409:
        refusal = json.loads(answer.content)
        if refusal["error"] == "claimed":
            return httpx.Response(200, json={"order": refusal["order"], "lease_s": 1})
    return answer


def no_claim_twice(request: httpx.Request, ask: Handle) -> httpx.Response:
    """A repeat is refused: a kiosk whose answer was lost is shut out."""
    if _is_claim(request):
        claim = json.loads(request.content)["claim_id"]
        seen = no_claim_twice.__dict__.setdefault("seen", set())
        if claim in seen:
            request = _again(request, claim_id=f"{claim}-again")
        seen.add(claim)
    return ask(request)


def claims_of_all(request: httpx.Request, ask: Handle) -> httpx.Response:
    """Claim ids are taken for the world's: another kiosk's is renewed."""
    if _is_claim(request) or _is_facts(request):
        own = request.headers["Authorization"]
        request.headers["Authorization"] = claims_of_all.__dict__.setdefault("token", own)
    return ask(request)


def leases_for_ever(request: httpx.Request, ask: Handle) -> httpx.Response:
    if _is_claim(request):
        answer = ask(_again(request, lease_s=7200))
        return _with(answer, lease_s=1) if answer.status_code == 200 else answer
    return ask(request)


def long_leases(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    if _is_claim(request) and answer.status_code == 200:
        return _with(answer, lease_s=7200)
    return answer


def payments_hold_nothing(request: httpx.Request, ask: Handle) -> httpx.Response:
    if _is_facts(request) and any(fact["kind"] == "payment.started" for fact in _facts(request)):
        return httpx.Response(200, json={"accepted": len(_facts(request))})
    return ask(request)


def old_versions(request: httpx.Request, ask: Handle) -> httpx.Response:
    """A claim for an order that was changed meanwhile is granted."""
    answer = ask(request)
    if _is_claim(request) and answer.status_code == 409:
        refusal = json.loads(answer.content)
        if refusal["error"] == "changed":
            return httpx.Response(200, json={"order": refusal["order"], "lease_s": 1})
    return answer


def no_places(request: httpx.Request, ask: Handle) -> httpx.Response:
    """Any counter gets any order."""
    return ask(_again(request, pickup_point="mitte") if _is_claim(request) else request)


def claims_change_the_version(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    if _is_claim(request) and answer.status_code == 200:
        granted = json.loads(answer.content)
        return _with(answer, order=granted["order"] | {"version": "later"})
    return answer


def only_new_facts_count(request: httpx.Request, ask: Handle) -> httpx.Response:
    seen = only_new_facts_count.__dict__.setdefault("seen", set())
    answer = ask(request)
    ids = {fact["id"] for fact in _facts(request)} if _is_facts(request) else set()
    new = ids - seen
    seen |= ids
    return _with(answer, accepted=len(new)) if ids and answer.status_code == 200 else answer


def facts_for_a_day(request: httpx.Request, ask: Handle) -> httpx.Response:
    """Ids are forgotten: what comes again is booked again."""
    facts = _facts(request) if _is_facts(request) else []
    count = facts_for_a_day.__dict__.setdefault("count", [0])
    if any(fact["kind"] == "payment.approved" for fact in facts):
        count[0] += 1
        for fact in facts:
            fact["id"] += f"-{count[0]}"
            fact["body"]["payment"] = fact["body"].get("payment", "") + f"-{count[0]}"
        request = _again(request, facts=facts)
    return ask(request)


def payments_by_fact(request: httpx.Request, ask: Handle) -> httpx.Response:
    """Two facts about one payment are two payments."""
    facts = _facts(request) if _is_facts(request) else []
    if any(fact["kind"] == "payment.decided_paid" for fact in facts):
        for fact in facts:
            fact["body"]["payment"] += "-other"
        request = _again(request, facts=facts)
    return ask(request)


def strange_facts(request: httpx.Request, ask: Handle) -> httpx.Response:
    for fact in _facts(request) if _is_facts(request) else []:
        if fact["kind"].endswith(".of-tomorrow"):
            return httpx.Response(
                422,
                json={"refused": fact["id"], "reason": "unknown kind"},
                headers={"Content-Type": "application/problem+json"},
            )
    return ask(request)


def half_a_request(request: httpx.Request, ask: Handle) -> httpx.Response:
    """What stands before the fact that is refused is kept."""
    facts = _facts(request) if _is_facts(request) else []
    answer = ask(request)
    if answer.status_code == 422:
        refused = json.loads(answer.content)["refused"]
        for fact in facts:
            if fact["id"] == refused:
                break
            ask(_again(request, facts=[fact]))
    return answer


def nothing_is_refused(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    if answer.status_code == 422:
        return httpx.Response(200, json={"accepted": len(_facts(request))})
    return answer


def never_forgets(request: httpx.Request, ask: Handle) -> httpx.Response:
    if _is_facts(request) and _facts(request) is not None:
        try:
            json.loads(request.content)["facts"]
        except (ValueError, KeyError, TypeError):
            return ask(request)
        return ask(_again(request, after=""))
    return ask(request)


def wrong_newest(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    if _is_facts(request) and answer.status_code == 409:
        return _with(answer, newest="")
    return answer


def goods_stay(request: httpx.Request, ask: Handle) -> httpx.Response:
    """Handing over is noted, and the order stays as it was."""
    facts = _facts(request) if _is_facts(request) else []
    for fact in facts:
        if fact["kind"] == "handover.handed_over":
            fact["kind"] = "handover.set_aside"
    return ask(_again(request, facts=facts) if facts else request)


def put_back_keeps(request: httpx.Request, ask: Handle) -> httpx.Response:
    facts = _facts(request) if _is_facts(request) else []
    for fact in facts:
        if fact["kind"] == "handover.put_back":
            fact["kind"] = "handover.nothing_due"
    return ask(_again(request, facts=facts) if facts else request)


def wrong_sums(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    if _is_list(request) and answer.status_code == 200:
        orders = json.loads(answer.content)["orders"]
        for order in orders:
            order["total"] += 1
        return _with(answer, orders=orders)
    return answer


def hidden_orders(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    if _is_list(request) and answer.status_code == 200:
        return _with(answer, orders=[])
    return answer


def no_sellers(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    return _with(answer, iterations=0) if request.url.path.endswith("/sellers") else answer


def health_with_a_body(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    return httpx.Response(200, json={}) if answer.status_code == 204 else answer


def breaks_on_nonsense(request: httpx.Request, ask: Handle) -> httpx.Response:
    answer = ask(request)
    return httpx.Response(500) if answer.status_code == 400 else answer


DEFECTS: list[tuple[Defect, str]] = [
    (no_tokens, "tokens are asked for"),
    (no_etag, "the snapshot and its ETag"),
    (never_304, "the snapshot and its ETag"),
    (wrong_sums, "the snapshot and its ETag"),
    (hidden_orders, "the snapshot and its ETag"),
    (always_304, "paid and handed over, once"),
    (html_404, "unknown codes"),
    (every_claim, "of many claims one"),
    (no_claim_twice, "a claim is repeated and put back"),
    (put_back_keeps, "a claim is repeated and put back"),
    (claims_of_all, "each kiosk has its own claims"),
    (leases_for_ever, "a lease ends"),
    (long_leases, "a lease ends"),
    (payments_hold_nothing, "an open payment holds the order"),
    (old_versions, "claims that are refused"),
    (no_places, "claims that are refused"),
    (claims_change_the_version, "of many claims one"),
    (only_new_facts_count, "facts are known by their ids"),
    (strange_facts, "facts are known by their ids"),
    (half_a_request, "facts that are refused"),
    (nothing_is_refused, "facts that are refused"),
    (never_forgets, "what was forgotten is found out"),
    (wrong_newest, "what was forgotten is found out"),
    (facts_for_a_day, "paid and handed over, once"),
    (payments_by_fact, "paid and handed over, once"),
    (goods_stay, "paid and handed over, once"),
    (no_sellers, "sellers"),
    (health_with_a_body, "a kiosk's health"),
    (breaks_on_nonsense, "requests that cannot be read"),
]


@pytest.mark.parametrize(
    ("defect", "name"), DEFECTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_planted_defect_is_found(
    shop: DemoShop, defect: Defect, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_ENDS_S", 3.0)
    monkeypatch.setattr(module, "CHECKS", {name: CHECKS[name]})
    defect.__dict__.clear()
    verdicts = {verdict.name: verdict for verdict in conformance(subject(shop), Line(defect))}
    assert verdicts[name].is_asked
    assert verdicts[name].flaw, "the defect was not found"


def test_every_check_has_a_defect_that_it_finds() -> None:
    # That codes lead to their orders is the one that no line can break without breaking more.
    assert {name for _, name in DEFECTS} == set(CHECKS) - {"orders by their codes"}


def test_a_code_that_leads_elsewhere_is_found(shop: DemoShop) -> None:
    given = subject(shop)

    def defect(request: httpx.Request, ask: Handle) -> httpx.Response:
        wanted = request.url.raw_path.rpartition(b"/")[2].decode()
        answer = ask(request)
        is_code = "by-code" in request.url.path and wanted.startswith("NL-")
        return _with(answer, cell="Z-99") if is_code and answer.status_code == 200 else answer

    verdicts = {verdict.name: verdict for verdict in conformance(given, Line(defect))}
    assert "does not lead to order" in verdicts["orders by their codes"].flaw


# --- the command --------------------------------------------------------------------------------


def test_the_command(shop: DemoShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = subject(shop)
    file = tmp_path / "token"
    file.write_text(given.token + "\n")
    words = ["shop", "conformance", shop.url, "--token-file", str(file), "--pickup-point", "mitte"]
    words += ["--claim-order", given.claim_order, "--pay-order", given.pay_order]
    assert main(words) == 0
    assert "ok    paid and handed over, once" in capsys.readouterr().out
    assert main(words) == 65, "the second order is handed over by now"
    assert f"order {given.pay_order} is handed_over" in capsys.readouterr().out
    file.unlink()
    assert main(words) == 66


def test_the_command_by_a_proxy(
    shop: DemoShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = subject(shop)
    crt, key = certificate(tmp_path, "127.0.0.1")
    port = int(shop.url.rpartition(":")[2])
    with TlsFront(crt, key, port) as front, Proxy() as proxy:
        words = [f"https://127.0.0.1:{front.port}", "--token", given.token, "--ca-file", str(crt)]
        words += ["--pickup-point", "mitte", "--proxy", proxy.url]
        words += ["--claim-order", given.claim_order, "--pay-order", given.pay_order]
        assert main(["shop", "conformance", *words]) == 0, capsys.readouterr().out
        assert set(proxy.asked) == {f"CONNECT 127.0.0.1:{front.port} HTTP/1.1"}
        assert given.token.encode() not in proxy.carried


@pytest.mark.parametrize(
    ("url", "proxy", "said"),
    [
        ("https://shop.example", "proxy.example:3128", "the proxy"),
        ("https://shop.example", "http://a:b@proxy.example:1", "user or password"),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", "would read the token"),
    ],
)
def test_a_proxy_that_cannot_be_used(url: str, proxy: str, said: str) -> None:
    with pytest.raises(ConfigTrouble, match=said):
        conformance(Subject(url, "T", "mitte", "1", "2", proxy=proxy))


def test_a_shop_that_is_not_there(shop: DemoShop) -> None:
    given = subject(shop)
    gone = Subject("http://127.0.0.1:1", given.token, "mitte", "1", "2")
    with pytest.raises(ShopTrouble) as caught:
        conformance(gone)
    assert caught.value.code is Code.SHOP_UNREACHABLE


@pytest.mark.parametrize("token", ["", "a b", "ä"])
def test_a_token_that_is_none(token: str) -> None:
    with pytest.raises(ConfigTrouble):
        conformance(Subject("https://shop.example", token, "mitte", "1", "2"))
