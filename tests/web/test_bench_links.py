"""The bench's workshop for links, and its routes."""

import json
from dataclasses import replace

import pytest

from appliance.counter.link_gate import LONGEST_LIFE_S
from appliance.protocols.links import dialects, kassa
from appliance.protocols.links.messages import LinkError
from appliance.protocols.links.signing import Stamp
from appliance.simulators.shop.links import LinkKeys
from appliance.simulators.town import Town
from web.bench.app import Bench, create_bench
from web.bench.files import Folder
from web.bench.kiosk import Kiosk
from web.bench.links import FORMATS, SIGNED, Workshop

NOW = 1_790_000_000
SHOP = "https://shop.example"
FORM = {
    "format": "kassa",
    "act": "sell",
    "order": "10001",
    "amount": "12.34",
    "currency": "EUR",
    "callback": f"{SHOP}/paid?{{response}}",
    "signed": "yes",
}


@pytest.fixture
def workshop():
    return Workshop(LinkKeys(), (SHOP,), lambda: NOW)


def rows(told):
    return dict(told["rows"])


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_built_is_understood(workshop, name):
    told = workshop.inspect(workshop.build(FORM | {"format": name}))
    assert (told["kind"], told["error"]) == ("request", "")
    assert rows(told)["order"] == "10001"
    assert rows(told)["amount"] == "12.34 EUR"
    if name in SIGNED:
        assert told["seal"] == "The seal holds, for another 600 s."
        assert told["signed"].startswith("kassa-link 1\nrequest\n")
    else:
        assert told["seal"] == "It has no seal."
    assert [answer["outcome"] for answer in told["answers"]] == [
        "paid", "cancelled", "declined", "refused",
    ]  # fmt: skip
    for answer in told["answers"]:
        assert answer["address"].startswith(f"{SHOP}/paid?")
        if name in SIGNED:
            assert workshop.inspect(answer["address"])["seal"].startswith("The seal holds")


def test_a_receipt_is_answered_otherwise(workshop):
    told = workshop.inspect(workshop.build(FORM | {"act": "print"}))
    assert [answer["outcome"] for answer in told["answers"]] == ["printed", "refused"]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "none"},
        {"act": "dance"},
        {"order": ""},
        {"order": "1" * 129},
        {"amount": "12,34"},
        {"amount": "-1"},
        {"amount": "1.234"},
        {"currency": "XXX"},
        {"callback": "javascript:alert(1)"},
        {"callback": "/paid"},
        {"callback": f"{SHOP}/paid?status=paid"},
        {"format": "sumup-ios", "amount": ""},
        {"format": "square-ios", "amount": "0"},
    ],
)
def test_what_makes_no_link_is_refused(workshop, changes):
    with pytest.raises(LinkError):
        workshop.build(FORM | changes)


def test_how_a_seal_is(workshop):
    def seal(stamp, **changes):
        link = replace(dialects.parse(workshop.build(FORM)), **changes)
        return workshop.inspect(kassa.build(link, stamp))["seal"]

    ours = workshop.keys.shop
    assert seal(None) == "It has no seal."
    assert seal(Stamp(ours, "n" * 16, NOW)) == "The seal holds, but it has expired."
    late = seal(Stamp(ours, "n" * 16, NOW + LONGEST_LIFE_S + 1))
    assert late == "The seal holds, but it expires too late: a day ahead is the most."
    assert seal(Stamp(LinkKeys().shop, "n" * 16, NOW + 1)) == "The seal does not hold."
    strange = seal(Stamp(replace(ours, id="other"), "n" * 16, NOW + 1))
    assert strange == "The key other is not known here; the demo's is nordlicht."


def test_what_is_refused_is_told_where_that_is_known(workshop):
    told = workshop.inspect(f"kassa-api://payNow?order=1&tip=5&callback={SHOP}/r")
    assert told["kind"] == "nothing"
    assert told["error"] == "malformed: tip: no parameter of this format"
    (answer,) = told["answers"]
    assert answer["outcome"] == "refused"
    assert "sig=" not in answer["address"]
    for nonsense in ("", "x", "kassa-api://", "https://shop.example/paid", "ä" * 9000):
        told = workshop.inspect(nonsense)
        assert (told["kind"], told["answers"]) == ("nothing", [])
        assert told["error"]


