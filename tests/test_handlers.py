"""The handlers for a seller's PC: the program against a counter's listener over TLS, Linux's
registration with xdg-open; those of Windows and macOS are read, as neither system is here."""

from __future__ import annotations

import configparser
import json
import os
import plistlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from appliance.protocols.links.dialects import SCHEMES
from appliance.serve_links import fingerprint, own_certificate
from tests.rig import free_port, until
from tests.web.test_device_listener import LINK, TAKEN, TOKEN, URI, Counter
from web.links import create_app
from web.links.upstream import Answer

HANDLERS = Path(__file__).parents[1] / "docs/links/handlers"
PROGRAM = HANDLERS / "kassa_link.py"
OURS = set(SCHEMES) - {"intent"}
RESULT = "https://shop.example/paid?status=paid&order=1042"
CODE = "c" * 22


@dataclass
class Slow(Counter):
    """Has a result when it is asked for the second time."""

    result: str = RESULT

    def followed(self, name: str) -> Answer:
        super().followed(name)
        is_there = self.asked.count(("followed", name)) > 1
        ended = {**TAKEN, "state": "ended", "outcome": "paid", "address": self.result}
        return Answer(200, ended if is_there else TAKEN)


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing."""


@dataclass
class Desk:
    """A PC with a browser that notes what it is to open, and a counter's listener."""

    folder: Path
    counter: Slow
    url: str
    cert: str

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_DATA_DIRS": str(self.folder / "none"),
            "XDG_CURRENT_DESKTOP": "",
            "DISPLAY": ":none",
            "BROWSER": str(self.folder / "browser"),
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, PROGRAM, *words],
            env=self.environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def pair(self, cert: str = "") -> subprocess.CompletedProcess[str]:
        return self.run("pair", f"{self.url}/pair#{CODE}", cert or self.cert)

    @property
    def opened(self) -> list[str]:
        file = self.folder / "opened"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >>"{tmp_path}/opened"\n')
    browser.chmod(0o755)
    counter, port = Slow(), free_port()
    url = f"https://localhost:{port}"
    cert, key = own_certificate(tmp_path / "cert", url)
    server = make_server(
        "127.0.0.1",
        port,
        create_app(counter, url),
        threaded=True,
        request_handler=Quiet,
        ssl_context=(str(cert), str(key)),
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Desk(tmp_path, counter, url, fingerprint(cert))
    server.shutdown()
    thread.join(20)
    server.server_close()


def test_from_pairing_to_the_result(desk: Desk) -> None:
    done = desk.pair()
    assert (done.returncode, done.stderr) == (0, "")
    file = desk.folder / "config/kassa/link.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["token"] == TOKEN
    done = desk.run(URI)
    assert (done.returncode, done.stderr) == (0, "")
    assert desk.opened == [RESULT]
    asked = [what for what in desk.counter.asked if what[0] != "pair"]
    assert asked == [("link", URI, "True"), ("followed", LINK), ("followed", LINK)]


def test_a_code_that_counts_no_longer(desk: Desk) -> None:
    desk.counter.code = "another"
    assert desk.pair().returncode == 65
    assert desk.run(URI).returncode == 77


def test_another_certificate_gets_no_token(desk: Desk) -> None:
    """Whoever stands between: not one byte is sent to it."""
    assert desk.pair("0" * 64).returncode == 69
    assert desk.counter.asked == []
    assert desk.pair().returncode == 0
    file = desk.folder / "config/kassa/link.json"
    file.write_text(file.read_text().replace(desk.cert, "0" * 64))
    done = desk.run(URI)
    assert done.returncode == 69
    assert "another certificate" in done.stderr
    assert [what for what, *_ in desk.counter.asked] == ["pair"]


def test_a_removed_device(desk: Desk) -> None:
    desk.pair()
    desk.counter.tokens.clear()
    assert desk.run(URI).returncode == 77
    assert desk.opened == []


@pytest.mark.parametrize("address", ["kassa-api://paymentResult?a=1", "file:///etc/passwd"])
def test_no_other_program_is_started_for_a_result(desk: Desk, address: str) -> None:
    desk.counter.result = address
    desk.pair()
    done = desk.run(URI)
    assert done.returncode == 0
    assert "the result is for" in done.stderr
    assert desk.opened == []


@pytest.mark.parametrize("words", [(), ("--help",), ("a", "b"), ("pair", "http://x", "0" * 64)])
def test_used_wrongly(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.run(*words).returncode == 78


@pytest.mark.skipif(not shutil.which("xdg-open"), reason="needs xdg-utils")
def test_linux_starts_it_for_a_link(desk: Desk) -> None:
    desk.pair()
    applications = desk.folder / "data/applications"
    applications.mkdir(parents=True)
    text = (HANDLERS / "linux/kassa-link.desktop").read_text()
    program = desk.folder / "kassa_link.py"  # as it is installed, with this Python
    program.write_text(PROGRAM.read_text().replace("/usr/bin/env python3", sys.executable, 1))
    program.chmod(0o755)
    text = text.replace("/usr/local/bin/kassa_link.py", str(program))
    (applications / "kassa-link.desktop").write_text(text)
    for scheme in ("kassa-api", "pay-api"):
        subprocess.run(
            ["xdg-mime", "default", "kassa-link.desktop", f"x-scheme-handler/{scheme}"],
            env=desk.environ, check=True, timeout=60,
        )  # fmt: skip
    hostile = "kassa-api://payNow?order=%24(touch%20x)&callback=%27;echo|&a=$HOME"
    for uri in (URI, "pay-api://payNow?order=1042&amount=1", hostile):
        subprocess.run(["xdg-open", uri], env=desk.environ, check=True, timeout=60)
    until(lambda: len(desk.opened) == 3, "the result is shown each time")
    assert [text for what, text, *_ in desk.counter.asked if what == "link"] == [
        URI, "pay-api://payNow?order=1042&amount=1", hostile,
    ]  # fmt: skip


def test_every_system_knows_every_scheme() -> None:
    desktop = configparser.ConfigParser(interpolation=None)
    desktop.read(HANDLERS / "linux/kassa-link.desktop")
    types = desktop["Desktop Entry"]["MimeType"].rstrip(";").split(";")
    assert {each.removeprefix("x-scheme-handler/") for each in types} == OURS

    registry = (HANDLERS / "windows/kassa-links.reg").read_bytes()
    assert registry.startswith(b"Windows Registry Editor Version 5.00\r\n\r\n")
    assert registry.count(b"\n") == registry.count(b"\r\n")
    keys = configparser.ConfigParser(interpolation=None, delimiters="=", strict=True)
    keys.read_string(registry.decode("ascii").split("\r\n", 1)[1])
    root = "HKEY_CURRENT_USER\\Software\\Classes\\"
    assert {name.removeprefix(root).partition("\\")[0] for name in keys.sections()} == OURS
    for scheme in OURS:
        assert '"url protocol"' in keys[root + scheme]
        command = keys[f"{root}{scheme}\\shell\\open\\command"]["@"]
        assert command.endswith('\\"%1\\""')

    with (HANDLERS / "macos/Info.plist").open("rb") as stream:
        [kinds] = plistlib.load(stream)["CFBundleURLTypes"]
    assert set(kinds["CFBundleURLSchemes"]) == OURS
    script = (HANDLERS / "macos/kassa-link.applescript").read_text()
    assert "quoted form of theLink" in script
