from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shops.vendure.bench import VendureBench
from tests.shops.vendure.shop import VendureShop, missing

_places = itertools.count(1)


def _shop(folder: Path, *, plugin: bool) -> Iterator[VendureShop]:
    if why := missing():
        # In CI it must be there: a test that is left out there tells nobody.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no real Vendure: {why}")
    with VendureShop(folder, plugin=plugin) as shop:
        yield shop


@pytest.fixture(scope="session")
def with_plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VendureShop]:
    yield from _shop(tmp_path_factory.mktemp("vendure-plugin"), plugin=True)


@pytest.fixture(scope="session")
def without_plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VendureShop]:
    yield from _shop(tmp_path_factory.mktemp("vendure-plain"), plugin=False)


@pytest.fixture(params=["plugin", "plain"])
def shop(request: pytest.FixtureRequest) -> VendureShop:
    name = "with_plugin" if request.param == "plugin" else "without_plugin"
    found = request.getfixturevalue(name)
    assert isinstance(found, VendureShop)
    return found


def a_bench(shop: VendureShop, **options: str) -> Iterator[VendureBench]:
    """Two orders at a pickup point that no other test has."""
    place = f"place-{os.getpid()}-{next(_places)}"
    bench = VendureBench(shop, place, **options)
    try:
        yield bench
    finally:
        bench.first.close()
        bench.second.close()


@pytest.fixture
def bench(shop: VendureShop) -> Iterator[VendureBench]:
    yield from a_bench(shop)
