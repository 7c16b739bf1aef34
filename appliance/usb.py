"""kassa usb: what is plugged in, what it is taken for, and the line that would give it a role.

Files are read and no device is opened, so it may run beside the counter.
"""

from __future__ import annotations

import argparse
from typing import Final

from appliance.ports import Plugged, Plugs
from appliance.protocols import usb_ids

_SORTS: Final = {"usbmisc": "printer", "tty": "serial port", "input": "keys"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The sub-command, among the others."""
    commands.add_parser("usb", help="what is plugged in, and what it is taken for").set_defaults(
        run=_run
    )


def _run(_: argparse.Namespace) -> int:
    from appliance.drivers.usb_plugs import UsbPlugs

    print(told(UsbPlugs()))
    return 0


def told(plugs: Plugs) -> str:
    """A line for each device, and one below it that says how it would be named."""
    seen = plugs.look()
    if not seen:
        return "nothing is plugged in that could have a role"
    return "\n".join(line for each in seen for line in (_line(each, seen), _below(each, seen)))


def _line(each: Plugged, seen: tuple[Plugged, ...]) -> str:
    if each.serves:
        is_what = f"in service as {each.serves}"
    elif each.role:
        other = next((one for one in seen if one.serves == each.role), None)
        is_what = f"a {each.role}, not chosen" + (f": {other.port} is" if other else "")
    else:
        is_what = "unknown: only a line of /etc/kassa/devices gives it a role"
    return f"{each.name} ({each.model}, {_SORTS[each.sort]}) {each.node}: {is_what}"


def _below(each: Plugged, seen: tuple[Plugged, ...]) -> str:
    advice = f'; suits it: profile = "{each.profile}"' if each.profile else ""
    return f"    {each.role or 'ROLE'} {identity(each, seen)}{advice}"


def identity(each: Plugged, seen: tuple[Plugged, ...]) -> str:
    """What a line of /etc/kassa/devices says after the role, so that it means this device and no
    other: its serial number where that tells it from all others, else its port; and its model."""
    # A number that several nodes have, of one device or of two, does not say which is meant.
    sharing = [one for one in seen if (one.model, one.serial) == (each.model, each.serial)]
    if usb_ids.tells_apart(each.serial) and len(sharing) == 1:
        return f"serial {each.serial} {each.model}"
    return f"port {each.port} {each.model}"
