"""A network that is late."""

from __future__ import annotations

import pytest

from tests.image.booted.kiosk import Kiosk

pytestmark = [pytest.mark.timeout(1800)]

NMS_TRIES, NMS_WAIT_S = 4, 420.0
"""By itself it would wait for five minutes after as many, which take three (nm-settings,
autoconnect-retries, dhcp-timeout)."""
# By its driver: at first it has another name, and NetworkManager would make a profile of its own.
PROFILE = (
    "[connection]\\nid=test\\ntype=ethernet\\nautoconnect-priority=9\\n"
    "[match]\\ndriver=cdc_subset;cdc_ether;rndis_host;\\n[ipv4]\\nmethod=auto\\n[ipv6]\\nmethod=disabled\\n"
)


def test_it_asks_for_an_address_until_somebody_answers(kiosk: Kiosk) -> None:
    """The router is up later than the box, however much later. By a profile as Ansible writes it:
    one that NetworkManager makes by itself has an address of its own meanwhile, and asks on."""
    kiosk.wait_up()
    profile = "/run/NetworkManager/system-connections/test.nmconnection"
    kiosk.ssh(
        f"umask 077 && mkdir -p {profile.rpartition('/')[0]} && printf '{PROFILE}' >{profile}"
        " && nmcli connection reload"
    )
    kiosk.machine.qmp("netdev_add", type="hubport", id="nowhere", hubid=1)
    kiosk.machine.plug("usb-net", "cable", netdev="nowhere")
    tries = (
        "journalctl -b -u NetworkManager -o cat | grep -c \"starting connection 'test'\" || true"
    )
    kiosk.until(lambda: int(kiosk.ssh(tries)) > NMS_TRIES, "it asks on", NMS_WAIT_S)
    kiosk.machine.qmp("netdev_add", type="user", id="router", net="10.0.3.0/24", restrict=True)
    kiosk.machine.qmp("netdev_add", type="hubport", id="uplink", hubid=1, netdev="router")
    kiosk.until(lambda: "10.0.3." in kiosk.ssh("ip -4 -brief address"), "it has an address")
    kiosk.machine.unplug("cable")
    kiosk.ssh(f"rm {profile} && nmcli connection reload")
