"""The words of each language, read from the .po files when the program starts.

No compiled catalogue is kept anywhere: a missing or outdated one cannot be, and a translator
sees a change after a restart. See docs/screens.md for what it costs.
"""

from __future__ import annotations

from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER: Final = Path(__file__).parent / "translations"
SOURCE: Final = "en"
"""The language of the message ids: it needs no catalogue."""


def load(language: str) -> NullTranslations:
    """The catalogue of a language. Raises FileNotFoundError for one that there is none of."""
    if language == SOURCE:
        return NullTranslations()
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalog = read_po(file, locale=language)
    compiled = BytesIO()
    # Fuzzy entries are guesses of the merge tool; nobody has read them.
    write_mo(compiled, catalog, use_fuzzy=False)
    compiled.seek(0)
    return GNUTranslations(compiled)
