"""The dispatcher: posts what is owed, in order within a leg, until it is taken (contract, section 4).

What is owed is in the store before it is offered here, so memory is only a window on it. An endpoint whose pending
deliveries fit into memory is LIVE: a state goes out as soon as it is committed. One that owes more than that is BEHIND:
the store is asked again and again for what may go next, and what calls that go on owe goes out beside it, first. A
receiver that is slow, dead or full of errors therefore costs a bounded amount of memory and delays nobody else.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from kobza.call.directory import Endpoint
from kobza.store.entries import DeliveryOutcome, StateStored
from kobza.store.store import Store
from kobza.webhooks.address import Network, refusal
from kobza.webhooks.backlog import Backlog
from kobza.webhooks.client import Client
from kobza.webhooks.counts import DeliveryCounts, Result
from kobza.webhooks.health import OFF_AFTER, SwitchOff
from kobza.webhooks.lane import Lane, Mode
from kobza.webhooks.lanes import Lanes
from kobza.webhooks.limits import Limits
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.queue import Delivery
from kobza.webhooks.refill import Refill
from kobza.webhooks.results import Journal, Results, entry_of
from kobza.webhooks.schedule import wait_after
from kobza.webhooks.tasks import Tasks
from kobza.webhooks.upkeep import Upkeep
from kobza.webhooks.watch import DeliveryWatch

IN_FLIGHT: Final = 16
"""Attempts under way to one endpoint, unless the configuration says otherwise."""
HELD: Final = 20_000
"""Deliveries in memory, unless the configuration says otherwise: about 20 MB."""
TICK_SECONDS: Final = 1.0
"""How often changes of the endpoints and due deliveries in the store are looked for."""
STOP_SECONDS: Final = 3.0
"""How long attempts under way may take when the dispatcher stops; then they are left to the next start."""

logger = logging.getLogger(__name__)


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
        self._allowed = tuple(allow_private)
        self._now = now
        self._in_flight = in_flight
        self._limits = limits
        self._http2 = http2
        self._wait = wait
        self._off_after = off_after
        self._speed = speed
        self._via = via
        self.counts = DeliveryCounts()
        self._lanes = Lanes(in_flight, held)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._results = Results(journal)
        self._tasks = Tasks()
        self._attempts = Tasks()
        self._refill = Refill(
            self._backlog, self._lanes, self._tasks, in_flight=in_flight, now=now, advance=self._advance
        )
        self._upkeep = Upkeep(self._backlog, self._lanes)
        self._client: Client | None = None
        self._stopping = False

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
        await self._upkeep.start()
        self._advance_all()
        self._tasks.spawn(self._keep_up())

    async def stop(self) -> None:
        """Stop: attempts under way get a little time; what is not done is taken up by the next start."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        await self._attempts.stop(STOP_SECONDS)
        await self._tasks.stop()  # the last: an attempt may have switched an endpoint off
        self._results.flush()
        if self._client is not None:
            await self._client.close()
        self._backlog.close()

    def owed(self, entries: Iterable[StateStored]) -> None:
        """Take over states that the journal has committed; those that are not owed are left alone."""
        touched: dict[str, Lane] = {}
        for entry in entries:
            if entry.owed_to_endpoint:
                lane = self._lanes.of(entry.state.enterprise_id)
                lane.offer(Delivery.of(entry), self._lanes.room(lane))
                touched[lane.enterprise_id] = lane
        for lane in touched.values():
            self._advance(lane)

    def recheck(self, enterprise_id: str) -> None:
        """Look into the store for what is owed to an enterprise: after a replay, or when its endpoint was changed."""
        lane = self._lanes.of(enterprise_id)
        lane.recheck()
        self._advance(lane)

    def refusal(self, url: str) -> str | None:
        """Say why nothing would ever be posted to a URL whose host is an address; None when it would, or for a name."""
        return refusal(url, self._allowed)

    async def post(self, endpoint: Endpoint, event_id: str, body: bytes) -> Outcome:
        """Send a state once, now, beside what is owed. Every failure is an outcome."""
        if self._client is None:
            raise RuntimeError("the dispatcher is not running")
        return await self._client.post(endpoint, event_id, body)

    @property
    def held(self) -> int:
        """Deliveries in memory."""
        return self._lanes.held

    @property
    def in_flight(self) -> int:
        """Attempts under way."""
        return len(self._attempts)

    @property
    def unsaved(self) -> int:
        """Results of attempts that the journal has not taken yet."""
        return len(self._results)

    @property
    def failing(self) -> int:
        """Endpoints whose last attempt failed."""
        return sum(lane.health.failing_since is not None for lane in self._lanes)

    @property
    def behind(self) -> int:
        """Endpoints that owe more than memory may hold."""
        return sum(lane.mode is Mode.BEHIND for lane in self._lanes)

    # What goes next

    def _advance(self, lane: Lane) -> None:
        """Start what may go, look into the store if need be, and set the clock for what may go later."""
        if self._stopping:
            return
        self._refill.see_to(lane)
        if lane.mode is not Mode.OFF:
            now = self._now()
            allowed = lane.health.allowed(self._in_flight, now)
            while not self._results.too_many:
                delivery = lane.queue.take(now, allowed)
                if delivery is None:
                    break
                self._attempts.spawn(self._attempt(lane, delivery))
        self._set_timer(lane)

    def _advance_all(self) -> None:
        for lane in self._lanes:
            self._advance(lane)

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
        self._results.save(entry_of(delivery, outcome, result, retry_at), partial(self._saved, lane, delivery))
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
            lane.die()
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
        self._tasks.spawn(self._switch_off_stored(lane, reason))

    def _saved(self, lane: Lane, delivery: Delivery) -> None:
        lane.settled(delivery)
        if lane.poked:
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

    async def _keep_up(self) -> None:
        """Every second: results to save, changes of the endpoints, deliveries in the store that have become due."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self._results.flush()
                await self._upkeep.tick()
                self._advance_all()
            except Exception:
                logger.exception("the upkeep of the webhooks failed")


_COUNTED: Final[dict[DeliveryOutcome, Result]] = {"delivered": "delivered", "retry": "retried", "failed": "given_up"}
