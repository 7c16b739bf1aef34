"""The command line: what it prints, its exit status, and that a mistake names its cure."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from appliance import __version__
from appliance.cli import main
from appliance.counter import doctor_config, doctor_machine
from appliance.counter.journal import Journal
from appliance.domain.facts import Draft, Kind
from tests.rig import Rig, free_port, in_process, until


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite3"
    made = Journal(path, lambda: "2026-11-23T09:00:00.000Z")
    for number in range(3):
        subject = f"H-{made.new_name()}"
        made.append(
            [Draft(Kind.OPENED, subject, {"order": f"o-{number}", "snapshot": {"id": "x"}})]
        )
        made.append([Draft(Kind.PUT_BACK, subject, {"order": f"o-{number}"})], seller="s1")
    made.close()
    return path


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"kassa {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["doctor"],
        ["demo"],
        ["shop", "check"],
        ["shop", "labels"],
        *(["journal", what] for what in ("show", "verify", "export")),
    ],
)
def test_help_explains_every_option(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--help"])
    options = capsys.readouterr().out.partition("options:\n")[2].split("\n  -")
    for option in options[1:]:
        name, _, words = option.partition("  ")
        assert words.strip(), name


def test_a_demo_without_a_folders_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["demo", "--data", ""])
    assert "--data: name a folder" in capsys.readouterr().err


def test_ctrl_c_before_a_command_listens_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("appliance.cli._demo", interrupt)
    assert main(["demo"]) == 130


@pytest.mark.parametrize("port", ["0", "-1", "65535", "99999", "http"])
def test_a_demo_on_no_port(capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["demo", "--port", port])
    assert "--port: a number from 1 to 65534" in capsys.readouterr().err


def test_journal_show(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "show", "--file", str(journal), "--most", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "handover.put_back" in lines[1]
    assert " s1 " in lines[1]
    assert "snapshot" not in "".join(lines)
    subject = lines[1].split()[3]
    assert main(["journal", "show", "--file", str(journal), "--subject", subject]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_journal_export_is_whole(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "export", "--file", str(journal)]) == 0
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [fact["seq"] for fact in facts] == [1, 2, 3, 4, 5, 6]
    assert facts[0]["body"] == {"order": "o-0", "snapshot": {"id": "x"}}


def test_the_journal_is_read_without_any_secret(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a kiosk only systemd and root can read them, and who asks is the counter's user."""
    file = tmp_path / "kassa.toml"
    file.write_text(
        f"[counter]\nname = 'C'\ndata_dir = '{tmp_path}'\n[shop]\nurl = 'https://x.example'\n"
        "pickup_point = 'p'\ntoken_credential = 'shop-token'\n"
    )
    assert main(["journal", "show", "--config", str(file)]) == 0
    assert str(journal.parent) not in capsys.readouterr().err


def test_the_doctor_of_root_has_the_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[Path] = []
    monkeypatch.setattr(doctor_config, "DELIVERED", tmp_path)
    monkeypatch.setattr(doctor_machine, "become_owner", became.append)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "shop-token").write_text("t0ken\n")
    port = free_port()
    file = tmp_path / "kassa.toml"
    file.write_text(
        f"[counter]\nname = 'C'\ndata_dir = '{tmp_path}'\n"
        f"[shop]\nurl = 'http://127.0.0.1:{port}'\npickup_point = 'p'\n"
        "token_credential = 'shop-token'\n"
        f"[terminal]\naddress = 'tcp:127.0.0.1:{port}'\npassword_credential = 'none'\n"
    )
    assert main(["doctor", "--config", str(file)]) == 69
    said = capsys.readouterr().out
    assert "token: credential shop-token; password: credential none" in said
    assert "K-SHP-01" in said  # it was asked, with its token
    assert "none cannot be read (No such file or directory)" in said
    assert became == [tmp_path]


