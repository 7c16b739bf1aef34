"""Nobody gets out: whatever is pressed or typed, there is one window with one page, and no other.

Letters that come with Ctrl are letters, as there is no Ctrl; the page takes them for a number that
is being typed, and forgets it. So windows are counted by their renderers, and the screen is
compared when the page is at rest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.image.booted.kiosk import HOST, Kiosk, Outside
from tests.image.hardware import USB_BUS
from tests.image.screens import resembles
from tests.image.usb_function import Identity
from tests.image.usb_keyboard import UsbKeyboard

pytestmark = [pytest.mark.timeout(1800)]

RENDERERS = "pgrep -u kassa-screen -f '[-]-type=renderer'"
SETTLE_S = 20.0
"""How long an emulated browser may take to open a window, should it do so."""
CHANGED = 0.02
"""A clock goes on, and a dot may change its colour."""
ESCAPES = {
    "a new window or tab": ("ctrl n", "ctrl t", "ctrl shift n", "ctrl shift t"),
    "the window closes": ("ctrl w", "ctrl shift w", "ctrl q", "alt f4", "ctrl f4"),
    "print, open, save": ("ctrl p", "ctrl shift p", "ctrl o", "ctrl s", "print"),
    "the source or the tools": ("ctrl u", "ctrl shift i", "ctrl shift j", "f12"),
    "help, search, full screen": ("f1", "help", "f3", "f6", "f7", "f10", "f11"),
    "addresses and history": ("ctrl l", "ctrl h", "ctrl j", "alt d", "alt left", "alt home"),
    "another window or console": ("alt tab", "meta_l", "ctrl alt f2", "ctrl alt delete"),
    "keys of media keyboards": ("ac_home", "ac_bookmarks", "mail", "calculator", "menu", "find"),
}


SECOND = Identity(0x046D, 0xC31C, "KBD02", "Kassa", "A keyboard of somebody's own")
BAD_BARCODE = (
    ("ctrl", "o"),
    ("ctrl", "n"),
    ("ctrl", "shift", "i"),
    ("meta", "r"),
    ("f1",),
    ("f11",),
)
"""What a barcode can make a scanner type that sends control characters as keys: "BadBarcode",
Tencent Xuanwu Lab, PacSec 2015."""
ADDRESSES = (
    "file:///etc/passwd",
    "file:///",
    "view-source:http://127.0.0.1:8100/",
    "chrome://version",
    "chrome://settings",
    "chrome://policy",
    "data:text/html,root:x",
    f"http://{HOST}/",
)
BLOCKED = "ERR_BLOCKED_BY_ADMINISTRATOR"
# Without a display the browser needs the tools that our policies take away: it has them here, in a
# view of the policies that nobody else sees.
DUMP = """cd /tmp && rm -rf managed somebody && cp -a /etc/chromium/policies/managed managed &&
sed -i 's/"DeveloperToolsAvailability": 2/"DeveloperToolsAvailability": 1/' managed/kassa.json &&
exec unshare --mount sh -c '
    mount --bind managed /etc/chromium/policies/managed
    exec runuser -u kassa-screen -- env HOME=/tmp/somebody /usr/lib/chromium/chromium --headless \
        --disable-gpu --user-data-dir=/tmp/somebody --dump-dom "$0"' """


@pytest.fixture(scope="module")
def second(outside: Outside) -> Iterator[UsbKeyboard]:
    """Another keyboard, which is not plugged in yet."""
    with UsbKeyboard(outside.folder / "second", SECOND) as found:
        found.unplug()
        yield found


@pytest.fixture(scope="module")
def kiosk(outside: Outside, second: UsbKeyboard) -> Iterator[Kiosk]:
    with Kiosk(outside, devices=(*outside.usb(), *second.words("second"))) as found:
        found.wait_up()
        found.wait_well()
        found.wait_drawn()
        yield found


def renderers(kiosk: Kiosk) -> list[str]:
    return sorted(kiosk.ssh(RENDERERS).split())


@contextmanager
def nothing_opens(kiosk: Kiosk, what: str) -> Iterator[None]:
    """Afterwards there is one page, the same, at rest as before."""
    before, pages = kiosk.screenshot("before"), renderers(kiosk)
    yield
    time.sleep(SETTLE_S)  # for something that must not come there is nothing to wait for
    kiosk.press("esc")  # what was typed
    kiosk.until(
        lambda: resembles(before, kiosk.screenshot("after"), CHANGED), f"as before: {what}", 60
    )
    assert renderers(kiosk) == pages
    assert kiosk.health()["page"] == "idle"
    assert kiosk.ssh("cat /sys/class/tty/tty0/active").strip() == "tty1"
    kiosk.wait_drawn()


@pytest.mark.parametrize("what", ESCAPES)
def test_no_key_opens_anything(kiosk: Kiosk, what: str) -> None:
    with nothing_opens(kiosk, what):
        for keys in ESCAPES[what]:
            kiosk.press(*keys.split())


def test_a_second_keyboard_is_no_other(kiosk: Kiosk, second: UsbKeyboard) -> None:
    second.plug()
    kiosk.until(lambda: second.is_listened_to, "the second keyboard is there")
    time.sleep(SETTLE_S)  # until the compositor has it
    try:
        with nothing_opens(kiosk, "a second keyboard"):
            for keys in BAD_BARCODE:
                second.press(*keys)
    finally:
        second.unplug()


