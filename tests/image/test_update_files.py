"""What an update refuses before anything is touched: signatures, packages, releases that could not
be taken back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from kassa_updater import files, prepare
from kassa_updater.box import about_release
from kassa_updater.counter import read, wait_idle
from kassa_updater.places import Places
from kassa_updater.statement import Journal, Refused, Statement, public_keys, sign, verify

from appliance import __version__
from appliance.counter import release
from appliance.counter.migrations import MIGRATIONS
from appliance.domain.facts import Kind

ROOT = Path(__file__).parents[2]
KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
JOURNAL = Journal(1, frozenset({"a"}), frozenset({"a", "b"}))
SAID = Statement("kassa-kiosk", "1.1", "0" * 64, JOURNAL)
SIGNED = sign(SAID, KEY)


# --- signatures -----------------------------------------------------------------------------------


def test_what_was_signed_is_read() -> None:
    assert verify(SIGNED, [OTHER.public_key(), KEY.public_key()]) == SAID


def test_without_a_key_nothing_is_believed() -> None:
    with pytest.raises(Refused, match="/etc/kassa/release-keys"):
        verify(SIGNED, [])


def test_another_key_is_named() -> None:
    with pytest.raises(Refused, match="which is not among"):
        verify(SIGNED, [OTHER.public_key()])


@given(cut=st.integers(0, len(SIGNED) - 1))
def test_a_part_is_no_signature(cut: int) -> None:
    with pytest.raises(Refused):
        verify(SIGNED[:cut], [KEY.public_key()])


@given(place=st.integers(0, len(SIGNED) - 1), change=st.integers(1, 255))
def test_no_byte_may_be_another(place: int, change: int) -> None:
    changed = bytearray(SIGNED)
    changed[place] ^= change
    with pytest.raises(Refused):
        verify(bytes(changed), [KEY.public_key()])


@given(more=st.binary(min_size=1, max_size=100))
def test_nothing_may_follow(more: bytes) -> None:
    with pytest.raises(Refused):
        verify(SIGNED + more, [KEY.public_key()])


@pytest.mark.parametrize(
    "line",
    [b"[]", b"{}", b"nonsense", b"[" * 60_000, SAID.line().replace(b'"1.1"', b"1.1"),
     SAID.line().replace(b'"kassa-kiosk"', b'"../kassa"'), SAID.line().replace(b"[", b"{", 1)],
)  # fmt: skip
def test_a_signed_statement_of_another_shape_is_refused(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Statement, "line", lambda _: line)
    with pytest.raises(Refused, match="cannot read"):
        verify(sign(SAID, KEY), [KEY.public_key()])


def pem(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


def test_keys_are_files(tmp_path: Path) -> None:
    (tmp_path / "one.pub").write_bytes(pem(KEY))
    (tmp_path / "readme").write_text("no key")
    (found,) = public_keys([tmp_path, tmp_path / "missing"])
    assert found == KEY.public_key()
    (tmp_path / "two.pub").write_bytes(pem(generate_private_key(SECP256R1())))
    with pytest.raises(Refused, match=r"two\.pub: not an Ed25519"):
        public_keys([tmp_path])
    (tmp_path / "two.pub").write_text("nonsense")
    with pytest.raises(Refused, match=r"two\.pub: no public key"):
        public_keys([tmp_path])


# --- packages -----------------------------------------------------------------------------------


def make_deb(folder: Path, version: str, journal: dict[str, Any] | None = None) -> Path:
    """A package with nothing in it but what an update asks for."""
    tree = folder / f"tree-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: kassa-kiosk\nVersion: {version}\nArchitecture: all\n"
        "Maintainer: nobody <nobody@example.invalid>\nDescription: a test\n"
    )
    about = tree / "usr/lib/kassa/release.json"
    about.parent.mkdir(parents=True)
    found = release.about(version)
    about.write_text(json.dumps(found | {"journal": journal or found["journal"]}))
    file = folder / f"kassa-kiosk_{version}_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, capture_output=True
    )
    return file


def run_sign(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "image/sign.py", *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "release.pem"
    file.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A box with the publisher's key."""
    found = Places(tmp_path / "box")
    found.keys[0].mkdir(parents=True)
    (found.keys[0] / "release.pub").write_bytes(pem(KEY))
    (found.root / "var/lib").mkdir(parents=True)
    return found


