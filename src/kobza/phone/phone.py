"""The softphone: one number at one server, any number of calls."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from kobza.net.addresses import local_host_for, resolve
from kobza.net.clock import SteadyClock
from kobza.net.endpoint import SipEndpoint
from kobza.net.tls import Tls
from kobza.phone.agreement import Agreement
from kobza.phone.call import BUSY_HERE, Answering, CallFailed, CallState, Ending, PhoneCall, ending_from
from kobza.phone.events import Detail, OnEvent, PhoneEvent, What
from kobza.phone.recording import WavRecording
from kobza.phone.registration import Registration
from kobza.phone.sound import Sound
from kobza.phone.voice import Voice
from kobza.sdp.codecs import OWN_CODECS, Codec
from kobza.sip.dtmf_info import digit_of
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipMessage
from kobza.sip.refer import Replaces
from kobza.sip.request import Credentials, IncomingRequest
from kobza.sip.responses import reason_phrase
from kobza.sip.timers import Timers
from kobza.sip.ua import (
    InviteAnswered,
    InviteCancelled,
    InviteConfirmed,
    InviteEnded,
    InviteProgressed,
    InviteReceived,
    InviteRejected,
    MalformedReceived,
    OfferAnswered,
    OfferReceived,
    OfferRejected,
    RefreshDue,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
    SessionPolicy,
    SubscribeReceived,
    SubscriptionEnded,
    UaEvent,
    UserAgent,
)
from kobza.sip.uri import SipUri

log = logging.getLogger(__name__)

MAX_CALLS = 16
"""Calls at once; one more is answered 486."""
MAX_EVENTS = 10_000
"""Events kept for looking back; older ones are forgotten."""


class SoftPhone:
    """A phone. Use it as an asynchronous context manager: entering binds and registers, leaving hangs up and leaves.

    With a `password` it registers `number` at `server`. Without one it is an outside line: it accepts INVITEs for any
    number at `bind` and dials into `server` as whoever it is told. It answers `answer_after` seconds after the first
    ring, or rejects with the status `reject`; with neither it rings until its owner acts. What it hears goes to
    `record` (calls after the first get -2, -3 … before the suffix). A call that stood for `duration` seconds
    is hung up.
    """

    def __init__(
        self,
        number: str,
        server: Address,
        *,
        password: str | None = None,
        auth_user: str | None = None,
        display_name: str = "",
        transport: Transport = Transport.UDP,
        bind: Address | None = None,
        sound: Sound | None = None,
        codecs: tuple[Codec, ...] = OWN_CODECS,
        answer_after: float | None = None,
        reject: int | None = None,
        record: Path | None = None,
        duration: float | None = None,
        expires: int = 300,
        on_event: OnEvent = lambda _: None,
        now: Callable[[], float] | None = None,
        speed: float = 1.0,
        tls: Tls | None = None,
    ) -> None:
        """`speed` is how many seconds of `now` pass in one of the wall (see `kobza.net.clock`). `tls` is for TLS."""
        self.number = number
        self.server = server
        self.sound = sound or Sound.silence()
        self.answer_after = answer_after
        self.reject = reject
        self.duration = duration
        self.events: list[PhoneEvent] = []
        self.calls: list[PhoneCall] = []
        self.registration: Registration | None = None
        self._password = password
        self._auth_user = auth_user or number
        self._display_name = display_name
        self._transport = transport
        self._bind = bind
        self._codecs = codecs
        self._record = record
        self._expires = expires
        self._on_event = on_event
        self._now = now or SteadyClock().now
        self._speed = speed
        self.answering: Callable[[PhoneCall], Answering] | None = None
        """Decides about each incoming call in the place of `answer_after` and `reject`."""
        self._ua = UserAgent(
            new_token=lambda: secrets.token_hex(8),
            product="Kobza phone",
            timers=Timers().at_speed(speed),
            methods=("NOTIFY",),
            session=SessionPolicy(),
        )
        self._endpoint = SipEndpoint(self._ua, now=self._now, on_events=self._take, speed=speed, tls=tls)
        self.takes_info = True
        """Whether digits in INFO are heard; False: they are refused."""
        self._made_calls = 0
        self._arrival = asyncio.Event()
        self._flow: Flow | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        try:
            await self.start()
            if self.registration is not None:
                await self.registration.wait()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # what its owner does

    async def start(self) -> None:
        """Bind, and send the first REGISTER when there is a password. Raises `OSError`."""
        self._flow = await self._open(await resolve(*self.server))
        if self._password is not None:
            self.registration = Registration(
                self._ua,
                aor=self._address(self.number, self._display_name),
                registrar=f"sip:{_host(self.server[0])}:{self.server[1]}{self._uri_transport}",
                contact=f"sip:{self.number}@{_host(self.address[0])}:{self.address[1]}{self._uri_transport}",
                flow=self._flow,
                credentials=Credentials(self._auth_user, self._password),
                expires=self._expires,
                call_id=secrets.token_hex(12),
                emit=lambda what, details: self._emit(None, what, details),
                act=self._endpoint.pump,
                now=self._now,
                speed=self._speed,
            )
            self.registration.start()

    async def _open(self, remote: Address) -> Flow:
        """Bind; return the way to the server. Raises `OSError`."""
        host, port = self._bind or (local_host_for(remote[0]), 0)
        await self._endpoint.listen(self._transport, host, port)
        return self._endpoint.flow_to(remote, self._transport)

    @property
    def address(self) -> Address:
        """Where this phone takes calls; what belongs in a trunk's settings for an outside line."""
        return self._need_flow().local

    def dial(
        self,
        number: str,
        *,
        caller: str | None = None,
        display_name: str | None = None,
        replaces: Replaces | None = None,
    ) -> PhoneCall:
        """Call `number`. `caller` is who calls, the phone's own number by default. Wait on the call it returns.

        `replaces` names the dialog whose place the call is to take (RFC 3891).

        Raises `CallFailed` when too many calls are up, `OSError` when no port is free for the audio.
        """
        if len(self.calls) >= MAX_CALLS:
            raise CallFailed("too many calls at once")
        call, agreement = self._new_call(number, outgoing=True)
        name = self._display_name if display_name is None else display_name
        call.dialog = self._ua.invite(
            f"sip:{number}@{_host(self.server[0])}:{self.server[1]}{self._uri_transport}",
            from_=self._address(caller or self.number, name),
            to=self._address(number),
            flow=self._need_flow(),
            body=agreement.offer(),
            credentials=Credentials(self._auth_user, self._password) if self._password is not None else None,
            headers=() if replaces is None else (("Replaces", str(replaces)),),
            contact_user=self.number,
            now=self._now(),
        )
        call.dialog.tag = call
        self._emit(call, What.DIALLED, {"peer": number})
        self._endpoint.pump()
        return call

    async def incoming(self, within: float = 10.0) -> PhoneCall:
        """Wait for a call that rings here and was not answered yet; raises `TimeoutError`."""
        async with asyncio.timeout(within):
            while True:
                for call in self.calls:
                    if not call.outgoing and call.state is CallState.RINGING:
                        return call
                await self._arrival.wait()

    def hang_up(self) -> None:
        """End all calls."""
        for call in list(self.calls):
            call.hang_up()

    async def close(self, within: float = 3.0) -> None:
        """Hang up, un-REGISTER, free everything. Takes at most about `within` seconds twice when nobody answers."""
        if self._closing:
            return
        self._closing = True
        self.hang_up()
        if self.registration is not None:
            await self.registration.remove(within)
        # a call that was cancelled ends with its 487
        await asyncio.gather(*(call.ended(within) for call in self.calls), return_exceptions=True)
        for call in list(self.calls):
            call.end(Ending("me", None, None, "the phone was closed"))
        await self._endpoint.close()

    # events of the user agent

    def _take(self, events: list[UaEvent]) -> None:
        for event in events:
            self._take_one(event)

    def _told(self, incoming: IncomingRequest) -> int:
        """Hear the digit in an INFO; return the status to answer it."""
        call = None if incoming.dialog is None else incoming.dialog.tag
        try:
            digit = digit_of(incoming.request.content_type, incoming.request.body)
        except MalformedMessage as error:
            return error.sip_status
        if digit is not None and isinstance(call, PhoneCall):
            if not self.takes_info:
                return 415
            call.hear_digit(digit)
        return 200

    def _take_one(self, event: UaEvent) -> None:
        match event:
            case InviteReceived():
                self._invited(event)
            case RequestReceived(incoming=incoming):
                # OPTIONS asks whether we are here, NOTIFY tells what we need not know; no phone's business else
                known = incoming.request.method in ("OPTIONS", "NOTIFY")
                status = self._told(incoming) if incoming.request.method == "INFO" else 200 if known else 501
                self._ua.respond(incoming, status, now=self._now())
            case ResponseReceived(request=request, response=response):
                if isinstance(request.tag, PhoneCall):
                    request.tag.transfer_settled(response.status)
                elif self.registration is not None and self.registration.owns(request):
                    self.registration.answered(response)
            case RequestFailed(request=request, status=status):
                if isinstance(request.tag, PhoneCall):
                    request.tag.transfer_settled(status)
                elif self.registration is not None and self.registration.owns(request):
                    self.registration.failed(status, f"no answer from the server ({status})")
            case MalformedReceived(flow=flow, error=error):
                log.info("from %s:%s: %s", *flow.remote, error)
            case SubscribeReceived() | SubscriptionEnded():
                pass  # this phone takes no subscriptions
            case _:
                call = event.dialog.tag
                if isinstance(call, PhoneCall):
                    self._call_event(call, event)

    def _call_event(self, call: PhoneCall, event: UaEvent) -> None:
        match event:
            case InviteProgressed(status=status, response=response):
                call.progressed(status, response)
            case InviteAnswered(response=response):
                call.answered(response)
            case InviteConfirmed(request=request):
                call.confirmed(request.session)
            case OfferReceived(request=request):
                call.offered(request.session)
            case OfferAnswered(response=response):
                call.offer_settled(response.status, response.session)
            case OfferRejected(status=status):
                call.offer_settled(status, b"")
            case RefreshDue():
                call.refresh()
            case InviteRejected(status=status, response=response):
                text = f"{status} {response.reason if response is not None else reason_phrase(status)}"
                by = "peer" if response is not None else "network"
                self._ended(call, response, by=by, status=status, text=text)
            case InviteCancelled(request=request):
                self._ended(call, request, by="peer", status=487, text="cancelled by the caller")
            case InviteEnded(request=request, reason=reason):
                by = "peer" if request is not None else "network"
                self._ended(call, request, by=by, status=None, text="" if request is not None else reason)
            case _:
                pass

    def _invited(self, event: InviteReceived) -> None:
        dialog = event.dialog
        request = event.request
        if len(self.calls) >= MAX_CALLS or self._closing:
            dialog.reject(BUSY_HERE, now=self._now())
            return
        caller = request.from_
        try:
            call, _ = self._new_call(caller.uri.user or caller.uri.host, outgoing=False)
            call.dialled = request.uri.user
        except OSError:
            log.exception("no port for the audio of a call")
            dialog.reject(500, now=self._now())
            return
        call.dialog = dialog
        dialog.tag = call
        call.arrived()
        self._emit(call, What.ARRIVED, {"peer": call.peer, "name": caller.display_name, "dialled": request.uri.user})
        if call.state is not CallState.RINGING:  # its owner has acted in on_event
            return
        answering = self._answering(call)
        if answering.reject is not None and not answering.after:
            call.reject(answering.reject, answering.cause)
            return
        dialog.provisional(180, now=self._now())
        if answering.after is not None:
            wait = answering.after / self._speed
            call.timers.append(asyncio.get_running_loop().call_later(wait, self._act_on, call, answering))
        self._arrival.set()
        self._arrival = asyncio.Event()

    def _answering(self, call: PhoneCall) -> Answering:
        if self.answering is not None:
            return self.answering(call)
        if self.reject is not None:
            return Answering(0, self.reject)
        return Answering(self.answer_after)

    def _act_on(self, call: PhoneCall, answering: Answering) -> None:
        if call.state is not CallState.RINGING:
            return
        if answering.reject is not None:
            call.reject(answering.reject, answering.cause)
        else:
            call.answer()

    def _ended(self, call: PhoneCall, message: SipMessage | None, *, by: str, status: int | None, text: str) -> None:
        call.end(ending_from(message, by=by, status=status, text=text))

    # inside

    def _new_call(self, peer: str, *, outgoing: bool) -> tuple[PhoneCall, Agreement]:
        """Make a call with its voice; raises `OSError`."""
        self._made_calls += 1
        voice = Voice(self.address[0], self.sound, self._speed)
        if self._record is not None:
            path = self._record
            if self._made_calls > 1:
                path = path.with_stem(f"{path.stem}-{self._made_calls}")
            try:
                voice.recording = WavRecording(path)
            except OSError:
                voice.close()
                raise
        agreement = Agreement(secrets.randbits(48), voice.host, voice.port, self._codecs)
        call = PhoneCall(
            self._made_calls,
            peer=peer,
            outgoing=outgoing,
            voice=voice,
            agreement=agreement,
            duration=self.duration,
            emit=self._emit,
            act=self._endpoint.pump,
            now=self._now,
            speed=self._speed,
        )
        self.calls.append(call)
        return call, agreement

    def _emit(self, call: PhoneCall | None, what: What, details: dict[str, Detail]) -> None:
        event = PhoneEvent(self._now(), what, call.number if call is not None else None, details)
        if call is not None and what is What.ENDED and call in self.calls:
            self.calls.remove(call)
        if len(self.events) >= MAX_EVENTS:
            del self.events[: MAX_EVENTS // 10]
        self.events.append(event)
        self._on_event(event)

    def _address(self, number: str, display_name: str = "") -> NameAddr:
        return NameAddr(display_name, SipUri("sip", user=number, host=_bare(self.server[0])))

    def _need_flow(self) -> Flow:
        if self._flow is None:
            raise RuntimeError("the phone was not started")
        return self._flow

    @property
    def _uri_transport(self) -> str:
        return "" if self._transport is Transport.UDP else f";transport={self._transport.value.lower()}"


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")


def _host(host: str) -> str:
    """Return a host as it stands in a URI: IPv6 in brackets."""
    bare = _bare(host)
    return f"[{bare}]" if ":" in bare else bare
