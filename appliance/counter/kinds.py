"""The one visible table of drivers: interface -> kind in kassa.toml -> what makes it.

A driver is imported when the configuration names it, so that no other one's library costs time,
memory, or has to be there. A new driver is a row here; see docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from appliance.counter.clock import Clock
from appliance.counter.config_schema import Config
from appliance.ports import Printer, Scanner, Shop, Terminal

TRACE: Final = "terminal-trace.jsonl"


def _zvt(config: Config, clock: Clock) -> Terminal:
    from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
    from appliance.drivers.zvt_session import Times

    chosen = config.terminal
    times = Times(
        t3_s=chosen.response_timeout_s,
        t4_s=chosen.completion_timeout_s,
        connect_s=chosen.connect_timeout_s,
    )
    options = ZvtOptions(
        str(chosen.address),
        chosen.baud,
        chosen.password.reveal(),
        config.counter.currency.code,
        times,
        str(config.counter.data_dir / TRACE) if chosen.trace else "",
    )
    return ZvtTerminal(options, clock.monotonic)


def _escpos(config: Config, clock: Clock) -> Printer:
    from appliance.drivers.escpos_printer import EscposOptions, EscposPrinter

    chosen = config.printer
    options = EscposOptions(
        str(chosen.address),
        profile=chosen.profile,
        code_page=chosen.code_page,
        baud=chosen.baud,
        flow="none" if chosen.flow == "none" else "rts-cts",
        status="none" if chosen.status == "none" else "full",
        open_drawer=chosen.open_drawer,
        status_timeout_s=chosen.answer_timeout_s,
    )
    return EscposPrinter(options, clock.monotonic)


def _evdev(config: Config) -> Scanner:
    from appliance.drivers.scanners import EvdevOptions, EvdevScanner

    return EvdevScanner(EvdevOptions(config.scanner.address.path, config.scanner.layout))


def _serial_scanner(config: Config) -> Scanner:
    from appliance.drivers.scanners import SerialScanner, SerialScannerOptions

    return SerialScanner(SerialScannerOptions(config.scanner.address.path, config.scanner.baud))


def _kassa_shop(config: Config) -> Shop:
    from appliance.drivers.kassa_shop import KassaShop, ShopOptions

    chosen = config.shop
    return KassaShop(
        ShopOptions(
            chosen.url,
            chosen.token.reveal(),
            chosen.pickup_point,
            connect_timeout_s=chosen.connect_timeout_s,
            answer_timeout_s=chosen.answer_timeout_s,
            ca_file=str(chosen.ca_file or ""),
        )
    )


TERMINALS: Final = {"zvt": _zvt}
PRINTERS: Final = {"escpos": _escpos}
SCANNERS: Final = {"evdev": _evdev, "serial": _serial_scanner}
SHOPS: Final = {"kassa": _kassa_shop}
DRIVERS: Final[Mapping[str, Collection[str]]] = {
    "terminal": TERMINALS,
    "printer": PRINTERS,
    "scanner": SCANNERS,
    "shop": SHOPS,
}


def names() -> Mapping[str, Collection[str]]:
    """What the configuration may name, by "section.key"."""
    from appliance.protocols.escpos.profiles import PROFILES
    from appliance.protocols.wedge import LAYOUTS

    return {
        **{f"{interface}.kind": tuple(kinds) for interface, kinds in DRIVERS.items()},
        "printer.profile": tuple(PROFILES),
        "scanner.layout": tuple(LAYOUTS),
    }
