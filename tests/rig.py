"""A real counter with simulated surroundings: real bytes on ptys, TCP and HTTP.

`Rig` holds the devices and the shop, and writes kassa.toml. `Kiosk` is `kassa run` as a child
process on it; `in_process` runs the same counter in this process. Waits are bounded.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from appliance.counter import config as config_module
from appliance.counter.config_schema import Config
from appliance.counter.counter import Counter
from appliance.counter.journal import Reader
from appliance.counter.kinds import names
from appliance.counter.runtime import build
from appliance.domain.facts import Fact, Kind
from appliance.simulators.bank import Bank
from appliance.simulators.escpos_printer import EscposPrinterSimulator
from appliance.simulators.scanner import ScannerSimulator
from appliance.simulators.shop import DemoShop
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.children import TIED

WAIT_S = 30.0
POLL_S = 0.01


def until(condition: Callable[[], Any], what: str = "", wait_s: float = WAIT_S) -> Any:
    """What the condition returns as soon as that is true. Raises AssertionError when it is not
    within wait_s seconds."""
    end = time.monotonic() + wait_s
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {wait_s} s: {what or condition}")
        time.sleep(POLL_S)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Rig:
    """The devices, the bank and the shop of one counter. line: how the terminal is attached.
    beside: another counter of the same pickup point, with whom it shares the shop. shop: the keys
    of [shop] that lead to another one than the simulated one."""

    def __init__(
        self,
        folder: Path,
        *,
        line: str = "pty",
        counter: str = "",
        trace: bool = False,
        beside: Rig | None = None,
        shop: str = "",
        **terminal: Any,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self._counter, self._shop = counter, shop
        self._trace = trace
        self.bank = Bank()
        attached = LineOptions(line, str(folder / "terminal") if line == "pty" else None)
        used = {"receipt_no": 41, "trace_no": 41}  # of a new one nobody can tell all
        options = SimulatorOptions(line=attached, **used | terminal)
        self.terminal = ZvtTerminalSimulator(options, bank=self.bank)
        self.printer = EscposPrinterSimulator(path=folder / "printer", profile="epson-tm-80")
        self.scanner = ScannerSimulator(folder / "scanner")
        self.shop: DemoShop = beside.shop if beside else DemoShop(str(folder / "shop.sqlite3"))
        self._kiosk = "mitte-2" if beside else "mitte-1"
        self._owns_shop = beside is None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._owns_shop:
            self._stack.callback(self.shop.close)
            self.shop.start()
        for device in (self.terminal, self.printer, self.scanner):
            self._stack.enter_context(device)
        self.config_file.write_text(self._toml(), encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def config_file(self) -> Path:
        return self.folder / "kassa.toml"

    def config(self) -> Config:
        return config_module.load(self.config_file, names=names())

    def facts(self) -> list[Fact]:
        """All facts of the counter's journal, oldest first."""
        reader = Reader(self.data / "journal.sqlite3")
        try:
            assert reader.verify() == []
            return [fact for _, fact in reader.facts(0, 100_000)]
        finally:
            reader.close()

    def _demo_shop(self) -> str:
        token = self.shop.tokens[self._kiosk]
        return f'url = "{self.shop.url}"\ntoken = "{token}"\npickup_point = "mitte"'

    def _toml(self) -> str:
        return f"""
[counter]
name = "Counter 1"
place = "Mitte"
data_dir = "{self.data}"
{self._counter}
[web]
port = {self.port}
[shop]
{self._shop or self._demo_shop()}
[terminal]
address = "{self.terminal.address}"
baud = 115200
trace = {str(self._trace).lower()}
[printer]
address = "{self.printer.address}"
profile = "epson-tm-80"
baud = 115200
[scanner]
kind = "serial"
address = "{self.scanner.address}"
[log]
format = "text"
"""


class Kiosk:
    """`kassa run` in a process group of its own."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, wait_s: float = WAIT_S) -> None:
        """Start, and wait until it answers."""
        self.launch()
        until(self.is_up, "the kiosk answers", wait_s)

    def launch(self) -> None:
        with (self._rig.folder / "kiosk.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*TIED, sys.executable, "-m", "appliance.cli",
                 "run", "--config", self._rig.config_file],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self._rig.folder / "kiosk.log").read_text()[-4000:]
        try:
            return self.health()["page"] != "out_of_order"
        except (OSError, http.client.HTTPException):
            return False

    def is_well(self) -> bool:
        """All four devices are known, and well; the shop's sellers are there then as well."""
        states = self.health()["devices"]
        return len(states) == 4 and set(states.values()) == {"ok"}

    def kill(self) -> None:
        """A power cut, as far as a process can have one."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """A polite stop; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):  # it may be gone already
            os.killpg(process.pid, number)
        process.wait(WAIT_S)
        # Its children die on their own, and hold the lock on the data until then.
        until(lambda: not _lives(process.pid), "all of it is dead")

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._rig.port, timeout=WAIT_S)
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body)
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._rig.port}"

    def health(self) -> dict[str, Any]:
        _, body = self.request("GET", "/healthz")
        found: dict[str, Any] = json.loads(body)
        return found

    def page(self) -> str:
        return str(self.health()["page"])

    def at(self, *pages: str) -> None:
        until(lambda: self.page() in pages, f"one of the pages {pages}")

    def printed(self) -> bool:
        """Whether nothing waits to be printed: the newest print job has ended."""
        reader = Reader(self._rig.data / "journal.sqlite3")
        try:
            kinds = [fact.kind for fact in reader.newest(40) if fact.kind.startswith("print.")]
        finally:
            reader.close()
        return kinds.count(Kind.PRINTED) >= kinds.count(Kind.PRINT_STARTED) > 0

    def pids(self) -> list[int]:
        """The processes of the kiosk: gunicorn's arbiter and its worker."""
        assert self.process is not None
        group = os.getpgid(self.process.pid)
        found = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
        return [pid for pid in found if _group(pid) == group]

    def seq(self) -> int:
        """Of the present screen."""
        _, page = self.request("GET", "/screen")
        found = re.search(rb'data-seq="(\d+)"', page)
        assert found is not None
        return int(found[1])

    def do(self, action: str, argument: str = "", seq: int | None = None) -> int:
        """A command as the screen sends it, by default the present one; the HTTP status."""
        seq = self.seq() if seq is None else seq
        body = {"id": uuid.uuid4().hex, "seq": seq, "action": action, "argument": argument}
        status, _ = self.request("POST", "/command", body)
        return status


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


@contextmanager
def in_process(rig: Rig) -> Iterator[Counter]:
    """The same counter in this process: no HTTP, all threads."""

    def hung(what: str) -> None:
        raise AssertionError(f"{what} hung")

    counter = build(rig.config(), hung)
    counter.start()
    try:
        # The scanner too: what is scanned before it is open is thrown away.
        until(lambda: len(counter.screen().devices) == 4, "the devices are known")
        yield counter
    finally:
        assert counter.stop(WAIT_S)


def _lives(group: int) -> bool:
    """Whether any process of the group still runs, and holds the lock on the data."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            # After the name in brackets: state, parent, group ... and how many threads.
            values = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            # A zombie is done, but not while other threads of it are dying.
            if int(values[2]) == group and (values[0] != "Z" or int(values[17]) > 1):
                return True
    return False
