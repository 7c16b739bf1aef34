"""What the tests of links share: keys, settings, and the steps of a request."""

from __future__ import annotations

from dataclasses import replace

from appliance.counter.link_facts import Asked
from appliance.counter.links import Source
from appliance.counter.settings import LinkSettings, Settings
from appliance.domain.money import Money
from appliance.domain.order import Order
from appliance.ports import Claimed
from appliance.protocols.links import kassa
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Act, Callbacks, Link, Outcome, Reason
from appliance.protocols.links.signing import Algorithm, Key, Stamp
from tests.counter.harness import BASELINE, EUR, Bench, order

SHOP = Key("shop", Algorithm.HMAC_SHA256, b"s" * 32, can_sign=True)
KIOSK = Key("kiosk", Algorithm.HMAC_SHA256, b"k" * 32, can_sign=True)
STRANGER = Key("shop", Algorithm.HMAC_SHA256, b"x" * 32, can_sign=True)
BACK = "https://shop.example/paid?{response}"
LINKS = LinkSettings(
    "confirmed", return_to=("https://shop.example",), keys={"shop": SHOP}, sign_with=KIOSK
)
SETTINGS = Settings("Counter 1", "Nevsky 20", "PP1", EUR, links=LINKS)
DUE = Money(128450, EUR)


def link(
    counter: Bench,
    nonce: str = "n" * 22,
    *,
    key: Key | None = SHOP,
    life_s: int = 600,
    **changes: object,
) -> str:
    """One of our own format. key: None for an unsigned one."""
    base = Link(Name.KASSA, Act.SELL, "1042", "", callbacks=Callbacks(BACK, BACK, BACK))
    now = int(counter.clock.now().timestamp())
    stamp = Stamp(key, nonce, now + life_s) if key else None
    return kassa.build(replace(base, **changes), stamp)  # type: ignore[arg-type]


def take(counter: Bench, text: str, source: Source = Source.DEVICE) -> Asked:
    return counter.core.links.take(text, source)


def state(counter: Bench, asked: Asked) -> Asked:
    """After the loop has turned."""
    counter.core.links.follow()
    found = counter.core.links.find(asked.id)
    assert found is not None
    return found


def ended(counter: Bench, asked: Asked) -> tuple[Outcome, Reason]:
    result = state(counter, asked).result
    assert result is not None, "no result yet"
    return result.outcome, result.reason


def go_on(counter: Bench, wanted: Order | None = None) -> None:
    """The shop grants the claim and the terminal is there."""
    counter.claim_answer(Claimed(wanted or order(), 600))
    counter.prepared(BASELINE)
