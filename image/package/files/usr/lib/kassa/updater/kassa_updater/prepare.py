"""From a package and its signature to a plan: all that can be refused is refused here, while the
counter goes on working."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from kassa_updater import files
from kassa_updater.box import (
    INSTALL_UNIT,
    PACKAGE,
    WATCH_UNIT,
    Broken,
    Machine,
    about_package,
    is_later,
)
from kassa_updater.counter import Look
from kassa_updater.places import Places
from kassa_updater.plan import Before, Plan, Release, Step
from kassa_updater.statement import LARGEST_BYTES, Journal, Refused, Statement, public_keys, verify
from kassa_updater.work import DRAWN_S

HERE: Final = Path(__file__).resolve().parent.parent
LEAST_FREE_BYTES: Final = 32 << 20  # besides the package: the journal must go on
SHARED_UNIT: Final = """\
# Written by kassa-update. It runs a copy of it on the disk that lasts, as the package's own files
# may be half old and half new when it is needed.
[Unit]
Description={what}
ConditionPathExists=/var/lib/kassa-update/plan.json
{order}

[Service]
Type={kind}
ExecStart=/usr/bin/python3 -ISB /var/lib/kassa-update/program/start.py {word}
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
"""
UNITS: Final = {
    INSTALL_UNIT: SHARED_UNIT.format(
        what="Install a release of Kassa, or go back",
        order="Before=kassa.service kassa-session.service kassa-links.service " + WATCH_UNIT,
        kind="oneshot",
        word="install",
    ),
    WATCH_UNIT: SHARED_UNIT.format(
        what="See that a new release of Kassa works",
        order="After=kassa.service",
        kind="exec",
        word="watch",
    ),
}


def check(package: Path, signature: Path, places: Places) -> Statement:
    """That the package is what one of our keys has signed. Raises Refused, OSError."""
    try:
        with signature.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise Refused(
            f"{signature} is not there: a package without a signature is nobody's"
        ) from None
    said = verify(data, public_keys(places.keys))
    if said.name != PACKAGE:
        raise Refused(f"the signature is for {said.name}, not for {PACKAGE}")
    if files.sha256(package) != said.sha256:
        raise Refused(
            f"{package} is not what was signed: it was changed, or the download is cut off"
        )
    try:
        found = about_package(package)
    except Broken as error:
        raise Refused(str(error)) from None
    if found != (said.name, said.version):
        raise Refused(f"{package} is {' '.join(found)}, and {said.version} was signed")
    return said


def may_follow(said: Statement, installed: str, now: Journal, *, allow_downgrade: bool) -> None:
    """Whether this release may follow the one that is installed, whose journal facts are `now`.
    Raises Refused."""
    if said.version == installed:
        raise Refused(f"{installed} is installed already")
    if not is_later(said.version, installed) and not allow_downgrade:
        raise Refused(
            f"{said.version} is older than {installed}, which is installed: --allow-downgrade"
        )
    if unread := said.journal.unread_by(now):
        raise Refused(
            f"{installed} could not read what {said.version} writes into the journal ({unread}),"
            " and there would be no way back: install the release between the two first"
        )
    if unread := now.unread_by(said.journal):
        raise Refused(f"{said.version} cannot read what {installed} has written ({unread})")


def find_kept(installed: str, places: Places, present: Path | None) -> Path:
    """The package that is installed, to go back to. present: one that was named. Raises Refused."""
    candidates = [present] if present else []
    for folder in places.kept:
        candidates += sorted(folder.glob("*.deb"))
    for file in candidates:
        try:
            if about_package(file) == (PACKAGE, installed):
                return file
        except Broken:
            continue
    raise Refused(
        f"the package of {installed}, which is installed, is not kept here, and without it there is"
        f" no way back: name it with --present {PACKAGE}_{installed}_all.deb"
    )


def before(seen: Look | None, holds: bool) -> Before:
    """How the counter is now."""
    if seen is None:
        return Before(has_journal=holds)
    well = tuple(name for name, health in seen.devices.items() if health == "ok")
    draws = seen.browser_age_s is not None and seen.browser_age_s <= DRAWN_S
    return Before(well, seen.status != "failing", draws, holds)


def stage(
    package: Path, said: Statement, kept: Path, installed: str, places: Places
) -> tuple[Release, Release]:
    """Both packages where a power cut leaves them, by their sums: the new one, and the present.
    Raises Refused, OSError."""
    places.home.resolve().mkdir(mode=0o700, exist_ok=True)  # in an image a link to /data/update
    places.releases.mkdir(mode=0o700, exist_ok=True)
    need = package.stat().st_size + kept.stat().st_size + LEAST_FREE_BYTES
    if shutil.disk_usage(places.home).free < need:
        raise Refused(f"less than {need >> 20} MiB are left on the disk of {places.home}")
    releases = []
    for source, version in ((package, said.version), (kept, installed)):
        target = places.releases / f"{PACKAGE}_{version}_all.deb"
        if source.resolve() != target.resolve():
            files.copy(source, target)
        releases.append(Release(target.name, version, files.sha256(target)))
    if releases[0].sha256 != said.sha256:
        raise Refused(f"{package} was changed meanwhile")
    return releases[0], releases[1]


def copy_program(places: Places) -> None:
    """This program, to where the units find it. Raises OSError."""
    new = places.program.with_name("program.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(HERE, new, ignore=shutil.ignore_patterns("__pycache__"))
    for path in sorted(new.rglob("*")):
        if path.is_dir():
            files.sync_folder(path)
        else:
            files.sync_file(path)
    files.sync_folder(new)
    shutil.rmtree(places.program, ignore_errors=True)
    new.replace(places.program)
    files.sync_folder(places.home)


def write_units(places: Places, machine: Machine) -> None:
    """The units, on the system's own disk. Raises Broken, OSError."""
    wants = places.units / "multi-user.target.wants"
    if all(_is_there(places.units / name, wants / name, text) for name, text in UNITS.items()):
        return
    with machine.writable():
        wants.mkdir(exist_ok=True)
        for name, text in UNITS.items():
            files.write(places.units / name, text.encode(), 0o644)
            link = wants / name
            link.unlink(missing_ok=True)
            link.symlink_to(f"/etc/systemd/system/{name}")
        files.sync_folder(wants)


def _is_there(unit: Path, link: Path, text: str) -> bool:
    try:
        return link.is_symlink() and unit.read_text() == text
    except FileNotFoundError:
        return False


def plan(target: Release, kept: Release, how: Before, *, wait_s: float, healthy_s: float) -> Plan:
    """An update that has not begun."""
    return Plan(Step.INSTALLING, target, kept, wait_s, healthy_s, how)
