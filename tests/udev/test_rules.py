"""The rules touch nothing that is not ours. What they do is seen in a booted system: guest.py."""

import inspect
import re

import pytest

from tests.udev import guest
from tests.udev.files import FOLDER, LATE_RULES, ROLES, RULES, SCRIPTS, Key, rules

FOUND = rules(RULES.read_text())


def has(rule: list[Key], name: str, attribute: str, operator: str, value: str) -> bool:
    return Key(name, attribute, operator, value) in rule


def is_jump(rule: list[Key]) -> bool:
    return any(key.name == "GOTO" for key in rule)


def place(rule: list[Key]) -> int:
    return FOUND.index(rule)


def gate(*conditions: Key) -> int:
    """The place of the one rule that leads everything with these conditions past all others."""
    return place([*conditions, Key("GOTO", "", "=", "kassa_end")])


NO_ROLE = gate(Key("ENV", "KASSA_ROLE", "==", ""))


def test_a_rule_is_read_as_it_is_written():
    assert rules('A=="x|y", ENV{B}+="c d", \\\n  GOTO="e"\n# no\n\n') == [
        [Key("A", "", "==", "x|y"), Key("ENV", "B", "+=", "c d"), Key("GOTO", "", "=", "e")]
    ]
    with pytest.raises(ValueError, match="A=x"):
        rules("A=x")


def test_the_numbers_are_between_those_who_find_out_and_those_who_act():
    found_out = {"60-input-id.rules", "60-persistent-input.rules", "60-serial.rules"}
    given_away = {"70-power-switch.rules", "70-uaccess.rules", "77-mm-x.rules"}
    assert max(found_out) < RULES.name < min(given_away)
    assert "70-uaccess.rules" < LATE_RULES.name < "73-seat-late.rules"


def test_the_late_rule_is_for_what_has_a_role():
    assert rules(LATE_RULES.read_text()) == [
        [
            Key("SUBSYSTEM", "", "==", "usbmisc|tty|input"),
            Key("SUBSYSTEMS", "", "==", "usb"),
            Key("ENV", "KASSA_ROLE", "==", "?*"),
            Key("TAG", "", "-=", "uaccess"),
        ]
    ]


def test_first_of_all_only_our_sorts_of_node_go_on():
    for number, rule in enumerate(
        [
            [Key("SUBSYSTEM", "", "!=", "usbmisc|tty|input")],
            [Key("SUBSYSTEM", "", "==", "usbmisc"), Key("KERNEL", "", "!=", "lp[0-9]*")],
            [
                Key("SUBSYSTEM", "", "==", "tty"),
                Key("KERNEL", "", "!=", "ttyACM[0-9]*|ttyUSB[0-9]*"),
            ],
            [Key("SUBSYSTEM", "", "==", "input"), Key("KERNEL", "", "!=", "event[0-9]*")],
        ]
    ):
        assert gate(*rule) == number


def test_before_a_role_is_known_nothing_but_the_role_is_set():
    assert gate(Key("ENV", "ID_BUS", "!=", "usb")) < NO_ROLE
    assert gate(Key("ENV", "ID_PATH", "==", "")) < NO_ROLE
    for rule in FOUND[:NO_ROLE]:
        for key in rule:
            if key.is_match or key.name in {"GOTO", "LABEL"}:
                continue
            if key.name == "RUN":  # for a device that had a role
                assert key.value == "/usr/lib/kassa/kassa-link"
                assert {"ENV", "IMPORT"} & {other.name for other in rule}
                assert "KASSA_ROLE" in {key.attribute for key in rule} | {key.value for key in rule}
            else:
                assert key.name == "ENV", rule
                assert re.fullmatch(r"\.?KASSA_\w+", key.attribute), rule


def test_what_is_asked_of_a_device_without_a_role_brings_nothing_else_in():
    asked = {(key.attribute, key.value) for rule in FOUND for key in rule if key.name == "IMPORT"}
    assert asked == {
        ("db", "KASSA_ROLE"),
        ("builtin", "usb_id"),
        ("builtin", "path_id"),
        ("builtin", "hwdb --subsystem=usb --filter=KASSA_ROLE"),
        ("program", "/usr/lib/kassa/kassa-role $env{.KASSA_PORT} $env{.KASSA_CAN}"),
    }
    for rule in FOUND:
        if any(key.value in {"usb_id", "path_id"} for key in rule):
            assert has(rule, "SUBSYSTEM", "", "==", "usbmisc")  # which always has a role


