"""A drawing of SIP messages as lines of text of some width.

With few columns the words of a message stand on its arrow; with so many that they find no room there, on its right.
"""

from textwrap import wrap
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from kobza.capture.drawing import Arrow, Drawing

TIME: Final = 10
"""Columns of the moments on the left."""
LEAST_GAP: Final = 22
"""Columns between two lines that words still fit into."""
MOST_GAP: Final = 44
SIDES: Final = 26
"""Columns for the names of the outermost lines: half of them on each side."""
MOST_LINES: Final = 4
"""For a session description under its arrow."""
BESIDE: Final = 40
"""Columns for the words beside the arrows."""


class Signs(NamedTuple):
    """What lines are drawn with."""

    rail: str
    line: str
    crossing: str
    right: str
    left: str
    ellipsis: str


UNICODE: Final = Signs("│", "─", "┼", ">", "<", "…")
ASCII: Final = Signs("|", "-", "+", ">", "<", ".")


def lines(drawing: Drawing, width: int, signs: Signs = UNICODE) -> list[str]:
    """Draw. No line is wider than `width`, unless so many spoke that there are more rails than that has room for."""
    gaps = len(drawing.columns) - 1
    gap = min((width - TIME - SIDES) // gaps, MOST_GAP) if gaps else MOST_GAP
    if gap < LEAST_GAP:
        gap = min(max((width - TIME - BESIDE - 2) // max(gaps, 1), 2), 8)
        return [line.rstrip() for line in _beside(drawing, gap, width, signs)]
    return [line.rstrip() for line in _on_the_arrows(drawing, gap, signs)]


def seconds(after_ms: int) -> str:
    """Write a moment in a call: `12.345`, seconds since its first message."""
    return f"{after_ms / 1000:.3f}"


def _on_the_arrows(drawing: Drawing, gap: int, signs: Signs) -> list[str]:
    rails = [TIME + SIDES // 2 + gap * column for column in range(len(drawing.columns))]
    out = [_heads(drawing.columns, rails, min(gap, SIDES) - 1, signs), _row(rails, signs)]
    for arrow in drawing.arrows:
        out.append(_put(_stroke(arrow, rails, signs), _time(arrow), 0))
        begin, end = sorted((rails[arrow.from_column], rails[arrow.to_column]))
        _label(out, f" {_cut(arrow.what, end - begin - 5, signs)} ", begin, end)
        for piece in wrap(arrow.about, end - begin - 3)[:MOST_LINES]:
            out.append(_row(rails, signs))
            _label(out, _cut(piece, end - begin - 1, signs), begin, end)
    return [*out, _row(rails, signs)]


def _beside(drawing: Drawing, gap: int, width: int, signs: Signs) -> list[str]:
    rails = [TIME + 1 + gap * column for column in range(len(drawing.columns))]
    out = []
    for column, name in enumerate(drawing.columns):  # the names one below the other, each over its rail
        out.append(_put(_row(rails[: column + 1], signs), name, rails[column]))
    out.append(_row(rails, signs))
    room = max(BESIDE - 2, width - rails[-1] - 3)
    for arrow in drawing.arrows:
        words = f"{drawing.columns[arrow.from_column]} {signs.right} {drawing.columns[arrow.to_column]}: {arrow.what}"
        words += f" ({arrow.about})" if arrow.about else ""
        line = _put(_stroke(arrow, rails, signs), _time(arrow), 0)
        out.append(_put(line, _cut(words, room, signs), rails[-1] + 3))
    return [*out, _row(rails, signs)]


def _heads(names: list[str], rails: list[int], room: int, signs: Signs) -> str:
    line = ""
    for name, at in zip(names, rails, strict=True):
        shown = _cut(name, room, signs)
        line = _put(line, shown, max(0, at - cell_len(shown) // 2))
    return line


def _row(rails: list[int], signs: Signs) -> str:
    line = ""
    for at in rails:
        line = _put(line, signs.rail, at)
    return line


def _stroke(arrow: Arrow, rails: list[int], signs: Signs) -> str:
    begin, end = sorted((rails[arrow.from_column], rails[arrow.to_column]))
    line = [" "] * (rails[-1] + 1)
    for at in rails:
        line[at] = signs.rail
    for at in range(begin + 1, end):
        line[at] = signs.crossing if at in rails else signs.line
    if end > begin + 1:
        to_the_right = arrow.to_column > arrow.from_column
        line[end - 1 if to_the_right else begin + 1] = signs.right if to_the_right else signs.left
    return "".join(line)


def _label(out: list[str], words: str, begin: int, end: int) -> None:
    """Put words onto the last line, in the middle between two rails."""
    at = begin + max(1, (end - begin + 1 - cell_len(words)) // 2)
    out[-1] = _put(out[-1], words, at)


def _time(arrow: Arrow) -> str:
    return f"{seconds(arrow.after_ms):>{TIME - 2}}"


def _put(line: str, words: str, at: int) -> str:
    """Write over a part of a line."""
    return f"{line[:at]:<{at}}{words}{line[at + cell_len(words) :]}"


def _cut(words: str, room: int, signs: Signs) -> str:
    return words if cell_len(words) <= room else set_cell_size(words, room - 1).rstrip() + signs.ellipsis
