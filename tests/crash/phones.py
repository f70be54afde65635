"""The phones of a round, in a process of their own: registered softphones and the outside line, with real SIP and RTP.

It is told what to do, and tells what the phones saw, in lines of JSON:

    in   {"do": "open", "server": [host, port], "trunk": port, "phones": {number: {"port": …, "password": …}}}
         {"do": "play", "calls": [CallPlan …]}     {"do": "close", "gone": true}
    out  {"saw": "opened" | "closed" | "registered" | "rang" | "talked" | "arrived", "caller": …, "called": …, "at": …}

`rang` is what a caller's phone saw (180 or 183), `talked` its 200, `arrived` an INVITE at the called phone.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from kobza.phone.call import Answering, CallFailed, PhoneCall
from kobza.phone.events import PhoneEvent, What
from kobza.phone.phone import SoftPhone
from kobza.phone.registration import RegistrationFailed
from kobza.phone.sound import Sound
from tests.crash.plan import CallPlan

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 20.0
"""Seconds for the process to start, to open and to close."""
OUTSIDE: Final = "outside"
"""What the phone of the outside line is called."""
KEY_DIGITS: Final = 9
"""Of a number: what its spellings have in common."""


def key_of(caller: str, called: str) -> tuple[str, str]:
    """Return what identifies a call of a round, however its numbers are spelt."""
    return caller[-KEY_DIGITS:], called[-KEY_DIGITS:]


@dataclass(frozen=True)
class Seen:
    """What a phone saw of a call. `at` in seconds since the epoch."""

    saw: str
    caller: str
    called: str
    at: float


class Phones:
    """The process, seen from the harness. What the phones saw is in `seen`, from the start of the round on."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.registered: set[str] = set()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.phones"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="phones", daemon=True)
        self._thread.start()

    def open(self, server: tuple[str, int], trunk: int, phones: Mapping[str, Mapping[str, object]]) -> None:
        """Register phones and open the outside line."""
        self.seen, self.registered = [], set()
        self._ask({"do": "open", "server": server, "trunk": trunk, "phones": phones})

    def play(self, calls: Sequence[CallPlan]) -> None:
        """Begin calls as planned; returns at once."""
        self._tell({"do": "play", "calls": [asdict(call) for call in calls]})

    def close(self, *, gone: bool) -> None:
        """End all calls and close all phones; `gone`: there is no server that answers."""
        self._ask({"do": "close", "gone": gone})

    def stop(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, what: object) -> None:
        self._done.clear()
        self._tell(what)
        if not self._done.wait(PATIENCE):
            raise RuntimeError(f"the phones do not answer (exit status {self._process.poll()})")

    def _tell(self, what: object) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the phones are not running")
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            seen = json.loads(line)
            if seen["saw"] in ("opened", "closed"):
                self._done.set()
            elif seen["saw"] == "registered":
                self.registered.add(seen["called"])
            else:
                self.seen.append(Seen(**seen))


class Bank:
    """The phones, in their process."""

    def __init__(self) -> None:
        self._phones: dict[str, SoftPhone] = {}
        """By number; the outside line is "outside"."""
        self._plans: dict[tuple[str, str], CallPlan] = {}
        self._dialled: dict[tuple[str, int | None], CallPlan] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def obey(self, command: dict[str, Any]) -> None:
        """Do what a line says."""
        match command["do"]:
            case "open":
                await self._open(command)
                tell("opened")
            case "play":
                for plan in command["calls"]:
                    self._plan(CallPlan(**plan))
            case "close":
                await self._close(gone=command["gone"])
                tell("closed")

    async def _open(self, command: dict[str, Any]) -> None:
        server = (command["server"][0], command["server"][1])
        wanted = {OUTSIDE: {"port": command["trunk"], "password": None}, **command["phones"]}
        for index, (number, settings) in enumerate(wanted.items()):
            phone = SoftPhone(
                number,
                server,
                password=settings["password"],
                bind=("127.0.0.1", settings["port"]),
                sound=Sound.tone(400 + 50 * index),
                on_event=partial(self._happened, number),
            )
            phone.answering = partial(self._answering, number)
            self._phones[number] = phone
            await phone.start()
        for number, phone in self._phones.items():
            if phone.registration is not None:
                with suppress(TimeoutError, RegistrationFailed):
                    await phone.registration.wait()
                    tell("registered", called=number)

    def _happened(self, number: str, event: PhoneEvent) -> None:
        """Tell what the phone of a caller sees of its call."""
        plan = self._dialled.get((number, event.call))
        if plan is not None and event.what in (What.RANG, What.ESTABLISHED):
            tell("rang" if event.what is What.RANG else "talked", plan.caller, plan.called)

    def _answering(self, number: str, call: PhoneCall) -> Answering:
        """Say what a phone does with a call that arrives, by the plan of the round."""
        called = (call.dialled or "") if number == OUTSIDE else number
        tell("arrived", call.peer, called)
        plan = self._plans.get(key_of(call.peer, called))
        if plan is None:  # the first leg of click2dial rings at the caller
            clicked = self._plans.get(key_of(called, call.peer))
            return Answering(None if clicked is None else 0.05)
        if plan.end == "busy":
            return Answering(plan.ring, 486)
        return Answering(plan.ring if plan.end == "answer" else None)

    def _plan(self, plan: CallPlan) -> None:
        self._plans[key_of(plan.caller, plan.called)] = plan
        if plan.way != "click":
            task = asyncio.create_task(self._play(plan))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _play(self, plan: CallPlan) -> None:
        await asyncio.sleep(plan.at)
        number = OUTSIDE if plan.way == "inward" else plan.caller
        with suppress(CallFailed, TimeoutError, OSError):
            call = self._phones[number].dial(plan.called, caller=plan.caller)
            self._dialled[number, call.number] = plan
            try:
                await call.ringing(PATIENCE)
                if plan.end == "cancel":
                    await asyncio.sleep(plan.ring)
                    call.hang_up()
                await call.established(PATIENCE)
                await asyncio.sleep(plan.talk)
            finally:
                call.hang_up()

    async def _close(self, *, gone: bool) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(phone.close(0.0 if gone else 3.0) for phone in self._phones.values()))
        self._phones.clear()
        self._plans.clear()
        self._dialled.clear()


def tell(saw: str, caller: str = "", called: str = "") -> None:
    """Write a line for the harness."""
    line = {"saw": saw, "caller": caller, "called": called, "at": time.time()}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Obey until nobody tells us anything more."""
    bank = Bank()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        await bank.obey(json.loads(line))


if __name__ == "__main__":
    asyncio.run(main())
