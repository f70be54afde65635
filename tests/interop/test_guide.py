"""The guide "From zero to your first call state": its commands are run as a reader would; both languages agree."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.tools import require
from tests.support.ports import free_port, free_range
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
GUIDES = {language: (ROOT / f"docs/guide.{language}.md").read_text("utf-8") for language in ("en", "uk")}
DONE = "the block is done"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the word behind it, its text."""

    language: str
    word: str
    text: str


def blocks(guide: str) -> list[Block]:
    found = re.findall(r"^```(\w+) ?([\w.]*)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert 2 * len(found) == guide.count("```"), "a fence is not closed, or has an unknown form"
    return [Block(*parts) for parts in found]


@pytest.mark.docs
def test_both_languages_have_the_same_commands_steps_and_links() -> None:
    english, ukrainian = GUIDES["en"], GUIDES["uk"]
    assert blocks(english) == blocks(ukrainian)
    headings = [re.findall(r"^(#+) (\d*)", guide, re.MULTILINE) for guide in (english, ukrainian)]
    assert headings[0] == headings[1]
    for pattern in (r"<(http[^>]+)>", r"\]\(([^)]+)\)", r"(?<!`)`([^`\n]+)`(?!`)"):
        assert sorted(re.findall(pattern, english)) == sorted(re.findall(pattern, ukrainian))


class Reader:
    """One shell for the commands, further ones for what is left running; ports are moved to free ones."""

    def __init__(self, folder: Path) -> None:
        self._ports = {"8080": str(free_port()), "5060": str(free_port()), "9000": str(free_port())}
        rtp = free_range(100)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KOBZA_")},
            "HOME": str(folder),
            "PYTHONUNBUFFERED": "1",
            "KOBZA_HTTP": f"127.0.0.1:{self._ports['8080']}",
            "KOBZA_SIP": f"udp:127.0.0.1:{self._ports['5060']}",
            "KOBZA_RTP_PORTS": f"{rtp.start}-{rtp.stop - 1}",
        }
        self._folder = folder
        self._main = self._shell(ROOT)
        self._others: list[subprocess.Popen[str]] = []
        self.printed: list[Path] = []

    def _shell(self, folder: Path, out: int | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["bash", "-e"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if out is None else out,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
            start_new_session=True,
        )

    def moved(self, text: str) -> str:
        return re.sub("|".join(self._ports), lambda port: self._ports[port[0]], text)

    def run(self, text: str) -> str:
        """Run a block in the main shell; fails with what it printed when one of its commands fails."""
        assert self._main.stdin is not None
        assert self._main.stdout is not None
        self._main.stdin.write(f"{self.moved(text)}\necho '{DONE}'\n")
        self._main.stdin.flush()
        lines: list[str] = []
        for line in self._main.stdout:
            if line.rstrip().endswith(DONE):
                return "".join(lines) + line.removesuffix(f"{DONE}\n")
            lines.append(line)
        raise AssertionError(f"{text}\nended the shell:\n{''.join(lines)}")

    def leave_running(self, text: str) -> None:
        """Run a block in a terminal of its own, and wait until it says or does something."""
        path = self._folder / f"terminal-{len(self._others)}.txt"
        with path.open("wb") as file:
            shell = self._shell(self._folder / "bakery", file.fileno())
        assert shell.stdin is not None
        shell.stdin.write(f'export PATH="{ROOT / ".venv/bin"}:$PATH"\nexec {self.moved(text)}')
        shell.stdin.close()
        self._others.append(shell)
        self.printed.append(path)

    def waited_for_receiver(self, within: float = PATIENCE) -> None:
        deadline = time.monotonic() + within
        while True:
            try:
                return socket.create_connection(("127.0.0.1", int(self._ports["9000"])), 5).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, "the receiver does not listen"
                time.sleep(0.1)

    def close(self) -> None:
        for shell in (self._main, *reversed(self._others)):
            if shell.poll() is None:
                shell.send_signal(signal.SIGTERM)  # to it alone: Kobza ends its own children
            shell.wait(30)
            if shell.stdout is not None:
                shell.stdout.close()
        if self._main.stdin is not None:
            self._main.stdin.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.close()


def waited_for(path: Path, what: str, within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while what not in path.read_text():
        assert time.monotonic() < deadline, f"no {what!r} in {path.read_text()!r}"
        time.sleep(0.1)


def printed_states(path: Path, expected: set[str], within: float = PATIENCE) -> None:
    """Wait until the receiver has printed the states; of two owners either may be told first."""
    deadline = time.monotonic() + within
    while not expected <= set(path.read_text().splitlines()):
        assert time.monotonic() < deadline, f"{expected} expected, printed: {path.read_text()}"
        time.sleep(0.1)


READY = {"kobza serve": "Kobza is ready", "kobza phone": "registered"}


def test_the_guide_works_from_its_first_command_to_its_last(reader: Reader, tmp_path: Path) -> None:
    require("make", "curl", "bash", "python3")
    assert sys.prefix == str(ROOT / ".venv"), "the guide is run with what `make install` made"
    shown: list[str] = []
    for block in blocks(GUIDES["en"]):
        match block:
            case Block("sh", "", text):
                shown.append(reader.run(text))
            case Block("sh", "terminal", text):
                reader.leave_running(text)
                sign = next((sign for start, sign in READY.items() if text.startswith(start)), None)
                if sign is None:
                    reader.waited_for_receiver()
                else:
                    waited_for(reader.printed[-1], sign)
            case Block("python", name, text):
                (tmp_path / "bakery" / name).write_text(reader.moved(text))
                assert text.count("\n") <= 25
            case Block("text", "states", text):
                printed_states(reader.printed[-1], set(text.splitlines()))
            case _:
                raise AssertionError(f"nobody knows what to do with {block}")
    everything = "\n".join(shown)
    assert everything.count('"status":"available"') == 2
    assert '"delivered":true' in everything
    assert (tmp_path / "bakery" / "call.mp3").read_bytes()[:1] == b"\xff"
    assert (tmp_path / "bakery" / "call.mp3").stat().st_size > 5000
    states = [line.split()[0] for line in reader.printed[-1].read_text().splitlines()]
    assert states == ["test", "alerting", "alerting", "established", "established", "finished", "finished"]
