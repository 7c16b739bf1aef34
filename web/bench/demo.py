"""`kassa demo`: simulated surroundings, the real kiosk as a child process, and the bench.

The order of the start is the order of a real installation: first the devices and the shop are
there, then the kiosk is switched on. The end goes the other way, so that the kiosk still has its
devices while it finishes what it does.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from appliance.simulators.town import PRINTER_PROFILE, Town
from web.bench.app import Bench, create_bench
from web.bench.files import Folder, Unfit, toml, write_private
from web.bench.kiosk import Kiosk, Power

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8100
LAST_PORT: Final = 65_535
PAIRS_TRIED: Final = 20
START_WAIT_S: Final = 60.0
"""For a slow disk, and a first start, at which Python compiles. A kiosk that has ended is told of
at once."""
STOP_WAIT_S: Final = 8.0
SAME_STOP_S: Final = 0.5
AT_ONCE_S: Final = 2.0
EX_UNAVAILABLE: Final = 69  # sysexits.h
EX_SOFTWARE: Final = 70
EX_SIGINT: Final = 128 + signal.SIGINT

PLACE: Final = "Nordlicht Mitte"
COUNTERS: Final = {"en": "Counter 1", "ru": "Касса 1", "de": "Kasse 1", "fr": "Caisse 1"}
STREETS: Final = {
    "en": "20 Station Street",
    "ru": "Вокзальная ул., 20",
    "de": "Bahnhofstraße 20",
    "fr": "20, rue de la Gare",
}
CODE_PAGES: Final = {"en": "CP858", "ru": "CP866", "de": "CP858", "fr": "CP858"}

FIRST_STEPS: Final = """\
Kassa demo: open  {url}
  1. Click an order under "Orders to scan": it opens on the counter.
  2. Press "Charge" on the counter, then "Tap the card" at the terminal.
  3. See the receipt come, and what the bank holds. Then pull the plugs.
No money moves: all devices and the shop are simulated. Ctrl-C ends the demo.
"""


def run(*, port: int, currency: str, language: str, data: Path | None) -> int:
    """Run the demo until it is told to stop. Returns the exit status: 0 well, 69 a port or the
    folder cannot be used, 70 the kiosk did not start; the reason is on standard error.

    port: the kiosk's; the bench has the next. data: a folder that is kept, new, empty or an
    earlier demo's; None makes a new one and removes it at the end.
    """
    _set_up_logs()
    with ExitStack() as stack:
        stop = stack.enter_context(Stop())
        chosen = free_pair(port)
        if chosen is None:
            other = port + 10 if port + 11 <= LAST_PORT else DEFAULT_PORT
            return _complain(f"port {port} or {port + 1} is in use: try --port {other}")
        try:
            folder = Folder(_folder(stack, data))
            folder.make()
            # Before anything in it is touched: what is there may be another demo's, in use.
            stack.enter_context(folder.hold())
        except Unfit as unfit:
            return _complain(f"{unfit}: name another --data folder")
        except OSError as error:
            return _complain(f"{error.filename}: {error.strerror}: name another --data folder")
        town = Town(folder.root, currency=currency)
        stack.callback(town.stop)
        town.start()
        write_private(folder.token, town.token + "\n")
        write_private(folder.link_keys, "\n".join(town.link_keys.lines()) + "\n")
        write_private(folder.config, toml(configuration(town, folder, chosen, language)))
        kiosk = Kiosk(folder.config, folder.kiosk, folder.logs, chosen, town.touch)
        stop.at_once = lambda: _end_at_once(kiosk, None if data else folder.root)
        bench = Bench(town, kiosk, kiosk_port=chosen, port=chosen + 1, language=language)
        stack.callback(_calm_and_stop, bench)
        _serve(stack, bench)
        kiosk.start()
        if not _wait(kiosk, stop):
            return _complain(f"the kiosk did not start. Its log ends:\n{kiosk.tail()}", EX_SOFTWARE)
        if not stop.is_asked:
            _tell(FIRST_STEPS.format(url=bench.origin + "/"))
        stop.wait()
        _tell("\nstopping …\n")
    return 0


def configuration(
    town: Town, folder: Folder, port: int, language: str
) -> dict[str, dict[str, Any]]:
    """kassa.toml's sections. Timeouts are shorter than in a shop: a visitor does not wait three
    minutes to see what the counter does when a terminal falls silent."""
    return {
        "counter": {
            "name": COUNTERS[language],
            "place": PLACE,
            "currency": town.currency.code,
            "language": language,
            "receipt_heading": [PLACE, STREETS[language]],
            "data_dir": str(folder.kiosk),
            "unknown_ask_s": 60,
        },
        "web": {
            "host": HOST,
            "port": port,
            "frame_ancestors": [f"http://{name}:{port + 1}" for name in (HOST, "localhost")],
        },
        "shop": {
            "url": town.shop_url,
            "pickup_point": town.pickup_point,
            "token_file": str(folder.token),
            "connect_timeout_s": 2.0,
            "answer_timeout_s": 4.0,
        },
        "terminal": {
            "kind": "zvt",
            "address": town.terminal.address,
            "baud": 115200,
            # Longer than its customer may take.
            "completion_timeout_s": 75,
        },
        "printer": {
            "kind": "escpos",
            "address": town.printer.address,
            "baud": 115200,
            "profile": PRINTER_PROFILE,
            "code_page": CODE_PAGES[language],
            # A visitor looks for the receipt, and finds it quicker on its own.
            "print_merchant_slip": False,
        },
        "scanner": {"kind": "serial", "address": town.scanner.address, "baud": 115200},
        "links": {
            "accept": "confirmed",
            "return_to": [town.shop.url],
            "keys_file": str(folder.link_keys),
            "sign_with": town.link_keys.counter.id,
        },
    }


class Stop:
    """SIGINT, SIGTERM and SIGHUP (a closed terminal window) while it is entered. The second one
    ends the process at once; what comes with the first is the first: `make` and the shell both
    pass a Ctrl-C on.

    A handler may run between any two instructions of the main thread, so it takes no lock: it
    writes to a pipe of its own.
    """

    def __init__(self) -> None:
        self.at_once: Callable[[], None] = lambda: None
        self._asked_at: float | None = None
        self._before: dict[int, Any] = {}
        self._heard, self._tells = os.pipe()

    @property
    def is_asked(self) -> bool:
        return self._asked_at is not None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until asked to stop, or until the timeout. Whether it was asked."""
        readable, _, _ = select.select([self._heard], [], [], timeout_s)
        return bool(readable)

    def __enter__(self) -> Stop:
        os.set_blocking(self._tells, False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup: whoever started it wants it to stay
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._heard)
        os.close(self._tells)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            os.write(self._tells, b"!")
        elif now - self._asked_at > SAME_STOP_S:
            # From a thread: it takes a lock that the interrupted code may hold.
            ender = threading.Thread(target=self.at_once, daemon=True)
            ender.start()
            ender.join(AT_ONCE_S)
            os._exit(EX_SIGINT)


