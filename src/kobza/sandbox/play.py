"""Plays one scenario: real phones, real calls, on the sandbox's clock."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext, suppress
from typing import Final

from kobza.call.causes import ANSWERED_ELSEWHERE
from kobza.net.clock import AcceleratedClock
from kobza.phone.call import Answering, CallFailed, CallState, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.sandbox.office import LiveOffice
from kobza.sandbox.phones import SandboxPhones
from kobza.sandbox.scenario import ORIGINATOR_PICKS_UP, Scenario, Start, Then, aimed
from kobza.sandbox.talk import STEP, Side, Sides, Talk, sleep_until

WAITS_FOR_CALL: Final = 120.0
"""Seconds of the wall that `start: wait` waits for the system under test to make its call."""
LOOK: Final = 0.02
"""Seconds of the wall between two looks for something nobody announces."""


class Play:
    """One performance. Tells what happens through `say`, and the call's id through `found`, as soon as it is known."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        phones: SandboxPhones,
        office: LiveOffice,
        clock: AcceleratedClock,
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
        self._caller: asyncio.Future[PhoneCall] = asyncio.get_running_loop().create_future()
        self._called: asyncio.Future[PhoneCall] = asyncio.get_running_loop().create_future()
        self._transferred: asyncio.Future[PhoneCall] = asyncio.get_running_loop().create_future()
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
            # From dialling to ringing takes no time of the clock, however busy the machine is.
            dials = self._scenario.start is Start.DIAL
            with self._clock.standing_at(self._clock.now()) if dials else nullcontext():
                await self._begin()
                called = await self._arrival()
            if called is not None:
                await self._follow(called)
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
        plans = {called: self._take, caller: self._pick_up}
        if scenario.transfer is not None:
            plans[scenario.transfer.to] = self._take_transfer
        for number, plan in plans.items():
            self._phones.plans[number] = plan
            afterwards.callback(self._phones.plans.pop, number, None)

    def _take(self, call: PhoneCall) -> Answering:
        """Decide for the called phone."""
        if self._called.done():
            return Answering(0, 486)
        self._called.set_result(call)
        if self._scenario.rejection is not None and not self._scenario.ring_for:
            return Answering(0, *self._scenario.rejection)
        return Answering(None)

    def _pick_up(self, call: PhoneCall) -> Answering:
        """Decide for the caller's phone, which rings first when the API makes the call."""
        if self._caller.done():
            return Answering(0, 486)
        self._caller.set_result(call)
        return Answering(aimed(ORIGINATOR_PICKS_UP))

    def _take_transfer(self, call: PhoneCall) -> Answering:
        """Decide for the phone that a transfer rings."""
        transfer = self._scenario.transfer
        if self._transferred.done() or transfer is None:
            return Answering(0, 486)
        self._transferred.set_result(call)
        return Answering(aimed(transfer.ring_for))

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

    async def _arrival(self) -> PhoneCall | None:
        """Wait until the called phone rings; None when it does not, or nothing is done with it."""
        scenario = self._scenario
        if scenario.dnd or not scenario.registered:
            return None
        called = await self._until_called()
        if called is None:
            return None
        if scenario.rejection is not None and not scenario.ring_for:
            self._say("the call arrives and is rejected")
            return None
        self._say("the called phone rings")
        await self._rings()
        return None if scenario.then is Then.NO_ANSWER else called

    async def _follow(self, called: PhoneCall) -> None:
        """Do what the scenario wants done while the call is on."""
        scenario = self._scenario
        enough = self._clock.now() + aimed(scenario.ring_for)
        with self._clock.standing_at(enough):
            await sleep_until(self._clock, enough, called)
            if called.state is CallState.ENDED:
                return
            await self._react(called)
        if scenario.then is Then.ANSWER:
            await self._talk(called).run()

    async def _react(self, called: PhoneCall) -> None:
        """Do what ends the ringing, and see it done."""
        rejection = self._scenario.rejection
        if rejection is not None:
            self._say("the called phone rejects")
            called.reject(*rejection)
            await self._caller.result().ended(STEP)
        elif self._scenario.then is Then.ANSWER:
            called.answer()
            await called.established(STEP)
        else:
            await self._give_up()
            await called.ended(STEP)

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

    def _talk(self, called: PhoneCall) -> Talk:
        caller_number, called_number = self._scenario.numbers
        return Talk(
            self._scenario,
            Sides(Side(caller_number, self._caller.result()), Side(called_number, called)),
            office=self._office,
            clock=self._clock,
            media_timeout=self._media_timeout,
            transferred=self._transferred,
            say=self._say,
            complain=self.troubles.append,
        )

    async def _give_up(self) -> None:
        """End the call while it rings: the caller does, or the API where it rings."""
        caller, called = self._scenario.numbers
        if self._scenario.then is Then.CANCEL:
            self._say("the caller gives up")
            self._caller.result().hang_up()
        else:
            self._say("the API rejects it")
            await self._office.control(await self._office.leg(called, caller, STEP), "clear")

    # its end

    async def _ended(self) -> None:
        """Wait until every phone has seen the end."""
        longest = self._ring_timeout if self._scenario.then is Then.NO_ANSWER else 0
        for waiting in (self._caller, self._called, self._transferred):
            if waiting.done():
                await waiting.result().ended(self._wall(longest))
        for call in self._others:
            ending = await call.ended(self._wall(0))
            if self._scenario.answered and ending.cause != ANSWERED_ELSEWHERE:
                self.troubles.append(f"another phone of the called number was told cause {ending.cause}, not 26")
        self._say("the call has ended")

    def _hang_up(self) -> None:
        """Leave no call behind, whatever happened."""
        for waiting in (self._caller, self._called, self._transferred):
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
        self._found(found[0])

    async def _within(self, what: "Awaitable[PhoneCall]", seconds: float) -> PhoneCall:
        async with asyncio.timeout(self._wall(seconds)):
            return await what

    def _wall(self, seconds: float) -> float:
        """Return how long to wait, on the wall, for what should take so many seconds of the clock."""
        return seconds / self._clock.speed + STEP
