"""`kassa support-bundle`: what somebody who helps has to see of a box, in one file to be mailed.

By allow-list throughout: what is not known to be harmless is not in it, whatever it may be. So no
text that a person, a shop, a card or a device has written gets in; only our own words do.
"""

from __future__ import annotations

import contextlib
import io
import json
import platform
import re
import subprocess
import tarfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from appliance import __version__
from appliance.counter import config_schema as schema
from appliance.counter.commands import Answer
from appliance.counter.config import LARGEST_FILE
from appliance.counter.metrics import as_text
from appliance.counter.screen import Action, Page
from appliance.counter.update_state import OTHER, STATES
from appliance.domain.errors import Code, Trouble
from appliance.domain.facts import Kind

FACTS_MOST: Final = 500
LOG_LINES_MOST: Final = 1000
LARGEST_ANSWER: Final = 1024 * 1024
ANSWER_S: Final = 5.0
COMMAND_S: Final = 20.0
LARGEST_NUMBER: Final = 1_000_000
"""No card number, however it is written, is so small."""
UNITS: Final = tuple(
    f"kassa{name}.service" for name in ("", "-session", "-links", "-metrics", "-firewall")
)
_CODES: Final = frozenset(map(str, Code))
_WORDS: Final = frozenset(
    [
        "zvt",
        "pay-api",
        "escpos",
        "print-api",
        "evdev",
        "serial",
        "none",
        "kassa",
        "vendure",
        "woocommerce",
        "en",
        "ru",
        "de",
        "fr",
        "refuse",
        "rts-cts",
        "full",
        "auto",
        "light",
        "dark",
        "debug",
        "info",
        "warning",
        "error",
        "json",
        "text",
        "signed",
        "confirmed",
        "by-itself",
        "seller",
        "shipping-method",
        "us",
        "EUR",
        "RUB",
        "USD",
        "JPY",
        "epson-tm-80",
        "epson-tm-t88",
        "epson-tm-58",
        "generic-80",
        "generic-58",
        "cyrillic-80",
        "cyrillic-58",
        "127.0.0.1",
        "::1",
        "localhost",
    ]
)
_DEVICES: Final = frozenset({"terminal", "printer", "scanner", "shop", "machine", "counter"})
_LABELS: Final[Mapping[str, frozenset[str]]] = {
    "device": _DEVICES,
    "code": _CODES,
    "kind": frozenset(map(str, Kind)),
    "action": frozenset(map(str, Action)),
    "answer": frozenset(map(str, Answer)),
    "state": STATES | {OTHER},
    "certificate": frozenset({"shop"}),
    "version": frozenset({__version__}),
    "le": frozenset(
        ["0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.5", "2.0", "+Inf"]
    ),
}
_TIME: Final = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)\Z")
_EVENT: Final = re.compile(r"[a-z]{2,16}([_.][a-z]{1,16}){0,4}\Z")
_FINDING: Final = re.compile(r"(ok|note|FAIL) +([a-z]{2,10})  ")
_CODE: Final = re.compile(r"\bK-[A-Z]{3}-\d\d\b")
_STATE: Final = re.compile(r"(ActiveState|SubState|Result|NRestarts)=([a-z-]{1,20}|\d{1,5})\Z")


@dataclass(slots=True)
class Sources:
    """Where a bundle is taken from; tests give their own. port: the counter's. run: a command's
    output; raises OSError or subprocess.SubprocessError. doctor: what it prints."""

    config: Path
    port: int
    run: Callable[[tuple[str, ...]], str]
    doctor: Callable[[], str]
    machine: Callable[[], str]
    left_out: list[str] = field(default_factory=list)


