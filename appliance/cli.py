"""kassa: run the counter, look at its devices, read its journal, show the demo."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance import __version__, cli_enrol, cli_metrics, cli_support, usb
from appliance.counter import config_schema
from appliance.domain.errors import Code, ConfigTrouble, JournalTrouble, Trouble

if TYPE_CHECKING:
    from appliance.counter.journal import Reader

DEFAULT_CONFIG: Final = Path("/etc/kassa/kassa.toml")
LAST_PORT: Final = 65_534  # a demo's bench has the next
LONGEST_SHOW: Final = 1_000_000
EX_CONFIG, EX_UNAVAILABLE, EX_NOINPUT, EX_DATA = 78, 69, 66, 65
EX_SIGINT: Final = 130


class _NoInput(Exception):
    """What the command line names is not there; its text says so."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 well, 2 a wrong option, 65 a flawed journal or
    shop, or a refused link, 66 the journal or subject is not there, 69 something else is not, 78
    the configuration."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except ConfigTrouble as trouble:
        for mistake in trouble.mistakes:
            print(mistake, file=sys.stderr)
        print(f"{trouble.code}: {len(trouble.mistakes)} to mend", file=sys.stderr)
        return EX_CONFIG
    except _NoInput as error:
        print(error, file=sys.stderr)
        return EX_NOINPUT
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return EX_DATA if trouble.code is Code.JOURNAL_DAMAGED else EX_UNAVAILABLE
    except KeyboardInterrupt:
        return EX_SIGINT
    except BrokenPipeError:
        return 0  # the reader of our output has seen enough


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kassa", description=__doc__)
    parser.add_argument("--version", action="version", version=f"kassa {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the counter on real devices")
    _config_option(run)
    run.add_argument(
        "--stay",
        action="store_true",
        help="show on the screen what keeps the counter from starting, until that may be over",
    )
    run.set_defaults(run=_run)

    doctor = commands.add_parser("doctor", help="say what is there, device by device, and the fix")
    _config_option(doctor)
    doctor.add_argument(
        "--only-config", action="store_true", help="look at the settings alone, at no device"
    )
    doctor.set_defaults(run=_doctor)

    demo = commands.add_parser("demo", help="the whole counter on one screen, without hardware")
    demo.add_argument(
        "--port",
        type=_number(LAST_PORT),
        default=8100,
        help="the kiosk's; the bench has the next (default: 8100, or the next free pair)",
    )
    demo.add_argument(
        "--currency",
        default="EUR",
        choices=("EUR", "RUB", "USD", "JPY"),
        help="of all prices (default: %(default)s)",
    )
    demo.add_argument(
        "--language",
        default="en",
        choices=("en", "ru", "de", "fr"),
        help="of the counter and its receipts (default: %(default)s)",
    )
    demo.add_argument(
        "--data",
        type=_folder,
        metavar="FOLDER",
        help="keep the data here: a new or empty folder, or an earlier demo's"
        " (default: a new one, removed at the end)",
    )
    demo.set_defaults(run=_demo)

    link = commands.add_parser("link", help="hand a link, such as kassa-api://…, to this counter")
    link.add_argument("link", metavar="URI")
    _port_option(link)
    link.set_defaults(run=_link)

    _shop_commands(commands.add_parser("shop", help="check the shop; print order labels"))
    links = commands.add_parser("links", help="serve paired devices in the shop's network")
    _port_option(links)
    links.add_argument(
        "--data",
        type=_folder,
        metavar="FOLDER",
        default=os.environ.get("STATE_DIRECTORY", "/var/lib/kassa-links"),
        help="for a certificate of its own (default: %(default)s)",
    )
    links.set_defaults(run=_links)

    cli_metrics.add_command(commands, DEFAULT_CONFIG)
    cli_support.add_command(commands, DEFAULT_CONFIG)

    devices = commands.add_parser("devices", help="paired devices").add_subparsers(
        required=True, metavar="WHAT"
    )
    listed = devices.add_parser("list", help="all of them, a line each")
    removed = devices.add_parser("remove", help="let one send nothing any more")
    removed.add_argument("device", metavar="ID")
    for part, show in ((listed, _devices_list), (removed, _devices_remove)):
        _port_option(part)
        part.set_defaults(run=show)

    cli_enrol.add(commands)
    usb.add(commands)

    journal = commands.add_parser("journal", help="read the journal").add_subparsers(
        required=True, metavar="WHAT"
    )
    for name, run_it, words in (
        ("show", _journal_show, "the newest facts, a line each"),
        ("verify", _journal_verify, "the whole chain of hashes"),
        ("export", _journal_export, "all facts as JSON, one a line"),
    ):
        part = journal.add_parser(name, help=words)
        _config_option(part)
        part.add_argument("--file", type=Path, help="this journal, whatever the configuration")
        part.set_defaults(run=run_it)
        if name == "show":
            part.add_argument(
                "--most",
                type=_number(LONGEST_SHOW),
                default=50,
                metavar="COUNT",
                help="how many facts, where no subject is named (default: %(default)s)",
            )
            part.add_argument("--subject", default="", help="one handover or print job")
    return parser


