"""The door: whether a message is read at all, and whether an answer may go out.

In this order: flows whose peer has proven who it is, each with a pace of its own; addresses that are trusted (trunks,
networks of the settings); and strangers, by source: not when it is banned, not faster than the pace of a source, not
when it is a scanner, and all strangers together not faster than they may be. So what comes from made-up addresses, be
it ever so much, is dropped at some microseconds each, and takes nothing from those who are known.

An address can be made up over UDP. So nothing is held against a source but wrong answers to challenges that were sent
to that very source, and an address that proved nothing is sent no more bytes than came from it.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final, Literal

from kobza.defence.bans import Ban, BanList
from kobza.defence.glance import is_scanner, nonce_in
from kobza.defence.pace import Pace
from kobza.defence.source import Network, Networks, source_of
from kobza.sip.flow import Address

MOST_KNOWN = 100_000
"""Flows that are known; at the bound the one that proved itself the longest ago is a stranger again."""
MOST_STRANGERS = 20_000
"""Sources that are counted, some 6 MB; at the bound the one not heard for longest is forgotten, that is, forgiven."""
MOST_TRUSTED = 4096
"""Hosts remembered to be trusted; at the bound all are looked up anew."""
MOST_CREDIT: Final = 65_536
"""Bytes that may be answered to a source later than at once."""
QUIET: Final = 60.0
"""Seconds without a flood after which the next one of the same source is told again."""

Dropped = Literal["banned", "flood", "crowd", "scanner", "phone", "amplifying"]
"""Why something was dropped: the source is banned; it sends too fast; all strangers together do; it says that it is a
scanner; a known flow sends too fast; an answer would be longer than what was asked."""
REASONS: Final[tuple[Dropped, ...]] = ("banned", "flood", "crowd", "scanner", "phone", "amplifying")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator decides."""

    phone: Pace
    """Messages of one flow whose peer has proven who it is."""
    source: Pace
    """Messages of one source that has not."""
    strangers: Pace
    """Messages of all those together."""
    guesses: Pace
    """Wrong answers to challenges of one source; what is beyond brings a ban."""
    known_for: float
    """Seconds for which a flow is known since it proved itself last: longer than a registration."""


class _Known:
    """A flow whose peer has proven who it is."""

    __slots__ = ("full_at", "interval", "source", "until")

    def __init__(self, source: str, interval: float, until: float) -> None:
        self.source = source
        self.interval = interval
        self.until = until
        self.full_at = 0.0


class _Stranger:
    """A source that is counted."""

    __slots__ = ("credit", "full_at", "told_at")

    def __init__(self) -> None:
        self.full_at = 0.0
        self.credit = 0
        self.told_at = -inf


