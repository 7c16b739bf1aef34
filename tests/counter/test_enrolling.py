"""A new kiosk, from the scan to what root's unit finds; and a power cut at every step of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.counter import enrolling
from appliance.counter.clock import SystemClock
from appliance.counter.commands import Answer, Command
from appliance.counter.enrol_book import Desk
from appliance.counter.enrolling import Enrolment, Places, is_new, nodes, own_key
from appliance.counter.screen import Action, Enrol, Page
from appliance.counter.whole_file import write_whole
from appliance.domain.errors import Code
from appliance.protocols.enrolment import grouped
from appliance.protocols.links.signing import public
from appliance.serve_enrol import DeskServer
from appliance.simulators.scanner import ScannerSimulator
from tests.counter.enrol_kit import CONFIG, HOUR_S, TOKEN, Clock, desk_in
from tests.drivers.test_enrol_desk import serving
from tests.rig import free_port, until


class Box:
    """A kiosk's folders, with a program that can be switched off at any time."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(
            folder / "etc/kassa.toml",
            folder / "var/enrolment",
            folder / "dev",
            folder / "etc/enrolment-desk",
            folder / "etc/enrol.txt",
            folder / "sys",
        )
        for made in (folder / "etc", folder / "dev", folder / "var"):
            made.mkdir(parents=True)

    @contextmanager
    def running(self) -> Iterator[Enrolment]:
        self.over = threading.Event()
        counter = Enrolment(self.places, SystemClock(), self.over.set)
        counter.start()
        try:
            yield counter
        finally:
            counter.stop(0)

    def left(self) -> dict[str, str]:
        """What root's unit would find."""
        file = self.places.state / enrolling.ANSWER
        found: dict[str, str] = json.loads(file.read_bytes()) if file.exists() else {}
        return found

    def take(self) -> None:
        """As root's unit does."""
        write_whole(self.places.config, self.left()["config"].encode(), 0o640)
        (self.places.state / enrolling.ANSWER).unlink()


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setattr(enrolling, "LOOK_S", 0.05)
    monkeypatch.setattr("appliance.counter.stand_in.LOOK_S", 0.05)
    monkeypatch.setattr(enrolling, "AGAIN_S", 0.2)
    return Box(tmp_path / "box")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_in(tmp_path / "desk", Clock())


@pytest.fixture
def address(desk: Desk) -> Iterator[str]:
    with serving(DeskServer(desk, ("127.0.0.1", 0))) as found:
        yield found


def shows(counter: Enrolment) -> Code | None:
    body = counter.screen().body
    assert isinstance(body, Enrol)
    return body.code


def at(counter: Enrolment, code: Code | None) -> None:
    until(lambda: shows(counter) is code, f"the screen shows {code}")


def test_a_scan_through_a_pty_brings_settings_and_the_program_starts_anew(
    box: Box, desk: Desk, address: str
) -> None:
    _, digits = desk.make("counter-7", address, HOUR_S)
    with ScannerSimulator(box.places.devices / "scanner") as scanner, box.running() as counter:
        until(lambda: getattr(counter.screen().body, "is_scanner_there", False), "a scanner")
        seq = counter.screen().seq
        scanner.scan("4006381333931")
        at(counter, Code.ENROL_UNREADABLE)
        assert counter.wait(seq, 0) != seq
        scanner.scan(digits)
        until(box.left, "settings are left for root")
        assert box.left() == {
            "config": CONFIG,
            "token": TOKEN,
            "shop_ca": "",
            "terminal_password": "",
            "link_keys": "",
            "desk": counter_desk(desk),
        }
        assert (box.places.state / enrolling.ANSWER).stat().st_mode & 0o077 == 0
        assert shows(counter) is None
        box.take()
        until(box.over.is_set, "it starts anew")
    assert not (box.places.state / enrolling.PENDING).exists()


def counter_desk(desk: Desk) -> str:
    return public(desk.key).material.hex()


def test_nothing_can_be_done_by_hand_and_it_says_how_it_is(box: Box) -> None:
    with box.running() as counter:
        assert counter.screen().page is Page.ENROL
        assert counter.command(Command("1", Action.SCAN, "1")).answer is Answer.NOT_HERE
        assert counter.health()["code"] == "K-ENR-01"
        assert counter.health()["status"] == "failing"


def test_a_file_of_the_card_does_the_same(box: Box, desk: Desk, address: str) -> None:
    _, digits = desk.make("counter-7", address, HOUR_S)
    box.places.card.write_text(grouped(digits))
    with box.running():
        until(box.left, "settings are left for root")


