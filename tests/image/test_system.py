"""The scripts of the image, run on a host: what they take over, and what they find."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SYSTEM = Path(__file__).parents[2] / "image/system"
IMPORT = SYSTEM / "files/usr/lib/kassa-image/import-settings"
TARGETS = {
    "kassa.toml": "etc/kassa/kassa.toml",
    "shop-ca.pem": "etc/kassa/shop-ca.pem",
    "devices": "etc/kassa/devices",
    "link-keys": "etc/kassa/credentials/link-keys",
    "firewall.nft": "etc/kassa/firewall.d/boot.nft",
    "authorized_keys": "etc/kassa/ssh/authorized_keys",
    "network.nmconnection": "etc/NetworkManager/system-connections/boot.nmconnection",
}


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """The boot partition."""
    folder = tmp_path / "card"
    folder.mkdir()
    return folder


def take_over(card: Path) -> list[str]:
    """What a start takes over from the card; owners are left out, as the host has none of them."""
    fakes = card.parent / "bin"
    fakes.mkdir(exist_ok=True)
    (fakes / "chown").write_text("#!/bin/sh\n")
    (fakes / "chown").chmod(0o755)
    path = f"{fakes}:{os.environ['PATH']}"
    done = subprocess.run(
        [IMPORT, card, card.parent / "root"],
        env={"PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.removeprefix("taking over ") for line in done.stdout.splitlines()]


def test_each_file_has_its_place_and_no_other_is_touched(card: Path) -> None:
    for name in (*TARGETS, "README.txt", "kassa.toml.example", "..", "passwd"):
        if name != "..":
            (card / name).write_text(f"this is {name}")
    assert set(take_over(card)) == set(TARGETS)
    root = card.parent / "root"
    for name, target in TARGETS.items():
        assert (root / target).read_text() == f"this is {name}"
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    notes = {"link-keys.credential" if name == "link-keys" else name for name in TARGETS}
    assert found == set(TARGETS.values()) | {f"etc/kassa/imported/{name}" for name in notes}


def test_secrets_are_nobody_elses(card: Path) -> None:
    for name in TARGETS:
        (card / name).write_text("x")
    take_over(card)
    for name in set(TARGETS) - {"shop-ca.pem", "devices"}:
        assert (card.parent / "root" / TARGETS[name]).stat().st_mode & 0o007 == 0


def test_keys_are_where_the_settings_look_for_them(card: Path) -> None:
    """A card from before they were a credential works on, and may change over by its settings."""
    root = card.parent / "root/etc/kassa"
    (card / "link-keys").write_text("k")
    (card / "kassa.toml").write_text('[links]\nkeys_file = "/etc/kassa/link-keys"\n')
    assert set(take_over(card)) == {"kassa.toml", "link-keys"}
    assert (root / "link-keys").read_text() == "k"
    assert not (root / "credentials").exists()
    (root / "link-keys").write_text("changed on the box")
    assert take_over(card) == []
    (card / "kassa.toml").write_text('[links]\nkeys_credential = "link-keys"\n')
    assert take_over(card) == ["kassa.toml", "link-keys"]
    assert (root / "credentials/link-keys").read_text() == "k"
    assert (root / "credentials/link-keys").stat().st_mode & 0o777 == 0o600
    assert take_over(card) == []


def test_what_was_taken_over_is_left_alone_until_the_card_has_another(card: Path) -> None:
    (card / "kassa.toml").write_text("first")
    assert take_over(card) == ["kassa.toml"]
    there = card.parent / "root" / TARGETS["kassa.toml"]
    there.write_text("changed on the box")
    assert take_over(card) == []
    assert there.read_text() == "changed on the box"
    (card / "kassa.toml").unlink()
    assert take_over(card) == []
    (card / "kassa.toml").write_text("second")
    assert take_over(card) == ["kassa.toml"]
    assert there.read_text() == "second"


def test_a_cut_before_it_was_noted_only_takes_it_over_again(card: Path) -> None:
    (card / "kassa.toml").write_text("first")
    take_over(card)
    root = card.parent / "root"
    (root / "etc/kassa/imported/kassa.toml").unlink()
    (root / "etc/kassa/kassa.toml.new").write_text("half")
    assert take_over(card) == ["kassa.toml"]
    assert (root / TARGETS["kassa.toml"]).read_text() == "first"


def test_the_card_explains_every_file() -> None:
    explained = (SYSTEM / "boot-README.txt").read_text()
    assert all(name in explained for name in TARGETS)


# --- the write probe ------------------------------------------------------------------------------

PROBE = SYSTEM / "files/usr/lib/kassa-image/probe-write"


def probe(folder: Path, tmp_path: Path) -> tuple[int, list[str]]:
    """Its exit status, and its word."""
    done = subprocess.run([PROBE, folder, tmp_path / "word"], capture_output=True)
    return done.returncode, (tmp_path / "word").read_text().split()


def test_the_write_probe_leaves_word_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    status, word = probe(folder, tmp_path)
    assert (status, word[0]) == (0, "ok")
    assert float(word[1]) >= 0
    assert int(word[2]) > 1_700_000_000
    assert list(folder.iterdir()) == []


def test_a_disk_that_takes_nothing_is_named(tmp_path: Path) -> None:
    status, word = probe(tmp_path / "away", tmp_path)
    assert (status, word[0]) == (1, "failed")
