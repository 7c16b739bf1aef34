"""What the rules do in a booted system: checks for whoever has a shell into one.

`CHECKS` are functions of a `Run`; each leaves the system as it found it and raises AssertionError
when something is not as docs/devices.md says. They need root, Debian's kernel, and our files
installed. Devices that a real counter has may be plugged in beside; their roles are disturbed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tests.udev.gadgets import (
    ADAPTER,
    DISK,
    KEYBOARD,
    MODEM,
    MOUSE,
    POWER_KEYS,
    PRINTER,
    Gadget,
    Machine,
    Run,
)

RULES: Final = ("65-kassa.rules", "72-kassa.rules")
# Ids for tests, which no device on sale has: pid.codes, 1209:0001 … 1209:0010.
TEST_VENDOR: Final = 0x1209
EPSON: Final = (0x04B8, 0x0202)
HONEYWELL: Final = (0x0C2E, 0x0B61)
SYMBOL_CDC: Final = (0x05E0, 0x1701)
VERIFONE: Final = (0x11CA, 0x0220)
# A 3D printer in systemd's 70-maker-tools.hwdb: its ports are the seat's user's.
MAKER_TOOL: Final = (0x2A89, 0x8889)
POWER_KEY: Final = bytes([0, 0, 0x66, 0, 0, 0, 0, 0])
RELEASED: Final = bytes(8)


# --- questions ------------------------------------------------------------------------------------


def leads_to(machine: Machine, name: str) -> str:
    """The node that a name under /dev/kassa leads to; "" when there is none."""
    return machine.ask(f"readlink -e /dev/kassa/{name}")[1].strip()


def properties(machine: Machine, node: str) -> dict[str, str]:
    lines = machine.sh(f"udevadm info --query=property --name={node}").splitlines()
    return dict(line.split("=", 1) for line in lines)


def tags(machine: Machine, node: str) -> set[str]:
    """The tags that are in force. Those that were are remembered, and count no more; udev(7)."""
    return set(properties(machine, node).get("CURRENT_TAGS", "").strip(":").split(":"))


def access(machine: Machine, node: str) -> str:
    return machine.sh(f"stat -c '%U:%G %a' {node}")


def names(machine: Machine) -> list[str]:
    return machine.ask("cd /dev/kassa && find . -type l")[1].split()


def asked_anew(machine: Machine) -> None:
    machine.sh("/usr/lib/kassa/kassa-devices")


def never_sleeps(machine: Machine, gadget: Gadget) -> bool:
    """Whether the rules forbid a device to sleep, for which the kernel has leave."""
    control = f"{gadget.path}/power/control"
    machine.sh(f"for control in {control}; do echo auto > $control; done")
    assert machine.sh(f"cat {control}") == "auto"
    asked_anew(machine)
    return machine.sh(f"cat {control}") == "on"


@contextmanager
def administrator(machine: Machine) -> Iterator[Callable[[str], None]]:
    """A function that writes /etc/kassa/devices and has the devices asked anew; afterwards all is
    as before. The folder is covered, as the image's may be read-only."""
    machine.sh(
        "[ -d /etc/kassa ] || mkdir /etc/kassa; mount -t tmpfs -o mode=0755 kassa /etc/kassa"
    )

    def write(text: str) -> None:
        machine.sh(f"cat > /etc/kassa/devices <<'END'\n{text}END")
        asked_anew(machine)

    try:
        yield write
    finally:
        machine.sh("umount /etc/kassa")
        asked_anew(machine)


def rules_off(machine: Machine) -> None:
    """Without our rules from here on: udev prefers what stands in /run."""
    machine.sh(
        "mkdir -p /run/udev/rules.d; cd /run/udev/rules.d\n"
        + "\n".join(f"ln -s /dev/null {name}" for name in RULES)
        + "\nudevadm control --reload"
    )


def rules_on(machine: Machine) -> None:
    machine.sh(f"cd /run/udev/rules.d; rm -f {' '.join(RULES)}; udevadm control --reload")


# --- devices --------------------------------------------------------------------------------------


def printer(slot: int, serial: str = "", product: int = 1) -> Gadget:
    return Gadget(slot, TEST_VENDOR, product, (PRINTER,), serial)


def epson(slot: int, serial: str = "") -> Gadget:
    return Gadget(slot, *EPSON, (PRINTER,), serial)


def scanner(slot: int, serial: str = "") -> Gadget:
    return Gadget(slot, *HONEYWELL, (KEYBOARD, POWER_KEYS), serial)


# --- checks ---------------------------------------------------------------------------------------


