"""A shop at the far end of real sockets, for the tests that take one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appliance.drivers.kassa_shop import KassaShop, ShopOptions
from tests.drivers.far_shop import TOKEN, Far


@pytest.fixture
def far() -> Iterator[Callable[..., tuple[Far, KassaShop]]]:
    """far(answer, **options) -> the far end and a driver to it."""
    opened: list[Far | KassaShop] = []

    def make(
        answer: bytes | Callable[[bytes, socket.socket], bytes], **options: Any
    ) -> tuple[Far, KassaShop]:
        end = Far(answer if callable(answer) else lambda request, connection: answer)
        shop = KassaShop(ShopOptions(end.url, TOKEN, "mitte", **options))
        opened.extend((shop, end))
        return end, shop

    yield make
    for thing in opened:
        thing.close()
