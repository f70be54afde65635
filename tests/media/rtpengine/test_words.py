"""What rtpengine is told of phones, and what is read in its replies, whatever they hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.media.negotiation import CallMedia
from kobza.media.plane import Side
from kobza.media.rtpengine import words
from kobza.media.rtpengine.ng import NgError, Reply
from tests.media.rtpengine.test_bencode import VALUES
from tests.media.test_negotiation import line, offered, sdp

CALLER, CALLEE = Side.CALLER, Side.CALLEE


def told(media: CallMedia, side: Side) -> bytes:
    return words.describe(media.side(side), media.other(side))


def test_a_phone_is_told_of_as_far_as_it_is_known() -> None:
    media = CallMedia("198.51.100.1", 1)
    nowhere = told(media, CALLEE)
    assert line(nowhere, "c=") == ["c=IN IP4 0.0.0.0"]
    assert line(nowhere, "m=") == ["m=audio 9 RTP/AVP 8 0 101"]
    offered(media, sdp("18 0 101", after=("a=rtcp:4009", "a=ptime:30")))
    caller = told(media, CALLER)
    assert line(caller, "c=") == ["c=IN IP4 192.0.2.1"]
    assert line(caller, "m=") == ["m=audio 4000 RTP/AVP 18 0 101"]
    assert {"a=rtcp:4009", "a=ptime:30", "a=sendrecv"} <= set(line(caller, "a="))
    assert line(told(media, CALLEE), "m=") == ["m=audio 9 RTP/AVP 18 0 101"]  # what it was offered
    media.answer(CALLEE, sdp("0 101", host="192.0.2.2", port=5000))
    assert line(told(media, CALLER), "m=") == ["m=audio 4000 RTP/AVP 0 101"]
    assert line(told(media, CALLEE), "m=") == ["m=audio 5000 RTP/AVP 0 101"]
    media.reoffer(CALLER, sdp("0 101", "inactive", host="0.0.0.0"))
    assert line(told(media, CALLER), "c=") == ["c=IN IP4 0.0.0.0"]


def test_where_packets_are_taken() -> None:
    held = sdp(port=26118).replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0")
    assert words.place_in({"sdp": held}) == ("192.0.2.1", 26118)
    for wrong in (b"", b"v=0\r\n", sdp(port=0)):
        with pytest.raises(NgError):
            words.place_in({"sdp": wrong})


QUERIED: Reply = {
    "tags": {
        "caller": {
            "medias": [
                {
                    "streams": [
                        {"flags": [b"RTP", b"filled"], "SSRC": 77, "stats": {"packets": 60}},
                        {"flags": [b"RTCP"], "stats": {"packets": 3}},
                    ]
                }
            ]
        },
        "callee": {"medias": [{"streams": [{"flags": [b"RTP"], "SSRC": 5, "stats": {"packets": 50}}]}]},
    },
    "SSRC": {
        "77": {
            "cumulative loss": 4,
            "average MOS": {"samples": 2, "jitter": 5, "round-trip time leg": 10216},
        }
    },
}
"""As rtpengine 10.5 says it, shortened."""


def test_what_was_counted_of_each_side() -> None:
    sides = words.sides_in(QUERIED)
    caller, callee = sides[CALLER], sides[CALLEE]
    assert (caller.arrived, caller.quality.received, callee.arrived) == (63, 60, 50)
    assert (caller.quality.reports, caller.quality.lost_beyond, caller.quality.jitter) == (2, 4, 0.005)
    assert caller.quality.round_trip == pytest.approx(0.010216)
    assert callee.quality.round_trip is None


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["tags", "SSRC", "calls", "statistics", "sdp", "to-tag"]), VALUES))
def test_a_reply_may_hold_anything(reply: Reply) -> None:
    assert words.sides_in(reply).keys() == set(Side)
    assert isinstance(words.counts_in(reply).ports, int)
    assert all(isinstance(each, str) for each in words.listed(reply))
    for read in (words.place_in, words.subscription_in):
        with pytest.raises(NgError):
            read(reply)
