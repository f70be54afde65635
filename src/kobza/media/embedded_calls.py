"""The calls that the embedded plane carries: their descriptions, their ports, and what the relay is told of them."""

from collections.abc import Callable
from typing import Final

from kobza.media.browser_end import BrowserAccess
from kobza.media.command_writer import CommandWriter
from kobza.media.frames import encode
from kobza.media.messages import Configure, Release
from kobza.media.negotiation import CallMedia, carry_out
from kobza.media.plane import Done, MediaError, Side
from kobza.media.port_broker import PlaneCall, PortBroker

_CALLER: Final = Side.CALLER
_CALLEE: Final = Side.CALLEE


class EmbeddedCalls:
    """Calls by their id. Without a relay none begins, and what the others say goes nowhere."""

    def __init__(self, host: str, host6: str | None, bound_to: str, ports: range) -> None:
        """`host` and `host6` are the addresses that phones are told, `bound_to` is that of the ports."""
        self.by_id: Final[dict[str, PlaneCall]] = {}
        self.ports: Final = PortBroker(bound_to, ports, self._forget)
        self.browsers: BrowserAccess | None = None
        """How browsers reach the relay; None: they do not."""
        self._host, self._host6 = host, host6
        self._commands: CommandWriter | None = None
        self._sessions = 0

    def begin(self, commands: CommandWriter) -> None:
        """Take on a relay that has bound nothing yet."""
        self._commands = commands
        self.ports.begin(commands)

    def lost(self) -> list[PlaneCall]:
        """Take back everything: the relay is gone. Return the calls that it carried; who waits for them is not told."""
        self._commands = None
        calls = list(self.by_id.values())
        self.by_id.clear()
        self.ports.lost(calls)
        return calls

    def offer(
        self, call_id: str, source: Side | None, target: Side, sdp: bytes | None, by_info: bool, done: Done
    ) -> None:
        """See MediaPlane."""
        if self._commands is None or self._commands.congested:
            done(MediaError("the relay is not ready"))
            return
        call = self.by_id.get(call_id) or self._new_call(call_id)
        try:
            call.media.check_offer(source, sdp, by_info=by_info)
        except MediaError as error:
            done(error)
            return
        self.by_id[call_id] = call
        sides = frozenset({target} if source is None else {source, target})

        def opened(error: MediaError | None) -> None:
            if error is not None:
                done(error)
            else:
                # The other phone has not heard of it yet: packets cannot come before its answer is on the way.
                self.do(call_id, done, lambda media: media.offer(source, target, sdp), soon=False)

        self.ports.need(call, sides, opened)
        if call.opening:  # then both commands go in one write, and mostly nothing has changed when the ports are open
            self.changed(call)

    def answer(self, call_id: str, source: Side, sdp: bytes, by_info: bool, done: Done) -> None:
        """See MediaPlane."""
        self.do(call_id, done, lambda media: media.answer(source, sdp, by_info=by_info))

    def receive(self, call_id: str, source: Side, sdp: bytes, done: Done) -> None:
        """See EmbeddedPlane."""
        if self._commands is None or self._commands.congested:
            done(MediaError("the relay is not ready"))
            return
        call = self.by_id.get(call_id)
        if call is None:
            call = self.by_id[call_id] = self._new_call(call_id)

        def opened(error: MediaError | None) -> None:
            if error is not None:
                done(error)
            else:
                self.do(call_id, done, lambda media: media.receive(source, sdp))

        self.ports.need(call, frozenset({source}), opened)

    def release(self, call_id: str, asked: bool, recorded_until: float | None) -> None:
        """See MediaPlane. `recorded_until`: until when it was recorded, by the monotonic clock, if it was."""
        call = self.by_id.pop(call_id, None)
        if call is None:
            return
        if self._commands is not None:
            # A recording ends with its call; for the rest a moment later is as good.
            release = Release(call_id, recorded_until, asked)
            if recorded_until is not None or asked:
                self._commands.send(release)
            else:
                self._commands.send_with_the_next(release)
        self.ports.release(call)
        if call.waiting:
            call.fail(MediaError("the call was released"))

    def do(self, call_id: str, done: Done, what: Callable[[CallMedia], bytes], *, soon: bool = True) -> None:
        """Do SDP work of a call, have moved differently what changed (`soon` as in `changed`), give the result."""
        carry_out(self.by_id.get(call_id), done, what, lambda call: self.changed(call, soon=soon))

    def changed(self, call: PlaneCall, *, soon: bool = True) -> None:
        """Have packets moved as a call's descriptions want it now; `soon` False: it can wait for company."""
        if self._commands is None:
            return
        media = call.media
        frame = encode(Configure(call.call_id, media.flow(_CALLER), media.flow(_CALLEE)))
        # Of what was said a number is kept. That of something else is the same once in 2**64 times, by chance only, as
        # the hash has a key of its own in each process.
        told = hash(frame)
        if told != call.told:
            call.told = told
            self._commands.send_frame(frame, soon=soon)

    def _new_call(self, call_id: str) -> PlaneCall:
        self._sessions += 1
        session = new_session_id(self._sessions)
        return PlaneCall(call_id, CallMedia(self._host, session, self.browsers, self._host6))

    def _forget(self, call: PlaneCall) -> None:
        self.by_id.pop(call.call_id, None)


def new_session_id(count: int) -> int:
    """Return a session id for the origin lines of a call (RFC 8866, section 5.2): unique within this process.

    Dialogs do not outlive the process, so nobody can mistake it for one of another run.
    """
    return 1_000_000 + count
