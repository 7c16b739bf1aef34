"""A printer driver, a simulated printer, and a receipt: what the tests of both need."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from appliance.domain.errors import PrinterTrouble
from appliance.domain.receipt import Barcode, Document, Pair, Rule, Text
from appliance.drivers.escpos_printer import EscposOptions, EscposPrinter
from appliance.simulators.escpos_printer import EscposPrinterSimulator

RECEIPT = Document(
    (
        Text("Order A-1", bold=True, size=2),
        Rule(),
        *(Pair(f"Thing {number}", "1,00 EUR") for number in range(4)),
        Rule(),
        Pair("Total", "4,00 EUR"),
        Barcode("A-1"),
    )
)
WHOLE = [
    "Order A-1",
    *["─" * 48],
    *(f"Thing {number}" + "1,00 EUR".rjust(41) for number in range(4)),
    *["─" * 48],
    "Total" + "4,00 EUR".rjust(43),
]
LONG = Document(tuple(Text(f"line {number:03} " + "x" * 39) for number in range(120)))
WAIT_S = 10.0


def wait_for(condition):
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.005)


@contextmanager
def simulated(tmp_path, profile="epson-tm-80", **options):
    with EscposPrinterSimulator(path=tmp_path / "lp", profile=profile, **options) as simulator:
        yield simulator


@contextmanager
def driven(address, profile="epson-tm-80", **options):
    quick = {"status_timeout_s": 1.0, "settle_s": 0.0, "write_timeout_s": 0.5, "baud": 115200}
    options = quick | options
    printer = EscposPrinter(EscposOptions(address, profile, **options))
    yield printer
    printer.close()


@contextmanager
def scripted(answer, hang_up=None):
    """A TCP printer: answer(data) gives the bytes to say back, or None to hang up. hang_up: an
    event on which it hangs up by itself; it clears it when it has."""
    stop, hang_up = threading.Event(), hang_up or threading.Event()

    def serve():
        while not stop.is_set():
            try:
                peer, _ = server.accept()
            except OSError:
                continue
            peer.settimeout(0.05)
            with peer:
                while not stop.is_set() and not hang_up.is_set():
                    try:
                        data = peer.recv(4096)
                        reply = answer(data) if data else None
                        if reply is None:
                            break
                        peer.sendall(reply)
                    except TimeoutError:
                        continue
                    except OSError:
                        break
            hang_up.clear()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"tcp:127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


def trouble_of(printer, document=RECEIPT, began=lambda: None):
    with pytest.raises(PrinterTrouble) as caught:
        printer.print(document, began)
    return caught.value
