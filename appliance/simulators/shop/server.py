"""The demo shop on loopback: the API for kiosks, the pages for its staff, and its faults."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from appliance.domain.order import Order, disagreements
from appliance.protocols.shopapi import order_from_json
from appliance.simulators.shop import samples
from appliance.simulators.shop.api import api_app
from appliance.simulators.shop.enrolment import ShopEnrolments
from appliance.simulators.shop.faults import FaultSwitch, Faulty, ShopFaults
from appliance.simulators.shop.links import LinkKeys, ShopLinks
from appliance.simulators.shop.staff import staff
from appliance.simulators.shop.store import ShopStore, current

log = structlog.get_logger()

MOST_CONNECTIONS: Final = 64
LARGEST_REQUEST: Final = 8 * 1024 * 1024
STOP_S: Final = 3.0


class DemoShop:
    """A whole shop in this process, for demonstrations, benches and tests.

    path: its database, a file or ":memory:". currency: ISO 4217, of its samples. seed: of names
    and cells. port: 0 takes a free one, which is kept over stop() and start(). clock, now: see
    ShopStore. link_keys: of its links and the counter's results; None for new ones.
    """

    def __init__(
        self,
        path: str = ":memory:",
        *,
        currency: str = "EUR",
        seed: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] | None = None,
        link_keys: LinkKeys | None = None,
    ) -> None:
        self.enrolments = ShopEnrolments()
        self.links = ShopLinks(link_keys or LinkKeys())
        self.store = ShopStore(
            path, currency, seed, clock, **({"now": now} if now is not None else {})
        )
        self._host, self._port = host, port
        self._stop = threading.Event()
        self._switch = FaultSwitch()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    # --- running ------------------------------------------------------------------------------

    def start(self) -> DemoShop:
        """Listen. Raises OSError where the port is taken."""
        assert self._server is None, "the shop is running"
        self._stop.clear()
        listener = socket.create_server((self._host, self._port), backlog=MOST_CONNECTIONS)
        self._port = int(listener.getsockname()[1])
        self._server = _Server(self._host, self._port, self._app(), listener)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="demo-shop", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Refuse connections and end those that are open. The books stay; start() goes on."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._stop.set()
        self.store.wake()
        server.shutdown()
        thread.join()
        server.server_close()
        if not server.wait_idle(STOP_S):
            self._switch.cut_all()
            server.wait_idle(STOP_S)
        self._server = self._thread = None

    def close(self) -> None:
        """stop(), and give the books up."""
        self.stop()
        self.store.close()

    def __enter__(self) -> DemoShop:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The base URL of the API. The staff's pages are at url + "/staff"."""
        return f"http://{self._host}:{self._port}"

    @property
    def tokens(self) -> Mapping[str, str]:
        """Kiosk id -> its token."""
        return {kiosk.id: kiosk.token for kiosk in samples.KIOSKS}

    @property
    def badges(self) -> Mapping[str, str]:
        """Seller's name -> the text of the badge."""
        return {person.name: person.badge for person in samples.STAFF}

    # --- faults, and what the tests and the bench look at -------------------------------------

    @property
    def faults(self) -> ShopFaults:
        return self._switch.faults

    @faults.setter
    def faults(self, faults: ShopFaults) -> None:
        self._switch.set(faults)

    @property
    def on_change(self) -> Callable[[], None] | None:
        """Called after each change of the books, from the thread that made it."""
        return self.store.on_change

    @on_change.setter
    def on_change(self, callback: Callable[[], None] | None) -> None:
        self.store.on_change = callback

    def facts(self) -> list[dict[str, Any]]:
        """Every fact, oldest first. arrived: how often it came; applied: how often it counted."""
        rows = self.store.rows("facts", "seq")
        return [row | {"body": json.loads(row["body"])} for row in rows]

    def state(self) -> dict[str, Any]:
        """The books as JSON: orders by number, the newest facts, health by kiosk."""
        payments: dict[str, list[dict[str, Any]]] = {}
        for row in self.store.rows("payments", "rowid"):
            row["reference"] = json.loads(row["reference"])
            payments.setdefault(row["order_id"], []).append(row)
        facts = self.store.rows("facts", "seq DESC", 200)
        return {
            "currency": self.store.currency,
            "revision": self.store.revision,
            "fault": self.faults.fault.value,
            "orders": {
                row["number"]: self._order_state(row, payments.get(row["id"], []))
                for row in self.store.rows("orders", "number")
            },
            "facts": [row | {"body": json.loads(row["body"])} for row in facts],
            "health": {
                row["kiosk"]: {"at": row["at"], "report": json.loads(row["report"])}
                for row in self.store.rows("health", "kiosk")
            },
        }

    def _order_state(
        self, row: Mapping[str, Any], payments: list[dict[str, Any]]
    ) -> dict[str, Any]:
        doc = json.loads(row["doc"])
        names = {person.id: person.name for person in samples.STAFF}
        return {
            "id": row["id"],
            "codes": doc.get("codes", []),
            "customer": doc.get("customer", {}).get("name", ""),
            "pickup_point": row["pickup_point"],
            "special": _special(order_from_json(current(row))),
            "status": row["status"],
            "version": str(row["version"]),
            "currency": row["currency"],
            "total": row["total"],
            "paid": row["paid"],
            "due": row["total"] - row["paid"],
            "claim": self._claim_state(row),
            "payments": payments,
            "charging": row["charging"],
            "unresolved": row["unresolved"],
            "set_aside": bool(row["set_aside"]),
            "flag": row["flag"],
            "handed_over": row["handed_times"],
            "handed_by": names.get(row["handed_by"], row["handed_by"]),
            "handed_at": row["handed_at"],
        }

    def _claim_state(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        left_s = self.store.seconds_left(row["claim_until"])
        if not row["claim_id"] or not (left_s or row["charging"]):
            return None
        return {"id": row["claim_id"], "kiosk": row["claim_kiosk"], "left_s": left_s}

    def _app(self) -> Any:
        app = api_app(self.store, self._stop, self.enrolments)
        app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
        app.register_blueprint(staff(self.store, self.state, self.links, self.enrolments))
        return Faulty(app, self._switch, self._stop)


def _special(order: Order) -> list[str]:
    """What is out of the ordinary about an order, for whoever looks for one to try."""
    found = [check.text or check.kind.value for check in order.checks]
    found += ["last day"] if order.last_day else []
    found += ["promotion"] if order.discounts else []
    found += ["bonus points"] if order.loyalty else []
    found += ["note"] if order.notes else []
    found += ["partly paid"] if order.paid and order.due.amount > 0 else []
    found += ["the sums do not agree"] if disagreements(order) else []
    return found


class _Server(ThreadedWSGIServer):
    """A thread a connection, and no more of them than a demonstration needs."""

    def __init__(self, host: str, port: int, app: Any, listener: socket.socket) -> None:
        with listener:  # the server works on a duplicate of it
            super().__init__(host, port, app, _Handler, fd=listener.fileno())
        self._count = 0
        self._idle = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._idle:
            if self._count >= MOST_CONNECTIONS:
                self.shutdown_request(request)
                return
            self._count += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._count -= 1
                self._idle.notify_all()

    def wait_idle(self, seconds: float) -> bool:
        with self._idle:
            return self._idle.wait_for(lambda: self._count == 0, seconds)

    def log(self, type: str, message: str, *args: Any) -> None:
        log.warning("demo_shop", message=message % args if args else message)


class _Handler(WSGIRequestHandler):
    timeout = 60.0  # a connection that says nothing holds its thread no longer

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.debug("demo_shop_request", method=self.command, path=self.path, status=str(code))

    def log(self, type: str, message: str, *args: Any) -> None:
        log.debug("demo_shop", message=message % args if args else message)
