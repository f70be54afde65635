"""The disk of recordings fills while people talk: calls go on unrecorded, say so, and are recorded again."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import Server, Site
from tests.interop.test_crash import phone
from tests.support.waiting import PATIENCE

A, B, C, D = NUMBERS


@pytest.fixture
def site(new_site: Site, tmp_path: Path) -> Iterator[Site]:
    """A site whose recordings are on a disk of 8 MiB."""
    site = new_site.copy(tmp_path / "kobza", KOBZA_RECORDINGS_KEEP_FREE_MB="4")
    folder = site.folder / "recordings"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"only who may mount has a small disk: {done.stderr.strip()}")
    yield site
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def until_room(site: Site, room: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while f"kobza_recordings_room {room}.0" not in httpx.get(f"http://{site.http}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.database("sqlite")  # what is stored of it is tried in both by tests/pbx/test_recordings.py
async def test_calls_go_on_when_the_disk_is_full(site: Site, sink: SinkThread) -> None:
    server: Server = await asyncio.to_thread(site.start)
    filler = site.folder / "recordings/filler"
    try:
        ledger = Ledger(server, sink)
        async with phone(site, A, 440) as a, phone(site, B, 660, answer_after=0.1):

            async def talk() -> str:
                call = a.dial(B)
                await call.established()
                await asyncio.sleep(0.4)
                call.hang_up()
                talked = await ledger.call(A, B, owners=(A, B))
                talked.has(cause=16, status=200, released_by="caller")
                return str(talked.row["record_id"])

            first = await talk()
            assert await asyncio.to_thread(server.recording, first)
            filler.write_bytes(bytes(6 * 2**20))
            await asyncio.to_thread(until_room, site, 2)
            second = await talk()
            answer = server.api.get("/v1/callrecord", params={"record_id": second})
            assert (answer.status_code, answer.json()["code"]) == (410, "recording_failed")
            assert answer.json()["detail"] == "The call was not recorded: the server's disk was full."
            assert server.recording(first), "what was recorded before stays"
            filler.unlink()
            await asyncio.to_thread(until_room, site, 1)
            assert await asyncio.to_thread(server.recording, await talk())
        shown = json.loads(site.prepare("recordings", "show", second, "--json"))["recordings"][0]
        assert (shown["status"], shown["no_room"]) == ("failed", True)
    finally:
        server.kill()
