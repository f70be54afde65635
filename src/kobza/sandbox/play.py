"""Plays one scenario: real phones, real calls, on the sandbox's clock."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Final, Protocol

from kobza.call.causes import ANSWERED_ELSEWHERE
from kobza.net.clock import Clock
from kobza.phone.call import Answering, CallFailed, CallState, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.sandbox.phones import SandboxPhones
from kobza.sandbox.scenario import ORIGINATOR_PICKS_UP, Hold, Scenario, Start, Then, Who, aimed

WAITS_FOR_CALL: Final = 120.0
"""Seconds of the wall that `start: wait` waits for the system under test to make its call."""
STEP: Final = 10.0
"""Seconds of the wall that anything may take which needs none."""
LOOK: Final = 0.02
"""Seconds of the wall between two looks for something nobody announces."""


class Office(Protocol):
    """What a scenario needs of the server: `kobza.sandbox.office.LiveOffice` fulfils it."""

    async def originate(self, caller: str, called: str) -> str:
        """Begin a click2dial call; return call_id. Raises KobzaError."""
        ...

    async def control(self, call_control_id: str, action: str) -> None:
        """Act on a leg. Raises KobzaError."""
        ...

    async def set_dnd(self, number: str, on: bool) -> None:
        """Switch Do Not Disturb."""
        ...

    def live(self, caller: str, called: str) -> tuple[str, dict[str, str]] | None:
        """Return call_id, and by owner call_control_id, of the call between two numbers that is on, if there is one."""
        ...


class Play:
    """One performance. Tells what happens through `say`, and the call's id through `found`, as soon as it is known."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        phones: SandboxPhones,
        office: Office,
        clock: Clock,
        ring_timeout: float,
        media_timeout: float,
        say: Callable[[str], None],
        found: Callable[[str], None],
    ) -> None:
        self._scenario = scenario
        self._phones = phones
        self._office = office
        self._clock = clock
        self._ring_timeout = ring_timeout
        self._media_timeout = media_timeout
        self._say = say
        self._found = found
        self._legs: dict[str, str] = {}
        self._caller: asyncio.Future[PhoneCall] = asyncio.get_running_loop().create_future()
        self._called: asyncio.Future[PhoneCall] = asyncio.get_running_loop().create_future()
        self._others: list[PhoneCall] = []
        self.troubles: list[str] = []
        """What did not go as asked and is in no record of the call."""

    async def run(self) -> None:
        """Play it to its end. Raises CallFailed, KobzaError, OSError, RegistrationFailed, TimeoutError."""
        async with AsyncExitStack() as afterwards:
            await self._prepare(afterwards)
            afterwards.callback(self._hang_up)
            watching = asyncio.create_task(self._watch(), name="call id")
            afterwards.callback(watching.cancel)
            await self._begin()
            await self._follow()
            await self._ended()

    # before the call

    async def _prepare(self, afterwards: AsyncExitStack) -> None:
        scenario = self._scenario
        caller, called = scenario.numbers
        if scenario.dnd:
            await self._office.set_dnd(called, True)
            afterwards.push_async_callback(self._office.set_dnd, called, False)
        if not scenario.registered:
            await self._phones.take_off(called)
            afterwards.push_async_callback(self._phones.put_on, called)
        for _ in range(scenario.devices - 1):
            device: SoftPhone = await self._phones.another(called)
            device.answering = self._ring_along
            afterwards.push_async_callback(device.close)
        for number, plan in ((called, self._take), (caller, self._pick_up)):
            self._phones.plans[number] = plan
            afterwards.callback(self._phones.plans.pop, number, None)

    def _take(self, call: PhoneCall) -> Answering:
        """Decide for the called phone."""
        if self._called.done():
            return Answering(0, 486)
        self._called.set_result(call)
        scenario = self._scenario
        if scenario.rejection is not None:
            status, cause = scenario.rejection
            return Answering(aimed(scenario.ring_for), status, cause)
        return Answering(aimed(scenario.ring_for) if scenario.then is Then.ANSWER else None)

    def _pick_up(self, call: PhoneCall) -> Answering:
        """Decide for the caller's phone, which rings first when the API makes the call."""
        if self._caller.done():
            return Answering(0, 486)
        self._caller.set_result(call)
        return Answering(aimed(ORIGINATOR_PICKS_UP))

    def _ring_along(self, call: PhoneCall) -> Answering:
        self._others.append(call)
        return Answering(None)

    # the call

    async def _begin(self) -> None:
        caller, called = self._scenario.numbers
        match self._scenario.start:
            case Start.DIAL:
                self._say("the caller dials")
                self._caller.set_result(self._phones.dial(caller, called))
            case Start.ORIGINATE:
                self._say("the API makes the call")
                self._found(await self._office.originate(caller, called))
            case Start.WAIT:
                self._say("waiting for the call")
                async with asyncio.timeout(WAITS_FOR_CALL):
                    await asyncio.shield(self._caller)
        if self._scenario.start is not Start.DIAL:
            call = await self._within(asyncio.shield(self._caller), ORIGINATOR_PICKS_UP)
            await call.established(self._wall(ORIGINATOR_PICKS_UP))
            self._say("the caller picks up")

    async def _follow(self) -> None:
        """Do what the scenario wants done while the call is on."""
        scenario = self._scenario
        if scenario.dnd or not scenario.registered:
            return
        called = await self._until_called()
        if called is None:
            return
        self._say("the called phone rings" if scenario.rejection is None or scenario.ring_for else "the call arrives")
        if scenario.then in (Then.CANCEL, Then.CLEAR):
            await self._rings()
            await self._sleep(aimed(scenario.ring_for))
            await self._end(Who.CALLER if scenario.then is Then.CANCEL else Who.API)
        elif scenario.then is Then.ANSWER:
            await called.established(self._wall(scenario.ring_for))
            await self._talk(called)

    async def _until_called(self) -> PhoneCall | None:
        """Wait until the called phone has the call; None when the caller's ends before, which the records then show."""
        caller = await asyncio.shield(self._caller)
        ended = asyncio.ensure_future(caller.ended(float("inf")))
        try:
            async with asyncio.timeout(self._wall(0)):
                await asyncio.wait((self._called, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        return self._called.result() if self._called.done() else None

    async def _rings(self) -> None:
        """Wait until the caller has heard of the ringing: what is cancelled before has never rung."""
        caller = await asyncio.shield(self._caller)
        if self._scenario.start is Start.DIAL:
            await caller.ringing(self._wall(0))

    async def _talk(self, called: PhoneCall) -> None:
        scenario = self._scenario
        begin = called.answered_at or self._clock.now()
        self._say("both talk")
        for hold in scenario.hold:
            await self._sleep_until(begin + hold.after)
            await self._hold(hold, begin)
        if scenario.media_stops_after is not None:
            await self._sleep_until(begin + scenario.media_stops_after)
            for call in (called, self._caller.result()):
                call.voice.sends = False
            self._say("both fall silent")
            await called.ended(self._wall(self._media_timeout))
            return
        await self._sleep_until(begin + aimed(scenario.talk_for))
        await self._end(scenario.hang_up)

    async def _hold(self, hold: Hold, begin: float) -> None:
        if self._called.result().state is CallState.ENDED:
            return
        await self._tell(hold.by, "hold")
        self._say(f"held by the {_name(hold.by)}")
        await self._sleep_until(begin + hold.after + hold.seconds)
        if self._called.result().state is CallState.ENDED:
            return
        await self._tell(hold.by, "unhold")
        self._say(f"resumed by the {_name(hold.by)}")

    async def _tell(self, who: Who, action: str) -> None:
        if who is Who.API:
            await self._office.control(await self._control_id(), action)
            return
        call = (self._caller if who is Who.CALLER else self._called).result()
        await (call.hold(STEP) if action == "hold" else call.resume(STEP))

    async def _end(self, who: Who) -> None:
        if self._called.result().state is CallState.ENDED:
            return
        self._say(f"the {_name(who)} ends it")
        if who is Who.API:
            # A call that rings is rejected where it rings.
            ringing = self._scenario.then is Then.CLEAR
            await self._office.control(await self._control_id(called_first=ringing), "clear")
        else:
            (self._caller if who is Who.CALLER else self._called).result().hang_up()

    # its end

    async def _ended(self) -> None:
        """Wait until every phone has seen the end."""
        longest = self._ring_timeout if self._scenario.then is Then.NO_ANSWER else 0
        for waiting in (self._caller, self._called):
            if waiting.done():
                await waiting.result().ended(self._wall(longest))
        for call in self._others:
            ending = await call.ended(self._wall(0))
            if self._scenario.answered and ending.cause != ANSWERED_ELSEWHERE:
                self.troubles.append(f"another phone of the called number was told cause {ending.cause}, not 26")
        self._say("the call has ended")

    def _hang_up(self) -> None:
        """Leave no call behind, whatever happened."""
        for waiting in (self._caller, self._called):
            if not waiting.done():
                waiting.cancel()
            elif waiting.result().state is not CallState.ENDED:
                with suppress(CallFailed):
                    waiting.result().hang_up()

    # inside

    async def _watch(self) -> None:
        """Look for the call among those that are on, until it is found."""
        while (found := self._office.live(*self._scenario.numbers)) is None:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(LOOK)
        call_id, self._legs = found
        self._found(call_id)

    async def _control_id(self, *, called_first: bool = False) -> str:
        """Return the leg that the API acts on: the caller's, if it is the enterprise's, or the called one's first."""
        async with asyncio.timeout(STEP):
            while not self._legs:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(LOOK)
        numbers = reversed(self._scenario.numbers) if called_first else self._scenario.numbers
        return next(self._legs[number] for number in numbers if number in self._legs)

    async def _within(self, what: "Awaitable[PhoneCall]", seconds: float) -> PhoneCall:
        async with asyncio.timeout(self._wall(seconds)):
            return await what

    async def _sleep(self, seconds: float) -> None:
        await self._sleep_until(self._clock.now() + seconds)

    async def _sleep_until(self, moment: float) -> None:
        """Wait until a moment of the clock, or until the called phone's call is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, moment - self._clock.now()) / self._clock.speed):
                await self._called.result().ended(float("inf"))

    def _wall(self, seconds: float) -> float:
        """Return how long to wait, on the wall, for what should take so many seconds of the clock."""
        return seconds / self._clock.speed + STEP


def _name(who: Who) -> str:
    return "API" if who is Who.API else who.value
