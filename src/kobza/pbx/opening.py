"""How calls begin: an admitted INVITE or a click becomes a call with its legs and its books; a refused one is noted."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kobza.call.actions import SideName
from kobza.call.b2bua import Call
from kobza.call.events import CallEnded, CallStarted
from kobza.call.routing import Identity, Party
from kobza.call.step import FindTargets, Onward
from kobza.pbx.admission import Admitted, Turned
from kobza.pbx.books import BookKeeper
from kobza.pbx.dialling import Target
from kobza.pbx.diverting import told_of
from kobza.pbx.journal import JournalFull, JournalStopped
from kobza.pbx.live_call import LiveCall
from kobza.sip.message import SipRequest
from kobza.sip.reliable import wants_reliable
from kobza.store import diversions
from kobza.store.entries import DetailStored, Entry

log = logging.getLogger(__name__)


class Origination(NamedTuple):
    """A call that somebody commands: first the originator's phones ring, then who is called."""

    caller: Party
    callee: Party
    dialled: str
    originator_targets: Sequence[Target]
    find_destination: FindTargets
    """Says where the call goes once the originator has answered."""
    onward: Onward
    """Says where it goes when nobody takes it there."""
    shown: Mapping[SideName, Identity]
    """Who each side is told is at the other end."""
    timeout: float
    """Seconds for which phones ring."""
    client_state: str | None = None


class CallOpening:
    """Makes the calls of one switch."""

    def __init__(self, books: BookKeeper, new_id: Callable[[], str]) -> None:
        self._books = books
        self._new_id = new_id

    def incoming(self, admitted: Admitted, request: SipRequest, ring_timeout: float, now: float) -> LiveCall:
        """Make the call of an INVITE that was admitted; nothing of it is stored yet."""
        caller, callee = admitted.caller, admitted.callee
        call_id, caller_leg_id, callee_leg_id = self._ids()
        call = Call.incoming(
            call_id,
            caller=caller,
            callee=callee,
            dialled=admitted.dialled,
            sdp=request.session,
            answers_early=wants_reliable(request),
            first=admitted.first,
            onward=admitted.onward,
            origin=admitted.origin,
            caller_leg_id=caller_leg_id,
            callee_leg_id=callee_leg_id,
            new_id=self._new_id,
            now=now,
            ring_timeout=ring_timeout,
        )
        hops = request.max_forwards
        books = self._books.open()
        if admitted.trunk is not None:
            books.meter.came_by(admitted.trunk.name)
        return LiveCall(
            call,
            books,
            caller=caller,
            callee=callee,
            caller_leg_id=caller_leg_id,
            callee_leg_id=callee_leg_id,
            shown={"callee": admitted.identity},
            max_forwards=None if hops is None else hops - 1,
            diverted=admitted.diverted,
        )

    @staticmethod
    def details_of(admitted: Admitted, call_id: str) -> Sequence[Entry]:
        """Return what is stored of a call that begins beside its record: who sent it on before it came here."""
        if admitted.trunk is None or not admitted.diverted:
            return ()
        return (DetailStored(call_id, "diversions", diversions.written(told_of(admitted.diverted, admitted.trunk))),)

    def originated(self, wanted: Origination, now: float) -> LiveCall:
        """Make a click2dial call; nothing of it is stored yet."""
        call_id, caller_leg_id, callee_leg_id = self._ids()
        call = Call.originated(
            call_id,
            caller=wanted.caller,
            callee=wanted.callee,
            dialled=wanted.dialled,
            originator_targets=wanted.originator_targets,
            find_destination=wanted.find_destination,
            onward=wanted.onward,
            caller_leg_id=caller_leg_id,
            callee_leg_id=callee_leg_id,
            new_id=self._new_id,
            now=now,
            timeout=wanted.timeout,
            client_state=wanted.client_state,
        )
        return LiveCall(
            call,
            self._books.open(),
            caller=wanted.caller,
            callee=wanted.callee,
            caller_leg_id=caller_leg_id,
            callee_leg_id=callee_leg_id,
            shown=wanted.shown,
        )

    def write_refused(self, turned: Turned, now: float) -> str | None:
        """Write the record of a call that went nowhere: its enterprises see it in the history all the same.

        Return its id; None when it was no call, because it is not known who called.
        """
        if turned.refused is None:
            return None
        caller, callee, dialled, origin, cause = turned.refused
        call_id, caller_leg_id, callee_leg_id = self._ids()
        about = {"call_id": call_id, "enterprise_id": caller.enterprise_id or callee.enterprise_id}
        log.info("call from %s to %s refused: %s", caller.number, dialled, turned.detail, extra=about)
        facts = (
            CallStarted(call_id, now, caller, dialled, callee, origin, caller_leg_id, callee_leg_id),
            CallEnded(call_id, now, cause, turned.status, "network"),
        )
        books = self._books.open()
        if turned.trunk is not None:
            books.meter.came_by(turned.trunk.name)
        if caller.enterprise_id is None and callee.enterprise_id is None:  # nobody's history
            books.meter.feed(facts)
            return None
        try:
            books.write(facts)
        except (JournalFull, JournalStopped) as error:
            # no traceback: it is no fault of the code
            log.error("a refused call cannot be written down: %s", error, extra=about)  # noqa: TRY400
        return call_id

    def _ids(self) -> tuple[str, str, str]:
        """Return new ids: of the call, the caller's leg, the called one's leg."""
        return self._new_id(), self._new_id(), self._new_id()
