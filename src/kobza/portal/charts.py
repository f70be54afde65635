"""Charts as geometry for the templates: horizontal places in percent and vertical ones in pixels.

So one drawing fits every width and its texts stay as large as the page's own, on a phone too. Colours are classes,
which the style sheet fills for both themes, and attributes beside them for a picture that was saved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

PLOT: Final = 170
"""Height of what bars stand in."""
ABOVE: Final = 20
"""Room for the number on the topmost line."""
BELOW: Final = 24
"""Room for the labels."""
GAP: Final = 0.22
"""Part of a bar's place that stays empty."""
EDGE: Final = 6.0
"""Percent from either side within which a label is aligned with that side."""
ROW: Final = 26
CELL_LEFT: Final = 9
"""Percent of the width that the names of a grid's rows have."""
LINE: Final = 42
"""Height of one line of a chart of names."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A rectangle. `kind` names its colour; `strength` is its opacity."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Bar:
    """What stands at one place, with what is said of it."""

    title: str
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class Label:
    """A text. `anchor` is that of SVG."""

    text: str
    x: float
    y: float
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing. `lines` are horizontal ones with the numbers that they stand for."""

    height: int
    bars: list[Bar]
    labels: list[Label]
    lines: list[Label]
    kinds: tuple[str, ...]
    """The colours, in the order of the legend."""


def steps_to(highest: int, most: int = 4) -> list[int]:
    """Return round numbers up to the first one that is not below the highest: where lines are drawn."""
    wanted = max(1.0, highest / most)
    scale = 1
    while True:
        for factor in (1, 2, 5):
            if factor * scale >= wanted:
                step = factor * scale
                return [step * count for count in range(1, max(1, -(-highest // step)) + 1)]
        scale *= 10


def bars(
    values: Sequence[Sequence[int]],
    kinds: tuple[str, ...],
    titles: Sequence[str],
    labels: Sequence[str],
    number: Callable[[int], str],
) -> Chart:
    """Return bars side by side, each one of the counts of its kinds on each other. An empty label is left out."""
    lines = steps_to(max((sum(counts) for counts in values), default=0))
    top, floor = lines[-1], float(ABOVE + PLOT)
    place = 100 / max(1, len(values))
    made = []
    for at, (counts, title) in enumerate(zip(values, titles, strict=True)):
        y = floor
        segments = []
        for kind, count in zip(kinds, counts, strict=True):
            height = PLOT * count / top
            y -= height
            if count:
                segments.append(
                    Segment(kind, _round(place * (at + GAP / 2)), _round(y), _round(place * (1 - GAP)), _round(height))
                )
        made.append(Bar(title, segments))
    under = [_label(text, place * (at + 0.5), ABOVE + PLOT + 17) for at, text in enumerate(labels) if text]
    scale = [Label(number(line), 0, _round(floor - PLOT * line / top), "start") for line in lines]
    return Chart(ABOVE + PLOT + BELOW, made, under, scale, kinds)


def grid(
    values: Sequence[Sequence[int]],
    kind: str,
    titles: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
) -> Chart:
    """Return a field of cells that are the stronger the more they stand for; a cell for nothing is left out."""
    highest = max((max(row, default=0) for row in values), default=0)
    width = (100 - CELL_LEFT) / max(1, len(columns))
    cells = []
    for down, row in enumerate(values):
        top = ROW * down
        cells.append(Bar(rows[down], [Segment("none", CELL_LEFT, top, 100 - CELL_LEFT, ROW - 3)]))
        for across, count in enumerate(row):
            if count:
                x, strength = _round(CELL_LEFT + width * across), round(0.1 + 0.9 * count / highest, 2)
                shape = Segment(kind, x, top, _round(width * 0.92), ROW - 3, strength)
                cells.append(Bar(titles[down][across], [shape]))
    names = [Label(text, 0, ROW * down + 17, "start") for down, text in enumerate(rows)]
    hours = [
        _label(text, CELL_LEFT + width * (at + 0.5), ROW * len(values) + 16) for at, text in enumerate(columns) if text
    ]
    return Chart(ROW * len(values) + BELOW, cells, names + hours, [], ())


def named(rows: Sequence[tuple[str, str, Sequence[int]]], kinds: tuple[str, ...], titles: Sequence[str]) -> Chart:
    """Return lying bars, each under its name and what it comes to."""
    highest = max((sum(counts) for _, _, counts in rows), default=0)
    made, texts = [], []
    for down, ((name, said, counts), title) in enumerate(zip(rows, titles, strict=True)):
        x = 0.0
        segments = []
        for kind, count in zip(kinds, counts, strict=True):
            width = 100 * count / highest if highest else 0.0
            if count:
                segments.append(Segment(kind, _round(x), LINE * down + 20, _round(width), 10))
            x += width
        made.append(Bar(title, segments))
        texts += [Label(name, 0, LINE * down + 13, "start"), Label(said, 100, LINE * down + 13, "end")]
    return Chart(LINE * len(rows), made, texts, [], kinds)


def sparse(texts: Sequence[str], most: int = 6) -> list[str]:
    """Leave out labels so that those that stay have room, on a phone too."""
    every = -(-len(texts) // most)
    return [text if at % every == every // 2 else "" for at, text in enumerate(texts)]


def _label(text: str, x: float, y: float) -> Label:
    if x < EDGE:
        return Label(text, 0, y, "start")
    if x > 100 - EDGE:
        return Label(text, 100, y, "end")
    return Label(text, _round(x), y)


def _round(value: float) -> float:
    """Return a place to a tenth, of a pixel or a percent; a whole one without a point, as there are many."""
    rounded = round(value, 1)
    return int(rounded) if rounded.is_integer() else rounded
