"""Retention, holds and erasures on the command line."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from kobza.app.certificate import BEYOND, WORDS
from kobza.store import Store, calls
from kobza.store.entries import CdrClosed
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from tests.cli.conftest import Kobza
from tests.store.builders import ended, recording, stored

OUTSIDE = "0441234567"


@pytest.fixture
def mp3(data: Path, place: Place, enterprise: str) -> Path:
    """A call with a number from outside, and its recording."""
    path = data / "recordings/a.mp3"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"sound")
    writer = JournalWriter(place)
    writer.write([CdrClosed(ended(enterprise_id=enterprise)), stored(1, enterprise_id=enterprise)])
    writer.write([recording("ready", enterprise_id=enterprise, path="a.mp3", sha256="5" * 64, size=5)])
    writer.close()
    return path


def caller(place: Place, enterprise: str) -> str:
    store = Store.open(place)
    with store.read() as conn:
        found = calls.find(conn, enterprise, "call-1")
    store.close()
    assert found is not None
    return found.calling_number


def test_retention_by_settings_and_by_enterprise(
    kobza: Kobza, enterprise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOBZA_RECORDING_DAYS", "400")
    shown = kobza("retention", "show", "--json").json
    assert shown["days"] == {"history_days": 1095, "recording_days": 400, "event_days": 7, "payload_days": 7}
    owner = ("--enterprise", enterprise)
    done = kobza("retention", "set", *owner, "--history", "90", "--payloads", "3", "--json").json
    assert done["own"] == {"history_days": 90, "recording_days": None, "event_days": None, "payload_days": 3}
    assert done["days"] == {"history_days": 90, "recording_days": 90, "event_days": 7, "payload_days": 3}
    done = kobza("retention", "set", *owner, "--history", "default", "--json").json
    assert done == kobza("retention", "show", *owner, "--json").json
    assert done["days"]["history_days"] == 1095
    kobza("retention", "set", *owner, "--history", "60")
    assert "settings: 400, but no longer than the above" in kobza("retention", "show", *owner).out
    for wrong, words in (("29", "history_days: expected 30 to 36500 days"), ("x", "a number of days or `default`")):
        ran = kobza("retention", "set", *owner, "--history", wrong)
        assert (ran.code, ran.out) == (2, "")
        assert words in ran.err
    assert kobza("retention", "set", "--enterprise", "nobody").err == "kobza: there is no enterprise nobody\n"
    assert kobza("retention", "show", "--enterprise", "nobody").code == 1


def test_holds(kobza: Kobza, enterprise: str, mp3: Path) -> None:
    owner = ("--enterprise", enterprise, "--reason", "case 5")
    assert kobza("hold", "list").out == "There is no hold.\n"
    number = kobza("hold", "add", *owner, "--number", "044 123-45-67", "--by", "Олена", "--json").json
    assert (number["keeps"], number["subject"], number["placed_by"]) == ("number", OUTSIDE, "Олена")
    call = kobza("hold", "add", *owner, "--call", "call-1", "--json").json
    all_of_it = kobza("hold", "add", *owner, "--everything", "--json").json
    assert kobza("hold", "list", "--json").json == {"holds": [number, call, all_of_it]}
    assert "case 5" in kobza("hold", "list", "--enterprise", enterprise).out
    gone = kobza("hold", "remove", call["hold_id"], "--reason", "closed", "--json").json
    assert gone["end_reason"] == "closed"
    assert kobza("hold", "list", "--json").json == {"holds": [number, all_of_it]}
    assert gone in kobza("hold", "list", "--all", "--json").json["holds"]
    for arguments, code, words in (
        (("add", *owner), 2, "give one of --number, --call and --everything"),
        (("add", *owner, "--everything", "--call", "x"), 2, "give one of"),
        (("add", *owner, "--call", "x"), 1, "the enterprise has no call x"),
        (("add", "--enterprise", "nobody", "--reason", "r", "--everything"), 1, "there is no enterprise nobody"),
        (("add", "--enterprise", enterprise, "--reason", " ", "--everything"), 2, "must not be empty"),
        (("remove", call["hold_id"], "--reason", "again"), 1, "there is no hold"),
    ):
        ran = kobza("hold", *arguments)
        assert ran.code == code
        assert words in ran.err


def test_a_number_is_erased_with_a_certificate(
    kobza: Kobza, enterprise: str, mp3: Path, place: Place, tmp_path: Path
) -> None:
    command = ("erase", OUTSIDE, "--enterprise", enterprise, "--by", "Олена", "--reference", "17")
    hold = kobza("hold", "add", "--enterprise", enterprise, "--everything", "--reason", "audit", "--json").json
    ran = kobza(*command, "--yes")
    assert (ran.code, ran.out) == (1, "")
    assert f"nothing of {OUTSIDE} may be erased: hold {hold['hold_id']} by" in ran.err
    assert mp3.exists()
    kobza("hold", "remove", hold["hold_id"], "--reason", "over")

    made = kobza(*command, "--yes", "--out", str(tmp_path / "c"), "--json").json
    assert not mp3.exists()
    assert caller(place, enterprise) == "anonymous"
    assert (made["complete"], made["number"], made["enterprise"]) == (True, "+380*******67", "Bakery")
    assert made["erased"]["calls"]["count"] == made["erased"]["events"]["count"] == 1
    assert made["recordings"] == [
        {"record_id": "rec-1", "call_id": "call-1", "sha256": "5" * 64, "size": 5, "file": "removed"}
    ]
    without = {name: value for name, value in made.items() if name != "sha256"}
    assert hashlib.sha256(msgspec.json.encode(without)).hexdigest() == made["sha256"]
    assert OUTSIDE[1:] not in json.dumps(made)

    number = made["certificate"]
    assert kobza("erasure", "show", number, "--json").json == made
    assert json.loads((tmp_path / f"c/erasure-{number}.json").read_text("utf-8")) == made
    shown = kobza("erasure", "show", number).out
    assert shown == (tmp_path / f"c/erasure-{number}.txt").read_text("utf-8")
    for words in ("Bakery", "+380*******67", "17", "Олена", "5" * 64, made["sha256"], "1  calls in which"):
        assert words in shown
    assert "Акт про стирання даних" in kobza("erasure", "show", number, "--language", "uk").out
    (listed,) = kobza("erasure", "list", "--json").json["erasures"]
    assert (listed["certificate"], listed["calls"], listed["complete"]) == (number, 1, True)
    assert number in kobza("erasure", "list", "--enterprise", enterprise).out
    assert kobza("erasure", "show", "x").err == "kobza: there is no erasure x\n"


def test_what_is_left_is_said(kobza: Kobza, enterprise: str, mp3: Path, place: Place) -> None:
    mp3.unlink()
    mp3.mkdir()  # cannot be removed as a file
    (mp3 / "x").touch()
    ran = kobza("erase", OUTSIDE, "--enterprise", enterprise, "--yes")
    assert ran.code == 1
    assert "1  calls whose recording could not be removed from the disk" in ran.out
    assert ran.err == "kobza: not everything could be erased: the certificate says what is left, and why\n"
    assert caller(place, enterprise) == "+380441234567"


def test_it_asks_first(kobza: Kobza, enterprise: str, mp3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def confirm(text: str, **_options: object) -> None:
        asked.append(text)
        raise KeyboardInterrupt

    monkeypatch.setattr("typer.confirm", confirm)
    assert kobza("erase", OUTSIDE, "--enterprise", enterprise).code == 130
    assert asked == [f"Erase everything that enterprise {enterprise} has of {OUTSIDE}, for good?"]
    assert mp3.exists()
    assert kobza("erase", "nonsense", "--enterprise", enterprise, "--yes").code == 1


def test_both_languages_say_the_same() -> None:
    assert WORDS["en"].keys() == WORDS["uk"].keys()
    assert len(BEYOND["en"]) == len(BEYOND["uk"])
