"""The kiosk's call to a real desk over real TLS, and whom it does not speak to."""

from __future__ import annotations

import datetime
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.counter.enrol_book import Desk
from appliance.domain.errors import Code, EnrolTrouble
from appliance.drivers import enrol_desk
from appliance.drivers.enrol_desk import redeem
from appliance.protocols.enrolment import EnrolCode, Settings, Trust, asked_message
from appliance.serve_enrol import LARGEST_REQUEST, MOST_CONNECTIONS, PATH, DeskServer
from tests.counter.enrol_kit import CONFIG, HOUR_S, TOKEN, Clock, desk_in, kiosk_key
from tests.rig import free_port, until


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(tmp_path: Path, clock: Clock) -> Desk:
    return desk_in(tmp_path / "desk", clock)


@pytest.fixture
def address(desk: Desk) -> Iterator[str]:
    with serving(DeskServer(desk, ("127.0.0.1", 0))) as found:
        yield found


def asking(code: EnrolCode, number: int = 1) -> Settings:
    return redeem(code, kiosk_key(number), "Pi", "s-1")


def refused(code: EnrolCode, number: int = 1) -> Code:
    with pytest.raises(EnrolTrouble) as trouble:
        asking(code, number)
    assert code.secret.hex() not in str(trouble.value)
    return trouble.value.code


def test_settings_come_from_the_desk_and_again_when_the_answer_was_lost(desk, address) -> None:
    code, _ = desk.make("counter-7", address, HOUR_S)
    assert asking(code) == asking(code) == Settings(CONFIG, TOKEN)
    assert refused(code, 2) is Code.ENROL_USED


def test_what_the_desk_refuses(desk, address, clock) -> None:
    late, _ = desk.make("counter-7", address, HOUR_S)
    clock.now += HOUR_S
    assert refused(late) is Code.ENROL_EXPIRED
    gone, _ = desk.make("counter-7", address, HOUR_S)
    desk.withdraw(gone.name)
    assert refused(gone) is Code.ENROL_EXPIRED
    assert refused(replace(gone, secret=bytes(16))) is Code.ENROL_USED


def test_a_desk_that_cannot_read_its_own_files_uses_nothing(desk, address, tmp_path) -> None:
    code, _ = desk.make("counter-7", address, HOUR_S)
    token = tmp_path / "desk/kiosks/counter-7.token"
    token.rename(token.with_suffix(".away"))
    assert refused(code) is Code.ENROL_UNREACHABLE
    token.with_suffix(".away").rename(token)
    assert asking(code, 2).token == TOKEN


def test_another_desk_at_the_address_learns_nothing(desk, tmp_path) -> None:
    other = desk_in(tmp_path / "other")
    heard: list[object] = []
    with serving(DeskServer(other, ("127.0.0.1", 0))) as address:
        code, _ = desk.make("counter-7", address, HOUR_S)
        other.redeem = heard.append  # type: ignore[method-assign, assignment]
        assert refused(code) is Code.ENROL_STRANGER
    assert heard == []


def test_the_pin_needs_no_clock(desk, clock, tmp_path) -> None:
    clock.now = 4_000_000_000  # the desk's certificate begins in 2096
    with serving(DeskServer(desk, ("127.0.0.1", 0))) as address:
        code, _ = desk.make("counter-7", address, HOUR_S)
        assert asking(code).token == TOKEN


def test_nobody_there() -> None:
    gone = EnrolCode(Trust.PINNED, f"127.0.0.1:{free_port()}", bytes(8), bytes(16), 0, bytes(32))
    assert refused(gone) is Code.ENROL_UNREACHABLE
    assert refused(replace(gone, address="no-such-desk.invalid")) is Code.ENROL_UNREACHABLE


# --- a desk that is a shop behind an ordinary web server ------------------------------------------