def the_files_are_right(machine: Machine) -> None:
    machine.sh("cd /usr/lib/udev/rules.d; udevadm verify " + " ".join(RULES))
    known = machine.sh("systemd-hwdb query usb:v04B8p0202d0100dc00dsc00dp00icFFisc00ip00in00")
    assert "KASSA_ROLE=printer" in known.splitlines(), known
    assert machine.ask("journalctl -b -u systemd-udevd --grep 'kassa.rules:'")[0] != 0


def a_printer_has_its_names(machine: Machine) -> None:
    found = printer(0, "P1")
    with machine.plugged(found):
        node = machine.node(found)
        for name in ("printer", "by-serial/printer-P1", f"by-port/printer-{found.port}:1.0"):
            assert leads_to(machine, name) == node, name
        assert access(machine, node) == "root:kassa 660"
        assert never_sleeps(machine, found)
        assert "uaccess" not in tags(machine, node)
    assert names(machine) == []


def a_serial_number_leads_nowhere_else(machine: Machine) -> None:
    with machine.plugged(printer(0, "../../x y")):
        assert set(machine.sh("ls /dev/kassa/by-serial").splitlines()) == {"printer-.._.._x_y"}
        assert machine.sh("ls -A /dev/kassa").split() == [
            "by-port",
            "by-rank",
            "by-serial",
            "printer",
        ]


def a_known_printer_comes_before_an_unknown_one(machine: Machine) -> None:
    known, unknown = epson(1), printer(0)
    for order in ((known, unknown), (unknown, known)):
        machine.plug(order[0])
        with machine.plugged(order[1]):
            assert leads_to(machine, "printer") == machine.node(known)
        assert leads_to(machine, "printer") == machine.node(order[0])
        machine.unplug(order[0])


def identical_printers_have_one_order(machine: Machine) -> None:
    same = [printer(slot, f"P{slot}") for slot in range(3)]
    for order in itertools.permutations(same):
        for number, one in enumerate(order):
            machine.plug(one)
            first = min(order[: number + 1], key=lambda gadget: gadget.slot)
            assert leads_to(machine, "printer") == machine.node(first), order
        for one in same:
            assert leads_to(machine, f"by-serial/printer-{one.serial}") == machine.node(one)
        for number, one in enumerate(order):
            machine.unplug(one)
            left = order[number + 1 :]
            best = [machine.node(min(left, key=lambda gadget: gadget.slot))] if left else [""]
            assert [leads_to(machine, "printer")] == best


def identical_printers_that_come_and_go_together(machine: Machine) -> None:
    same = [printer(slot) for slot in range(4)]
    for turn in range(3):
        order = same[turn:] + same[:turn]
        with machine.plugged(*order):
            assert leads_to(machine, "printer") == machine.node(same[0])
            by_port = {leads_to(machine, f"by-port/printer-{one.port}:1.0") for one in same}
            assert by_port == {machine.node(one) for one in same}
        assert names(machine) == []


def the_administrator_decides(machine: Machine) -> None:
    first, second = printer(0, "P0"), printer(1, "P1")
    with administrator(machine) as write, machine.plugged(first, second):
        for line in ("serial P1", "port dummy_hcd.1-usb-0:1", f"port {second.port}:1.0"):
            write(f"nonsense\nprinter {line}\n")
            assert leads_to(machine, "printer") == machine.node(second), line
        assert leads_to(machine, "by-serial/printer-P0") == machine.node(first)
        machine.unplug(second)
        # The role is P1's: it is not given to another because P1 is away.
        assert leads_to(machine, "printer") == ""
        assert leads_to(machine, "by-serial/printer-P0") == machine.node(first)
        machine.plug(second)
        assert leads_to(machine, "printer") == machine.node(second)
        write("printer serial P0\nprinter serial P1\n")
        assert leads_to(machine, "printer") == machine.node(first)
        write("")
        assert leads_to(machine, "printer") == machine.node(first)
        machine.sh("head -c 20000 /dev/zero | tr '\\0' '#' > /etc/kassa/devices")
        asked_anew(machine)
        assert leads_to(machine, "printer") == ""
        assert leads_to(machine, "by-serial/printer-P0") == machine.node(first)
    machine.sh("journalctl -b -t kassa-role --grep 'devices:1: is ignored'")
    machine.sh("journalctl -b -t kassa-role --grep 'devices: has more than'")


