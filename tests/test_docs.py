"""Documentation that must not fall behind: every code, every key, every decision, every link."""

import contextlib
import io
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import MISSING
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po

from appliance.cli import main
from appliance.counter import config_schema as schema
from appliance.counter.config import CREDENTIALS, parse
from appliance.counter.config_rules import Address, Secret
from appliance.domain.errors import Code
from appliance.domain.money import Currency

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RUNBOOK = DOCS / "runbook"
EXAMPLE = DOCS / "kassa.example.toml"
PAGES = sorted(RUNBOOK.glob("K-*.md"))
KEYS = [(section, key) for section in schema.SECTIONS for key in schema.keys(section)]


# --- the runbook ----------------------------------------------------------------------------------

PARTS = [
    "The seller sees",
    "What happened",
    "The counter, by itself",
    "The seller",
    "IT",
    "The money",
]


def test_every_code_has_a_page_and_no_page_is_without_a_code():
    assert {page.stem for page in PAGES} == {str(code) for code in Code}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_of_the_runbook_answers_six_questions(page):
    title, *parts = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)
    assert re.fullmatch(rf"# {page.stem}: \S.*\n\n", title)
    assert [part.splitlines()[0] for part in parts] == PARTS
    for part in parts:
        assert part.split("\n", 1)[1].strip().endswith((".", "`")), part


def test_the_index_has_every_page_once_under_its_title():
    index = (RUNBOOK / "README.md").read_text()
    rows = re.findall(r"^\| \[(K-\S+)\]\((\S+)\) \| (.+?) \| (.+?) \|$", index, re.MULTILINE)
    assert sorted(code for code, *_ in rows) == sorted(str(code) for code in Code)
    for code, link, title, _ in rows:
        assert link == f"{code}.md"
        assert (RUNBOOK / link).read_text().startswith(f"# {code}: {title}\n")


def test_what_the_runbook_tells_people_to_type_exists():
    texts = "\n".join(page.read_text() for page in RUNBOOK.glob("*.md"))
    commands = {
        tuple(found.split())
        for found in re.findall(r"`(?:sudo (?:-u kassa )?)?kassa ((?:journal )?[a-z]+)", texts)
    }
    assert {("doctor",), ("journal", "show"), ("journal", "verify")} <= commands
    for command in sorted(commands):
        with contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
            main([*command, "--help"])
        assert ended.value.code == 0, command


