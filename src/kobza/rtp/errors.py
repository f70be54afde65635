"""What can go wrong with a packet."""


class MalformedRtp(ValueError):  # noqa: N818  the twin of sip.errors.MalformedMessage
    """Bytes that are no RTP or RTCP packet: the only exception that parsing one raises. `what` says why."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
