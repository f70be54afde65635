"""The registrar: what a REGISTER does to the bindings of its number (RFC 3261 10.3, Path by RFC 3327)."""

import ipaddress
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from kobza.call.directory import Directory, Subscriber
from kobza.call.errors import NumberError
from kobza.call.numbers import normalize
from kobza.pbx.authenticator import Authenticator, Denied, Headers
from kobza.pbx.journal import Journal, JournalFull, JournalStopped
from kobza.pbx.locations import MAX_DEVICES, Locations
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipRequest
from kobza.sip.uri import SipUri
from kobza.store.entries import Binding, BindingRemoved, BindingStored, Entry

log = logging.getLogger(__name__)

RETRY_AFTER: Final = 10
"""Seconds told to a phone whose registration could not be stored."""
MAX_USER_AGENT: Final = 200
"""Characters of a phone's User-Agent that are kept."""

MAX_CONTACT: Final = 1024
"""Characters of a contact's URI: more fits into no index entry of the store, and no phone has it."""
MAX_NUMBER: Final = 2**31 - 1
"""Seconds, or a reg-id (RFC 5626 4.2); what is greater counts as this."""

Reply = Callable[[int, Headers], None]
"""Answers the request with a status and headers."""
Changed = Callable[[str], None]
"""Hears the number whose devices changed."""
Reached = Callable[[SipUri, Flow], None]
"""Hears the contact of a device that registered over another WebSocket than before, and that socket's flow."""


@dataclass(frozen=True, slots=True)
class ExpiryLimits:
    """How long registrations last, seconds."""

    shortest: int
    longest: int
    usual: int
    """For a phone that asks for no time."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A contact of a REGISTER: zero seconds take it away."""

    address: NameAddr
    seconds: int


