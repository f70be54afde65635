"""docs/configuration.md and the settings say the same."""

import re
from pathlib import Path

import pytest

from kobza.config.loading import CONFIG_VARIABLE, OTHER_VARIABLES, load
from kobza.config.settings import Settings

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/configuration.md").read_text("utf-8")
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<default>.*?) \| (?P<meaning>.*) \|$", re.MULTILINE)
ROWS = {found["name"]: found for found in ROW.finditer(PAGE)}


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert set(ROWS) == set(Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_documented_default_is_the_default(name: str) -> None:
    value = load(environment={}).shown()[name]["value"]
    items = [str(value).lower()] if isinstance(value, bool) else value if isinstance(value, list) else [value]
    written = ", ".join(f"`{item}`" for item in items if item is not None) or "none"
    assert ROWS[name]["default"] == written


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_code_and_the_page_say_what_a_setting_means(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description is not None
    assert description.endswith(".")
    assert ROWS[name]["meaning"].startswith(description)


def test_every_variable_in_the_documents_exists() -> None:
    known = {"KOBZA_" + name.upper() for name in Settings.model_fields} | set(OTHER_VARIABLES)
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    mentioned = {
        (page.name, name) for page in pages for name in re.findall(r"\bKOBZA_[A-Z_]*[A-Z]\b", page.read_text("utf-8"))
    }
    assert {name for _, name in mentioned} >= {"KOBZA_DATA", CONFIG_VARIABLE}
    assert {item for item in mentioned if item[1] not in known} == set()


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "kobza.toml"
    file.write_text(example, "utf-8")
    found = load(config=file, environment={})
    assert "file" in found.sources.values()
