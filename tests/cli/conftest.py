import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kobza.cli.main import run_command


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; fails when there is anything else."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Kobza = Callable[..., Ran]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the commands."""
    for name in ("KOBZA_CONFIG", "KOBZA_HTTP", "KOBZA_SIP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KOBZA_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def kobza(data: Path, capfd: pytest.CaptureFixture[str]) -> Kobza:
    """Run a command in this process."""

    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run_command(list(arguments))
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def enterprise(kobza: Kobza) -> str:
    """The id of an enterprise in a new store."""
    assert kobza("init").code == 0
    added = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json").json
    return str(added["enterprise_id"])
