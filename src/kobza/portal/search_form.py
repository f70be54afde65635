"""The form that searches the history: what may stand in its fields, and the search that it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlencode

from kobza.portal.kyiv_days import Ends, first_ms, last_ms, read_ends
from kobza.store.search import LAST_MOMENT, CallSearch, Order, Position

FIELDS: Final = ("q", "direction", "outcome", "talk", "recorded", "from", "to", "sort")
MAX_TEXT: Final = 100
"""Characters of the text that are looked for."""
DIRECTIONS: Final = ("incoming", "outgoing", "local")
CAUSES: Final = (17, 19, 18, 20, 21, 1, 28, 31, 34, 41)
"""Causes of Q.850 that the form offers, the usual ones first."""
OUTCOMES: Final = ("answered", "unanswered", *map(str, CAUSES))
TALKS: Final[Mapping[str, tuple[int | None, int | None]]] = {
    "short": (None, 10),
    "60": (60, None),
    "300": (300, None),
    "900": (900, None),
    "1800": (1800, None),
    "3600": (3600, None),
}
"""Seconds of talk: at least, and less than."""
ORDERS: Final[tuple[Order, ...]] = ("newest", "oldest", "longest")


@dataclass(slots=True)
class SearchForm:
    """The form as it was sent. `values` has every field; what it cannot be is empty there and named in `wrong`."""

    values: dict[str, str]
    search: CallSearch
    after: Position | None
    wrong: list[str] = field(default_factory=list)
    """Keys of the texts that say what is wrong."""

    @property
    def narrowed(self) -> bool:
        """Whether fewer calls are sought than all."""
        return any(self.values[name] for name in FIELDS if name != "sort")

    def query(self, **more: str) -> str:
        """Return the form as a query, without what is empty."""
        return urlencode([(name, text) for name, text in (*self.values.items(), *more.items()) if text])


def read_form(sent: Mapping[str, str], enterprise_id: str, party: str | None = None) -> SearchForm:
    """Read a form. Whatever is sent gives one: a value that the form cannot have counts as none, and is told.

    With a `party` only calls are sought in which that number takes part.
    """
    values = {name: sent.get(name, "").strip() for name in FIELDS}
    wrong = []
    values["q"] = values["q"][:MAX_TEXT]
    for name, offered in (
        ("direction", DIRECTIONS),
        ("outcome", OUTCOMES),
        ("talk", TALKS),
        ("recorded", ("yes", "no")),
        ("sort", ORDERS),
    ):
        if values[name] and values[name] not in offered:
            values[name] = ""
            wrong.append("wrong_choice")
    if values["sort"] == ORDERS[0]:
        values["sort"] = ""
    ends = read_ends(values)
    values |= dict.fromkeys(ends.unread, "")
    wrong += ends.wrong
    after = None
    if text := sent.get("after"):
        try:
            after = Position.parse(text)
        except ValueError:
            wrong.append("wrong_choice")
    return SearchForm(values, _search(values, enterprise_id, ends, party), after, list(dict.fromkeys(wrong)))


def _search(values: Mapping[str, str], enterprise_id: str, ends: Ends, party: str | None) -> CallSearch:
    outcome = values["outcome"]
    talk_from, talk_below = TALKS.get(values["talk"], (None, None))
    return CallSearch(
        enterprise_id,
        text=values["q"],
        party=party,
        from_ms=0 if ends.first is None else first_ms(ends.first),
        to_ms=LAST_MOMENT if ends.last is None else last_ms(ends.last),
        direction=values["direction"] or None,
        answered={"answered": True, "": None}.get(outcome, False),
        cause=int(outcome) if outcome.isdecimal() else None,
        talk_from=talk_from,
        talk_below=talk_below,
        recorded=values["recorded"] == "yes" if values["recorded"] else None,
        order=cast("Order", values["sort"] or ORDERS[0]),
    )
