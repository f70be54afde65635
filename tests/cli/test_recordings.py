"""`kobza recordings`: whether the files are what was recorded, and who got them."""

import hashlib
from pathlib import Path

import pytest

from kobza.archive.archive import Archive
from kobza.archive.keys import Keys
from kobza.store import Store, audit, hearings
from kobza.store.audit import By
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from tests.cli.conftest import Kobza
from tests.store.builders import NOW_MS, recording

SOUND = b"sound" * 100


def store_recordings(data: Path, place: Place, *owners: str) -> None:
    """Store three recordings of 500 bytes, the first of them of two enterprises."""
    folder = data / "recordings"
    folder.mkdir(parents=True)
    digest = hashlib.sha256(SOUND).hexdigest()
    writer = JournalWriter(place)
    for record_id in ("rec-1", "rec-2", "rec-3"):
        (folder / f"{record_id}.mp3").write_bytes(SOUND)
        for owner in owners if record_id == "rec-1" else owners[:1]:
            values = {"path": f"{record_id}.mp3", "sha256": digest, "size": len(SOUND), "duration_ms": 1500}
            writer.write([recording("ready", record_id=record_id, enterprise_id=owner, **values)])
    writer.write([recording("recording", record_id="rec-4", enterprise_id=owners[0])])
    writer.close()


def test_files_are_compared_with_what_was_recorded(kobza: Kobza, data: Path, place: Place, enterprise: str) -> None:
    store_recordings(data, place, enterprise, "another")
    assert kobza("recordings", "verify", "--json").json == {
        "whole": 3,
        "damaged": 0,
        "missing": 0,
        "unread": 0,
        "wrong": [],
    }
    (data / "recordings/rec-1.mp3").write_bytes(SOUND[:-1] + b"x")
    (data / "recordings/rec-2.mp3").unlink()
    ran = kobza("recordings", "verify", "--enterprise", enterprise, "--json")
    assert ran.code == 1
    assert "2 of 3 recordings are not what was recorded" in ran.err
    assert '"whole": 1, "damaged": 1, "missing": 1, "unread": 0' in ran.out
    table = kobza("recordings", "verify")
    assert (table.code, "rec-1.mp3" in table.out, "rec-3" in table.out) == (1, True, False)
    assert kobza("recordings", "verify", "--record", "rec-3", "--json").json["whole"] == 1
    assert kobza("recordings", "verify", "--days", "1", "--json").json["whole"] == 0  # they are older
    for unready in ("rec-4", "none"):
        ran = kobza("recordings", "verify", "--record", unready)
        assert (ran.code, f"no recording {unready} that is ready" in ran.err) == (1, True)


def test_who_got_a_recording_and_how_much_of_it(kobza: Kobza, data: Path, place: Place, enterprise: str) -> None:
    store_recordings(data, place, enterprise, "another")
    assert kobza("recordings", "show", "rec-3", "--json").json["heard"] == []
    assert "nobody has heard" in kobza("recordings", "show", "rec-3").out
    store = Store.open(place)
    with store.write() as conn:
        for action, at in (("recording.heard", 0), ("recording.fetched", 1000)):
            entry = audit.note(
                conn, By("api", "CRM", "192.0.2.7"), action, enterprise, "rec-1", NOW_MS + at, label="call-1"
            )
            hearings.begin(conn, entry, 500, NOW_MS + at)
        hearings.add(conn, entry, 300, NOW_MS + 1000)
        hearings.add(conn, entry, 150, NOW_MS + 2000)
        audit.note(conn, By("cli", "olena"), "recording.heard", enterprise, "rec-1", NOW_MS - 1000)  # of before
        audit.note(conn, By("cli", "olena"), "number.erased", enterprise, "rec-1", NOW_MS)  # something else
    store.close()
    shown = kobza("recordings", "show", "rec-1", "--json").json
    assert [each["enterprise_id"] for each in shown["recordings"]] == sorted([enterprise, "another"])
    assert (shown["recordings"][0]["sha256"], shown["recordings"][0]["seconds"]) == (
        hashlib.sha256(SOUND).hexdigest(),
        1.5,
    )
    assert [(each["action"], each["requests"], each["sent_bytes"], each["of_bytes"]) for each in shown["heard"]] == [
        ("fetched", 2, 450, 500),
        ("heard", 0, 0, 500),
        ("heard", 0, 0, None),
    ]
    assert (shown["heard"][0]["who"], shown["heard"][0]["via"], shown["heard"][0]["address"]) == (
        *("CRM", "api"),
        "192.0.2.7",
    )
    assert "192.0.2.7" in kobza("recordings", "show", "rec-1").out
    ran = kobza("recordings", "show", "none")
    assert (ran.code, "there is no recording none" in ran.err) == (1, True)


def test_keys_are_made_changed_and_taken_out(
    kobza: Kobza, data: Path, place: Place, enterprise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = kobza("recordings", "keys")
    assert (ran.code, "set recordings_keys" in ran.err) == (2, True)
    file = tmp_path / "recordings.keys"
    monkeypatch.setenv("KOBZA_RECORDINGS_KEYS", str(file))
    ran = kobza("recordings", "keys")
    assert (ran.code, "cannot be read" in ran.err) == (2, True)
    assert kobza("recordings", "newkey", "--id", "2025", "--json").json == {"key": "2025", "file": str(file)}
    archive = Archive(data / "recordings", keys=Keys.load(file))
    plain = tmp_path / "plain.mp3"
    plain.write_bytes(SOUND)
    writer = JournalWriter(place)
    for number in range(3):
        record_id = f"rec-{number}"
        made = {"path": f"{record_id}.mp3", "sha256": hashlib.sha256(SOUND).hexdigest(), "size": len(SOUND)}
        made["sealed"] = archive.seal(plain, f"{record_id}.mp3", record_id)
        for owner in (enterprise, "another"):
            writer.write([recording("ready", record_id=record_id, enterprise_id=owner, **made)])
    writer.close()
    assert kobza("recordings", "verify", "--json").json["whole"] == 3
    assert kobza("recordings", "newkey", "--id", "2026", "--json").code == 0
    assert kobza("recordings", "rekey", "--json").json == {"key": "2026", "rekeyed": 3, "without_key": 0}
    assert kobza("recordings", "rekey", "--json").json["rekeyed"] == 0
    assert kobza("recordings", "keys", "--json").json == {
        "without_key": 0,
        "keys": [
            {"key": "2025", "recordings": 0, "newest": False},
            {"key": "2026", "recordings": 6, "newest": True},
        ],
    }
    assert kobza("recordings", "show", "rec-1", "--json").json["recordings"][0]["key"] == "2026"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line for line in lines if not line.startswith("2025")))
    assert kobza("recordings", "verify", "--json").json["whole"] == 3

    file.write_text("\n".join(line for line in lines if not line.startswith("2026")))
    ran = kobza("recordings", "verify", "--json")
    assert (ran.code, "recording rec-0 needs the key 2026, which is not in the key file" in ran.out) == (1, True)
    for command in ("keys", "rekey"):
        ran = kobza("recordings", command)
        assert (ran.code, "recordings need keys that are not in the key file" in ran.err) == (1, True)
