"""Who sends a request: the check of its digest credentials against the subscribers (RFC 3261 22).

Over a socket of the portal nothing is asked for: the portal vouches for its number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal, cast

from kobza.call.directory import Directory, Subscriber
from kobza.call.errors import NumberError
from kobza.call.numbers import normalize
from kobza.call.trunk import Inbound, Trunk
from kobza.defence.source import source_of
from kobza.pbx.doorkeeper import Doorkeeper
from kobza.sip.auth_params import parse_auth
from kobza.sip.digest import DigestOutcome, DigestVerifier
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.message import SipRequest
from kobza.sip.responses import size_of_response

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """The response that a request gets instead of being served."""

    status: int
    headers: Headers = ()
    detail: str = ""
    """Words for the log; "" for the first, empty-handed try of every phone."""


class Authenticator:
    """Checks requests of phones and of trunks. A phone's user name is its number as people write it nationally."""

    def __init__(
        self,
        verifier: DigestVerifier,
        *,
        owner_of: Callable[[Flow], str | None] = lambda _flow: None,
        certified: Callable[[Flow], frozenset[str]] = lambda _flow: frozenset(),
        doorkeeper: Doorkeeper | None = None,
    ) -> None:
        """`owner_of` tells whose number a flow is vouched to be; None: whoever it is has to prove it.

        `certified` tells which SIP domains the other end of a flow has proven to be by a certificate. `doorkeeper`
        hears who has proven it, and who has tried to in vain.
        """
        self._verifier = verifier
        self._doorkeeper = doorkeeper
        self._owner_of = owner_of
        self._certified = certified

    def check(
        self,
        request: SipRequest,
        flow: Flow,
        directory: Directory,
        now: float,
        *,
        asked_by: Literal["registrar", "proxy", "notifier"],
    ) -> Subscriber | Denied:
        """Return the subscriber whose password the request proves, or what to answer.

        Whoever carries calls asks with 407, others with 401 (RFC 3261 22.2, 22.3).
        """
        found = self._check(request, flow, directory, now, asked_by=asked_by, trunks=False)
        return cast("Subscriber | Denied", found)

    def check_caller(
        self, request: SipRequest, flow: Flow, directory: Directory, now: float
    ) -> Subscriber | Trunk | Denied:
        """Return whose an INVITE is, by the certificate of a trunk, or by a password; or what to answer."""
        names = self._certified(flow)
        if names and (trunk := _trunk_of(directory, names)) is not None:
            if self._doorkeeper is not None:
                self._doorkeeper.proved(flow, now, unlimited=True)
            return trunk
        return self._check(request, flow, directory, now, asked_by="proxy", trunks=True)

    def _check(
        self,
        request: SipRequest,
        flow: Flow,
        directory: Directory,
        now: float,
        *,
        asked_by: Literal["registrar", "proxy", "notifier"],
        trunks: bool,
    ) -> Subscriber | Trunk | Denied:
        owner = self._owner_of(flow)
        if owner is not None:
            return directory.subscribers.get(owner) or Denied(403, detail=f"{owner} is a number no longer")
        proxy = asked_by == "proxy"
        source = source_of(flow.remote[0])
        credentials = self._credentials(request, "proxy-authorization" if proxy else "authorization")
        if credentials is None:
            return self._challenge(request, flow, source, now, proxy=proxy)

        found: Subscriber | Trunk | None = None

        def ha1_for(username: str, algorithm: str) -> str | None:
            nonlocal found
            subscriber = found = _subscriber(directory, username)
            if subscriber is not None:
                return (subscriber.ha1_md5 if algorithm == "MD5" else subscriber.ha1_sha256) or None
            trunk = found = _trunk(directory, username) if trunks else None
            if trunk is not None:
                return (trunk.incoming_ha1_md5 if algorithm == "MD5" else trunk.incoming_ha1_sha256) or None
            return None

        verdict = self._verifier.verify(credentials, request.method, request.body, ha1_for, now, source=source)
        match verdict.outcome:
            case DigestOutcome.OK if found is not None:
                if self._doorkeeper is not None:
                    self._doorkeeper.proved(flow, now, unlimited=isinstance(found, Trunk))
                return found
            case DigestOutcome.STALE:
                return self._challenge(request, flow, source, now, proxy=proxy, stale=True)
            case DigestOutcome.MALFORMED:
                return Denied(400, detail=f"credentials: {verdict.detail}")
            case _:
                if self._doorkeeper is not None and (verdict.answered or flow.transport.reliable):
                    self._doorkeeper.guessed(flow, verdict.username, now)
                detail = f"{verdict.username!r}: {verdict.detail}"
                return self._challenge(request, flow, source, now, proxy=proxy, detail=detail)

    def _challenge(
        self,
        request: SipRequest,
        flow: Flow,
        source: str,
        now: float,
        *,
        proxy: bool,
        stale: bool = False,
        detail: str = "",
    ) -> Denied:
        """Ask for a password; in fewer words where the answer would be longer than what came from there."""
        status, name = (407, "Proxy-Authenticate") if proxy else (401, "WWW-Authenticate")
        room = inf
        if self._doorkeeper is not None and not flow.transport.reliable:
            room = self._doorkeeper.door.room_for(flow.remote)

        def challenge(*, shortest: bool) -> Headers:
            values = self._verifier.challenges(
                now, user_agent=request.get("user-agent"), stale=stale, source=source, shortest=shortest
            )
            return tuple((name, value) for value in values)

        headers = challenge(shortest=False)
        if room < inf and size_of_response(request, status, headers) > room:
            headers = challenge(shortest=True)
        return Denied(status, headers, detail)

    def _credentials(self, request: SipRequest, name: str) -> str | None:
        """Return the credentials for our realm; those for other realms are for servers behind us. None: none at all."""
        values = request.get_all(name)
        if len(values) == 1:
            return values[0]
        for value in values:
            try:
                if parse_auth(value).params.get("realm") == self._verifier.realm:
                    return value
            except MalformedMessage:
                return value
        return values[0] if values else None


def _subscriber(directory: Directory, username: str) -> Subscriber | None:
    try:
        return directory.subscribers.get(normalize(username))
    except NumberError:
        return None


def _trunk_of(directory: Directory, names: frozenset[str]) -> Trunk | None:
    """Return the trunk whose calls come in by a certificate for one of these names."""
    for trunk in directory.trunks:
        if trunk.inbound is Inbound.CERTIFICATE and trunk.incoming_name in names:
            return trunk
    return None


def _trunk(directory: Directory, username: str) -> Trunk | None:
    """Return the trunk whose calls come in by this user name; no number is one, so no subscriber's is meant."""
    for trunk in directory.trunks:
        if trunk.incoming_username == username and trunk.inbound is Inbound.CREDENTIALS:
            return trunk
    return None