def free_pair(port: int) -> int | None:
    """`port` where it and the next are free; another pair where `port` is the default, which
    nobody chose. None: there is none."""
    tries = PAIRS_TRIED if port == DEFAULT_PORT else 1
    for first in range(port, port + 2 * tries, 2):
        if _is_free(first) and _is_free(first + 1):
            return first
    return None


def _is_free(port: int) -> bool:
    if not 1 <= port <= LAST_PORT:
        return False
    with socket.socket() as probe:
        # As servers bind: what merely waits for late packets of an ended one is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _folder(stack: ExitStack, data: Path | None) -> Path:
    if data is not None:
        return data.absolute()
    folder = Path(tempfile.mkdtemp(prefix="kassa-demo-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _serve(stack: ExitStack, bench: Bench) -> BaseWSGIServer:
    server = make_server(
        HOST, bench.port, create_bench(bench), threaded=True, request_handler=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever, name="bench", daemon=True)
    thread.start()

    def end() -> None:
        bench.stopping.set()
        bench.town.touch()  # event streams look up
        server.shutdown()
        server.server_close()
        thread.join(STOP_WAIT_S)

    stack.callback(end)
    return server


class _Quiet(WSGIRequestHandler):
    """No line for each request: the terminal shows what to click, and stays so."""

    def log(self, type: str, message: str, *args: Any) -> None:
        structlog.get_logger().debug("bench.served", kind=type, message=message % args)


def _wait(kiosk: Kiosk, stop: Stop) -> bool:
    """Until the kiosk answers; False where it does not."""
    until = time.monotonic() + START_WAIT_S
    while time.monotonic() < until and kiosk.power is Power.STARTING:
        if stop.wait(0.05):
            return True
    return kiosk.power is Power.ON


def _calm_and_stop(bench: Bench) -> None:
    # A charge under way holds the kiosk's end up until the customer has decided: here he does.
    bench.town.cancel_key()
    bench.kiosk.stop(STOP_WAIT_S)


def _end_at_once(kiosk: Kiosk, folder: Path | None) -> None:
    """folder: what is to be removed, as nothing else runs any more that would."""
    kiosk.cut_power()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(text: str) -> None:
    # Of a window that was closed nobody reads; the end goes on in good order all the same.
    with suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()


def _complain(what: str, status: int = EX_UNAVAILABLE) -> int:
    sys.stderr.write(f"kassa demo: {what}\n")
    return status


def _set_up_logs() -> None:
    """Warnings and worse, to standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(30),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
