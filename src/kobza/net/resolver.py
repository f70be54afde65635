"""A DNS client with a memory (RFC 1034, 2308, 8767): answers live as long as they say, and longer while DNS is away."""

import ipaddress
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.resolver

from kobza.sip.flow import Address
from kobza.sip.location import Naptr, Srv

log = logging.getLogger(__name__)

ANSWER_WITHIN: Final = 5.0
"""Seconds for one question, over all name servers and tries."""
TRY_WITHIN: Final = 1.5
"""Seconds for one try at one name server."""
LEAST_LIFE: Final = 10.0
"""Seconds that an answer lives at least, also one that says 0: names are looked up for ever, not once a call."""
LONGEST_LIFE: Final = 3600.0
"""Seconds that an answer lives at most: a wrong record must not outlive its correction for a day."""
LONGEST_DENIAL: Final = 60.0
"""The same for "there is none", which is often a mistake that is being corrected."""
STALE_FOR: Final = 3 * 86_400.0
"""Seconds for which an answer whose life is over is still good while no name server answers (RFC 8767, section 5)."""
MAX_ANSWERS: Final = 1024
"""Answers that are kept; at the bound the one that was asked for the longest time ago is forgotten."""
MAX_RECORDS: Final = 64
"""Records of one answer that are read: no carrier has as many servers, and an answer over TCP may have thousands."""
HOSTS: Final = Path("/etc/hosts")

RecordType = Literal["NAPTR", "SRV", "A", "AAAA"]


class LookupFailed(Exception):
    """No name server gave an answer to a question, and there is no earlier one. The text says why, in words."""


class Answer(NamedTuple):
    """What DNS says to one question."""

    records: tuple[Any, ...]
    """Of one type: `Naptr`, `Srv`, or addresses as texts. Empty: there is none."""
    lives: float
    """Seconds until it is to be asked again."""
    is_stale: bool = False
    """It is an earlier answer: no name server gives one now."""


class _Kept(NamedTuple):
    records: tuple[Any, ...]
    until: float


class Resolver:
    """Asks name servers, those of the machine or those that it is given, over UDP, and TCP for what is long."""

    def __init__(
        self,
        servers: Sequence[Address] = (),
        *,
        hosts: Path = HOSTS,
        answer_within: float = ANSWER_WITHIN,
        try_within: float = TRY_WITHIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`servers`: addresses and ports of name servers; none: those of the machine, with its search list.

        `hosts` is the file whose addresses come before those of DNS.
        """
        self._servers = tuple(servers)
        self._hosts = hosts
        self._answer_within = answer_within
        self._try_within = try_within
        self._clock = clock
        self._kept: dict[tuple[str, RecordType], _Kept] = {}
        self.failures = 0
        """Questions to which no name server gave an answer."""

    async def ask(self, name: str, kind: RecordType) -> Answer:
        """Return the records of a name, from memory while they live. Raises LookupFailed."""
        key = (name.lower().rstrip("."), kind)
        kept, now = self._kept.get(key), self._clock()
        if kept is not None and now < kept.until:
            return Answer(kept.records, kept.until - now)
        try:
            records, life = await self._query(key[0], kind)
        except LookupFailed:
            self.failures += 1
            if kept is None or self._clock() > kept.until + STALE_FOR or not kept.records:
                raise
            return Answer(kept.records, LEAST_LIFE, is_stale=True)
        self._kept.pop(key, None)
        if len(self._kept) >= MAX_ANSWERS:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(records, self._clock() + life)
        return Answer(records, life)

    def host_addresses(self, name: str) -> list[str]:
        """Return the addresses that the machine's own table of hosts has for a name, IPv4 first."""
        try:
            lines = self._hosts.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        wanted = name.lower().rstrip(".")
        found = []
        for line in lines:
            address, *names = line.partition("#")[0].split() or [""]
            if wanted in (each.lower() for each in names):
                with suppress(ValueError):
                    found.append(str(ipaddress.ip_address(address)))
        return sorted(dict.fromkeys(found), key=lambda address: ":" in address)

    async def _query(self, name: str, kind: RecordType) -> tuple[tuple[Any, ...], float]:
        try:
            resolver = self._configured()
            search = not self._servers and kind in ("A", "AAAA") and "." not in name
            answer = await resolver.resolve(
                dns.name.from_text(name, None) if search else dns.name.from_text(name),
                kind,
                raise_on_no_answer=False,
                search=search,
                backend=dns.asyncbackend.get_backend("asyncio"),
            )
        except dns.resolver.NXDOMAIN as error:
            denials = error.kwargs.get("responses", {}).values()
            return (), min(map(_life_of, denials), default=LEAST_LIFE)
        except (dns.exception.DNSException, UnicodeError, ValueError) as error:
            raise LookupFailed(_why(error)) from error
        if answer.rrset is None:
            return (), _life_of(answer.response)
        records = tuple(_READERS[kind](record) for record, _ in zip(answer, range(MAX_RECORDS), strict=False))
        return records, max(LEAST_LIFE, min(float(answer.chaining_result.minimum_ttl), LONGEST_LIFE))

    def _configured(self) -> dns.asyncresolver.Resolver:
        """Return a resolver for the name servers of this moment: those of the machine change with its network."""
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._servers]
        resolver.timeout, resolver.lifetime = self._try_within, self._answer_within
        return resolver


def _life_of(denial: dns.message.QueryMessage) -> float:
    """Return the seconds that "there is none" lives: its SOA says (RFC 2308, section 5)."""
    try:
        life = float(denial.resolve_chaining().minimum_ttl)
    except dns.exception.DNSException:
        life = 0.0
    return max(LEAST_LIFE, min(life, LONGEST_DENIAL))


def _why(error: Exception) -> str:
    if isinstance(error, dns.resolver.NoResolverConfiguration):
        return "this machine names no name server"
    if isinstance(error, dns.exception.Timeout):
        return "no name server answers"
    if isinstance(error, dns.resolver.NoNameservers):
        return "no name server gives an answer that can be used"
    if isinstance(error, dns.resolver.YXDOMAIN | dns.exception.SyntaxError | dns.name.LabelTooLong | UnicodeError):
        return "it is no name that DNS knows"
    return str(error) or type(error).__name__


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace")


def _host(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True))


_READERS: Final[dict[RecordType, Callable[[Any], Any]]] = {
    "NAPTR": lambda record: Naptr(
        record.order,
        record.preference,
        _text(record.flags),
        _text(record.service),
        _text(record.regexp),
        _host(record.replacement),
    ),
    "SRV": lambda record: Srv(record.priority, record.weight, record.port, _host(record.target)),
    "A": lambda record: str(record.address),
    "AAAA": lambda record: str(record.address),
}
