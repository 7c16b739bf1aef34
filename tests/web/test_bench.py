"""The bench without its kiosk: the demo's files, its guard, its view, its switches."""

import json
import os
import re
import signal
import socket
import stat
import threading
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.counter import config
from appliance.counter.kinds import names
from appliance.protocols.links.signing import public
from appliance.simulators.town import Switch, Town
from appliance.simulators.zvt_slips import PAN
from tests.web.bench import free_ports
from web.bench import actions, demo
from web.bench.app import Bench, create_bench
from web.bench.files import Folder, toml, write_private
from web.bench.kiosk import Kiosk, Power
from web.bench.stories import FAULTS, POWER, STORIES
from web.bench.view import describe, view

WAIT_S = 10.0


def wait_until(is_so, timeout_s=WAIT_S):
    until = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.01)


@pytest.fixture
def town(tmp_path):
    with Town(tmp_path, host_s=0.0) as town:
        yield town


@pytest.fixture
def bench(town, tmp_path):
    folder = Folder(tmp_path)
    kiosk = Kiosk(folder.config, folder.kiosk, folder.logs, 1, town.touch)  # never started
    return Bench(town, kiosk, kiosk_port=8100, port=8101, language="en")


@pytest.fixture
def client(bench):
    app = create_bench(bench)
    app.testing = True
    return app.test_client()


OURS = {"Host": "127.0.0.1:8101"}
POST = {**OURS, "Origin": "http://127.0.0.1:8101", "X-Kassa": "bench"}


class TestFiles:
    VALUES = st.one_of(
        st.text(st.characters(exclude_categories=["C"])),
        st.integers(-(2**53), 2**53),
        st.booleans(),
        st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=5), max_size=3),
    )
    NAMES = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)

    @given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4), max_size=3))
    def test_toml_reads_back(self, sections):
        assert tomllib.loads(toml(sections)) == sections

    def test_nobody_else_may_read(self, tmp_path):
        before = os.umask(0)
        try:
            folder = Folder(tmp_path / "demo")
            folder.make()
            folder.token.write_text("old")
            folder.token.chmod(0o644)
            write_private(folder.token, "secret\n")
        finally:
            os.umask(before)
        for path in (folder.root, folder.kiosk):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.token.stat().st_mode) == 0o600
        assert folder.token.read_text() == "secret\n"

    def test_what_was_there_keeps_its_mode(self, tmp_path):
        tmp_path.chmod(0o755)
        Folder(tmp_path).make()
        Folder(tmp_path).make()
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
        assert stat.S_IMODE((tmp_path / "kiosk").stat().st_mode) == 0o700

    @pytest.mark.parametrize("language", ["en", "ru", "de", "fr"])
    @pytest.mark.parametrize("currency", ["EUR", "RUB", "USD", "JPY"])
    def test_the_kiosk_takes_the_configuration(self, tmp_path, language, currency):
        folder = Folder(tmp_path / "demo")
        folder.make()
        with Town(folder.root, currency=currency) as town:
            write_private(folder.token, town.token + "\n")
            write_private(folder.link_keys, "\n".join(town.link_keys.lines()))
            write_private(folder.config, toml(demo.configuration(town, folder, 8100, language)))
            found = config.load(folder.config, names=names(), environ={})
            assert found.counter.currency.code == currency
            assert found.counter.language == language
            assert found.web.frame_ancestors[0] == "http://127.0.0.1:8101"
            assert found.shop.token.reveal() == town.token
            assert found.links.accept == "confirmed"
            assert found.links.return_to == (town.shop.url,)
            assert found.links.keys["nordlicht"] == public(town.link_keys.shop)
            assert found.links.keys[found.links.sign_with] == town.link_keys.counter
            for device in (found.terminal, found.printer, found.scanner):
                assert Path(device.address.path).is_symlink()


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestData:
    """What `--data` may name: otherwise one line says why not, and nothing is touched."""

    @pytest.fixture
    def refused(self, capsys, monkeypatch):
        monkeypatch.setattr(demo, "_set_up_logs", lambda: None)  # they outlive the test's stderr

        def run(data):
            before = contents(data)
            status = demo.run(port=free_ports(), currency="RUB", language="ru", data=data)
            assert status == 69
            assert contents(data) == before
            told = capsys.readouterr().err
            assert told.count("\n") == 1
            assert str(data) in told
            return told

        return run

    def test_a_running_demos(self, tmp_path, refused):
        folder = Folder(tmp_path)
        folder.make()
        with folder.hold(), Town(tmp_path):
            write_private(folder.config, "the first one's\n")
            assert "has a running demo in it" in refused(tmp_path)
            assert (tmp_path / "dev" / "terminal").is_symlink()
        folder.hold().close()  # let go of when it ends

    def test_somebody_elses(self, tmp_path, refused):
        (tmp_path / "letter.txt").write_text("dear")
        tmp_path.chmod(0o755)
        assert "neither empty nor a demo's" in refused(tmp_path)
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755

    def test_a_file(self, tmp_path, refused):
        file = tmp_path / "letter.txt"
        file.write_text("dear")
        assert "is not a folder" in refused(file)


