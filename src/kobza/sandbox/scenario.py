"""What a scenario asks for, and what should be seen of it: values, without I/O."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kobza.call.causes import (
    CALL_REJECTED,
    NO_ANSWER,
    NORMAL_CLEARING,
    NORMAL_UNSPECIFIED,
    SUBSCRIBER_ABSENT,
    TEMPORARY_FAILURE,
    cause_from_sip,
)
from kobza.call.leg import Rejection
from kobza.sandbox.faults import Fault

BUSY_HERE: Final = 486
DECLINE: Final = 603
ORIGINATOR_PICKS_UP: Final = 1.0
"""Seconds of ringing after which the caller of a click2dial call picks up."""


class Start(StrEnum):
    """How the call comes about."""

    DIAL = "dial"
    """The caller's phone dials."""
    ORIGINATE = "originate"
    """The API rings the caller's phone first: click2dial."""
    WAIT = "wait"
    """The system under test makes the call by the API; the phones of both are ready."""


class Then(StrEnum):
    """What happens to a call that rings."""

    ANSWER = "answer"
    BUSY = "busy"
    REJECT = "reject"
    NO_ANSWER = "no_answer"
    """It rings until the server gives up (`ring_timeout`)."""
    CANCEL = "cancel"
    """The caller hangs up before anybody answers."""
    CLEAR = "clear"
    """The API rejects it (`callcontrol` with `clear`)."""


class Who(StrEnum):
    """Who does something in a call."""

    CALLER = "caller"
    CALLED = "called"
    API = "api"


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold: begun `after` so many seconds of talk, ended after `seconds`."""

    by: Who
    after: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Digits:
    """DTMF that one side sends `after` so many seconds of talk, through the API."""

    by: Who
    after: float
    digits: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A blind transfer through the API: the one who transfers leaves, and `to`, E.164, rings and answers."""

    by: Who
    after: float
    to: str
    ring_for: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One call as it is asked for. Numbers are E.164 or short codes; durations seconds of the sandbox's clock."""

    caller: str
    called: str
    title: str = ""
    start: Start = Start.DIAL
    ring_for: float = 2.0
    then: Then = Then.ANSWER
    status: int | None = None
    """SIP status of a rejection."""
    cause: int | None = None
    """Q.850 cause that the called phone tells with it, in a Reason header."""
    talk_for: float = 5.0
    hang_up: Who = Who.CALLER
    hold: tuple[Hold, ...] = ()
    dtmf: tuple[Digits, ...] = ()
    transfer: Transfer | None = None
    media_stops_after: float | None = None
    """Seconds of talk after which neither phone sends a packet; the server ends the call after `media_timeout`."""
    dnd: bool = False
    """Do Not Disturb is on at the called number."""
    registered: bool = True
    """False: no phone of the called number is registered."""
    devices: int = 1
    """Phones of the called number that ring; the first one acts."""
    faults: tuple[Fault, ...] = ()
    """What happens to the call states of this call on their way to the receiver."""
    expect: Mapping[str, int | str | tuple[str, ...]]
    """What to expect in the place of what follows from the other fields; see `Expected`."""

    @property
    def numbers(self) -> tuple[str, str]:
        """Caller and called."""
        return self.caller, self.called

    @property
    def everybody(self) -> tuple[str, ...]:
        """Whoever takes part at some time."""
        return self.numbers if self.transfer is None else (*self.numbers, self.transfer.to)

    @property
    def answered(self) -> bool:
        """Whether both talk at some time."""
        return self.then is Then.ANSWER and not self.dnd and self.registered

    @property
    def server_ends(self) -> bool:
        """Whether a timer of the server ends the call."""
        return self.then is Then.NO_ANSWER or self.media_stops_after is not None

    @property
    def rejection(self) -> tuple[int, int | None] | None:
        """SIP status and Q.850 cause with which the called phone refuses, if it does."""
        if self.then is Then.BUSY:
            return self.status or BUSY_HERE, self.cause
        if self.then is Then.REJECT:
            return self.status or DECLINE, self.cause
        return None


@dataclass(frozen=True, slots=True)
class Expected:
    """What history and call states should say. None: not looked at. Durations are whole seconds."""

    cause: int
    sip_status: int | None
    released_by: str | None
    call_duration: int
    ringing: int | None
    states: tuple[str, ...]
    """State types of each owner, in order."""


def aimed(seconds: float) -> float:
    """Return how long to wait so that a duration that is rounded up reads as asked: the middle of the last second."""
    return seconds - 0.5 if seconds >= 1 else seconds / 2


def expected(scenario: Scenario, *, ring_timeout: float, media_timeout: float) -> Expected:
    """Return what should be seen of a scenario. The timeouts are the server's, in seconds."""
    derived = _derived(scenario, ring_timeout, media_timeout)
    values = {name: getattr(derived, name) for name in Expected.__slots__}
    return Expected(**(values | dict(scenario.expect)))


def _derived(scenario: Scenario, ring_timeout: float, media_timeout: float) -> Expected:
    if scenario.dnd:
        return Expected(CALL_REJECTED, 480, "network", 0, 0, ())
    if not scenario.registered:
        return Expected(SUBSCRIBER_ABSENT, 480, "network", 0, 0, ())
    ringing = None if scenario.start is not Start.DIAL else round(scenario.ring_for)
    unanswered = ("alerting", "finished")
    match scenario.then:
        case Then.ANSWER:
            talk, cause, by = round(scenario.talk_for), NORMAL_CLEARING, scenario.hang_up.value
            if scenario.media_stops_after is not None:
                talk, cause, by = round(scenario.media_stops_after + media_timeout), TEMPORARY_FAILURE, "network"
            return Expected(cause, 200, by, max(talk, 1), ringing, ("alerting", "established", "finished"))
        case Then.BUSY | Then.REJECT:
            status, cause_told = scenario.rejection or (DECLINE, None)
            cause = cause_told or cause_from_sip(status)
            refused = Rejection(status, cause)
            silent = scenario.ring_for == 0 and scenario.start is Start.DIAL
            by = refused.released_by("callee")
            return Expected(cause, refused.status_for_caller, by, 0, ringing, () if silent else unanswered)
        case Then.NO_ANSWER:
            return Expected(NO_ANSWER, None, "network", 0, None if ringing is None else round(ring_timeout), unanswered)
        case Then.CANCEL:
            return Expected(NORMAL_UNSPECIFIED, 487, "caller", 0, ringing, unanswered)
        case Then.CLEAR:
            return Expected(CALL_REJECTED, None, "api", 0, ringing, unanswered)


def owners(scenario: Scenario, own: Collection[str]) -> tuple[str, ...]:
    """Return the numbers of the enterprise that are told of the call."""
    return tuple(number for number in scenario.everybody if number in own)
