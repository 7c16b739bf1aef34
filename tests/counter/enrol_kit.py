"""What tests of the enrolment have in common: a desk with one kiosk, and a kiosk's key."""

from __future__ import annotations

from pathlib import Path

from appliance.counter.enrol_book import Desk
from appliance.protocols.enrolment import Asked, EnrolCode, asked_from, asked_message
from appliance.protocols.links.signing import Algorithm, Key

NOW = 1_790_000_000
HOUR_S = 3600
TOKEN = "t-secret-1"
CONFIG = """
[counter]
name = "Counter 7"
[shop]
url = "https://shop.example"
pickup_point = "mitte"
token_credential = "shop-token"
"""


def kiosk_key(number: int = 1) -> Key:
    return Key("kiosk", Algorithm.ED25519, number.to_bytes(32), can_sign=True)


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def put_kiosk(folder: Path, name: str = "counter-7", config: str = CONFIG) -> None:
    kiosks = folder / "kiosks"
    kiosks.mkdir(parents=True, exist_ok=True)
    (kiosks / f"{name}.toml").write_text(config)
    (kiosks / f"{name}.token").write_text(TOKEN + "\n")


def desk_in(folder: Path, clock: Clock | None = None) -> Desk:
    put_kiosk(folder)
    return Desk(folder, clock or Clock())


def asks(code: EnrolCode, number: int = 1) -> Asked:
    return asked_from(asked_message(code, kiosk_key(number), "Pi", f"s-{number}"))
