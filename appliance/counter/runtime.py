"""The one place that wires: configuration -> drivers -> counter -> web application."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO, cast

import structlog

from appliance.counter import kinds, machine, update_state
from appliance.counter.clock import Clock, SystemClock
from appliance.counter.config_schema import NO_DEVICE, Config
from appliance.counter.counter import Counter, Devices
from appliance.counter.link_out import LinkOut
from appliance.counter.settings import Accept, Adopt, DeviceSettings, LinkSettings, Settings
from appliance.domain.errors import Code
from appliance.drivers.usb_plugs import UsbPlugs
from appliance.protocols.usb_ids import KEYS, PRINTER_CLASS, SERIAL

log = structlog.get_logger()

EX_SOFTWARE: Final = 70


def settings(config: Config) -> Settings:
    """What the core must know of the configuration."""
    counter = config.counter
    return Settings(
        counter=counter.name,
        place=counter.place,
        pickup_point=config.shop.pickup_point,
        currency=counter.currency,
        language=counter.language,
        require_seller=counter.require_seller,
        sign_out_after_s=counter.sign_out_after_s,
        heading=counter.receipt_heading,
        offline_limit=None if counter.offline is None else counter.offline.amount,
        lease_s=counter.lease_s,
        unknown_ask_s=counter.unknown_ask_s,
        print_merchant_slip=config.printer.print_merchant_slip,
        print_declines=config.printer.print_declines,
        keep_days=config.journal.keep_days,
        links=LinkSettings(
            accept=cast(Accept, config.links.accept),
            start_by_themselves=config.links.start == "by-itself",
            return_to=config.links.return_to,
            keys=config.links.keys,
            sign_with=config.links.keys.get(config.links.sign_with),
            devices_at=config.links.public_url if config.links.listen else "",
        ),
        devices=DeviceSettings(
            adopt=cast(Adopt, config.devices.adopt),
            sellers=config.devices.sellers,
            uses=roles(config),
            profile=config.printer.profile,
        ),
    )


def roles(config: Config) -> dict[str, str]:
    """The roles that name a device of this counter, with the sort of node that its driver opens. A
    device with a path of its own has no role that could be given to another one."""
    sorts = {"usb": PRINTER_CLASS, "serial": SERIAL, "evdev": KEYS}
    by_role = {
        "terminal": config.terminal.address,
        "printer": config.printer.address,
        "scanner": config.scanner.address,
    }
    return {
        role: sorts[address.scheme]
        for role, address in by_role.items()
        if address.scheme in sorts and address.path == f"/dev/kassa/{role}"
    }


def devices(config: Config, clock: Clock) -> Devices:
    """The drivers that the configuration names. Opens nothing yet. Raises ConfigTrouble."""
    named = {config.terminal.answer_key, config.printer.answer_key}
    out = LinkOut(clock, {name: key for name, key in config.links.keys.items() if name in named})
    return Devices(
        kinds.TERMINALS[config.terminal.kind](config, clock, out),
        kinds.PRINTERS[config.printer.kind](config, clock, out),
        kinds.SCANNERS[config.scanner.kind](config) if config.scanner.kind != NO_DEVICE else None,
        kinds.SHOPS[config.shop.kind](config),
        out,
        UsbPlugs() if roles(config) else None,
    )


def build(config: Config, hung: Callable[[str], None] | None = None) -> Counter:
    """A counter, ready to start. Its folder is made where it is missing."""
    set_timezone(config)
    clock = SystemClock()
    config.counter.data_dir.mkdir(parents=True, exist_ok=True)
    path = config.counter.journal
    return Counter(
        path,
        settings(config),
        devices(config, clock),
        clock,
        hung or end_process,
        machine=machine.health,
        update=lambda: update_state.read(config.counter.data_dir),
    )


def end_process(what: str) -> None:
    """A thread that cannot be freed ends the process; the next one starts from the journal."""
    log.critical("process_ends", code=Code.DEVICE_HUNG, what=what)
    os._exit(EX_SOFTWARE)


def set_timezone(config: Config) -> None:
    if config.counter.timezone is not None:
        os.environ["TZ"] = config.counter.timezone.key
        time.tzset()


class _Stderr(io.TextIOBase):
    """Standard error that loses a line rather than the counter: where it goes to a full disk,
    that may be what the line is about."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def set_up_logs(config: Config) -> None:
    """Structured logs to standard error: JSON for a collector, text for a person."""
    level = getattr(logging, config.log.level.upper())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if config.log.format == "text":
        # The default formatter prints local variables, which may hold what no log may.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
    )