def sig(deb: Path) -> Path:
    return deb.with_name(f"{deb.name}.sig")


def test_a_signed_package_is_known(tmp_path: Path, key: Path, places: Places) -> None:
    deb = make_deb(tmp_path, "1.1")
    done = run_sign("sign", "--key", key, deb)
    assert done.returncode == 0, done.stderr
    said = prepare.check(deb, sig(deb), places)
    assert (said.version, said.journal.schema) == ("1.1", len(MIGRATIONS))
    assert said.journal.writes == {kind.value for kind in Kind}
    assert run_sign("verify", "--keys", places.keys[0], deb).returncode == 0


def test_a_changed_package_is_refused(tmp_path: Path, key: Path, places: Places) -> None:
    deb = make_deb(tmp_path, "1.1")
    run_sign("sign", "--key", key, deb)
    whole = deb.read_bytes()
    for changed in (whole[:-1], whole + b"\n", b"", whole[:100] + b"!" + whole[101:]):
        deb.write_bytes(changed)
        with pytest.raises(Refused, match="not what was signed"):
            prepare.check(deb, sig(deb), places)
        assert run_sign("verify", "--keys", places.keys[0], deb).returncode == 1


def test_a_signature_counts_for_its_own_package(tmp_path: Path, key: Path, places: Places) -> None:
    old, new = make_deb(tmp_path, "1.0"), make_deb(tmp_path, "1.1")
    run_sign("sign", "--key", key, old)
    with pytest.raises(Refused, match="not what was signed"):
        prepare.check(new, sig(old), places)
    with pytest.raises(Refused, match="nobody's"):
        prepare.check(new, sig(new), places)


def test_an_images_signature_is_no_packages(tmp_path: Path, key: Path, places: Places) -> None:
    image = tmp_path / "kassa-1.1-arm64.img.zst"
    image.write_bytes(b"an image")
    assert run_sign("sign", "--key", key, image).returncode == 0
    assert "kassa-image-arm64 1.1" in run_sign("verify", "--keys", places.keys[0], image).stdout
    with pytest.raises(Refused, match="kassa-image-arm64"):
        prepare.check(image, sig(image), places)
    image.write_bytes(b"another image")
    assert run_sign("verify", "--keys", places.keys[0], image).returncode == 1


