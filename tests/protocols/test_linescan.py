from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.linescan import LineScan
from appliance.protocols.scans import GLUED, GLUED_S, LONGEST_CODE, Refused, Scanned

PRINTABLE = st.characters(codec="utf-8", categories=("L", "N", "P", "S")) | st.just(" ")
CODES = st.text(PRINTABLE, min_size=1, max_size=30)


@given(
    codes=st.lists(CODES, max_size=4),
    end=st.sampled_from(["\r", "\n", "\r\n"]),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_lines_are_codes_however_they_are_cut(codes, end, cuts):
    lines = LineScan()
    found = []
    for number, code in enumerate(codes):
        data = (code + end).encode()
        edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        for start, stop in pairwise(edges):
            found += lines.feed(data[start:stop], number * GLUED_S)
    assert found == [Scanned(code) for code in codes]
    assert lines.deadline is None


@given(
    codes=st.lists(CODES, min_size=2, max_size=4),
    end=st.sampled_from(["\r", "\n", "\r\n"]),
    size=st.integers(1, 40),
)
def test_of_a_barcode_with_line_ends_only_the_first_line_is_a_code(codes, end, size):
    """A customer's QR code must not press the seller's buttons, however slowly it comes."""
    data = "".join(code + end for code in codes).encode()
    lines, found, now = LineScan(), [], 0.0
    for at in range(0, len(data), size):
        found += lines.feed(data[at : at + size], now)
        now += 0.02
    assert found == [Scanned(codes[0]), *[Refused(GLUED)] * (len(codes) - 1)]
    assert lines.feed(b"A-1\r", now + GLUED_S) == [Scanned("A-1")]


@given(chunks=st.lists(st.binary(max_size=400), max_size=8), ends=st.sampled_from(["line", "gap"]))
def test_any_bytes_give_sound_codes_and_the_next_scan_is_read(chunks, ends):
    lines = LineScan(ends=ends)
    scans = []
    for number, chunk in enumerate(chunks):
        scans += lines.feed(chunk, number * 0.1)
    scans += lines.idle(99.0)
    for scan in scans:
        if isinstance(scan, Scanned):
            assert 0 < len(scan.text) <= LONGEST_CODE
            assert scan.text.isprintable()
        else:
            assert scan.why
    assert lines.feed(b"A-1\r", 100.0) == [Scanned("A-1")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"A\x1b[2J", "control characters"),
        (b"\x00", "control characters"),
        (b"\x1d01234", "control characters"),
        ("A\u202eB".encode(), "control characters"),
        (b"\xff\xfe", "not UTF-8"),
        (b"7" * (LONGEST_CODE + 1), "too long"),
        (b"7" * 10_000, "too long"),
    ],
)
def test_refused(line, why):
    lines = LineScan()
    assert lines.feed(line + b"\r", 0.0) == [Refused(why)]
    assert lines.feed(b"A-1\r", GLUED_S) == [Scanned("A-1")]


def test_the_longest_code():
    for character in ("7", "ж", "\U00010400"):
        code = character * LONGEST_CODE
        assert LineScan().feed(code.encode() + b"\r", 0.0) == [Scanned(code)]


def test_what_is_too_long_is_not_kept():
    lines = LineScan()
    for number in range(100):
        assert lines.feed(b"x" * 1000, number * 0.001) == []
    assert len(lines._code) <= LONGEST_CODE * 4


def test_a_code_without_end_is_refused_after_a_silence():
    lines = LineScan(gap_s=0.2)
    assert lines.feed(b"A-1", 1.0) == []
    assert lines.deadline == pytest.approx(1.2)
    assert lines.idle(1.1) == []
    [refused] = lines.idle(1.3)
    assert isinstance(refused, Refused)
    assert "CR" in refused.why
    assert lines.idle(9.0) == []


def test_the_rest_of_a_broken_code_is_no_code_of_its_own_before_its_end():
    lines = LineScan(gap_s=0.2)
    lines.feed(b"A-1", 1.0)
    # Half a code may be another order's: "A-1" and "00482" of "A-100482".
    [refused] = lines.feed(b"00482\rB-2\r", 1.3)[:1]
    assert isinstance(refused, Refused)
    assert lines.feed(b"C-3\r", 1.4) == [Scanned("C-3")]


def test_the_rest_may_come_in_pieces_and_ends_with_its_line():
    lines = LineScan(gap_s=0.2)
    lines.feed(b"A-1", 1.0)
    assert len(lines.idle(1.3)) == 1
    assert lines.feed(b"004", 1.5) == []
    assert lines.feed(b"82", 2.1) == []
    assert lines.feed(b"\r", 2.2) == []
    assert lines.feed(b"B-2\r", 2.3) == [Scanned("B-2")]


def test_who_scans_again_after_a_broken_code_is_heard():
    """Noise at a plug that goes in is such a code too; nothing of it may stick."""
    lines = LineScan(gap_s=0.2)
    lines.feed(b"\x00", 1.0)
    assert len(lines.idle(1.3)) == 1
    assert lines.feed(b"B-2\r", 2.0) == [Scanned("B-2")]


def test_silence_ends_a_code_where_the_scanner_adds_no_end():
    lines = LineScan(ends="gap", gap_s=0.2)
    assert lines.feed(b"A-", 1.0) == []
    assert lines.feed(b"1", 1.1) == []
    assert lines.idle(1.35) == [Scanned("A-1")]
    assert lines.feed(b"B-2", 2.0) == []
    assert lines.feed(b"C-3\r", 3.0) == [Scanned("B-2"), Scanned("C-3")]
