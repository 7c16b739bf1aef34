"""The box itself: what it lets in, what it writes, what it says of its disk."""

from __future__ import annotations

import re
import socket
import time

import pytest

from tests.image.booted.kiosk import BOOT_S, GROUND, Kiosk
from tests.image.screens import contains_colour, flat_colour
from tests.rig import free_port

PAGE_BYTES = 64 << 10  # the largest that arm64 has
pytestmark = [pytest.mark.timeout(1800)]

APP_EXPOSURE = 2.0
SESSION_EXPOSURE = 3.0
SETUID: frozenset[str] = frozenset(
    {
        # Debian's own. Both of the counter's users run
        # with NoNewPrivileges, which makes the bit count for nothing.
        *("chfn", "chsh", "gpasswd", "mount", "newgrp", "passwd", "su", "umount"),
        *("dbus-daemon-launch-helper", "ssh-keysign", "chrome-sandbox", "unix_chkpwd", "ssh-agent"),
        *("chage", "expiry"),
    }
)


# --- how it starts --------------------------------------------------------------------------------


def test_it_comes_up_by_itself_with_the_page_on_the_screen(kiosk: Kiosk) -> None:
    """Without a login, a text or a key pressed."""
    kiosk.wait_up()
    up_s = time.monotonic() - kiosk.started_at
    kiosk.wait_well()
    well_s = time.monotonic() - kiosk.started_at
    kiosk.wait_drawn()

    def is_painted() -> bool:
        shown = kiosk.screenshot("first")
        return flat_colour(shown) is None and contains_colour(shown, GROUND, 0.3)

    kiosk.until(is_painted, "the page is on the screen", BOOT_S)
    painted_s = time.monotonic() - kiosk.started_at
    print(
        f"figure: power-on to SSH {up_s:.0f} s, counter ready {well_s:.0f} s, "
        f"page on the screen {painted_s:.0f} s"
    )


# --- what it lets in ------------------------------------------------------------------------------


def test_nothing_listens_but_what_the_documentation_names(kiosk: Kiosk) -> None:
    found = set()
    for line in kiosk.ssh("ss -H -lntu").splitlines():
        local = line.split()[4]
        found.add((line.split()[0], local))
    assert found == {("tcp", "127.0.0.1:8100"), ("tcp", "0.0.0.0:22"), ("tcp", "[::]:22")}


def test_the_counter_cannot_be_reached_from_outside(kiosk: Kiosk) -> None:
    """Even if it listened there: the firewall lets SSH in, and nothing else."""
    kiosk.ssh("systemd-run --unit=leak python3 -m http.server 8200 --bind 0.0.0.0")
    port = free_port()
    kiosk.machine.qmp(
        "human-monitor-command",
        **{"command-line": f"hostfwd_add user tcp:127.0.0.1:{port}-:8200"},
    )
    kiosk.until(lambda: ":8200" in kiosk.ssh("ss -H -lnt"), "something listens")
    with socket.create_connection(("127.0.0.1", port), 10) as guest_port:
        guest_port.settimeout(10)
        guest_port.sendall(b"GET / HTTP/1.0\r\n\r\n")
        try:
            answer = guest_port.recv(100)
        except TimeoutError:
            answer = b""
        assert answer == b""
    # The same question is answered as soon as somebody opens the door: the test can fail.
    kiosk.ssh("nft insert rule inet kassa input tcp dport 8200 accept")
    with socket.create_connection(("127.0.0.1", port), 30) as guest_port:
        guest_port.settimeout(60)
        guest_port.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert guest_port.recv(100).startswith(b"HTTP/1.0 200")
    kiosk.ssh("systemctl stop leak; systemctl restart kassa-firewall")


def test_only_the_networks_of_the_card_may_log_in(kiosk: Kiosk) -> None:
    rules = kiosk.ssh("nft list table inet kassa")
    assert "policy drop" in rules
    assert "10.0.2.2" in rules
    assert kiosk.ssh("nft list ruleset | grep -c '^table'").strip() == "1"


def test_nobody_has_a_password(kiosk: Kiosk) -> None:
    for line in kiosk.ssh("cat /etc/shadow").splitlines():
        name, password, *_ = line.split(":")
        assert password.startswith(("!", "*")), name


def test_a_password_is_not_even_asked_for(kiosk: Kiosk) -> None:
    said = kiosk.ssh("sshd -T")
    assert "passwordauthentication no" in said
    assert "kbdinteractiveauthentication no" in said
    assert "permitrootlogin without-password" in said


def test_an_administrators_way_in_comes_back(kiosk: Kiosk) -> None:
    """After three starts that failed for good, by Debian's unit."""
    folder = "/run/systemd/system/ssh.service.d"
    kiosk.ssh(
        f"mkdir -p {folder} && touch /run/tries"
        " && echo '[ \"$(wc -c </run/tries)\" -ge 3 ] || { echo -n x >>/run/tries; exit 255; }'"
        " >/run/fails"
        f" && printf '[Service]\\nExecStartPre=/bin/sh /run/fails\\n' >{folder}/90-test.conf"
        " && systemctl daemon-reload && systemctl restart --no-block ssh"
    )
    well = "wc -c </run/tries && systemctl is-active ssh"
    kiosk.until(lambda: kiosk.ssh(well).split() == ["3", "active"], "a way in", BOOT_S)
    kiosk.ssh(f"rm -r {folder} /run/tries /run/fails && systemctl daemon-reload")


