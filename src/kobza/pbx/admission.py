"""Admission: who calls, where the call goes, and what may be shown of the caller. Or why it goes nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from kobza.call.causes import CALL_REJECTED, TEMPORARY_FAILURE, reason_header
from kobza.call.directory import Directory, Subscriber, Trunk
from kobza.call.errors import NumberError
from kobza.call.events import Origin
from kobza.call.numbers import normalize
from kobza.call.routing import Identity, Party, Refused, ToSubscriber, ToTrunk, identity_of, party_of, route
from kobza.pbx.authenticator import Authenticator, Denied, Headers
from kobza.pbx.dialling import DeviceTarget, Target, TrunkTarget
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.locations import Locations
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.headers import parse_name_addr_list
from kobza.sip.message import SipRequest

HIDDEN = ("", "anonymous", "unknown", "restricted")
"""What stands in the place of a number that a caller hides, in lower case."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may begin."""

    caller: Party
    callee: Party
    dialled: str
    origin: Origin
    identity: Identity
    """What the called side may learn of the caller."""
    targets: Sequence[Target]
    """Where the called side is reached now; none: nowhere."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A call that may not: the response, and for the books who called whom, once the caller was known."""

    status: int
    headers: Headers
    detail: str
    refused: tuple[Party, Party, str, Origin, int] | None = None
    """Caller, called, as dialled, origin, cause."""


class Admission:
    """Decides about calls by the newest directory."""

    def __init__(self, view: DirectoryView, locations: Locations, authenticator: Authenticator) -> None:
        self._view = view
        self._locations = locations
        self._authenticator = authenticator

    def admit(self, request: SipRequest, flow: Flow, now: float) -> Admitted | Turned:
        """Decide about an INVITE."""
        directory = self._view.snapshot
        trunk = self._view.trunk_at(flow.transport, flow.remote)
        if trunk is not None:
            caller, identity = _from_outside(request)
            return self._decide(request, directory, caller, identity, "trunk", now)
        subscriber = self._authenticator.check(request, directory, now, asked_by="proxy")
        if isinstance(subscriber, Denied):
            reason: Headers = ()
            if subscriber.detail:
                reason = (("Reason", reason_header(CALL_REJECTED)),)
            return Turned(subscriber.status, (*subscriber.headers, *reason), subscriber.detail)
        return self._decide(request, directory, party_of(subscriber), identity_of(subscriber, now), "phone", now)

    def targets_of(self, subscriber: Subscriber, now: float) -> list[Target]:
        """Return the devices of a number."""
        number = subscriber.number
        return [DeviceTarget(number, binding) for binding in self._locations.of(number, now)]

    def targets_by(self, trunk: Trunk, dial: str) -> list[Target]:
        """Return the way to a number outside; none while the trunk's address is unknown."""
        address = self._view.address_of(trunk)
        return [] if address is None else [TrunkTarget(dial, trunk, address)]

    def _decide(
        self, request: SipRequest, directory: Directory, caller: Party, identity: Identity, origin: Origin, now: float
    ) -> Admitted | Turned:
        dialled = request.uri.unescaped_user
        where = route(directory, dialled, caller=caller, now=now)
        match where:
            case ToSubscriber(subscriber, party):
                targets = self.targets_of(subscriber, now)
                return Admitted(caller, party, dialled, origin, identity, targets)
            case ToTrunk(trunk, dial, party):
                targets = self.targets_by(trunk, dial)
                if not targets:
                    text = f"the address of trunk {trunk.name} is unknown"
                    return _turned(503, TEMPORARY_FAILURE, text, caller, party, dialled, origin)
                return Admitted(caller, party, dialled, origin, identity, targets)
            case Refused(status, cause, text):
                return _turned(status, cause, text, caller, _called(directory, dialled), dialled, origin)


def _turned(status: int, cause: int, detail: str, caller: Party, callee: Party, dialled: str, origin: Origin) -> Turned:
    headers = (("Reason", reason_header(cause)),)
    return Turned(status, headers, detail, (caller, callee, dialled, origin, cause))


def _called(directory: Directory, dialled: str) -> Party:
    """Return whom a refused call was for, as well as it can be known."""
    try:
        number = normalize(dialled)
    except NumberError:
        return Party(dialled[:64])
    subscriber = directory.subscribers.get(number)
    return Party(number) if subscriber is None else party_of(subscriber)


def _from_outside(request: SipRequest) -> tuple[Party, Identity]:
    """Read who calls from a trunk: P-Asserted-Identity if it tells (we trust trunks, RFC 3325), else From."""
    number = _number_in(request.from_.uri.unescaped_user)
    name = request.from_.display_name
    private = any("id" in value.lower() or "header" in value.lower() for value in request.get_all("privacy"))
    hidden = number.lower() in HIDDEN
    if hidden or private:
        for value in request.get_all("p-asserted-identity"):
            try:
                asserted = parse_name_addr_list(value)[0]
            except (MalformedMessage, IndexError):
                continue
            number = _number_in(asserted.uri.unescaped_user) or number
            break
    restricted = hidden or private
    shown = Identity(number, "" if restricted else name, restricted)
    return Party("anonymous" if number.lower() in HIDDEN else number, display_name=name), shown


def _number_in(user: str) -> str:
    """Return a caller's number in our form, or as it came when it is no number that can be dialled."""
    try:
        return normalize(user)
    except NumberError:
        return user[:64]
