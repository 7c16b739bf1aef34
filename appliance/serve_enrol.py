"""`kassa enrol serve`: the administrator's desk on the network, over HTTPS with its own key.

One call and nothing else: POST /v1/enrolments/redeem, as docs/shop-api.yaml has it.
"""

from __future__ import annotations

import socket
import sqlite3
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import structlog

from appliance.counter.enrol_book import Desk
from appliance.domain.errors import ConfigTrouble
from appliance.protocols.enrolment import Verdict, asked_from, settings_message
from appliance.protocols.shopapi import JSON_TYPE, PROBLEM_TYPE, ShopApiError, problem_message

log = structlog.get_logger()

PATH: Final = "/v1/enrolments/redeem"
SILENCE_S: Final = 15.0
"""How long a kiosk may say nothing, in the handshake or in its request."""
MOST_CONNECTIONS: Final = 16
LARGEST_REQUEST: Final = 8192
STATUS: Final = {
    Verdict.UNKNOWN: (404, "No such code"),
    Verdict.USED: (409, "The code was used"),
    Verdict.EXPIRED: (410, "The code has expired"),
    Verdict.WITHDRAWN: (410, "The code was withdrawn"),
}


class DeskServer(ThreadingHTTPServer):
    """desk: see there. address: where to listen; port 0 takes a free one. Raises OSError."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, desk: Desk, address: tuple[str, int]) -> None:
        self.desk = desk
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._tls.load_cert_chain(*desk.certificate())
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """On a thread of its own, as long as there is room for one: more are hung up on."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The handshake is the thread's as well: whoever is silent in it holds nobody else up."""
        try:
            request.settimeout(SILENCE_S)
            with self._tls.wrap_socket(request, server_side=True) as secured:
                self.finish_request(secured, client_address)
        except OSError as error:  # ssl.SSLError is one
            log.info("desk_hung_up", peer=client_address[0], why=str(error))
        finally:
            self.shutdown_request(request)
            self._room.release()


class _Handler(BaseHTTPRequestHandler):
    server: DeskServer
    timeout = SILENCE_S

    def do_POST(self) -> None:
        """The one call."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST_REQUEST:
            self._problem(413, "The request is too large")
            return
        # Read in any case: what is left unread when we hang up would take the answer with it.
        body = self.rfile.read(int(length))
        if self.path == PATH:
            self._redeem(body)
        else:
            self._problem(404, "There is nothing here")

    def _redeem(self, body: bytes) -> None:
        try:
            asked = asked_from(body)
        except ShopApiError as error:
            self._problem(400, "The request cannot be read", str(error))
            return
        try:
            verdict, settings = self.server.desk.redeem(asked)
        except (ConfigTrouble, OSError, sqlite3.Error) as error:
            log.error("desk_cannot_redeem", code=asked.id.hex(), why=str(error))
            self._problem(503, "The desk has a trouble of its own")
            return
        log.info(
            "desk_asked",
            code=asked.id.hex(),
            verdict=str(verdict),
            model=asked.model,
            serial=asked.serial,
        )
        if settings is None:
            status, title = STATUS[verdict]
            self._problem(status, title, error=str(verdict))
        else:
            self._answer(200, JSON_TYPE, settings_message(settings))

    def _problem(self, status: int, title: str, detail: str = "", **members: object) -> None:
        self._answer(status, PROBLEM_TYPE, problem_message(status, title, detail, **members))

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The desk logs what it decides, not what it is sent."""
