"""What waits for who looks at messages, and which of them a capture wants."""

import asyncio
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.capture.message import Seen
from kobza.capture.recent import OF_A_DIALOG, OF_A_MESSAGE, SHARE, RecentMessages
from kobza.capture.selection import Selection
from kobza.capture.tap import Tap
from kobza.sip.flow import Flow, Transport

FLOW = Flow(Transport.UDP, ("192.0.2.1", 5060), ("192.0.2.7", 5062))


def seen(first: str, call_id: str = "one", *headers: str, body: str = "") -> Seen:
    lines = [first, f"Call-ID: {call_id}", *headers, "", body]
    return Seen(1.0, False, FLOW, "\r\n".join(lines).encode())


def keep(recent: RecentMessages, name: str, message: Seen) -> None:
    recent.note(name, message.at, message.sent, message.flow, message.data)


async def test_who_is_slow_loses_messages_and_is_told_how_many() -> None:
    tap = Tap(most=3, most_bytes=1000)
    for number in range(5):
        tap.take(seen(f"OPTIONS sip:{number} SIP/2.0"))
    assert (len(await tap.some()), tap.taken, tap.dropped) == (3, 5, 2)
    waiting = asyncio.create_task(tap.some())
    tap.take(seen("INVITE x SIP/2.0", body="b" * 1001))
    tap.take(seen("BYE x SIP/2.0"))
    assert [each.data[:6] for each in await waiting] == [b"INVITE"]
    assert tap.dropped == 3


def test_what_was_not_heard_of_for_longest_is_forgotten_first() -> None:
    recent = RecentMessages(10_000)
    for name in ("a", "b", "c", "a"):
        keep(recent, name, seen("INVITE x SIP/2.0", name, body="b" * 2000))
    assert [len(recent.of(name)) for name in ("a", "b", "c")] == [1, 1, 1]
    keep(recent, "d", seen("INVITE x SIP/2.0", "d", body="d" * 2000))
    assert [len(recent.of(name)) for name in ("a", "b", "c", "d")] == [1, 0, 1, 1]
    huge = RecentMessages(100)
    keep(huge, "a", seen("INVITE x SIP/2.0", "a", body="b" * 50))
    assert huge.of("a") == []


@pytest.mark.parametrize("length", [0, 1, 479, 5000])
def test_a_message_comes_back_whole(length: int) -> None:
    recent = RecentMessages(10_000)
    message = Seen(1.5, True, FLOW, (bytes(range(256)) * 20)[:length])
    keep(recent, "a", message)
    assert recent.of("a") == [message]


@given(st.integers(2000, 8000), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1500)), max_size=100))
def test_each_that_is_left_is_as_it_came(most: int, came: list[tuple[int, int]]) -> None:
    """And the last ones are left: as many as fit, whatever their lengths."""
    recent = RecentMessages(most)
    kept: dict[str, list[Seen]] = {}
    for number, (dialog, length) in enumerate(came):
        message = Seen(float(number), number % 2 == 0, FLOW, number.to_bytes(2, "big") * (length // 2))
        kept.setdefault(str(dialog), []).append(message)
        keep(recent, str(dialog), message)
    for name, messages in kept.items():
        left = recent.of(name)
        assert left == messages[len(messages) - len(left) :]
    last = str(came[-1][0]) if came else ""
    if came and OF_A_DIALOG + len(last) + OF_A_MESSAGE * len(kept[last]) <= most // SHARE:
        assert recent.of(last)


@pytest.mark.parametrize(
    ("length", "of_each", "share"), [(300, 1, 0.1), (300, 4, 0.25), (800, 6, 0.74), (500, 40, 0.74)]
)
def test_they_take_the_memory_that_they_are_given(length: int, of_each: int, share: float) -> None:
    """Three quarters are for the messages; how many of them, when they are short, the rest decides."""
    most = 2**20
    recent = RecentMessages(most)
    began = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for dialog in range(2 * most // length // of_each):
            flow = Flow(Transport.UDP, FLOW.local, (f"192.0.2.{dialog}", 6000 + dialog))
            for number in range(of_each):
                recent.note(f"{dialog:032}@192.0.2.1", dialog + number / 7, number % 2 == 0, flow, bytes(length))
        taken = tracemalloc.get_traced_memory()[0] - before  # of the messages themselves it knows nothing
    finally:
        if not began:
            tracemalloc.stop()
    kept = sum(len(recent.of(f"{dialog:032}@192.0.2.1")) for dialog in range(2 * most // length // of_each))
    assert 0.7 * most / 4 < taken <= most / 4
    assert share * most < kept * length <= 0.75 * most


def chosen(**wanted: str | None) -> Selection:
    asked = {"number": None, "call_id": None, **wanted}
    return Selection(
        **asked,
        call_of={"leg1": "call", "leg2": "call", "leg3": "other"}.get,
        numbers_in=lambda call_id: {"+380671234567", "+380501112233"} if call_id == "call" else set(),
    )


def test_a_number_is_found_however_it_is_written() -> None:
    selection = chosen(number="+380671234567")
    for uri in ("sip:0671234567@host", "tel:+380671234567", "sips:380671234567:x@host", "SIP:0671234567;x@host"):
        assert chosen(number="+380671234567").wants(seen("REGISTER sip:host SIP/2.0", "r", f"To: <{uri}>")), uri
    for uri in ("sip:10671234567@host", "sip:06712345678@host", "sip:host;x=0671234567"):
        assert not selection.wants(seen("REGISTER sip:host SIP/2.0", "r", f"To: <{uri}>")), uri
    assert not selection.wants(seen("MESSAGE sip:host SIP/2.0", "m", body="sip:0671234567@host"))
    assert not selection.wants(Seen(1.0, False, FLOW, b"REGISTER sip:0671234567@host SIP/2.0\r\n\r\n"))


def test_a_dialog_is_wanted_whole_once_it_is_wanted() -> None:
    selection = chosen(number="+380671234567")
    assert not selection.wants(seen("SIP/2.0 200 OK", "leg9"))
    assert selection.wants(seen("INVITE sip:0671234567@host SIP/2.0", "leg9"))
    assert selection.wants(seen("SIP/2.0 200 OK", "leg9"))


def test_the_legs_of_a_call_are_wanted_also_where_they_hide_the_number() -> None:
    selection = chosen(number="+380671234567")
    assert selection.wants(seen("INVITE sip:067@host SIP/2.0", "leg2", "From: <sip:anonymous@anonymous.invalid>"))
    assert not selection.wants(seen("INVITE sip:067@host SIP/2.0", "leg3"))
    of_call = chosen(call_id="call")
    assert [of_call.wants(seen("BYE x SIP/2.0", leg)) for leg in ("leg1", "leg2", "leg3", "leg4")] == [
        True,
        True,
        False,
        False,
    ]
    assert chosen().wants(seen("OPTIONS x SIP/2.0"))
