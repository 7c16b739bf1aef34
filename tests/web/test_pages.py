"""What the routes answer, for screens of every kind."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from appliance.counter.commands import Answer, Command
from appliance.counter.screen import Action, Day, Notice, Page, Refused
from appliance.domain.errors import Code
from tests.web.conftest import OURS
from tests.web.fake import FakeCounter
from tests.web.samples import ALL_BAD, SAMPLES
from web import LANGUAGES, pages, view

VOID = {"meta", "link", "br", "path"}


class Html(HTMLParser):
    """Tags with their attributes, the text, and whether every element is closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


def get(client: FlaskClient, path: str = "/screen", language: str = "en") -> Html:
    client.set_cookie(pages.COOKIE, language)
    response = client.get(path)
    assert response.status_code == 200
    return Html(response.get_data(as_text=True))


def test_there_is_a_sample_of_every_page() -> None:
    assert {sample.page for sample in SAMPLES.values()} == set(Page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_screen_is_sound_html_with_unique_ids(
    counter: FakeCounter, client: FlaskClient, language: str
) -> None:
    for name, sample in SAMPLES.items():
        seq = counter.show(sample)
        html = get(client, "/", language)
        ids = [attributes["id"] for _, attributes in html.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), name
        assert not [i for i in ids if re.search(r"\s", i or " ")], name
        assert ("html", {"lang": language, "data-theme": "auto"}) in html.tags
        root = next(a for _, a in html.tags if a.get("id") == "screen")
        assert (root["data-seq"], root["data-page"]) == (str(seq), sample.page), name
        # The policy forbids both, and a browser would leave them out without a word.
        assert not [a for _, a in html.tags if "style" in a or any(k.startswith("on") for k in a)]
        assert sum(tag == "h1" for tag, _ in html.tags) == 1, name


def test_every_action_can_be_reached_by_touch(counter: FakeCounter, client: FlaskClient) -> None:
    for name, sample in SAMPLES.items():
        counter.show(sample)
        html = get(client)
        tags = [attributes for _, attributes in html.tags]
        offered = {attributes.get("data-action") for attributes in tags}
        expected = {str(action) for action in sample.actions}
        if any("data-keypad" in attributes for attributes in tags):
            offered.add("scan")
        if any("data-language" in attributes for attributes in tags):
            offered.add("language")
        if not sample.attention:
            expected.discard("attention")  # a list of nothing
        # Two names for the same thing where the page has one button for both.
        if sample.page is Page.REFUSED or sample.page is Page.NO_RECEIPT:
            offered |= {"confirm", "cancel"} & expected
        if sample.page in (Page.ATTENTION, Page.DAY):
            rows = len(getattr(sample.body, "items", getattr(sample.body, "rows", ())))
            expected -= {"next"} if rows < 2 else set()
        if not getattr(sample.body, "orders", (1,)):
            expected.discard("open")
        # While an order is open, a code is scanned or typed on a keyboard; there is no key pad.
        if sample.page not in (
            Page.IDLE,
            Page.REFUSED,
            Page.ATTENTION,
            Page.ATTENTION_ITEM,
            Page.DAY,
        ):
            expected.discard("scan")
        assert expected <= offered, name
        assert offered - {None} <= expected | {"scan", "language"}, name


@pytest.mark.parametrize(
    ("name", "language", "words"),
    [
        ("idle", "en", ["Scan an order", "1042", "1,284.50 €", "37 handed over today"]),
        ("idle", "ru", ["Сканируйте заказ", "1\u00a0284,50\u00a0€", "Сегодня выдано 37 заказов"]),
        ("idle-many", "en", ["2 open questions", "K-PRN-02", "No paper", "and 8 more", "58"]),
        ("idle-empty", "en", ["1 handed over today", "No order is waiting."]),
        ("idle-sign-in", "en", ["Scan your badge", "Nobody signed in", "K-SEL-02"]),
        (
            "order",
            "de",
            ["1.284,50\u00a0€ kassieren", "0,350\u00a0kg", "−15,00\u00a0€", "6. Okt., 18:02"],
        ),
        ("order-yen", "fr", ["12\u202f800\u00a0JPY"]),
        ("order-rubles", "ru", ["Принять 128\u00a0000,00\u00a0₽"]),
        (
            "order-declined",
            "en",
            ["Declined", "K-PAY-01", "The terminal shows: Karte ungültig", "Nothing was charged."],
        ),
        ("idle-many", "en", ["Open the printer's lid.", "close the lid."]),
        ("order-shut", "en", ["The shop has cancelled this order.", "ask the office."]),
        ("order-changed", "en", ["−16.90", "These are the figures it sent last."]),
        ("order-shut", "en", ["This order cannot be charged now."]),
        ("order-checks", "en", ["Age checked: 18+", "Identity checked: passport"]),
        ("charging", "en", ["Present your card at the terminal", "Bitte Karte einstecken"]),
        ("charging-stop", "en", ["What counts is what the terminal says now."]),
        (
            "unknown",
            "en",
            ["Please wait.", "Do not hand over.", "Do not charge again.", "14:40", "K-PAY-07"],
        ),
        ("hand-over", "en", ["Paid. Hand over.", "Visa **** 4711", "Receipt is printing"]),
        ("hand-over-online", "en", ["Paid online. Hand over.", "1,284.50"]),
        ("hand-over-checks", "en", ["Check first."]),
        ("hand-over-slip", "en", ["says the slip", "Receipt not printed"]),
        (
            "refused-elsewhere",
            "en",
            ["Other pickup point", "Ligovsky 45", "The shop's message tells the customer"],
        ),
        ("refused-elsewhere-unnamed", "en", ["1042", "At another counter hafen"]),
        ("no-receipt", "en", ["Order 1042 is paid.", "Go on without receipt", "K-PRN-02"]),
        (
            "attention-payment",
            "en",
            ["52011234", "receipt number higher than 417", "The slip says: paid"],
        ),
        ("attention-badge", "en", ["Scan your badge first"]),
        ("attention-handover", "en", ["Hand over now"]),
        ("attention-office", "en", ["The office knows", "409 order is closed"]),
        ("day", "en", ["52 handed over", "and 15 more", "by slip"]),
        ("out-of-order-settings", "en", ["K-CFG-01", "line 20: shop.url: https is needed"]),
        ("starting", "en", ["Starting"]),
    ],
)
def test_a_screen_says_what_it_must(
    counter: FakeCounter, client: FlaskClient, name: str, language: str, words: list[str]
) -> None:
    counter.show(SAMPLES[name])
    text = get(client, language=language).text.replace("\u00a0", "~").replace("\u202f", "~")
    for word in words:
        bare = word.replace("\u00a0", "~").replace("\u202f", "~").replace(" €", "~€")
        assert bare in text, text


def test_words_for_the_log_file_are_not_for_the_seller(
    counter: FakeCounter, client: FlaskClient
) -> None:
    for name in ("idle-notice", "unknown", "attention-payment"):
        counter.show(SAMPLES[name])
        text = get(client, language="ru").text
        assert not re.search("too slow|no answer for 60 s|the line is closed", text), name
    body = Refused(Code.SHOP_NONSENSE, "1042", "502, no JSON", None)
    counter.show(replace(SAMPLES["refused-unknown"], body=body))
    assert "no JSON" not in get(client).text
    notice = Notice(Code.SCAN_NOT_NOW, "4006381333931")
    counter.show(replace(SAMPLES["order"], notice=notice))
    assert "4006381333931" in get(client).text


def test_the_bar_names_the_trouble_of_a_device(counter: FakeCounter, client: FlaskClient) -> None:
    for name, shown in (("no-receipt", True), ("idle-troubles", False)):
        counter.show(SAMPLES[name])
        html = client.get("/screen").text
        bar = html[html.index("<header") : html.index("</header>")]
        assert 'data-dialog="troubles"' in bar
        assert ('<span class="unseen">Printer</span>' in bar) == shown, name
        assert ('<span class="clip">No paper</span>' in bar) == shown, name


def test_the_start_page_tells_every_step_of_every_cure(
    counter: FakeCounter, client: FlaskClient
) -> None:
    counter.show(SAMPLES["idle-troubles"])
    page = get(client).text
    page = page[: page.index("Waiting here")]
    for device in ALL_BAD:
        assert device.health.code is not None
        for step in view.language("en").worded(device.health.code).cure:
            assert step in page


def test_a_badge_can_be_typed_where_only_a_badge_goes_on(
    counter: FakeCounter, client: FlaskClient
) -> None:
    def has_key_pad() -> bool:
        return any("data-keypad" in attributes for _, attributes in get(client).tags)

    for name in ("order", "no-receipt", "hand-over"):
        counter.show(SAMPLES[name])
        assert not has_key_pad(), name
        counter.show(replace(SAMPLES[name], seller=None))
        assert has_key_pad(), name
        counter.show(replace(SAMPLES[name], seller=None, notice=Notice(Code.SIGN_IN_FIRST)))
        assert has_key_pad(), name


def test_when_an_order_was_handed_over_is_said_as_people_say_it(
    counter: FakeCounter, client: FlaskClient
) -> None:
    body = Refused(Code.ORDER_HANDED_OVER, "1042", "2025-10-06T18:02:11+0200", None)
    counter.show(replace(SAMPLES["refused-unknown"], body=body))
    assert "ausgegeben 6. Okt., 18:02" in get(client, language="de").text
    body = replace(body, detail="2025-10-07T12:43:00+0200")
    counter.show(replace(SAMPLES["refused-unknown"], body=body))
    assert "handed over 12:43" in get(client).text


def test_a_copy_of_the_marked_row_is_offered_only_where_it_has_a_receipt(
    counter: FakeCounter, client: FlaskClient
) -> None:
    day = SAMPLES["day"]
    assert isinstance(day.body, Day)
    for selected, row in enumerate(day.body.rows):
        counter.show(replace(day, body=replace(day.body, selected=selected)))
        ids = [attributes.get("id") for _, attributes in get(client).tags]
        assert ("do-reprint" in ids) == row.may_reprint, row


def test_an_unknown_code_stands_there_once_and_whole(
    counter: FakeCounter, client: FlaskClient
) -> None:
    counter.show(SAMPLES["refused-unknown-long"])
    assert get(client).text.count("0123456789ABCDEF") == 8


def test_an_uncertain_payment_never_reads_as_paid_or_green(
    counter: FakeCounter, client: FlaskClient
) -> None:
    for name in ("unknown", "attention-payment", "charging-stop"):
        counter.show(SAMPLES[name])
        html = get(client)
        root = next(a for _, a in html.tags if a.get("id") == "screen")
        assert "tone-go" not in str(root["class"]), name
        assert "Paid." not in html.text, name
        assert "Nothing was charged" not in html.text, name


def test_goods_are_not_green_while_a_check_is_open(
    counter: FakeCounter, client: FlaskClient
) -> None:
    counter.show(SAMPLES["hand-over-checks"])
    assert "tone-ready" in client.get("/screen").text
    counter.show(SAMPLES["hand-over"])
    assert "tone-go" in client.get("/screen").text


def test_text_from_outside_is_text(counter: FakeCounter, client: FlaskClient) -> None:
    evil = '"><script>alert(1)</script>'
    body = Refused(Code.ORDER_MALFORMED, evil, evil + evil, None)
    counter.show(replace(SAMPLES["refused-unknown"], counter=evil, body=body))
    text = client.get("/").text
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") == 4


def command(client: FlaskClient, **fields: object) -> tuple[int, str | None]:
    response = client.post("/command", json=fields, headers=OURS)
    return response.status_code, response.headers.get("X-Kassa-Answer")


def test_a_command_reaches_the_counter_and_gets_the_screen(
    counter: FakeCounter, client: FlaskClient
) -> None:
    seq = counter.screen().seq
    response = client.post(
        "/command",
        json={"id": "a-1", "seq": seq, "action": "open", "argument": "o-1042"},
        headers=OURS,
    )
    assert response.status_code == 200
    assert counter.commands == [Command("a-1", Action.OPEN, "o-1042", seq)]
    assert f'data-seq="{seq}"' in response.text


def test_a_form_is_as_good_as_json(counter: FakeCounter, client: FlaskClient) -> None:
    fields = {"id": "a-1", "seq": "1", "action": "day"}
    response = client.post("/command", data=fields, headers=OURS | {"X-Kassa": "1"})
    assert response.status_code == 200
    assert counter.commands == [Command("a-1", Action.DAY, "", 1)]


@pytest.mark.parametrize(
    ("answer", "status"),
    [(Answer.DONE, 200), (Answer.STALE, 409), (Answer.NOT_HERE, 409), (Answer.BUSY, 503)],
)
def test_the_answer_is_told_with_the_current_screen(
    counter: FakeCounter, client: FlaskClient, answer: Answer, status: int
) -> None:
    counter.answer = answer
    assert command(client, id="a", seq=1, action="confirm") == (status, answer)


def test_a_command_for_a_screen_that_is_gone_does_nothing(
    counter: FakeCounter, client: FlaskClient
) -> None:
    counter.show(SAMPLES["order"])
    assert command(client, id="a", seq=1, action="confirm") == (409, "stale")
    assert counter.commands == []


def test_a_scan_is_about_what_is_there_now(counter: FakeCounter, client: FlaskClient) -> None:
    assert command(client, id="a", action="scan", argument="4006381333931")[0] == 200
    assert counter.commands == [Command("a", Action.SCAN, "4006381333931", None)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"id": "a", "seq": 1, "action": "charge"},
        {"id": "a", "seq": 1, "action": ["confirm"]},
        {"id": "", "seq": 1, "action": "confirm"},
        {"id": "a b", "seq": 1, "action": "confirm"},
        {"id": "a" * 65, "seq": 1, "action": "confirm"},
        {"id": 7, "seq": 1, "action": "confirm"},
        {"id": "a", "action": "confirm"},
        {"id": "a", "seq": None, "action": "confirm"},
        {"id": "a", "seq": -1, "action": "confirm"},
        {"id": "a", "seq": 2**60, "action": "confirm"},
        {"id": "a", "seq": True, "action": "confirm"},
        {"id": "a", "seq": 1.5, "action": "confirm"},
        {"id": "a", "seq": "one", "action": "confirm"},
        {"id": "a", "seq": "1", "action": "confirm"},
        {"id": "a", "seq": "", "action": "scan"},
        {"id": "a", "seq": 1, "action": "open", "argument": "x" * 129},
        {"id": "a", "seq": 1, "action": "open", "argument": "x\ny"},
        {"id": "a", "seq": 1, "action": "open", "argument": 7},
    ],
)
def test_what_is_no_command_is_refused(
    counter: FakeCounter, client: FlaskClient, fields: dict[str, object]
) -> None:
    assert command(client, **fields) == (400, None)
    assert counter.commands == []


