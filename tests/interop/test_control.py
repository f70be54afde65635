"""callcontrol on calls of real phones: transfer and its outcomes, DTMF, mute, recording on demand."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kobza.call.directory import Package
from kobza.phone.call import CallState, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.sdp.codecs import PCMA
from kobza.store import Store, calls, numbers, recordings, trunks
from tests.interop.baresip import baresip
from tests.interop.conftest import NUMBERS, RING_TIMEOUT, reread
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, hears, leg_of, made
from tests.media.spools import decode_mp3
from tests.media.test_sounds import file_of
from tests.support.spectrum import dominant_tone, duration, from_pcm16, loudness, needs_sox, read_audio, tones_over_time
from tests.support.waiting import PATIENCE, until

A, B, C, D = NUMBERS
OUTSIDE = "0445550123"


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


async def control(phones: Phones, leg: str, action: str, expect: int = 200, **fields: str) -> Any:
    """Ask for an action with its fields."""
    body = {"call_control_id": leg, "action": action, **fields}
    return await asyncio.to_thread(phones.server.post, "/v1/callcontrol", body, expect)


async def talking(caller: SoftPhone, called: SoftPhone, number: str) -> tuple[PhoneCall, PhoneCall]:
    """Let one phone call another one that answers by itself; return both ends."""
    call = caller.dial(number)
    await call.established()
    (other,) = [each for each in called.calls if each.state is CallState.ESTABLISHED]
    await hears(call, 660)
    await hears(other, 440)
    return call, other


async def story(
    phones: Phones, ledger: Ledger, leg: str, legs: int
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Return the states of a leg's call by leg, once so many had their `finished`, and its row in the history."""
    (call_id,) = {state["call_id"] for state in ledger._sink.sink.states if state["call_control_id"] == leg}
    states: dict[str, list[dict[str, Any]]] = {}
    for state in await ledger._sink.finished(str(call_id), legs):
        states.setdefault(str(state["call_control_id"]), []).append(state)
    (row,) = [row for row in phones.server.history() if row["call_id"] == call_id]
    return states, row


# transfer


