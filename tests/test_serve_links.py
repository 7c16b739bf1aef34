"""`kassa links` and `kassa devices`: what is served, with which certificate, and to whom."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from werkzeug.serving import make_server

from appliance import serve_links
from appliance.cli import main
from appliance.serve_links import LIFE_DAYS, RENEW_DAYS, fingerprint, own_certificate
from tests.test_handlers import Quiet
from tests.web.fake import FakeCounter
from web import WebSettings, create_app
from web.settings import Listener

URL = "https://counter-1.shop.example:8143"


@pytest.fixture
def counter() -> Iterator[tuple[FakeCounter, int]]:
    fake = FakeCounter()
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True, request_handler=Quiet)
    hosts = (f"127.0.0.1:{server.server_port}",)
    server.app = create_app(fake, WebSettings(hosts=hosts, listener=Listener()))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield fake, server.server_port
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_where_nothing_is_to_be_served_it_ends_well(
    counter: tuple[FakeCounter, int], tmp_path: Path
) -> None:
    assert main(["links", "--port", str(counter[1]), "--data", str(tmp_path / "x")]) == 0
    assert not (tmp_path / "x").exists()


def test_devices_are_listed_and_removed(
    counter: tuple[FakeCounter, int], capsys: pytest.CaptureFixture[str]
) -> None:
    port = ["--port", str(counter[1])]
    assert main(["devices", "list", *port]) == 0
    assert capsys.readouterr().out == "D-1 2025-10-07T12:00:00Z Phone\n"
    assert main(["devices", "remove", "D-2", *port]) == 66
    assert main(["devices", "remove", "D-1", *port]) == 0
    assert main(["devices", "list", *port]) == 0
    assert capsys.readouterr().out == ""


def test_a_certificate_is_made_once_for_a_name(tmp_path: Path) -> None:
    cert, key = own_certificate(tmp_path, URL)
    assert key.stat().st_mode & 0o777 == 0o600
    first = fingerprint(cert)
    assert fingerprint(own_certificate(tmp_path, URL)[0]) == first
    made = x509.load_pem_x509_certificate(cert.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["counter-1.shop.example"]
    assert fingerprint(own_certificate(tmp_path, "https://192.0.2.7:8143")[0]) != first
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []


def test_a_certificate_that_ends_soon_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_links, "LIFE_DAYS", RENEW_DAYS - 1)
    first = fingerprint(own_certificate(tmp_path, URL)[0])
    monkeypatch.setattr(serve_links, "LIFE_DAYS", LIFE_DAYS)
    cert, _ = own_certificate(tmp_path, URL)
    assert fingerprint(cert) != first
    left = x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc
    assert left - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=RENEW_DAYS)