def test_where_nothing_may_be_answered(workshop):
    told = workshop.inspect(workshop.build(FORM | {"callback": "https://evil.example/"}))
    assert {answer["address"] for answer in told["answers"]} == {
        "none: return_to does not have https://evil.example"
    }
    told = workshop.inspect(workshop.build(FORM | {"callback": ""}))
    assert {answer["address"] for answer in told["answers"]} == {"none: no callback"}


def test_a_result_is_taken_apart_wherever_it_came_to(workshop):
    told = workshop.inspect(workshop.build(FORM))
    address = told["answers"][0]["address"].replace("/paid?", "/paid?cart=7&")
    said = workshop.inspect(address)
    assert said["kind"] == "result"
    assert rows(said)["status"] == "paid"
    assert "cart" not in rows(said)
    assert said["seal"].startswith("The seal holds")
    forged = workshop.inspect(address.replace("status=paid", "status=printed"))
    assert forged["seal"] == "The seal does not hold."


# --- the routes -------------------------------------------------------------------------------

HOST = {"Host": "127.0.0.1:8101"}
POST = {**HOST, "Origin": "http://127.0.0.1:8101", "X-Kassa": "bench"}


@pytest.fixture
def client(tmp_path):
    with Town(tmp_path, host_s=0.0) as town:
        folder = Folder(tmp_path)
        kiosk = Kiosk(folder.config, folder.kiosk, folder.logs, 1, town.touch)  # never started
        app = create_bench(Bench(town, kiosk, kiosk_port=8100, port=8101, language="en"))
        app.testing = True
        yield app.test_client()


def test_the_page_reads_and_builds(client):
    page = client.get("/links", headers=HOST)
    assert page.status_code == 200
    assert b"/staff/returned?{response}" in page.data
    built = client.post("/links/build", json=FORM, headers=POST)
    link = built.get_json()["link"]
    told = client.post("/links/read", json={"link": link}, headers=POST).get_json()
    assert told["seal"].startswith("The seal holds, for another")
    refused = client.post("/links/build", json=FORM | {"order": ""}, headers=POST)
    assert refused.status_code == 422
    assert "order" in refused.get_json()["error"]
    symbol = client.get("/code.svg", query_string={"kind": "qr", "text": link}, headers=HOST)
    assert symbol.data.startswith(b"<svg")
    too_long = {"kind": "qr", "text": "x" * 1001}
    assert client.get("/code.svg", query_string=too_long, headers=HOST).status_code == 400


def test_a_counter_without_power_says_nothing(client):
    answer = client.post("/links/send", json={"link": "kassa-api://payNow?order=1"}, headers=POST)
    assert answer.status_code == 503
    path = "/links/sent/L-" + "0" * 32
    assert client.get(path, headers=HOST).status_code == 503
    assert client.get("/links/sent/../state", headers=HOST).status_code == 404
    assert client.get("/links/sent/L-1", headers=HOST).status_code == 404


@pytest.mark.parametrize("path", ["/links/read", "/links/build", "/links/send"])
def test_the_routes_are_guarded_and_bounded(client, path):
    foreign = {**HOST, "Origin": "https://evil.example"}
    assert client.post(path, json={}, headers=foreign).status_code == 403
    assert client.post(path, json={}, headers={**POST, "Host": "evil.example"}).status_code == 421
    form = client.post(path, data={"link": "x"}, headers={**HOST, "Origin": POST["Origin"]})
    assert form.status_code == 403
    for odd in (b"[]", b"7", b"{", b"[" * 5000):
        answer = client.post(path, data=odd, content_type="application/json", headers=POST)
        assert answer.status_code == 400
    long = json.dumps({"link": "x" * 17_000})
    answer = client.post(path, data=long, content_type="application/json", headers=POST)
    assert answer.status_code == 413
