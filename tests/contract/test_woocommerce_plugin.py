"""Our WordPress plugin: its own tests, the fake's likeness to it, and the shop contract on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Request, Response

from appliance.simulators.woocommerce import FakeWoo
from tests.contract.plugin_server import CI, PLUGIN, database, missing, need, served
from tests.contract.shop import ShopContract
from tests.contract.woo_bench import WooBench, woo_bench

FILES = sorted(PLUGIN.rglob("*.php"))
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need()
    with database(tmp_path_factory.mktemp("plugin")) as path:
        yield path


@pytest.fixture(scope="module")
def php(socket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("php"), socket) as address:
        yield address


def test_in_ci_it_is_never_left_out() -> None:
    assert not (os.environ.get(CI) and missing()), missing()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_is_php(file: Path) -> None:
    need()
    done = subprocess.run(["php", "-l", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_own_tests(socket: str) -> None:
    done = subprocess.run(
        ["php", "-d", "display_errors=1", PLUGIN / "tests/run.php"],
        env={**os.environ, "KASSA_TEST_SOCKET": socket},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout


# --- the fake is like it ----------------------------------------------------------------------

ONE = {"kiosk": "one", "claim_id": "H-1", "lease_s": 600}
TWO = {"kiosk": "two", "claim_id": "H-2", "lease_s": 600}
PAY = {"kiosk": "one", "claim_id": "H-1", "payment": "H-1-1"}
FACT = {"id": "f-1", "kind": "payment.approved", "order": "7"}
ODD_FACTS: list[Any] = [
    [], {}, None, [5], [{}], [FACT | {"order": 7}], [FACT | {"kind": ""}], [FACT] * 51,
]  # fmt: skip
# when, method, path, query, JSON
CALLS: list[tuple[int, str, str, dict[str, str], Any]] = [
    (1000, "PUT", "/orders/7/claim", {}, ONE),
    (1000, "PUT", "/orders/7/claim", {}, ONE),
    (1000, "PUT", "/orders/7/claim", {}, TWO),
    (1000, "PUT", "/orders/7/claim", {}, ONE | {"claim_id": "h-1"}),
    (1599, "PUT", "/orders/7/claim", {}, TWO),
    (1600, "PUT", "/orders/7/claim", {}, TWO),
    (1600, "PUT", "/orders/7/claim", {}, ONE),
    (1600, "DELETE", "/orders/7/claim", {"kiosk": "one", "claim_id": "H-1"}, None),
    (1600, "PUT", "/orders/7/claim", {}, ONE),
    (1600, "DELETE", "/orders/7/claim", {"kiosk": "two", "claim_id": "H-2"}, None),
    (1600, "PUT", "/orders/7/claim", {}, ONE),
    (1600, "PUT", "/orders/7/payment", {}, PAY | {"open": True}),
    (9999, "PUT", "/orders/7/claim", {}, TWO),
    (9999, "PUT", "/orders/7/payment", {}, PAY | {"payment": "x", "open": False}),
    (9999, "PUT", "/orders/7/claim", {}, TWO),
    (9999, "PUT", "/orders/7/payment", {}, PAY | {"open": False}),
    (9999, "PUT", "/orders/7/claim", {}, TWO),
    (9999, "PUT", "/orders/8/payment", {}, PAY | {"open": True}),
    (99999, "PUT", "/orders/8/claim", {}, TWO),
    *[
        (1, "PUT", "/orders/9/claim", {}, ONE | {name: value})
        for name, value in (
            ("kiosk", ""), ("kiosk", 5), ("kiosk", "a\nb"), ("kiosk", "x" * 81),
            ("claim_id", None), ("lease_s", 0), ("lease_s", 7201), ("lease_s", "60"),
            ("lease_s", 1.5), ("lease_s", True),
        )
    ],
    (1, "PUT", "/orders/9/claim", {}, []),
    (1, "PUT", "/orders/9/claim", {}, ONE | {"kiosk": "Касса 1 🙂"}),
    (1, "PUT", "/orders/9/payment", {}, PAY | {"open": 1}),
    (1, "PUT", "/orders/9/payment", {}, {"kiosk": "one", "claim_id": "H-1", "open": True}),
    (1, "DELETE", "/orders/9/claim", {"kiosk": "one"}, None),
    (1, "GET", "/facts", {}, None),
    (1, "GET", "/facts", {"kiosk": "one", "after": "", "ids": ""}, None),
    (1, "POST", "/facts", {}, {"kiosk": "one", "facts": [FACT, FACT | {"id": "f-2"}]}),
    (1, "POST", "/facts", {}, {"kiosk": "two", "facts": [FACT, FACT | {"id": "f-3"}]}),
    (1, "GET", "/facts", {"kiosk": "one", "after": "f-1", "ids": "f-3,x,f-1"}, None),
    (1, "GET", "/facts", {"kiosk": "two", "after": "f-1", "ids": "f-3"}, None),
    (1, "GET", "/facts", {"kiosk": "one", "ids": ",".join(map(str, range(51)))}, None),
    *[
        (1, "POST", "/facts", {}, {"kiosk": "one", "facts": facts})
        for facts in ODD_FACTS
    ],
    (1, "GET", "/nothing", {}, None),
]  # fmt: skip


def _answers(base: str, more: Any) -> list[tuple[int, Any]]:
    found = []
    with httpx.Client(base_url=f"{base}/wp-json/kassa/v1", trust_env=False, timeout=20) as client:
        for at, method, path, query, body in CALLS:
            said = client.request(
                method, path, params=query | more(at), json=body, headers={"X-Test-Now": str(at)}
            )
            value = said.json()
            value.pop("data", None)
            found.append((said.status_code, value if said.status_code != 404 else value["code"]))
    return found


def test_the_fake_answers_as_the_plugin_does(
    php: str, socket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forget(socket)
    clock = [0.0]

    def at(moment: int) -> dict[str, str]:
        clock[0] = float(moment)
        return {}

    monkeypatch.setattr(
        "appliance.simulators.woocommerce.auth.Gate.check", lambda self, request: None
    )
    with FakeWoo(plugin=True, clock=lambda: clock[0]) as fake:
        mine = _answers(fake.url, at)
    theirs = _answers(php, lambda at: {})
    for call, (a, b) in zip(CALLS, zip(mine, theirs, strict=True), strict=True):
        assert a == b, call


def _forget(socket: str) -> None:
    asked = ["mariadb", "--no-defaults", f"--socket={socket}", "-u", "root", "-e"]
    again = "DROP DATABASE kassa_test; CREATE DATABASE kassa_test"
    subprocess.run([*asked, again], check=True, capture_output=True)


# --- the contract, on the plugin itself -------------------------------------------------------


class TestOnThePlugin(ShopContract):
    @pytest.fixture
    def bench(self, php: str, socket: str, tmp_path: Path) -> Iterator[WooBench]:
        _forget(socket)
        with httpx.Client(trust_env=False, timeout=20) as client:
            clock: list[Any] = []

            def forward(request: Request) -> Response:
                said = client.request(
                    request.method,
                    php + request.full_path,
                    content=request.get_data(),
                    headers={"X-Test-Now": str(int(clock[0]()))},
                )
                return Response(said.content, said.status_code, content_type="application/json")

            with woo_bench(tmp_path, plugin=True, plugin_by=forward) as bench:
                clock.append(bench.shop.store.clock)
                yield bench
