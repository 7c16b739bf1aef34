"""Requests led by a contract: schemathesis draws right and wrong ones from an OpenAPI document and
holds the answers against it. In a process of its own, as its users run it.

What it checks: no 5xx; each status, content type, header and body as documented; what is wrong is
refused and what is right is taken; a missing token is seen; other methods are refused, and how.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.simulators.shop import DemoShop
from tests.children import unmeasured
from tests.rig import Kiosk, Rig

ROOT: Final = Path(__file__).parents[2]
SHOP: Final = ROOT / "docs" / "shop-api.yaml"
SCREEN: Final = ROOT / "docs" / "kiosk-http.yaml"
QUICK: Final = ("examples", "coverage", "fuzzing")
THOROUGH: Final = (*QUICK, "stateful")
SLOWEST_S: Final = 60
"""For one answer; on a slow machine as well."""
_TAIL: Final = 8000

# 422: a fact that can be read may still be one that the shop cannot book, and it says so.
_CONFIG: Final = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """cases: the requests that were drawn. story: what was wrong, with how to ask again; or ""."""

    cases: int
    story: str = ""


def ask(
    document: Path,
    url: str,
    headers: Mapping[str, str],
    *,
    examples: int,
    seed: int,
    phases: Sequence[str] = QUICK,
    without: Sequence[str] = (),
) -> Outcome:
    """examples: for each operation. without: paths that are left out."""
    with tempfile.TemporaryDirectory(prefix="kassa-requests-") as folder:
        Path(folder, "schemathesis.toml").write_text(_CONFIG, encoding="utf-8")
        report = Path(folder, "report.json")
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", url,
            "--seed", str(seed), "--max-examples", str(examples), "--phases", ",".join(phases),
            "--suppress-health-check", "all", "--request-timeout", str(SLOWEST_S),
            "--continue-on-failure", "--no-color", "--warnings", "off",
            "--report", "json", "--report-json-path", str(report),
            *[word for path in without for word in ("--exclude-path", path)],
            *[word for name in headers for word in ("-H", f"{name}: {headers[name]}")],
        ]  # fmt: skip
        environment = {
            **unmeasured(),
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.contract.schemathesis_hooks",
            "NO_PROXY": "127.0.0.1",
        }
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, check=False, text=True
        )
        if not report.exists():
            return Outcome(0, (done.stdout + done.stderr)[-_TAIL:])
        found = json.loads(report.read_bytes())
    is_well = done.returncode == 0 and found["complete"]
    return Outcome(found["test_cases"]["generated"], "" if is_well else done.stdout[-_TAIL:])


def ask_shop(shop: DemoShop, *, examples: int, seed: int, phases: Sequence[str] = QUICK) -> Outcome:
    token = shop.tokens["mitte-1"]
    headers = {"Authorization": f"Bearer {token}"}
    return ask(SHOP, shop.url, headers, examples=examples, seed=seed, phases=phases)


def ask_kiosk(kiosk: Kiosk, *, examples: int, seed: int, phases: Sequence[str] = QUICK) -> Outcome:
    """All but the event stream, which has no end. X-Kassa: without it, a request that changes
    something and is no JSON gets 403 before anything else is looked at."""
    return ask(
        SCREEN,
        kiosk.origin,
        {"Origin": kiosk.origin, "X-Kassa": "1"},
        examples=examples,
        seed=seed,
        phases=phases,
        without=("/events",),
    )


@contextmanager
def running_kiosk(folder: Path) -> Iterator[Kiosk]:
    """`kassa run` with its simulated surroundings, all devices well."""
    with Rig(folder) as rig, Kiosk(rig) as kiosk:
        yield kiosk
