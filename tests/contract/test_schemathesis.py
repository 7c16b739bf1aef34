"""Both HTTP surfaces under requests that a machine draws from their documents: the short form.
The long one is `make proof`."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from appliance.counter.commands import Answer
from appliance.counter.screen import Action, Page
from appliance.simulators.shop import DemoShop
from tests.contract.hostile_requests import (
    SCREEN,
    SHOP,
    Outcome,
    ask,
    ask_kiosk,
    ask_shop,
    running_kiosk,
)
from tests.contract.schemathesis_hooks import exact
from tests.proof import requests
from tests.rig import WAIT_S, Kiosk
from tests.web.fake import FakeCounter
from web import LANGUAGES, WebSettings, create_app

EXAMPLES = 4
SEED = 1


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    with running_kiosk(tmp_path_factory.mktemp("kiosk")) as kiosk:
        yield kiosk


@pytest.mark.slow
def test_the_demo_shop_answers_as_its_document_says() -> None:
    with DemoShop() as shop:
        outcome = ask_shop(shop, examples=EXAMPLES, seed=SEED)
    assert not outcome.story, outcome.story
    assert outcome.cases > 100


@pytest.mark.e2e
@pytest.mark.slow
def test_the_kiosk_answers_as_its_document_says(kiosk: Kiosk) -> None:
    outcome = ask_kiosk(kiosk, examples=EXAMPLES, seed=SEED)
    assert not outcome.story, outcome.story
    assert outcome.cases > 100
    assert kiosk.health()["status"] == "ok"


@pytest.mark.slow
def test_an_answer_that_is_not_documented_is_found(tmp_path: Path) -> None:
    document = yaml.safe_load(SHOP.read_text(encoding="utf-8"))
    code = "/v1/orders/by-code/{code}"
    document["paths"] = {code: document["paths"][code]}
    del document["paths"][code]["get"]["responses"]["404"]
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    with DemoShop() as shop:
        headers = {"Authorization": f"Bearer {shop.tokens['mitte-1']}"}
        outcome = ask(file, shop.url, headers, examples=EXAMPLES, seed=SEED)
    assert "404" in outcome.story
    assert "/v1/orders/by-code/" in outcome.story


def test_a_search_that_cannot_begin_says_so(tmp_path: Path) -> None:
    outcome = ask(tmp_path / "none.yaml", "http://127.0.0.1:1", {}, examples=1, seed=SEED)
    assert outcome.cases == 0
    assert outcome.story


def test_whole_numbers_are_integers() -> None:
    assert repr(exact({"a": [1.0, 1.5, True, "1.0"]})) == "{'a': [1, 1.5, True, '1.0']}"


# --- the kiosk's document ---------------------------------------------------------------------


def _screen() -> dict[str, Any]:
    document = yaml.safe_load(SCREEN.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def test_the_document_is_sound_and_knows_the_programs_words() -> None:
    document = _screen()
    validate(document)
    schemas = document["components"]["schemas"]
    assert schemas["Action"]["enum"] == [str(action) for action in Action]
    assert schemas["PageName"]["enum"] == [str(page) for page in Page]
    answers = document["components"]["headers"]["Answer"]["schema"]["enum"]
    assert answers == [str(answer) for answer in Answer]
    chosen = document["paths"]["/language"]["post"]["requestBody"]["content"]["application/json"]
    assert chosen["schema"]["properties"]["language"]["enum"] == list(LANGUAGES)


@pytest.mark.e2e
def test_the_stream_of_events_is_as_its_document_says(kiosk: Kiosk) -> None:
    """It has no end, so nothing that waits for one can ask it."""
    ((kind, content),) = _screen()["paths"]["/events"]["get"]["responses"]["200"]["content"].items()
    lines = content["examples"]["first"]["value"].splitlines()
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(kiosk.origin.rpartition(":")[2]), timeout=WAIT_S
    )
    try:
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Content-Type"].partition(";")[0] == kind
        said = [answer.readline().decode().rstrip("\n") for _ in lines]
    finally:
        connection.close()
    seq = said[3].removeprefix("id: ")
    assert said == [line.replace("17", seq) for line in lines]


def test_paths_of_the_document_are_those_of_the_program() -> None:
    app = create_app(FakeCounter(), WebSettings(hosts=("localhost",)))
    known = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
    assert known == {(path, m) for path, item in _screen()["paths"].items() for m in item}


# --- the long form ----------------------------------------------------------------------------


def test_the_long_form_adds_up_and_tells_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "running_kiosk", nullcontext)
    monkeypatch.setattr(requests, "ask_shop", lambda *_, examples, **__: Outcome(2 * examples))
    monkeypatch.setattr(requests, "ask_kiosk", lambda *_, **__: Outcome(5, "HTTP 500"))
    result = requests.search(examples=3, seed=2)
    assert result.figures == {"requests": 11, "to the shop": 6, "to the kiosk": 5}
    assert result.violations == ("seed 2: HTTP 500",)
