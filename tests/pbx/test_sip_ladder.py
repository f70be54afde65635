"""What is remembered of the SIP messages of calls."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.capture.recent import RecentMessages
from kobza.pbx.call_dialogs import CallDialogs
from kobza.pbx.journal import JournalFull
from kobza.pbx.sip_ladder import LINGER, MAX_CALL_ID, MAX_MESSAGES, MAX_REMEMBERED, MAX_WAITING, SipLadders
from kobza.sip.flow import Flow, Transport
from kobza.store import messages
from kobza.store.entries import DetailStored
from kobza.store.messages import Message, SipLadder, Told, ladder, read

FLOW = Flow(Transport.UDP, ("192.0.2.1", 5060), ("192.0.2.7", 5062))
SDP = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\na=sendonly\r\n"


class Books:
    """Keeps what is written, or refuses it."""

    def __init__(self, *, full: bool = False) -> None:
        self.written: list[DetailStored] = []
        self.full = full

    def append(self, entries: Sequence[DetailStored], _states: Sequence[Any]) -> None:
        if self.full:
            raise JournalFull("20000 entries wait")
        self.written += entries


def message(first: str, call_id: str = "one@host") -> bytes:
    return f"{first}\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nCall-ID: {call_id}\r\n\r\n".encode()


def dialog(role: str, call_id: str, trunk: str | None = None) -> Any:
    return SimpleNamespace(role=role, sip_call_id=call_id), trunk


def only(books: Books) -> SipLadder:
    """The one ladder that is written."""
    (entry,) = books.written
    said = read(entry.text)
    assert said is not None
    return said


class Ladders:
    """Ladders whose calls are what a test says when they end."""

    def __init__(self, books: Books, recent: RecentMessages | None = None, most: int = MAX_REMEMBERED) -> None:
        self._dialogs = CallDialogs()
        self.ladders = SipLadders(books.append, self._dialogs, recent, most)
        self.write = self.ladders.write
        self.catch_up = self.ladders.catch_up

    def see(self, data: bytes, sent: bool, at: float) -> None:
        self.ladders.note(data, FLOW, sent, at)

    def end(self, call_id: str, dialogs: list[tuple[Any, str | None]], now: float) -> None:
        for each, trunk in dialogs:
            self._dialogs.join(call_id, each, trunk)
        self.ladders.over(call_id, now)


def made(*, full: bool = False, most: int = MAX_REMEMBERED) -> tuple[Ladders, Books]:
    books = Books(full=full)
    return Ladders(books, most=most), books


def test_a_call_with_a_caller_and_two_phones() -> None:
    ladders, books = made()
    ladders.see(message("INVITE sip:067@host SIP/2.0", "in") + SDP, False, 100.0)
    ladders.see(message("INVITE sip:a@192.0.2.7 SIP/2.0", "a"), True, 100.01)
    ladders.see(message("INVITE sip:b@192.0.2.8 SIP/2.0", "b"), True, 100.01)
    ladders.see(message("SIP/2.0 486 Busy Here", "a"), False, 100.5)
    ladders.see(message("REGISTER sip:host SIP/2.0", "other"), False, 100.6)
    ladders.see(message("SIP/2.0 200 OK", "b"), False, 102.0)
    ends = [dialog("uas", "in"), dialog("uac", "a"), dialog("uac", "b", "Kyivstar"), dialog("uac", "silent")]
    ladders.end("call", ends, 110.0)
    ladders.write(110.0 + LINGER - 0.1)
    assert books.written == []
    ladders.see(message("BYE sip:b@192.0.2.8 SIP/2.0", "b"), True, 110.1)
    ladders.write(110.0 + LINGER)
    (entry,) = books.written
    assert (entry.call_id, entry.kind) == ("call", "sip_ladder")
    assert "192.0.2" not in entry.text
    assert read(entry.text) == SipLadder(
        100_000,
        ["caller", "phone", "trunk Kyivstar"],
        [
            Message(0, 0, False, "INVITE", "PCMA, sendonly (hold)"),
            Message(10, 1, True, "INVITE"),
            Message(10, 2, True, "INVITE"),
            Message(500, 1, False, "486 Busy Here"),
            Message(2000, 2, False, "200 OK"),
            Message(10100, 2, True, "BYE"),
        ],
    )
    ladders.end("call", [dialog("uas", "in")], 120.0)
    ladders.write(200.0)
    assert len(books.written) == 1  # nothing is left of it


def test_it_is_bounded() -> None:
    ladders, books = made(most=2 * MAX_MESSAGES)
    for name in ("first", "second", "third"):
        for _ in range(MAX_MESSAGES + 5):
            ladders.see(message("INVITE sip:067@host SIP/2.0", name), False, 1.0)
    ladders.end("call", [dialog("uas", name) for name in ("first", "second", "third")], 1.0)
    ladders.write(float("inf"))
    assert len(only(books).messages) == 2 * MAX_MESSAGES


def test_messages_are_looked_at_together() -> None:
    recent = RecentMessages(100_000)
    ladders = Ladders(Books(), recent)
    for number in range(MAX_WAITING - 1):
        ladders.see(message(f"INVITE sip:{number}@host SIP/2.0"), False, number)
    assert recent.of("one@host") == []
    ladders.see(message("INVITE sip:067@host SIP/2.0"), False, MAX_WAITING)
    assert len(recent.of("one@host")) == MAX_WAITING
    ladders.see(message("BYE sip:067@host SIP/2.0"), True, MAX_WAITING + 1)
    ladders.catch_up()
    assert recent.of("one@host")[-1].sent


def test_a_message_that_cannot_be_looked_at_keeps_no_other_one_away() -> None:
    recent = RecentMessages(100_000)
    ladders = Ladders(Books(), recent)
    for at in (1.0, float("nan"), 3.0):
        ladders.see(message("INVITE sip:067@host SIP/2.0"), False, at)
    with pytest.raises(ValueError, match="NaN"):
        ladders.catch_up()
    ladders.catch_up()
    assert [each.at for each in recent.of("one@host")] == [1.0, 3.0]


MOMENTS = st.floats(1_790_000_000.0, 1_790_100_000.0)
WORDS = st.text(max_size=20)
DIALOGS = st.lists(st.tuples(WORDS, st.lists(st.tuples(MOMENTS, st.booleans(), WORDS, WORDS), max_size=9)), max_size=4)


@given(DIALOGS)
def test_what_is_kept_of_dialogs_is_put_together_as_if_it_had_not_been_kept(
    dialogs: list[tuple[str, list[Told]]],
) -> None:
    exact: list[tuple[str, list[Told]]] = []
    noted: list[tuple[str, list[Any]]] = []
    for lane, told in dialogs:
        if told:
            exact.append((lane, [(round(at * 1e6) / 1e6, sent, what, about) for at, sent, what, about in told]))
            first = round(told[0][0] * 1e6)
            fields = [[round(at * 1e6) - first, sent, what, about] for at, sent, what, about in told]
            noted.append((lane, [first, *(field for each in fields for field in each)]))
    assert read(messages.written(noted)) == ladder(exact) if exact else ladder(exact) is None


def test_a_ladder_of_an_older_release_is_read() -> None:
    text = '[1790000000000,["caller","trunk A"],[[0,0,false,"INVITE","PCMA"],[12,1,true,"INVITE"]]]'
    assert read(text) == SipLadder(
        1_790_000_000_000,
        ["caller", "trunk A"],
        [Message(0, 0, False, "INVITE", "PCMA"), Message(12, 1, True, "INVITE")],
    )


def test_a_stranger_s_call_id_takes_no_room() -> None:
    ladders, books = made()
    names = ("n" * MAX_CALL_ID, "n" * (MAX_CALL_ID + 1))
    for name in names:
        ladders.see(message("INVITE sip:067@host SIP/2.0", name), False, 1.0)
    ladders.end("call", [dialog("uas", name) for name in names], 1.0)
    ladders.write(float("inf"))
    assert len(only(books).lanes) == 1


def test_a_journal_that_takes_nothing_loses_it() -> None:
    ladders, books = made(full=True)
    ladders.see(message("INVITE sip:067@host SIP/2.0"), False, 1.0)
    ladders.end("call", [dialog("uas", "one@host")], 1.0)
    ladders.write(float("inf"))
    assert books.written == []


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda rest: b"INVITE " + rest + b"\r\nCall-ID: x\r\n"))
def test_whatever_comes_does_no_harm(data: bytes) -> None:
    ladders, books = made()
    ladders.see(data, False, 1.0)
    ladders.end("call", [dialog("uas", "x")], 1.0)
    ladders.write(float("inf"))
    for entry in books.written:
        assert read(entry.text) is not None


def test_which_dialog_is_of_which_call() -> None:
    dialogs = CallDialogs(most_ended=1)
    first, second, third = (dialog("uas", "a"), dialog("uac", "b", "Kyivstar"), dialog("uac", "c"))
    for each, trunk in (first, second):
        dialogs.join("one", each, trunk)
    dialogs.join("two", *third)
    assert dialogs.of("one") == [("caller", "a"), ("trunk Kyivstar", "b")]
    assert [dialogs.call_of(name) for name in ("a", "b", "c", "d", "\xff")] == ["one", "one", "two", None, None]
    assert [dialogs.trunk_of("one", each) for each, _ in (first, second)] == [None, "Kyivstar"]
    dialogs.join("two", *second)  # it has been picked up
    assert (dialogs.of("one"), dialogs.of("two")) == ([("caller", "a")], [("phone", "c"), ("trunk Kyivstar", "b")])
    dialogs.join("two", *dialog("uac", "phone"))
    dialogs.join("three", *dialog("uac", "phone"))
    assert dialogs.of("two") == [("phone", "c"), ("trunk Kyivstar", "b")]
    for call_id in ("one", "two"):
        dialogs.end(call_id)
    assert (dialogs.of("one"), dialogs.call_of("a"), dialogs.call_of("b")) == ([], None, "two")
