"""The shapes of WooCommerce's answers, from files that name their source."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "answers"


@cache
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    del found["_source"]
    return found


def order() -> dict[str, Any]:
    return copy.deepcopy(_read("order"))


def item(kind: str) -> dict[str, Any]:
    """kind: line_items, shipping_lines, fee_lines, coupon_lines or tax_lines."""
    return copy.deepcopy(_read("items")[kind])


def other(kind: str) -> dict[str, Any]:
    """kind: note, refund or product."""
    return copy.deepcopy(_read("others")[kind])


def error(kind: str) -> dict[str, Any]:
    return copy.deepcopy(_read("others")["errors"][kind])