@pytest.mark.parametrize("body", ["[]", "7", "{", '"x"', "null", "[" * 4000, '{"id":' * 600])
def test_a_body_that_is_no_object_is_refused(client: FlaskClient, body: str) -> None:
    headers = OURS | {"Content-Type": "application/json"}
    for path in ("/command", "/heartbeat", "/language"):
        assert client.post(path, data=body, headers=headers).status_code == 400


def test_a_query_that_is_no_text_is_ignored(client: FlaskClient) -> None:
    for path in ("/", "/screen", "/static/kiosk.css"):
        assert client.get(path, query_string="v=\x8a", buffered=True).status_code == 200


def test_the_heartbeat_names_a_page(counter: FakeCounter, client: FlaskClient) -> None:
    assert client.post("/heartbeat", json={"page": "idle"}, headers=OURS).status_code == 204
    assert client.post("/heartbeat", json={"page": "../x"}, headers=OURS).status_code == 400
    assert client.post("/heartbeat", json={"page": ["idle"]}, headers=OURS).status_code == 400
    assert client.post("/heartbeat", json={"page": "elsewhere"}, headers=OURS).status_code == 204
    assert counter.beats == ["idle", "elsewhere"]


def test_the_language_is_kept_in_a_cookie(client: FlaskClient) -> None:
    response = client.post("/language", json={"language": "de"}, headers=OURS)
    assert response.status_code == 204
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Bestellung scannen" in client.get("/").text
    assert client.post("/language", json={"language": "xx"}, headers=OURS).status_code == 400
    client.set_cookie(pages.COOKIE, "../etc")
    assert "Scan an order" in client.get("/").text


def test_health_and_numbers(counter: FakeCounter, client: FlaskClient) -> None:
    for status, expected in (("ok", 200), ("degraded", 200), ("failing", 503)):
        counter.status = status
        response = client.get("/healthz")
        assert (response.status_code, response.get_json()["status"]) == (expected, status)
    response = client.get("/metrics")
    assert response.data == b"kassa_up 1\n"
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_an_error_is_a_plain_page(
    counter: FakeCounter, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/nothing").status_code == 404
    wrong = client.get("/command")
    assert wrong.status_code == 405
    assert set(wrong.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}

    def broken() -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(counter, "screen", broken)
    response = client.get("/screen")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert response.headers["Content-Security-Policy"]
