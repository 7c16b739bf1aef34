"""An order as WooCommerce answers it, by the fake's shapes."""

from __future__ import annotations

import json
from typing import Any

from appliance.simulators.woocommerce.samples import MITTE, blocks, line, order
from appliance.simulators.woocommerce.store import WooStore


def answered(*lines: dict[str, Any], digits: int = 6, **more: Any) -> dict[str, Any]:
    """With the changes of `more` in what the shop stores."""
    store = WooStore(clock=lambda: 1_785_000_000.0)
    try:
        members = order(more.pop("place", blocks(MITTE)), *(lines or (line("Mug", "12.90", 2),)))
        found = store.get(store.create(members | more), digits)
    finally:
        store.close()
    assert found is not None
    return found


def raw(value: object) -> bytes:
    return json.dumps(value).encode()
