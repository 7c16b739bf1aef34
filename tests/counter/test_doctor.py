"""`kassa doctor`: what it finds, that it disturbs no running kiosk, that each fault has a cure."""

import os
import pwd
import re
import socket
import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.counter import doctor_config, doctor_devices, doctor_machine
from appliance.counter.config import parse
from appliance.counter.config_rules import NOWHERE
from appliance.counter.doctor import Finding, Machine, diagnose, main, render
from appliance.counter.doctor_findings import FIXES
from appliance.counter.doctor_machine import has_user
from appliance.counter.journal import Journal
from appliance.domain.errors import (
    Code,
    ConfigTrouble,
    JournalTrouble,
    PrinterTrouble,
    ScannerTrouble,
    ShopTrouble,
    TerminalTrouble,
)
from appliance.ports import Health, SellerList
from tests.counter.doctor_bench import Bench, must_not_be_asked, raising


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_counter_that_is_well(bench):
    findings = bench.findings()
    assert [f.name for f in findings if not f.ok or f.fix] == []
    assert [f.name for f in findings] == [
        "clock", "data", "disk", "instance", "journal", "web", "secrets", "terminal", "recovery",
        "printer", "scanner", "shop", "sellers", "claim", "links",
    ]  # fmt: skip
    assert "52500042, last receipt 17" in render(findings)
    assert render(findings).endswith("\nall well\n")


def test_everything_is_closed_again(bench):
    bench.findings()
    assert (bench.terminal.closed, bench.printer.closed, bench.shop.closed) == (1, 1, 1)


TERMINAL = [
    Code.TERMINAL_GONE, Code.TERMINAL_BUSY, Code.TERMINAL_CURRENCY, Code.TERMINAL_SETUP,
    Code.TERMINAL_NONSENSE,
]  # fmt: skip
PRINTER = [Code.PRINTER_GONE, Code.NO_PAPER, Code.COVER_OPEN, Code.PRINTER_FAULT]
SHOP = [Code.SHOP_NONSENSE, Code.SHOP_TOKEN, Code.SHOP_MOVED, Code.SHOP_BUSY]


@pytest.mark.parametrize("code", TERMINAL)
@pytest.mark.parametrize("by", ["connect", "check", "factory"])
def test_every_trouble_of_the_terminal(bench, code, by):
    trouble = TerminalTrouble(code, "detail 7")
    if by == "connect":
        bench.terminal.trouble = trouble
    elif by == "check":
        bench.terminal.health = Health(code, "detail 7")
    else:
        bench.drivers = replace(bench.drivers, terminal=raising(trouble))
    assert bench.failure() == Finding("terminal", False, f"{code}: detail 7", FIXES[code])
    assert bench.terminal.closed == (by != "factory")


@pytest.mark.parametrize("code", PRINTER)
def test_every_trouble_of_the_printer(bench, code):
    bench.printer.health = Health(code, "detail 7")
    assert bench.failure() == Finding("printer", False, f"{code}: detail 7", FIXES[code])
    bench.drivers = replace(bench.drivers, printer=raising(PrinterTrouble(code)))
    assert bench.failure().what.startswith(code)


