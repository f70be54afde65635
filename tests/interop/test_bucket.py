"""A call is recorded, its recording goes encrypted into a bucket and from here, and is fetched and erased there."""

import asyncio
import hashlib
import json
import time
from pathlib import Path

import httpx
import pytest

from kobza.archive.bucket import BucketPlace
from kobza.archive.keys import add_key
from kobza.archive.sealing import MAGIC, sealed_size
from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import Server, Site
from tests.interop.test_crash import phone
from tests.support.object_store import ObjectStore
from tests.support.waiting import PATIENCE

A, B, C, D = NUMBERS


def settings(place: BucketPlace) -> dict[str, str]:
    return {
        "KOBZA_RECORDINGS_STORE": "s3",
        "KOBZA_RECORDINGS_LOCAL_HOURS": "0",
        "KOBZA_S3_ENDPOINT": place.endpoint,
        "KOBZA_S3_BUCKET": place.bucket,
        "KOBZA_S3_PREFIX": place.prefix,
        "KOBZA_S3_ACCESS_KEY": place.access_key,
        "KOBZA_S3_SECRET_KEY": place.secret_key,
    }


def fetch(server: Server, record_id: str, **headers: str) -> httpx.Response:
    return server.api.get("/v1/callrecord", params={"record_id": record_id}, headers=headers)


def until_away(site: Site) -> None:
    """Wait until nothing of the recordings is here any more."""
    deadline = time.monotonic() + PATIENCE
    while list((site.folder / "recordings").rglob("*.mp3")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def use_the_bucket(site: Site, server: Server, store: ObjectStore, place: BucketPlace, record_id: str) -> None:
    (stored,) = store.until_objects(place, 1).values()
    assert stored.startswith(MAGIC)
    until_away(site)
    whole = fetch(server, record_id)
    mp3 = whole.content
    assert (whole.status_code, sealed_size(len(mp3))) == (200, len(stored))
    assert whole.headers["etag"] == f'"{hashlib.sha256(mp3).hexdigest()}"'
    part = fetch(server, record_id, range="bytes=100-299")
    assert (part.status_code, part.content) == (206, mp3[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(mp3)}"
    metrics = httpx.get(f"http://{site.http}/metrics").text
    assert 'kobza_recording_uploads_total{outcome="done"} 1.0' in metrics
    assert json.loads(site.prepare("recordings", "verify", "--json"))["whole"] == 1
    shown = json.loads(site.prepare("recordings", "show", record_id, "--json"))
    assert (shown["recordings"][0]["home"], shown["heard"][0]["sent_bytes"]) == ("bucket", len(mp3) + 200)
    backup = json.loads(site.prepare("backup", str(site.folder.parent / "backup"), "--json"))
    assert (backup["in_bucket"], backup["missing"]) == (1, [])

    store.stop()
    away = fetch(server, record_id)
    assert (away.status_code, away.json()["code"], away.headers["retry-after"]) == (503, "unavailable", "30")
    store.start()
    deadline = time.monotonic() + PATIENCE
    while (back := fetch(server, record_id)).status_code == 503:  # nobody is asked who did not answer a moment ago
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert back.content == mp3
    owner = ("--enterprise", site.enterprise["enterprise_id"])
    assert json.loads(site.prepare("erase", A, *owner, "--yes", "--json"))["complete"]
    assert store.objects(place) == {}
    gone = fetch(server, record_id)
    assert (gone.status_code, gone.json()["code"]) == (410, "recording_erased")


@pytest.mark.database("sqlite")  # what the store does of it is tried in both by tests/pbx/test_uploads.py
async def test_a_recording_lives_in_a_bucket(
    new_site: Site, sink: SinkThread, tmp_path: Path, object_store: ObjectStore
) -> None:
    place = object_store.make_bucket()
    add_key(tmp_path / "keys", "first")
    site = new_site.copy(tmp_path / "kobza", **settings(place), KOBZA_RECORDINGS_KEYS=str(tmp_path / "keys"))
    server = await asyncio.to_thread(site.start)
    try:
        ledger = Ledger(server, sink)
        async with phone(site, A, 440) as a, phone(site, B, 660, answer_after=0.1):
            call = a.dial(B)
            await call.established()
            await asyncio.sleep(0.5)
            call.hang_up()
            talked = await ledger.call(A, B, owners=(A, B))
        await asyncio.to_thread(use_the_bucket, site, server, object_store, place, talked.row["record_id"])
        await asyncio.to_thread(server.stop)
    finally:
        object_store.start()
        server.kill()
