"""The counter's side of paired devices, over loopback."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from appliance.counter.links import Source
from tests.web.conftest import HOST, OURS
from tests.web.fake import FakeCounter
from web import WebSettings, create_app
from web.settings import Listener

URI = "kassa-api://payNow?order=1042"
SEALED = f"{URI}&kid=shop&nonce={'n' * 22}&exp=1790000000&sig={'A' * 43}"


def post(client: FlaskClient, path: str, **body: object) -> int:
    return client.post(path, json=body, headers=OURS).status_code


def test_a_device_is_paired_known_listed_and_removed(client: FlaskClient) -> None:
    assert post(client, "/pair", code="wrong", name="Phone") == 403
    found = client.post("/pair", json={"code": "the-code", "name": "Phone"}, headers=OURS)
    assert found.json == {"token": "the-token"}
    assert post(client, "/device", token="the-token") == 200
    assert post(client, "/device", token="another") == 403
    listed = client.get("/devices").json
    assert listed == [{"id": "D-1", "name": "Phone", "at": "2025-10-07T12:00:00Z"}]
    assert "hash" not in str(listed)
    assert post(client, "/devices/remove", id="D-2") == 404
    assert post(client, "/devices/remove", id="D-1") == 204
    assert post(client, "/device", token="the-token") == 403


def test_a_devices_link_is_a_devices(counter: FakeCounter, client: FlaskClient) -> None:
    assert post(client, "/link", link=URI, token="the-token") == 200
    assert counter.links == [(URI, Source.DEVICE)]
    assert post(client, "/link", link=URI, token="another") == 403
    assert post(client, "/link", link=URI, token=7) == 400
    assert len(counter.links) == 1


@pytest.mark.parametrize("confirmed", [False, None, "true", 1])
def test_what_is_not_sealed_waits_for_a_person(
    counter: FakeCounter, client: FlaskClient, confirmed: object
) -> None:
    """What looks sealed and is not is refused by the counter, and asks nobody either."""
    foreign = "sumupmerchant://pay/1.0?amount=1.00&currency=EUR&sig=x"
    for link in (URI, foreign):
        sent = {"link": link, "token": "the-token", "confirmed": confirmed}
        found = client.post("/link", json=sent, headers=OURS)
        is_read = found.status_code == 409
        assert is_read or found.status_code == 200
        if is_read:
            assert found.json is not None
            assert found.json["state"] == "unconfirmed"
    assert URI not in [text for text, _ in counter.links]
    assert post(client, "/link", link=SEALED, token="the-token", confirmed=confirmed) == 200


def test_how_devices_are_served_is_told_when_it_is_known(counter: FakeCounter) -> None:
    unknown = create_app(counter, WebSettings(hosts=(HOST,))).test_client()
    assert unknown.get("/listener").status_code == 503
    settings = WebSettings(hosts=(HOST,), listener=Listener("0.0.0.0:8143", "https://c.example"))
    told = create_app(counter, settings).test_client().get("/listener").json
    assert told == {
        "listen": "0.0.0.0:8143", "public_url": "https://c.example", "cert_file": "",
        "key_file": "",
    }  # fmt: skip
