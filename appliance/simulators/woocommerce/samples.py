"""Orders of a shop with two places to pick up, as both checkouts of WooCommerce make them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from appliance.simulators.woocommerce.store import WooStore

MITTE: Final = "Nordlicht Mitte"
HAFEN: Final = "Nordlicht Hafen"
RATE: Final = 19  # per cent, contained in the prices


def blocks(place: str) -> dict[str, Any]:
    """The block checkout: every location has instance "0", and its name in the meta data."""
    return {
        "method_id": "pickup_location",
        "method_title": f"Pickup ({place})",
        "instance_id": "0",
        "meta_data": [
            {"id": 1, "key": "pickup_location", "value": place},
            {"id": 2, "key": "pickup_address", "value": "Lindenstr. 20, Berlin"},
        ],
    }


def classic(title: str, instance: int = 3) -> dict[str, Any]:
    return {"method_id": "local_pickup", "method_title": title, "instance_id": str(instance)}


def line(
    name: str, gross: str, quantity: int = 1, *, off: str = "0", sku: str = "", ean: str = ""
) -> dict[str, Any]:
    """A position whose gross price of one is `gross`, with the tax in it; off: its discount."""
    before = Decimal(gross) * quantity
    after = before - Decimal(off)
    net_before, net_after = _net(before), _net(after)
    return {
        "name": name,
        "product_id": 77,
        "quantity": quantity,
        "subtotal": str(net_before),
        "subtotal_tax": str(before - net_before),
        "total": str(net_after),
        "total_tax": str(after - net_after),
        "taxes": [{"id": 1, "total": str(after - net_after), "subtotal": str(before - net_before)}],
        "sku": sku,
        "global_unique_id": ean,
    }


def _net(gross: Decimal) -> Decimal:
    return (gross * 100 / (100 + RATE)).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def order(place: Mapping[str, Any], *lines: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Cash on delivery, which is how "pay at the counter" is mostly set up."""
    return {
        "status": "processing",
        "payment_method": "cod",
        "payment_method_title": "Pay when you collect",
        "billing": {"first_name": "Jana", "last_name": "Petersen", "phone": "+49 30 5550 1401"},
        "line_items": list(lines),
        "shipping_lines": [dict(place)],
        "tax_lines": [{"rate_id": 1, "rate_percent": RATE, "label": "MwSt."}],
        **more,
    }


def fill(store: WooStore, count: int = 4) -> list[int]:
    """Some orders to be paid at Mitte, and one each of what a counter must not charge."""
    mug = line("Becher Nordlicht", "12.90", 2, sku="MUG-02", ean="4006381333931")
    tea = line("Чай «Северный»", "7.49", 3, sku="TEE-40")
    made = [store.create(order(blocks(MITTE), mug, tea)) for _ in range(count)]
    store.create(order(blocks(HAFEN), mug))
    store.create(order(classic("Abholung Hafen"), tea, status="on-hold", payment_method="bacs"))
    store.create(order({"method_id": "flat_rate", "method_title": MITTE}, mug))
    store.create(order(blocks(MITTE), mug, status="pending", payment_method="stripe"))
    return made
