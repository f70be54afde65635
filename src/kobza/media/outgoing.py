"""What a phone is sent beside the other one's packets as they are: tones, digits, packets that are changed on the way.

Toward one side the stream is one: from the first packet that is made here it is numbered here (kobza.rtp.continuity).
"""

import random
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from typing import Final

from kobza.media.decoding import is_decoded
from kobza.media.digits import STEP_SAMPLES, steps
from kobza.media.media_profile import MediaProfile
from kobza.media.overlay import Overlay, Sound
from kobza.media.rtp_port import RtpPort
from kobza.media.tones import PACKET_SAMPLES
from kobza.media.voice_codecs import G722
from kobza.media.voice_encoding import G722Encoder
from kobza.rtp.continuity import OutgoingStream
from kobza.rtp.event import TelephoneEvent
from kobza.rtp.g711 import SILENCE, Law

OWN_SOURCES: Final = frozenset({"ringback", "music", "mix"})
"""What is made here: the stream is numbered here from then on."""
DIGIT_GAP: Final = 0.06
"""Seconds between two packets of one DTMF event at most: 50 ms is what RFC 4733 (2.5.1.2) names, 20 what phones do."""


class Outgoing:
    """The stream toward the phone of `port`. `digits_sound()` is called when they begin and end to take its place."""

    __slots__ = (
        "_digits",
        "_digits_sound",
        "_first_of_tone",
        "_g722",
        "_hush",
        "_keep",
        "_loop",
        "_overlay",
        "_passing_until",
        "_port",
        "_profile",
        "_stream",
        "_tone_position",
        "in_digit",
    )

    def __init__(self, loop: AbstractEventLoop, port: RtpPort, digits_sound: Callable[[], None]) -> None:
        self._loop = loop
        self._port = port
        self._digits_sound = digits_sound
        self._profile = MediaProfile()
        self._hush: Callable[[bytes], bytes] | None = None
        self._keep: Callable[[bytes], bool] | None = None
        self._stream: OutgoingStream | None = None
        self._overlay: Overlay | None = None
        self._g722: G722Encoder | None = None
        """Encodes what sounds over all else, for a phone that takes no G.711."""
        self._tone_position = 0
        self._first_of_tone = True
        self._digits: list[tuple[int, int, Iterator[TelephoneEvent | None]]] = []
        """DTMF on its way to the phone: request, payload type, and the steps that are left of it."""
        self._passing_until = 0.0
        """Until when a digit of the other phone is on its way, in whose time nothing else is sent."""
        self.in_digit = False
        """A digit sounds now: the other phone's packets wait for its end."""

    def configure(self, profile: MediaProfile) -> None:
        """Take what the PBX says about this side."""
        before, self._profile = self._profile, profile
        if profile.source != before.source:
            self._tone_position = 0
            self._first_of_tone = True
            if profile.source in OWN_SOURCES:
                self._own_stream()
        if profile.renaming != before.renaming:
            self._choose_rewriting()

    def hush(self, hush: Callable[[bytes], bytes] | None) -> None:
        """Have the other phone's packets changed to silence, or b"" for nothing; None: no more."""
        self._hush = hush
        self._choose_rewriting()

    def keep(self, keep: Callable[[bytes], bool] | None) -> None:
        """Have packets of the other phone asked about first: of those that `keep` takes, nothing goes on."""
        self._keep = keep
        self._choose_rewriting()

    # packets on their way

    def _own_stream(self) -> OutgoingStream:
        """Return the stream that is numbered here, from now on at the latest."""
        stream = self._stream
        if stream is None:
            now = self._loop.time()
            if self._port.sent is not None:
                stream = OutgoingStream.after(self._port.sent, now)
            else:
                bits = random.SystemRandom().getrandbits
                stream = OutgoingStream(ssrc=bits(32), sequence=bits(15), timestamp=bits(32), now=now)
            self._stream = stream
            self._choose_rewriting()
        return stream

    def _choose_rewriting(self) -> None:
        changes = (self._keep, self._hush, self._overlay, self._stream, self._profile.renaming)
        self._port.rewrite = None if all(each is None for each in changes) else self._rewritten

    def _rewritten(self, data: bytes) -> bytes:
        """Return what a packet of the other side becomes on its way to this one; b"" for nothing."""
        if self._keep is not None and self._keep(data):
            return b""
        if self._hush is not None:
            data = self._hush(data)
            if not data:
                return data
        if self._overlay is not None:
            data = self._overlay.over_packet(data, self._loop.time())
            self._choose_overlay()
            if not data:
                return data
        renaming = self._profile.renaming
        if renaming is not None:
            data = data[:1] + data[1:2].translate(renaming) + data[2:]
        return data if self._stream is None else self._stream.relayed(data, self._loop.time())

    def pass_digit(self, data: bytes) -> None:
        """Send a DTMF event of the other phone on, in the place of what is made here for as long as it lasts."""
        if self._keep is not None and self._keep(data):
            return
        now = self._loop.time()
        self._own_stream()
        self._passing_until, self._first_of_tone = now + DIGIT_GAP, True
        self._port.send_own(self._rewritten(data))

    # tones

    def send_tone(self, payloads: tuple[bytes, ...]) -> None:
        """Send the next packet of a tone."""
        if self._port.peer is None or self._stream is None or self.in_digit or self._loop.time() < self._passing_until:
            return
        payload = payloads[self._tone_position % len(payloads)]
        self._tone_position += 1
        if self._overlay is not None:
            payload = self._overlay.over(payload, Law(self._profile.tone_law))
            self._choose_overlay()
        packet = self._stream.generated(
            self._profile.tone_type, payload, samples=len(payload), first=self._first_of_tone, now=self._loop.time()
        )
        self._first_of_tone = False
        self._port.send_own(packet)

    # sounds over what is heard

    def lay(self, sound: Sound, spoken: Callable[[], bytes]) -> None:
        """Let a sound be heard over all else. `spoken()` gives what the other phone speaks, by payload type.

        Nothing of the voice is withheld for a sound that the phone cannot hear.
        """
        if not self._takes_sounds:
            sound.ended(False)
            return
        if self._overlay is None:
            self._overlay = Overlay(spoken, self._loop.time())
            self._choose_rewriting()
        self._overlay.add(sound)

    def send_overlay(self) -> bool:
        """Send 20 ms of what sounds over all else, where nothing carries it; return whether anything still sounds.

        A phone that hears nothing now, as it holds or has not answered, hears it later.
        """
        overlay, port, profile = self._overlay, self._port, self._profile
        now = self._loop.time()
        if overlay is None:
            return False
        if profile.source != "relay" or port.peer is None or self.in_digit or now < self._passing_until:
            return True
        if not self._takes_sounds:  # any more
            overlay.give_up()
        elif not overlay.waits_for_voice(now):
            law = Law(profile.tone_law)
            payload, kind = overlay.over(bytes([SILENCE[law]]) * PACKET_SAMPLES, law), profile.tone_type
            if kind < 0:
                self._g722 = self._g722 or G722Encoder()
                payload, kind = self._g722.encode(payload), profile.g722_type
            first, overlay.alone = not overlay.alone, True
            stream = self._own_stream()
            port.send_own(stream.generated(kind, payload, samples=PACKET_SAMPLES, first=first, now=now))
        self._choose_overlay()
        return self._overlay is not None

    @property
    def _takes_sounds(self) -> bool:
        """Whether the phone has agreed on a codec that sounds can be sent in."""
        return self._profile.tone_type >= 0 or (self._profile.g722_type >= 0 and is_decoded(G722))

    def _choose_overlay(self) -> None:
        """Let packets pass untouched again when nothing sounds over them any more."""
        if not self._overlay:
            self._overlay = self._g722 = None
            self._choose_rewriting()

    # digits

    @property
    def is_dialling(self) -> bool:
        """Digits are on their way to the phone."""
        return bool(self._digits)

    def dial(self, request: int, payload_type: int, digits: str) -> None:
        """Send digits, after those that are on their way; `send_digit` does it, step by step."""
        self._digits.append((request, payload_type, steps(digits)))

    def send_digit(self) -> list[tuple[int, bool]]:
        """Do the next step of what is dialled; return the requests that are done, and whether all of each went out."""
        if self._port.peer is None or self._profile.source == "none":
            done = [(request, False) for request, _, _ in self._digits]
            self._digits.clear()
            self._between_digits()
            return done
        request, payload_type, left = self._digits[0]
        try:
            event = next(left)
        except StopIteration:
            del self._digits[0]
            return [(request, True)]
        if event is None:
            self._between_digits()
            return []
        first = not event.end and event.duration == STEP_SAMPLES
        if first:
            self.in_digit = True
            self._digits_sound()
        now = self._loop.time()
        self._port.send_own(self._own_stream().event(payload_type, event.to_bytes(), first=first, now=now))
        return []

    def _between_digits(self) -> None:
        """Let the phone hear again what it hears else."""
        if self.in_digit:
            self.in_digit = False
            self._first_of_tone = True
            self._digits_sound()
