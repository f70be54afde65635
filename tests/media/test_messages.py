"""What the two processes say to each other: it comes back as it was, and what is none is refused."""

import random
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.media.frames import MAX_MESSAGE, Frames, MalformedStream, encode
from kobza.media.media_profile import Voice
from kobza.media.messages import (
    CallQuality,
    Certified,
    Command,
    Configure,
    Digits,
    DigitsDone,
    Keyed,
    Logged,
    Measure,
    Mix,
    NotHeard,
    Open,
    Opened,
    OpenFailed,
    Pause,
    Ping,
    Pong,
    Qualities,
    Record,
    RecordingStopped,
    Release,
    Report,
    Reserve,
    Reserved,
    Secure,
    SideFlow,
    SideQuality,
    SrtpKeys,
    StopRecord,
    Take,
    Tell,
    TimedOut,
    Traffic,
    decode_command,
    decode_report,
)
from kobza.media.plane import Seat, Side
from tests.media.flows import flow_with

FLOW = flow_with(
    rtp=("192.0.2.1", 4000),
    rtcp=("2001:db8::1", 4001),
    mux=True,
    source="music",
    tone_type=8,
    tone_law=0,
    laws={8: 8, 96: 0},
    renamed={101: 96},
    watched=True,
    muted=True,
    events=101,
    voices={96: Voice("opus", 48000)},
    exchange=3,
    srtp=SrtpKeys("AEAD_AES_128_GCM", "", "key"),
    secure=Secure("ufrag", "password", "peer", ("sha-256 AB:CD", "sha-256 01:02"), client=True),
)
COMMANDS: list[Command] = [
    Open(7, "дзвінок", "127.0.0.1", {Side.CALLER: 20000, Side.CALLEE: 20002}),
    Reserve("127.0.0.1", [20004, 20006]),
    Take("call", {Side.CALLER: 20004, Side.CALLEE: 20006}),
    Configure("call", FLOW, SideFlow()),
    Record("call", "record", "/var/lib/kobza/spool"),
    Pause("call", "record", on=True),
    Tell("call", "record", Side.CALLEE, "/sounds/x.alaw"),
    StopRecord("call", "record"),
    Digits(8, "call", Side.CALLEE, 101, "12,#"),
    Mix("mix", (Seat("call", Side.CALLER), Seat("g", Side.CALLEE, (("call", Side.CALLER),))), (("call", Side.CALLEE),)),
    Release("call", asked=True),
    Ping(3),
    Measure(),
]
REPORTS: list[Report] = [
    Opened(7),
    OpenFailed(7, 20000, "Address already in use"),
    Reserved([20004], [20006]),
    TimedOut("call", Side.CALLEE),
    NotHeard("call", Side.CALLER, 12.5),
    RecordingStopped("call", "record", "/spool", "the disk is full"),
    DigitsDone(8, sent=True),
    Keyed("call-1", Side.CALLER, "#"),
    Pong(0),
    Certified("sha-256 AB:CD", "the reason"),
    Logged(40, "kobza.media.recorder", "рядок", call_id="call"),
    Qualities([CallQuality("c", SideQuality(50, 1, 2, 3, 0.004, 0.05, 0.001, "opus"), SideQuality())]),
    Traffic(received=1 << 40, jitter=[1, 2], jitter_total=0.5),
]


def test_the_samples_are_complete() -> None:
    assert {type(command) for command in COMMANDS} == set(get_args(Command))
    assert {type(report) for report in REPORTS} == set(get_args(Report))


def test_calls_of_which_the_same_is_said_share_their_profile() -> None:
    command = Configure("call", flow_with(source="relay", codecs={8: 8}, rtp=("192.0.2.1", 4000)), SideFlow())
    other = Configure("other", SideFlow(), flow_with(source="relay", codecs={8: 8}, rtp=("192.0.2.2", 6000)))
    one, another = (decode_command(encode(each)[4:]) for each in (command, other))
    assert isinstance(one, Configure)
    assert isinstance(another, Configure)
    assert one.caller.profile is another.callee.profile
    assert one.callee.profile is another.caller.profile


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_comes_back_as_it_was(command: Command) -> None:
    (body,) = Frames().feed(encode(command))
    assert decode_command(body) == command


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_comes_back_as_it_was(report: Report) -> None:
    (body,) = Frames().feed(encode(report))
    assert decode_report(body) == report


def test_what_goes_the_other_way_is_refused() -> None:
    for command in COMMANDS:
        with pytest.raises(MalformedStream):
            decode_report(encode(command)[4:])
    for report in REPORTS:
        with pytest.raises(MalformedStream):
            decode_command(encode(report)[4:])


@given(st.lists(st.integers(1, 40), max_size=60))
def test_frames_may_come_in_any_pieces(sizes: list[int]) -> None:
    stream = b"".join(map(encode, COMMANDS))
    frames, found = Frames(), []
    for size in [*sizes, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        found += list(frames.feed(piece))
    assert [decode_command(body) for body in found] == COMMANDS


def test_a_frame_that_is_too_long_is_refused_before_it_is_there() -> None:
    frames = Frames()
    assert list(frames.feed((MAX_MESSAGE).to_bytes(4, "big"))) == []
    with pytest.raises(MalformedStream, match=f"{MAX_MESSAGE + 1} bytes"):
        list(Frames().feed((MAX_MESSAGE + 1).to_bytes(4, "big")))


@given(st.binary(max_size=200), st.sampled_from([decode_command, decode_report]))
def test_any_bytes(data: bytes, decode: Callable[[bytes], object]) -> None:
    try:
        decode(data)
    except MalformedStream:
        return
    assert data


def test_mutations_of_real_messages() -> None:
    chance = random.Random(11)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(20_000):
        data = bytearray(encode(chance.choice([*COMMANDS, *REPORTS]))[4:])
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[place] = chance.randrange(256)
                case 1:
                    del data[place : place + chance.randint(1, 5)]
                    data = data or bytearray(b"\0")
                case _:
                    data[place:place] = chance.randbytes(chance.randint(1, 4))
        for decode in (decode_command, decode_report):
            try:
                decode(bytes(data))
            except MalformedStream:
                outcomes["refused"] += 1
            else:
                outcomes["read"] += 1
    assert outcomes["refused"] > 10_000
    assert outcomes["read"] > 400
