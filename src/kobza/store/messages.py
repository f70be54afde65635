"""The SIP messages of a call: a ladder, and the JSON text that the store keeps of it (`call_details`).

The text has the dialogs as they were noted while the call was on. They are put together when somebody looks: that is
one call in a thousand.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from kobza.store import call_details


class Message(msgspec.Struct, frozen=True, array_like=True):
    """One message between us and a phone or trunk."""

    after_ms: int
    """Since the first one."""
    lane: int
    """With whom: the place in the ladder's lanes."""
    sent: bool
    """By us; else to us."""
    what: str
    """The method of a request, the status of a response with its phrase."""
    about: str = ""
    """Its session description in short, without addresses; "" without one."""


class SipLadder(msgspec.Struct, frozen=True, array_like=True):
    """What was said in a call."""

    began_at: int
    """Milliseconds, of the first message."""
    lanes: list[str]
    """Who is at the other end of each dialog: "caller", or "phone" for one that was called; a trunk is "trunk NAME", or
    "caller trunk NAME"."""
    messages: list[Message]


Told = tuple[float, bool, str, str]
"""A message of a dialog: when (seconds since the epoch), and then what `Message` has: sent, what, about."""
Noted = list[Any]
"""The messages of a dialog as they are noted: when the first was (microseconds since the epoch); then of each, one
behind the other, how much later it was (microseconds), sent, what, about."""
FIELDS: Final = 4
"""Of each message in `Noted`."""

_MICROSECONDS: Final = 1_000_000
_decoder: Final = msgspec.json.Decoder(list[tuple[str, Noted]])
_older_decoder: Final = msgspec.json.Decoder(SipLadder)
"""Of ladders that were put together before they were kept, as releases before this way did."""


def written(dialogs: Sequence[tuple[str, Noted]]) -> str:
    """Return the text that is kept of the dialogs of a call: who is at the other end, and what was noted."""
    return msgspec.json.encode(dialogs).decode()


def ladder(dialogs: Iterable[tuple[str, Sequence[Told]]]) -> SipLadder | None:
    """Put the dialogs of a call together: who is at the other end, and what was said; None when nothing was."""
    lanes: list[str] = []
    told: list[tuple[float, int, int, Told]] = []
    for name, messages in dialogs:
        if messages:
            lane, before = len(lanes), len(told)
            told += [(each[0], before + number, lane, each) for number, each in enumerate(messages)]
            lanes.append(name)
    if not told:
        return None
    told.sort()
    began = told[0][0]
    return SipLadder(
        round(began * 1000),
        lanes,
        [Message(int((at - began) * 1000 + 0.5), lane, *each[1:]) for at, _, lane, each in told],
    )


def find_of_anybody(conn: Connection, call_id: str) -> SipLadder | None:
    """Return what was said in a call, whoever has records of it: for who runs the server."""
    text = call_details.find_of_anybody(conn, "sip_ladder", call_id)
    return None if text is None else read(text)


def find(conn: Connection, enterprise_id: str, call_id: str) -> SipLadder | None:
    """Return what was said in a call of an enterprise; None when that is not known."""
    text = call_details.find(conn, "sip_ladder", enterprise_id, call_id)
    return None if text is None else read(text)


def read(text: str) -> SipLadder | None:
    """Return what was said in a call of which this text is kept."""
    if not text.startswith("[["):
        return _older_decoder.decode(text)
    return ladder((lane, _told(noted)) for lane, noted in _decoder.decode(text))


def _told(noted: Noted) -> list[Told]:
    columns = (noted[start::FIELDS] for start in range(1, FIELDS + 1))
    return [
        ((noted[0] + after) / _MICROSECONDS, sent, what, about)
        for after, sent, what, about in zip(*columns, strict=True)
    ]
