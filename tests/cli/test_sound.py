"""`kobza sound recording`: what people are told whose talk is recorded. The rest is heard in tests/interop."""

from pathlib import Path

import pytest

from tests.cli.conftest import Kobza
from tests.media.test_sounds import file_of


@pytest.fixture
def own(kobza: Kobza) -> tuple[str, str]:
    kobza("init")
    added = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json").json
    return "--enterprise", added["enterprise_id"]


def test_what_is_not_named_stays(kobza: Kobza, own: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / "consent.mp3"
    file.write_bytes(file_of(2, 8000))
    kobza("sound", "recording", "--to", "outside", "--beep", "15", *own)
    kobza("sound", "recording", str(file), *own)
    shown = kobza("sound", "recording", "--voice", "en", *own, "--json").json
    assert {name: value for name, value in shown.items() if name.startswith("recording_")} == {
        "recording_told": "outside",
        "recording_voice": "en",
        "recording_sound": "consent.mp3",
        "recording_beep": 15,
    }
    assert shown == kobza("sound", "show", *own, "--json").json
    shown = kobza("sound", "recording", "--none", "--beep", "0", *own, "--json").json
    assert (shown["recording_told"], shown["recording_sound"], shown["recording_beep"]) == ("outside", None, 0)


WRONG = [
    ((), "say what is to change"),
    (("--to", "everybody"), "one of nobody, outside, caller, called, both"),
    (("--voice", "fr"), "one of uk, en"),
    (("--beep", "4"), "from 5 to 120, or 0"),
    (("long.wav", "--none"), "give a file, or --none"),
    (("long.wav",), "an announcement lasts 30 s at most"),
    (("nothing.wav",), "cannot be read"),
]


def test_what_is_wrong_is_said(
    kobza: Kobza, own: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.wav").write_bytes(file_of(31, 8000))
    for said, why in WRONG:
        refused = kobza("sound", "recording", *said, *own)
        assert (refused.code, why in refused.err) == (2, True), refused.err
    assert kobza("sound", "show", *own, "--json").json["recording_told"] == "nobody"


def test_an_enterprise_that_is_not_there(kobza: Kobza) -> None:
    kobza("init")
    refused = kobza("sound", "recording", "--to", "both", "--enterprise", "nobody")
    assert (refused.code, "there is no enterprise nobody" in refused.err) == (1, True)
