from kobza.store import Store, recordings
from kobza.store.recordings import Recording, Remarks
from tests.store.builders import NOW, NOW_MS, recording
from tests.store.conftest import Write


def test_a_recording_grows(store: Store, write: Write) -> None:
    write(recording(path="a.spool"))
    write(recording("encoding", at=NOW + 1))
    with store.read() as conn:
        assert [one.status for one in recordings.list_unfinished(conn)] == ["encoding"]
    remarks = Remarks([(100, 250)], {"caller": ["G729"]})
    made = {"path": "a.mp3", "duration_ms": 1234, "size": 99, "sha256": "ab", "remarks": remarks.to_json()}
    write(recording("ready", at=NOW + 2, **made))
    with store.read() as conn:
        assert recordings.list_unfinished(conn) == []
        assert recordings.find(conn, "ent-2", "rec-1") is None
        found = recordings.find(conn, "ent-1", "rec-1")
    assert found == Recording(
        *("rec-1", "ent-1", "call-1", "ready", "a.mp3", 1234, 99, "ab"), NOW_MS + 2000, remarks.to_json()
    )
    assert found.noted == remarks
    assert (Remarks().to_json(), found._replace(remarks=None).noted) == (None, Remarks())
