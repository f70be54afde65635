"""The generated parts of docs/sip-transactions.md; `python -m tests.sip.transaction_page` writes them into it."""

import re
from pathlib import Path

from kobza.sip.timers import Timers
from kobza.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    State,
    Table,
)

PAGE = Path(__file__).parents[2] / "docs" / "sip-transactions.md"
TABLES = {
    "INVITE client": INVITE_CLIENT,
    "Other clients": NON_INVITE_CLIENT,
    "INVITE server": INVITE_SERVER,
    "Other servers": NON_INVITE_SERVER,
}
WORDS = {
    Input.TRYING_DUE: "200 ms",
    Input.START: "start",
    Input.RECEIVE_REQUEST: "request again",
    Input.RECEIVE_ACK: "ACK",
    Input.RECEIVE_1XX: "1xx",
    Input.RECEIVE_2XX: "2xx",
    Input.RECEIVE_300_699: "300-699",
    Input.RESPOND_1XX: "TU: 1xx",
    Input.RESPOND_2XX: "TU: 2xx",
    Input.RESPOND_300_699: "TU: 300-699",
    Input.PATIENCE: "patience",
    Input.TRANSPORT_ERROR: "transport error",
    Input.GIVE_UP: "TU: give up",
}
_GENERATED = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def word(what: Input) -> str:
    """Name of an input."""
    return WORDS.get(what) or f"timer {what.name[-1]}"


def name(state: State) -> str:
    """Name of a state as the RFC writes it."""
    return state.name.capitalize()


def diagram(table: Table) -> list[str]:
    """A Mermaid diagram: one arrow for each pair of states, with its inputs."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, what), (after, _) in table.items():
        arrows.setdefault((state, after), []).append(word(what))
    lines = ["```mermaid", "stateDiagram-v2"]
    for (state, after), inputs in arrows.items():
        left = "[*]" if state is State.INITIAL else name(state)
        right = "[*]" if after is State.TERMINATED else name(after)
        lines.append(f"    {left} --> {right}: {', '.join(inputs)}")
    return [*lines, "```"]


def rows(table: Table) -> list[str]:
    """A Markdown table: what each input does in each state; what is not there is absorbed."""
    lines = ["| state | input | next | actions |", "| --- | --- | --- | --- |"]
    for (state, what), (after, actions) in table.items():
        following = "the same" if after is state else name(after)
        lines.append(f"| {name(state)} | {word(what)} | {following} | {', '.join(actions) or 'none'} |")
    return lines


def durations() -> list[str]:
    """The base values, and how often a request is sent before nobody answers."""
    base = Timers()
    return [
        f"T1 = {base.t1:g} s, T2 = {base.t2:g} s, T4 = {base.t4:g} s, 64\\*T1 = {base.timeout:g} s.",
    ]


def parts() -> dict[str, list[str]]:
    """Every generated part by its name."""
    made = {"durations": durations()}
    for title, table in TABLES.items():
        made[title] = [*diagram(table), "", *rows(table)]
    return made


def written(text: str) -> str:
    """The page with its generated parts made anew."""
    made = parts()
    return _GENERATED.sub(lambda found: found[1] + "\n".join(made[found[2]]) + "\n" + found[3], text)


def names(text: str) -> list[str]:
    """Names of the generated parts that the page has."""
    return [found[2] for found in _GENERATED.finditer(text)]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
