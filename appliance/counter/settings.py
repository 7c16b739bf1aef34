"""What the counter's judgement must know of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.domain.money import Currency


@dataclass(frozen=True, slots=True)
class Settings:
    """What the core must know of the configuration. offline_limit: minor units below which an
    order may be charged while the shop cannot be asked; None = not at all."""

    counter: str
    place: str
    pickup_point: str
    currency: Currency
    language: str = "en"
    require_seller: bool = False
    sign_out_after_s: int = 900
    heading: tuple[str, ...] = ()
    offline_limit: int | None = None
    lease_s: int = 600
    unknown_ask_s: int = 180
    print_merchant_slip: bool = True
    print_declines: bool = True
    keep_days: int = 400
