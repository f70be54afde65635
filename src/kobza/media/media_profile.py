"""What the packets of a side are and what becomes of them, apart from where its phone is: the same for many calls."""

from functools import cached_property
from typing import Literal

import msgspec

from kobza.media.voice_codecs import NO_CODECS

SourceName = Literal["relay", "mix", "ringback", "music", "none"]


class Voice(msgspec.Struct, frozen=True, array_like=True):
    """A codec of speech: its name as in an `rtpmap`, and its clock in Hz."""

    name: str
    clock: int


class MediaProfile(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """What the relay does with the packets from and to one side. Calls whose profiles are equal share one.

    `source` is what the phone hears. `tone_type` is the payload type of a tone to it (0 mu-law, 8 A-law in `tone_law`),
    -1 when it takes no G.711; then `source` is no tone. `laws` tells which payload types from it are G.711, `codecs`
    which are speech, to be recorded, by the numbers of `kobza.media.voice_codecs`, `renamed` which payload types toward
    it have another number than the other side uses. `watched`: it must send, else MediaTimedOut. `muted`: of its speech
    the other side gets as much silence, and the recording nothing; `events` is then, and while a mix is heard by the
    other side, the payload type of the DTMF events from it, which pass, -1 for none. `mux`: its RTCP shares the RTP
    port. `taped`: what comes from it is recorded and goes no further. `seated`: there is no phone but a seat in a mix.
    `sound` is the file of the music ("" for our own), or the country of the ringback.
    `voices` names which payload types from it are speech. `g722_type` is the payload type of G.722 to it where it takes
    no G.711, -1 for none: what it is told of a recording can be in that, tones cannot. `keys` is the payload type of
    the DTMF events from it which do not go to the other one but are told (Keyed), -1 for none.
    """

    mux: bool = False
    source: SourceName = "none"
    tone_type: int = -1
    tone_law: int = 8
    laws: dict[int, int] = {}
    renamed: dict[int, int] = {}
    watched: bool = False
    muted: bool = False
    events: int = -1
    codecs: dict[int, int] = {}
    taped: bool = False
    seated: bool = False
    sound: str = ""
    voices: dict[int, Voice] = {}
    g722_type: int = -1
    keys: int = -1

    @cached_property
    def spoken(self) -> bytes:
        """By payload type: the codec of what is speech, NO_CODEC for the rest."""
        table = bytearray(NO_CODECS)
        for payload_type, codec in self.codecs.items():
            table[payload_type] = codec
        return bytes(table)

    @cached_property
    def renaming(self) -> bytes | None:
        """The table for the second byte of packets to the phone: the payload type changes, the marker stays.

        None: nothing changes.
        """
        if not self.renamed:
            return None
        table = bytearray(range(256))
        for sent, wanted in self.renamed.items():
            table[sent], table[sent | 0x80] = wanted, wanted | 0x80
        return bytes(table)