class Registrar:
    """Answers REGISTER. A change is stored before the phone hears 200."""

    def __init__(
        self,
        *,
        locations: Locations,
        authenticator: Authenticator,
        journal: Journal,
        limits: ExpiryLimits,
        changed: Changed,
        reached: Reached = lambda _contact, _flow: None,
    ) -> None:
        self._locations = locations
        self._authenticator = authenticator
        self._journal = journal
        self._limits = limits
        self._changed = changed
        self._reached = reached

    def register(self, request: SipRequest, flow: Flow, directory: Directory, now: float, reply: Reply) -> None:
        """Serve a REGISTER that came over a flow; `reply` is called once, at once or after the commit."""
        subscriber = self._authenticator.check(request, flow, directory, now, asked_by="registrar")
        if isinstance(subscriber, Denied):
            if subscriber.detail:
                log.info("REGISTER from %s:%s refused: %s", *flow.remote, subscriber.detail)
            reply(subscriber.status, subscriber.headers)
            return
        try:
            refusal = self._serve(request, flow, subscriber, now, reply)
        except MalformedMessage as error:
            refusal = Denied(400, detail=f"{error.where}: {error.what}")
        if refusal is not None:
            log.info("REGISTER of %s from %s:%s refused: %s", subscriber.number, *flow.remote, refusal.detail)
            reply(refusal.status, refusal.headers)

    def sweep(self, now: float) -> None:
        """Forget what has run out. When the journal takes nothing it stays until the next sweep: it rings nobody."""
        expired = self._locations.expired(now)
        if self._unlist(expired):
            for number in {binding.number for binding in expired}:
                self._changed(number)  # before they go: they tell since when the number is not reachable
            for binding in expired:
                self._locations.remove(binding)

    def flow_lost(self, flow: Flow) -> None:
        """Forget the devices that were reached over a WebSocket which has ended (RFC 5626 6): it was the only way.

        When the journal takes nothing they stay until they run out; calls to them fail at once.
        """
        gone = [
            binding
            for binding in self._locations
            if binding.connection == flow.connection and binding.transport == flow.transport.value
        ]
        if self._unlist(gone):
            for binding in gone:
                self._locations.remove(binding)
            for number in {binding.number for binding in gone}:
                self._changed(number)

    def _unlist(self, bindings: Iterable[Binding]) -> bool:
        """Take bindings out of the store; tell whether there were any and the journal took it."""
        entries: list[Entry] = [BindingRemoved(binding.number, binding.contact) for binding in bindings]
        if not entries:
            return False
        try:
            self._journal.append(entries)
        except (JournalFull, JournalStopped):
            return False
        return True

    def _serve(
        self, request: SipRequest, flow: Flow, subscriber: Subscriber, now: float, reply: Reply
    ) -> Denied | None:
        number = subscriber.number
        if _number_of(request.to.uri) != number:
            return Denied(403, detail=f"the address of record is {request.to.uri}, the password that of {number}")
        if request.is_contact_star:
            gone = self._all_of(request, number)
            if isinstance(gone, Denied):
                return gone
            return self._apply((), gone, number, request, flow, now, reply)
        wanted = self._wanted(request)
        if isinstance(wanted, Denied):
            return wanted
        put: list[Binding] = []
        gone = []
        for one in wanted:
            known = self._locations.find(number, one.address.uri)
            if known is not None and _is_old(request, known):
                return Denied(500, (("Retry-After", "1"),), "an older REGISTER came late")
            if one.seconds:
                binding = self._binding(request, flow, number, one, now)
                put.append(binding if known is None else _renewed(known, binding))
            elif known is not None:
                gone.append(known)
        gone += self._given_up(number, put, now)
        return self._apply(put, gone, number, request, flow, now, reply)

    def _given_up(self, number: str, put: Sequence[Binding], now: float) -> list[Binding]:
        """Return the contacts that devices had before those that they register now, and have no more.

        A device that numbers its flows (`reg-id`) has one contact for each (RFC 5626 6). Of any other one that names
        itself those that it refreshed longest ago give way at the bound: a phone that changes networks has a new
        address each time, and would lock itself out. One that names itself not at all may be several phones.
        """
        named = {binding.contact for binding in put}
        others = [each for each in self._locations.all_of(number) if each.contact not in named]
        flows = {(each.instance_id, each.reg_id) for each in put if each.instance_id and each.reg_id}
        gone = [each for each in others if (each.instance_id, each.reg_id) in flows]
        valid = [each for each in others if each not in gone and each.expires_at > now]
        surplus = len(valid) + len(put) - MAX_DEVICES
        if surplus > 0:
            instances = {each.instance_id for each in put if each.instance_id}
            own = [each for each in valid if each.instance_id in instances]
            gone += sorted(own, key=lambda each: each.expires_at)[:surplus]
        return gone

    def _all_of(self, request: SipRequest, number: str) -> list[Binding] | Denied:
        """Return what `Contact: *` takes away: everything (10.3 step 6)."""
        if request.expires != 0:
            return Denied(400, detail="Contact: * without Expires: 0")
        every = [binding for binding in self._locations if binding.number == number]
        if any(_is_old(request, binding) for binding in every):
            return Denied(500, (("Retry-After", "1"),), "an older REGISTER came late")
        return every

    def _wanted(self, request: SipRequest) -> list[_Wanted] | Denied:
        """Read the contacts and their times (10.3 step 7)."""
        wanted = []
        for address in request.contacts:
            if address.uri.scheme not in ("sip", "sips") or not address.uri.host:
                return Denied(400, detail=f"a contact must be a SIP URI, not {address.uri}")
            if len(str(address.uri)) > MAX_CONTACT:
                return Denied(400, detail=f"a contact longer than {MAX_CONTACT} characters")
            seconds = self._seconds(request, address)
            if 0 < seconds < self._limits.shortest:
                return Denied(423, (("Min-Expires", str(self._limits.shortest)),), f"{seconds} s are too few")
            wanted.append(_Wanted(address, min(seconds, self._limits.longest)))
        return wanted

    def _seconds(self, request: SipRequest, address: NameAddr) -> int:
        """Return the time asked for; one that cannot be read counts as none given (20.10, 20.19)."""
        given = _number(address.param("expires"))
        if given is not None:
            return given
        try:
            seconds = request.expires
        except MalformedMessage:
            seconds = None
        return self._limits.usual if seconds is None else seconds

    def _binding(self, request: SipRequest, flow: Flow, number: str, wanted: _Wanted, now: float) -> Binding:
        address = wanted.address
        path = tuple(str(each) for each in request.paths)
        host, port = _reachable_at(request.paths[0].uri if path else address.uri, flow)
        agent = request.get("user-agent")
        return Binding(
            number=number,
            contact=str(address.uri),
            sip_call_id=request.call_id,
            cseq=request.cseq.number,
            expires_at=now + wanted.seconds,
            registered_at=now,
            path=path,
            transport=flow.transport.value,
            local_host=flow.local[0],
            local_port=flow.local[1],
            remote_host=host,
            remote_port=port,
            connection=flow.connection,
            instance_id=address.param("+sip.instance"),
            reg_id=_number(address.param("reg-id")),
            user_agent=None if agent is None else agent[:MAX_USER_AGENT],
        )

    def _apply(
        self,
        put: Sequence[Binding],
        gone: Sequence[Binding],
        number: str,
        request: SipRequest,
        flow: Flow,
        now: float,
        reply: Reply,
    ) -> Denied | None:
        """Store the changes, all or none, then answer with what holds now (10.3 step 8)."""
        before = {binding.contact for binding in self._locations.of(number, now)}
        after = (before - {binding.contact for binding in gone}) | {binding.contact for binding in put}
        if len(after) > max(MAX_DEVICES, len(before)):
            return Denied(403, detail=f"more than {MAX_DEVICES} devices")

        def answer() -> None:
            reply(200, self._contacts(request, number, now))

        if not put and not gone:
            answer()
            return None
        entries: list[Entry] = [
            *(BindingRemoved(number, binding.contact) for binding in gone),
            *(BindingStored(binding) for binding in put),
        ]
        try:
            self._journal.append(entries, answer)
        except (JournalFull, JournalStopped) as error:
            return Denied(503, (("Retry-After", str(RETRY_AFTER)),), str(error))
        for binding in gone:
            self._locations.remove(binding)
        for binding in put:
            self._locations.put(binding)
        if flow.transport.is_web:
            for address in request.contacts:
                self._reached(address.uri, flow)
        if bool(after) != bool(before):
            log.info("%s is %s", number, "unreachable now" if before else "reachable now")
        self._changed(number)
        return None

    def _contacts(self, request: SipRequest, number: str, now: float) -> Headers:
        """Return the headers of a 200: every binding with the seconds it has left, and Path when it was understood."""
        headers = [
            ("Contact", f"<{binding.contact}>;expires={max(1, round(binding.expires_at - now))}")
            for binding in self._locations.of(number, now)
        ]
        if any("path" in value.lower() for value in request.get_all("supported")):
            headers += [("Path", value) for value in request.get_all("path")]
        return tuple(headers)


