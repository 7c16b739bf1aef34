"""What the shop API's fields can hold, and an order with all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

characters = st.characters(exclude_categories=("Cc", "Cs"))
texts = st.text(characters, max_size=20)
keys = st.text(characters, min_size=1, max_size=20)
notes = st.text(st.one_of(characters, st.just("\n")), max_size=40)
times = st.sampled_from(
    [
        "",
        "2026-11-28",
        "2026-11-23T14:33Z",
        "2026-11-23T14:33:07.250+03:00",
        "2026-01-01T00:00:00-0500",
    ]
)

FULL: dict[str, Any] = {
    "id": "ord-1",
    "number": "1",
    "version": "1",
    "status": "ready",
    "pickup_point": "mitte",
    "currency": "EUR",
    "codes": ["NL-1"],
    "lines": [
        {
            "sku": "A",
            "name": "Ä",
            "quantity": "0.350",
            "unit": "kg",
            "unit_price": 2890,
            "total": 1012,
            "vat_basis_points": 700,
            "ean": "4006381333931",
            "cell": "K-3",
        }
    ],
    "discounts": [{"label": "x", "amount": -1}],
    "loyalty": [{"label": "y", "amount": 0}],
    "total": 1011,
    "vat": 66,
    "paid": 0,
    "due": 1011,
    "customer": {"name": "J", "phone": "1", "email": "e"},
    "cell": "A",
    "notes": ["n"],
    "checks": [{"kind": "age", "text": "18+"}],
    "placed_at": "2026-11-21T14:35:00+01:00",
    "ready_at": "2026-11-21T14:35:00+01:00",
    "pickup_until": "2026-11-28",
    "last_day": True,
}
