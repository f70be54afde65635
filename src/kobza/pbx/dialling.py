"""How an INVITE to a device or a trunk is addressed, and what it says of who calls (RFC 3323, 3325)."""

from collections.abc import Callable, Sequence
from typing import Final

from kobza.call.actions import InTurn
from kobza.call.forwarding import Diversion
from kobza.call.numbers import national
from kobza.call.routing import Identity
from kobza.call.trunk import Trunk
from kobza.pbx.diverting import diversion_headers
from kobza.sip import diversion as sip_diversion
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.invite import InviteDialog
from kobza.sip.location import NextHop
from kobza.sip.request import Credentials
from kobza.sip.uri import SipUri
from kobza.store.entries import Binding
from kobza.values import Value

ANONYMOUS: Final = NameAddr("Anonymous", SipUri("sip", user="anonymous", host="anonymous.invalid"))
"""From of a hidden caller (RFC 3323 4.1.1.3)."""

PRIVACY: Final = ("Privacy", "id")
"""Asks whoever passes the call on to keep the identity to itself (RFC 3325, section 9.3)."""

Flows = Callable[[Address, Transport, str], Flow]
"""Chooses the way of a first request to an address; the text is what the certificate there has to be for.

Raises ValueError when there is none."""


class DeviceTarget(Value, frozen=True):
    """A registered device of a number."""

    number: str
    binding: Binding

    @property
    def host(self) -> str:
        """The address that it is reached at."""
        return self.binding.remote_host

    @property
    def is_browser(self) -> bool:
        """Whether it takes media as browsers have it: its contact is reached over WebSocket (RFC 7118, section 5.2).

        The contact says so too where a proxy in front of us speaks WebSocket.
        """
        return self.binding.transport in ("WS", "WSS") or ";transport=ws" in self.binding.contact.lower()

    @property
    def is_private(self) -> bool:
        """Whether its signalling goes over TLS, to us or to a proxy in front of us, so that keys may be in it."""
        contact = self.binding.contact.lower()
        return self.binding.transport == "TLS" or contact.startswith("sips:") or ";transport=tls" in contact


class TrunkTarget(Value, frozen=True):
    """A number outside, by way of a trunk."""

    dial: str
    """E.164 with its plus sign, or a short code."""
    trunk: Trunk
    hop: NextHop
    diversions: tuple[Diversion, ...] = ()
    """The numbers that sent the call on to this one."""
    payer: str = ""
    """Whose call it is for the carrier (E.164), when that is not the caller's: of who forwarded it."""
    routes: tuple[str, ...] = ()
    """The way from there, as its registrar has said (RFC 3608)."""

    @property
    def host(self) -> str:
        """The address that it is reached at."""
        return self.hop.address[0]


class SeatTarget(Value, frozen=True):
    """No phone, but a seat in a mix: it answers at once."""


class TakenTarget(Value, frozen=True):
    """Somebody who is on the line already, in a call that gives the dialog away."""

    dialog: InviteDialog

    @property
    def is_browser(self) -> bool:
        """Whether it takes media as browsers have it."""
        return self.dialog.flow.transport in (Transport.WS, Transport.WSS)


OneTarget = DeviceTarget | TrunkTarget
Target = OneTarget | InTurn | TakenTarget | SeatTarget
"""What a call may ring: in turn are trunks that take the same number."""


class Invitation(Value, frozen=True):
    """An INVITE's addressing."""

    uri: str
    from_: NameAddr
    to: NameAddr
    flow: Flow
    route_set: Sequence[str] = ()
    headers: tuple[tuple[str, str], ...] = ()
    contact_user: str = ""
    credentials: Credentials | None = None
    """Answer a challenge."""


def invitation(
    target: OneTarget,
    shown: Identity,
    own_number: str,
    flows: Flows,
    diverted: Sequence[sip_diversion.Diversion] = (),
) -> Invitation:
    """Address an INVITE.

    `shown` is what the called side may learn, `own_number` (E.164) what the network behind a trusted trunk learns even
    then: it is asserted to carriers, who need it to bill and to trace, and never to phones or untrusted trunks
    (RFC 3325, sections 5 and 7). `diverted` is what the caller's INVITE said of diversions; a trunk that is told
    of ours is told of them too. Raises ValueError when no socket fits.
    """
    if isinstance(target, DeviceTarget):
        return _to_device(target, shown, flows)
    return _to_trunk(target, shown, target.payer or own_number, flows, diverted)


def _to_device(target: DeviceTarget, shown: Identity, flows: Flows) -> Invitation:
    binding = target.binding
    transport = Transport(binding.transport)
    remote = (binding.remote_host, binding.remote_port)
    if transport.reliable:
        flow = Flow(transport, (binding.local_host, binding.local_port), remote, binding.connection)
    else:
        flow = flows(remote, transport, "")
    host = flow.local[0]
    user = national(shown.number)
    return Invitation(
        uri=binding.contact,
        from_=ANONYMOUS if shown.restricted else NameAddr(shown.display_name, SipUri("sip", user=user, host=host)),
        to=NameAddr("", SipUri("sip", user=national(target.number), host=host)),
        flow=flow,
        route_set=binding.path,
        headers=(PRIVACY,) if shown.restricted else (),
        contact_user=national(shown.public_number),
    )


def _to_trunk(
    target: TrunkTarget,
    shown: Identity,
    own_number: str,
    flows: Flows,
    diverted: Sequence[sip_diversion.Diversion],
) -> Invitation:
    trunk = target.trunk
    flow = flows(target.hop.address, target.hop.transport, trunk.certified_name)
    host = trunk.domain or flow.local[0]
    called = trunk.called(target.dial).replace("#", "%23")  # RFC 3261, 19.1.2
    if trunk.domain is None:
        away = SipUri("sip", user=called, host=_uri_host(trunk.host), port=trunk.port, params=trunk.marks(called))
    else:
        away = SipUri("sip", user=called, host=trunk.domain, params=trunk.marks(called))
    asserted = f"<{_uri_of(own_number, trunk, host)}>"
    diversions = diversion_headers(target.diversions, diverted, away, trunk, host)
    headers = (("P-Asserted-Identity", asserted), *diversions) if trunk.trusted else diversions
    caller = NameAddr(shown.display_name, _uri_of(shown.number, trunk, host))
    return Invitation(
        uri=str(away),
        from_=ANONYMOUS if shown.restricted else caller,
        to=NameAddr("", away),
        flow=flow,
        route_set=target.routes,
        headers=(*headers, PRIVACY) if shown.restricted else headers,
        contact_user=trunk.username or trunk.written(shown.public_number),
        credentials=credentials_of(trunk),
    )


def credentials_of(trunk: Trunk) -> Credentials | None:
    """Return what answers a trunk's challenges."""
    return None if trunk.username is None else Credentials(trunk.username, trunk.password)


def _uri_of(number: str, trunk: Trunk, host: str) -> SipUri:
    """Return the URI of a number of ours, as a trunk is told it."""
    user = trunk.written(number)
    return SipUri("sip", user=user, host=host, params=trunk.marks(user))


def _uri_host(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")
