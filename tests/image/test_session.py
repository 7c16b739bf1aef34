"""The kiosk's session: when it may say that the screen lives, and what it starts."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.image.script import load
from tests.rig import free_port

SCRIPT = Path(__file__).parents[2] / "image/package/files/usr/lib/kassa/session.py"

UNIT = SCRIPT.parents[1] / "systemd/system/kassa-session.service"


session = load(SCRIPT)
FRESH_S: float = session.FRESH_S
FIRST_PAGE_S: float = session.FIRST_PAGE_S


ROUND_S: float = session.ROUND_S
AWAY: None = None


def lateness(*told: tuple[float, dict[str, Any] | None]) -> list[bool]:
    """What is said after each time of asking."""
    drawing = session.Drawing(0.0)
    return [drawing.is_late(health, now_s) for now_s, health in told]


@pytest.mark.parametrize("answer", [{}, {"browser_age_s": None}, {"browser_age_s": "soon"}])
def test_a_first_page_has_its_time(answer: dict[str, Any]) -> None:
    assert lateness((FIRST_PAGE_S, answer), (FIRST_PAGE_S + 1, answer)) == [False, True]


def test_the_last_heartbeat_of_the_browser_before_is_none_of_this_one() -> None:
    before = [(now_s, {"browser_age_s": now_s + 8.0}) for now_s in (5.0, FIRST_PAGE_S + 1)]
    assert lateness(*before) == [False, True]


def test_a_page_that_has_drawn_once_must_go_on() -> None:
    told = [(60.0, {"browser_age_s": 3.0}), (57 + FRESH_S, {"browser_age_s": FRESH_S})]
    assert lateness(*told, (58 + FRESH_S, {"browser_age_s": FRESH_S + 1})) == [False, False, True]


def test_a_counter_that_is_away_is_no_fault_of_the_page() -> None:
    """It covers itself, and has its time again when the counter is back, which knows no page."""
    told = [(60.0, {"browser_age_s": 3.0}), (600.0, AWAY), (600 + FRESH_S, {"browser_age_s": None})]
    assert lateness(*told, (601 + FRESH_S, {})) == [False, False, False, True]


@given(
    st.lists(
        st.one_of(st.none(), st.floats(allow_nan=True), st.integers(), st.text(), st.booleans()),
        max_size=5,
    )
)
def test_whatever_is_said_a_page_that_then_stays_away_is_noticed(ages: list[object]) -> None:
    told = [(10.0 * at, {"browser_age_s": age}) for at, age in enumerate(ages)]
    assert lateness(*told, (51.0 + FIRST_PAGE_S, {}))[-1]


class Browser:
    """Ends when it is killed; each wait takes as long as it may."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._is_killed = False

    def wait(self, timeout: float) -> int:
        if self._is_killed:
            return -9
        self.now_s += timeout
        raise subprocess.TimeoutExpired("browser", timeout)

    def kill(self) -> None:
        self._is_killed = True


def test_a_page_that_hangs_takes_the_browser_with_it_within_three_quarters_of_a_minute() -> None:
    browser, fed = Browser(), []

    def health() -> dict[str, Any]:
        drawn_s = min(browser.now_s // 10 * 10, 100.0)  # it hangs after 100 s
        return {"browser_age_s": browser.now_s - drawn_s}

    def feed(what: str) -> None:
        fed.append((browser.now_s, what))

    status = session.watch(browser, health, feed, lambda: 1, lambda: browser.now_s)
    assert status == -9
    assert browser.now_s == 100 + FRESH_S + ROUND_S <= 145
    assert fed[0] == (0.0, "READY=1")
    assert [at for at, what in fed if what == "WATCHDOG=1"] == list(range(0, 136, 5))


def test_a_page_that_crashes_takes_the_browser_with_it_at_the_next_look() -> None:
    """And not before it has drawn at all: its process is not there from the beginning."""
    browser = Browser()

    def health() -> dict[str, Any]:
        return {"browser_age_s": browser.now_s % 10 if browser.now_s >= 60 else None}

    def pages() -> int:
        return int(10 < browser.now_s < 101)

    status = session.watch(browser, health, lambda _: None, pages, lambda: browser.now_s)
    assert status == -9
    assert browser.now_s == 105


def test_pages_are_the_renderers_of_this_user(tmp_path: Path) -> None:
    for number, words in enumerate((b"x --type=renderer --y", b"x\0--type=gpu\0", b"")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "cmdline").write_bytes(words)
    (tmp_path / "9").mkdir()  # it has ended
    (tmp_path / "self").mkdir()
    assert session.pages(tmp_path) == 1


def test_a_screen_that_never_draws_starts_the_machine_anew() -> None:
    """All the starts that are allowed fit into the time in which they are counted."""
    words = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line)
    stop_s, pause_s = float(words["TimeoutStopSec"]), float(words["RestartSec"])
    start_s = FIRST_PAGE_S + ROUND_S + stop_s + pause_s
    assert int(words["StartLimitBurst"]) * start_s < float(words["StartLimitIntervalSec"])
    assert words["StartLimitAction"] == "reboot"