def certificate(folder: Path, starts_in: datetime.timedelta) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now + starts_in)
        .not_valid_after(now + starts_in + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    cert, secret = folder / "web.pem", folder / "web.key"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, secret


class Answers(BaseHTTPRequestHandler):
    answer: tuple[int, bytes] = (200, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("starts_in_days", "is_trusted", "told"),
    [
        (-1, True, None),
        (-1, False, Code.ENROL_STRANGER),
        (1, True, Code.ENROL_CLOCK),
        (-20, True, Code.ENROL_STRANGER),
    ],
)
def test_as_browsers_do_it(tmp_path, monkeypatch, starts_in_days, is_trusted, told) -> None:
    cert, key = certificate(tmp_path, datetime.timedelta(days=starts_in_days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    handler = type("Handler", (Answers,), {"answer": (200, b'{"config": "c", "token": "t"}')})
    server = HTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # it is hung up on
    with serving(server) as address:
        where = f"localhost:{address.rpartition(':')[2]}"
        code = EnrolCode(Trust.AUTHORITIES, where, bytes(8), bytes(16), 0, bytes(32))
        if told is None:
            assert asking(code) == Settings("c", "t")
        else:
            assert refused(code) is told
        # The same certificate is no pinned one: its key is of another kind.
        assert refused(replace(code, trust=Trust.PINNED)) is Code.ENROL_STRANGER


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, b"<html>log in to the Wi-Fi</html>"), Code.ENROL_SETTINGS),
        ((200, b"x" * (enrol_desk.LARGEST_ANSWER + 1)), Code.ENROL_UNREACHABLE),
        ((503, b""), Code.ENROL_UNREACHABLE),
        ((302, b""), Code.ENROL_UNREACHABLE),
    ],
)
def test_odd_answers(answer, told) -> None:
    handler = type("Handler", (Answers,), {"answer": answer})
    with serving(HTTPServer(("127.0.0.1", 0), handler)) as address:
        assert (
            refused(EnrolCode(Trust.LOOPBACK, address, bytes(8), bytes(16), 0, bytes(32))) is told
        )


def test_an_answer_that_drips_comes_to_an_end(monkeypatch) -> None:
    monkeypatch.setattr(enrol_desk, "ANSWER_S", 0.0)
    handler = type("Handler", (Answers,), {"answer": (200, b"{}")})
    with serving(HTTPServer(("127.0.0.1", 0), handler)) as address:
        code = EnrolCode(Trust.LOOPBACK, address, bytes(8), bytes(16), 0, bytes(32))
        assert refused(code) is Code.ENROL_UNREACHABLE


# --- the desk's server ----------------------------------------------------------------------------


def post(address: str, path: str, body: bytes, headers: dict[str, str] | None = None) -> int:
    host, _, port = address.partition(":")
    context = ssl._create_unverified_context()  # the kiosk's own call looks at the key
    line = http.client.HTTPSConnection(host, int(port), timeout=30, context=context)
    with closing(line):
        line.request("POST", path, body, headers or {})
        with line.getresponse() as answer:
            return answer.status


def test_the_server_has_one_call_and_bounds(desk, address) -> None:
    code, _ = desk.make("counter-7", address, HOUR_S)
    body = asked_message(code, kiosk_key(), "", "")
    assert post(address, "/", body) == 404
    assert post(address, PATH, b"{}") == 400
    assert post(address, PATH, b"", {"Content-Length": str(LARGEST_REQUEST + 1)}) == 413
    assert post(address, PATH, body) == 200


def test_the_silent_hold_nobody_up_and_get_no_more_room(desk, address) -> None:
    host, _, port = address.partition(":")
    code, _ = desk.make("counter-7", address, HOUR_S)
    silent = [socket.create_connection((host, int(port)), 30) for _ in range(MOST_CONNECTIONS)]
    try:
        with closing(silent.pop()):
            pass
        until(lambda: asked_or_none(code), "there is room for one")
        extra = [socket.create_connection((host, int(port)), 30) for _ in range(3)]
        assert any(line.recv(1) == b"" for line in extra)
        for line in extra:
            line.close()
    finally:
        for line in silent:
            line.close()


def asked_or_none(code: EnrolCode) -> Settings | None:
    try:
        return asking(code)
    except EnrolTrouble:
        return None
