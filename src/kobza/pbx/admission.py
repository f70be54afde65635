"""Admission: who calls, where the call goes, and what may be shown of the caller. Or why it goes nowhere."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from kobza.call import forwarding as call
from kobza.call.actions import InTurn, Servers
from kobza.call.causes import CALL_REJECTED, NO_CIRCUIT, reason_header
from kobza.call.directory import Directory, Subscriber
from kobza.call.errors import NumberError
from kobza.call.events import Origin
from kobza.call.group import group_key
from kobza.call.numbers import normalize
from kobza.call.reach import Reach
from kobza.call.routing import ANONYMOUS, Identity, Party, Refused, identity_of, party_of, party_of_group
from kobza.call.step import Onward, Step
from kobza.call.trunk import CallerIn, Trunk
from kobza.pbx.authenticator import Authenticator, Denied, Headers
from kobza.pbx.dialling import DeviceTarget, Target, TrunkTarget
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.diverting import diverted_before, numbers_before
from kobza.pbx.locations import Locations
from kobza.pbx.place_wanted import WantsPlace, place_wanted
from kobza.pbx.presence import Presence
from kobza.pbx.trunk_lines import TrunkLines
from kobza.sip.diversion import Diversion
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipRequest
from kobza.values import Value

ORIGIN_PHONE: Final[Origin] = "phone"
ORIGIN_TRUNK: Final[Origin] = "trunk"
HIDDEN = ("", "anonymous", "unknown", "restricted")
"""What stands in the place of a number that a caller hides, in lower case."""
HIDDEN_HOST = "anonymous.invalid"
"""What stands behind it (RFC 3323, section 4.1.1.3), whatever the user part is."""


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
    first: Step
    """Who rings first."""
    onward: Onward
    """Who is called when those do not answer."""
    trunk: Trunk | None = None
    """The trunk that it came by."""
    identified_at: float | None = None
    """When it was known who calls; None: nobody asked."""
    diverted: tuple[Diversion, ...] = ()
    """What the INVITE says of diversions before it came here; it ends circles, and is passed on."""


class Turned(Value, frozen=True):
    """A call that may not: the response, and for the books who called whom, once the caller was known."""

    status: int
    headers: Headers
    detail: str
    refused: tuple[Party, Party, str, Origin, int] | None = None
    """Caller, called, as dialled, origin, cause."""
    trunk: Trunk | None = None
    """The trunk that it came by."""
    identified_at: float | None = None


class Admission:
    """Decides about calls by the newest directory."""

    def __init__(
        self,
        view: DirectoryView,
        locations: Locations,
        authenticator: Authenticator,
        *,
        presence: Presence | None = None,
        lines: TrunkLines | None = None,
        usable: Callable[[Trunk], bool] = lambda _trunk: True,
        clock: Callable[[], float] | None = None,
        pickup_code: str = "",
    ) -> None:
        """`presence` knows who is in a call (None: nobody is), `lines` how full trunks are.

        `usable` tells whether a trunk answers and is registered, `clock` gives the moment to who watches how long each
        step takes; None: nobody does. `pickup_code` is what phones dial to pick up what rings elsewhere; "": nothing.
        """
        self._pickup_code = pickup_code
        self._presence = presence
        self._lines = TrunkLines() if lines is None else lines
        self._usable = usable
        self._clock = clock
        self._view = view
        self._locations = locations
        self._authenticator = authenticator

    def admit(self, request: SipRequest, flow: Flow, now: float) -> Admitted | Turned | WantsPlace:
        """Decide about an INVITE."""
        try:
            wanted = place_wanted(request, self._pickup_code)
        except MalformedMessage as error:
            return Turned(400, (), f"{error.where}: {error.what}")
        directory = self._view.snapshot
        found = self._who(request, flow, directory, now)
        if isinstance(found, Turned):
            return found
        if wanted is not None and (wanted.replaces is not None or isinstance(found, Subscriber)):
            return WantsPlace(found, wanted)
        if isinstance(found, Trunk):
            return self._by_trunk(found, request, directory, now)
        identity = identity_of(found, now)
        if _is_private(request):
            identity = replace(identity, restricted=True)
        dialled, caller = request.uri.dialled, party_of(found, identity)
        if not found.makes_call(self.calls_of(found.number)):
            text = f"{found.number} has {found.max_calls} calls already, as many as it may"
            refused = (caller, called(directory, dialled, caller.enterprise_id), dialled, ORIGIN_PHONE, CALL_REJECTED)
            return Turned(403, (("Reason", reason_header(CALL_REJECTED)),), text, refused)
        return self._decide(dialled, directory, caller, identity, ORIGIN_PHONE, now)

    def _who(self, request: SipRequest, flow: Flow, directory: Directory, now: float) -> Subscriber | Trunk | Turned:
        """Return whose an INVITE is, or what to answer to whoever has not proved it."""
        via, own_port = request.sent_by, None
        # A phone behind the same router says the address and port that it has there.
        if via.host == flow.remote[0]:
            own_port = via.port or flow.transport.default_port
        trunk = self._view.hops.trunk_at(flow.transport, flow.remote, own_port)
        if trunk is not None:
            return trunk
        found = self._authenticator.check_caller(request, flow, directory, now)
        if isinstance(found, Denied):
            reason: Headers = ()
            if found.detail:
                reason = (("Reason", reason_header(CALL_REJECTED)),)
            return Turned(found.status, (*found.headers, *reason), found.detail)
        return found

    @property
    def directory(self) -> Directory:
        """The newest one."""
        return self._view.snapshot

    def devices_of(self, subscriber: Subscriber, now: float) -> list[Target]:
        """Return the devices of a number."""
        number = subscriber.number
        return [DeviceTarget(number, binding) for binding in self._locations.of(number, now)]

    def phones_of(self, subscriber: Subscriber, now: float) -> list[Target]:
        """Return the devices of a number and the way to the mobile phone beside them, at the number's expense."""
        devices = self.devices_of(subscriber, now)
        mobile, directory = subscriber.mobile, self._view.snapshot
        if mobile is None or mobile in directory.subscribers:
            return devices
        return [*devices, *self.targets_by(directory.trunks_for(mobile), mobile, (), subscriber.number)]

    def is_busy(self, number: str) -> bool:
        """Tell whether a number is in a call, or alerting."""
        return self._presence is not None and self._presence.is_busy(number)

    def calls_of(self, number: str) -> int:
        """Return how many calls a number has, alerting or not."""
        return 0 if self._presence is None else self._presence.calls_of(number)

    def idle_since(self, number: str) -> float:
        """Return when the last call of a number was over; minus infinity: it had none since the server started."""
        return -math.inf if self._presence is None else self._presence.idle_since(number)

    def reach(self, dialled: str, caller: Party, before: Sequence[str] = ()) -> Reach:
        """Return the way of a call to what a caller dialled; `before` are the numbers that have sent it on already."""
        return Reach(self, dialled, caller, before)

    def targets_by(
        self, trunks: Sequence[Trunk], dial: str, diversions: Sequence[call.Diversion] = (), payer: str = ""
    ) -> list[Target]:
        """Return the way to a number outside; none while no trunk's address is known.

        `diversions` are the numbers that sent the call on, and the last of them is the `payer`: it is its call.
        Trunks that cannot be used now come last: what was seen of them may be over, and without another one a call
        that is tried is better than one that is not. For the same reason those that want no calls for a while are tried
        when all that can be used have failed.
        """
        if len(trunks) > 1:
            rests = self._view.hops.rests
            trunks = sorted(trunks, key=lambda trunk: (not self._usable(trunk), rests(trunk)))
        found: list[TrunkTarget | Servers] = []
        for trunk in trunks:
            hops = self._view.hops.for_call(trunk)
            targets = tuple(
                TrunkTarget(dial, trunk, hop, tuple(diversions), payer, self._view.hops.routes(trunk, hop))
                for hop in hops
            )
            if targets:
                found.append(targets[0] if len(targets) == 1 else Servers(targets))
        if len(found) == 1 and isinstance(found[0], TrunkTarget):
            return [found[0]]
        return [InTurn(tuple(found))] if found else []

    def _by_trunk(self, trunk: Trunk, request: SipRequest, directory: Directory, now: float) -> Admitted | Turned:
        identity = _from_outside(request, trunk)
        caller = Party(identity.public_number, display_name=identity.display_name)
        dialled = trunk.read(request.uri.dialled)
        if dialled == trunk.username and called(directory, dialled).enterprise_id is None:
            dialled = trunk.read(request.to.uri.dialled)  # it calls our contact, as it was registered
        if not self._lines.has_room(trunk):
            text = f"trunk {trunk.name} carries {trunk.capacity} calls already"
            refused = (caller, called(directory, dialled), dialled, ORIGIN_TRUNK, NO_CIRCUIT)
            return Turned(503, (("Reason", reason_header(NO_CIRCUIT)),), text, refused, trunk)
        return self._decide(dialled, directory, caller, identity, ORIGIN_TRUNK, now, trunk, diverted_before(request))

    def _decide(
        self,
        dialled: str,
        directory: Directory,
        caller: Party,
        identity: Identity,
        origin: Origin,
        now: float,
        trunk: Trunk | None = None,
        diverted: tuple[Diversion, ...] = (),
    ) -> Admitted | Turned:
        identified_at = None if self._clock is None else self._clock()
        callee = called(directory, dialled, caller.enterprise_id)
        reach = self.reach(dialled, caller, () if trunk is None else numbers_before(diverted, trunk))
        found = reach.first(now)
        if isinstance(found, Refused):
            return Turned(
                found.status,
                _why(found, now),
                found.text,
                (caller, callee, dialled, origin, found.cause),
                trunk,
                identified_at,
            )
        return Admitted(caller, callee, dialled, origin, identity, found, reach.after, trunk, identified_at, diverted)


