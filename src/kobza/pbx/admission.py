"""Admission: who calls, where the call goes, and what may be shown of the caller. Or why it goes nowhere."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from kobza.call.causes import CALL_REJECTED, TEMPORARY_FAILURE, reason_header
from kobza.call.directory import Directory, Subscriber, Trunk
from kobza.call.errors import NumberError
from kobza.call.events import Origin
from kobza.call.numbers import normalize
from kobza.call.routing import ANONYMOUS, Identity, Party, Refused, ToSubscriber, ToTrunk, identity_of, party_of, route
from kobza.pbx.authenticator import Authenticator, Denied, Headers
from kobza.pbx.dialling import DeviceTarget, Target, TrunkTarget
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.locations import Locations
from kobza.sip.flow import Flow
from kobza.sip.message import SipRequest
from kobza.values import Value

HIDDEN = ("", "anonymous", "unknown", "restricted")
"""What stands in the place of a number that a caller hides, in lower case."""


PRIVATE = ("id", "header", "user")
"""Kinds of privacy that keep a caller's number from the called side; the others do not touch it."""


class Admitted(Value, frozen=True):
    """A call that may begin."""

    caller: Party
    callee: Party
    dialled: str
    origin: Origin
    identity: Identity
    """What the called side may learn of the caller."""
    targets: Sequence[Target]
    """Where the called side is reached now; none: nowhere."""
    trunk: str | None = None
    """The name of the trunk that it came by."""
    identified_at: float | None = None
    """When it was known who calls; None: nobody asked."""


class Turned(Value, frozen=True):
    """A call that may not: the response, and for the books who called whom, once the caller was known."""

    status: int
    headers: Headers
    detail: str
    refused: tuple[Party, Party, str, Origin, int] | None = None
    """Caller, called, as dialled, origin, cause."""
    trunk: str | None = None
    """The name of the trunk that it came by."""
    identified_at: float | None = None


class Admission:
    """Decides about calls by the newest directory."""

    def __init__(
        self,
        view: DirectoryView,
        locations: Locations,
        authenticator: Authenticator,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock` gives the moment to who watches how long each step takes; None: nobody does."""
        self._clock = clock
        self._view = view
        self._locations = locations
        self._authenticator = authenticator

    def admit(self, request: SipRequest, flow: Flow, now: float) -> Admitted | Turned:
        """Decide about an INVITE."""
        directory = self._view.snapshot
        trunk = self._view.trunk_at(flow.transport, flow.remote)
        if trunk is not None:
            identity = _from_outside(request)
            caller = Party(identity.public_number, display_name=identity.display_name)
            return self._decide(request, directory, caller, identity, "trunk", now, trunk.name)
        subscriber = self._authenticator.check(request, directory, now, asked_by="proxy")
        if isinstance(subscriber, Denied):
            reason: Headers = ()
            if subscriber.detail:
                reason = (("Reason", reason_header(CALL_REJECTED)),)
            return Turned(subscriber.status, (*subscriber.headers, *reason), subscriber.detail)
        identity = identity_of(subscriber, now)
        if _is_private(request):
            identity = replace(identity, restricted=True)
        return self._decide(request, directory, party_of(subscriber, identity), identity, "phone", now)

    def targets_of(self, subscriber: Subscriber, now: float) -> list[Target]:
        """Return the devices of a number."""
        number = subscriber.number
        return [DeviceTarget(number, binding) for binding in self._locations.of(number, now)]

    def find(self, dialled: str, caller: Party, now: float) -> Sequence[Target] | Refused:
        """Return where what a caller dialled is reached at this moment (none: nowhere), or why it may not be."""
        match route(self._view.snapshot, dialled, caller=caller, now=now):
            case ToSubscriber(subscriber):
                return self.targets_of(subscriber, now)
            case ToTrunk(trunk, dial):
                text = f"the address of trunk {trunk.name} is unknown"
                return self.targets_by(trunk, dial) or Refused(503, TEMPORARY_FAILURE, text)
            case refused:
                return refused

    def targets_by(self, trunk: Trunk, dial: str) -> list[Target]:
        """Return the way to a number outside; none while the trunk's address is unknown."""
        address = self._view.address_of(trunk)
        return [] if address is None else [TrunkTarget(dial, trunk, address)]

    def _decide(
        self,
        request: SipRequest,
        directory: Directory,
        caller: Party,
        identity: Identity,
        origin: Origin,
        now: float,
        trunk: str | None = None,
    ) -> Admitted | Turned:
        identified_at = None if self._clock is None else self._clock()
        dialled = request.uri.unescaped_user
        callee = called(directory, dialled)
        found = self.find(dialled, caller, now)
        if isinstance(found, Refused):
            headers = (("Reason", reason_header(found.cause)),)
            return Turned(
                found.status, headers, found.text, (caller, callee, dialled, origin, found.cause), trunk, identified_at
            )
        return Admitted(caller, callee, dialled, origin, identity, found, trunk, identified_at)


def called(directory: Directory, dialled: str) -> Party:
    """Return whom a call is for, as well as it can be known: what was dialled may be no number."""
    try:
        number = normalize(dialled)
    except NumberError:
        return Party(dialled[:64])
    subscriber = directory.subscribers.get(number)
    return Party(number) if subscriber is None else party_of(subscriber)


def _from_outside(request: SipRequest) -> Identity:
    """Read who calls from a trunk: what From says.

    A caller who hides (From is anonymous, or Privacy asks for it) stays unknown to phones, call states and history
    alike, also when the carrier tells us in P-Asserted-Identity who it is: none of them belongs to the trust domain in
    which that may be passed on (RFC 3325, section 7).
    """
    number = _number_in(request.from_.uri.unescaped_user)
    if _is_private(request) or number.lower() in HIDDEN:
        return Identity(ANONYMOUS, "", restricted=True)
    return Identity(number, request.from_.display_name, restricted=False)


def _is_private(request: SipRequest) -> bool:
    """Tell whether the caller asks to stay unknown (RFC 3323, section 4.2; RFC 3325, section 9.3)."""
    asked = {each.strip().lower() for value in request.get_all("privacy") for each in value.split(";")}
    return not asked.isdisjoint(PRIVATE)


def _number_in(user: str) -> str:
    """Return a caller's number in our form, or as it came when it is no number that can be dialled."""
    try:
        return normalize(user)
    except NumberError:
        return user[:64]
