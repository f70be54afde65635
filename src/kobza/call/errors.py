"""Errors that a user of Kobza may see: each says whose fault it is and carries its HTTP and its SIP status.

The mapping to `application/problem+json` (RFC 9457) happens once, in the HTTP layer; the mapping to a SIP response
once, in the conductor.
"""

from enum import StrEnum


class Fault(StrEnum):
    """Whose fault an error is."""

    OURS = "ours"
    PEER = "peer"
    CALLER = "caller"


class KobzaError(Exception):
    """Base of the errors shown to users.

    `code` is stable and for programs, `detail` one sentence for people, `parameter` the name of the parameter that is
    wrong, if it is one. Subclasses fix the code and the two statuses; an instance may override them.
    """

    code: str = "internal_error"
    http_status: int = 500
    sip_status: int = 500
    fault: Fault = Fault.OURS

    def __init__(
        self,
        detail: str,
        *,
        parameter: str | None = None,
        code: str | None = None,
        http_status: int | None = None,
        sip_status: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.parameter = parameter
        if code is not None:
            self.code = code
        if http_status is not None:
            self.http_status = http_status
        if sip_status is not None:
            self.sip_status = sip_status


class NumberError(KobzaError):
    """A text that is no number that can be dialled."""

    code = "invalid_number"
    http_status = 400
    sip_status = 484
    fault = Fault.CALLER


class NotFoundError(KobzaError):
    """A thing that does not exist, or belongs to another enterprise (which must look the same)."""

    code = "not_found"
    http_status = 404
    sip_status = 404
    fault = Fault.CALLER


class WrongStateError(KobzaError):
    """A command that the call cannot carry out in the state it is in, such as hold while alerting."""

    code = "wrong_state"
    http_status = 409
    sip_status = 491
    fault = Fault.CALLER


class OriginatorBusyError(KobzaError):
    """The originator of a click2dial call is in a call."""

    code = "originator_busy"
    http_status = 409
    sip_status = 486
    fault = Fault.CALLER


class OriginatorUnreachableError(KobzaError):
    """No device of the originator of a click2dial call is registered."""

    code = "originator_unreachable"
    http_status = 409
    sip_status = 480
    fault = Fault.CALLER


class DestinationUnreachableError(KobzaError):
    """No device of the number to which a call is to be transferred is registered."""

    code = "destination_unreachable"
    http_status = 409
    sip_status = 480
    fault = Fault.CALLER


class ConferenceFullError(KobzaError):
    """As many phones are in one call as can be mixed."""

    code = "conference_full"
    http_status = 409
    sip_status = 486
    fault = Fault.CALLER


class ServiceNotEnabledError(KobzaError):
    """The number lacks the package that the request needs."""

    code = "service_not_enabled"
    http_status = 403
    sip_status = 403
    fault = Fault.CALLER


class PresentationNotAllowedError(KobzaError):
    """A number that the enterprise may not present to those it calls."""

    code = "presentation_not_allowed"
    http_status = 403
    sip_status = 403
    fault = Fault.CALLER


class NoRouteError(KobzaError):
    """Nothing leads to the number: neither a subscriber nor a trunk."""

    code = "no_route"
    http_status = 503
    sip_status = 404
    fault = Fault.OURS


class NoAnswerFromPhoneError(KobzaError):
    """The phone did not answer a command in time."""

    code = "no_answer_from_phone"
    http_status = 504
    sip_status = 504
    fault = Fault.PEER


class CommandRefusedError(KobzaError):
    """The phone, or the media plane on its behalf, refused a command; `sip_status` is the phone's answer."""

    code = "refused_by_phone"
    http_status = 502
    sip_status = 488
    fault = Fault.PEER


class MediaFailedError(KobzaError):
    """The media plane could not do what a command needs."""

    code = "media_failed"
    http_status = 503
    sip_status = 503
    fault = Fault.OURS
