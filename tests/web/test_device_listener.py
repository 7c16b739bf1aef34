"""What the shop's network reaches: each way in which somebody else might use it, refused."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from web.links import BURST, COOKIE, PAIR_BURST, create_app
from web.links.upstream import Answer, Upstream

URL = "https://counter-1.shop.example:8143"
HOST = {"Host": "counter-1.shop.example:8143"}
OURS = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
TOKEN = "t" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LINK = "L-" + "0" * 32
EVIL = "https://evil.example"
URI = "kassa-api://payNow?order=1042"
PAGES = ("/", "/pair", "/open", f"/open?link={quote(URI)}")
TAKEN = {"id": LINK, "state": "waiting", "outcome": "", "address": ""}


@dataclass
class Counter(Upstream):
    """Remembers what it is asked; knows one device."""

    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    code: str = "c" * 22
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def pair(self, code: str, name: str) -> Answer:
        self.asked.append(("pair", code, name))
        if code != self.code:
            return Answer(403, {})
        self.code = ""
        return Answer(200, {"token": TOKEN})

    def device(self, token: str) -> Answer:
        known = token in self.tokens
        return Answer(200, {"id": "D-1", "name": "Phone"}) if known else Answer(401, {})

    def link(self, text: str, token: str, *, confirmed: bool) -> Answer:
        if token not in self.tokens:
            return Answer(401, {})
        self.asked.append(("link", text, str(confirmed)))
        return Answer(200, TAKEN)

    def followed(self, name: str) -> Answer:
        self.asked.append(("followed", name))
        return Answer(200, TAKEN)


@pytest.fixture
def counter() -> Counter:
    return Counter()


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(counter: Counter, clock: Clock) -> FlaskClient:
    return create_app(counter, URL, now=clock).test_client(use_cookies=False)


def link(client: FlaskClient, headers: dict[str, str], **body: object) -> int:
    sent = {"link": URI, "confirmed": True} | body
    return client.post("/link", json=sent, headers=HOST | headers).status_code


def test_a_paired_browser_and_a_program_may(counter: Counter, client: FlaskClient) -> None:
    assert link(client, BEARER) == 200
    assert link(client, OURS | {"Cookie": f"{COOKIE}={TOKEN}"}) == 200
    assert client.get(f"/link/{LINK}", headers=HOST | BEARER).json == TAKEN
    assert [what for what, *_ in counter.asked] == ["link", "link", "followed"]


# --- CSRF -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "https://counter-1.shop.example"},  # another port is another site's
        {"Origin": "http://counter-1.shop.example:8143"},
        {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": URL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": URL, "Sec-Fetch-Site": "same-site"},
        {},
    ],
)
def test_another_sites_page_cannot_post_with_our_cookie(
    counter: Counter, client: FlaskClient, headers: dict[str, str]
) -> None:
    assert link(client, headers | {"Cookie": f"{COOKIE}={TOKEN}"}) == 403
    assert counter.asked == []


def test_no_form_is_taken(counter: Counter, client: FlaskClient) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
        for path in ("/link", "/pair"):
            sent = HOST | OURS | {"Cookie": f"{COOKIE}={TOKEN}"}
            body = f'{{"link": "{URI}"}}'
            found = client.post(path, data=body, content_type=kind, headers=sent)
            assert found.status_code == 403
    assert counter.asked == []


def test_no_other_origin_is_let_in(client: FlaskClient) -> None:
    """No answer has a header that would let another site's script read it or send more."""
    for method in ("OPTIONS", "GET", "POST"):
        found = client.open(
            "/link",
            method=method,
            headers=HOST | {"Origin": EVIL, "Access-Control-Request-Method": "POST"},
        )
        assert found.status_code == 403
        assert not [name for name, _ in found.headers if name.startswith("Access-Control")]


# --- a foreign site that drives the page ----------------------------------------------------------


def test_a_page_may_be_led_to_and_does_nothing_by_itself(
    counter: Counter, client: FlaskClient
) -> None:
    led = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for path in PAGES:
        assert client.get(path, headers=HOST | led).status_code == 200
    assert counter.asked == []


@pytest.mark.parametrize("path", ["/me", f"/link/{LINK}", "/static/device.js"])
def test_nothing_else_may_be_led_to_or_embedded(client: FlaskClient, path: str) -> None:
    for mode in ("navigate", "no-cors", "cors"):
        led = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        assert client.get(path, headers=HOST | BEARER | led).status_code == 403


def test_what_is_not_confirmed_is_passed_on_as_that(counter: Counter, client: FlaskClient) -> None:
    for confirmed in (False, None, "true", 1):
        link(client, BEARER, confirmed=confirmed)
    assert {confirmed for *_, confirmed in counter.asked} == {"False"}


# --- DNS rebinding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8143", "counter-1.shop.example", "127.0.0.1:8143", "",
     "counter-1.shop.example.evil.example:8143", "evil.example@counter-1.shop.example:8143"],
)  # fmt: skip
def test_only_the_one_name_is_served(counter: Counter, client: FlaskClient, host: str) -> None:
    for path in (*PAGES, "/me", f"/link/{LINK}"):
        assert client.get(path, headers={"Host": host} | BEARER).status_code == 421
    assert counter.asked == []


# --- clickjacking ---------------------------------------------------------------------------------


def test_no_page_may_be_framed(client: FlaskClient) -> None:
    for path in (*PAGES, "/nothing"):
        headers = client.get(path, headers=HOST).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"


# --- open redirect --------------------------------------------------------------------------------


