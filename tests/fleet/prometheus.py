"""Debian's Prometheus as a child of a test, and promtool."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.children import TIED
from tests.rig import free_port, until

UNPACKED = Path(sys.prefix) / "prometheus/usr/bin"
FLEET = Path(__file__).parents[2] / "docs/fleet"


def program(name: str) -> str:
    """prometheus or promtool: the system's, or the one that tools/setup.sh has unpacked."""
    found = shutil.which(name) or shutil.which(name, path=str(UNPACKED))
    if found is None:
        pytest.skip(f"{name} is not here: sudo apt-get install prometheus")
    return found


def promtool(*words: str | Path, cwd: Path = FLEET) -> str:
    """What it says. Fails the test where it finds anything wrong."""
    done = subprocess.run(
        [program("promtool"), *words], cwd=cwd, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Server:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def ask(self, path: str, **words: object) -> Any:
        """The data of an answer of its HTTP API."""
        query = urllib.parse.urlencode(words)
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{query}", timeout=60) as answer:
            told = json.load(answer)
        assert told["status"] == "success", told
        return told["data"]

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The samples of an instant query, at a Unix time or now."""
        words: dict[str, object] = {} if at is None else {"time": at}
        found = self.ask("query", query=expression, **words)
        assert found["resultType"] == "vector", expression
        samples: list[dict[str, Any]] = found["result"]
        return samples


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[Server]:
    """One that runs on the data in folder/data. config: prometheus.yml."""
    (folder / "prometheus.yml").write_text(config)
    port = free_port()
    words = [
        *TIED, program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address=127.0.0.1:{port}",
        # A history is told of a fixed time; on a slow machine that is a while ago.
        "--query.lookback-delta=1h",
        "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stderr=log) as process:
        server = Server(port)

        def ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            return server.is_ready()

        try:
            until(ready, "prometheus is ready", 60)
            yield server
        finally:
            process.terminate()
            process.wait(30)
