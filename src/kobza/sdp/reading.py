"""Read the audio of a description. What phones of one make and setting say alike is worked out once.

Their descriptions differ in the ids of the `o=` line, the address and the ports; the rest is the same in every call.
"""

from typing import Final

from kobza.sdp.audio import Audio, Destination, audio_of, literal_host
from kobza.sdp.description import SessionDescription, is_number

REMEMBERED: Final = 256
"""Forms of descriptions that are kept, 0.5 MB at most. One too many, and they are learnt anew: a phone that says
something else each time costs the others one whole reading."""
_MOST: Final = 2000
"""Bytes of a description whose form is kept, fewer than MAX_LINES by far: a phone says 300 to 1,000."""
_PROTOCOL: Final = "RTP/AVP"
_ITS_OWN: Final = frozenset(
    name[:7]
    for name in ("a=ssrc:", "a=candidate:", "a=ice-ufrag:", "a=ice-pwd:", "a=crypto:", "a=fingerprint:", "a=zrtp-hash:")
)
"""What differs in each call, and says nothing to who takes plain RTP; by the beginning of the line."""

forms: Final[dict[str, Audio]] = {}
"""By the form: the audio of a description that had it."""


def read_audio(data: bytes) -> Audio:
    """Return `audio_of` the description; raise MalformedSdp, or NotAcceptable."""
    plain = _plain(data.decode(errors="replace")) if len(data) <= _MOST else None
    if plain is None:
        return audio_of(SessionDescription.parse(data))
    form, host, port = plain
    known = forms.get(form)
    if known is None:
        audio = audio_of(SessionDescription.parse(data))
        if len(forms) >= REMEMBERED:
            forms.clear()
        forms[form] = audio
        return audio
    mux = known.destination.mux
    destination = Destination(host, port, host, port if mux else port + 1, mux)
    return Audio(0, known.protocol, known.codecs, known.direction, destination, known.ptime)


def _plain(text: str) -> tuple[str, str, int] | None:
    """Return the form of a description, its host and its port. Those of one form are all sound or all broken.

    None where more than these two and the origin may differ: not one stream of plain RTP, not one usable address, RTCP
    in another place than above RTP, lines that do not end in CRLF.
    """
    lines = text.split("\r\n")
    ends = len(lines) - 1
    if text.count("\n") != ends or text.count("\r") != ends:
        return None
    host, port = "", 0
    form: list[str] = []
    for line in lines:
        kind = line[:2]
        if kind == "a=":
            name = line[:7]
            if name in _ITS_OWN:
                continue
            if name == "a=rtcp:":
                usual = f"a=rtcp:{port + 1}"
                if line != usual and line != f"{usual} IN IP4 {host}":
                    return None
                continue
        elif kind == "c=":
            said = literal_host(line[9:])
            if said is None or (host and said != host):
                return None
            host, line = said, line[:9]
        elif kind == "m=":
            number, _, behind = line[8:].partition(" ")
            if port or line[:8] != "m=audio " or behind[:7] != _PROTOCOL or not is_number(number):
                return None
            port, line = int(number), behind
            if not 0 < port < 65535:
                return None
        elif kind == "o=":
            if len(line[2:].split()) != 6:
                return None
            line = kind
        form.append(line)
    return ("\n".join(form), host, port) if host and port else None
