"""A shop that is reached by a proxy: a real one, and a real shop behind it, over TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from appliance.domain.errors import Code, ConfigTrouble, ShopTrouble
from appliance.drivers.kassa_shop import KassaShop, ShopOptions
from appliance.drivers.vendure_session import VendureOptions
from appliance.drivers.vendure_shop import VendureShop
from appliance.drivers.woocommerce_shop import WooCommerceShop, WooOptions
from appliance.ports import Shop
from appliance.serve_links import own_certificate
from tests.drivers.far_proxy import Proxy
from tests.drivers.far_shop import TOKEN

WAIT_S = 20.0


@dataclass
class Server:
    """A shop over TLS. hold: requests wait for it before they are answered."""

    url: str
    port: int
    cert: Path
    paths: list[str]
    hold: threading.Event
    came: threading.Event


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    paths: list[str] = []
    hold, came = threading.Event(), threading.Event()
    hold.set()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            paths.append(self.path)
            came.set()
            hold.wait(WAIT_S)
            body = b'{"orders": []}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            paths.append(self.path)
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            """Nothing: a test says what went wrong."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Nothing: that the other end hangs up is what some of the tests want."""

    cert, key = own_certificate(tmp_path, "https://127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    found = Quiet(("127.0.0.1", 0), Answers)
    found.socket = context.wrap_socket(found.socket, server_side=True)
    thread = threading.Thread(target=found.serve_forever, args=(0.02,))
    thread.start()
    yield Server(
        f"https://127.0.0.1:{found.server_port}", found.server_port, cert, paths, hold, came
    )
    hold.set()
    found.shutdown()
    thread.join(WAIT_S)
    found.server_close()


def options(server: Server, proxy: str, **more: float) -> ShopOptions:
    return ShopOptions(server.url, TOKEN, "mitte", ca_file=str(server.cert), proxy=proxy, **more)  # type: ignore[arg-type]


def refused(shop: Shop) -> ShopTrouble:
    with pytest.raises(ShopTrouble) as caught:
        shop.snapshot("", 0)
    shop.close()
    assert TOKEN not in str(caught.value)
    return caught.value


def test_the_shop_is_asked_in_a_tunnel_that_is_kept(server: Server) -> None:
    with Proxy() as proxy:
        shop = KassaShop(options(server, proxy.url))
        for _ in range(3):
            assert shop.snapshot("", 0) is not None
        made = x509.load_pem_x509_certificate(server.cert.read_bytes())
        assert shop.certificate_until() == made.not_valid_after_utc.timestamp()
        shop.close()
        assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
        assert len(server.paths) == 3
        assert proxy.carried, "all of it went this way"
        assert TOKEN.encode() not in proxy.carried, "and the proxy could not read it"


def kassa(server: Server, proxy: str) -> Shop:
    return KassaShop(options(server, proxy))


def woo(server: Server, proxy: str) -> Shop:
    key = "ck_mitte1:cs_mitte1"
    return WooCommerceShop(
        WooOptions(server.url, key, "mitte", "K", ca_file=str(server.cert), proxy=proxy)
    )


def vendure(server: Server, proxy: str) -> Shop:
    return VendureShop(
        VendureOptions(server.url, "k:password", "mitte", ca_file=str(server.cert), proxy=proxy)
    )


@pytest.mark.parametrize("make", [kassa, woo, vendure])
def test_every_kind_of_shop_goes_by_it(server: Server, make: Callable[[Server, str], Shop]) -> None:
    with Proxy("403 Forbidden") as proxy:
        said = refused(make(server, proxy.url))
    assert said.code is Code.SHOP_UNREACHABLE
    assert said.detail == "the proxy says no: 403 Forbidden"
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
    assert server.paths == [], "and by no other way"


def test_a_proxy_that_is_not_there_is_not_gone_around(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        away = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert refused(KassaShop(options(server, away))).code is Code.SHOP_UNREACHABLE
    assert server.paths == []


def answers(shop: Shop) -> bool:
    try:
        return shop.snapshot("", 0) is not None
    except ShopTrouble as trouble:
        if trouble.code is not Code.SHOP_UNREACHABLE:
            raise
        return False


def test_after_the_proxy_was_started_anew_the_next_call_works(server: Server) -> None:
    with Proxy() as proxy:
        shop = KassaShop(options(server, proxy.url))
        assert shop.snapshot("", 0) is not None
        proxy.cut()
        until = time.monotonic() + WAIT_S
        while not answers(shop):
            assert time.monotonic() < until
        shop.close()
        assert len(proxy.asked) == 2


def test_a_call_in_the_tunnel_has_its_deadline(server: Server) -> None:
    server.hold.clear()
    with Proxy() as proxy:
        short = options(server, proxy.url, connect_timeout_s=0.5, answer_timeout_s=0.5)
        assert refused(KassaShop(short)).code is Code.SHOP_UNREACHABLE
        server.hold.set()


def test_closing_ends_a_call_in_the_tunnel(server: Server) -> None:
    """It is the tunnel's socket that is shut down, from another thread."""
    server.hold.clear()
    ended: list[ShopTrouble] = []

    def ask() -> None:
        with pytest.raises(ShopTrouble) as caught:
            shop.snapshot("", 0)
        ended.append(caught.value)

    with Proxy() as proxy:
        shop = KassaShop(options(server, proxy.url, answer_timeout_s=600.0))
        asking = threading.Thread(target=ask)
        asking.start()
        assert server.came.wait(WAIT_S)
        shop.close()
        asking.join(WAIT_S)
        assert not asking.is_alive()
        server.hold.set()
    assert [trouble.code for trouble in ended] == [Code.SHOP_UNREACHABLE]


def test_another_certificate_than_the_shop_s_is_not_taken_from_a_proxy_either(
    server: Server,
) -> None:
    with Proxy() as proxy:
        shop = KassaShop(ShopOptions(server.url, TOKEN, "mitte", proxy=proxy.url))
        said = refused(shop)
    assert "CERTIFICATE_VERIFY_FAILED" in said.detail
    assert server.paths == []


def test_without_tls_no_proxy_is_told_the_token() -> None:
    with pytest.raises(ConfigTrouble, match="would read the token"):
        KassaShop(ShopOptions("http://127.0.0.1:1", TOKEN, "mitte", proxy="http://127.0.0.1:2"))
