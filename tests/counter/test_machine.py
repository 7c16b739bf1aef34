"""What the machine says of itself, and that the counter shows it."""

from pathlib import Path

import pytest

from appliance.counter import machine
from appliance.domain.errors import Code
from appliance.ports import WELL


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", None),
        (b"\n", None),
        (b"the root file system can be written\n", "the root file system can be written"),
        (b"one\ntwo\n", "one; two"),
        (b"\xff\n", "\ufffd"),
        (b"x" * 10_000, "x" * machine.LARGEST_BYTES),
    ],
)
def test_each_line_is_something_wrong(tmp_path: Path, content: bytes, detail: str | None) -> None:
    file = tmp_path / "storage"
    file.write_bytes(content)
    found = machine.storage(file)
    assert found == WELL if detail is None else (found.code, found.detail) == (Code.STORAGE, detail)


def test_without_an_image_nothing_is_promised(tmp_path: Path) -> None:
    assert machine.storage(tmp_path / "storage") == WELL


def test_what_cannot_be_read_is_not_taken_for_well(tmp_path: Path) -> None:
    assert machine.storage(tmp_path).code is Code.STORAGE


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ('{"state": "ok"}', None),
        ('{"state": "trying"}', None),
        ("[]", None),
        (
            '{"state": "rolled-back", "to": "1.1", "reason": "no answer"}',
            "1.1: rolled-back: no answer",
        ),
        ('{"state": "failed", "to": "1.1", "reason": "dpkg"}', "1.1: failed: dpkg"),
    ],
)
def test_an_update_that_was_taken_back_is_told(
    tmp_path: Path, content: str, detail: str | None
) -> None:
    file = tmp_path / "state.json"
    file.write_text(content)
    found = machine.update(file)
    assert found == WELL if detail is None else (found.code, found.detail) == (Code.UPDATE, detail)


def test_a_word_that_cannot_be_read_is_not_taken_for_well(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("half")
    assert machine.update(tmp_path / "state.json").code is Code.UPDATE
    assert machine.update(tmp_path / "missing") == WELL


def test_the_disk_comes_first(tmp_path: Path) -> None:
    storage, update = tmp_path / "storage", tmp_path / "state.json"
    update.write_text('{"state": "failed"}')
    assert machine.health(storage, update).code is Code.UPDATE
    storage.write_text("worn out\n")
    assert machine.health(storage, update).code is Code.STORAGE
