"""The sound of calls over bad networks: what the relay makes of it, in the call, in its recording and in its numbers.

Real calls through a real relay, side by side, each over a network of its own that loses, doubles, delays and reorders
what the phones send and what they are sent. They talk in real time, as a relay goes by the clock of the system.
"""

import asyncio
import math
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from kobza.media.encoder import encode
from kobza.media.messages import LAG_BOUNDS
from kobza.media.plane import CallHeard, MediaTimedOut, RecordingClosed, Side, SideHeard, SideNotHeard
from kobza.rtp.packet import is_rtp
from kobza.rtp.rtcp import RtcpPacket, RtcpType
from tests.media.phone_end import HOST, PACKET, PhoneEnd
from tests.media.planes import RunningPlane, running_plane
from tests.media.spools import decode_mp3
from tests.support.impairment import LATE, Fate, Impairment
from tests.support.ports import free_range
from tests.support.spectrum import Samples, tone_share

NETWORKS: Final = (
    Impairment(),
    Impairment(loss=0.01),
    Impairment(loss=0.05, delay=0.02),
    Impairment(loss=0.2),
    Impairment(duplication=0.2),
    Impairment(reordering=0.2, delay=0.04),
    Impairment(loss=0.1, duplication=0.1),
    Impairment.of(0.02, delay=0.04),
    Impairment.of(0.1, delay=0.1),
    Impairment.of(0.2, delay=0.1),
)
TICK: Final = 0.02
"""Seconds of a packet."""
LENGTH: Final = 0.02
"""Seconds by which a recording may be longer or shorter than the talk."""
PIECE: Final = 40
"""Samples of which it is told whether they are silent."""
LOUD: Final = 0.08
"""Half as loud as the tones are."""
SILENCE, ONE_WAY = 4.0, 2.0
"""Seconds after which a call is dead, and one in which a side is not heard is named: less than any of these networks
makes of it."""
STALL: Final = 0.1
"""Seconds for which the machine may let nobody run: beyond, packets come in heaps that no network makes, and what a
recording makes of them is not looked at."""
REPORTED: Final = 1.0
"""Seconds between two reports of a phone."""


