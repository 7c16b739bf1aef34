"""The playbook at work, over SSH, against a box that was set up by files on the card alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.image import needs
from tests.image.booted import source
from tests.image.booted.conftest import ROOT
from tests.image.booted.kiosk import BOOT_S, HOST, Kiosk, Outside
from tests.image.booted.releases import Publisher
from tests.image.booted.test_update import HEALTHY_S, check_box, installed, state
from tests.image.booted.tls import certificate

pytestmark = [pytest.mark.timeout(3600)]

RUN_S: Final = 3000.0
LISTENS: Final = 8443
LINK_KEY: Final = "c2VjcmV0LWZyb20tdGhlLXZhdWx0LXBsYW50ZWQtaGVyZQ"
POLL_S: Final = 15
"""Each time costs seconds of an emulated processor."""
GATE_POLL_S: Final = 90
"""With every five seconds the browser never got to its first page."""
GIVEN_UP_S: Final = 240
"""For a release that is never healthy."""
CHANGED: Final = re.compile(r"^box +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.M)
DIFF: Final = re.compile(r"^[+-](?![+-]{2} ).+$", re.M)


@dataclass
class Controller:
    """Whoever runs the playbook. said: all that any run said. Of its two hosts `box` is the canary;
    `box2` is the same box by another name, and is left out of all runs but those with both=True."""

    kiosk: Kiosk
    folder: Path
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        outside = self.kiosk.outside
        self.inventory = self.folder / "hosts.yml"
        connection = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.kiosk.ports[22],
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(outside.key),
            "ansible_ssh_common_args": "-F /dev/null -o UserKnownHostsFile=/dev/null"
            " -o StrictHostKeyChecking=no -o LogLevel=ERROR",
        }
        hosts = dict.fromkeys(("box", "box2"), connection | settings(outside))
        self.inventory.write_text(yaml.safe_dump({"kassa_kiosks": {"hosts": hosts}}))

    def start(self, *words: str, both: bool = False, **variables: Any) -> subprocess.Popen[str]:
        extra = self.folder / "extra.yml"
        extra.write_text(yaml.safe_dump(variables))
        return subprocess.Popen(
            ["ansible-playbook", "-i", str(self.inventory), "-e", f"@{extra}", "site.yml",
             "--limit", "box,box2" if both else "box", *words],
            cwd=ROOT / "ansible", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8",
                 "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip

    def play(self, *words: str, **variables: Any) -> tuple[int, str]:
        """The status, and all that was said."""
        running = self.start(*words, **variables)
        try:
            said, _ = running.communicate(timeout=RUN_S)
        finally:
            end(running)
        self.said.append(said)
        return running.returncode, said

    def changed(self, *words: str, **variables: Any) -> int:
        """How many tasks a run changed that went well."""
        status, said = self.play(*words, **variables)
        found = CHANGED.search(said)
        assert status == 0, said[-6000:]
        assert found is not None, said[-6000:]
        assert (found[2], found[3]) == ("0", "0")
        return int(found[1])

    def start_and_wait(self, task: str, **variables: Any) -> subprocess.Popen[str]:
        """A run that has come as far as this task."""
        running = self.start("-v", **variables)
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if line.startswith("TASK") and task in line:
                self.said.append(said)
                return running
        raise AssertionError(f"it never came to: {task}\n{said[-6000:]}")


def end(running: subprocess.Popen[str]) -> None:
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    if running.stdout is not None:
        running.stdout.close()


def settings(outside: Outside) -> dict[str, Any]:
    """With each of the secrets that there are variables for."""
    folder = outside.folder / "links"
    folder.mkdir()
    crt, key = certificate(folder, HOST)
    return {
        "kassa_terminal_password": outside.terminal.options.password,
        "kassa_link_keys": [f"shop hmac-sha256 {LINK_KEY}"],
        "kassa_links_accept": "signed",
        "kassa_links_listen": f"0.0.0.0:{LISTENS}",
        "kassa_links_public_url": f"https://{HOST}:{LISTENS}",
        "kassa_links_cert": crt.read_text(),
        "kassa_links_key": key.read_text(),
        "kassa_access_keys": [outside.key.with_suffix(".pub").read_text().strip()],
        "kassa_access_networks_v4": [HOST],
        "kassa_time_zone": "Europe/Berlin",
        "kassa_time_servers": [HOST],
        "kassa_system_hostname": "mitte-1",
        "kassa_shop_url": f"https://{HOST}:{outside.tls.port}",
        "kassa_shop_token": outside.shop.tokens["mitte-1"],
        "kassa_shop_pickup_point": "mitte",
        "kassa_shop_ca": (outside.folder / "shop-ca.pem").read_text(),
        "kassa_counter_name": "Counter 7",
        "kassa_counter_place": "Mitte",
        "kassa_terminal_baud": 115200,
        "kassa_printer_profile": "epson-tm-80",
        "kassa_log_format": "text",
        "kassa_devices": [{"role": "terminal", "by": "serial", "value": "TERM01"}],
        "kassa_network_connections": [{"name": "cable", "type": "ethernet", "priority": 5}],
        "kassa_common_poll_s": POLL_S,
        "kassa_gate_wait_s": 900,
        "kassa_gate_poll_s": GATE_POLL_S,
    }


@pytest.fixture(scope="module")
def fleet(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    needs.program("ansible-playbook", "ansible-core")
    with Kiosk(outside) as kiosk:
        kiosk.wait_up()
        kiosk.wait_well()
        yield Controller(kiosk, tmp_path_factory.mktemp("controller"))


def secrets_of(outside: Outside) -> list[str]:
    """What nobody may read; not the terminal's password, which is the factory's six zeros."""
    key = (outside.folder / "links/shop.key").read_text()
    return [outside.shop.tokens["mitte-1"], LINK_KEY, key.splitlines()[1]]


def links_certificate(outside: Outside) -> str:
    return (outside.folder / "links/shop.pem").read_text().strip()


def shown(kiosk: Kiosk) -> str:
    """The certificate that a device sees."""
    ask = f'import ssl; print(ssl.get_server_certificate(("127.0.0.1", {LISTENS})))'
    return kiosk.ssh(f"python3 -c '{ask}'").strip()


def files_of(kiosk: Kiosk) -> str:
    return kiosk.ssh(
        "find /etc/kassa /etc/hostname /etc/systemd /etc/NetworkManager -type f | sort"
        " | xargs sha256sum; readlink /etc/localtime"
    )


def started(kiosk: Kiosk) -> str:
    return kiosk.ssh("systemctl show --property ExecMainStartTimestampMonotonic kassa")


# In this order: what the box has after one is what the next begins with.


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kassa_terminal_baud": 1234}, "kassa_terminal_baud must be one of"),
        ({"kassa_counter_timezone": "Nowhere/Atall"}, "K-CFG-01"),
        ({"kassa_time_zone": "Nowhere/Atall"}, "knows no time zone"),
        ({"kassa_access_networks_v4": ["192.0.2.0/24"]}, "would lock you out"),
        ({"kassa_network_connections": [{"name": "w", "type": "wifi"}]}, "needs its ssid"),
    ],
)
def test_a_wrong_value_stops_before_anything_is_changed(
    fleet: Controller, wrong: dict[str, Any], why: str
) -> None:
    before = files_of(fleet.kiosk)
    status, said = fleet.play(**wrong)
    assert status != 0
    assert why in said
    assert "Roll out" not in said
    assert files_of(fleet.kiosk) == before


def test_the_first_run_makes_it_so_and_the_second_changes_nothing(fleet: Controller) -> None:
    began = time.monotonic()
    assert fleet.changed("-vvv", "--diff") > 0
    print(f"figure: first run {time.monotonic() - began:.0f} s")
    kiosk = fleet.kiosk
    assert kiosk.health()["counter"] == "Counter 7"
    assert kiosk.ssh("hostname").strip() == "mitte-1"
    assert kiosk.ssh("readlink /etc/localtime").strip() == "/usr/share/zoneinfo/Europe/Berlin"
    assert kiosk.ssh("cd /etc/kassa/credentials && stat -c '%a %U %n' *").splitlines() == [
        f"600 root {name}"
        for name in ("link-keys", "links-cert", "links-key", "shop-token", "terminal-password")
    ]
    kiosk.wait_well()  # the terminal and the shop by what was delivered
    configured = kiosk.ssh("cat /etc/kassa/kassa.toml")
    assert 'password_credential = "terminal-password"' in configured
    assert 'keys_credential = "link-keys"' in configured
    assert [secret for secret in secrets_of(kiosk.outside) if secret in configured] == []
    kiosk.until(lambda: shown(kiosk) == links_certificate(kiosk.outside), "its certificate")
    assert kiosk.status("touch /etc/x") != 0  # the disk is read-only again
    assert "cable" in kiosk.ssh("nmcli --terse --fields NAME connection")
    began = time.monotonic()
    assert fleet.changed("-vvv", "--diff") == 0
    print(f"figure: second run {time.monotonic() - began:.0f} s")


def test_a_check_shows_exactly_what_would_change(fleet: Controller) -> None:
    before, since = files_of(fleet.kiosk), started(fleet.kiosk)
    status, said = fleet.play("--check", "--diff", kassa_counter_place="Nord")
    assert status == 0, said[-6000:]
    assert DIFF.findall(said) == ['-place = "Mitte"', '+place = "Nord"']
    assert (found := CHANGED.search(said)) is not None
    assert found[1] == "1"
    assert files_of(fleet.kiosk) == before
    assert started(fleet.kiosk) == since


def test_a_run_that_was_killed_is_made_good_by_the_next(fleet: Controller) -> None:
    """The settings are there, and the counter does not run with them yet."""
    running = fleet.start_and_wait("Let the counter have them", kassa_counter_name="Counter 8")
    end(running)
    assert 'name = "Counter 8"' in fleet.kiosk.ssh("cat /etc/kassa/kassa.toml")
    assert fleet.kiosk.health()["counter"] == "Counter 7"
    assert fleet.changed(kassa_counter_name="Counter 8") > 0
    assert fleet.kiosk.health()["counter"] == "Counter 8"
    assert fleet.changed(kassa_counter_name="Counter 8") == 0


def test_a_handover_is_waited_for(fleet: Controller) -> None:
    kiosk = fleet.kiosk
    kiosk.wait_well()
    since = started(kiosk)
    # Some tasks before the restart, as a scan takes its time; not before this run, as an order
    # that is left alone for ten minutes is put back.
    running = fleet.start_and_wait("kassa : Look first", kassa_counter_name="Counter 9")
    kiosk.scan_to(f"NL-{kiosk.outside.open_orders()[0]['number']}", "order")
    try:
        assert running.stdout is not None
        assert any("Wait for an idle counter" in line for line in running.stdout), "no wait"
        # Its own word for it, RETRYING, came only when the wait was over.
        time.sleep(3 * POLL_S)
        assert running.poll() is None
        assert kiosk.health()["page"] == "order"
        assert started(kiosk) == since
        kiosk.scan_to("KASSA-CANCEL", "idle")
        said, _ = running.communicate(timeout=RUN_S)
    finally:
        end(running)
    fleet.said.append(said)
    assert running.returncode == 0, said[-6000:]
    assert started(kiosk) != since
    assert kiosk.health()["counter"] == "Counter 9"


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    (deb,) = (ROOT / "dist").glob("kassa-kiosk_*_all.deb")
    return Publisher(tmp_path_factory.mktemp("publisher"), deb)


def release(publisher: Publisher, package: Path, healthy_s: int) -> dict[str, Any]:
    """The variables that bring it."""
    return {
        "kassa_package": str(package),
        "kassa_version": package.name.split("_")[1],
        "kassa_release_keys": {"shop": publisher.pub.read_text()},
        "kassa_healthy_s": healthy_s,
    }


def test_a_broken_release_goes_back_and_ends_the_roll_out(
    fleet: Controller, publisher: Publisher
) -> None:
    kiosk = fleet.kiosk
    kiosk.wait_well()
    before = installed(kiosk)
    # Of a publisher who is no longer on the list; as it is no key, nothing could be installed.
    kiosk.ssh("mkdir -p /etc/kassa/release-keys && echo no key >/etc/kassa/release-keys/old.pub")
    variables = release(publisher, publisher.dead(), GIVEN_UP_S)
    began = time.monotonic()
    status, said = fleet.play(both=True, **variables)
    print(f"figure: a broken release is back after {time.monotonic() - began:.0f} s")
    assert status != 0
    looked, _, rolled = said.partition("PLAY [Roll out")
    rolled = rolled.partition("PLAY RECAP")[0]
    assert "ok: [box2]" in looked  # it was there, and next
    assert "[box]" in rolled
    assert "box2" not in rolled
    failed = (
        f"The update to {variables['kassa_version']} failed; the box says: rolled-back: {before}"
    )
    assert failed in rolled, rolled[-6000:]
    kiosk.wait_page("idle", BOOT_S)
    check_box(kiosk, before)
    told = state(kiosk)
    assert (told["state"], told["version"], told["to"]) == (
        "rolled-back", before, variables["kassa_version"],
    )  # fmt: skip
    assert told["reason"] in said
    assert kiosk.ssh("ls /etc/kassa/release-keys").split() == ["shop.pub"]
    kiosk.ssh("kassa-update --acknowledge")
    kiosk.wait_well()


def test_a_good_release_passes_the_gate_and_comes_once(
    fleet: Controller, publisher: Publisher
) -> None:
    kiosk = fleet.kiosk
    variables = release(publisher, publisher.make("good"), HEALTHY_S)
    began = time.monotonic()
    assert fleet.changed(**variables) > 0
    print(f"figure: a good release took {time.monotonic() - began:.0f} s")
    check_box(kiosk, variables["kassa_version"])
    assert state(kiosk)["state"] == "ok"
    assert fleet.changed(**variables) == 0
    # Without a list the box keeps its own.
    assert fleet.changed(kassa_release_keys={}) == 0
    assert kiosk.ssh("ls /etc/kassa/release-keys").split() == ["shop.pub"]


def test_security_updates_come_from_the_one_source(fleet: Controller, tmp_path: Path) -> None:
    """By the unit as it is hardened, into the system's disk, which is read-only again."""
    kiosk = fleet.kiosk
    old, new = (source.build(tmp_path, "kassa-probe", version) for version in ("1", "2"))
    kiosk.put(old, "/run/probe.deb")
    kiosk.ssh("/usr/lib/kassa/maintenance run -- dpkg --install /run/probe.deb")
    source.offer(tmp_path, new)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            there = f"deb [trusted=yes] http://{HOST}:{server.server_port} ./"
            at = {"kassa_system_security_source": there, "kassa_system_security_time": "04:10"}
            assert fleet.changed("--tags", "system", **at) > 0
            assert fleet.changed("--tags", "system", **at) == 0
            assert "04:10" in kiosk.ssh("systemctl cat kassa-security.timer")
            assert kiosk.status("systemctl is-active kassa-security.timer") == 0
            since = started(kiosk)
            status, said = kiosk.answer("systemctl start kassa-security.service", RUN_S)
            assert status == 0, said + kiosk.ssh("journalctl -b -o cat -u kassa-security")
        finally:
            server.shutdown()
    assert kiosk.ssh("dpkg-query -W -f '${Version}' kassa-probe") == "2"
    assert started(kiosk) != since
    assert kiosk.status("touch /usr/x") != 0
    at["kassa_system_security_time"] = ""
    assert fleet.changed("--tags", "system", **at) > 0
    assert kiosk.status("systemctl is-active kassa-security.timer") != 0
    kiosk.wait_well()


def test_no_run_said_a_secret(fleet: Controller) -> None:
    assert fleet.said
    logged = fleet.kiosk.ssh("journalctl -b -o cat")
    for secret in secrets_of(fleet.kiosk.outside):
        assert not any(secret in said for said in (*fleet.said, logged))
