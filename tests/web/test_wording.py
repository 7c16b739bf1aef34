"""Every code, page and label has words, in every language, and nothing is left over."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import web
from appliance.counter.commands import COMMAND_CODES
from appliance.counter.screen import Action, Page, Paid, Receipt
from appliance.domain.errors import Code
from appliance.domain.order import CheckKind
from appliance.ports import Prompt
from web import LANGUAGES, catalogs, labels, view
from web.wording import WORDING

FOLDER = Path(web.__file__).parent
TRANSLATED = [language for language in LANGUAGES if language != catalogs.SOURCE]
METHODS = [("bench/**", "ignore"), ("**.py", "python"), ("templates/**.html", "jinja2")]
PLACEHOLDER = re.compile(r"%\(\w+\)s")


def key(message_id: str | tuple[str, ...] | list[str]) -> str:
    return message_id if isinstance(message_id, str) else message_id[0]


def sources() -> set[str]:
    options = {"templates/**.html": {"trimmed": "true"}}
    keywords = {"N_": None, "_": None, "gettext": None, "ngettext": (1, 2)}
    found = extract_from_dir(str(FOLDER), METHODS, options, keywords=keywords)
    return {key(message) for _, _, message, _, _ in found}


def catalog(language: str) -> Catalog:
    with (FOLDER / "translations" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def texts(message: Message) -> tuple[str, ...]:
    assert message.string is not None
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_catalogue_has_exactly_the_words_of_the_sources(language: str) -> None:
    translated = {key(message.id) for message in catalog(language) if message.id}
    assert translated == sources()


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_with_the_same_placeholders(language: str) -> None:
    forms = {"ru": 3, "de": 2, "fr": 2}[language]
    for message in catalog(language):
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        if not isinstance(message.id, str):
            assert len(texts(message)) == forms, message.id
        for text in texts(message):
            assert text.strip() == text, message.id
            assert text, message.id
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(key(message.id)))
            if len(text) > 5:  # no abbreviation
                assert (text[-1] in ".?") == (key(message.id)[-1] in ".?"), message.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_words_were_left_in_english(language: str) -> None:
    same = {
        text
        for message in catalog(language)
        for text in texts(message)
        if message.id and text == key(message.id) and " " in text
    }
    assert same <= {"%(what)s: %(which)s"}


@pytest.mark.parametrize(
    ("language", "name"), [("fr", r"[Tt]icket CB"), ("ru", r"(чек|чеке|чеку) терминала")]
)
def test_the_terminals_slip_is_not_called_as_our_receipt_is(language: str, name: str) -> None:
    found = [m for m in catalog(language) if re.search(r"\bslip\b", key(m.id))]
    assert len(found) > 10
    assert not [m.id for m in found if not re.search(name, texts(m)[0])]


def test_russian_is_in_cyrillic() -> None:
    allowed = re.compile(r"Wi-Fi|USB|enrol\.txt|%\(\w+\)s|[^A-Za-z]")
    for message in catalog("ru"):
        for text in texts(message) if message.id else ():
            assert not allowed.sub("", text), text


def test_every_code_is_worded() -> None:
    assert set(WORDING) == set(Code)
    for code, wording in WORDING.items():
        assert 1 <= len(wording.cure) <= 3, code
        assert len(wording.title) <= 30, code
        assert wording.reason.endswith("."), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_title_can_be_read_from_two_metres(language: str) -> None:
    for code in Code:
        worded = view.language(language).worded(code)
        assert len(worded.title) <= 34, worded.title
        assert max(len(word) for word in worded.title.split()) <= 18, worded.title
        assert all(worded.cure)


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (labels.PROMPTS, Prompt),
        (labels.RECEIPTS, Receipt),
        (labels.PAID, Paid),
        (labels.PAID_HOW, Paid),
        (labels.CHECKS, CheckKind),
        (labels.CHECKS_SHORT, CheckKind),
        (labels.ACTIONS, Action),
        (labels.PAGES, Page),
    ],
)
def test_every_value_has_a_label(table: dict[str, str], kind: type[StrEnum]) -> None:
    assert set(table) == set(kind)


def test_every_command_of_the_sheet_has_a_label() -> None:
    assert set(labels.COMMANDS) == {action for action, _ in COMMAND_CODES.values()}
    assert set(labels.LANGUAGE_NAMES) == set(LANGUAGES)


def test_every_text_of_the_tables_is_marked_for_translation() -> None:
    tables = (
        labels.DEVICES, labels.PROMPTS, labels.RECEIPTS, labels.PAID, labels.PAID_HOW,
        labels.CHECKS, labels.CHECKS_SHORT, labels.UNITS, labels.LOG, labels.ACTIONS,
        labels.COMMANDS, labels.PAGES,
    )  # fmt: skip
    shown = {text for table in tables for text in table.values()}
    for wording in WORDING.values():
        shown |= {wording.title, wording.reason, *wording.cure}
    assert shown <= sources()


def test_a_catalogue_that_is_missing_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        catalogs.load("xx")
