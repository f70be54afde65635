"""Recordings from a real Kobza API: whole, resumed, checked, waited for."""

import hashlib
import random
from pathlib import Path

import pytest

from kobza.client import AnswerNotUnderstood, DownloadFailed, Gone, NotFound, RecordingNotReady
from kobza.store.entries import RecordingStored
from tests.api.world import World
from tests.client.conftest import Both
from tests.client.serving import Cuts, Scripted, account_of, served

pytestmark = pytest.mark.database("sqlite")  # it sees a server from outside: the API's tests try both stores


MP3 = random.Random(3).randbytes(300_000)
SHA = hashlib.sha256(MP3).hexdigest()


def keep(world: World, status: str = "ready", sha256: str = SHA, data: bytes = MP3) -> None:
    """Store a recording r1 with its hash."""
    (world.recordings / "r1.mp3").write_bytes(data)
    own = world.own.enterprise_id
    world.journal.write([RecordingStored("r1", own, "c1", status, world.at, "r1.mp3", 1000, len(data), sha256)])  # type: ignore[arg-type]


def test_a_recording_is_whole_and_checked(kobza: Both, world: World, tmp_path: Path) -> None:
    keep(world)
    seen: list[tuple[int, int | None]] = []
    file = tmp_path / "here" / "call.mp3"
    file.parent.mkdir()
    file.write_bytes(b"an older one")
    done = kobza.download_recording("r1", file, progress=lambda there, total: seen.append((there, total)))
    assert (done.path, done.size, done.sha256, done.verified) == (str(file), len(MP3), SHA, True)
    assert file.read_bytes() == MP3
    assert list(file.parent.iterdir()) == [file]
    assert seen[0] == (0, len(MP3))
    assert seen[-1] == (len(MP3), len(MP3))
    assert len(seen) > 2
    assert [there for there, _ in seen] == sorted(there for there, _ in seen)


def test_after_cuts_it_goes_on_where_it_was(kind: str, world: World, tmp_path: Path) -> None:
    keep(world)
    cuts = Cuts(world.app, "/api/fmc/v1/callrecord")
    cuts.after = [1000, 100_000, 0, 70_000]
    seen: list[int] = []
    with served(cuts) as base:
        client = Both(kind, base, *account_of(world))
        done = client.download_recording("r1", tmp_path / "r.mp3", progress=lambda there, _: seen.append(there))
    assert done.verified
    assert (tmp_path / "r.mp3").read_bytes() == MP3
    ranges = [request.get("range") for request in cuts.requests]
    assert ranges == [None, "bytes=1000-", "bytes=101000-", "bytes=101000-", "bytes=171000-"]
    assert {request.get("if-range") for request in cuts.requests[1:]} == {f'"{SHA}"'}
    assert seen == sorted(seen)


def test_another_file_in_between_is_fetched_from_its_beginning(kind: str, world: World, tmp_path: Path) -> None:
    keep(world)
    other = bytes(reversed(MP3))

    class Changing(Cuts):
        async def __call__(self, scope: object, receive: object, send: object) -> None:
            if len(self.requests) == 1:
                keep(world, sha256=hashlib.sha256(other).hexdigest(), data=other)
            await super().__call__(scope, receive, send)

    cuts = Changing(world.app, "/api/fmc/v1/callrecord")
    cuts.after = [5000]
    with served(cuts) as base:
        assert Both(kind, base, *account_of(world)).download_recording("r1", tmp_path / "r.mp3").verified
    assert (tmp_path / "r.mp3").read_bytes() == other


def test_a_line_that_always_breaks_is_given_up(kind: str, world: World, tmp_path: Path) -> None:
    keep(world)
    cuts = Cuts(world.app, "/api/fmc/v1/callrecord")
    cuts.after = [1000, *[0] * 10]
    with served(cuts) as base, pytest.raises(DownloadFailed, match="1000 bytes had come"):
        Both(kind, base, *account_of(world)).download_recording("r1", tmp_path / "r.mp3")
    assert len(cuts.requests) == 5
    assert sorted(path.name for path in tmp_path.iterdir() if "r.mp3" in path.name) == []


