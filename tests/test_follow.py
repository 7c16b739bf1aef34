"""`kassa link`: what it says and does, whatever the counter answers."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from appliance.cli import main
from appliance.follow import SOCKET
from appliance.protocols.links.messages import LONGEST_LINK
from tests.rig import free_port

LINK = "kassa-api://payNow?order=1042"


class Counter(HTTPServer):
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Counter

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        status, content = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def counter() -> Iterator[Counter]:
    with Counter() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The addresses that xdg-open was asked to open, one a line."""
    file = tmp_path / "opened"
    file.touch()
    program = tmp_path / "xdg-open"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >>{file}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return file


def link(counter: Counter, text: str = LINK) -> int:
    return main(["link", "--port", str(counter.server_port), text])


def test_a_link_that_is_taken_brings_the_counters_page(counter: Counter, opened: Path) -> None:
    assert link(counter) == 0
    page = f"http://127.0.0.1:{counter.server_port}"
    [(path, headers, body)] = counter.asked
    assert (path, headers["Origin"], body) == ("/link", page, {"link": LINK})
    assert opened.read_text() == f"{page}/\n"


def test_the_result_of_a_link_that_has_one_is_shown_at_once(counter: Counter, opened: Path) -> None:
    counter.answer = (200, b'{"state": "ended", "address": "https://shop.example/?status=paid"}')
    assert link(counter) == 0
    assert opened.read_text() == "https://shop.example/?status=paid\n"


@pytest.mark.parametrize(
    ("address", "is_opened"),
    [
        ("https://shop.example/?status=refused", True),
        ("kassa-api://paymentResult", False),
        ("", False),
    ],
)
def test_a_refused_link_is_said_and_its_caller_told(
    counter: Counter,
    opened: Path,
    capsys: pytest.CaptureFixture[str],
    address: str,
    is_opened: bool,
) -> None:
    told = {"code": "K-LNK-01", "text": "the link has expired", "address": address}
    counter.answer = (422, json.dumps(told).encode())
    assert link(counter) == 65
    assert capsys.readouterr().err == "K-LNK-01: refused: the link has expired\n"
    assert opened.read_text() == (f"{address}\n" if is_opened else "")


@pytest.mark.parametrize("answer", [(503, b"{}"), (500, b"<h1>"), (200, b"<h1>"), (404, b"")])
def test_what_nobody_can_say_is_neither_taken_nor_refused(
    counter: Counter, opened: Path, capsys: pytest.CaptureFixture[str], answer: tuple[int, bytes]
) -> None:
    counter.answer = answer
    assert link(counter) == 69
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert opened.read_text() == ""


def test_nobody_is_there(opened: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["link", "--port", str(free_port()), LINK]) == 69
    assert "does not answer" in capsys.readouterr().err


def test_a_link_longer_than_any_asks_nobody(counter: Counter, opened: Path) -> None:
    assert link(counter, LINK + "0" * LONGEST_LINK) == 65
    assert counter.asked == []


def test_a_session_that_is_there_is_asked_and_no_desktop(
    counter: Counter, opened: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as session:
        session.bind(str(tmp_path / SOCKET))
        session.settimeout(10)
        assert link(counter) == 0
        page = f"http://127.0.0.1:{counter.server_port}/"
        assert session.recv(1000).decode() == page
    assert opened.read_text() == ""


def test_without_a_browser_the_link_is_taken_all_the_same(
    counter: Counter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert link(counter) == 0
    assert "no browser" in capsys.readouterr().err
