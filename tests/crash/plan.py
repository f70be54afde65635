"""What happens in a round, drawn from a seed: which calls, which parts die when. Pure: the same seed, the same plan."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Moment = Literal["at a moment", "in a commit", "while encoding", "as an mp3 is in place", "as a spool goes"]
"""What the server is killed at: after so many seconds, or when its files show that it is in the middle of something."""

BlowKind = Literal[
    "media killed",
    "exports killed",
    "store locked",
    "disk full",
    "database killed",
    "database connection killed",
]

Way = Literal["inward", "local", "outward", "click"]
"""From outside; between numbers; to the outside; by click2dial between numbers."""

BLOWS: dict[str, Sequence[BlowKind]] = {
    "sqlite": ("media killed", "exports killed", "store locked", "disk full"),
    "postgresql": ("media killed", "store locked", "disk full", "database killed", "database connection killed"),
}
MOMENTS: Sequence[Moment] = (
    "at a moment",
    "at a moment",
    "in a commit",
    "in a commit",
    "while encoding",
    "as an mp3 is in place",
    "as a spool goes",
)
KILLS = ("media killed", "exports killed", "database killed", "database connection killed")
"""The blows that kill a process."""

CALLS = (4, 8)
"""Calls in a round, from and to."""
FIRST_SECOND = 1.2
"""Seconds in which calls begin."""
LATEST = 3.5
"""Seconds after which the server is killed whatever it does."""


@dataclass(frozen=True)
class CallPlan:
    """One call. No two calls of a round are between the same two numbers, so that each is found again in the books."""

    at: float
    """Seconds after the start of the round."""
    way: Way
    caller: str
    called: str
    ring: float
    """Seconds until the called phone picks up, refuses, or the caller gives up."""
    end: Literal["answer", "busy", "cancel"]
    talk: float
    """Seconds until the caller hangs up; the kill mostly comes before."""


@dataclass(frozen=True)
class Blow:
    """What befalls the server while it goes on."""

    at: float
    kind: BlowKind
    seconds: float = 0.0
    """How long it lasts, for what is no kill."""


@dataclass(frozen=True)
class Round:
    """Calls, blows, the kill of the server, and what befalls the one that is started after it."""

    seed: str
    calls: Sequence[CallPlan]
    blows: Sequence[Blow]
    moment: Moment
    at: float
    """Not before so many seconds after the start of the round."""
    delay: float
    """Seconds from the moment to the kill."""
    media_too: bool
    """Whether the media process is killed with the server, so that it cannot complete its spools."""
    stillborn: Sequence[float] = field(default=())
    """Seconds after which the servers that are started next are killed: they are about to put the books in order."""

    @property
    def kills(self) -> int:
        """How many processes are killed."""
        return 1 + self.media_too + len(self.stillborn) + sum(blow.kind in KILLS for blow in self.blows)

    def __str__(self) -> str:
        words = [f"{blow.kind} at {blow.at:.2f} s" + (f" for {blow.seconds:.1f} s" if blow.seconds else "")
                 for blow in self.blows]  # fmt: skip
        both = "server and media" if self.media_too else "server"
        words.append(f"{both} killed {self.moment}, {self.at:.2f} s + {self.delay * 1000:.1f} ms")
        words += [f"started and killed after {after:.2f} s" for after in self.stillborn]
        return ", ".join(words)


def draw(seed: int, number: int, numbers: Sequence[str], database: str) -> Round:
    """Draw the round of a number from a run's seed."""
    name = f"{seed}-{number}"
    chance = random.Random(f"{name} on {database}")
    blows = _blows(chance, database)
    lasts = max((blow.at + blow.seconds for blow in blows), default=0.0)
    moment = chance.choice(MOMENTS)
    at = chance.uniform(0.3, 2.5)
    if lasts > at and chance.random() < 0.5:  # else the server is killed in the middle of it
        at = lasts + chance.uniform(0.0, 0.5)
    return Round(
        name,
        draw_calls(chance, number, numbers),
        blows,
        moment,
        at,
        chance.choice((0.0, 0.0, chance.uniform(0, 0.003), chance.uniform(0, 0.02))),
        media_too=chance.random() < 0.4,
        stillborn=[chance.uniform(0.3, 2.5) for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 2)))],
    )


def draw_calls(chance: random.Random, number: int, numbers: Sequence[str]) -> list[CallPlan]:
    """Draw the calls of a round; its number makes the outside numbers its own."""
    calls = []
    pairs = {frozenset((one, other)) for one in numbers for other in numbers if one != other}
    free = sorted(tuple(sorted(pair)) for pair in pairs)
    chance.shuffle(free)
    for index in range(chance.randint(*CALLS)):
        outside = f"{number % 10_000:04d}{index:03d}"
        ways: list[Way] = ["inward", "outward"]
        if free:
            ways += ["local", "local", "click"]
        way = chance.choice(ways)
        caller, called = f"050{outside}", f"063{outside}"
        if way in ("local", "click"):
            caller, called = chance.sample(free.pop(), 2)
        elif way == "inward":
            called = chance.choice(numbers)
        else:
            caller = chance.choice(numbers)
        calls.append(
            CallPlan(
                at=chance.uniform(0, FIRST_SECOND),
                way=way,
                caller=caller,
                called=called,
                ring=chance.uniform(0.02, 0.5),
                end=chance.choice(("answer", "answer", "answer", "answer", "busy", "cancel")),
                talk=chance.uniform(0.1, 2.5),
            )
        )
    return sorted(calls, key=lambda call: call.at)


def _blows(chance: random.Random, database: str) -> list[Blow]:
    blows = []
    for kind in chance.sample(BLOWS[database], chance.choice((0, 0, 1, 1, 2))):
        seconds = 0.0 if kind in KILLS else chance.uniform(0.3, 2.5)
        blows.append(Blow(chance.uniform(0.2, 1.5), kind, seconds))
    return sorted(blows, key=lambda blow: blow.at)
