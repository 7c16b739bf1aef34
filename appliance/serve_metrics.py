"""`kassa metrics`: the process that a Prometheus server asks. GET /metrics, and nothing else.

It passes on what the counter says on loopback, and adds what it can see of the machine: where the
counter does not answer, that alone, with kassa_up 0.
"""

from __future__ import annotations

import hmac
import ssl
import sys
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from appliance.domain.errors import ConfigTrouble

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client.metrics_core import Metric

    from appliance.counter.metrics_settings import MetricsSettings

THREADS: Final = 4
CONNECTIONS_MOST: Final = 20
SILENCE_S: Final = 10.0
"""How long somebody may say nothing, in a handshake or in a request."""
COUNTER_S: Final = 5.0
"""How long the counter may take; Prometheus itself gives up after ten, by default."""
LARGEST_ANSWER: Final = 1024 * 1024
LARGEST_TOKEN: Final = 4096
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"


class MetricsWorker(ThreadWorker):
    """Bounds how long a silent connection holds a thread: gunicorn alone would wait for ever."""

    def handle(self, conn: Any) -> Any:
        conn.sock.settimeout(SILENCE_S)
        return super().handle(conn)


class Server(BaseApplication):
    """Serves the figures until SIGTERM. options: gunicorn's."""

    def __init__(self, application: WSGIApplication, options: Mapping[str, Any]) -> None:
        self._application, self._options = application, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> WSGIApplication:  # type: ignore[override]
        return self._application


def application(gather: Callable[[], bytes], token: str) -> WSGIApplication:
    """gather: the figures, as text; it does not raise. token: what has to be shown, "" for
    nothing."""
    expected = f"Bearer {token}".encode()

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        shown = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", errors="replace")
        if token and not hmac.compare_digest(shown, expected):
            start("401 Unauthorized", [*headers, ("WWW-Authenticate", "Bearer")])
            return [b"the token is missing, or another one\n"]
        if environ.get("PATH_INFO") != "/metrics":
            start("404 Not Found", headers)
            return [b"there is /metrics, and nothing else\n"]
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            start("405 Method Not Allowed", [*headers, ("Allow", "GET, HEAD")])
            return [b"it can be read\n"]
        start("200 OK", [("Content-Type", TEXT), headers[1]])
        return [gather()]

    return answer


def ask(host: str, port: int) -> bytes | None:
    """The counter's own figures; None where it does not answer, or not with figures."""
    connection = HTTPConnection(host, port, timeout=COUNTER_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read(LARGEST_ANSWER + 1)
        is_figures = answer.status == 200 and answer.headers.get_content_type() == "text/plain"
        return text if is_figures and len(text) <= LARGEST_ANSWER else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def figures(counter: bytes | None, machine: Iterable[Metric]) -> bytes:
    """All of it. counter: what it said, or None."""
    from appliance.counter.metrics import as_text, gauge

    up = gauge("kassa_up", "1 when the counter answers.", counter is not None)
    return as_text([up, *machine]) + (counter or b"")


def serve_metrics(file: Path, environ: Mapping[str, str]) -> int:
    """Serve until stopped. file: the kassa.toml, or an extract of it. The exit status: 0 also
    where nothing is to be served. Raises ConfigTrouble."""
    from appliance.counter.machine_metrics import Machine, measure
    from appliance.counter.metrics_settings import read

    settings = read(file)
    metrics = settings.metrics
    if not metrics.listen:
        print("[metrics] listen is empty: no figures are served", file=sys.stderr)
        return 0
    shown = _token(metrics.token_credential, environ)
    certificate = _until(metrics.cert_file)
    web, machine = settings.web, Machine()

    def gather() -> bytes:
        return figures(ask(web.host, web.port), [*measure(machine), *certificate])

    scheme = "https" if metrics.cert_file else "http"
    print(f"kassa metrics on {scheme}://{metrics.listen}/metrics", flush=True)
    Server(application(gather, shown), _options(settings)).run()
    return 0


def _options(settings: MetricsSettings) -> dict[str, Any]:
    metrics = settings.metrics
    options: dict[str, Any] = {
        "bind": [metrics.listen],
        "worker_class": MetricsWorker,
        "workers": 1,
        "threads": THREADS,
        "worker_connections": CONNECTIONS_MOST,
        "timeout": 60,
        "graceful_timeout": 5,
        "keepalive": 75,  # longer than the usual pause between two looks
        "limit_request_line": 1024,
        "limit_request_fields": 50,
        "limit_request_field_size": 8190,
        "control_socket_disable": True,
        "accesslog": None,
        "loglevel": "warning",
        "proc_name": "kassa-metrics",
    }
    if metrics.cert_file:
        options |= {
            "certfile": str(metrics.cert_file),
            "keyfile": str(metrics.key_file),
            "ssl_context": _context,
        }
    return options


def _context(_config: object, default: Any) -> Any:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _token(name: str | None, environ: Mapping[str, str]) -> str:
    """The token in the credential of this name; "" where none is wanted. Raises ConfigTrouble for
    one that is wanted and not there: without it, everybody in the network would be answered."""
    if name is None:
        return ""
    folder = environ.get(CREDENTIALS, "")
    try:
        with (Path(folder) / name).open("rb") as stream:
            content = stream.read(LARGEST_TOKEN + 1).strip()
    except OSError:
        content = b""
    if not folder or not content or len(content) > LARGEST_TOKEN or not content.isascii():
        raise ConfigTrouble(
            [f"[metrics] token_credential: there is no token in {name}; put it there as one line"]
        )
    return content.decode("ascii")


def _until(cert_file: Path | None) -> list[Metric]:
    """When the certificate that is served ends. Raises ConfigTrouble for one that cannot be."""
    if cert_file is None:
        return []
    from cryptography import x509

    from appliance.counter.metrics import gauge

    try:
        found = x509.load_pem_x509_certificate(cert_file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigTrouble([f"[metrics] cert_file: {cert_file}: {error}"]) from None
    name = "kassa_metrics_certificate_expiry_timestamp_seconds"
    text = "When the certificate of this listener ends, in Unix time."
    return [gauge(name, text, found.not_valid_after_utc.timestamp())]
