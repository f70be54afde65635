"""Fields of YAML or JSON with their lines, so that what is wrong with one is told where it stands."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeVar

import yaml

from kobza.call.errors import Fault as Whose
from kobza.call.errors import KobzaError, NumberError
from kobza.call.numbers import normalize
from kobza.sandbox.faults import Kind
from kobza.sandbox.scenario import Start, Then, Who

MAX_BYTES: Final = 8 * 1024
"""A scenario is some 20 lines; the worst text of this length takes some 10 ms of the loop that carries the calls."""
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's is some ten times as fast; the wheels have it."""
MAX_DEPTH: Final = 4
_DECIMAL: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_WHOLE: Final = re.compile(r"[0-9]{1,6}")
Choice = TypeVar("Choice", Start, Then, Who, Kind)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` counts from 1; None: it is no line's fault, such as a field that is missing."""

    line: int | None
    field: str
    text: str

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{self.field}: {self.text}" if self.field else f"{where}{self.text}"


class InvalidScenario(KobzaError):
    """A text that is no scenario; `problems` has each thing that is wrong with it."""

    code = "invalid_scenario"
    http_status = 400
    fault = Whose.CALLER

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__("; ".join(map(str, self.problems)), parameter=first.field or None)


class Entry(NamedTuple):
    """A field's value, not read yet, and the line it stands on; None for a file of ours."""

    line: int | None
    node: yaml.Node


class Fields:
    """The fields of one mapping. Getters note what is wrong and return their default: so all problems are found."""

    def __init__(
        self, entries: Mapping[str, Entry], problems: list[Problem], path: str = "", line: int | None = None
    ) -> None:
        """`path` is where the mapping is, with a dot behind; `line` where it begins, told for what is missing in it."""
        self.entries = dict(entries)
        self._line = line
        self.problems = problems
        self._path = path

    def over(self, below: "Fields") -> "Fields":
        """Return these fields on top of others, which are taken where there is none of the name here."""
        return Fields({**below.entries, **self.entries}, self.problems, self._path)

    def known(self, names: Collection[str]) -> None:
        """Note every field that is none of these."""
        for name in self.entries:
            if name not in names:
                close = get_close_matches(name, names, n=1)
                hint = f"; did you mean {close[0]}?" if close else f"; the fields are {', '.join(names)}"
                self.wrong(name, f"there is no such field{hint}")

    def wrong(self, name: str, text: str) -> None:
        """Note that a field is wrong."""
        entry = self.entries.get(name)
        self.problems.append(Problem(self._line if entry is None else entry.line, self._path + name, text))

    def has(self, name: str) -> bool:
        """Tell whether a field is there."""
        return name in self.entries

    def text(self, name: str, default: str = "", longest: int = 200) -> str:
        """Return a text of one line."""
        value = self._scalar(name)
        if value is None:
            return default
        if len(value) > longest or not value.isprintable():
            self.wrong(name, f"expected a text of one line and at most {longest} characters")
        return value

    def choice(self, name: str, choices: type[Choice], default: Choice) -> Choice:
        """Return one of the values of an enumeration."""
        value = self._scalar(name)
        if value is None:
            return default
        try:
            return choices(value)
        except ValueError:
            self.wrong(name, f"expected {', '.join(choices)}")
            return default

    def seconds(self, name: str, default: float, most: float, least: float = 0) -> float:
        """Return a duration."""
        value = self._scalar(name)
        if value is None:
            return default
        if _DECIMAL.fullmatch(value) is None or not least <= float(value) <= most:
            self.wrong(name, f"expected seconds from {least:g} to {most:g}")
            return default
        return float(value)

    def whole(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number, None when it is absent."""
        value = self._scalar(name)
        if value is None:
            return None
        if _WHOLE.fullmatch(value) is None or not least <= int(value) <= most:
            self.wrong(name, f"expected a whole number from {least} to {most}")
            return None
        return int(value)

    def switch(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self._scalar(name)
        if value is None:
            return default
        if value not in ("true", "false"):
            self.wrong(name, "expected true or false")
        return value == "true"

    def number(self, name: str) -> str:
        """Return a telephone number in its stored form; it must be there."""
        value = self._scalar(name)
        if value is None:
            if name not in self.entries:
                self.wrong(name, "is missing: a number of the enterprise, or another, which is then outside")
            return ""
        try:
            return normalize(value)
        except NumberError as error:
            self.wrong(name, error.detail[:1].lower() + error.detail[1:].rstrip("."))
            return ""

    def words(self, name: str, choices: Collection[str], most: int = 20) -> tuple[str, ...] | None:
        """Return a list of words, None when it is absent."""
        nodes = self._sequence(name, most)
        if nodes is None:
            return None
        values = tuple(node.value if isinstance(node, yaml.ScalarNode) else "" for node in nodes)
        if any(value not in choices for value in values):
            self.wrong(name, f"expected a list of {', '.join(choices)}")
        return values

    def mappings(self, name: str, most: int) -> "Iterator[Fields]":
        """Yield the mappings of a list."""
        for place, node in enumerate(self._sequence(name, most) or (), start=1):
            inner = f"{self._path}{name}[{place}]."
            if isinstance(node, yaml.MappingNode):
                yield Fields(_entries(node, self.problems, inner), self.problems, inner, _line(node))
            else:
                self.problems.append(Problem(_line(node), inner.rstrip("."), "expected fields with values"))

    def mapping(self, name: str) -> "Fields | None":
        """Return the mapping in a field, None when it is absent."""
        entry = self.entries.get(name)
        if entry is None:
            return None
        if not isinstance(entry.node, yaml.MappingNode):
            self.wrong(name, "expected fields with values")
            return None
        inner = f"{self._path}{name}."
        return Fields(_entries(entry.node, self.problems, inner), self.problems, inner, entry.line)

    def _scalar(self, name: str) -> str | None:
        entry = self.entries.get(name)
        if entry is None:
            return None
        if not isinstance(entry.node, yaml.ScalarNode) or not entry.node.value:
            self.wrong(name, "expected one value")
            return None
        return str(entry.node.value)

    def _sequence(self, name: str, most: int) -> list[yaml.Node] | None:
        entry = self.entries.get(name)
        if entry is None:
            return None
        if not isinstance(entry.node, yaml.SequenceNode) or len(entry.node.value) > most:
            self.wrong(name, f"expected a list of at most {most}")
            return None
        return list(entry.node.value)


def fields_of(body: bytes) -> Fields:
    """Read the fields of a text. Raises InvalidScenario for what is neither YAML nor JSON, or no mapping."""
    if len(body) > MAX_BYTES:
        raise InvalidScenario([Problem(None, "", f"the scenario is longer than {MAX_BYTES} bytes")])
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidScenario([Problem(None, "", "the scenario is not UTF-8")]) from None
    if text.lstrip().startswith("{") and _is_json(text):
        text = text.replace("\t", " ")  # within a string JSON has none, and YAML takes none around it
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise InvalidScenario([_syntax(error, text)]) from None
    if not isinstance(node, yaml.MappingNode):
        raise InvalidScenario([Problem(1, "", "expected fields with values, such as caller: 0671230001")])
    problems: list[Problem] = []
    return Fields(_entries(node, problems, ""), problems)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _check_events(text: str) -> None:
    """Refuse what could grow or nest without end, before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidScenario([Problem(_row(event.start_mark), "", "references (*name) are not taken")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidScenario([Problem(_row(event.start_mark), "", "is nested too deep")])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return Problem(_row(mark), "", f"is neither YAML nor JSON: {error.problem or error.context}")
    position = getattr(error, "position", None)
    line = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
    return Problem(line, "", "has a character that YAML does not take")


def _entries(node: yaml.MappingNode, problems: list[Problem], path: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(_line(key), path.rstrip("."), "expected a name before the colon"))
            continue
        name = str(key.value)
        if name in found:
            problems.append(Problem(_line(key), path + name, "is given twice"))
        found[name] = Entry(_line(key), value)
    return found


def _line(node: yaml.Node) -> int:
    return _row(node.start_mark) or 1


def _row(mark: Any) -> int | None:
    """Return the line of a mark, from 1. The library's two kinds of marks have no common type."""
    return None if mark is None else int(mark.line) + 1
