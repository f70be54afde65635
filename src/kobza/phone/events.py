"""What happens to a softphone, as values: for its owner, for tests that look back, one line each on a terminal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class What(StrEnum):
    """The kinds of events, past tense."""

    REGISTERED = "registered"
    REGISTRATION_FAILED = "registration_failed"
    UNREGISTERED = "unregistered"
    DIALLED = "dialled"
    RANG = "rang"
    """The far end rings (outgoing call)."""
    ARRIVED = "arrived"
    """Somebody calls (incoming call)."""
    ESTABLISHED = "established"
    HELD = "held"
    """`by` is "me" or "peer"."""
    RESUMED = "resumed"
    HOLD_FAILED = "hold_failed"
    TONE_HEARD = "tone_heard"
    DIGIT_HEARD = "digit_heard"
    ENDED = "ended"


Detail = str | int | float | None


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """One thing that happened. `at` is seconds since the epoch; `call` counts the calls of the phone from 1."""

    at: float
    what: What
    call: int | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Detail]:
        """Return what `kobza phone --json` prints."""
        return {"event": self.what.value, "at": round(self.at, 3), "call": self.call, **self.details}

    def __str__(self) -> str:
        """Return a line for people."""
        get = self.details.get
        match self.what:
            case What.REGISTERED:
                return f"registered as {get('number')} at {get('server')} for {get('expires')} s"
            case What.REGISTRATION_FAILED:
                return f"not registered: {get('reason')}"
            case What.UNREGISTERED:
                return "unregistered"
            case What.DIALLED:
                return f"calling {get('peer')}"
            case What.RANG:
                return f"{get('peer')} rings"
            case What.ARRIVED:
                name = get("name")
                return f"ringing from {get('peer')}" + (f" ({name})" if name else "")
            case What.ESTABLISHED:
                return f"established with {get('peer')}, {get('codec')}"
            case What.HELD:
                return "held by me" if get("by") == "me" else f"held by {get('peer')}"
            case What.RESUMED:
                return "resumed"
            case What.HOLD_FAILED:
                return f"hold failed: {get('status')}"
            case What.TONE_HEARD:
                return f"heard {get('hz')} Hz"
            case What.DIGIT_HEARD:
                return f"heard digit {get('digit')}"
            case What.ENDED:
                return f"ended: {get('reason')}"


OnEvent = Callable[[PhoneEvent], None]
