"""The SIP messages of a call, as the store keeps them: one JSON text (`call_details`)."""

from typing import Final

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


_decoder: Final = msgspec.json.Decoder(SipLadder)


def written(ladder: SipLadder) -> str:
    """Return the text that is kept."""
    return msgspec.json.encode(ladder).decode()


def find_of_anybody(conn: Connection, call_id: str) -> SipLadder | None:
    """Return what was said in a call, whoever has records of it: for who runs the server."""
    text = call_details.find_of_anybody(conn, "sip_ladder", call_id)
    return None if text is None else _decoder.decode(text)


def find(conn: Connection, enterprise_id: str, call_id: str) -> SipLadder | None:
    """Return what was said in a call of an enterprise; None when that is not known."""
    text = call_details.find(conn, "sip_ladder", enterprise_id, call_id)
    return None if text is None else _decoder.decode(text)