OUTPUTS = """Virtual-1 "QEMU (Virtual-1)"
  Enabled: yes
  Modes:
    1024x768 px, 60.000000 Hz (preferred, current)
  Transform: {}
HEADLESS-1 "Headless output 1"
  Enabled: no
"""


@pytest.mark.parametrize(("before", "are_turned"), [("normal", True), ("270", True), ("90", False)])
def test_what_is_not_turned_as_configured_is_turned(monkeypatch, before, are_turned) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*command: str) -> str:
        ran.append(command[1:])
        return OUTPUTS.format(before)

    monkeypatch.setattr(session, "_run", run)
    session.Screen(90, "").arrange()
    assert ran[1:] == [("--output", "Virtual-1", "--transform", "90")] * are_turned


DISPLAY = """Virtual-1 "QEMU (Virtual-1)"
  Enabled: yes
  Modes:
    1920x1080 px, 60.000000 Hz (preferred{})
    1920x1080 px, 75.000000 Hz
    1280x720 px, 60.000000 Hz{}
    1280x720 px, 59.939999 Hz
    1280x720 px, 50.000000 Hz
  Position: 0,0
  Transform: normal
  Scale: 1.000000
HEADLESS-1 "Headless output 1"
  Enabled: no
  Modes:
    0x0 px
"""
OWN, SMALLER = DISPLAY.format(", current", ""), DISPLAY.format("", " (current)")


@pytest.fixture
def randr(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[list[tuple[str, ...]], list[str]]]:
    """randr(screen, outputs, …) -> what wlr-randr is told and what is said, look after look."""

    def look(screen: Any, *outputs: str) -> tuple[list[tuple[str, ...]], list[str]]:
        told: list[tuple[str, ...]] = []
        said: list[str] = []
        left = iter(outputs)

        def run(*command: str) -> str:
            if command[1:]:
                told.append(command[1:])
                return ""
            return next(left)

        monkeypatch.setattr(session, "_run", run)
        monkeypatch.setattr(session, "say", said.append)
        for _ in outputs:
            screen.arrange()
        return told, said

    return look


@pytest.mark.parametrize(
    ("resolution", "mode"),
    [
        ("1280x720", "1280x720@60.000000Hz"),
        ("1280x720@60", "1280x720@60.000000Hz"),
        ("1280x720@59.94", "1280x720@59.939999Hz"),
        ("1280x720@50", "1280x720@50.000000Hz"),
        ("1920x1080@75", "1920x1080@75.000000Hz"),
        ("1920x1080", None),  # the favourite of this size is what there is, though not the fastest
        ("", None),
        ("1280x720; reboot", None),
    ],
)
def test_the_mode_that_is_meant_is_chosen(randr: Any, resolution: str, mode: str | None) -> None:
    told, said = randr(session.Screen(0, resolution), OWN)
    assert told == ([("--output", "Virtual-1", "--mode", mode)] if mode else [])
    assert said == []


def test_turned_and_with_another_mode_in_one_go(randr: Any) -> None:
    told, _ = randr(session.Screen(90, "1280x720"), OWN)
    mode = "1280x720@60.000000Hz"
    assert told == [("--output", "Virtual-1", "--transform", "90", "--mode", mode)]


def test_what_has_its_mode_is_left_alone_until_it_was_unplugged(randr: Any) -> None:
    told, _ = randr(session.Screen(0, "1280x720"), OWN, SMALLER, SMALLER, "", OWN)
    assert told == [("--output", "Virtual-1", "--mode", "1280x720@60.000000Hz")] * 2


@pytest.mark.parametrize("resolution", ["800x600", "1280x720@75"])
def test_a_mode_that_the_display_lacks_changes_nothing_and_is_said_once(
    randr: Any, resolution: str
) -> None:
    told, said = randr(session.Screen(0, resolution), OWN, OWN, OWN)
    assert told == []
    (line,) = said
    assert line.startswith(f"Virtual-1 has no resolution {resolution}; it has 1920x1080@60.0")


