"""`kassa shop check`: each thing that an owner may have set up wrongly is named, and nothing at the
shop is changed by looking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response

from appliance.counter import shop_check
from appliance.counter.config import parse
from appliance.counter.config_schema import Config
from appliance.counter.doctor_findings import Finding
from appliance.counter.kinds import names
from appliance.domain.errors import Code, ConfigTrouble
from appliance.simulators.shop import DemoShop, Fault, ShopFaults
from appliance.simulators.woocommerce import FakeWoo, WooFaults
from appliance.simulators.woocommerce import Fault as WooFault
from appliance.simulators.woocommerce.samples import HAFEN, MITTE, blocks, fill, line, order

REST = """
[counter]
name = "Counter 1"
currency = "{currency}"
[scanner]
kind = "none"
[shop]
"""


def config(currency: str = "EUR", **shop: Any) -> Config:
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in shop.items())
    return parse(REST.format(currency=currency) + lines, "kassa.toml", names=names())


@pytest.fixture
def fake() -> Iterator[FakeWoo]:
    with FakeWoo(plugin=True) as made:
        fill(made.store)
        yield made


def woo(fake: FakeWoo, currency: str = "EUR", **changes: Any) -> dict[str, Finding]:
    shop = {
        "kind": "woocommerce",
        "url": fake.url,
        "token": "ck_mitte1:cs_mitte1",
        "pickup_point": MITTE,
    }
    found = list(shop_check.CHECKS["woocommerce"](config(currency, **(shop | changes))))
    return {finding.name: finding for finding in found}


def books(fake: FakeWoo) -> list[Any]:
    return [fake.store.get(row["id"]) for row in fake.store.rows()] + [
        fake.store.notes(row["id"]) for row in fake.store.rows()
    ]


def test_all_is_well_and_nothing_is_changed(fake: FakeWoo) -> None:
    before = books(fake)
    found = woo(fake)
    assert all(finding.ok and not finding.fix for finding in found.values()), found
    assert list(found) == [
        "address", "key reads", "key writes", "key notes", "statuses", "pickup point", "currency",
        "sums", "changes", "cache", "clock", "claim",
    ]  # fmt: skip
    assert "Europe/Berlin" in found["address"].what
    assert "4 open orders; elsewhere: 'Nordlicht Hafen'" in found["pickup point"].what
    assert books(fake) == before


@pytest.mark.parametrize(
    ("token", "name", "said", "fix"),
    [
        ("ck_mitte1:cs_x", "key reads", "401: Invalid signature", "make a key in WooCommerce"),
        ("ck_x:cs_x", "key reads", "Consumer key is invalid", "make a key in WooCommerce"),
        ("ck_reader:cs_reader", "key writes", "does not have write", "Read/Write"),
        ("ck_reader:cs_reader", "key notes", "does not have write", "Read/Write"),
    ],
)
def test_a_key_that_lacks_something(
    fake: FakeWoo, token: str, name: str, said: str, fix: str
) -> None:
    finding = woo(fake, token=token)[name]
    assert not finding.ok
    assert said in finding.what
    assert fix in finding.fix


def test_a_token_that_is_no_key(fake: FakeWoo) -> None:
    with pytest.raises(ConfigTrouble):
        woo(fake, token="abc")


def test_no_wordpress_and_no_woocommerce(fake: FakeWoo) -> None:
    found = woo(fake, url=f"{fake.url}/elsewhere")
    assert list(found) == ["address"]
    assert "Permalinks" in found["address"].fix

    def bare() -> Response:
        return Response('{"namespaces":["wp/v2"]}', content_type="application/json")

    fake.app.view_functions["index"] = bare
    assert "activate WooCommerce" in woo(fake)["address"].fix


def test_what_does_not_fit_the_shop(fake: FakeWoo) -> None:
    found = woo(fake, "USD", ready_statuses=["processing", "packed"], pickup_point="Bahnhof")
    assert not found["statuses"].ok
    assert "no status packed" in found["statuses"].what
    found = woo(fake, "USD", pickup_point="Bahnhof")
    assert HAFEN in found["pickup point"].fix
    assert "'Nordlicht Mitte'" in found["pickup point"].fix
    assert not found["currency"].ok
    assert "terminal must have the same" in found["currency"].fix


def test_orders_that_do_not_add_up_and_orders_that_are_rounded(fake: FakeWoo) -> None:
    odd = line("Tea", "0", 3) | {"subtotal": "10", "total": "10"}
    fake.store.create(order(blocks(MITTE), odd))
    assert "1 of them with a line 'Rounding'" in woo(fake)["sums"].what
    fake.store.create(order(blocks(MITTE), line("Mug", "5"), total="9.99"))
    assert not woo(fake)["sums"].ok
    assert "positions come to" in woo(fake)["sums"].what


def test_an_empty_shop() -> None:
    with FakeWoo() as fake:
        found = woo(fake)
        assert "place an order for collection" in found["pickup point"].fix
        assert "without the Kassa plugin" in found["claim"].what
        assert "currency" not in found


@pytest.mark.parametrize("header", [("Age", "12"), ("X-Cache", "HIT"), ("CF-Cache-Status", "HIT")])
def test_a_cache_between(fake: FakeWoo, header: tuple[str, str]) -> None:
    @fake.app.after_request
    def cached(response: Response) -> Response:
        response.headers[header[0]] = header[1]
        return response

    finding = woo(fake)["cache"]
    assert not finding.ok
    assert "/wp-json/" in finding.fix


def test_a_shop_that_filters_nothing_and_whose_clock_is_wrong(fake: FakeWoo) -> None:
    fake.store.clock = lambda: 4_100_000_000.0
    fake.store.update(13, {"customer_note": "x"})
    found = woo(fake)
    assert "modified_after is not heeded" in found["changes"].what
    assert "timedatectl" in found["clock"].fix


def test_a_plugin_that_refuses_the_key(fake: FakeWoo) -> None:
    fake.app.view_functions["kassa.known"] = lambda: Response("{}", 403)
    finding = woo(fake)["claim"]
    assert not finding.ok
    assert "refuses the key: HTTP 403" in finding.what


def test_troubles_are_findings(fake: FakeWoo) -> None:
    fake.fail(WooFaults(WooFault.PHP_WARNING, "GET", "/wp-json/", times=1))
    assert "display_errors" in woo(fake)["address"].what
    fake.fail(WooFaults(WooFault.DOWN))
    found = woo(fake)
    assert list(found) == ["address"]
    assert Code.SHOP_UNREACHABLE in found["address"].what
    fake.fail()
    fake.app.view_functions["index"] = lambda: Response("", 301, {"Location": "https://x"})
    assert Code.SHOP_MOVED in woo(fake)["address"].what


# --- our own shop API -------------------------------------------------------------------------


@pytest.fixture
def demo() -> Iterator[DemoShop]:
    with DemoShop() as made:
        yield made


def kassa(demo: DemoShop, token: str = "demo-token-mitte-1") -> Config:
    return config(kind="kassa", url=demo.url, token=token, pickup_point="mitte")


def test_our_own_shop(demo: DemoShop, capsys: pytest.CaptureFixture[str]) -> None:
    before = demo.state()["orders"]
    assert shop_check.main(kassa(demo)) == 0
    said = capsys.readouterr().out
    assert said.endswith("all well\n")
    assert [row.split()[1] for row in said.splitlines()[:-1]] == [
        "orders",
        "by",
        "claim",
        "sellers",
    ]
    assert demo.state()["orders"] == before


def test_our_own_shop_refuses(demo: DemoShop, capsys: pytest.CaptureFixture[str]) -> None:
    assert shop_check.main(kassa(demo, "wrong")) == 69
    said = capsys.readouterr().out
    assert Code.SHOP_TOKEN in said
    assert "1 of 1 fail" in said
    demo.faults = ShopFaults(Fault.ERROR_500, path="by-code")
    assert shop_check.main(kassa(demo)) == 69
    assert "1 of 4 fail" in capsys.readouterr().out


def test_a_shop_that_has_every_order(
    demo: DemoShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shop_check, "NOBODY", "10001")
    assert shop_check.main(kassa(demo)) == 69
    assert "answer 404" in capsys.readouterr().out


def test_a_kind_without_a_check(
    demo: DemoShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shop_check, "CHECKS", {})
    assert shop_check.main(kassa(demo)) == 69
    assert "see kassa doctor" in capsys.readouterr().out
