"""The kiosk's session: when it may say that the screen lives, and what it starts."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rig import free_port

SCRIPT = Path(__file__).parents[2] / "image/package/root/usr/lib/kassa/session.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kassa_session", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


session = load()
FRESH_S: float = session.FRESH_S
FIRST_PAGE_S: float = session.FIRST_PAGE_S


@pytest.mark.parametrize(
    ("health", "since_start_s", "is_drawing"),
    [
        (None, 5.0, True),  # the counter is away: the page says so itself
        (None, 9999.0, True),
        ({}, 5.0, True),  # nothing drawn yet, and there is time
        ({}, FIRST_PAGE_S + 1, False),
        ({"browser_age_s": None}, FIRST_PAGE_S + 1, False),
        ({"browser_age_s": "soon"}, FIRST_PAGE_S + 1, False),
        ({"browser_age_s": 3.0}, 60.0, True),
        ({"browser_age_s": FRESH_S + 1}, 60.0, False),
        ({"browser_age_s": 8.0}, 5.0, True),  # the beat of the browser before this one
        ({"browser_age_s": FIRST_PAGE_S + 9}, FIRST_PAGE_S + 1, False),
    ],
)
def test_only_a_page_that_draws_counts(health, since_start_s: float, is_drawing: bool) -> None:
    assert session.is_drawing(health, since_start_s) is is_drawing


@given(
    st.one_of(st.none(), st.floats(allow_nan=True), st.integers(), st.text(), st.booleans()),
    st.floats(0, 1e6),
)
def test_a_page_that_has_not_drawn_in_time_is_never_taken_for_one_that_has(age, since_s) -> None:
    if session.is_drawing({"browser_age_s": age}, since_s) and since_s >= FIRST_PAGE_S:
        assert isinstance(age, int | float)
        assert age <= FRESH_S


class Browser:
    """Ends after so many rounds; each takes as long as the watch waits."""

    def __init__(self, rounds: int) -> None:
        self.now_s = 0.0
        self._rounds = rounds

    def wait(self, timeout: float) -> int:
        self.now_s += timeout
        self._rounds -= 1
        if self._rounds:
            raise subprocess.TimeoutExpired("browser", timeout)
        return 139


def test_the_watchdog_is_fed_while_the_page_draws_and_not_after() -> None:
    browser, fed = Browser(rounds=60), []

    def health() -> dict[str, Any]:
        return {"browser_age_s": max(0.0, browser.now_s - 100)}  # it crashes after 100 s

    status = session.watch(
        browser, health, lambda what: fed.append((browser.now_s, what)), lambda: browser.now_s
    )
    assert status == 139
    assert fed[0] == (0.0, "READY=1")
    beats = [at for at, what in fed if what == "WATCHDOG=1"]
    assert beats == list(range(0, 131, 5))


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, tuple[int, bytes]]]:
    """What a counter answers, by path."""
    answers: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setattr(session, "PORT", server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_the_counter_answers_counts_whatever_its_status(counter) -> None:
    counter["/healthz"] = (503, json.dumps({"status": "failing"}).encode())
    assert session.ask("/healthz") == {"status": "failing"}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff", b'{"a":' + b" " * 70_000])
def test_what_is_no_answer_is_none(counter, body: bytes) -> None:
    counter["/display"] = (200, body)
    assert session.ask("/display") is None


def test_a_counter_that_is_not_there_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PORT", free_port())
    assert session.ask("/healthz") is None


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        session.notify("READY=1")
        assert systemd.recv(100) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    session.notify("READY=1")  # nobody asked


def test_the_browser_sees_nothing_of_the_environment(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    found = session.environment({"keyboard": "de"}, tmp_path)
    assert "SECRET" not in found
    assert found["XKB_DEFAULT_LAYOUT"] == "de"
    assert found["NOTIFY_SOCKET"] == "/run/notify"


@pytest.mark.parametrize(
    ("drivers", "is_there"),
    [
        ([], False),
        (["virtio_gpu"], False),
        (["vc4-drm"], True),
        (["simple-framebuffer", "v3d"], True),
    ],
)
def test_a_graphics_chip_is_used_where_there_is_one(tmp_path: Path, drivers, is_there) -> None:
    for number, driver in enumerate(drivers):
        folder = tmp_path / f"card{number}/device"
        folder.mkdir(parents=True)
        (folder / "uevent").write_text(f"DRIVER={driver}\nMODALIAS=x\n")
    connector = tmp_path / "card0-HDMI-A-1/device"
    connector.mkdir(parents=True)
    (connector / "uevent").write_text("DEVTYPE=drm_minor\n")
    assert session.has_gpu(tmp_path) is is_there


def test_it_waits_for_the_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([None, None, {"rotation": 90}])
    monkeypatch.setattr(session, "ask", lambda path: next(answers))
    monkeypatch.setattr(session, "AGAIN_S", 0)
    assert session.wait_for_counter() == {"rotation": 90}


def test_it_needs_the_standard_library_alone() -> None:
    """And starts in Python's isolated mode, as its first line has it."""
    assert SCRIPT.read_text().startswith("#!/usr/bin/python3 -I\n")
    subprocess.run([sys.executable, "-IS", "-m", "py_compile", SCRIPT], check=True)
    loaded = f"import runpy; runpy.run_path({str(SCRIPT)!r}, run_name='other')"
    subprocess.run([sys.executable, "-IS", "-c", loaded], check=True)