def _why(refused: Refused, now: float) -> Headers:
    """Return what the caller is told beside the status: the cause, and when to call again (RFC 3261, 20.33)."""
    reason = (("Reason", reason_header(refused.cause)),)
    if refused.again_at is None:
        return reason
    return (*reason, ("Retry-After", str(math.ceil(max(0.0, refused.again_at - now)))))


def called(directory: Directory, dialled: str, enterprise_id: str | None = None) -> Party:
    """Return whom a call is for, as well as it can be known: what was dialled may be no number.

    `enterprise_id` is whose short codes are meant: the caller's.
    """
    try:
        number = normalize(dialled)
    except NumberError:
        return Party(dialled[:64])
    subscriber = directory.subscribers.get(number)
    if subscriber is not None:
        return party_of(subscriber)
    group = directory.groups.get(group_key(number, enterprise_id))
    return Party(number) if group is None else party_of_group(group, directory)


def _from_outside(request: SipRequest, trunk: Trunk) -> Identity:
    """Read who calls from a trunk: what From says, or P-Asserted-Identity where the trunk is trusted to say it there.

    A caller who hides (From is anonymous, or Privacy asks for it) stays unknown to phones, call states and history
    alike, also when the carrier tells us in P-Asserted-Identity who it is: none of them belongs to the trust domain in
    which that may be passed on (RFC 3325, section 7).
    """
    who = request.from_
    if _is_private(request) or who.uri.dialled.lower() in HIDDEN or who.uri.host.lower() == HIDDEN_HOST:
        return Identity(ANONYMOUS, "", restricted=True)
    if trunk.caller_in is CallerIn.ASSERTED:
        who = _asserted(request) or who
    return Identity(_number_in(trunk.read(who.uri.dialled)), who.display_name, restricted=False)


def _asserted(request: SipRequest) -> NameAddr | None:
    """Return the first identity of P-Asserted-Identity that has a user part, a tel URI's number; None without any."""
    try:
        found = request.asserted_identities
    except MalformedMessage:
        return None
    return next((each for each in found if each.uri.user), None)


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
