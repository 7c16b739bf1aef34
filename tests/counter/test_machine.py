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
