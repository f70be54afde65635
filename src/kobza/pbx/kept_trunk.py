"""One trunk that is looked after: asked whether it is there, registered at if it wants that."""

from collections.abc import Callable
from typing import Final

from kobza.call.trunk import Trunk
from kobza.net.endpoint import SipEndpoint
from kobza.pbx.dialling import credentials_of
from kobza.pbx.directory_view import DirectoryView
from kobza.sip.flow import Address, Flow, Transport, host_text
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipResponse
from kobza.sip.probe import Probe, Reach
from kobza.sip.registration import RegisterWanted, RegistrationClient, RegistrationState
from kobza.sip.request import ClientRequest
from kobza.sip.ua import UserAgent
from kobza.sip.uri import SipUri
from kobza.store.trunks import TrunkState

NO_WAY: Final = 503
"""Status of a request that could not even be sent."""


class KeptTrunk:
    """A trunk with what is known of it and the requests of ours that are under way. `work` does what is due."""

    def __init__(
        self,
        trunk: Trunk,
        *,
        ua: UserAgent,
        endpoint: SipEndpoint,
        view: DirectoryView,
        call_id: str,
        chance: Callable[[], float],
        now: float,
    ) -> None:
        """`call_id` is the Call-ID of the registration, `chance` gives numbers from 0 to 1."""
        self.trunk = trunk
        self._ua = ua
        self._endpoint = endpoint
        self._view = view
        self._call_id = call_id
        self._question: ClientRequest | None = None
        self._register: ClientRequest | None = None
        self._registered_at: Address | None = None
        """Where our contact is to be taken away, also when the trunk has other addresses by then, or none."""
        self.probe = Probe(trunk.options_every)
        self.probe.start(now)
        self.registration: RegistrationClient | None = None
        """None: it does not register."""
        if trunk.expires is not None:
            self.registration = RegistrationClient("", trunk.expires, chance=chance)
            self.registration.start(now)

    @property
    def deadline(self) -> float | None:
        """When `work` has something to do."""
        found = (self.probe, self.registration)
        return min((each.deadline for each in found if each and each.deadline is not None), default=None)

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
        if self.probe.state is Reach.DOWN:
            return False
        return self.registration is None or self.registration.is_registered(now)

    def state_at(self, now: float) -> TrunkState:
        """Return what to write down of it."""
        registration, detail = None, self.probe.detail
        if self.registration is not None:
            registered = self.registration.is_registered(now)
            registration = "registered" if registered else "failed" if self.registration.detail else "trying"
            detail = "; ".join(each for each in (detail, self.registration.detail) if each)
        return TrunkState(self.trunk.trunk_id, self.probe.state.value, registration, detail, int(now * 1000))

    def work(self, now: float) -> None:
        """Send what is due."""
        before = self.probe.state
        if self.probe.handle_timer(now):
            self._ask(now)
        self._note_reach(before, now)
        if self.registration is not None:
            self.registration.handle_timer(now)
            self._send_register(now)

    def stop(self, now: float) -> None:
        """Ask no more, and take our contact away."""
        self.probe.every, self.probe.deadline = 0, None
        if self.registration is not None:
            self.registration.stop(now)
            self._send_register(now)

    # what comes back

    def answered(self, request: ClientRequest, response: SipResponse, now: float) -> None:
        """Take the final response to a request of ours; one to an older request says nothing any more."""
        if request is self._question:
            self._question = None
            before = self.probe.state
            self.probe.answered(response.status, response.reason, now)
            self._note_reach(before, now)
        elif request is self._register and self.registration is not None:
            self._register = None
            self.registration.servers = max(1, len(self._view.addresses_of(self.trunk)))
            self.registration.answered(response, now)
            if self.registration.state is RegistrationState.REGISTERED:
                self._registered_at = request.flow.remote
                self._view.choose(self.trunk, request.flow.remote)
            self._send_register(now)

    def failed(self, request: ClientRequest, status: int, now: float) -> None:
        """Take that a request of ours gets no response."""
        if request is self._question:
            self._question = None
            before = self.probe.state
            self.probe.failed(status, now)
            self._note_reach(before, now)
        elif request is self._register:
            self._register_failed(status, now)

    # inside

    def _note_reach(self, before: Reach, now: float) -> None:
        """Go to the next address when this one has fallen silent."""
        if self.probe.state is not Reach.DOWN or before is Reach.DOWN:
            return
        if self.registration is not None:
            self.registration.servers = max(1, len(self._view.addresses_of(self.trunk)))
            self.registration.lose_server(now)
            self._send_register(now)
        else:
            self._choose_next()

    def _choose_next(self) -> None:
        addresses = list(self._view.addresses_of(self.trunk))
        current = self._view.address_of(self.trunk)
        if len(addresses) > 1 and current in addresses:
            self._view.choose(self.trunk, addresses[(addresses.index(current) + 1) % len(addresses)])

    def _ask(self, now: float) -> None:
        address = self._view.address_of(self.trunk)
        try:
            flow = self._flow(address)
        except ValueError:
            self.probe.failed(NO_WAY, now)
            return
        own = NameAddr("", SipUri("sip", user=self.trunk.username or "kobza", host=flow.local[0]))
        self._question = self._ua.request(
            "OPTIONS",
            str(self._server),
            from_=own,
            to=NameAddr("", self._server),
            flow=flow,
            headers=(("Accept", "application/sdp"),),
            now=now,
        )
        self._question.tag = self

    def _send_register(self, now: float) -> None:
        """Send the REGISTER that is wanted, if one is; a server that there is no way to has failed at once."""
        registration = self.registration
        while registration is not None and (wanted := registration.take_request()) is not None:
            addresses = self._view.addresses_of(self.trunk)
            address = addresses[wanted.server % len(addresses)] if addresses else None
            if not wanted.expires:
                address = self._registered_at or address
            try:
                self._register = self._request(registration, wanted, self._flow(address), now)
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
            self.registration.servers = max(1, len(self._view.addresses_of(self.trunk)))
            self.registration.failed(status, now)
            self._send_register(now)

    def _flow(self, address: Address | None) -> Flow:
        """Return the way to an address; ValueError when it is not known, or no socket has one."""
        if address is None:
            raise ValueError("its host name is unknown")
        return self._endpoint.flow_to(address, Transport(self.trunk.transport), self.trunk.certified_name)

    @property
    def _server(self) -> SipUri:
        host = self.trunk.host.removeprefix("[").removesuffix("]")
        return SipUri("sip", host=host, port=self.trunk.port)
