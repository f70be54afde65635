"""One office that is killed again and again: plays rounds and checks the books after each."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from kobza.store.place import Place
from tests.crash.blows import MEDIA, Blows, child_of, kill
from tests.crash.books import Click, Found, violations
from tests.crash.evidence import Evidence, arrivals, history
from tests.crash.phones import Phones, key_of
from tests.crash.plan import LATEST, CallPlan, Moment, Round
from tests.crash.records import Keeper
from tests.crash.watch import CREATED, DELETED, MODIFIED, MOVED_IN, Watch
from tests.interop.conftest import SinkThread
from tests.interop.server import Server, Site
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer

REST: Final = 60.0
"""Seconds for everything to come to rest after a start: a delivery that failed once is tried again after 5."""
FAULTS: Final = ("was not handled", "because of a fault", "for good", "encoder stopped", "never retrieved", "cut off")
"""Words in the log that no kill excuses."""


@dataclass
class Outcome:
    """What came of a round."""

    round: Round
    wrong: list[str]
    calls: int = 0
    heard: int = 0
    """Calls that a phone saw or the API promised."""
    states: int = 0
    recorded: float = 0.0
    """Seconds that were on the disk."""
    took: float = 0.0

    def __str__(self) -> str:
        verdict = "ok" if not self.wrong else f"{len(self.wrong)} WRONG"
        return (
            f"{self.round.seed}: {verdict}; {self.heard} of {self.calls} calls heard of, {self.states} states, "
            f"{self.recorded:.1f} s recorded, {self.took:.1f} s; {self.round}"
        )


@dataclass
class Harness:
    """The office. Use it as a context: a server runs from the start of a round to the kill, and again afterwards."""

    site: Site
    sink: SinkThread
    place: Place
    postgres: PostgresServer | None = None
    _server: Server | None = None
    _known: set[str] = field(default_factory=set)
    """What was left over after earlier rounds: it is told once."""
    _ports: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> "Harness":
        spools = self.site.folder / "recordings" / "spool"
        spools.mkdir(parents=True, exist_ok=True)
        self.evidence = Evidence(self.place, spools.parent)
        self.keeper = Keeper(spools, self.site.folder / "kept-spools")
        self.phones = Phones()
        self._ports = {number: free_port() for number in self.site.lines}
        self._server = self.site.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.phones.stop()
        if self._server is not None:
            self._server.kill()
        self.keeper.stop()
        self.evidence.close()

    @property
    def server(self) -> Server:
        """The server that runs now."""
        if self._server is None:
            raise RuntimeError("no server runs")
        return self._server

    def play(self, planned: Round) -> Outcome:
        """Play a round: calls, blows, the kill, the start, and what the books say then."""
        begun = time.time()
        cursor, posted = self.evidence.last_cursor(), len(self.sink.sink.requests)
        log_from = self._log_size()
        self._open_phones()
        registered = set(self.phones.registered)
        clicks: list[Click] = []
        blows = Blows(self.server, self.place, self.postgres)
        self.phones.play(planned.calls)
        blows.begin(planned.blows)
        clicking = [self._click_later(call, clicks) for call in planned.calls if call.way == "click"]
        self._kill_at(planned)
        self.phones.close(gone=True)
        blows.end()
        for thread in clicking:
            thread.join()
        self._start_again(planned)
        unrest = self.evidence.come_to_rest(time.time() + REST)
        found = Found(
            planned={key_of(call.caller, call.called) for call in planned.calls},
            seen=self.phones.seen,
            clicks=clicks,
            history=history(self.server, begun),
            events=self.evidence.events(cursor),
            arrivals=arrivals(self.sink.sink.requests[posted:]),
            spools=self.keeper.take(),
            recordings=self.evidence.recordings(begun),
            registered=registered,
            bound=self.evidence.bound(),
            left_over=[*unrest, *self._new_left_over(), *self._faults(log_from)],
        )
        heard = {key_of(seen.caller, seen.called) for seen in found.seen} | {click.key for click in clicks}
        return Outcome(
            planned,
            violations(found),
            calls=len(planned.calls),
            heard=len(heard & found.planned),
            states=len(found.events),
            recorded=sum(spool.measured.length for spool in found.spools),
            took=time.time() - begun,
        )

    def talk(self, calls: Sequence[CallPlan]) -> Found:
        """Make calls to their end, with nobody killed; return what was seen of them, and what the history has."""
        begun = time.time()
        self._open_phones()
        clicks: list[Click] = []
        self.phones.play(calls)
        clicking = [self._click_later(call, clicks) for call in calls if call.way == "click"]
        time.sleep(max(call.at + call.ring + call.talk for call in calls))
        for thread in clicking:
            thread.join()
        self.phones.close(gone=False)
        return Found(
            planned={key_of(call.caller, call.called) for call in calls},
            seen=self.phones.seen,
            clicks=clicks,
            history=self._ended(begun),
        )

    def _ended(self, since: float) -> list[dict[str, Any]]:
        """Return the calls since a moment, once all of them have ended or had the time for it."""
        deadline = time.time() + REST
        while True:
            calls = history(self.server, since)
            if all(call["ended_at"] for call in calls) or time.time() > deadline:
                return calls
            time.sleep(0.1)

    def finish(self) -> list[str]:
        """Stop the server in order; return what is wrong at the very end."""
        wrong = self.evidence.damage()
        self.server.stop()
        return wrong

    def _open_phones(self) -> None:
        phones = {
            number: {"port": self._ports[number], "password": line.password} for number, line in self.site.lines.items()
        }
        self.phones.open(self.site.sip, self.site.trunk_port, phones)

    def _click_later(self, call: CallPlan, clicks: list[Click]) -> threading.Thread:
        """Ask for a click2dial call at its moment, and note what was promised."""
        server = self.server

        def click() -> None:
            time.sleep(call.at)
            body = {
                "originator": call.caller,
                "destination": call.called,
                "client_state": f"{call.caller}>{call.called}",
            }
            with suppress(httpx.HTTPError, RuntimeError):  # the server is killed meanwhile
                answer = server.api.post("/v1/originate", json=body)
                if answer.status_code == 200:
                    made: dict[str, Any] = answer.json()
                    key = key_of(call.caller, call.called)
                    clicks.append(Click(key, made["call_id"], made["call_control_id"]))

        thread = threading.Thread(target=click, daemon=True)
        thread.start()
        return thread

    def _kill_at(self, planned: Round) -> None:
        """Wait for the moment and kill."""
        began = time.monotonic()
        with Watch() as watch:
            wait = self._watching(watch, planned.moment)
            time.sleep(planned.at)
            watch.read(0)  # what happened before is not the moment
            wait(LATEST - (time.monotonic() - began))
        if planned.delay:
            time.sleep(planned.delay)
        media = child_of(self.server, MEDIA) if planned.media_too else None
        self.server.process.kill()
        kill(media)
        self.server.kill()

    def _watching(self, watch: Watch, moment: Moment) -> Callable[[float], object]:
        """Begin to watch the files that show a moment; return how to wait for it."""
        recordings = self.site.folder / "recordings"
        today = recordings / f"{datetime.now(UTC):%Y/%m/%d}"
        today.mkdir(parents=True, exist_ok=True)
        match moment:
            case "at a moment":
                return lambda _: None
            case "in a commit":
                wal = "" if self.postgres is not None else "-wal"
                watch.add(self.site.folder if self.postgres is None else self.postgres.wal, MODIFIED)
                return lambda seconds: watch.wait(wal, seconds)
            case "while encoding":
                watch.add(recordings / "spool", CREATED)
                return lambda seconds: watch.wait(".partial", seconds)
            case "as an mp3 is in place":
                watch.add(today, MOVED_IN)
                return lambda seconds: watch.wait(".mp3", seconds)
            case "as a spool goes":
                watch.add(recordings / "spool", DELETED)
                return lambda seconds: watch.wait(".spool", seconds)

    def _start_again(self, planned: Round) -> None:
        """Start a server, kill it while it is about to put the books in order, as often as planned, and start one."""
        for after in planned.stillborn:
            born = self.site.start(ready=False)
            time.sleep(after)
            born.kill()
        self._server = self.site.start()

    def _new_left_over(self) -> list[str]:
        found = [words for words in self.evidence.left_over() if words not in self._known]
        self._known.update(found)
        return found

    def _log_size(self) -> int:
        path = self.site.folder / "serve.log"
        return path.stat().st_size if path.exists() else 0

    def _faults(self, begin: int) -> list[str]:
        """Return the lines of the log since the start of the round that no kill excuses."""
        log = (self.site.folder / "serve.log").read_bytes()[begin:].decode(errors="replace")
        return [f"in the log: {line}" for line in log.splitlines() if any(words in line for words in FAULTS)]