def test_a_bug_in_a_driver_is_not_taken_for_a_broken_device(bench):
    bench.drivers = replace(bench.drivers, printer=raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        bench.findings()
    bench.drivers = replace(bench.drivers, printer=lambda: bench.printer)
    bench.scanner.trouble = KeyError("of the scanner's thread")
    with pytest.raises(KeyError):
        bench.findings()


def test_the_scanner_is_gone(bench):
    bench.scanner.trouble = ScannerTrouble(Code.SCANNER_GONE, "detail 7")
    assert bench.failure() == Finding(
        "scanner", False, "K-SCN-02: detail 7", FIXES[Code.SCANNER_GONE]
    )


@pytest.mark.parametrize(
    ("opens", "ends", "said"),
    [
        (False, True, "it did not open within"),
        (True, False, "it did not close within"),
        (False, False, "it did not open within"),
    ],
)
def test_a_scanner_that_hangs(bench, monkeypatch, opens, ends, said):
    monkeypatch.setattr(doctor_devices, "OPEN_S", 0.05)
    bench.scanner.opens, bench.scanner.ends = opens, ends
    try:
        assert said in bench.failure().what
    finally:
        bench.scanner.ends = True
        bench.scanner.close()


def test_what_was_scanned_meanwhile_is_not_told(bench):
    assert "SECRET" not in render(bench.findings())


def test_no_scanner_is_well(bench):
    bench.drivers = replace(bench.drivers, scanner=None)
    bench.config = replace(
        bench.config, scanner=replace(bench.config.scanner, kind="none", address=NOWHERE)
    )
    assert bench.failures() == []


# --- while the kiosk runs -------------------------------------------------------------------------


def test_a_running_kiosk_keeps_its_devices(bench):
    quiet = dict.fromkeys(("terminal", "printer", "scanner"), must_not_be_asked)
    running = raising(JournalTrouble(Code.SECOND_INSTANCE))
    bench.drivers = replace(bench.drivers, lock=running, **quiet)
    assert bench.advice().name == "instance"
    assert "systemctl stop kassa" in bench.advice().fix
    text = render(bench.findings())
    for name in ("terminal", "printer", "scanner"):
        assert re.search(rf"^note  {name} .*, not spoken to$", text, re.MULTILINE)
    assert text.endswith("\nnothing wrong; 3 not checked\n")
    bench.shop.trouble = ShopTrouble(Code.SHOP_BUSY)
    assert render(bench.findings()).endswith("fail; 3 not checked\n")


def test_the_lock_is_held_while_devices_are_spoken_to_and_no_longer(bench):
    held = False

    @contextmanager
    def lock():
        nonlocal held
        held = True
        yield
        held = False

    def terminal():
        assert held
        return bench.terminal

    bench.drivers = replace(bench.drivers, lock=lock, terminal=terminal)
    assert bench.failures() == []
    assert bench.terminal.is_open
    assert not held


def test_somebody_elses_folder_is_left_alone(bench):
    """As root, the doctor would make files that the kiosk may not open."""
    bench.machine = replace(bench.machine, user=lambda: 4242)
    bench.drivers = replace(
        bench.drivers,
        lock=must_not_be_asked,
        journal=lambda _: must_not_be_asked(),
        terminal=must_not_be_asked,
    )
    assert "and you are 4242" in bench.failure().what
    assert "sudo -u" in bench.failure().fix


# --- the machine ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "name", "said"),
    [
        ({"now": lambda: datetime(1970, 1, 1, tzinfo=UTC)}, "clock", "timedatectl set-ntp"),
        ({"free_bytes": lambda _: 10**6}, "disk", "free space"),
        ({"usable": lambda path: path.name != "data"}, "data", "mount it writable"),
        ({"usable": lambda path: path.name != "scanner"}, "scanner", "udev rules"),
    ],
)
def test_what_is_wrong_with_the_machine(bench, broken, name, said):
    bench.machine = replace(bench.machine, **broken)
    (finding,) = bench.failures()
    assert finding.name == name
    assert said in finding.fix or name == "scanner"


def test_little_room_is_said_before_it_is_too_little(bench):
    bench.machine = replace(bench.machine, free_bytes=lambda _: 2 * 10**8)
    assert bench.advice() == Finding("disk", True, "190 MiB free", "free some space soon")


def test_a_clock_that_is_not_synchronised_yet(bench):
    daemon = bench.root / "run/systemd/timesync"
    daemon.mkdir(parents=True)
    assert "not yet synchronised" in bench.advice().what
    (daemon / "synchronized").touch()
    assert bench.failures() == []
    assert all(not finding.fix for finding in bench.findings())


def test_a_data_folder_that_is_missing(bench):
    (bench.data / "journal.sqlite3").unlink()
    bench.data.rmdir()
    assert bench.failure().fix == f"sudo install -d -o kassa -g kassa -m 0750 {bench.data}"
    assert not bench.data.exists()
    bench.machine = replace(bench.machine, has_user=lambda _: False, user=lambda: 4242)
    assert "set [counter] data_dir" in bench.failure().fix
    assert f"-o 4242 -m 0750 {bench.data}" in bench.failure().fix
    assert has_user("root")
    assert not has_user("no-such-user")


