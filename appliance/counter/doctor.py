"""`kassa doctor`: says of each device whether it is there, and if not, what to do.

It never charges and prints nothing. While the kiosk runs, the devices are the kiosk's: the doctor
then looks but does not speak to them, since a payment may be under way.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Final

from appliance.counter import doctor_devices, doctor_links, doctor_machine
from appliance.counter.config_schema import Config
from appliance.counter.doctor_config import secrets
from appliance.counter.doctor_devices import Drivers
from appliance.counter.doctor_findings import Finding, failed, render
from appliance.counter.doctor_machine import Machine
from appliance.domain.errors import Code, JournalTrouble

__all__ = ["Drivers", "Finding", "Machine", "diagnose", "main", "render"]

EX_UNAVAILABLE: Final = 69
NOTHING: Final[Mapping[str, Finding]] = MappingProxyType({})


def diagnose(
    config: Config,
    drivers: Drivers,
    machine: Machine | None = None,
    *,
    missing: Mapping[str, Finding] = NOTHING,
) -> list[Finding]:
    """Everything that can be found out, in the order of the way through the machine. Bounded by
    the drivers' own deadlines. missing: secrets that are not there, see doctor_config.py."""
    machine = machine or Machine()
    findings = [doctor_machine.clock(machine)]
    with ExitStack() as held:
        folder = doctor_machine.data_folder(config.counter.data_dir, machine)
        findings.append(folder)
        is_alone = False
        if folder.ok:
            findings.append(doctor_machine.disk(config.counter.data_dir, machine))
            # Held to the end: no kiosk may start while we speak to its devices.
            instance, is_alone = _instance(drivers, held)
            findings.append(instance)
            findings.append(_journal(config.counter.journal, drivers))
        if is_alone:
            port = doctor_machine.port_is_free(config.web.host, config.web.port, machine)
            findings.append(port)
        findings.append(secrets(config))
        findings += doctor_devices.devices(
            config, drivers, machine, may_speak=is_alone, missing=missing
        )
        no_token = missing.get("shop")
        findings += [no_token] if no_token else doctor_devices.shop(config, drivers, machine)
        findings.append(missing.get(doctor_links.NAME) or doctor_links.links(config.links))
    return findings


def main(config: Config, missing: Mapping[str, Finding] = NOTHING) -> int:
    """Look at this machine and say so. The exit status: 0 when nothing is wrong, else 69.
    missing: as `diagnose`."""
    # Here, since the drivers are heavy and the rest of this module needs none.
    from appliance.counter.clock import SystemClock
    from appliance.counter.instance import lock
    from appliance.counter.journal import Reader
    from appliance.counter.runtime import devices

    built = devices(config, SystemClock())
    scanner = built.scanner

    def flaws(file: Path) -> list[str]:
        reader = Reader(file)
        try:
            return [f"fact {flaw.seq}: {flaw.what}" for flaw in reader.verify()]
        finally:
            reader.close()

    findings = diagnose(
        config,
        Drivers(
            terminal=lambda: built.terminal,
            printer=lambda: built.printer,
            scanner=None if scanner is None else lambda: scanner,
            shop=lambda: built.shop,
            journal=flaws,
            lock=lambda: lock(config),
        ),
        missing=missing,
    )
    sys.stdout.write(render(findings))
    return 0 if all(finding.ok for finding in findings) else EX_UNAVAILABLE


def _instance(drivers: Drivers, held: ExitStack) -> tuple[Finding, bool]:
    """Be the only instance, or say that the kiosk is it."""
    try:
        held.enter_context(drivers.lock())
    except JournalTrouble as trouble:
        if trouble.code is not Code.SECOND_INSTANCE:
            return failed("instance", trouble), False
        return Finding(
            "instance",
            True,
            "the kiosk is running: its devices are not spoken to",
            "for all checks end it first; where it is a service: sudo systemctl stop kassa",
        ), False
    return Finding("instance", True, "no other is running"), True


def _journal(file: Path, drivers: Drivers) -> Finding:
    if not file.exists():
        return Finding("journal", True, f"{file} will be made at the first start")
    try:
        flaws = drivers.journal(file)
    except JournalTrouble as trouble:
        return failed("journal", trouble)
    if flaws:
        what = f"{Code.JOURNAL_DAMAGED}: {flaws[0]}"
        return Finding("journal", False, what, "kassa journal verify names all; keep the file")
    return Finding("journal", True, f"{file}, the chain holds")
