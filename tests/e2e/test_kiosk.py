"""The page's script: what it shows and says, and what happens when the program is gone."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from appliance.counter.screen import (
    Action,
    Charging,
    Day,
    HandOver,
    Leave,
    Notice,
)
from appliance.domain.errors import Code
from appliance.ports import Prompt
from tests.e2e.conftest import WAIT_MS, Kiosk, sent, serve, settled, until
from tests.e2e.test_gallery import LAYOUT, open_kiosk
from tests.web.samples import ALL_BAD, NO_PAPER, ONE_OF_EACH, SAMPLES
from web import LANGUAGES, Theme, view

pytestmark = pytest.mark.e2e

BUTTONS = "#screen button:not(dialog *)"
SETTLED_MS = 1000  # well beyond the moment for which a new page takes no taps
LATER_MS = 600_000  # no test takes so long that the page's clock were there by itself


def in_sight(page: Page, selector: str) -> bool:
    """Whether the list around it shows it whole."""
    found: bool = page.locator(selector).evaluate(
        """(element) => { const box = element.getBoundingClientRect();
            const frame = element.closest(".scroll").getBoundingClientRect();
            return box.top >= frame.top && box.bottom <= frame.bottom }"""
    )
    return found


def test_what_the_scanner_moves_to_comes_into_sight(opened: Page, kiosk: Kiosk) -> None:
    day = SAMPLES["day"]
    assert isinstance(day.body, Day)
    kiosk.show(opened, day)
    assert not in_sight(opened, "#row-H-20")
    kiosk.show(opened, replace(day, body=replace(day.body, selected=20)))
    assert in_sight(opened, "#row-H-20")
    # A list that somebody scrolls by hand stays where it is when something else changes.
    opened.eval_on_selector("#rows", "list => { list.scrollTop = 0 }")
    kiosk.show(opened, replace(day, body=replace(day.body, selected=20), devices=NO_PAPER))
    assert opened.eval_on_selector("#rows", "list => list.scrollTop") == 0


def test_the_next_line_to_tick_comes_into_sight_and_the_focus_stays(
    opened: Page, kiosk: Kiosk
) -> None:
    goods = SAMPLES["hand-over-long"]
    assert isinstance(goods.body, HandOver)
    kiosk.show(opened, replace(goods, body=replace(goods.body, ticked=frozenset(range(12)))))
    assert in_sight(opened, "#tick-12")
    opened.focus("#tick-12")
    kiosk.show(opened, replace(goods, body=replace(goods.body, ticked=frozenset(range(13)))))
    assert in_sight(opened, "#tick-13")
    assert opened.evaluate("document.activeElement.id") == "tick-12"


def test_a_tick_is_taken_back_by_a_tap_or_a_key_but_not_by_a_double_tap(
    page: Page, kiosk: Kiosk
) -> None:
    still(page, kiosk)
    kiosk.show(page, SAMPLES["hand-over"])  # its first line is ticked
    page.clock.run_for(SETTLED_MS)
    expect(page.locator("#tick-0")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#tick-1")).to_have_attribute("aria-pressed", "false")
    tick = (Action.TICK, "0", kiosk.counter.screen().seq)
    page.click("#tick-0")
    page.wait_for_selector("body:not(.asked)")
    page.click("#tick-0")  # the clock stands still: the second half of a double tap
    page.clock.run_for(SETTLED_MS)
    assert sent(kiosk) == [tick]
    page.focus("#tick-0")
    page.keyboard.press("Enter")
    until(page, lambda: sent(kiosk) == [tick, tick])


def test_only_a_list_with_more_than_it_shows_is_a_stop_for_tab(opened: Page, kiosk: Kiosk) -> None:
    stops = "all => all.filter(e => e.tabIndex === 0).map(e => e.id)"
    for name, found in (("order", []), ("order-long", ["lines"]), ("hand-over-long", ["ticks"])):
        kiosk.show(opened, SAMPLES[name])
        assert opened.eval_on_selector_all("main .scroll", stops) == found, name
    opened.focus("#ticks")
    kiosk.show(opened, replace(SAMPLES["hand-over-long"], devices=NO_PAPER))
    assert opened.evaluate("document.activeElement.id") == "ticks"


@pytest.mark.parametrize("name", ["idle-many", "order-long", "hand-over-long", "day"])
def test_a_list_that_has_the_focus_shows_it(opened: Page, kiosk: Kiosk, name: str) -> None:
    kiosk.show(opened, SAMPLES[name])
    settled(opened)
    opened.evaluate("document.querySelector('main').focus()")
    region = opened.locator("main .scroll[tabindex]").first
    while not region.evaluate("(element) => element === document.activeElement"):
        opened.keyboard.press("Tab")
    style = region.evaluate(
        "(e) => (({ outlineStyle: s, outlineOffset: o, outlineWidth: w }) => "
        "[s, parseFloat(o) + parseFloat(w)])(getComputedStyle(e))"
    )
    assert style == ["solid", 0]  # within its own edge: the mask cuts off whatever is outside


def still(page: Page, kiosk: Kiosk) -> None:
    """Open the kiosk anew with the page's clock in the test's hand: no tap is late by itself."""
    page.clock.install(time=0)
    page.goto(kiosk.address)
    expect(page.locator("#say")).not_to_be_empty()
    page.clock.pause_at(LATER_MS)  # from here on it stands still between two steps of the test


def test_a_refresh_keeps_focus_and_place_in_a_list(opened: Page, kiosk: Kiosk) -> None:
    kiosk.show(opened, SAMPLES["idle-many"])
    opened.focus("#order-o-5")
    opened.eval_on_selector("#orders", "list => { list.scrollTop = 300 }")
    kiosk.show(opened, replace(SAMPLES["idle-many"], handed_over_today=38))
    expect(opened.locator(".tally")).to_contain_text("38")
    assert opened.evaluate("document.activeElement.id") == "order-o-5"
    assert opened.eval_on_selector("#orders", "list => list.scrollTop") == 300


def test_the_language_can_be_switched(opened: Page, kiosk: Kiosk) -> None:
    opened.click("#language-de")
    expect(opened.locator("html")).to_have_attribute("lang", "de")
    expect(opened.locator("h1")).to_have_text("Bestellung scannen")
    expect(opened.locator("#language-de")).to_have_attribute("aria-pressed", "true")


def test_the_scanner_turns_the_language(opened: Page, kiosk: Kiosk) -> None:
    kiosk.show(opened, replace(SAMPLES["idle-notice"], language_turns=1))
    expect(opened.locator("html")).to_have_attribute("lang", "ru")
    expect(opened.locator("h1")).to_have_text("Сканируйте заказ")
    kiosk.show(opened, replace(SAMPLES["idle"], language_turns=1, handed_over_today=38))
    expect(opened.locator(".tally")).to_contain_text("38")  # and it stays so
    kiosk.counter.show(replace(SAMPLES["idle"], language_turns=2))
    expect(opened.locator("html")).to_have_attribute("lang", "de")


def test_a_change_is_said_aloud_and_stands_in_the_title(opened: Page, kiosk: Kiosk) -> None:
    kiosk.show(opened, SAMPLES["charging"])
    expect(opened.locator("#say")).to_have_text(
        re.compile("Present your card at the terminal. 1,284.50\u00a0€")
    )
    expect(opened).to_have_title("Payment · Kassa")
    charging = SAMPLES["charging"]
    assert isinstance(charging.body, Charging)
    kiosk.show(opened, replace(charging, body=replace(charging.body, prompt=Prompt.PIN)))
    expect(opened.locator("#say")).to_contain_text("Enter the PIN at the terminal.")
    kiosk.show(opened, SAMPLES["unknown"])
    expect(opened.locator("#say")).to_contain_text("Do not hand over. Do not charge again.")
    kiosk.show(opened, SAMPLES["order-declined"])
    expect(opened.locator("#say")).to_contain_text("Declined K-PAY-01.")
    kiosk.show(opened, SAMPLES["idle-notice"])
    expect(opened.locator("#say")).to_contain_text("Smooth the code out and scan it again.")


def test_the_amount_is_the_largest_thing_while_the_card_is_waited_for(
    opened: Page, kiosk: Kiosk
) -> None:
    for name in ("charging", "charging-pin"):
        kiosk.show(opened, SAMPLES[name])
        sizes = opened.eval_on_selector_all(
            "main :is(p, h1, span, button)",
            "all => all.map(e => [parseFloat(getComputedStyle(e).fontSize), e.className])",
        )
        largest = max(sizes)
        assert "owed" in largest[1]
        assert sum(size == largest[0] for size, _ in sizes) == 1, name


def test_every_trouble_of_a_device_can_be_read_on_every_page(opened: Page, kiosk: Kiosk) -> None:
    dialog = opened.locator("#troubles")
    for name in ONE_OF_EACH:
        if not SAMPLES[name].devices:
            continue
        kiosk.show(opened, replace(SAMPLES[name], devices=ALL_BAD))
        settled(opened)
        opened.focus("#devices")
        opened.keyboard.press("Enter")
        for device in ALL_BAD:
            assert device.health.code is not None
            said = view.language("en").worded(device.health.code)
            for words in (said.title, said.code, said.reason, *said.cure):
                expect(dialog).to_contain_text(words)
        opened.keyboard.press("Escape")  # closes it, and cancels nothing
        expect(dialog).to_be_hidden()
        assert sent(kiosk) == [], name
        opened.click("#devices")
        opened.click("#troubles-close")
        expect(dialog).to_be_hidden()


def test_the_troubles_stay_open_while_read_and_never_hide_the_next_page(
    opened: Page, kiosk: Kiosk
) -> None:
    charging = replace(SAMPLES["charging"], devices=ALL_BAD)
    kiosk.show(opened, charging)
    settled(opened)
    opened.click("#devices")
    kiosk.show(opened, replace(charging, devices=ALL_BAD[:1] + NO_PAPER[1:]))
    expect(opened.locator("#troubles")).to_be_visible()
    expect(opened.locator("#troubles")).to_contain_text("No paper")
    assert opened.evaluate(LAYOUT) == []
    kiosk.show(opened, replace(SAMPLES["hand-over"], devices=ALL_BAD))
    expect(opened.locator("#troubles")).to_be_hidden()
    settled(opened)
    opened.click("#devices")
    kiosk.show(opened, SAMPLES["hand-over"])  # all well again
    opened.click("#do-confirm")
    until(opened, lambda: bool(kiosk.counter.commands))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [1024, 1280])
def test_a_notice_leaves_every_button_where_it_is(
    page: Page, kiosk: Kiosk, language: str, width: int
) -> None:
    open_kiosk(page, kiosk, language, (width, 600 if width == 1024 else 800), Theme.LIGHT)
    places = "all => all.map(b => [b.id, JSON.stringify(b.getBoundingClientRect())])"
    noticed = Notice(Code.SCAN_NOT_NOW, "4006381333931")
    for name in ONE_OF_EACH:
        plain = replace(SAMPLES[name], notice=None)
        kiosk.show(page, plain)
        before = page.eval_on_selector_all(BUTTONS, places)
        kiosk.show(page, replace(plain, notice=noticed))
        assert page.eval_on_selector_all(BUTTONS, places) == before, name
        assert page.evaluate(LAYOUT) == [], name


def test_the_page_goes_where_a_result_is_wanted_once(opened: Page, kiosk: Kiosk) -> None:
    """The answer may be lost on its way, the person may come back: it does not go there again."""
    opened.route("https://shop.example/**", lambda route: route.fulfill(body="<h1>Thanks</h1>"))
    address = "https://shop.example/paid?status=paid&order=1042"
    kiosk.counter.show(replace(SAMPLES["idle"], leave=Leave("L-1", address)))
    opened.wait_for_url(address)
    until(opened, lambda: kiosk.counter.beats[-1:] == ["elsewhere"])
    opened.goto(kiosk.address)
    until(opened, lambda: kiosk.counter.beats[-1] == "idle")  # a beat later it is still there
    assert opened.url == f"{kiosk.address}/"
    kiosk.counter.show(replace(SAMPLES["idle"], leave=Leave("L-2", address)))
    opened.wait_for_url(address)


def test_a_drawn_page_beats(opened: Page, kiosk: Kiosk) -> None:
    until(opened, lambda: "idle" in kiosk.counter.beats)
    kiosk.show(opened, SAMPLES["order"])
    until(opened, lambda: "order" in kiosk.counter.beats)


def test_a_program_that_is_gone_is_told_and_comes_back(page: Page) -> None:
    first = serve()
    page.goto(first.address)
    expect(page.locator("#say")).not_to_be_empty()
    first.stop()
    gone = page.locator("#gone")
    expect(gone).to_be_visible(timeout=WAIT_MS)
    expect(gone).to_contain_text("K-APP-02")
    expect(gone).to_contain_text("Do not charge anything again")
    again = serve(urlsplit(first.address).port or 0)
    again.counter.show(SAMPLES["attention"])
    expect(gone).to_be_hidden(timeout=WAIT_MS)
    expect(page.locator("h1")).to_have_text("Open questions")
    again.stop()