def _shop_commands(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(required=True, metavar="WHAT")
    check = parts.add_parser("check", help="try address and key, and say what is missing")
    _config_option(check)
    check.set_defaults(run=_shop_check)
    labels = parts.add_parser("labels", help="barcodes of the open orders, for picked goods")
    _config_option(labels)
    labels.add_argument("--pdf", default="", metavar="FILE", help="sheets of 24 labels, A4")
    labels.add_argument(
        "--escpos", default="", metavar="FILE", help="what a receipt printer takes, into a file"
    )
    labels.add_argument(
        "orders", nargs="*", metavar="ORDER", help="these alone (default: all open)"
    )
    labels.set_defaults(run=_shop_labels)
    _conformance_options(
        parts.add_parser("conformance", help="does a shop keep the shop API's promises?")
    )


def _conformance_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the shop's base address")
    for name, is_required in (("token", True), ("other-token", False)):
        whose = "a kiosk" if is_required else "another kiosk of the same pickup point"
        either = parser.add_mutually_exclusive_group(required=is_required)
        either.add_argument(f"--{name}", default="", help=f"of {whose}; others here can see it")
        either.add_argument(
            f"--{name}-file", type=Path, metavar="FILE", help=f"a file with the token of {whose}"
        )
    parser.add_argument("--pickup-point", required=True, metavar="ID", help="the kiosk's")
    parser.add_argument(
        "--claim-order",
        required=True,
        metavar="CODE",
        help="a test order: it is claimed and put back",
    )
    parser.add_argument(
        "--pay-order",
        required=True,
        metavar="CODE",
        help="another test order: it is PAID AND HANDED OVER in the shop's books",
    )
    parser.add_argument("--ca-file", default="", metavar="FILE", help="certificates to trust")
    parser.add_argument("--proxy", default="", metavar="URL", help="HTTP proxy to the shop")
    parser.set_defaults(run=_shop_conformance)


def _number(last: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not 1 <= (number := int(text)) <= last:
            raise argparse.ArgumentTypeError(f"a number from 1 to {last}")
        return number

    return read


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("name a folder")  # "" would be the one we stand in
    return Path(text)


def _port_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=_number(LAST_PORT + 1), default=8100, help="the counter's (default: 8100)"
    )


def _config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        metavar="FILE",
        help="the configuration (default: %(default)s)",
    )


def _load(path: Path) -> config_schema.Config:
    from appliance.counter import config
    from appliance.counter.kinds import names

    return config.load(path, names=names())


def _load_without_secrets(path: Path) -> config_schema.Config:
    """For what speaks to nobody: on a kiosk only systemd and root can read the secrets."""
    from appliance.counter.config import SecretsMissing

    try:
        return _load(path)
    except SecretsMissing as trouble:
        return trouble.config


def _run(parsed: argparse.Namespace) -> int:
    from appliance.counter.instance import lock
    from appliance.serve import serve

    if parsed.stay and parsed.config == DEFAULT_CONFIG and cli_enrol.wait_for_code(_ready):
        return EX_CONFIG  # there are settings now: systemd starts the counter
    try:
        config = _load(parsed.config)
    except ConfigTrouble as trouble:
        if not parsed.stay:
            raise
        return _stay(config_schema.Web(), trouble, _changes(parsed.config), EX_CONFIG)
    try:
        held = lock(config)
    except JournalTrouble as trouble:
        # A second instance has no screen to show anything on: it is the first one's.
        if not parsed.stay or trouble.code is Code.SECOND_INSTANCE:
            raise
        return _stay(config.web, trouble, lambda: _can_be_locked(config), EX_UNAVAILABLE)
    # Held by this process and its worker: the worker may die and come back, the lock stays.
    with held:
        serve(config, _ready)
    return 0


def _ready(address: str) -> None:
    print(f"kassa {__version__} on {address}", flush=True)


def _stay(
    web: config_schema.Web, trouble: Trouble, is_over: Callable[[], bool], status: int
) -> int:
    """Show the trouble on the screen, and end with this status when it may be over."""
    from appliance.serve import serve_stand_in

    print(trouble, file=sys.stderr)
    serve_stand_in(web, (trouble.code, trouble.detail.split("\n")), is_over, _ready)
    return status


def _changes(file: Path) -> Callable[[], bool]:
    from appliance.counter.stand_in import stamp

    before = stamp(file)
    return lambda: stamp(file) != before


def _can_be_locked(config: config_schema.Config) -> bool:
    from appliance.counter.instance import lock

    try:
        lock(config).close()
    except JournalTrouble:
        return False
    return True