def test_what_the_runbook_looks_for_in_the_log_is_logged():
    texts = "\n".join(page.read_text() for page in PAGES)
    words = set(re.findall(r"journalctl[^`]*\| grep (\w+)", texts))
    words |= {word for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", texts) if word not in _keys()}
    assert words
    sources = "\n".join(file.read_text() for file in (ROOT / "appliance").rglob("*.py"))
    assert {word for word in words if word not in sources} == set()


def _keys() -> set[str]:
    return {key for _, key in KEYS}


def test_settings_that_a_page_names_exist():
    named = [
        (page.name, section, key)
        for page in [*PAGES, *DOCS.glob("*.md")]
        for section, key in re.findall(r"\[(\w+)\] `?([a-z]\w*)", page.read_text())
        if section in schema.SECTIONS
    ]
    assert named
    assert [name for name in named if name[1:] not in KEYS] == []


# --- the configuration ----------------------------------------------------------------------------


def in_toml(value: Any) -> str:
    """A default as one writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return f"[{', '.join(in_toml(entry) for entry in value)}]"
        case Currency():
            return f'"{value.code}"'
        case Secret():
            return f'"{value.reveal()}"'
        case dict():  # keys by their ids, of which one writes a list
            return in_toml(tuple(value))
        case str() | Path() | Address():
            return f'"{value}"'
    return str(value)


def documented() -> dict[tuple[str, str], str]:
    """Section and key -> what docs/configuration.md says the default is."""
    found, section = {}, ""
    for line in (DOCS / "configuration.md").read_text().splitlines():
        if heading := re.fullmatch(r"## \[(\w+)\]", line):
            section = heading[1]
        elif row := re.fullmatch(r"\| `(\w+)` \| (.+) \| (.+?) \| (.+) \|", line):
            assert (section, row[1]) not in found
            found[section, row[1]] = row[3]
    return found


def test_every_key_is_documented_and_no_other():
    assert sorted(documented()) == sorted(KEYS)


@pytest.mark.parametrize(("section", "name"), KEYS)
def test_the_documented_default_is_the_default(section, name):
    key, told = schema.keys(section)[name], documented()[section, name]
    if key.is_required:
        assert told == "—"
    elif (section, name) == ("counter", "offline"):
        assert (told, key.default) == ('`"refuse"`', None)
    elif key.default is None or key.default is MISSING:
        assert re.fullmatch(r"\*.+\*", told)
    else:
        assert told == f"`{in_toml(key.default)}`"


def example(text: str, folder: Path) -> schema.Config:
    (folder / "shop-token").write_text("t-1\n")
    names = {
        "terminal.kind": {"zvt"},
        "printer.kind": {"escpos"},
        "shop.kind": {"kassa", "vendure"},
    }
    return parse(text, EXAMPLE.name, names=names, environ={CREDENTIALS: str(folder)})


def uncommented() -> dict[str, dict[str, str]]:
    """Every key of the example that stands behind a #, with its line."""
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in EXAMPLE.read_text().splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
            found[section] = {}
        elif key := re.fullmatch(r"# (\w+) = .+", line):
            found[section][key[1]] = line.removeprefix("# ")
    return found


def test_the_example_can_be_used(tmp_path):
    config = example(EXAMPLE.read_text(), tmp_path)
    assert config.shop.token.reveal() == "t-1"
    assert str(config.terminal.address) == "serial:/dev/kassa/terminal"


def test_the_example_shows_every_key_once():
    shown = [(section, key) for section, keys in uncommented().items() for key in keys]
    for section, keys in tomllib.loads(EXAMPLE.read_text()).items():
        shown += [(section, key) for key in keys]
    assert sorted(shown) == sorted(KEYS)


# Another way to say the same as a key that the example sets, or no default of its own.
NO_DEFAULTS = {
    "token", "token_file", "timezone", "ca_file", "keys_file", "keys_credential", "sellers_file",
    "cert_file", "key_file", "token_credential", "password_credential",
}  # fmt: skip


def test_what_the_example_comments_out_are_the_defaults(tmp_path):
    text = EXAMPLE.read_text()
    for keys in uncommented().values():
        for name, line in keys.items():
            if name not in NO_DEFAULTS:
                text = text.replace(f"\n# {line}\n", f"\n{line}\n")
    assert text.count("\n# ") < EXAMPLE.read_text().count("\n# ") - 20
    assert example(text, tmp_path) == example(EXAMPLE.read_text(), tmp_path)


def test_the_other_ways_in_the_example_can_be_used_too(tmp_path):
    (tmp_path / "file").write_text("t-2\n")
    text = EXAMPLE.read_text().replace("token_credential =", "token_file =")
    text = text.replace('"shop-token"', f'"{tmp_path / "file"}"')
    assert example(text, tmp_path).shop.token.reveal() == "t-2"
    text = EXAMPLE.read_text().replace("# timezone", "timezone").replace("# ca_file", "ca_file")
    config = example(text, tmp_path)
    assert config.counter.timezone == ZoneInfo("Europe/Berlin")
    assert config.shop.ca_file == Path("/etc/kassa/shop-ca.pem")


# --- decisions, links -----------------------------------------------------------------------------

DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


def test_decisions_are_numbered_without_gaps_and_listed():
    assert [int(file.name[:4]) for file in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    index = (DOCS / "decisions/README.md").read_text()
    rows = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", index, re.MULTILINE)
    assert [link for *_, link in rows] == [file.name for file in DECISIONS]
    for number, title, link in rows:
        assert (DOCS / "decisions" / link).read_text().startswith(f"# {number}. {title}\n")


@pytest.mark.parametrize("file", DECISIONS, ids=lambda file: file.stem)
def test_a_decision_says_why_and_what_follows(file):
    text = file.read_text()
    assert re.search(r"^Status: (accepted|replaced by \[.+\])$", text, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences"]


def test_links_lead_somewhere():
    pages = [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        if not re.match(r"[a-z]+:", link)
    ]
    assert len(links) > 50
    broken = []
    for page, link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def _anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- the words of the screen ----------------------------------------------------------------------


def catalogue(file: Path) -> tuple[str, dict[Any, Any]]:
    """The header as it is written, and the translations by their texts."""
    with file.open("rb") as stream:
        translations = {message.id: message.string for message in read_po(stream) if message.id}
    return file.read_text().partition("\n\n")[0], translations


def test_the_commands_for_translators_change_nothing_that_is_there(tmp_path):
    commands = re.search(r"^```\n(mkdir .+?)^```$", (DOCS / "screens.md").read_text(), re.M | re.S)
    assert commands
    shutil.copytree(ROOT / "web", tmp_path / "web")
    scripts = Path(sys.executable).parent
    script = commands[1].replace(".venv/bin", str(scripts))
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for file in (ROOT / "web/translations").glob("*.po"):
        assert catalogue(tmp_path / "web/translations" / file.name) == catalogue(file)
