"""Two baresip phones talk through Kobza, each with a tone of its own: who hears what, live and in the recording."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip, baresip
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger, Outcome
from tests.interop.server import Server
from tests.interop.sipp import Line
from tests.support.spectrum import Samples, duration, loudness, needs_sox, read_audio, tones_over_time

A, B = NUMBERS[:2]
pytestmark = needs_sox()


def assert_tone(samples: Samples, hz: float, *, edges: float = 0.6) -> None:
    """What is heard between the edges, seconds at either end, is this tone and nothing else."""
    cut = int(edges * 8000)
    windows = tones_over_time(samples[cut : len(samples) - cut])
    assert len(windows) >= 5, duration(samples)
    assert all(tone is not None and abs(tone - hz) < 8 for tone in windows), windows


def assert_recorded(server: Server, outcome: Outcome, folder: Path, *, left: float, right: float) -> None:
    """The caller is left, the called right, and it is as long as they talked."""
    path = folder / "record.mp3"
    path.write_bytes(server.recording(outcome.row["record_id"]))
    channels = read_audio(path)
    assert len(channels) == 2
    assert_tone(channels[0], left)
    assert_tone(channels[1], right)
    assert abs(duration(channels[0]) - outcome.talk_seconds) <= 0.5


async def talk(a: Baresip, b: Baresip, seconds: float) -> None:
    """Wait until both are connected, and let them talk."""
    await a.event("CALL_ESTABLISHED")
    await b.event("CALL_ESTABLISHED")
    await asyncio.sleep(seconds)


@pytest.mark.parametrize(("transport", "srtp"), [("udp", False), ("tcp", True)], ids=["udp", "tcp and srtp"])
async def test_two_phones_hear_each_other(
    kobza_server: Server, ledger: Ledger, lines: list[Line], tmp_path: Path, transport: str, srtp: bool
) -> None:
    server = kobza_server.site.sip
    async with (
        baresip(tmp_path / "a", lines[0], server, tone=440, transport=transport, srtp=srtp) as a,
        baresip(tmp_path / "b", lines[1], server, tone=660, transport=transport) as b,
    ):
        await a.command("dial", f"sip:{B}@{server[0]}:{server[1]};transport={transport}")
        incoming = await b.event("CALL_INCOMING")
        assert A in incoming["peeruri"]
        await a.event("CALL_RINGING")
        assert kobza_server.status_of(B) == "busy"
        await b.command("accept")
        await talk(a, b, 3)
        await a.command("hangup")
        await b.event("CALL_CLOSED")
        assert_tone(await a.heard(), 660)
        assert_tone(await b.heard(), 440)
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.types(A) == outcome.types(B) == ["alerting", "established", "finished"]
    assert 2.5 <= outcome.talk_seconds <= 5
    assert_recorded(kobza_server, outcome, tmp_path, left=440, right=660)


async def test_a_real_phone_rejects(kobza_server: Server, ledger: Ledger, lines: list[Line], tmp_path: Path) -> None:
    server = kobza_server.site.sip
    async with (
        baresip(tmp_path / "a", lines[0], server, tone=440) as a,
        baresip(tmp_path / "b", lines[1], server, tone=660) as b,
    ):
        await a.command("dial", f"sip:{B}@{server[0]}:{server[1]}")
        await b.event("CALL_INCOMING")
        await b.command("hangup")
        closed = await a.event("CALL_CLOSED")
        assert "486" in closed["param"]
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=17, status=486, released_by="called")


async def test_click2dial_between_phones_without_a_codec_in_common(
    kobza_server: Server, ledger: Ledger, lines: list[Line], tmp_path: Path
) -> None:
    server = kobza_server.site.sip
    async with (
        baresip(tmp_path / "a", lines[0], server, tone=440, codecs="PCMU", auto=True) as a,
        baresip(tmp_path / "b", lines[1], server, tone=660, codecs="PCMA", auto=True) as b,
    ):
        kobza_server.post("/v1/originate", {"originator": A, "destination": B})
        await a.event("CALL_CLOSED")
        await b.event("CALL_CLOSED")
        assert "re-INVITE" in a.log  # each was asked for the codec of the other,
        assert "re-INVITE" in b.log  # and accepts an offer of nothing it knows, without speech
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=65, status=488, released_by="network")
    assert outcome.types(A) == outcome.types(B) == ["alerting", "finished"]


async def test_click2dial_rings_one_phone_and_then_the_other(
    kobza_server: Server, ledger: Ledger, lines: list[Line], tmp_path: Path
) -> None:
    """The originator's phone would talk A-law and follows the other one, which knows the other law alone."""
    server = kobza_server.site.sip
    async with (
        baresip(tmp_path / "a", lines[0], server, tone=440, codecs="PCMA PCMU") as a,
        baresip(tmp_path / "b", lines[1], server, tone=660, codecs="PCMU") as b,
    ):
        asked = {"originator": A, "destination": B, "client_state": "deal 42"}
        originated = kobza_server.post("/v1/originate", asked)
        await a.event("CALL_INCOMING")
        await asyncio.sleep(0.3)
        assert not [event for event in b.events if event["type"] == "CALL_INCOMING"]  # first the one, then the other
        await a.command("accept")
        incoming = await b.event("CALL_INCOMING")
        assert A in incoming["peeruri"]
        await asyncio.sleep(1.2)  # A hears ringback
        await b.command("accept")
        await talk(a, b, 2.5)
        leg = originated["call_control_id"]
        answer = kobza_server.post("/v1/callcontrol", {"call_control_id": leg, "action": "clear"})
        assert answer["call_control_id"] == leg
        await a.event("CALL_CLOSED")
        await b.event("CALL_CLOSED")
        assert_tone(await b.heard(), 440)
        heard = tones_over_time(await a.heard())
        assert [tone for tone in heard if tone is not None and abs(tone - 425) < 8], heard
        assert abs((heard[-4] or 0) - 660) < 8, heard
        assert loudness(await a.heard()) > 0.01
        assert re.findall(r"audio encoder: (\w+)", a.log) == ["PCMA", "PCMU"]
        assert "re-INVITE" not in b.log
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=16, status=200, released_by="api")
    assert outcome.row["call_id"] == originated["call_id"]
    assert outcome.row["client_state"] == "deal 42"
    assert outcome.types(A) == outcome.types(B) == ["alerting", "established", "finished"]
    assert {state["call_control_id"] for state in outcome.states[A]} == {leg}
    assert {state["client_state"] for state in outcome.states[A]} == {"deal 42"}
    assert_recorded(kobza_server, outcome, tmp_path, left=440, right=660)