def _number(text: str | None) -> int | None:
    """Read a parameter of digits; None when it is absent or something else."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return min(int(text.lstrip("0")[:11] or "0"), MAX_NUMBER)


def _number_of(uri: SipUri) -> str | None:
    try:
        return normalize(uri.dialled)
    except NumberError:
        return None


def _is_old(request: SipRequest, binding: Binding) -> bool:
    """Tell whether a REGISTER is older than what made the binding (10.3 step 7): the same Call-ID, no higher CSeq."""
    return request.call_id == binding.sip_call_id and request.cseq.number <= binding.cseq


def _renewed(known: Binding, binding: Binding) -> Binding:
    """Keep a device's contact text and the moment of its first registration, or its place in the row would change."""
    return replace(binding, contact=known.contact, registered_at=known.registered_at)


def _reachable_at(uri: SipUri, flow: Flow) -> tuple[str, int]:
    """Return the address for requests to a device: the one it gave, if that is the host it sent from.

    Otherwise it is behind a NAT, or gave a name: then the way back is the way it came (RFC 5626 calls it the flow).
    On TCP its connection goes first as long as it stands; this is where a new one is opened to.
    """
    if not _same_host(uri.host, flow.remote[0]):
        return flow.remote
    return flow.remote[0], uri.port or flow.transport.default_port


def _same_host(host: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(host) == ipaddress.ip_address(address)
    except ValueError:
        return False
