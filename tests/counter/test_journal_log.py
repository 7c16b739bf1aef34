"""The log after a power cut, and after a bit that turned: only the second is damage."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.counter import journal_log
from appliance.counter.journal import Journal, open_or_set_aside
from appliance.counter.migrations import PAGE_SIZE_BYTES
from appliance.domain.facts import Draft, Kind
from tests.counter.journals import FILLED_AT_ONCE, at_now, fill, read, scratch

HEADER, FRAME = 32, 24 + PAGE_SIZE_BYTES
HANDOVERS: Final = 6


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def cut_off(path: Path, count: int = HANDOVERS) -> list[int]:
    """A journal whose power goes after so many transactions; how long the log was after each."""
    lengths = []
    running = path.with_name("running.sqlite3")
    book = Journal(running, at_now)
    for _ in range(count):
        fill(book, 1)
        lengths.append(log_of(running).stat().st_size)
    for suffix in ("", "-wal"):
        shutil.copy(running.with_name(running.name + suffix), path.with_name(path.name + suffix))
    book.close()
    return lengths


def flip(log: Path, at: int) -> None:
    content = bytearray(log.read_bytes())
    content[at] ^= 0x10
    log.write_bytes(content)


def test_a_sound_log_has_no_flaw(path: Path) -> None:
    assert journal_log.flaw(log_of(path)) == ""  # there is none
    cut_off(path)
    assert journal_log.flaw(log_of(path)) == ""
    book, aside = open_or_set_aside(path, at_now)
    assert (book.last, aside) == (HANDOVERS * FILLED_AT_ONCE, None)
    book.close()


@given(st.data())
@settings(max_examples=40)
def test_a_torn_last_transaction_is_no_damage(data: st.DataObject) -> None:
    """It was not synced, so any of its sectors may be missing, and nobody was told of it."""
    with scratch() as path:
        *_, before, end = cut_off(path)
        content = bytearray(log_of(path).read_bytes())
        sectors = range(before, end, 512)
        for at in data.draw(st.sets(st.sampled_from(sectors), min_size=1)):
            content[at : at + 512] = bytes(len(content[at : at + 512]))
        log_of(path).write_bytes(content[: data.draw(st.integers(before, end))])
        book, aside = open_or_set_aside(path, at_now)
        assert aside is None
        assert book.last >= (HANDOVERS - 1) * FILLED_AT_ONCE
        # And again: what the first cut tore is not taken for damage after a second one.
        fill(book, 1)
        running = {suffix: path.with_name(path.name + suffix) for suffix in ("", "-wal")}
        again = path.with_name("again.sqlite3")
        for suffix, part in running.items():
            shutil.copy(part, again.with_name(again.name + suffix))
        book.close()
        assert journal_log.flaw(log_of(again)) == ""
        assert len(read(again)) >= HANDOVERS * FILLED_AT_ONCE


@pytest.mark.parametrize("part", ["page", "salt", "checksum", "body"])
@pytest.mark.parametrize("transaction", range(HANDOVERS - 2))
def test_a_bit_that_turned_before_the_last_transactions_is_damage(
    path: Path, transaction: int, part: str
) -> None:
    lengths = [HEADER, *cut_off(path)]
    offset = {"page": 0, "salt": 9, "checksum": 17, "body": 24 + 100}[part]
    for frame in range(lengths[transaction], lengths[transaction + 1], FRAME):
        flip(log_of(path), frame + offset)
        assert "damaged at frame" in journal_log.flaw(log_of(path))
        flip(log_of(path), frame + offset)
    flip(log_of(path), lengths[transaction] + offset)
    book, aside = open_or_set_aside(path, at_now)
    assert aside is not None
    book.close()


@pytest.mark.parametrize("at", range(0, HEADER, 4))
def test_a_damaged_header_would_hide_the_whole_log(path: Path, at: int) -> None:
    cut_off(path)
    flip(log_of(path), at)
    assert journal_log.flaw(log_of(path)) == "the log's header is damaged"


@pytest.mark.parametrize("size_bytes", [0, 1, 500, 516, 1 << 31])
def test_a_header_with_its_right_checksum_may_still_be_impossible(
    path: Path, size_bytes: int
) -> None:
    cut_off(path)
    content = bytearray(log_of(path).read_bytes())
    content[8:12] = size_bytes.to_bytes(4, "big")
    order = ">" if content[3] & 1 else "<"
    checksum = journal_log._checksum(order, bytes(content[:24]), (0, 0))
    content[24:32] = b"".join(word.to_bytes(4, "big") for word in checksum)
    log_of(path).write_bytes(content)
    assert journal_log.flaw(log_of(path)) == f"the log has pages of {size_bytes} bytes"


def test_what_an_earlier_log_left_behind_is_no_damage(path: Path) -> None:
    """SQLite writes over its log from the start; older frames stay behind the new ones."""
    book = Journal(path, at_now)
    fill(book, 8)
    longest = log_of(path).stat().st_size
    book._db.execute("PRAGMA wal_checkpoint(RESTART)")
    fill(book, 1)
    assert log_of(path).stat().st_size == longest
    assert journal_log.flaw(log_of(path)) == ""
    book.close()


def test_an_older_commit_under_half_a_frame_is_no_damage(path: Path) -> None:
    """The head of a torn frame may lie in two sectors: of the one that the disk did not write,
    the commit of an older log can still be read."""
    split = next(at for at in range(HEADER, 1 << 20, FRAME) if (at + 8) % 512 == 0)
    book = Journal(path, at_now)
    for _ in range(100):
        book.probe()  # a transaction of one frame
    book._db.execute("PRAGMA wal_checkpoint(RESTART)")
    fill(book, 1)
    torn = bytearray(log_of(path).read_bytes())
    book.append([Draft(Kind.OPENED, "H-long", {"pad": "x" * 80_000})])
    whole = log_of(path).read_bytes()
    copies = path.with_name("cut.sqlite3")
    shutil.copy(path, copies)
    book.close()
    torn[split + 8 :] = whole[split + 8 :]
    log_of(copies).write_bytes(torn)
    assert journal_log.flaw(log_of(copies)) == ""
    book, aside = open_or_set_aside(copies, at_now)
    assert (book.last, aside) == (FILLED_AT_ONCE, None)
    book.close()


def test_damage_right_before_a_commit_in_two_sectors_is_seen(path: Path) -> None:
    """Such a commit is believed where its checksum follows from what the frame before states."""
    split = next(at for at in range(HEADER, 1 << 20, FRAME) if (at + 8) % 512 == 0)
    book = Journal(path, at_now)
    while log_of(path).stat().st_size < split + FRAME:
        book.probe()
    book.append([Draft(Kind.OPENED, "H-last", {})])
    copies = path.with_name("cut.sqlite3")
    for suffix in ("", "-wal"):
        shutil.copy(path.with_name(path.name + suffix), copies.with_name(copies.name + suffix))
    book.close()
    flip(log_of(copies), split - 100)
    assert "damaged at frame" in journal_log.flaw(log_of(copies))
