"""A fake WooCommerce on loopback, for tests and benches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from appliance.simulators.woocommerce.auth import ApiKey, Gate
from appliance.simulators.woocommerce.faults import Faulty, WooFaults
from appliance.simulators.woocommerce.rest import Plugin, wordpress
from appliance.simulators.woocommerce.store import WooStore

log = structlog.get_logger()

KEYS: Final = {
    "ck_mitte1": ApiKey("cs_mitte1"),
    "ck_mitte2": ApiKey("cs_mitte2"),
    "ck_reader": ApiKey("cs_reader", "read"),
}
STOP_S: Final = 5.0


class FakeWoo:
    """path: its database. plugin: whether the Kassa plugin is active; plugin_by: see
    wordpress. seed: of its faults. More:
    see WooStore. wsgi: the shop for a transport without a
    network. requests: method, path with query and bytes of each answer so far."""

    def __init__(
        self,
        path: str = ":memory:",
        *,
        plugin: bool = False,
        plugin_by: Plugin | None = None,
        seed: int = 1,
        clock: Callable[[], float] = time.time,
        **more: Any,
    ) -> None:
        self.store = WooStore(path, clock=clock, **more)
        self.plugin = plugin
        self.requests: list[tuple[str, str, int]] = []
        self.app = wordpress(self.store, Gate(dict(KEYS)), lambda: self.plugin, plugin_by)
        self.wsgi = self._counting(self.app)
        self._faulty = Faulty(self.wsgi, seed)
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> FakeWoo:
        self._server = make_server(
            "127.0.0.1", 0, self._faulty, threaded=True, request_handler=_Handler
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="fake-woo", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        self._faulty.stop()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join(STOP_S)
            self._server.server_close()
        self.store.close()

    def __enter__(self) -> FakeWoo:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        assert self._server is not None, "the fake is not running"
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail(self, *faults: WooFaults) -> None:
        """What goes wrong from now on; without any, nothing."""
        self._faulty.set(*faults)

    def _counting(self, app: Any) -> Any:
        def counted(environ: Any, start: Any) -> Any:
            body = b"".join(app(environ, start))
            query = environ.get("QUERY_STRING", "")
            self.requests.append(
                (environ["REQUEST_METHOD"], f"{environ['PATH_INFO']}?{query}", len(body))
            )
            return [body]

        return counted


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60.0

    def send_response(self, code: int, message: str | None = None) -> None:
        # Without a Date of its own: the shop's answers have one, by the shop's clock.
        self.log_request(code)
        self.send_response_only(code, message)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.debug("fake_woo_request", method=self.command, path=self.path, status=str(code))

    def log(self, type: str, message: str, *args: Any) -> None:
        log.debug("fake_woo", message=message % args if args else message)