class FarPhone(PhoneEnd):
    """A phone behind a bad network. It reports what it hears, as phones do."""

    def __init__(self, frequency: float, ssrc: int, impairment: Impairment, seed: str) -> None:
        super().__init__(frequency, ssrc=ssrc)
        self.there, self.here = Fate(impairment, f"{seed} there"), Fate(impairment, f"{seed} here")
        """What becomes of what it sends, and of what it is sent."""
        self.sent: list[bool] = []
        """Of each packet, whether it came to the relay."""
        self.heard: dict[int, int] = {}
        """How often each packet of the other one came, by its number."""
        self.stall = 0.0
        """By how many seconds it was late itself."""

    async def speak(self, seconds: float) -> None:
        """Talk, and report each second."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(round(seconds / TICK)):
            packet, times = self.made(), self.there.next()
            self.sent.append(bool(times))
            for late in times:
                loop.call_later(late, self._send, packet)
            if number % round(REPORTED / TICK) == 0:
                self.rtcp.sendto(self.report(), (HOST, self.to + 1))
            left = begun + (number + 1) * TICK - loop.time()
            self.stall = max(self.stall, -left)
            await asyncio.sleep(max(0.0, left))

    def report(self) -> bytes:
        """Return what it says of the stream that it hears (RFC 3550, section 6.4.2)."""
        lost = max(self.heard) - min(self.heard) + 1 - len(self.heard) if self.heard else 0
        block = struct.pack("!6I", 3 - self.ssrc, lost & 0xFFFFFF, 0, 0, 0, 0)
        return RtcpPacket(RtcpType.RECEIVER_REPORT, 1, self.ssrc.to_bytes(4, "big") + block).to_bytes()

    @property
    def lost(self) -> int:
        """How many of its packets were lost between the first and the last one that came."""
        end = len(self.sent) - self.sent[::-1].index(True)
        return self.sent[self.sent.index(True) : end].count(False)

    def _send(self, packet: bytes) -> None:
        if self.rtp.fileno() >= 0:
            self.rtp.sendto(packet, (HOST, self.to))

    def _read(self, opened: socket.socket, to: list[bytes]) -> None:
        """Take what the network lets through."""
        before = len(to)
        super()._read(opened, to)
        if opened is not self.rtp or not is_rtp(to[-1]):
            return
        data = to.pop()
        assert len(to) == before
        for _ in self.here.next():
            number = int.from_bytes(data[2:4], "big")
            self.heard[number] = self.heard.get(number, 0) + 1


@dataclass
class BadCall:
    """One call, and what came of it."""

    name: str
    impairment: Impairment
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    """As the network knows it."""
    told: int = 0
    """As the relay says."""

    async def play(self, running: RunningPlane, folder: Path, seconds: float, seed: int) -> tuple[float, float]:
        """Talk; return how long at least and at most."""
        plane = running.plane
        with (
            FarPhone(440.0, 1, self.impairment, f"{seed} {self.name} a") as caller,
            FarPhone(660.0, 2, self.impairment, f"{seed} {self.name} b") as callee,
        ):
            self.phones = {Side.CALLER: caller, Side.CALLEE: callee}
            await running.connect(caller, callee, self.name)
            before = time.monotonic()
            plane.record(self.name, record_id=self.name, spool=folder / self.name)
            began = time.monotonic()
            await asyncio.gather(caller.speak(seconds), callee.speak(seconds))
            await asyncio.sleep(self.impairment.delay + LATE + TICK)
            for phone in self.phones.values():
                phone.rtcp.sendto(phone.report(), (HOST, phone.to + 1))
            await running.settle()
            ended = time.monotonic()
            plane.release(self.name, asked=True)
            after = time.monotonic()
        return ended - began, after - before

    def judge(
        self, heard: CallHeard, spool: Path, talked: tuple[float, float], seconds: float, *, stalled: bool
    ) -> None:
        """Look at the numbers and at the recording; `stalled`: the relay was."""
        stalled = stalled or any(phone.stall > STALL for phone in self.phones.values())
        in_flight = 0
        if self.impairment.delay or self.impairment.reordering:
            in_flight = 1 + round((self.impairment.delay + LATE) / TICK)
        for side, phone in self.phones.items():
            self._judge_numbers(side, phone, heard.sides[side], in_flight)
        mp3 = spool.with_suffix(".mp3")
        length = encode(spool, mp3).duration_ms / 1000
        if not talked[0] - LENGTH <= length <= talked[1] + LENGTH:
            self.wrong.append(f"the recording has {length:.3f} s of {talked[0]:.3f} to {talked[1]:.3f}")
        for side, sound, tone in zip(Side, decode_mp3(mp3), (440.0, 660.0), strict=True):
            self._judge_sound(side, sound, tone, None if stalled else seconds)

    def _judge_numbers(self, side: Side, phone: FarPhone, heard: SideHeard, in_flight: int) -> None:
        self.lost += phone.lost
        self.told += heard.lost
        if abs(heard.lost - phone.lost) > in_flight:
            self.wrong.append(f"of the {side} {phone.lost} packets were lost, {heard.lost} are told")
        if heard.sent > len(phone.sent) + in_flight:
            self.wrong.append(f"the {side} has sent {len(phone.sent)} packets, {heard.sent} are told")
        missed = max(phone.heard) - min(phone.heard) + 1 - len(phone.heard)
        if heard.missed != missed:
            self.wrong.append(f"the {side} reported {missed} packets missed, {heard.missed} are told")

    def _judge_sound(self, side: Side, sound: Samples, tone: float, seconds: float | None) -> None:
        """Hear the side's tone and, of so many seconds, silence where packets are missing, for as long as they are."""
        phone = self.phones[side]
        if tone_share(sound, tone) < 0.5:
            self.wrong.append(f"the {side} is not to be heard in the recording")
        if seconds is None:
            return
        pieces = sound[: len(sound) // PIECE * PIECE].reshape(-1, PIECE)
        loud = float(np.sum(np.sqrt(np.mean(pieces**2, axis=1)) > LOUD)) * PIECE / PACKET
        came = phone.sent.count(True)
        if abs(loud - came) > 3 + 0.04 * seconds / TICK:
            self.wrong.append(f"{loud:.0f} packets of the {side} are in the recording, {came} came")


async def bad_calls(folder: Path, *, seconds: float, seed: int, networks: Sequence[Impairment]) -> list[BadCall]:
    """Let a call go over each network, all at once; return what came of them."""
    calls = [BadCall(f"call-{number}", impairment) for number, impairment in enumerate(networks)]
    async with running_plane(ports=free_range(8 * len(networks)), silence=SILENCE, one_way_after=ONE_WAY) as running:
        talked = await asyncio.gather(*(call.play(running, folder, seconds, seed) for call in calls))
        told = {each.call_id: each for each in await running.events_of(CallHeard, len(calls))}
        spools = {each.call_id: each.spool for each in await running.events_of(RecordingClosed, len(calls))}
        await running.ports_are_back()
        gone = [each for each in running.events if isinstance(each, MediaTimedOut | SideNotHeard)]
        await running.settle()
        late = running.plane.traffic.lag
        stalled = any(count for bound, count in zip((*LAG_BOUNDS, math.inf), late, strict=True) if bound > STALL)
    for call, length in zip(calls, talked, strict=True):
        call.judge(told[call.name], spools[call.name], length, seconds, stalled=stalled)
        call.wrong += [str(each) for each in gone if each.call_id == call.name]
    return calls
