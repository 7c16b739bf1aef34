"""The fake WooCommerce has the traps of the real one, by the same checks that a real one is put to;
and what is its own: durability, and refunds that race."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance.simulators.woocommerce import FakeWoo
from appliance.simulators.woocommerce.samples import fill
from tests.contract import woocommerce_real
from tests.contract.woocommerce_traps import CHECKS, ORDERS, Shop


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeWoo]:
    with FakeWoo(timezone="Asia/Kolkata") as made:
        fill(made.store)
        yield made


@pytest.mark.parametrize("name", CHECKS)
def test_the_fake_has_each_trap(fake: FakeWoo, name: str) -> None:
    CHECKS[name](Shop(fake.url, "ck_mitte1", "cs_mitte1"))


@pytest.mark.parametrize("name", CHECKS)
def test_the_fake_has_each_trap_behind_tls(fake: FakeWoo, name: str) -> None:
    with httpx.Client(transport=httpx.WSGITransport(app=fake.wsgi)) as client:
        CHECKS[name](Shop("https://shop.example", "ck_mitte1", "cs_mitte1", client))


def test_the_checker_says_what_differs(fake: FakeWoo, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [fake.url, "ck_mitte1", "cs_mitte1", "--only", "etag"]
    assert woocommerce_real.main(arguments) == 0
    assert "1 checks, 0 differ" in capsys.readouterr().out
    assert woocommerce_real.main([fake.url, "ck_reader", "cs_reader", "--only", "etag"]) == 1
    assert "differs there is no etag" in capsys.readouterr().out
    assert woocommerce_real.main([fake.url, "a", "b", "--only", "no such check"]) == 1


def test_two_refunds_at_once_may_exceed_the_total() -> None:
    with FakeWoo(refund_gap_s=0.3) as fake:
        fill(fake.store)
        shop = Shop(fake.url, "ck_mitte1", "cs_mitte1")
        said: list[int] = []
        body = {"amount": "40.00", "api_refund": False}
        threads = [
            threading.Thread(
                target=lambda: said.append(shop.ask("POST", f"{ORDERS}/13/refunds", body=body)[0])
            )
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert said == [201, 201]
        assert len(shop.get(13)["refunds"]) == 2


def test_its_books_outlast_it(tmp_path: Path) -> None:
    file = str(tmp_path / "woo.sqlite3")
    with FakeWoo(file) as fake:
        fill(fake.store)
        before = fake.store.get(13)
    with FakeWoo(file) as again:
        assert again.store.get(13) == before
