"""`kassa shop check`: tries the shop's address and this counter's key, call by call, and says what
works, which right is missing, which setting is wrong. It changes nothing at the shop.

Each platform has a row in CHECKS, and a module of its own where it takes more than the driver.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from appliance.counter.config_schema import Config
from appliance.counter.doctor_findings import Finding, failed, render
from appliance.counter.kinds import SHOPS
from appliance.domain.errors import Code, OrderTrouble, ShopTrouble, Trouble
from appliance.ports import ClaimRefused, Shop

EX_UNAVAILABLE: Final = 69
NOBODY: Final = "kassa-shop-check"
"""An order that no shop has."""

Check = Callable[[Config], Iterator[Finding]]


def _kassa(config: Config) -> Iterator[Finding]:
    shop = SHOPS["kassa"](config)
    try:
        for name, ask in _KASSA.items():
            try:
                yield ask(shop)
            except Trouble as trouble:
                yield failed(name, trouble)
                if trouble.code in (Code.SHOP_UNREACHABLE, Code.SHOP_TOKEN, Code.SHOP_MOVED):
                    return  # the others would say the same
    finally:
        shop.close()


def _orders(shop: Shop) -> Finding:
    snapshot = shop.snapshot("", 0)
    if snapshot is None:
        raise ShopTrouble(Code.SHOP_NONSENSE, "no orders were asked for anew, and none came")
    if snapshot.malformed:
        number, reason = next(iter(snapshot.malformed.items()))
        what = f"{len(snapshot.malformed)} cannot be read, the first {number}: {reason}"
        return Finding("orders", False, what, "docs/shop-api.yaml says what each member must be")
    return Finding("orders", True, f"{len(snapshot.orders)} open")


def _by_code(shop: Shop) -> Finding:
    try:
        shop.order(NOBODY)
    except OrderTrouble as trouble:
        if trouble.code is Code.ORDER_UNKNOWN:
            return Finding("by code", True, "an unknown order is unknown")
        raise
    return Finding(
        "by code", False, f"there is an order {NOBODY}", "answer 404 where there is none"
    )


def _claim(shop: Shop) -> Finding:
    said = shop.claim(NOBODY, "check", "1", 120)
    if isinstance(said, ClaimRefused) and said.code is Code.ORDER_UNKNOWN:
        return Finding("claim", True, "an unknown order cannot be claimed")
    return Finding("claim", False, f"{said}", "answer 404 where there is no such order")


def _sellers(shop: Shop) -> Finding:
    return Finding("sellers", True, f"{len(shop.sellers().by_hash)} badges")


_KASSA: Final[Mapping[str, Callable[[Shop], Finding]]] = {
    "orders": _orders,
    "by code": _by_code,
    "claim": _claim,
    "sellers": _sellers,
}


def _woocommerce(config: Config) -> Iterator[Finding]:
    from appliance.counter.shop_check_woocommerce import check

    return check(config)


CHECKS: Final[Mapping[str, Check]] = {"kassa": _kassa, "woocommerce": _woocommerce}
"""Kind of shop -> its check. A shop without a row has `kassa doctor` alone."""


def main(config: Config) -> int:
    """Check and say so. The exit status: 0 when nothing is wrong, else 69."""
    check = CHECKS.get(config.shop.kind)
    if check is None:
        sys.stdout.write(f"no check for a shop of kind {config.shop.kind}; see kassa doctor\n")
        return EX_UNAVAILABLE
    findings = list(check(config))
    sys.stdout.write(render(findings))
    return 0 if all(finding.ok for finding in findings) else EX_UNAVAILABLE
