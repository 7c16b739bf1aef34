"""`kassa links`: the process that paired devices in the shop's network reach, over HTTPS only.

It learns from the counter how it is to listen, and ends where it is not to.
"""

from __future__ import annotations

import datetime
import ipaddress
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from appliance.counter.whole_file import write_whole

if TYPE_CHECKING:
    from flask import Flask

    from web.links.upstream import Upstream

THREADS: Final = 8
SILENCE_S: Final = 15.0
"""How long a device may say nothing, in a handshake or in a request."""
CONNECTIONS_MOST: Final = 100
AGAIN_S: Final = 2.0
LIFE_DAYS: Final = 3650
RENEW_DAYS: Final = 30


class DeviceWorker(ThreadWorker):
    """Bounds how long a silent connection holds a thread: gunicorn alone would wait for ever."""

    def handle(self, conn: Any) -> Any:
        conn.sock.settimeout(SILENCE_S)
        return super().handle(conn)


class Server(BaseApplication):
    """Serves devices until SIGTERM. options: gunicorn's."""

    def __init__(self, counter: Upstream, public_url: str, options: dict[str, Any]) -> None:
        self._counter, self._public_url, self._options = counter, public_url, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:  # type: ignore[override]
        from web.links import create_app

        return create_app(self._counter, self._public_url)


def serve_links(port: int, folder: Path) -> int:
    """Serve devices until stopped. port: the counter's. folder: for a certificate of our own. The
    exit status: 0 also where nothing is to be served."""
    from web.links.upstream import Upstream

    counter = Upstream(port)
    while (told := counter.listener()).status != 200:
        time.sleep(AGAIN_S)  # the counter may be in the middle of a recovery
    listen, public_url = told.told["listen"], told.told["public_url"]
    if not listen:
        print("[links] listen is empty: no devices are served", file=sys.stderr)
        return 0
    cert, key = told.told["cert_file"], told.told["key_file"]
    if not cert:
        cert, key = (str(each) for each in own_certificate(folder, public_url))
    options = {
        "bind": [listen],
        "worker_class": DeviceWorker,
        "workers": 1,
        "threads": THREADS,
        "worker_connections": CONNECTIONS_MOST,
        "timeout": 120,
        "graceful_timeout": 5,
        "keepalive": 15,
        "limit_request_line": 8190,
        "limit_request_fields": 50,
        "limit_request_field_size": 8190,
        "certfile": cert,
        "keyfile": key,
        "ssl_context": _context,
        "control_socket_disable": True,
        "accesslog": None,  # the address of a page may hold a link
        "loglevel": "warning",
        "proc_name": "kassa-links",
    }
    print(f"kassa links on {public_url}, fingerprint {fingerprint(Path(cert))}", flush=True)
    Server(counter, public_url, options).run()
    return 0


def _context(_config: object, default: Any) -> Any:
    import ssl

    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def fingerprint(cert: Path) -> str:
    """SHA-256 of the certificate, in hex: what a program for a PC compares."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    found = x509.load_pem_x509_certificate(cert.read_bytes())
    return found.fingerprint(hashes.SHA256()).hex()


def own_certificate(folder: Path, public_url: str) -> tuple[Path, Path]:
    """A certificate that we signed ourselves, and its key: made where there is none for this name,
    or it ends within a month."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    cert, key = folder / "cert.pem", folder / "key.pem"
    host = urlsplit(public_url).hostname or ""
    now = datetime.datetime.now(datetime.UTC)
    if cert.exists() and key.exists():
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        names = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        is_fresh = found.not_valid_after_utc > now + datetime.timedelta(days=RENEW_DAYS)
        if is_fresh and [each.value for each in names] == [host[:64]]:
            return cert, key
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:64])])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=LIFE_DAYS))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(key, secret, 0o600)
    write_whole(cert, made.public_bytes(serialization.Encoding.PEM), 0o644)
    return cert, key
