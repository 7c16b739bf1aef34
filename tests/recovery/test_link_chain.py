"""Two whole counters that are joined by links alone. A scans, hands over the goods and tells the
shop; its terminal and its printer are B, which reports the payment as well. Whatever is lost on
the way between them: the card is charged once, and A says of the money what the bank says, or a
person does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from appliance.domain.facts import Kind
from tests.children import Child
from tests.rig import Rig, until

CODE: Final = "NL-10001"
NUMBER: Final = "10001"
LIFE_S: Final = 5
PATIENT: Final = 60
"""completion_timeout_s where an answer is to come."""


def _key(name: str, letter: bytes) -> str:
    material = base64.urlsafe_b64encode(letter * 32).decode().rstrip("=")
    return f"{name} hmac-sha256 {material}"


A_KEY: Final = _key("counter-a", b"a")
B_KEY: Final = _key("counter-b", b"b")
LINKS: Final = f"""
[links]
accept = "signed"
return_to = ["kassa-api:"]
keys = ["{A_KEY}", "{B_KEY}"]
"""


class Desk:
    """One counter: its surroundings, and the process."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._child: Child | None = None

    def start(self) -> None:
        child = Child("tests.recovery.link_counter", str(self.rig.config_file), str(LIFE_S))
        self._child = child.__enter__()
        until(lambda: len(self.screen()["devices"]) == 4, "the devices are known")

    def kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.__exit__(None, None, None)

    def say(self, *words: str) -> Any:
        assert self._child is not None
        return json.loads(self._child.tell(json.dumps(words)).readline())

    def screen(self) -> dict[str, Any]:
        found: dict[str, Any] = self.say("screen")
        return found

    @property
    def page(self) -> str:
        return str(self.screen()["page"])

    def kinds(self) -> list[Kind]:
        return [fact.kind for fact in self.rig.facts()]


class Chain:
    """A, B, and the browser that carries links from one to the other, unless it is told to lose
    them. It opens each link that A shows once, as A's page does."""

    def __init__(self, folder: Path, stack: ExitStack, answer_s: int, status: bool) -> None:
        (folder / "a").mkdir()
        (folder / "b").mkdir()
        self.a = Desk(stack.enter_context(Rig(folder / "a", counter="unknown_ask_s = 60")))
        self.b = Desk(stack.enter_context(Rig(folder / "b", beside=self.a.rig)))
        self._configure(answer_s, status)
        self.loses: set[str] = set()
        self.carried: list[str] = []
        self.results: list[str] = []
        self._opened: set[str] = set()
        self._followed: set[str] = set()
        for desk in (self.a, self.b):
            stack.callback(desk.kill)
            desk.start()

    def _configure(self, answer_s: int, status: bool) -> None:
        file = self.a.rig.config_file
        text = re.sub(r"(?s)\[terminal\].*?(?=\[scanner\])", "", file.read_text())
        file.write_text(
            f"{text}{LINKS}sign_with = 'counter-a'\n"
            f"[terminal]\nkind = 'pay-api'\nanswer_key = 'counter-b'\n"
            f"completion_timeout_s = {answer_s}\nknows_status = {str(status).lower()}\n"
            "[printer]\nkind = 'print-api'\nanswer_key = 'counter-b'\n"
            "print_merchant_slip = false\nprint_declines = false\n"
        )
        file = self.b.rig.config_file
        file.write_text(f"{file.read_text()}{LINKS}sign_with = 'counter-b'\n")

    # --- the browser

    def browse(self) -> None:
        """One look at A's page, and at what B has to say."""
        leave = self.shown()
        if leave and leave[0] not in self._opened:
            self._opened.add(leave[0])
            kind = leave[1].partition("?")[0]
            self.carried.append(kind)
            if kind not in self.loses:
                self.bring(leave[1])
        for request in list(self._followed):
            found = self.b.say("followed", request)
            if found.get("address"):
                self._followed.discard(request)
                self.results.append(found["address"])
                if "result" not in self.loses:
                    self.deliver(found["address"])

    def shown(self) -> list[str] | None:
        """The id and the address of the link that A shows, if it does."""
        found: list[str] | None = self.a.screen()["leave"]
        return found

    def pay_link(self) -> str:
        """The link of the payment, which A's driver shows soon after the payment has begun."""
        kept: list[str] = []

        def looked() -> bool:
            kept[:] = self.shown() or []
            return bool(kept) and kept[1].startswith("pay-api://payNow?")

        until(looked, "A shows the payment's link")
        return kept[1]

    def bring(self, link: str) -> None:
        found = self.b.say("link", link, "device")
        if "id" in found:
            self._followed.add(found["id"])

    def deliver(self, result: str) -> Any:
        return self.a.say("link", result, "kiosk")

    def until(self, condition: Any, what: str, wait_s: float = 60.0) -> None:
        def looked() -> Any:
            self.browse()
            return condition()

        until(looked, what, wait_s)

    # --- people

    def to_charging(self) -> None:
        until(lambda: self.a.screen()["fetched"], "the orders are here")
        self.until(lambda: self.a.screen()["devices"]["terminal"] == "ok", "A's page is there", 30)
        self.a.say("act", "scan", CODE)
        until(lambda: self.a.page == "order", "the order is open")
        self.a.say("act", "confirm")
        until(lambda: self.a.page == "charging", "the payment is B's")

    def to_card(self) -> None:
        """Until B's terminal wants one."""
        self.until(lambda: self.b.rig.terminal.state()["waits_for"] == "card", "a card is wanted")

    def tap(self) -> None:
        self.b.rig.terminal.tap()

    # --- what must hold

    @property
    def charged(self) -> int:
        return self.b.rig.bank.balance()

    def order(self) -> dict[str, Any]:
        found: dict[str, Any] = self.a.rig.shop.state()["orders"][NUMBER]
        return found

    def ends_paid(self) -> None:
        """Handed over at A; charged, booked and told once."""
        self.until(lambda: self.a.page == "hand_over", "A knows that it is paid")
        assert self.charged == self.order()["total"]
        self.until(lambda: self.a.screen()["receipt"] == "printed", "the receipt is printed")
        assert self.a.say("act", "confirm") == "done"
        self.until(lambda: self.order()["handed_over"] == 1, "the shop knows")
        for desk in (self.a, self.b):
            self.until(lambda desk=desk: desk.screen()["undelivered"] == 0, "the shop has it all")
        order = self.order()
        assert order["due"] == 0
        assert len(order["payments"]) == 1
        assert len(self.b.rig.bank.bookings()) == 1
        assert self.a.kinds().count(Kind.STARTED) == 1
        assert self.b.kinds().count(Kind.STARTED) == 1
        assert any(NUMBER in paper.text() for paper in self.b.rig.printer.papers)
        assert self.a.screen()["attention"] == self.b.screen()["attention"] == 0


