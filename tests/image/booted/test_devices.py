"""The rules for devices, tried with gadgets inside of the booted image (tests/udev/guest.py).

They take a quarter of an hour: KASSA_DEVICES=1 asks for them. The rules were made with the same
checks, in another guest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.image.booted.kiosk import Kiosk, Outside
from tests.udev import guest

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        "KASSA_DEVICES" not in os.environ, reason="NOT TESTED: KASSA_DEVICES=1 asks for it"
    ),
]


@pytest.fixture(scope="module")
def kiosk(outside: Outside) -> Iterator[Kiosk]:
    """With none of its own devices: the checks bring theirs."""
    with Kiosk(outside, devices=()) as found:
        found.wait_up()
        # Nobody else looks at the devices, and no administrator has said which is which.
        found.ssh("systemctl stop kassa-session kassa && rm /etc/kassa/devices")
        found.ssh("/usr/lib/kassa/kassa-devices")
        yield found


@pytest.mark.parametrize("check", guest.CHECKS, ids=lambda check: check.__name__)
def test_the_devices_rules(kiosk: Kiosk, check) -> None:
    def run(command: str, timeout_s: float) -> tuple[int, str]:
        return kiosk.answer(command, timeout_s + 60)

    guest.check(run, check)
