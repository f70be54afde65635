import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kobza.cli import main
from kobza.store import driver
from tests.cli.conftest import Kobza


def test_help_and_version(kobza: Kobza) -> None:
    ran = kobza("--help")
    assert ran.code == 0
    assert "kobza demo" in ran.out
    assert re.fullmatch(r"kobza 0\.[0-9.]+ \((compiled|pure Python.*)\)\n", kobza("--version").out)


def test_nothing_at_all_is_answered_with_the_help(kobza: Kobza) -> None:
    ran = kobza()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: kobza")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("paint",), "paint"),
        (("init", "--colour"), "--colour"),
        (("trunk", "add", "t", "--host", "127.0.0.1", "--port", "x"), "--port"),
        (("phone", "0671234567"), "--password"),
        (
            ("phone", "067", "--password", "x", "--server", "s:1", "--reject", "486", "--answer-after", "1"),
            "together with --answer-after",
        ),
    ],
)
def test_wrong_use_is_one_line_and_code_2(kobza: Kobza, arguments: tuple[str, ...], words: str) -> None:
    ran = kobza(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert ran.err.startswith("kobza: ")
    assert ran.err.count("\n") == 1


def test_wrong_settings_stop_every_command_with_a_line_each(kobza: Kobza, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOBZA_HTTP", "here")
    monkeypatch.setenv("KOBZA_HTPP", "there")
    for arguments in (("init",), ("config",), ("serve",), ("demo",)):
        ran = kobza(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert sorted(line.split(" ")[1] for line in ran.err.splitlines()) == ["KOBZA_HTPP:", "http"]


def test_options_of_serve_are_settings(kobza: Kobza) -> None:
    ran = kobza("serve", "--sip", "udp:127.0.0.1:5060", "--sip", "sctp:127.0.0.1:5061")
    assert ran.code == 2
    expected = "expected transport:address:port with udp or tcp or tls or ws or wss"
    assert ran.err.startswith(f"kobza: sip (given as --sip): {expected}")


def test_config_for_programs(kobza: Kobza, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "here.toml"
    file.write_text("ring_timeout = 33")
    monkeypatch.setenv("KOBZA_NONCE_SECRET", "s" * 40)
    shown = kobza("config", "--config", str(file), "--json").json
    assert shown["file"] == str(file)
    assert shown["settings"]["ring_timeout"] == {"value": 33, "source": "file"}
    assert shown["settings"]["nonce_secret"] == {"value": "********", "source": "environment"}
    assert shown["settings"]["media_timeout"] == {"value": 60, "source": "default"}
    assert kobza("--config", str(file), "config", "--json").json == shown


def test_config_for_people(kobza: Kobza, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOBZA_NONCE_SECRET", "s" * 40)
    ran = kobza("config")
    assert "nonce_secret" in ran.out
    assert "ssss" not in ran.out


def test_a_bug_is_not_hidden(kobza: Kobza, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("kobza.cli.config.load_settings", broken)
    with pytest.raises(ZeroDivisionError):
        kobza("config")


@pytest.mark.database("sqlite")
def test_a_store_that_is_locked_is_one_line(kobza: Kobza, enterprise: str, data: Path) -> None:
    path = data / "kobza.db"
    locked = driver.connect(path)
    locked.execute("BEGIN IMMEDIATE")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("kobza.store.driver.connect.__kwdefaults__", {"foreign_keys": True, "busy_timeout_ms": 1})
            ran = kobza("trunk", "add", "t", "--host", "127.0.0.1", "--port", "5060", "--json")
    finally:
        locked.close()
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "kobza: the store cannot be used now: database is locked\n"


def test_an_interruption_has_its_code(kobza: Kobza, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kobza.cli.config.load_settings", interrupted)
    assert kobza("config").code == main.INTERRUPTED


def test_the_command_is_light_before_it_knows_what_to_do() -> None:
    """`kobza --help` must not import what only single commands need."""
    code = "import sys, json; from kobza.cli import main; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(json.loads(ran.stdout))
    assert "typer" in loaded
    heavy = {
        "sqlalchemy",
        "fastapi",
        "aiohttp",
        "pydantic_settings",
        "phonenumbers",
        "uvicorn",
        "rich.table",
        "asyncio",
    }
    assert loaded & heavy == set()
