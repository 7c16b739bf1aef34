"""Nobody gets out: whatever is pressed or typed, there is one window with one page, and no other.

Letters that come with Ctrl are letters, as there is no Ctrl; the page takes them for a number that
is being typed, and forgets it. So windows are counted by their renderers, and the screen is
compared when the page is at rest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.image.booted.kiosk import Kiosk, Outside
from tests.image.screens import resembles

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


@pytest.fixture(scope="module")
def kiosk(outside: Outside) -> Iterator[Kiosk]:
    with Kiosk(outside) as found:
        found.wait_up()
        found.wait_well()
        found.wait_drawn()
        yield found


def renderers(kiosk: Kiosk) -> list[str]:
    return sorted(kiosk.ssh(RENDERERS).split())


@pytest.mark.parametrize("what", ESCAPES)
def test_no_key_opens_anything(kiosk: Kiosk, what: str) -> None:
    before, pages = kiosk.screenshot("before"), renderers(kiosk)
    for keys in ESCAPES[what]:
        kiosk.press(*keys.split())
    time.sleep(SETTLE_S)  # for something that must not come there is nothing to wait for
    kiosk.press("esc")  # what was typed
    kiosk.until(
        lambda: resembles(before, kiosk.screenshot("after"), CHANGED), f"as before: {what}", 60
    )
    assert renderers(kiosk) == pages
    assert kiosk.health()["page"] == "idle"
    assert kiosk.ssh("cat /sys/class/tty/tty0/active").strip() == "tty1"
    kiosk.wait_drawn()