def test_the_helper_is_started_only_where_there_is_a_file():
    without = place(
        [Key("TEST", "", "!=", "/etc/kassa/devices"), Key("GOTO", "", "=", "kassa_known")]
    )
    started = [n for n, rule in enumerate(FOUND) if any(key.attribute == "program" for key in rule)]
    known = place([Key("LABEL", "", "=", "kassa_known")])
    assert [without < number < known for number in started] == [True]
    assert not any(key.name == "LABEL" for rule in FOUND[without:known] for key in rule)


def test_every_jump_leads_forward_to_a_label():
    labels = {key.value: n for n, rule in enumerate(FOUND) for key in rule if key.name == "LABEL"}
    for number, rule in enumerate(FOUND):
        for key in rule:
            if key.name == "GOTO":
                assert labels[key.value] > number
    assert labels["kassa_end"] == len(FOUND) - 1


def test_nobody_but_the_group_is_let_in():
    let_in = [key for rule in FOUND for key in rule if key.name in {"GROUP", "MODE", "OWNER"}]
    assert let_in == [Key("GROUP", "", "=", "kassa"), Key("MODE", "", "=", "0660")]
    assert not [key for rule in FOUND for key in rule if key.name == "TAG"]


def test_only_our_scripts_are_run_and_all_names_are_ours():
    values = [key.value.split() for rule in FOUND for key in rule if key.name == "RUN"]
    values += [key.value.split() for rule in FOUND for key in rule if key.attribute == "program"]
    assert {value[0] for value in values} <= {f"/usr/lib/kassa/{name}" for name in SCRIPTS}
    links = [key.value for rule in FOUND for key in rule if key.name == "SYMLINK"]
    assert links
    assert all(
        re.match(r"kassa/by-(port|serial|rank)/\$env\{KASSA_ROLE\}-", link) for link in links
    )
    written = [key for rule in FOUND for key in rule if key.name == "ATTR" and not key.is_match]
    assert written
    assert all(re.fullmatch(r"(device/)+(\.\./)+power/control", key.attribute) for key in written)


def test_what_belongs_to_one_sort_of_node_is_set_on_that_sort_only():
    for rule in FOUND[NO_ROLE:]:
        names = {key.attribute for key in rule if key.name == "ENV" and not key.is_match}
        if any(name.startswith("ID_MM") for name in names):
            assert has(rule, "SUBSYSTEM", "", "==", "tty")
        if any(name.startswith(("ID_INPUT", "LIBINPUT")) for name in names):
            assert has(rule, "SUBSYSTEM", "", "==", "input")


def test_the_checks_for_a_booted_system_are_of_these_rules_and_none_is_forgotten():
    assert set(guest.RULES) == {file.name for file in FOLDER.glob("*.rules")}
    source = inspect.getsource(guest).partition("# --- checks ---")[2]
    written = re.findall(r"^def ([a-z]\w+)\(machine: Machine\) -> None:", source, re.MULTILINE)
    assert [check.__name__ for check in guest.CHECKS] == written
    assert len(written) > 10


def test_the_service_runs_the_script_in_time():
    unit = (FOLDER / "kassa-devices.service").read_text()
    assert "ExecStart=/usr/lib/kassa/kassa-devices\n" in unit
    # The script's own bound is told before systemd's strikes.
    settle_s = re.search(r"settle --timeout=(\d+)", (FOLDER / "kassa-devices").read_text())
    limit_s = re.search(r"^TimeoutStartSec=(\d+)$", unit, re.MULTILINE)
    assert settle_s is not None
    assert limit_s is not None
    assert int(settle_s[1]) < int(limit_s[1])


def test_the_scripts_are_programs_of_the_smallest_shell():
    for name in SCRIPTS:
        file = FOLDER / name
        assert file.read_text().startswith("#!/bin/sh\n")
        assert file.stat().st_mode & 0o111 == 0o111


def test_the_roles_are_the_same_everywhere():
    for name in ("kassa-role", "kassa-link"):
        assert all(role in (FOLDER / name).read_text() for role in ROLES)
    can = next(
        key.value
        for rule in FOUND
        for key in rule
        if key.attribute == ".KASSA_CAN" and has(rule, "SUBSYSTEM", "", "==", "tty")
    )
    assert tuple(can.split()) == ROLES
