"""A carrier for tests: a user agent on a real socket that registers accounts, answers questions and takes calls."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Self

from kobza.net.clock import SteadyClock
from kobza.net.endpoint import SipEndpoint
from kobza.net.tls import Tls
from kobza.sip import ua as sip
from kobza.sip.digest import DigestOutcome, DigestVerifier, ha1
from kobza.sip.flow import Transport
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipRequest
from kobza.sip.request import Credentials
from kobza.sip.ua import InviteDialog, UserAgent
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

REALM = "carrier.example"


def sdp(port: int) -> bytes:
    return (
        "v=0\r\no=carrier 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
    ).encode()


class Carrier:
    """Use it as an async context manager. Set its attributes to what it shall do."""

    def __init__(self, transport: Transport = Transport.UDP, port: int | None = None, tls: Tls | None = None) -> None:
        self.transport = transport
        self.port = port or free_port()
        self.accounts: dict[str, str] = {}
        """Passwords by user name; none: nobody is asked for one."""
        self.invite_status = 200
        self.options_status = 200
        self.register_status = 200
        self.refusal_headers: Sequence[tuple[str, str]] = ()
        """Headers of every refusal of a call or a registration."""
        self.service_route = ""
        """What registrars say of the way of calls; "": nothing."""
        self.deaf = False
        """Takes requests outside calls and answers none."""
        self.invites: list[SipRequest] = []
        """Those whose credentials were good, if any were asked for."""
        self.registers: list[SipRequest] = []
        self.options = 0
        self.challenges = 0
        self.calls: list[InviteDialog] = []
        """Those that were answered."""
        self.outcomes: dict[InviteDialog, int] = {}
        """Of calls that it made: their final statuses."""
        self.ended = 0
        self._now = SteadyClock().now
        self._ua = UserAgent(new_token=lambda: secrets.token_hex(6), product="Carrier")
        self._endpoint = SipEndpoint(self._ua, now=self._now, on_events=self._take, tls=tls)
        self._digest = DigestVerifier(REALM, b"s" * 32)
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._endpoint.listen(self.transport, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._endpoint.close()
        async with asyncio.timeout(PATIENCE):
            while self._endpoint.connections:  # noqa: ASYNC110 - TLS says goodbye first, and tells nobody when it has
                await asyncio.sleep(0.01)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something has happened here."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def call(
        self, dialled: str, caller: str, server: tuple[str, int], *, to: str | None = None, **options: Any
    ) -> InviteDialog:
        """Call a number of the server; the status that comes is in `outcomes`."""
        flow = self._endpoint.flow_to(server, self.transport)
        dialog = self._ua.invite(
            f"sip:{dialled}@{server[0]}:{server[1]}",
            from_=NameAddr.parse(f"<sip:{caller}@127.0.0.1>"),
            to=NameAddr.parse(f"<sip:{to or dialled}@127.0.0.1>"),
            flow=flow,
            body=sdp(free_port()),
            now=self._now(),
            **options,
        )
        self._endpoint.pump()
        return dialog

    def hang_up(self) -> None:
        """End all calls."""
        for dialog in (*self.calls, *self.outcomes):
            dialog.bye(now=self._now())
        self._endpoint.pump()

    @staticmethod
    def credentials(username: str, password: str) -> Credentials:
        return Credentials(username, password)

    # inside

    def _take(self, events: list[sip.UaEvent]) -> None:
        for event in events:
            match event:
                case sip.RequestReceived(incoming):
                    self._answer(incoming)
                case sip.InviteReceived(dialog, request):
                    self._ring(dialog, request)
                case sip.InviteAnswered(dialog):
                    self.outcomes[dialog] = 200
                case sip.InviteRejected(dialog, status):
                    self.outcomes[dialog] = status
                case sip.InviteEnded():
                    self.ended += 1
                case _:
                    pass
        self._changed.set()

    def _answer(self, incoming: sip.IncomingRequest) -> None:
        request = incoming.request
        if self.deaf:
            return
        if request.method == "OPTIONS":
            self.options += 1
            self._ua.respond(incoming, self.options_status, now=self._now())
            return
        refusal = self._challenge(request, "authorization", "WWW-Authenticate")
        if refusal:
            self._ua.respond(incoming, 401, headers=refusal, now=self._now())
            return
        self.registers.append(request)
        headers = [("Contact", str(contact)) for contact in request.contacts]
        headers.append(("Expires", str(request.expires)))
        if self.service_route:
            headers.append(("Service-Route", self.service_route))
        if self.register_status >= 300:
            headers += self.refusal_headers
        self._ua.respond(incoming, self.register_status, headers=headers, now=self._now())

    def _ring(self, dialog: InviteDialog, request: SipRequest) -> None:
        refusal = self._challenge(request, "proxy-authorization", "Proxy-Authenticate")
        if refusal:
            dialog.reject(407, headers=refusal, now=self._now())
            return
        self.invites.append(request)
        if self.invite_status != 200:
            dialog.reject(self.invite_status, headers=self.refusal_headers, now=self._now())
            return
        dialog.provisional(180, now=self._now())
        dialog.accept(sdp(free_port()), now=self._now())
        self.calls.append(dialog)

    def _challenge(self, request: SipRequest, header: str, name: str) -> list[tuple[str, str]]:
        if not self.accounts:
            return []

        def ha1_for(username: str, algorithm: str) -> str | None:
            password = self.accounts.get(username)
            return None if password is None else ha1(username, REALM, password, algorithm)  # type: ignore[arg-type]

        given = request.get(header)
        if given is not None:
            verdict = self._digest.verify(given, request.method, request.body, ha1_for, self._now())
            if verdict.outcome is DigestOutcome.OK:
                return []
        self.challenges += 1
        return [(name, value) for value in self._digest.challenges(self._now(), user_agent=None)]
