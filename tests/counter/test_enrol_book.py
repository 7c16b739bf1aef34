"""The administrator's desk: a code is used once, whoever comes, whatever the clock does."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from appliance.counter.enrol_book import Desk
from appliance.counter.enrol_settings import check
from appliance.domain.errors import ConfigTrouble
from appliance.protocols.enrolment import EnrolmentError, Settings, Verdict, read
from tests.counter.enrol_kit import CONFIG, HOUR_S, NOW, TOKEN, Clock, asks, desk_in, put_kiosk


def test_a_code_is_redeemed_once_and_its_answer_repeated(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    code, digits = desk.make("counter-7", "desk.example:8144", HOUR_S)
    assert read(digits) == code
    for _ in range(2):  # the answer was lost
        assert desk.redeem(asks(code)) == (Verdict.GRANTED, Settings(CONFIG, TOKEN))
    assert desk.redeem(asks(code, 2)) == (Verdict.USED, None)
    (line,) = desk.lines()
    assert (line.state(NOW), line.serial, line.kiosk) == ("used", "s-1", "counter-7")


def test_of_many_kiosks_at_once_one_gets_it(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    code, _ = desk.make("counter-7", "desk.example", HOUR_S)
    start, verdicts = threading.Barrier(8), []

    def race(number: int) -> None:
        asked = asks(code, number)
        start.wait(30)
        verdicts.append(desk.redeem(asked)[0])

    threads = [threading.Thread(target=race, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(verdicts) == [Verdict.GRANTED, *[Verdict.USED] * 7]


def test_it_is_used_on_disk_before_the_answer(tmp_path: Path) -> None:
    clock = Clock()
    code, _ = desk_in(tmp_path, clock).make("counter-7", "desk.example", HOUR_S)
    Desk(tmp_path, clock).redeem(asks(code))
    again = Desk(tmp_path, clock)  # the desk's machine was started anew
    assert again.redeem(asks(code, 2))[0] is Verdict.USED
    assert again.redeem(asks(code, 1))[0] is Verdict.GRANTED


@pytest.mark.parametrize(
    ("jump_s", "verdict"),
    [(HOUR_S - 1, Verdict.GRANTED), (HOUR_S, Verdict.EXPIRED), (-(10**4), Verdict.GRANTED)],
)
def test_the_edge_of_its_time_and_a_clock_that_jumps(
    tmp_path: Path, jump_s: int, verdict: Verdict
) -> None:
    clock = Clock()
    desk = desk_in(tmp_path, clock)
    code, _ = desk.make("counter-7", "desk.example", HOUR_S)
    clock.now += jump_s
    assert desk.redeem(asks(code))[0] is verdict
    clock.now = NOW + HOUR_S + 60
    # What was granted is repeated after its end, what was not stays refused.
    assert (desk.redeem(asks(code))[0] is Verdict.GRANTED) == (verdict is Verdict.GRANTED)


def test_withdrawn_by_its_id_or_by_the_kiosks_name(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    codes = [desk.make("counter-7", "desk.example", HOUR_S)[0] for _ in range(3)]
    desk.redeem(asks(codes[0]))
    assert desk.withdraw(codes[1].name) == 1
    assert desk.withdraw("counter-7") == 1  # the open one; the used one is the kiosk's
    assert [line.state(NOW) for line in desk.lines()] == ["used", "withdrawn", "withdrawn"]
    assert desk.redeem(asks(codes[1]))[0] is Verdict.WITHDRAWN
    assert desk.withdraw(codes[0].name) == 1  # but it can be named
    assert desk.redeem(asks(codes[0]))[0] is Verdict.WITHDRAWN
    assert desk.withdraw("nobody") == 0


def test_settings_that_are_gone_use_nothing(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    code, _ = desk.make("counter-7", "desk.example", HOUR_S)
    (tmp_path / "kiosks/counter-7.token").unlink()
    with pytest.raises(ConfigTrouble, match="cannot be read"):
        desk.redeem(asks(code))
    put_kiosk(tmp_path)
    assert desk.redeem(asks(code, 2))[0] is Verdict.GRANTED


@pytest.mark.parametrize("name", ["../desk", "", "a" * 65, "nobody", "a/b"])
def test_a_name_leads_to_no_other_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigTrouble):
        desk_in(tmp_path).make(name, "desk.example", HOUR_S)


def test_an_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError):
        desk_in(tmp_path).make("counter-7", "https://desk", HOUR_S)


def test_the_desks_files_are_its_own(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    desk.certificate()
    for name in ("desk.key", "tls.key", "book.sqlite3"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0, name
    assert Desk(tmp_path, Clock()).key == desk.key
    (tmp_path / "desk.key").write_text("nonsense")
    with pytest.raises(ConfigTrouble, match="no key of a desk"):
        Desk(tmp_path, Clock())


def test_a_crowded_book_forgets_what_is_long_over(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("appliance.counter.enrol_book.MOST_CODES", 2)
    clock = Clock()
    desk = desk_in(tmp_path, clock)
    for _ in range(5):
        desk.make("counter-7", "desk.example", HOUR_S)
        clock.now += 2 * HOUR_S
    assert len(desk.lines()) == 3  # those that count no more, and the newest


def test_a_disk_that_refuses_uses_nothing(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    code, _ = desk.make("counter-7", "desk.example", HOUR_S)
    with sqlite3.connect(tmp_path / "book.sqlite3") as book:
        book.execute(
            "CREATE TRIGGER no BEFORE UPDATE ON code BEGIN SELECT raise(ABORT, 'full'); END"
        )
    with pytest.raises(sqlite3.Error):
        desk.redeem(asks(code))
    assert [line.state(NOW) for line in desk.lines()] == ["open"]
    book.close()


# --- what a desk may make of a kiosk ----------------------------------------------------------


def test_plain_settings_are_taken() -> None:
    assert check(Settings(CONFIG, TOKEN)).counter.name == "Counter 7"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('token_credential = "shop-token"', 'token = "t"', "token_credential"),
        ('token_credential = "shop-token"', 'token_file = "/etc/hostname"', "token_file"),
        ("[counter]", '[counter]\ndata_dir = "/tmp/x"', "data_dir"),
        ("[shop]", '[printer]\naddress = "file:/etc/x"\n[shop]', "printer"),
        ("[shop]", '[terminal]\naddress = "serial:/dev/../etc/x"\n[shop]', "terminal"),
        ("[shop]", '[scanner]\naddress = "evdev:/tmp/x"\n[shop]', "scanner"),
        ("[shop]", '[links]\ncert_file = "/etc/x"\n[shop]', "cert_file"),
        ("[shop]", '[links]\nkeys_credential = "link-keys"\n[shop]', "if the desk has that"),
        ("[shop]", '[links]\nkeys_file = "/none"\n[shop]', "would not be on the kiosk"),
        ("[shop]", '[terminal]\npassword_credential = "p"\n[shop]', "if the desk has that"),
        ("[shop]", '[shop]\nca_file = "/etc/x.pem"', "ca_file"),
        ("[shop]", '[shop]\nca_file = "/etc/kassa/shop-ca.pem"', "ca_file"),
        ("[shop]", '[shop]\nkind = "unheard"', "kind"),
        ("[counter]", "counter", "kassa.toml"),
    ],
)
def test_settings_that_reach_further_are_not(old: str, new: str, what: str) -> None:
    with pytest.raises(ConfigTrouble, match=what):
        check(Settings(CONFIG.replace(old, new, 1), TOKEN))


KEYS = f"shop hmac-sha256 {'a2tr' * 11}\n"
SECRETS = (
    '[terminal]\npassword_credential = "terminal-password"\n'
    '[links]\nkeys_credential = "link-keys"\n'
)


def test_a_kiosk_gets_all_of_its_secrets(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    kiosks = tmp_path / "kiosks"
    (kiosks / "counter-7.toml").write_text(CONFIG + SECRETS)
    (kiosks / "counter-7.password").write_text("471147\n")
    (kiosks / "counter-7.keys").write_text(KEYS)
    settings = desk.settings("counter-7")
    assert settings == Settings(CONFIG + SECRETS, TOKEN, "", "471147", KEYS)
    found = check(settings)
    assert (found.terminal.password.reveal(), list(found.links.keys)) == ("471147", ["shop"])


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (Settings(CONFIG + SECRETS, TOKEN, "", "471147"), "keys_credential: is to be"),
        (Settings(CONFIG, TOKEN, "", "471147"), "password_credential: is to be"),
        (Settings(CONFIG + SECRETS, TOKEN, "", "471147", "no key\n"), "link-keys, line 1"),
        (Settings(CONFIG + SECRETS, TOKEN, "", "47114", KEYS), "holds no password"),
    ],
)
def test_secrets_and_what_names_them_come_together(settings: Settings, what: str) -> None:
    with pytest.raises(ConfigTrouble, match=what):
        check(settings)


def test_a_token_that_is_none_is_not_taken() -> None:
    with pytest.raises(ConfigTrouble, match="holds no token"):
        check(Settings(CONFIG, "two words"))


def test_certificates_of_the_shops_own_authority(tmp_path: Path) -> None:
    cert, _ = desk_in(tmp_path).certificate()
    text = CONFIG + 'ca_file = "/etc/kassa/shop-ca.pem"\n'
    assert check(Settings(text, TOKEN, cert.read_text())).shop.ca_file
    with pytest.raises(ConfigTrouble, match="PEM"):
        check(Settings(text, TOKEN, "no certificate"))
    with pytest.raises(ConfigTrouble, match="ca_file"):
        check(Settings(CONFIG, TOKEN, cert.read_text()))
