"""That a driver knows when the certificate ends that the shop has shown."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from appliance.domain.errors import ShopTrouble
from appliance.drivers.kassa_shop import KassaShop, ShopOptions
from appliance.ports import ShowsCertificate
from appliance.serve_links import own_certificate


class Refuses(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        """Nothing: a test says what went wrong."""


def test_its_end_is_known_from_the_first_handshake_on(tmp_path: Path) -> None:
    cert, key = own_certificate(tmp_path, "https://127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = HTTPServer(("127.0.0.1", 0), Refuses)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    url = f"https://127.0.0.1:{server.server_port}"
    shop = KassaShop(ShopOptions(url, "t-1", "mitte", ca_file=str(cert)))
    try:
        assert isinstance(shop, ShowsCertificate)
        assert shop.certificate_until() is None
        with pytest.raises(ShopTrouble):
            shop.order("KO-1")
        made = x509.load_pem_x509_certificate(cert.read_bytes())
        assert shop.certificate_until() == made.not_valid_after_utc.timestamp()
    finally:
        shop.close()
        server.shutdown()
        thread.join(10)
        server.server_close()
