"""Loading of the settings from the command line, the variables and the TOML file, and errors a person can act on."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings.exceptions import SettingsError as SourceError

from kobza.builds import PURE_VARIABLE
from kobza.config.settings import Settings

Source = Literal["default", "file", "environment", "command line"]

FILE_NAME = "kobza.toml"
PREFIX = "KOBZA_"
CONFIG_VARIABLE = "KOBZA_CONFIG"
"""Names the TOML file. Not a setting, because it says where the settings are."""
CLIENT_VARIABLES = (
    "KOBZA_URL",
    "KOBZA_TOKEN",
    "KOBZA_INTEGRATOR_ID",
    "KOBZA_THEIR_URL",
    "KOBZA_THEIR_TOKEN",
    "KOBZA_THEIR_INTEGRATOR_ID",
)
"""Say to the commands that speak to a server where it is and who asks. Not settings: a server has none of it."""
OTHER_VARIABLES = (CONFIG_VARIABLE, PURE_VARIABLE, *CLIENT_VARIABLES)
"""All that begin like settings and are none."""
MASK = "********"


class ConfigError(Exception):
    """Settings that are wrong: `problems` has one line for each, naming the setting, its source and what is right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force and where each comes from."""

    settings: Settings
    sources: Mapping[str, Source]
    file: Path | None
    """The TOML file that was read, if there is one."""

    def shown(self) -> dict[str, dict[str, Any]]:
        """Return name -> value and source of each setting, secrets masked, as `kobza config` prints them."""
        values = self.settings.model_dump(mode="json")
        for name in values:
            if isinstance(getattr(self.settings, name), SecretStr):
                values[name] = MASK
        return {name: {"value": value, "source": self.sources[name]} for name, value in values.items()}


class _Variables(EnvSettingsSource):
    """The `KOBZA_*` variables of a given environment instead of the process's own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self._environment.items()}


class _Given(Settings):
    """Settings from exactly the values that were given: the sources were merged before."""

    @classmethod
    def settings_customise_sources(cls, *_sources: Any, **by_name: Any) -> tuple[Any, ...]:
        return (by_name["init_settings"],)


def load(
    *,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Load the settings: the command line's `overrides` win over variables, those over the file, it over the defaults.

    The file is `config`, else the one that KOBZA_CONFIG names, else `kobza.toml` in the data directory if it exists.
    Raises ConfigError with every problem at once.
    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    problems = _unknown_variables(environment)
    try:
        variables = _Variables(environment)()
    except SourceError as error:
        raise ConfigError([*problems, str(error)]) from None
    path = _config_path(config, environment, given, variables)
    in_file = _read_file(path) if path is not None else {}
    problems += [
        f"{name}: unknown setting in {path}{_suggestion(name, Settings.model_fields)}; remove it or correct the name"
        for name in in_file
        if name not in Settings.model_fields
    ]
    layers: list[tuple[Source, Mapping[str, Any]]] = [
        ("file", {name: value for name, value in in_file.items() if name in Settings.model_fields}),
        ("environment", variables),
        ("command line", given),
    ]
    sources: dict[str, Source] = dict.fromkeys(Settings.model_fields, "default")
    merged: dict[str, Any] = {}
    for source, values in layers:
        merged.update(values)
        sources.update(dict.fromkeys(values, source))
    try:
        settings = _Given(**merged)
    except ValidationError as error:
        problems += [_line(details, sources, path) for details in error.errors(include_url=False)]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return Loaded(settings, sources, path)


def _config_path(
    config: Path | None, environment: Mapping[str, str], given: Mapping[str, Any], variables: Mapping[str, Any]
) -> Path | None:
    named = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    if named is not None:
        return named
    data = given.get("data") or variables.get("data") or Settings.model_fields["data"].default
    path = Path(data) / FILE_NAME
    return path if path.is_file() else None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError([f"{path}: the configuration file cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: the configuration file is not TOML: {error}"]) from None


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    known = [PREFIX + name.upper() for name in Settings.model_fields] + [*OTHER_VARIABLES]
    return [
        f"{name}: unknown variable{_suggestion(name, known)}; unset it or correct the name"
        for name in sorted(environment)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]


def _suggestion(name: str, known: Any) -> str:
    close = get_close_matches(name.upper(), [item.upper() for item in known], n=1)
    if not close:
        return ""
    return f" (did you mean {close[0] if close[0].startswith(PREFIX) else close[0].lower()}?)"


def _line(details: Any, sources: Mapping[str, Source], path: Path | None) -> str:
    """Say one problem in one line. The value is left out: it may be a secret, and the reader has it before him."""
    text = _what_is_right(details)
    if details["loc"]:
        name = str(details["loc"][0])
    else:  # a rule about several settings names the one to change itself
        name, _, text = text.partition(": ")
    source = sources.get(name, "default")
    place = {
        "file": f"in {path}",
        "environment": f"in the variable {PREFIX}{name.upper()}",
        "command line": f"given as --{name.replace('_', '-')}",
        "default": "by default",
    }[source]
    return f"{name} ({place}): {text}"


def _what_is_right(details: Any) -> str:
    match details["type"]:
        case "int_parsing" | "int_type" | "int_from_float":
            return "expected a whole number"
        case "greater_than_equal":
            return f"expected at least {details['ctx']['ge']}"
        case "less_than_equal":
            return f"expected at most {details['ctx']['le']}"
        case "literal_error":
            return f"expected {details['ctx']['expected']}"
        case "string_type" | "path_type":
            return "expected a text"
        case _:
            return str(details["msg"]).removeprefix("Value error, ")
