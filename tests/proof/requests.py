"""Hostile requests, led by the contracts, to the demo shop and to a running kiosk."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from appliance.simulators.shop import DemoShop
from tests.contract.hostile_requests import (
    THOROUGH,
    Outcome,
    ask_kiosk,
    ask_shop,
    running_kiosk,
)
from tests.proof.result import Result

NAME = "hostile requests"


def search(*, examples: int, seed: int) -> Result:
    """examples: for each operation of a contract, right and wrong ones; sequences of them come on
    top where operations hang together."""
    started = time.monotonic()
    with DemoShop() as shop:
        to_shop = ask_shop(shop, examples=examples, seed=seed, phases=THOROUGH)
    with (
        tempfile.TemporaryDirectory(prefix="kassa-proof-") as folder,
        running_kiosk(Path(folder)) as kiosk,
    ):
        to_kiosk = ask_kiosk(kiosk, examples=examples, seed=seed, phases=THOROUGH)
    figures = {
        "requests": to_shop.cases + to_kiosk.cases,
        "to the shop": to_shop.cases,
        "to the kiosk": to_kiosk.cases,
    }
    return Result(
        NAME,
        figures,
        tuple(_told(seed, outcome) for outcome in (to_shop, to_kiosk) if outcome.story),
        seconds=time.monotonic() - started,
    )


def _told(seed: int, outcome: Outcome) -> str:
    return f"seed {seed}: {outcome.story}"
