"""The playbook at work, over SSH, against a box that was set up by files on the card alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.image import needs
from tests.image.booted.conftest import ROOT
from tests.image.booted.kiosk import HOST, Kiosk, Outside

pytestmark = [pytest.mark.timeout(3600)]

RUN_S: Final = 2400.0
CHANGED: Final = re.compile(r"^box +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.M)
DIFF: Final = re.compile(r"^[+-](?![+-]{2} ).+$", re.M)


@dataclass
class Controller:
    """Whoever runs the playbook. said: all that any run said."""

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
        hosts = {"box": connection | settings(outside)}
        self.inventory.write_text(yaml.safe_dump({"kassa_kiosks": {"hosts": hosts}}))

    def start(self, *words: str, **variables: Any) -> subprocess.Popen[str]:
        extra = self.folder / "extra.yml"
        extra.write_text(yaml.safe_dump(variables))
        return subprocess.Popen(
            ["ansible-playbook", "-i", str(self.inventory), "-e", f"@{extra}", "site.yml", *words],
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


def settings(outside: Outside) -> dict[str, Any]:
    return {
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
        "kassa_common_poll_s": 2,
        "kassa_gate_wait_s": 900,
    }


@pytest.fixture(scope="module")
def fleet(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    needs.program("ansible-playbook", "ansible-core")
    with Kiosk(outside) as kiosk:
        kiosk.wait_up()
        kiosk.wait_well()
        yield Controller(kiosk, tmp_path_factory.mktemp("controller"))


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
    assert kiosk.ssh("stat -c '%a %U' /etc/kassa/credentials/shop-token").split() == ["600", "root"]
    assert fleet.kiosk.outside.shop.tokens["mitte-1"] not in kiosk.ssh("cat /etc/kassa/kassa.toml")
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
    running = fleet.start_and_wait("Write the settings", kassa_counter_name="Counter 9")
    # Not before: an order that is left alone for ten minutes is put back.
    kiosk.scan_to(f"NL-{kiosk.outside.open_orders()[0]['number']}", "order")
    try:
        assert running.stdout is not None
        assert any("RETRYING" in line for line in running.stdout), "it did not wait"
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


def test_no_run_said_the_secret(fleet: Controller) -> None:
    token = fleet.kiosk.outside.shop.tokens["mitte-1"]
    assert fleet.said
    for said in fleet.said:
        assert token not in said
    assert token not in fleet.kiosk.ssh("journalctl -b -o cat")
