"""One trunk that is looked after: asked whether it is there, registered at if it wants that."""

from collections.abc import Callable
from typing import Final

from kobza.call.trunk import Trunk
from kobza.net.endpoint import SipEndpoint
from kobza.pbx.asked_hops import NO_WAY, AskedHops
from kobza.pbx.dialling import credentials_of
from kobza.pbx.trunk_hops import LONGEST_REST, TrunkHops
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow, Transport, host_text
from kobza.sip.headers import NameAddr
from kobza.sip.location import NextHop
from kobza.sip.message import SipResponse
from kobza.sip.probe import Reach
from kobza.sip.registration import RegisterWanted, RegistrationClient, RegistrationState
from kobza.sip.request import ClientRequest
from kobza.sip.ua import UserAgent
from kobza.sip.uri import SipUri
from kobza.store.trunks import RESTING, TrunkState

SERVICE_UNAVAILABLE: Final = 503


class KeptTrunk:
    """A trunk with what is known of it and the requests of ours that are under way. `work` does what is due."""

    def __init__(
        self,
        trunk: Trunk,
        *,
        ua: UserAgent,
        endpoint: SipEndpoint,
        hops: TrunkHops,
        call_id: str,
        chance: Callable[[], float],
        now: float,
    ) -> None:
        """`call_id` is the Call-ID of the registration, `chance` gives numbers from 0 to 1."""
        self.trunk = trunk
        self._ua = ua
        self._endpoint = endpoint
        self._hops = hops
        self._call_id = call_id
        self._register: ClientRequest | None = None
        self._registered_at: NextHop | None = None
        """Where our contact is to be taken away, also when the trunk has other hops by then, or none."""
        self._rests: dict[NextHop, tuple[float, str]] = {}
        """The hops that want no calls now: until when, and how that is told."""
        self._asked = AskedHops(trunk.options_every, self._ask, self._reach_changed)
        self._asked.follow(hops.all(trunk), now)
        self.registration: RegistrationClient | None = None
        """None: it does not register."""
        if trunk.expires is not None:
            self.registration = RegistrationClient("", trunk.expires, chance=chance)
            if hops.all(trunk):
                self.registration.start(now)

    @property
    def deadline(self) -> float | None:
        """When `work` has something to do."""
        found = (self._asked, self.registration)
        due = [each.deadline for each in found if each and each.deadline is not None]
        return min([*due, *(until for until, _ in self._rests.values())], default=None)

    @property
    def registers(self) -> bool:
        """Whether we are to be registered there."""
        return self.registration is not None

    def is_registered(self, now: float) -> bool:
        """Tell whether we are registered there."""
        return self.registration is not None and self.registration.is_registered(now)

    @property
    def is_leaving(self) -> bool:
        """Whether an un-REGISTER is under way."""
        return self.registration is not None and self.registration.state is RegistrationState.LEAVING

    def is_usable(self, now: float) -> bool:
        """Tell whether a call may go out by it with any hope."""
        if self.reach is Reach.DOWN:
            return False
        return self.registration is None or self.registration.is_registered(now)

    @property
    def reach(self) -> Reach:
        """What is known of it: up when any of its hops is; down when its name leads nowhere."""
        if not self._hops.all(self.trunk):
            return Reach.DOWN if self._hops.problem_of(self.trunk) else Reach.UNKNOWN
        return self._asked.reach

    def state_at(self, now: float) -> TrunkState:
        """Return what to write down of it."""
        registration, detail = None, self._hops.problem_of(self.trunk) or self._asked.detail
        state = self.reach.value
        if self._rests:
            detail = "; ".join(each for each in (detail, *(told for _, told in self._rests.values())) if each)
            if self.reach is not Reach.DOWN and self._rests.keys() >= set(self._hops.all(self.trunk)):
                state = RESTING
        if self.registration is not None:
            registered = self.registration.is_registered(now)
            registration = "registered" if registered else "failed" if self.registration.detail else "trying"
            detail = "; ".join(each for each in (detail, self.registration.detail) if each)
        return TrunkState(self.trunk.trunk_id, state, registration, detail, int(now * 1000))

    def work(self, now: float) -> None:
        """Send what is due."""
        self._rests = {hop: rest for hop, rest in self._rests.items() if rest[0] > now}
        self._asked.work(now)
        if self.registration is not None:
            self.registration.handle_timer(now)
            self._send_register(now)

    def stop(self, now: float) -> None:
        """Ask no more, and take our contact away."""
        self._asked.stop()
        if self.registration is not None:
            self.registration.stop(now)
            self._send_register(now)

    def hops_changed(self, now: float) -> None:
        """Take that its name may lead elsewhere now; it registers from the moment on at which it leads anywhere."""
        hops = self._hops.all(self.trunk)
        if hops and not self._asked and self.registration is not None:
            self.registration.start(now)
            self.registration.retry(now)
            self._send_register(now)
        self._asked.follow(hops, now)

    def suspect(self, hop: NextHop, now: float) -> None:
        """Take that a call by a hop failed: ask at once whether it is there."""
        self._asked.suspect(hop, now)

    def rest(self, hop: NextHop, response: SipResponse, now: float) -> None:
        """Leave a hop alone that has answered 503, for as long as it says with it (RFC 3261, 21.5.4), if it does."""
        asked = response.retry_after
        if response.status != SERVICE_UNAVAILABLE or not asked or hop not in self._hops.all(self.trunk):
            return
        seconds = min(asked, LONGEST_REST)
        self._hops.rest(self.trunk, hop, seconds)
        told = f"it wants no calls for {seconds:g} s (503 with Retry-After)"
        if len(self._hops.all(self.trunk)) > 1:
            host, port = hop.address
            told = f"{host_text(host)}:{port}: {told}"
        self._rests[hop] = (now + seconds, told)

    # what comes back

    def answered(self, request: ClientRequest, response: SipResponse, now: float) -> None:
        """Take the final response to a request of ours; one to an older request says nothing any more."""
        if self._asked.answered(request, response, now):
            return
        if request is self._register and self.registration is not None:
            self._register = None
            self.rest(NextHop(request.flow.transport, request.flow.remote), response, now)
            self.registration.servers = max(1, len(self._hops.all(self.trunk)))
            self.registration.answered(response, now)
            if self.registration.state is RegistrationState.REGISTERED:
                self._registered_at = NextHop(request.flow.transport, request.flow.remote)
                self._hops.choose(self.trunk, self._registered_at, _service_routes(response))
            self._send_register(now)

    def failed(self, request: ClientRequest, status: int, now: float) -> None:
        """Take that a request of ours gets no response."""
        if not self._asked.failed(request, status, now) and request is self._register:
            self._register_failed(status, now)

    # inside

    def _reach_changed(self, hop: NextHop, down: bool, now: float) -> None:
        """Let calls know, and register elsewhere when it is where we are registered."""
        self._hops.mark(self.trunk, hop, down=down)
        if down and self.registration is not None and hop == self._registered_at:
            self.registration.servers = max(1, len(self._hops.all(self.trunk)))
            self.registration.lose_server(now)
            self._send_register(now)

    def _ask(self, hop: NextHop, now: float) -> ClientRequest:
        flow = self._flow(hop)
        own = NameAddr("", SipUri("sip", user=self.trunk.username or "kobza", host=flow.local[0]))
        question = self._ua.request(
            "OPTIONS",
            str(self._server),
            from_=own,
            to=NameAddr("", self._server),
            flow=flow,
            headers=(("Accept", "application/sdp"),),
            now=now,
        )
        question.tag = self
        return question

    def _send_register(self, now: float) -> None:
        """Send the REGISTER that is wanted, if one is; a server that there is no way to has failed at once."""
        registration = self.registration
        while registration is not None and (wanted := registration.take_request()) is not None:
            hops = self._hops.all(self.trunk)
            hop = hops[wanted.server % len(hops)] if hops else None
            if not wanted.expires:
                hop = self._registered_at or hop
            try:
                self._register = self._request(registration, wanted, self._flow(hop), now)
            except ValueError:
                self._register_failed(NO_WAY, now)

    def _request(
        self, registration: RegistrationClient, wanted: RegisterWanted, flow: Flow, now: float
    ) -> ClientRequest:
        trunk = self.trunk
        user = trunk.username or ""
        host, port = flow.local
        transport = "" if flow.transport is Transport.UDP else f";transport={flow.transport.uri_name}"
        account = NameAddr("", SipUri("sip", user=user, host=trunk.domain or self._server.host))
        contact = str(SipUri("sip", user=user, host=host, port=port)) + transport
        registration.contact = contact
        request = self._ua.request(
            "REGISTER",
            str(SipUri("sip", host=trunk.domain) if trunk.domain else self._server),
            from_=account,
            to=account,
            flow=flow,
            headers=(("Contact", f"<{contact}>"), ("Expires", str(wanted.expires))),
            call_id=f"{self._call_id}@{host_text(host)}",
            cseq=wanted.cseq,
            credentials=credentials_of(trunk),
            now=now,
        )
        request.tag = self
        return request

    def _register_failed(self, status: int, now: float) -> None:
        self._register = None
        if self.registration is not None:
            self.registration.servers = max(1, len(self._hops.all(self.trunk)))
            self.registration.failed(status, now)
            self._send_register(now)

    def _flow(self, hop: NextHop | None) -> Flow:
        """Return the way to a hop; ValueError when none is known, or no socket has one."""
        if hop is None:
            raise ValueError("its host name is unknown")
        return self._endpoint.flow_to(hop.address, hop.transport, self.trunk.certified_name)

    @property
    def _server(self) -> SipUri:
        host = self.trunk.host.removeprefix("[").removesuffix("]")
        return SipUri("sip", host=host, port=self.trunk.port)


def _service_routes(response: SipResponse) -> tuple[str, ...]:
    """Return the way that a registrar wants our calls to take (RFC 3608); none where it cannot be read."""
    try:
        return tuple(str(route) for route in response.service_routes)
    except MalformedMessage:
        return ()
