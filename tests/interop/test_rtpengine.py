"""Kobza with its calls on two rtpengines: two real phones talk, hold, are recorded; one of the rtpengines dies."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.baresip import baresip
from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.scrape import Scrape
from tests.interop.server import STOP_WITHIN, Server, Site
from tests.interop.test_baresip import assert_recorded, talk
from tests.interop.tools import require
from tests.support.command import kobza_here
from tests.support.ports import free_range
from tests.support.rtpengine import Rtpengine, running_rtpengine
from tests.support.spectrum import Samples, dominant_tone, needs_sox, read_audio, tone_share, tones_over_time
from tests.support.waiting import until

A, B = NUMBERS[:2]
pytestmark = [needs_sox(), pytest.mark.database("sqlite")]
MUSIC = (440.0, 523.25, 659.26)
"""The first notes."""


@pytest.fixture
def engines() -> Iterator[tuple[Rtpengine, Rtpengine]]:
    require("rtpengine")
    with running_rtpengine(free_range(40)) as one, running_rtpengine(free_range(40)) as other:
        yield one, other


@pytest.fixture
def server(new_site: Site, tmp_path: Path, engines: tuple[Rtpengine, Rtpengine]) -> Iterator[Server]:
    """A served Kobza. Its log has errors in the end: an rtpengine dies."""
    where = ",".join(f"{host}:{port}" for host, port in (engine.control for engine in engines))
    settings = {"KOBZA_MEDIA_PLANE": "rtpengine", "KOBZA_RTPENGINE": where}
    server = new_site.copy(tmp_path / "kobza", **settings).start()
    yield server
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(STOP_WITHIN) == 0, server.log
    server.kill()


def tones(samples: Samples) -> list[float]:
    """What was heard, each tone once as long as it sounded."""
    found: list[float] = []
    for tone in tones_over_time(samples):
        if tone is not None and (not found or not is_near(tone, found[-1])):
            found.append(tone)
    return found


def is_near(tone: float, hz: float) -> bool:
    return abs(tone - hz) < 15  # a window where it begins or ends is less exact


def carrying(server: Server, engines: tuple[Rtpengine, Rtpengine]) -> Rtpengine:
    """Return the one that has the call, as the metrics say."""
    scrape = Scrape(server)
    there = [
        engine
        for engine in engines
        if scrape("kobza_media_instance_calls", instance=f"{engine.control[0]}:{engine.control[1]}") == 1
    ]
    assert len(there) == 1
    return there[0]


def voices_are_not_mixed(server: Server) -> None:
    """Ask for a third voice, by the API and the command line, and be told why there is none."""
    site = server.site
    who = ["--url", f"http://{site.http}", "--token", site.enterprise["fmc_token"]]
    who += ["--integrator", site.enterprise["integrator_id"]]
    leg = json.loads(kobza_here("call", "list", *who, "--json"))["calls"][0]["call_control_id"]
    asked = {"call_control_id": leg, "action": "add", "destination": NUMBERS[2]}
    answer = server.api.post("/v1/callcontrol", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (503, "media_failed")
    for words in ("rtpengine cannot mix voices", "media_plane = embedded"):
        assert words in answer.json()["detail"]
    with pytest.raises(AssertionError, match=r"rtpengine cannot mix voices.*media_plane = embedded"):
        kobza_here("call", "add", leg, NUMBERS[2], *who)


async def test_calls_on_rtpengines(
    server: Server, engines: tuple[Rtpengine, Rtpengine], sink: SinkThread, tmp_path: Path
) -> None:
    ledger = Ledger(server, sink)
    sip = server.site.sip
    a_line, b_line = server.site.lines[A], server.site.lines[B]
    async with (
        baresip(tmp_path / "a", a_line, sip, tone=700) as a,
        baresip(tmp_path / "b", b_line, sip, tone=1500, auto=True) as b,
    ):
        call = f"sip:{B}@{sip[0]}:{sip[1]}"
        await a.command("dial", call)
        await talk(a, b, 2)
        await asyncio.to_thread(voices_are_not_mixed, server)
        await a.command("hold")
        await asyncio.sleep(1.5)
        await a.command("resume")
        await asyncio.sleep(2)
        await a.command("hangup")
        await b.event("CALL_CLOSED")
        at_a, at_b = tones(await a.heard()), tones(await b.heard())
        assert is_near(at_a[0], 1500), at_a
        assert is_near(at_b[0], 700), at_b
        assert is_near(at_b[-1], 700), at_b
        assert any(is_near(tone, note) for note in MUSIC for tone in at_b[1:-1]), at_b
        outcome = await ledger.call(A, B, owners=(A, B))
        outcome.has(cause=16, status=200, released_by="caller")
        path = tmp_path / "record.mp3"
        path.write_bytes(server.recording(outcome.row["record_id"]))
        left, right = read_audio(path)
        for channel, own, others in ((left, 700, (1500, *MUSIC)), (right, 1500, (700, *MUSIC))):
            assert is_near(dominant_tone(channel) or 0, own)
            assert all(tone_share(channel, hz) < 0.02 for hz in others)
        assert abs(len(left) / 8000 - outcome.talk_seconds) <= 0.5

        # The one that carries a call dies: the call ends, and the next one is on the other.
        await a.command("dial", call)
        await talk(a, b, 1)
        dead = carrying(server, engines)
        dead.kill()
        await a.event("CALL_CLOSED")
        await b.event("CALL_CLOSED")
        outcome = await ledger.call(A, B, owners=(A, B))
        outcome.has(cause=41, status=200, released_by="network")
        (alive,) = (engine for engine in engines if engine is not dead)
        await a.command("dial", call)
        await talk(a, b, 2)
        assert carrying(server, engines) is alive
        await a.command("hangup")
        await b.event("CALL_CLOSED")
        outcome = await ledger.call(A, B, owners=(A, B))
        assert_recorded(server, outcome, tmp_path, left=700, right=1500)
        dead.begin()
        name = f"{dead.control[0]}:{dead.control[1]}"
        await until(lambda: Scrape(server)("kobza_media_instance_up", instance=name) == 1)
