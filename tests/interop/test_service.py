"""`kobza serve` as a service: what systemd hears of it, and the unit that it is started by."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.interop.server import Site
from tests.phone.terminal import KOBZA
from tests.support.waiting import PATIENCE

UNIT = (Path(__file__).parents[2] / "ops" / "systemd" / "kobza.service").read_text("utf-8")
PROGRAM = "/opt/kobza/.venv/bin/kobza"
systemd_analyze = shutil.which("systemd-analyze")


@pytest.mark.database("sqlite")  # it is about the time before and after
def test_systemd_hears_that_it_is_ready_alive_and_stopping(new_site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
        server = new_site.copy(tmp_path / "kobza", **variables).start(ready=False)
        assert manager.recv(100) == b"READY=1"
        server.get("/v1/phonestatus")  # it serves by then
        assert manager.recv(100) == b"WATCHDOG=1"
        server.stop()
        heard = {manager.recv(100)}
        while b"STOPPING=1" not in heard:
            heard.add(manager.recv(100))
        assert heard <= {b"WATCHDOG=1", b"STOPPING=1"}


def test_the_unit_starts_commands_that_there_are() -> None:
    commands = re.findall(rf"^ExecStart(?:Pre)?={PROGRAM} (\w+)$", UNIT, re.MULTILINE)
    assert commands == ["init", "serve"]
    for command in commands:
        subprocess.run([KOBZA, command, "--help"], check=True, capture_output=True)


@pytest.mark.skipif(systemd_analyze is None, reason="there is no systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "kobza.service"
    unit.write_text(UNIT.replace(PROGRAM, str(KOBZA)).replace("User=kobza\n", "User=daemon\n"), "utf-8")
    assert systemd_analyze is not None
    said = subprocess.run([systemd_analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
