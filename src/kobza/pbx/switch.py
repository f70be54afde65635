"""The switch: SIP events become inputs of calls, and what calls want becomes SIP, media and rows in the books.

A fault in one call is that call's: it is logged, the call is ended, and the others go on.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, Final

from kobza.call.b2bua import CALLERS_BRANCH
from kobza.call.causes import NORMAL_CLEARING, TEMPORARY_FAILURE
from kobza.call.errors import WrongStateError
from kobza.call.events import CallEnded, CallFact
from kobza.call.phases import Phase
from kobza.capture.recent import RecentMessages
from kobza.defence.door import Door
from kobza.media.plane import MediaPlane
from kobza.net.endpoint import SipEndpoint
from kobza.net.tls import Tls
from kobza.pbx.admission import Admission, Turned
from kobza.pbx.books import BookKeeper
from kobza.pbx.dialog_events import DialogEvents
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.info_digits import InfoDigits
from kobza.pbx.journal import JournalFull, JournalStopped, Then
from kobza.pbx.live_call import LiveCall
from kobza.pbx.media_events import MediaEvents
from kobza.pbx.notifier import Notifier
from kobza.pbx.opening import CallOpening, Origination
from kobza.pbx.outside_calls import OutsideCalls
from kobza.pbx.outside_guard import OutsideGuard
from kobza.pbx.partings import Partings
from kobza.pbx.performer import Performer, reason_of
from kobza.pbx.pickups import Pickups
from kobza.pbx.place_wanted import WantsPlace
from kobza.pbx.presence import Presence
from kobza.pbx.reading import call_of
from kobza.pbx.recordings import Recordings
from kobza.pbx.refers import Refers
from kobza.pbx.registrar import Registrar
from kobza.pbx.rooms import Rooms
from kobza.pbx.running_calls import RunningCalls
from kobza.pbx.sip_ladder import SipLadders
from kobza.pbx.sip_watch import SipWatch
from kobza.pbx.sound_library import SoundLibrary
from kobza.pbx.transfers import Transfers
from kobza.pbx.trunk_keeper import TrunkKeeper
from kobza.pbx.watch import CallWatch, tell_admission
from kobza.sip import ua as sip
from kobza.sip.traffic import SipTraffic
from kobza.store.entries import Entry
from kobza.values import NO_ENTRIES

log = logging.getLogger(__name__)

RETRY_AFTER: Final = (("Retry-After", "10"),)
"""Told to who calls while the journal takes no new calls."""
SWEEP_INTERVAL: Final = 5.0
"""Seconds between two looks for registrations that ran out."""
STORE_TIMER: Final = "store"
"""The name of the timer that refuses a call which is not stored."""
BEFORE_THE_CALLED: Final = frozenset(
    {Phase.ORIGINATOR_PREPARING, Phase.ORIGINATOR_RINGING, Phase.ORIGINATOR_CONNECTING, Phase.ENDED}
)
"""Phases of a click2dial call in which nobody is called yet but the originator."""
STORE_SECONDS: Final = 5.0
"""How long a caller waits for the store to take the call; longer, and it is refused: another route may have it."""
STOP_SECONDS: Final = 2.0
"""How long a stop waits for the phones to confirm the end of their calls."""


class Switch:
    """All running calls. Every method belongs into the loop's thread."""

    def __init__(
        self,
        *,
        ua: sip.UserAgent,
        plane: MediaPlane,
        view: DirectoryView,
        admission: Admission,
        registrar: Registrar,
        presence: Presence,
        books: BookKeeper,
        recordings: Recordings,
        keeper: TrunkKeeper,
        guard: OutsideGuard,
        sounds: SoundLibrary,
        transfers: Transfers,
        notifier: Notifier,
        now: Callable[[], float],
        new_id: Callable[[], str],
        ring_timeout: float,
        tls: Tls | None = None,
        speed: float = 1.0,
        watch: CallWatch | None = None,
        srtp_offer: bool = False,
        door: Door | None = None,
        kept_messages: int = 0,
        datagram_limit: int = 0,
        outside: str | None = None,
    ) -> None:
        """`speed` is how many seconds of `now` pass in one of the wall; `watch` is told of each INVITE.

        `door` decides which messages are read; None: all.

        `tls` is what the endpoint needs for TLS; `srtp_offer`: phones whose signalling goes over it are offered SRTP.
        `kept_messages`: how many bytes of whole messages of calls are kept in memory; `datagram_limit`: of how many
        bytes requests go over TCP in the place of UDP (0: never). `outside` is our address as the internet sees it.
        """
        self._watch = watch
        self._ua = ua
        self._plane = plane
        self._admission = admission
        self._registrar = registrar
        self.running: Final = RunningCalls(presence)
        """Who takes part in which call."""
        self._notifier = notifier
        self._opening = CallOpening(books, new_id)
        self._partings = Partings(self._store)
        self._lines = keeper.lines
        self._guard = guard
        self._now = now
        self.ring_timeout = ring_timeout
        """Seconds for which phones ring, unless somebody asks for another time."""
        self._calls = self.running.by_id
        self._stopping = False
        self._idle = asyncio.Event()
        self._sweeper: asyncio.Task[None] | None = None
        self.endpoint = SipEndpoint(
            ua,
            now=now,
            on_events=self._take_events,
            on_lost=registrar.flow_lost,
            tls=tls,
            speed=speed,
            door=door,
            datagram_limit=datagram_limit,
            outside=outside,
        )
        """The sockets."""
        self._dialogs = self.running.dialogs
        recent = RecentMessages(kept_messages)
        self._ladders = SipLadders(books.append, self._dialogs, recent if kept_messages else None)
        self.sip_watch = SipWatch(self.endpoint, self._ladders, self._dialogs, recent, self._calls.get)
        """The messages of the sockets, for who wants to see them."""
        info = InfoDigits(ua, now=now, feed=self._feed, pump=self.endpoint.pump, speed=speed)
        self.media_events: Final = MediaEvents(
            self.running,
            books,
            recordings=recordings,
            partings=self._partings,
            info=info,
            enter=self.feed,
            terminate=self._terminate,
            now=now,
        )
        """What the media plane has said."""
        plane.on_event = self.media_events.take
        self._performer = Performer(
            ua=ua,
            endpoint=self.endpoint,
            plane=plane,
            recordings=recordings,
            keeper=keeper,
            now=now,
            feed=self.feed,
            calls=self.running,
            guard=guard,
            sounds=sounds,
            info=info,
            speed=speed,
            srtp_offer=srtp_offer,
        )
        self._pickups = Pickups(admission, self.running, self._lines, self._feed, new_id, now)
        self.rooms = Rooms(plane, self._nobody_left)
        """Who supervises whose call, and who is in conference."""
        refers = Refers(ua, transfers, now=now, feed=self._feed, ring_timeout=ring_timeout)
        self._by_type: Mapping[type[Any], Callable[[Any], None]] = {
            sip.InviteReceived: self._invite_received,
            **DialogEvents(self._feed, now, keeper.refused).by_type,
            **OutsideCalls(
                ua, registrar, view, keeper, refers, notifier, info, now=now, pump=self.endpoint.pump
            ).by_type,
            **notifier.by_type,
        }
        notifier.start(lambda: self._calls.values(), self.endpoint.pump)

    # life

    def start(self) -> None:
        """Begin to forget registrations that run out."""
        self._sweeper = asyncio.create_task(self._sweep(), name="registrations")

    async def stop(self) -> None:
        """Take no new calls, end those that are on, close the sockets."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        for live in list(self._calls.values()):
            live.stored = True  # a caller is refused now, whatever the store does
            self._terminate(live.call_id)
        if self._calls:
            self._idle.clear()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._idle.wait()
            except TimeoutError:
                log.info("%d calls were not seen to their end by their phones", len(self._calls))
        self._partings.flush()
        self._ladders.write(inf)
        await self._notifier.stop()
        await self.endpoint.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            try:
                now = self._now()
                self._registrar.sweep(now)
                self._guard.sweep(now)
                self._ladders.write(now)
            except Exception:
                log.exception("what has run out could not be swept")

    # what others see

    @property
    def notifier(self) -> Notifier:
        """Who watches whom, for metrics."""
        return self._notifier

    @property
    def sip_counts(self) -> sip.UaCounts:
        """How much SIP is alive, for metrics."""
        return self._ua.counts

    @property
    def sip_traffic(self) -> SipTraffic:
        """Which SIP was sent and received, for metrics."""
        return self._ua.traffic

    def __len__(self) -> int:
        """How many calls are on."""
        return len(self._calls)

    def __iter__(self) -> Iterator[LiveCall]:
        """Every call that is on."""
        return iter(self._calls.values())

    # inputs

    def feed(self, live: LiveCall, enter: Callable[[], None]) -> None:
        """Give a call an input, do what follows from it, and send what that makes."""
        self._feed(live, enter)
        self.endpoint.pump()

    def originate(
        self,
        wanted: Origination,
        *,
        promised: Callable[[str, str, float], Sequence[Entry]],
        then: Then,
    ) -> LiveCall:
        """Begin a click2dial call; `then` is called when it is stored, and phones ring from then on.

        Raises JournalFull, JournalStopped.

        `promised` makes the entries that owe the originator its `finished` and keep what else was promised with the
        call, of the ids of call and leg and the moment: they are stored together.
        """
        if self._stopping:
            raise JournalStopped("the server is stopping")
        now = self._now()
        live = self._opening.originated(wanted, now)
        facts = live.call.take_facts()

        def stored() -> None:
            self._stored(live)
            then()

        live.books.write(facts, promised(live.call_id, live.caller_leg_id, now), stored)
        self._begin(live, facts)
        self.endpoint.pump()
        return live

    def _take_events(self, events: list[sip.UaEvent]) -> None:
        """Take what the user agent says; a fault in one event harms only its own call."""
        for event in events:
            try:
                take = self._by_type.get(type(event))
                if take is not None:
                    take(event)
            except Exception:
                found = call_of(event.dialog) if isinstance(event, sip.InviteEvent) else None
                log.exception("%s was not handled", type(event).__name__, extra=found[0].about if found else None)

    def _feed(self, live: LiveCall, enter: Callable[[], None]) -> None:
        try:
            enter()
            self._settle(live)
        except Exception:
            log.exception("the call is ended because of a fault", extra=live.about)
            self._abandon(live)

    def _settle(self, live: LiveCall) -> None:
        """Write down and do what a call says until it says no more. What is done may give the call new inputs.

        What a call says before its beginning is stored waits until then.
        """
        if live.is_settling or not live.stored:
            return
        live.is_settling = True
        try:
            call = live.call
            while call.has_said:
                facts = call.take_facts()
                if facts:
                    self._write(live, facts)
                for action in call.take_actions():
                    self._performer.perform(live, action)
        finally:
            live.is_settling = False
        if call.phase not in BEFORE_THE_CALLED:
            self.running.called(live)
        if self._notifier.watches:
            self._notifier.call_changed(live)
        if call.finished:
            self._forget(live)

    def _write(self, live: LiveCall, facts: Sequence[CallFact]) -> None:
        ended = isinstance(facts[-1], CallEnded)
        if ended:
            self.media_events.one_way.ended(live)
            live.ended = True
            self.running.hung_up(live)
        if live.mixed:
            self.rooms.noted(live, facts)
        if ended and live.books.tells_quality and not self._stopping:
            live.asks_quality = True
            self._partings.wait(live, facts)
            return
        self._store(live, facts)

    def _store(self, live: LiveCall, facts: Sequence[CallFact]) -> None:
        """Hand facts of a call to its books."""
        try:
            live.books.write(facts)
        except (JournalFull, JournalStopped) as error:
            # The row in the store stays open, so that the next start closes the call and owes every owner its end.
            # no traceback: it is no fault of the code
            log.error("the call cannot be written down: %s", error, extra=live.about)  # noqa: TRY400
            if not live.ended:
                live.call.terminate(TEMPORARY_FAILURE, self._now())

    def _abandon(self, live: LiveCall) -> None:
        """End a call in which a fault came up, in its own way if it still can, else by force."""
        try:
            live.is_settling, live.stored = False, True
            live.call.terminate(TEMPORARY_FAILURE, self._now())
            self._settle(live)
        except Exception:
            log.exception("the call is cut off", extra=live.about)
        if not live.ended:
            self.running.hung_up(live)
            live.ended = True
        if live.call_id in self._calls and not live.call.finished:
            return  # cancelled branches are still on their way; the settling timer comes
        self._plane.release(live.call_id)
        self._forget(live)

    # the life of a call

    def _begin(self, live: LiveCall, facts: Sequence[CallFact]) -> None:
        """Carry a call whose first facts are on their way into the store.

        Without a device to ring they hold its end already. Nobody hears of the call until they are there (`_stored`).
        """
        live.ended = bool(facts) and isinstance(facts[-1], CallEnded)
        self.running.begin(live)
        self._feed(live, _nothing)

    def _stored(self, live: LiveCall) -> None:
        """Let a call go on whose beginning is in the store."""
        timer = live.take_timer(STORE_TIMER)
        if timer is not None:
            timer.cancel()
        if not live.stored:
            live.stored = True
            self.feed(live, _nothing)

    def _not_stored(self, live: LiveCall) -> None:
        """Refuse a call that the store did not take in time. What the journal has of it is written some time."""
        if not live.stored:
            log.error("the call is refused: it was not stored within %g s", STORE_SECONDS, extra=live.about)
            live.stored = True
            self._terminate(live.call_id)

    def _forget(self, live: LiveCall) -> None:
        if not self.running.end(live):
            return
        for timer in live.timers.values():
            timer.cancel()
        live.timers = NO_ENTRIES
        live.fail_commands(WrongStateError("The call has ended."))
        if self._notifier.watches:  # once more: one that was cut off was not settled
            self._notifier.call_changed(live)
        if live.call_id not in self._partings:
            live.books.close()
        self._ladders.over(live.call_id, self._now())
        live.leave_dialogs()
        live.call.dissolve()
        if live.taken is not None:  # the call ended before it could talk to that phone
            live.taken.bye(headers=reason_of(TEMPORARY_FAILURE), now=self._now())
            live.taken = None
        if not self._calls:
            self._idle.set()

    # a call comes in

    def _invite_received(self, event: sip.InviteReceived) -> None:
        dialog, request = event.dialog, event.request
        now = self._now()
        if self._stopping:
            dialog.reject(503, headers=(*RETRY_AFTER, *reason_of(TEMPORARY_FAILURE)), now=now)
            return
        answer = self._admission.admit(request, dialog.source, now)
        if isinstance(answer, WantsPlace):
            self._pickups.take(dialog, request.session, answer)
            return
        if isinstance(answer, Turned):
            call_id = self._opening.write_refused(answer, now)
            if call_id is not None:
                tell_admission(self._watch, call_id, answer, now)
                self._dialogs.join(call_id, dialog, None if answer.trunk is None else answer.trunk.name)
                self._ladders.over(call_id, now)
            dialog.reject(answer.status, headers=answer.headers, now=now)
            return
        live = self._opening.incoming(answer, request, self.ring_timeout, now)
        tell_admission(self._watch, live.call_id, answer, now)
        facts = live.call.take_facts()
        try:
            details = self._opening.details_of(answer, live.call_id)
            live.books.write(facts, details, then=lambda: self._stored(live))
        except (JournalFull, JournalStopped) as error:
            # no traceback: it is no fault of the code
            log.error("a call from %s is refused: %s", answer.caller.number, error, extra=live.about)  # noqa: TRY400
            dialog.reject(503, headers=(*RETRY_AFTER, *reason_of(TEMPORARY_FAILURE)), now=now)
            return
        self.running.add_dialog(live, CALLERS_BRANCH, dialog, None if answer.trunk is None else answer.trunk.name)
        if answer.trunk is not None:
            self._lines.take(answer.trunk, dialog)
        live.wait(STORE_TIMER, asyncio.get_running_loop().call_later(STORE_SECONDS, self._not_stored, live))
        self._begin(live, facts)

    # its end

    def _nobody_left(self, live: LiveCall) -> None:
        """End a call that was there for the sake of another one."""
        self._feed(live, lambda: live.call.terminate(NORMAL_CLEARING, self._now()))

    def _terminate(self, call_id: str) -> None:
        live = self._calls.get(call_id)
        if live is not None:
            call = live.call
            self.feed(live, lambda: call.terminate(TEMPORARY_FAILURE, self._now()))


def _nothing() -> None:
    """Give a call no input: only what it says already is to be done."""
