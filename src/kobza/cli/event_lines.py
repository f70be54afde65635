"""How commands print call states: a line for people, in colours where there are some, or one of JSON."""

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import typer

from kobza.cli.remote import talk_text, wall_text

if TYPE_CHECKING:
    from kobza.client import CallState, Event

ARROWS: Final = {"incoming": "<-", "outgoing": "->", "local": "--"}
_COLOURS: Final[dict[str, dict[str, Any]]] = {
    "alerting": {"fg": "yellow"},
    "established": {"fg": "green"},
    "held": {"fg": "cyan"},
    "resumed": {"fg": "green"},
    "finished": {"fg": "blue"},
    "record_ready": {"fg": "magenta"},
}
_FAILED: Final[dict[str, Any]] = {"fg": "red"}
NORMAL_CAUSES: Final = frozenset({None, 16, 31})
"""Causes (Q.850) of calls that somebody ended; the others are shown as failures."""


def wants_colours(wish: bool | None) -> bool:
    """Tell whether to print colours: as wished, else on a terminal unless NO_COLOR is set (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") if wish is None else wish


def print_event(event: "Event", *, as_json: bool, colours: bool = False) -> None:
    """Print a state at once: who reads a pipe wants it now."""
    if as_json:
        line = json.dumps({"cursor": event.cursor, **document_of(event.state)}, ensure_ascii=False)
    else:
        line = line_of(event.state, colours=colours)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def document_of(state: "CallState") -> dict[str, object]:
    """Return the fields of a state as the API has them; those that it does not have are left out."""
    import msgspec

    fields: dict[str, object] = msgspec.to_builtins(state)
    more = fields.pop("more")
    known = {name: value for name, value in fields.items() if value is not None}
    return {**known, **more} if isinstance(more, dict) else known


def line_of(state: "CallState", *, colours: bool = False) -> str:
    """Return a state in one line for people."""
    name = f"{state.state_type:<12}"
    end = ""
    if state.state_type == "finished" and state.cause is not None:
        end = f"  {state.cause_text or 'cause'} ({state.cause}), talked {talk_text(state.call_duration or 0)}"
    elif state.state_type == "record_ready":
        end = f"  {state.record_id}, {talk_text(state.record_duration or 0)}"
    if colours:
        failed = state.state_type == "finished" and state.cause not in NORMAL_CAUSES
        name = typer.style(name, **(_FAILED if failed else _COLOURS.get(state.state_type, {})))
    arrow = ARROWS.get(state.call_direction, "-")
    return (
        f"{wall_text(state.occurred_at)}  {name} {state.state_owner} {arrow} {state.phone_number:<14}"
        f"{state.call_control_id}{end}"
    )