class Door:
    """Decides who is let in. `now` never goes back by much; everything belongs into one thread."""

    def __init__(
        self,
        rules: Rules,
        bans: BanList,
        *,
        is_ours: Callable[[str, str, float], bool],
        flooded: Callable[[str], None] = lambda _source: None,
    ) -> None:
        """`is_ours(nonce, source, now)` tells whether a nonce is good and was given to that source.

        `flooded` hears of a source that sends too fast, not for each message.
        """
        self._rules = rules
        self._phone_room = rules.phone.span - rules.phone.interval
        self.bans = bans
        self._is_ours = is_ours
        self._flooded = flooded
        self._known: OrderedDict[Address, _Known] = OrderedDict()
        self._homes: Counter[str] = Counter()
        """Sources of known flows, and how many each has."""
        self._strangers: OrderedDict[str, _Stranger] = OrderedDict()
        self._guesses: OrderedDict[str, float] = OrderedDict()
        self._budget_full_at = 0.0
        self._trusted_networks = Networks()
        self._trusted: set[str] = set()
        self._dropped: dict[Dropped, int] = dict.fromkeys(REASONS, 0)
        self.wrong = 0
        """Wrong answers to challenges, those of trusted addresses too."""

    # messages

    def admits(self, data: bytes, remote: Address, now: float) -> bool:
        """Tell whether a message is to be read; it counts."""
        known = self._known.get(remote)
        if known is not None:
            ahead = known.full_at - now
            if ahead <= 0.0:  # this is what each message of each phone comes by: `Pace.taken`, written out
                known.full_at = now + known.interval
                return True
            if ahead > self._phone_room:
                self._dropped["phone"] += 1
                return False
            known.full_at += known.interval
            return True
        return remote[0] in self._trusted or self._admits_other(data, remote[0], now)

    def may_answer(self, data: bytes, remote: Address) -> bool:
        """Tell whether a response may go to a UDP address; it counts.

        What is proven of a source counts for each of its ports: without rport (RFC 3581) answers go to another one.
        """
        host = remote[0]
        if remote in self._known or host in self._trusted:
            return True
        source = source_of(host)
        if source in self._homes:
            return True
        stranger = self._strangers.get(source)
        if stranger is None or stranger.credit < len(data):
            self._dropped["amplifying"] += 1
            return False
        stranger.credit -= len(data)
        return True

    def room_for(self, remote: Address) -> float:
        """Return how many bytes may be answered to a UDP address now."""
        source = source_of(remote[0])
        if remote in self._known or remote[0] in self._trusted or source in self._homes:
            return inf
        stranger = self._strangers.get(source)
        return 0 if stranger is None else stranger.credit

    def shuts_out(self, host: str, now: float) -> bool:
        """Tell whether a connection from an address is not even to be taken."""
        return self.bans.holds(source_of(host), now) and not self._is_trusted(host)

    # what is known of senders

    def trust(self, networks: Iterable[Network]) -> None:
        """Never limit or ban what comes from some networks; those that were trusted before are no longer.

        When they are others than before, strangers are counted anew: some of them may be none any more.
        """
        trusted = Networks(networks)
        if trusted.listed == self._trusted_networks.listed:
            return
        self._trusted_networks = trusted
        self._trusted.clear()
        self._strangers.clear()
        for remote in [remote for remote in self._known if remote[0] in trusted]:
            self._forget(remote)

    def proved(self, remote: Address, now: float, *, unlimited: bool = False) -> None:
        """Take that who sends from an address has a right password. `unlimited`: it is a trunk."""
        if self._is_trusted(remote[0]):
            return
        known = self._known.get(remote)
        interval = 0.0 if unlimited else self._rules.phone.interval
        if known is None:
            source = source_of(remote[0])
            known = self._known[remote] = _Known(source, interval, 0.0)
            self._homes[source] += 1
            if len(self._known) > MOST_KNOWN:
                self._forget(next(iter(self._known)))
        known.interval, known.until = interval, now + self._rules.known_for
        self._known.move_to_end(remote)

    def guessed(self, remote: Address, user: str, now: float) -> Ban | None:
        """Take that an address answered a challenge of ours wrongly; return the ban that this brings, if any.

        It ends what the flow itself has proven; other flows of the source stay known, and for their sake the ban is no
        longer than a first one.
        """
        self.wrong += 1
        if self._is_trusted(remote[0]):
            return None
        source = source_of(remote[0])
        full_at = self._rules.guesses.taken(self._guesses.get(source, 0.0), now)
        if full_at is not None:
            self._guesses[source] = full_at
            self._guesses.move_to_end(source)
            if len(self._guesses) > MOST_STRANGERS:
                self._guesses.popitem(last=False)
            return None
        if remote in self._known:
            self._forget(remote)
        reason = f"wrong passwords, the last one for {user[:64]!r}"
        return self.bans.impose(source, reason, now, lenient=source in self._homes)

    def expel(self, sources: Container[str]) -> None:
        """Forget what flows of some sources have proven."""
        for remote in [remote for remote, known in self._known.items() if known.source in sources]:
            self._forget(remote)

    def sweep(self, now: float) -> None:
        """Forget flows that have proven nothing for too long."""
        while self._known:
            remote, known = next(iter(self._known.items()))
            if known.until > now:
                break
            self._forget(remote)

    # what others see

    @property
    def dropped(self) -> Mapping[Dropped, int]:
        """How many messages were dropped, by the reason; all reasons are there."""
        return self._dropped

    @property
    def known(self) -> int:
        """How many flows are known."""
        return len(self._known)

    @property
    def strangers(self) -> int:
        """How many sources are counted."""
        return len(self._strangers)

    # inside

    def _admits_other(self, data: bytes, host: str, now: float) -> bool:
        source = source_of(host)
        stranger = self._strangers.get(source)
        if stranger is None and self._is_trusted(host):
            return True
        if self.bans.holds(source, now):
            self._dropped["banned"] += 1
            return False
        full_at = now + self._rules.source.interval  # the first message is never one too many
        if stranger is not None:
            taken = self._rules.source.taken(stranger.full_at, now)
            if taken is None:
                self._dropped["flood"] += 1
                if now - stranger.told_at > QUIET:
                    self._flooded(source)
                stranger.told_at = now
                return False
            full_at = taken
        budget_full_at = self._rules.strangers.taken(self._budget_full_at, now)
        if budget_full_at is None and not self._answers(data, source, now):
            self._dropped["crowd"] += 1
            return False
        if is_scanner(data):
            self._dropped["scanner"] += 1
            return False
        if budget_full_at is not None:
            self._budget_full_at = budget_full_at
        if stranger is None:
            stranger = self._strangers[source] = _Stranger()
            if len(self._strangers) > MOST_STRANGERS:
                self._strangers.popitem(last=False)
        else:
            self._strangers.move_to_end(source)
        stranger.full_at = full_at
        stranger.credit = min(stranger.credit + len(data), MOST_CREDIT)
        return True

    def _answers(self, data: bytes, source: str, now: float) -> bool:
        """Tell whether a message answers a challenge that was sent to its source: then it is where it says."""
        nonce = nonce_in(data)
        return nonce is not None and self._is_ours(nonce, source, now)

    def _is_trusted(self, host: str) -> bool:
        if host in self._trusted:
            return True
        if host not in self._trusted_networks:
            return False
        if len(self._trusted) >= MOST_TRUSTED:
            self._trusted.clear()
        self._trusted.add(host)
        return True

    def _forget(self, remote: Address) -> None:
        known = self._known.pop(remote)
        self._homes[known.source] -= 1
        if not self._homes[known.source]:
            del self._homes[known.source]
