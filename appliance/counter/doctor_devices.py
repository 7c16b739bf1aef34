"""The doctor speaks to the devices and to the shop. Charges nothing, prints nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from appliance.counter.config_schema import BY_LINK, Config
from appliance.counter.config_schema import Shop as ShopSettings
from appliance.counter.doctor_findings import Finding, failed
from appliance.counter.doctor_links import by_link
from appliance.counter.doctor_machine import NETWORK_S, Machine, node
from appliance.domain.errors import Code, ScannerTrouble, ShopTrouble, TerminalTrouble, Trouble
from appliance.ports import Printer, Scanner, Shop, Terminal

OPEN_S: Final = 5.0
"""How long a scanner may take to open, and to close."""


@dataclass(frozen=True, slots=True)
class Drivers:
    """What is to be looked at. Nothing is opened before it is called.

    scanner: None where there is none. journal: the flaws of the journal in this file, a line
    each; raises JournalTrouble. lock: be the only instance while the context is open; raises
    JournalTrouble(SECOND_INSTANCE).
    """

    terminal: Callable[[], Terminal]
    printer: Callable[[], Printer]
    scanner: Callable[[], Scanner] | None
    shop: Callable[[], Shop]
    journal: Callable[[Path], Sequence[str]]
    lock: Callable[[], AbstractContextManager[object]]


def devices(
    config: Config,
    drivers: Drivers,
    machine: Machine,
    *,
    may_speak: bool,
    missing: Mapping[str, Finding],
) -> Iterator[Finding]:
    """missing: as doctor.diagnose. What lacks its secret is not spoken to: a terminal may count
    wrong passwords."""
    addresses = {
        "terminal": config.terminal.address,
        "printer": config.printer.address,
        "scanner": config.scanner.address,
    }
    talks: dict[str, Callable[[], Iterator[Finding]]] = {
        "terminal": lambda: _terminal(drivers.terminal),
        "printer": lambda: _printer(drivers.printer),
        "scanner": lambda: _scanner(drivers.scanner),
    }
    for name, talk in talks.items():
        if name in missing:
            yield missing[name]
        if name in BY_LINK and getattr(config, name).kind == BY_LINK[name]:
            yield from by_link(name, config)
        elif bad := node(name, addresses[name], machine):
            yield bad
        elif (may_speak and name not in missing) or (name == "scanner" and drivers.scanner is None):
            try:
                yield from talk()
            except Trouble as trouble:
                yield failed(name, trouble)
        else:
            yield Finding(name, True, f"{addresses[name]}, not spoken to", is_checked=False)


def _terminal(make: Callable[[], Terminal]) -> Iterator[Finding]:
    terminal = make()
    try:
        terminal.connect()
        health = terminal.check()
        if health.code is not None:
            raise TerminalTrouble(health.code, health.detail)
        base, traits = terminal.baseline(), terminal.traits()
        last = "none yet" if base.receipt_no is None else str(base.receipt_no)
        yield Finding("terminal", True, f"{base.terminal_id or 'ready'}, last receipt {last}")
        if traits.recovers:
            yield Finding("recovery", True, traits.detail or "the terminal tells its last payment")
        else:
            what = traits.detail or "the terminal cannot be asked for its last payment"
            fix = "when a payment is in doubt, read the terminal's slip: docs/runbook/K-PAY-08.md"
            yield Finding("recovery", True, what, fix)
    finally:
        terminal.close()


def _printer(make: Callable[[], Printer]) -> Iterator[Finding]:
    printer = make()
    try:
        health = printer.check()
        if health.code is not None:
            raise Trouble(health.code, health.detail)
        yield Finding("printer", True, health.detail or "ready")
    finally:
        printer.close()


def _scanner(make: Callable[[], Scanner] | None) -> Iterator[Finding]:
    if make is None:
        yield Finding("scanner", True, "none: touch and keys only")
        return
    scanner = make()
    opened, ended, news = threading.Event(), threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def was_opened() -> None:
        opened.set()
        news.set()

    def run() -> None:
        try:
            scanner.run(lambda _: None, lambda _: None, was_opened)
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            raised.append(error)
        finally:
            ended.set()
            news.set()

    threading.Thread(target=run, name="doctor-scanner", daemon=True).start()
    news.wait(OPEN_S)
    scanner.close()
    is_closed = ended.wait(OPEN_S)
    if raised:
        raise raised[0]
    if not opened.is_set() or not is_closed:
        verb = "close" if opened.is_set() else "open"
        raise ScannerTrouble(Code.SCANNER_GONE, f"it did not {verb} within {OPEN_S:g} s")
    yield Finding("scanner", True, "can be read")


def shop(config: Config, drivers: Drivers, machine: Machine) -> list[Finding]:
    try:
        link = drivers.shop()
    except Trouble as trouble:
        return [failed("shop", trouble)]
    try:
        return list(_ask_shop(config, link))
    except ShopTrouble as trouble:
        if trouble.code is Code.SHOP_UNREACHABLE:
            return [_unreachable(config.shop, trouble, machine)]
        return [failed("shop", trouble)]
    finally:
        link.close()


def _ask_shop(config: Config, shop: Shop) -> Iterator[Finding]:
    snapshot = shop.snapshot("", 0)
    if snapshot is None:
        raise ShopTrouble(Code.SHOP_NONSENSE, "no orders were asked for anew, and none came")
    yield Finding("shop", True, f"{config.shop.url}, {len(snapshot.orders)} open orders")
    if snapshot.malformed:
        number, reason = next(iter(snapshot.malformed.items()))
        what = f"{Code.ORDER_MALFORMED}: {len(snapshot.malformed)}, the first {number}: {reason}"
        yield Finding("orders", True, what, "tell the shop's office")
    if config.counter.require_seller:
        count = len(shop.sellers().by_hash)
        fix = "" if count else "let the shop's office enter the sellers' badges"
        yield Finding("sellers", bool(count), f"{count} badges", fix)
    traits = shop.traits()
    if traits.atomic_claim:
        yield Finding("claim", True, traits.detail or "an order is one counter's alone")
    else:
        what = f"the shop has no atomic claim. {traits.detail}"
        fix = "two counters could charge one order: let one counter serve this pickup point"
        yield Finding("claim", True, what, fix)


def _unreachable(chosen: ShopSettings, trouble: ShopTrouble, machine: Machine) -> Finding:
    """Which step of the way to the shop fails: the name, the connection, or what comes after. With
    a proxy this machine goes as far as that, and the rest of the way is the proxy's."""
    url, proxy = chosen.url, chosen.proxy
    parts = urlsplit(proxy or url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if problem := _within(lambda: machine.resolve(host, port)):
        fix = f"check the network cable, then: resolvectl query {host}"
        return Finding("shop", False, f"{trouble.code}: {host} has no address: {problem}", fix)
    if problem := _within(lambda: machine.dial(host, port)):
        fix = f"check the firewall on the way to port {port}; ask the shop's office"
        if proxy:
            fix = f"check the proxy itself, [shop] proxy, and the way to its port {port}"
        if _is_here(host) and not proxy:  # no firewall is on the way
            fix = "start the shop on this machine, or set [shop] url: nothing answers there"
        return Finding("shop", False, f"{trouble.code}: {host}:{port}: {problem}", fix)
    if proxy:
        what = f"the proxy {host}:{port} is there, but: {trouble.detail}"
        fix = f"does it let this counter to the shop? curl -v -x {proxy} {url}"
    else:
        what = f"{host} is there, but: {trouble.detail}"
        fix = f"check the clock and the certificate: curl -v {url}"
    return Finding("shop", False, f"{trouble.code}: {what}", fix)


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _within(step: Callable[[], None]) -> str:
    """Why the step failed, or "". Resolving knows no deadline of its own, so it gets a thread."""
    problems = [f"no answer within {NETWORK_S:g} s"]

    def run() -> None:
        try:
            step()
        except OSError as error:
            problems[0] = error.strerror or str(error)
        else:
            problems[0] = ""

    thread = threading.Thread(target=run, name="doctor-network", daemon=True)
    thread.start()
    thread.join(NETWORK_S)
    return problems[0]
