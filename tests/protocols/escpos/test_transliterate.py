import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.escpos.profiles import PROFILES
from appliance.protocols.escpos.transliterate import FILLER, TABLE, Charset

CHARSETS = {
    (profile.name, page): Charset(profile.pages, page)
    for profile in PROFILES.values()
    for page in profile.pages
}
# Any code point at all, lone surrogates and unassigned ones too.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
SWITCH = re.compile(rb"\x1bt(.)", re.DOTALL)


def read_back(charset: Charset, pages: dict[int, str], preferred: str, raw: bytes) -> str:
    """What a printer shows for these bytes."""
    text, page = "", preferred
    for at, part in enumerate(SWITCH.split(raw)):
        if at % 2:
            page = pages[part[0]]
        else:
            text += part.decode(page)
    assert page == preferred, "the preferred page is selected at the end"
    return text


@given(text=ANY_TEXT, key=st.sampled_from(sorted(CHARSETS)))
def test_any_text_comes_out_as_text_and_nothing_else(text, key):
    name, preferred = key
    charset = CHARSETS[key]
    shown = charset.printable(text)
    raw = charset.encode(shown)

    # No control byte: nothing of a text can be a command.
    assert all(byte >= 0x20 and byte != 0x7F for byte in SWITCH.sub(b"", raw))
    # One byte a column, and the printer shows the very characters.
    assert len(SWITCH.sub(b"", raw)) == len(shown)
    pages = {number: page for page, number in PROFILES[name].pages.items()}
    assert read_back(charset, pages, preferred, raw) == shown
    # A "?" on paper was one before (or a form of it, such as the full-width one).
    assert shown.count("?") <= unicodedata.normalize("NFKD", text).count("?")
    # What was printable already is not printed twice over.
    assert charset.printable(shown) == shown


@given(text=ANY_TEXT, key=st.sampled_from(sorted(CHARSETS)))
def test_no_visible_character_vanishes(text, key):
    charset = CHARSETS[key]
    for character in text:
        if unicodedata.category(character) not in {"Cc", "Cf", "Mn", "Me"}:
            assert charset.printable(character)


@pytest.mark.parametrize(
    ("profile", "page", "text", "shown"),
    [
        # What the printer has is left alone, by way of another page where need be.
        ("generic-80", "cp858", "Müller & Söhne, 12,50 €", "Müller & Söhne, 12,50 €"),
        ("generic-80", "cp866", "«Ромашка» — 5 €", "«Ромашка» — 5 €"),
        ("generic-80", "cp858", "Заказ №7", "Заказ №7"),
        # What it has not is written otherwise.
        ("generic-80", "cp866", "100 ₽", "100 руб."),
        ("cyrillic-80", "cp866", "«Ромашка» — 5 €…", '"Ромашка" - 5 EUR...'),
        ("cyrillic-80", "cp866", "Müller, Straße, Ærø", "Mueller, Strasse, Aero"),
        ("cyrillic-80", "cp866", "Їжак і ґава, Қазақ", "Їжак i гава, Казак"),
        ("cyrillic-80", "cp866", "Ёлка ё", "Ёлка ё"),
        # Blanks are blanks, controls are nothing.
        ("cyrillic-80", "cp866", "1\xa0234\u202f5\tx\ny", "1 234 5 x y"),
        ("cyrillic-80", "cp866", "a\x1b@b\x00\x10\x04\x01c\u202ed\x7f\x9be", "a@bcde"),
        # Compatibility forms and accents.
        ("cyrillic-80", "cp866", "ﬁ ① ½ é e\u0301 Ñ", "fi 1 1/2 e e N"),
        # Marked, not dropped: one for one.
        ("cyrillic-80", "cp866", "a😀b漢c각d\ud800e\U0010ffff", "a·b·c·d·e·"),
        ("cyrillic-80", "cp866", "¿Que?", "·Que?"),
    ],
)
def test_examples(profile, page, text, shown):
    assert Charset(PROFILES[profile].pages, page).printable(text) == shown


def test_a_printer_with_latin_letters_only():
    latin = Charset({"cp437": 0}, "cp437")
    assert latin.printable("Щука, Юля, объём 100 ₽") == "Shchuka, Yulya, ob'em 100 RUB"
    assert latin.printable("Ґава Љубав") == "Gava Ljubav"
    assert latin.printable("漢") == FILLER


def test_a_page_without_the_middle_dot():
    ascii_only = Charset({"ascii": 0}, "ascii")
    assert ascii_only.printable("a漢·b") == "a**b"


def test_capitals_follow_their_small_letters():
    assert TABLE["Ж"] == ("Zh",)
    assert TABLE["Ä"] == ("Ae",)
    assert TABLE["ẞ"] == ("SS",)


def test_only_printable_text_can_be_encoded():
    with pytest.raises(ValueError, match="printable"):
        Charset({"cp866": 17}, "cp866").encode("漢")


def test_a_page_that_the_profile_lacks():
    with pytest.raises(KeyError):
        Charset({"cp866": 17}, "cp858")


def test_the_table_is_of_single_characters():
    assert all(len(character) == 1 for character in TABLE)
    assert all("?" not in text for texts in TABLE.values() for text in texts)
    assert sys.maxunicode not in map(ord, TABLE)