def test_damage_is_noticed(kobza: Both, world: World, tmp_path: Path) -> None:
    keep(world, sha256="ab" * 32)
    (tmp_path / "r.mp3").write_bytes(b"an older one")
    with pytest.raises(DownloadFailed, match="SHA-256"):
        kobza.download_recording("r1", tmp_path / "r.mp3")
    assert (tmp_path / "r.mp3").read_bytes() == b"an older one"
    assert not list(tmp_path.glob(".r.mp3*"))


def test_one_that_is_being_made_is_waited_for_within_bounds(kind: str, world: World, tmp_path: Path) -> None:
    keep(world, "encoding")
    with served(world.app) as base, pytest.raises(RecordingNotReady) as refused:
        Both(kind, base, *account_of(world)).download_recording("r1", tmp_path / "r.mp3", wait=1.0)
    assert (refused.value.status, refused.value.retry_after) == (409, 2.0)
    unready = b'{"code":"recording_not_ready","detail":"The recording is being made."}'
    app = Scripted((409, {"retry-after": "0"}, unready), (409, {}, unready), (200, {}, MP3))
    with served(app) as base:
        done = Both(kind, base, "T", "I").download_recording("r1", tmp_path / "r.mp3", wait=5)
    assert (done.size, done.verified) == (len(MP3), False)  # nothing to check against


def test_one_that_is_not_there(kobza: Both, world: World, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        kobza.download_recording("r1", tmp_path / "r.mp3")
    keep(world, "erased")
    with pytest.raises(Gone) as refused:
        kobza.download_recording("r1", tmp_path / "r.mp3")
    assert refused.value.code == "recording_erased"
    with pytest.raises(FileNotFoundError):
        kobza.download_recording("r1", tmp_path / "no" / "r.mp3")


def test_a_server_without_ranges_and_tags_is_asked_anew(kind: str, world: World, tmp_path: Path) -> None:
    class Plain:
        """Serves the file without any header that would let a client go on."""

        asked = 0

        async def __call__(self, scope: object, receive: object, send: object) -> None:
            self.asked += 1
            await Scripted((200, {"content-length": str(len(MP3))}, MP3))(scope, receive, send)

    plain = Plain()
    cuts = Cuts(plain, "/api/fmc/v1/callrecord")
    cuts.after = [1000, 2000]
    with served(cuts) as base:
        done = Both(kind, base, "T", "I").download_recording("r1", tmp_path / "r.mp3")
    assert (done.size, done.sha256, plain.asked) == (len(MP3), SHA, 3)
    assert all("range" not in request for request in cuts.requests)


@pytest.mark.parametrize(
    ("headers", "words"),
    [({"content-range": "bytes 5-9/10"}, "another range"), ({}, "another range")],
)
def test_a_part_that_nobody_asked_for(kind: str, headers: dict[str, str], words: str, tmp_path: Path) -> None:
    with served(Scripted((206, headers, b"12345"))) as base, pytest.raises(AnswerNotUnderstood, match=words):
        Both(kind, base, "T", "I").download_recording("r1", tmp_path / "r.mp3")


def test_a_file_that_became_shorter_is_fetched_from_its_beginning(kind: str, tmp_path: Path) -> None:
    etag = {"etag": '"x"'}
    short = (200, etag | {"content-length": "10"}, b"12345")  # breaks off after 5 bytes
    app = Scripted(short, (416, {}, b""), (200, etag, b"123"))
    with served(app) as base:
        done = Both(kind, base, "T", "I").download_recording("r1", tmp_path / "r.mp3")
    assert (done.size, (tmp_path / "r.mp3").read_bytes()) == (3, b"123")
    assert [request[2].get("range") for request in app.requests] == [None, "bytes=5-", None]
