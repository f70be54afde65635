"""Mixes in the relay: calls that are supervised, and conferences. A call that is in none pays nothing for them.

Whoever is in a mix is a side of a call. A *seated* side is no phone: the mix stands in the place of its socket, and so
speaks through it with the phone on the other side, whatever that one's protection and payload types are. A side that is
a phone belongs to the call that was there first; it hears the mix only when that differs from the other side alone.
"""

import random
from asyncio import AbstractEventLoop
from collections.abc import Mapping
from typing import Final

from kobza.media import tones
from kobza.media.messages import Mix
from kobza.media.mixer import FRAME, Mixer, to_lanes
from kobza.media.plane import Side
from kobza.media.relay_call import RelayCall
from kobza.media.relay_side import RelaySide
from kobza.media.spool import KINDS
from kobza.media.voice_codecs import NO_CODEC
from kobza.rtp.continuity import OutgoingStream
from kobza.rtp.g711 import Law
from kobza.rtp.ice import Address

Key = tuple[str, Side]
"""The call and the side of somebody in a mix."""

SIDES: Final = {kind: side for side, kind in KINDS.items()}
LAWS: Final = frozenset(Law)
"""Their numbers among the codecs of a recording; what is of another one cannot be mixed."""
RECORDED: Final = Law.A
"""The law of what the mix adds to a recording."""


def new_stream(now: float) -> OutgoingStream:
    """Return a stream of which nothing is known yet."""
    bits = random.SystemRandom().getrandbits
    return OutgoingStream(ssrc=bits(32), sequence=bits(15), timestamp=bits(32), now=now)


class _Seat:
    """What takes the place of a seated side's socket."""

    def __init__(self, loop: AbstractEventLoop, mixer: Mixer[Key], key: Key, side: RelaySide) -> None:
        self._loop = loop
        self._mixer = mixer
        self._key = key
        self.side = side
        self._stream = new_stream(loop.time())
        self._first = True
        side.sit(self._said)

    def _said(self, data: bytes, _peer: Address) -> None:
        """Take what the phone on the other side of its call says."""
        side = self.side
        if data[1] & 0x7F == side.profile.tone_type:
            self._mixer.say(self._key, side.tone_law, data)

    def tell(self, payload: bytes) -> None:
        """Let that phone hear 20 ms."""
        now = self._loop.time()
        packet = self._stream.generated(self.side.profile.tone_type, payload, samples=FRAME, first=self._first, now=now)
        self._first = False
        self.side.hand(packet)


class _Ear:
    """Hears the two phones of the call that was there first, and sees to its recordings."""

    def __init__(self, loop: AbstractEventLoop, mixer: Mixer[Key], call: RelayCall) -> None:
        self._loop = loop
        self._mixer = mixer
        self.call = call
        self._stream = new_stream(loop.time())
        self.conversation: tuple[Key, ...] = ()
        """Whom the recording has on the right: the called side and those whom both sides hear.

        Empty: the two talk alone, and the recording has their packets as they come.
        """
        self._first = True

    def packet(self, kind: int, codec: int, data: bytes) -> None:
        """Hear a packet that goes to the other side too."""
        if codec in LAWS:
            self._mixer.say((self.call.call_id, SIDES[kind]), Law(codec), data)

    def withheld(self, kind: int, codec: int, data: bytes) -> None:
        """Hear a packet that the other side gets as part of the mix, or not at all. Digits are passed as they are."""
        side = SIDES[kind]
        other = self.call.sides.get(side.other)
        is_mixed = other is not None and other.profile.source == "mix"
        if codec == NO_CODEC:
            if other is not None and is_mixed and data[1] & 0x7F == self.call.sides[side].profile.events:
                other.outgoing.pass_digit(data)
            return
        self.packet(kind, codec, data)
        if not is_mixed:
            return
        if not self.conversation or side is Side.CALLER:
            for spool in self.call.recording:
                spool.packet(kind, codec, data)

    def record(self) -> None:
        """Give the recordings 20 ms of the conversation."""
        if not self.conversation or not self.call.recording:
            self._first = True
            return
        octets = self._mixer.sum_of(self.conversation, RECORDED)
        packet = self._stream.generated(RECORDED, octets, samples=FRAME, first=self._first, now=self._loop.time())
        self._first = False
        for spool in self.call.recording:
            spool.packet(KINDS[Side.CALLEE], RECORDED, packet)