class TestPorts:
    def test_a_chosen_pair_that_is_taken_is_refused(self):
        first = free_ports()
        assert demo.free_pair(first) == first
        with socket.create_server(("127.0.0.1", first + 1)):
            assert demo.free_pair(first) is None

    def test_the_default_gives_way(self, monkeypatch):
        first = free_ports()
        monkeypatch.setattr(demo, "DEFAULT_PORT", first)
        with socket.create_server(("127.0.0.1", first)):
            found = demo.free_pair(first)
        assert found is not None
        assert found > first

    def test_no_such_port(self):
        assert demo.free_pair(65_535) is None

    def test_what_the_user_is_told(self, capsys, monkeypatch):
        monkeypatch.setattr(demo, "_set_up_logs", lambda: None)  # they outlive the test's stderr
        first = free_ports()
        with socket.create_server(("127.0.0.1", first)):
            status = demo.run(port=first, currency="EUR", language="en", data=None)
        assert status == 69
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert f"--port {first + 10}" in told


class TestStop:
    def test_the_first_signal_asks(self):
        before = signal.getsignal(signal.SIGTERM)
        with demo.Stop() as stop:
            asked = [stop.wait(0), stop.is_asked]
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(WAIT_S)
            asked.append(stop.is_asked)
        assert asked == [False, False, True]
        assert signal.getsignal(signal.SIGTERM) is before

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_what_comes_with_the_first_is_the_first(self, number):
        with demo.Stop() as stop:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), signal.SIGINT)  # or the process of this test would be gone
            assert stop.wait(WAIT_S)

    def test_nohup(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with demo.Stop() as stop:
                os.kill(os.getpid(), signal.SIGHUP)
                assert not stop.wait(0.1)
        finally:
            signal.signal(signal.SIGHUP, before)


class TestGuard:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            (OURS, 200),
            ({"Host": "localhost:8101"}, 200),
            ({"Host": "evil.example"}, 421),
            ({"Host": "127.0.0.1:8100"}, 421),
            ({**OURS, "Origin": "http://evil.example"}, 403),
            ({**OURS, "Sec-Fetch-Site": "cross-site"}, 403),
        ],
    )
    def test_who_may_look(self, client, headers, status):
        assert client.get("/state", headers=headers).status_code == status

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            (POST, 200),
            ({**OURS, "X-Kassa": "bench"}, 403),
            ({**OURS, "Origin": "http://127.0.0.1:8101"}, 403),
            ({**POST, "Origin": "http://127.0.0.1:8100"}, 403),
            ({**POST, "Host": "evil.example"}, 421),
        ],
    )
    def test_who_may_act(self, client, town, headers, status):
        answer = client.post(
            "/do", json={"action": "switch", "argument": "no-paper:on"}, headers=headers
        )
        assert answer.status_code == status
        assert town.switches()[Switch.NO_PAPER] is (status == 200)

    def test_a_form_may_not(self, client):
        assert client.post("/do", data={"action": "calm"}, headers=POST).status_code == 403

    @pytest.mark.parametrize(
        "body", ["[]", "{", '{"action": 7}', '{"action": "nonsense"}', "[" * 4000]
    )
    def test_nonsense_is_refused(self, client, body):
        answer = client.post("/do", data=body, headers=POST, content_type="application/json")
        assert answer.status_code in (400, 409)

    def test_a_large_body_is_refused(self, client):
        body = json.dumps({"action": "scan", "argument": "x" * 5000})
        answer = client.post("/do", data=body, headers=POST, content_type="application/json")
        assert answer.status_code == 413

    def test_the_policy(self, client, bench):
        answer = client.get("/", headers=OURS)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert f"frame-src http://127.0.0.1:8100/ {bench.town.shop.url}/" in policy
        page = answer.get_data(as_text=True)
        assert "<script>" not in page
        assert " style=" not in page
        assert " on" + "click" not in page


