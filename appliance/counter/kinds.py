"""The one visible table of drivers: interface -> kind in kassa.toml -> what makes it.

A driver is imported when the configuration names it, so that no other one's library costs time,
memory, or has to be there. A new driver is a row here; see docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from appliance.counter.clock import Clock
from appliance.counter.config_schema import BY_LINK, Config
from appliance.counter.link_out import LinkOut
from appliance.ports import Printer, Scanner, Shop, Terminal

if TYPE_CHECKING:
    from appliance.drivers.link_hop import Signer

TRACE: Final = "terminal-trace.jsonl"


def _zvt(config: Config, clock: Clock, _: LinkOut) -> Terminal:
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


def _escpos(config: Config, clock: Clock, _: LinkOut) -> Printer:
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


def _pay_link(config: Config, clock: Clock, out: LinkOut) -> Terminal:
    from appliance.drivers.pay_link import PayLink, PayLinkOptions

    chosen = config.terminal
    options = PayLinkOptions(
        _signer(config, clock, chosen.answer_key, accept_unsigned=chosen.accept_unsigned),
        config.counter.currency.code,
        knows_status=chosen.knows_status,
        answer_s=chosen.completion_timeout_s,
    )
    return PayLink(options, out, clock.monotonic)


def _print_link(config: Config, clock: Clock, out: LinkOut) -> Printer:
    from appliance.drivers.print_link import PrintLink, PrintLinkOptions

    chosen = config.printer
    signer = _signer(config, clock, chosen.answer_key, accept_unsigned=chosen.accept_unsigned)
    return PrintLink(PrintLinkOptions(signer), out, clock.monotonic)


def _signer(config: Config, clock: Clock, answer_key: str, *, accept_unsigned: bool) -> Signer:
    from appliance.drivers.link_hop import Signer

    key = config.links.keys[config.links.sign_with]  # config.py has seen to it that it is there
    return Signer(key, answer_key, accept_unsigned, lambda: int(clock.now().timestamp()))


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
            proxy=chosen.proxy,
        )
    )


def _woocommerce(config: Config) -> Shop:
    from appliance.drivers.woocommerce_shop import WooCommerceShop, WooOptions

    chosen = config.shop
    return WooCommerceShop(
        WooOptions(
            chosen.url,
            chosen.token.reveal(),
            chosen.pickup_point,
            config.counter.name,
            poll_s=chosen.poll_s,
            ready_statuses=chosen.ready_statuses,
            sellers_file=str(chosen.sellers_file or ""),
            connect_timeout_s=chosen.connect_timeout_s,
            answer_timeout_s=chosen.answer_timeout_s,
            ca_file=str(chosen.ca_file or ""),
            proxy=chosen.proxy,
        )
    )


def _vendure_shop(config: Config) -> Shop:
    from appliance.drivers.vendure_session import VendureOptions
    from appliance.drivers.vendure_shop import VendureShop

    chosen = config.shop
    return VendureShop(
        VendureOptions(
            chosen.url,
            chosen.token.reveal(),
            chosen.pickup_point,
            pickup_by=chosen.pickup_by,
            channel=chosen.channel,
            connect_timeout_s=chosen.connect_timeout_s,
            answer_timeout_s=chosen.answer_timeout_s,
            ca_file=str(chosen.ca_file or ""),
            proxy=chosen.proxy,
        )
    )


TERMINALS: Final = {"zvt": _zvt, BY_LINK["terminal"]: _pay_link}
PRINTERS: Final = {"escpos": _escpos, BY_LINK["printer"]: _print_link}
SCANNERS: Final = {"evdev": _evdev, "serial": _serial_scanner}
SHOPS: Final = {"kassa": _kassa_shop, "vendure": _vendure_shop, "woocommerce": _woocommerce}
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