class RelayMix:
    """One mix."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._mixer: Mixer[Key] = Mixer()
        self._seats: dict[Key, _Seat] = {}
        self._phones: dict[Key, RelaySide] = {}
        self._ears: dict[str, _Ear] = {}
        self._noticing: frozenset[Key] = frozenset()
        """Who hears that somebody listens."""
        self._position = 0

    def arrange(self, command: Mix, calls: Mapping[str, RelayCall]) -> None:
        """Take who is in it and who hears whom. Sides that are not there are left out."""
        sides = {
            (seat.call_id, seat.side): side
            for seat in command.seats
            if (call := calls.get(seat.call_id)) is not None and (side := call.sides.get(seat.side)) is not None
        }
        hears: dict[Key, tuple[Key, ...]] = {
            key: tuple(
                (seat.call_id, seat.side)
                for seat in command.seats
                if (seat.call_id, seat.side) in sides
                and (seat.call_id, seat.side) != key
                and (seat.heard_by is None or key in seat.heard_by)
            )
            for key in sides
        }
        self._mixer.arrange(hears)
        self._phones = {key: side for key, side in sides.items() if not side.profile.seated}
        self._seats = {
            key: seat
            if (seat := self._seats.get(key)) is not None and seat.side is side
            else _Seat(self._loop, self._mixer, key, side)
            for key, side in sides.items()
            if side.profile.seated
        }
        noticing = frozenset(command.noticing)
        if noticing != self._noticing:
            self._noticing, self._position = noticing, 0
        self._listen(hears, calls)

    def _listen(self, hears: Mapping[Key, tuple[Key, ...]], calls: Mapping[str, RelayCall]) -> None:
        """Hear the phones of calls; leave those calls alone that are not in it any more."""
        wanted = {call_id for call_id, _ in self._phones}
        for call_id in self._ears.keys() - wanted:
            self._ears.pop(call_id).call.listen(None)
        for call_id in wanted:
            ear = self._ears.get(call_id)
            if ear is None or ear.call is not calls[call_id]:
                ear = self._ears[call_id] = _Ear(self._loop, self._mixer, calls[call_id])
                ear.call.listen(ear)
            caller, callee = ((call_id, side) for side in (Side.CALLER, Side.CALLEE))
            both = set(hears.get(callee, ()))
            others = tuple(each for each in hears.get(caller, ()) if each in both and each != callee)
            ear.conversation = (callee, *others) if others else ()

    def released(self, call_id: str) -> None:
        """Forget the sides of a call that is no more; the next `arrange` says who hears whom then."""
        self._ears.pop(call_id, None)
        for key in [key for key in (*self._seats, *self._phones) if key[0] == call_id]:
            self._seats.pop(key, None)
            self._phones.pop(key, None)

    def close(self) -> None:
        """Leave every call alone."""
        for ear in self._ears.values():
            ear.call.listen(None)
        self._ears.clear()

    def turn(self) -> None:
        """Let everybody hear the next 20 ms."""
        mixer = self._mixer
        mixer.turn()
        for key, seat in self._seats.items():
            seat.tell(mixer.heard_by(key, seat.side.tone_law))
        for key, side in self._phones.items():
            if side.profile.source == "mix":
                notice = (_notice(self._position),) if key in self._noticing else ()
                side.outgoing.send_tone((mixer.heard_by(key, side.tone_law, notice),))
        self._position += 1
        for ear in self._ears.values():
            ear.record()


def _notice(position: int) -> int:
    payloads = tones.notice(RECORDED)
    return to_lanes(payloads[position % len(payloads)], RECORDED)


class Mixes:
    """All mixes of a relay."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._mixes: dict[str, RelayMix] = {}

    def __bool__(self) -> bool:
        """Whether there is any, and so something to do every 20 ms."""
        return bool(self._mixes)

    def arrange(self, command: Mix, calls: Mapping[str, RelayCall]) -> None:
        """Take how things stand in a mix; one that has no seats is over."""
        if command.seats:
            mix = self._mixes.get(command.mix_id)
            if mix is None:
                mix = self._mixes[command.mix_id] = RelayMix(self._loop)
            mix.arrange(command, calls)
        elif (over := self._mixes.pop(command.mix_id, None)) is not None:
            over.close()

    def released(self, call_id: str) -> None:
        """Note that a call is no more."""
        for mix in self._mixes.values():
            mix.released(call_id)

    def turn(self) -> None:
        """Go on by 20 ms in each."""
        for mix in self._mixes.values():
            mix.turn()
