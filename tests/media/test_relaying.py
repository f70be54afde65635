"""Packets between two phones through a real relay process: RTP, RTCP, learning, strangers, early media."""

import asyncio
import struct

import pytest

from kobza.media.plane import CallHeard, MediaError, Side
from kobza.rtp.g711 import Law
from kobza.rtp.rtcp import RtcpPacket, RtcpType
from tests.media.phone_end import HOST, REPORT, PhoneEnd, heard
from tests.media.planes import CALL, StartPlane, running_plane
from tests.support.spectrum import dominant_tone


async def exchange(caller: PhoneEnd, callee: PhoneEnd) -> None:
    """Let each phone hear a packet of the other, as it was sent."""
    for speaker, listener in ((caller, callee), (callee, caller)):
        start = len(listener.datagrams)
        sent = speaker.send()
        await listener.wait(lambda listener=listener, start=start: len(listener.datagrams) > start)  # type: ignore[misc]
        assert listener.datagrams[start:] == [sent]


async def test_two_phones_hear_each_other(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(440.0) as caller, PhoneEnd(660.0, ssrc=2) as callee:
            await running.connect(caller, callee)
            caller.talk()
            callee.talk()
            at_callee, at_caller = await asyncio.gather(callee.hear(50), caller.hear(50))
            assert dominant_tone(heard(at_callee)) == pytest.approx(440, abs=5)
            assert dominant_tone(heard(at_caller)) == pytest.approx(660, abs=5)
            # The common call is not touched: the phones' own numbering arrives.
            assert {packet.ssrc for packet in at_callee} == {1}
            assert [packet.sequence for packet in at_callee] == list(range(100, 150))


async def test_how_two_phones_heard_each_other_is_told_after_their_call() -> None:
    block = struct.pack("!6I", 1, 3, 1000, 80, 0, 0)  # 3 lost, 10 ms of jitter
    said = RtcpPacket(RtcpType.RECEIVER_REPORT, 1, b"\0\0\0\2" + block).to_bytes()
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee, PhoneEnd() as silent, PhoneEnd() as quiet:
            await running.connect(caller, callee)
            await running.connect(silent, quiet, "few")
            silent.send()
            for _ in range(60):
                caller.send()
                await asyncio.sleep(0)
            while running.plane.traffic.received < 60:  # losses are looked for once a second
                await running.settle()
                await asyncio.sleep(0.05)
            caller.sequence += 2  # lost on its way to us
            caller.send()
            callee.rtcp.sendto(said, (HOST, callee.to + 1))
            await caller.wait(lambda: caller.reports == [said])
            await callee.wait(lambda: len(callee.datagrams) == 61)
            running.plane.release(CALL)
            running.plane.release("few")
            told = await running.event(CallHeard)
            await running.settle()
    assert [event for event in running.events if isinstance(event, CallHeard)] == [told]
    assert told.call_id == CALL
    first, second = told.sides[Side.CALLER], told.sides[Side.CALLEE]
    assert (first.sent, first.lost, first.mos) == (63, 2, None)
    assert (second.sent, second.missed) == (0, 3)
    assert second.jitter == pytest.approx(0.01)
    assert second.mos is not None


async def test_ports_are_pairs_and_reports_pass_on_the_odd_one(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            assert caller.to % 2 == callee.to % 2 == 0
            caller.rtcp.sendto(REPORT, (HOST, caller.to + 1))
            await callee.wait(lambda: callee.reports == [REPORT])
            callee.rtcp.sendto(REPORT, (HOST, callee.to + 1))
            await caller.wait(lambda: caller.reports == [REPORT])


async def test_reports_on_the_same_port(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(lines=["a=rtcp-mux"])))
            answer = caller.learn(await running.answer(Side.CALLEE, callee.sdp()))
            assert b"a=rtcp-mux\r\n" in answer
            await running.settle()
            caller.rtp.sendto(REPORT, (HOST, caller.to))
            await callee.wait(lambda: callee.reports == [REPORT])
            callee.rtcp.sendto(REPORT, (HOST, callee.to + 1))
            await caller.wait(lambda: caller.datagrams == [REPORT])


@pytest.mark.parametrize("named", ["127.0.0.9", "phone.example", "0.0.0.0"])
async def test_a_phone_is_where_its_packets_come_from(named: str, start_plane: StartPlane) -> None:
    """The address in the description is wrong, a name, or none: what arrives says better."""
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(host=named)))
            # An offer from 0.0.0.0 is on hold; the answer of the callee would be too.
            direction = "recvonly" if named == "0.0.0.0" else "sendrecv"
            caller.learn(await running.answer(Side.CALLEE, callee.sdp(direction=direction, host=named)))
            if named == "0.0.0.0":
                caller.learn(await running.reoffer(Side.CALLER, caller.sdp(host="phone.example")))
                callee.learn(await running.direct(Side.CALLEE, "sendrecv"))
                await running.reanswer(Side.CALLEE, callee.sdp(host="phone.example"))
            await running.settle()
            caller.send()
            callee.send()
            await asyncio.sleep(0.05)
            caller.datagrams.clear()
            callee.datagrams.clear()
            await exchange(caller, callee)


async def test_a_phone_that_moves_is_followed_and_a_stranger_is_not() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee, PhoneEnd(ssrc=77) as stranger:
            await running.connect(caller, callee)
            await exchange(caller, callee)
            stranger.to = caller.to
            stranger.send()
            caller.send()
            arrived = await callee.hear(1)
            assert [packet.ssrc for packet in arrived] == [1]
            callee.send()
            await caller.hear(1)
            assert stranger.datagrams == []
            # The same stream from another port: a NAT gave the phone a new one.
            stranger.ssrc, stranger.sequence = caller.ssrc, caller.sequence
            stranger.send()
            await callee.hear(1)
            callee.send()
            await stranger.hear(1)


