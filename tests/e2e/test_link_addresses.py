"""A browser is the judge of addresses: what we accept it must read as we do, as it opens them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from appliance.protocols.links.address import fill, origin, read
from appliance.protocols.links.messages import LinkError

pytestmark = pytest.mark.e2e

EACH = 20_000
READ = """texts => texts.map(text => {
    try {
        const url = new URL(text);
        const user = url.username + url.password;
        return [url.protocol, user, url.host, url.pathname, url.search, url.hash];
    } catch { return null; }
})"""
STARTS = ("https://", "http://", "https://shop.example", "https://1.2.3.4", "myapp://a", "a://b?x=")
PIECES = [
    *("https", "http", "myapp", ":", "://", "//", "/", "\\", "@", "user:pw@", "?", "#", "&", "="),
    *("shop.example", "Shop.EXAMPLE", "evil.example", "a", "1", "-", "_", "~", "'", "!", "|", "^"),
    *("127.0.0.1", "127.1", "0x7f.1", "2130706433", "1.2.3.4", "08", "0x", ".", "..", "..."),
    *("[::1]", "[2001:db8::1]", "[::ffff:1.2.3.4]", "[::1%25a]", "[", "]", "%2e", "%2E%2e"),
    *("xn--bcher-kva", "xn--a", "xn--abc-", "xn--", "xn--1ug", "xn--80ak6aa92e"),
    *("443", ":443", ":80", ":0443", ":", "%00", "%0a", "%41", "%25", "%", "{", "}"),
    *("{response}", "{Type}", " ", "\t", "ä", "а", "。", "％", "`"),
]


def texts(seed: str) -> Iterator[str]:
    chance = random.Random(seed)
    for _ in range(EACH):
        pieces = chance.choices(PIECES, k=chance.randint(1, 6))
        yield chance.choice(STARTS) + "".join(pieces)


def accepted(check: Callable[[str], object], seed: str) -> list[str]:
    found = []
    for text in texts(seed):
        try:
            check(text)
        except LinkError:
            continue
        found.append(text)
    assert len(found) > EACH / 100, "too few to say anything"
    return found


def test_the_origin_that_is_allowed_is_the_one_that_is_opened(page: Page) -> None:
    templates = accepted(origin, "origin")
    opened = [fill(text, (("status", "paid"),), {"Type": "@evil.example/"}) for text in templates]
    for text, address, seen in zip(templates, opened, page.evaluate(READ, opened), strict=True):
        assert seen is not None, address
        scheme, user, host, *_ = seen
        # Of a scheme that it does not know the browser keeps the host as it is written.
        assert (f"{scheme}//{host}".lower(), user) == (origin(text), ""), address


def test_the_request_that_we_read_is_the_one_that_was_clicked(page: Page) -> None:
    # No request has a scheme whose hosts have rules of their own.
    links = [text for text in accepted(read, "request") if not text.lower().startswith("http")]
    for text, seen in zip(links, page.evaluate(READ, links), strict=True):
        assert seen is not None, text
        scheme, user, host, path, search, fragment = seen
        found = read(text)
        assert (scheme, user, fragment) == (f"{found.scheme}:", "", ""), text
        assert (host + path).lower().removesuffix("/") == found.target, text
        # It passes the query on as it is but for this sign, so a seal over what it means holds.
        assert search.removeprefix("?") == text.partition("?")[2].replace("'", "%27"), text