class TestPage:
    def test_every_button_does_something(self, client):
        page = client.get("/", headers=OURS).get_data(as_text=True)
        asked = {part.split('"')[0] for part in page.split('data-do="')[1:]}
        assert asked <= {*actions.ACTIONS, "scan-again"}
        switched = {part.split('"')[0] for part in page.split('data-switch="')[1:]}
        assert switched == {*Switch, POWER}

    def test_the_card_is_the_one_on_the_receipts(self, client):
        page = client.get("/", headers=OURS).get_data(as_text=True)
        (shown,) = re.findall(r"\*{4} (\d{4})<", page)
        assert PAN.endswith(shown)

    def test_the_stories_can_be_told(self):
        for story in STORIES:
            for step in story.steps:
                assert step.action in {*actions.ACTIONS, "scan-again"}
                if step.action == "switch":
                    assert step.argument.rpartition(":")[0] in {*Switch, POWER}

    def test_each_switch_stands_once(self):
        shown = [fault.name for _, faults in FAULTS for fault in faults]
        assert sorted(shown) == sorted([*Switch, POWER])

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("kind=code128&text=NL-10001", 200),
            ("kind=qr&text=NL-10001", 200),
            ("kind=code128&text=%D0%9A", 400),
            ("kind=code128&text=", 400),
            ("kind=qr&text=%00", 400),
            ("kind=code128&text=" + "x" * 81, 400),
            ("kind=qr&text=" + "x" * 1001, 400),
        ],
    )
    def test_codes(self, client, query, status):
        answer = client.get("/code.svg?" + query, headers=OURS)
        assert answer.status_code == status
        if status == 200:
            assert answer.get_data(as_text=True).startswith("<svg ")

    def test_no_such_paper(self, client):
        assert client.get("/paper/1.svg", headers=OURS).status_code == 404

    def test_events_tell_the_state_and_end(self, client, bench):
        answer = client.get("/events", headers=OURS, buffered=False)
        chunks = iter(answer.response)
        assert b"retry" in next(chunks)
        told = next(chunks).decode()
        assert told.startswith("event: state\n")
        assert json.loads(told.partition("data: ")[2])["kiosk"]["power"] == "off"
        bench.town.switch(Switch.COVER, True)
        while '"is_troubled": true' not in (told := next(chunks).decode()):
            assert told
        bench.stopping.set()
        bench.town.touch()
        assert list(chunks) == [] or bench.stopping.is_set()
        answer.close()

    def test_no_more_streams_than_there_is_room_for(self, client):
        open_ones = [client.get("/events", headers=OURS, buffered=False) for _ in range(8)]
        assert client.get("/events", headers=OURS).status_code == 503
        open_ones.pop().close()
        again = client.get("/events", headers=OURS, buffered=False)
        assert again.status_code == 200
        for answer in (*open_ones, again):
            answer.close()


class TestView:
    def test_each_order_says_what_it_shows(self, town):
        orders = {order.number: order for order in town.orders()}
        told = {
            number: describe(order, town.pickup_point, town.currency)
            for number, order in orders.items()
        }
        assert told["10001"] == ("plain", "to pay", True)
        assert told["10004"] == ("paid", "paid online", True)
        assert told["10006"] == ("check", "age check", True)
        assert told["10013"] == ("odd", "its sums are wrong", True)
        assert told["10015"] == ("odd", "handed over", False)
        assert told["20001"] == ("odd", "is at another counter", True)
        says = [said for _, said, _ in told.values()]
        assert len(set(says)) == len(says), "each order is there for a case of its own"

    def test_it_is_json_and_small(self, town, bench):
        told = json.dumps(view(town, bench.kiosk, "ru"))
        assert len(told) < 16_000

    def test_the_bank_is_asked_and_not_the_counter(self, town, bench):
        def verdict():
            return view(town, bench.kiosk, "en")["bank"]["verdict"]

        assert verdict() == "Nothing since this start: no card was charged"
        town.bank.book(100, 978, "28004869", 7, 7, "")
        assert verdict() == "1 charge that the shop has not heard of yet"