def test_the_cursor_is_one_transparent_pixel(tmp_path: Path) -> None:
    session.hide_cursor(tmp_path)
    session.hide_cursor(tmp_path)  # the folder outlives a session
    cursor = (tmp_path / "default/cursors/left_ptr").read_bytes()
    assert len(cursor) == 28 + 36 + 4
    assert cursor[:4] == b"Xcur"
    assert cursor[-4:] == bytes(4)


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


# --- the shop's pages -------------------------------------------------------------------------


def test_a_page_of_the_shops_has_longer_and_not_for_ever() -> None:
    drawing = session.Drawing(0.0, session.ELSEWHERE_S)
    told = {"browser_page": "elsewhere"}
    assert not drawing.is_late({"browser_age_s": 0.0, **told}, 60.0)
    assert not drawing.is_late({"browser_age_s": 890.0, **told}, 950.0)
    assert drawing.is_late({"browser_age_s": 901.0, **told}, 961.0)
    back = session.Drawing(0.0, session.ELSEWHERE_S)
    back.is_late({"browser_age_s": 0.0, **told}, 60.0)
    assert not back.is_late({"browser_age_s": 0.0, "browser_page": "idle"}, 90.0)
    assert back.is_late({"browser_age_s": 31.0, "browser_page": "idle"}, 121.0)


def test_without_such_pages_a_browser_that_is_elsewhere_has_no_longer() -> None:
    told = {"browser_age_s": 31.0, "browser_page": "elsewhere"}
    assert lateness((60.0, {"browser_age_s": 0.0}), (91.0, told))[-1]


class Debugged:
    """A browser's end of the pipe: answers in pieces, with events between."""

    def __init__(self) -> None:
        self._theirs_in, ours_out = os.pipe()
        ours_in, self._theirs_out = os.pipe()
        self.tabs = session.Tabs(ours_in, ours_out)
        self.open = ["old-1", "old-2"]
        self.mute = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while content := os.read(self._theirs_in, 65_536):
            for text in content.split(b"\0")[:-1]:
                asked = json.loads(text)
                answer = {"id": asked["id"], "result": self._answer(asked)}
                event = {"method": "Target.targetCreated", "params": {}}
                for part in (event, answer):
                    data = json.dumps(part).encode() + b"\0"
                    for at in range(0, len(data), 7):
                        os.write(self._theirs_out, b"" if self.mute else data[at : at + 7])

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["method"] == "Target.closeTarget":
            self.open.remove(asked["params"]["targetId"])
            return {"success": True}
        infos = [{"targetId": page, "type": "page"} for page in self.open]
        return {"targetInfos": [*infos, {"targetId": "w", "type": "service_worker"}]}


def test_a_new_window_takes_the_place_of_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    browser, ran = Debugged(), []

    def run(command: list[str], **_: object) -> None:
        ran.append(command)
        browser.open.append("new")

    monkeypatch.setattr(session.subprocess, "run", run)
    session.show("http://127.0.0.1:8100/", browser.tabs, ["chromium", "--app=x"], {})
    assert browser.open == ["new"]
    assert ran == [["chromium", "--app=x"]]


def test_nothing_is_closed_before_there_is_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Debugged()
    monkeypatch.setattr(session.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(session, "OPEN_S", 0.3)
    with pytest.raises(TimeoutError):
        session.show("http://127.0.0.1:8100/", browser.tabs, [], {})
    assert browser.open == ["old-1", "old-2"]


def test_a_browser_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Debugged()
    browser.mute = True
    monkeypatch.setattr(session, "TABS_S", 0.2)
    with pytest.raises(TimeoutError):
        browser.tabs.pages()


def test_only_addresses_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes over the socket becomes one word of a command line, never an option."""
    shown: queue.Queue[str] = queue.Queue()
    commands: list[list[str]] = []

    def show(address: str, _tabs: object, command: list[str], _env: object) -> None:
        commands.append(command)
        shown.put(address)

    monkeypatch.setattr(session, "show", show)
    channel = session.listen(tmp_path / session.SOCKET)
    threading.Thread(
        target=session.serve, args=(channel, None, ["chromium"], {}), daemon=True
    ).start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        for text in (b"", b"--no-sandbox", b"file:///etc/passwd", b"https://a b", b"\xff",
                     b"https://shop.example/?x=1\n", b"https://shop.example/?x=1"):  # fmt: skip
            speaker.sendto(text, str(tmp_path / session.SOCKET))
    assert shown.get(timeout=10) == "https://shop.example/?x=1"
    assert commands == [["chromium", "--app=https://shop.example/?x=1"]]