def test_the_journal(bench):
    for code in (Code.JOURNAL_DAMAGED, Code.JOURNAL_NEWER, Code.DISK_FULL):
        trouble = JournalTrouble(code, "detail 7")
        bench.drivers = replace(bench.drivers, journal=lambda _, t=trouble: raising(t)())
        assert bench.failure() == Finding("journal", False, f"{code}: detail 7", FIXES[code])
    bench.drivers = replace(bench.drivers, journal=lambda _: ["fact 7: changed", "fact 9: changed"])
    assert bench.failure().what == "K-JRN-01: fact 7: changed"
    (bench.data / "journal.sqlite3").unlink()
    assert bench.failures() == []


def test_a_lock_that_cannot_be_had(bench):
    trouble = JournalTrouble(Code.DISK_FULL, "detail 7")
    bench.drivers = replace(bench.drivers, lock=raising(trouble), terminal=must_not_be_asked)
    assert bench.failure().name == "instance"


def test_a_port_that_another_program_has(bench):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        bench.config = replace(bench.config, web=replace(bench.config.web, port=port))
        bench.machine = replace(bench.machine, listen=Machine().listen)
        found = bench.failure()
    assert f"127.0.0.1:{port}" in found.what
    assert f"ss -ltnp 'sport = :{port}'" in found.fix
    assert bench.failures() == []


# --- the shop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", SHOP)
def test_every_trouble_of_the_shop(bench, code):
    bench.shop.trouble = ShopTrouble(code, "detail 7")
    assert bench.failure() == Finding("shop", False, f"{code}: detail 7", FIXES[code])
    assert bench.shop.closed == 1


def test_a_trouble_without_a_cure_of_its_own_leads_to_the_runbook(bench):
    bench.shop.trouble = ShopTrouble(Code.SHOP_REFUSES_FACT)
    assert bench.failure().fix == "see docs/runbook/K-SHP-05.md"


def test_a_driver_that_refuses_its_configuration(bench):
    trouble = ConfigTrouble(["one", "two"])
    bench.drivers = replace(bench.drivers, shop=raising(trouble), printer=raising(trouble))
    assert [f.name for f in bench.failures()] == ["printer", "shop"]
    assert "K-CFG-01: one two" in render(bench.failures())


@pytest.mark.parametrize(
    ("broken", "what", "fix"),
    [
        ("resolve", "K-SHP-01: shop.example has no address: Name unknown", "resolvectl query"),
        ("dial", "K-SHP-01: shop.example:443: Name unknown", "port 443"),
        ("", "K-SHP-01: shop.example is there, but: TLS", "curl -v https://shop.example"),
    ],
)
def test_a_shop_that_cannot_be_reached_and_where_the_way_ends(bench, broken, what, fix):
    def fail(host, port):
        assert (host, port) == ("shop.example", 443)
        raise OSError(-2, "Name unknown")

    if broken:
        bench.machine = replace(bench.machine, **{broken: fail})
    bench.shop.trouble = ShopTrouble(Code.SHOP_UNREACHABLE, "TLS")
    assert bench.failure().what == what
    assert fix in bench.failure().fix