async def test_the_called_one_transfers_to_a_colleague(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    b, elsewhere = await phones.at(B, 880), await phones.at(B, 990)
    call, other = await talking(c, d, D)
    leg = await leg_of(phones, ledger, D)
    done = await control(phones, leg, "transfer", destination=B)
    assert (done["state"], done["call_control_id"]) == ("finished", leg)
    assert (await other.ended()).by == "peer"
    ringing, not_taken = await b.incoming(), await elsewhere.incoming()
    assert ringing.peer == not_taken.peer == C
    await hears(call, 425)
    assert phones.server.status_of(D) == "available"
    assert phones.server.status_of(B) == "busy"
    new_leg = await leg_of(phones, ledger, B, "alerting")
    assert (await control(phones, leg, "hold", expect=404))["code"] == "not_found"
    assert (await control(phones, new_leg, "hold", expect=409))["code"] == "wrong_state"
    ringing.answer()
    assert (await not_taken.ended()).cause == 26
    await hears(call, 880)
    await hears(ringing, 440)
    ringing.hang_up()
    assert (await call.ended()).cause == 16
    states, row = await story(phones, ledger, leg, 3)
    assert (row["calling_number"], row["called_number"], row["answered_number"]) == (C, D, B)
    assert (row["cause"], row["sip_status"], row["released_by"]) == (16, 200, "called")
    assert [state["state_type"] for state in states[leg]] == ["alerting", "established", "finished"]
    assert (states[leg][-1]["cause"], states[leg][-1]["released_by"]) == (16, "api")
    assert [state["state_type"] for state in states[new_leg]] == ["alerting", "established", "finished"]
    assert [state["sequence"] for state in states[new_leg]] == [1, 2, 3]
    assert {(state["state_owner"], state["phone_number"]) for state in states[new_leg]} == {(B, C)}
    assert states[new_leg][-1]["call_duration"] < row["call_duration"]


async def test_the_caller_transfers_to_the_outside(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    site = phones.server.site
    bind = ("127.0.0.1", site.trunk_port)
    async with SoftPhone(OUTSIDE, site.sip, bind=bind, sound=Sound.tone(990), answer_after=0.5) as outside:
        call, other = await talking(c, d, D)
        leg = await leg_of(phones, ledger, C)
        await control(phones, leg, "transfer", destination=OUTSIDE)
        await call.ended()
        await hears(other, 990)
        (far,) = outside.calls
        assert far.peer in (D, "+38" + D)
        await hears(far, 660)
        far.hang_up()
        await other.ended()
    states, row = await story(phones, ledger, leg, 2)
    assert {told[0]["state_owner"] for told in states.values()} == {C, D}
    assert (row["answered_number"], row["released_by"]) == (OUTSIDE, "caller")


async def test_a_transfer_to_a_busy_phone_rings_at_the_one_who_transferred(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    await phones.at(B, 880, reject=486)
    call, other = await talking(c, d, D)
    leg = await leg_of(phones, ledger, D)
    await control(phones, leg, "transfer", destination=B)
    await other.ended()
    await asyncio.sleep(0.2)
    await hears(call, 660)  # D answers again by itself
    (again,) = d.calls
    await hears(again, 440)
    call.hang_up()
    await again.ended()
    states, row = await story(phones, ledger, leg, 3)
    mine = [told for told in states.values() if told[0]["state_owner"] == D]
    assert len(mine) == 2
    assert (row["answered_number"], row["cause"], row["released_by"]) == (D, 16, "caller")


@needs_sox()
async def test_a_real_phone_hears_its_transfer(phones: Phones, ledger: Ledger, tmp_path: Path) -> None:
    """One voice, ringback, another voice, and no new offer: for the phone it is one stream."""
    site = phones.server.site
    await phones.at(C, 440, answer_after=0.1)
    b = await phones.at(B, 880)
    async with baresip(tmp_path / "d", site.lines[D], site.sip, tone=660) as phone:
        await phone.command("dial", f"sip:{C}@{site.sip[0]}:{site.sip[1]}")
        await phone.event("CALL_ESTABLISHED")
        await asyncio.sleep(1)
        await control(phones, await leg_of(phones, ledger, C), "transfer", destination=B)
        ringing = await b.incoming()
        await asyncio.sleep(1)
        ringing.answer()
        await hears(ringing, 660)
        await asyncio.sleep(1)
        ringing.hang_up()
        await phone.event("CALL_CLOSED")
        tones = tones_over_time(await phone.heard())
    heard = [hz for tone in tones for hz in (440, 425, 880) if tone is not None and abs(tone - hz) < 7]
    assert [hz for hz, _ in itertools.groupby(heard)] == [440, 425, 880], tones


@needs_sox()
async def test_a_transfer_that_nobody_answers_is_taken_back_and_recorded(
    phones: Phones, ledger: Ledger, tmp_path: Path
) -> None:
    """The destination rings longer than silence of a side would be borne: nothing is missed from who is not there."""
    a, b, c = await phones.at(A, 440), await phones.at(B, 660), await phones.at(C, 880)
    call = a.dial(B)
    (await b.incoming()).answer()
    await hears(call, 660)
    leg = await leg_of(phones, ledger, B)
    await control(phones, leg, "transfer", destination=C)
    ringing = await c.incoming()
    again = await b.incoming(RING_TIMEOUT + 5)
    assert (await ringing.ended()).cause == 19
    await hears(call, 425)
    again.answer()
    await hears(call, 660)
    await hears(again, 440)
    await asyncio.sleep(1)
    call.hang_up()
    states, row = await story(phones, ledger, leg, 4)
    assert sorted([state["state_type"] for state in told] for told in states.values()) == [
        ["alerting", "established", "finished"],
        ["alerting", "established", "finished"],
        ["alerting", "established", "finished"],
        ["alerting", "finished"],
    ]
    assert {told[-1]["record_id"] for told in states.values()} == {row["record_id"]}
    path = tmp_path / "record.mp3"
    path.write_bytes(await asyncio.to_thread(phones.server.recording, row["record_id"]))
    left, right = (tones_over_time(channel) for channel in read_audio(path))
    for tones, hz in ((left, 440), (right, 660)):
        spoken = [tone is not None and abs(tone - hz) < 8 for tone in tones]
        assert all((*spoken[1:3], *spoken[-4:-1])), tones
        pauses = [len(list(windows)) for heard, windows in itertools.groupby(spoken) if not heard]
        assert max(pauses) >= 15, tones  # three seconds and more in which nobody heard anybody


async def test_transfers_that_are_refused_leave_the_call_alone(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660)
    call = c.dial(D)
    ringing = await d.incoming()
    leg = await leg_of(phones, ledger, C, "alerting")
    assert (await control(phones, leg, "transfer", expect=409, destination=B))["code"] == "wrong_state"
    ringing.answer()
    await call.established()
    for destination, status, code in (
        (B, 409, "destination_unreachable"),
        (C, 400, "invalid_number"),
        (D, 400, "invalid_number"),
        ("abc", 400, "invalid_number"),
    ):
        refused = await control(phones, leg, "transfer", expect=status, destination=destination)
        assert (refused["code"], refused["parameter"]) == (code, "destination")
    async with without_trunk(phones.server):
        await dnd(phones, B, "on")
        try:
            assert (await control(phones, leg, "transfer", expect=409, destination=B))["code"] == "wrong_state"
            refused = await control(phones, leg, "transfer", expect=503, destination=OUTSIDE)
            assert (refused["code"], refused["parameter"]) == ("no_route", "destination")
        finally:
            await dnd(phones, B, "off")
    await hears(call, 660)
    call.hang_up()
    (await ledger.call(C, D, owners=(C, D))).has(cause=16, status=200, released_by="caller")


# digits


async def test_digits_are_heard_at_the_far_end(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    call, other = await talking(c, d, D)
    leg = await leg_of(phones, ledger, C)
    done = await asyncio.gather(
        control(phones, leg, "dtmf", digits="0123456789*#ABCD"), control(phones, leg, "dtmf", digits="1,1")
    )
    assert {each["state"] for each in done} == {"established"}
    assert other.digits in ("0123456789*#ABCD11", "110123456789*#ABCD")  # whichever came first, one after the other
    assert call.digits == ""
    await hears(other, 440)
    call.hang_up()
    await ledger.call(C, D, owners=(C, D))


async def heard_digits(call: PhoneCall, digits: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while call.digits != digits:  # noqa: ASYNC110 - a digit tells nobody
            await asyncio.sleep(0.05)


@pytest.mark.database("sqlite")  # nothing of it is stored
async def test_digits_in_info_become_events(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    call, other = await talking(c, d, D)
    for digit in "4*D":
        call.press_in_info(digit)
    other.press_in_info("7")
    await heard_digits(other, "4*D")
    await heard_digits(call, "7")
    await hears(other, 440)  # the voice goes on
    call.hang_up()
    (await ledger.call(C, D, owners=(C, D))).has(cause=16, status=200, released_by="caller")


@pytest.mark.database("sqlite")  # as above
async def test_digits_go_by_info_to_who_takes_no_events(phones: Phones, ledger: Ledger) -> None:
    """And are refused when that phone takes them so neither."""
    deaf = (PCMA,)  # no telephone-event
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1, codecs=deaf)
    call, other = await talking(c, d, D)
    leg, far_leg = await leg_of(phones, ledger, C), await leg_of(phones, ledger, D)
    assert (await control(phones, leg, "dtmf", digits="1,2"))["state"] == "established"
    await heard_digits(other, "12")
    other.press_in_info("#")
    await heard_digits(call, "#")
    c.takes_info = d.takes_info = False
    refused = await control(phones, leg, "dtmf", expect=409, digits="1")
    assert refused["code"] == "wrong_state"
    assert "neither as events nor in INFO" in refused["detail"]
    await control(phones, far_leg, "dtmf", digits="1")  # events: these were agreed on, as they can become INFO
    await heard_digits(call, "#1")
    call.hang_up()
    await other.ended()


async def test_keys_of_a_real_phone_go_by_info_to_who_takes_no_events(
    phones: Phones, ledger: Ledger, tmp_path: Path
) -> None:
    """It sends them as events, RFC 4733: its key is heard once, in order, and the voice goes on."""
    site = phones.server.site
    c = await phones.at(C, 440, codecs=(PCMA,))  # no telephone-event
    async with baresip(tmp_path / "d", site.lines[D], site.sip, tone=660, auto=True) as phone:
        call = c.dial(D)
        await call.established()
        await phone.event("CALL_ESTABLISHED")
        await hears(call, 660)
        for digit in "1224#":
            await phone.press(digit)
        await heard_digits(call, "1224#")
        await hears(call, 660)
        c.takes_info = False
        await phone.press("7")
        await until(lambda: "a key does not reach the other phone" in phones.server.log, "the refusal in the log")
        assert call.digits == "1224#"
        call.hang_up()
        await phone.event("CALL_CLOSED")


async def test_a_real_phone_hears_digits(phones: Phones, ledger: Ledger, tmp_path: Path) -> None:
    site = phones.server.site
    c = await phones.at(C, 440)
    async with baresip(tmp_path / "d", site.lines[D], site.sip, tone=660, auto=True) as phone:
        call = c.dial(D)
        await call.established()
        await phone.event("CALL_ESTABLISHED")
        await hears(call, 660)
        leg = await leg_of(phones, ledger, C)
        await control(phones, leg, "dtmf", digits="1*9D")
        heard = [(await phone.event("CALL_DTMF_START"))["param"] for _ in range(4)]
        assert heard == ["1", "*", "9", "D"]
        await phone.event("CALL_DTMF_END")
        own_leg = await leg_of(phones, ledger, D)
        assert (await control(phones, own_leg, "hold"))["state"] == "held"
        await music(call)
        assert (await control(phones, own_leg, "unhold"))["state"] == "established"
        await hears(call, 660)
        call.hang_up()
        await phone.event("CALL_CLOSED")


# mute


async def test_mute_is_silence_at_the_far_end_through_hold(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    call, other = await talking(c, d, D)
    leg = await leg_of(phones, ledger, C)
    assert (await control(phones, leg, "mute"))["muted"]
    await silent(other)
    await hears(call, 660)
    assert (await control(phones, leg, "mute", expect=409))["code"] == "wrong_state"
    assert (await control(phones, leg, "hold"))["muted"]
    assert (await control(phones, leg, "unhold"))["muted"]
    await silent(other)
    assert not (await control(phones, leg, "unmute"))["muted"]
    await hears(other, 440)
    call.hang_up()
    await other.ended()


async def silent(call: PhoneCall, within: float = PATIENCE) -> None:
    """Wait until a phone is sent packets in which there is nothing to hear."""
    async with asyncio.timeout(within):
        while True:
            packets = call.voice.packets_heard
            await asyncio.sleep(0.3)
            heard = from_pcm16(call.voice.ear.recent())
            if call.voice.packets_heard - packets > 5 and len(heard) > 1000 and loudness(heard) < 0.001:
                return


# recording on demand


@needs_sox()
async def test_a_recording_on_demand_with_a_pause(phones: Phones, ledger: Ledger, tmp_path: Path) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    call, _ = await talking(c, d, D)
    leg = await leg_of(phones, ledger, C)
    for action in ("record_pause", "record_resume", "record_stop"):
        assert (await control(phones, leg, action, expect=409))["code"] == "wrong_state"
    started = await control(phones, leg, "record_start")
    assert started["recording"] == "on"
    assert (await control(phones, leg, "record_start", expect=409))["code"] == "wrong_state"
    await asyncio.sleep(1.6)
    assert (await control(phones, leg, "record_pause"))["recording"] == "paused"
    await asyncio.sleep(1.6)
    assert (await control(phones, leg, "record_resume"))["recording"] == "on"
    await asyncio.sleep(1.6)
    stopped = await control(phones, leg, "record_stop")
    assert (stopped["recording"], stopped["record_id"]) == ("stopped", started["record_id"])
    mp3 = await asyncio.to_thread(phones.server.recording, started["record_id"])  # while they talk
    path = tmp_path / "record.mp3"
    path.write_bytes(mp3)
    refused = await control(phones, leg, "record_start", expect=409)
    assert "was stopped" in refused["detail"]
    call.hang_up()
    outcome = await ledger.call(C, D, owners=(C, D))
    assert outcome.row["record_id"] == started["record_id"]
    for channel, tone in zip(read_audio(path), (440, 660), strict=True):
        assert 4.5 <= duration(channel) <= 6.5
        tones = tones_over_time(channel)
        third = len(tones) // 3
        assert all(
            heard is not None and abs(heard - tone) < 8 for heard in (*tones[1 : third - 1], *tones[1 - third : -1])
        )
        assert tones[third + 2 : 2 * third - 2] == [None] * (third - 4)


@needs_sox()
async def test_an_automatic_recording_is_paused(phones: Phones, ledger: Ledger, tmp_path: Path) -> None:
    """A and B have the package; what is said in the pause is in nobody's recording."""
    a, b = await phones.at(A, 440), await phones.at(B, 660, answer_after=0.1)
    call, _ = await talking(a, b, B)
    leg = await leg_of(phones, ledger, B)
    paused = await control(phones, leg, "record_pause")
    assert paused["recording"] == "paused"
    await asyncio.sleep(2)
    call.hang_up()
    outcome = await ledger.call(A, B, owners=(A, B))
    assert outcome.row["record_id"] == paused["record_id"]
    path = tmp_path / "record.mp3"
    path.write_bytes(await asyncio.to_thread(phones.server.recording, paused["record_id"]))
    left, _ = read_audio(path)
    talked_ms, recorded_ms, pauses = stored_lengths(phones.server, outcome.row["call_id"], paused["record_id"])
    assert abs(recorded_ms - talked_ms) <= 20
    assert len(decode_mp3(path)[0]) == pytest.approx(8 * recorded_ms, abs=8)
    ((began, ended),) = pauses
    assert ended == recorded_ms
    assert ended - began >= 1800
    tones = tones_over_time(left)
    assert tones[2] is not None
    assert tones[-7:] == [None] * 7


def stored_lengths(server: Server, call_id: str, record_id: str) -> tuple[int, int, list[tuple[int, int]]]:
    """Return the milliseconds of a call's talk and of its recording, and when that was paused."""
    enterprise_id = server.site.enterprise["enterprise_id"]
    store = Store.open(server.site.place)
    try:
        with store.read() as conn:
            call, recording = calls.find(conn, enterprise_id, call_id), recordings.find(conn, enterprise_id, record_id)
    finally:
        store.close()
    assert call is not None
    assert call.answered_at is not None
    assert call.ended_at is not None
    assert recording is not None
    assert recording.duration_ms is not None
    return call.ended_at - call.answered_at, recording.duration_ms, recording.noted.paused


# hold


async def test_hold_by_phone_and_api_in_every_order(phones: Phones, ledger: Ledger, extended_states: None) -> None:
    c, d = await phones.at(C, 880), await phones.at(D, 660, answer_after=0.1)
    call = c.dial(D)
    await call.established()
    (other,) = d.calls
    await hears(other, 880)
    leg, far_leg = await leg_of(phones, ledger, C), await leg_of(phones, ledger, D)

    # the phone, then the API; the phone resumes first
    await call.hold()
    assert (await control(phones, leg, "hold"))["state"] == "held"
    await other.held()
    assert (call.direction, other.direction) == ("inactive", "recvonly")  # it is told sendonly, and hears music
    await call.resume()
    await music(other)
    assert (await control(phones, leg, "hold", expect=409))["code"] == "wrong_state"
    assert (await control(phones, leg, "unhold"))["state"] == "established"
    await hears(other, 880)
    await other.resumed()

    # the API, then the phone; the API lets go first
    assert (await control(phones, leg, "hold"))["state"] == "held"
    await call.hold()
    assert (await control(phones, leg, "unhold"))["state"] == "held"  # by the phone, still
    await music(other)
    await call.resume()
    await hears(other, 880)
    await hears(call, 660)

    # both sides
    assert (await control(phones, leg, "hold"))["state"] == "held"
    assert (await control(phones, far_leg, "hold"))["state"] == "held"
    assert (call.direction, other.direction) == ("inactive", "inactive")
    assert (await control(phones, leg, "unhold"))["state"] == "established"
    await call.held()
    await music(call)
    assert (await control(phones, far_leg, "unhold"))["state"] == "established"
    await hears(call, 660)
    await hears(other, 880)
    call.hang_up()
    outcome = await ledger.call(C, D, owners=(C, D))
    assert outcome.types(C) == ["alerting", "established", *["held", "resumed"] * 3, "finished"]
    assert outcome.types(D) == ["alerting", "established", "held", "resumed", "finished"]


async def music(call: PhoneCall, within: float = PATIENCE) -> None:
    """Wait until a phone hears several notes of the melody one after the other; a phone's tone is but one."""
    notes: set[int] = set()
    async with asyncio.timeout(within):
        while len(notes) < 3:
            await asyncio.sleep(0.1)
            tone = dominant_tone(from_pcm16(call.voice.ear.recent())[-2000:])
            if tone is not None:
                notes.add(round(tone / 20))


async def test_music_of_the_enterprise_and_its_ringback(phones: Phones, ledger: Ledger, tmp_path: Path) -> None:
    """Set on the command line beside the running server; what is taken away is our melody again."""
    site = phones.server.site
    own = ("--enterprise", site.enterprise["enterprise_id"], "--json")
    file = tmp_path / "tone.wav"
    file.write_bytes(file_of(1, 8000, hertz=(1300,)))
    shown = json.loads(await asyncio.to_thread(site.prepare, "sound", "music", str(file), *own))
    assert (shown["music"], shown["music_seconds"], shown["ringback"]) == ("tone.wav", 1.0, "usual")
    await asyncio.to_thread(site.prepare, "sound", "ringback", "tr", *own)
    try:
        async with asyncio.timeout(PATIENCE):
            while not list((site.folder / "sounds").glob("*.alaw")):  # noqa: ASYNC110 - a folder tells nobody
                await asyncio.sleep(0.05)
        c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
        b = await phones.at(B, 880)
        call, other = await talking(c, d, D)
        await call.hold()
        await hears(other, 1300)
        await call.resume()
        await hears(other, 440)
        await control(phones, await leg_of(phones, ledger, D), "transfer", destination=B)
        await b.incoming()
        await hears(call, 450)  # of Turkey
        call.hang_up()
    finally:
        await asyncio.to_thread(site.prepare, "sound", "ringback", "usual", *own)
        shown = json.loads(await asyncio.to_thread(site.prepare, "sound", "music", "--none", *own))
    assert (shown["music"], shown["ringback"]) == (None, "usual")
    async with asyncio.timeout(PATIENCE):
        while list((site.folder / "sounds").iterdir()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def test_a_phone_that_refuses_hold_or_says_nothing(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    call, other = await talking(c, d, D)
    leg, far_leg = await leg_of(phones, ledger, C), await leg_of(phones, ledger, D)
    other.offered = lambda body: None  # type: ignore[method-assign]
    silence = asyncio.create_task(control(phones, far_leg, "hold", expect=504))
    statuses = [491, 488]
    answers = call.offered

    def refuse(body: bytes) -> None:
        """Refuse as long as there are statuses, then accept."""
        if statuses and call.dialog is not None:
            call.dialog.reject_offer(statuses.pop(0), now=c._now())
        else:
            answers(body)

    call.offered = refuse  # type: ignore[method-assign]
    refused = await control(phones, leg, "hold", expect=502)  # 491 was tried again, and got 488
    assert (refused["code"], statuses) == ("refused_by_phone", [])
    statuses.append(491)
    assert (await control(phones, leg, "hold"))["state"] == "held"
    assert (await silence)["code"] == "no_answer_from_phone"
    call.hang_up()
    await ledger.call(C, D, owners=(C, D))


# clear, and who may


async def test_clear_at_every_stage(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660)
    call = c.dial(D)
    ringing = await d.incoming()
    await call.ringing()
    await control(phones, await leg_of(phones, ledger, C, "alerting"), "clear")
    ended = await call.ended()
    assert (ended.status, ended.cause) == (487, 31)
    assert (await ringing.ended()).by == "peer"
    (await ledger.call(C, D, owners=(C, D))).has(cause=31, status=487, released_by="api")

    originated = await phones.originate(C, D)
    (await c.incoming()).answer()
    ringing = await d.incoming()
    await leg_of(phones, ledger, D, "alerting")
    await control(phones, originated["call_control_id"], "clear")
    await ringing.ended()
    (await ledger.call(C, D, owners=(C, D))).has(cause=21, status=603, released_by="api")

    originated = await phones.originate(C, D)
    (await c.incoming()).answer()
    (await d.incoming()).answer()
    await leg_of(phones, ledger, D)
    await control(phones, originated["call_control_id"], "clear")
    (await ledger.call(C, D, owners=(C, D))).has(cause=16, status=200, released_by="api")


async def test_a_leg_of_somebody_else_and_a_number_without_the_package(phones: Phones, ledger: Ledger) -> None:
    site = phones.server.site
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    call, _ = await talking(c, d, D)
    leg = await leg_of(phones, ledger, C)
    added = await asyncio.to_thread(
        site.kobza, "enterprise", "add", "Competitor", "--admin", "petro", "--password", "open sesame", "--json"
    )
    other = json.loads(added)
    url = f"http://{site.http}/api/fmc/v1/callcontrol"
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {other['fmc_token']}"}) as client:
        bodies = []
        for unknown in (leg, "0" * 32):
            body = {"call_control_id": unknown, "action": "clear"}
            answer = await client.post(url, params={"integrator_id": other["integrator_id"]}, json=body)
            assert answer.status_code == 404
            bodies.append(answer.content)
        assert bodies[0] == bodies[1]
    await set_packages(phones, C, {Package.CONVERGENT})
    try:
        for action in ("hold", "clear", "mute"):
            assert (await control(phones, leg, action, expect=403))["code"] == "service_not_enabled"
    finally:
        await set_packages(phones, C, {Package.CONVERGENT, Package.API_FMC})
    await hears(call, 660)
    call.hang_up()
    await ledger.call(C, D, owners=(C, D))


async def dnd(phones: Phones, number: str, dnd: str) -> None:
    """Switch Do Not Disturb."""
    await asyncio.to_thread(phones.server.put, "/v1/dnd", {"number": number, "dnd": dnd})


@asynccontextmanager
async def without_trunk(server: Server) -> AsyncIterator[None]:
    """Take the outside line away for a while."""
    store = Store.open(server.site.place)
    try:
        with store.write() as conn:
            assert trunks.remove(conn, "gateway")
        await asyncio.to_thread(reread, server)
        yield
    finally:
        with store.write() as conn:
            trunks.add(conn, "gateway", "127.0.0.1", server.site.trunk_port, options_every=0)
        store.close()
        await asyncio.to_thread(reread, server)


async def set_packages(phones: Phones, number: str, packages: set[Package]) -> None:
    """Change a number's packages as the portal does."""
    site = phones.server.site

    def change() -> None:
        store = Store.open(site.place)
        try:
            with store.write() as conn:
                numbers.set_packages(conn, site.enterprise["enterprise_id"], f"+38{number}", packages)
        finally:
            store.close()
        reread(phones.server)

    await asyncio.to_thread(change)