def a_known_terminal_has_its_names(machine: Machine) -> None:
    two_ports = Gadget(2, *VERIFONE, (MODEM, MODEM), "T1")
    with machine.plugged(two_ports):
        first, second = machine.node(two_ports, 0), machine.node(two_ports, 1)
        assert leads_to(machine, "terminal") == first
        assert leads_to(machine, "by-serial/terminal-T1") == first
        assert leads_to(machine, f"by-port/terminal-{two_ports.port}:1.0") == first
        assert leads_to(machine, f"by-port/terminal-{two_ports.port}:1.2") == second
        for node in (first, second):
            assert access(machine, node) == "root:kassa 660"
            said = properties(machine, node)
            assert (said["ID_MM_DEVICE_IGNORE"], said["ID_MM_PORT_IGNORE"]) == ("1", "1")
        assert never_sleeps(machine, two_ports)


def an_adapter_is_nobody_until_it_is_given_a_role(machine: Machine) -> None:
    adapter = Gadget(3, TEST_VENDOR, 2, (ADAPTER,))
    machine.sh("modprobe usbserial; echo 1209 2 > /sys/bus/usb-serial/drivers/generic/new_id")
    with administrator(machine) as write, machine.plugged(adapter):
        node = machine.node(adapter)
        untouched = access(machine, node)
        assert names(machine) == []
        assert untouched.startswith("root:dialout ")
        assert "ID_MM_DEVICE_IGNORE" not in properties(machine, node)
        for line in (f"port {adapter.port}", f"port {adapter.port}:1.0-port0", "model 1209:0002"):
            write(f"terminal {line}\n")
            assert leads_to(machine, "terminal") == node, line
            assert leads_to(machine, f"by-port/terminal-{adapter.port}:1.0-port0") == node
            assert access(machine, node) == "root:kassa 660"
            assert properties(machine, node)["ID_MM_PORT_IGNORE"] == "1"
        assert never_sleeps(machine, adapter)
        write(f"fiscal port {adapter.port}\n")
        assert leads_to(machine, "terminal") == ""
        assert leads_to(machine, "fiscal") == node
        write("")
        assert names(machine) == []
        assert "ID_MM_DEVICE_IGNORE" not in properties(machine, node)


def a_scanner_that_types_is_ours_alone(machine: Machine) -> None:
    found = scanner(0, "S1")
    with machine.plugged(found):
        keys, power_keys = machine.node(found, 0), machine.node(found, 1)
        for name in ("scanner", "by-serial/scanner-S1", f"by-port/scanner-{found.port}:1.0"):
            assert leads_to(machine, name) == keys, name
        assert never_sleeps(machine, found)
        for node in (keys, power_keys):
            assert access(machine, node) == "root:kassa 660"
            said = properties(machine, node)
            assert said["LIBINPUT_IGNORE_DEVICE"] == "1"
            assert not {name for name in said if name.startswith("ID_INPUT")}
            assert not {"power-switch", "uaccess"} & tags(machine, node)
            assert node not in watched(machine)
        raw = machine.sh(f"basename -a {found.path}/*/0003:*/hidraw/hidraw*").split()
        assert {access(machine, f"/dev/{name}") for name in raw} == {"root:root 600"}
        before = machine.sh("cat /proc/sys/kernel/random/boot_id")
        machine.press(0, POWER_KEY, RELEASED)
        machine.press(1, bytes([1]), bytes([0]))
        assert machine.ask("journalctl -b -u systemd-logind --grep 'Power key pressed'")[0] != 0
        assert machine.sh("cat /proc/sys/kernel/random/boot_id") == before


def watched(machine: Machine) -> set[str]:
    """The devices that logind has open: on their keys it acts."""
    pid = machine.sh("systemctl show --property=MainPID --value systemd-logind")
    opened = machine.sh(f"readlink /proc/{pid}/fd/* || true").split()
    return {name for name in opened if name.startswith("/dev/input/")}


def a_keyboard_becomes_a_scanner_when_it_is_said(machine: Machine) -> None:
    keyboard = Gadget(0, TEST_VENDOR, 3, (KEYBOARD, POWER_KEYS), "K1")
    with administrator(machine) as write, machine.plugged(keyboard):
        nodes = {machine.node(keyboard, 0), machine.node(keyboard, 1)}
        assert names(machine) == []
        # So the check above can fail: a keyboard is logind's, until it is ours. A logind that is
        # told to ignore all such keys (HandlePowerKey and its likes) opens none.
        assert all("power-switch" in tags(machine, node) for node in nodes)
        watching = watched(machine)
        assert nodes <= watching or not watching
        write("scanner serial K1\n")
        assert leads_to(machine, "scanner") == machine.node(keyboard)
        assert not nodes & watched(machine)


