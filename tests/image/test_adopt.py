"""What root makes of the counter's wish: roles for devices, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.image.script import load

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "image/package/files/usr/lib/kassa/adopt.py"
UNITS = ROOT / "image/package/files/usr/lib/systemd/system"
PRINTER = "printer serial X1234 04b8:0e28"
TERMINAL = "terminal port platform-xhci-hcd.1-usb-0:1.3:1.0-port2 0403:6011"


adopt = load(SCRIPT)


class Box:
    def __init__(self, folder: Path) -> None:
        self.wanted, self.devices = folder / "wanted", folder / "etc" / "devices"
        self.devices.parent.mkdir()

    def adopt(self) -> bool:
        return bool(adopt.adopt(self.wanted, self.devices))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_what_was_confirmed_becomes_lines(box: Box) -> None:
    assert not box.adopt(), "nothing was confirmed yet"
    box.wanted.write_text(f"{TERMINAL}\n{PRINTER}\n")
    assert box.adopt()
    lines = [f"{PRINTER} {adopt.MARK}", f"{TERMINAL} {adopt.MARK}"]
    assert box.devices.read_text().splitlines() == lines
    assert box.devices.stat().st_mode & 0o777 == 0o644
    assert not box.adopt(), "the same again is nothing new"
    assert os.listdir(box.devices.parent) == ["devices"]


def test_an_administrators_lines_stay_and_win(box: Box) -> None:
    theirs = "# ours since 2024\nprinter  port usb-0:1.2   # the left one\n\nscanner ask\n"
    box.devices.write_text(theirs)
    scanner = "scanner serial S1 0c2e:0b61"
    box.wanted.write_text(f"{PRINTER}\n{TERMINAL}\n{scanner}\n")
    assert box.adopt()
    text = box.devices.read_text()
    assert text.startswith(theirs)
    assert text.removeprefix(theirs).splitlines() == [
        f"{scanner} {adopt.MARK}",
        f"{TERMINAL} {adopt.MARK}",
    ]


def test_a_later_wish_takes_the_place_of_an_earlier_one(box: Box) -> None:
    box.devices.write_text("scanner model 1a2c:4c5e")  # without a newline at its end
    for text in (f"{PRINTER}\n{TERMINAL}\n", "printer serial Y 04b8:0e28\n", ""):
        box.wanted.write_text(text)
        assert box.adopt()
        ours = [f"{line} {adopt.MARK}" for line in text.splitlines()]
        assert box.devices.read_text().splitlines() == ["scanner model 1a2c:4c5e", *ours]


@pytest.mark.parametrize(
    "line",
    [
        "printer serial X1234",  # without its model
        "printer model 04b8:0e28 04b8:0e28",
        "fiscal serial X 2912:0005",  # no driver: nothing to adopt
        "drawer serial X 04b8:0e28",
        "printer serial  04b8:0e28",
        "printer serial X 04b8:0E28",
        "printer serial X/../y 04b8:0e28",
        "printer serial X 04b8:0e28 # why",
        " printer serial X 04b8:0e28",
        "printer serial " + "X" * 128 + " 04b8:0e28",
        "printer port 1.3 04b8:0e28",
        "printer port usb-0:1.3 04b8:٠e28",
        "printer ask",
        "",
        "* * *",
    ],
)
def test_a_wish_that_is_not_wholly_right_is_not_taken(box: Box, line: str) -> None:
    box.devices.write_text("# as it was\n")
    box.wanted.write_text(f"{TERMINAL}\n{line}\n")
    with pytest.raises(adopt.Refused, match="line 2") as refused:
        box.adopt()
    assert line == "" or line not in str(refused.value)
    assert box.devices.read_text() == "# as it was\n"


def test_a_role_twice_is_refused(box: Box) -> None:
    box.wanted.write_text(f"{PRINTER}\nprinter serial Y 04b8:0e28\n")
    with pytest.raises(adopt.Refused, match="line 2"):
        box.adopt()


def test_only_a_small_file_is_read_and_no_link(box: Box, tmp_path: Path) -> None:
    box.wanted.write_bytes(b"\xff")
    with pytest.raises(adopt.Refused, match="UTF-8"):
        box.adopt()
    box.wanted.write_text("\n" * (adopt.LARGEST_WANTED + 1))
    with pytest.raises(adopt.Refused, match="bytes"):
        box.adopt()
    box.wanted.unlink()
    secret = tmp_path / "secret"
    secret.write_text(PRINTER)
    box.wanted.symlink_to(secret)
    with pytest.raises(adopt.Refused):
        box.adopt()
    box.wanted.unlink()
    os.mkfifo(box.wanted)
    with pytest.raises(adopt.Refused, match="is no file"):
        box.adopt()
    assert not box.devices.exists()


def test_a_file_that_udev_would_not_read_is_not_written(box: Box) -> None:
    box.wanted.write_text(f"{PRINTER}\n")
    for theirs in ("#\n" * 64, "#" * adopt.LARGEST):
        box.devices.write_text(theirs)
        with pytest.raises(adopt.Refused, match="too large"):
            box.adopt()
        assert box.devices.read_text() == theirs


WORDS = st.text(st.characters(codec="utf-8"), max_size=60)


@given(st.lists(st.one_of(WORDS, st.sampled_from([PRINTER, TERMINAL])), max_size=4).map("\n".join))
def test_whatever_is_wanted_only_right_lines_are_written(text: str) -> None:
    try:
        lines = adopt.wanted_lines(text)
    except adopt.Refused:
        return
    for line in adopt.merged("# theirs\n", lines).splitlines()[1:]:
        role, kind, _, model, *mark = line.split(" ")
        assert role in adopt.ROLES
        assert kind in ("serial", "port")
        assert len(model) == 9
        assert " ".join(mark) == adopt.MARK


@pytest.mark.parametrize("line", [PRINTER, TERMINAL])
def test_udevs_own_script_knows_what_is_written(box: Box, line: str) -> None:
    box.wanted.write_text(f"{line}\n")
    assert box.adopt()
    role, kind, value, model = line.split()
    vendor, product = model.split(":")
    done = subprocess.run(
        [ROOT / "udev/kassa-role", value if kind == "port" else "pci-0-usb-0:9:1.0", role],
        env={
            "PATH": os.environ["PATH"],
            "KASSA_DEVICES": str(box.devices),
            "ID_SERIAL_SHORT": value if kind == "serial" else "",
            "ID_VENDOR_ID": vendor,
            "ID_MODEL_ID": product,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == [f"KASSA_ROLE={role}", "KASSA_RANK=1-01"]


def test_the_units_are_about_the_same_files() -> None:
    service = (UNITS / "kassa-adopt.service").read_text()
    assert f"PathChanged={adopt.WANTED}\n" in (UNITS / "kassa-adopt.path").read_text()
    assert f"ConditionPathExists={adopt.WANTED}\n" in service
    assert f"ReadWritePaths={adopt.DEVICES.parent}\n" in service
    assert "ProtectKernelTunables=" not in service.replace("# Not ProtectKernelTunables=", "")
