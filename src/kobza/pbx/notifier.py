"""SUBSCRIBE: who may watch which number, for how long, and how many of them (RFC 6665)."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from kobza.call.directory import Subscriber
from kobza.call.errors import NumberError
from kobza.call.group import group_key
from kobza.call.numbers import normalize
from kobza.pbx.authenticator import Authenticator, Denied
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.event_packages import ALLOW_EVENTS, PACKAGES, EventPackage
from kobza.pbx.live_call import LiveCall
from kobza.pbx.notify_queue import NotifyQueue
from kobza.pbx.presence import Presence, Status
from kobza.pbx.watched_lines import Key, WatchedLine, WatchedLines
from kobza.sip import ua as sip
from kobza.sip.errors import MalformedMessage
from kobza.sip.event_header import EventHeader
from kobza.sip.message import SipRequest
from kobza.values import Value

log = logging.getLogger(__name__)

SHORTEST: Final = 60
"""Seconds: who asks for less is told so."""
LONGEST: Final = 600
"""Seconds that are granted at most: a crash forgets the subscriptions, and lamps stay wrong until phones refresh."""
MAX_OF_DEVICE: Final = 200
"""Of one number's devices behind one address: four expansion modules of 40 keys, and some."""
MAX_OF_ENTERPRISE: Final = 5_000
TOO_MANY: Final = (("Warning", '399 kobza "Too many subscriptions"'),)
STOP_PIECE: Final = 100
"""Subscriptions that are told of a stop at a time."""
RETRY_SPREAD: Final = 50
"""Phones are asked to subscribe anew 10 to 60 s after a stop, not all at once."""


class _Watcher(Value, frozen=True):
    """Who has a subscription, and to what."""

    number: str
    enterprise_id: str
    device: tuple[str, str]
    """The number and the address that the SUBSCRIBE came from."""
    package: str
    line: WatchedLine


class _Asked(Value, frozen=True):
    """A SUBSCRIBE that may be granted."""

    event: EventHeader
    package: EventPackage
    seconds: int
    key: Key