def what_is_ours_is_not_for_the_user_of_the_seat(machine: Machine) -> None:
    tool = Gadget(0, *MAKER_TOOL, (MODEM,))
    with administrator(machine) as write, machine.plugged(tool):
        node = machine.node(tool)
        assert "uaccess" in tags(machine, node)
        write("terminal model 2a89:8889\n")
        assert "uaccess" not in tags(machine, node)
        machine.unplug(tool)
        machine.plug(tool)
        node = machine.node(tool)
        assert "uaccess" not in tags(machine, node)
        assert access(machine, node) == "root:kassa 660"


def a_scanner_that_sends_lines(machine: Machine) -> None:
    found = Gadget(0, *SYMBOL_CDC, (MODEM,), "S2")
    with machine.plugged(found):
        node = machine.node(found)
        assert leads_to(machine, "scanner") == node
        assert access(machine, node) == "root:kassa 660"
        assert properties(machine, node)["ID_MM_DEVICE_IGNORE"] == "1"


def strangers_are_not_touched(machine: Machine) -> None:
    others = (
        Gadget(0, TEST_VENDOR, 4, (KEYBOARD, MOUSE, POWER_KEYS), "K2"),
        Gadget(1, TEST_VENDOR, 5, (DISK,), "D1"),
        Gadget(2, TEST_VENDOR, 6, (MODEM,), "M1"),
    )
    with administrator(machine) as write:
        write("scanner serial K1\nscanner port usb-0:1.2\nterminal model 1209:0008\n")
        changed = _changed(machine, others)
        assert changed == set(), sorted(changed)
        assert names(machine) == []
        ours = scanner(0, "S1")
        assert "LIBINPUT_IGNORE_DEVICE=1" in {
            line.split()[1] for line in _changed(machine, (ours,))
        }


def _changed(machine: Machine, gadgets: tuple[Gadget, ...]) -> set[str]:
    """What our rules bring to everything that belongs to some devices, the hubs they hang on
    included: properties, tags, access, power."""
    rules_off(machine)
    try:
        with machine.plugged(*gadgets):
            before = _all_of(machine, gadgets)
            rules_on(machine)
            paths = " ".join(_hub(gadget) for gadget in gadgets)
            machine.sh(
                f"for hub in {paths}; do udevadm trigger --action=add --parent-match=$hub; done\n"
                "udevadm settle --timeout=60"
            )
            after = _all_of(machine, gadgets)
    finally:
        rules_on(machine)
    assert len(before) > 20 * len(gadgets)
    return set(after) ^ set(before)


def _hub(gadget: Gadget) -> str:
    return f"/sys/devices/platform/dummy_hcd.{gadget.slot}/usb*"


def _all_of(machine: Machine, gadgets: tuple[Gadget, ...]) -> list[str]:
    paths = " ".join(_hub(gadget) for gadget in gadgets)
    lines = machine.sh(
        f"find {paths} -name uevent -printf '%h\\n' | sort | while read -r path; do {{\n"
        'udevadm info --query=property --path="$path" | sed /^USEC_INITIALIZED=/d\n'
        'name=$(sed -n s/^DEVNAME=//p "$path/uevent")\n'
        '[ -z "$name" ] || stat -c "%n %U:%G %a" "/dev/${name#/dev/}"\n'
        '[ ! -e "$path/power/control" ] || cat "$path/power/control"\n'
        '} | sed "s|^|$path |"; done',
        300,
    ).splitlines()
    # The order of a device's names is no property of it.
    return [
        " ".join(sorted(re.split("[= ]", line))) if "LINKS=" in line else line for line in lines
    ]


CHECKS: Final[tuple[Callable[[Machine], None], ...]] = (
    the_files_are_right,
    a_printer_has_its_names,
    a_serial_number_leads_nowhere_else,
    a_known_printer_comes_before_an_unknown_one,
    identical_printers_have_one_order,
    identical_printers_that_come_and_go_together,
    the_administrator_decides,
    a_known_terminal_has_its_names,
    an_adapter_is_nobody_until_it_is_given_a_role,
    a_scanner_that_types_is_ours_alone,
    a_keyboard_becomes_a_scanner_when_it_is_said,
    what_is_ours_is_not_for_the_user_of_the_seat,
    a_scanner_that_sends_lines,
    strangers_are_not_touched,
)


def check(run: Run, which: Callable[[Machine], None]) -> None:
    """Makes one of the CHECKS in a booted system. Raises AssertionError."""
    machine = Machine(run)
    with machine.controllers():
        which(machine)
