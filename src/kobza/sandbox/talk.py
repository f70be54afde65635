"""What happens in a call from the answer to its end: holds, digits, a transfer, silence, and who hangs up."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from kobza.net.clock import AcceleratedClock
from kobza.phone.call import CallFailed, CallState, PhoneCall
from kobza.sandbox.office import LiveOffice
from kobza.sandbox.scenario import Digits, Hold, Scenario, Transfer, Who, aimed

STEP: Final = 10.0
"""Seconds of the wall that anything may take which needs none."""
DIGIT_SECONDS: Final = 2.0
"""Seconds of the wall that a digit may take; they are as long as they are, whatever the clock."""
Act = Callable[[], Awaitable[None]]


class Timed(NamedTuple):
    """Something to do `after` so many seconds of talk. Meanwhile the clock stands, unless it takes time by itself."""

    after: float
    act: Act
    at_once: bool = True


@dataclass(slots=True)
class Side:
    """One side of the call: whose phone it is, E.164, and the phone's call."""

    number: str
    call: PhoneCall


@dataclass(slots=True)
class Sides:
    """Both of them. After a transfer another phone is in the place of the one that left."""

    caller: Side
    called: Side

    def of(self, who: Who) -> Side:
        """Return the side of a person."""
        return self.caller if who is Who.CALLER else self.called

    def across(self, who: Who) -> Side:
        """Return the other side."""
        return self.called if who is Who.CALLER else self.caller

    @property
    def ended(self) -> bool:
        """Whether the call is over for one of them."""
        return CallState.ENDED in (self.caller.call.state, self.called.call.state)


class Talk:
    """One call that stands. `transferred` gives the call of the phone that a transfer rings."""

    def __init__(
        self,
        scenario: Scenario,
        sides: Sides,
        *,
        office: LiveOffice,
        clock: AcceleratedClock,
        media_timeout: float,
        transferred: "asyncio.Future[PhoneCall]",
        say: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._scenario = scenario
        self._sides = sides
        self._office = office
        self._clock = clock
        self._media_timeout = media_timeout
        self._transferred = transferred
        self._say = say
        self._complain = complain

    async def run(self) -> None:
        """Do all of it in its time. What comes after an early end is left out. Raises CallFailed, KobzaError."""
        begin = self._sides.called.call.answered_at or self._clock.now()
        self._say("both talk")
        for after, act, at_once in sorted(self._acts(), key=lambda one: one.after):
            with self._clock.standing_at(begin + after) if at_once else nullcontext():
                await sleep_until(self._clock, begin + after, self._sides.called.call)
                if self._sides.ended:
                    return
                await act()

    def _acts(self) -> Iterator[Timed]:
        scenario = self._scenario
        for hold in scenario.hold:
            yield Timed(hold.after, partial(self._hold, hold))
            yield Timed(hold.after + hold.seconds, partial(self._resume, hold))
        for digits in scenario.dtmf:
            yield Timed(digits.after, partial(self._press, digits), at_once=False)
        if scenario.transfer is not None:
            yield Timed(scenario.transfer.after, partial(self._transfer, scenario.transfer), at_once=False)
        if scenario.media_stops_after is not None:
            yield Timed(scenario.media_stops_after, self._fall_silent, at_once=False)
        else:
            yield Timed(aimed(scenario.talk_for), self._end)

    async def _hold(self, hold: Hold) -> None:
        if hold.by is Who.API:
            await self._office.control(await self._leg(), "hold")
        else:
            await self._sides.of(hold.by).call.hold(STEP)
        self._say(f"held by the {named(hold.by)}")

    async def _resume(self, hold: Hold) -> None:
        if hold.by is Who.API:
            await self._office.control(await self._leg(), "unhold")
        else:
            await self._sides.of(hold.by).call.resume(STEP)
        self._say(f"resumed by the {named(hold.by)}")

    async def _press(self, digits: Digits) -> None:
        """Have the API press keys on one side, and see that the phone on the other heard them."""
        listener = self._sides.across(digits.by).call
        before = len(listener.digits)
        async with asyncio.timeout(STEP + DIGIT_SECONDS * len(digits.digits)):
            await self._office.control(await self._leg(digits.by), "dtmf", digits=digits.digits)
        self._say(f"the {named(digits.by)} presses {digits.digits}")
        heard = listener.digits[before:]
        if heard != digits.digits:
            self._complain(f"the other side heard {heard or 'nothing'}, not {digits.digits}")

    async def _transfer(self, transfer: Transfer) -> None:
        """Have the API transfer the other side, and go on with the phone that answers."""
        leaving = self._sides.of(transfer.by)
        await self._office.control(await self._leg(transfer.by), "transfer", destination=transfer.to)
        self._say(f"the {named(transfer.by)} transfers")
        await leaving.call.ended(STEP)
        async with asyncio.timeout(STEP):
            call = await asyncio.shield(self._transferred)
        leaving.number, leaving.call = transfer.to, call
        await call.established(STEP + transfer.ring_for / self._clock.speed)
        self._say("the transfer is answered")

    async def _fall_silent(self) -> None:
        for side in (self._sides.caller, self._sides.called):
            side.call.voice.sends = False
        self._say("both fall silent")
        await self._sides.called.call.ended(self._media_timeout / self._clock.speed + STEP)

    async def _end(self) -> None:
        who = self._scenario.hang_up
        self._say(f"the {named(who)} ends it")
        if who is Who.API:
            await self._office.control(await self._leg(), "clear")
        else:
            with suppress(CallFailed):
                self._sides.of(who).call.hang_up()
        for side in (self._sides.caller, self._sides.called):
            await side.call.ended(STEP)

    async def _leg(self, who: Who = Who.CALLER) -> str:
        """Return the leg of a person, or that of the other side when only that is the enterprise's."""
        return await self._office.leg(self._sides.of(who).number, self._sides.across(who).number, STEP)


async def sleep_until(clock: AcceleratedClock, moment: float, call: PhoneCall) -> None:
    """Wait until a moment of the clock, or until a call is over."""
    while (left := moment - clock.now()) > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(left / clock.speed):
                await call.ended(float("inf"))
                return


def named(who: Who) -> str:
    """Return a person as steps name it."""
    return "API" if who is Who.API else who.value
