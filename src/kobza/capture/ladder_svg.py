"""A drawing of SIP messages as SVG: a part of a page that styles it, or a file of its own."""

from collections.abc import Callable
from html import escape
from typing import Final

from kobza.capture.drawing import Arrow, Drawing

STEP: Final = 200
"""Units between two columns, at least: a status with its phrase has room."""
WIDTH: Final = 720
"""Units of the whole, at least."""
TOP: Final = 34
"""Units above the first message, for the names."""
ROW: Final = 30
TIMES: Final = 76
"""Units on the left, for the times."""
_STYLE: Final = """
svg { background: #fff; font-family: system-ui, sans-serif; }
text { fill: #1c2430; font-size: 12px; text-anchor: middle; }
.time { fill: #5b6675; text-anchor: start; } .name { font-weight: 600; } .about { fill: #5b6675; font-size: 10px; }
path { fill: none; stroke: #2456b3; stroke-width: 1.5; } .rail { stroke: #c9d0da; }
.failed path { stroke: #b3261e; } .failed text:not(.time) { fill: #b3261e; }
"""


def part(drawing: Drawing, label: str, time: Callable[[Arrow], str]) -> str:
    """Return an `<svg>` element for a page, whose style sheet knows its classes. `time` writes when a message was."""
    return _element(drawing, label, time, "", "")


def file(drawing: Drawing, label: str, time: Callable[[Arrow], str]) -> str:
    """Return a whole SVG document."""
    namespace = ' xmlns="http://www.w3.org/2000/svg"'
    return _element(drawing, label, time, namespace, f"<title>{escape(label)}</title><style>{_STYLE}</style>") + "\n"


def _element(drawing: Drawing, label: str, time: Callable[[Arrow], str], attributes: str, head: str) -> str:
    width = max(WIDTH, TIMES + STEP * len(drawing.columns))
    height = TOP + ROW * (len(drawing.arrows) + 1)
    step = (width - TIMES) // len(drawing.columns)
    places = [TIMES + step * column + step // 2 for column in range(len(drawing.columns))]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [f'<svg{attributes} {size} role="list" aria-label="{escape(label)}">{head}']
    for name, x in zip(drawing.columns, places, strict=True):
        parts.append(
            f'<g aria-hidden="true"><text class="name" x="{x}" y="16">{escape(name)}</text>'
            f'<path class="rail" d="M{x} 24V{height}"/></g>'
        )
    parts += [
        _arrow(arrow, drawing.columns, places, TOP + ROW * row, time(arrow))
        for row, arrow in enumerate(drawing.arrows, 1)
    ]
    return "\n".join([*parts, "</svg>"])


def _arrow(arrow: Arrow, names: list[str], places: list[int], y: int, time: str) -> str:
    """Draw one message; all of it is in words for those who hear the page."""
    from_x, to_x = places[arrow.from_column], places[arrow.to_column]
    middle = (from_x + to_x) // 2
    words = f"{time} {names[arrow.from_column]} → {names[arrow.to_column]}: {arrow.what}"
    head, about = "l-6-4m6 4l-6 4" if to_x > from_x else "l6-4m-6 4l6 4", ""
    if arrow.about:
        words = f"{words} ({arrow.about})"
        about = f'<text class="about" x="{middle}" y="{y + 11}">{escape(arrow.about)}</text>'
    failed = ' class="failed"' if arrow.failed else ""
    said = f'<text class="time" x="0" y="{y}">{escape(time)}</text>'
    said += f'<text x="{middle}" y="{y - 5}">{escape(arrow.what)}</text>'
    line = f'<path d="M{from_x} {y}H{to_x}{head}"/>'
    return f'<g role="listitem" aria-label="{escape(words)}"{failed}>{said}{about}{line}</g>'