def test_a_barcode_presses_no_keys(kiosk: Kiosk) -> None:
    with nothing_opens(kiosk, "a bad barcode"):
        for keys in BAD_BARCODE:
            kiosk.outside.scanner.press(*keys)
    kiosk.scan_to("NL-10001", "order")  # it is a scanner still
    kiosk.scan_to("KASSA-CANCEL", "idle")


def test_a_scanner_that_nobody_reads_presses_none_either(kiosk: Kiosk) -> None:
    """While the counter is down the scanner is a keyboard like any other."""
    pages = renderers(kiosk)
    kiosk.ssh("systemctl stop kassa")
    try:
        for keys in BAD_BARCODE:
            kiosk.outside.scanner.press(*keys)
        time.sleep(SETTLE_S)
        assert renderers(kiosk) == pages
    finally:
        kiosk.ssh("systemctl start kassa")
    kiosk.wait_well()
    kiosk.wait_drawn()


FINGERS = """
import sys, time
from evdev import AbsInfo, UInput, ecodes as e
W, H = 1024, 768
place = [AbsInfo(0, 0, most - 1, 0, 0, 10) for most in (W, H)]
screen = UInput(
    {e.EV_KEY: [e.BTN_TOUCH], e.EV_ABS: [
        (e.ABS_X, place[0]), (e.ABS_Y, place[1]),
        (e.ABS_MT_SLOT, AbsInfo(0, 0, 4, 0, 0, 0)),
        (e.ABS_MT_TRACKING_ID, AbsInfo(0, 0, 65535, 0, 0, 0)),
        (e.ABS_MT_POSITION_X, place[0]), (e.ABS_MT_POSITION_Y, place[1])]},
    name="Kassa test touch", input_props=[e.INPUT_PROP_DIRECT])
time.sleep(8)

def move(points):
    for slot, (x, y) in enumerate(points):
        screen.write(e.EV_ABS, e.ABS_MT_SLOT, slot)
        screen.write(e.EV_ABS, e.ABS_MT_POSITION_X, int(x))
        screen.write(e.EV_ABS, e.ABS_MT_POSITION_Y, int(y))
    screen.write(e.EV_ABS, e.ABS_X, int(points[0][0]))
    screen.write(e.EV_ABS, e.ABS_Y, int(points[0][1]))
    screen.syn()

def gesture(paths, seconds, steps=20):
    for slot in range(len(paths)):
        screen.write(e.EV_ABS, e.ABS_MT_SLOT, slot)
        screen.write(e.EV_ABS, e.ABS_MT_TRACKING_ID, slot + 1)
    screen.write(e.EV_KEY, e.BTN_TOUCH, 1)
    for step in range(steps + 1):
        part = step / steps
        move([(a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part) for a, b in paths])
        time.sleep(seconds / steps)
    for slot in range(len(paths)):
        screen.write(e.EV_ABS, e.ABS_MT_SLOT, slot)
        screen.write(e.EV_ABS, e.ABS_MT_TRACKING_ID, -1)
    screen.write(e.EV_KEY, e.BTN_TOUCH, 0)
    screen.syn()
    time.sleep(3)

for paths, seconds in GESTURES[sys.argv[1]]:
    gesture(paths, seconds)
"""
# Paths of fingers on a screen of 1024 by 768, and the seconds that they take. Beside the orders:
# a tap that opens one is none of these.
GESTURES = {
    "a long press": [([((512, 740), (512, 740))], 3.0)],
    "a pinch": [([((500, 400), (200, 400)), ((520, 400), (820, 400))], 1.0)] * 2,
    "back by overscroll": [([((2, 400), (900, 400))], 1.0), ([((1020, 400), (100, 400))], 1.0)],
    "from the edges": [([((512, 0), (512, 600))], 1.0), ([((512, 767), (512, 200))], 1.0)],
    "three fingers": [([((x, 700), (x, 100)) for x in (300, 500, 700)], 1.0)],
}


@pytest.mark.parametrize("what", GESTURES)
def test_no_gesture_opens_anything(kiosk: Kiosk, what: str) -> None:
    with nothing_opens(kiosk, what):
        program = FINGERS.replace("GESTURES[sys.argv[1]]", repr(GESTURES[what]))
        kiosk.ssh(f"python3 - <<'END'\n{program}\nEND")


@pytest.mark.parametrize("button", ["right", "middle"])
def test_no_button_of_a_mouse_opens_anything(kiosk: Kiosk, button: str) -> None:
    kiosk.machine.plug("usb-mouse", "mouse", bus=USB_BUS)
    try:
        time.sleep(SETTLE_S)
        with nothing_opens(kiosk, button):
            for is_down in (True, False):
                event = {"type": "btn", "data": {"button": button, "down": is_down}}
                kiosk.machine.qmp("input-send-event", events=[event])
    finally:
        kiosk.machine.unplug("mouse")


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_other_address_is_shown(kiosk: Kiosk, address: str) -> None:
    """Should somebody find a way to ask for one all the same: another browser with the policies of
    this machine, as the screen's user."""
    code, said = kiosk.answer(f"{DUMP}'{address}'", 600)
    assert code == 0, said
    assert BLOCKED in said, said
    assert "root:x" not in said.replace(address, "")


def test_the_counters_own_address_is(kiosk: Kiosk) -> None:
    """So that the test before can fail."""
    said = kiosk.ssh(f"{DUMP}http://127.0.0.1:8100/commands", 600)
    assert BLOCKED not in said
    assert "KASSA-CONFIRM" in said
