"""Nobody but the kiosk's own page may drive it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from appliance.domain.errors import ConfigTrouble
from tests.web.conftest import HOST, OURS
from tests.web.fake import LINK, FakeCounter
from web import WebSettings, create_app
from web.settings import Theme

COMMAND = {"id": "a", "seq": 1, "action": "confirm"}
COMMANDS = (
    "/command", "/heartbeat", "/language", "/link", "/pair", "/device", "/devices/remove",
)  # fmt: skip
SAME = {"Sec-Fetch-Site": "same-origin"}
GETS = (
    "/",
    "/screen",
    f"/link/{LINK}",
    "/events",
    "/healthz",
    "/metrics",
    "/commands",
    "/static/kiosk.css",
)


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("host", ["evil.example", "localhost:81", "localhost.evil.example", ""])
def test_only_our_own_names_are_served(client: FlaskClient, path: str, host: str) -> None:
    assert client.get(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:81"},
        {"Origin": f"ftp://{HOST}"},
        {"Origin": "http://evil.example", **SAME},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {**OURS, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_command_from_elsewhere_is_refused(
    counter: FakeCounter, client: FlaskClient, headers: dict[str, str]
) -> None:
    for path in COMMANDS:
        assert client.post(path, json=COMMAND, headers=headers).status_code == 403
    assert (counter.commands, counter.beats, counter.links) == ([], [], [])


@pytest.mark.parametrize("headers", [OURS, SAME, OURS | SAME, {"Origin": f"https://{HOST}"}])
def test_our_own_page_may_send_commands(
    counter: FakeCounter, client: FlaskClient, headers: dict[str, str]
) -> None:
    assert client.post("/command", json=COMMAND, headers=headers).status_code == 200
    assert len(counter.commands) == 1


def test_a_form_that_any_page_could_send_is_refused(
    counter: FakeCounter, client: FlaskClient
) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
        response = client.post("/command", data="id=a", content_type=kind, headers=OURS)
        assert response.status_code == 403
    assert counter.commands == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_cannot_read_or_occupy_us(client: FlaskClient, site: str) -> None:
    for path in GETS:
        assert client.get(path, headers={"Sec-Fetch-Site": site}).status_code == 403
    # Whoever follows a link to the kiosk only looks at it.
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/screen", headers=headers).status_code == 403
    assert client.post("/command", json=COMMAND, headers=headers).status_code == 403


@pytest.mark.parametrize("path", COMMANDS)
def test_what_changes_something_is_never_a_get(client: FlaskClient, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        response = client.open(path, method=method, json=COMMAND, headers=OURS)
        assert response.status_code == 405


def test_a_large_body_is_not_read(client: FlaskClient) -> None:
    response = client.post("/command", json={"argument": "x" * 5000}, headers=OURS)
    assert response.status_code == 413


def test_every_answer_carries_the_headers(client: FlaskClient) -> None:
    for path in (*[p for p in GETS if p != "/events"], "/nothing"):
        headers = client.get(path, buffered=True).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "payment=()" in headers["Permissions-Policy"]
        assert "Access-Control-Allow-Origin" not in headers
        if not path.startswith("/static"):
            assert headers["Cache-Control"] == "no-store"


def test_an_asset_is_kept_only_under_the_address_of_its_content(client: FlaskClient) -> None:
    page = client.get("/").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in client.get(address, buffered=True).headers["Cache-Control"]
    assert (
        "immutable"
        not in client.get("/static/kiosk.css?v=0", buffered=True).headers["Cache-Control"]
    )
    assert client.get("/static/../__init__.py").status_code == 404


def test_a_frame_is_allowed_to_whom_the_settings_name(counter: FakeCounter) -> None:
    settings = WebSettings(hosts=(HOST,), frame_ancestors=("http://localhost:8200", "'self'"[1:-1]))
    headers = create_app(counter, settings).test_client().get("/").headers
    assert "frame-ancestors http://localhost:8200 self" in headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in headers


@pytest.mark.parametrize(
    "wrong",
    [
        {"hosts": ()},
        {"languages": ("en", "xx")},
        {"languages": ("de",), "language": "en"},
        {"theme": "pink"},
        {"heartbeat_s": 0},
        {"heartbeat_s": 601},
        {"frame_ancestors": ("http://a; script-src *",)},
        {"frame_ancestors": ("http://a\r\nX: y",)},
        {"frame_ancestors": ("http://ä",)},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigTrouble):
        WebSettings(**({"hosts": (HOST,)} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("theme", list(Theme))
def test_the_theme_stands_in_the_page(counter: FakeCounter, theme: Theme) -> None:
    app: Flask = create_app(counter, WebSettings(hosts=(HOST,), theme=theme))
    assert f'data-theme="{theme}"' in app.test_client().get("/").text
