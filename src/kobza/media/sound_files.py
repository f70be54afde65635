"""Sounds that an enterprise brought, as the relay plays them: files of A-law octets, 8,000 a second, no header."""

import logging
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from kobza.media.tones import PACKET_SAMPLES
from kobza.rtp.g711 import SILENCE, Law, decode, encode_pcm

log = logging.getLogger(__name__)

SUFFIX: Final = ".alaw"
KEPT: Final = 32
"""Sounds in memory, in either law: some MB each."""
MAX_OCTETS: Final = 10 * 60 * 8000
"""Ten minutes: longer than anybody waits."""


@lru_cache(maxsize=KEPT)
def payloads(path: str, law: Law) -> tuple[bytes, ...]:
    """Return the packets of a sound, the last one filled up with silence. () for one that cannot be read: it is logged.

    A file never changes its content: it is named by it.
    """
    try:
        with Path(path).open("rb") as file:
            octets = file.read(MAX_OCTETS)
    except OSError as error:
        log.error("the sound %s cannot be read: %s", path, error.strerror or error)  # noqa: TRY400  no fault of ours
        return ()
    if law is Law.MU:
        octets = octets.translate(_mu_of_a())
    filled = octets + bytes([SILENCE[law]]) * (-len(octets) % PACKET_SAMPLES)
    return tuple(filled[start:end] for start, end in pairwise(range(0, len(filled) + 1, PACKET_SAMPLES)))


@lru_cache(maxsize=1)
def _mu_of_a() -> bytes:
    return encode_pcm(decode(bytes(range(256)), Law.A), Law.MU)
