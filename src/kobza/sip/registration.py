"""Our registration at a registrar, as its client (RFC 3261 10.2): which REGISTER is sent when, and to which server.

It does no I/O and reads no clock: responses and `now` go in; requests, a deadline and whether we are registered come
out. Digest is answered by the request itself (`kobza.sip.request`), so a 401 that arrives here is a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final, NamedTuple

from kobza.sip.errors import MalformedMessage
from kobza.sip.message import SipResponse
from kobza.sip.uri import SipUri

FIRST_RETRY: Final = 10.0
"""Seconds until the first new try after all servers failed; RFC 5626 4.5 has 30. A registrar that restarts is back by
then, and a line to the outside should be too."""
LONGEST_RETRY: Final = 300.0
"""Seconds between tries at most; RFC 5626 has 1,800. One account that asks each five minutes is no load."""
ANSWER_WITHIN: Final = 8.0
"""Seconds for an answer, digest included; on UDP a REGISTER was sent five times by then. Timer F, 32 s, would keep the
next server waiting."""
LEAST_REFRESH: Final = 5.0
"""Seconds until a refresh at least, however short the time that was granted."""
INTERVAL_TOO_BRIEF: Final = 423
MAX_SECONDS: Final = 2**31 - 1


class RegistrationState(StrEnum):
    """How far a registration is."""

    OFF = "off"
    TRYING = "trying"
    """A REGISTER is under way, and we are not registered."""
    REGISTERED = "registered"
    REFRESHING = "refreshing"
    """Registered, and the next REGISTER is under way."""
    WAITING = "waiting"
    """It failed; the next try comes."""
    LEAVING = "leaving"
    """The last REGISTER, which takes our contact away, is under way."""


TRANSITIONS: Final[Mapping[RegistrationState, frozenset[RegistrationState]]] = {
    RegistrationState.OFF: frozenset({RegistrationState.TRYING}),
    RegistrationState.TRYING: frozenset(
        {RegistrationState.REGISTERED, RegistrationState.WAITING, RegistrationState.LEAVING}
    ),
    RegistrationState.REGISTERED: frozenset(  # TRYING and OFF: it ran out before anybody looked, as the machine stood
        {RegistrationState.REFRESHING, RegistrationState.TRYING, RegistrationState.LEAVING, RegistrationState.OFF}
    ),
    RegistrationState.REFRESHING: frozenset(
        {RegistrationState.REGISTERED, RegistrationState.WAITING, RegistrationState.LEAVING}
    ),
    RegistrationState.WAITING: frozenset(
        {RegistrationState.TRYING, RegistrationState.REFRESHING, RegistrationState.LEAVING, RegistrationState.OFF}
    ),
    RegistrationState.LEAVING: frozenset({RegistrationState.OFF}),
}

UNDER_WAY: Final = frozenset({RegistrationState.TRYING, RegistrationState.REFRESHING, RegistrationState.LEAVING})
"""States in which a response is awaited."""


class RegisterWanted(NamedTuple):
    """A REGISTER to send."""

    server: int
    """Index of the server, below `servers`."""
    expires: int
    """Seconds to ask for; 0 takes the contact away."""
    cseq: int
    """Its CSeq number; the next one is left for its repetition with credentials."""


class RegistrationClient:
    """One contact of ours at one registrar, which may have several servers (addresses).

    When a server fails (silence, transport, 5xx) the next one is tried at once; when all have failed, or one has
    refused us, the next try comes after a time that doubles from `first_retry` to `longest_retry`, less up to half by
    chance.
    """

    def __init__(
        self,
        contact: str,
        expires: int,
        *,
        chance: Callable[[], float],
        first_retry: float = FIRST_RETRY,
        longest_retry: float = LONGEST_RETRY,
        least_refresh: float = LEAST_REFRESH,
        answer_within: float | None = ANSWER_WITHIN,
    ) -> None:
        """`contact` is the URI that we register, `chance` gives numbers from 0 to 1.

        `answer_within` None: the end of the transaction, timer F, is waited for.
        """
        self.contact = contact
        """May change between requests: the next one has the new one."""
        self.servers = 1
        """How many servers there are; may change between inputs."""
        self.state = RegistrationState.OFF
        self.detail = ""
        """Why the last try failed, in words; "" when it did not."""
        self.deadline: float | None = None
        """When `handle_timer` wants to be called."""
        self.server = 0
        """The server that was tried last."""
        self.granted = 0
        """Seconds that were granted last."""
        self._expires = expires
        self._chance = chance
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._least_refresh = least_refresh
        self._answer_within = answer_within
        self._granted_until: float | None = None
        self._failed_servers = 0
        self._failures = 0
        self._cseq = 0
        self._wanted: RegisterWanted | None = None

    def is_registered(self, now: float) -> bool:
        """Tell whether the registrar has our contact at a moment, for all that we know."""
        return self._granted_until is not None and now < self._granted_until

    def take_request(self) -> RegisterWanted | None:
        """Return the REGISTER to send now, once. Only the outcome of the newest one is to be told."""
        wanted, self._wanted = self._wanted, None
        return wanted

    # inputs

    def start(self, now: float) -> None:
        """Begin to register; nothing happens when that was done."""
        if self.state is RegistrationState.OFF:
            self._enter(RegistrationState.TRYING)
            self._send(self._expires, now)

    def stop(self, now: float) -> None:
        """Register no more; a contact that the registrar may have is taken away."""
        if self.state in (RegistrationState.OFF, RegistrationState.LEAVING):
            return
        if self.state in UNDER_WAY or self.is_registered(now):
            self._enter(RegistrationState.LEAVING)
            self._send(0, now)
        else:
            self.deadline = None
            self._enter(RegistrationState.OFF)

    def handle_timer(self, now: float) -> None:
        """Do what is due: refresh, try again, or wait no longer for an answer."""
        if self.deadline is None or now < self.deadline:
            return
        if self.state in UNDER_WAY:
            self.failed(408, now)
            return
        self._enter(RegistrationState.REFRESHING if self.is_registered(now) else RegistrationState.TRYING)
        self._send(self._expires, now)

    def retry(self, now: float) -> None:
        """Take that there may be a way now that there was not: whoever waits for the next try waits no longer."""
        if self.state is RegistrationState.WAITING:
            self.deadline = now
            self.handle_timer(now)

    def lose_server(self, now: float) -> None:
        """Take that the server where we are registered was found dead: register at the next one, at once."""
        if self.state is RegistrationState.REGISTERED:
            self._next_server()
            self.deadline = now
            self.handle_timer(now)

    def answered(self, response: SipResponse, now: float) -> None:
        """Take the final response to the newest REGISTER."""
        if self.state not in UNDER_WAY:
            return
        if response.status < 300:
            self._succeed(response, now)
        elif response.status == INTERVAL_TOO_BRIEF and (least := _seconds(response.get("min-expires"))) > self._expires:
            self._expires = least
            self._send(0 if self.state is RegistrationState.LEAVING else least, now)
        else:
            self._fail(response.status, f"{response.status} {response.reason}", now, response.retry_after or 0)

    def failed(self, status: int, now: float) -> None:
        """Take that no response will come: 408 (timeout), 503 (transport, no way to the server)."""
        if self.state in UNDER_WAY:
            self._fail(status, "no answer" if status == 408 else "it cannot be reached", now, 0.0)

    # inside

    def _succeed(self, response: SipResponse, now: float) -> None:
        if self.state is RegistrationState.LEAVING:
            self._leave()
            return
        granted = self.granted = self._granted(response)
        self._granted_until = now + granted
        self._failed_servers = self._failures = 0
        self.detail = ""
        self.deadline = now + max(self._least_refresh, min(granted - 10.0, granted * 0.9))
        self._enter(RegistrationState.REGISTERED)

    def _fail(self, status: int, detail: str, now: float, retry_after: float) -> None:
        if self.state is RegistrationState.LEAVING:
            self._leave()
            return
        self.detail = detail
        if status == 408 or status >= 500:
            self._next_server()
            self._failed_servers += 1
            if self._failed_servers < self.servers:
                self._send(self._expires, now)
                return
        else:
            self._granted_until = None  # it refuses us: whatever it granted before counts no more
        self._failed_servers = 0
        wait = min(self._longest_retry, self._first_retry * 2.0 ** min(self._failures, 30))
        self._failures += 1
        self.deadline = now + max(wait * (1.0 - self._chance() / 2.0), min(retry_after, self._longest_retry))
        self._enter(RegistrationState.WAITING)

    def _leave(self) -> None:
        self._granted_until = self.deadline = None
        self._enter(RegistrationState.OFF)

    def _next_server(self) -> None:
        self.server = (self.server + 1) % self.servers

    def _send(self, expires: int, now: float) -> None:
        self.server %= self.servers
        self.deadline = None if self._answer_within is None else now + self._answer_within
        self._cseq += 2
        self._wanted = RegisterWanted(self.server, expires, self._cseq - 1)

    def _enter(self, state: RegistrationState) -> None:
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"a registration cannot go from {self.state} to {state}")
        self.state = state

    def _granted(self, response: SipResponse) -> int:
        """Return the seconds granted to our contact; where it is not named, those of Expires, or what was asked for.

        A registrar that writes our contact anew, with the address that it sees, has kept its user part: of those the
        shortest time counts, as a refresh too early harms nobody.
        """
        with suppress(MalformedMessage):
            own = SipUri.parse(self.contact, "")
            times = [(each.uri, _seconds(each.param("expires"))) for each in response.contacts]
            ours = [seconds for uri, seconds in times if seconds and uri.equivalent(own)]
            rewritten = [seconds for uri, seconds in times if seconds and uri.user == own.user]
            return min(ours or rewritten, default=0) or response.expires or self._expires
        return self._expires


def _seconds(text: str | None) -> int:
    """Return a number of seconds, at most `MAX_SECONDS`; 0 for what is none."""
    return min(int(text), MAX_SECONDS) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0
