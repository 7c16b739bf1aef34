"""How the counter is, by its own local server (docs/kiosk-http.yaml, /healthz)."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

PORT: Final = 8100
UNIT: Final = "kassa.service"
LOOK_S: Final = 2.0
_TIMEOUT_S: Final = 10.0
_LARGEST_BYTES: Final = 64 << 10
_SYSTEMCTL_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """status: ok, degraded or failing. devices: ok, or a code, by name. browser_age_s: since it
    drew; None before the first time."""

    status: str
    code: str | None
    is_busy: bool
    version: str
    devices: Mapping[str, str]
    browser_age_s: float | None


def read(found: Mapping[str, Any]) -> Look:
    """From the answer of /healthz. Raises ValueError."""
    devices, age = found.get("devices"), found.get("browser_age_s")
    if not isinstance(devices, dict) or not isinstance(found.get("status"), str):
        raise ValueError("no answer of /healthz")  # noqa: TRY004 - a value, to whoever reads it
    busy = found.get("busy")
    if not isinstance(busy, bool):  # a release that does not say
        busy = found.get("page") not in ("idle", "out_of_order")
    return Look(
        status=found["status"],
        code=str(found["code"]) if found.get("code") else None,
        is_busy=busy,
        version=str(found.get("version", "")),
        devices={str(name): str(health) for name, health in devices.items()},
        browser_age_s=float(age) if isinstance(age, int | float) else None,
    )


def look(port: int = PORT) -> Look | None:
    """None where it does not answer, or not in its own words."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        line.request("GET", "/healthz")
        return read(json.loads(line.getresponse().read(_LARGEST_BYTES)))
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return None
    finally:
        line.close()


def is_running() -> bool:
    """Whether its unit is up, or on its way."""
    done = subprocess.run(
        ["/usr/bin/systemctl", "is-active", UNIT],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SYSTEMCTL_S, check=False,
    )  # fmt: skip
    return done.stdout.strip() in ("active", "activating", "reloading", "deactivating")


def wait_idle(
    wait_s: float,
    *,
    see: Callable[[], Look | None] = look,
    runs: Callable[[], bool] = is_running,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Until nothing is under way at the counter; True at once where it does not run. A counter that
    runs and does not answer may be in the middle of anything. False after wait_s."""
    end = monotonic() + wait_s
    while True:
        if not runs():
            return True
        found = see()
        if found is not None and not found.is_busy:
            return True
        if monotonic() >= end:
            return False
        sleep(LOOK_S)