async def test_the_last_answer_counts_when_several_phones_ring() -> None:
    """A fork: the first phone sends early media, the second one answers; late packets of the first change nothing."""
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as first, PhoneEnd(ssrc=3) as second:
            offer = await running.offer(Side.CALLER, Side.CALLEE, caller.sdp())
            first.learn(offer)
            second.learn(offer)
            early = caller.learn(await running.answer(Side.CALLEE, first.sdp()))
            await running.settle()
            await exchange(caller, first)
            answer = await running.answer(Side.CALLEE, second.sdp(host="127.0.0.9"))
            assert answer == early
            await running.settle()
            first.send()
            second.send()
            arrived = await caller.hear(1)
            assert arrived[0].ssrc == 3
            caller.send()
            await second.hear(1)
            assert len(first.datagrams) == 1


async def test_early_media_reaches_the_caller_before_any_answer(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp()))
            await running.settle()
            sent = callee.send()
            await caller.wait(lambda: caller.datagrams == [sent])


async def test_payload_types_are_translated_between_the_sides() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp()))
            sdp = callee.sdp("8 96", lines=["a=rtpmap:96 telephone-event/8000"])
            answer = caller.learn(await running.answer(Side.CALLEE, sdp))
            assert b"RTP/AVP 8 101\r\n" in answer
            await running.settle()
            caller.send(b"\x05\x0a\x00\xa0", payload_type=101)
            caller.send()
            digit, speech = await callee.hear(2)
            assert (digit.payload_type, speech.payload_type) == (96, 8)
            callee.send(b"\x05\x0a\x00\xa0", payload_type=101)
            assert (await caller.hear(1))[0].payload_type == 101


async def test_a_codec_that_nobody_here_knows_passes(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            opus = ["a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1"]
            offer = callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp("96 8", lines=opus)))
            assert b"a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n" in offer
            caller.learn(await running.answer(Side.CALLEE, callee.sdp("96", lines=opus)))
            await running.settle()
            sent = caller.send(b"anything", payload_type=96)
            await callee.wait(lambda: callee.datagrams == [sent])


async def test_malformed_datagrams_harm_nothing() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            for junk in (
                b"",
                b"\x80",
                bytes(200),
                b"\xff" * 1500,
                b"\x80\xc8",
                REPORT[:6],
                b"\x00\x01\x00\x00" + bytes(16),
            ):
                caller.rtp.sendto(junk, (HOST, caller.to))
                caller.rtcp.sendto(junk, (HOST, caller.to + 1))
            await exchange(caller, callee)
            assert callee.reports == []


async def test_a_burst_arrives_whole() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            sent = [caller.send() for _ in range(60)]
            await callee.wait(lambda: len(callee.datagrams) >= 60)
            assert callee.datagrams == sent


async def test_two_calls_do_not_mix(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(ssrc=1) as a, PhoneEnd(ssrc=2) as b, PhoneEnd(ssrc=3) as c, PhoneEnd(ssrc=4) as d:
            await running.connect(a, b, "one")
            await running.connect(c, d, "two")
            running.plane.release("one")
            await running.settle()
            a.send()
            c.send()
            assert [packet.ssrc for packet in await d.hear(1)] == [3]
            assert b.datagrams == []


async def test_click_to_dial_offers_what_the_originator_took(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(law=Law.MU) as caller, PhoneEnd(law=Law.MU) as callee:
            own = caller.learn(await running.offer(None, Side.CALLER, None))
            assert b"RTP/AVP 8 0 101\r\n" in own
            assert await running.answer(Side.CALLER, caller.sdp("0 8 101")) == b""
            offer = callee.learn(await running.offer(Side.CALLER, Side.CALLEE, None))
            assert b"RTP/AVP 0 8 101\r\n" in offer
            assert await running.answer(Side.CALLEE, callee.sdp("0")) == b""
            await running.settle()
            await exchange(caller, callee)


@pytest.mark.parametrize(
    ("sdp", "reason"),
    [
        (b"nonsense", "malformed"),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n", "not acceptable"),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4 RTP/SAVP 0\r\n", "not acceptable"),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4 RTP/AVP 13\r\n", "not acceptable"),
    ],
)
async def test_an_impossible_offer_opens_nothing(sdp: bytes, reason: str, start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with pytest.raises(MediaError) as caught:
            await running.offer(Side.CALLER, Side.CALLEE, sdp)
        assert caught.value.reason.startswith(reason)
        assert not running.holds_ports


async def test_an_answer_without_a_common_codec_is_refused(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.offer(Side.CALLER, Side.CALLEE, caller.sdp("8"))
            with pytest.raises(MediaError, match="not acceptable"):
                await running.answer(Side.CALLEE, callee.sdp("0"))


async def test_an_unknown_call_is_an_error_or_nothing(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as phone:
            with pytest.raises(MediaError):
                await running.answer(Side.CALLEE, phone.sdp())
            with pytest.raises(MediaError):
                await running.reoffer(Side.CALLEE, phone.sdp())
            with pytest.raises(MediaError):
                await running.align(Side.CALLER)
            with pytest.raises(MediaError):
                await running.reanswer(Side.CALLER, phone.sdp())
            running.plane.play("call-1", target=Side.CALLER, what="music")
            running.plane.release("call-1")
        assert not running.holds_ports
