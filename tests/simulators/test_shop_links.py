"""The demo shop's links, and what it believes of what comes back."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from appliance.counter.link_keys import read_keys
from appliance.domain.money import Money
from appliance.protocols.links import dialects, kassa
from appliance.protocols.links.messages import Act, Callbacks, Link, Outcome, Reason, Result
from appliance.protocols.links.signing import Key, Stamp, public, verify
from appliance.protocols.scans import LONGEST_CODE
from appliance.protocols.shopapi import order_from_json
from appliance.simulators.shop import DemoShop
from appliance.simulators.shop.links import LIFE_S, MOST_NONCES, LinkKeys, ShopLinks, Verdict
from appliance.simulators.shop.store import ShopStore

NOW = 1_790_000_000
BACK = "http://127.0.0.1:8080/staff/returned"
EUR = Money.of(10817, "EUR")


@pytest.fixture
def shop() -> Iterator[DemoShop]:
    with DemoShop() as shop:
        yield shop


@pytest.fixture
def now() -> list[int]:
    return [NOW]


@pytest.fixture
def links(now: list[int]) -> ShopLinks:
    return ShopLinks(LinkKeys(), lambda: now[0])


def an_order() -> object:
    store = ShopStore(":memory:")
    found = store.by_code("10001")
    store.close()
    return found


def offered(links: ShopLinks) -> list[Link]:
    found = [dialects.parse(each.link) for each in links.offered(order_from_json(an_order()), BACK)]
    assert len(found) == 12
    return found


def result(links: ShopLinks, link: Link, key: Key | None = None, **changes: object) -> str:
    """The query that the page is opened with. key: the counter's, where none is given."""
    said = Result(Outcome.PAID, Reason.NONE, link.order, NOW, link.amount, payment="H-1-1")
    stamp = Stamp(key or links.keys.counter, "n" * 32, NOW + 300)
    said = replace(said, **changes)  # type: ignore[arg-type]
    address = dialects.respond(link, said, stamp)
    assert address is not None
    assert address.startswith(f"{BACK}?")
    return urlsplit(address).query


def test_the_counter_reads_the_keys_that_the_shop_signs_with() -> None:
    keys = LinkKeys()
    read = read_keys("\n".join(keys.lines()))
    assert read == {"nordlicht": public(keys.shop), "counter": keys.counter}
    assert LinkKeys().shop.material != keys.shop.material


def test_every_format_is_offered_and_understood(links: ShopLinks) -> None:
    found = offered(links)
    assert {link.dialect for link in found} == set(dialects.DIALECTS)
    assert {link.act for link in found} == set(Act) - {Act.STATUS}  # that a cash desk asks
    assert {link.order for link in found} == {"10001"}
    assert {link.amount for link in found} == {EUR}
    seals = [link.seal for link in found if link.seal]
    assert len(seals) == len({seal.nonce for seal in seals}) == 6
    for seal in seals:
        assert seal.key_id == "nordlicht"
        assert verify(public(links.keys.shop), seal.text, seal.signature)
        assert seal.expires_at == NOW + LIFE_S


def test_a_code_is_short_enough_for_a_scanner(links: ShopLinks) -> None:
    codes = [each for each in links.offered(order_from_json(an_order()), BACK) if each.is_code]
    assert len(codes) == 1
    assert len(codes[0].link) <= LONGEST_CODE


def test_an_order_that_is_paid_has_none_of_the_formats_that_need_an_amount(
    links: ShopLinks,
) -> None:
    order = order_from_json(an_order())
    paid = replace(order, paid=order.total, due=Money.of(0, "EUR"))
    assert {dialects.parse(each.link).dialect for each in links.offered(paid, BACK)} == {
        "kassa", "x-callback",
    }  # fmt: skip


def test_the_counters_seal_is_believed(links: ShopLinks) -> None:
    for link in offered(links):
        if link.seal and link.callbacks.success:
            said = links.returned(result(links, link))
            assert (said.verdict, said.order) == (Verdict.TRUE, "10001"), said.says
            error = result(links, link, outcome=Outcome.DECLINED, reason=Reason.CARD_DECLINED)
            assert links.returned(error).verdict is Verdict.TRUE


