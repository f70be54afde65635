"""What the interface answers while the database's server is away."""

import httpx
import pytest

from tests.api.world import World
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.database("postgresql")


async def test_an_outage_is_503_and_passes(client: httpx.AsyncClient, world: World, postgres: PostgresServer) -> None:
    who = {"integrator_id": world.own.integrator_id}
    header = {"Authorization": f"Bearer {world.own.fmc_token}"}

    async def ask() -> httpx.Response:
        return await client.get("/api/fmc/v1/webhook/deliveries", params=who, headers=header)

    assert (await ask()).status_code == 200
    postgres.stop()
    try:
        answer = await ask()
        healthy = await client.get("/healthz")
    finally:
        postgres.start()
    assert answer.status_code == healthy.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unavailable"
    assert (await ask()).status_code == 200
