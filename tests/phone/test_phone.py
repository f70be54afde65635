"""Two softphones call each other over real sockets; and a softphone meets peers that do things no softphone does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kobza.net.clock import AcceleratedClock
from kobza.phone import phone as phone_module
from kobza.phone.call import Answering, CallFailed, CallState, PhoneCall
from kobza.phone.events import What
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.sdp.codecs import OWN_CODECS
from kobza.sip.flow import Address, Transport
from kobza.sip.ua import (
    InviteAnswered,
    InviteEnded,
    InviteProgressed,
    InviteReceived,
    InviteRejected,
    OfferAnswered,
    OfferReceived,
    OfferRejected,
    RefreshDue,
    RequestFailed,
    ResponseReceived,
)
from tests.phone.peer import Peer
from tests.support.spectrum import dominant_tone, needs_sox, read_audio
from tests.support.waiting import PATIENCE, until

HERE: Address = ("127.0.0.1", 0)
NOWHERE: Address = ("127.0.0.1", 9)
TRANSPORTS = [Transport.UDP, Transport.TCP]


def softphone(number: str, server: Address, tone: int = 440, **options: Any) -> SoftPhone:
    return SoftPhone(number, server, bind=HERE, sound=Sound.tone(tone), **options)


@asynccontextmanager
async def pair(called: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[tuple[SoftPhone, SoftPhone]]:
    """Two phones that reach each other without a server: 100 plays 440 Hz and can dial, 200 plays 660 Hz."""
    transport = options.get("transport", Transport.UDP)
    async with (
        softphone("200", NOWHERE, 660, transport=transport, **(called or {})) as b,
        softphone("100", b.address, 440, **options) as a,
    ):
        yield a, b


async def hears(call: PhoneCall, tone: int | None, within: float = PATIENCE) -> None:
    await until(lambda: call.heard_tone() == tone, f"{tone} Hz", within)


async def silent(call: PhoneCall, seconds: float = 0.3) -> None:
    """Nothing more is heard (one packet may have been under way)."""
    await asyncio.sleep(0.05)
    before = call.voice.packets_heard
    await asyncio.sleep(seconds)
    assert call.voice.packets_heard == before


def whats(phone: SoftPhone) -> list[str]:
    return [event.what.value for event in phone.events]


@needs_sox()
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_they_talk_and_record_each_other(transport: Transport, tmp_path: Path) -> None:
    called = {"answer_after": 0.1, "record": tmp_path / "b.wav"}
    async with pair(called, transport=transport, record=tmp_path / "a.wav", display_name="Оля") as (a, b):
        call = a.dial("200")
        await call.ringing()
        (other,) = b.calls
        assert (other.peer, other.outgoing, call.outgoing) == ("100", False, True)
        await call.established()
        await hears(call, 660)
        await hears(other, 440)
        call.hang_up()
        assert (await call.ended()).by == "me"
        assert (await other.ended()).by == "peer"
        assert (a.calls, b.calls) == ([], [])
        assert [what for what in whats(a) if what != "tone_heard"] == ["dialled", "rang", "established", "ended"]
        assert [what for what in whats(b) if what != "tone_heard"] == ["arrived", "established", "ended"]
        arrived, ended = b.events[0], b.events[-1]
        assert dict(arrived.details) == {"peer": "100", "name": "Оля", "dialled": "200"}
        assert isinstance(ended.details["talk_seconds"], float)
        assert ended.details["talk_seconds"] > 0.4
    for name, tone in (("a", 660), ("b", 440)):
        (heard,) = read_audio(tmp_path / f"{name}.wav")
        assert dominant_tone(heard) == pytest.approx(tone, abs=5)


async def test_the_called_phone_may_hang_up_first() -> None:
    async with pair({"answer_after": 0.0, "duration": 0.2}) as (a, b):
        call = a.dial("200")
        ended = await call.ended()
        assert (ended.by, ended.status, call.state) == ("peer", None, CallState.ENDED)
        assert b.events[-1].details["by"] == "me"
        call.hang_up()  # too late, and nothing


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("status", [300, 404, 486, 503, 603, 699])
async def test_any_status_rejects(status: int, transport: Transport) -> None:
    async with pair({"reject": status}, transport=transport) as (a, b):
        call = a.dial("200")
        ended = await call.ended()
        assert (ended.by, ended.status) == ("peer", status)
        assert str(status) in str(ended)
        assert "established" not in whats(a)
        assert b.events[-1].details["status"] == status
        with pytest.raises(CallFailed, match=str(status)):
            await call.established()


async def test_its_owner_decides_about_each_call() -> None:
    """By whom was dialled: an outside line takes any number."""
    answers = {"404": Answering(0, 404, 1), "480": Answering(0.05, 480, 34), "200": Answering(0.05)}
    async with pair() as (a, b):
        b.answering = lambda call: answers[call.dialled or ""]
        unknown = await a.dial("404").ended()
        assert (unknown.status, unknown.cause) == (404, 1)
        assert "rang" not in whats(a)
        refused = await a.dial("480").ended()
        assert (refused.status, refused.cause) == (480, 34)
        assert whats(a).count("rang") == 1
        await a.dial("200").established()


async def test_on_a_fast_clock_waits_are_short_and_durations_long() -> None:
    clock = AcceleratedClock(100)
    fast: dict[str, Any] = {"now": clock.now, "speed": clock.speed}
    async with pair({"answer_after": 20.0, **fast}, duration=60.0, **fast) as (a, b):
        call = a.dial("200")
        await call.established(20)
        await call.ended(20)
        await until(lambda: b.events[-1].what is What.ENDED)
        assert b.events[-1].at - b.events[0].at >= 80
        assert float(a.events[-1].details["talk_seconds"] or 0) >= 60


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_caller_gives_up(transport: Transport) -> None:
    async with pair(transport=transport) as (a, b):
        call = a.dial("200")
        ringing = await b.incoming()
        await call.ringing()
        call.hang_up()
        assert (await call.ended()).status == 487
        assert (await ringing.ended()).status == 487
        with pytest.raises(CallFailed, match="ended"):
            ringing.answer()


async def test_hanging_up_while_it_rings_here_declines() -> None:
    async with pair() as (a, b):
        call = a.dial("200")
        (await b.incoming()).hang_up()
        assert (await call.ended()).status == 603


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_hold_and_resume_from_either_side(transport: Transport) -> None:
    async with pair({"answer_after": 0.0}, transport=transport) as (a, b):
        call = a.dial("200")
        await call.established()
        (other,) = b.calls
        await other.established()
        for mine, theirs, tone in ((call, other, 440), (other, call, 660)):
            await mine.hold()
            await theirs.held()
            assert (mine.held_by_me, theirs.held_by_peer) == (True, True)
            await silent(mine)  # the held phone sends nothing; the holding one sends silence
            await mine.resume()
            await theirs.resumed()
            await hears(theirs, tone)
        await call.hold()
        await other.hold()
        assert (call.held_by_peer, other.held_by_peer) == (True, True)
        await call.resume()
        assert other.held_by_me
        assert call.held_by_peer  # still held by the other side
        await silent(other)
        await other.resume()
        await hears(call, 660)
        await hears(other, 440)
        assert whats(a).count("held") == whats(a).count("resumed") == 4


async def test_both_hold_at_the_same_moment() -> None:
    """Glare: one re-INVITE gets 491 and is tried again (RFC 3261 section 14.1)."""
    async with pair({"answer_after": 0.0}) as (a, b):
        call = a.dial("200")
        await call.established()
        (other,) = b.calls
        await other.established()
        await asyncio.gather(call.hold(), other.hold())
        assert call.held_by_me
        assert other.held_by_me
        with pytest.raises(CallFailed, match="under way"):
            await asyncio.gather(call.resume(), call.resume())


async def test_no_common_codec() -> None:
    async with pair({"answer_after": 0.0, "codecs": OWN_CODECS[:1]}, codecs=OWN_CODECS[1:2]) as (a, _):
        assert (await a.dial("200").ended()).status == 488


async def test_too_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair() as (a, b):
        first = a.dial("200")
        await b.incoming()
        monkeypatch.setattr(phone_module, "MAX_CALLS", 1)
        with pytest.raises(CallFailed, match="too many"):
            a.dial("200")
        async with softphone("300", b.address) as c:
            assert (await c.dial("200").ended()).status == 486
        assert first.state is CallState.RINGING


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_nobody_there_ends_the_call_at_once(transport: Transport) -> None:
    async with softphone("100", NOWHERE, transport=transport) as a:
        ended = await a.dial("200").ended(5)
        assert (ended.by, ended.status) == ("network", 503)


async def test_closing_hangs_up_and_cancels() -> None:
    async with pair() as (a, b):
        standing = a.dial("200")
        (await b.incoming()).answer()
        await standing.established()
        ringing = a.dial("200")
        await ringing.ringing()
        await a.close()
        await a.close()
        assert (standing.state, ringing.state) == (CallState.ENDED, CallState.ENDED)
        await until(lambda: not b.calls)
        assert [event.details["by"] for event in b.events if event.what is What.ENDED] == ["peer", "peer"]


async def test_what_makes_no_sense_is_refused() -> None:
    a = softphone("100", NOWHERE)
    with pytest.raises(RuntimeError, match="not started"):
        _ = a.address
    async with pair() as (a, b):
        call = a.dial("200")
        await b.incoming()
        await call.ringing()
        with pytest.raises(CallFailed, match="incoming"):
            call.answer()
        with pytest.raises(CallFailed, match="ringing"):
            await call.hold()
        with pytest.raises(TimeoutError):
            await call.established(0.05)


async def test_a_recording_that_cannot_be_made_refuses_the_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with pair({"record": tmp_path / "none" / "x.wav"}) as (a, _):
        assert (await a.dial("200").ended()).status == 500
    assert "no port" in caplog.text or "not be made" in caplog.text


async def test_later_calls_get_recordings_of_their_own(tmp_path: Path) -> None:
    async with pair({"answer_after": 0.0, "record": tmp_path / "x.wav"}) as (a, _):
        for _ in range(3):
            call = a.dial("200")
            await call.established()
            call.hang_up()
    assert all((tmp_path / name).exists() for name in ("x.wav", "x-2.wav", "x-3.wav"))


# peers that are no softphones


def sdp(port: int = 4000, *, host: str = "127.0.0.1", codec: int = 8, direction: str = "sendrecv") -> bytes:
    lines = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP {codec}")
    return "".join(f"{line}\r\n" for line in (*lines, f"a={direction}")).encode()


@asynccontextmanager
async def met(transport: Transport = Transport.UDP, **options: Any) -> AsyncIterator[tuple[SoftPhone, Peer]]:
    async with Peer(transport) as peer, softphone("100", peer.address, transport=transport, **options) as phone:
        yield phone, peer


@pytest.mark.parametrize("answer", [sdp(), b"", b"v=1", sdp(codec=9)], ids=["sound", "none", "broken", "no codec"])
async def test_a_late_offer(answer: bytes) -> None:
    """An INVITE without SDP: the phone offers in its 200, and the ACK must answer."""
    async with met(answer_after=0.0) as (phone, peer):
        dialog = peer.invite(phone.address, b"")
        answered = await peer.event(InviteAnswered)
        assert b"m=audio" in answered.response.body
        dialog.acknowledge(answer)
        peer.act()
        if answer == sdp():
            (call,) = phone.calls
            await call.established()
            dialog.bye(now=time.time())
            peer.act()
            assert (await call.ended()).by == "peer"
        else:
            await peer.event(InviteEnded)
            assert phone.events[-1].what is What.ENDED


@pytest.mark.parametrize("offer", [b"v=1", sdp(codec=9), b"\xff" * 40], ids=["broken", "no codec", "no text"])
async def test_an_offer_that_is_no_good(offer: bytes) -> None:
    async with met(answer_after=0.0) as (phone, peer):
        peer.invite(phone.address, offer)
        assert (await peer.event(InviteRejected)).status == 488
        assert phone.calls == []


async def test_a_session_is_refreshed_by_a_new_offer() -> None:
    """As the peer takes no UPDATE (here it says so only to the phone's question)."""
    async with met(answer_after=0.0) as (phone, peer):
        dialog = peer.invite(phone.address, sdp())
        await peer.event(InviteAnswered)
        (call,) = phone.calls
        await call.established()
        assert call.dialog is not None
        phone._take([RefreshDue(call.dialog)])
        phone._endpoint.pump()
        offered = await peer.event(OfferReceived)
        assert offered.dialog is dialog
        assert b"a=sendrecv" in offered.request.body
        dialog.answer_offer(sdp(), now=time.time())
        peer.act()
        call.hang_up()
        await peer.event(InviteEnded)


async def test_an_answer_that_is_no_good_ends_the_call() -> None:
    async with met() as (phone, peer):
        call = phone.dial("300")
        (await peer.event(InviteReceived)).dialog.accept(sdp(codec=9), now=time.time())
        peer.act()
        await peer.event(InviteEnded)
        assert (await call.ended()).by == "me"


async def test_early_media_is_heard_before_the_answer() -> None:
    async with met() as (phone, peer):
        call = phone.dial("300")
        dialog = (await peer.event(InviteReceived)).dialog
        dialog.provisional(183, body=sdp(), now=time.time())
        peer.act()
        await call.ringing()
        assert call.voice.sends
        assert call.state is CallState.RINGING
        dialog.accept(sdp(), now=time.time())
        peer.act()
        await call.established()


@pytest.mark.parametrize(
    "offer",
    [sdp(direction="sendonly"), sdp(direction="inactive"), sdp(host="0.0.0.0")],
    ids=["sendonly", "inactive", "RFC 2543"],
)
async def test_offers_of_a_peer_within_a_call(offer: bytes) -> None:
    async with met(answer_after=0.0) as (phone, peer):
        dialog = peer.invite(phone.address, sdp())
        await peer.event(InviteAnswered)
        (call,) = phone.calls
        await call.established()
        dialog.reinvite(offer, now=time.time())
        peer.act()
        answered = await peer.event(OfferAnswered)
        assert b"m=audio" in answered.response.body
        assert call.held_by_peer
        sent = call.voice.packets_sent
        await asyncio.sleep(0.1)
        assert call.voice.packets_sent == sent
        for bad in (b"v=1", sdp(codec=9)):
            dialog.reinvite(bad, now=time.time())
            peer.act()
            assert (await peer.event(OfferRejected)).status == 488
        dialog.reinvite(b"", now=time.time())  # a late offer within the call
        peer.act()
        assert b"m=audio" in (await peer.event(OfferAnswered)).response.body
        dialog.acknowledge(sdp(4002))
        peer.act()
        await call.resumed()
        assert call.state is CallState.ESTABLISHED


async def test_a_hold_that_the_peer_refuses() -> None:
    async with met() as (phone, peer):
        call = phone.dial("300")
        dialog = (await peer.event(InviteReceived)).dialog
        dialog.accept(sdp(), now=time.time())
        peer.act()
        await call.established()
        holding = asyncio.create_task(call.hold())
        await peer.event(OfferReceived)
        dialog.reject_offer(488, now=time.time())
        peer.act()
        with pytest.raises(CallFailed, match="hold: 488"):
            await holding
        assert (call.held_by_me, call.voice.muted) == (False, False)
        holding = asyncio.create_task(call.hold())
        await peer.event(OfferReceived)
        dialog.bye(headers=[("Reason", 'Q.850;cause=38;text="Network out of order"')], now=time.time())
        peer.act()
        with pytest.raises(CallFailed, match=r"487|cause 38"):
            await holding
        assert (await call.ended()).cause == 38


async def test_requests_that_are_no_calls() -> None:
    async with met() as (phone, peer):
        answers = []
        for method in ("OPTIONS", "NOTIFY", "REGISTER", "MESSAGE", "PUBLISH"):
            peer.request(method, phone.address)
            answers.append((await peer.event(ResponseReceived)).response.status)
        assert answers[:2] == [200, 200]
        assert set(answers[2:]) <= {405, 501}
        assert not [event for event in peer.events if isinstance(event, RequestFailed | InviteProgressed)]
