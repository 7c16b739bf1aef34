"""The words for QEMU, and the keys."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.image.hardware import DEBIANS_FIRMWARE, Hardware
from tests.image.keys import keys_of

FIRMWARE = DEBIANS_FIRMWARE["amd64"]


def words(**more):
    parts: dict[str, Any] = {"firmware": FIRMWARE} | more
    return Hardware(arch="amd64", **parts).command_line(Path("variables"), 3, 4, 5)


def test_a_disk_image_is_not_written_to_and_a_served_disk_is():
    [drive] = [word for word in words(disk=Path("a,b.img")) if "id=disk" in word]
    assert "file=a,,b.img" in drive
    assert "snapshot=on" in drive
    [drive] = [word for word in words(disk="nbd+unix:///?socket=/s") if "id=disk" in word]
    assert "snapshot" not in drive


def test_forwards_are_bound_to_this_hosts_loopback_alone():
    [network] = [word for word in words(forwards={8080: 80}) if word.startswith("user,")]
    assert network.endswith(",hostfwd=tcp:127.0.0.1:8080-:80")


@pytest.mark.parametrize(
    "wrong",
    [
        {"firmware": None},
        {"kernel": Path("vmlinuz")},
        {"keyboards": {"one": "", "two": "", "three": ""}},
        {"clock": datetime(2009, 1, 2)},  # noqa: DTZ001
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"machine|keyboards|clock"):
        words(**wrong)


def test_keys():
    assert keys_of("a") == ("a",)
    assert keys_of("A") == ("shift", "a")
    assert keys_of("1") == ("1",)
    assert keys_of("!") == ("shift", "1")
    assert keys_of("_") == ("shift", "minus")
    assert keys_of("\n") == ("ret",)
    for character in ("ß", "Ж", "\0", "€"):
        with pytest.raises(ValueError, match="no key"):
            keys_of(character)