def test_what_is_not_sealed_is_not_proved(links: ShopLinks) -> None:
    for link in offered(links):
        if link.seal is None:
            said = links.returned(result(links, link))
            assert said.verdict is Verdict.UNKNOWN, said.says
            assert said.order == "10001" or link.dialect == "paypal-here"
    bare = re.sub("&kid=.*", "", result(links, offered(links)[0]))
    assert links.returned(bare).verdict is Verdict.UNKNOWN


def test_a_seal_over_a_link_that_is_not_ours_proves_nothing(links: ShopLinks) -> None:
    foreign = kassa.parse(
        kassa.build(
            Link("kassa", Act.SELL, "10001", "", None, Callbacks(*[f"{BACK}?{{response}}"] * 3)),
            Stamp(links.keys.shop, "m" * 32, NOW + 60),
        )
    )
    assert links.returned(result(links, foreign)).verdict is Verdict.UNKNOWN


def test_forgeries_are_not_believed(links: ShopLinks, now: list[int]) -> None:
    link = offered(links)[0]
    true = result(links, link)
    stranger = replace(LinkKeys().counter)
    for query in (
        true.replace("amount=10817", "amount=1"),
        result(links, link, stranger),
        result(links, link, replace(stranger, id="stranger")),
        result(links, link, links.keys.shop),
        result(links, link, order="10002"),
        true + "&status=paid",
        true + "&x=1",
        "status=paid",
        "status=%FF",
        "&".join(["status=paid"] * 100),
    ):
        said = links.returned(query)
        assert said.verdict is Verdict.FALSE, query
        assert said.says
    now[0] = NOW + 300
    assert links.returned(true).verdict is Verdict.FALSE


@pytest.mark.parametrize("query", ["", "a", "data=[", "data=" + "[" * 5000, "data=7", "x=%zz"])
def test_nonsense_is_not_proved(links: ShopLinks, query: str) -> None:
    said = links.returned(query)
    assert (said.verdict, said.order) == (Verdict.UNKNOWN, "")


def test_only_the_newest_nonces_are_kept(links: ShopLinks) -> None:
    first = offered(links)[0]
    for _ in range(MOST_NONCES // 6 + 1):
        offered(links)
    assert links.returned(result(links, first)).verdict is Verdict.UNKNOWN
    assert len(links._numbers) == MOST_NONCES


# --- the pages --------------------------------------------------------------------------------


def test_the_pages(shop: DemoShop) -> None:
    with httpx.Client(base_url=shop.url, trust_env=False) as browser:
        assert "/staff/links/10001" in browser.get("/staff").text
        page = browser.get("/staff/links/10001").text
        found = [html.unescape(link) for link in re.findall(r'data-link="([^"]+)"', page)]
        assert len(found) == 11
        first = dialects.parse(found[0])
        assert first.callbacks.success == f"{shop.url}/staff/returned?{{response}}"
        said = Result(Outcome.PAID, Reason.NONE, "10001", NOW, EUR, payment="H-1-1")
        stamp = Stamp(shop.links.keys.counter, "n" * 32, 2_000_000_000)
        address = dialects.respond(first, said, stamp)
        assert address is not None
        back = browser.get(address).text
        assert 'data-verdict="true"' in back
        assert "not paid" in back, "the books follow the facts"
        assert shop.store.pay_online("ord-10001")
        assert "not paid" not in browser.get(address).text
        assert browser.get("/staff/links/none").status_code == 404
        odd = browser.get("/staff/returned?status=<script>")
        assert odd.status_code == 200
        assert 'data-verdict="false"' in odd.text
        assert "<script>alert" not in odd.text
        assert "no such order" in odd.text


def test_no_other_site_reaches_the_pages(shop: DemoShop) -> None:
    for path in ("/staff/links/10001", "/staff/returned"):
        answer = httpx.get(shop.url + path, headers={"Host": "shop.example"}, trust_env=False)
        assert answer.status_code == 403
