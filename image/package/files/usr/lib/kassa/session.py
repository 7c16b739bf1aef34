#!/usr/bin/python3 -I
"""Kassa's screen: waits for the counter, then runs the compositor with one browser in it.

Three steps of one program. `session.py wait` ends when the counter answers, so that a person sees
the boot picture until then, and never an error page of a browser. `session.py` becomes the
compositor. That one starts `session.py browser`, which starts Chromium and watches it from outside.

A page that has crashed has no process any more. One that hangs has one, but the page itself posts
a heartbeat to the counter for each time that it really drew, and the counter tells its age. When
there is no page, or none has drawn for too long, the browser is killed; the compositor ends with
it, and systemd starts all of it anew (kassa-session.service). systemd's watchdog is for the case
that this program, or the compositor, is what hangs.

Standard library only, and Python's isolated mode: nothing but this file decides.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple

HOST: Final = "127.0.0.1"
PORT: Final = 8100
ANSWER_S: Final = 3.0
AGAIN_S: Final = 1.0
ROUND_S: Final = 5.0
FRESH_S: Final = 30.0
"""How long no page may draw; it beats every 10 s. A page that hangs is noticed ROUND_S later, which
leaves 20 s of a minute to stop and start. Two lost beats are no reason: a busy counter may answer
late, and a browser that is killed for it only makes more work."""
FIRST_PAGE_S: Final = 240.0
"""How long the browser may take to its first heartbeat. Generous: a start that is merely slow, such
as from a cold card, and cut short each time, would never get to its end."""
ELSEWHERE_S: Final = 900.0
"""How long the browser may show one of the shop's pages, which do not beat. Then it starts anew
with the counter's: a page that hangs is no use, and a seller who comes back finds the counter."""
LARGEST_ANSWER: Final = 64 * 1024
SOCKET: Final = "kassa-show"
"""In our runtime folder: where `kassa link` says which page to show."""
LONGEST_ADDRESS: Final = 16 * 1024
LARGEST_MESSAGE: Final = 1024 * 1024
TABS_S: Final = 5.0
OPEN_S: Final = 30.0
"""How long a window may take to open: another start of Chromium, on a box that is busy."""
MOST_LINES: Final = 1000
STOP_S: Final = 5.0

RESOLUTION: Final = re.compile(r"([0-9]{3,5})x([0-9]{3,5})(?:@([0-9]{2,3}(?:\.[0-9]{1,3})?))?")
NEAR_HZ: Final = 0.6
"""What is called 60 Hz is often 59.94."""
LISTED: Final = re.compile(r"([0-9]+)x([0-9]+) px, ([0-9]+\.[0-9]+) Hz(?: \((.+)\))?")

ADDRESS: Final = re.compile(r"https?://[!-~]+")

