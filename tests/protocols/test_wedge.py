"""Key events to codes; evdev's own tables of the kernel's numbers are the oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.scans import GLUED, LONGEST_CODE, Refused, Scanned
from appliance.protocols.wedge import LAYOUTS, Wedge

# Not to be had everywhere, see requirements/run.in.
ecodes = pytest.importorskip("evdev").ecodes

DOWN, UP, REPEAT = 1, 0, 2
SHIFT, CTRL = ecodes.KEY_LEFTSHIFT, ecodes.KEY_LEFTCTRL
ENTER = ecodes.KEY_ENTER
# Layout -> character -> the key with the lowest number that types it, and whether with Shift.
KEYS = {
    layout: {
        character: (key, bool(at))
        for key in sorted(table, reverse=True)
        for at, character in enumerate(table[key])
        if character != "\0"
    }
    for layout, table in LAYOUTS.items()
}


def pressed(key, *, shift=False):
    """The events of one key press."""
    events = [(key, DOWN), (key, UP)]
    return [(SHIFT, DOWN), *events, (SHIFT, UP)] if shift else events


def typed(text, layout="us", end=ENTER):
    """The events of a scanner that is set to this layout."""
    events = []
    for character in text:
        key, shift = KEYS[layout][character]
        events += pressed(key, shift=shift)
    return events + pressed(end)


def fed(wedge, events, *, start=0.0, step=0.001):
    found, now = [], start
    for key, value in events:
        now += step
        found += wedge.key(key, value, now)
    return found


@given(data=st.data(), layout=st.sampled_from(sorted(LAYOUTS)))
def test_what_a_scanner_types_is_what_is_read(data, layout):
    codes = data.draw(st.lists(st.text(sorted(KEYS[layout]), min_size=1, max_size=30), max_size=4))
    wedge = Wedge(layout)
    for number, code in enumerate(codes):
        assert fed(wedge, typed(code, layout), start=number) == [Scanned(code)]
    assert wedge.deadline is None, "nothing is left over"


@pytest.mark.parametrize("step", [0.0001, 0.01])
def test_of_a_barcode_with_an_end_inside_only_the_first_part_is_a_code(step):
    """A customer's QR code must not press the seller's buttons."""
    wedge = Wedge()
    events = [*typed("NL-1"), *typed("KASSA-CONFIRM"), *pressed(ENTER), *typed("x")]
    assert fed(wedge, events, step=step) == [Scanned("NL-1"), Refused(GLUED), Refused(GLUED)]
    assert fed(wedge, typed("A-1"), start=10) == [Scanned("A-1")]


@given(
    st.lists(
        st.tuples(st.integers(0, ecodes.KEY_MAX), st.sampled_from([UP, DOWN, REPEAT])),
        max_size=80,
    )
)
def test_any_keys_give_sound_codes_and_the_next_scan_is_read(events):
    wedge = Wedge()
    for scan in fed(wedge, events):
        if isinstance(scan, Scanned):
            assert 0 < len(scan.text) <= LONGEST_CODE
            assert scan.text.isprintable()
        else:
            assert scan.why
    # Keys that are held still are let go, and after a pause all is well again.
    fed(wedge, [(key, UP) for key in {key for key, _ in events}], start=10)
    wedge.idle(100.0)
    assert fed(wedge, typed("A-1"), start=200) == [Scanned("A-1")]


def test_the_numbers_are_the_kernels():
    us = LAYOUTS["us"]
    names = {
        ecodes.ecodes[f"KEY_{letter.upper()}"]: (letter, letter.upper())
        for letter in "abcdefghijklmnopqrstuvwxyz"
    }
    names |= {ecodes.ecodes[f"KEY_{digit}"]: digit for digit in "0123456789"}
    signs = {
        "MINUS": "-_", "EQUAL": "=+", "LEFTBRACE": "[{", "RIGHTBRACE": "]}", "SEMICOLON": ";:",
        "APOSTROPHE": "'\"", "GRAVE": "`~", "BACKSLASH": "\\|", "COMMA": ",<", "DOT": ".>",
        "SLASH": "/?", "SPACE": "  ", "102ND": "<>",
    }  # fmt: skip
    for key, expected in names.items():
        assert us[key][: len(expected)] == tuple(expected)
    for name, pair in signs.items():
        assert us[ecodes.ecodes[f"KEY_{name}"]] == tuple(pair)
    for digit in "0123456789":
        assert us[ecodes.ecodes[f"KEY_KP{digit}"]] == (digit, digit)
    for name, sign in {"ASTERISK": "*", "MINUS": "-", "PLUS": "+", "SLASH": "/"}.items():
        assert us[ecodes.ecodes[f"KEY_KP{name}"]] == (sign, sign)


@pytest.mark.parametrize(
    ("layout", "keys", "text"),
    [
        # The same keys mean other things: the digits of a French one need Shift.
        ("us", [(ecodes.KEY_Y, False), (ecodes.KEY_Z, True), (ecodes.KEY_SLASH, False)], "yZ/"),
        ("de", [(ecodes.KEY_Y, False), (ecodes.KEY_Z, True), (ecodes.KEY_SLASH, False)], "zY-"),
        ("fr", [(ecodes.KEY_1, True), (ecodes.KEY_Q, False), (ecodes.KEY_6, False)], "1a-"),
        ("ru", [(ecodes.KEY_1, False), (ecodes.KEY_Q, True), (ecodes.KEY_SLASH, False)], "1Q."),
    ],
)
def test_layouts(layout, keys, text):
    events = [event for key, shift in keys for event in pressed(key, shift=shift)]
    assert fed(Wedge(layout), events + pressed(ENTER)) == [Scanned(text)]


def test_no_layout_has_a_character_that_no_code_has():
    for table in LAYOUTS.values():
        for pair in table.values():
            assert len(pair) == 2
            assert all(len(character) == 1 for character in pair)
            assert all(character == "\0" or character.isprintable() for character in pair)


def test_an_unknown_layout():
    with pytest.raises(KeyError):
        Wedge("dvorak")


@pytest.mark.parametrize("end", [ecodes.KEY_ENTER, ecodes.KEY_KPENTER, ecodes.KEY_TAB])
def test_ends(end):
    assert fed(Wedge(), typed("12", end=end)) == [Scanned("12")]


def test_an_end_alone_is_nothing():
    assert fed(Wedge(), pressed(ENTER) * 3) == []


def test_repetition_by_the_kernel_adds_nothing():
    events = [(ecodes.KEY_A, DOWN), (ecodes.KEY_A, REPEAT), (ecodes.KEY_A, UP), *pressed(ENTER)]
    assert fed(Wedge(), events) == [Scanned("a")]


@pytest.mark.parametrize(
    "key",
    [
        ecodes.KEY_LEFTCTRL, ecodes.KEY_RIGHTCTRL, ecodes.KEY_LEFTALT, ecodes.KEY_RIGHTALT,
        ecodes.KEY_LEFTMETA, ecodes.KEY_CAPSLOCK, ecodes.KEY_F1, ecodes.KEY_ESC,
        ecodes.KEY_DELETE, ecodes.KEY_POWER, ecodes.KEY_SLEEP, ecodes.KEY_UP,
        ecodes.KEY_BACKSPACE, ecodes.BTN_LEFT,
    ],
)  # fmt: skip
def test_any_other_key_spoils_the_code_it_is_in(key):
    wedge = Wedge()
    events = [*typed("A1")[:-2], *pressed(key), *typed("B2")]
    assert fed(wedge, events) == [Refused("a key that no code has")]
    assert fed(wedge, typed("C3"), start=1) == [Scanned("C3")]


def test_a_combination_is_refused_as_a_whole_even_across_an_end():
    wedge = Wedge()
    assert fed(wedge, [(CTRL, DOWN), *typed("o"), *typed("x"), (CTRL, UP), *typed("tail")]) == [
        Refused("a key that no code has"),  # Ctrl itself, with the o and the first end
        Refused("a key that no code has"),  # the x
        Refused(GLUED),  # the tail
    ]
    assert fed(wedge, typed("next"), start=1) == [Scanned("next")]


def test_the_longest_code_and_one_more():
    assert fed(Wedge(), typed("7" * LONGEST_CODE)) == [Scanned("7" * LONGEST_CODE)]
    wedge = Wedge()
    assert fed(wedge, typed("7" * (LONGEST_CODE * 40))) == [Refused("too long")]
    assert fed(wedge, typed("8"), start=100) == [Scanned("8")]


def test_a_pause_breaks_a_code_off():
    wedge = Wedge(gap_s=0.5)
    assert fed(wedge, typed("12")[:-2], start=0) == []
    assert wedge.deadline == pytest.approx(0.504)
    assert wedge.idle(0.5) == []
    assert wedge.idle(0.51) == [Refused("too slow, or without an end")]
    assert wedge.deadline is None
    # Or the next key finds that the pause was too long.
    fed(wedge, typed("12")[:-2], start=2)
    assert fed(wedge, typed("34"), start=4) == [
        Refused("too slow, or without an end"),
        Scanned("34"),
    ]


def test_the_rest_of_a_slow_code_is_no_code_of_its_own():
    wedge = Wedge(gap_s=0.5)
    fed(wedge, typed("12")[:-2], start=0)
    [refused] = fed(wedge, typed("34"), start=0.6)
    assert refused == Refused("too slow, or without an end")
    assert fed(wedge, typed("56"), start=0.7) == [Scanned("56")]


def test_a_spoilt_code_ends_with_a_pause_too():
    wedge = Wedge(gap_s=0.5)
    assert fed(wedge, pressed(ecodes.KEY_F1)) == [Refused("a key that no code has")]
    assert wedge.idle(9.0) == []
    assert fed(wedge, typed("1"), start=10) == [Scanned("1")]


def test_lost_events_spoil_what_is_being_read():
    wedge = Wedge()
    fed(wedge, [(SHIFT, DOWN), *typed("12")[:-2]])
    assert wedge.lost(0.01) == [Refused("key events were lost")]
    # The release of Shift may be among what was lost.
    assert fed(wedge, typed("ab"), start=0.02) == []
    assert fed(wedge, typed("cd"), start=1) == [Scanned("cd")]
