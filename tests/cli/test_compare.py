"""`kobza compare` between two real Kobzas whose calls differ in what was seeded."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kobza.cli.compare import sided
from kobza.client.comparison import wall_text
from kobza.store import address_book
from tests.api.world import BORYS, World
from tests.cli.conftest import Kobza
from tests.client.serving import Scripted, served
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.database("sqlite")  # it sees two servers from outside: the API's tests try both stores


class Two:
    """Two enterprises at two servers, whose calls are the same unless a test changes some on our side."""

    def __init__(self, theirs: World, ours: World, urls: tuple[str, str]) -> None:
        self.theirs, self.ours = theirs, ours
        self.urls = urls
        self.literal = [
            *("--theirs", urls[0], "--token", theirs.own.fmc_token),
            *("--ours", urls[1], "--token", ours.own.fmc_token),
        ]
        self.integrators = [
            *("--their-integrator", theirs.own.integrator_id),
            *("--our-integrator", ours.own.integrator_id),
        ]

    def happen(self, ago: float, *, on_ours: dict[str, Any] | None = None, ours: bool = True, **changes: Any) -> None:
        """Let a call be known to both; `on_ours` is what our side tells otherwise, unless it knows nothing of it."""
        cdr = self.theirs.add_call(started_at=self.theirs.at - ago, **changes)
        if not ours:
            return
        changed = dict(on_ours or {})
        shift = changed.pop("shift", 0)
        values = msgspec.structs.asdict(cdr)
        values |= {"enterprise_id": self.ours.own.enterprise_id, "call_id": f"ours-{cdr.call_id}"}
        for name in ("started_at", "ringing_at", "answered_at", "ended_at"):
            values[name] += shift
        self.ours.add_call(**values | changed)


@pytest.fixture
def two(tmp_path: Path, data: Path, database: PostgresServer | None) -> Iterator[Two]:
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    with ExitStack() as stack:
        worlds = []
        for name in ("theirs", "ours"):
            (tmp_path / name).mkdir()
            world = World(tmp_path / name, now=now, server=database)
            stack.callback(world.close)
            worlds.append(world)
        urls = [stack.enter_context(served(world.app)) for world in worlds]
        yield Two(worlds[0], worlds[1], (urls[0], urls[1]))


def test_nothing_differs(kobza: Kobza, two: Two) -> None:
    for number in range(5):
        two.happen(7000 - 20 * number)
    ran = kobza("compare", *two.literal, *two.integrators, "--from", "3h")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "Basic call information: theirs 5 calls, ours 5: 5 the same, 0 differ, 0 only theirs, 0 only ours\n"
        "Call history: theirs 5 calls, ours 5: 5 the same, 0 differ, 0 only theirs, 0 only ours\n"
    )
    document = kobza("compare", *two.literal, *two.integrators, "--from", "3h", "--json").json
    assert document["equal"]
    assert document["statistics"] == {
        "equal": True, "theirs": 5, "ours": 5, "same": 5, "differing": [], "only_theirs": [], "only_ours": [],
    }  # fmt: skip


def seed(two: Two) -> None:
    """One call of each kind of difference, and repeated calls around them."""
    for number in range(10):
        two.happen(9000 - 30 * number)  # the same on both sides
    two.happen(9000 - 45, ours=False)  # missing on ours, in the middle of them
    two.happen(8000, on_ours={"shift": 4})
    two.happen(7000, on_ours={"ended_at": two.theirs.at - 7000 + 19.4})
    two.happen(6000, on_ours={"direction": "incoming"})
    two.happen(5000, calling_number=BORYS)  # has another name there
    two.happen(4000, record_id="r1", on_ours={"record_id": None, "cause": 31})
    two.ours.add_call(started_at=two.ours.at - 3000)
    with two.ours.store.write() as connection:
        own = two.ours.own.enterprise_id
        address_book.put(connection, own, [address_book.Entry(BORYS, "Богдан", "Склад")])


def test_seeded_differences_are_all_found_and_nothing_else(kobza: Kobza, two: Two) -> None:
    seed(two)
    ran = kobza("compare", *two.literal, *two.integrators, "--from", "3h", "--json")
    assert ran.code == 1
    document = json.loads(ran.out)
    statistics, history = document["statistics"], document["history"]
    assert not document["equal"]
    assert (statistics["theirs"], statistics["ours"], statistics["same"]) == (16, 16, 11)
    assert [set(pair["fields"]) for pair in statistics["differing"]] == [
        {"start_timestamp", "end_timestamp"},
        {"end_timestamp", "duration"},
        {"calling_ownership", "called_ownership", "direction"},
        {"calling_name"},
    ]
    assert statistics["differing"][1]["fields"]["duration"] == {"theirs": 14, "ours": 15}
    assert statistics["differing"][3]["fields"]["calling_name"] == {"theirs": "Борис", "ours": "Богдан"}
    (missing,) = statistics["only_theirs"]
    (added,) = statistics["only_ours"]
    assert missing["start_timestamp"] < added["start_timestamp"]
    assert (history["theirs"], history["ours"], history["same"]) == (16, 16, 11)
    assert [set(pair["fields"]) for pair in history["differing"]] == [
        {"start_datetime", "end_datetime"},
        {"end_datetime", "call_duration"},
        {"direction"},
        {"cause", "recorded"},
    ]
    assert len(history["only_theirs"]) == len(history["only_ours"]) == 1


def test_words_slack_and_ignored_fields(kobza: Kobza, two: Two) -> None:
    seed(two)
    ran = kobza("compare", *two.literal, "--from", "3h")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0].endswith("theirs 16 calls, ours 16: 11 the same, 4 differ, 1 only theirs, 1 only ours")
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == ["only theirs", *["differs"] * 4, "only ours"]
    assert "start timestamp is 4 s later in ours" in lines[2]
    assert "duration is 14 in theirs, 15 in ours" in lines[3]
    assert "direction is 'outgoing' in theirs, 'incoming' in ours" in lines[4]
    assert "calling name is 'Борис' in theirs, 'Богдан' in ours" in lines[5]
    assert lines[-1].startswith("Call history: not compared")
    ran = kobza("compare", *two.literal, "--from", "3h", "--slack", "4", "--ignore", "calling_name")
    assert "13 the same, 1 differ" not in ran.out
    assert "14 the same, 1 differ" in ran.out
    ran = kobza("compare", *two.literal, "--from", "3h", "--tolerance", "3")  # then 4 s are another call
    assert "11 the same, 3 differ, 2 only theirs, 2 only ours" in ran.out


def test_each_token_belongs_to_the_url_before_it(kobza: Kobza, two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.happen(7000)
    theirs, ours = two.theirs.own, two.ours.own
    forms = [
        [
            *("--ours", two.urls[1], f"--token={ours.fmc_token}", "--integrator", ours.integrator_id),
            *(f"--theirs={two.urls[0]}", "--token", theirs.fmc_token, f"--integrator={theirs.integrator_id}"),
        ],
        [
            *("--our-token", ours.fmc_token, "--their-token", theirs.fmc_token, *two.integrators),
            *("--ours", two.urls[1], "--theirs", two.urls[0]),
        ],
    ]
    for form in forms:
        assert kobza("compare", *form, "--from", "3h", "--json").json["history"]["same"] == 1
    for name, value in (
        ("THEIR_URL", two.urls[0]),
        ("THEIR_TOKEN", theirs.fmc_token),
        ("THEIR_INTEGRATOR_ID", theirs.integrator_id),
        ("URL", two.urls[1]),
        ("TOKEN", ours.fmc_token),
        ("INTEGRATOR_ID", ours.integrator_id),
    ):
        monkeypatch.setenv(f"KOBZA_{name}", value)
    assert kobza("compare", "--from", "3h", "--json").json["history"]["same"] == 1


def test_one_part_alone(kobza: Kobza, two: Two) -> None:
    two.happen(40 * 86_400, on_ours={"cause": 17})
    arguments = [*two.literal, *two.integrators, "--from", "50d", "--json"]
    assert "older than 30 days" in kobza("compare", *arguments).err
    ran = kobza("compare", *arguments, "--only", "history")
    document = json.loads(ran.out)
    assert (ran.code, document["statistics"], document["equal"]) == (1, None, False)
    assert [list(pair["fields"]) for pair in document["history"]["differing"]] == [["cause"]]
    ran = kobza("compare", *arguments[:-1], "--only", "history")
    assert ran.out.startswith("Basic call information: not compared\nCall history: theirs 1 calls, ours 1")
    assert "cause is 16 in theirs, 17 in ours" in ran.out
    document = kobza("compare", *arguments, "--from", "3h", "--only", "statistics").json
    assert (document["statistics"]["theirs"], document["history"]) == (0, None)
    assert "--their-integrator" in kobza("compare", *two.literal, "--only", "history").err


def test_a_call_that_ends_meanwhile_is_left_out(kobza: Kobza, two: Two) -> None:
    two.happen(7000)
    two.theirs.add_call(started_at=two.theirs.at - 60, answered_at=two.theirs.at - 50, ended_at=two.theirs.at + 600)
    assert kobza("compare", *two.literal, "--from", "3h").code == 0


def test_what_cannot_be_compared(kobza: Kobza, two: Two) -> None:
    theirs, ours = two.literal[:4], two.literal[4:]
    for arguments, words in (
        ([*theirs[:3], "ab" * 32, *ours], "theirs, basic call information: The token is not valid"),
        ([*theirs, "--ours", "http://127.0.0.1:9", "--token", "T"], "ours, basic call information: cannot reach"),
        ([*two.literal, "--from", "40d"], "older than 30 days"),
        ([*two.literal, *two.integrators[:3], "nobody"], "ours, call history: The integrator_id"),
        ([*theirs, *ours[:2]], "--our-token"),
        (["--token", "T", *two.literal], "belongs to the URL before it"),
        ([*two.literal, *two.integrators[:2]], "--our-integrator"),
        ([*two.literal, "--ignore", "colour"], "is none of start_timestamp"),
    ):
        ran = kobza("compare", *arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert words in ran.err
        assert ran.err.count("\n") == 1
        assert two.ours.own.fmc_token not in ran.err


def test_a_server_with_the_fields_of_the_wire_alone(kobza: Kobza, two: Two) -> None:
    """The operator's: national numbers as we, no fields of ours."""
    two.ours.add_call(started_at=two.ours.at - 7000)
    start = datetime.fromtimestamp(two.ours.at - 6995, UTC)
    end = datetime.fromtimestamp(two.ours.at - 7000 + 18, UTC)
    body = (
        f'{{"calls":[{{"end_timestamp":"{wall_text(end)}","start_timestamp":"{wall_text(start)}","calling_number":'
        '"0671111111","duration":14,"called_number":"0501112233","calling_name":"Олена Коваль","called_name":'
        '"Клієнт, «А»","calling_department":"Збут","called_department":"","calling_ownership":true,'
        '"called_ownership":false,"direction":"outgoing"}]}'
    )
    with served(Scripted((200, {"content-type": "application/json"}, body.encode()))) as base:
        ran = kobza("compare", "--theirs", base, "--token", "T", *two.literal[4:], "--from", "3h", "--json")
    assert ran.json["statistics"]["same"] == 1


def test_the_order_of_options_is_read_as_written() -> None:
    assert sided(["--theirs", "--token", "--token", "T", "--", "--token"]) == [
        "--theirs", "--token", "--their-token", "T", "--", "--token",
    ]  # fmt: skip
    assert sided(["--json", "--ours=U", "--integrator", "--token"]) == [
        "--json", "--ours=U", "--our-integrator", "--token",
    ]  # fmt: skip
