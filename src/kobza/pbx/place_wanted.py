"""INVITEs that begin no call: they want a place in one that is there, named in Replaces or by the code for pickup."""

from typing import Final

from kobza.call.directory import Subscriber
from kobza.call.trunk import Trunk
from kobza.sip.errors import MalformedMessage
from kobza.sip.message import SipRequest
from kobza.sip.refer import Replaces
from kobza.values import Value

WHERE: Final = "Replaces header"


class PlaceWanted(Value, frozen=True):
    """Which place: that of a dialog, or what rings somewhere."""

    replaces: Replaces | None = None
    """The dialog; None: what rings."""
    at: str = ""
    """Where it rings, as it was dialled behind the code; "": at any colleague of the caller's ringing groups."""


class WantsPlace(Value, frozen=True):
    """It is known who sent such an INVITE: a number of ours, or (with Replaces only) a trunk."""

    who: Subscriber | Trunk
    wanted: PlaceWanted


def place_wanted(request: SipRequest, pickup_code: str) -> PlaceWanted | None:
    """Read which place an INVITE wants; None: it begins a call. `pickup_code` "": there is no such code.

    MalformedMessage for a Replaces that cannot be read, or several of them (RFC 3891, section 3).
    """
    texts = request.get_all("replaces")
    if len(texts) > 1:
        raise MalformedMessage(f"{len(texts)} of them, expected one", WHERE)
    if texts:
        return PlaceWanted(Replaces.parse(texts[0], WHERE))
    dialled = request.uri.dialled
    if pickup_code and dialled.startswith(pickup_code):
        return PlaceWanted(at=dialled.removeprefix(pickup_code))
    return None
