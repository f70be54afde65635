"""A backup made while people talk: the restored server has the same history and the same mp3 files."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import Server, Site
from tests.interop.test_crash import phone, told
from tests.support.spectrum import duration, needs_sox, read_audio

A, B, C, D = NUMBERS


def hashes(server: Server, rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["record_id"]: hashlib.sha256(server.recording(row["record_id"])).hexdigest() for row in rows}


def erase_while_it_runs(site: Site, server: Server, recorded: dict[str, str], before: list[dict[str, Any]]) -> None:
    """A number is erased beside the running server: it is gone everywhere at once."""
    owner = ("--enterprise", site.enterprise["enterprise_id"])
    certificate = json.loads(site.kobza("erase", A, *owner, "--yes", "--json"))
    assert certificate["complete"]
    assert certificate["erased"]["calls"]["count"] == 3
    assert certificate["number"] not in (A, "+38" + A)
    assert {row["record_id"] for row in before} < {each["record_id"] for each in certificate["recordings"]}
    assert set(recorded.values()) < {each["sha256"] for each in certificate["recordings"]}
    assert {row["calling_number"] for row in server.history()} == {"anonymous"}
    for row in before:
        gone = server.api.get("/v1/callrecord", params={"record_id": row["record_id"]})
        assert (gone.status_code, gone.json()["code"]) == (410, "recording_erased")
    assert server.api.get("/v1/callrecord", params={"record_id": "0" * 32}).status_code == 404
    assert server.get("/v1/events")["events"] == []
    assert not list((site.folder / "recordings").rglob("*.mp3"))


@needs_sox()
async def test_a_backup_made_while_calls_run_brings_everything_back(
    new_site: Site, sink: SinkThread, tmp_path: Path
) -> None:
    site = new_site.copy(tmp_path / "kobza")
    backup, copy = tmp_path / "backup", site.elsewhere(tmp_path / "restored")
    server = await asyncio.to_thread(site.start)
    again: Server | None = None
    try:
        ledger = Ledger(server, sink)
        async with phone(site, A, 440) as a, phone(site, B, 660, answer_after=0.1):
            for _ in range(2):
                call = a.dial(B)
                await call.established()
                await asyncio.sleep(0.4)
                call.hang_up()
                await ledger.call(A, B, owners=(A, B))
            before = server.history()
            recorded = hashes(server, before)
            assert len(recorded) == 2

            talking = a.dial(B)  # is on during the backup, and being recorded
            await talking.established()
            await told(sink, B, "established")
            await asyncio.sleep(1.5)
            made = json.loads(await asyncio.to_thread(site.kobza, "backup", str(backup), "--json"))
            assert (made["calls_on"], made["missing"]) == (1, [])
            talking.hang_up()
            went_on = await ledger.call(A, B, owners=(A, B))
            went_on.has(cause=16, status=200, released_by="caller")  # nothing of it was noticed
        await asyncio.to_thread(server.stop)

        copy.kobza("restore", str(backup), "--webhooks-off", "--json")
        heard = len(sink.sink.requests)
        again = await asyncio.to_thread(copy.start)
        after = {row["call_id"]: row for row in again.history()}
        assert [after.pop(row["call_id"]) for row in before] == before
        assert hashes(again, before) == recorded
        cut = after.pop(went_on.row["call_id"])
        assert (cut["cause"], cut["released_by"]) == (41, "network")
        (tmp_path / "cut.mp3").write_bytes(again.recording(cut["record_id"]))
        assert duration(read_audio(tmp_path / "cut.mp3")[0]) > 0.5  # what was on the disk by then
        await asyncio.to_thread(erase_while_it_runs, copy, again, recorded, before)
        await asyncio.to_thread(again.stop)
        assert len(sink.sink.requests) == heard
    finally:
        server.kill()
        if again is not None:
            again.kill()
