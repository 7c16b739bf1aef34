"""The session survives: whatever falls, the page is on the screen again, and nobody touched it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.image.booted.kiosk import BOOT_S, GROUND, Kiosk, Outside
from tests.image.screens import contains_colour, flat_colour

pytestmark = [pytest.mark.timeout(1800)]

RENDERER = "pgrep -u kassa-screen -f '[-]-type=renderer'"
BROWSER = "pgrep -u kassa-screen -f 'chromium [-]-kiosk'"
COMPOSITOR = "pgrep -u kassa-screen -x cage"


@pytest.fixture(scope="module")
def kiosk(outside: Outside) -> Iterator[Kiosk]:
    with Kiosk(outside, has_watchdog=True) as found:
        found.wait_up()
        found.wait_well()
        found.wait_drawn()
        wait_painted(found)
        yield found


def wait_painted(kiosk: Kiosk) -> None:
    def is_painted() -> bool:
        shown = kiosk.screenshot("painted")
        return flat_colour(shown) is None and contains_colour(shown, GROUND, 0.3)

    kiosk.until(is_painted, "the page is on the screen", BOOT_S)


def session_of(kiosk: Kiosk) -> str:
    return kiosk.ssh("systemctl show -P MainPID kassa-session").strip()


def wait_beat(kiosk: Kiosk) -> None:
    """Until a page has drawn after now."""
    since = time.monotonic()

    def has_drawn() -> bool:
        asked_at = time.monotonic()
        age_s = kiosk.health().get("browser_age_s")
        return age_s is not None and asked_at - age_s > since

    kiosk.until(has_drawn, "a page draws", BOOT_S)


@pytest.mark.parametrize(
    ("what", "ruin"),
    [
        ("the page crashes", f"kill -KILL $({RENDERER})"),
        ("the page hangs", f"kill -STOP $({RENDERER})"),
        ("the browser is killed", f"kill -KILL $({BROWSER})"),
        ("the compositor is killed", f"kill -KILL $({COMPOSITOR})"),
    ],
)
def test_it_comes_back_by_itself(kiosk: Kiosk, what: str, ruin: str) -> None:
    before = session_of(kiosk)
    started = time.monotonic()
    kiosk.ssh(ruin)
    kiosk.until(lambda: session_of(kiosk) not in ("0", before), f"a new session after {what}")
    new_s = time.monotonic() - started
    wait_beat(kiosk)
    wait_painted(kiosk)
    drawn_s = time.monotonic() - started
    print(f"figure: {what}: new session after {new_s:.0f} s, page beats after {drawn_s:.0f} s")


def test_a_counter_that_starts_anew_needs_no_new_session(kiosk: Kiosk) -> None:
    before = session_of(kiosk)
    kiosk.ssh("systemctl restart kassa")
    kiosk.wait_well()
    wait_beat(kiosk)
    wait_painted(kiosk)
    assert session_of(kiosk) == before


def outputs(kiosk: Kiosk) -> str:
    return kiosk.ssh("XDG_RUNTIME_DIR=/run/kassa-screen WAYLAND_DISPLAY=wayland-0 wlr-randr")


def test_a_screen_that_is_unplugged_and_plugged_in_shows_the_page_again(kiosk: Kiosk) -> None:
    """By the kernel's own means: a connector can be forced off. It tells nobody; a rule does."""
    rule = 'SUBSYSTEM=="drm", ENV{SYNTH_UUID}=="?*", ENV{HOTPLUG}="1"'
    rules = "/run/udev/rules.d"
    kiosk.ssh(f"mkdir -p {rules} && echo '{rule}' > {rules}/99-hotplug.rules")
    kiosk.ssh("udevadm control --reload")

    def force(status: str) -> None:
        kiosk.ssh(
            f"echo {status} > /sys/class/drm/card0-Virtual-1/status &&"
            " udevadm trigger --uuid --action=change /sys/class/drm/card0"
        )

    before = session_of(kiosk)
    force("off")
    kiosk.until(lambda: "Virtual-1" not in outputs(kiosk), "the screen is gone")
    wait_beat(kiosk)
    force("detect")
    kiosk.until(lambda: "Virtual-1" in outputs(kiosk), "the screen is back")
    wait_beat(kiosk)
    wait_painted(kiosk)
    assert session_of(kiosk) == before


def boot_of(kiosk: Kiosk) -> str:
    return kiosk.ssh("cat /proc/sys/kernel/random/boot_id").strip()


def wait_boot(kiosk: Kiosk, before: str, what: str) -> None:
    kiosk.until(lambda: boot_of(kiosk) not in ("", before), what, BOOT_S)
    kiosk.wait_well()
    kiosk.wait_drawn()
    wait_painted(kiosk)


def test_a_screen_that_falls_again_and_again_starts_the_machine_anew(kiosk: Kiosk) -> None:
    before = boot_of(kiosk)
    kiosk.ssh(
        "systemd-run --unit=fell sh -c 'while systemctl kill -s KILL kassa-session;"
        " do sleep 1; done'"
    )
    wait_boot(kiosk, before, "another boot after eight falls")


def test_a_machine_that_hangs_starts_anew(kiosk: Kiosk) -> None:
    """The kernel stops, and nothing on it can do anything about it: the watchdog, which is another
    machine, resets it."""
    before = boot_of(kiosk)
    seen = kiosk.machine.last_event
    kiosk.ssh(
        "sysctl -q kernel.panic=0 kernel.sysrq=1;"
        " systemd-run --on-active=2 sh -c 'echo c > /proc/sysrq-trigger'"
    )
    kiosk.machine.wait_event("WATCHDOG", 300, seen)
    wait_boot(kiosk, before, "another boot after the watchdog")