@pytest.fixture
def chain(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Chain]:
    answer_s, status = getattr(request, "param", (PATIENT, True))
    with ExitStack() as stack:
        yield Chain(tmp_path, stack, answer_s, status)


impatient = pytest.mark.parametrize("chain", [(2, True)], indirect=True)
nobody_to_ask = pytest.mark.parametrize("chain", [(2, False)], indirect=True)
pytestmark = pytest.mark.recovery


def test_the_whole_chain(chain: Chain) -> None:
    chain.to_charging()
    chain.to_card()
    chain.tap()
    chain.ends_paid()
    assert chain.carried == ["pay-api://payNow", "print-api://payNow"]
    assert Kind.GIVEN_BACK in chain.b.kinds()
    assert Kind.HANDED_OVER not in chain.b.kinds()


def test_every_result_comes_twice_and_every_link_thrice(chain: Chain) -> None:
    chain.to_charging()
    link = chain.pay_link()
    for _ in range(3):
        chain.bring(link)
    chain.to_card()
    chain.tap()
    chain.until(lambda: chain.results, "B has a result")
    for _ in range(2):
        chain.deliver(chain.results[0])
        chain.bring(link)
    chain.ends_paid()
    chain.deliver(chain.results[0])
    assert chain.a.screen()["attention"] == 0


def test_a_declined_card_is_said_and_the_next_one_is_another_payment(chain: Chain) -> None:
    chain.to_charging()
    chain.to_card()
    chain.b.rig.terminal.decline()
    chain.until(lambda: chain.a.page == "order", "A knows that it is not paid")
    assert chain.charged == 0
    chain.a.say("act", "confirm")
    chain.to_card()
    chain.tap()
    chain.until(lambda: chain.a.page == "hand_over", "the second one is taken")
    assert chain.charged == chain.order()["total"]


@impatient
def test_a_link_that_is_lost_charges_nothing_and_a_late_one_neither(chain: Chain) -> None:
    chain.loses.add("pay-api://payNow")
    chain.to_charging()
    link = chain.pay_link()
    chain.until(lambda: chain.a.page == "order", "it was certainly never asked for")
    assert "pay-api://paymentStatus" in chain.carried
    chain.bring(link)
    chain.until(lambda: chain.b.page == "idle", "B begins nothing")
    assert Kind.STARTED not in chain.b.kinds()
    assert chain.charged == 0


