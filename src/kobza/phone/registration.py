"""Keeps a softphone registered: REGISTER with digest, refresh in time, retry after failures, un-REGISTER at the end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from kobza.phone.events import Detail, What
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipResponse
from kobza.sip.request import ClientRequest, Credentials
from kobza.sip.ua import UserAgent

RETRY = 5.0
"""Seconds until a failed refresh is tried again: a server that restarts is back within that time."""
LEAST_REFRESH = 5.0
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
        """`speed` is how many seconds of `now` pass in one of the wall."""
        self._ua = ua
        self._aor = aor
        self._registrar = registrar
        self._contact = contact
        self._flow = flow
        self._credentials = credentials
        self._expires = expires
        self._call_id = call_id
        self._emit = emit
        self._act = act
        self._now = now
        self._speed = speed
        self._request: ClientRequest | None = None
        self._removing = False
        self._cseq = 0
        self._timer: asyncio.TimerHandle | None = None
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.registered = False

    def start(self) -> None:
        """Send the first REGISTER."""
        self._send(self._expires)

    async def wait(self) -> None:
        """Wait for the outcome of what was sent last; raises `RegistrationFailed`."""
        await asyncio.shield(self._outcome)

    async def remove(self, within: float = 3.0) -> None:
        """Un-REGISTER; after `within` seconds without an answer it counts as done: the binding expires by itself."""
        self.stop()
        if not self.registered:
            return
        self._removing = True
        if self._outcome.done():
            self._outcome = asyncio.get_running_loop().create_future()
        self._send(0)
        try:
            async with asyncio.timeout(within):
                await self.wait()
        except (TimeoutError, RegistrationFailed):
            pass
        self.registered = False

    def stop(self) -> None:
        """Refresh no more, and leave the binding as it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def owns(self, request: ClientRequest) -> bool:
        """Tell whether a request is this registration's."""
        return request is self._request

    def answered(self, response: SipResponse) -> None:
        """Take the final response to the REGISTER sent last."""
        if response.status >= 300:
            if response.status == 423 and (least := _number(response.get("Min-Expires"))) > self._expires:
                self._expires = least
                self._send(0 if self._removing else self._expires)
                return
            self.failed(response.status, f"{response.status} {response.reason}")
            return
        if self._removing:
            self._settle(None)
            self._emit(What.UNREGISTERED, {"number": self._aor.uri.user})
            return
        granted = self._granted(response)
        first = not self.registered
        self.registered = True
        self._again_in(max(LEAST_REFRESH, min(granted - 10.0, granted * 0.9)))
        if first:
            server = f"{self._flow.remote[0]}:{self._flow.remote[1]}"
            self._emit(What.REGISTERED, {"number": self._aor.uri.user, "server": server, "expires": granted})
        self._settle(None)

    def failed(self, status: int, reason: str) -> None:
        """Take a refusal or a timeout. A refusal is final; anything else is tried again once it has worked before."""
        if not self._removing:
            worked = self.registered
            self.registered = False
            self._emit(What.REGISTRATION_FAILED, {"status": status, "reason": reason})
            if status not in REFUSALS and (worked or self._outcome.done()):
                self._again_in(RETRY)
        self._settle(RegistrationFailed(status, reason))

    def _send(self, expires: int) -> None:
        self._cseq += 2  # one in between for the repetition with credentials
        self._request = self._ua.request(
            "REGISTER",
            self._registrar,
            from_=self._aor,
            to=self._aor,
            flow=self._flow,
            headers=[("Contact", self._contact), ("Expires", str(expires))],
            call_id=self._call_id,
            cseq=self._cseq,
            credentials=self._credentials,
            now=self._now(),
        )
        self._act()

    def _again_in(self, seconds: float) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(seconds / self._speed, self._send, self._expires)

    def _granted(self, response: SipResponse) -> int:
        """Return the seconds granted to our contact; the Expires header, or what we asked for, when it is not named."""
        with suppress(MalformedMessage):
            for contact in response.contacts:
                if str(contact.uri) in self._contact and (seconds := _number(contact.param("expires"))):
                    return seconds
            return response.expires or self._expires
        return self._expires

    def _settle(self, error: RegistrationFailed | None) -> None:
        if self._outcome.done():
            return
        if error is None:
            self._outcome.set_result(None)
        else:
            self._outcome.set_exception(error)
            self._outcome.exception()  # seen: nobody has to wait for it


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 0
