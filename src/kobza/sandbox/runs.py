"""The runs of scenarios: begins them, bounds them, keeps what came of them for a while."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from kobza.call.durations import rfc3339, to_ms
from kobza.call.errors import Fault, KobzaError, NotFoundError
from kobza.call.numbers import national
from kobza.net.clock import AcceleratedClock
from kobza.phone.call import CallFailed
from kobza.phone.registration import RegistrationFailed
from kobza.sandbox.faults import Faults
from kobza.sandbox.office import LiveOffice
from kobza.sandbox.outcome import Difference, differences, happened, tolerance
from kobza.sandbox.phones import SandboxPhones
from kobza.sandbox.play import Play
from kobza.sandbox.scenario import Expected, Scenario, expected, owners
from kobza.store.calls import HistoryRow

log = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""Runs at a time: as many as the outside line takes calls."""
KEPT: Final = 1000
"""Runs remembered; the oldest that is over is forgotten for a new one."""
BOOKS: Final = 5.0
"""Seconds of the wall in which the books must have a call that has ended."""
LOOK: Final = 0.02
OVER: Final = ("finished", "failed", "cancelled")


class TooManyRuns(KobzaError):
    """As many scenarios run as may at a time."""

    code = "too_many_scenarios"
    http_status = 429
    fault = Fault.CALLER


class NumberInUse(KobzaError):
    """A number takes part in another run, whose phones it would disturb."""

    code = "number_in_use"
    http_status = 409
    fault = Fault.CALLER


