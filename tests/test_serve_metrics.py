"""`kassa metrics`: what is served, to whom, and what where the counter is away."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from appliance.cli import main
from appliance.counter.metrics_settings import extract, read
from appliance.domain.errors import ConfigTrouble
from appliance.serve_links import own_certificate
from appliance.serve_metrics import LARGEST_ANSWER, ask, serve_metrics
from tests.children import TIED
from tests.rig import free_port, until
from tests.test_handlers import Quiet
from tests.web.fake import FakeCounter
from web import WebSettings, create_app


@contextmanager
def counter(port: int = 0) -> Iterator[int]:
    """A counter that answers; its port."""
    server = make_server("127.0.0.1", port, lambda *_: [], threaded=True, request_handler=Quiet)
    hosts = (f"127.0.0.1:{server.server_port}",)
    server.app = create_app(FakeCounter(), WebSettings(hosts=hosts))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def listener(folder: Path, counter_port: int, *lines: str, **environ: str) -> Iterator[int]:
    """`kassa metrics` as a process; its port."""
    port, file = free_port(), folder / "kassa.toml"
    file.write_text(
        "\n".join([f"[web]\nport = {counter_port}", "[metrics]",
                   f'listen = "127.0.0.1:{port}"', *lines, "[shop]", "token = 5"])
    )  # fmt: skip
    words = [*TIED, sys.executable, "-m", "appliance.cli", "metrics", "--config", str(file)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, env=os.environ | environ) as process:
        try:
            until(lambda: answers(port, process), "the listener answers")
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def get(port: int, method: str = "GET", path: str = "/metrics", token: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_figures_of_the_counter_and_of_the_machine_and_nothing_else(tmp_path: Path) -> None:
    with counter() as there, listener(tmp_path, there) as port:
        status, text = get(port)
        assert status == 200
        assert "kassa_up 1.0\n" in text
        assert text.endswith("kassa_up 1\n")  # the fake counter's only figure has the same name
        assert "kassa_uptime_seconds" in text
        for path in (
            "/",
            "/healthz",
            "/screen",
            "/metrics/",
            "/command",
            "/../metrics",
            "/listener",
        ):
            assert get(port, path=path)[0] == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert get(port, method)[0] == 405


def test_without_the_counter_the_machine_is_still_seen_and_then_the_counter(tmp_path: Path) -> None:
    there = free_port()
    with listener(tmp_path, there) as port:
        assert "kassa_up 0.0" in get(port)[1]
        assert "kassa_uptime_seconds" in get(port)[1]
        with counter(there):
            assert "kassa_up 1.0" in get(port)[1]
        assert "kassa_up 0.0" in get(port)[1]


def test_a_token_is_asked_for_where_one_is_set(tmp_path: Path) -> None:
    (tmp_path / "metrics-token").write_text("let-me-in\n")
    lines = 'token_credential = "metrics-token"'
    with listener(tmp_path, 1, lines, CREDENTIALS_DIRECTORY=str(tmp_path)) as port:
        assert get(port)[0] == 401
        assert get(port, token="let-me-i")[0] == 401
        assert get(port, token="let-me-in\xe9")[0] == 401
        assert get(port, path="/other")[0] == 401
        assert get(port, token="let-me-in")[0] == 200


def test_https_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    cert, key = own_certificate(tmp_path, "https://127.0.0.1:9101")
    lines = (f'cert_file = "{cert}"', f'key_file = "{key}"')
    with listener(tmp_path, 1, *lines) as port:
        trust = ssl.create_default_context(cafile=str(cert))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trust)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        assert "kassa_metrics_certificate_expiry_timestamp_seconds 2." in text


# --- what is not served ---------------------------------------------------------------------------


def written(folder: Path, *lines: str) -> Path:
    file = folder / "kassa.toml"
    file.write_text("\n".join(["[metrics]", *lines]))
    return file


def test_where_nothing_is_to_be_served_it_ends_well(tmp_path: Path) -> None:
    assert main(["metrics", "--config", str(written(tmp_path))]) == 0


@pytest.mark.parametrize("content", [None, "", " \n", "\xe4"])
def test_a_token_that_is_missing_opens_no_door(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "metrics-token").write_text(content)
    lines = 'listen = "127.0.0.1:1"\ntoken_credential = "metrics-token"'
    with pytest.raises(ConfigTrouble, match="no token in metrics-token"):
        serve_metrics(written(tmp_path, lines), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    with pytest.raises(ConfigTrouble, match="no token"):
        serve_metrics(written(tmp_path, lines), {})


@pytest.mark.parametrize(
    "lines",
    [
        'listen = "everywhere"',
        "listen = 9101",
        'cert_file = "/a"',
        'key_file = "/a"',
        'cert_file = "relative"\nkey_file = "/a"',
        "listen = ",
        '[web]\nport = "x"',
    ],
)
def test_mistakes_are_named(tmp_path: Path, lines: str) -> None:
    assert main(["metrics", "--config", str(written(tmp_path, lines))]) == 78


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    lines = 'listen = "127.0.0.1:1"\ncert_file = "/etc/hostname"\nkey_file = "/etc/hostname"'
    with pytest.raises(ConfigTrouble, match="cert_file"):
        serve_metrics(written(tmp_path, lines), {})


def test_what_is_not_the_counter_counts_as_no_counter() -> None:
    def reply(content: bytes) -> bytes | None:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def speak() -> None:
                far, _ = server.accept()
                with far:
                    far.recv(4096)
                    far.sendall(content)

            thread = threading.Thread(target=speak)
            thread.start()
            try:
                return ask("127.0.0.1", server.getsockname()[1])
            finally:
                thread.join(30)

    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    assert reply(head + b"kassa_status 0\n") == b"kassa_status 0\n"
    assert reply(head.replace(b"200 OK", b"503 No") + b"x") is None
    assert reply(head.replace(b"plain", b"html") + b"x") is None
    assert reply(b"SSH-2.0\r\n") is None
    assert reply(head + b"x" * (LARGEST_ANSWER + 1)) is None


# --- the extract ----------------------------------------------------------------------------------


def test_the_extract_says_the_same_and_holds_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "kassa.toml"
    file.write_text(
        '[shop]\ntoken = "s3cret"\n[web]\nhost = "::1"\nport = 8200\n[metrics]\n'
        'listen = "[::]:9101"\ntoken_credential = "metrics-token"\n'
        'cert_file = "/etc/kassa/\\"c\\".pem"\nkey_file = "/etc/kassa/k.pem"\n'
    )
    out = tmp_path / "out.toml"
    assert main(["metrics", "--config", str(file), "--extract", str(out)]) == 0
    assert read(out) == read(file)
    assert "s3cret" not in out.read_text()
    assert out.stat().st_mode & 0o777 == 0o644
    assert extract(read(out)) == out.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kassa.toml", "out.toml"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert main(["metrics", "--config", str(tmp_path / "none")]) == 78
