"""The runbook's pages: moving a kiosk, replacing a box, retiring one. What they promise, tried."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from appliance.cli import main
from appliance.counter import enrolling, leaving
from appliance.counter.enrolling import Places
from appliance.counter.instance import lock_folder
from appliance.counter.journal import Journal
from appliance.domain.errors import Code, JournalTrouble
from appliance.domain.facts import Draft, Kind

DELIVERED = (Kind.OPENED, Kind.PUT_BACK)
KEPT = {"enrolment-desk", "shop-ca.pem", "key"}


def places_in(folder: Path) -> Places:
    data = folder / "var"
    places = Places(
        folder / "etc/kassa.toml",
        data / "enrolment",
        folder / "dev",
        folder / "etc/enrolment-desk",
        folder / "etc/enrol.txt",
    )
    for made in (places.state, folder / "etc/credentials"):
        made.mkdir(parents=True)
    etc = folder / "etc"
    places.config.write_text(f'[counter]\ndata_dir = "{data}"\n[shop]\nurl = "https://s"\n')
    for file in (
        etc / "credentials/shop-token", etc / "credentials/link-keys", etc / "link-keys",
        etc / "shop-ca.pem", places.desk, places.card,
        places.state / enrolling.KEY, places.state / enrolling.PENDING,
    ):  # fmt: skip
        file.write_text("x")
    return places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return places_in(tmp_path)


def write(places: Places, *kinds: Kind, delivered: bool = True) -> None:
    journal = Journal(leaving.data_of(places) / leaving.JOURNAL, lambda: "2026-11-23T09:00:00.000Z")
    subject = f"H-{journal.new_name()}"
    for kind in kinds:
        body = {"order": "o-1", "snapshot": {"id": "x"}, "name": "n", "hash": "00"}
        journal.append([Draft(kind, subject, body)])  # type: ignore[arg-type]
    if delivered:
        journal.delivered(journal.last)
        journal.settle()
    journal.close()


def there(places: Places) -> set[str]:
    files = [*places.config.parent.rglob("*"), *places.state.rglob("*")]
    return {file.name for file in files if file.is_file()}


def test_retiring_gives_all_up_but_the_journal(places: Places) -> None:
    write(places, *DELIVERED)
    assert leaving.give_up(places, keep_identity=False) == []
    assert there(places) == set()
    assert leaving.data_of(places) == Path("/var/lib/kassa")  # the settings are gone
    assert (places.state.parent / leaving.JOURNAL).exists()
    assert enrolling.is_new(places.config)


def test_another_enrolment_keeps_the_key_and_the_desk(places: Places) -> None:
    write(places, *DELIVERED)
    assert leaving.give_up(places, keep_identity=True) == []
    assert there(places) == KEPT
    assert enrolling.is_new(places.config)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    ("kinds", "delivered", "word"),
    [
        ((Kind.OPENED,), True, "open: H-"),
        ((Kind.OPENED, Kind.PUT_BACK), False, "undelivered: 1"),
    ],
)
def test_nothing_is_given_up_while_something_is_unfinished(
    places: Places, kinds: tuple[Kind, ...], delivered: bool, word: str, keep: bool
) -> None:
    write(places, *kinds, delivered=delivered)
    before = there(places)
    (line,) = leaving.give_up(places, keep_identity=keep)
    assert line.startswith(word)
    assert there(places) == before


def test_a_paired_device_holds_nothing_up(places: Places) -> None:
    write(places, Kind.DEVICE_PAIRED)
    assert leaving.unfinished(leaving.data_of(places)) == []


def test_not_while_the_counter_runs(places: Places) -> None:
    write(places, *DELIVERED)
    with lock_folder(leaving.data_of(places)), pytest.raises(JournalTrouble) as refused:
        leaving.give_up(places, keep_identity=False)
    assert refused.value.code is Code.SECOND_INSTANCE
    assert "kassa.toml" in there(places)


def test_a_box_that_never_ran_and_one_whose_power_went(places: Places) -> None:
    (places.config.parent / "credentials/shop-token").unlink()  # the cut came behind the token
    assert leaving.give_up(places, keep_identity=False) == []
    assert leaving.give_up(places, keep_identity=False) == []
    assert there(places) == set()


def test_the_command_line(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(enrolling, "Places", lambda: places)
    write(places, Kind.OPENED)
    for words in (["retire", "--check"], ["retire"], ["enrol", "again"]):
        assert main(words) == 65
        assert "open: H-" in capsys.readouterr().err
    shutil.rmtree(places.state.parent)
    assert main(["retire", "--check"]) == 0
    assert main(["enrol", "again"]) == 0
    assert "nothing is open" in capsys.readouterr().out

    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    assert main(["retire"]) == 78
    assert "sudo" in capsys.readouterr().err