DRM: Final = Path("/sys/class/drm")
PROC: Final = Path("/proc")
RENDERER: Final = b"--type=renderer"
# Displays of virtual machines and plain frame buffers: they have no graphics chip behind them, and
# what Mesa then computes itself is slower than not to ask it at all, or stays black.
WITHOUT_GPU: Final = frozenset(
    {"virtio_gpu", "virtio-pci", "bochs-drm", "simple-framebuffer", "simpledrm", "efi-framebuffer"}
)
CURSORS: Final = ("default", "left_ptr", "pointer", "hand", "hand2", "text", "xterm")
CHROMIUM: Final = "/usr/lib/chromium/chromium"
FLAGS: Final = (
    "--kiosk",
    "--ozone-platform=wayland",
    "--noerrdialogs",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-crash-restore-bubble",
    "--disable-session-crashed-bubble",
    "--disable-infobars",
    "--disable-pinch",
    "--overscroll-history-navigation=0",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-extensions",
    "--disable-print-preview",
    "--disable-dev-tools",
    "--log-level=3",
    # A process of Chromium's gives up on the first one after 15 s (content/public/common/
    # content_switches.cc). On a slow card, or a box that is busy with its start, that ended the one
    # for the network, and with it the first page, which Chromium does not ask for again.
    "--ipc-connection-timeout=120",
    # No process is kept ready for a page that never comes, nor for one that was left: see `pages`.
    "--disable-features=Translate,OverscrollHistoryNavigation,MediaRouter,GlobalMediaControls,"
    "SpareRendererForSitePerProcess,BackForwardCache",
    "--password-store=basic",
    "--disk-cache-size=8388608",
    "--media-cache-size=1",
    # A page that nobody sees (a display that is off) still beats.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)


def say(text: str) -> None:
    """A line in the log."""
    print(text, file=sys.stderr, flush=True)


def notify(message: str) -> None:
    """Tell systemd (sd_notify(3)); nothing where it did not ask."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(message.encode(), address)


def ask(path: str) -> dict[str, Any] | None:
    """What the counter answers at `path`, whatever its status; None when it does not answer."""
    connection = HTTPConnection(HOST, PORT, timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read(LARGEST_ANSWER))
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


def has_gpu(drm: Path = DRM) -> bool:
    """Whether some display has a graphics chip that draws."""
    for card in drm.glob("card[0-9]*/device/uevent"):
        found = dict(line.split("=", 1) for line in card.read_text().splitlines() if "=" in line)
        if "DRIVER" in found and found["DRIVER"] not in WITHOUT_GPU:
            return True  # a connector (card0-HDMI-A-1) has no driver of its own
    return False


def environment(display: dict[str, Any], runtime: Path) -> dict[str, str]:
    """What compositor and browser see. display: the counter's [display], see `GET /display`."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(runtime),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CONFIG_HOME": "/usr/lib/kassa/session",  # our rules for the keyboard, see there
        "XDG_SESSION_TYPE": "wayland",
        "LIBSEAT_BACKEND": "seatd",
        # A counter works by touch or scanner alone; and devices come and go.
        "WLR_LIBINPUT_NO_DEVICES": "1",
        # Displays come and go as well, and Chromium crashes when the last one goes: the first is
        # one of memory alone. The compositor shows the page on the last, see `-m last`.
        "WLR_BACKENDS": "headless,libinput,drm",
        "WLR_HEADLESS_OUTPUTS": "1",
        "XKB_DEFAULT_LAYOUT": str(display.get("keyboard", "us")),
        "XKB_DEFAULT_RULES": "kassa",
        "XCURSOR_PATH": str(runtime / "cursors"),
        **{name: os.environ[name] for name in ("NOTIFY_SOCKET",) if name in os.environ},
        **({} if has_gpu() else {"WLR_RENDERER": "pixman", "WLR_NO_HARDWARE_CURSORS": "1"}),
    }


def hide_cursor(folder: Path) -> None:
    """Make a theme in `folder` whose cursors are one transparent pixel: without a theme compositor
    and browser have an arrow built in. Source: Xcursor(3), "CURSOR FILES"."""
    image, size = 0xFFFD0002, 24
    at = 28
    head = struct.pack("<4s3I", b"Xcur", 16, 0x10000, 1) + struct.pack("<3I", image, size, at)
    width = height = 1
    pixel = struct.pack("<9I", 36, image, size, 1, width, height, 0, 0, 0) + bytes(4)
    cursors = folder / "default/cursors"
    cursors.mkdir(parents=True, exist_ok=True)
    for name in CURSORS:
        (cursors / name).write_bytes(head + pixel)


def wait_for_counter() -> dict[str, Any]:
    """Until it answers; what it says about the display. It may take as long as a recovery."""
    while (display := ask("/display")) is None:
        time.sleep(AGAIN_S)
    return display


def compositor() -> None:
    """Become it. Does not return."""
    runtime = Path(os.environ["RUNTIME_DIRECTORY"])
    hide_cursor(runtime / "cursors")
    display = wait_for_counter()
    say(f"the counter answers; display: {json.dumps(display)}")
    command = ["/usr/bin/cage", "-m", "last", "-d", "--", __file__, "browser"]
    os.execve(command[0], command, environment(display, runtime))  # noqa: S606 - no shell in it


class Mode(NamedTuple):
    """One that a display says it has. words: as wlr-randr takes it. hz: its rate."""

    size: tuple[int, int]
    hz: float
    words: str
    is_preferred: bool
    is_current: bool


class Screen:
    """What the display is to be, as configured. degrees: clockwise. resolution: as "1280x720" or
    "1280x720@60"; what is not of this form is the display's own."""

    def __init__(self, degrees: int, resolution: str) -> None:
        self._degrees = degrees
        self._wanted = RESOLUTION.fullmatch(resolution)
        self._lacking: dict[str, list[Mode]] = {}

    def arrange(self) -> None:
        """Turn each output that is on, and choose its mode: the compositor has no configuration of
        its own, and a display that is plugged in again is upright and has its own mode."""
        if not self._degrees and self._wanted is None:
            return
        name = ""
        modes: list[Mode] = []
        for line in _run("/usr/bin/wlr-randr").splitlines()[:MOST_LINES]:
            words = line.split()
            if words and not line[0].isspace():
                name, modes = words[0], []
            elif found := LISTED.fullmatch(line.strip()):
                modes.append(_mode(found))
            elif words[:1] == ["Transform:"]:  # which one that is off does not have
                change = self._change(name, modes, words[1:])
                if change:
                    _run("/usr/bin/wlr-randr", "--output", name, *change)

    def _change(self, name: str, modes: list[Mode], transform: list[str]) -> list[str]:
        change = []
        if self._degrees and transform != [str(self._degrees)]:
            change += ["--transform", str(self._degrees)]
        if self._wanted is not None:
            mode = best(self._wanted, modes)
            if mode is None:
                self._say_lacking(name, modes)
            elif not mode.is_current:
                change += ["--mode", mode.words]
        return change

    def _say_lacking(self, name: str, modes: list[Mode]) -> None:
        """Once for each display: this is looked at again and again."""
        if self._wanted is not None and self._lacking.get(name) != modes:
            self._lacking[name] = modes
            there = ", ".join(mode.words for mode in modes) or "none"
            say(f"{name} has no resolution {self._wanted[0]}; it has {there}")


