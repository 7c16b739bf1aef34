"""The demo shop as a desk: a code from its staff's page, redeemed by the kiosk's own call."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from appliance.counter.enrol_settings import check
from appliance.domain.errors import Code, EnrolTrouble
from appliance.drivers.enrol_desk import redeem
from appliance.protocols.enrolment import EnrolCode, Verdict, asked_message, read
from appliance.simulators.shop import DemoShop
from appliance.simulators.shop.enrolment import LIFE_S, MOST_CODES, ShopEnrolments
from appliance.simulators.shop.samples import KIOSKS
from tests.contract.shop_schema import schema
from tests.counter.enrol_kit import Clock, asks, kiosk_key


@pytest.fixture(scope="module")
def shop() -> Iterator[DemoShop]:
    with DemoShop() as shop:
        yield shop


def code_from(shop: DemoShop, kiosk: str = "mitte-2") -> EnrolCode:
    page = httpx.post(f"{shop.url}/staff/enrol", data={"kiosk": kiosk}, trust_env=False)
    found = re.search(r'data-digits="([0-9]+)"', page.text)
    assert found
    assert "<svg" in page.text
    return read(found[1])


def test_a_code_of_the_staffs_page_makes_a_kiosk_of_this_shop(shop: DemoShop) -> None:
    code = code_from(shop)
    settings = redeem(code, kiosk_key(), "Pi", "s-1")
    assert redeem(code, kiosk_key(), "Pi", "s-1") == settings
    config = check(settings)
    assert (config.shop.url, config.shop.pickup_point) == (shop.url, "mitte")
    assert settings.token == shop.tokens["mitte-2"]
    with pytest.raises(EnrolTrouble) as refused:
        redeem(code, kiosk_key(2), "Pi", "s-2")
    assert refused.value.code is Code.ENROL_USED


def test_what_goes_over_the_line_is_as_the_document_says(shop: DemoShop) -> None:
    asked = asked_message(code_from(shop), kiosk_key(), "Pi", "s-1")
    url = f"{shop.url}/v1/enrolments/redeem"
    with httpx.Client(trust_env=False) as client:
        assert schema("EnrolmentAsked").is_valid(httpx.Response(200, content=asked).json())
        answer = client.post(url, content=asked)
        assert schema("EnrolmentSettings").is_valid(answer.json())
        wrong = client.post(url, content=b"{}")
        assert (wrong.status_code, wrong.headers["content-type"]) == (
            400, "application/problem+json"
        )  # fmt: skip
        stranger = read(ShopEnrolments().make(KIOSKS[0], "127.0.0.1:1"))
        unknown = client.post(url, content=asked_message(stranger, kiosk_key(), "", ""))
        assert unknown.status_code == 404
        assert schema("Problem").is_valid(unknown.json())
        assert client.post(f"{shop.url}/staff/enrol", data={"kiosk": "x"}).status_code == 404
        assert "New kiosk mitte-1" in client.get(f"{shop.url}/staff").text


def test_codes_end_and_are_bounded() -> None:
    clock = Clock()
    desk = ShopEnrolments(clock)
    first = read(desk.make(KIOSKS[0], "127.0.0.1:1"))
    late = read(desk.make(KIOSKS[0], "127.0.0.1:1"))
    for _ in range(MOST_CODES - 1):
        desk.make(KIOSKS[0], "127.0.0.1:1")
    assert desk.redeem(asks(first), "") is Verdict.UNKNOWN
    clock.now += LIFE_S
    assert desk.redeem(asks(late), "") is Verdict.EXPIRED