def _doctor(parsed: argparse.Namespace) -> int:
    from appliance.counter import doctor, doctor_config, doctor_machine
    from appliance.counter.kinds import names

    if parsed.only_config:
        doctor_config.load(parsed.config, names=names())
        return 0  # a mistake is a ConfigTrouble
    environ = doctor_config.with_credentials(os.environ)
    config, missing = doctor_config.load(parsed.config, names=names(), environ=environ)
    doctor_machine.become_owner(config.counter.data_dir)
    return doctor.main(config, missing)


def _shop_check(parsed: argparse.Namespace) -> int:
    from appliance.counter.shop_check import main as check

    return check(_load(parsed.config))


def _shop_labels(parsed: argparse.Namespace) -> int:
    from appliance.counter.labels import write

    try:
        count = write(
            _load(parsed.config), parsed.orders, sheet_to=parsed.pdf, escpos_to=parsed.escpos
        )
    except OSError as error:
        raise _NoInput(f"{error.filename}: {error.strerror}") from None
    print(f"{count} labels")
    return 0


def _shop_conformance(parsed: argparse.Namespace) -> int:
    from appliance.counter.conformance import Subject, conformance, report

    subject = Subject(
        parsed.url,
        _token(parsed.token, parsed.token_file),
        parsed.pickup_point,
        parsed.claim_order,
        parsed.pay_order,
        other_token=_token(parsed.other_token, parsed.other_token_file),
        ca_file=parsed.ca_file,
        proxy=parsed.proxy,
    )
    verdicts = conformance(subject)
    sys.stdout.write(report(verdicts))
    return 0 if all(verdict.is_well or not verdict.is_asked for verdict in verdicts) else EX_DATA


def _token(given: str, file: Path | None) -> str:
    if file is None:
        return given
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _NoInput(f"{file}: cannot be read: {error}") from None


def _demo(parsed: argparse.Namespace) -> int:
    from web.bench.demo import run

    return run(
        port=parsed.port, currency=parsed.currency, language=parsed.language, data=parsed.data
    )


def _link(parsed: argparse.Namespace) -> int:
    from appliance.follow import follow

    return follow(parsed.link, parsed.port)


def _links(parsed: argparse.Namespace) -> int:
    from appliance.serve_links import serve_links

    return serve_links(parsed.port, Path(parsed.data))


def _devices_list(parsed: argparse.Namespace) -> int:
    from appliance.follow import call

    status, told = call(parsed.port, "GET", "/devices")
    if status != 200 or not isinstance(told, list):
        raise Trouble(Code.INTERNAL, f"the counter answers {status}")
    for device in told:
        print(device["id"], device["at"], device["name"])
    return 0


def _devices_remove(parsed: argparse.Namespace) -> int:
    from appliance.follow import call

    status, _ = call(parsed.port, "POST", "/devices/remove", {"id": parsed.device})
    if status == 404:
        raise _NoInput(f"{parsed.device}: no such device")
    if status != 204:
        raise Trouble(Code.INTERNAL, f"the counter answers {status}")
    return 0


def _journal_show(parsed: argparse.Namespace) -> int:
    with _reader(parsed) as reader:
        facts = reader.of_subject(parsed.subject) if parsed.subject else reader.newest(parsed.most)
    if parsed.subject and not facts:
        raise _NoInput(f"{parsed.subject}: the journal has no fact of it")
    for fact in facts:
        body = {
            key: value for key, value in fact.body.items() if key not in ("snapshot", "document")
        }
        print(fact.id, fact.at, fact.kind, fact.subject, fact.seller or "-", json.dumps(body))
    return 0


def _journal_verify(parsed: argparse.Namespace) -> int:
    with _reader(parsed) as reader:
        flaws = reader.verify()
    for flaw in flaws:
        print(f"fact {flaw.seq}: {flaw.what}" if flaw.seq else flaw.what)
    print("the chain holds" if not flaws else "K-JRN-01: the chain does not hold")
    return EX_DATA if flaws else 0


def _journal_export(parsed: argparse.Namespace) -> int:
    with _reader(parsed) as reader:
        after = 0
        while facts := reader.facts(after):
            for after, fact in facts:
                print(json.dumps({"seq": after, **asdict(fact), "body": dict(fact.body)}))
    return 0


@contextmanager
def _reader(parsed: argparse.Namespace) -> Iterator[Reader]:
    """The journal that is meant; its troubles name the file."""
    from appliance.counter.journal import Reader

    path = parsed.file or _load_without_secrets(parsed.config).counter.journal
    if not path.exists():
        raise _NoInput(f"{path}: there is no journal here")
    if not path.is_file():
        raise _NoInput(f"{path}: is not a file; name a journal.sqlite3")
    try:
        with closing(Reader(path)) as reader:
            yield reader
    except JournalTrouble as trouble:
        raise JournalTrouble(trouble.code, f"{path}: {trouble.detail}") from trouble


if __name__ == "__main__":
    sys.exit(main())
