"""Links over HTTP: what is answered, whatever becomes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from appliance.counter.counter import Followed
from appliance.counter.links import Source
from appliance.counter.screen import Leave
from appliance.domain.errors import Code, JournalTrouble
from appliance.protocols.links.messages import LONGEST_LINK, LinkError, Outcome, Reason, Result
from tests.web.conftest import HOST, OURS
from tests.web.fake import LINK, FakeCounter
from tests.web.samples import SAMPLES
from web import WebSettings, create_app

URI = "kassa-api://payNow?order=1042"
NOTHING = {"outcome": "", "reason": "", "code": "", "text": "", "address": ""}
PAID = Result(Outcome.PAID, Reason.NONE, "1042", 1_790_000_000, payment="H-1-1")


def post(client: FlaskClient, link: object = URI) -> tuple[int, Any]:
    response = client.post("/link", json={"link": link}, headers=OURS)
    return response.status_code, response.json


def test_a_link_is_taken(counter: FakeCounter, client: FlaskClient) -> None:
    assert post(client) == (200, {"id": LINK, "state": "waiting", **NOTHING})
    assert counter.links == [(URI, Source.KIOSK)]


def test_what_has_become_of_it(counter: FakeCounter, client: FlaskClient) -> None:
    counter.taken = Followed(LINK, "open", None, None)
    assert client.get(f"/link/{LINK}").json == {"id": LINK, "state": "open", **NOTHING}
    counter.taken = Followed(LINK, "ended", PAID, "https://shop.example/?status=paid")
    told: Any = client.get(f"/link/{LINK}").json
    assert told["outcome"] == "paid"
    assert told["address"] == "https://shop.example/?status=paid"


@pytest.mark.parametrize("address", [None, "https://shop.example/?status=refused"])
def test_a_refused_link(counter: FakeCounter, client: FlaskClient, address: str | None) -> None:
    counter.taken = LinkError(Reason.SEAL, "the signature is not right")
    counter.refusal_address = address
    assert post(client) == (
        422,
        {
            "id": "", "state": "refused", "outcome": "refused", "reason": "seal",
            "code": "K-LNK-01", "text": "the signature is not right", "address": address or "",
        },
    )  # fmt: skip


@pytest.mark.parametrize("trouble", [JournalTrouble(Code.DISK_FULL), TimeoutError()])
def test_nobody_can_say(counter: FakeCounter, client: FlaskClient, trouble: Exception) -> None:
    """Neither taken nor refused: whoever asked must ask again."""
    counter.taken = trouble
    status, told = post(client)
    assert (status, told["state"], told["outcome"]) == (503, "unknown", "")
    assert client.get(f"/link/{LINK}").status_code == 503


@pytest.mark.parametrize(
    "name", ["L-" + "1" * 32, "H-1-1", "L-", "L-..", LINK + "%0a", LINK + "-123"]
)
def test_what_is_not_known_is_not_found(
    counter: FakeCounter, client: FlaskClient, name: str
) -> None:
    assert client.get(f"/link/{name}").status_code == 404


@pytest.mark.parametrize("link", [None, 7, ["x"], {"a": 1}])
def test_a_body_without_a_link(counter: FakeCounter, client: FlaskClient, link: object) -> None:
    assert post(client, link)[0] == 400
    assert client.post("/link", json=[link], headers=OURS).status_code == 400
    form = {"link": URI}
    assert client.post("/link", data=form, headers=OURS | {"X-Kassa": "1"}).status_code == 400
    assert counter.links == []


def test_the_longest_link_has_room_and_no_other_body_does(
    counter: FakeCounter, client: FlaskClient
) -> None:
    longest = URI + "0" * (LONGEST_LINK - len(URI))
    assert post(client, longest)[0] == 200
    assert post(client, longest * 2)[0] == 413
    body = {"page": "idle", "more": longest}
    assert client.post("/heartbeat", json=body, headers=OURS).status_code == 413
    assert len(counter.links) == 1


def test_the_screen_tells_its_page_where_to_go(counter: FakeCounter, client: FlaskClient) -> None:
    assert "data-leave" not in client.get("/screen").text
    address = 'https://shop.example/?a=1&b="><script>'
    counter.show(replace(SAMPLES["idle"], leave=Leave(LINK, address)))
    shown = client.get("/screen").text
    assert f'data-leave-id="{LINK}"' in shown
    assert 'data-leave="https://shop.example/?a=1&amp;b=&#34;&gt;&lt;script&gt;"' in shown


def test_the_idle_page_leads_to_the_shops_pages_where_there_are_any(counter: FakeCounter) -> None:
    without = create_app(counter, WebSettings(hosts=(HOST,))).test_client()
    assert "go-shop" not in without.get("/").text
    settings = WebSettings(hosts=(HOST,), pages=("https://shop.example",))
    client = create_app(counter, settings).test_client()
    assert 'id="go-shop" href="https://shop.example/"' in client.get("/screen").text
    told = {"rotation": 0, "resolution": "", "keyboard": "us", "pages": True}
    assert client.get("/display").json == told
    counter.show(SAMPLES["order"])
    assert "go-shop" not in client.get("/screen").text


def test_what_a_browser_may_not_start_by_itself_can_be_tapped(
    counter: FakeCounter, client: FlaskClient
) -> None:
    """Chromium starts one application for each touch; pages that it may show need none."""
    counter.show(replace(SAMPLES["idle"], leave=Leave(LINK, "https://shop.example/?a=1")))
    assert "go-leave" not in client.get("/screen").text
    counter.show(replace(SAMPLES["charging"], leave=Leave(LINK, "pay-api://payNow?a=1&b=2")))
    shown = client.get("/screen").text
    assert 'id="go-leave" href="pay-api://payNow?a=1&amp;b=2"' in shown
    assert 'data-leave="pay-api://payNow?a=1&amp;b=2"' in shown
