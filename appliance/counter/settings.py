"""What the counter's judgement must know of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from appliance.domain.money import Currency
from appliance.protocols.links.signing import Key

NO_KEYS: Final[Mapping[str, Key]] = MappingProxyType({})
Accept = Literal["none", "signed", "confirmed"]
Adopt = Literal["off", "ask", "replace"]


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """accept: "signed", only those that one of the keys has signed; "confirmed", unsigned ones as
    well, which a seller confirms. start_by_themselves: a signed one charges without a tap.
    return_to: origins and schemes that results may go to. sign_with: the key that signs results,
    None for unsigned ones. devices_at: the address for paired devices, "" for none."""

    accept: Accept = "none"
    start_by_themselves: bool = True
    return_to: tuple[str, ...] = ()
    keys: Mapping[str, Key] = field(default_factory=lambda: NO_KEYS)
    sign_with: Key | None = None
    devices_at: str = ""


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """adopt: "ask", a seller confirms each device; "replace", one of the same model goes on by
    itself where the adopted one is gone; "off", none is offered. sellers: the ids of those who may
    confirm, () for everyone. uses: role -> the sort of node that the configuration wants there, see
    `ports.Plugged`; without those that have an address of their own. profile: the printer's."""

    adopt: Adopt = "off"
    sellers: tuple[str, ...] = ()
    uses: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""


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
    links: LinkSettings = LinkSettings()
    devices: DeviceSettings = DeviceSettings()
