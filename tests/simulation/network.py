"""Between the kiosks and the shop: requests over a network that loses, delays and cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from appliance.protocols.shopapi import ClaimRequest
from appliance.simulators.shop.api import api_app
from appliance.simulators.shop.store import Granted, Refused, ShopStore
from tests.simulation.kernel import Kernel
from tests.simulation.primitives import Event, Threading

TRAVEL_S: Final = 0.02
ONCE_MORE_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Weather:
    """What becomes of a request. lost: it never arrives. answer_lost: the shop does it, and its
    answer never arrives. delay_s: on the way there. status: the shop says so instead of doing it
    (0: it does it). body: in place of the right one. retry_after_s: with 429 and 503."""

    is_refused: bool = False
    lost: bool = False
    answer_lost: bool = False
    delay_s: float = 0.0
    status: int = 0
    body: bytes | None = None
    retry_after_s: int = 0


FAIR: Final = Weather()


class Socket:
    """What the watch of the driver shuts when a call lasts too long."""

    def __init__(self) -> None:
        self.is_shut = False
        self.wake: Callable[[], None] = lambda: None

    def shutdown(self, how: int = 0) -> None:
        self.is_shut = True
        self.wake()

    def get_extra_info(self, name: str) -> Socket | None:
        return self if name == "socket" else None


class ObservedStore(ShopStore):
    """granted: told of each claim that the shop grants, and of what is due then."""

    granted: Callable[[str, int], None]

    def claim(self, order_id: str, kiosk: str, wanted: ClaimRequest) -> Granted | Refused | None:
        answer = super().claim(order_id, kiosk, wanted)
        if isinstance(answer, Granted):
            self.granted(wanted.claim_id, int(answer.order["due"]))
        return answer


class ShopServer:
    """The demo shop's own application, a task for each request."""

    def __init__(self, kernel: Kernel, threading: Threading, store: ShopStore) -> None:
        self._kernel = kernel
        self.is_up = True
        self._app = httpx.WSGITransport(
            api_app(store, threading.Event())  # type: ignore[arg-type]
        )

    def answer(self, request: httpx.Request) -> tuple[int, list[tuple[str, str]], bytes]:
        """Run the shop's own code to its end, commit and all."""
        found = self._app.handle_request(request)
        return found.status_code, found.headers.multi_items(), found.read()


class Network(httpx.BaseTransport):
    """One kiosk's way to the shop. weather: asked for each request."""

    def __init__(
        self, kernel: Kernel, server: ShopServer, weather: Callable[[httpx.Request], Weather]
    ) -> None:
        self._kernel, self._server, self._weather = kernel, server, weather

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        kernel = self._kernel
        kernel.check_alive()
        request.read()
        weather = self._weather(request)
        timeout = request.extensions["timeout"]
        if weather.is_refused or not self._server.is_up:
            kernel.sleep(TRAVEL_S)
            raise httpx.ConnectError("Connection refused")
        socket, arrived = Socket(), Event(kernel)
        socket.wake = arrived.set
        request.extensions["trace"]("connection.connect_tcp.complete", {"return_value": socket})
        answers: list[tuple[int, list[tuple[str, str]], bytes]] = []

        def serve() -> None:
            kernel.sleep(TRAVEL_S + weather.delay_s)
            if weather.lost or not self._server.is_up:
                return
            if weather.status:
                again = (
                    [("Retry-After", str(weather.retry_after_s))] if weather.retry_after_s else []
                )
                answer = weather.status, again, weather.body or b""
            else:
                answer = self._server.answer(request)
                if weather.body is not None:
                    answer = answer[0], answer[1], weather.body
            kernel.sleep(TRAVEL_S)
            if not weather.answer_lost:
                answers.append(answer)
                arrived.set()

        kernel.spawn("shop", serve)
        arrived.wait(timeout["read"])
        if socket.is_shut:
            raise httpx.ReadError("shut")
        if not answers:
            raise httpx.ReadTimeout("timed out")
        status, headers, data = answers[0]
        return httpx.Response(
            status, headers=[(k, v) for k, v in headers if k.lower() != "content-length"],
            stream=_Body(data), request=request,
        )  # fmt: skip


class _Body(httpx.SyncByteStream):
    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        yield self._data
