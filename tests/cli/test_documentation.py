"""docs/cli.md and the commands say the same."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from kobza.cli.main import app
from tests.cli.conftest import Kobza

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/cli.md").read_text("utf-8")
SECTIONS = {
    found[1]: found[2]
    for found in re.finditer(r"^## (kobza [a-z ]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
SHARED = {"--data", "--help"}
"""Told once, at the top of the page."""


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(typer.main.get_command(app), "kobza"))


def options_of(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts if option.startswith("--")}


def test_every_command_is_documented_and_nothing_else() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_documented_and_no_other(path: str) -> None:
    documented = set(re.findall(r"--[a-z][a-z-]*", SECTIONS[path]))
    options = options_of(COMMANDS[path])
    opposites = {option for parameter in COMMANDS[path].params for option in parameter.secondary_opts}
    assert options - SHARED - documented == set()
    assert documented - options - opposites == set()


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_a_help_with_examples(path: str, kobza: Kobza) -> None:
    ran = kobza(*path.split()[1:], "--help")
    assert ran.code == 0
    assert f"Examples:\n    {path}" in ran.out or re.search(rf"Examples:\n(.*\n)*    .*{path}", ran.out)