@impatient
def test_a_link_that_was_lost_is_never_asked_for_by_the_one_that_counts(chain: Chain) -> None:
    """Late, but before anybody has asked about it: then it is the payment."""
    chain.loses |= {"pay-api://payNow", "pay-api://paymentStatus"}
    chain.to_charging()
    link = chain.pay_link()
    chain.until(lambda: chain.a.page == "unknown", "A does not know")
    chain.loses.clear()
    chain.bring(link)
    chain.to_card()
    chain.tap()
    chain.ends_paid()


@impatient
def test_a_result_that_is_lost_is_asked_for(chain: Chain) -> None:
    chain.loses.add("result")
    chain.to_charging()
    chain.to_card()
    chain.tap()
    chain.until(lambda: chain.results, "B has charged")
    assert chain.charged == chain.order()["total"]
    chain.until(lambda: chain.a.page == "unknown", "A does not know")
    chain.loses.clear()
    chain.ends_paid()
    assert "pay-api://paymentStatus" in chain.carried


@impatient
def test_a_customer_who_is_slower_than_our_patience(chain: Chain) -> None:
    chain.to_charging()
    chain.to_card()
    chain.until(lambda: "pay-api://paymentStatus" in chain.carried, "A asks")
    assert chain.a.page == "unknown"
    chain.tap()
    chain.ends_paid()


@nobody_to_ask
def test_where_nobody_can_be_asked_a_person_is_and_a_late_result_settles_it(chain: Chain) -> None:
    chain.loses.add("result")
    chain.to_charging()
    chain.to_card()
    chain.tap()
    chain.until(lambda: chain.results, "B has charged")
    chain.until(lambda: chain.a.page == "attention_item", "a person is asked")
    chain.loses.clear()
    chain.deliver(chain.results[0])
    chain.ends_paid()


@nobody_to_ask
def test_paid_after_a_person_has_said_not_paid_is_not_lost(chain: Chain) -> None:
    chain.loses.add("result")
    chain.to_charging()
    chain.to_card()
    chain.tap()
    chain.until(lambda: chain.results, "B has charged")
    chain.until(lambda: "decide_not_paid" in chain.a.screen()["actions"], "a person is asked")
    chain.a.say("act", "scan", chain.a.rig.shop.badges["Anna K."])
    until(lambda: "sign_out" in chain.a.screen()["actions"], "somebody is there to decide")
    assert chain.a.say("act", "decide_not_paid") == "done"
    until(lambda: chain.a.page == "order", "it may be charged again")
    chain.deliver(chain.results[0])
    until(lambda: chain.a.page == "attention_item", "a person looks at it again")
    assert chain.a.screen()["attention"] == 1


@pytest.mark.parametrize("when", ["before the card", "before the result", "after the result"])
def test_a_is_killed(chain: Chain, when: str) -> None:
    chain.to_charging()
    chain.to_card()
    if when != "before the card":
        chain.loses.add("result")
        chain.tap()
        chain.until(lambda: chain.results, "B has charged")
    if when == "after the result":
        chain.deliver(chain.results[0])
        until(lambda: Kind.ANSWERED in chain.a.kinds(), "A has heard")
    chain.a.kill()
    chain.a.start()
    chain.loses.clear()
    if when == "before the card":
        chain.tap()
    chain.ends_paid()


def test_a_is_killed_before_the_link_has_left(chain: Chain) -> None:
    chain.to_charging()
    chain.a.kill()
    chain.a.start()
    chain.until(lambda: chain.a.page not in ("unknown", "charging"), "A knows")
    assert chain.a.page in ("order", "idle")
    assert chain.carried == ["pay-api://paymentStatus"] * len(chain.carried)
    assert chain.charged == 0


@pytest.mark.parametrize("when", ["before the card", "after the card"])
def test_b_is_killed(chain: Chain, when: str) -> None:
    chain.to_charging()
    chain.to_card()
    if when == "after the card":
        chain.tap()
        until(lambda: Kind.ANSWERED in chain.b.kinds(), "B's terminal has answered")
    chain.b.kill()
    if when == "before the card":
        chain.tap()
    chain.b.start()
    chain.until(
        lambda: chain.a.page not in ("charging", "unknown") or chain.b.page == "attention_item",
        "A knows, or a person at B is asked",
    )
    if chain.charged:
        chain.ends_paid()
    else:
        assert chain.a.page == "order", "the terminal has taken it back"