class TestSwitches:
    @pytest.mark.parametrize("switch", list(Switch))
    def test_on_and_off_and_calm(self, town, switch):
        assert not any(town.switches().values())
        town.switch(switch, True)
        town.switch(switch, True)
        assert [name for name, is_on in town.switches().items() if is_on] == [switch]
        town.switch(switch, False)
        assert not any(town.switches().values())
        town.switch(switch, True)
        town.calm()
        assert not any(town.switches().values())

    def test_the_terminal_keeps_its_cable_out_over_a_power_cut(self, town):
        link = Path(town.terminal.address.partition(":")[2])
        town.switch(Switch.TERMINAL_CABLE, True)
        town.switch(Switch.TERMINAL_PLUG, True)
        town.switch(Switch.TERMINAL_PLUG, False)
        assert not link.is_symlink()
        town.switch(Switch.TERMINAL_CABLE, False)
        assert link.is_symlink()

    def test_the_network_is_cut_and_comes_back(self, town):
        def ask():
            host, _, port = town.shop_url.removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port)), WAIT_S) as line:
                line.sendall(b"GET /v1/nothing HTTP/1.0\r\n\r\n")
                return line.recv(12)

        before = town.shop_url
        assert ask().startswith(b"HTTP/1.")
        town.switch(Switch.NETWORK, True)
        with pytest.raises(ConnectionRefusedError):
            ask()
        town.switch(Switch.NETWORK, False)
        assert town.shop_url == before
        assert ask().startswith(b"HTTP/1.")

    def test_a_cut_ends_what_is_open(self, town):
        host, _, port = town.shop_url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), WAIT_S) as line:
            line.sendall(b"GET /v1/no")
            town.network.wait_open(1, WAIT_S)
            town.switch(Switch.NETWORK, True)
            assert line.recv(1) == b""

    @pytest.mark.parametrize(
        ("action", "argument"),
        [
            ("terminal-tap", ""),
            ("terminal-insert", ""),
            ("terminal-decline", ""),
            ("terminal-cancel", ""),
            ("switch", "nonsense:on"),
            ("scan", ""),
            ("scan", "x" * 81),
            ("scan", "\x03"),
        ],
    )
    def test_what_cannot_be_done_is_said(self, town, bench, action, argument):
        with pytest.raises(actions.Refused, match=r"\w"):
            actions.do(town, bench.kiosk, action, argument)

    def test_a_scan_needs_its_cable(self, town, bench):
        actions.do(town, bench.kiosk, "switch", f"{Switch.SCANNER_CABLE}:on")
        with pytest.raises(actions.Refused, match="cable"):
            actions.do(town, bench.kiosk, "scan", "NL-10001")

    def test_a_scan_needs_a_counter(self, town, bench):
        with pytest.raises(actions.Refused, match="power"):
            actions.do(town, bench.kiosk, "scan", "NL-10001")

    def test_there_is_always_an_order_to_scan(self, town):
        seen = set()
        for _ in range(12):  # more than there are samples
            order = actions.fresh(town)
            assert order.id not in seen
            assert order.due
            assert not order.checks
            seen.add(order.id)
            town.shop.store.pay_online(order.id)


class TestKiosk:
    """A process that is none of ours would do: here one that ends, for it has no configuration."""

    def test_a_kiosk_that_does_not_start(self, tmp_path):
        folder = Folder(tmp_path)
        seen = []
        is_over = threading.Event()

        def changed():
            seen.append(kiosk.power)
            if kiosk.power is Power.DIED:
                is_over.set()

        kiosk = Kiosk(folder.config, folder.kiosk, folder.logs, free_ports(), changed)
        assert kiosk.tail() == ""
        kiosk.start()
        assert is_over.wait(30)
        assert seen == [Power.STARTING, Power.DIED]
        assert "kassa.toml" in kiosk.tail()
        assert kiosk.health() == {}
        assert kiosk.stop(1.0)
        kiosk.cut_power()
        assert kiosk.starts == 1