class Notifier:
    """Answers SUBSCRIBE and has the subscribers told. Subscriptions are kept in memory.

    A number or group of another enterprise looks as if it were not there.
    """

    def __init__(
        self,
        ua: sip.UserAgent,
        authenticator: Authenticator,
        view: DirectoryView,
        presence: Presence,
        *,
        now: Callable[[], float],
    ) -> None:
        self._ua = ua
        self._authenticator = authenticator
        self._view = view
        self._presence = presence
        self._now = now
        self._calls: Callable[[], Iterable[LiveCall]] = tuple
        self._lines = WatchedLines(view, presence, lambda: self._calls())
        self._queue = NotifyQueue(now)
        self._all: dict[sip.Subscription, None] = {}
        self._of_device: Counter[tuple[str, str]] = Counter()
        self._of_enterprise: Counter[str] = Counter()
        self._of_package: Counter[str] = Counter(dict.fromkeys(PACKAGES, 0))
        self.refused = 0
        """SUBSCRIBEs beyond a bound; it only grows."""

    def start(self, calls: Callable[[], Iterable[LiveCall]], pump: Callable[[], None]) -> None:
        """Take where the calls are that are on, and what sends that which was written."""
        self._calls = calls
        self._queue.pump = pump

    async def stop(self) -> None:
        """Ask every phone to subscribe anew when the server is back, and not to wait for its next refresh."""
        self._queue.stop()
        now = self._now()
        for number, subscription in enumerate(list(self._all)):
            subscription.end(f"probation;retry-after={10 + number % RETRY_SPREAD}", now)
            if number % STOP_PIECE == STOP_PIECE - 1:
                self._queue.pump()
                await asyncio.sleep(0)
        self._queue.pump()

    @property
    def by_type(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Who takes which event."""
        return {sip.SubscribeReceived: self._subscribed_again, sip.SubscriptionEnded: self._ended}

    @property
    def watches(self) -> bool:
        """Whether any number is watched: as long as none is, calls need not tell."""
        return len(self._lines) > 0

    @property
    def counts(self) -> Mapping[str, int]:
        """Subscriptions by package."""
        return self._of_package

    @property
    def waiting(self) -> int:
        """Subscriptions that wait for their NOTIFY."""
        return len(self._queue)

    # what is told

    def call_changed(self, live: LiveCall) -> None:
        """Take that something happened in a call. A fault here is none of the call's."""
        try:
            for line in self._lines.call_changed(live):
                self._queue.add(line.watchers)
        except Exception:
            log.exception("the lamps do not show what the call does", extra=live.about)

    def devices_changed(self, number: str) -> None:
        """Take that the devices of a number are others: its presence, first of all."""
        self._presence.changed(number)
        line = self._lines.number_changed(number) if self.watches else None
        if line is not None:
            self._queue.add(line.watchers)

    # SUBSCRIBE

    def subscribe(self, incoming: sip.IncomingRequest) -> None:
        """Answer a SUBSCRIBE outside a dialog."""
        now = self._now()
        if incoming.dialog is not None:  # of a call: two usages of one dialog only confuse (RFC 6665, 4.5.2)
            self._ua.respond(incoming, 403, now=now)
            return
        subscriber = self._authenticated(incoming, now)
        if subscriber is None:
            return
        device = (subscriber.number, incoming.flow.remote[0])
        asked = self._asked(incoming.request, subscriber, incoming.request.uri.dialled)
        if not isinstance(asked, Denied) and self._is_full(subscriber, device):
            self.refused += 1
            asked = Denied(403, TOO_MANY, "too many subscriptions")
        if isinstance(asked, Denied):
            self._refuse(incoming, subscriber, asked, now)
        else:
            self._grant(incoming, asked, subscriber, device, now)

    def _subscribed_again(self, event: sip.SubscribeReceived) -> None:
        """Answer a SUBSCRIBE inside a subscription."""
        now = self._now()
        incoming, subscription = event.incoming, event.subscription
        subscriber = self._authenticated(incoming, now)
        if subscriber is None:
            return
        watcher = _watcher(subscription)
        asked = self._asked(incoming.request, subscriber, watcher.line.key[1])
        if subscriber.number != watcher.number:
            asked = Denied(403, detail=f"the subscription is that of {watcher.number}")
        if isinstance(asked, _Asked):
            subscription.accept(incoming, asked.seconds, headers=(ALLOW_EVENTS,), now=now)
            return
        self._refuse(incoming, subscriber, asked, now)
        if asked.status == 404:  # it was there when the subscription began
            subscription.end("noresource", now)
            self._forget(subscription)

    def _ended(self, event: sip.SubscriptionEnded) -> None:
        watcher = _watcher(event.subscription)
        log.debug("%s watches %s (%s) no more: %s", watcher.number, watcher.line.key[1], watcher.package, event.reason)
        self._forget(event.subscription)

    def _forget(self, subscription: sip.Subscription) -> None:
        watcher = _watcher(subscription)
        del self._all[subscription]
        self._queue.remove(subscription)
        watcher.line.watchers.discard(subscription)
        self._lines.leave(watcher.line)
        self._count(watcher, -1)

    # inside

    def _authenticated(self, incoming: sip.IncomingRequest, now: float) -> Subscriber | None:
        """Return who sent a request; None when that is not known, and it was answered."""
        found = self._authenticator.check(
            incoming.request, incoming.flow, self._view.snapshot, now, asked_by="notifier"
        )
        if isinstance(found, Subscriber):
            return found
        if found.detail:
            log.info("SUBSCRIBE from %s:%s refused: %s", *incoming.flow.remote, found.detail)
        self._ua.respond(incoming, found.status, headers=found.headers, now=now)
        return None

    def _refuse(self, incoming: sip.IncomingRequest, subscriber: Subscriber, denied: Denied, now: float) -> None:
        log.info("SUBSCRIBE of %s from %s:%s refused: %s", subscriber.number, *incoming.flow.remote, denied.detail)
        self._ua.respond(incoming, denied.status, headers=denied.headers, now=now)

    def _asked(self, request: SipRequest, subscriber: Subscriber, watched: str) -> _Asked | Denied:
        """Read what is asked for; `watched` is whose state it is, as it was dialled."""
        try:
            event = EventHeader.of(request)
        except MalformedMessage as error:
            return Denied(400, detail=str(error))
        package = None if event is None else PACKAGES.get(event.package)
        if event is None or package is None:
            return Denied(489, (ALLOW_EVENTS,), f"no event package {event}")
        if not _accepts(request, package.content_type):
            return Denied(406, (("Accept", package.content_type),), f"{event} is told in {package.content_type} alone")
        seconds = _seconds(request)
        if 0 < seconds < SHORTEST:
            return Denied(423, (("Min-Expires", str(SHORTEST)),), f"{seconds} s are too few")
        key = self._key(watched, subscriber) if package.follows else (subscriber.enterprise_id, subscriber.number)
        if key is None:
            return Denied(404, detail=f"{watched} is nobody's in the enterprise")
        return _Asked(event, package, min(seconds, LONGEST), key)

    def _key(self, watched: str, subscriber: Subscriber) -> Key | None:
        """Return which number or group of the subscriber's enterprise is meant; None: no such."""
        try:
            number = normalize(watched)
        except NumberError:
            return None
        directory, enterprise_id = self._view.snapshot, subscriber.enterprise_id
        found = directory.subscribers.get(number) or directory.groups.get(group_key(number, enterprise_id))
        return (enterprise_id, number) if found is not None and found.enterprise_id == enterprise_id else None

    def _is_full(self, subscriber: Subscriber, device: tuple[str, str]) -> bool:
        return (
            self._of_device[device] >= MAX_OF_DEVICE
            or self._of_enterprise[subscriber.enterprise_id] >= MAX_OF_ENTERPRISE
        )

    def _grant(
        self, incoming: sip.IncomingRequest, asked: _Asked, subscriber: Subscriber, device: tuple[str, str], now: float
    ) -> None:
        line = self._lines.watch(asked.key) if asked.package.follows else WatchedLine(asked.key, Status.AVAILABLE)
        watcher = _Watcher(subscriber.number, subscriber.enterprise_id, device, asked.event.package, line)
        uri = incoming.request.uri
        try:
            subscription = self._ua.accept_subscription(
                incoming,
                asked.event,
                content_type=asked.package.content_type,
                compose=asked.package.tell(line, uri.user, uri.host or incoming.flow.local[0]),
                seconds=asked.seconds,
                tag=watcher,
                headers=(ALLOW_EVENTS,),
                now=now,
            )
        except MalformedMessage as error:
            self._refuse(incoming, subscriber, Denied(400, detail=str(error)), now)
            subscription = None
        if subscription is None:
            self._lines.leave(line)
            return
        self._all[subscription] = None
        self._count(watcher, 1)
        line.watchers.add(subscription)

    def _count(self, watcher: _Watcher, step: int) -> None:
        self._of_package[watcher.package] += step
        self._of_device[watcher.device] += step
        if not self._of_device[watcher.device]:
            del self._of_device[watcher.device]
        self._of_enterprise[watcher.enterprise_id] += step


def _watcher(subscription: sip.Subscription) -> _Watcher:
    return cast("_Watcher", subscription.tag)


def _accepts(request: SipRequest, content_type: str) -> bool:
    """Tell whether a subscriber takes a content type; without Accept it takes the package's own (RFC 6665, 3.1.3)."""
    ranges = [each.partition(";")[0].strip().lower() for each in request.tokens("accept")]
    return not ranges or not {content_type, "*/*", "application/*"}.isdisjoint(ranges)


def _seconds(request: SipRequest) -> int:
    """Return for how long a subscription is asked; one that cannot be read counts as none given, which is for long."""
    try:
        seconds = request.expires
    except MalformedMessage:
        seconds = None
    return LONGEST if seconds is None else seconds
