"""docs/calls.md says what calls do; here every row of its tables is played and compared."""

from pathlib import Path

import pytest

from tests.call.ladder import Ladder
from tests.call.scenarios import SCENARIOS
from tests.call.state_table import diagram, table

DOCUMENT = (Path(__file__).parents[2] / "docs" / "calls.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its head."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def row(name: str) -> list[str]:
    """Play a scenario and write what came of it as the table does."""
    ladder = Ladder()
    SCENARIOS[name](ladder)
    assert ladder.call.finished
    ended = ladder.ended
    records = [ladder.record_of(record.enterprise_id) for record in ladder.records]
    return [
        name,
        str(ended.sip_status),
        str(ended.cause),
        ended.released_by,
        ladder.told("caller") or "none",
        ladder.told_members() or ladder.told("callee") or "none",
        "; ".join(records),
    ]


@pytest.mark.parametrize("cells", rows("Every scenario"), ids=lambda cells: cells[0])
def test_a_call_goes_as_the_table_says(cells: list[str]) -> None:
    assert row(cells[0]) == cells


def test_every_scenario_has_its_row() -> None:
    assert [cells[0] for cells in rows("Every scenario")] == list(SCENARIOS)


def block(after: str, first: str) -> list[str]:
    """The lines of the document from one that starts with `first`, after a heading, to the next empty line or fence."""
    lines = DOCUMENT.partition(f"\n## {after}\n")[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(first))
    end = next(number for number, line in enumerate(lines) if number > start and line in ("", "```"))
    return lines[start:end]


def test_every_input_in_every_phase_does_what_the_table_says() -> None:
    assert block("What every input does in every phase", "| |") == table()


def test_the_diagram_shows_the_transition_table() -> None:
    assert block("Phases", "stateDiagram") == diagram()
