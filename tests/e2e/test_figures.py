"""`make bench` goes through, on so few runs that its figures say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import bench


@pytest.mark.e2e
def test_every_figure_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(
        ["--runs", "2", "--starts", "1", "--facts", "10", "--no-browser", "--folder", str(tmp_path)]
    )
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if "|" in line]
    assert len(rows) > 2
    for name, *cells in rows[2:]:
        assert all(cell.strip() for cell in cells[:2]), name
