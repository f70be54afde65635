"""Requests are counted by the route that took them, whatever clients make up."""

import pytest

from kobza.api.request_counts import RequestCounts
from tests.api.world import World


@pytest.fixture
def counts(world: World) -> RequestCounts:
    counts = RequestCounts()
    world.app = world.build(counts=counts)
    return counts


async def test_each_request_counts_once(world: World, counts: RequestCounts) -> None:
    async with world.client() as client:
        for _ in range(2):
            assert (await client.get("/api/fmc/v1/phonestatus", **world.fmc())).status_code == 200
        await client.get("/api/fmc/v1/phonestatus")
        await client.delete("/api/fmc/v1/phonestatus")
        await client.get("/healthz")
        await client.get("/static/kobza.css")
        await client.get("/api/made/up/17")
        await client.request("BREW", "/coffee")
    assert counts.requests == {
        ("GET", "/api/fmc/v1/phonestatus", 200): 2,
        ("GET", "/api/fmc/v1/phonestatus", 401): 1,
        ("DELETE", "/api/fmc/v1/phonestatus", 405): 1,
        ("GET", "/healthz", 200): 1,
        ("GET", "/static/{name}", 200): 1,
        ("GET", "other", 404): 1,
        ("other", "other", 404): 1,
    }
    assert counts.seconds.count == 8
    assert counts.in_progress == 0
