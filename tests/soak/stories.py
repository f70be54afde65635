"""What people do with their phones, as stories for three of them and somebody outside.

A story waits for what has to happen and acts on it, so it goes the same way however bad the network is, only later.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from kobza.call.errors import KobzaError
from kobza.phone.call import Answering, CallFailed, PhoneCall
from kobza.phone.phone import SoftPhone

WITHIN: Final = 150.0
"""Seconds until something has happened that SIP gets done, or never will: two transactions that each just succeed."""
LOOK: Final = 0.1
DIGITS: Final = 9
"""Of a number: what its spellings have in common."""
REFUSALS: Final = (486, 603, 480)


class People(Protocol):
    """Who takes part in a story, and what they have beside their phones."""

    caller: SoftPhone
    callee: SoftPhone
    third: SoftPhone
    outside: SoftPhone
    """Takes any number."""
    group: str
    """The number of a ringing group of the callee and the third."""
    elsewhere: str
    """A number outside that nobody else calls meanwhile, or calls from."""
    inward: list[PhoneCall]
    """Calls that were made from there."""
    plans: dict[str, Answering]
    """What becomes of calls, by the number that is called; others ring until somebody acts."""

    async def originate(self, originator: SoftPhone, destination: str) -> None:
        """Ask for a click2dial call."""
        ...

    async def control(self, owner: SoftPhone, action: str, **fields: str) -> None:
        """Act on the newest leg of a number, as by callcontrol."""
        ...

    async def forward(self, number: SoftPhone, target: SoftPhone | None) -> None:
        """Let calls that nobody answers for 5 seconds go elsewhere, or nowhere again."""
        ...

    async def move(self, phone: SoftPhone) -> SoftPhone:
        """Have a phone leave, and one at another port take its place."""
        ...

    def vanished(self, phone: SoftPhone) -> AbstractAsyncContextManager[None]:
        """Have a phone off the network, with the calls that it is in."""
        ...


@dataclass(frozen=True)
class Story:
    """One story, drawn."""

    kind: str
    ring: float
    """Seconds."""
    talk: float
    by_caller: bool
    """Who acts: hangs up, holds, transfers."""
    holds: int
    refusal: int
    seed: int
    """Of what a story draws while it goes on."""

    def __str__(self) -> str:
        return f"{self.kind} by {'caller' if self.by_caller else 'callee'}"


def draw(chance: random.Random, kind: str, *, brief: bool = False) -> Story:
    """Draw a story of a kind; a brief one for who has no time."""
    return Story(
        kind=kind,
        ring=chance.choice((0.0, chance.uniform(0.1, 0.3 if brief else 3.0))),
        talk=chance.uniform(0.3, 0.6) if brief else chance.uniform(3.0, 12.0),
        by_caller=chance.random() < 0.5,
        holds=0 if brief else chance.choice((0, 0, 1, 2)),
        refusal=chance.choice(REFUSALS),
        seed=chance.randrange(1 << 30),
    )


async def play(story: Story, people: People) -> str:
    """Play a story; return in words how it went."""
    try:
        await KINDS[story.kind](story, people)
    except CallFailed as failure:
        return f"failed: {failure}"
    except TimeoutError:
        return "failed: nothing happened"
    finally:
        people.plans.clear()
        for phone in (people.caller, people.callee, people.third):
            phone.hang_up()
        for call in _outside(people):
            call.hang_up()
        people.inward.clear()
    return "done"


def is_same(one: str, other: str) -> bool:
    """Tell whether two spellings are of one number."""
    return one[-DIGITS:] == other[-DIGITS:]


async def _at(phone: SoftPhone, dialled: str | None = None) -> PhoneCall:
    """Wait until a phone talks, as a number if one is given."""
    async with asyncio.timeout(WITHIN):
        while True:
            for call in phone.calls:
                if call.answered_at is not None and (dialled is None or is_same(dialled, call.dialled or "")):
                    return call
            await asyncio.sleep(LOOK)


def _outside(people: People) -> list[PhoneCall]:
    """Return the calls of the story at the phone outside."""
    return [
        call for call in people.outside.calls if call in people.inward or is_same(people.elsewhere, call.dialled or "")
    ]


def _from_outside(people: People, number: str) -> PhoneCall:
    call = people.outside.dial(number, caller=people.elsewhere)
    people.inward.append(call)
    return call


async def _gone(*calls: PhoneCall) -> None:
    for call in calls:
        await call.ended(WITHIN)


async def _send_away(call: PhoneCall, to: SoftPhone, joining: PhoneCall | None = None) -> None:
    """Transfer who is on the other side; the end of the call may come before the answer to the REFER does."""
    try:
        await call.transfer(to.number, joining=joining, within=WITHIN)
    except CallFailed:
        if call.ending is None or call.ending.by != "peer":
            raise


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not happened():  # noqa: ASYNC110 - a phone that rings tells only itself
            await asyncio.sleep(LOOK)


async def _converse(story: Story, caller: PhoneCall, callee: PhoneCall) -> None:
    """Hold and resume, talk, hang up."""
    acting, other = (caller, callee) if story.by_caller else (callee, caller)
    for number in range(story.holds):
        side = acting if number % 2 == 0 else other
        await asyncio.sleep(1.0)
        await side.hold(WITHIN)
        await asyncio.sleep(2.0)
        await side.resume(WITHIN)
    await asyncio.sleep(story.talk)
    acting.hang_up()
    await _gone(caller, callee)


async def _talking(story: Story, people: People) -> tuple[PhoneCall, PhoneCall]:
    people.plans[people.callee.number] = Answering(story.ring)
    call = people.caller.dial(people.callee.number)
    await call.established(WITHIN)
    return call, await _at(people.callee)


async def talk(story: Story, people: People) -> None:
    """Two numbers talk."""
    await _converse(story, *await _talking(story, people))


async def refused(story: Story, people: People) -> None:
    """The called phone refuses."""
    people.plans[people.callee.number] = Answering(story.ring, story.refusal)
    await people.caller.dial(people.callee.number).ended(WITHIN)


async def cancelled(story: Story, people: People) -> None:
    """The caller gives up while it rings."""
    call = people.caller.dial(people.callee.number)
    await _until(lambda: bool(people.callee.calls) or call.ending is not None)
    await asyncio.sleep(story.ring)
    call.hang_up()
    await _gone(call, *people.callee.calls)


async def unanswered(_story: Story, people: People) -> None:
    """Nobody answers."""
    await people.caller.dial(people.callee.number).ended(WITHIN)


async def outward(story: Story, people: People) -> None:
    """A number calls somebody outside."""
    people.plans[people.elsewhere] = Answering(story.ring)
    call = people.caller.dial(people.elsewhere)
    await call.established(WITHIN)
    await _converse(story, call, await _at(people.outside, people.elsewhere))


async def inward(story: Story, people: People) -> None:
    """Somebody outside calls a number."""
    people.plans[people.callee.number] = Answering(story.ring)
    call = _from_outside(people, people.callee.number)
    await call.established(WITHIN)
    await _converse(story, call, await _at(people.callee))


async def clicked(story: Story, people: People) -> None:
    """Two numbers are brought together by the API; one of them, or the API, ends it."""
    people.plans[people.caller.number] = Answering(story.ring)
    people.plans[people.callee.number] = Answering(story.ring)
    await people.originate(people.caller, people.callee.number)
    caller, callee = await _at(people.caller), await _at(people.callee)
    if story.holds:
        await asyncio.sleep(1.0)
        await people.control(people.caller, "hold")
        await asyncio.sleep(2.0)
        await people.control(people.caller, "unhold")
    await asyncio.sleep(story.talk)
    if story.by_caller:
        await people.control(people.callee, "clear")
    else:
        callee.hang_up()
    await _gone(caller, callee)


async def transferred(story: Story, people: People) -> None:
    """One of two who talk sends the other one to a third, unseen."""
    caller, callee = await _talking(story, people)
    people.plans[people.third.number] = Answering(story.ring)
    sending, staying = (caller, callee) if story.by_caller else (callee, caller)
    await asyncio.sleep(1.0)
    await _send_away(sending, people.third)
    third = await _at(people.third)
    await _gone(sending)
    await asyncio.sleep(story.talk)
    third.hang_up()
    await _gone(third, staying)


async def attended(story: Story, people: People) -> None:
    """One of two who talk asks a third, and brings the other two together."""
    caller, callee = await _talking(story, people)
    sending, staying = (caller, callee) if story.by_caller else (callee, caller)
    phone = people.caller if story.by_caller else people.callee
    await asyncio.sleep(1.0)
    await sending.hold(WITHIN)
    people.plans[people.third.number] = Answering(story.ring)
    asking = phone.dial(people.third.number)
    await asking.established(WITHIN)
    third = await _at(people.third)
    await asyncio.sleep(2.0)
    await _send_away(sending, people.third, asking)
    await _gone(sending, asking)
    await asyncio.sleep(story.talk)
    staying.hang_up()
    await _gone(staying, third)


async def forwarded(story: Story, people: People) -> None:
    """A number that does not answer lets its calls go to a third."""
    await people.forward(people.callee, people.third)
    try:
        people.plans[people.third.number] = Answering(story.ring)
        call = people.caller.dial(people.callee.number)
        await call.established(WITHIN)
        await _converse(story, call, await _at(people.third))
    finally:
        await people.forward(people.callee, None)


async def gone(story: Story, people: People) -> None:
    """A phone leaves the network in the middle of a call: its session is not refreshed, so the call ends."""
    caller, callee = await _talking(story, people)
    leaving = people.caller if story.by_caller else people.callee
    await asyncio.sleep(story.talk)
    async with people.vanished(leaving):
        await _gone(caller, callee)


async def grouped(story: Story, people: People) -> None:
    """A ringing group is called; one of its two members answers."""
    answers = people.callee if story.by_caller else people.third
    people.plans[answers.number] = Answering(story.ring)
    call = people.caller.dial(people.group)
    await call.established(WITHIN)
    await _converse(story, call, await _at(answers))


async def digits(story: Story, people: People) -> None:
    """The API sends digits to who is on the other side."""
    caller, callee = await _talking(story, people)
    owner, hears = (people.caller, callee) if story.by_caller else (people.callee, caller)
    await asyncio.sleep(1.0)
    await people.control(owner, "dtmf", digits="12,#")
    if hears.voice.packets_heard:
        await _until(lambda: hears.digits == "12#")
    hears.hang_up()
    await _gone(caller, callee)


async def recorded(story: Story, people: People) -> None:
    """The API records a part of a call."""
    caller, callee = await _talking(story, people)
    await asyncio.sleep(1.0)
    for action in ("record_start", "record_pause", "record_resume", "record_stop")[: 1 + story.seed % 4]:
        await people.control(people.caller, action)
        await asyncio.sleep(1.0)
    caller.hang_up()
    await _gone(caller, callee)


async def moved(story: Story, people: People) -> None:
    """A phone begins anew at another port, and is called there."""
    people.callee = await people.move(people.callee)
    await talk(story, people)


async def wild(story: Story, people: People) -> None:
    """All do for a while whatever comes to their minds, at any moment: there is no telling what comes of it."""
    chance = random.Random(story.seed)
    phones = (people.caller, people.callee, people.third)
    numbers = [*(phone.number for phone in phones), people.elsewhere]

    def plan() -> None:
        people.plans[chance.choice(numbers)] = Answering(
            chance.choice((None, 0.0, chance.uniform(0, 2))), chance.choice((None, None, *REFUSALS))
        )

    async def act(phone: SoftPhone) -> None:
        mine = _outside(people) if phone is people.outside else phone.calls
        call = chance.choice(mine) if mine else None
        if call is None or chance.random() < 0.2:
            number = chance.choice(numbers)
            _from_outside(people, number) if phone is people.outside else phone.dial(number)
            return
        acts: list[Callable[[], object]] = [
            call.hang_up,
            lambda: call.hold(5.0),
            lambda: call.resume(5.0),
            lambda: call.transfer(chance.choice(numbers), within=5.0),
            lambda: call.transfer(chance.choice(numbers), joining=chance.choice(mine), within=5.0),
            call.answer,
            lambda: call.reject(chance.choice(REFUSALS)),
            lambda: people.originate(phone, chance.choice(numbers)),
            lambda: people.control(phone, chance.choice(("clear", "hold", "unhold"))),
        ]
        outcome = chance.choice(acts)()
        if isinstance(outcome, Awaitable):
            await outcome

    doing: list[asyncio.Task[None]] = []
    for _ in range(40 if story.talk > 1 else 15):
        plan()
        doing.append(asyncio.create_task(act(chance.choice((*phones, people.outside)))))
        await asyncio.sleep(chance.choice((0.0, 0.05, 0.5, 2.0)))
    for ending in await asyncio.gather(*doing, return_exceptions=True):
        if isinstance(ending, BaseException) and not isinstance(ending, CallFailed | TimeoutError | KobzaError):
            raise ending


KINDS: Final[dict[str, Callable[[Story, People], Awaitable[None]]]] = {
    "talk": talk,
    "refused": refused,
    "cancelled": cancelled,
    "unanswered": unanswered,
    "outward": outward,
    "inward": inward,
    "clicked": clicked,
    "transferred": transferred,
    "attended": attended,
    "forwarded": forwarded,
    "gone": gone,
    "grouped": grouped,
    "digits": digits,
    "recorded": recorded,
    "moved": moved,
    "wild": wild,
}
ORDERLY: Final = tuple(kind for kind in KINDS if kind != "wild")
"""Stories that go one way, whatever the network."""
WITHOUT_SOUND: Final = tuple(kind for kind in ORDERLY if kind not in ("recorded", "moved"))
"""Those that need neither a relay nor sockets of their own."""
