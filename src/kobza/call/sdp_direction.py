"""Who is on hold: the direction of the audio stream, read from a session description without parsing the rest.

The media plane parses descriptions properly; a call needs to know one thing only, and for a peer's odd SDP it must get
some answer rather than an error.
"""

from typing import Final

from kobza.call.actions import MediaDirection

_DIRECTIONS: Final[dict[bytes, MediaDirection]] = {
    b"a=sendrecv": "sendrecv",
    b"a=sendonly": "sendonly",
    b"a=recvonly": "recvonly",
    b"a=inactive": "inactive",
}


def audio_direction(sdp: bytes) -> MediaDirection:
    """Return the direction of the first audio stream of a session description, as its sender says it.

    The session's attribute counts when the stream has none, "sendrecv" when neither has (RFC 3264, section 5.1). The
    address 0.0.0.0 is the old way to say hold (section 8.4) and reads as "sendonly"; a stream with port 0 is
    "inactive". Never raises: what is no description reads as "sendrecv".
    """
    session: MediaDirection = "sendrecv"
    stream: MediaDirection | None = None
    session_nowhere = False
    stream_nowhere: bool | None = None
    section = "session"
    for raw in sdp.splitlines():
        line = raw.strip()
        if line.startswith(b"m="):
            if section == "audio":
                break
            section = "audio" if line.startswith(b"m=audio ") else "other"
            if line.startswith(b"m=audio 0 "):
                return "inactive"
        elif section == "other":
            continue
        elif line in _DIRECTIONS:
            if section == "audio":
                stream = _DIRECTIONS[line]
            else:
                session = _DIRECTIONS[line]
        elif line.startswith(b"c="):
            nowhere = line.endswith(b" 0.0.0.0")
            if section == "audio":
                stream_nowhere = nowhere
            else:
                session_nowhere = nowhere
    direction = session if stream is None else stream
    if direction == "sendrecv" and (session_nowhere if stream_nowhere is None else stream_nowhere):
        return "sendonly"
    return direction


def says_hold(direction: MediaDirection) -> bool:
    """Tell whether a side that says this direction wants nothing from the other one: it holds it (RFC 6337, 5.3)."""
    return direction in ("sendonly", "inactive")
