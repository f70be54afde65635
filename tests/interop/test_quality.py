"""How well two phones heard each other: told with `finished`, kept in the history, counted; one-way audio is named."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import httpx
import pytest
from typer.testing import CliRunner

from kobza.cli.main import app
from kobza.phone.call import PhoneCall
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.scrape import Scrape
from tests.interop.server import KYIV, Server
from tests.interop.test_commands import Phones, hears, made
from tests.support.waiting import PATIENCE

C, D = NUMBERS[2:4]


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


async def until(server: Server, holds: Callable[[Scrape], bool]) -> None:
    """Wait until the metrics say something."""
    async with asyncio.timeout(PATIENCE):
        while not holds(await asyncio.to_thread(Scrape, server)):  # noqa: ASYNC110 - a scrape is a question
            await asyncio.sleep(0.2)


async def talking(phones: Phones) -> tuple[PhoneCall, PhoneCall]:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    call = c.dial(D)
    await call.established()
    (other,) = d.calls
    await hears(call, 660)
    await hears(other, 440)
    return call, other


@pytest.mark.usefixtures("extended_states")
async def test_a_side_that_falls_silent_is_named_and_the_end_says_how_it_was(
    phones: Phones, ledger: Ledger, kobza_server: Server
) -> None:
    call, other = await talking(phones)
    before = await asyncio.to_thread(Scrape, kobza_server)
    other.voice.sends = False
    await until(kobza_server, lambda now: now("kobza_calls_one_way") == 1)
    other.voice.sends = True
    await until(kobza_server, lambda now: now("kobza_calls_one_way") == 0)
    call.hang_up()
    outcome = await ledger.call(C, D, owners=(C, D))
    call_id = outcome.row["call_id"]
    assert "one-way audio: nothing is heard of the callee" in kobza_server.log
    assert "quality" not in outcome.row  # nobody asked

    quality = outcome.states[C][-1]["quality"]
    assert outcome.states[D][-1]["quality"] == quality
    assert quality["not_heard"] == "called"
    assert quality["called"]["silent_seconds"] >= 2
    assert quality["caller"]["silent_seconds"] == 0
    for side in ("caller", "called"):
        leg = quality[side]
        assert leg["codec"] == "pcma"
        assert leg["received"]["packets"] > 50
        assert leg["received"]["lost"] == 0
        assert 1 <= leg["received"]["mos"] <= 4.5
        assert 1 <= leg["sent"]["mos"] <= 4.5
        assert leg["received"]["jitter_ms"] is not None  # although these phones report nothing
        assert leg["sent"]["jitter_ms"] is None

    (row,) = [row for row in kobza_server.history(quality="on") if row["call_id"] == call_id]
    assert row["quality"] == quality
    site = kobza_server.site
    query = {"token": site.enterprise["fmc_token"], "to": f"{datetime.now(KYIV):%Y-%m-%dT%H:%M:%S}", "quality": "on"}
    basic = await asyncio.to_thread(httpx.get, f"http://{site.http}/api/cdr/v1/callstat.json", params=query)
    (*_, talk) = [each for each in basic.json()["calls"] if each["not_heard"] == "called"]
    assert talk["calling_mos"] == quality["caller"]["sent"]["mos"]
    assert talk["called_mos"] == quality["called"]["sent"]["mos"]
    assert talk["calling_lost"] == talk["called_lost"] == 0
    now = await asyncio.to_thread(Scrape, kobza_server)
    for way in ("received", "sent"):
        for name in ("kobza_call_mos_count", "kobza_call_loss_ratio_count"):
            assert now(name, direction=way) >= before(name, direction=way) + 2
    assert (
        now("kobza_calls_one_way_total", not_heard="called")
        == before("kobza_calls_one_way_total", not_heard="called") + 1
    )

    asked = ["history", "--quality", "--url", f"http://{site.http}", "--token", site.enterprise["fmc_token"]]
    asked += ["--integrator", site.enterprise["integrator_id"]]
    shown = await asyncio.to_thread(CliRunner().invoke, app, [*asked, "--json"])
    assert [each["quality"] for each in json.loads(shown.stdout)["calls"] if each["call_id"] == call_id] == [quality]
    table = await asyncio.to_thread(CliRunner().invoke, app, [*asked, "--csv"])
    (line,) = [line for line in table.stdout.splitlines() if line.startswith(call_id)]
    assert f",called,pcma,,{quality['caller']['silent_seconds']}," in line


async def test_without_extended_the_end_waits_for_nothing_and_the_history_knows_it_later(
    phones: Phones, ledger: Ledger, kobza_server: Server
) -> None:
    call, _ = await talking(phones)
    await asyncio.sleep(1.2)
    call.hang_up()
    outcome = await ledger.call(C, D, owners=(C, D))
    assert "quality" not in outcome.states[C][-1]
    async with asyncio.timeout(PATIENCE):
        quality = None
        while quality is None:
            rows = await asyncio.to_thread(kobza_server.history, quality="on")
            (quality,) = [row["quality"] for row in rows if row["call_id"] == outcome.row["call_id"]]
            await asyncio.sleep(0.1)
    assert quality["not_heard"] is None
    assert quality["caller"]["sent"]["mos"] >= 1