@dataclass(slots=True)
class Run:
    """One run. Moments are seconds of the sandbox's clock."""

    id: str
    scenario: Scenario
    name: str | None
    began_at: float
    state: str = "running"
    """running, then finished (see `differences`), failed or cancelled."""
    call_id: str | None = None
    ended_at: float | None = None
    why: str | None = None
    """Why it failed."""
    steps: list[tuple[float, str]] = field(default_factory=list)
    said: dict[str, Any] | None = None
    differences: list[Difference] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    @property
    def as_asked(self) -> bool | None:
        """Whether what happened is what was asked; None until it is known, and for what was cancelled."""
        if self.state not in ("finished", "failed"):
            return None
        return self.state == "finished" and not self.differences

    def as_dict(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return it as JSON wants it."""
        return {
            "id": self.id,
            "scenario": self.name,
            "title": self.scenario.title,
            "state": self.state,
            "as_asked": self.as_asked,
            "call_id": self.call_id,
            "caller": national(self.scenario.caller),
            "called": national(self.scenario.called),
            "began_at": rfc3339(to_ms(self.began_at)),
            "ended_at": None if self.ended_at is None else rfc3339(to_ms(self.ended_at)),
            "why": self.why,
            "asked": asked,
            "happened": self.said,
            "differences": [difference.as_dict() for difference in self.differences],
            "steps": [{"at": rfc3339(to_ms(at)), "what": what} for at, what in self.steps],
        }


class Runs:
    """All runs. Belongs into the loop's thread."""

    def __init__(
        self,
        phones: SandboxPhones,
        office: LiveOffice,
        clock: AcceleratedClock,
        *,
        ring_timeout: float,
        media_timeout: float,
        faults: Faults,
        new_id: Callable[[], str],
    ) -> None:
        self._phones = phones
        self._office = office
        self._clock = clock
        self._ring_timeout = ring_timeout
        self._media_timeout = media_timeout
        self._faults = faults
        self._new_id = new_id
        self._runs: dict[str, Run] = {}

    def begin(self, scenario: Scenario, name: str | None) -> Run:
        """Begin a run. Raises TooManyRuns, NumberInUse, TooManyFaults."""
        running = [run for run in self._runs.values() if run.state == "running"]
        if len(running) >= AT_ONCE:
            raise TooManyRuns(f"{AT_ONCE} scenarios are running, as many as may: wait for one, or DELETE one.")
        for run in running:
            for number in scenario.everybody:
                if number in run.scenario.everybody:
                    raise NumberInUse(
                        f"{national(number)} takes part in run {run.id}: wait for its end, or take another number.",
                        parameter=_place(scenario, number),
                    )
        between = [national(number) for number in scenario.everybody]
        self._faults.drop(between)  # what is left of an earlier run's
        self._faults.add(scenario.faults, between)
        if len(self._runs) >= KEPT:
            del self._runs[next(run.id for run in self._runs.values() if run.state != "running")]
        run = Run(self._new_id(), scenario, name, self._clock.now())
        self._runs[run.id] = run
        run.task = asyncio.create_task(self._perform(run), name=f"run {run.id}")
        return run

    def get(self, run_id: str) -> Run:
        """Return a run. Raises NotFoundError."""
        run = self._runs.get(run_id)
        if run is None:
            raise NotFoundError("There is no such run.")
        return run

    def asked(self, run: Run) -> dict[str, Any]:
        """Return what should be seen of a run, in the form of `happened`."""
        wanted = self._expected(run.scenario)
        names = [national(owner) for owner in owners(run.scenario, self._phones.numbers)]
        return {
            "cause": wanted.cause,
            "sip_status": wanted.sip_status,
            "released_by": wanted.released_by,
            "call_duration": wanted.call_duration,
            "ringing": wanted.ringing,
            "states": {name: list(wanted.states) for name in names},
        }

    def newest(self) -> list[Run]:
        """Return all that are remembered, the newest first."""
        return list(reversed(self._runs.values()))

    async def cancel(self, run: Run) -> None:
        """End a run and its call; nothing when it is over."""
        if run.task is not None and not run.over.is_set():
            run.task.cancel()
            await run.over.wait()

    async def clear(self) -> None:
        """Cancel and forget all, and end every call of the phones."""
        for run in self._runs.values():
            if run.task is not None and not run.over.is_set():
                run.task.cancel()
        await asyncio.gather(*(run.over.wait() for run in self._runs.values()))
        self._runs.clear()
        self._phones.hang_up()

    async def _perform(self, run: Run) -> None:
        scenario = run.scenario

        def say(what: str) -> None:
            run.steps.append((self._clock.now(), what))

        def found(call_id: str) -> None:
            run.call_id = call_id

        play = Play(
            scenario,
            phones=self._phones,
            office=self._office,
            clock=self._clock,
            ring_timeout=self._ring_timeout,
            media_timeout=self._media_timeout,
            say=say,
            found=found,
        )
        try:
            run.why = await self._failure(run, play)
            await self._compare(run, play)
            run.state = "finished" if run.why is None else "failed"
        except asyncio.CancelledError:
            run.state = "cancelled"
        except Exception as error:
            log.exception("run %s broke", run.id)
            run.state, run.why = "failed", f"the sandbox itself failed: {type(error).__name__}"
        finally:
            run.ended_at = self._clock.now()
            run.over.set()

    @staticmethod
    async def _failure(run: Run, play: Play) -> str | None:
        """Play it; return why it could not be played to its end, None when it was."""
        try:
            await play.run()
        except TimeoutError:
            last = run.steps[-1][1] if run.steps else "nothing"
            return f"what should have followed did not happen in time; the last step was: {last}"
        except (CallFailed, KobzaError, RegistrationFailed, OSError) as error:
            return str(error)
        return None

    async def _compare(self, run: Run, play: Play) -> None:
        scenario = run.scenario
        row = await self._row(run)
        if row is not None:
            run.call_id = row.call_id
        states = [] if row is None else await self._office.states(row.call_id)
        whose = owners(scenario, self._phones.numbers)
        run.said = happened(row, states, whose)
        within = tolerance(self._clock.speed, server_ends=scenario.server_ends)
        run.differences = differences(self._expected(scenario), run.said, whose, within=within)
        run.differences += [Difference("phones", None, trouble) for trouble in play.troubles]

    async def _row(self, run: Run) -> HistoryRow | None:
        caller, called = run.scenario.numbers
        try:
            async with asyncio.timeout(BOOKS):
                while (row := await self._office.row(run.call_id, caller, called, run.began_at)) is None:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            return None
        return row

    def _expected(self, scenario: Scenario) -> Expected:
        return expected(scenario, ring_timeout=self._ring_timeout, media_timeout=self._media_timeout)


def _place(scenario: Scenario, number: str) -> str:
    """Return the field that names a number."""
    places = {scenario.called: "called", scenario.caller: "caller"}
    return places.get(number, "transfer")
