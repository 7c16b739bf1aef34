"""Orders as Vendure 3.7 answers them; names and numbers invented."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

ORDER: dict[str, Any] = {
    "id": "2",
    "code": "7RB69XSFJY78AVN6",
    "state": "PaymentAuthorized",
    "currencyCode": "EUR",
    "orderPlacedAt": "2026-11-26T22:23:51.792Z",
    "total": 4836,
    "totalWithTax": 5755,
    "lines": [
        {
            "id": "10", "quantity": 3, "unitPriceWithTax": 396, "linePriceWithTax": 1189,
            "taxRate": 19, "productVariant": {"sku": "MUG", "name": "Mug, blue"},
        },
        {
            "id": "9", "quantity": 1, "unitPriceWithTax": 4999, "linePriceWithTax": 4999,
            "taxRate": 19, "productVariant": {"sku": "KETTLE", "name": "Kettle"},
        },
    ],
    "surcharges": [],
    "shippingLines": [
        {"priceWithTax": 0, "shippingMethod": {"code": "pickup-mitte", "name": "Pickup Mitte"}}
    ],
    "discounts": [{"description": "7 % off from 40", "amountWithTax": -433}],
    "payments": [
        {
            "id": "2", "state": "Authorized", "amount": 5755, "transactionId": "7RB69XSFJY78AVN6",
            "metadata": {}, "refunds": [],
        }
    ],
    "fulfillments": [],
    "customer": {
        "firstName": "Ada", "lastName": "L.", "phoneNumber": None,
        "emailAddress": "ada@example.org",
    },
    "customFields": {"pickupPoint": "mitte"},
}  # fmt: skip


def order(**changes: Any) -> dict[str, Any]:
    return deepcopy(ORDER) | changes


def payment(state: str, amount: int, *refunds: tuple[str, int], **members: Any) -> dict[str, Any]:
    rows = [{"state": each, "total": total} for each, total in refunds]
    return {"id": "7", "state": state, "amount": amount, "metadata": {}, "refunds": rows} | members


def history(*notes: tuple[str, str], total: int | None = None) -> dict[str, Any]:
    """notes: (createdAt, text)."""
    items = [
        {"id": str(number), "createdAt": at, "data": {"note": text}}
        for number, (at, text) in enumerate(notes, 1)
    ]
    return {"totalItems": len(items) if total is None else total, "items": items}
