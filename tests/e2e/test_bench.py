"""`kassa demo` as a visitor has it: the real process, the real kiosk in it, a real browser."""

from __future__ import annotations

import fcntl
import io
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.e2e.demo import START_WAIT_S, WAIT_S, Demo, running, started
from web.bench.demo import SAME_STOP_S
from web.bench.files import Folder
from web.bench.stories import STORIES

pytestmark = pytest.mark.e2e

SIZES = ((1280, 800), (1366, 768), (1440, 900), (1920, 1080))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(tmp_path_factory.mktemp("demo")) as demo:
        yield started(demo)


@pytest.fixture
def bench(browser: Browser, demo: Demo) -> Iterator[Page]:
    demo.do("prepare")
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(WAIT_S * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(demo.url)
    page.wait_for_selector(".chip")
    yield page
    context.close()
    assert errors == []


def kiosk_shows(page: Page, name: str) -> None:
    page.frame_locator("#kiosk").locator(f'#screen[data-page="{name}"]').wait_for()


def booked(state: dict[str, Any], order: str) -> list[dict[str, Any]]:
    return [line for line in state["bank"]["bookings"] if line["title"] == f"Order {order}"]


def order_in(state: dict[str, Any], number: str) -> dict[str, Any]:
    (found,) = [order for order in state["orders"] if order["number"] == number]
    return dict(found)


def test_a_sale(demo: Demo, bench: Page) -> None:
    papers = len(demo.state()["printer"]["papers"])
    bench.click('.chip[data-argument="NL-10001"]')
    kiosk = bench.frame_locator("#kiosk")
    kiosk_shows(bench, "order")
    assert "10001" in kiosk.locator("#screen").inner_text()
    kiosk.locator("#do-confirm").click()
    bench.wait_for_selector(".terminal.wants")
    bench.click("#tap")

    kiosk_shows(bench, "hand_over")
    receipt = bench.locator("#roll img").first
    receipt.wait_for()
    assert len(demo.wait(lambda now: len(now["printer"]["papers"]) > papers)) > 0
    assert receipt.evaluate("async (image) => { await image.decode(); return image.naturalWidth }")
    kiosk.locator("#do-confirm").click()
    kiosk_shows(bench, "idle")

    state = demo.wait(lambda now: not order_in(now, "10001")["is_open"])
    assert len(booked(state, "10001")) == 1
    assert order_in(state, "10001")["says"] == "handed over"
    bench.wait_for_selector("#verdict:has-text('1 charge for order 10001')")


@pytest.fixture
def links(demo: Demo, bench: Page) -> Iterator[None]:
    """The counter's page goes back to the shop in whatever browser shows it, for some seconds: not
    in that of the next test, please."""
    yield
    until = time.monotonic() + WAIT_S
    while demo.is_leaving():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.usefixtures("links")
def test_a_signed_link_of_the_shops_page_sells_and_comes_back(demo: Demo, bench: Page) -> None:
    bench.click("#tab-staff")
    shop = bench.frame_locator("#staff")
    shop.locator('[data-order="ord-10003"] >> text=Links').click()
    shop.locator("text=Sell it, signed").click()

    bench.wait_for_selector(".terminal.wants")  # nobody has confirmed anything
    bench.click("#tap")
    kiosk_shows(bench, "hand_over")
    bench.frame_locator("#kiosk").locator("#do-confirm").click()

    # The counter's page goes back to the shop by itself, which shows it in its own place here.
    verdict = shop.locator("[data-verdict]")
    verdict.wait_for()
    assert verdict.get_attribute("data-verdict") == "true", verdict.inner_text()
    bench.click("#tab-kiosk")
    kiosk_shows(bench, "idle")
    bench.click("#tab-staff")
    shop.locator("text=The books say of order 10003: paid").wait_for()
    assert len(booked(demo.state(), "10003")) == 1


@pytest.mark.usefixtures("links")
def test_a_foreign_link_waits_for_the_seller_and_is_told_in_its_own_words(
    demo: Demo, bench: Page
) -> None:
    bench.click("#tab-staff")
    shop = bench.frame_locator("#staff")
    shop.locator('[data-order="ord-10002"] >> text=Links').click()
    shop.locator("text=Square, iOS").click()
    kiosk_shows(bench, "order")
    bench.frame_locator("#kiosk").locator("#do-cancel").click()
    bench.click("#tab-staff")
    verdict = shop.locator("[data-verdict]")
    verdict.wait_for()
    assert verdict.get_attribute("data-verdict") == "unknown"
    assert '"error_code":"payment_canceled"' in shop.locator("table").inner_text()
    shop.locator("text=The books say of order 10002: not paid").wait_for()
    assert booked(demo.state(), "10002") == []


def test_a_code_and_a_wish_of_the_shops_page_open_the_order(demo: Demo, bench: Page) -> None:
    bench.click("#tab-staff")
    shop = bench.frame_locator("#staff")
    shop.locator('[data-scan="NL-10008"]').click()
    kiosk_shows(bench, "order")
    # By a finger: the same command card twice in so short a time is one that was read doubly.
    bench.frame_locator("#kiosk").locator("#do-cancel").click()
    kiosk_shows(bench, "idle")
    bench.click("#tab-staff")
    shop.locator('[data-order="ord-10009"] >> text=Open at the counter').click()
    bench.click("#tab-kiosk")
    kiosk_shows(bench, "order")
    assert "10009" in bench.frame_locator("#kiosk").locator("#screen").inner_text()
    demo.do("scan", "KASSA-CANCEL")
    kiosk_shows(bench, "idle")


def test_a_link_is_built_taken_apart_and_given_to_the_counter(demo: Demo, bench: Page) -> None:
    with bench.context.expect_page() as opened:
        bench.click("text=Links")
    links = opened.value
    links.set_default_timeout(WAIT_S * 1000)
    links.fill('[name="order"]', "10006")
    links.click("text=Build it")
    links.wait_for_selector("#seal:has-text('The seal holds')")
    link = links.input_value("#link")
    assert link.startswith("kassa-api://payNow?order=10006&")
    assert links.locator("#answers dt").all_inner_texts() == [
        "paid", "cancelled", "declined", "refused",
    ]  # fmt: skip
    links.wait_for_selector("#symbol:visible")
    picture = Image.open(io.BytesIO(links.locator("#symbol").screenshot()))
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [link]
    links.fill("#link", link.replace("10006", "10007"))
    links.wait_for_selector("#seal:has-text('The seal does not hold')")
    links.click("#send")
    links.wait_for_selector("#sent:has-text('K-LNK-01')")
    links.fill("#link", "kassa-api://payNow?order=10006")
    links.wait_for_selector("#seal:has-text('It has no seal')")
    links.click("#send")
    kiosk_shows(bench, "order")
    bench.frame_locator("#kiosk").locator("#do-cancel").click()
    links.wait_for_selector("#sent:has-text('cancelled')")
    links.select_option('[name="format"]', "sumup-ios")
    links.fill('[name="amount"]', "12,34")
    links.click("text=Build it")
    links.wait_for_selector("#error:has-text('amount')")
    links.close()


def test_the_page_needs_no_scrolling_and_fits(bench: Page) -> None:
    for width, height in SIZES:
        bench.set_viewport_size({"width": width, "height": height})
        bench.wait_for_timeout(100)  # the kiosk's picture is scaled after the next frame
        assert bench.evaluate(
            "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        ) == [width, height]
        for selector in ("#bezel", "#tap", "#verdict", ".switches", "#scan-form", "#roll"):
            box = bench.locator(selector).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
        wide = "(node) => node.scrollWidth <= node.clientWidth"
        for selector in (".top", ".coach", ".faults", ".bank", ".scan", ".devices"):
            assert bench.locator(selector).evaluate(wide), f"{selector} at {width}"


@pytest.mark.parametrize("amount", ["", "139.900,00 RUB"])
def test_chips_are_whole_and_say_what_is_below_them(bench: Page, amount: str) -> None:
    if amount:
        bench.evaluate("amount => drawOrders(state.orders.map(o => ({...o, amount})))", amount)
    for width, height in SIZES:
        bench.set_viewport_size({"width": width, "height": height})
        bench.wait_for_timeout(100)
        for chip in bench.locator("#view-orders .chip").all():
            assert chip.locator("em").evaluate("node => node.scrollWidth <= node.clientWidth")
        rows = bench.locator("#view-orders").evaluate(
            """view => [...view.children].map((chip) => {
                const box = chip.getBoundingClientRect(), edge = view.getBoundingClientRect();
                if (box.bottom <= edge.bottom) return "whole";
                return box.top >= edge.bottom ? "below" : "cut";
            })"""
        )
        below = rows.count("below")
        assert "cut" not in rows
        assert bench.locator("#more").is_visible() == bool(below)
        if below:
            assert bench.locator("#more").inner_text() == f"{below} more below"


def test_a_new_order_is_shown(demo: Demo, bench: Page) -> None:
    bench.set_viewport_size({"width": 1280, "height": 800})
    for _ in range(6):  # some of them are below the edge
        before = {order["number"] for order in demo.state()["orders"]}
        bench.click("#tab-cards")
        bench.click('[data-do="new-order"]')
        state = demo.wait(lambda now: len(now["orders"]) > len(before))  # noqa: B023 - used at once
        (new,) = {order["number"] for order in state["orders"]} - before
        chip = bench.locator(f'.chip.fresh[data-argument="NL-{new}"]')
        chip.wait_for()
        box, edge = chip.bounding_box(), bench.locator("#view-orders").bounding_box()
        assert box is not None
        assert edge is not None
        assert box["y"] >= edge["y"]
        assert box["y"] + box["height"] <= edge["y"] + edge["height"]


def test_each_story_is_explained_at_every_size(bench: Page) -> None:
    for width, height in SIZES:
        bench.set_viewport_size({"width": width, "height": height})
        for story in STORIES:
            bench.evaluate("name => { story = ''; tell(name) }", story.name)
            place = bench.locator(f'[data-coach="{story.name}"]')
            words = place.locator("p")
            assert words.is_visible()
            box, row = words.bounding_box(), bench.locator(".coach").bounding_box()
            assert box is not None
            assert row is not None
            assert box["height"] <= row["height"]
            assert box["x"] + box["width"] <= width
    bench.evaluate("() => tell(story)")
    assert bench.locator("#scan-text").evaluate("field => field.clientWidth") >= 100


def test_what_is_said_covers_no_button(bench: Page) -> None:
    bench.evaluate("name => tell(name)", max(STORIES, key=lambda story: len(story.steps)).name)
    bench.click("#tap")
    said = bench.locator("#said")
    said.wait_for()
    for width, height in SIZES:
        bench.set_viewport_size({"width": width, "height": height})
        covered = said.evaluate(
            """said => {
                const over = said.getBoundingClientRect();
                return [...document.querySelectorAll("button, dt")].filter((node) => {
                    const box = node.getBoundingClientRect();
                    return box.width && box.left < over.right && box.right > over.left
                        && box.top < over.bottom && box.bottom > over.top;
                }).map((node) => node.textContent);
            }"""
        )
        assert covered == []


@pytest.mark.parametrize("symbol", ["code128", "qr"])
def test_a_scanner_reads_the_codes_off_the_screen(bench: Page, symbol: str) -> None:
    bench.click("#sheet-open")
    bench.check(f'[name="symbol"][value="{symbol}"]')
    is_drawn = "(image) => image.complete && image.naturalWidth"
    bench.wait_for_function(f"() => [...document.querySelectorAll('#codes img')].every({is_drawn})")
    read = set()
    for number in (0, 12, -1):
        picture = bench.locator("#codes figure").nth(number)
        picture.scroll_into_view_if_needed()
        image = Image.open(io.BytesIO(picture.screenshot(scale="css")))
        found = zxingcpp.read_barcodes(image)
        assert [code.text for code in found] == [picture.locator("img").get_attribute("alt")]
        read.add(found[0].text)
    assert "NL-10001" in read
    assert "KASSA-LANGUAGE" in read


def test_what_a_real_scanner_types_is_scanned(bench: Page) -> None:
    bench.click("#sheet-open")
    bench.keyboard.type("NL-10013")
    bench.keyboard.press("Enter")
    bench.keyboard.press("Escape")
    kiosk_shows(bench, "refused")
    assert "K-ORD-06" in bench.frame_locator("#kiosk").locator("#screen").inner_text()


def test_a_power_cut_in_mid_charge_ends_as_paid_once(demo: Demo, bench: Page) -> None:
    bench.click('.chip[data-argument="NL-10002"]')
    kiosk_shows(bench, "order")
    bench.frame_locator("#kiosk").locator("#do-confirm").click()
    bench.wait_for_selector(".terminal.wants")
    before = len(demo.state()["bank"]["bookings"])

    bench.click('[data-switch="kiosk-power"]')
    bench.wait_for_selector("#dark-button")
    bench.click("#tap")  # the customer knows nothing of it
    demo.wait(lambda now: len(now["bank"]["bookings"]) == before + 1)
    bench.click("#dark-button")
    bench.wait_for_selector("#dark", state="hidden")

    kiosk_shows(bench, "hand_over")
    state = demo.wait(lambda now: booked(now, "10002"))
    assert len(booked(state, "10002")) == 1
    assert len(state["bank"]["bookings"]) == before + 1
    assert state["kiosk"]["starts"] == 2
    bench.frame_locator("#kiosk").locator("#do-confirm").click()
    demo.wait(lambda now: not order_in(now, "10002")["is_open"])


def test_a_story_can_be_clicked_through_at_once(demo: Demo, bench: Page) -> None:
    before = len(demo.state()["bank"]["bookings"])
    bench.click('[data-story="twice"]')
    steps = bench.locator('[data-coach="twice"] li button')
    bench.wait_for_selector('[data-coach="twice"] button.next')
    for number in range(steps.count()):
        steps.nth(number).click()
        bench.wait_for_selector(f'[data-coach="twice"] li:nth-child({number + 1}) button.done')
    kiosk_shows(bench, "refused")
    assert len(demo.state()["bank"]["bookings"]) == before + 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_or_a_closed_window_ends_it_in_good_order(tmp_path: Path, number: int) -> None:
    with running(tmp_path, "--language", "ru", "--currency", "RUB") as demo:
        started(demo)
        assert demo.processes() != []
        assert [path.name.startswith("kassa-demo-") for path in tmp_path.iterdir()] == [True]
        status, told, complaints = demo.end(number)
        assert (status, complaints) == (0, "")
        assert "stopping" in told
        assert demo.processes() == []
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", ["kept", ""])
def test_the_second_ctrl_c_ends_it_at_once(tmp_path: Path, kept: str) -> None:
    with running(tmp_path, *(["--data", str(tmp_path / kept)] if kept else [])) as demo:
        started(demo)
        demo.do("switch", "slow-host:on")
        demo.do("scan-fresh")
        demo.do("confirm-on", "order")
        demo.do("tap-soon")
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.stdout is not None
        while "stopping" not in (line := demo.process.stdout.readline()):
            assert line
        time.sleep(SAME_STOP_S)
        status, _, complaints = demo.end(signal.SIGINT, 5.0)
        assert (status, complaints) == (130, "")
        demo.wait_alone()
        assert [path.name for path in tmp_path.iterdir()] == ([kept] if kept else [])
        if kept:
            assert (tmp_path / kept / "kassa.toml").exists()


def test_a_killed_demo_leaves_no_kiosk(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        started(demo)
        assert demo.processes() != []
        assert demo.end(signal.SIGKILL)[0] == -signal.SIGKILL
        demo.wait_alone()


def test_a_kiosk_that_does_not_start_is_told_of(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    Folder(kept).make()
    with (kept / "kiosk" / "kassa.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with running(tmp_path, "--data", str(kept)) as demo:
            _, complaints = demo.process.communicate(timeout=START_WAIT_S)
    assert demo.process.returncode == 70
    assert "K-APP-01" in complaints
    assert "Traceback" not in complaints