def _mode(found: re.Match[str]) -> Mode:
    width, height, hz, notes = found.groups()
    said = (notes or "").split(", ")
    words = f"{width}x{height}@{hz}Hz"
    size = (int(width), int(height))
    return Mode(size, float(hz), words, "preferred" in said, "current" in said)


def best(wanted: re.Match[str], modes: list[Mode]) -> Mode | None:
    """The one that is meant: with a rate the nearest to it, without one the display's favourite of
    this size, else the fastest. None where there is none of this size and rate."""
    size, rate = (int(wanted[1]), int(wanted[2])), wanted[3]
    fitting = [mode for mode in modes if mode.size == size]
    if rate is None:
        return max(fitting, key=lambda mode: (mode.is_preferred, mode.hz), default=None)
    hz = float(rate)
    near = [mode for mode in fitting if abs(mode.hz - hz) <= NEAR_HZ]
    return min(near, key=lambda mode: abs(mode.hz - hz), default=None)


def _run(*command: str) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
    )
    if done.returncode:
        say(f"{command[0]}: {done.stderr.strip()[:200]}")
    return done.stdout


def pages(proc: Path = PROC) -> int:
    """How many processes of this user draw a page. One that shows "Aw, Snap!" has none."""
    found = 0
    for process in proc.glob("[0-9]*"):
        try:
            is_mine = process.stat().st_uid == os.getuid()
            found += is_mine and RENDERER in (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended since
    return found


class Drawing:
    """Whether pages draw, by what /healthz says. now_s: a monotonic time, the browser's start.
    elsewhere_s: how long it may show a page that is not the counter's."""

    def __init__(self, now_s: float, elsewhere_s: float = FRESH_S) -> None:
        self._elsewhere_s = elsewhere_s
        self._started_s = now_s
        self._at_s = now_s
        self._allowed_s = FIRST_PAGE_S
        self.has_drawn = False

    def is_late(self, health: dict[str, Any] | None, now_s: float) -> bool:
        """Whether this browser has drawn no page for too long.

        health: None when the counter does not answer. Then the page covers itself with a notice
        that says so, which is no fault of the screen's, and has time to come back afterwards.
        """
        age_s = health.get("browser_age_s") if health is not None else 0.0
        if isinstance(age_s, int | float) and 0 <= age_s <= now_s - self._started_s:
            self._at_s = max(self._at_s, now_s - age_s)
            if health is not None:
                self.has_drawn = True
                is_elsewhere = health.get("browser_page") == "elsewhere"
                self._allowed_s = self._elsewhere_s if is_elsewhere else FRESH_S
        return now_s - self._at_s > self._allowed_s


def watch(
    browser: subprocess.Popen[bytes],
    health: Callable[[], dict[str, Any] | None],
    feed: Callable[[str], None],
    pages: Callable[[], int] = pages,
    now: Callable[[], float] = time.monotonic,
    elsewhere_s: float = FRESH_S,
) -> int:
    """Until the browser ends, which it is made to when it does not draw; its exit status."""
    drawing = Drawing(now(), elsewhere_s)
    feed("READY=1")
    while True:
        is_late = drawing.is_late(health(), now())
        is_gone = drawing.has_drawn and not pages()
        if is_late or is_gone:
            say("the page is gone" if is_gone else "the page does not draw")
            browser.kill()  # it has nothing to save, and may not hear a politer word
        feed("WATCHDOG=1")
        try:
            return browser.wait(ROUND_S)
        except subprocess.TimeoutExpired:
            continue


# --- the shop's pages ------------------------------------------------------------------------
# Only where [links] pages names some. A link that such a page starts ends in `kassa link`, which
# asks us for the counter's page. A second start of Chromium opens it in the first one's process, as
# a window like the first; what was there before is closed, or a day would end with a hundred.


class Tabs:
    """The browser's windows, by Chromium's debugging pipe, which nobody but its parent has: our end
    is read and written here, and policy keeps it from looking into any page
    (DeveloperToolsAvailability). Messages are JSON, each ended by a zero byte. Raises OSError,
    ValueError or TimeoutError for a browser that does not answer so."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._rest = b""
        self._number = 0

    def pages(self) -> list[str]:
        """The ids of what is open."""
        found = self._ask("Target.getTargets")["targetInfos"]
        return [str(each["targetId"]) for each in found if each["type"] == "page"]

    def close(self, page: str) -> None:
        self._ask("Target.closeTarget", targetId=page)

    def _ask(self, method: str, **parameters: str) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + TABS_S
        while True:
            message = self._next(end)
            if message.get("id") == self._number:
                result = message.get("result")
                if not isinstance(result, dict):
                    raise ValueError(f"{method}: {str(message.get('error'))[:200]}")
                return result

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self._read, 65_536)
            if not more or len(self._rest) > LARGEST_MESSAGE:
                raise ValueError("the browser's answer has no end")
            self._rest += more
        first, _, self._rest = self._rest.partition(b"\0")
        found = json.loads(first)
        return found if isinstance(found, dict) else {}


def start_with_tabs(words: list[str], env: dict[str, str]) -> tuple[subprocess.Popen[bytes], Tabs]:
    """The browser, with its end of the pipe as files 3 and 4, where it looks for them."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    move = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    command = ["/bin/sh", "-c", move, "sh", words[0], "--remote-debugging-pipe", *words[1:]]
    browser = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, env=env, pass_fds=(theirs_in, theirs_out)
    )
    os.close(theirs_in)
    os.close(theirs_out)
    return browser, Tabs(ours_in, ours_out)


def listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(path))
    return channel


def serve(channel: socket.socket, tabs: Tabs, words: list[str], env: dict[str, str]) -> None:
    """Show each address that is asked for, one after the other. Runs until the process ends."""
    while True:
        address = channel.recv(LONGEST_ADDRESS).decode("ascii", "replace")
        if ADDRESS.fullmatch(address) is None:
            say("asked for a page that is none")
            continue
        try:
            show(address, tabs, [*words, f"--app={address}"], env)
        except (OSError, ValueError, KeyError, TimeoutError, subprocess.SubprocessError) as error:
            say(f"a page could not be shown: {type(error).__name__}: {str(error)[:200]}")


def show(address: str, tabs: Tabs, command: list[str], env: dict[str, str]) -> None:
    """Open a window with this address, and close those that were there when it is."""
    before = tabs.pages()
    end = time.monotonic() + OPEN_S
    subprocess.run(command, stdin=subprocess.DEVNULL, env=env, timeout=OPEN_S, check=False)
    while not set(tabs.pages()) - set(before):
        if time.monotonic() > end:
            raise TimeoutError("no new window")
        time.sleep(0.1)
    for page in before:
        tabs.close(page)


def browse() -> int:
    """Start the browser, and watch it until it ends."""
    runtime = Path(os.environ["XDG_RUNTIME_DIR"])
    profile = runtime / "profile"
    shutil.rmtree(profile, ignore_errors=True)  # what it was in the middle of is of no use to us
    display = ask("/display") or {}
    has_pages = display.get("pages") is True
    screen = Screen(display.get("rotation", 0), str(display.get("resolution", "")))
    gpu = () if has_gpu() else ("--disable-gpu",)
    words = [CHROMIUM, *FLAGS, *gpu, f"--user-data-dir={profile}", f"--app=http://{HOST}:{PORT}/"]
    # The compositor's folder of settings is read-only, and Chromium wants to write to its own.
    mine = os.environ | {"XDG_CONFIG_HOME": str(profile), "XDG_CACHE_HOME": str(profile)}
    if has_pages:
        mine["XDG_CONFIG_DIRS"] = f"{os.environ['XDG_CONFIG_HOME']}:/etc/xdg"  # mimeapps.list
        browser, tabs = start_with_tabs(words, mine)
        channel = listen(runtime / SOCKET)
        threading.Thread(target=serve, args=(channel, tabs, words[:-1], mine), daemon=True).start()
    else:
        browser = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=mine)

    def stop(*_: object) -> None:
        browser.terminate()

    signal.signal(signal.SIGTERM, stop)

    def look() -> dict[str, Any] | None:
        screen.arrange()
        return ask("/healthz")

    status = watch(browser, look, notify, elsewhere_s=ELSEWHERE_S if has_pages else FRESH_S)
    say(f"the browser ended with {status}")
    return 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["wait"]:
            wait_for_counter()
        case ["browser"]:
            sys.exit(browse())
        case _:
            compositor()
