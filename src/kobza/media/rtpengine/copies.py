"""Recordings of calls on rtpengines: a copy of both streams comes to the relay's process, which writes the spools."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kobza.media.embedded import EmbeddedPlane
from kobza.media.plane import MediaError, MediaEvent, RecordingClosed, RecordingNotice, Side
from kobza.media.rtpengine import words
from kobza.media.rtpengine.carried import Carried, is_gone
from kobza.media.rtpengine.ng import NgError

log = logging.getLogger(__name__)


@dataclass
class Pending:
    """A recording that was asked for and is not written yet, as there is no copy."""

    begin: Callable[[], None]
    spool: Path
    paused: bool = False


class Copies:
    """The recordings of all calls. `recorder` writes them; what it says comes by `said`, and goes out by `on_event`."""

    def __init__(self, recorder: EmbeddedPlane, on_event: Callable[[MediaEvent], None]) -> None:
        self._recorder = recorder
        self._on_event = on_event
        self._pending: dict[str, dict[str, Pending]] = {}
        """By call id and record id."""
        self._written: dict[str, set[str]] = {}
        """By call id: the record ids that the recorder writes."""

    def wanted(self, call_id: str) -> bool:
        """Whether a call is to be copied."""
        return call_id in self._pending or call_id in self._written

    def record(
        self, call: Carried, record_id: str, spool: Path, owner: str, notice: RecordingNotice | None = None
    ) -> None:
        """Record a call, as soon as it is copied. `notice` is noted, as what nobody heard."""
        begin = partial(
            self._recorder.record, call.call_id, record_id=record_id, spool=spool, owner=owner, notice=notice
        )
        pending = Pending(begin, spool)
        if call.settled is not None and call.settled.copied:
            self._begin(call.call_id, record_id, pending)
        else:
            self._pending.setdefault(call.call_id, {})[record_id] = pending

    def pause(self, call_id: str, record_id: str, *, on: bool) -> None:
        """Let a recording run on in silence, or record again."""
        pending = self._pending.get(call_id, {}).get(record_id)
        if pending is not None:
            pending.paused = on
        else:
            self._recorder.pause_recording(call_id, record_id=record_id, on=on)

    def stop(self, call_id: str, record_id: str) -> None:
        """End a recording."""
        pending = self._pending.get(call_id, {}).pop(record_id, None)
        if pending is None:
            self._recorder.stop_recording(call_id, record_id=record_id)
            return
        if not self._pending[call_id]:
            del self._pending[call_id]
        self._on_event(RecordingClosed(call_id, record_id, pending.spool))

    def end(self, call_id: str) -> None:
        """End all recordings of a call: it has ended."""
        for record_id, pending in self._pending.pop(call_id, {}).items():
            self._on_event(RecordingClosed(call_id, record_id, pending.spool))
        self._recorder.release(call_id)

    async def copy(self, call: Carried) -> None:
        """Have a call's streams copied to the recorder, and begin what waits for it; raise NgError.

        What cannot be copied is not recorded, and the call goes on.
        """
        call_id = call.call_id
        try:
            found = words.subscription_in(await call.instance.ask(words.subscribe(call.key)))
            call.tag = found.tag
            answers = {side: await self._receive(call_id, side, sdp) for side, sdp in found.offers.items()}
            await call.instance.ask(words.subscribe_answer(call.key, found.tag, words.joined(answers)))
        except (MediaError, NgError) as error:
            self.end(call_id)
            if isinstance(error, NgError) and is_gone(error):
                raise
            log.warning("a call cannot be recorded: %s", error.reason, extra={"call_id": call_id})
            return
        if call.ended:  # meanwhile, and nobody else ends what the recorder has of it by now
            self.end(call_id)
            return
        for record_id, pending in self._pending.pop(call_id, {}).items():
            self._begin(call_id, record_id, pending)

    async def end_copy(self, call: Carried) -> None:
        """Have a call copied no longer; raise NgError."""
        tag, call.tag = call.tag, ""
        if tag:
            await call.tell(words.unsubscribe(call.key, tag))
        if not self.wanted(call.call_id):
            self._recorder.release(call.call_id)

    def closed(self, event: RecordingClosed) -> None:
        """Hear that the recorder has closed a recording; pass it on."""
        written = self._written.get(event.call_id)
        if written is not None:
            written.discard(event.record_id)
            if not written:
                del self._written[event.call_id]
        self._on_event(event)

    def _begin(self, call_id: str, record_id: str, pending: Pending) -> None:
        self._written.setdefault(call_id, set()).add(record_id)
        pending.begin()
        if pending.paused:
            self._recorder.pause_recording(call_id, record_id=record_id, on=True)

    async def _receive(self, call_id: str, side: Side, sdp: bytes) -> bytes:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self._recorder.receive(call_id, source=side, sdp=sdp, done=reply.set_result)
        answer = await reply
        if isinstance(answer, MediaError):
            raise answer
        return answer
