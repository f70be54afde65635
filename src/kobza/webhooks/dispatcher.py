"""The dispatcher: posts what is owed, in order within a leg, until it is taken (contract, section 4).

What is owed is in the store before it is offered here, so memory is only a window on it. An endpoint whose pending
deliveries fit into memory is LIVE: a state goes out as soon as it is committed. One that owes more than that is BEHIND:
the store is asked again and again for what may go next. A receiver that is slow, dead or full of errors therefore costs
a bounded amount of memory and delays nobody else.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

from kobza.call.directory import Endpoint
from kobza.store.entries import AttemptStored, DeliveryOutcome, Entry, StateStored
from kobza.store.store import Store
from kobza.webhooks.address import Network
from kobza.webhooks.backlog import Backlog
from kobza.webhooks.client import Client
from kobza.webhooks.counts import DeliveryCounts, Result
from kobza.webhooks.exchange import encode
from kobza.webhooks.health import OFF_AFTER, SwitchOff
from kobza.webhooks.lane import Lane, Mode
from kobza.webhooks.limits import Limits
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.queue import Delivery
from kobza.webhooks.schedule import wait_after
from kobza.webhooks.watch import DeliveryWatch

IN_FLIGHT: Final = 16
"""Attempts under way to one endpoint, unless the configuration says otherwise."""
HELD: Final = 20_000
"""Deliveries in memory, unless the configuration says otherwise: about 20 MB."""
SHARE: Final = 4
"""One endpoint may fill at most this part of the memory (a quarter); a few in flight are always let in."""
TICK_SECONDS: Final = 1.0
"""How often changes of the endpoints and due deliveries in the store are looked for."""
SCAN_PAUSE_SECONDS: Final = 0.02
"""Least time between two looks into the store for one endpoint."""
SCANS_AT_ONCE: Final = 2
UNSAVED: Final = 10_000
"""Results that wait for the journal. With more, no new attempt is started: a crash would repeat them all."""
STOP_SECONDS: Final = 3.0
"""How long attempts under way may take when the dispatcher stops; then they are left to the next start."""

logger = logging.getLogger(__name__)


class Journal(Protocol):
    """What the dispatcher needs of `kobza.pbx.journal.Journal`."""

    def append(self, entries: Sequence[Entry], then: Callable[[], None] | None = None) -> None:
        """Store entries in one commit; `then` is called in the loop's thread afterwards. Raises when it is full."""
        ...


