"""`kassa enrol`: the administrator's desk, and its codes. See docs/enrolment.md."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from appliance.domain.errors import ConfigTrouble

if TYPE_CHECKING:
    from appliance.counter.enrol_book import Desk

DEFAULT_PORT: Final = 8144
LONGEST_HOURS: Final = 24 * 14
EX_DATA: Final = 65


def add(commands: Any) -> None:
    """The sub-commands, to those of the command line."""
    parts = commands.add_parser(
        "enrol", help="set up new kiosks by a code that they scan"
    ).add_subparsers(required=True, metavar="WHAT")

    made = parts.add_parser("print", help="make the code for a kiosk, to be scanned there")
    _desk_option(made)
    made.add_argument("kiosk", metavar="KIOSK", help="its settings are in DESK/kiosks/KIOSK.toml")
    made.add_argument(
        "--at",
        required=True,
        metavar="HOST[:PORT]",
        help=f"where kiosks reach `kassa enrol serve` (port {DEFAULT_PORT} if none is given)",
    )
    made.add_argument(
        "--hours", type=_hours, default=24, help="how long it counts (default: %(default)s)"
    )
    made.add_argument("--pdf", type=Path, metavar="FILE", help="a page to print")
    made.add_argument("--png", type=Path, metavar="FILE", help="the symbol as a picture")
    made.add_argument("--escpos", type=Path, metavar="FILE", help="what a receipt printer takes")
    made.add_argument(
        "--profile", default="generic-80", help="of that printer (default: %(default)s)"
    )
    made.add_argument(
        "--text", type=Path, metavar="FILE", help="enrol.txt, for a kiosk's boot partition"
    )
    made.set_defaults(run=_print)

    served = parts.add_parser("serve", help="answer the kiosks that have scanned a code")
    _desk_option(served)
    served.add_argument(
        "--listen",
        default=f"0.0.0.0:{DEFAULT_PORT}",
        metavar="ADDRESS:PORT",
        help="(default: %(default)s)",
    )
    served.set_defaults(run=_serve)

    listed = parts.add_parser("list", help="all codes, a line each")
    _desk_option(listed)
    listed.set_defaults(run=_list)

    again = parts.add_parser("again", help="on a kiosk: give its settings up, for another code")
    again.set_defaults(run=_again)

    retired = commands.add_parser("retire", help="on a kiosk: give up settings, token and key")
    retired.add_argument(
        "--check", action="store_true", help="only say what is open or undelivered"
    )
    retired.set_defaults(run=_retire)

    withdrawn = parts.add_parser("revoke", help="let a code, or a kiosk's open ones, count no more")
    _desk_option(withdrawn)
    withdrawn.add_argument("what", metavar="CODE|KIOSK", help="as `kassa enrol list` has it")
    withdrawn.set_defaults(run=_revoke)


def wait_for_code(ready: Callable[[str], None]) -> bool:
    """Where this kiosk has no settings, show so until it has some, or until stopped. Whether it had
    none."""
    from appliance.counter import config_schema
    from appliance.counter.enrolling import Places, is_new
    from appliance.serve import serve_enrolment

    places = Places()
    # Without its data partition a kiosk has no settings either: that is to be mended, not enrolled.
    if not is_new(places.config) or not os.access(places.state.parent, os.W_OK):
        return False
    serve_enrolment(config_schema.Web(), places, ready)
    return True


def _desk_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--desk",
        type=Path,
        default=Path("kassa-desk"),
        metavar="FOLDER",
        help="the desk's key, book and kiosks; keep it secret (default: %(default)s)",
    )


def _hours(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_HOURS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {LONGEST_HOURS}")
    return int(text)


def _open(parsed: argparse.Namespace) -> Desk:
    from appliance.counter.enrol_book import Desk

    try:
        return Desk(parsed.desk, time.time)
    except (OSError, sqlite3.Error) as error:
        raise ConfigTrouble([f"{parsed.desk}: cannot be a desk's folder: {error}"]) from None


def _print(parsed: argparse.Namespace) -> int:
    from appliance.counter import enrol_print
    from appliance.protocols.enrolment import EnrolmentError, grouped

    at = parsed.at if parsed.at.rpartition(":")[2].isdecimal() else f"{parsed.at}:{DEFAULT_PORT}"
    try:
        code, digits = _open(parsed).make(parsed.kiosk, at.lower(), parsed.hours * 3600)
        files: dict[Path | None, Callable[[], bytes]] = {
            parsed.pdf: lambda: enrol_print.as_pdf(code, digits, parsed.kiosk),
            parsed.png: lambda: enrol_print.as_png(digits),
            parsed.escpos: lambda: enrol_print.as_escpos(
                code, digits, parsed.kiosk, parsed.profile
            ),
            parsed.text: lambda: grouped(digits).encode(),
        }
        for file, content in files.items():
            if file is not None:
                file.write_bytes(content())
        if set(files) == {None}:
            sys.stdout.write(enrol_print.as_text(digits))
    except EnrolmentError as error:
        raise ConfigTrouble([f"--at {parsed.at}: {error}; write 192.0.2.10:8144"]) from None
    except KeyError:
        raise ConfigTrouble([f"--profile {parsed.profile}: no such printer"]) from None
    except OSError as error:
        raise ConfigTrouble([f"{error.filename}: {error.strerror}"]) from None
    print("\n".join(enrol_print.words(code, parsed.kiosk)))
    return 0


def _serve(parsed: argparse.Namespace) -> int:
    from appliance.serve_enrol import DeskServer

    host, _, port = parsed.listen.rpartition(":")
    desk = _open(parsed)
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigTrouble([f"--listen {parsed.listen}: write 0.0.0.0:{DEFAULT_PORT}"])
    try:
        server = DeskServer(desk, (host.strip("[]"), int(port)))
    except OSError as error:
        raise ConfigTrouble([f"--listen {parsed.listen}: {error.strerror or error}"]) from None
    with server:
        print(f"kassa enrol on {host}:{server.server_address[1]}", flush=True)
        server.serve_forever()
    return 0


def _list(parsed: argparse.Namespace) -> int:
    now = int(time.time())
    for line in _open(parsed).lines():
        until = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(line.used_at or line.expires_at))
        box = " ".join(part for part in (line.key[:16], line.model, line.serial) if part)
        print(line.id, line.state(now), until, line.kiosk, box)
    return 0


def _revoke(parsed: argparse.Namespace) -> int:
    count = _open(parsed).withdraw(parsed.what)
    print(f"{count} withdrawn")
    return 0 if count else EX_DATA


def _again(_: argparse.Namespace) -> int:
    from appliance.counter.enrolling import Places
    from appliance.counter.leaving import give_up

    return _told(lambda: give_up(Places(), keep_identity=True))


def _retire(parsed: argparse.Namespace) -> int:
    from appliance.counter.enrolling import Places
    from appliance.counter.leaving import data_of, give_up, unfinished

    places = Places()
    if parsed.check:
        return _told(lambda: unfinished(data_of(places)))
    return _told(lambda: give_up(places, keep_identity=False))


def _told(do: Callable[[], list[str]]) -> int:
    """Print what is unfinished. Whether there is anything, as an exit status."""
    try:
        found = do()
    except PermissionError as error:
        raise ConfigTrouble([f"{error.filename}: {error.strerror}; run it with sudo"]) from None
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        print("nothing is open or undelivered")
    return EX_DATA if found else 0
