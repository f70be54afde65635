"""What belongs to another enterprise does not exist: the same answer as for the unknown, by the same way to it.

Time itself is not measured here. What could differ in it is the asking of the store, so the statements are compared.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from tests.api.test_fmc import FMC, requests_on, store_state
from tests.api.world import ALICE, OUTSIDE, Leg, World

UNKNOWN_NUMBER = "+380670000009"


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """Collect what the store is asked."""
    asked: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(world.store._engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(world.store._engine, "before_cursor_execute", note)


def of_others(world: World) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Return requests for what is the first enterprise's, and for what is nobody's."""
    record_id = world.add_recording(b"mp3")
    store_state(world)
    world.commands.legs = [Leg("c1", "leg1", ALICE, OUTSIDE, "outgoing", "established", world.at)]
    found: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = []
    for (method, path, theirs), (_, _, nobodys) in zip(requests_on(ALICE), requests_on(UNKNOWN_NUMBER), strict=True):
        found.append((method, path, theirs, nobodys))
    for method in ("GET", "HEAD"):
        known, unknown = ({"params": {"record_id": each}} for each in (record_id, "r2"))
        found.append((method, "/callrecord", known, unknown))
    found.append(("POST", "/webhook/deliveries/{}/replay", {"path": "1"}, {"path": "2"}))
    found.append(("GET", "/webhook/deliveries/{}", {"path": "1"}, {"path": "2"}))
    return found


@pytest.mark.parametrize("which", range(11))
async def test_what_is_of_another_enterprise_is_answered_as_the_unknown(
    client: httpx.AsyncClient, world: World, which: int
) -> None:
    method, path, theirs, nobodys = of_others(world)[which]
    headers = {"authorization": f"Bearer {world.other.fmc_token}"}
    seen: list[tuple[int, bytes, dict[str, str], list[str]]] = []
    for options in (theirs, theirs, nobodys):
        params = {"integrator_id": world.other.integrator_id, **options.get("params", {})}
        with statements(world) as asked:
            answer = await client.request(
                method,
                FMC + path.format(options.get("path", "")),
                params=params,
                headers=headers,
                json=options.get("json"),
            )
        fields = {name: value for name, value in answer.headers.items() if name != "ratelimit"}
        seen.append((answer.status_code, answer.content, fields, [line for line in asked if "tokens" not in line]))
    assert seen[1] == seen[2]
    assert seen[1][0] == 404
    assert seen[1][3], "the store was asked"