class Dispatcher:
    """Posts owed call states. All methods belong into the event loop's thread."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        *,
        allow_private: Sequence[Network],
        now: Callable[[], float],
        in_flight: int = IN_FLIGHT,
        held: int = HELD,
        limits: Limits | None = None,
        http2: bool = False,
        wait: Callable[[int, float, float | None], float | None] = wait_after,
        off_after: float | None = OFF_AFTER,
        speed: float = 1.0,
        via: str | None = None,
        watch: DeliveryWatch | None = None,
    ) -> None:
        """`off_after` is how many seconds an endpoint may fail until it is switched off, None: as long as it likes;
        `speed` is how many seconds of `now` pass in one of the wall; `via`, `limits` and `http2` are for `Client`.
        """
        self._watch = watch
        self._backlog = Backlog(store)
        self._journal = journal
        self._allowed = tuple(allow_private)
        self._now = now
        self._in_flight = in_flight
        self._held = held
        self._limits = limits
        self._http2 = http2
        self._wait = wait
        self._off_after = off_after
        self._speed = speed
        self._via = via
        self.counts = DeliveryCounts()
        self._lanes: dict[str, Lane] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._unsaved: deque[tuple[Lane, str, AttemptStored]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempts: set[asyncio.Task[None]] = set()
        self._scans: set[str] = set()
        self._scan_slots = asyncio.Semaphore(SCANS_AT_ONCE)
        self._client: Client | None = None
        self._stopping = False
        self._version: int | None = None
        self._erasures = 0
        self._replays = 0

    async def start(self) -> None:
        """Take up what is pending from before, and keep the endpoints up to date."""
        self._client = Client(
            allowed=self._allowed,
            limits=self._limits,
            http2=self._http2,
            now=self._now,
            via=self._via,
            signed_at=time.time if self._speed != 1 else None,
        )
        self._erasures = await self._backlog.erasures()
        self._replays = await self._backlog.replays()
        for enterprise_id in await self._backlog.enterprises():
            self._scan(self._lane(enterprise_id))
        self._spawn(self._keep_up(), self._tasks)

    async def stop(self) -> None:
        """Stop: attempts under way get a little time; what is not done is taken up by the next start."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=STOP_SECONDS)
        for task in self._attempts:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._attempts, return_exceptions=True)
        self._save_unsaved()
        if self._client is not None:
            await self._client.close()
        self._backlog.close()

    def owed(self, entries: Iterable[StateStored]) -> None:
        """Take over states that the journal has committed; those that are not owed are left alone."""
        touched: dict[str, Lane] = {}
        for entry in entries:
            if entry.owed_to_endpoint:
                lane = self._lane(entry.state.enterprise_id)
                lane.offer(Delivery.of(entry), self._room(lane))
                touched[lane.enterprise_id] = lane
        for lane in touched.values():
            self._advance(lane)

    def recheck(self, enterprise_id: str) -> None:
        """Look into the store for what is owed to an enterprise: after a replay, or when its endpoint was changed."""
        lane = self._lane(enterprise_id)
        lane.fall_behind()
        self._advance(lane)

    async def post(self, endpoint: Endpoint, event_id: str, body: bytes) -> Outcome:
        """Send a state once, now, beside what is owed. Every failure is an outcome."""
        if self._client is None:
            raise RuntimeError("the dispatcher is not running")
        return await self._client.post(endpoint, event_id, body)

    @property
    def held(self) -> int:
        """Deliveries in memory."""
        return sum(len(lane.queue) for lane in self._lanes.values())

    @property
    def in_flight(self) -> int:
        """Attempts under way."""
        return len(self._attempts)

    @property
    def unsaved(self) -> int:
        """Results of attempts that the journal has not taken yet."""
        return len(self._unsaved)

    @property
    def failing(self) -> int:
        """Endpoints whose last attempt failed."""
        return sum(lane.health.failing_since is not None for lane in self._lanes.values())

    @property
    def behind(self) -> int:
        """Endpoints that owe more than memory may hold."""
        return sum(lane.mode is Mode.BEHIND for lane in self._lanes.values())

    # What goes next

    def _lane(self, enterprise_id: str) -> Lane:
        lane = self._lanes.get(enterprise_id)
        if lane is None:
            lane = self._lanes[enterprise_id] = Lane(enterprise_id)
        return lane

    def _room(self, lane: Lane) -> int:
        """Return how many deliveries more the lane may hold: as many as can be under way, always."""
        own = len(lane.queue)
        if own >= self._held // SHARE:
            return 0
        return max(self._in_flight - own, min(self._held // SHARE - own, self._held - self.held))

    def _advance(self, lane: Lane) -> None:
        """Start what may go, look into the store if need be, and set the clock for what may go later."""
        if self._stopping:
            return
        if self._wants_scan(lane):
            self._scan(lane)
        if lane.mode is not Mode.OFF:
            now = self._now()
            allowed = lane.health.allowed(self._in_flight, now)
            while lane.queue.in_flight < allowed and len(self._unsaved) < UNSAVED:
                delivery = lane.queue.take(now)
                if delivery is None:
                    break
                self._spawn(self._attempt(lane, delivery), self._attempts)
        self._set_timer(lane)

    def _set_timer(self, lane: Lane) -> None:
        timer = self._timers.pop(lane.enterprise_id, None)
        if timer is not None:
            timer.cancel()
        now, due_at, probed_at = self._now(), lane.queue.next_due(), lane.health.probed_at
        if probed_at is not None and probed_at > now and len(lane.queue) > lane.queue.in_flight:
            due_at = max(due_at or 0.0, probed_at)
        if due_at is not None:
            delay = max(0.0, due_at - now) / self._speed
            self._timers[lane.enterprise_id] = asyncio.get_running_loop().call_later(delay, self._advance, lane)

    # One attempt

    async def _attempt(self, lane: Lane, delivery: Delivery) -> None:
        endpoint, client = lane.endpoint, self._client
        if endpoint is None or client is None:  # switched off between the decision and this moment
            lane.queue.done(delivery)
            return
        try:
            more = None if self._watch is None else self._watch.headers(delivery)
            outcome = await client.post(endpoint, delivery.event_id, delivery.body, more)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            logger.exception("the attempt to deliver %s broke", delivery.event_id, extra=delivery.about)
            outcome = Outcome(self._now(), 0, endpoint.url, error=f"the attempt broke: {type(error).__name__}")
        self._conclude(lane, delivery, outcome)
        self._advance(lane)

    def _conclude(self, lane: Lane, delivery: Delivery, outcome: Outcome) -> None:
        """Decide what follows from an attempt, store it, and go on."""
        delivery.attempts += 1
        now = self._now()
        retry_at: float | None = None
        result: DeliveryOutcome
        if outcome.taken:
            result = "delivered"
        elif outcome.gone:
            # It stays pending: when the endpoint is switched on again, it is among what was missed.
            result, retry_at = "retry", now
        else:
            attempts = delivery.attempts - delivery.attempts_before
            delay = self._wait(attempts, random.uniform(-1, 1), outcome.retry_after)  # noqa: S311 - spreading
            result, retry_at = ("failed", None) if delay is None else ("retry", now + delay)
        kept = retry_at is not None and lane.mode is Mode.LIVE and not outcome.gone and not delivery.forgotten
        if delivery.forgotten and retry_at is not None and lane.mode is Mode.LIVE:
            lane.fall_behind()  # else what follows in its leg would overtake it
        lane.settle(delivery, evicted=retry_at is not None and not kept)
        self._save(lane, delivery.event_id, _entry(delivery, outcome, result, retry_at))
        if retry_at is not None and kept:
            lane.queue.retry(delivery, retry_at)
        else:
            lane.queue.done(delivery)
        counted: Result = "gone" if outcome.gone else _COUNTED[result]
        self.counts.count(outcome, counted, now - delivery.occurred_at)
        if self._watch is not None:
            self._watch.attempted(delivery, outcome, counted)
        self._note(lane, delivery, outcome, result, now)
        if outcome.gone:
            self._switch_off(lane, "gone", outcome.error or "")
        elif lane.health.beyond_hope(now, self._off_after):
            since = datetime.fromtimestamp(lane.health.failing_since or now, UTC)
            reason = f"no call state was taken since {since:%Y-%m-%d %H:%M} UTC; the last time {outcome.error}"
            self._switch_off(lane, "failing", reason)

    def _note(self, lane: Lane, delivery: Delivery, outcome: Outcome, result: DeliveryOutcome, now: float) -> None:
        """Count for the probing, and log changes: a receiver that fails for a day is one line, not thousands."""
        whose, failures, about = lane.enterprise_id, lane.health.failures, delivery.about
        change = lane.health.note(outcome, now, random.uniform(-1, 1))  # noqa: S311 - spreading
        if result == "failed":
            given_up = (whose, delivery.event_id, outcome.error)
            logger.error("webhook of enterprise %s: gave up on %s: %s", *given_up, extra=about)
        elif change == "works":
            logger.info("webhook of enterprise %s works again after %d failures", whose, failures, extra=about)
        elif change == "fails" and not outcome.gone:
            logger.warning("webhook of enterprise %s fails: %s", whose, outcome.error, extra=about)
        elif change == "dead":
            words = "webhook of enterprise %s is dead and only probed until it answers: %s"
            logger.warning(words, whose, outcome.error, extra=about)

    def _switch_off(self, lane: Lane, why: SwitchOff, reason: str) -> None:
        """Send nothing more, and say so: in the log, in the counter, in the store, where the portal finds it."""
        if lane.closing:
            return
        whose = lane.enterprise_id
        logger.error("webhook of enterprise %s is switched off: %s", whose, reason, extra={"enterprise_id": whose})
        self.counts.switched_off[why] += 1
        lane.closing = True
        lane.switch_off()
        self._spawn(self._switch_off_stored(lane, reason), self._tasks)

    # Results into the store

    def _save(self, lane: Lane, event_id: str, entry: AttemptStored) -> None:
        self._unsaved.append((lane, event_id, entry))
        if len(self._unsaved) == 1:  # else the journal is in trouble, and the next tick tries again
            self._save_unsaved()

    def _save_unsaved(self) -> None:
        """Hand results to the journal in their order; stop at the first one that it does not take."""
        while self._unsaved:
            lane, event_id, entry = self._unsaved[0]
            try:
                self._journal.append([entry], partial(self._saved, lane, event_id))
            except Exception as error:  # noqa: BLE001 - full or stopped: the results are kept, the rest goes on
                logger.warning("%d results of webhooks wait for the journal: %s", len(self._unsaved), error)
                return
            self._unsaved.popleft()

    def _saved(self, lane: Lane, event_id: str) -> None:
        lane.settling.pop(event_id, None)
        if lane.mode is Mode.BEHIND:
            lane.poked = True  # the next delivery of the leg may go, and only the store knows it
            self._advance(lane)

    async def _switch_off_stored(self, lane: Lane, reason: str) -> None:
        while True:
            try:
                await self._backlog.switch_off(lane.enterprise_id, reason, int(self._now() * 1000))
            except Exception:
                about = {"enterprise_id": lane.enterprise_id}
                logger.exception("webhook of enterprise %s: switching it off failed", lane.enterprise_id, extra=about)
                await asyncio.sleep(TICK_SECONDS)
            else:
                lane.closing = False
                return

    # What the store has

    def _wants_scan(self, lane: Lane) -> bool:
        """Tell whether the store may have what memory should hold, and memory has use for it now."""
        return lane.poked and (lane.mode is not Mode.BEHIND or len(lane.queue) < self._in_flight)

    def _scan(self, lane: Lane) -> None:
        if lane.enterprise_id not in self._scans and not self._stopping:
            self._scans.add(lane.enterprise_id)
            self._spawn(self._scan_until_quiet(lane), self._tasks)

    async def _scan_until_quiet(self, lane: Lane) -> None:
        try:
            while True:
                async with self._scan_slots:
                    await self._scan_once(lane)
                self._advance(lane)
                await asyncio.sleep(SCAN_PAUSE_SECONDS)
                if not self._wants_scan(lane):
                    return
        finally:
            self._scans.discard(lane.enterprise_id)

    async def _scan_once(self, lane: Lane) -> None:
        lane.start_scan()
        try:
            page = await self._backlog.page(lane.enterprise_id, int(self._now() * 1000), self._room(lane))
        except Exception:
            lane.abandon_scan()
            about = {"enterprise_id": lane.enterprise_id}
            logger.exception("webhook of enterprise %s: what is owed cannot be read", lane.enterprise_id, extra=about)
            await asyncio.sleep(TICK_SECONDS)
        else:
            lane.finish_scan(page)

    async def _keep_up(self) -> None:
        """Every second: results to save, changes of the endpoints, deliveries in the store that have become due."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self._save_unsaved()
                await self._save_health()
                await self._take_changes()
                await self._take_replays()
                for lane in list(self._lanes.values()):
                    lane.poked = lane.poked or lane.mode is Mode.BEHIND
                    self._advance(lane)
            except Exception:
                logger.exception("the upkeep of the webhooks failed")

    async def _take_changes(self) -> None:
        """See which endpoints were set, changed, switched on or removed since the last look, and what was erased."""
        changes = await self._backlog.changes_since(self._version)
        if changes.endpoints is None:
            return
        self._version, endpoints = changes.version, changes.endpoints
        if changes.erasures > self._erasures:
            self._erasures = changes.erasures
            for lane in self._lanes.values():
                lane.read_anew()
        for enterprise_id in (one.enterprise_id for one in endpoints.values() if one.active):
            self._lane(enterprise_id)  # it may be owed something since before this process
        for lane in self._lanes.values():
            endpoint = endpoints.get(lane.enterprise_id)
            if endpoint is None or not endpoint.active or lane.closing:
                lane.switch_off()
            elif lane.mode is Mode.OFF or endpoint != lane.endpoint:
                lane.begin_anew(endpoint)

    async def _take_replays(self) -> None:
        """See whether more is owed than before: another process, such as a command, may have replayed something."""
        replays = await self._backlog.replays()
        if replays != self._replays:
            for lane in self._lanes.values():
                if lane.mode is Mode.LIVE:
                    lane.fall_behind()
        self._replays = replays

    async def _save_health(self) -> None:
        """Store since when which endpoint fails, so that a restart forgets nothing."""
        changed = {
            lane.enterprise_id: lane.health
            for lane in self._lanes.values()
            if lane.health.failing_since != lane.health.stored
        }
        if changed:
            since = {enterprise_id: health.failing_since for enterprise_id, health in changed.items()}
            await self._backlog.note_failing(since)
            for enterprise_id, health in changed.items():
                health.stored = since[enterprise_id]

    def _spawn(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        among.add(task)
        task.add_done_callback(partial(self._ended, among))

    def _ended(self, among: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        among.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of the webhooks failed", exc_info=error)


_COUNTED: Final[dict[DeliveryOutcome, Result]] = {"delivered": "delivered", "retry": "retried", "failed": "given_up"}


def _entry(delivery: Delivery, outcome: Outcome, result: DeliveryOutcome, retry_at: float | None) -> AttemptStored:
    return AttemptStored(
        call_id=delivery.call_id,
        call_control_id=delivery.call_control_id,
        sequence=delivery.sequence,
        attempt=delivery.attempts,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        outcome=result,
        retry_at=retry_at,
        url=outcome.url,
        address=outcome.address,
        status_code=outcome.status_code,
        error=outcome.error,
        response=outcome.response,
        exchange=None if outcome.exchange is None else encode(outcome.exchange),
    )
