"""The examples of docs/links.md, run as they stand there against the conformance kit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from appliance.protocols.links import codes, kassa, x_callback
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Reason

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
KIT: Final = json.loads((ROOT / "docs" / "links" / "vectors.json").read_text(encoding="ascii"))
DRIVERS: Final = Path(__file__).with_name("link_examples")
NOW: Final = 1_790_000_100
WAIT_S: Final = 60
SEAL: Final = ("kid", "nonce", "exp", "sig")


@dataclass(frozen=True, slots=True)
class Language:
    fence: str
    suffix: str
    command: tuple[str, ...]


LANGUAGES: Final = (
    Language("python", "py", (sys.executable,)),
    Language("php", "php", ("php", "-d", "error_reporting=-1", "-d", "display_errors=stderr")),
    Language("javascript", "mjs", ("node",)),
)


def blocks(fence: str) -> list[str]:
    return re.findall(rf"^```{fence}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_has_an_example_and_its_use_in_each_language() -> None:
    assert [len(blocks(language.fence)) for language in LANGUAGES] == [2, 2, 2]


# --- what they are asked ----------------------------------------------------------------------


def pairs(query: str) -> list[list[str]]:
    return [list(pair) for pair in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)]


def links() -> list[tuple[dict[str, Any], str]]:
    """How to build each signed link of the kit, and what must come of it."""
    found = []
    for vector in KIT["requests"]:
        seal, link = vector["is"]["seal"], vector["link"]
        if seal is None or "another way" in vector["name"]:
            continue
        params = [pair for pair in pairs(urlsplit(link).query) if pair[0] not in SEAL]
        case = {name: seal[name] for name in ("kid", "nonce", "exp")}
        found.append((case | {"address": link.partition("?")[0], "params": params}, link))
    return found


def results() -> list[tuple[dict[str, Any], dict[str, str] | None]]:
    """Each signed result of the kit, with what it says; and what must not be believed."""
    answers = [
        urlsplit(answer["opens"]).query
        for vector in KIT["requests"]
        for answer in vector["answers"]
        if answer["sealed_by"]
    ]
    answers += [urlsplit(vector["link"]).query for vector in KIT["results"] if vector["seal"]]
    found: list[tuple[dict[str, Any], dict[str, str] | None]] = []
    for query in answers:
        said = {name: value for name, value in pairs(query) if not name.startswith("error")}
        own = ["errorCode", "errorMessage"]
        case = {"query": query, "ref": said["ref"], "own": own, "now": NOW}
        found.append((case, said))
        found.append((case | {"query": f"cart=7&{query}", "own": [*own, "cart"]}, said))
        spoiled = [
            case | {"query": f"cart=7&{query}"},
            case | {"query": f"{query}&order=1"},
            case | {"query": query.replace("status=", "status=x")},
            case | {"query": query.replace("order=", "order=1")},
            case | {"query": query.replace("&at=", "&at=1")},
            case | {"query": query.replace("exp=1790000300", "exp=1790000301")},
            case | {"query": re.sub("&sig=.*", "", query)},
            case | {"query": re.sub("&sig=(.)", another, query)},
            case | {"query": re.sub("kid=kiosk.[78]", "kid=unknown", query)},
            case | {"query": re.sub("kid=kiosk.[78]", "kid=shop-2", query)},
            case | {"query": f"{query}%FF"},
            case | {"query": ""},
            case | {"ref": "nonce-of-another-link"},
            case | {"ref": ""},
            case | {"now": 1_790_000_300},
        ]
        found += [(each, None) for each in spoiled]
    return found


def another(start: re.Match[str]) -> str:
    return "&sig=B" if start[1] == "A" else "&sig=A"


# --- the test ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.fence)
def test_an_example_does_what_the_kit_says(language: Language, tmp_path: Path) -> None:
    if shutil.which(language.command[0]) is None:
        pytest.skip(
            f"NOT TESTED: the example in {language.fence}, as there is no such program here"
        )
    program = tmp_path / f"example.{language.suffix}"
    driver = (DRIVERS / f"drive.{language.fence}").read_text(encoding="utf-8")
    program.write_text(blocks(language.fence)[0] + driver, encoding="utf-8")
    to_build, to_verify = links(), results()
    assert len(to_build) >= 6
    assert {key["algorithm"] for key in KIT["keys"]} == {"hmac-sha256", "ed25519"}
    asked = {
        "keys": KIT["keys"],
        "links": [case for case, _ in to_build],
        "results": [case for case, _ in to_verify],
    }
    done = subprocess.run(
        [*language.command, str(program)],
        input=json.dumps(asked), capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["links"] == [link for _, link in to_build]
    for (case, wanted), got in zip(to_verify, said["results"], strict=True):
        assert got == wanted, case


# --- the tables -------------------------------------------------------------------------------

COLUMNS: Final = (Name.SQUARE_IOS, Name.SQUARE_ANDROID, Name.SUMUP_IOS, Name.SUMUP_ANDROID)


def test_the_table_of_reasons_is_the_codes() -> None:
    table = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", PAGE, re.MULTILINE)
    found = {
        reason: re.findall(r"`([^`]+)`", cells) for reason, cells in table if reason in REASONS
    }
    assert list(found) == REASONS
    for reason, cells in found.items():
        said = [codes.code(name, Reason(reason)) for name in COLUMNS]
        assert cells == [code.removeprefix("com.squareup.pos.ERROR_") for code in said]


REASONS: Final = [str(reason) for reason in Reason if reason is not Reason.NONE]


def test_the_page_names_every_parameter_and_address() -> None:
    named = set(re.findall(r"`([^`\n]+)`", PAGE))
    assert set(kassa.RESULT) <= named
    assert {"order", "callback", "amount", "currency", "claim", "payment"} <= named
    assert {f"{scheme}://payNow" for scheme in kassa.SCHEMES} <= named
    assert any(name.startswith(f"{x_callback.SCHEME}://") for name in named)
