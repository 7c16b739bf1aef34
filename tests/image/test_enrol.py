"""What root does with the settings of a new kiosk, on folders; and how its unit is shut in."""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.counter.enrol_kit import CONFIG, TOKEN
from tests.image.script import load

ROOT = Path(__file__).parents[2] / "image/package/files"
SCRIPT = ROOT / "usr/lib/kassa/enrol.py"
UNITS = ROOT / "usr/lib/systemd/system"
IMPORT = ROOT.parents[1] / "system/files/usr/lib/kassa-image/import-settings"
DESK = "0f" * 32
GROUP = grp.getgrgid(os.getgid()).gr_name


enrol = load(SCRIPT)


class Box:
    def __init__(self, folder: Path) -> None:
        self.etc, self.left = folder / "etc", folder / "var/answer.json"
        self.etc.mkdir()
        self.left.parent.mkdir()
        self.config = self.etc / "kassa.toml"

    def leave(self, **changes: object) -> None:
        answer = {"config": CONFIG, "token": TOKEN, "shop_ca": "", "desk": DESK} | changes
        self.left.write_text(json.dumps(answer))

    def take(self) -> int:
        status: int = enrol.main(self.etc, self.left, GROUP)
        return status


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_settings_token_and_certificates_are_put_where_they_belong(box: Box) -> None:
    box.leave(shop_ca="-----BEGIN CERTIFICATE-----")
    (box.etc / "enrol.txt").write_text("123")
    assert box.take() == 0
    token = box.etc / "credentials/shop-token"
    assert (box.config.read_text(), token.read_text()) == (CONFIG, TOKEN + "\n")
    assert (box.etc / "enrolment-desk").read_text() == DESK + "\n"
    modes = {file.name: file.stat().st_mode & 0o777 for file in (box.config, token, token.parent)}
    assert modes == {"kassa.toml": 0o640, "shop-token": 0o600, "credentials": 0o700}
    assert not box.left.exists()
    assert sorted(file.name for file in box.etc.iterdir()) == [
        "credentials", "enrolment-desk", "kassa.toml", "shop-ca.pem"
    ]  # fmt: skip


def test_further_secrets_are_credentials_too(box: Box) -> None:
    box.leave(terminal_password="471147", link_keys="a hmac-sha256 x\nb ed25519 y\n")
    assert box.take() == 0
    files = {file.name: file for file in (box.etc / "credentials").iterdir()}
    assert {name: file.read_text() for name, file in files.items()} == {
        "shop-token": TOKEN + "\n",
        "terminal-password": "471147\n",
        "link-keys": "a hmac-sha256 x\nb ed25519 y\n",
    }
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o600}


def test_a_kiosk_with_settings_takes_no_others(box: Box, capsys: pytest.CaptureFixture) -> None:
    box.config.write_text(CONFIG + "# an administrator's\n")
    box.leave(token="t-other")
    assert box.take() == 1
    assert not box.left.exists()
    assert not (box.etc / "credentials").exists()
    assert "has settings" in capsys.readouterr().err


def test_nor_one_whose_settings_have_a_mistake(box: Box) -> None:
    box.config.write_text("[shop\n")
    box.leave()
    assert box.take() == 1
    assert box.config.read_text() == "[shop\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"token": ""},
        {"token": "two words"},
        {"token": "line\nline"},
        {"token": 1},
        {"desk": "x"},
        {"desk": "zz" * 32},
        {"config": "no toml"},
        {"config": "[counter]\n"},
        {"config": CONFIG.replace("token_credential", "token")},
        {"shop_ca": None},
        {"link_keys": None},
        {"terminal_password": "４７１１４７"},
        {"shop_ca": "x" * 300_000},
    ],
)
def test_what_is_not_whole_is_not_taken(box: Box, changes: dict[str, object]) -> None:
    box.leave(**changes)
    assert box.take() == 1
    assert list(box.etc.iterdir()) == []
    assert not box.left.exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "nothing", "no json"])
def test_only_a_file_of_its_own_is_read(box: Box, kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(json.dumps({"config": CONFIG, "token": "t", "shop_ca": "", "desk": DESK}))
    match kind:
        case "link":
            box.left.symlink_to(secret)
        case "pipe":
            os.mkfifo(box.left)
        case "no json":
            box.left.write_text("[" * 100_000)
        case "folder":
            box.left.mkdir()
    assert box.take() == 1
    assert list(box.etc.iterdir()) == []
    assert list(box.left.parent.iterdir()) == []
    assert secret.exists()


@pytest.mark.parametrize("at", range(6))
def test_a_power_cut_between_two_files_is_made_good(
    box: Box, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.leave(shop_ca="pem", terminal_password="471147", link_keys="a hmac-sha256 x")
    real, count = enrol.put, 0

    def put(*given: object, **named: object) -> None:
        nonlocal count
        if count == at:
            os._exit(1)
        count += 1
        real(*given, **named)

    child = os.fork()
    if child == 0:  # as if the power went: nothing is tidied up
        monkeypatch.setattr(enrol, "put", put)
        box.take()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert not box.config.exists()
    assert box.take() == 0
    assert box.config.read_text() == CONFIG


def test_a_disk_that_is_full_leaves_it_for_the_next_start(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    box.leave()
    with monkeypatch.context() as patched:
        patched.setattr(enrol.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            box.take()
    assert box.take() == 0


def test_a_power_cut_behind_the_settings_is_no_trouble(box: Box) -> None:
    box.config.write_text(CONFIG)
    box.leave()
    assert box.take() == 0
    assert not box.left.exists()


def test_a_code_of_the_boot_partition_comes_to_where_the_counter_looks(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / "enrol.txt").write_text("12345 67890\n")
    script = IMPORT.read_text().replace("root:kassa", f"{os.getuid()}:{os.getgid()}")
    local = tmp_path / "import"
    local.write_text(script.replace("root:root", f"{os.getuid()}:{os.getgid()}"))
    taken = tmp_path / "root/etc/kassa/enrol.txt"
    for _ in range(2):
        subprocess.run(["sh", local, card, tmp_path / "root"], check=True, capture_output=True)
        assert taken.read_text() == "12345 67890\n"
    taken.unlink()  # it was used: it does not come back
    subprocess.run(["sh", local, card, tmp_path / "root"], check=True, capture_output=True)
    assert not taken.exists()


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here"
)


@needs_systemd
def test_the_unit_is_shut_in() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager",
         UNITS / "kassa-enrol.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


@needs_systemd
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for name in ("kassa-enrol.service", "kassa-enrol.path"):
        text = (UNITS / name).read_text().replace("/usr/lib/kassa/enrol.py", str(SCRIPT))
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "kassa-enrol" in line] == []
