"""What the portal says: a gettext catalogue for each language, read as it stands, so nothing has to be compiled.

A text is known by its key. A test sees to it that each catalogue has the texts that are used and no others.
"""

from functools import cache
from gettext import NullTranslations
from importlib.resources import files
from io import BytesIO
from typing import Any, Final, NoReturn

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from kobza.api.languages import Language

_LOCALES: Final[dict[Language, str]] = {"uk": "uk", "en": "en_GB"}
LANGUAGES: Final[tuple[Language, ...]] = ("uk", "en")


class _Missing(NullTranslations):
    """What a catalogue falls back to: a key that it lacks is a mistake of ours, never shown to people."""

    def gettext(self, message: str) -> NoReturn:
        raise KeyError(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> NoReturn:  # noqa: ARG002 - gettext's signature
        raise KeyError(msgid1)


class Say:
    """The texts of one language: what templates call."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.locale = _LOCALES[language]
        """By which Babel writes dates."""
        compiled = BytesIO()
        write_mo(compiled, catalogue(language))
        compiled.seek(0)
        self._texts = Translations(compiled)
        self._texts.add_fallback(_Missing())

    def __call__(self, key: str, **values: Any) -> str:
        """Return a text with its `{places}` filled. Raises KeyError for one that does not exist."""
        text: str = self._texts.gettext(key)
        return text.format(**values) if values else text

    def count(self, key: str, count: int, **values: Any) -> str:
        """Return a text in the form that a number of things needs; `{count}` is the number."""
        text: str = self._texts.ngettext(key, key, count)
        return text.format(count=count, **values)


def catalogue(language: Language) -> Catalog:
    """Read the catalogue of a language. Raises PoFileError for one that is broken."""
    with (files("kobza.portal") / "locale" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@cache
def say_in(language: Language) -> Say:
    """Return the texts of a language."""
    return Say(language)
