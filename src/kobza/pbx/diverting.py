"""What an INVITE to a trunk says of who sent the call on: Diversion (RFC 5806) and History-Info (RFC 7044)."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from kobza.call.errors import NumberError
from kobza.call.forwarding import Diversion, Occasion, TimeOfDay
from kobza.call.numbers import normalize
from kobza.call.routing import ANONYMOUS
from kobza.call.trunk import Trunk
from kobza.sip import diversion as sip
from kobza.sip.errors import MalformedMessage
from kobza.sip.headers import Reason
from kobza.sip.message import SipRequest
from kobza.sip.uri import SipUri
from kobza.store.diversions import Diverted

MAX_DIVERTED: Final = 10
"""Values of a caller's Diversion that are passed on."""

REASONS: Final[Mapping[Occasion | TimeOfDay, str]] = {
    Occasion.ALWAYS: "unconditional",
    Occasion.BUSY: "user-busy",
    Occasion.NO_ANSWER: "no-answer",
    Occasion.UNREACHABLE: "unavailable",
    TimeOfDay.CLOSED: "time-of-day",
}

CAUSES: Final[Mapping[Occasion | TimeOfDay, int]] = {
    Occasion.ALWAYS: 302,
    Occasion.BUSY: 486,
    Occasion.NO_ANSWER: 408,
    Occasion.UNREACHABLE: 503,
    TimeOfDay.CLOSED: 302,
}
"""How RFC 4458 (section 2.1, the `cause` parameter that RFC 7044 refers to) says why a request is retargeted."""


def diverted_before(request: SipRequest) -> tuple[sip.Diversion, ...]:
    """Return what an INVITE says of diversions before it came here; nothing when that cannot be read.

    Diversion counts where both headers are there: History-Info would tell of the same.
    """
    try:
        found = sip.diversions(request) or sip.diversions_in(sip.history(request))
    except MalformedMessage:
        return ()
    return tuple(found[:MAX_DIVERTED])


def numbers_before(diverted: Sequence[sip.Diversion], trunk: Trunk) -> tuple[str, ...]:
    """Return the numbers (E.164) that sent a call on before it came by a trunk, one for each time; "": nobody knows."""
    found = []
    for each in diverted:
        try:
            number = normalize(trunk.read(each.uri.dialled))
        except NumberError:
            number = ""
        found += [number, *[""] * (min(each.counter, MAX_DIVERTED) - 1)]
    return tuple(found)


def told_of(diverted: Sequence[sip.Diversion], trunk: Trunk) -> list[Diverted]:
    """Return who sent a call on before it came by a trunk, as its enterprise may know it: without who hides."""
    found = []
    for each in diverted:
        user = each.uri.dialled
        if each.private or user.lower() in ("", ANONYMOUS):
            number = ANONYMOUS
        else:
            try:
                number = normalize(trunk.read(user))
            except NumberError:
                number = user[:64]
        found.append(Diverted(number, each.reason, each.counter))
    return found


def diversion_headers(
    made: Sequence[Diversion], before: Sequence[sip.Diversion], target: SipUri, trunk: Trunk, host: str
) -> tuple[tuple[str, str], ...]:
    """Return the headers for an INVITE that was sent on; `target` is where it goes, `host` where our numbers are.

    A trunk outside the trust domain is not told numbers that are hidden, as it is not told who hides when calling.
    """
    if not made:
        return ()
    last_first = [*(_value(each, trunk, host) for each in reversed(made)), *(_told(each, trunk) for each in before)]
    return (
        ("Diversion", ", ".join(str(each) for each in last_first)),
        ("History-Info", ", ".join(str(each) for each in _history(made, target, trunk, host))),
    )


def _value(each: Diversion, trunk: Trunk, host: str) -> sip.Diversion:
    return sip.Diversion(_uri(each, trunk, host), REASONS[each.occasion], private=each.private)


def _told(each: sip.Diversion, trunk: Trunk) -> sip.Diversion:
    if each.private and not trunk.trusted:
        return replace(each, uri=sip.ANONYMOUS, display_name="")
    return each


def _uri(each: Diversion, trunk: Trunk, host: str) -> SipUri:
    if each.private and not trunk.trusted:
        return sip.ANONYMOUS
    user = trunk.written(each.number)
    return SipUri("sip", user=user, host=host, params=trunk.marks(user))


def _history(made: Sequence[Diversion], target: SipUri, trunk: Trunk, host: str) -> list[sip.HistoryEntry]:
    """Return one entry for each number, the first one dialled first, and one for the target."""
    entries = []
    index, mapped_from, cause = "1", None, None
    for each in made:
        answered = CAUSES[each.occasion]
        reason = None if answered == CAUSES[Occasion.ALWAYS] else Reason("SIP", answered)
        entries.append(
            sip.HistoryEntry(_caused(_uri(each, trunk, host), cause), index, reason, each.private, mapped_from)
        )
        mapped_from, index, cause = index, f"{index}.1", answered
    entries.append(sip.HistoryEntry(_caused(target, cause), index, mapped_from=mapped_from))
    return entries


def _caused(uri: SipUri, cause: int | None) -> SipUri:
    return uri if cause is None else replace(uri, params=(*uri.params, ("cause", str(cause))))
