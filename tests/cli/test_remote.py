"""`kobza history`, `record` and `call` against a real Kobza API over HTTP."""

import csv
import io
import itertools
import json
import os
import pty
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kobza.cli.remote import begin_of, end_of, talk_text
from kobza.client.wall import KYIV
from tests.api.world import ALICE, BORYS, OUTSIDE, Leg, World
from tests.cli.conftest import Kobza
from tests.client.serving import Scripted, served
from tests.client.test_events import happen
from tests.client.test_recording import MP3, SHA, keep
from tests.phone.terminal import KOBZA
from tests.support.postgres import PostgresServer


@pytest.fixture
def world(tmp_path: Path, database: PostgresServer | None) -> Iterator[World]:
    folder = tmp_path / "world"
    folder.mkdir()
    made = World(folder, now=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", server=database)
    yield made
    made.close()


@pytest.fixture
def url(world: World, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the API, and say to the commands where it is."""
    with served(world.app) as base:
        for name, value in (("URL", base), ("TOKEN", world.own.fmc_token), ("INTEGRATOR_ID", world.own.integrator_id)):
            monkeypatch.setenv(f"KOBZA_{name}", value)
        yield base


def test_history_for_programs(kobza: Kobza, url: str, world: World) -> None:
    assert kobza("history", "--from", "7d", "--json").json == {"calls": []}
    made = [
        world.add_call(started_at=world.at - 7200, record_id="r1"),
        world.add_call(
            started_at=world.at - 3600,
            direction="incoming",
            calling_number=OUTSIDE,
            called_number=BORYS,
            answered_at=None,
            cause=19,
        ),
    ]
    calls = kobza("history", "--from", "3h", "--json").json["calls"]
    assert [call["call_id"] for call in calls] == [each.call_id for each in made]
    assert datetime.fromisoformat(calls[0]["started_at"]).timestamp() == world.at - 7200
    assert (calls[0]["call_duration"], calls[0]["record_id"], calls[1]["answered_at"]) == (14, "r1", None)
    for options, expected in (
        (("--number", "067 222 22 22"), made[1:]),
        (("--direction", "outgoing"), made[:1]),
        (("--limit", "1"), made[:1]),
        (("--to", "90m"), made[:1]),
    ):
        found = kobza("history", "--from", "3h", "--json", *options).json["calls"]
        assert [call["call_id"] for call in found] == [each.call_id for each in expected]
    words = kobza("history", "--from", "3h", "--json", "--language", "uk").json["calls"][0]["cause_text"]
    assert words != calls[0]["cause_text"]


def test_history_for_spreadsheets_and_people(kobza: Kobza, url: str, world: World) -> None:
    world.add_call(started_at=world.at - 100, client_state='=HYPERLINK("x"), "y"', called_number="+48601234567")
    ran = kobza("history", "--from", "1h", "--csv")
    (row,) = csv.DictReader(io.StringIO(ran.out, newline=""))
    assert row["client_state"] == '\'=HYPERLINK("x"), "y"'
    assert (row["called_number"], row["call_duration"], row["sip_status"]) == ("+48601234567", "14", "200")
    shown = kobza("history", "--from", "1h").out
    assert "0671111111" in shown
    assert "14 s" in shown
    assert "There were no calls." in kobza("history", "--from", "1m").out
    world.add_call(started_at=world.at - 90)
    assert "more than these 1 calls" in kobza("history", "--from", "1h", "--limit", "1").out


def test_a_recording(kobza: Kobza, url: str, world: World, tmp_path: Path) -> None:
    keep(world)
    got = kobza("record", "get", "r1", "--json").json
    assert got == {"record_id": "r1", "file": "r1.mp3", "bytes": len(MP3), "sha256": SHA, "verified": True}
    assert (tmp_path / "r1.mp3").read_bytes() == MP3
    (tmp_path / "there").mkdir()
    assert "yes" in kobza("record", "get", "r1", "-o", "there").out
    assert (tmp_path / "there" / "r1.mp3").read_bytes() == MP3
    assert kobza("record", "get", "r1", "--output", "x.mp3", "--json").json["file"] == "x.mp3"
    for arguments, code, words in (
        (("../../r1",), 1, "There is no such thing. (HTTP 404, not_found)"),
        (("r1", "-o", "no/x.mp3"), 2, "there is no folder no"),
    ):
        ran = kobza("record", "get", *arguments)
        assert (ran.code, ran.out) == (code, "")
        assert words in ran.err
        assert ran.err.count("\n") == 1
    keep(world, "encoding")
    assert "recording_not_ready" in kobza("record", "get", "r1", "--wait", "0").err


def test_a_bar_on_a_terminal(url: str, world: World, tmp_path: Path) -> None:
    keep(world)
    ours, theirs = pty.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while piece := os.read(ours, 4096):
                shown.extend(piece)
        except OSError:  # its other end is closed
            pass

    thread = threading.Thread(target=read)
    thread.start()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    command = [KOBZA, "record", "get", "r1", "--json"]
    ran = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=theirs, env=environment, cwd=tmp_path, timeout=120, check=False
    )
    os.close(theirs)
    thread.join(10)
    os.close(ours)
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["verified"]
    assert "r1.mp3" in shown.decode()
    assert "━" in shown.decode()


def test_calls(kobza: Kobza, url: str, world: World) -> None:
    begun = kobza(
        "call", "dial", "0671111111", "0501112233", "--timeout", "20", "--client-state", "x", "--clip", BORYS,
        "--key", "k", "--json",
    ).json  # fmt: skip
    assert begun == {"call_control_id": "leg1", "call_id": "call1"}
    assert world.commands.told[-1][2:] == (ALICE, OUTSIDE, 20, BORYS, "x")
    world.commands.legs.append(Leg("call1", "leg1", ALICE, OUTSIDE, "outgoing", "established", 0))
    for action, state in (("hold", "held"), ("unhold", "established"), ("clear", "finished")):
        done = kobza("call", action, "leg1", "--json").json
        assert list(done) == [
            "call_control_id", "action", "state", "muted", "recording", "record_id", "guest_control_id",
        ]  # fmt: skip
        assert (done["call_control_id"], done["action"], done["state"]) == ("leg1", action, state)
    assert "held" in kobza("call", "hold", "leg1").out
    ran = kobza("call", "hold", "other")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err == "kobza: There is no such call. (HTTP 404, not_found)\n"


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("mute", "L"), {"action": "mute"}),
        (("unmute", "L"), {"action": "unmute"}),
        (("dtmf", "L", "12#"), {"action": "dtmf", "digits": "12#"}),
        (("transfer", "L", "0671234567"), {"action": "transfer", "destination": "0671234567"}),
        (("record", "L", "pause"), {"action": "record_pause"}),
    ],
)
def test_what_the_verbs_send(kobza: Kobza, arguments: tuple[str, ...], body: dict[str, str]) -> None:
    app = Scripted((200, {}, b"{}"))
    with served(app) as base:
        options = ("--url", base, "--token", "T", "--integrator", "I")
        assert kobza("call", *arguments, *options, "--json").json["state"] is None
    assert json.loads(app.requests[0][3]) == {"call_control_id": "L", **body}
    assert app.requests[0][2]["authorization"] == "Bearer T"


def test_live_calls(kobza: Kobza, url: str, world: World) -> None:
    assert kobza("call", "list").out == "There are no live calls.\n"
    happen(world, "a", 1, 2)
    happen(world, "b", 1, 2, 3)
    assert "established" in kobza("call", "list").out
    (leg,) = kobza("call", "list", "--json").json["calls"]
    assert (leg["call_control_id"], leg["state_type"], leg["state_owner"]) == ("a", "established", "0671111111")
    assert "more" not in leg
    assert "cause" not in leg


@contextmanager
def going_on(world: World) -> Iterator[None]:
    """Let something happen again and again: however long a command takes to begin, something does after that."""
    done = threading.Event()

    def happen_on() -> None:
        for number in itertools.count():
            if done.wait(0.3):
                return
            happen(world, f"later{number}", 1)

    thread = threading.Thread(target=happen_on)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_states_as_they_come(kobza: Kobza, url: str, world: World) -> None:
    happen(world, "a", 1, 2, 3)
    ran = kobza("call", "watch", "--after", "0", "--count", "2", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["event_id"] for line in lines] == ["a-1", "a-2"]
    with going_on(world):
        shown = kobza("call", "watch", "--count", "1").out
    assert "alerting     0671111111 <- 0501112233" in shown
    assert "later" in shown


def test_the_journal_of_states(kobza: Kobza, url: str, world: World) -> None:
    happen(world, "a", 1, 2, 3)
    happen(world, "b", 1, 3, owner=BORYS)

    def ids(*options: str) -> list[str]:
        return [json.loads(line)["event_id"] for line in kobza("events", "--json", *options).out.splitlines()]

    assert ids() == ["a-1", "a-2", "a-3", "b-1", "b-3"]
    assert ids("--after", "3") == ["b-1", "b-3"]
    assert ids("--after", "now") == []
    assert ids("--number", "+38 067 222 22 22", "--state", "finished", "--state", "held") == ["b-3"]
    assert ids("--follow", "--after", "2", "--count", "2") == ["a-3", "b-1"]
    with going_on(world):
        (seen,) = ids("-f", "--count", "1")
    assert seen.startswith("later")  # not what was before
    plain, coloured = kobza("events").out, kobza("events", "--color").out
    assert "\x1b[" not in plain
    assert "\x1b[32mestablished \x1b[0m 0671111111 <- 0501112233" in coloured


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("events", "--number", "x", "--url", "http://x", "--token", "T", "--integrator", "I"), "--number"),
        (("history",), "--url"),
        (("history", "--url", "nowhere", "--token", "T", "--integrator", "I"), "--url"),
        (("history", "--url", "http://x", "--token", "a b", "--integrator", "I"), "--token"),
        (("history", "--url", "http://x", "--token", "T"), "--integrator"),
        (("history", "--url", "http://x", "--token", "T", "--integrator", "I", "--from", "soon"), "--from"),
        (("history", "--url", "http://x", "--token", "T", "--integrator", "I", "--to", "2026-02-30"), "--to"),
        (("history", "--url", "http://x", "--token", "T", "--integrator", "I", "--csv", "--json"), "--json"),
        (("history", "--url", "http://x", "--token", "T", "--integrator", "I", "--language", "pl"), "--language"),
        (("call", "record", "L", "erase", "--url", "http://x", "--token", "T", "--integrator", "I"), "erase"),
    ],
)
def test_wrong_use(kobza: Kobza, arguments: tuple[str, ...], words: str) -> None:
    ran = kobza(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_nobody_there_is_one_line(kobza: Kobza) -> None:
    ran = kobza("call", "hold", "L", "--url", "http://127.0.0.1:9", "--token", "T", "--integrator", "I")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("kobza: cannot reach http://127.0.0.1:9")
    assert ran.err.count("\n") == 1


def test_times_as_people_write_them() -> None:
    now = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)  # half past midnight of the 2nd in Kyiv
    kyiv = datetime(2026, 3, 2, tzinfo=KYIV)
    for text, expected in (
        ("today", kyiv),
        ("Yesterday", kyiv.replace(day=1)),
        ("2026-03-02", kyiv),
        ("2026-03-02T00:00", kyiv),
        ("2026-03-01T22:00:00Z", kyiv),
        ("30m", kyiv),
        ("now", now),
    ):
        at = begin_of(text, now)
        at = at if at.tzinfo is not None else at.replace(tzinfo=KYIV)
        assert at.timestamp() == expected.timestamp(), text
    assert end_of(None, now) is None
    assert str(end_of("today", now)) == "2026-03-02 23:59:59"
    assert [talk_text(seconds) for seconds in (0, 59, 60, 3599, 3600)] == ["0 s", "59 s", "1:00", "59:59", "1:00:00"]
