"""What a Prometheus server gets of a box, and what an administrator can mail of it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.fleet.prometheus import program
from tests.image.booted.kiosk import HOST, Kiosk, Outside, Parts

pytestmark = [pytest.mark.timeout(1800)]

LISTENS = 9101
REFUSED_S = 5.0


@pytest.fixture(scope="module")
def kiosk(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    config = f'[metrics]\nlisten = "0.0.0.0:{LISTENS}"\n'
    with (
        Outside(tmp_path_factory.mktemp("metrics"), parts, config) as outside,
        Kiosk(outside, listens=(LISTENS,)) as found,
    ):
        found.wait_up()
        found.wait_well()
        yield found


def scrape(kiosk: Kiosk, timeout_s: float = 60.0) -> str:
    line = HTTPConnection("127.0.0.1", kiosk.ports[LISTENS], timeout=timeout_s)
    try:
        line.request("GET", "/metrics")
        answer = line.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        line.close()


def test_a_network_that_is_not_named_gets_nothing(kiosk: Kiosk) -> None:
    kiosk.until(
        lambda: kiosk.status(f"ss -Hltn 'sport = {LISTENS}' | grep -q .") == 0, "it listens"
    )
    with pytest.raises(OSError, match=r"timed out|reset"):
        scrape(kiosk, REFUSED_S)


def test_a_network_that_is_named_gets_figures_that_prometheus_can_read(kiosk: Kiosk) -> None:
    kiosk.ssh(
        f"echo 'add element inet kassa metrics_v4 {{ {HOST} }}' >/etc/kassa/firewall.d/metrics.nft"
        " && systemctl restart kassa-firewall"
    )
    said = kiosk.until(lambda: "kassa_up 1" in (found := scrape(kiosk)) and found, "it is up")
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=said, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    for name in ("terminal", "printer", "scanner", "shop"):
        assert f'kassa_device_up{{device="{name}"}} 1' in said
    assert "kassa_uptime_seconds" in said


def test_without_the_counter_the_machine_still_tells(kiosk: Kiosk) -> None:
    kiosk.ssh("systemctl stop kassa")
    try:
        said = kiosk.until(lambda: "kassa_up 0" in (found := scrape(kiosk)) and found, "it is down")
        assert "kassa_uptime_seconds" in said
    finally:
        kiosk.ssh("systemctl start kassa")
    kiosk.wait_well()


def test_what_is_mailed_has_no_secret(kiosk: Kiosk) -> None:
    kiosk.ssh("kassa support-bundle --output /run/bundle.tar.gz")
    packed = bytes.fromhex(kiosk.ssh("od -An -v -tx1 /run/bundle.tar.gz | tr -d ' \\n'"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as bundle:
        files = {
            member.name: stream.read().decode()
            for member in bundle.getmembers()
            if (stream := bundle.extractfile(member)) is not None
        }
    assert files
    assert not [name for name, text in files.items() if kiosk.outside.token in text]
    assert any("kassa_handovers_today" in text for text in files.values())
