"""What a softphone talks to in its tests: a user agent by script, and a small registrar."""

import asyncio
import secrets
import time
from types import TracebackType
from typing import Self, TypeVar

from kobza.net.endpoint import SipEndpoint
from kobza.sip.digest import DigestOutcome, DigestVerifier, ha1
from kobza.sip.flow import Address, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.invite import InviteDialog
from kobza.sip.ua import IncomingRequest, InviteReceived, RequestReceived, UaEvent, UserAgent
from kobza.sip.uri import SipUri
from tests.support.waiting import PATIENCE

Event = TypeVar("Event")


class Peer:
    """A user agent that does only what a test says. `events` are all it was told of and nobody took."""

    def __init__(self, transport: Transport = Transport.UDP) -> None:
        self.events: list[UaEvent] = []
        self.transport = transport
        self.ua = UserAgent(new_token=lambda: secrets.token_hex(8), methods=("REGISTER", "MESSAGE"))
        self.endpoint = SipEndpoint(self.ua, now=time.time, on_events=self._take)
        self.address: Address = ("", 0)
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.address = await self.endpoint.listen(self.transport, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.endpoint.close()

    async def event(self, kind: type[Event], within: float = PATIENCE) -> Event:
        """Wait for the next event of a kind and take it out."""
        async with asyncio.timeout(within):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        self.events.remove(event)
                        return event
                await self._changed.wait()

    def invite(self, to: Address, body: bytes) -> InviteDialog:
        """Call the phone at an address."""
        dialog = self.ua.invite(
            f"sip:100@{to[0]}:{to[1]}",
            from_=NameAddr("Peer", SipUri("sip", user="300", host="127.0.0.1")),
            to=NameAddr("", SipUri("sip", user="100", host="127.0.0.1")),
            flow=self.endpoint.flow_to(to, self.transport),
            body=body,
            now=time.time(),
        )
        self.endpoint.pump()
        return dialog

    def request(self, method: str, to: Address) -> None:
        """Send a request outside dialogs."""
        self.ua.request(
            method,
            f"sip:100@{to[0]}:{to[1]}",
            from_=NameAddr("", SipUri("sip", user="300", host="127.0.0.1")),
            to=NameAddr("", SipUri("sip", user="100", host="127.0.0.1")),
            flow=self.endpoint.flow_to(to, self.transport),
            now=time.time(),
        )
        self.endpoint.pump()

    def act(self) -> None:
        """Send what was done to a dialog."""
        self.endpoint.pump()

    def take(self, event: UaEvent) -> bool:
        """Treat an event at once; False leaves it to the test."""
        return False

    def _take(self, events: list[UaEvent]) -> None:
        self.events += [event for event in events if not self.take(event)]
        self._changed.set()
        self._changed = asyncio.Event()


class Registrar(Peer):
    """Registers `number` with `password`. `registers` are all REGISTERs with valid credentials, `plain` all others."""

    def __init__(self, number: str, password: str, transport: Transport = Transport.UDP) -> None:
        super().__init__(transport)
        self.number = number
        self.password = password
        self.granted = 60
        self.answers: list[tuple[int, list[tuple[str, str]]]] = []
        """What the next REGISTERs with valid credentials get in place of 200."""
        self.silent = False
        self.registers: list[IncomingRequest] = []
        self.challenged = 0
        self.calls: list[InviteDialog] = []
        self._verifier = DigestVerifier("kobza", b"k" * 32)

    def take(self, event: UaEvent) -> bool:
        if isinstance(event, InviteReceived):
            self.calls.append(event.dialog)
            return False
        if not isinstance(event, RequestReceived) or event.incoming.request.method != "REGISTER":
            return False
        if not self.silent:
            self._register(event.incoming)
        return True

    async def registered(self, count: int) -> list[IncomingRequest]:
        """Wait for so many REGISTERs with valid credentials."""
        async with asyncio.timeout(PATIENCE):
            while len(self.registers) < count:
                await self._changed.wait()
        return self.registers

    def _register(self, incoming: IncomingRequest) -> None:
        now = time.time()
        request = incoming.request
        verdict = self._verifier.verify(request.get("Authorization") or "", "REGISTER", b"", self._ha1, now)
        if verdict.outcome is not DigestOutcome.OK:
            self.challenged += 1
            challenges = [("WWW-Authenticate", text) for text in self._verifier.challenges(now, user_agent="")]
            self.ua.respond(incoming, 401, headers=challenges, now=now)
            return
        self.registers.append(incoming)
        status, headers = self.answers.pop(0) if self.answers else (200, [])
        if status == 200 and not headers:
            expires = int(request.get("Expires") or 0)
            if expires:
                headers = [("Contact", f"{request.get('Contact')};expires={min(expires, self.granted)}")]
        self.ua.respond(incoming, status, headers=headers, now=now)

    def _ha1(self, username: str, algorithm: str) -> str | None:
        if username != self.number:
            return None
        return ha1(username, "kobza", self.password, "MD5" if algorithm == "MD5" else "SHA-256")
