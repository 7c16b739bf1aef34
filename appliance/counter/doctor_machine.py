"""The machine around the devices: clock, data folder, port, and the nodes under /dev.

Looks at names, permissions and free places only; no device is opened, so that it disturbs no
running kiosk.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appliance.counter.config_rules import Address
from appliance.counter.doctor_findings import FIXES, Finding
from appliance.domain.errors import Code

NETWORK_S: Final = 5.0
LITTLE_BYTES: Final = 500 * 1024 * 1024
TOO_LITTLE_BYTES: Final = 50 * 1024 * 1024
FIRST_YEAR: Final = 2025
"""A clock before this was never set: certificates would be "not yet valid"."""
TIME_DAEMON: Final = "run/systemd/timesync"
"""systemd-timesyncd(8): the folder is there when it runs, `synchronized` in it once it did."""
CANDIDATES: Final = {
    "serial": ("dev/serial/by-id/*", "dev/ttyACM*", "dev/ttyUSB*"),
    "usb": ("dev/usb/lp*",),
    "evdev": ("dev/input/by-id/*-event-kbd", "dev/input/by-id/*"),
}
"""Where a device of this scheme would be, the most telling names first (udev's rules
60-serial.rules and 60-persistent-input.rules; usblp's nodes)."""
CANDIDATES_SHOWN: Final = 4


def may_use(path: Path) -> bool:
    """Whether this process may read and write there."""
    return os.access(path, os.R_OK | os.W_OK)


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _resolve(host: str, port: int) -> None:
    socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _dial(host: str, port: int) -> None:
    socket.create_connection((host, port), NETWORK_S).close()


def _listen(host: str, port: int) -> None:
    """Whether the port is free. Raises OSError where not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine around the devices; tests put their own parts in. root: where the file system
    begins. resolve, dial, listen: raise OSError when they cannot."""

    root: Path = Path("/")
    usable: Callable[[Path], bool] = may_use
    user: Callable[[], int] = os.geteuid
    has_user: Callable[[str], bool] = has_user
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
    resolve: Callable[[str, int], None] = _resolve
    dial: Callable[[str, int], None] = _dial
    listen: Callable[[str, int], None] = _listen


def clock(machine: Machine) -> Finding:
    now = machine.now()
    what = now.astimezone().isoformat(timespec="minutes")
    if now.year < FIRST_YEAR:
        return Finding("clock", False, f"says {what}", "set it: sudo timedatectl set-ntp true")
    daemon = machine.root / TIME_DAEMON
    if daemon.is_dir() and not (daemon / "synchronized").exists():
        return Finding(
            "clock", True, f"{what}, not yet synchronised", "timedatectl timesync-status"
        )
    return Finding("clock", True, what)


def become_owner(folder: Path) -> None:
    """As root, go on as the user that this folder belongs to, as the service runs: what root may
    open says nothing of the counter, and a file that root makes would lock it out."""
    if os.geteuid() != 0 or not folder.is_dir():
        return
    owner = folder.stat().st_uid
    if owner and (name := user_name(owner)) != str(owner):
        group = pwd.getpwuid(owner).pw_gid
        os.initgroups(name, group)
        os.setgid(group)
        os.setuid(owner)


def data_folder(folder: Path, machine: Machine) -> Finding:
    """The data folder is there, and it is this user's."""
    if not folder.is_dir():
        fix = f"sudo install -d -o kassa -g kassa -m 0750 {folder}"
        if not machine.has_user("kassa"):  # a trial from a clone: whoever tries it runs it
            fix = (
                "set [counter] data_dir to a folder of your own, or:"
                f" sudo install -d -o {user_name(machine.user())} -m 0750 {folder}"
            )
        return Finding("data", False, f"{folder} is not there", fix)
    owner, user = folder.stat().st_uid, machine.user()
    if user != owner:
        # What this user may open says nothing of the kiosk, and a file made here would lock it out.
        what = f"{folder} belongs to {user_name(owner)}, and you are {user_name(user)}"
        return Finding("data", False, what, f"sudo -u {user_name(owner)} kassa doctor")
    if not machine.usable(folder):
        fix = f"mount it writable; sudo chmod 0750 {folder}"
        return Finding("data", False, f"{folder} cannot be written", fix)
    return Finding("data", True, str(folder))


def disk(folder: Path, machine: Machine) -> Finding:
    """There is room for the journal to grow."""
    free = machine.free_bytes(folder)
    what = f"{free // (1024 * 1024)} MiB free"
    if free < TOO_LITTLE_BYTES:
        return Finding("disk", False, f"{Code.DISK_FULL}: {what}", FIXES[Code.DISK_FULL])
    return Finding("disk", True, what, "" if free >= LITTLE_BYTES else "free some space soon")


def port_is_free(host: str, port: int, machine: Machine) -> Finding:
    try:
        machine.listen(host, port)
    except OSError as error:
        fix = "set [web] port to another one, 1024 or above"
        if error.errno == errno.EADDRINUSE:
            fix = f"end what has it (ss -ltnp 'sport = :{port}'), or set [web] port"
        return Finding("web", False, f"{host}:{port}: {error.strerror}", fix)
    return Finding("web", True, f"{host}:{port} is free")


# --- nodes --------------------------------------------------------------------------------------


def node(section: str, address: Address, machine: Machine) -> Finding | None:
    """What is wrong with this device's node; None when nothing is, or when it has none."""
    if address.scheme not in CANDIDATES:
        return None
    path = machine.root / address.path.lstrip("/")
    if not path.exists():
        what = f"{address.path} is not there"
        if path.is_symlink():
            what = f"{address.path} leads to {os.readlink(path)}, which is gone"
        return Finding(section, False, what, _another(section, address.scheme, machine.root))
    status = path.stat()
    if not stat.S_ISCHR(status.st_mode):
        fix = _another(section, address.scheme, machine.root)
        return Finding(section, False, f"{address.path} is no device", fix)
    if not machine.usable(path):
        fix = _grant(status, machine.user())
        return Finding(section, False, f"{address.path} may not be used", fix)
    return None


def _another(section: str, scheme: str, root: Path) -> str:
    found = _candidates(scheme, root)
    plug = "plug it in and switch it on"
    if not found:
        return f"{plug}; no other device of its sort is there"
    shown = ", ".join(found[:CANDIDATES_SHOWN])
    rest = len(found) - CANDIDATES_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return f'{plug}, or set [{section}] address to "{scheme}:" and one of {shown}{more}'


def _candidates(scheme: str, root: Path) -> list[str]:
    """Paths that such a device might have, those of the most telling sort only."""
    for pattern in CANDIDATES[scheme]:
        if found := sorted(root.glob(pattern)):
            return [f"/{path.relative_to(root)}" for path in found]
    return []


def _grant(status: os.stat_result, user: int) -> str:
    """How the user comes to use a node: by its group, where that may."""
    group, both = group_name(status.st_gid), stat.S_IRGRP | stat.S_IWGRP
    if group == "root" or status.st_mode & both != both:
        return f"its group {group} may not use it: install Kassa's udev rules, plug it in again"
    return f"sudo usermod -aG {group} {user_name(user)}, then sudo systemctl restart kassa"


def user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
