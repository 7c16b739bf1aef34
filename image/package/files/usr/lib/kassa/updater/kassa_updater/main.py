"""The command lines: kassa-update, maintenance, and what the two units run."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kassa_updater import files, maintenance, prepare
from kassa_updater.box import INSTALL_UNIT, Broken, Machine, about_release
from kassa_updater.maintenance import EX_TEMPFAIL, Held, Maintenance, alone, seconds
from kassa_updater.places import Places
from kassa_updater.plan import load, save
from kassa_updater.statement import Refused
from kassa_updater.work import Work

HEALTHY_S: Final = 180.0
EX_UNAVAILABLE, EX_SOFTWARE, EX_NOPERM, EX_REFUSED = 69, 70, 77, 65
_LOOK_S: Final = 1.0
_LOCK_S: Final = 60.0  # the one unit starts the other, and ends
_ENDING_S: Final = 15.0  # the unit of an update that has just been refused still ends
_SPARE_S: Final = 3600.0
"""For what is not waiting: dpkg, a running payment, the way back."""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    word, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    places = Places()
    if word == "maintenance":
        return maintenance.main(rest, Maintenance())
    if word == "update":
        return update(rest, places)
    if word in ("install", "watch"):
        work = Work(places, Machine())
        with alone(Maintenance().lock, _LOCK_S):
            work.install() if word == "install" else work.watch()
        return 0
    print("start.py update|install|watch|maintenance", file=sys.stderr)
    return 2


def update(arguments: Sequence[str], places: Places) -> int:
    """kassa-update."""
    parser = argparse.ArgumentParser(
        prog="kassa-update",
        description="Put a signed release in the place of this one. It takes itself back when it is"
        " not healthy in time. Status: 0 well, 65 refused, 69 taken back or failed, 75 not now.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("package", nargs="?", type=Path, help="kassa-kiosk_VERSION_all.deb")
    what.add_argument("--state", action="store_true", help="how the last update went")
    what.add_argument(
        "--acknowledge", action="store_true", help="take the word of a failed one off the screen"
    )
    parser.add_argument("--signature", type=Path, help="default: the package's name with .sig")
    parser.add_argument("--present", type=Path, help="the package that is installed now")
    parser.add_argument("--allow-downgrade", action="store_true")
    parser.add_argument("--check", action="store_true", help="only say whether it would be refused")
    parser.add_argument(
        "--wait-s", type=seconds, default=maintenance.WAIT_S, metavar="N",
        help="how long to wait for an idle counter (default: %(default).0f)",
    )  # fmt: skip
    parser.add_argument(
        "--healthy-s", type=seconds, default=HEALTHY_S, metavar="N",
        help="how long the new release has to be healthy (default: %(default).0f)",
    )  # fmt: skip
    asked = parser.parse_args(arguments)
    try:
        if asked.state:
            return _state(places)
        if os.geteuid():
            print("an update is root's", file=sys.stderr)
            return EX_NOPERM
        if asked.acknowledge:
            files.remove_among_strangers(places.told, "state.json")
            return 0
        return _update(asked, places)
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return EX_REFUSED
    except Held as error:
        print(error, file=sys.stderr)
        return EX_TEMPFAIL
    except (Broken, OSError, ValueError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return EX_SOFTWARE


def _update(asked: argparse.Namespace, places: Places) -> int:
    machine, work = Machine(), Maintenance()
    with alone(work.lock, _ENDING_S):
        if work.begun.exists():
            raise Held("maintenance is under way: /usr/lib/kassa/maintenance end")
        if load(places.plan) is not None:
            raise Held("an update is under way")
        signature = asked.signature or asked.package.with_name(f"{asked.package.name}.sig")
        said = prepare.check(asked.package, signature, places)
        installed = machine.installed()
        if installed is None:
            raise Refused("kassa-kiosk is not installed whole: dpkg --configure -a")
        prepare.may_follow(
            said, installed, about_release(places.about), allow_downgrade=asked.allow_downgrade
        )
        kept = prepare.find_kept(installed, places, asked.present)
        if asked.check:
            print(f"{said.version} may follow {installed}")
            return 0
        target, present = prepare.stage(asked.package, said, kept, installed, places)
        prepare.copy_program(places)
        prepare.write_units(places, machine)
        how = prepare.before(machine.look(), machine.journal_holds())
        told_before = files.read_json(places.told / "state.json")
        save(
            places.plan,
            prepare.plan(target, present, how, wait_s=asked.wait_s, healthy_s=asked.healthy_s),
        )
    # From here on it lasts beyond this command and this connection.
    for words in (("daemon-reload",), ("start", "--no-block", INSTALL_UNIT)):
        subprocess.run(["/usr/bin/systemctl", *words], timeout=60, check=True)
    end = time.monotonic() + asked.wait_s + asked.healthy_s + _SPARE_S
    while load(places.plan) is not None:
        if time.monotonic() > end:
            print("it takes too long: journalctl -u 'kassa-update-*'", file=sys.stderr)
            return EX_UNAVAILABLE
        time.sleep(_LOOK_S)
    if files.read_json(places.told / "state.json") == told_before:
        raise Held(f"the counter was not idle within {asked.wait_s:.0f} s; nothing was changed")
    return _state(places)


def _state(places: Places) -> int:
    found = files.read_json(places.told / "state.json")
    if found is None:
        print("no update is known")
        return 0
    print(f"{found.get('state')}: {found.get('version')} {found.get('reason')}".rstrip())
    return 0 if found.get("state") in ("ok", "installing", "trying") else EX_UNAVAILABLE
