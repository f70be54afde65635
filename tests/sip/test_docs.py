"""docs/sip-transactions.md says what the tables say."""

import pytest

from kobza.sip.transaction_tables import Input
from tests.sip.transaction_page import PAGE, TABLES, names, parts, word, written

pytestmark = pytest.mark.docs
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_the_code() -> None:
    """When it is not: `python -m tests.sip.transaction_page`."""
    assert written(TEXT) == TEXT


def test_the_page_has_every_part_once() -> None:
    assert sorted(names(TEXT)) == sorted(parts())
    for title, table in TABLES.items():
        assert f"\n## {title}\n" in TEXT
        assert len(parts()[title]) > len(table)


def test_every_timer_is_explained() -> None:
    for what in Input:
        if what.name.startswith("TIMER_") or what is Input.PATIENCE:
            assert f"| {word(what).removeprefix('timer ')} |" in TEXT
    assert "| C |" in TEXT
