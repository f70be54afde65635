"""Whole SIP messages of a call, as the running server has them in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kobza.capture.drawing import Drawing
    from kobza.capture.message import Seen


def ask_for(data: Path, call_id: str, *, secrets: bool) -> "list[tuple[str, list[Seen]]]":
    """Return the dialogs of a call whose messages are in memory: who is at the other end, and the messages.

    Raises NoServer.
    """
    from kobza.app.control.client import ask
    from kobza.app.control.messages import AskCall, Dialog, Message

    dialogs: list[tuple[str, list[Seen]]] = []
    for answer in ask(data, AskCall(call_id, secrets)):
        if isinstance(answer, Dialog):
            dialogs.append((answer.lane, []))
        elif isinstance(answer, Message):
            dialogs[-1][1].append(answer.seen)
    return [each for each in dialogs if each[1]]


def in_order(dialogs: "list[tuple[str, list[Seen]]]") -> "list[Seen]":
    """Return the messages of all dialogs in the order of their ladder."""
    return sorted((seen for _, messages in dialogs for seen in messages), key=lambda seen: seen.at)


def text_of(drawing: "Drawing", messages: "Sequence[Seen]") -> list[str]:
    """Write whole messages for people, in the order of their ladder."""
    from kobza.capture.ladder_text import seconds

    out = []
    for arrow, seen in zip(drawing.arrows, messages, strict=True):
        source, target = _ends(seen)
        names = f"{drawing.columns[arrow.from_column]} to {drawing.columns[arrow.to_column]}"
        out += ["", f"{seconds(arrow.after_ms)}  {names}, {seen.flow.transport} {source} to {target}"]
        out += [f"    {line}".rstrip() for line in printable(seen.data).split("\n")]
    return out


def document_of(seen: "Seen") -> dict[str, Any]:
    """Return what a program is told of a whole message."""
    source, target = _ends(seen)
    return {"transport": str(seen.flow.transport), "source": source, "target": target, "message": printable(seen.data)}


def printable(data: bytes) -> str:
    """Return a message as lines of text that do nothing to a terminal."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    return "".join(each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in text)


def _ends(seen: "Seen") -> tuple[str, str]:
    from kobza.sip.flow import host_text

    local, remote = (f"{host_text(host)}:{port}" for host, port in (seen.flow.local, seen.flow.remote))
    return (local, remote) if seen.sent else (remote, local)
