"""`kassa enrol` as an administrator types it."""

from __future__ import annotations

from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from appliance.cli import main
from appliance.protocols.enrolment import read
from tests.counter.enrol_kit import put_kiosk


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    put_kiosk(tmp_path / "desk")
    return tmp_path / "desk"


def enrol(desk: Path, *words: str) -> int:
    return main(["enrol", words[0], "--desk", str(desk), *words[1:]])


def test_one_line_makes_the_code(desk: Path, tmp_path: Path, capsys) -> None:
    assert enrol(desk, "print", "counter-7", "--at", "192.0.2.10") == 0
    out = capsys.readouterr().out
    assert "▄" in out  # the symbol
    assert "desk 192.0.2.10:8144" in out
    assert enrol(desk, "list") == 0
    line = capsys.readouterr().out.split()
    assert line[1::2] == ["open", "counter-7"]
    assert f"code {line[0]}" in out
    assert enrol(desk, "revoke", line[0]) == 0
    assert enrol(desk, "revoke", line[0]) == 65
    assert enrol(desk, "list") == 0
    assert " withdrawn " in capsys.readouterr().out


def test_on_paper_and_in_files(desk: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / f"code.{name}" for name in ("pdf", "png", "escpos", "text")}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    assert enrol(desk, "print", "counter-7", "--at", "Desk.example:9000", *options) == 0
    (seen,) = zxingcpp.read_barcodes(Image.open(files["png"]))
    code = read(seen.text)
    assert code == read(files["text"].read_text())
    assert code.address == "desk.example:9000"
    assert files["pdf"].read_bytes().startswith(b"%PDF")
    assert len(files["escpos"].read_bytes()) > 300


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["print", "nobody", "--at", "desk.example"], "nobody.toml: cannot be read"),
        (["print", "counter-7", "--at", "https://desk.example"], "--at"),
        (["print", "counter-7", "--at", "desk.example", "--pdf", "/nowhere/x"], "/nowhere/x"),
        (
            ["print", "counter-7", "--at", "d", "--escpos", "/dev/null", "--profile", "x"],
            "--profile x",
        ),
        (["serve", "--listen", "8144"], "--listen"),
        (["serve", "--listen", "192.0.2.1:8144"], "--listen"),
    ],
)
def test_a_mistake_is_named(desk: Path, capsys, words: list[str], said: str) -> None:
    assert enrol(desk, *words) == 78
    assert said in capsys.readouterr().err


def test_a_folder_that_is_none(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").touch()
    assert enrol(tmp_path / "file", "list") == 78
    assert "cannot be a desk's folder" in capsys.readouterr().err


@pytest.mark.parametrize("hours", ["0", "337", "x"])
def test_a_code_counts_for_two_weeks_at_most(desk: Path, hours: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        enrol(desk, "print", "counter-7", "--at", "desk.example", "--hours", hours)


@pytest.mark.parametrize("what", ["print", "serve", "list", "revoke"])
def test_help_explains_every_option(capsys, what: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["enrol", what, "--help"])
    options = capsys.readouterr().out.partition("options:\n")[2].split("\n  -")
    assert len(options) > 1
    for option in options[1:]:
        name, _, words = option.partition("  ")
        assert words.strip(), name
