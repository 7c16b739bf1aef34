"""Where the real code waits, chance rules or bytes leave: what stands in for it in a simulation.

Everything else of the counter, of the drivers and of the shop is the code that runs in a shop.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

import structlog

import appliance.counter.counter
import appliance.counter.shoplink
import appliance.counter.workers
import appliance.drivers.escpos_printer
import appliance.drivers.shop_http
import appliance.simulators.escpos_printer
import appliance.simulators.shop.store
from appliance.counter.journal import Journal
from appliance.domain.facts import Draft, Fact
from tests.simulation import primitives
from tests.simulation.devices import SimulatedPrinterLine
from tests.simulation.kernel import Kernel
from tests.simulation.primitives import Threading
from tests.simulation.wires import Wire

SYNC_S: Final = (0.001, 0.004, 0.02, 0.1)


@contextmanager
def installed(
    kernel: Kernel,
    threading: Threading,
    chance: random.Random,
    printer_wire: Callable[[], Wire],
    appended: Callable[[Journal, Sequence[Fact]], None],
    logged: Callable[[str], None],
) -> Iterator[None]:
    """printer_wire: of the kiosk that asks. appended: told of each group of facts that is on disk.
    logged: told of each line of the logs."""
    time = primitives.Time(kernel)
    queue, futures = primitives.load_queue(threading), primitives.load_futures(threading)
    secrets = SimpleNamespace(randbelow=chance.randrange)
    real_append = Journal.append

    def append(self: Journal, drafts: Sequence[Draft], seller: str = "") -> list[Fact]:
        # A card takes its time: whoever does not wait for it is found out.
        kernel.sleep(chance.choice(SYNC_S))
        facts = real_append(self, drafts, seller)
        appended(self, facts)
        return facts

    def open_line(address: str, clock: Callable[[], float], **_: object) -> SimulatedPrinterLine:
        return SimulatedPrinterLine(printer_wire())

    def shut(opened: Any) -> None:
        opened.shutdown()

    replaced: list[tuple[object, dict[str, object]]] = [
        (
            appliance.counter.counter,
            {"queue": queue, "threading": threading, "Future": futures.Future},
        ),
        (appliance.counter.workers, {"queue": queue, "threading": threading}),
        (
            appliance.counter.shoplink,
            {"threading": threading, "ThreadPoolExecutor": primitives.pool_of(threading)},
        ),
        (appliance.drivers.shop_http, {"threading": threading, "time": time, "_shut": shut}),
        (appliance.drivers.escpos_printer, {"open_line": open_line, "secrets": secrets}),
        (appliance.simulators.escpos_printer, {"time": time}),
        (appliance.simulators.shop.store, {"threading": threading, "time": time}),
        (Journal, {"append": append}),
    ]

    def keep(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        logged(" ".join(f"{key}={value}" for key, value in event.items()))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.format_exc_info, keep])
    patches = [
        mock.patch.object(target, name, stand_in)
        for target, names in replaced
        for name, stand_in in names.items()
    ]
    try:
        for patch in patches:
            patch.start()
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
        structlog.configure(**before)