@pytest.mark.parametrize(
    "step", ["before the desk heard", "after the desk answered", "answer left"]
)
def test_a_power_cut_at_any_step_is_made_good(
    box: Box, desk: Desk, address: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes where `redeem` or `check` would return; the code is not scanned again."""
    _, digits = desk.make("counter-7", address, HOUR_S)
    reached, never = threading.Event(), threading.Event()
    real = {name: getattr(enrolling, name) for name in ("redeem", "check")}

    def stuck(name: str) -> Callable[..., object]:
        def stand(*given: object) -> object:
            reached.set()
            never.wait(30)
            return real[name](*given)

        return stand

    cut = {"before the desk heard": "redeem", "after the desk answered": "check"}.get(step)
    with monkeypatch.context() as patched:
        if cut:
            patched.setattr(enrolling, cut, stuck(cut))
        with box.running() as counter:
            counter.scanned(digits)
            until(reached.is_set if cut else box.left, step)
            key = own_key(box.places.state)
            assert bool(desk.lines()[0].used_at) == (step != "before the desk heard")
    with box.running():
        until(box.left, "settings are left for root")
        assert own_key(box.places.state) == key
        box.take()
        until(box.over.is_set, "it starts anew")
    never.set()


def test_a_desk_that_is_away_is_asked_again_and_another_code_is_taken_meanwhile(
    box: Box, desk: Desk, address: str
) -> None:
    _, lost = desk.make("counter-7", f"127.0.0.1:{free_port()}", HOUR_S)
    _, good = desk.make("counter-7", address, HOUR_S)
    with box.running() as counter:
        counter.scanned(lost)
        at(counter, Code.ENROL_UNREACHABLE)
        assert (box.places.state / enrolling.PENDING).exists()
        counter.scanned(good)
        until(box.left, "settings are left for root")


def test_what_is_refused_is_forgotten(box: Box, desk: Desk, address: str) -> None:
    code, digits = desk.make("counter-7", address, HOUR_S)
    desk.withdraw(code.name)
    with box.running() as counter:
        counter.scanned(digits)
        at(counter, Code.ENROL_EXPIRED)
        until(lambda: not (box.places.state / enrolling.PENDING).exists(), "forgotten")
        assert not box.left()


def test_a_box_that_knows_its_desk_asks_no_other(box: Box, desk: Desk, address: str) -> None:
    _, digits = desk.make("counter-7", address, HOUR_S)
    box.places.desk.write_text("00" * 32)
    with box.running() as counter:
        counter.scanned(digits)
        at(counter, Code.ENROL_STRANGER)
        assert desk.lines()[0].used_at == 0
        box.places.desk.write_text(counter_desk(desk) + "\n")
        counter.scanned(digits)
        until(box.left, "settings are left for root")


def test_settings_that_cannot_be_used_are_not_left(
    box: Box, desk: Desk, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, digits = desk.make("counter-7", address, HOUR_S)
    monkeypatch.setattr("appliance.counter.enrol_book.check", lambda settings: None)
    monkeypatch.setattr(
        desk, "settings", lambda kiosk: replace(Desk.settings(desk, kiosk), config="nonsense")
    )
    with box.running() as counter:
        counter.scanned(digits)
        at(counter, Code.ENROL_SETTINGS)
        assert "kassa.toml:1" in getattr(counter.screen().body, "detail", "")
    assert not box.left()


def test_what_root_does_not_take_is_said(
    box: Box, desk: Desk, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolling, "TAKEN_S", 0.2)
    _, digits = desk.make("counter-7", address, HOUR_S)
    with box.running() as counter:
        counter.scanned(digits)
        at(counter, Code.ENROL_SETTINGS)
    with box.running() as counter:  # nor is it taken after a restart
        at(counter, Code.ENROL_SETTINGS)


def test_a_folder_that_cannot_be_written_is_said(box: Box, desk: Desk, address: str) -> None:
    _, digits = desk.make("counter-7", address, HOUR_S)
    box.places.state.write_text("no folder")
    with box.running() as counter:
        counter.scanned(digits)
        at(counter, Code.DISK_FULL)
        box.places.state.unlink()
        until(box.left, "as soon as it can be")


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (None, True),
        ("", True),
        ("[web]\nport = 8100\n", True),
        ("[shop]\nkind = 'kassa'\n", True),
        ("[shop]\nurl = ''\n", False),
        ("shop = 1", False),
        ("no toml", False),
        (CONFIG, False),
    ],
)
def test_what_a_new_kiosk_is(tmp_path: Path, text: str | None, new: bool) -> None:
    file = tmp_path / "kassa.toml"
    if text is not None:
        file.write_text(text)
    assert is_new(file) is new
    assert is_new(tmp_path) is False


def test_a_scanner_with_three_names_is_one(tmp_path: Path) -> None:
    for name in ("scanner", "by-serial/scanner-1", "by-port/scanner-a", "by-port/printer-a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to("/dev/null")
    (tmp_path / "by-port/scanner-b").symlink_to("/dev/zero")
    (tmp_path / "by-port/scanner-c").symlink_to("/dev/nowhere")
    assert nodes(tmp_path) == ["/dev/null", "/dev/zero"]


def test_the_box_says_what_it_is(box: Box) -> None:
    tree = box.places.sys / "firmware/devicetree/base"
    tree.mkdir(parents=True)
    (tree / "model").write_bytes(b"Raspberry Pi 4 Model B\0")
    (tree / "serial-number").write_bytes(b"10000000abcdef01\0")
    with box.running() as counter:
        body = counter.screen().body
        assert isinstance(body, Enrol)
        assert body.box == "Raspberry Pi 4 Model B · 10000000abcdef01"


def test_a_damaged_key_is_made_anew(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    assert own_key(tmp_path) == key
    (tmp_path / enrolling.KEY).write_text("torn")
    assert own_key(tmp_path) != key