@pytest.mark.parametrize("user", ["kassa", "kassa-screen"])
def test_the_two_users_can_do_nothing_else(kiosk: Kiosk, user: str) -> None:
    shell = kiosk.ssh(f"getent passwd {user}").strip().rpartition(":")[2]
    assert shell == "/usr/sbin/nologin"
    assert kiosk.status("command -v sudo") != 0
    groups = set(kiosk.ssh(f"id -Gn {user}").split())
    assert groups <= {user}


@pytest.mark.parametrize(
    ("unit", "most"), [("kassa.service", APP_EXPOSURE), ("kassa-session.service", SESSION_EXPOSURE)]
)
def test_how_much_a_unit_is_exposed(kiosk: Kiosk, unit: str, most: float) -> None:
    said = kiosk.ssh(f"systemd-analyze security --no-pager {unit} | tail -n 1")
    exposure = float(re.findall(r"[0-9]+\.[0-9]", said)[0])
    print(f"figure: exposure of {unit}: {exposure}")
    assert exposure <= most


def test_the_screens_user_cannot_read_the_settings(kiosk: Kiosk) -> None:
    read = "runuser -u kassa-screen -- cat"
    assert kiosk.status(f"{read} /etc/kassa/kassa.toml") != 0
    assert kiosk.status(f"{read} /var/lib/kassa/journal.sqlite3") != 0
    assert kiosk.status("cat /var/lib/kassa/journal.sqlite3 >/dev/null") == 0


def test_setuid_programs_are_debians_alone(kiosk: Kiosk) -> None:
    found = kiosk.ssh("find / -xdev -perm /6000 -type f").split()
    assert {path.rpartition("/")[2] for path in found} <= SETUID


# --- its disk -------------------------------------------------------------------------------------


def test_the_system_is_read_only_and_only_data_lasts(kiosk: Kiosk) -> None:
    assert kiosk.status("touch /etc/x /usr/x /var/lib/x") != 0
    mounts = kiosk.ssh("findmnt -rn -t ext4,vfat -o TARGET,OPTIONS").splitlines()
    writable = {line.split()[0] for line in mounts if "rw" in line.split()[1].split(",")}
    assert writable == {
        *("/data", "/var/lib/kassa", "/var/lib/kassa-links", "/etc/kassa"),
        *("/etc/NetworkManager/system-connections", "/var/lib/systemd/timesync"),
    }


def test_the_data_partition_has_taken_all_of_the_card(kiosk: Kiosk) -> None:
    mib = int(kiosk.ssh("df --block-size=1M --output=size /data | tail -n 1"))
    assert mib > 1000


def test_logs_and_everything_else_live_in_bounded_memory(kiosk: Kiosk) -> None:
    assert kiosk.ssh("journalctl --header | grep -c /var/log/journal || true").strip() == "0"
    memory = int(kiosk.ssh("awk '/^MemTotal/ { print $2 * 1024 }' /proc/meminfo"))
    for line in kiosk.ssh("findmnt -rnb -t tmpfs -o TARGET,SIZE").splitlines():
        target, size = line.rsplit(" ", 1)
        # The kernel's own bound is half of the memory, in whole pages.
        assert 0 < int(size) <= memory // 2 + PAGE_BYTES, target


def test_a_root_that_can_be_written_is_on_the_screen(kiosk: Kiosk) -> None:
    kiosk.ssh("mount -o remount,rw / && systemctl start kassa-storage")
    kiosk.until(lambda: kiosk.health()["devices"].get("machine") == "K-APP-05", "it is shown")
    kiosk.ssh("mount -o remount,ro / && systemctl start kassa-storage")
    kiosk.until(lambda: "machine" not in kiosk.health()["devices"], "it is gone")


def test_nothing_has_failed(kiosk: Kiosk) -> None:
    assert kiosk.ssh("systemctl --failed --plain --no-legend") == ""
    assert kiosk.ssh("systemctl is-system-running || true").strip() == "running"


# --- its figures ----------------------------------------------------------------------------------


def test_figures(kiosk: Kiosk) -> None:
    """Printed, not judged."""
    print("figure:", kiosk.ssh("systemd-analyze | tail -n 1").strip())
    print("figure: memory, MiB:", kiosk.ssh("free -m | sed -n 2p").split()[1:3])
    for line in kiosk.ssh(
        "for p in /proc/[0-9]*; do r=$p/smaps_rollup; [ -r $r ] || continue;"
        " s=$(sed -n 's/^Pss: *\\([0-9]*\\).*/\\1/p' $r); [ -n \"$s\" ] || continue;"
        ' echo "$s $(cat $p/comm)"; done 2>/dev/null | sort -rn | head -n 8'
    ).splitlines():
        kib, name = line.split(maxsplit=1)
        print(f"figure: PSS of {name}: {int(kib) / 1024:.0f} MiB")