def test_no_parameter_makes_a_redirect(client: FlaskClient) -> None:
    for name in ("next", "url", "to", "return", "callback", "address", "link"):
        for path in ("/", "/pair", "/open", "/me"):
            found = client.get(f"{path}?{name}={quote(EVIL)}", headers=HOST | BEARER)
            assert found.status_code == 200
            assert "Location" not in found.headers
            assert "evil" not in found.text
    for path in ("//evil.example", "/%2f%2fevil.example", "/\\evil.example"):
        found = client.get(path, headers=HOST)
        assert "evil" not in found.headers.get("Location", "")


# --- SSRF -----------------------------------------------------------------------------------------


def test_nothing_is_ever_fetched_but_from_the_counter(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a link names: the only address that is dialled is the counter's."""
    dialled: list[object] = []

    def dial(address: object, *_: object, **__: object) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", dial)
    client = create_app(Upstream(8100), URL, now=clock).test_client()
    for target in ("http://169.254.169.254/", "http://127.0.0.1:22/", "file:///etc/passwd", EVIL):
        callback = quote(target, safe="")
        uri = f"kassa-api://payNow?order=1&callback={callback}"
        assert link(client, BEARER, link=uri) == 503
        client.get(f"/open?link={quote(uri, safe='')}", headers=HOST)
        client.get(f"/link/{callback}", headers=HOST | BEARER)
    assert set(dialled) == {("127.0.0.1", 8100)}


# --- injection ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e", LINK + "%0d%0aX: y", LINK + "?a=b", LINK + "%3fa=b", LINK + "%2f..%2fdevices",
     "L-" + "0" * 31 + "%00", LINK + "-100", "D-1"],
)  # fmt: skip
def test_only_an_id_becomes_part_of_a_path(
    counter: Counter, client: FlaskClient, name: str
) -> None:
    client.get(f"/link/{name}", headers=HOST | BEARER)
    assert [asked for asked in counter.asked if asked != ("followed", LINK)] == []


@pytest.mark.parametrize("token", ["", "t" * 42, "t" * 44, TOKEN + "\t", "ä" * 43, "t" * 42 + ";"])
def test_only_a_token_is_passed_on(counter: Counter, client: FlaskClient, token: str) -> None:
    counter.tokens.add(token)
    sent = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    assert link(client, sent) == 401
    assert counter.asked == []


def test_what_a_link_holds_is_on_no_page(client: FlaskClient) -> None:
    text = quote("kassa-api://payNow?order=<script>alert(1)</script>\"'&x=\r\nX-Evil: 1", safe="")
    found = client.get(f"/open?link={text}", headers=HOST)
    assert "alert" not in found.text
    assert "X-Evil" not in found.headers


# --- cookies --------------------------------------------------------------------------------------


def test_the_cookie_is_kept_for_us_alone(counter: Counter, client: FlaskClient) -> None:
    body = {"code": counter.code, "name": "Phone"}
    found = client.post("/pair", json=body, headers=HOST | OURS)
    assert (found.status_code, found.data) == (204, b"")
    words = [word.strip() for word in found.headers["Set-Cookie"].split(";")]
    assert words[0] == f"{COOKIE}={TOKEN}"
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(words)
    assert not [word for word in words if word.startswith("Domain")]
    assert COOKIE.startswith("__Host-"), "or a neighbour's page could set one for us"


def test_a_cookie_of_another_name_or_beside_a_bearer_is_none(client: FlaskClient) -> None:
    assert link(client, OURS | {"Cookie": f"kassa={TOKEN}"}) == 401
    assert link(client, OURS | {"Cookie": f"{COOKIE}={TOKEN}", "Authorization": "Basic x"}) == 401


# --- pairing --------------------------------------------------------------------------------------


def test_a_code_that_was_used_pairs_nobody(counter: Counter, client: FlaskClient) -> None:
    body = {"code": counter.code, "name": "Phone"}
    assert client.post("/pair", json=body, headers=HOST | OURS).status_code == 204
    again = client.post("/pair", json=body, headers=HOST | OURS)
    assert again.status_code == 403
    assert "Set-Cookie" not in again.headers


def test_a_program_gets_its_token_and_no_cookie(counter: Counter, client: FlaskClient) -> None:
    body = {"code": counter.code, "name": "PC", "bearer": True}
    found = client.post("/pair", json=body, headers=HOST)
    assert found.json == {"token": TOKEN}
    assert "Set-Cookie" not in found.headers


def test_codes_cannot_be_tried_fast(counter: Counter, client: FlaskClient, clock: Clock) -> None:
    body = {"code": "x", "name": "Phone"}
    tried = [client.post("/pair", json=body, headers=HOST | OURS).status_code for _ in range(20)]
    assert tried == [403] * int(PAIR_BURST) + [429] * (20 - int(PAIR_BURST))
    clock.now_s += 5
    assert client.post("/pair", json=body, headers=HOST | OURS).status_code == 403


def test_the_token_of_a_removed_device_counts_no_longer(
    counter: Counter, client: FlaskClient
) -> None:
    counter.tokens.clear()
    assert link(client, BEARER) == 401
    assert client.get("/me", headers=HOST | BEARER).status_code == 401
    assert client.get(f"/link/{LINK}", headers=HOST | BEARER).status_code == 401
    assert counter.asked == []


# --- bounds ---------------------------------------------------------------------------------------


def test_requests_are_bounded(client: FlaskClient, clock: Clock) -> None:
    codes = [client.get("/", headers=HOST).status_code for _ in range(int(BURST) + 10)]
    assert codes == [200] * int(BURST) + [429] * 10
    clock.now_s += 1
    assert client.get("/", headers=HOST).status_code == 200


def test_a_large_body_is_not_read(client: FlaskClient) -> None:
    assert link(client, BEARER, link="x" * 20_000) == 413
