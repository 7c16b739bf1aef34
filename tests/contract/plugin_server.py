"""Our WordPress plugin as it is, in PHP over a MariaDB of its own; only WordPress is made up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.children import TIED
from tests.rig import free_port, until

PLUGIN = Path(__file__).parents[2] / "docs/shops/woocommerce-plugin"
NEEDED = "php-cli, php-mysql and mariadb-server"
CI = "KASSA_CI"
"""Set by .ci/run: nothing is left out there."""


def missing() -> str:
    """Why the plugin cannot be run here, or ""."""
    for command in ("php", "mariadbd", "mariadb-install-db"):
        if shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            return f"{command} is not there: install {NEEDED}"
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout
    return "" if "mysqli" in modules.split() else f"PHP lacks mysqli: install {NEEDED}"


def need() -> None:
    """Leaves a test out where there is no PHP or no database, loudly; in CI it fails."""
    if reason := missing():
        if os.environ.get(CI):
            pytest.fail(f"the WordPress plugin is not tested: {reason}")
        pytest.skip(f"THE WORDPRESS PLUGIN IS NOT TESTED: {reason}")


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """A MariaDB that listens on a socket alone; its path."""
    data, socket = folder / "db", folder / "db.sock"
    user = [f"--user={'mysql' if os.geteuid() == 0 else os.environ.get('USER', 'mysql')}"]
    if os.geteuid() == 0:  # it drops its rights, and must reach the folder all the same
        for parent in (folder, *folder.parents):
            if parent == Path("/tmp"):
                break
            parent.chmod(parent.stat().st_mode | 0o711)
        folder.chmod(0o777)
    subprocess.run(
        ["mariadb-install-db", f"--datadir={data}", "--auth-root-authentication-method=normal",
         "--skip-test-db", *user],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    log = (folder / "db.log").open("wb")
    server = subprocess.Popen(
        [*TIED, shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin") or "mariadbd",
         "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--skip-networking", *user,
         "--pid-file=db.pid", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M"],
        stdout=log, stderr=log,
    )  # fmt: skip

    def answers() -> bool:
        assert server.poll() is None, (folder / "db.log").read_text()[-2000:]
        made = "CREATE DATABASE IF NOT EXISTS kassa_test"
        asked = ["mariadb", "--no-defaults", f"--socket={socket}", "-u", "root", "-e", made]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    try:
        until(answers, "the database answers", 60)
        yield str(socket)
    finally:
        server.terminate()
        server.wait(30)
        log.close()


@contextmanager
def served(folder: Path, socket: str) -> Iterator[str]:
    """The plugin over HTTP, four requests at once; its address."""
    port = free_port()
    environ = {**os.environ, "KASSA_TEST_SOCKET": socket, "PHP_CLI_SERVER_WORKERS": "4"}
    log = (folder / "php.log").open("wb")
    router = PLUGIN / "tests/router.php"
    server = subprocess.Popen(
        [*TIED, "php", "-d", "display_errors=stderr", "-S", f"127.0.0.1:{port}", router],
        env=environ, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: b"started" in (folder / "php.log").read_bytes(), "PHP serves")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # its workers too
        server.wait(10)
        log.close()
