"""What commands print: one JSON document for programs or a table for people on stdout; errors on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_WIDTH: Final = 1000
"""Columns of the widest table."""


def emit(document: Mapping[str, Any], *, as_json: bool, title: str) -> None:
    """Print the result of a command: one line of JSON, or a table of its fields."""
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    print_table(title, None, [(name.replace("_", " "), _text(value)) for name, value in document.items()])


def emit_rows(
    name: str, rows: Sequence[Mapping[str, Any]], *, as_json: bool, title: str, none: str, **more: Any
) -> None:
    """Print a listing: one line of JSON with the rows under `name` behind `more`, or a table. `none` says: no rows."""
    if as_json:
        sys.stdout.write(json.dumps({**more, name: list(rows)}, ensure_ascii=False) + "\n")
    elif not rows:
        sys.stdout.write(f"{title}: {none}\n")
    else:
        header = [column.replace("_", " ") for column in rows[0]]
        print_table(title, header, [[_text(value) for value in row.values()] for row in rows])


def print_table(title: str, header: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> None:
    """Print rows of texts as a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=header is not None, box=box.SIMPLE)
    for column in header or [""] * len(rows[0]):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a name in brackets is not markup
    console = Console(file=sys.stdout)
    # A row is a line, whose ids and secrets can be copied, also where the terminal has to wrap it.
    unbounded = console.options.update(max_width=MAX_WIDTH)
    console.width = max(console.width, console.measure(table, options=unbounded).maximum)
    # The title stands above the table, not inside: there it would be wrapped to the width of the columns.
    console.print(Text(title, style="table.title"), soft_wrap=True)
    console.print(table)


def print_error(message: str) -> None:
    """Say on stderr what is wrong, one line for each line of the message."""
    for line in message.splitlines() or [""]:
        sys.stderr.write(f"kobza: {line}\n")


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(str(item) for item in value)
        case _:
            return str(value)
