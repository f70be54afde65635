"""One HTTP/2 connection to a receiver (RFC 9113): h2 speaks the protocol, this moves its bytes and wakes who waits.

h2 takes GOAWAY for the end of everything, but the requests that the receiver has begun are answered after it (6.8).
So frames are handed to h2 one by one, all but GOAWAY, which is read here.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import FrameTooLargeError, H2Error, NoAvailableStreamIDError
from h2.settings import SettingCodes, Settings

from kobza.webhooks.connecting import peer_of
from kobza.webhooks.limits import Phase
from kobza.webhooks.progress import Failed, Progress

IDLE_SECONDS: Final = 30.0
"""How long an unused connection is kept for the next state."""
FRAME_HEADER: Final = 9
MAX_FRAME: Final = 16_384
"""Bytes of a frame's payload: what every receiver may send, and what we leave it at (RFC 9113, 6.5.2)."""
GOAWAY: Final = 7
"""The type of the frame (RFC 9113, 6.8): the last stream that is looked at and an error code, of 4 bytes each."""
GOAWAY_BYTES: Final = 8
ALPN: Final = "h2"

_CODES: Final = frozenset(ErrorCodes)
_SETTINGS: Final = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.INITIAL_WINDOW_SIZE: MAX_FRAME,  # four times what is kept of an answer
    SettingCodes.MAX_HEADER_LIST_SIZE: 65_536,
}


class Unprocessed(Exception):
    """The receiver says that it has not looked at the request: it may be sent again at once (RFC 9113, 8.7)."""


class _Stream:
    """One request under way."""

    __slots__ = ("blocked", "changed", "closed", "done", "failure", "progress")

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.changed = asyncio.Event()
        self.blocked = False
        """Whether it waits for the receiver to make room for more of its body."""
        self.done = False
        """Whether all of the answer has come that is wanted."""
        self.closed = False
        """Whether the receiver has said its last word."""
        self.failure: Exception | None = None

    def fail(self, error: Exception) -> None:
        """End the wait of the request; the first reason counts."""
        self.failure = self.failure or error
        self.changed.set()

    async def wait(self) -> None:
        """Wait until something has changed; raises what made the stream fail."""
        await self.changed.wait()
        self.changed.clear()
        if self.failure is not None and not self.done:
            raise self.failure


