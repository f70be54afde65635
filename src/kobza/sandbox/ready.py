"""The ready-made scenarios: files beside this module, one for each cause an integrator may meet."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

from kobza.sandbox.fields import Entry, Fields, fields_of


class ReadyMade:
    """All ready-made scenarios by name, read once. Their fields have no line: they stand in a file of ours."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = {name: text.decode() for name, text in texts.items()}
        self._fields = {name: _without_lines(fields_of(text)) for name, text in sorted(texts.items())}

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(self._fields)

    def text(self, name: str) -> str:
        """Return the file of one, to begin with. Raises KeyError."""
        return self._texts[name]

    def get(self, name: str) -> Fields | None:
        """Return the fields of one, or None."""
        found = self._fields.get(name)
        return None if found is None else Fields(found.entries, [])


def _without_lines(fields: Fields) -> Fields:
    return Fields({name: Entry(None, entry.node) for name, entry in fields.entries.items()}, [])


@cache
def ready_made() -> ReadyMade:
    """Return those of the package."""
    folder = resources.files("kobza.sandbox") / "scenarios"
    files = [file for file in folder.iterdir() if file.name.endswith(".yaml")]
    return ReadyMade({file.name.removesuffix(".yaml"): file.read_bytes() for file in files})
