"""Hangup causes (ITU-T Q.850) and SIP statuses, each way (RFC 3398), and the Reason header (RFC 3326).

Contract, section 5. A `Reason: Q.850;cause=n` that the peer sent always wins over the status.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kobza.call.cause_texts import CAUSE_TEXTS

if TYPE_CHECKING:
    from kobza.sip.headers import Reason

UNALLOCATED: Final = 1
NORMAL_CLEARING: Final = 16
USER_BUSY: Final = 17
NO_USER_RESPONDING: Final = 18
NO_ANSWER: Final = 19
SUBSCRIBER_ABSENT: Final = 20
CALL_REJECTED: Final = 21
NUMBER_CHANGED: Final = 22
REDIRECTION: Final = 23
EXCHANGE_ROUTING_ERROR: Final = 25
ANSWERED_ELSEWHERE: Final = 26
INVALID_NUMBER: Final = 28
NORMAL_UNSPECIFIED: Final = 31
NO_CIRCUIT: Final = 34
TEMPORARY_FAILURE: Final = 41
BEARER_NOT_IMPLEMENTED: Final = 65
RECOVERY_ON_TIMER: Final = 102
PROTOCOL_ERROR: Final = 111

CAUSE_BY_STATUS: Final[Mapping[int, int]] = MappingProxyType(
    {
        400: 41,
        401: 21,
        402: 21,
        403: 21,
        404: 1,
        405: 63,
        406: 79,
        407: 21,
        408: 102,
        410: 22,
        413: 127,
        414: 127,
        415: 79,
        416: 127,
        420: 127,
        421: 127,
        423: 127,
        480: 18,
        481: 41,
        482: 25,
        483: 25,
        484: 28,
        485: 1,
        486: 17,
        487: 31,  # RFC 3398 has none; the contract's: the caller gave up
        488: 65,  # RFC 3398 asks the Warning header, which hardly anybody sends; this is its 7.2.4.1 read backwards
        500: 41,
        501: 79,
        502: 38,
        503: 41,
        504: 102,
        505: 127,
        513: 127,
        600: 17,
        603: 21,
        604: 1,
        606: 65,  # as 488
        607: 21,  # RFC 8197, Unwanted
        608: 21,  # RFC 8688, Rejected
    }
)
"""RFC 3398, section 8.2.6.1, and the few later statuses that say the same in other words."""

STATUS_BY_CAUSE: Final[Mapping[int, int]] = MappingProxyType(
    {
        1: 404,
        2: 404,
        3: 404,
        16: 480,  # RFC 3398 has none, as it is no failure; a call cleared before it was answered is unavailable
        17: 486,
        18: 408,
        19: 480,
        20: 480,
        21: 603,  # RFC 3398: 403, or 603 when the user did it; behind a PBX it is the user
        22: 410,
        23: 480,  # RFC 3398: 410, which would tell phones to forget the number for good
        26: 404,
        27: 502,
        28: 484,
        29: 501,
        31: 480,
        34: 503,
        38: 503,
        41: 503,
        42: 503,
        47: 503,
        55: 403,
        57: 403,
        58: 503,
        65: 488,
        70: 488,
        79: 501,
        87: 403,
        88: 503,
        102: 504,
        111: 500,
        127: 500,
    }
)
"""RFC 3398, section 7.2.4.1, with the deviations named beside them."""

_CAUSE_BY_CLASS: Final[Mapping[int, int]] = MappingProxyType({3: 23, 4: 41, 5: 41, 6: 17})
"""A status outside the table is read as the x00 of its class (RFC 3261, 8.1.3.2); a redirection is never followed."""

_STATUS_BY_CAUSE_CLASS: Final[Mapping[int, int]] = MappingProxyType({0: 480, 1: 480, 2: 503, 3: 503, 4: 501, 5: 503})
"""By cause // 16, the class of Q.850: normal, normal, no resource, not available, not implemented, invalid message."""


def cause_from_reasons(reasons: Sequence["Reason"]) -> int | None:
    """Return the first Q.850 cause (1 to 127) among Reason values, or None."""
    for reason in reasons:
        if reason.protocol.upper() == "Q.850" and 1 <= reason.cause <= 127:
            return reason.cause
    return None


def cause_from_sip(status: int, reasons: Sequence["Reason"] = ()) -> int:
    """Return the cause of a final SIP response: its Reason header's if it has one, else by RFC 3398, 8.2.6.1.

    A status below 300 is no failure: 16.
    """
    cause = cause_from_reasons(reasons) if reasons else None
    if cause is None:
        cause = CAUSE_BY_STATUS.get(status)
    if cause is None:
        cause = _CAUSE_BY_CLASS.get(status // 100, NORMAL_CLEARING if status < 300 else TEMPORARY_FAILURE)
    return cause


def sip_from_cause(cause: int) -> int:
    """Return the SIP status that tells a cause (RFC 3398, 7.2.4.1); 500 for what is no cause of Q.850."""
    status = STATUS_BY_CAUSE.get(cause)
    if status is None:
        status = _STATUS_BY_CAUSE_CLASS.get(cause // 16, 500)
    return status


def cause_text(cause: int, lang: str = "en") -> str:
    """Return a cause in words: `lang` starts with "uk" for Ukrainian, all else is English.

    A value that Q.850 leaves free reads as "unspecified" of its class, as Q.850 (2.2.7.1) wants it treated.
    """
    texts = CAUSE_TEXTS.get(cause)
    if texts is None:
        texts = CAUSE_TEXTS[_unspecified(cause)]
    return texts[1] if lang[:2].lower() == "uk" else texts[0]


def _unspecified(cause: int) -> int:
    """Return the last value of a cause's class, its "unspecified"."""
    if 1 <= cause <= 127:
        return max(31, cause | 0x0F)
    return NORMAL_UNSPECIFIED


def reason_header(cause: int) -> str:
    """Return the value of a Reason header: `Q.850;cause=17;text="User busy"`."""
    value = _REASON_HEADERS.get(cause)
    if value is None:
        value = _reason_header(cause)
    return value


def _reason_header(cause: int) -> str:
    return f'Q.850;cause={cause};text="{cause_text(cause)}"'


_REASON_HEADERS: Final[Mapping[int, str]] = MappingProxyType({cause: _reason_header(cause) for cause in CAUSE_TEXTS})

ANSWERED_ELSEWHERE_REASON: Final = (
    f'SIP;cause=200;text="Call completed elsewhere", {_REASON_HEADERS[ANSWERED_ELSEWHERE]}'
)
"""The Reason of a CANCEL to the phones that lost: the SIP part is what keeps them from showing a missed call."""
