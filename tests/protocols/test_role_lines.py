"""The lines of /etc/kassa/devices as the counter reads and wishes for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import role_lines
from appliance.protocols.role_lines import MARK, ROLES, Given
from tests.image.test_adopt import PRINTER, TERMINAL, adopt

PI = "platform-xhci-hcd.1-usb-0:1.3:1.0"
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=40)
LINES = st.lists(
    st.one_of(
        WORDS,
        st.sampled_from(
            [
                PRINTER,
                TERMINAL,
                f"{PRINTER} {MARK}",
                f"{TERMINAL} {MARK}",
                MARK,
                "printer ask",
                "scanner model 1a2c:4c5e # theirs",
                "",
            ]
        ),
    ),
    max_size=6,
)


def test_an_administrators_roles_are_told_from_adopted_ones() -> None:
    text = f"# printer serial X\nscanner ask # wait\nterminal port usb-0:1.3\n{PRINTER} {MARK}\n"
    assert role_lines.read(text) == Given(frozenset({"terminal"}), {"printer": PRINTER})
    assert role_lines.read("") == role_lines.NOTHING


@given(LINES.map("\n".join), LINES)
def test_root_would_adopt_just_what_is_said_not_to_be_named(
    devices: str, wanted: list[str]
) -> None:
    """And what it has adopted is read back."""
    lines = {line.split(" ")[0]: line for line in wanted if role_lines.is_wish(line)}
    try:
        after = adopt.merged(devices, lines)
    except adopt.Refused:
        return
    given_ = role_lines.read(after)
    assert given_.adopted == {
        role: line for role, line in lines.items() if role not in role_lines.read(devices).named
    }
    assert given_.named & set(ROLES) == role_lines.read(devices).named & set(ROLES)


@given(st.one_of(WORDS, st.sampled_from([PRINTER, TERMINAL, f"{PRINTER} ", "printer ask"])))
def test_a_wish_is_what_root_takes(line: str) -> None:
    try:
        taken = list(adopt.wanted_lines(line).values()) == [line]
    except adopt.Refused:
        taken = False
    assert role_lines.is_wish(line) == taken


def test_a_file_of_wishes_counts_whole_or_not_at_all() -> None:
    assert role_lines.wishes(f"{PRINTER}\n{TERMINAL}\n") == {
        "printer": PRINTER,
        "terminal": TERMINAL,
    }
    assert role_lines.wishes("") == {}
    for wrong in (f"{PRINTER}\nprinter ask\n", f"{PRINTER}\n{PRINTER}\n"):
        assert role_lines.wishes(wrong) == {}


@pytest.mark.parametrize(
    ("serial", "is_shared", "line"),
    [
        ("X1234", False, "printer serial X1234 04b8:0e28"),
        ("X1234", True, f"printer port {PI} 04b8:0e28"),
        ("0001", False, f"printer port {PI} 04b8:0e28"),
        ("", False, f"printer port {PI} 04b8:0e28"),
    ],
)
def test_a_wish_means_its_device(serial: str, is_shared: bool, line: str) -> None:
    what = {"port": PI, "serial": serial, "model": "04b8:0e28"}
    made = role_lines.line("printer", is_shared=is_shared, **what)
    assert made == line
    assert role_lines.is_wish(made)
    assert role_lines.means(made, **what)
    assert not role_lines.means(made, **{**what, "model": "04b8:0e15"})
    assert not role_lines.means(made, port=f"{PI}-port1", serial="Y", model="04b8:0e28")


def test_places_are_as_short_as_tells_them_apart() -> None:
    here, line, other = PI, "platform-xhci-hcd.1-usb-0:1.4:1.0-port2", "pci-1-usb-0:2:1.0"
    assert role_lines.places([here, line, other]) == {here: "1.3", line: "1.4", other: "2"}
    second = line.replace("port2", "port3")
    assert role_lines.places([line, second]) == {line: "1.4:1.0-port2", second: "1.4:1.0-port3"}
    twin = PI.replace("hcd.1", "hcd.0")
    assert role_lines.places([PI, twin]) == {PI: PI, twin: twin}
    assert role_lines.places([PI, PI]) == {PI: "1.3"}


@given(st.sets(st.sampled_from(["a", "b"]).flatmap(
    lambda c: st.from_regex(r"[1-3](\.[1-3]){0,2}:1\.[01](-port[01])?", fullmatch=True)
    .map(lambda tail: f"{c}-usb-0:{tail}")), max_size=8))  # fmt: skip
def test_no_two_places_are_called_the_same(ports: set[str]) -> None:
    found = role_lines.places(ports)
    assert set(found) == ports
    assert len(set(found.values())) == len(ports)