def test_journal_verify(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", "--file", str(journal)]) == 0
    assert capsys.readouterr().out == "the chain holds\n"
    with sqlite3.connect(journal) as db:
        db.execute("DROP TRIGGER fact_is_never_changed")
        db.execute("UPDATE fact SET seller = 'nobody' WHERE seq = 4")
    db.close()
    assert main(["journal", "verify", "--file", str(journal)]) == 65
    said = capsys.readouterr().out
    assert "fact 4:" in said
    assert "K-JRN-01" in said


def test_a_journal_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "show", "--file", str(tmp_path / "none")]) == 66
    assert capsys.readouterr().err == f"{tmp_path / 'none'}: there is no journal here\n"
    assert main(["journal", "show", "--file", str(tmp_path)]) == 66
    assert capsys.readouterr().err.startswith(f"{tmp_path}: is not a file")


@pytest.mark.parametrize("what", ["show", "verify", "export"])
def test_a_file_that_is_no_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("dear " * 1000)
    assert main(["journal", what, "--file", str(file)]) == 65
    assert capsys.readouterr().err == f"K-JRN-01: {file}: file is not a database\n"


def test_a_subject_that_is_not_there(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "show", "--file", str(journal), "--subject", "H-nope"]) == 66
    assert capsys.readouterr().err == "H-nope: the journal has no fact of it\n"


@pytest.mark.parametrize("most", ["-5", "0", "many", "1000001"])
def test_a_count_that_is_none(journal: Path, capsys: pytest.CaptureFixture[str], most: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["journal", "show", "--file", str(journal), "--most", most])
    assert "--most: a number from 1" in capsys.readouterr().err


def test_every_mistake_of_a_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kassa.toml"
    file.write_text('[counter]\nname = 7\n[shop]\nurl = "ftp://x"\n[terminal]\nbaud = 1\n')
    assert main(["run", "--config", str(file)]) == 78
    said = capsys.readouterr().err
    for part in ("kassa.toml:2:", "kassa.toml:4:", "kassa.toml:6:", "pickup_point", "K-CFG-01"):
        assert part in said


def test_the_doctor_finds_all_well_and_then_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Rig(tmp_path) as rig:
        with in_process(rig) as counter:
            until(lambda: len(counter.screen().devices) == 4, "it has run once")
        assert main(["doctor", "--config", str(rig.config_file)]) == 0
        well = capsys.readouterr().out
        assert rig.shop.tokens["mitte-1"] not in well
        rig.scanner.cable_out()
        rig.shop.stop()
        assert main(["doctor", "--config", str(rig.config_file)]) == 69
        ill = capsys.readouterr().out
        assert ill != well
        assert "scanner" in ill
        assert "shop" in ill


def test_the_doctor_can_look_at_the_settings_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No device, no shop, and no credential need be there; a mistake counts."""
    file = tmp_path / "kassa.toml"
    right = (
        '[counter]\nname = "A"\n[shop]\nurl = "https://shop.invalid"\npickup_point = "a"\n'
        'token_credential = "shop-token"\n'
    )
    file.write_text(right)
    assert main(["doctor", "--only-config", "--config", str(file)]) == 0
    assert capsys.readouterr().out == ""
    file.write_text(right + "[terminal]\nbaud = 1\n")
    assert main(["doctor", "--only-config", "--config", str(file)]) == 78
    assert "kassa.toml:8:" in capsys.readouterr().err


def test_run_names_a_data_folder_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Rig(tmp_path) as rig:
        rig.data.write_text("a file where the folder should be")
        assert main(["run", "--config", str(rig.config_file)]) == 69
    said = capsys.readouterr().err
    assert said.startswith("K-JRN-02: ")
    assert "data_dir" in said


def test_run_names_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Rig(tmp_path) as rig, socket.create_server(("127.0.0.1", rig.port)):
        assert main(["run", "--config", str(rig.config_file)]) == 78
    said = capsys.readouterr().err
    assert f"[web] port: 127.0.0.1:{rig.port} cannot be used" in said
    assert "K-CFG-01" in said


def test_what_is_plugged_in_is_told_without_a_configuration(capsys):
    assert main(["usb"]) == 0
    assert capsys.readouterr().out.strip()