def write(sources: Sources, out: Path) -> list[str]:
    """Write the bundle, readable for its owner alone. What had to be left out, a line each. Raises
    OSError where it cannot be written, FileExistsError where something is there."""
    parts: dict[str, Callable[[Sources], str]] = {
        "version.txt": lambda _: f"kassa {__version__}\npython {platform.python_version()}\n",
        "config.txt": _config,
        "health.json": _health,
        "metrics.txt": _metrics,
        "journal.txt": _journal,
        "log.txt": _log,
        "units.txt": _units,
        "doctor.txt": _doctor,
    }
    found: dict[str, str] = {}
    for name, part in parts.items():
        try:
            found[name] = part(sources)
        except (OSError, HTTPException, ValueError, Trouble, subprocess.SubprocessError,
                RecursionError) as error:  # fmt: skip
            sources.left_out.append(f"{name}: {type(error).__name__}")
    found["left-out.txt"] = "".join(f"{line}\n" for line in sources.left_out)
    with out.open("xb") as stream:
        out.chmod(0o600)
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name, text in found.items():
                content = text.encode()
                entry = tarfile.TarInfo(f"kassa-support/{name}")
                entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
                archive.addfile(entry, io.BytesIO(content))
    return sources.left_out


def _read_config(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return tomllib.loads(stream.read(LARGEST_FILE).decode("utf-8-sig"))


def _config(sources: Sources) -> str:
    """Which keys are given, and the values that are words or small numbers of ours."""
    content, lines = _read_config(sources.config), []
    for section in schema.SECTIONS:
        given = content.get(section)
        if isinstance(given, dict):
            lines.append(f"[{section}]")
            lines += [
                f"{name} = {_shown(given[name], key.default)}"
                for name, key in schema.keys(section).items()
                if name in given
            ]
    return "\n".join([*lines, ""])


def _shown(value: object, default: object) -> str:
    """default: the key's own; a number where none belongs may be a secret without its quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    is_number = isinstance(default, int | float)
    if is_number and isinstance(value, int | float) and abs(value) < LARGEST_NUMBER:
        return f"{value:g}"
    return value if isinstance(value, str) and value in _WORDS else "(given)"


def _ask(sources: Sources, path: str) -> bytes:
    with closing(HTTPConnection("127.0.0.1", sources.port, timeout=ANSWER_S)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read(LARGEST_ANSWER)


def _health(sources: Sources) -> str:
    told = json.loads(_ask(sources, "/healthz"))
    if not isinstance(told, dict):
        raise ValueError("no object")  # noqa: TRY004 - a far end's mistake
    shown: dict[str, object] = {}
    for key, words in (
        ("status", {"ok", "degraded", "failing"}), ("code", _CODES),
        ("page", set(map(str, Page))), ("browser_page", set(map(str, Page))),
    ):  # fmt: skip
        if isinstance(told.get(key), str) and told[key] in words:
            shown[key] = told[key]
    for key in ("attention", "undelivered", "handed_over_today", "loop_age_s", "browser_age_s"):
        if isinstance(told.get(key), int | float) and abs(told[key]) < LARGEST_NUMBER:
            shown[key] = told[key]
    devices = told.get("devices")
    if isinstance(devices, dict):
        shown["devices"] = {
            name: state
            for name, state in devices.items()
            if name in _DEVICES and isinstance(state, str) and state in _CODES | {"ok"}
        }
    return json.dumps(shown, indent=1) + "\n"


def _metrics(sources: Sources) -> str:
    """Figures of ours whose labels have values of ours; and what the machine says of itself."""
    from prometheus_client.parser import text_string_to_metric_families

    text, lines = _ask(sources, "/metrics").decode(), list[str]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            is_ours = sample.name in _NAMES and all(
                value in _LABELS.get(name, ()) for name, value in sample.labels.items()
            )
            small = abs(sample.value) < LARGEST_NUMBER or sample.name.endswith("timestamp_seconds")
            if is_ours and small and abs(sample.value) < 10**11:
                labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
                lines.append(f"{sample.name}{{{labels}}} {sample.value:g}")
    return "\n".join(lines) + "\n" + sources.machine()


_NAMES: Final = frozenset(
    [
        "kassa_build_info",
        "kassa_status",
        "kassa_device_up",
        "kassa_trouble",
        "kassa_attention_items",
        "kassa_payments_unknown",
        "kassa_outbox_facts",
        "kassa_handovers_today",
        "kassa_loop_age_seconds",
        "kassa_browser_age_seconds",
        "kassa_paper_low",
        "kassa_certificate_expiry_timestamp_seconds",
        "kassa_update_state",
        "kassa_update_timestamp_seconds",
        "kassa_commands_total",
        "kassa_command_seconds_bucket",
        "kassa_command_seconds_count",
        "kassa_command_seconds_sum",
        "kassa_charges_total",
        "kassa_doubts_total",
        "kassa_facts_total",
    ]
)


def _journal(sources: Sources) -> str:
    """Kind, time and code of the newest facts; which of them belong together, and not to what."""
    from appliance.counter.journal import Reader

    counter = _read_config(sources.config).get("counter", {})
    folder = counter.get("data_dir", "/var/lib/kassa") if isinstance(counter, dict) else ""
    with closing(Reader(Path(str(folder)) / "journal.sqlite3")) as reader:
        facts = reader.newest(FACTS_MOST)
    subjects: dict[str, int] = {}
    lines = []
    for fact in facts:
        number = subjects.setdefault(fact.subject, len(subjects) + 1)
        code = fact.body.get("code")
        at = fact.at if _TIME.match(fact.at) else "?"
        shown = code if isinstance(code, str) and code in _CODES else ""
        lines.append(f"{at} {fact.kind} #{number} {shown}".rstrip())
    return "\n".join([*lines, ""])


def _log(sources: Sources) -> str:
    """Of each line its time, level, event and code."""
    words = ("journalctl", "--unit=kassa", "--output=cat", f"--lines={LOG_LINES_MOST}")
    return "".join(_log_lines(sources.run(words)))


def _log_lines(text: str) -> Iterator[str]:
    for line in text.splitlines()[-LOG_LINES_MOST:]:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            yield "(another line)\n"
            continue
        at, level, event, code = (
            str(told.get(key, "")) for key in ("timestamp", "level", "event", "code")
        )
        shown = [
            at if _TIME.match(at) else "?",
            level if level in _WORDS | {"critical"} else "?",
            event if _EVENT.match(event) else "?",
            code if code in _CODES else "",
        ]
        yield " ".join(shown).rstrip() + "\n"


def _units(sources: Sources) -> str:
    lines = []
    for unit in UNITS:
        told = sources.run(("systemctl", "show", "--all", unit))
        states = sorted(line for line in told.splitlines() if _STATE.match(line))
        lines.append(f"{unit} {' '.join(states)}")
    return "\n".join([*lines, ""])


def _doctor(sources: Sources) -> str:
    """Of each finding its mark, its name and its codes."""
    lines = []
    for line in sources.doctor().splitlines():
        if found := _FINDING.match(line):
            codes = [code for code in _CODE.findall(line) if code in _CODES]
            lines.append(" ".join([found[1], found[2], *codes]))
    return "\n".join([*lines, ""])


def of_this_machine(config: Path, port: int) -> Sources:
    """The sources of the machine that this runs on."""

    def run(words: tuple[str, ...]) -> str:
        done = subprocess.run(words, capture_output=True, timeout=COMMAND_S, check=True)
        return done.stdout.decode(errors="replace")

    def doctor() -> str:
        from appliance.counter import doctor, doctor_config
        from appliance.counter.kinds import names

        loaded, missing = doctor_config.load(config, names=names())
        with contextlib.redirect_stdout(io.StringIO()) as said:
            doctor.main(loaded, missing)
        return said.getvalue()

    def machine() -> str:
        from appliance.counter.machine_metrics import Machine, measure

        return as_text(measure(Machine())).decode()

    return Sources(config, port, run, doctor, machine)
