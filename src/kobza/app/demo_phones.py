"""The demo's phones: one for each number of the office, one behind the outside line. They call each other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Final

from kobza.app.demo_office import OUTSIDE_NUMBER, Desk
from kobza.phone.call import CallFailed, CallState
from kobza.phone.phone import SoftPhone
from kobza.phone.registration import RegistrationFailed
from kobza.phone.sound import Sound
from kobza.sip.flow import Address, Transport

log = logging.getLogger(__name__)

TONES: Final = (440, 550, 660, 770)
OUTSIDE_TONE: Final = 330
ANSWER_AFTER: Final = 1.5
TALK: Final = 6.0
PAUSE: Final = 3.0
BUSY: Final = 486
"""What the last desk answers when its turn comes to be busy."""


class DemoPhones:
    """Phones that call each other until they are closed. Each plays a tone of its own, so that recordings differ."""

    def __init__(self, desks: tuple[Desk, ...], server: Address, transport: Transport) -> None:
        self._stack = AsyncExitStack()
        self.outside = SoftPhone(
            OUTSIDE_NUMBER,
            server,
            transport=transport,
            bind=(server[0], 0),
            sound=Sound.tone(OUTSIDE_TONE),
            answer_after=ANSWER_AFTER,
        )
        self.desks = [
            SoftPhone(
                desk.number,
                server,
                password=desk.sip_password,
                display_name=desk.name,
                transport=transport,
                sound=Sound.tone(tone),
                answer_after=ANSWER_AFTER,
            )
            for desk, tone in zip(desks, TONES, strict=True)
        ]

    async def open(self) -> None:
        """Register all of them. Raises RegistrationFailed, OSError."""
        for phone in (self.outside, *self.desks):
            await self._stack.enter_async_context(phone)

    async def close(self) -> None:
        """Hang up and unregister."""
        await self._stack.aclose()

    async def call_each_other(self) -> None:
        """Make calls for ever, a scene after the other: inside, out, in, and one to somebody who is busy."""
        first, second, third, fourth = self.desks
        scenes: tuple[Callable[[], Awaitable[None]], ...] = (
            lambda: self._talk(first, second.number),
            lambda: self._talk(second, OUTSIDE_NUMBER),
            lambda: self._talk(self.outside, third.number),
            lambda: self._meet_busy(third, fourth),
        )
        while True:
            for scene in scenes:
                with suppress(CallFailed, TimeoutError, OSError, RegistrationFailed):  # a visitor may be in the way
                    await scene()
                await asyncio.sleep(PAUSE)

    @staticmethod
    async def _talk(phone: SoftPhone, number: str) -> None:
        call = phone.dial(number)
        try:
            await call.established()
            await asyncio.sleep(TALK)
        finally:
            if call.state is not CallState.ENDED:
                call.hang_up()

    @staticmethod
    async def _meet_busy(phone: SoftPhone, other: SoftPhone) -> None:
        other.reject = BUSY
        try:
            await phone.dial(other.number).ended()
        finally:
            other.reject = None
