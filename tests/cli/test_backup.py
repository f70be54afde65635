"""The commands that back up and restore."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.store.place import PostgresUrl
from tests.cli.conftest import Kobza
from tests.support.postgres import PostgresServer


@pytest.fixture
def urls(database: PostgresServer | None) -> Iterator[list[PostgresUrl] | None]:
    """Where a store is and where it is restored to; None: each is the file in a data directory."""
    if database is None:
        yield None
        return
    made = [database.make_database(), database.make_database()]
    yield made
    for url in made:
        database.drop(url)


def test_there_and_back(
    kobza: Kobza, data: Path, tmp_path: Path, urls: list[PostgresUrl] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def use(number: int) -> tuple[str, ...]:
        if urls is not None:
            monkeypatch.setenv("KOBZA_STORE", urls[number].url)
        return ("--data", str(tmp_path / f"data{number}"), "--json")

    source, target = use(0), str(tmp_path / "backup")
    assert kobza("init", *source).code == 0
    owner = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "x", *source).json["enterprise_id"]
    assert kobza("dev", "fill", "--enterprise", owner, "--calls", "300", "--days", "3", *source).code == 0
    made = kobza("backup", target, *source).json
    assert (made["calls"], made["files"] > 0, made["missing"]) == (300, True, [])
    assert kobza("backup", target, *source).err.endswith("a backup needs a new or empty directory\n")
    assert kobza("restore", target, "--verify", "--json").json == made
    assert "there is a store at" in kobza("restore", target, *source).err

    fresh = use(1)
    restored = kobza("restore", target, "--webhooks-off", *fresh).json
    assert (restored["calls"], restored["replaced"]) == (300, None)
    assert "repeat those erasures" in restored["notes"][-1]
    taken = kobza("enterprise", "add", "Other", "--admin", "olena", "--password", "x", *fresh)
    assert (taken.code, taken.out) == (1, "")  # the login came back
    assert kobza("restore", target, *fresh).code == 1
    assert kobza("restore", target, "--overwrite", *fresh).code == 0

    (tmp_path / "backup/manifest.json").write_text(json.dumps({"format": 7}))
    ran = kobza("restore", target, "--overwrite", *fresh)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith("has the format 7, and this release reads 1\n")


@pytest.mark.database("sqlite")
def test_for_people(kobza: Kobza, enterprise: str, tmp_path: Path, data: Path) -> None:
    ran = kobza("backup", str(tmp_path / "b"))
    assert "Backup made" in ran.out
    assert "sqlite 3." in ran.out
    (tmp_path / "data/kobza.db").unlink()
    ran = kobza("restore", str(tmp_path / "b"))
    assert ran.code == 0
    assert ran.out.splitlines()[0].strip() == "Restored"
    assert "kobza: note: call states that were owed then are posted again" in ran.err