@pytest.mark.parametrize(
    ("broken", "what", "fix"),
    [
        ("resolve", "K-SHP-01: proxy.example has no address: Name unknown", "resolvectl query"),
        ("dial", "K-SHP-01: proxy.example:3128: Name unknown", "[shop] proxy"),
        (
            "",
            "K-SHP-01: the proxy proxy.example:3128 is there, but: TLS",
            "curl -v -x http://proxy.example:3128 https://shop.example",
        ),
    ],
)
def test_with_a_proxy_that_is_as_far_as_this_machine_goes(bench, broken, what, fix):
    def fail(host, port):
        assert (host, port) == ("proxy.example", 3128)
        raise OSError(-2, "Name unknown")

    if broken:
        bench.machine = replace(bench.machine, **{broken: fail})
    shop = replace(bench.config.shop, proxy="http://proxy.example:3128")
    bench.config = replace(bench.config, shop=shop)
    bench.shop.trouble = ShopTrouble(Code.SHOP_UNREACHABLE, "TLS")
    assert bench.failure().what == what
    assert fix in bench.failure().fix


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_shop_on_this_machine_has_no_firewall_before_it(bench, host):
    def refuse(host, port):
        raise ConnectionRefusedError(111, "Connection refused")

    bench.config = replace(
        bench.config, shop=replace(bench.config.shop, url=f"http://{host}:8080/shop")
    )
    bench.machine = replace(bench.machine, dial=refuse)
    bench.shop.trouble = ShopTrouble(Code.SHOP_UNREACHABLE, "refused")
    assert "start the shop" in bench.failure().fix
    assert "firewall" not in bench.failure().fix


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can become another user")
@pytest.mark.parametrize("owner", [0, pwd.getpwnam("nobody").pw_uid])
def test_root_goes_on_as_the_counters_user(tmp_path, owner):
    """Not back, and without root's groups."""
    os.chown(tmp_path, owner, 0)
    child = os.fork()
    if child == 0:
        doctor_machine.become_owner(tmp_path)
        ids, groups = os.getresuid(), {*os.getresgid(), *os.getgroups()}
        is_so = ids == (owner,) * 3 and (0 in groups) == (owner == 0)
        os._exit(0 if is_so else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_name_server_that_never_answers(bench, monkeypatch):
    monkeypatch.setattr(doctor_devices, "NETWORK_S", 0.05)
    over = threading.Event()
    bench.machine = replace(bench.machine, resolve=lambda host, port: over.wait(10) and None)
    bench.shop.trouble = ShopTrouble(Code.SHOP_UNREACHABLE, "TLS")
    try:
        assert "has no address: no answer within" in bench.failure().what
    finally:
        over.set()


def test_what_the_shop_says_of_itself(bench):
    bench.shop.atomic = False
    assert bench.advice().name == "claim"
    bench.shop.atomic = True
    bench.shop.malformed = {"1042": "no lines", "1043": "no price"}
    assert bench.advice().what == "K-ORD-11: 2, the first 1042: no lines"
    bench.shop.malformed = {}
    bench.terminal.recovers = False
    assert bench.advice().name == "recovery"
    bench.terminal.recovers = True
    bench.shop.sellers_list = SellerList()
    assert bench.failure() == Finding(
        "sellers", False, "0 badges", "let the shop's office enter the sellers' badges"
    )


# --- the configuration ----------------------------------------------------------------------------

EXAMPLE = Path(__file__).parents[2] / "docs" / "kassa.example.toml"


def test_the_example_as_it_is(bench):
    """Without systemd there is no token: that is said, and the devices are looked at."""
    config, missing = doctor_config.load(EXAMPLE, names={}, environ={})
    assert list(missing) == ["shop"]
    assert missing["shop"] == Finding(
        "shop",
        False,
        "K-CFG-01: token_credential: there is no $CREDENTIALS_DIRECTORY",
        "start by systemd with LoadCredential=shop-token:/path, or use token_file",
    )
    bench.config = replace(config, counter=replace(config.counter, data_dir=bench.data))
    bench.drivers = replace(bench.drivers, shop=must_not_be_asked)
    findings = diagnose(bench.config, bench.drivers, bench.machine, missing=missing)
    assert [f.name for f in findings if not f.ok] == ["shop"]
    assert bench.terminal.closed == 1


def test_a_token_that_is_there(tmp_path):
    (tmp_path / "shop-token").write_text("t0ken\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    config, missing = doctor_config.load(EXAMPLE, names={}, environ=environ)
    assert missing == {}
    assert config.shop.token.reveal() == "t0ken"


@pytest.mark.parametrize(
    ("shop", "mistakes"),
    [
        ("[shop]\nurl = 7\npickup_point = 'p'\ntoken_file = '/none'", 2),
        ("[shop]\nurl = 'https://x.example'\npickup_point = 'p'", 1),
    ],
)
def test_other_mistakes_are_raised_as_ever(tmp_path, shop, mistakes):
    file = tmp_path / "kassa.toml"
    file.write_text(f"{shop}\n[counter]\nname = 'C'\n")
    with pytest.raises(ConfigTrouble) as caught:
        doctor_config.load(file, names={}, environ={})
    assert len(caught.value.mistakes) == mistakes


def test_a_terminal_is_not_asked_with_another_password(bench, tmp_path):
    """It may count the wrong ones."""
    file = tmp_path / "kassa.toml"
    file.write_text(BASE + "token = 't'\n[terminal]\npassword_credential = 't'\n")
    config, missing = doctor_config.load(file, names={}, environ={})
    bench.config = replace(config, counter=replace(config.counter, data_dir=bench.data))
    bench.drivers = replace(bench.drivers, terminal=must_not_be_asked)
    findings = diagnose(bench.config, bench.drivers, bench.machine, missing=missing)
    assert [finding for finding in findings if not finding.ok] == [
        Finding(
            "terminal",
            False,
            "K-CFG-01: password_credential: there is no $CREDENTIALS_DIRECTORY",
            "start by systemd with LoadCredential=t:/path, or use password",
        )
    ]
    assert [f.name for f in findings if not f.is_checked] == ["terminal"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("token = 't'", "token: in kassa.toml; password: the factory's"),
        ("token_file = '{c}'", "token: {c}; password: the factory's"),
        (
            "token = 't'\n[terminal]\npassword = '987654'",
            "token: in kassa.toml; password: in kassa.toml",
        ),
        (
            "token_credential = 'c'\n[terminal]\npassword_credential = 'd'\n"
            "[links]\nkeys_credential = 'e'",
            "token: credential c; password: credential d; keys: credential e",
        ),
        (
            "token = 't'\n[links]\nkeys_file = '{e}'",
            "token: in kassa.toml; password: the factory's; keys: {e}",
        ),
    ],
)
def test_where_each_secret_comes_from_is_said(tmp_path, lines, said):
    places = {name: tmp_path / name for name in "cde"}
    for name, content in zip("cde", ("t0ken", "987654", KEYS), strict=True):
        places[name].write_text(content)
    file = tmp_path / "kassa.toml"
    file.write_text(BASE + lines.format(**places) + "\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    config, missing = doctor_config.load(file, names={}, environ=environ)
    assert missing == {}
    assert doctor_config.secrets(config) == Finding("secrets", True, said.format(**places))


# --- links ----------------------------------------------------------------------------------------

KEYS = (
    "shop hmac-sha256 c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M\n"
    "kiosk hmac-sha256 a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\n"
)
BASE = "[counter]\nname = 'C'\n[shop]\nurl = 'https://x.example'\npickup_point = 'p'\n"
SIGNED = "[links]\naccept = 'signed'\nkeys_file = '{file}'\n"
BACK = "return_to = ['https://x.example']\n"


def with_links(bench, tmp_path, links, *, token="token = 't'\n"):
    """The findings named so, of a configuration with these links."""
    keys = tmp_path / "keys"
    keys.write_text(KEYS)
    file = tmp_path / "kassa.toml"
    file.write_text(links.format(file=keys) + BASE + token)
    config, missing = doctor_config.load(file, names={}, environ={})
    bench.config = replace(config, counter=replace(config.counter, data_dir=bench.data))
    found = diagnose(bench.config, bench.drivers, bench.machine, missing=missing)
    return {finding.name: finding for finding in found}


def test_links_that_are_set_up(bench, tmp_path):
    found = with_links(bench, tmp_path, SIGNED + BACK + "sign_with = 'kiosk'\n")["links"]
    what = "accept is signed; 2 keys; results may go to https://x.example"
    assert found == Finding("links", True, what)


@pytest.mark.parametrize(
    ("links", "what", "fix"),
    [(SIGNED, "nowhere", "return_to"), (SIGNED + BACK, "unsigned", "sign_with")],
)
def test_what_a_shop_with_links_would_stumble_over(bench, tmp_path, links, what, fix):
    found = with_links(bench, tmp_path, links)["links"]
    assert found.ok
    assert found.what.endswith(what)
    assert f"[links] {fix}" in found.fix


@pytest.mark.parametrize("links", [SIGNED, SIGNED + BACK + "sign_with = 'kiosk'\n"])
def test_keys_that_cannot_be_read_are_a_finding_and_the_rest_is_looked_at(bench, tmp_path, links):
    links = links.replace("{file}", "/none")
    found = with_links(bench, tmp_path, links)
    assert [finding for finding in found.values() if not finding.ok] == [found["links"]]
    assert found["links"].what.startswith("K-CFG-01: keys_file: /none cannot be read")
    both = with_links(bench, tmp_path, links, token="token_file = '/none'\n")
    assert [name for name, finding in both.items() if not finding.ok] == ["shop", "links"]


# --- applications that are reached by links -------------------------------------------------------


def test_an_application_is_not_spoken_to(bench):
    """What it is worth is all that can be said of it; and it has no node to look for."""
    bench.terminal = bench.printer = must_not_be_asked
    terminal = replace(bench.config.terminal, kind="pay-api", address=NOWHERE, knows_status=True)
    printer = replace(bench.config.printer, kind="print-api", address=NOWHERE)
    bench.config = replace(bench.config, terminal=terminal, printer=printer)
    found = {finding.name: finding for finding in bench.findings()}
    assert not found["terminal"].is_checked
    assert not found["printer"].is_checked
    assert "tells what became" in found["recovery"].what
    assert "receipts only" in found["paper"].what
    assert bench.failures() == []


def test_what_an_application_cannot_be_trusted_with_is_said(bench):
    terminal = replace(bench.config.terminal, kind="pay-api", address=NOWHERE, accept_unsigned=True)
    bench.config = replace(bench.config, terminal=terminal)
    found = {finding.name: finding for finding in bench.findings()}
    assert "goes to the seller" in found["terminal"].what
    assert "answer_key" in found["terminal"].fix
    assert "knows_status" in found["recovery"].fix


# --- text -----------------------------------------------------------------------------------------


def test_the_text_has_a_line_for_each_finding():
    found = [
        Finding("clock", True, "12:00"),
        Finding("web", True, "one\ntwo", "some advice"),
        Finding("terminal", False, "gone", "plug it in"),
    ]
    assert render(found).splitlines() == [
        "ok    clock     12:00",
        "note  web       one two  ->  some advice",
        "FAIL  terminal  gone  ->  plug it in",
        "1 of 3 fail",
    ]
    assert render([]) == "all well\n"


# --- with the real drivers ------------------------------------------------------------------------


def test_a_counter_without_anything_connected(tmp_path, capsys):
    """The wiring of `kassa doctor`: every address leads nowhere, and it says so of each."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        nobody = server.getsockname()[1]  # free again, and so refused, once this is closed
    config = parse(
        f"[counter]\nname = 'C'\ndata_dir = '{tmp_path}'\n"
        f"[web]\nport = {nobody}\n"
        f"[shop]\nurl = 'http://127.0.0.1:{nobody}'\npickup_point = 'p'\ntoken = 'not-shown'\n"
        f"[terminal]\naddress = 'tcp:127.0.0.1:{nobody}'\n"
        f"[printer]\naddress = 'tcp:127.0.0.1:{nobody}'\n"
        f"[scanner]\naddress = 'evdev:{tmp_path}/none'\n",
        "kassa.toml",
        names={},
        environ={},
    )
    Journal(config.counter.journal, lambda: "2026-03-01T12:00:00.000Z").close()
    assert main(config) == 69
    text = capsys.readouterr().out
    failed = [line for line in text.splitlines() if line.startswith("FAIL")]
    assert [line.split()[1] for line in failed] == ["terminal", "printer", "scanner", "shop"]
    for line, code in zip(
        failed, ["K-PAY-02", "K-PRN-01", "is not there", "K-SHP-01"], strict=True
    ):
        assert code in line
        assert "  ->  " in line
    assert text.endswith("\n4 of 12 fail\n")
    assert "journal.sqlite3, the chain holds" in text
    assert "not-shown" not in text