def test_what_is_neither_is_not_signed(tmp_path: Path, key: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    done = run_sign("sign", "--key", key, tmp_path / "notes.txt")
    assert done.returncode == 1
    assert "neither" in done.stderr


# --- which release may follow which -----------------------------------------------------------


def follow(version: str, journal: Journal, **how: bool) -> None:
    said = Statement("kassa-kiosk", version, "0" * 64, journal)
    prepare.may_follow(said, "1.0", JOURNAL, allow_downgrade=how.get("allow_downgrade", False))


def test_a_later_release_may_follow() -> None:
    follow("1.1", JOURNAL)
    follow("1.1", Journal(1, frozenset({"a", "b"}), frozenset({"a", "b", "c"})))


def test_the_same_and_an_older_one_may_not() -> None:
    with pytest.raises(Refused, match="already"):
        follow("1.0", JOURNAL)
    with pytest.raises(Refused, match="--allow-downgrade"):
        follow("1.0~dev3", JOURNAL)
    follow("1.0~dev3", JOURNAL, allow_downgrade=True)


@pytest.mark.parametrize(
    "journal",
    [
        Journal(2, frozenset({"a"}), frozenset({"a"})),
        Journal(1, frozenset({"c"}), frozenset({"a"})),
    ],
)
def test_one_whose_journal_the_present_cannot_read_may_not(journal: Journal) -> None:
    with pytest.raises(Refused, match="no way back"):
        follow("1.1", journal)


@pytest.mark.parametrize(
    "journal", [Journal(0, frozenset(), frozenset({"a"})), Journal(1, frozenset(), frozenset("b"))]
)
def test_one_that_cannot_read_the_journal_that_is_there_may_not(journal: Journal) -> None:
    with pytest.raises(Refused, match="cannot read what"):
        follow("0.9", journal, allow_downgrade=True)


def test_this_release_tells_what_it_writes(tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    file.write_text(json.dumps(release.about("9.9")))
    assert about_release(file) == Journal(
        len(MIGRATIONS),
        frozenset(set(Kind) - release.ONLY_READ),
        frozenset(kind.value for kind in Kind),
    )
    assert release.version(file) == "9.9"
    assert release.version(tmp_path / "missing") == __version__
    file.write_text("half")
    assert release.version(file) == "unknown"


# --- what is kept -----------------------------------------------------------------------------


def test_the_installed_package_is_looked_for(tmp_path: Path, places: Places) -> None:
    with pytest.raises(Refused, match="--present"):
        prepare.find_kept("1.0", places, None)
    with pytest.raises(Refused, match="--present"):
        prepare.find_kept("1.0", places, make_deb(tmp_path, "0.9"))
    deb = make_deb(tmp_path, "1.0")
    assert prepare.find_kept("1.0", places, deb) == deb
    factory = places.kept[1]
    factory.mkdir(parents=True)
    (factory / "broken.deb").write_text("no package")
    named = deb.rename(factory / "kassa-kiosk.deb")
    assert prepare.find_kept("1.0", places, None) == named


def test_both_packages_and_the_program_are_laid_ready(
    tmp_path: Path, key: Path, places: Places
) -> None:
    old, new = make_deb(tmp_path, "1.0"), make_deb(tmp_path, "1.1")
    run_sign("sign", "--key", key, new)
    said = prepare.check(new, sig(new), places)
    prepare.stage(new, said, old, "1.0", places)
    prepare.copy_program(places)
    # Again, it is as it was.
    target, kept = prepare.stage(new, said, old, "1.0", places)
    prepare.copy_program(places)
    assert files.sha256(places.releases / target.file) == target.sha256 == said.sha256
    assert (places.releases / kept.file).read_bytes() == old.read_bytes()
    # The copy needs nothing of the package, and nothing of where it came from.
    done = subprocess.run(
        [sys.executable, "-IB", places.program / "start.py", "update", "--help"],
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    assert "--allow-downgrade" in done.stdout
    assert not list(places.program.rglob("__pycache__"))


def test_the_updater_imports_nothing_of_the_counter(places: Places) -> None:
    for file in (prepare.HERE / "kassa_updater").glob("*.py"):
        assert "appliance" not in file.read_text().replace("appliance/counter", ""), file


def test_the_units_name_what_is_copied() -> None:
    for text in prepare.UNITS.values():
        assert "/var/lib/kassa-update/program/start.py" in text
        assert "ConditionPathExists=/var/lib/kassa-update/plan.json" in text


# --- is it idle -------------------------------------------------------------------------------


def test_health_is_read() -> None:
    seen = read({"status": "ok", "devices": {"shop": "ok"}, "busy": True, "version": "1"})
    assert (seen.is_busy, seen.version, seen.browser_age_s) == (True, "1", None)
    # A release that does not say: by its page.
    assert read({"status": "ok", "devices": {}, "page": "order"}).is_busy
    assert not read({"status": "ok", "devices": {}, "page": "idle"}).is_busy
    with pytest.raises(ValueError, match="healthz"):
        read({"status": "ok"})


@pytest.mark.parametrize(
    ("answers", "runs", "is_idle"),
    [
        ([False], True, True),
        ([True, True, False], True, True),
        ([True] * 9, True, False),
        ([None] * 9, True, False),
        ([None], False, True),
    ],
)
def test_waiting_for_idle(answers: list[bool | None], runs: bool, is_idle: bool) -> None:
    clock = [0.0]
    told = iter(answers)

    def see() -> Any:
        busy = next(told)
        return None if busy is None else read({"status": "ok", "devices": {}, "busy": busy})

    found = wait_idle(
        10.0,
        see=see,
        runs=lambda: runs,
        monotonic=lambda: clock[0],
        sleep=lambda duration_s: clock.__setitem__(0, clock[0] + duration_s),
    )
    assert found == is_idle
