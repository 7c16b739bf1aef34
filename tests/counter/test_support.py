"""The bundle for whoever helps: secrets planted wherever it looks, and none of them in it."""

from __future__ import annotations

import json
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.counter.journal import Journal
from appliance.counter.support import Sources, write
from appliance.domain.facts import Draft, Json, Kind
from tests.counter.journals import at_now

SECRETS = st.one_of(
    st.from_regex(
        r"[3-6][0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}", fullmatch=True
    ),  # card numbers
    st.from_regex(r"3[47][0-9]{2} [0-9]{6} [0-9]{5}", fullmatch=True),
    st.from_regex(r"ck_[0-9a-f]{40}|[A-Za-z0-9_-]{43}|[0-9a-f]{64}", fullmatch=True),
    st.sampled_from(["Maria Schneider", "Мария Соколова", "hunter2hunter2"]),
)


def bundle(folder: Path, secret: str, told: str) -> str:
    """All of a bundle's text, of a box that has the secret everywhere."""
    quoted = json.dumps(secret, ensure_ascii=False)
    config = folder / "kassa.toml"
    config.write_text(
        f"# {secret}\n[counter]\nname = {quoted}\ndata_dir = {json.dumps(str(folder))}\n"
        f"language = {quoted}\n[shop]\nurl = {quoted}\ntoken = {quoted}\nkind = 'kassa'\n"
        f"channel = {quoted}\n[terminal]\npassword = 471147\nbaud = 9600\n"
        f"password_credential = {quoted}\n[links]\nkeys_credential = {quoted}\n"
        f"keys = [{quoted}]\nreturn_to = [{quoted}]\n[odd]\nx = {quoted}\n"
    )
    journal = Journal(folder / "journal.sqlite3", at_now)
    body: dict[str, Json] = {
        "code": secret,
        "pan": secret,
        "lines": [secret],
        "order": secret,
        "name": secret,
    }
    journal.append([Draft(kind, secret, body) for kind in (Kind.APPROVED, Kind.SLIP)], secret)
    journal.append([Draft(Kind.DECLINED, "H-1", {"code": "K-PAY-01", "text": secret})])
    journal.close()
    line = {"event": "device_paired", "name": secret, "level": "info", "code": secret,
            "timestamp": "2026-11-26T10:00:00Z", secret: 1}  # fmt: skip
    log = "\n".join([json.dumps(line), secret, json.dumps({"event": secret, "level": secret,
                     "timestamp": secret, "exception": secret}), json.dumps([secret])])  # fmt: skip
    with server(told) as port:
        sources = Sources(
            config,
            port,
            lambda words: log if words[0] == "journalctl" else f"Result={secret}\nX={secret}\n",
            lambda: f"FAIL  shop      K-SHP-03: {secret}  ->  {secret}\n{secret}\n",
            lambda: "kassa_uptime_seconds 5\n",
        )
        out = folder / "bundle.tar.gz"
        assert write(sources, out) == []
    assert out.stat().st_mode & 0o777 == 0o600
    with tarfile.open(out) as archive:
        parts = [archive.extractfile(entry) for entry in archive.getmembers()]
        return "\n".join(part.read().decode() for part in parts if part is not None)


@contextmanager
def server(told: str) -> Iterator[int]:
    """A counter that says this of itself, as health and as figures."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            health = json.dumps({
                "status": "ok", "page": told, "counter": told, "code": told, "attention": 3,
                "browser_page": told, "devices": {"shop": told, told: "ok", "printer": "K-PRN-02"},
            })  # fmt: skip
            label = json.dumps(told, ensure_ascii=False)
            text = (
                f"kassa_status 1\nkassa_trouble{{device={label},code={label}}} 1\n"
                f"kassa_facts_total{{kind={label}}} 1\nkassa_outbox_facts 4111111111111111\n"
                'kassa_trouble{device="shop",code="K-SHP-03"} 1\n'
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write((health if self.path == "/healthz" else text).encode())

        def log_message(self, *_: object) -> None:
            """Nothing: a test says what went wrong."""

    made = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made.server_port
    finally:
        made.shutdown()
        thread.join(10)
        made.server_close()


@given(SECRETS)
@example("4111111111111111")
@example("4111 1111 1111 1111")
def test_no_secret_gets_in_and_what_helps_does(secret: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = bundle(Path(folder), secret, secret)
    assert secret not in text
    assert secret.replace(" ", "").replace("-", "") not in text
    assert "4111111111111111" not in text
    assert "471147" not in text
    for expected in ("kind = kassa", "baud = 9600", "token = (given)", "payment.declined",
                     "password_credential = (given)", "keys_credential = (given)",
                     "K-PAY-01", "device_paired", "FAIL shop K-SHP-03", '"attention": 3',
                     'code="K-SHP-03"', "kassa_uptime_seconds 5"):  # fmt: skip
        assert expected in text


def test_a_box_of_which_nothing_can_be_had(tmp_path: Path) -> None:
    def refused(*_: object) -> str:
        raise PermissionError

    sources = Sources(tmp_path / "none.toml", 1, refused, refused, refused)
    left_out = write(sources, tmp_path / "out")
    names = {line.partition(":")[0] for line in left_out}
    assert names == {"config.txt", "health.json", "metrics.txt", "journal.txt", "log.txt",
                     "units.txt", "doctor.txt"}  # fmt: skip
    with pytest.raises(FileExistsError):
        write(sources, tmp_path / "out")
