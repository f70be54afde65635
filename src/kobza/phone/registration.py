"""Keeps a softphone registered: REGISTER with digest, refresh in time, retry after failures, un-REGISTER at the end."""

import asyncio
from collections.abc import Callable

from kobza.phone.events import Detail, What
from kobza.sip.flow import Flow
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipResponse
from kobza.sip.registration import RegistrationClient, RegistrationState
from kobza.sip.request import ClientRequest, Credentials
from kobza.sip.ua import UserAgent

RETRY = 5.0
"""Seconds until a failed refresh is tried again: a server that restarts is back within that time."""
LEAST_REFRESH = 5.0
LEAST_DELAY = 0.001
"""Seconds of the wall until the next look at least: a sandbox's clock may stand just before a deadline."""
REFUSALS = frozenset({401, 403, 404, 407})
"""Statuses that trying again does not change: the password or the number is wrong."""


class RegistrationFailed(Exception):
    """The server refused, or does not answer; the message says which, `status` is SIP (408: no answer)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Registration:
    """One contact binding of ours at a registrar. `wait` gives the outcome of the first REGISTER."""

    def __init__(
        self,
        ua: UserAgent,
        *,
        aor: NameAddr,
        registrar: str,
        contact: str,
        flow: Flow,
        credentials: Credentials,
        expires: int,
        call_id: str,
        emit: Callable[[What, dict[str, Detail]], None],
        act: Callable[[], None],
        now: Callable[[], float],
        speed: float = 1.0,
    ) -> None:
        """`contact` is a URI; `speed` is how many seconds of `now` pass in one of the wall."""
        self._ua = ua
        self._aor = aor
        self._registrar = registrar
        self._contact = contact
        self._flow = flow
        self._credentials = credentials
        self._call_id = call_id
        self._emit = emit
        self._act = act
        self._now = now
        self._speed = speed
        self._client = RegistrationClient(
            contact,
            expires,
            chance=lambda: 0.0,
            first_retry=RETRY,
            longest_retry=RETRY,
            least_refresh=LEAST_REFRESH,
            answer_within=None,
        )
        self._request: ClientRequest | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.registered = False

    def start(self) -> None:
        """Send the first REGISTER."""
        self._client.start(self._now())
        self._follow()

    async def wait(self) -> None:
        """Wait for the outcome of what was sent last; raises `RegistrationFailed`."""
        await asyncio.shield(self._outcome)

    async def remove(self, within: float = 3.0) -> None:
        """Un-REGISTER; after `within` seconds without an answer it counts as done: the binding expires by itself."""
        self._forget_timer()
        if not self.registered:
            return
        if self._outcome.done():
            self._outcome = asyncio.get_running_loop().create_future()
        self._client.stop(self._now())
        self._follow()
        if self._is_leaving:
            try:
                async with asyncio.timeout(within):
                    await self.wait()
            except (TimeoutError, RegistrationFailed):
                pass
        self.registered = False

    def owns(self, request: ClientRequest) -> bool:
        """Tell whether a request is this registration's."""
        return request is self._request

    def answered(self, response: SipResponse) -> None:
        """Take the final response to the REGISTER sent last."""
        leaving = self._is_leaving
        self._client.answered(response, self._now())
        match self._client.state:
            case RegistrationState.REGISTERED:
                self._registered()
            case RegistrationState.OFF if leaving and response.status < 300:
                self._settle(None)
                self._emit(What.UNREGISTERED, {"number": self._aor.uri.user})
            case RegistrationState.OFF | RegistrationState.WAITING:
                self._failed(response.status, f"{response.status} {response.reason}", leaving=leaving)
            case _:
                pass  # it asks for longer
        self._follow()

    def failed(self, status: int, reason: str) -> None:
        """Take that no response will come."""
        leaving = self._is_leaving
        self._client.failed(status, self._now())
        self._failed(status, reason, leaving=leaving)
        self._follow()

    @property
    def _is_leaving(self) -> bool:
        return self._client.state is RegistrationState.LEAVING

    def _registered(self) -> None:
        first = not self.registered
        self.registered = True
        if first:
            server = f"{self._flow.remote[0]}:{self._flow.remote[1]}"
            granted = self._client.granted
            self._emit(What.REGISTERED, {"number": self._aor.uri.user, "server": server, "expires": granted})
        self._settle(None)

    def _failed(self, status: int, reason: str, *, leaving: bool) -> None:
        """Tell of a failure. A refusal is final; anything else is tried again once it has worked before."""
        if not leaving:
            worked = self.registered or self._outcome.done()
            self.registered = False
            self._emit(What.REGISTRATION_FAILED, {"status": status, "reason": reason})
            if status in REFUSALS or not worked:
                self._client.stop(self._now())
        self._settle(RegistrationFailed(status, reason))

    def _follow(self) -> None:
        """Send what the machine wants sent, and wake it when it wants to be."""
        wanted = self._client.take_request()
        if wanted is not None:
            self._request = self._ua.request(
                "REGISTER",
                self._registrar,
                from_=self._aor,
                to=self._aor,
                flow=self._flow,
                headers=[("Contact", f"<{self._contact}>"), ("Expires", str(wanted.expires))],
                call_id=self._call_id,
                cseq=wanted.cseq,
                credentials=self._credentials,
                now=self._now(),
            )
            self._act()
        self._forget_timer()
        if (deadline := self._client.deadline) is not None:
            delay = max(LEAST_DELAY, (deadline - self._now()) / self._speed)
            self._timer = asyncio.get_running_loop().call_later(delay, self._due)

    def _due(self) -> None:
        self._client.handle_timer(self._now())
        self._follow()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _settle(self, error: RegistrationFailed | None) -> None:
        if self._outcome.done():
            return
        if error is None:
            self._outcome.set_result(None)
        else:
            self._outcome.set_exception(error)
            self._outcome.exception()  # seen: nobody has to wait for it
