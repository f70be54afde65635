"""Diversion (RFC 5806) and History-Info (RFC 7044)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sip.diversion import REASONS, Diversion, HistoryEntry, diversions, diversions_in, history
from kobza.sip.errors import MalformedMessage
from kobza.sip.headers import Reason
from kobza.sip.message import SipRequest
from kobza.sip.uri import SipUri

OFFICE = SipUri("sip", user="+380671110001", host="pbx.example")


def request(*headers: tuple[str, str]) -> SipRequest:
    return SipRequest.create("INVITE", "sip:b@h", [("Call-ID", "c"), *headers])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<sip:+380671110001@pbx.example>;reason=user-busy;counter=1", Diversion(OFFICE, "user-busy")),
        ("sip:+380671110001@pbx.example;REASON=No-Answer;privacy=off", Diversion(OFFICE, "no-answer")),
        (
            '"The office" <sip:+380671110001@pbx.example>;reason="unconditional";counter=3;privacy=full;screen=yes',
            Diversion(OFFICE, "unconditional", 3, private=True, display_name="The office"),
        ),
        ("<tel:+380671110001>", Diversion(SipUri("tel", user="+380671110001"))),
        ("<sip:+380671110001@pbx.example>;reason=our-own-word", Diversion(OFFICE)),
    ],
)
def test_a_diversion_is_read(text: str, value: Diversion) -> None:
    assert Diversion.parse(text) == value
    assert Diversion.parse(str(value)) == value


@pytest.mark.parametrize("counter", ["0", "1000", "-1", "x", "١", "9" * 5000])
def test_a_counter_out_of_its_bounds(counter: str) -> None:
    with pytest.raises(MalformedMessage, match="counter is not 1 to 999"):
        Diversion.parse(f"<sip:a@b>;counter={counter}")


def test_all_diversions_of_a_request_the_last_one_first() -> None:
    found = diversions(
        request(("Diversion", "<sip:a@h>;reason=no-answer, <sip:b@h>;reason=away"), ("diversion", "<sip:c@h>;reason=x"))
    )
    assert [(each.uri.user, each.reason) for each in found] == [("a", "no-answer"), ("b", "away"), ("c", "unknown")]
    assert diversions(request()) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<sip:+380671110001@pbx.example>;index=1", HistoryEntry(OFFICE, "1")),
        (
            "<sip:+380671110001@pbx.example?Reason=SIP%3Bcause%3D486&Privacy=history>;index=1.2",
            HistoryEntry(OFFICE, "1.2", Reason("SIP", 486), private=True),
        ),
        (
            "<sip:+380671110001@pbx.example;cause=486?privacy=none>;index=1.1.1;mp=1.1",
            HistoryEntry(
                SipUri("sip", user="+380671110001", host="pbx.example", params=(("cause", "486"),)),
                "1.1.1",
                mapped_from="1.1",
            ),
        ),
        ("<sip:+380671110001@pbx.example?Subject=x&Reason=>;index=1", None),
    ],
)
def test_a_history_entry_is_read(text: str, value: HistoryEntry | None) -> None:
    if value is None:
        with pytest.raises(MalformedMessage):
            HistoryEntry.parse(text)
        return
    assert HistoryEntry.parse(text) == value
    assert HistoryEntry.parse(str(value)) == value


@pytest.mark.parametrize("text", ["<sip:a@h>", "<sip:a@h>;index=", "<sip:a@h>;index=1..2", "<sip:a@h>;index=1.x"])
def test_a_history_entry_without_its_place(text: str) -> None:
    with pytest.raises(MalformedMessage, match="not an index"):
        HistoryEntry.parse(text)


def test_the_history_of_a_request() -> None:
    headers = ("History-Info", "<sip:a@h>;index=1, <sip:b@h>;index=1.1"), ("History-Info", "<sip:c@h>;index=1.1.1")
    assert [each.index for each in history(request(*headers))] == ["1", "1.1", "1.1.1"]


def told(*values: str) -> list[tuple[str | None, str, bool]]:
    """What History-Info says of diversions: who, why, and whether in private."""
    found = diversions_in(history(request(*(("History-Info", value) for value in values))))
    assert not any(each.uri.param("cause") for each in found)
    return [(each.uri.user, each.reason, each.private) for each in found]


def test_the_diversions_in_a_history() -> None:
    """From a to b, who was busy, to c, who did not answer, to d; c is for the network only."""
    assert told(
        "<sip:a@h>;index=1",
        "<sip:b@h;cause=302>;index=1.1;mp=1",
        "<sip:c@h;cause=486?Privacy=history>;index=1.2;mp=1.1, <sip:d@h;cause=408>;index=1.2.1;mp=1.2",
    ) == [("c", "no-answer", True), ("b", "user-busy", False), ("a", "unconditional", False)]


@pytest.mark.parametrize(
    ("value", "diverted"),
    [
        ("<sip:b@h;cause=486>;index=1.1", [("a", "user-busy", False)]),  # by its place in the tree
        ("<sip:b@h;cause=486>;index=1.1;mp=1", [("a", "user-busy", False)]),
        ("<sip:b@h;CAUSE=404>;index=1.1;mp=1", [("a", "unknown", False)]),
        ("<sip:b@h>;index=1.1;mp=1", []),  # another address of who is called
        ("<sip:b@h;cause=486>;index=1.1;mp=1.1", []),  # by itself
        ("<sip:b@h;cause=486>;index=1.1;mp=1.7", []),  # by an entry that is not there
        ("<sip:b@h;cause=486>;index=2", []),
    ],
)
def test_what_makes_a_diversion(value: str, diverted: list[tuple[str, str, bool]]) -> None:
    assert told("<sip:a@h>;index=1", value) == diverted


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=60)
pieces = st.lists(
    st.sampled_from(
        [
            *("<sip:a@h", ">", ";index=", "1.1", ";reason=", "user-busy", ";counter=", "7", ";privacy=", "full"),
            *("?Reason=", "SIP%3Bcause%3D486", "&Privacy=", "history", ",", '"', "%", "\\", ";mp=1", "<", " "),
        ]
    )
    | texts,
    max_size=12,
).map("".join)


@given(pieces)
def test_whatever_comes_is_read_and_written_the_same_or_malformed(text: str) -> None:
    for kind in (Diversion, HistoryEntry):
        try:
            value = kind.parse(text)
        except MalformedMessage:
            continue
        assert kind.parse(str(value)) == value
        if isinstance(value, Diversion):
            assert value.reason in REASONS
            assert 1 <= value.counter <= 999


@given(st.lists(pieces, max_size=3))
def test_whatever_a_request_says(lines: list[str]) -> None:
    made = request(*(("Diversion", line) for line in lines), *(("History-Info", line) for line in lines))
    for read in (diversions, history):
        with contextlib.suppress(MalformedMessage):
            assert all(str(value) for value in read(made))
    with contextlib.suppress(MalformedMessage):
        told = history(made)
        assert {each.uri.user for each in diversions_in(told)} <= {each.uri.user for each in told}
