"""kassa usb: what is plugged in, what it is taken for, and the line that would give it a role.

Files are read and no device is opened, so it may run beside the counter.
"""

from __future__ import annotations

import argparse
from typing import Final

from appliance.counter import adopt_rows
from appliance.ports import Plugged, Plugs
from appliance.protocols import role_lines

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
    given = role_lines.read(plugs.roles())
    both = ((_line(each, seen, given), _below(each, seen)) for each in seen)
    return "\n".join(line for lines in both for line in lines)


def _line(each: Plugged, seen: tuple[Plugged, ...], given: role_lines.Given) -> str:
    if each.serves:
        adopted = given.adopted.get(each.serves)
        is_ours = adopted is not None and adopt_rows.means(adopted, each)
        is_what = f"in service as {each.serves}" + (", adopted at the counter" if is_ours else "")
    elif each.role:
        other = next((one for one in seen if one.serves == each.role), None)
        is_what = f"a {each.role}, not chosen" + (f": {other.port} is" if other else "")
    else:
        is_what = "unknown: only a line of /etc/kassa/devices gives it a role"
    return f"{each.name} ({each.model}, {_SORTS[each.sort]}) {each.node}: {is_what}"


def _below(each: Plugged, seen: tuple[Plugged, ...]) -> str:
    advice = f'; suits it: profile = "{each.profile}"' if each.profile else ""
    return f"    {adopt_rows.wish(each.role or 'ROLE', each, seen)}{advice}"