class Http2Connection(asyncio.Protocol):
    """The protocol of the event loop on one side, `start` and `post` on the other."""

    def __init__(self) -> None:
        self.spoken = False
        """Whether the receiver has chosen HTTP/2."""
        self.peer: str | None = None
        """The address at the other end."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.local_settings = Settings(client=True, initial_values=_SETTINGS)
        self._received = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._settings: asyncio.Future[None] = self._loop.create_future()
        self._writable = asyncio.Event()
        self._writable.set()
        self._on_leaving: Callable[[], None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._leaving = False
        self._why = "the receiver closed the connection without an answer"

    @property
    def has_room(self) -> bool:
        """Whether one more request may be sent."""
        return not self._leaving and len(self._streams) < self._h2.remote_settings.max_concurrent_streams

    async def start(self, on_leaving: Callable[[], None]) -> None:
        """Wait for the receiver's settings; `on_leaving` is told once no more request can be sent. Raises Failed."""
        await self._settings
        self._on_leaving = on_leaving

    async def post(self, fields: Sequence[tuple[str, str]], body: bytes, progress: Progress) -> None:
        """Send a request and note its answer; raises Failed and Unprocessed."""
        if self._idle is not None:
            self._idle.cancel()
        try:
            stream_id = self._h2.get_next_available_stream_id()
        except NoAvailableStreamIDError as error:
            self._leave()
            raise Unprocessed("the connection has had all requests that it can have") from error
        stream = self._streams[stream_id] = _Stream(progress)
        progress.address = self.peer
        try:
            progress.enter(Phase.SEND)
            self._h2.send_headers(stream_id, fields)
            await self._send(stream_id, stream, body)
            if progress.status is None:  # it may have been answered already
                progress.enter(Phase.ANSWER)
            while not stream.done:
                await stream.wait()
        except H2Error as error:
            raise stream.failure or Failed(f"the attempt failed: {error or type(error).__name__}") from error
        finally:
            if progress.over and progress.status is None:
                self._leave()  # the next request may find it as dead; what is under way may still be answered
            self._finish(stream_id, stream)

    def close(self) -> None:
        """Close the connection; what is under way fails."""
        self._leave()
        if self._transport is not None and not self._transport.is_closing():
            with suppress(H2Error):
                self._h2.close_connection()
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """Close the connection without a wait for the receiver."""
        self.close()
        if self._transport is not None:
            self._transport.abort()

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the receiver, if it speaks HTTP/2."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.peer = peer_of(transport)
        self.spoken = transport.get_extra_info("ssl_object").selected_alpn_protocol() == ALPN
        if self.spoken:
            self._h2.initiate_connection()
            self._flush()

    def data_received(self, data: bytes) -> None:
        """Read the frames that are whole."""
        if not self.spoken:
            return
        received = self._received
        received += data
        try:
            while len(received) >= FRAME_HEADER:
                length = int.from_bytes(received[:3], "big")
                if length > MAX_FRAME:
                    raise FrameTooLargeError(f"a frame of {length} bytes")
                end = FRAME_HEADER + length
                if len(received) < end:
                    break
                frame = bytes(received[:end])
                del received[:end]
                if frame[3] == GOAWAY and len(frame) >= FRAME_HEADER + GOAWAY_BYTES:
                    self._going_away(frame[FRAME_HEADER:])
                else:
                    for event in self._h2.receive_data(frame):
                        self._happened(event)
        except H2Error:
            self._break_off("the receiver's answer is not HTTP/2")
        else:
            self._flush()

    def pause_writing(self) -> None:
        """Hold bodies back: the receiver does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's; what is said is enough
        """Fail what is under way."""
        self._transport = None
        self._leave()
        if not self._settings.done():
            self._settings.set_exception(Failed(self._why))
            self._settings.exception()  # nobody may wait for it
        self._fail_all()
        self._writable.set()

    # Frames

    async def _send(self, stream_id: int, stream: _Stream, body: bytes) -> None:
        """Send a body as fast as the receiver makes room."""
        while True:
            room = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)
            if room > 0 or not body:
                chunk, body = body[:room], body[room:]
                self._h2.send_data(stream_id, chunk, end_stream=not body)
            self._flush()
            await self._writable.wait()
            if not body or stream.done:
                return
            if room <= 0:
                stream.blocked = True
                await stream.wait()
                stream.blocked = False

    def _happened(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged():
                if not self._settings.done():
                    self._settings.set_result(None)
                self._unblock()
            case WindowUpdated():
                self._unblock()
            case ResponseReceived(stream_id=int(stream_id)) if stream_id in self._streams:
                self._answered(self._streams[stream_id], event)
            case DataReceived(stream_id=int(stream_id), flow_controlled_length=int(length)):
                self._h2.acknowledge_received_data(length, stream_id)
                stream = self._streams.get(stream_id)
                if stream is not None and not stream.progress.take(event.data or b""):
                    stream.done = True
                    stream.changed.set()
            case StreamEnded(stream_id=int(stream_id)) if stream_id in self._streams:
                stream = self._streams[stream_id]
                stream.done = stream.closed = True
                stream.changed.set()
            case StreamReset(stream_id=int(stream_id)) if stream_id in self._streams:
                self._reset(self._streams[stream_id], event)

    def _answered(self, stream: _Stream, event: ResponseReceived) -> None:
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers or ()]
        by_name = dict(fields)
        status = by_name.get(":status", "")
        if not (status.isascii() and status.isdecimal() and len(status) == 3):
            stream.fail(Failed("the receiver's answer is not HTTP/2"))
            return
        shown = [(name, value) for name, value in fields if not name.startswith(":")]
        stream.progress.answered(int(status), shown, "2", by_name.get("retry-after"))

    def _reset(self, stream: _Stream, event: StreamReset) -> None:
        stream.closed = True
        if event.error_code == ErrorCodes.REFUSED_STREAM:
            stream.fail(Unprocessed("the receiver takes no request now (REFUSED_STREAM)"))
        else:
            stream.fail(Failed(f"the receiver broke the request off ({_name(event.error_code)})"))

    def _going_away(self, payload: bytes) -> None:
        """The receiver takes no more requests here, and says which it has not looked at."""
        last = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        code = int.from_bytes(payload[4:GOAWAY_BYTES], "big")
        self._why = f"the receiver closed the connection ({_name(code)})"
        self._leave()
        for stream_id, stream in self._streams.items():
            if stream_id > last:
                # With an error it has a reason, which the same request sent at once would only meet again.
                stream.fail(Unprocessed(self._why) if code == ErrorCodes.NO_ERROR else Failed(self._why))
        if not self._streams:
            self.close()

    # The end

    def _unblock(self) -> None:
        for stream in self._streams.values():
            if stream.blocked:
                stream.changed.set()

    def _finish(self, stream_id: int, stream: _Stream) -> None:
        """Let go of a request; the receiver is told, unless it knows."""
        del self._streams[stream_id]
        if not stream.closed:
            with suppress(H2Error):
                self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)
                self._flush()
        if not self._streams:
            if self._leaving:
                self.close()
            else:
                self._idle = self._loop.call_later(IDLE_SECONDS, self.close)

    def _break_off(self, why: str) -> None:
        self._why = why
        self.close()
        self._fail_all()

    def _fail_all(self) -> None:
        for stream in self._streams.values():
            stream.fail(Failed(self._why))

    def _leave(self) -> None:
        """Take no more requests."""
        if not self._leaving:
            self._leaving = True
            if self._idle is not None:
                self._idle.cancel()
            if self._on_leaving is not None:
                self._on_leaving()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _name(code: ErrorCodes | int | None) -> str:
    """Return an error code as the RFC names it."""
    return ErrorCodes(code).name if code in _CODES else f"error {code}"
