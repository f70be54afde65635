"""The sandbox's phones: one for each number of its enterprise, and one behind the outside line for all others."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from kobza.app.demo_office import Desk
from kobza.call.errors import NumberError
from kobza.call.numbers import national, normalize
from kobza.net.clock import Clock
from kobza.phone.call import Answering, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.sip.flow import Address, Transport

log = logging.getLogger(__name__)

OUTSIDE: Final = "outside"
FIRST_TONE: Final = 440
TONE_STEP: Final = 37
OUTSIDE_TONE: Final = 330
EXPIRES: Final = 3600
"""Seconds of the clock, the longest that the server gives by default: at 60 it is a minute of the wall."""
UNASKED: Final = Answering(2)
"""What a phone does with a call that no scenario has told it of: it picks up after 2 s."""
Decide = Callable[[PhoneCall], Answering]


class SandboxPhones:
    """Owns the phones. `plans` says, by E.164 number, what the phones of a number do with their next calls."""

    def __init__(self, desks: Sequence[Desk], server: Address, transport: Transport, clock: Clock) -> None:
        self._server, self._transport, self._clock = server, transport, clock
        self._desks = {normalize(desk.number): desk for desk in desks}
        self._tones = {number: FIRST_TONE + TONE_STEP * place for place, number in enumerate(self._desks)}
        self._phones: dict[str, SoftPhone] = {}
        self.plans: dict[str, Decide] = {}
        self.outside = SoftPhone(
            OUTSIDE,
            server,
            transport=transport,
            bind=(server[0], 0),
            sound=Sound.tone(OUTSIDE_TONE),
            now=clock.now,
            speed=clock.speed,
        )
        self.outside.answering = self._outside_answering

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers of the enterprise, E.164."""
        return tuple(self._desks)

    async def open(self) -> None:
        """Register all of them. Raises RegistrationFailed, OSError."""
        await self.outside.__aenter__()
        for number in self._desks:
            await self.put_on(number)

    async def close(self) -> None:
        """Hang up and un-register."""
        await asyncio.gather(*(phone.close() for phone in (*self._phones.values(), self.outside)))

    async def put_on(self, number: str) -> None:
        """Register the phone of a number, if it is not. Raises RegistrationFailed, OSError."""
        if number not in self._phones:
            self._phones[number] = await self.another(number)

    async def take_off(self, number: str) -> None:
        """Un-register the phone of a number."""
        phone = self._phones.pop(number, None)
        if phone is not None:
            await phone.close()

    async def another(self, number: str) -> SoftPhone:
        """Return one more phone of a number, registered; whoever asks closes it. Raises RegistrationFailed, OSError."""
        desk = self._desks[number]
        phone = SoftPhone(
            desk.number,
            self._server,
            password=desk.sip_password,
            display_name=desk.name,
            transport=self._transport,
            sound=Sound.tone(self._tones[number]),
            now=self._clock.now,
            speed=self._clock.speed,
            expires=EXPIRES,
        )
        phone.answering = lambda call: self.plans.get(number, _unasked)(call)
        return await phone.__aenter__()

    def dial(self, caller: str, called: str) -> PhoneCall:
        """Call from a number of the enterprise or from outside. Raises CallFailed, OSError."""
        phone = self._phones.get(caller)
        if phone is not None:
            return phone.dial(national(called))
        return self.outside.dial(national(called), caller=national(caller))

    def hang_up(self) -> None:
        """End all calls."""
        for phone in (*self._phones.values(), self.outside):
            phone.hang_up()

    def _outside_answering(self, call: PhoneCall) -> Answering:
        """By whom was dialled: the line takes any number."""
        with suppress(NumberError):
            return self.plans.get(normalize(call.dialled or ""), _unasked)(call)
        return UNASKED


def _unasked(_call: PhoneCall) -> Answering:
    return UNASKED
