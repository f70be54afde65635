"""What can go wrong with a packet."""


class MalformedRtp(ValueError):
    """Bytes that are no RTP or RTCP packet: the only exception that parsing one raises. `what` says why."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class MalformedStun(ValueError):
    """Bytes that are no STUN message: the only exception that parsing one raises."""
