"""How the sides of a call heard each other, as the store keeps it: one JSON text (`call_details`)."""

from typing import Final

import msgspec
from sqlalchemy import Connection

from kobza.call.heard import HeardCall
from kobza.store import call_details

_decoder: Final = msgspec.json.Decoder(HeardCall)


def written(heard: HeardCall) -> str:
    """Return the text that is kept."""
    return msgspec.json.encode(heard).decode()


def read(text: str) -> HeardCall:
    """Return what a text that is kept says."""
    return _decoder.decode(text)


def find(conn: Connection, enterprise_id: str, call_id: str) -> HeardCall | None:
    """Return how the sides of a call of an enterprise heard each other; None when that is not known."""
    text = call_details.find(conn, "quality", enterprise_id, call_id)
    return None if text is None else read(text)
