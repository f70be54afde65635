"""A browser as the media plane knows it: aiortc, an ICE, DTLS-SRTP and SDP implementation of others."""

import asyncio
import fractions
import math
import re
from types import TracebackType
from typing import Self

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from tests.support.spectrum import Samples
from tests.support.waiting import PATIENCE

RATE = 8000
PACKET = 160
"""Samples of a packet: 20 ms."""


class Tone(MediaStreamTrack):
    """A microphone that hears a sine."""

    kind = "audio"

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self._step = 2 * math.pi * frequency / RATE
        self._position = 0
        self._due = 0.0

    async def recv(self) -> av.AudioFrame:
        """Return the next 20 ms, not before their time."""
        now = asyncio.get_running_loop().time()
        self._due = (self._due or now) + PACKET / RATE
        await asyncio.sleep(max(0.0, self._due - now))
        places = np.arange(self._position, self._position + PACKET)
        frame = av.AudioFrame.from_ndarray(
            (8000 * np.sin(self._step * places)).astype(np.int16)[np.newaxis], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._position, fractions.Fraction(1, RATE)
        self._position += PACKET
        return frame


class BrowserEnd:
    """One peer connection with a tone for a microphone; collects what it hears."""

    def __init__(self, frequency: float = 700.0) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.on("track", self._listen)
        self._tone = Tone(frequency)
        self._heard: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
        self._arrived = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        self._tone.stop()
        await self.connection.close()

    async def offer(self, direction: str = "sendrecv") -> bytes:
        """Return an offer of the microphone, with all candidates in it, and of DTMF events as Chromium has them."""
        if not self.connection.getSenders():
            self.connection.addTrack(self._tone)
        self.connection.getTransceivers()[0].direction = direction
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = re.sub(r"(m=audio [^\r]+)", r"\1 126", self.connection.localDescription.sdp)
        return (offer + "a=rtpmap:126 telephone-event/8000\r\n").encode()

    async def take_answer(self, sdp: bytes) -> None:
        """Take what was answered to `offer`."""
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp.decode(), "answer"))

    async def answer(self, sdp: bytes) -> bytes:
        """Take an offer; return the answer."""
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp.decode(), "offer"))
        if self.connection.getTransceivers()[0].sender.track is None:
            self.connection.addTrack(self._tone)
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp.encode()

    def _listen(self, track: MediaStreamTrack) -> None:
        self._listening = asyncio.create_task(self._collect(track))

    async def _collect(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, av.AudioFrame)
            samples = frame.to_ndarray()[0]
            self._heard.append(samples[:: len(frame.layout.channels)])
            self._arrived.set()

    def forget(self) -> None:
        """Hear anew."""
        self._heard.clear()

    async def hear(self, samples: int = RATE) -> Samples:
        """Wait for so many samples of 8,000 Hz beyond those that are there; return them, from -1 to 1."""
        start = len(self._heard)
        async with asyncio.timeout(PATIENCE):
            while sum(map(len, self._heard[start:])) < samples:
                self._arrived.clear()
                await self._arrived.wait()
        return np.concatenate(self._heard[start:])[:samples] / 32768.0
