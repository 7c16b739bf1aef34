"""What of all that is plugged in may be taken into service, and what else the seller sees of it.

No device is named twice for one role; whoever confirms names a row, and a row is one device in one
role, at the port where it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import Final

from appliance.counter.screen import ROWS, DeviceRow, DeviceState
from appliance.counter.settings import DeviceSettings
from appliance.counter.state import State
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.ports import Plugged
from appliance.protocols import role_lines
from appliance.protocols.role_lines import ROLES

TERMINAL: Final = "terminal"
SETTLE_S: Final = 15.0
"""How long root's program and udev have for a change before a charge trusts the terminal's name;
they need a second."""
_SETTLED: Final = (pay.State.APPROVED, pay.State.DECLINED)
_CHARGING: Final = (ho.State.CLAIMING, ho.State.CLAIMED, ho.State.PAYING)


def is_payment_open(state: State) -> bool:
    """A payment is about to begin, runs, is in doubt, or waits for a person: only the terminal that
    it began at can tell of it."""
    return bool(state.asking) or any(
        handover.state in _CHARGING
        or any(payment.state not in _SETTLED for payment in handover.payments)
        for handover in state.handovers.values()
    )


def is_terminal_changing(state: State, settings: DeviceSettings, now_s: float) -> bool:
    """Another terminal was confirmed here, or the one was given back, and it is not certain yet
    that its name leads there. now_s: of the monotonic clock."""
    if TERMINAL not in settings.uses or TERMINAL in state.given.named:
        return False
    wish = state.adopted.get(TERMINAL)
    if state.plugged is None:
        return wish is not None
    if (wish.line if wish else None) != state.given.adopted.get(TERMINAL):
        return True
    if wish is None:
        return now_s - state.terminal_changed_at < SETTLE_S
    meant = [each for each in state.plugged if means(wish.line, each)]
    could = [each for each in meant if not each.serves and each.role in ("", TERMINAL)]
    # Of two with one number, which a line cannot tell apart, it is enough that one serves.
    return bool(could) and not any(each.serves == TERMINAL for each in meant)


def means(line: str, each: Plugged) -> bool:
    """Whether this line is for this device."""
    return role_lines.means(line, port=each.port, serial=each.serial, model=each.model)


def wish(role: str, each: Plugged, seen: Collection[Plugged]) -> str:
    """The line of /etc/kassa/devices that gives the role to this device of all that are seen."""
    # A number that several nodes have, of one device or of two, does not say which is meant.
    same = [one for one in seen if (one.model, one.serial) == (each.model, each.serial)]
    return role_lines.line(
        role, port=each.port, serial=each.serial, model=each.model, is_shared=len(same) > 1
    )


def offers(state: State, settings: DeviceSettings) -> list[tuple[DeviceRow, Plugged | None]]:
    """The rows, each with its device; None for an adopted one that is away. None at all where the
    policy is to offer nothing."""
    if settings.adopt == "off" or state.plugged is None:
        return []
    seen, is_open = state.plugged, is_payment_open(state)
    places = role_lines.places(each.port for each in seen)
    found: list[tuple[DeviceRow, Plugged | None]] = []
    for each in seen:
        for role in _roles(each, settings):
            is_locked = role == TERMINAL and is_open
            row = _row(role, each, state, settings, places, is_locked=is_locked)
            found.append((row, each))
    for row in _away(state, settings, seen, is_open=is_open):
        found.append((row, None))
    order = list(DeviceState)
    found.sort(key=lambda pair: (ROLES.index(pair[0].role), order.index(pair[0].state)))
    return found[:ROWS]


def rows(state: State, settings: DeviceSettings) -> tuple[DeviceRow, ...]:
    """As the seller sees them."""
    return tuple(row for row, _ in offers(state, settings))


def new(found: tuple[DeviceRow, ...]) -> tuple[str, ...]:
    """The roles that nobody has and one or more of these rows wait for, which is worth telling: who
    keeps a spare printer plugged in does not want to read of it all day."""
    waiting = (row for row in found if row.state is DeviceState.OFFERED and not row.instead)
    return tuple(dict.fromkeys(row.role for row in waiting))


def _roles(each: Plugged, settings: DeviceSettings) -> Iterator[str]:
    """What the device is, or may be, at a counter with this configuration."""
    for role in ROLES:
        is_right = settings.uses.get(role) == each.sort
        if is_right and (each.serves or each.role or role) == role:
            yield role


def _row(
    role: str,
    each: Plugged,
    state: State,
    settings: DeviceSettings,
    places: dict[str, str],
    *,
    is_locked: bool,
) -> DeviceRow:
    assert state.plugged is not None
    line = state.adopted[role].line if role in state.adopted else ""
    serving = next((one for one in state.plugged if one.serves == role), None)
    # Of two with one number, which a line cannot tell apart, it is the one that serves.
    is_twin = serving is not None and serving != each and means(line, serving)
    is_ours = means(line, each) and not is_twin
    if each.serves:
        is_what, serving = DeviceState.SERVES, None
    elif role in state.given.named:
        is_what = DeviceState.NAMED
    else:
        is_what = DeviceState.COMING if is_ours else DeviceState.OFFERED
    can_be_wished = role_lines.is_wish(wish(role, each, state.plugged))
    return DeviceRow(
        row_id(role, each),
        role,
        each.name,
        places[each.port],
        is_what,
        serving.name if serving else "",
        places[serving.port] if serving else "",
        each.profile if each.profile != settings.profile else "",
        may_adopt=is_what is DeviceState.OFFERED and can_be_wished and not is_locked,
        may_release=is_ours and not is_locked,
        is_locked=is_locked,
    )


def _away(
    state: State, settings: DeviceSettings, seen: tuple[Plugged, ...], *, is_open: bool
) -> Iterator[DeviceRow]:
    for role, adopted in state.adopted.items():
        if role in settings.uses and not any(means(adopted.line, each) for each in seen):
            is_locked = role == TERMINAL and is_open
            name = _id(role, adopted.line)
            yield DeviceRow(
                name, role, adopted.name, "", DeviceState.AWAY,
                may_release=not is_locked, is_locked=is_locked,
            )  # fmt: skip


def row_id(role: str, each: Plugged) -> str:
    """Of this device, in this role, at this port."""
    return _id(role, each.node, each.port, each.model, each.serial)


def _id(role: str, *parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"A-{role}-{digest[:16]}"
